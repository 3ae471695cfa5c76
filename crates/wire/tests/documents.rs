//! Holds the documents that Attache serves about itself against the publishers' own contracts, where
//! they are at hand: in `../shared` beside the repository. Elsewhere that part finds nothing to compare.
//!
//! Both sides are brought to one form, a list of facts: references are followed, `allOf` is merged, what
//! OpenAPI 3.0 and 3.1 write differently is written alike, and descriptions and examples are left out, and of
//! callbacks what a sink's answer would hold. Every fact in which they differ must stand in the table of `docs/contract-differences.md`,
//! and every row there must be such a fact.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it finds what it does not expect")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use attache_core::{
    Country, DeviceIdentifier, Ipv4Identifier, NetworkType, Plmn, Problem, Reachability, Roaming, Technology,
};
use attache_wire::{Answering, Document, Face, PUBLISHERS, documents};
use serde_json::{Value, json};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

fn all_documents() -> impl Iterator<Item = Document> {
    PUBLISHERS.iter().flat_map(|publisher| documents(publisher))
}

/// What is true of an API, as a place in it and what stands there.
type Facts = BTreeMap<String, String>;

/// The facts of a document, its paths below a root.
fn facts(document: &Value, root: &str) -> Facts {
    let mut facts = Facts::new();
    facts.insert("server".to_owned(), server(document, root));
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if METHODS.contains(&method.as_str()) {
                add_operation(&mut facts, document, &format!("{} {path}", method.to_uppercase()), operation);
            }
        }
    }
    facts
}

/// The path of the server, without what stands before the base path.
fn server(document: &Value, root: &str) -> String {
    let server = &document["servers"][0];
    let mut url = server["url"].as_str().unwrap().to_owned();
    if let Some(base_path) = server["variables"]["basePath"]["default"].as_str() {
        url = url.replace("{basePath}", base_path);
    }
    let url = url.strip_prefix("{apiRoot}").or(url.strip_prefix("{host}")).unwrap_or(&url);
    url.strip_prefix(root).unwrap().to_owned()
}

fn add_operation(facts: &mut Facts, document: &Value, place: &str, operation: &Value) {
    facts.insert(place.to_owned(), "is there".to_owned());
    let security = operation["security"].as_array().or(document["security"].as_array());
    let mut scopes: Vec<String> = security
        .into_iter()
        .flatten()
        .flat_map(|alternative| alternative.as_object().unwrap().values())
        .map(|scopes| Some(listed(scopes.as_array().unwrap())).filter(|scopes| !scopes.is_empty()))
        .map(|scopes| scopes.unwrap_or_else(|| "none".to_owned()))
        .collect();
    scopes.sort_unstable();
    facts.insert(format!("{place} scopes"), scopes.join(" or "));

    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = resolve(document, parameter);
        let name =
            format!("{place} {} parameter {}", parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
        facts.insert(format!("{name} required"), yes_or_no(parameter["required"] == true));
        add_schema(facts, document, &name, vec![&parameter["schema"]]);
    }
    let body = resolve(document, &operation["requestBody"]);
    facts.insert(format!("{place} request required"), yes_or_no(body["required"] == true));
    add_content(facts, document, &format!("{place} request"), body);

    for (status, response) in operation["responses"].as_object().unwrap() {
        let response = resolve(document, response);
        let is_of_sink = place.contains(" callback ");
        let place = format!("{place} {status}");
        facts.insert(place.clone(), "is there".to_owned());
        // What a sink says beside its status is not read.
        if is_of_sink {
            continue;
        }
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let (name, header) = (name.to_ascii_lowercase(), resolve(document, header));
            add_schema(facts, document, &format!("{place} header {name}"), vec![&header["schema"]]);
        }
        add_content(facts, document, &place, response);
    }
    for callback in operation["callbacks"].as_object().into_iter().flat_map(|callbacks| callbacks.values()) {
        for (expression, item) in callback.as_object().unwrap() {
            add_operation(facts, document, &format!("{place} callback {expression}"), &item["post"]);
        }
    }
}

