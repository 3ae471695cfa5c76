//! What holds for every file that tells the runner of a server.

use attache_conformance::{Target, contract::CONTRACTS, scenarios::scenarios};
use proptest::{collection::vec, prelude::*, sample::select};

/// Lines of such a file, well and badly written.
fn line() -> impl Strategy<Value = String> {
    let keys = vec![
        "[tokens]",
        "[client]",
        "[provoke]",
        "[[lines]]",
        "[[tokens.three_legged]]",
        "[paths]",
        "versions",
        "roaming",
        "phone_number",
        "country_code",
        "country_name",
        "reachable",
        "seen",
        "two_legged",
        "token",
        "unknown",
        "ipv4_public_port",
        "ipv6_address",
        "network_access_identifier",
        "confirms_at_each_query",
    ];
    let value = prop_oneof![
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "\"[ -~]{0,16}\"",
        "\\[\"[A-Z]{2,4}\"\\]",
        Just("\"+33639980001\"".to_owned()),
    ];
    (select(keys), value).prop_map(
        |(key, value)| {
            if key.starts_with('[') { key.to_owned() } else { format!("{key} = {value}") }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_file_makes_the_reader_or_the_scenarios_panic(lines in vec(line(), 0..8), text in any::<String>()) {
        let base_url = "http://localhost:1".parse().map_err(|_| TestCaseError::fail("the address"))?;
        for file in [lines.join("\n"), text] {
            let Ok(target) = Target::from_file(&base_url, &file) else { continue };
            for contract in CONTRACTS {
                prop_assert!(!scenarios(contract, &target).is_empty());
            }
        }
    }
}
