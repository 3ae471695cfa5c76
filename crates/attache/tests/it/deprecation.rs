//! Versions that are going to end tell it in every answer, and no other version does.

use serde_json::json;

use crate::{
    callers::{Caller, FaceCall},
    harness::{Answer, Attache},
};

const FROM: &str = "@1767225600";
const TO: &str = "Thu, 31 Dec 2026 00:00:00 GMT";

fn told(answer: &Answer) -> (&str, &str) {
    (answer.header("deprecation"), answer.header("sunset"))
}

#[test]
fn a_deprecated_version_tells_it_in_every_answer_and_no_other_does() {
    let attache = Attache::with(&[
        "--deprecate",
        "device-roaming-status/0.6=2026-01-01..2026-12-31",
        "--deprecate",
        "device-status/0.4=2026-01-01",
        "--deprecate",
        "device-roaming-status/1.1=2026-01-01..2026-12-31",
        "--vwip",
    ]);
    for call in FaceCall::by(&attache, &Caller::all(&attache.facts())) {
        let expected = match (call.publisher.as_str(), call.api.as_str(), call.contract.as_str()) {
            ("camara", "device-roaming-status", "0.6" | "1.1") => (FROM, TO),
            ("camara", "device-status", "0.4") => (FROM, ""),
            _ => ("", ""),
        };
        let answer = call.ask(&attache);
        assert_eq!((answer.status, told(&answer)), (200, expected), "{} {}", call.publisher, call.path);
        // Before the body is read, it is the newest version at a path that answers.
        if call.contract != "0.4" {
            let post = || attache.post(&call.path);
            assert_eq!(told(&post().json(&call.body).says(401)), expected, "{}", call.path);
            assert_eq!(told(&post().bearer(&call.token).body("text/plain", "x").says(415)), expected, "{}", call.path);
            assert_eq!(told(&post().bearer(&call.token).json(&json!([])).says(400)), expected, "{}", call.path);
            assert_eq!(told(&attache.get(&call.path).says(405)), expected, "{}", call.path);
        }
    }
    let unknown = attache.get("/device-roaming-status/v0.6/nothing").says(404);
    assert_eq!(told(&unknown), ("", ""));
}
