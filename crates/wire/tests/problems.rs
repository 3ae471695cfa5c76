//! Walks every problem through every face, and through every publisher's words for what no face
//! catches, and holds the body against the envelope and the statuses of that face's document.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it finds what it does not expect")]

use std::collections::BTreeSet;

use attache_core::Problem;
use attache_wire::{Face, PUBLISHERS, Refusal};
use serde_json::Value;

/// What a document says about its errors.
struct Document {
    /// The fields of the body.
    fields: &'static [&'static str],
    /// The statuses that it lists.
    statuses: &'static [u16],
    /// The statuses that it does not list, and that are answered all the same.
    ours: &'static [u16],
    /// The statuses in whose body another document's fields stand.
    by_camara: &'static [u16],
}

const STATUS_CODE_MESSAGE: &[&str] = &["code", "message", "status"];

/// device-roaming-status and device-reachability-status 1.0 and 1.1. The Commonalities list 405, 406, 415
/// and 500.
const CAMARA_1: Document = Document {
    fields: STATUS_CODE_MESSAGE,
    statuses: &[400, 401, 403, 404, 422, 429, 503, 405, 406, 415, 500],
    ours: &[408, 411, 413, 414],
    by_camara: &[],
};
/// connected-network-type 0.1 and 0.2. The Commonalities list 405, 406, 415, 500 and 503.
const CAMARA_NETWORK_TYPE: Document = Document {
    fields: STATUS_CODE_MESSAGE,
    statuses: &[400, 401, 403, 404, 422, 429, 405, 406, 415, 500, 503],
    ours: &[408, 411, 413, 414],
    by_camara: &[],
};
/// device-roaming-status and device-reachability-status 0.6.
const CAMARA_0_6: Document = Document {
    fields: STATUS_CODE_MESSAGE,
    statuses: &[400, 401, 403, 404, 406, 415, 422, 429, 500, 501, 502, 503, 504],
    ours: &[405, 408, 411, 413, 414],
    by_camara: &[],
};
/// device-status 0.5.1.
const CAMARA_0_5: Document = Document {
    fields: STATUS_CODE_MESSAGE,
    statuses: &[400, 401, 403, 404, 500, 503],
    ours: &[405, 406, 408, 411, 413, 414, 415, 429],
    by_camara: &[],
};
/// Orange's page on roaming prints four statuses; CAMARA 0.6 lists the others.
const ORANGE_ROAMING: Document = Document {
    fields: STATUS_CODE_MESSAGE,
    statuses: &[400, 401, 403, 500, 404, 406, 415, 422, 429, 502, 503, 504],
    ours: &[405, 408, 411, 413, 414],
    by_camara: &[],
};
/// Orange's page on reachability lists them all, but for 422, which is CAMARA 0.6's.
const ORANGE_GATEWAY: Document = Document {
    fields: &["code", "description", "message"],
    statuses: &[400, 401, 403, 404, 405, 406, 408, 409, 411, 412, 413, 414, 415, 429, 500, 502, 503, 504],
    ours: &[],
    by_camara: &[422],
};
/// device-status 0.4.1, and Telefónica's contract 0.4.
const CAMARA_0_4: Document = Document {
    fields: &["code", "message"],
    statuses: &[400, 401, 403, 404, 500, 503],
    ours: &[405, 406, 408, 411, 413, 414, 415, 429],
    by_camara: &[],
};

fn document_of_face(publisher: &str, api: &str, contract: &str) -> &'static Document {
    match (publisher, api, contract) {
        ("camara", "device-roaming-status" | "device-reachability-status", "1.0" | "1.1") => &CAMARA_1,
        ("camara", "device-roaming-status" | "device-reachability-status", "0.6") => &CAMARA_0_6,
        ("camara", "connected-network-type", "0.1" | "0.2") => &CAMARA_NETWORK_TYPE,
        ("camara" | "vonage", "device-status", "0.5") => &CAMARA_0_5,
        ("camara" | "telefonica", "device-status", "0.4") => &CAMARA_0_4,
        ("orange", "device-roaming-status", "0.1") => &ORANGE_ROAMING,
        ("orange", "device-reachability-status", "0.1") => &ORANGE_GATEWAY,
        other => panic!("what does the document of {other:?} say about its errors?"),
    }
}

/// A face, as a failing test names it: several may have the same path.
fn place(face: &Face) -> String {
    format!("{} {}", face.path, face.contract)
}

