//! Holds the runner's own data against the official contracts, where these are at hand: in
//! `../shared` beside the repository. Elsewhere there is nothing to compare, and these tests pass.

#![expect(clippy::unwrap_used, reason = "a test fails where it finds what it does not expect")]

mod official;

use std::collections::BTreeMap;

use attache_conformance::{
    Field, Kind,
    contract::{CONTRACTS, Contract, Naming, Rules, Said},
};
use official::resolve;
use serde_json::{Value, json};

/// The official contract, or `None` where it is not at hand.
fn document(contract: &Contract) -> Option<Value> {
    let version = match (contract.api, contract.version) {
        ("device-status", "0.4") => "0.4.1",
        ("device-status", _) => "0.5.1",
        (_, version) => version,
    };
    official::document(contract.api, version)
}

fn documents() -> impl Iterator<Item = (&'static Contract, Value)> {
    CONTRACTS.iter().filter_map(|contract| Some((contract, document(contract)?)))
}

fn operation<'a>(document: &'a Value, contract: &Contract) -> &'a Value {
    let (_, path) = contract.path.rsplit_once('/').unwrap();
    &document["paths"][format!("/{path}")]["post"]
}

fn schema<'a>(document: &'a Value, contract: &Contract, status: &str) -> &'a Value {
    let response = resolve(document, &operation(document, contract)["responses"][status]);
    let schema = resolve(document, &response["content"]["application/json"]["schema"]);
    match schema["allOf"].as_array() {
        Some(parts) => resolve(document, &parts[0]),
        None => schema,
    }
}

/// A schema without what validates nothing, every reference resolved.
fn bare(document: &Value, schema: &Value) -> Value {
    let schema = resolve(document, schema);
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = json!({});
        for part in parts {
            for (name, value) in bare(document, part).as_object().unwrap() {
                whole[name] = value.clone();
            }
        }
        return whole;
    }
    let mut bare_schema = json!({});
    for (name, value) in schema.as_object().unwrap() {
        match name.as_str() {
            "description" | "example" | "examples" | "title" => {}
            "items" => bare_schema["items"] = bare(document, value),
            "properties" => {
                let properties = value.as_object().unwrap().iter();
                let properties: BTreeMap<_, _> =
                    properties.map(|(name, schema)| (name.clone(), bare(document, schema))).collect();
                bare_schema["properties"] = json!(properties);
            }
            _ => bare_schema[name] = value.clone(),
        }
    }
    bare_schema
}

