//! Orange, as its two pages tell it: "Device Roaming Status" and "Device Reachability Status", both
//! "CAMARA Sandbox - Orange lab 0.1 Beta".

use serde_json::{Value, json};

use crate::{
    faces::{Face, IMPATIENT, ORANGE, instant, token_of_each_publisher},
    harness::Attache,
};

const ROAMING: &str = "/orange/camara/orange-lab/device-roaming-status/v0/retrieve";
const REACHABILITY: &str = "/orange/camara/orange-lab/device-reachability-status/v0/retrieve";

/// The numbers that the page lists.
const LAB: [&str; 11] = [
    "+33699901031",
    "+33699901032",
    "+33699901033",
    "+33699901034",
    "+33699901035",
    "+33699901036",
    "+33699901037",
    "+33699901038",
    "+33699901039",
    "+33699901040",
    "+33699901064",
];

/// The request as the page prints it.
const REQUEST: &str = "{\n\"device\": {\n    \"phoneNumber\": \"+33699901032\"\n  }\n}";

fn roaming(attache: &Attache) -> Face<'_> {
    Face { attache, path: ROAMING, token: token(attache), body: REQUEST }
}

fn reachability(attache: &Attache) -> Face<'_> {
    Face { attache, path: REACHABILITY, token: token(attache), body: REQUEST }
}

/// Fetches a token as the page does it: no scope is asked for.
fn token(attache: &Attache) -> String {
    ORANGE.token(attache, &[("grant_type", "client_credentials")]).says(200).text("access_token")
}

/// The time in an answer, which must have so many digits behind its seconds.
fn last_status_time(answer: &Value, digits: usize) -> String {
    let time = answer["lastStatusTime"].as_str().unwrap();
    let pattern = format!("dddd-dd-ddTdd:dd:dd.{}Z", "d".repeat(digits));
    let shape: String = time.chars().map(|letter| if letter.is_ascii_digit() { 'd' } else { letter }).collect();
    assert_eq!(shape, pattern);
    time.to_owned()
}