fn add_content(facts: &mut Facts, document: &Value, place: &str, body: &Value) {
    for (media_type, content) in body["content"].as_object().into_iter().flatten() {
        facts.insert(format!("{place} media type {media_type}"), "is there".to_owned());
        add_schema(facts, document, place, vec![&content["schema"]]);
    }
}

/// Tells of each header that every response has, once instead of for each status.
fn fold_headers(facts: Facts) -> Facts {
    let statuses = facts.keys().filter(|place| is_response(place)).count();
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let folded = |place: &str| {
        let (response, header) = place.split_once(" header ")?;
        is_response(response).then(|| format!("every response header {header}"))
    };
    for (place, fact) in &facts {
        if let Some(folded) = folded(place) {
            *counts.entry((folded, fact.clone())).or_default() += 1;
        }
    }
    facts
        .into_iter()
        .map(|(place, fact)| {
            let key = folded(&place).map(|folded| (folded, fact.clone()));
            key.filter(|key| counts.get(key) == Some(&statuses)).unwrap_or((place, fact))
        })
        .collect()
}

/// Where subscriptions are answered.
const SUBSCRIPTIONS: [&str; 3] =
    ["POST /subscriptions 201 ", "GET /subscriptions 200 [] ", "GET /subscriptions/{subscriptionId} 200 "];

/// Tells of what all answers with subscriptions, or all events, of a document differ in, once.
fn fold_places(found: BTreeSet<Difference>, facts: &Facts) -> BTreeSet<Difference> {
    let event = |place: &str| {
        let (before, after) = place.split_once(" request (")?;
        let (name, field) = after.split_once(") ")?;
        before.contains(" callback ").then(|| (name.to_owned(), field.to_owned()))
    };
    let events: BTreeSet<String> = facts.keys().filter_map(|place| event(place)).map(|(name, _)| name).collect();
    let folded = |[name, place, official, served]: &Difference| {
        let of_subscription = SUBSCRIPTIONS.iter().find_map(|start| place.strip_prefix(start));
        let of_subscription = of_subscription.map(|field| (format!("every subscription {field}"), SUBSCRIPTIONS.len()));
        let of_event = event(place).map(|(_, field)| (format!("every event {field}"), events.len()));
        let (place, count) = of_subscription.or(of_event)?;
        Some(([name.clone(), place, official.clone(), served.clone()], count))
    };
    let shortened = |[name, place, official, served]: Difference| {
        let short = event(&place).map(|(event, field)| format!("event {event} {field}"));
        [name, short.unwrap_or(place), official, served]
    };
    let mut counts: BTreeMap<Difference, usize> = BTreeMap::new();
    for (difference, _) in found.iter().filter_map(folded) {
        *counts.entry(difference).or_default() += 1;
    }
    let fold = |difference: Difference| match folded(&difference) {
        Some((all, count)) if counts[&all] == count => all,
        _ => shortened(difference),
    };
    found.into_iter().map(fold).collect()
}

/// Whether a place is a response: a method, a path and a status.
fn is_response(place: &str) -> bool {
    let words: Vec<&str> = place.split(' ').collect();
    words.len() == 3 && words[2].len() == 3 && words[2].bytes().all(|byte| byte.is_ascii_digit())
}

