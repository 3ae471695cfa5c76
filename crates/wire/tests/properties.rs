//! What holds for every input and every answer, tried with many that nobody thought of.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it finds what it does not expect")]

use std::net::{Ipv4Addr, Ipv6Addr};

use attache_core::{
    Country, Device, DeviceIdentifier, Ipv4Identifier, NetworkType, PhoneNumber, Plmn, Problem, Purpose, Reachability,
    Roaming, Scope, Technology, Timestamp,
};
use attache_wire::{Answering, Face, PUBLISHERS, oauth::ScopeParameters};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Quick, and without a file for what has failed: a failure prints its input.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() }
}

/// All faces of all publishers.
fn faces() -> impl Iterator<Item = &'static Face> {
    PUBLISHERS.iter().flat_map(|publisher| publisher.faces).copied()
}

/// JSON of any kind, with the names of fields that faces know among those they don't.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        3 => select(vec![
            "device", "ueId", "phoneNumber", "msisdn", "ipv4Address", "ipv6Address", "ipv4Addr", "ipv6Addr", "uePort",
            "publicAddress", "privateAddress", "publicPort", "networkAccessIdentifier", "externalId",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "\\+?[0-9]{0,17}".prop_map(Value::from),
        "[0-9a-f:./]{0,24}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name.clone(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn phone_number() -> impl Strategy<Value = String> {
    "\\+[1-9][0-9]{4,14}"
}

/// A device by the schema of `Device`, which all versions but 0.4 have: any of its identifiers, at
/// least one.
fn device_by_schema() -> impl Strategy<Value = Value> {
    let ipv4 = (any::<Ipv4Addr>(), option::of(any::<u16>()), option::of(any::<Ipv4Addr>()))
        .prop_filter("the contract wants one of them", |(_, port, private)| port.is_some() || private.is_some())
        .prop_map(|(public, port, private)| {
            let mut address = Map::from_iter([("publicAddress".to_owned(), json!(public))]);
            address.extend(port.map(|port| ("publicPort".to_owned(), json!(port))));
            address.extend(private.map(|private| ("privateAddress".to_owned(), json!(private))));
            Value::Object(address)
        });
    let identifiers = (
        option::of(phone_number()),
        option::of(ipv4),
        option::of(any::<Ipv6Addr>()),
        option::of("[a-z0-9]{1,12}@[a-z]{1,12}\\.com"),
    );
    identifiers
        .prop_map(|(number, ipv4, ipv6, nai)| {
            let members = [
                number.map(|number| ("phoneNumber", json!(number))),
                ipv4.map(|address| ("ipv4Address", address)),
                ipv6.map(|address| ("ipv6Address", json!(address))),
                nai.map(|identifier| ("networkAccessIdentifier", json!(identifier))),
            ];
            members.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>()
        })
        .prop_filter("minProperties is 1", |members| !members.is_empty())
        .prop_map(Value::Object)
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_nanoseconds)
}

fn country() -> impl Strategy<Value = Country> {
    "[0-9]{5}".prop_map(|plmn| Country::of(plmn.parse::<Plmn>().unwrap().mcc()))
}

fn technology() -> impl Strategy<Value = Technology> {
    select(vec![Technology::Second, Technology::Third, Technology::Fourth, Technology::Fifth])
}

fn identifier() -> impl Strategy<Value = DeviceIdentifier> {
    let ipv4 = (any::<Ipv4Addr>(), option::of(any::<u16>()), option::of(any::<Ipv4Addr>()));
    prop_oneof![
        phone_number().prop_map(|number| DeviceIdentifier::PhoneNumber(number.parse().unwrap())),
        ipv4.prop_map(|(public_address, public_port, private_address)| {
            DeviceIdentifier::Ipv4(Ipv4Identifier { public_address, public_port, private_address })
        }),
        any::<Ipv6Addr>().prop_map(DeviceIdentifier::Ipv6),
        any::<String>().prop_map(DeviceIdentifier::NetworkAccessIdentifier),
    ]
}