/// Our fields as the schema that they stand for.
fn written(fields: &[Field]) -> Value {
    let mut schema = json!({"type": "object", "properties": {}});
    for field in fields {
        schema["properties"][field.name] = kind(field.kind);
    }
    let required: Vec<_> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn kind(kind_of: Kind) -> Value {
    match kind_of {
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Port => json!({"type": "integer", "minimum": 0, "maximum": 65535}),
        Kind::Text => json!({"type": "string"}),
        Kind::OneOf(all) => json!({"type": "string", "enum": all}),
        Kind::Matching(pattern) => json!({"type": "string", "pattern": pattern.text}),
        Kind::DateTime => json!({"type": "string", "format": "date-time"}),
        Kind::Ipv4 => json!({"type": "string", "format": "ipv4"}),
        Kind::Ipv6 => json!({"type": "string", "format": "ipv6"}),
        Kind::List(items) => json!({"type": "array", "items": kind(*items)}),
        Kind::Uuid => json!({"type": "string", "format": "uuid"}),
        Kind::UriReference => json!({"type": "string", "format": "uri-reference"}),
        Kind::Record(fields) => written(fields),
        Kind::Object { fields, least, most } => {
            let mut schema = written(fields);
            if least == 2 {
                // The public part of an address, and one of two that tell whose it is.
                schema.as_object_mut().unwrap().remove("required");
                schema["anyOf"] = json!([
                    {"required": ["publicAddress", "privateAddress"]},
                    {"required": ["publicAddress", "publicPort"]},
                ]);
            } else {
                schema["minProperties"] = json!(least);
                schema["maxProperties"] = json!(most);
            }
            schema
        }
    }
}

/// Lists whose order says nothing, in order.
fn in_order(mut schema: Value) -> Value {
    for name in ["required", "enum"] {
        if let Some(list) = schema[name].as_array_mut() {
            list.sort_by_key(ToString::to_string);
        } else if let Some(object) = schema.as_object_mut() {
            object.remove(name);
        }
    }
    if schema["items"].is_object() {
        schema["items"] = in_order(schema["items"].clone());
    } else if let Some(object) = schema.as_object_mut() {
        object.remove("items");
    }
    if let Some(properties) = schema["properties"].as_object_mut() {
        for value in properties.values_mut() {
            *value = in_order(value.clone());
        }
    } else if let Some(object) = schema.as_object_mut() {
        object.remove("properties");
    }
    schema
}

#[test]
fn answers_have_the_fields_types_and_patterns_of_the_official_schemas() {
    for (contract, document) in documents() {
        let official = bare(&document, schema(&document, contract, "200"));
        assert_eq!(in_order(written(contract.answer)), in_order(official), "{}", contract.name());
    }
}

#[test]
fn errors_have_the_fields_of_the_official_schemas() {
    for (contract, document) in documents() {
        for listed in contract.errors {
            let official = bare(&document, schema(&document, contract, &listed.status.to_string()));
            assert_eq!(in_order(written(contract.error)), in_order(official), "{} {}", contract.name(), listed.status);
        }
    }
}

#[test]
fn statuses_and_codes_are_the_official_ones() {
    for (contract, document) in documents() {
        let responses = operation(&document, contract)["responses"].as_object().unwrap();
        let mut statuses: Vec<_> = responses.keys().filter(|status| *status != "200").cloned().collect();
        statuses.sort_unstable();
        let ours: Vec<_> = contract.errors.iter().map(|listed| listed.status.to_string()).collect();
        assert_eq!(ours, statuses, "{}", contract.name());
        for listed in contract.errors {
            let response = resolve(&document, &responses[&listed.status.to_string()]);
            let content = &response["content"]["application/json"];
            let parts = content["schema"]["allOf"].as_array();
            let enumerated = parts.into_iter().flatten().find_map(|part| part["properties"]["code"]["enum"].as_array());
            assert_eq!(listed.only, enumerated.is_some(), "{} {}", contract.name(), listed.status);
            let examples = content["examples"].as_object().into_iter().flatten();
            let examples = examples.map(|(_, example)| &resolve(&document, example)["value"]);
            let shown = examples.chain(content.get("example")).map(|example| example["code"].as_str().unwrap());
            let mut official: Vec<&str> = match enumerated {
                Some(codes) => codes.iter().map(|code| code.as_str().unwrap()).collect(),
                None => shown.collect(),
            };
            let mut codes = listed.codes.to_vec();
            codes.sort_unstable();
            official.sort_unstable();
            assert_eq!(codes, official, "{} {}", contract.name(), listed.status);
        }
    }
}

#[test]
fn paths_scopes_and_correlators_are_the_official_ones() {
    for (contract, document) in documents() {
        let server = &document["servers"][0];
        let base = server["url"].as_str().unwrap().replace("{apiRoot}", "");
        let base = base.replace("/{basePath}", server["variables"]["basePath"]["default"].as_str().unwrap_or_default());
        assert!(contract.path.starts_with(&base), "{} {base}", contract.name());
        let operation = operation(&document, contract);
        assert!(operation.is_object(), "{}", contract.name());
        let security = operation.get("security").unwrap_or(&document["security"]).to_string();
        assert!(security.contains(&format!("\"{}\"", contract.scope)), "{}: {security}", contract.name());
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let correlator =
            parameters.map(|parameter| resolve(&document, parameter)).find(|it| it["name"] == "x-correlator");
        let pattern = correlator.map(|correlator| bare(&document, &correlator["schema"]));
        let pattern = pattern.map(|schema| schema["pattern"].as_str().unwrap_or_default().to_owned());
        assert_eq!(contract.correlator.map(|pattern| pattern.text.to_owned()), pattern, "{}", contract.name());
    }
}

#[test]
fn a_request_names_its_line_as_the_official_schema_has_it() {
    for (contract, document) in documents() {
        let body = &operation(&document, contract)["requestBody"]["content"]["application/json"]["schema"];
        let properties = bare(&document, body)["properties"].clone();
        let (name, number) = match contract.naming {
            Naming::Device => ("device", "phoneNumber"),
            Naming::UeId => ("ueId", "msisdn"),
        };
        assert!(properties[name]["properties"][number].is_object(), "{}: {properties}", contract.name());
    }
}

#[test]
fn every_code_of_a_rule_is_one_of_its_status() {
    // From the prose, the guide of its time, or documented nowhere.
    let elsewhere = ["UNIDENTIFIABLE_DEVICE", "INVALID_TOKEN_CONTEXT", "METHOD_NOT_ALLOWED", "UNSUPPORTED_MEDIA_TYPE"];
    for contract in CONTRACTS {
        let Rules { invalid, unauthenticated, expired, scope_missing, unknown_line, nothing_named, .. } =
            contract.rules;
        let Rules { another_named_beside_token, unsupported, not_applicable, media_type, method, .. } = contract.rules;
        let beside = match contract.rules.named_beside_token {
            Said::Refused(codes) => codes,
            Said::Answered => &[],
        };
        let groups = [
            invalid,
            unauthenticated,
            expired,
            scope_missing,
            unknown_line,
            nothing_named,
            another_named_beside_token,
            unsupported,
            not_applicable,
            media_type,
            method,
            &beside,
        ];
        for (status, code) in groups.into_iter().copied().flatten() {
            let listed = contract.errors.iter().find(|listed| listed.status == *status);
            let is_listed = listed.is_some_and(|listed| listed.codes.contains(code));
            assert!(is_listed || code.is_empty() || elsewhere.contains(code), "{} {status} {code}", contract.name());
        }
    }
}
