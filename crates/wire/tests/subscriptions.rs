//! Holds the faces of subscriptions against the publishers' own contracts, where they are at hand: in
//! `../shared` beside the repository. Elsewhere these tests find nothing to compare and pass.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it finds what it does not expect")]

use std::{collections::BTreeSet, path::Path};

use attache_core::{
    ClientId, Country, Delivery, DeliveryState, DeviceIdentifier, EndReason, EventType, Fact, Ipv4Identifier, LineId,
    Mcc, Notice, Problem, PublisherName, Purpose, Sink, Subscription, SubscriptionId, SubscriptionProblem,
    SubscriptionStatus, Technology,
};
use attache_wire::{SubscriptionFace, camara};
use serde_json::{Value, json};

/// The version of a contract in its folder.
fn folder(face: &SubscriptionFace) -> String {
    match (face.api, face.contract) {
        ("device-status", "0.5") => "device-status/0.5.1".to_owned(),
        (api, contract) => format!("{api}/{contract}"),
    }
}

/// The faces whose documents are at hand.
fn faces() -> Vec<(&'static SubscriptionFace, Value)> {
    let document = |face: &&'static SubscriptionFace| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/camara");
        let text = std::fs::read_to_string(root.join(folder(face)).join("openapi.yaml")).ok()?;
        Some((*face, serde_saphyr::from_str(&text).unwrap()))
    };
    camara::PUBLISHER.subscriptions.iter().filter_map(document).collect()
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => resolve(document, document.pointer(reference.trim_start_matches('#')).expect(reference)),
        None => value,
    }
}

fn operation<'a>(document: &'a Value, path: &str, method: &str) -> &'a Value {
    &document["paths"][path][method]
}

/// Whether a value is what a schema of a document says. The rest of the document stands beside it, for what
/// it refers to.
fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut whole = document.clone();
    whole["allOf"] = json!([schema]);
    let validator = jsonschema::validator_for(&whole).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn devices() -> Vec<Option<DeviceIdentifier>> {
    vec![
        None,
        Some(DeviceIdentifier::PhoneNumber("+33699901032".parse().unwrap())),
        Some(DeviceIdentifier::Ipv6("2001:db8::1".parse().unwrap())),
        Some(DeviceIdentifier::Ipv4(Ipv4Identifier {
            public_address: [192, 0, 2, 1].into(),
            public_port: Some(5060),
            private_address: None,
        })),
    ]
}

fn subscription(face: &SubscriptionFace, event_type: EventType, device: Option<DeviceIdentifier>) -> Subscription {
    Subscription {
        id: SubscriptionId::from_bytes([7; 16]),
        publisher: PublisherName::new_static("camara"),
        api: face.api.to_owned(),
        contract: face.contract.to_owned(),
        client: ClientId::from_bytes([1; 16]),
        purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
        scope: attache_core::Scope::new_static("a:create"),
        line: LineId::from_bytes([9; 16]),
        device,
        event_type,
        sink: Sink::new("https://endpoint.example.com/sink").unwrap(),
        credential: None,
        initial_event: Some(true),
        max_events: Some(5),
        expires_at: Some("2027-01-17T13:18:23.682Z".parse().unwrap()),
        starts_at: "2026-01-17T13:18:23.682Z".parse().unwrap(),
        status: SubscriptionStatus::Active,
        events_made: 0,
    }
}

/// Everything that a subscription of this type can be told.
fn notices(event_type: EventType) -> Vec<Notice> {
    let germany = Country::of(Mcc::from_number(262).unwrap());
    let facts = match event_type {
        EventType::RoamingStatus => {
            vec![Fact::RoamingStatus { visited: None }, Fact::RoamingStatus { visited: Some(germany) }]
        }
        EventType::RoamingOn => vec![Fact::RoamingOn],
        EventType::RoamingOff => vec![Fact::RoamingOff],
        EventType::RoamingChangeCountry => vec![Fact::RoamingChangeCountry { visited: germany }],
        EventType::ReachabilityData => vec![Fact::ReachabilityData],
        EventType::ReachabilitySms => vec![Fact::ReachabilitySms],
        EventType::ReachabilityDisconnected => vec![Fact::ReachabilityDisconnected],
        EventType::NetworkTypeChanged => vec![
            Fact::NetworkTypeChanged { technology: None },
            Fact::NetworkTypeChanged { technology: Some(Technology::Fifth) },
        ],
    };
    let ends = EndReason::ALL.map(|reason| Notice::Ended { reason, description: Some("why".into()) });
    let life = [Notice::Started, Notice::Updated { is_active: true }, Notice::Updated { is_active: false }];
    facts.into_iter().map(Notice::Event).chain(life).chain(ends).collect()
}