/// Tells of what all documents of a group differ in, once: of all of a publisher, or of all of its APIs of
/// subscriptions alone. The documents are named.
fn fold_documents(mut found: BTreeSet<Difference>, documents: &BTreeSet<String>) -> BTreeSet<Difference> {
    let publisher = |name: &str| name.split(' ').next().unwrap().to_owned();
    let all = |name: &str| Some(format!("{} all", publisher(name)));
    let subscriptions =
        |name: &str| name.contains("-subscriptions ").then(|| format!("{} all subscriptions", publisher(name)));
    for group in [&all as &dyn Fn(&str) -> Option<String>, &subscriptions] {
        let size =
            |group_name: &str| documents.iter().filter(|name| group(name).as_deref() == Some(group_name)).count();
        let folded = |[name, place, official, served]: &Difference| {
            Some([group(name)?, place.clone(), official.clone(), served.clone()])
        };
        let mut counts: BTreeMap<Difference, usize> = BTreeMap::new();
        for difference in found.iter().filter_map(folded) {
            *counts.entry(difference).or_default() += 1;
        }
        let fold = |difference: Difference| match folded(&difference) {
            Some(whole) if counts[&whole] > 1 && counts[&whole] == size(&whole[0]) => whole,
            _ => difference,
        };
        found = found.into_iter().map(fold).collect();
    }
    found
}

/// Adds what all of some schemas together say of one value.
fn add_schema(facts: &mut Facts, document: &Value, place: &str, schemas: Vec<&Value>) {
    let schemas = merged(document, schemas);
    // Each of several forms that a field tells apart has what is true of all of them, and its own. Those of
    // `protocol` differ in the settings of the protocol alone, which nothing has a use for.
    let forms = schemas.iter().map(|schema| &schema["discriminator"]).find(|it| it["mapping"].is_object());
    if let Some(forms) = forms.filter(|forms| forms["propertyName"] != "protocol" && !place.ends_with(')')) {
        for (value, reference) in forms["mapping"].as_object().unwrap() {
            // Of a type of events, what stands before its name is in the facts of the field.
            let value = value.rsplit('.').next().unwrap();
            add_schema(facts, document, &format!("{place} ({value})"), vec![&json!({ "$ref": reference })]);
        }
        return;
    }
    let mut types: BTreeSet<&str> = BTreeSet::new();
    for schema in &schemas {
        types.extend(schema["type"].as_str());
        types.extend(schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str));
        // OpenAPI 3.0.
        types.extend((schema["nullable"] == true).then_some("null"));
    }
    if !types.is_empty() {
        facts.insert(format!("{place} type"), types.into_iter().collect::<Vec<_>>().join(" or "));
    }
    for keyword in [
        "format",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    ] {
        let mut values: Vec<String> = schemas.iter().filter_map(|schema| schema.get(keyword)).map(text).collect();
        values.sort_unstable();
        values.dedup();
        // Every array has so many.
        values.retain(|value| (keyword, value.as_str()) != ("minItems", "0"));
        if !values.is_empty() {
            facts.insert(format!("{place} {keyword}"), values.join(" and "));
        }
    }
    for values in schemas.iter().filter_map(|schema| schema["enum"].as_array()) {
        facts.insert(format!("{place} enum"), listed(values));
    }
    for keyword in ["anyOf", "oneOf"] {
        for alternatives in schemas.iter().filter_map(|schema| schema[keyword].as_array()) {
            let alternatives: BTreeSet<String> =
                alternatives.iter().map(|alternative| as_alternative(document, alternative)).collect();
            facts.insert(format!("{place} {keyword}"), alternatives.into_iter().collect::<Vec<_>>().join(", or "));
        }
    }
    let required: BTreeSet<&str> =
        schemas.iter().filter_map(|schema| schema["required"].as_array()).flatten().filter_map(Value::as_str).collect();
    let mut properties: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (name, property) in schemas.iter().filter_map(|schema| schema["properties"].as_object()).flatten() {
        properties.entry(name).or_default().push(property);
    }
    for (name, schemas) in properties {
        let place = format!("{place} .{name}");
        facts.insert(format!("{place} required"), yes_or_no(required.contains(name)));
        add_schema(facts, document, &place, schemas);
    }
    for items in schemas.iter().filter_map(|schema| schema.get("items")) {
        add_schema(facts, document, &format!("{place} []"), vec![items]);
    }
}