#[test]
fn the_token_response_is_the_printed_one() {
    let attache = Attache::sandbox();
    let answer = ORANGE.token(&attache, &[("grant_type", "client_credentials")]).says(200);
    let token = answer.text("access_token");
    let printed = format!(r#"{{"token_type":"Bearer","access_token":"{token}","expires_in":"3600"}}"#);
    assert_eq!(answer.body, printed);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[test]
fn every_number_of_the_lab_is_at_home_and_answered_as_printed() {
    let attache = Attache::sandbox();
    let face = roaming(&attache);
    for number in LAB {
        let answer = face.ask_about(number).says(200);
        let time = last_status_time(&answer.json(), 9);
        assert_eq!(answer.body, format!(r#"{{"lastStatusTime":"{time}","roaming":false,"countryName":[]}}"#));
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let with_the_headers_of_the_page = face.ask(REQUEST).header("accept", "application/json");
    with_the_headers_of_the_page.header("cache-control", "no-cache").says(200);
}

#[test]
fn every_number_of_the_lab_is_reachable_by_data() {
    let attache = Attache::sandbox();
    let face = reachability(&attache);
    for number in LAB {
        let answer = face.ask_about(number).says(200);
        let time = last_status_time(&answer.json(), 3);
        let expected = format!(r#"{{"lastStatusTime":"{time}","reachabilityStatus":"CONNECTED_DATA"}}"#);
        assert_eq!(answer.body, expected);
    }
}

#[test]
fn abroad_the_country_code_is_a_text() {
    let attache = Attache::sandbox();
    let face = roaming(&attache);
    for (plmn, code, names) in [
        ("26201", "262", json!(["DE"])),
        ("34001", "340", json!(["BL", "GF", "GP", "MF", "MQ"])),
        ("90112", "901", json!([])),
    ] {
        attache.change(LAB[1], "roam", &json!({"plmn": plmn}));
        let answer = face.ask_about(LAB[1]).says(200);
        let time = last_status_time(&answer.json(), 9);
        let expected =
            format!(r#"{{"lastStatusTime":"{time}","roaming":true,"countryCode":"{code}","countryName":{names}}}"#);
        assert_eq!(answer.body, expected);
    }
    attache.change(LAB[1], "home", &json!({}));
    let answer = face.ask_about(LAB[1]).says(200).json();
    assert_eq!((&answer["roaming"], &answer["countryName"]), (&json!(false), &json!([])));
    assert_eq!(answer.get("countryCode"), None);
}

#[test]
fn the_reachability_follows_the_line() {
    let attache = Attache::sandbox();
    let face = reachability(&attache);
    for (data, sms, status) in [
        (true, true, "CONNECTED_DATA"),
        (true, false, "CONNECTED_DATA"),
        (false, true, "CONNECTED_SMS"),
        (false, false, "NOT_CONNECTED"),
    ] {
        attache.change(LAB[1], "reach", &json!({"data": data, "sms": sms}));
        assert_eq!(face.ask_about(LAB[1]).says(200).json()["reachabilityStatus"], status);
    }
}

#[test]
fn the_time_is_that_of_the_confirmation_and_not_of_the_answer() {
    let attache = Attache::sandbox();
    for face in [roaming(&attache), reachability(&attache)] {
        let first = face.ask_about(LAB[1]).says(200).body;
        assert_eq!(face.ask_about(LAB[1]).says(200).body, first);
    }
    attache.change(LAB[1], "roam", &json!({"country": "DE"}));
    let line = attache.line(LAB[1]);
    let answer = roaming(&attache).ask_about(LAB[1]).says(200).json();
    assert_eq!(instant(&answer["lastStatusTime"]), instant(&line["serving_confirmed_at"]));
    let day_old = roaming(&attache).ask_about("+33639980006").says(200).json();
    assert_eq!(instant(&day_old["lastStatusTime"]), instant(&attache.line("+33639980006")["serving_confirmed_at"]));
    assert!(instant(&answer["lastStatusTime"]).duration_since(instant(&day_old["lastStatusTime"])).as_hours() >= 24);
}

#[test]
fn a_number_that_is_not_managed_is_the_printed_500() {
    let attache = Attache::sandbox();
    let error = roaming(&attache).ask_about("+33699901065").says(500);
    assert_eq!(
        error.body,
        r#"{"status":500,"code":"INTERNAL_SERVER_ERROR","message":"Internal Server Error, status code 500"}"#
    );
    let error = reachability(&attache).ask_about("+33699901065").says(404);
    assert_eq!(error.body, RESOURCE_NOT_FOUND);
}

#[test]
fn a_line_that_was_never_seen_has_no_status() {
    let attache = Attache::sandbox();
    let error = roaming(&attache).ask_about("+33639980007").says(422);
    assert!(error.body.starts_with(r#"{"code":"UNABLE_TO_PROVIDE_ROAMING_STATUS","status":422,"message":""#));
    let error = reachability(&attache).ask_about("+33639980007").says(422);
    assert!(error.body.starts_with(r#"{"status":422,"code":"UNABLE_TO_PROVIDE_REACHABILITY_STATUS","message":""#));
}

#[test]
fn only_the_phone_number_of_a_device_is_managed() {
    let attache = Attache::sandbox();
    let face = roaming(&attache);
    for field in ["externalId", "msisdn", "Ipv4Addr", "Ipv6Addr", "ipv4Addr", "ipv6Addr"] {
        let error = face.ask(json!({"device": {field: "33699901032"}}).to_string()).says(422);
        assert!(error.body.starts_with(r#"{"code":"UNSUPPORTED_DEVICE_IDENTIFIERS","status":422,"#), "{}", error.body);
        face.ask(json!({"device": {field: "33699901032", "phoneNumber": LAB[1]}}).to_string()).says(200);
    }
    let error = face.ask("{}").says(422);
    assert!(error.body.starts_with(r#"{"code":"UNIDENTIFIABLE_DEVICE","status":422,"#), "{}", error.body);
    let error = reachability(&attache).ask(r#"{"device":{"networkAccessIdentifier":"a@b"}}"#).says(422);
    assert!(error.body.starts_with(r#"{"status":422,"code":"UNSUPPORTED_DEVICE_IDENTIFIERS","#), "{}", error.body);
}

#[test]
fn reachability_knows_a_device_by_each_identifier_of_camara() {
    let attache = Attache::sandbox();
    let face = reachability(&attache);
    for device in [
        json!({"phoneNumber": "+33639980001"}),
        json!({"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 59765}}),
        json!({"ipv4Address": {"publicAddress": "84.125.93.10", "privateAddress": "10.0.0.1"}}),
        json!({"ipv6Address": "2001:db8:85a3:8d3:1319:8a2e:370:7344"}),
    ] {
        let answer = face.ask(json!({"device": device}).to_string()).says(200).json();
        assert_eq!(answer["reachabilityStatus"], "CONNECTED_DATA", "{device}");
        assert_eq!(answer.get("device"), None, "0.6 names no device in its answer");
    }
}

/// What is wrong with a device, at both faces.
const BAD_DEVICES: [&str; 9] = [
    r#"{"device":{}}"#,
    r#"{"device":null}"#,
    r#"{"device":"+33699901032"}"#,
    r#"{"device":{"phoneNumber":33699901032}}"#,
    r#"{"device":{"phoneNumber":"33699901032"}}"#,
    r#"{"device":{"phoneNumber":"+0699901032"}}"#,
    r#"{"device":{"phoneNumber":"+33699901032x"}}"#,
    r#"{"device":{"phoneNumber":"+33699901032","phoneNumber":"+33699901033"}}"#,
    r#"{"device":{"phoneNumber":"+33699901032"},"device":{"phoneNumber":"+33699901033"}}"#,
];

#[test]
fn a_bad_device_is_the_printed_400_of_roaming_and_row_24_of_reachability() {
    let attache = Attache::sandbox();
    for device in BAD_DEVICES {
        assert_eq!(roaming(&attache).ask(device).says(400).body, INVALID_INPUT, "{device}");
    }
    let invalid_field = row(24, "Invalid body field", "One or more fields of the body contain invalid values.");
    for device in &BAD_DEVICES[..8] {
        assert_eq!(reachability(&attache).ask(*device).says(400).body, invalid_field, "{device}");
    }
    let missing_field =
        row(23, "Missing body field", "One or more mandatory fields are missing in the body of the request.");
    assert_eq!(reachability(&attache).ask("{}").says(400).body, missing_field);
}

const INVALID_INPUT: &str = r#"{"code":"INVALID_ARGUMENT","status":400,"message":"Invalid input"}"#;

/// An error of roaming.
fn error(status: u16, code: &str, message: &str) -> String {
    format!(r#"{{"code":"{code}","status":{status},"message":"{message}"}}"#)
}

#[test]
fn roaming_refuses_every_bad_request_in_the_printed_fields() {
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    let unauthenticated = |reason: &str| error(401, "UNAUTHENTICATED", &format!("Authorization failed: {reason}"));
    let missing = || unauthenticated("the request has no access token; send it as 'Authorization: Bearer <token>'");
    let invalid =
        || unauthenticated("the access token is not valid here; ask this publisher's token endpoint for a new one");
    let media_type = || {
        let message = "the body must be application/json in UTF-8; set the Content-Type header";
        error(415, "UNSUPPORTED_MEDIA_TYPE", message)
    };
    let too_large = || error(413, "CONTENT_TOO_LARGE", "the body is too large: at most 65536 bytes are read");
    let bad = || INVALID_INPUT.to_owned();
    let method = "this path does not support the request's method; use POST";
    let long = "the request target is too long: at most 8191 bytes are read";
    let accept = "the answer is application/json, which the Accept header excludes";
    let length = "the request has a body neither by Content-Length nor in chunks; send a JSON object";
    let late = "the body did not arrive in time; send the request again";
    roaming(&attache).refuses(&[
        ("another method", 405, error(405, "METHOD_NOT_ALLOWED", method)),
        ("a target of 8 KiB", 414, error(414, "URI_TOO_LONG", long)),
        ("the host of somebody else", 400, bad()),
        ("no token", 401, missing()),
        ("no token, and a bad body", 401, missing()),
        ("a token by another scheme", 401, missing()),
        ("a malformed token", 401, invalid()),
        ("a forged token", 401, invalid()),
        ("two tokens", 401, invalid()),
        ("no JSON accepted", 406, error(406, "NOT_ACCEPTABLE", accept)),
        ("a body of another type", 415, media_type()),
        ("a body of two types", 415, media_type()),
        ("a body in another charset", 415, media_type()),
        ("a compressed body", 415, media_type()),
        ("no body", 400, bad()),
        ("a body of spaces", 400, bad()),
        ("no JSON", 400, bad()),
        ("two JSON objects", 400, bad()),
        ("a JSON array", 400, bad()),
        ("JSON null", 400, bad()),
        ("bad UTF-8", 400, bad()),
        ("a body that is declared too large", 413, too_large()),
        ("neither length nor chunks", 411, error(411, "LENGTH_REQUIRED", length)),
        ("a body that has no end", 413, too_large()),
        ("a body that stops", 408, error(408, "REQUEST_TIMEOUT", late)),
        ("chunks that are none", 400, bad()),
    ]);
}

/// A row of the gateway's list.
fn row(code: u8, message: &str, description: &str) -> String {
    format!(r#"{{"code":{code},"message":"{message}","description":"{description}"}}"#)
}

const RESOURCE_NOT_FOUND: &str = r#"{"code":60,"message":"Resource not found","description":"The requested URI or the requested resource does not exist."}"#;

#[test]
fn reachability_refuses_every_bad_request_by_the_list_of_the_gateway() {
    let attache = Attache::with_environment(&[], &[IMPATIENT]);
    let needs = "The requested service needs credentials, and";
    let missing = || row(40, "Missing credentials", &format!("{needs} none were provided."));
    let invalid = || row(41, "Invalid credentials", &format!("{needs} the ones provided were invalid."));
    let media_type =
        || row(68, "Unsupported Media Type", "The format of the posted body is not supported by the endpoint.");
    let too_large = || {
        let description = "The body of the request/response (PATCH, POST and PUT methods) is larger than the server is willing or able to process.";
        row(66, "Request entity too large", description)
    };
    let no_body = || row(21, "Missing body", "The request has no body, and the requested resource needs one.");
    let bad = || row(22, "Invalid body", "The body of the request is not a well-formed JSON object.");
    let method = "The URI does not support the requested method. The available methods should be set in the response header 'Allow'";
    let accept = "The Accept incoming header does not match any available content-type.";
    let length = "The request did not specify a Content-Length header, which is required by the requested resource.";
    reachability(&attache).refuses(&[
        ("another method", 405, row(61, "Method not allowed", method)),
        (
            "a target of 8 KiB",
            414,
            row(67, "Request-URI too long", "The URI provided was too long for the server to process."),
        ),
        (
            "the host of somebody else",
            400,
            row(26, "Invalid header value", "One or more headers contain invalid values."),
        ),
        ("no token", 401, missing()),
        ("no token, and a bad body", 401, missing()),
        ("a token by another scheme", 401, missing()),
        ("a malformed token", 401, invalid()),
        ("a forged token", 401, invalid()),
        ("two tokens", 401, invalid()),
        ("no JSON accepted", 406, row(62, "Not acceptable", accept)),
        ("a body of another type", 415, media_type()),
        ("a body of two types", 415, media_type()),
        ("a body in another charset", 415, media_type()),
        ("a compressed body", 415, media_type()),
        ("no body", 400, no_body()),
        ("a body of spaces", 400, no_body()),
        ("no JSON", 400, bad()),
        ("two JSON objects", 400, bad()),
        ("a JSON array", 400, bad()),
        ("JSON null", 400, bad()),
        ("bad UTF-8", 400, bad()),
        ("a body that is declared too large", 413, too_large()),
        ("neither length nor chunks", 411, row(64, "Length required", length)),
        ("a body that has no end", 413, too_large()),
        (
            "a body that stops",
            408,
            row(63, "Request time-out", "The server timed out waiting for the incoming request."),
        ),
        ("chunks that are none", 400, bad()),
    ]);
}

#[test]
fn an_expired_token_is_the_printed_401_of_each_page() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_TOKEN_LIFETIME", "1s")]);
    let face = roaming(&attache);
    let message = "Authorization failed: the access token has expired; ask for a new one";
    assert_eq!(face.expires().body, error(401, "UNAUTHENTICATED", message));
    let description = "The requested service needs credentials, and the ones provided were out-of-date.";
    assert_eq!(Face { path: REACHABILITY, ..face }.expires().body, row(42, "Expired credentials", description));
}

#[test]
fn tokens_of_other_publishers_are_not_valid_here() {
    let attache = Attache::sandbox();
    for (publisher, token) in token_of_each_publisher(&attache) {
        let status = if publisher == "orange" { 200 } else { 401 };
        for face in [roaming(&attache), reachability(&attache)] {
            let answer = face.ask_with(&token, REQUEST).says(status);
            assert_eq!(status == 401, answer.header("www-authenticate") == r#"Bearer error="invalid_token""#);
        }
    }
}

#[test]
fn the_registration_says_which_apis_a_client_may_call() {
    let attache = Attache::sandbox();
    for (scope, may, may_not) in [
        ("device-roaming-status:read", ROAMING, REACHABILITY),
        ("device-reachability-status:read", REACHABILITY, ROAMING),
    ] {
        let client = json!({"publisher": "orange", "client_id": scope.replace(':', "-"), "client_secret": "lab", "scopes": [scope]});
        attache.register(&client);
        let grant = [("grant_type", "client_credentials")];
        let request = attache.post("/orange/oauth/v3/token").basic(client["client_id"].as_str().unwrap(), "lab");
        let token = request.form(&grant).says(200).text("access_token");
        attache.post(may).bearer(&token).body("application/json", REQUEST).says(200);
        let answer = attache.post(may_not).bearer(&token).body("application/json", REQUEST).says(403);
        let expected = if may_not == ROAMING {
            error(
                403,
                "PERMISSION_DENIED",
                "Operation not allowed: the access token lacks the scope device-roaming-status:read",
            )
        } else {
            row(50, "Access denied", "The application is not allowed to access this service.")
        };
        assert_eq!(answer.body, expected);
        assert_eq!(answer.header("www-authenticate"), r#"Bearer error="insufficient_scope""#);
    }
}

#[test]
fn a_removed_subscription_is_refused_at_once() {
    let attache = Attache::sandbox();
    let face = roaming(&attache);
    face.ask(REQUEST).says(200);
    attache.admin(reqwest::Method::DELETE, "/admin/v1/clients/orange/orange-demo").says(200);
    face.ask(REQUEST).says(401);
    ORANGE.token(&attache, &[("grant_type", "client_credentials")]).says(401);
}

#[test]
fn the_token_endpoint_says_its_errors_as_oauth_does() {
    let attache = Attache::sandbox();
    let stranger = attache.post("/orange/oauth/v3/token").basic("orange-demo", "wrong");
    let error = stranger.form(&[("grant_type", "client_credentials")]).says(401);
    assert_eq!((error.text("error").as_str(), error.header("www-authenticate")), ("invalid_client", "Basic"));
    for (parameters, code) in [
        (&[("grant_type", "password")][..], "unsupported_grant_type"),
        (&[("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", "x")], "unsupported_grant_type"),
        (&[], "invalid_request"),
        (&[("grant_type", "client_credentials"), ("scope", "device-status:roaming:read")], "invalid_scope"),
    ] {
        let error = ORANGE.token(&attache, parameters).says(400).json();
        assert_eq!(error["error"], code, "{parameters:?}");
        assert!(error["error_description"].is_string());
    }
    let answer = attache.get("/orange/oauth/v3/token").says(405);
    assert_eq!((answer.text("error").as_str(), answer.header("allow")), ("invalid_request", "POST"));
}

#[test]
fn an_unknown_path_is_code_60_of_the_gateway() {
    let attache = Attache::sandbox();
    for path in [
        "/orange",
        "/orange/",
        "/orange/camara/orange-lab/device-roaming-status/v0",
        "/orange/camara/orange-lab/device-roaming-status/v0/retrieve/",
        "/orange/device-roaming-status/v1/retrieve",
        "/orange/oauth2/bc-authorize",
        "/orange/oauth2/authorize",
    ] {
        let answer = attache.post(path).body("application/json", REQUEST).says(404);
        assert_eq!(answer.body, RESOURCE_NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[test]
fn a_correlator_is_echoed_and_one_is_made_where_none_is_good() {
    let attache = Attache::sandbox();
    for face in [roaming(&attache), reachability(&attache)] {
        assert_eq!(face.ask(REQUEST).header("x-correlator", "b4333c46").says(200).header("x-correlator"), "b4333c46");
        // The pages don't know the header, so a bad one is no reason to refuse.
        let made = face.ask(REQUEST).header("x-correlator", "no spaces").says(200);
        assert_eq!(made.header("x-correlator").len(), 36);
        let other = face.ask(REQUEST).says(200);
        assert_ne!(other.header("x-correlator"), made.header("x-correlator"));
    }
}