fn delivery(notice: Notice) -> Delivery {
    Delivery {
        subscription: SubscriptionId::from_bytes([7; 16]),
        sequence: 3,
        notice,
        at: "2026-01-17T13:18:23.682Z".parse().unwrap(),
        made_at: "2026-01-17T13:18:24Z".parse().unwrap(),
        attempts: 0,
        state: DeliveryState::Pending,
        last_outcome: None,
        due_at: None,
        is_replay: false,
    }
}

#[test]
fn the_path_and_the_scopes_are_those_of_the_contract() {
    for (face, document) in faces() {
        let server = document["servers"][0]["url"].as_str().unwrap().strip_prefix("{apiRoot}").unwrap();
        assert_eq!(face.path, format!("{server}/subscriptions"));
        let scopes = |path: &str, method: &str| -> BTreeSet<String> {
            let security = operation(&document, path, method)["security"].as_array().unwrap();
            let listed = security.iter().flat_map(|item| item.as_object().unwrap().values());
            listed.flat_map(|scopes| scopes.as_array().unwrap()).map(|it| it.as_str().unwrap().to_owned()).collect()
        };
        let create: BTreeSet<String> = face.types.iter().map(|it| it.create_scope.to_string()).collect();
        assert_eq!(scopes("/subscriptions", "post"), create, "{}", face.path);
        let read = BTreeSet::from([face.read_scope.to_string()]);
        assert_eq!(scopes("/subscriptions", "get"), read, "{}", face.path);
        assert_eq!(scopes("/subscriptions/{subscriptionId}", "get"), read, "{}", face.path);
        let delete = BTreeSet::from([face.delete_scope.to_string()]);
        assert_eq!(scopes("/subscriptions/{subscriptionId}", "delete"), delete, "{}", face.path);
    }
}

