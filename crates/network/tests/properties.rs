//! What holds for every file of lines.

use attache_core::Timestamp;
use attache_network::csv;
use proptest::{collection::vec, prelude::*};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_makes_the_reader_panic(
        header in prop_oneof![Just(true), Just(false)],
        rows in vec("[0-9+]{0,17},[0-9]{0,6},[0-9]{0,6},[A-Z|]{0,8},[0-9TZ:.-]{0,24}\n", 0..4),
        bytes in vec(any::<u8>(), 0..256),
    ) {
        let header = if header { "phone_number,home_plmn,serving_plmn,reachable,last_seen\n" } else { "" };
        let file = [header.as_bytes(), rows.concat().as_bytes(), &bytes].concat();
        let _ = csv::read(file.as_slice(), Timestamp::from_unix_seconds(0));
    }
}