/// An alternative, which says which fields it needs, or has facts of its own.
fn as_alternative(document: &Value, schema: &Value) -> String {
    let mut facts = Facts::new();
    add_schema(&mut facts, document, "", vec![schema]);
    // That it is an object is said where the alternatives stand.
    facts.retain(|place, fact| place != " type" || fact != "object");
    let needs = schema["required"].as_array().map(|names| format!("needs {}", listed(names)));
    needs
        .into_iter()
        .chain(facts.into_iter().map(|(place, fact)| format!("{place} {fact}")))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Some schemas that all hold, without references and `allOf`.
fn merged<'a>(document: &'a Value, schemas: Vec<&'a Value>) -> Vec<&'a Value> {
    let mut merged = Vec::new();
    let mut left = schemas;
    while let Some(schema) = left.pop() {
        let schema = resolve(document, schema);
        left.extend(schema["allOf"].as_array().into_iter().flatten());
        merged.push(schema);
    }
    merged
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => resolve(document, document.pointer(reference.trim_start_matches('#')).expect(reference)),
        None => value,
    }
}

/// Values, whose order has no meaning.
fn listed(values: &[Value]) -> String {
    let mut values: Vec<String> = values.iter().map(text).collect();
    values.sort_unstable();
    values.join(", ")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// A difference: the document, the place, what the contract says, and what is served.
type Difference = [String; 4];

fn differences(name: &str, official: &Facts, served: &Facts) -> BTreeSet<Difference> {
    let places: BTreeSet<&String> = official.keys().chain(served.keys()).collect();
    let said = |facts: &Facts, place: &str| facts.get(place).map_or("-", String::as_str).to_owned();
    // Of what one side does not have at all, the details are no further differences.
    let is_detail = |place: &str| {
        place.match_indices(' ').any(|(end, _)| {
            let whole = &place[..end];
            let whole = if official.contains_key(whole) || served.contains_key(whole) {
                whole.to_owned()
            } else {
                format!("{whole} required")
            };
            whole != place && official.contains_key(&whole) != served.contains_key(&whole)
        })
    };
    // Of a form that one side does not have, that its name is not among the values is difference enough.
    let has_form = |facts: &Facts, place: &str| {
        let form = place.split_once(") ").map(|(form, _)| format!("{form}) "));
        form.is_none_or(|form| facts.keys().any(|place| place.starts_with(&form)))
    };
    places
        .into_iter()
        .filter(|place| official.get(*place) != served.get(*place) && !is_detail(place))
        .filter(|place| has_form(official, place) && has_form(served, place))
        .map(|place| [name.to_owned(), place.clone(), said(official, place), said(served, place)])
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows of the table, of which each cell but the last, the reason, is code. The first may name several documents.
fn listed_differences() -> BTreeSet<Difference> {
    let text = std::fs::read_to_string(root().join("docs/contract-differences.md")).unwrap();
    let (_, section) = text.split_once("## In the documents at `/docs`").expect("the section of the documents");
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| {
        // A pipe within a cell is escaped.
        let row = row.replace("\\|", "\u{0}");
        let cells: Vec<String> =
            row.trim_matches('|').split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
        let [name, place, official, served, reason] = &cells[..] else { panic!("five cells are needed: {row}") };
        assert!(!reason.is_empty(), "a reason is needed: {row}");
        let [place, official, served] = [place, official, served].map(|cell| cell.trim_matches('`').to_owned());
        let names = name.split(", ").map(|name| name.trim_matches('`').to_owned());
        names.map(|name| [name, place.clone(), official.clone(), served.clone()]).collect::<Vec<_>>()
    })
    .collect()
}

fn as_row(difference: &Difference) -> String {
    let cells: Vec<String> = difference.iter().map(|cell| format!("`{}`", cell.replace('|', "\\|"))).collect();
    format!("| {} | |", cells.join(" | "))
}

/// The contract that a document is to follow.
fn contract(document: &Document) -> Option<&'static str> {
    Some(match (document.publisher().name.as_str(), document.api(), document.contract()) {
        ("camara", "device-roaming-status", "1.1") => "camara/device-roaming-status/1.1/openapi.yaml",
        ("camara", "device-roaming-status", "1.0") => "camara/device-roaming-status/1.0/openapi.yaml",
        ("camara", "device-roaming-status", "0.6") => "camara/device-roaming-status/0.6/openapi.yaml",
        ("camara", "device-reachability-status", "1.1") => "camara/device-reachability-status/1.1/openapi.yaml",
        ("camara", "device-reachability-status", "1.0") => "camara/device-reachability-status/1.0/openapi.yaml",
        ("camara", "device-reachability-status", "0.6") => "camara/device-reachability-status/0.6/openapi.yaml",
        ("camara", "connected-network-type", "0.2") => "camara/connected-network-type/0.2/openapi.yaml",
        ("camara", "connected-network-type", "0.1") => "camara/connected-network-type/0.1/openapi.yaml",
        ("camara", "device-status", "0.5") => "camara/device-status/0.5.1/openapi.yaml",
        ("camara", "device-status", "0.4") => "camara/device-status/0.4.1/openapi.yaml",
        ("camara", "device-roaming-status-subscriptions", "0.8") => {
            "camara/device-roaming-status-subscriptions/0.8/openapi.yaml"
        }
        ("camara", "device-roaming-status-subscriptions", "0.7") => {
            "camara/device-roaming-status-subscriptions/0.7/openapi.yaml"
        }
        ("camara", "device-roaming-status-subscriptions", "0.6") => {
            "camara/device-roaming-status-subscriptions/0.6/openapi.yaml"
        }
        ("camara", "device-reachability-status-subscriptions", "0.8") => {
            "camara/device-reachability-status-subscriptions/0.8/openapi.yaml"
        }
        ("camara", "device-reachability-status-subscriptions", "0.7") => {
            "camara/device-reachability-status-subscriptions/0.7/openapi.yaml"
        }
        ("camara", "device-reachability-status-subscriptions", "0.6") => {
            "camara/device-reachability-status-subscriptions/0.6/openapi.yaml"
        }
        ("camara", "connected-network-type-subscriptions", "0.2") => {
            "camara/connected-network-type-subscriptions/0.2/openapi.yaml"
        }
        ("camara", "connected-network-type-subscriptions", "0.1") => {
            "camara/connected-network-type-subscriptions/0.1/openapi.yaml"
        }
        ("telefonica", "device-status", "0.4") => "vendors/telefonica-device-status-0.4.yaml",
        // Orange and Vonage publish pages.
        ("orange" | "vonage", ..) => return None,
        (publisher, api, contract) => panic!("{publisher}'s {api} {contract} is held against nothing"),
    })
}