fn document_of_publisher(publisher: &str) -> &'static Document {
    match publisher {
        "camara" => &CAMARA_1,
        "orange" => &ORANGE_GATEWAY,
        "telefonica" => &CAMARA_0_4,
        "vonage" => &CAMARA_0_5,
        other => panic!("what does {other} say where no face stands?"),
    }
}

#[test]
fn every_face_says_every_problem_in_the_words_of_its_document() {
    for publisher in PUBLISHERS {
        for face in publisher.faces {
            let document = document_of_face(publisher.name.as_str(), face.api, face.contract);
            for problem in Problem::examples() {
                check(&place(face), &problem, document, &(face.refuse)(&problem));
            }
        }
    }
}

#[test]
fn every_publisher_says_every_problem_where_no_face_stands() {
    for publisher in PUBLISHERS {
        let document = document_of_publisher(publisher.name.as_str());
        for problem in Problem::examples() {
            let refusal = (publisher.refuse)(&problem);
            // Without a face nothing is said in the words of one.
            assert!(!document.by_camara.contains(&refusal.status), "{}: {problem:?}", publisher.name);
            check(publisher.name.as_str(), &problem, document, &refusal);
        }
        assert_eq!((publisher.refuse)(&Problem::UnknownPath).status, 404, "{}", publisher.name);
    }
}

#[test]
fn what_an_operator_looks_for_is_a_server_error_and_what_a_client_can_mend_is_not() {
    for publisher in PUBLISHERS {
        for face in publisher.faces {
            for problem in [Problem::Internal, Problem::Overloaded, Problem::StoreUnavailable, Problem::NetworkTimedOut]
            {
                assert!((face.refuse)(&problem).status >= 500, "{}: {problem:?}", place(face));
            }
            for (problem, status) in [
                (Problem::BodyMissing, 400),
                (Problem::FieldMissing { field: "device" }, 400),
                (Problem::CredentialsMissing, 401),
                (Problem::CredentialsInvalid, 401),
                (Problem::ProofInvalid, 401),
                (Problem::CredentialsExpired, 401),
                (Problem::ScopeMissing { scope: face.scope.clone() }, 403),
                (Problem::LineOfAnotherToken, 403),
                (Problem::SubjectRefuses, 403),
                (Problem::MethodNotAllowed { allow: "POST" }, 405),
                (Problem::BodyTimedOut, 408),
                (Problem::LengthRequired, 411),
                (Problem::BodyTooLarge { limit: 1 }, 413),
                (Problem::TargetTooLong, 414),
                (Problem::UnsupportedMediaType, 415),
            ] {
                assert_eq!((face.refuse)(&problem).status, status, "{}: {problem:?}", place(face));
            }
        }
    }
}

fn check(place: &str, problem: &Problem, document: &Document, refusal: &Refusal) {
    let Refusal { status, body } = refusal;
    let text = std::str::from_utf8(body).unwrap();
    let said = format!("{place}: {problem:?}: {status} {text}");
    let Value::Object(body) = serde_json::from_str(text).expect(&said) else { panic!("{said}") };

    let by_camara = document.by_camara.contains(status);
    assert!(by_camara || document.statuses.contains(status) || document.ours.contains(status), "{said}");
    let fields: BTreeSet<&str> = body.keys().map(String::as_str).collect();
    let documented = if by_camara { STATUS_CODE_MESSAGE } else { document.fields };
    assert_eq!(fields, documented.iter().copied().collect(), "{said}");

    if let Some(value) = body.get("status") {
        assert_eq!(value, status, "{said}");
    }
    for field in ["message", "description"] {
        assert!(body.get(field).is_none_or(|value| value.as_str().is_some_and(|text| !text.is_empty())), "{said}");
    }
    let is_numeric = documented.contains(&"description");
    assert!(if is_numeric { body["code"].is_u64() } else { is_screaming_snake_case(&body["code"]) }, "{said}");
    assert!(!names_a_phone_number(text), "{said}");
}

fn is_screaming_snake_case(code: &Value) -> bool {
    let code = code.as_str().unwrap_or_default();
    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// Whether seven digits or more stand together, or five or more behind a `+`.
fn names_a_phone_number(text: &str) -> bool {
    text.split(|character: char| !character.is_ascii_digit() && character != '+')
        .any(|run| run.len() >= if run.starts_with('+') { 6 } else { 7 })
}
