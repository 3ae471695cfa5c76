//! What the documents of all publishers have in common: applications that fetch tokens, and the many
//! ways to ask a face wrongly, to which each says the same in its own words.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Attache, Request, eventually};

pub(crate) const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// How long a body may take where a test waits for that.
pub(crate) const IMPATIENT: (&str, &str) = ("ATTACHE_BODY_TIMEOUT", "1s");

/// An application, and where it fetches its tokens.
#[derive(Clone, Copy)]
pub(crate) struct App {
    pub(crate) id: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) token_path: &'static str,
    pub(crate) backchannel_path: &'static str,
}

pub(crate) const ORANGE: App =
    App { id: "orange-demo", secret: "orange-demo-secret", token_path: "/orange/oauth/v3/token", backchannel_path: "" };
pub(crate) const TELEFONICA: App = App {
    id: "my-app-id",
    secret: "my-app-secret",
    token_path: "/telefonica/token",
    backchannel_path: "/telefonica/bc-authorize",
};
pub(crate) const VONAGE: App = App {
    id: "vonage-demo",
    secret: "vonage-demo-secret",
    token_path: "/vonage/oauth2/token",
    backchannel_path: "/vonage/oauth2/bc-authorize",
};
pub(crate) const CAMARA: App = App {
    id: "camara-demo",
    secret: "camara-demo-secret",
    token_path: "/oauth2/token",
    backchannel_path: "/oauth2/bc-authorize",
};

impl App {
    /// Asks the token endpoint.
    pub(crate) fn token(&self, attache: &Attache, parameters: &[(&str, &str)]) -> Request {
        attache.post(self.token_path).basic(self.id, self.secret).form(parameters)
    }

    /// Asks for a line's consent.
    pub(crate) fn bc_authorize(&self, attache: &Attache, parameters: &[(&str, &str)]) -> Request {
        attache.post(self.backchannel_path).basic(self.id, self.secret).form(parameters)
    }

    /// A token for the application itself.
    pub(crate) fn two_legged(&self, attache: &Attache, scope: &str) -> String {
        self.token(attache, &[("grant_type", "client_credentials"), ("scope", scope)]).says(200).text("access_token")
    }

    /// A token for one line.
    pub(crate) fn three_legged(&self, attache: &Attache, line: &str, scope: &str) -> String {
        let hint = format!("tel:{line}");
        let request = self.bc_authorize(attache, &[("login_hint", &hint), ("scope", scope)]).says(200);
        let grant = [("grant_type", CIBA), ("auth_req_id", &request.text("auth_req_id"))];
        self.token(attache, &grant).says(200).text("access_token")
    }
}

/// A token of each publisher, good for all its faces; the ones for one line are for a line that the
/// publisher's document names.
pub(crate) fn token_of_each_publisher(attache: &Attache) -> [(&'static str, String); 4] {
    let camara = "dpv:FraudPreventionAndDetection device-roaming-status:read device-reachability-status:read \
                  device-status:roaming:read device-status:connectivity:read";
    let telefonica = "dpv:FraudPreventionAndDetection#device-status-roaming-read";
    let vonage = "dpv:NotApplicable#device-status:roaming:read dpv:NotApplicable#device-status:connectivity:read";
    [
        ("camara", CAMARA.two_legged(attache, camara)),
        ("orange", ORANGE.two_legged(attache, "")),
        ("telefonica", TELEFONICA.three_legged(attache, "+34777777777", telefonica)),
        ("vonage", VONAGE.three_legged(attache, "+123456789", vonage)),
    ]
}

/// A face, with a token that it takes and a body that it answers.
pub(crate) struct Face<'a> {
    pub(crate) attache: &'a Attache,
    pub(crate) path: &'static str,
    pub(crate) token: String,
    pub(crate) body: &'static str,
}