#[test]
fn what_is_served_differs_from_the_contracts_in_what_is_listed_and_in_nothing_else() {
    let mut found = BTreeSet::new();
    let mut compared: BTreeSet<String> = BTreeSet::new();
    for document in all_documents() {
        let Some(path) = contract(&document) else { continue };
        let Ok(text) = std::fs::read_to_string(root().join("../shared").join(path)) else { return };
        let official: Value = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
        let publisher = document.publisher();
        let served = fold_headers(facts(&document.to_json(), publisher.root));
        let name = format!("{} {} {}", publisher.name, document.api(), document.contract());
        let differences = differences(&name, &fold_headers(facts(&official, "")), &served);
        found.extend(fold_places(differences, &served));
        compared.insert(name);
    }
    let found = fold_documents(found, &compared);
    let listed = listed_differences();
    let rows = |differences: BTreeSet<&Difference>| differences.into_iter().map(as_row).collect::<Vec<_>>().join("\n");
    let unlisted = rows(found.difference(&listed).collect());
    let outdated = rows(listed.difference(&found).collect());
    assert!(unlisted.is_empty(), "not in the list:\n{unlisted}\nin the list without being so:\n{outdated}");
    assert!(outdated.is_empty(), "in the list without being so:\n{outdated}");
}

/// The schema of a part of a document, with what it refers to.
fn schema_at(document: &Value, pointer: &str) -> Value {
    let mut schema = document.clone();
    let part = document.pointer(pointer).unwrap_or_else(|| panic!("nothing is at {pointer}")).clone();
    schema["allOf"] = json!([part]);
    schema
}

