//! Holds the faces against the publishers' own contracts, where they are at hand: in
//! `../shared` beside the repository. Elsewhere these tests find nothing to compare and pass.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it finds what it does not expect")]

use std::path::Path;

use attache_core::{Country, DeviceIdentifier, NetworkType, Plmn, Problem, Reachability, Roaming};
use attache_wire::{Answering, Correlator, Face, Several, camara, orange, telefonica, vonage};
use serde_json::Value;

/// A document, or `None` where it is not at hand.
fn document(path: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    let text = std::fs::read_to_string(&path).ok()?;
    Some(serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// What a value refers to, if it refers to anything, or else itself.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).expect(reference),
        None => value,
    }
}

/// The one operation of a document that a face serves, by the end of its path.
fn operation<'a>(document: &'a Value, face: &Face) -> &'a Value {
    let paths = document["paths"].as_object().unwrap();
    let (_, item) = paths.iter().find(|(path, _)| face.path.ends_with(path.as_str())).expect(face.path);
    &item["post"]
}

/// The codes that a document lists or shows for a status, or `None` for a status that it does not
/// know.
fn codes(document: &Value, face: &Face, status: u16) -> Option<Vec<String>> {
    let response = operation(document, face)["responses"].get(status.to_string())?;
    let content = &resolve(document, response)["content"]["application/json"];
    let of_enumeration = content["schema"]["allOf"].as_array().into_iter().flatten();
    let of_enumeration = of_enumeration.filter_map(|part| part["properties"]["code"]["enum"].as_array()).flatten();
    let of_examples =
        content["examples"].as_object().into_iter().flatten().map(|(_, example)| &example["value"]["code"]);
    let of_example = content["example"].get("code");
    let codes = of_enumeration.chain(of_examples).chain(of_example).filter_map(Value::as_str);
    Some(codes.map(str::to_owned).collect())
}

/// A face, the path of its document, and the codes that stand in the prose, in the guide or on the
/// publisher's page instead of the document's responses.
type Held = (&'static Face, &'static str, &'static [(u16, &'static str)]);

const FACES: [Held; 15] = [
    (&camara::device_roaming_status::v1::FACE, "camara/device-roaming-status/1.1/openapi.yaml", &[]),
    (&camara::device_reachability_status::v1::FACE, "camara/device-reachability-status/1.1/openapi.yaml", &[]),
    (&camara::device_roaming_status::v1_0::FACE, "camara/device-roaming-status/1.0/openapi.yaml", &[]),
    (&camara::device_reachability_status::v1_0::FACE, "camara/device-reachability-status/1.0/openapi.yaml", &[]),
    (&camara::device_roaming_status::v0_6::FACE, "camara/device-roaming-status/0.6/openapi.yaml", PROSE_OF_0_6),
    (
        &camara::device_reachability_status::v0_6::FACE,
        "camara/device-reachability-status/0.6/openapi.yaml",
        PROSE_OF_0_6,
    ),
    (&camara::connected_network_type::v0_2::FACE, "camara/connected-network-type/0.2/openapi.yaml", &[]),
    (&camara::connected_network_type::v0_1::FACE, "camara/connected-network-type/0.1/openapi.yaml", &[]),
    (&camara::device_status::v0_4::FACE, "camara/device-status/0.4.1/openapi.yaml", &[]),
    (&camara::device_status::v0_5::ROAMING, "camara/device-status/0.5.1/openapi.yaml", COMMONALITIES_0_4),
    (&camara::device_status::v0_5::CONNECTIVITY, "camara/device-status/0.5.1/openapi.yaml", COMMONALITIES_0_4),
    (&vonage::device_status_v050::ROAMING, "camara/device-status/0.5.1/openapi.yaml", COMMONALITIES_0_4),
    (&vonage::device_status_v050::CONNECTIVITY, "camara/device-status/0.5.1/openapi.yaml", COMMONALITIES_0_4),
    (&telefonica::device_status_v0::FACE, "vendors/telefonica-device-status-0.4.yaml", &[]),
    (
        &orange::roaming_v0::FACE,
        "camara/device-roaming-status/0.6/openapi.yaml",
        // In the prose; in no document, and never said by this version; on Orange's page.
        &[(422, "UNIDENTIFIABLE_DEVICE"), (422, "UNNECESSARY_IDENTIFIER"), (500, "INTERNAL_SERVER_ERROR")],
    ),
];

