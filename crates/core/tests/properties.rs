//! What holds for every text that the domain's types are read from.

use attache_core::{
    NetworkAccessIdentifier, Pace, PhoneNumber, Plmn, PublisherName, Purpose, Quota, Rate, Scope, Technology, Timestamp,
};
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
    fn no_text_of_a_plan_makes_its_readers_panic(
        text in prop_oneof![any::<String>(), "[0-9]{0,12}/[a-z0-9]{0,8}", "[0-9]{1,9}/(s|min|h|day)"],
        burst in any::<Option<std::num::NonZeroU32>>(),
    ) {
        let _ = text.parse::<Quota>().map(|quota| quota.to_string());
        if let Ok(pace) = text.parse::<Pace>() {
            prop_assert_eq!(pace.to_string().parse::<Pace>(), Ok(pace));
            let _ = Rate::new(pace, burst);
        }
    }

    #[test]
    fn every_name_is_read_as_it_is_written(text in prop_oneof![any::<String>(), "[a-zA-Z0-9.-]{0,12}@[a-zA-Z0-9.-]{0,12}"]) {
        let _ = (text.parse::<PublisherName>(), text.parse::<Technology>());
        if let Ok(identifier) = text.parse::<NetworkAccessIdentifier>() {
            prop_assert_eq!(identifier.as_str().parse(), Ok(identifier.clone()));
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