/// Each operation of each document: the document, the face, and where the operation stands.
fn operations() -> Vec<(Value, &'static Face, String)> {
    let mut operations = Vec::new();
    for document in all_documents() {
        let json = document.to_json();
        for face in document.faces() {
            let end = face.path.rsplit('/').next().unwrap();
            operations.push((json.clone(), *face, format!("/paths/~1{end}/post")));
        }
    }
    operations
}

/// Every kind of answer that a face can give.
fn answers(face: &Face) -> Vec<Value> {
    let confirmed_at = "2024-02-20T10:41:38.657Z".parse().unwrap();
    let ipv4 = Ipv4Identifier {
        public_address: "192.0.2.1".parse().unwrap(),
        public_port: Some(5060),
        private_address: Some("10.0.0.1".parse().unwrap()),
    };
    let devices = [
        None,
        Some(DeviceIdentifier::PhoneNumber("+12025550123".parse().unwrap())),
        Some(DeviceIdentifier::Ipv4(ipv4)),
        Some(DeviceIdentifier::Ipv6("2001:db8::1".parse().unwrap())),
        Some(DeviceIdentifier::NetworkAccessIdentifier("line@example".into())),
    ];
    let mut answers = Vec::new();
    for device in devices.iter().map(Option::as_ref) {
        match face.answer {
            Answering::Roaming(write) => {
                for visited in [None, Some("90101"), Some("34001")] {
                    let visited = visited.map(|plmn| Country::of(plmn.parse::<Plmn>().unwrap().mcc()));
                    answers.push(write(&Roaming { visited, confirmed_at }, device));
                }
            }
            Answering::Reachability(write) => {
                for (data, sms) in [(true, true), (true, false), (false, true), (false, false)] {
                    answers.push(write(&Reachability { data, sms, confirmed_at }, device));
                }
            }
            Answering::NetworkType(write) => {
                for technology in Technology::ALL.into_iter().map(Some).chain([None]) {
                    answers.push(write(&NetworkType { technology, confirmed_at: Some(confirmed_at) }, device));
                }
                answers.push(write(&NetworkType { technology: None, confirmed_at: None }, device));
            }
        }
    }
    answers.iter().map(|answer| serde_json::from_slice(answer).unwrap()).collect()
}

#[test]
fn every_face_is_in_exactly_one_document() {
    for publisher in PUBLISHERS {
        let documents = documents(publisher);
        for face in publisher.faces {
            let of_face =
                documents.iter().filter(|document| document.faces().iter().any(|other| std::ptr::eq(*other, *face)));
            assert_eq!(of_face.count(), 1, "{} {}", face.path, face.contract);
        }
    }
    let (document, ..) = operations().into_iter().find(|(_, face, _)| face.path.ends_with("/v0/connectivity")).unwrap();
    assert_eq!(
        document["paths"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["/connectivity", "/roaming", "/subscriptions", "/subscriptions/{subscriptionId}"]
    );
    let described = PUBLISHERS.iter().flat_map(|publisher| documents(publisher));
    let described: Vec<&str> =
        described.filter_map(|document| document.subscriptions()).map(|face| face.path).collect();
    let faces = PUBLISHERS.iter().flat_map(|publisher| publisher.subscriptions);
    let faces: BTreeSet<&str> = faces.map(|face| face.path).collect();
    assert_eq!((described.len(), described.into_iter().collect::<BTreeSet<_>>()), (faces.len(), faces));
}

#[test]
fn every_document_has_the_shape_of_openapi() {
    for (document, face, operation) in operations() {
        assert_eq!(document["openapi"], "3.1.0");
        assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
        let server = document["servers"][0]["url"].as_str().unwrap();
        assert!(server.ends_with(&face.path[..face.path.rfind('/').unwrap()]), "{server}");
        let operation = &document.pointer(&operation).unwrap();
        assert!(operation["operationId"].is_string() && operation["requestBody"]["required"] == true);
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(status.parse::<u16>().is_ok() && response["description"].is_string(), "{status}");
        }
        for scheme in operation["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys()) {
            assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
        }
    }
}

