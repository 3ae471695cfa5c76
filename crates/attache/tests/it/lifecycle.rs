//! What a server knows outlives it: stopped, killed, and started again on another port.

use serde_json::json;

use crate::harness::Attache;

const LINE: &str = "+34777777777";

/// Fetches a token at Telefónica's token endpoint for [`LINE`].
fn token(attache: &Attache) -> String {
    let scope = "dpv:FraudPreventionAndDetection#device-status-roaming-read";
    let request = attache
        .post("/telefonica/bc-authorize")
        .basic("my-app-id", "my-app-secret")
        .form(&[("login_hint", LINE), ("scope", scope)])
        .says(200);
    let grant = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", &request.text("auth_req_id"))];
    attache.post("/telefonica/token").basic("my-app-id", "my-app-secret").form(&grant).says(200).text("access_token")
}

#[test]
fn a_token_outlives_a_stop_and_a_kill() {
    let mut attache = Attache::sandbox();
    let token = token(&attache);
    for end in [Attache::stop, Attache::kill] {
        end(&mut attache);
        attache.start();
        let answer = attache
            .post("/telefonica/device-status/v0/roaming")
            .bearer(&token)
            .json(&json!({"ueId": {"msisdn": LINE}}))
            .says(200)
            .json();
        assert_eq!(answer["roaming"], true);
    }
}

#[test]
fn asked_to_stop_it_ends_well() {
    let mut attache = Attache::sandbox();
    assert!(attache.stop().success());
}

#[test]
fn a_change_by_the_command_line_is_answered_and_outlives_a_kill() {
    let mut attache = Attache::sandbox();
    let token = token(&attache);
    let moved = attache.command(&["line", "roam", LINE, "--country", "DE"]);
    assert!(moved.status.success(), "{}", String::from_utf8_lossy(&moved.stderr));
    attache.kill();
    attache.start();
    let answer = attache
        .post("/telefonica/device-status/v0/roaming")
        .bearer(&token)
        .json(&json!({"ueId": {"msisdn": LINE}}))
        .says(200)
        .json();
    assert_eq!(answer, json!({"roaming": true, "countryCode": 262, "countryName": ["DE"]}));
}

#[test]
fn a_request_written_by_hand_is_answered() {
    let attache = Attache::sandbox();
    let answer = attache.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
