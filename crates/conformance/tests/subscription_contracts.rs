//! Holds the runner's own data of the subscription APIs against the official contracts, where these are at
//! hand: in `../shared` beside the repository. Elsewhere there is nothing to compare, and these tests pass.

#![expect(clippy::unwrap_used, reason = "a test fails where it finds what it does not expect")]

mod official;

use std::collections::BTreeSet;

use attache_conformance::{
    Field, Kind,
    contract::Listed,
    subscription::{
        CONTRACTS, Contract,
        contract::{Model, Told},
    },
};
use official::resolve;
use serde_json::{Map, Value, json};

/// The official contract, or `None` where it is not at hand.
fn document(contract: &Contract) -> Option<Value> {
    let version = if contract.api == "device-status" { "0.5.1" } else { contract.version };
    official::document(contract.api, version)
}

fn documents() -> impl Iterator<Item = (&'static Contract, Value)> {
    CONTRACTS.iter().filter_map(|contract| Some((contract, document(contract)?)))
}

fn operation<'a>(document: &'a Value, path: &str, method: &str) -> &'a Value {
    &document["paths"][path][method]
}

const ALL: &str = "/subscriptions";
const ONE: &str = "/subscriptions/{subscriptionId}";

/// What the runner leaves to rules of its own: a device is told to who named it, and to nobody else.
const NOT_REQUIRED: &str = "device";

/// Fields and whether they are required, to the ground, as lines: `config.initialEvent boolean`.
fn lines(document: &Value, schema: &Value) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    write(document, schema, "", &mut lines);
    lines
}

fn write(document: &Value, schema: &Value, path: &str, lines: &mut BTreeSet<String>) {
    let schema = merged(document, schema);
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{name}");
        let field = Value::Object(merged(document, field));
        let is_required = required.contains(&name.as_str()) && name != NOT_REQUIRED;
        let mark = if is_required { " required" } else { "" };
        let shape = match (field["type"].as_str(), field["format"].as_str(), field["enum"].as_array()) {
            (Some("array"), ..) => format!("list of {}", shape(&Value::Object(merged(document, &field["items"])))),
            (Some("object") | None, ..) if !name.starts_with("ipv6") => "object".to_owned(),
            _ => shape(&field),
        };
        // It is told as it was sent, whatever its pattern.
        let shape = if name == "sink" { "string".to_owned() } else { shape };
        lines.insert(format!("{path} {shape}{mark}"));
        // What an address needs, the schema of each identifier says for itself.
        if name != "ipv4Address" {
            write(document, &field, &path, lines);
        }
    }
}

fn shape(schema: &Value) -> String {
    let mut names: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.sort_unstable();
    let kind = schema["type"].as_str().unwrap_or("string");
    match (schema["format"].as_str(), names.as_slice(), schema["pattern"].as_str()) {
        (_, [_, ..], _) => format!("one of {}", names.join(", ")),
        (Some("date-time" | "uuid" | "ipv6"), ..) => schema["format"].as_str().unwrap().to_owned(),
        (Some("uri-reference"), ..) => "uri-reference".to_owned(),
        (.., Some(pattern)) => format!("{kind} {pattern}"),
        _ => kind.to_owned(),
    }
}