#[test]
fn every_document_needs_nothing_from_elsewhere() {
    for document in all_documents() {
        let name = format!("{} {}", document.api(), document.contract());
        let json = document.to_json();
        let text = json.to_string();
        for reference in text.split("#/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            // An expression says where in a request the sink stands.
            if reference.starts_with("components/") {
                assert!(json.pointer(&format!("/{reference}")).is_some(), "{name} refers to {reference}");
            }
        }
        // What is absent is left out, in requests and in answers.
        assert!(!text.contains("\"null\""), "{name}: no contract knows null");
        // But for names that are kept for examples.
        let text = text.replace("https://sink.example/", "").replace("https://attache.example", "");
        assert!(!text.contains("://"), "{name}: {text}");
    }
}

#[test]
fn every_answer_is_valid_by_the_schema_and_nothing_is_said_that_no_answer_has() {
    for (document, face, operation) in operations() {
        let schema = schema_at(&document, &format!("{operation}/responses/200/content/application~1json/schema"));
        let validator = jsonschema::validator_for(&schema).unwrap();
        let answers = answers(face);
        let mut written = BTreeSet::new();
        for answer in &answers {
            let faults: Vec<String> = validator.iter_errors(answer).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{} {}: {answer}: {faults:?}", face.path, face.contract);
            written.extend(answer.as_object().unwrap().keys().cloned());
        }
        let said = facts(&document, "");
        let (end, below) = (face.path.rsplit('/').next().unwrap(), " required");
        for (place, required) in &said {
            let Some(field) =
                place.strip_prefix(&format!("POST /{end} 200 .")).and_then(|rest| rest.strip_suffix(below))
            else {
                continue;
            };
            if !field.contains(' ') {
                assert!(written.remove(field), "{}: no answer has {field}", face.path);
                let always = answers.iter().all(|answer| answer.get(field).is_some());
                assert_eq!(*required, yes_or_no(always), "{} {}: {field}", face.path, face.contract);
            }
        }
        assert!(written.is_empty(), "{}: nothing is said of {written:?}", face.path);
    }
}

#[test]
fn every_documented_refusal_is_valid_by_the_schema_of_its_status() {
    for (document, face, operation) in operations() {
        for status in face.description.statuses {
            let schema = format!("{operation}/responses/{status}/content/application~1json/schema");
            let validator = jsonschema::validator_for(&schema_at(&document, &schema)).unwrap();
            for problem in Problem::examples() {
                let refusal = (face.refuse)(&problem);
                let body: Value = serde_json::from_slice(&refusal.body).unwrap();
                if refusal.status == *status {
                    assert!(validator.is_valid(&body), "{} {}: {body}", face.path, face.contract);
                }
            }
        }
    }
}