impl Face<'_> {
    /// Asks with a body.
    pub(crate) fn ask(&self, body: impl Into<Vec<u8>>) -> Request {
        self.ask_with(&self.token, body)
    }

    /// Asks with a token and a body.
    pub(crate) fn ask_with(&self, token: &str, body: impl Into<Vec<u8>>) -> Request {
        self.attache.post(self.path).bearer(token).body("application/json", body)
    }

    /// Asks about a phone number.
    pub(crate) fn ask_about(&self, number: &str) -> Request {
        self.ask(json!({"device": {"phoneNumber": number}}).to_string())
    }

    /// Asks in every wrong way that is wrong at every face, whatever it is about. The server has to be
    /// [`IMPATIENT`].
    pub(crate) fn faults(&self) -> [(&'static str, Answer); 26] {
        let Self { attache, path, token, body } = self;
        let bare = || attache.post(path).header("x-correlator", "fault-1");
        let asked = || bare().bearer(token);
        let json = "application/json";
        let target = format!("{path}?{}", "x".repeat(8 * 1024 - path.len() - 1));
        let forged = format!("{}AAAA", &token[..token.len() - 4]);
        let too_large = vec![b' '; 64 * 1024 + 1];
        let requests = [
            ("another method", attache.request(Method::GET, path).header("x-correlator", "fault-1").bearer(token)),
            (
                "a target of 8 KiB",
                attache.post(&target).header("x-correlator", "fault-1").bearer(token).body(json, *body),
            ),
            ("the host of somebody else", asked().header("host", "attache.example").body(json, *body)),
            ("no token", bare().body(json, *body)),
            ("no token, and a bad body", bare().body(json, "{")),
            ("a token by another scheme", bare().basic("me", "secret").body(json, *body)),
            ("a malformed token", bare().bearer("x.y.z").body(json, *body)),
            ("a forged token", bare().bearer(&forged).body(json, *body)),
            ("two tokens", asked().bearer(token).body(json, *body)),
            ("no JSON accepted", asked().header("accept", "text/html").body(json, *body)),
            ("a body of another type", asked().body("text/plain", *body)),
            ("a body of two types", asked().header("content-type", "text/plain").body(json, *body)),
            ("a body in another charset", asked().body("application/json; charset=utf-16", *body)),
            ("a compressed body", asked().header("content-encoding", "gzip").body(json, *body)),
            ("no body", asked().body(json, "")),
            ("a body of spaces", asked().body(json, " \r\n")),
            ("no JSON", asked().body(json, "{")),
            ("two JSON objects", asked().body(json, "{}{}")),
            ("a JSON array", asked().body(json, "[]")),
            ("JSON null", asked().body(json, "null")),
            ("bad UTF-8", asked().body(json, b"{\"\xff\": 1}")),
            ("a body that is declared too large", asked().body(json, too_large)),
        ];
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nx-correlator: fault-1\r\n"
        );
        let by_hand = [
            ("neither length nor chunks", String::new()),
            ("a body that has no end", format!("Transfer-Encoding: chunked\r\n\r\n10001\r\n{}", " ".repeat(0x10001))),
            ("a body that stops", "Content-Length: 100\r\n\r\n{".to_owned()),
            ("chunks that are none", "Transfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned()),
        ];
        let requests = requests.into_iter().map(|(name, request)| (name, request.send()));
        let by_hand = by_hand.into_iter().map(|(name, rest)| {
            let rest = if rest.is_empty() { "\r\n" } else { &rest };
            (name, attache.by_hand(format!("{head}{rest}").as_bytes()))
        });
        let faults: Vec<_> = requests.chain(by_hand).collect();
        for (name, answer) in &faults {
            assert_eq!(answer.header("content-type"), json, "{name}");
            assert_eq!(answer.header("x-correlator"), "fault-1", "{name}");
            assert_eq!(answer.header("allow"), if *name == "another method" { "POST" } else { "" }, "{name}");
        }
        faults.try_into().unwrap_or_else(|faults: Vec<_>| panic!("there are {} faults", faults.len()))
    }

    /// Holds the answer to each of the [`Self::faults`] against what is expected.
    pub(crate) fn refuses(&self, expected: &[(&str, u16, String); 26]) {
        for ((name, answer), (expected_name, status, body)) in self.faults().iter().zip(expected) {
            assert_eq!(name, expected_name);
            assert_eq!((answer.status, &answer.body), (*status, body), "{}: {name}", self.path);
        }
    }

    /// Holds the answer to each of the [`Self::faults`] against CAMARA's words.
    pub(crate) fn refuses_in_camaras_words(&self) {
        for ((name, answer), (expected_name, status, code)) in self.faults().iter().zip(IN_CAMARAS_WORDS) {
            assert_eq!(*name, expected_name);
            assert_eq!(answer.status, status, "{}: {name}: {}", self.path, answer.body);
            is_error_info(answer, code);
        }
    }

    /// Asks until the token has expired, and returns what is then answered.
    pub(crate) fn expires(&self) -> Answer {
        eventually("the token expires", || Some(self.ask(self.body).send()).filter(|answer| answer.status == 401))
    }
}

/// What CAMARA says to each of the [`Face::faults`], in all versions.
const IN_CAMARAS_WORDS: [(&str, u16, &str); 26] = [
    ("another method", 405, "METHOD_NOT_ALLOWED"),
    ("a target of 8 KiB", 414, "URI_TOO_LONG"),
    ("the host of somebody else", 400, "INVALID_ARGUMENT"),
    ("no token", 401, "UNAUTHENTICATED"),
    ("no token, and a bad body", 401, "UNAUTHENTICATED"),
    ("a token by another scheme", 401, "UNAUTHENTICATED"),
    ("a malformed token", 401, "UNAUTHENTICATED"),
    ("a forged token", 401, "UNAUTHENTICATED"),
    ("two tokens", 401, "UNAUTHENTICATED"),
    ("no JSON accepted", 406, "NOT_ACCEPTABLE"),
    ("a body of another type", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("a body of two types", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("a body in another charset", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("a compressed body", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("no body", 400, "INVALID_ARGUMENT"),
    ("a body of spaces", 400, "INVALID_ARGUMENT"),
    ("no JSON", 400, "INVALID_ARGUMENT"),
    ("two JSON objects", 400, "INVALID_ARGUMENT"),
    ("a JSON array", 400, "INVALID_ARGUMENT"),
    ("JSON null", 400, "INVALID_ARGUMENT"),
    ("bad UTF-8", 400, "INVALID_ARGUMENT"),
    ("a body that is declared too large", 413, "CONTENT_TOO_LARGE"),
    ("neither length nor chunks", 411, "LENGTH_REQUIRED"),
    ("a body that has no end", 413, "CONTENT_TOO_LARGE"),
    ("a body that stops", 408, "REQUEST_TIMEOUT"),
    ("chunks that are none", 400, "INVALID_ARGUMENT"),
];

/// Holds an error against CAMARA's `ErrorInfo`: exactly its three fields, in its order.
pub(crate) fn is_error_info(answer: &Answer, code: &str) {
    let error = answer.json();
    let status = answer.status;
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    assert_eq!(answer.body, format!(r#"{{"status":{status},"code":"{code}","message":{}}}"#, error["message"]));
    assert_eq!(answer.header("content-type"), "application/json");
}

/// A time that an answer tells, as an instant.
pub(crate) fn instant(time: &Value) -> jiff::Timestamp {
    time.as_str().unwrap_or_else(|| panic!("no time: {time}")).parse().unwrap()
}