/// In "Handling of device information"; the other is in no document, and never said by this version.
const PROSE_OF_0_6: &[(u16, &str)] = &[(422, "UNIDENTIFIABLE_DEVICE"), (422, "UNNECESSARY_IDENTIFIER")];

const COMMONALITIES_0_4: &[(u16, &str)] = &[(403, "INVALID_TOKEN_CONTEXT")];

/// The faces whose documents are at hand.
fn faces() -> impl Iterator<Item = (&'static Face, Value, &'static [(u16, &'static str)])> {
    FACES.into_iter().filter_map(|(face, path, elsewhere)| Some((face, document(path)?, elsewhere)))
}

/// CAMARA's own faces: others that follow its documents have other paths.
fn faces_of_camara() -> impl Iterator<Item = (&'static Face, Value)> {
    let is_camara = |(face, path, _): &Held| path.starts_with("camara/") && !face.path.starts_with("/camara/");
    FACES.into_iter().filter(is_camara).filter_map(|(face, path, _)| Some((face, document(path)?)))
}

#[test]
fn every_code_of_a_documented_status_is_documented() {
    for (face, document, elsewhere) in faces() {
        for problem in Problem::examples() {
            let refusal = (face.refuse)(&problem);
            let body: Value = serde_json::from_slice(&refusal.body).unwrap();
            let code = body["code"].as_str().unwrap();
            let Some(documented) = codes(&document, face, refusal.status) else { continue };
            assert!(
                documented.iter().any(|documented| documented == code) || elsewhere.contains(&(refusal.status, code)),
                "{}: {problem:?} is {} {code}, and the document has {documented:?}",
                face.path,
                refusal.status
            );
        }
    }
}

#[test]
fn the_scope_of_a_face_is_that_of_its_document() {
    for (face, document, _) in faces() {
        let securities = operation(&document, face)["security"].as_array().or(document["security"].as_array()).unwrap();
        let mut scopes = securities.iter().flat_map(|security| security.as_object().unwrap().values());
        assert!(scopes.any(|scopes| scopes[0] == face.scope.as_str()), "{}", face.path);
    }
}

#[test]
fn the_path_of_a_camara_face_is_that_of_its_document() {
    for (face, document) in faces_of_camara() {
        let variables = &document["servers"][0]["variables"];
        let server = document["servers"][0]["url"].as_str().unwrap();
        // 0.4 has its base path, with its slash, in a variable.
        let server = &server.replace("/{basePath}", variables["basePath"]["default"].as_str().unwrap_or_default());
        let root = server.strip_prefix("{apiRoot}").unwrap();
        assert!(face.path.starts_with(&format!("{root}/")), "{} at {server}", face.path);
        assert_eq!(root, format!("/{}/{}", face.api, face.version));
        assert!(document["info"]["version"].as_str().unwrap().starts_with(&format!("{}.", face.contract)));
    }
}

#[test]
fn every_version_of_camara_is_held_against_its_document() {
    for face in camara::PUBLISHER.faces {
        let is_held = |(held, path, _): &Held| {
            (held.path, held.contract) == (face.path, face.contract) && path.starts_with("camara/")
        };
        assert!(FACES.iter().any(is_held), "{} {}", face.path, face.contract);
    }
}

#[test]
fn the_correlator_of_a_camara_face_is_that_of_its_document() {
    for (face, document) in faces_of_camara() {
        let parameter = &document["components"]["parameters"]["x-correlator"];
        let expected = match resolve(&document, &parameter["schema"])["pattern"].as_str() {
            None if parameter.is_null() => Correlator::Undocumented,
            None => Correlator::AnyText,
            Some(pattern) if Correlator::Long.fault().unwrap().ends_with(pattern) => Correlator::Long,
            Some(pattern) if Correlator::Short.fault().unwrap().ends_with(pattern) => Correlator::Short,
            Some(other) => panic!("{}: no face knows {other}", face.path),
        };
        assert_eq!(face.correlator, expected, "{} {}", face.path, face.contract);
    }
}

#[test]
fn identifiers_are_compared_where_the_document_has_a_code_for_it() {
    for (face, document) in faces_of_camara() {
        let codes = codes(&document, face, 422).unwrap_or_default();
        let has_code = codes.iter().any(|code| code.ends_with("MISMATCH"));
        assert_eq!(face.several == Several::MustAgree, has_code, "{} {}", face.path, face.contract);
    }
}

#[test]
fn every_example_of_an_answer_is_written() {
    let mut compared = 0;
    for (face, document, _) in faces() {
        let content = &operation(&document, face)["responses"]["200"]["content"]["application/json"];
        for (name, example) in content["examples"].as_object().unwrap() {
            let mut example = example["value"].clone();
            let device = example["device"]["phoneNumber"]
                .as_str()
                .map(|number| DeviceIdentifier::PhoneNumber(number.parse().unwrap()));
            let confirmed_at =
                example["lastStatusTime"].as_str().unwrap_or("2024-02-20T10:41:38.657Z").parse().unwrap();
            let written = match face.answer {
                Answering::Roaming(write) => {
                    let visited = example["countryCode"].as_u64().map(|mcc| {
                        let plmn: Plmn = format!("{mcc:03}01").parse().unwrap();
                        Country::of(plmn.mcc())
                    });
                    write(&Roaming { visited, confirmed_at }, device.as_ref())
                }
                Answering::Reachability(write) => {
                    let text = example.to_string();
                    let (data, sms) = (text.contains("DATA"), text.contains("SMS"));
                    write(&Reachability { data, sms, confirmed_at }, device.as_ref())
                }
                Answering::NetworkType(write) => {
                    let technology = example["connectedNetworkType"].as_str().and_then(|text| text.parse().ok());
                    write(&NetworkType { technology, confirmed_at: Some(confirmed_at) }, device.as_ref())
                }
            };
            if face.path == orange::roaming_v0::FACE.path {
                // Orange's page has other types than the contract that it follows.
                example["countryCode"] = example["countryCode"].to_string().into();
                example["lastStatusTime"] = "2024-02-20T10:41:38.657000000Z".into();
            }
            let written: Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(written, example, "{}: {name}", face.path);
            compared += 1;
        }
    }
    assert!(compared == 0 || compared > 25, "{compared} examples were found");
}

#[test]
fn the_phone_number_of_a_face_matches_the_pattern_of_its_document() {
    for (face, document, _) in faces() {
        let schemas = &document["components"]["schemas"];
        let pattern = schemas["PhoneNumber"]["pattern"].as_str().or_else(|| schemas["MSISDN"]["pattern"].as_str());
        let may_lack_plus = match pattern.unwrap() {
            r"^\+[1-9][0-9]{4,14}$" => false,
            r"^\+?[0-9]{5,15}$" => true,
            other => panic!("{}: no face reads {other}", face.path),
        };
        for (number, accepted) in [
            ("+12345", true),
            ("+123456789012345", true),
            ("12345", may_lack_plus),
            ("+1234", false),
            ("+1234567890123456", false),
            ("+12a45", false),
        ] {
            let body = format!(r#"{{"device":{{"phoneNumber":"{number}"}},"ueId":{{"msisdn":"{number}"}}}}"#);
            assert_eq!((face.read)(body.as_bytes()).is_ok(), accepted, "{}: {number}", face.path);
        }
    }
}