#[test]
fn the_requests_that_the_schema_has_are_read_and_the_example_is_one() {
    let device = |fields: Value| json!({ "device": fields });
    let ue = |fields: Value| json!({ "ueId": fields, "uePort": 5060 });
    let bodies = [
        json!({}),
        json!([]),
        json!({ "device": null }),
        device(json!({})),
        device(json!({ "phoneNumber": "+12025550123" })),
        device(json!({ "phoneNumber": "12025550123" })),
        device(json!({ "phoneNumber": "+1202 555" })),
        device(json!({ "phoneNumber": 12_025_550_123_u64 })),
        device(json!({ "networkAccessIdentifier": "line@example" })),
        device(json!({ "ipv4Address": { "publicAddress": "192.0.2.1", "publicPort": 5060 } })),
        device(json!({ "ipv4Address": { "publicAddress": "192.0.2.1", "privateAddress": "10.0.0.1" } })),
        device(json!({ "ipv4Address": { "publicAddress": "192.0.2.1" } })),
        device(json!({ "ipv4Address": { "privateAddress": "10.0.0.1", "publicPort": 5060 } })),
        device(json!({ "ipv4Address": { "publicAddress": "192.0.2.1", "publicPort": 65_536 } })),
        device(json!({ "ipv6Address": "2001:db8::1" })),
        device(json!({ "ipv6Address": 1 })),
        ue(json!({})),
        ue(json!({ "msisdn": "12025550123" })),
        ue(json!({ "msisdn": "1202 555" })),
        ue(json!({ "externalId": "line@example" })),
        ue(json!({ "ipv4Addr": "192.0.2.1" })),
        ue(json!({ "ipv4Addr": "192.0.2.01" })),
        ue(json!({ "ipv4Addr": "192.0.2.1/32" })),
        ue(json!({ "ipv6Addr": "2001:db8::1" })),
        ue(json!({ "ipv6Addr": "2001:0db8::1" })),
        json!({ "ueId": { "msisdn": "12025550123" }, "uePort": -1 }),
    ];
    for (document, face, operation) in operations() {
        let content = format!("{operation}/requestBody/content/application~1json");
        let validator = jsonschema::validator_for(&schema_at(&document, &format!("{content}/schema"))).unwrap();
        let example = document.pointer(&format!("{content}/example")).unwrap();
        assert!((face.read)(example.to_string().as_bytes()).is_ok() && validator.is_valid(example), "{}", face.path);
        // A phone number beside or instead of the ueId, and fields that only the page names: the schema
        // can't say which of them is enough.
        if ["telefonica", "orange"]
            .iter()
            .any(|publisher| document["servers"][0]["url"].as_str().unwrap().contains(publisher))
        {
            continue;
        }
        for body in &bodies {
            let read = (face.read)(body.to_string().as_bytes());
            let is_read = !matches!(
                read,
                Err(Problem::BodyMalformed { .. } | Problem::FieldInvalid { .. } | Problem::FieldMissing { .. })
            );
            // What names no known identifier may be more than the schema knows, and names no line.
            assert_eq!(is_read, validator.is_valid(body), "{} {}: {body}: {read:?}", face.path, face.contract);
        }
    }
}

#[test]
fn both_versions_of_openapi_come_to_the_same_facts() {
    let document = |schema: Value| {
        let response = json!({ "200": { "content": { "application/json": { "schema": schema } } } });
        json!({
            "servers": [{ "url": "/api" }],
            "paths": { "/retrieve": { "post": { "requestBody": { "required": true }, "responses": response } } },
            "components": { "schemas": { "Text": { "type": "string", "description": "any" } } },
        })
    };
    let of_3_0 = json!({
        "type": "object",
        "required": ["b", "a"],
        "properties": {
            "a": { "$ref": "#/components/schemas/Text" },
            "b": { "type": "integer", "nullable": true, "enum": [2, 1] },
        },
    });
    let of_3_1 = json!({
        "allOf": [
            { "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] },
            { "properties": { "b": { "type": ["null", "integer"], "enum": [1, 2] } }, "required": ["b"] },
        ],
    });
    assert_eq!(facts(&document(of_3_0.clone()), ""), facts(&document(of_3_1), ""));

    let mut changed = of_3_0.clone();
    changed["properties"]["b"]["enum"] = json!([1]);
    changed["required"] = json!(["b"]);
    let found = differences("it", &facts(&document(of_3_0), ""), &facts(&document(changed), ""));
    let places: Vec<&str> = found.iter().map(|[_, place, ..]| place.as_str()).collect();
    assert_eq!(places, ["POST /retrieve 200 .a required", "POST /retrieve 200 .b enum"]);
}
