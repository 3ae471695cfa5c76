//! Holds the faces of subscriptions against what they say of themselves, and against the publishers' own contracts,
//! where they are at hand: in `../shared` beside the repository. Elsewhere that part finds nothing to compare and passes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it finds what it does not expect")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use attache_core::{
    ClientId, Country, Delivery, DeliveryState, DeviceIdentifier, EndReason, EventType, Fact, Ipv4Identifier, LineId,
    Mcc, Notice, Problem, PublisherName, Purpose, Sink, Subscription, SubscriptionId, SubscriptionProblem,
    SubscriptionStatus, Technology,
};
use attache_wire::{PUBLISHERS, SubscriptionFace, camara, documents};
use jsonschema::Validator;
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

/// The faces with what they say of themselves.
fn described() -> Vec<(&'static SubscriptionFace, Value)> {
    let documents = PUBLISHERS.iter().flat_map(|publisher| documents(publisher));
    documents.filter_map(|document| Some((document.subscriptions()?, document.to_json()))).collect()
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
    faults_by(&validator(document, schema), value)
}

/// A schema of a document, to hold many values against.
fn validator(document: &Value, schema: &Value) -> Validator {
    let mut whole = document.clone();
    whole["allOf"] = json!([schema]);
    jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
}

fn faults_by(validator: &Validator, value: &Value) -> Vec<String> {
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
        requested_end: Some("2027-01-17T13:18:23.682Z".parse().unwrap()),
        expires_at: Some("2027-01-17T13:18:23.682Z".parse().unwrap()),
        starts_at: "2026-01-17T13:18:23.682Z".parse().unwrap(),
        ended_at: None,
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
fn the_end_that_was_asked_for_is_told_from_the_one_that_was_decided() {
    let end = "2027-01-17T13:18:23.682Z";
    for face in PUBLISHERS.iter().flat_map(|publisher| publisher.subscriptions) {
        let subscription = subscription(face, face.types[0].event_type, None);
        for (requested_end, expected) in [(subscription.requested_end, json!(end)), (None, Value::Null)] {
            let subscription = Subscription { requested_end, ..subscription.clone() };
            let written: Value = serde_json::from_slice(&(face.write)(face, &subscription)).unwrap();
            let asked = if face.api == "device-status" { &written } else { &written["config"] };
            assert_eq!(
                (&asked["subscriptionExpireTime"], &written["expiresAt"]),
                (&expected, &json!(end)),
                "{}",
                face.path
            );
        }
    }
}

#[test]
fn device_status_tells_when_a_subscription_ended_for_whatever_reason() {
    let face = &camara::device_status::v0_5_subscriptions::FACE;
    let (end, sooner, later) = ("2027-01-17T13:18:23.682Z", "2026-05-01T00:00:00.000Z", "2027-01-17T13:18:24.682Z");
    for (expires_at, ended_at, expected) in [
        (None, None, Value::Null),
        (Some(end), None, json!(end)),
        (None, Some(sooner), json!(sooner)),
        (Some(end), Some(sooner), json!(sooner)),
        // What has expired did so at its time, however soon that was seen.
        (Some(end), Some(later), json!(end)),
    ] {
        let subscription = Subscription {
            expires_at: expires_at.map(|time| time.parse().unwrap()),
            ended_at: ended_at.map(|time| time.parse().unwrap()),
            ..subscription(face, EventType::RoamingOn, None)
        };
        let written: Value = serde_json::from_slice(&(face.write)(face, &subscription)).unwrap();
        assert_eq!(written["expiresAt"], expected, "{expires_at:?} {ended_at:?}");
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

#[test]
fn every_answer_and_every_event_is_what_the_face_says_of_itself() {
    for (face, document) in described() {
        let answer = "/paths/~1subscriptions/post/responses/201/content/application~1json/schema";
        let answer = validator(&document, document.pointer(answer).unwrap());
        let forms = &document["components"]["schemas"]["CloudEvent"]["discriminator"]["mapping"];
        let forms = forms.as_object().unwrap().iter();
        let forms: BTreeMap<&str, Validator> =
            forms.map(|(name, form)| (name.as_str(), validator(&document, &json!({ "$ref": form })))).collect();
        let ends = EndReason::ALL.map(SubscriptionStatus::Ended);
        let ends = ends.into_iter().filter(|end| *end != SubscriptionStatus::Ended(EndReason::Deleted));
        let statuses: Vec<_> =
            [SubscriptionStatus::Active, SubscriptionStatus::Inactive].into_iter().chain(ends).collect();
        for subscribed in face.types {
            for (device, status) in
                devices().into_iter().flat_map(|device| statuses.iter().map(move |status| (device.clone(), status)))
            {
                let subscription =
                    Subscription { status: *status, ..subscription(face, subscribed.event_type, device) };
                let written: Value = serde_json::from_slice(&(face.write)(face, &subscription)).unwrap();
                assert_eq!(faults_by(&answer, &written), [""; 0], "{}: {written}", face.path);
                for notice in notices(subscribed.event_type) {
                    let event = (face.write_event)(face, &subscription, &delivery(notice), "https://a.example");
                    let Some(event) = event else { continue };
                    let event: Value = serde_json::from_slice(&event).unwrap();
                    let form = &forms[event["type"].as_str().unwrap()];
                    assert_eq!(faults_by(form, &event), [""; 0], "{}: {event}", face.path);
                }
            }
        }
    }
}

#[test]
fn every_example_is_what_the_schema_beside_it_says() {
    for (face, document) in described() {
        let mut shown = BTreeSet::new();
        let mut hold = |place: &str, content: &Value| {
            let examples = content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]);
            for example in examples.chain(content.get("example")) {
                assert_eq!(faults(&document, &content["schema"], example), [""; 0], "{} {place}: {example}", face.path);
                shown.insert(place.to_owned());
            }
        };
        for path in ["/subscriptions", "/subscriptions/{subscriptionId}"] {
            for (method, operation) in document["paths"][path].as_object().unwrap() {
                hold("request", &operation["requestBody"]["content"]["application/json"]);
                for (status, response) in operation["responses"].as_object().unwrap() {
                    hold(&format!("{method} {status}"), &response["content"]["application/json"]);
                }
            }
        }
        let create = operation(&document, "/subscriptions", "post");
        let notifications = create["callbacks"]["notifications"].as_object().unwrap();
        let sent =
            &notifications.values().next().unwrap()["post"]["requestBody"]["content"]["application/cloudevents+json"];
        hold("event", sent);
        let events =
            face.types.len() + [face.life.started, face.life.updated, Some(face.life.ended)].iter().flatten().count();
        assert_eq!(sent["examples"].as_object().unwrap().len(), events, "{}", face.path);
        for place in ["request", "event", "post 201", "get 200", "get 404", "delete 404", "post 400", "post 409"] {
            assert!(shown.contains(place), "{} shows no {place}", face.path);
        }
    }
}

fn is_read(face: &SubscriptionFace, body: &Value) -> bool {
    (face.read)(face, body.to_string().as_bytes()).is_ok()
}

#[test]
fn the_requests_that_the_schema_has_are_read_and_no_others() {
    for (face, document) in described() {
        let content = &operation(&document, "/subscriptions", "post")["requestBody"]["content"]["application/json"];
        let schema = validator(&document, &content["schema"]);
        let good = &content["example"];
        assert!(is_read(face, good), "{}", face.path);
        let device = if face.api == "device-status" {
            "/subscriptionDetail/device"
        } else {
            "/config/subscriptionDetail/device"
        };
        let credential = |field: &str, value: Value| {
            let mut credential = json!({
                "credentialType": "ACCESSTOKEN", "accessToken": "t", "accessTokenType": "bearer",
                "accessTokenExpiresUtc": "2036-01-01T00:00:00Z",
            });
            credential[field] = value;
            credential.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            credential
        };
        for (pointer, value) in [
            ("/protocol", Value::Null),
            ("/protocol", json!("MQTT5")),
            ("/sink", Value::Null),
            ("/sink", json!("sink.example")),
            ("/types", Value::Null),
            ("/types", json!([])),
            ("/types", json!(["nonsense"])),
            ("/types", json!([face.types[0].name, face.types[0].name])),
            ("/types", json!([face.types[face.types.len() - 1].name])),
            ("/config", Value::Null),
            ("/config/subscriptionDetail", Value::Null),
            ("/config/subscriptionMaxEvents", json!(0)),
            ("/config/subscriptionMaxEvents", json!(1)),
            ("/config/subscriptionMaxEvents", json!(1.5)),
            ("/config/subscriptionMaxEvents", json!(5.0)),
            ("/config/subscriptionMaxEvents", json!(0.0)),
            ("/config/subscriptionMaxEvents", json!(-1.0)),
            ("/config/subscriptionMaxEvents", json!("1")),
            ("/config/subscriptionExpireTime", json!("2036-01-01T00:00:00Z")),
            ("/config/subscriptionExpireTime", json!("2036-01-01T00:00:00")),
            ("/config/initialEvent", json!(true)),
            ("/config/initialEvent", json!("yes")),
            ("/sinkCredential", json!({})),
            ("/sinkCredential", credential("accessToken", json!("t"))),
            ("/sinkCredential", credential("credentialType", json!("PLAIN"))),
            ("/sinkCredential", credential("accessTokenType", json!("mac"))),
            ("/sinkCredential", credential("accessToken", Value::Null)),
            ("/sinkCredential", credential("accessTokenExpiresUtc", Value::Null)),
            ("/subscriptionDetail", Value::Null),
            ("/subscriptionDetail/type", Value::Null),
            ("/subscriptionDetail/type", json!("nonsense")),
            ("/subscriptionExpireTime", json!("2036-01-01T00:00:00Z")),
            ("/webhook", Value::Null),
            ("/webhook/notificationUrl", Value::Null),
            ("/webhook/notificationAuthToken", json!("t")),
            ("/webhook/notificationAuthToken", json!(1)),
            (device, Value::Null),
            (device, json!({})),
            (device, json!({ "phoneNumber": "12025550123" })),
            (device, json!({ "phoneNumber": "1202 555" })),
            (device, json!({ "ipv6Address": "2001:db8::1" })),
            (device, json!({ "ipv4Address": { "publicAddress": "192.0.2.1", "publicPort": 5060.0 } })),
            (device, json!({ "ipv4Address": { "publicAddress": "192.0.2.1", "publicPort": 5060.5 } })),
            (device, json!({ "ipv4Address": { "publicAddress": "192.0.2.1", "publicPort": 65536.0 } })),
        ] {
            let mut body = good.clone();
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let Some(parent) = body.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
            parent.insert(field.to_owned(), value);
            parent.retain(|_, value| !value.is_null());
            let found = faults_by(&schema, &body);
            assert_eq!(is_read(face, &body), found.is_empty(), "{} {pointer}: {body}: {found:?}", face.path);
        }
    }
}