/// Holds an answer against the fields that an answer can have.
fn has_only(body: &[u8], required: &str, fields: &[&str]) {
    let answer: Value = serde_json::from_slice(body).expect("an answer is JSON");
    let answer = answer.as_object().expect("an answer is an object");
    assert!(answer.contains_key(required), "{answer:?}");
    assert!(answer.keys().all(|name| fields.contains(&name.as_str())), "{answer:?}");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_bytes_make_a_face_panic(bytes in vec(any::<u8>(), 0..512)) {
        for face in faces() {
            let _ = (face.read)(&bytes);
            let _ = face.is_meant.is_some_and(|is_meant| is_meant(&bytes));
        }
    }

    #[test]
    fn no_json_makes_a_face_panic_and_every_problem_with_it_is_a_refusal(value in any_json()) {
        let body = value.to_string();
        for face in faces() {
            let _ = face.is_meant.is_some_and(|is_meant| is_meant(body.as_bytes()));
            if let Err(problem) = (face.read)(body.as_bytes()) {
                let refusal = (face.refuse)(&problem);
                prop_assert!((400..500).contains(&refusal.status), "{problem:?}");
                prop_assert!(serde_json::from_slice::<Value>(&refusal.body).unwrap().is_object());
            }
        }
    }

    #[test]
    fn a_device_that_the_schema_allows_is_read_by_every_version(device in device_by_schema()) {
        let body = json!({"device": device}).to_string();
        for face in attache_wire::camara::PUBLISHER.faces.iter().filter(|face| face.contract != "0.4") {
            match (face.read)(body.as_bytes()) {
                Ok(device) => prop_assert!(!device.is_unnamed(), "{} {}: {body}", face.api, face.contract),
                // The contract allows them, and its text tells that they can name no line.
                Err(Problem::UnknownLine | Problem::IdentifierUnsupported | Problem::IdentifiersDisagree) => {}
                Err(problem) => prop_assert!(false, "{} {}: {body}: {problem}", face.api, face.contract),
            }
        }
    }

    #[test]
    fn a_phone_number_is_the_device_that_is_read(number in phone_number()) {
        let newer = json!({"device": {"phoneNumber": number}}).to_string();
        let older = json!({"ueId": {"msisdn": number}}).to_string();
        let device = Device::new(vec![DeviceIdentifier::PhoneNumber(number.parse::<PhoneNumber>().unwrap())]);
        for face in attache_wire::camara::PUBLISHER.faces {
            let body = if face.contract.starts_with("0.4") { &older } else { &newer };
            prop_assert_eq!((face.read)(body.as_bytes()), Ok(device.clone()), "{} {}", face.api, face.contract);
        }
    }

    #[test]
    fn no_text_makes_an_authorization_server_s_readers_panic(
        text in prop_oneof![
            any::<String>(), "(tel|ipport|operatortoken|phone_number|tel:\\+):?[0-9a-f:.\\[\\]+]{0,24}", "dpv:[A-Za-z#: ]{0,40}"
        ],
        purpose in option::of(any::<String>()),
    ) {
        for publisher in PUBLISHERS {
            let _ = (publisher.authorization.read_login_hint)(&text);
            let parameters = ScopeParameters { scope: Some(&text), purpose: purpose.as_deref() };
            let _ = (publisher.authorization.read_scope)(&parameters);
            let _ = (text.parse::<Scope>(), text.parse::<Purpose>());
        }
    }

    #[test]
    fn every_answer_is_json_with_the_fields_of_its_contract_only(
        at in time(),
        visited in option::of(country()),
        (data, sms) in any::<(bool, bool)>(),
        (technology, seen_at) in (option::of(technology()), option::of(time())),
        device in option::of(identifier()),
    ) {
        let device = device.as_ref();
        for face in attache_wire::camara::PUBLISHER.faces {
            match face.answer {
                Answering::Roaming(write) => has_only(
                    &write(&Roaming { visited, confirmed_at: at }, device),
                    "roaming",
                    &["device", "lastStatusTime", "roaming", "countryCode", "countryName"],
                ),
                Answering::Reachability(write) => has_only(
                    &write(&Reachability { data, sms, confirmed_at: at }, device),
                    if face.api == "device-status" { "connectivityStatus" } else { "lastStatusTime" },
                    &["device", "lastStatusTime", "reachabilityStatus", "reachable", "connectivity", "connectivityStatus"],
                ),
                Answering::NetworkType(write) => has_only(
                    &write(&NetworkType { technology, confirmed_at: seen_at }, device),
                    "connectedNetworkType",
                    &["device", "lastStatusTime", "connectedNetworkType"],
                ),
            }
        }
    }

    #[test]
    fn every_text_in_a_problem_is_written_as_json(field in any::<String>(), reason in any::<String>()) {
        for problem in [
            Problem::FieldInvalid { field, reason: reason.clone() },
            Problem::BodyMalformed { reason },
        ] {
            for face in faces() {
                let refusal = (face.refuse)(&problem);
                prop_assert!(serde_json::from_slice::<Value>(&refusal.body).unwrap().is_object());
            }
        }
    }
}