#[test]
fn the_types_are_those_of_the_contract() {
    for (face, document) in faces() {
        let schemas = &document["components"]["schemas"];
        let creation =
            if face.api == "device-status" { "SubscriptionCreationEventType" } else { "SubscriptionEventType" };
        let listed = |name: &str| -> BTreeSet<&str> {
            schemas[name]["enum"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
        };
        let served: BTreeSet<&str> = face.types.iter().map(|it| it.name).collect();
        assert_eq!(served, listed(creation), "{}", face.path);
        let life = [face.life.started, face.life.updated, Some(face.life.ended)].into_iter().flatten();
        let told: BTreeSet<&str> = served.into_iter().chain(life).collect();
        let mapping = schemas["CloudEvent"]["discriminator"]["mapping"].as_object().unwrap();
        assert_eq!(told, mapping.keys().map(String::as_str).collect(), "{}", face.path);
    }
}

#[test]
fn every_code_of_a_documented_status_is_documented() {
    // In the prose of 0.6's sibling; and what was never said in it.
    let elsewhere = ["UNIDENTIFIABLE_DEVICE", "UNSUPPORTED_DEVICE_IDENTIFIERS", "UNNECESSARY_IDENTIFIER"];
    for (face, document) in faces() {
        let problems = Problem::examples().into_iter().map(SubscriptionProblem::from);
        for problem in problems.chain(SubscriptionProblem::examples()) {
            // Its code is a matter of the common list of codes: no contract of a subscription has it.
            if matches!(problem, SubscriptionProblem::Problem(Problem::NeverSeen)) {
                continue;
            }
            let refusal = (face.refuse)(&problem);
            let body: Value = serde_json::from_slice(&refusal.body).unwrap();
            assert_eq!(body["status"], refusal.status, "{}: {problem:?}", face.path);
            let code = body["code"].as_str().unwrap();
            let mut documented: Vec<String> = Vec::new();
            for (path, method) in [("/subscriptions", "post"), ("/subscriptions/{subscriptionId}", "delete")] {
                let response = &operation(&document, path, method)["responses"][refusal.status.to_string()];
                let content = &resolve(&document, response)["content"]["application/json"];
                let enumerated = content["schema"]["allOf"].as_array().into_iter().flatten();
                let enumerated = enumerated.filter_map(|part| part["properties"]["code"]["enum"].as_array()).flatten();
                let examples = content["examples"].as_object().into_iter().flatten();
                let examples = examples.map(|(_, example)| &resolve(&document, example)["value"]["code"]);
                let codes = enumerated.chain(examples).chain(content["example"].get("code"));
                documented.extend(codes.filter_map(Value::as_str).map(str::to_owned));
            }
            // The contracts list no 404 for what a subscription is about, only for the subscription.
            let is_unlisted = documented.is_empty() || (refusal.status == 404 && code != "NOT_FOUND");
            let is_elsewhere = face.contract == "0.6" && elsewhere.contains(&code);
            let is_ours = face.api == "device-status" && ["INVALID_TOKEN_CONTEXT"].contains(&code);
            assert!(
                is_unlisted || is_elsewhere || is_ours || documented.iter().any(|it| it == code),
                "{} {}: {problem:?} is {} {code}, and the contract has {documented:?}",
                face.api,
                face.contract,
                refusal.status
            );
        }
    }
}

#[test]
fn every_answer_is_what_the_contract_says() {
    for (face, document) in faces() {
        let name = if face.api == "device-status" { "SubscriptionInfo" } else { "Subscription" };
        for subscribed in face.types {
            for device in devices() {
                // The contracts before Commonalities 0.5 require the device, which a token's is not told.
                if device.is_none() && (face.contract == "0.6" || face.api == "device-status") {
                    continue;
                }
                let subscription = subscription(face, subscribed.event_type, device);
                let written: Value = serde_json::from_slice(&(face.write)(face, &subscription)).unwrap();
                assert_eq!(faults(&document, &schema(name), &written), [""; 0], "{}: {written}", face.path);
                let list = (face.write_list)(face, std::slice::from_ref(&subscription));
                assert_eq!(serde_json::from_slice::<Value>(&list).unwrap(), json!([written]));
            }
        }
    }
}

#[test]
fn every_event_is_what_the_contract_says() {
    for (face, document) in faces() {
        let mapping = &document["components"]["schemas"]["CloudEvent"]["discriminator"]["mapping"];
        let mut told = BTreeSet::new();
        for subscribed in face.types {
            for device in devices() {
                if device.is_none() && (face.contract == "0.6" || face.api == "device-status") {
                    continue;
                }
                let subscription = subscription(face, subscribed.event_type, device);
                for notice in notices(subscribed.event_type) {
                    let delivery = delivery(notice);
                    let Some(written) = (face.write_event)(face, &subscription, &delivery, "https://a.example") else {
                        continue;
                    };
                    let written: Value = serde_json::from_slice(&written).unwrap();
                    let event_type = written["type"].as_str().unwrap().to_owned();
                    let reference = json!({ "$ref": mapping[&event_type].as_str().expect(&event_type) });
                    let mut found = faults(&document, &reference, &written);
                    // Roaming 0.7 and 0.8 require a country of the end of a subscription, which has none.
                    if event_type == face.life.ended && face.api == "device-roaming-status-subscriptions" {
                        found.retain(|fault| !fault.contains("\"countryCode\" is a required property"));
                    }
                    assert_eq!(found, [""; 0], "{} {}: {written}", face.api, face.contract);
                    assert_eq!(written["id"], "07070707-0707-0707-0707-070707070707-3");
                    told.insert(event_type);
                }
            }
        }
        let all: BTreeSet<String> = mapping.as_object().unwrap().keys().cloned().collect();
        assert_eq!(told, all, "{} {}", face.api, face.contract);
    }
}

#[test]
fn who_deletes_a_subscription_of_device_status_is_told_nothing() {
    let face = &camara::device_status::v0_5_subscriptions::FACE;
    let subscription = subscription(face, EventType::RoamingOn, None);
    let told = |reason| {
        let delivery = delivery(Notice::Ended { reason, description: None });
        (face.write_event)(face, &subscription, &delivery, "https://a.example").is_some()
    };
    let told: Vec<EndReason> = EndReason::ALL.into_iter().filter(|reason| told(*reason)).collect();
    assert_eq!(told, [EndReason::Expired, EndReason::NetworkTerminated]);
}