/// A schema with all its parts.
fn merged(document: &Value, schema: &Value) -> Map<String, Value> {
    let schema = resolve(document, schema);
    let mut whole = schema.as_object().cloned().unwrap_or_default();
    for part in whole.remove("allOf").iter().filter_map(Value::as_array).flatten() {
        for (name, value) in merged(document, part) {
            match (whole.get_mut(&name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
                (Some(_), _) => {}
                (None, value) => {
                    whole.insert(name, value);
                }
            }
        }
    }
    whole
}

/// Our fields, in the same words.
fn ours(fields: &[Field]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    write_ours(fields, "", &mut lines);
    lines
}

fn write_ours(fields: &[Field], path: &str, lines: &mut BTreeSet<String>) {
    for field in fields {
        let path = format!("{path}.{}", field.name);
        let mark = if field.required { " required" } else { "" };
        let shape = match field.kind {
            Kind::Record(fields) | Kind::Object { fields, .. } => {
                if field.name != "ipv4Address" {
                    write_ours(fields, &path, lines);
                }
                "object".to_owned()
            }
            Kind::List(kind) => format!("list of {}", word(*kind)),
            kind => word(kind),
        };
        lines.insert(format!("{path} {shape}{mark}"));
    }
}

fn word(kind: Kind) -> String {
    let schema = match kind {
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer | Kind::Port => json!({"type": "integer"}),
        Kind::OneOf(all) => json!({"type": "string", "enum": all}),
        Kind::Matching(pattern) => json!({"type": "string", "pattern": pattern.text}),
        Kind::DateTime => json!({"type": "string", "format": "date-time"}),
        Kind::Ipv6 => json!({"type": "string", "format": "ipv6"}),
        Kind::Uuid => json!({"type": "string", "format": "uuid"}),
        Kind::UriReference => json!({"type": "string", "format": "uri-reference"}),
        Kind::Text | Kind::Ipv4 | Kind::List(_) | Kind::Record(_) | Kind::Object { .. } => json!({"type": "string"}),
    };
    shape(&schema)
}

fn schema<'a>(document: &'a Value, responses: &'a Value, status: &str) -> &'a Value {
    &resolve(document, &responses[status])["content"]["application/json"]["schema"]
}

#[test]
fn subscriptions_have_the_fields_of_the_official_schemas() {
    for (contract, document) in documents() {
        let create = &operation(&document, ALL, "post")["responses"];
        let mut official = lines(&document, schema(&document, create, "201"));
        // No answer may have the credential (the guide, 2.2.3).
        official.retain(|line| !line.starts_with(".sinkCredential"));
        assert_eq!(ours(contract.subscription), official, "{}", contract.name());
        let asynchronous = lines(&document, schema(&document, create, "202"));
        assert_eq!(ours(contract.asynchronous), asynchronous, "{}", contract.name());
    }
}

#[test]
fn events_have_the_types_and_fields_of_the_official_schemas() {
    for (contract, document) in documents() {
        let event = &document["components"]["schemas"]["CloudEvent"];
        let mut official = lines(&document, event);
        let mut envelope = ours(contract.envelope);
        // Older contracts leave to CloudEvents what these two are; which types there are is held below.
        for name in [".specversion", ".datacontenttype", ".type"] {
            official.retain(|line| !line.starts_with(name));
            envelope.retain(|line| !line.starts_with(name));
        }
        assert_eq!(envelope, official, "{}", contract.name());

        let life = [contract.started, contract.updated, Some(contract.ended)];
        let life = life.into_iter().flatten().map(|Told { name, data }| (name, data));
        let types = contract.types.iter().map(|known| (known.name, known.data)).chain(life);
        let mapping = event["discriminator"]["mapping"].as_object().unwrap();
        let mut names = BTreeSet::new();
        for (name, data) in types {
            names.insert(name);
            let reference = mapping.get(name).unwrap_or_else(|| panic!("{} {name}", contract.name()));
            let event = merged(&document, &json!({ "$ref": reference }));
            let official = lines(&document, &event["properties"]["data"]);
            assert_eq!(ours(data), official, "{} {name}", contract.name());
        }
        assert_eq!(names, mapping.keys().map(String::as_str).collect(), "{}", contract.name());
    }
}

#[test]
fn statuses_and_codes_are_the_official_ones() {
    for (contract, document) in documents() {
        let errors = contract.errors;
        for (path, method, listed) in [
            (ALL, "post", errors.create),
            (ALL, "get", errors.list),
            (ONE, "get", errors.read),
            (ONE, "delete", errors.delete),
        ] {
            let responses = operation(&document, path, method)["responses"].as_object().unwrap();
            let official: BTreeSet<String> =
                responses.keys().filter(|status| !status.starts_with('2')).cloned().collect();
            let ours: BTreeSet<String> = listed.iter().map(|listed| listed.status.to_string()).collect();
            assert_eq!(ours, official, "{} {method} {path}", contract.name());
            for Listed { status, codes, only } in listed {
                let content = &resolve(&document, &responses[&status.to_string()])["content"]["application/json"];
                let parts = content["schema"]["allOf"].as_array();
                let enumerated =
                    parts.into_iter().flatten().find_map(|part| part["properties"]["code"]["enum"].as_array());
                let examples = content["examples"].as_object().into_iter().flatten();
                let examples = examples.map(|(_, example)| &resolve(&document, example)["value"]);
                let shown = examples.chain(content.get("example")).map(|example| &example["code"]);
                let official: BTreeSet<&str> = match enumerated {
                    Some(codes) => codes.iter().filter_map(Value::as_str).collect(),
                    None => shown.filter_map(Value::as_str).collect(),
                };
                assert_eq!(*only, enumerated.is_some(), "{} {method} {path} {status}", contract.name());
                assert_eq!(codes.iter().copied().collect::<BTreeSet<_>>(), official, "{} {status}", contract.name());
            }
        }
    }
}

#[test]
fn paths_scopes_types_and_correlators_are_the_official_ones() {
    for (contract, document) in documents() {
        let base = document["servers"][0]["url"].as_str().unwrap().replace("{apiRoot}", "");
        assert_eq!(contract.path, format!("{base}{ALL}"));
        let scopes = |path: &str, method: &str| -> BTreeSet<String> {
            let scopes = operation(&document, path, method)["security"][0]["openId"].as_array().unwrap();
            scopes.iter().map(|scope| scope.as_str().unwrap().to_owned()).collect()
        };
        let create: BTreeSet<String> = contract.types.iter().map(|known| known.create_scope.to_owned()).collect();
        assert_eq!(create, scopes(ALL, "post"), "{}", contract.name());
        let read = BTreeSet::from([contract.read_scope.to_owned()]);
        assert_eq!([&read, &read], [&scopes(ALL, "get"), &scopes(ONE, "get")], "{}", contract.name());
        assert_eq!(BTreeSet::from([contract.delete_scope.to_owned()]), scopes(ONE, "delete"), "{}", contract.name());
        let schemas = &document["components"]["schemas"];
        let types = match contract.model {
            Model::Webhook => &schemas["SubscriptionCreationEventType"],
            Model::Sink => &schemas["SubscriptionEventType"],
        };
        let official: BTreeSet<&str> = types["enum"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(contract.types.iter().map(|known| known.name).collect::<BTreeSet<_>>(), official);
        let parameters = operation(&document, ALL, "post")["parameters"].as_array().into_iter().flatten();
        let correlator = parameters.map(|it| resolve(&document, it)).find(|it| it["name"] == "x-correlator");
        let pattern = correlator.map(|it| resolve(&document, &it["schema"])["pattern"].as_str().unwrap_or_default());
        assert_eq!(contract.correlator.map(|pattern| pattern.text), pattern, "{}", contract.name());
    }
}
