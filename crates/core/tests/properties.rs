//! What holds for every text that the domain's types are read from.

use attache_core::{PhoneNumber, Plmn, Purpose, Scope, Timestamp};
use proptest::prelude::*;

/// Quick, and without a file for what has failed: a failure prints its input.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_text_makes_a_reader_panic(text in prop_oneof![any::<String>(), "\\+?[0-9-]{0,20}", "[0-9TZ:.+-]{0,32}"]) {
        let _ = (text.parse::<Plmn>(), text.parse::<Timestamp>(), text.parse::<Scope>(), text.parse::<Purpose>());
        if let Ok(number) = text.parse::<PhoneNumber>() {
            prop_assert_eq!(number.to_string(), text);
        }
    }

    #[test]
    fn every_phone_number_that_the_contracts_allow_is_read_as_it_is_written(text in "\\+[1-9][0-9]{4,14}") {
        prop_assert_eq!(text.parse::<PhoneNumber>().map(|number| number.to_string()), Ok(text));
    }

    #[test]
    fn every_network_is_read_as_it_is_written(text in "[0-9]{5,6}") {
        prop_assert_eq!(text.parse::<Plmn>().map(|plmn| plmn.to_string()), Ok(text));
    }

    #[test]
    fn every_time_is_read_as_it_is_written(nanoseconds in any::<i64>()) {
        let time = Timestamp::from_unix_nanoseconds(nanoseconds);
        prop_assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time));
    }
}
