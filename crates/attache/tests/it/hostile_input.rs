//! Bad input of every kind, to every face, is answered by the documented error in that face's own
//! envelope; the server lives on, and nothing is half-written.

use std::{io::Write as _, sync::atomic::AtomicUsize, thread};

use serde_json::{Value, json};

use crate::{
    by_hand::{Connection, Head, Reply, chunks, exchange, shown},
    callers::{Caller, FaceCall},
    harness::Attache,
};

/// How many bytes of a body are too many.
const BODY_LIMIT: usize = 64 << 10;

/// The form of a face's errors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Envelope {
    /// `status`, `code`, `message`, with CAMARA's codes.
    Camara,
    /// `code`, `message`.
    Telefonica,
    /// A numeric `code`, `message`, `description`.
    OrangeGateway,
}

impl Envelope {
    fn of(publisher: &str, api: &str) -> Self {
        match (publisher, api) {
            ("telefonica", _) => Self::Telefonica,
            ("orange", "device-reachability-status" | "none") => Self::OrangeGateway,
            _ => Self::Camara,
        }
    }
}

/// What an answer must be: its status, and the row of Orange's gateway, whose codes are finer.
#[derive(Clone, Copy, Debug)]
struct Expected(u16, &'static [u64]);

const MISSING_BODY: Expected = Expected(400, &[21]);
const MALFORMED_BODY: Expected = Expected(400, &[22]);
const INVALID_FIELD: Expected = Expected(400, &[24]);
const GIVEN_TWICE: Expected = Expected(400, &[22, 24]);
const INVALID_HEADER: Expected = Expected(400, &[26]);
const NO_CREDENTIALS: Expected = Expected(401, &[40]);
const BAD_CREDENTIALS: Expected = Expected(401, &[41]);
const UNKNOWN_PATH: Expected = Expected(404, &[60]);
const WRONG_METHOD: Expected = Expected(405, &[61]);
const NOT_ACCEPTABLE: Expected = Expected(406, &[62]);
const BODY_STOPPED: Expected = Expected(408, &[63]);
const LENGTH_REQUIRED: Expected = Expected(411, &[64]);
const TOO_LARGE: Expected = Expected(413, &[66]);
const TARGET_TOO_LONG: Expected = Expected(414, &[67]);
const WRONG_TYPE: Expected = Expected(415, &[68]);

/// Holds an answer against the envelope: status, content type, and exactly its fields.
fn assert_refused(reply: Option<Reply>, envelope: Envelope, expected: Expected, case: &str) -> Reply {
    let Some(reply) = reply else { panic!("{case}: no answer") };
    let Expected(status, rows) = expected;
    assert_eq!(reply.status, status, "{case}: {reply:?}");
    assert_eq!(reply.header("content-type"), "application/json", "{case}: {reply:?}");
    let body = reply.json();
    let mut fields: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{case}: {body}");
    match envelope {
        Envelope::Camara => {
            assert_eq!(fields, ["code", "message", "status"], "{case}: {body}");
            assert_eq!(body["status"], status, "{case}: {body}");
            assert_eq!(body["code"], code(status, "INVALID_ARGUMENT", "UNAUTHENTICATED"), "{case}: {body}");
        }
        Envelope::Telefonica => {
            assert_eq!(fields, ["code", "message"], "{case}: {body}");
            assert_eq!(body["code"], code(status, "INVALID_INPUT", "UNAUTHORIZED"), "{case}: {body}");
        }
        Envelope::OrangeGateway => {
            assert_eq!(fields, ["code", "description", "message"], "{case}: {body}");
            assert!(body["code"].as_u64().is_some_and(|code| rows.contains(&code)), "{case}: {rows:?}, not {body}");
            assert!(body["description"].as_str().is_some_and(|text| !text.is_empty()), "{case}: {body}");
        }
    }
    reply
}

/// The code of a status; CAMARA and Telefónica have different words for two of them.
fn code(status: u16, invalid: &'static str, unauthenticated: &'static str) -> &'static str {
    match status {
        400 => invalid,
        401 => unauthenticated,
        404 => "NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        406 => "NOT_ACCEPTABLE",
        408 => "REQUEST_TIMEOUT",
        411 => "LENGTH_REQUIRED",
        413 => "CONTENT_TOO_LARGE",
        414 => "URI_TOO_LONG",
        415 => "UNSUPPORTED_MEDIA_TYPE",
        other => panic!("{other} is no status that is expected here"),
    }
}

impl FaceCall {
    fn envelope(&self) -> Envelope {
        Envelope::of(&self.publisher, &self.api)
    }

    /// The head of a good request, but for the length of its body.
    fn head(&self) -> Head {
        Head::new("POST", &self.path)
            .with("authorization", format!("Bearer {}", self.token))
            .with("content-type", "application/json")
    }

    fn good_body(&self) -> Vec<u8> {
        self.body.to_string().into_bytes()
    }

    /// The name of the field that names the device, and the field in it.
    fn fields(&self) -> (&'static str, &'static str) {
        if self.publisher == "telefonica" { ("ueId", "msisdn") } else { ("device", "phoneNumber") }
    }

    fn assert_refuses(&self, attache: &Attache, bytes: &[u8], expected: Expected, case: &str) -> Reply {
        let case = format!("{} {case}: {}", self.path, shown(bytes));
        assert_refused(exchange(attache, bytes), self.envelope(), expected, &case)
    }

    fn assert_answers(&self, attache: &Attache, bytes: &[u8], case: &str) {
        let reply = exchange(attache, bytes);
        assert_eq!(reply.as_ref().map(|reply| reply.status), Some(200), "{} {case}: {reply:?}", self.path);
    }
}

/// After whatever was sent: the server answers, nothing is changed, and the faces answer as before.
fn assert_unharmed(attache: &Attache, calls: &[FaceCall], lines: &Value) {
    attache.get("/healthz").says(200);
    for call in calls {
        call.assert_answers(attache, &call.head().with_body(&call.good_body()), "is asked well");
    }
    assert_eq!(attache.facts()["lines"], *lines);
    assert!(!attache.log().contains("panicked"), "{}", attache.log());
}

/// A sandbox with a call to every face, and what its lines are.
fn everything(attache: &Attache) -> (Vec<FaceCall>, Value) {
    (FaceCall::all(attache), attache.facts()["lines"].clone())
}

#[test]
fn a_body_that_is_no_json_object_is_refused_by_every_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let head = call.head();
        for body in ["", " ", "\r\n\t "] {
            call.assert_refuses(&attache, &head.with_body(body.as_bytes()), MISSING_BODY, "without a body");
        }
        let deep = "[".repeat(60_000);
        let good = String::from_utf8(call.good_body()).unwrap();
        let with_bom = format!("\u{feff}{good}");
        let twice = format!("{good}{good}");
        let with_comment = format!("/* */{good}");
        let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for body in [
            &b"nonsense"[..],
            b"{",
            b"}",
            b"{\"device\":",
            b"{'device': {}}",
            b"<device/>",
            b"device=%2B33699901032",
            b"NaN",
            b"[]",
            b"[{}]",
            b"null",
            b"true",
            b"1",
            b"\"+33699901032\"",
            b"1e999999999",
            b"-",
            b"\0",
            b"\x1b[2J",
            b"\xff\xfe\xfd",
            deep.as_bytes(),
            with_bom.as_bytes(),
            with_comment.as_bytes(),
            twice.as_bytes(),
            &utf16,
        ] {
            call.assert_refuses(&attache, &head.with_body(body), MALFORMED_BODY, "no JSON object");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_field_of_a_wrong_type_or_value_is_refused_by_every_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let (outer, inner) = call.fields();
        for value in ["[]", "[{}]", "null", "true", "1", "\"+33699901032\"", "{}"] {
            let body = format!("{{\"{outer}\":{value}}}");
            call.assert_refuses(&attache, &call.head().with_body(body.as_bytes()), INVALID_FIELD, "wrong device");
        }
        let long = format!("\"+{}\"", "1".repeat(40_000));
        for value in [
            "[]",
            "{}",
            "null",
            "true",
            "33699901032",
            "-1",
            "1.5e3",
            "\"\"",
            "\"+\"",
            "\"+3369990103x\"",
            "\"++33699901032\"",
            "\"+33699901032 \"",
            "\"+33699901032\\u0000\"",
            "\"\\u001b[2J\"",
            "\"+٣٣٦٩٩٩٠١٠٣٢\"",
            &long,
        ] {
            let body = format!("{{\"{outer}\":{{\"{inner}\":{value}}}}}");
            call.assert_refuses(&attache, &call.head().with_body(body.as_bytes()), INVALID_FIELD, "wrong number");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn bad_utf_8_is_refused_wherever_it_stands() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let (outer, inner) = call.fields();
        let good = String::from_utf8(call.good_body()).unwrap();
        let members = good.trim_start_matches('{').to_owned();
        for bad in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\x80"] {
            let in_value = [format!("{{\"{outer}\":{{\"{inner}\":\"+336").as_bytes(), bad, b"\"}}"].concat();
            let in_name = [b"{\"", bad, b"\":1,", members.as_bytes()].concat();
            let in_unknown = [b"{\"unknown\":\"", bad, b"\",", members.as_bytes()].concat();
            for body in [in_value, in_name, in_unknown] {
                call.assert_refuses(&attache, &call.head().with_body(&body), MALFORMED_BODY, "bad UTF-8");
            }
        }
        // Text that JSON's own escapes make impossible, and control characters that must be escaped.
        for bad in ["\\ud800", "\\u12", "\\x", "\0", "\n", "\u{1}"] {
            let body = format!("{{\"{outer}\":{{\"{inner}\":\"+336{bad}\"}}}}");
            call.assert_refuses(&attache, &call.head().with_body(body.as_bytes()), MALFORMED_BODY, "bad text");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_known_field_given_twice_is_refused_and_an_unknown_one_is_ignored() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let (outer, inner) = call.fields();
        let number = &call.body[outer][inner];
        let device = &call.body[outer];
        for body in [
            format!("{{\"{outer}\":{device},\"{outer}\":{device}}}"),
            format!("{{\"{outer}\":{{\"{inner}\":{number},\"{inner}\":{number}}}}}"),
            format!("{{\"{outer}\":{{\"{inner}\":\"+33699901033\",\"{inner}\":{number}}}}}"),
        ] {
            call.assert_refuses(&attache, &call.head().with_body(body.as_bytes()), GIVEN_TWICE, "given twice");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for unknown in ["null", "1e999999999", "123456789012345678901234567890", "{\"a\":1,\"a\":2}", &deep] {
            let body = format!("{{\"unknown\":{unknown},\"{outer}\":{{\"{inner}\":{number},\"other\":{unknown}}}}}");
            call.assert_answers(&attache, &call.head().with_body(body.as_bytes()), "asked with an unknown field");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_body_of_another_kind_is_refused_by_every_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let body = call.good_body();
        for content_type in [
            "text/plain",
            "text/json",
            "application/jsonx",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=iso-8859-1",
            "application/json;charset=\"utf-16\"",
            "application/json, text/plain",
            "",
            "nonsense",
        ] {
            let head = call.head().setting("content-type", content_type);
            call.assert_refuses(&attache, &head.with_body(&body), WRONG_TYPE, "wrong type");
        }
        let strange = [
            call.head().without("content-type"),
            call.head().setting("content-type", b"application/json\xff"),
            call.head().with("content-type", "application/json"),
            call.head().with("content-encoding", "gzip"),
            call.head().with("content-encoding", "br"),
            call.head().with("content-encoding", "nonsense"),
        ];
        for head in strange {
            call.assert_refuses(&attache, &head.with_body(&body), WRONG_TYPE, "wrong type");
        }
        for content_type in
            ["APPLICATION/JSON", "application/json;charset=UTF-8", "application/json; charset=\"utf-8\""]
        {
            let head = call.head().setting("content-type", content_type);
            call.assert_answers(&attache, &head.with_body(&body), content_type);
        }
        for accept in ["text/html", "application/xml, text/*", "application/json;q=0", "*/*;q=0"] {
            let head = call.head().with("accept", accept);
            call.assert_refuses(&attache, &head.with_body(&body), NOT_ACCEPTABLE, "not acceptable");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_huge_body_is_refused_by_every_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let good = call.good_body();
        let padded = |length: usize| [&good[..], &b" ".repeat(length - good.len())].concat();
        let chunked = call.head().with("transfer-encoding", "chunked");
        let whole = padded(BODY_LIMIT);
        call.assert_answers(&attache, &call.head().with_body(&whole), "asked with the largest body");
        call.assert_answers(&attache, &chunked.followed_by(&chunks(&[&whole])), "asked with the largest body");

        let larger = padded(BODY_LIMIT + 1);
        call.assert_refuses(&attache, &call.head().with_body(&larger), TOO_LARGE, "a byte too many");
        call.assert_refuses(&attache, &chunked.followed_by(&chunks(&[&whole, b" "])), TOO_LARGE, "a byte too many");
        let much_larger = padded(1 << 20);
        call.assert_refuses(&attache, &call.head().with_body(&much_larger), TOO_LARGE, "a megabyte");
        call.assert_refuses(&attache, &chunked.followed_by(&chunks(&[&much_larger])), TOO_LARGE, "a megabyte");
        // What is declared is answered before it comes.
        for declared in ["65537", "1000000000000", "18446744073709551000"] {
            let head = call.head().with("content-length", declared);
            call.assert_refuses(&attache, &head.followed_by(b""), TOO_LARGE, "declared");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_client_that_sends_all_of_a_huge_body_before_it_listens_hears_the_answer() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    let huge = b" ".repeat(10 << 20);
    for call in &calls {
        let stranger = call.head().without("authorization");
        for (head, expected) in [(call.head(), TOO_LARGE), (stranger, NO_CREDENTIALS)] {
            let chunked = head.clone().with("transfer-encoding", "chunked").followed_by(&chunks(&[&huge]));
            for bytes in [head.with_body(&huge), chunked] {
                let mut connection = Connection::to(&attache);
                assert!(connection.send(&bytes), "{}: the server hangs up on who is talking", call.path);
                assert_refused(connection.reply(), call.envelope(), expected, &call.path);
            }
        }
    }
    for (path, status) in [("/nowhere", 404), ("/oauth2/token", 413), ("/admin/v1/lines", 401)] {
        let mut connection = Connection::to(&attache);
        assert!(connection.send(&Head::new("POST", path).with_body(&huge)), "{path}");
        assert_eq!(connection.reply().map(|reply| reply.status), Some(status), "{path}");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn an_endless_body_is_refused_by_every_face() {
    // What comes after the answer is thrown away for a while, and the less, the sooner this ends.
    let attache = Attache::with_environment(&[], &[("ATTACHE_BODY_LIMIT", "1KiB")]);
    let (calls, lines) = everything(&attache);
    let chunk = [&b"4000\r\n"[..], &b" ".repeat(0x4000), b"\r\n"].concat();
    for call in &calls {
        let mut connection = Connection::to(&attache);
        connection.send(&call.head().with("transfer-encoding", "chunked").followed_by(b""));
        while connection.send(&chunk) {}
        assert_refused(connection.reply(), call.envelope(), TOO_LARGE, &format!("{}: endless", call.path));
        assert!(connection.is_closed(), "what follows an endless body is no request");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_body_that_stops_is_timed_out_by_the_face_itself() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_BODY_TIMEOUT", "200ms")]);
    let (calls, lines) = everything(&attache);
    let begin = |call: &FaceCall, bytes: &[u8]| {
        let mut connection = Connection::to(&attache);
        connection.send(bytes);
        (connection, call.envelope(), call.path.clone())
    };
    // All at once, since each takes its time.
    let mut waiting = Vec::new();
    for call in &calls {
        let chunked = call.head().with("transfer-encoding", "chunked");
        let declared = call.head().with("content-length", "100");
        waiting.push(begin(call, &declared.followed_by(b"")));
        waiting.push(begin(call, &declared.followed_by(b"{\"device\":")));
        waiting.push(begin(call, &chunked.followed_by(b"")));
        waiting.push(begin(call, &chunked.followed_by(b"a\r\n{\"device\":\r\n")));
        waiting.push(begin(call, &chunked.followed_by(b"ffff\r\n{")));
    }
    for (mut connection, envelope, path) in waiting {
        let reply = assert_refused(connection.reply(), envelope, BODY_STOPPED, &format!("{path}: it stops"));
        assert_eq!(reply.header("connection"), "close");
        assert!(connection.is_closed());
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_body_that_trickles_is_timed_out_as_well() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_BODY_TIMEOUT", "300ms")]);
    let (calls, lines) = everything(&attache);
    let call = &calls[0];
    let mut connection = Connection::to(&attache);
    connection.send(&call.head().with("content-length", "60000").followed_by(b"{"));
    let mut drips = attache.connect();
    drips.write_all(&call.head().with("content-length", "60000").followed_by(b"{")).unwrap();
    // A byte at a time never is silence, and never is a body.
    let dripping = thread::spawn(move || while drips.write_all(b" ").is_ok() {});
    assert_refused(connection.reply(), call.envelope(), BODY_STOPPED, "it trickles");
    dripping.join().unwrap();
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_body_that_breaks_off_is_refused_by_every_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let chunked = call.head().with("transfer-encoding", "chunked");
        let good = call.good_body();
        let declared = call.head().with("content-length", (good.len() + 1).to_string());
        let cut_short: [&[u8]; 4] = [
            &declared.followed_by(&good),
            &declared.followed_by(b""),
            &chunked.followed_by(b"5\r\n{\"dev"),
            &chunked.followed_by(&chunks(&[&good])[..good.len() + 4]),
        ];
        for bytes in cut_short {
            let mut connection = Connection::to(&attache);
            connection.send(bytes);
            connection.end();
            let case = format!("{} breaks off: {}", call.path, shown(bytes));
            assert_refused(connection.reply(), call.envelope(), MALFORMED_BODY, &case);
            // And one that goes without a word.
            Connection::to(&attache).send(bytes);
        }
        for garbage in [&b"zz\r\n{}\r\n0\r\n\r\n"[..], b"-1\r\n", b"fffffffffffffffff\r\n", b"2\r\n{}0\r\n\r\n"] {
            let bytes = chunked.followed_by(garbage);
            call.assert_refuses(&attache, &bytes, MALFORMED_BODY, "bad chunks");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn another_method_is_refused_by_every_face_with_the_one_it_has() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "post", "PROPFIND"] {
            let mut head = call.head();
            method.clone_into(&mut head.method);
            for bytes in [head.followed_by(b""), head.with_body(&call.good_body())] {
                let reply = call.assert_refuses(&attache, &bytes, WRONG_METHOD, method);
                assert_eq!(reply.header("allow"), "POST", "{} {method}", call.path);
            }
        }
        let mut head = call.head();
        head.method = "HEAD".to_owned();
        let reply = exchange(&attache, &head.followed_by(b"")).unwrap();
        assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn an_unknown_path_is_refused_in_the_envelope_of_the_root_that_it_lies_below() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    let strange = ["/%2e%2e/", "/..", "//", "/%00", "/%ff", "/?a=%00", "/.well-known/x"];
    for (root, publisher) in
        [("", "camara"), ("/orange", "orange"), ("/telefonica", "telefonica"), ("/vonage", "vonage")]
    {
        let envelope = Envelope::of(publisher, "none");
        let paths = strange.iter().map(|path| format!("{root}{path}"));
        for path in
            paths.chain([format!("{root}/nowhere"), format!("{root}/device-status/v0/"), format!("{root}/token/x")])
        {
            for method in ["GET", "POST", "DELETE"] {
                let bytes = Head::new(method, &path).with_body(b"{}");
                assert_refused(exchange(&attache, &bytes), envelope, UNKNOWN_PATH, &format!("{method} {path}"));
            }
        }
    }
    for call in &calls {
        let envelope = Envelope::of(&call.publisher, "none");
        for path in [format!("{}/", call.path), format!("{}x", call.path), call.path.to_uppercase()] {
            let mut head = call.head();
            head.target.clone_from(&path);
            // A root has to be written as it is, too.
            let envelope = if path.starts_with(&call.path) { envelope } else { Envelope::Camara };
            let reply = exchange(&attache, &head.with_body(&call.good_body()));
            assert_refused(reply, envelope, UNKNOWN_PATH, &path);
        }
    }
    let asterisk = exchange(&attache, &Head::new("OPTIONS", "*").followed_by(b""));
    assert_refused(asterisk, Envelope::Camara, UNKNOWN_PATH, "OPTIONS *");
    let tunnel = exchange(&attache, &Head::new("CONNECT", "localhost:80").followed_by(b""));
    assert_refused(tunnel, Envelope::Camara, UNKNOWN_PATH, "CONNECT localhost:80");
    let tunnel = exchange(&attache, &Head::new("CONNECT", "evil.example:80").followed_by(b""));
    assert_refused(tunnel, Envelope::Camara, INVALID_HEADER, "CONNECT evil.example:80");
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_post_with_neither_length_nor_chunks_needs_a_length() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        call.assert_refuses(&attache, &call.head().followed_by(b""), LENGTH_REQUIRED, "without length");
        let without_type = call.head().without("content-type").followed_by(b"");
        call.assert_refuses(&attache, &without_type, LENGTH_REQUIRED, "without length");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_target_of_8_kib_is_too_long_and_one_byte_less_is_not() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let mut head = call.head();
        let long = |length: usize| format!("{}?{}", call.path, "x".repeat(length - call.path.len() - 1));
        head.target = long(8191);
        call.assert_answers(&attache, &head.with_body(&call.good_body()), "with 8191 bytes of target");
        for length in [8192, 20_000, 60_000] {
            head.target = long(length);
            call.assert_refuses(&attache, &head.with_body(&call.good_body()), TARGET_TOO_LONG, "too long");
        }
        let root = if call.publisher == "camara" { String::new() } else { format!("/{}", call.publisher) };
        let unknown = Head::new("GET", &format!("{root}/{}", "x".repeat(9_000))).followed_by(b"");
        let envelope = Envelope::of(&call.publisher, "none");
        assert_refused(exchange(&attache, &unknown), envelope, TARGET_TOO_LONG, "an unknown path that is too long");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_host_that_is_unknown_missing_or_given_twice_is_refused_by_every_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let body = call.good_body();
        let hosts: [&[u8]; 10] = [
            b"evil.example",
            b"127.0.0.1.evil.example",
            b"localhost.evil.example:80",
            b"192.0.2.1",
            b"",
            b"local host",
            b"user@localhost",
            b"localhost/..",
            b"local\thost",
            b"\xff",
        ];
        for host in hosts {
            let bytes = call.head().setting("host", host).with_body(&body);
            call.assert_refuses(&attache, &bytes, INVALID_HEADER, "unknown host");
        }
        call.assert_refuses(&attache, &call.head().without("host").with_body(&body), INVALID_HEADER, "no host");
        for second in ["localhost", "evil.example"] {
            let bytes = call.head().with("host", second).with_body(&body);
            call.assert_refuses(&attache, &bytes, INVALID_HEADER, "two hosts");
        }
        let mut elsewhere = call.head();
        elsewhere.target = format!("http://evil.example{}", call.path);
        call.assert_refuses(&attache, &elsewhere.with_body(&body), INVALID_HEADER, "an absolute target elsewhere");
        elsewhere.target = format!("http://localhost{}", call.path);
        call.assert_answers(&attache, &elsewhere.with_body(&body), "asked by an absolute target");
        for host in ["localhost", "LOCALHOST:1234", "127.0.0.1", "127.0.0.1:9091", "[::1]:80"] {
            call.assert_answers(&attache, &call.head().setting("host", host).with_body(&body), host);
        }
    }
    for publisher in ["", "/orange", "/telefonica", "/vonage"] {
        let bytes = Head::new("GET", &format!("{publisher}/nowhere")).setting("host", "evil.example").followed_by(b"");
        let envelope = Envelope::of(publisher.trim_start_matches('/'), "none");
        assert_refused(exchange(&attache, &bytes), envelope, INVALID_HEADER, "an unknown path at an unknown host");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn an_authorization_header_of_another_kind_is_refused_by_every_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let body = call.good_body();
        let head = call.head();
        call.assert_refuses(&attache, &head.clone().without("authorization").with_body(&body), NO_CREDENTIALS, "none");
        let good = format!("Bearer {}", call.token);
        for (value, expected) in [
            ("Basic dXNlcjpwYXNz", NO_CREDENTIALS),
            ("Bearer", BAD_CREDENTIALS),
            ("Bearer ", BAD_CREDENTIALS),
            ("Bearer x", BAD_CREDENTIALS),
            ("Bearer a.b.c", BAD_CREDENTIALS),
            (&format!("{good}x"), BAD_CREDENTIALS),
            (&format!("{good} {good}"), BAD_CREDENTIALS),
            (&format!("{good}, {good}"), BAD_CREDENTIALS),
        ] {
            let bytes = head.clone().setting("authorization", value).with_body(&body);
            let reply = call.assert_refuses(&attache, &bytes, expected, "bad authorization");
            assert!(reply.header("www-authenticate").starts_with("Bearer"), "{value}: {reply:?}");
        }
        let not_ascii = head.clone().setting("authorization", b"Bearer \xff").with_body(&body);
        call.assert_refuses(&attache, &not_ascii, BAD_CREDENTIALS, "not ASCII");
        let two = head.clone().with("authorization", &good).with_body(&body);
        call.assert_refuses(&attache, &two, BAD_CREDENTIALS, "two");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn http_1_0_is_answered() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let mut head = call.head();
        head.version = "HTTP/1.0";
        let mut connection = Connection::to(&attache);
        connection.send(&head.with_body(&call.good_body()));
        assert_eq!(connection.reply().unwrap().status, 200);
        assert!(connection.is_closed(), "HTTP/1.0 has one request a connection");
        call.assert_refuses(&attache, &head.with_body(b"nonsense"), MALFORMED_BODY, "HTTP/1.0");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    let mut bytes = Vec::new();
    for call in &calls {
        bytes.extend(call.head().with_body(&call.good_body()));
        bytes.extend(call.head().with("transfer-encoding", "chunked").followed_by(&chunks(&[&call.good_body()])));
        bytes.extend(call.head().with_body(b"nonsense"));
    }
    let mut connection = Connection::to(&attache);
    connection.send(&bytes);
    for call in &calls {
        assert_eq!(connection.reply().unwrap().status, 200, "{}", call.path);
        assert_eq!(connection.reply().unwrap().status, 200, "{}", call.path);
        assert_refused(connection.reply(), call.envelope(), MALFORMED_BODY, &call.path);
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_length_beside_chunks_smuggles_no_second_request() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    let smuggled = Head::new("GET", "/healthz").followed_by(b"");
    for call in &calls {
        let body = chunks(&[&call.good_body()]);
        let length = (body.len() + smuggled.len()).to_string();
        let both = [
            call.head().with("content-length", &length).with("transfer-encoding", "chunked"),
            call.head().with("transfer-encoding", "chunked").with("content-length", &length),
        ];
        for head in both {
            let mut connection = Connection::to(&attache);
            connection.send(&head.followed_by(&[&body[..], &smuggled].concat()));
            // RFC 9112 section 6.3: by the chunks alone, and then the connection ends.
            assert_eq!(connection.reply().unwrap().status, 200, "{}", call.path);
            assert!(connection.is_closed(), "{}: what follows was answered", call.path);
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

/// These, and no others, may be answered without an envelope: the request can't be read as one, so
/// there is no path, and no face.
#[test]
fn only_a_head_that_never_ends_is_malformed_or_exceeds_64_kib_is_closed_or_answered_bare() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_HEAD_TIMEOUT", "300ms")]);
    let (calls, lines) = everything(&attache);
    let call = &calls[0];
    let head = call.head();
    let good = head.with_body(&call.good_body());

    let never_ends: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"P".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n".to_vec(),
        b"POST /".to_vec(),
        good[..good.len() - call.good_body().len() - 1].to_vec(),
        b"POST / HTTP/1.1\r\nhost: localhost\r\n".to_vec(),
    ];
    let with_target = |target: &[u8]| [b"POST ", target, b" HTTP/1.1\r\nhost: localhost\r\n\r\n"].concat();
    let with_field = |field: &[u8]| [b"POST / HTTP/1.1\r\nhost: localhost\r\n", field, b"\r\n\r\n"].concat();
    let old = |field: &[u8]| [b"POST / HTTP/1.0\r\nhost: localhost\r\n", field, b"\r\n\r\n"].concat();
    let malformed: Vec<Vec<u8>> = vec![
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
        b"nonsense\r\n\r\n".to_vec(),
        b"POST / HTTP/9.9\r\n\r\n".to_vec(),
        b"POST /\r\n\r\n".to_vec(),
        b"P\xffST / HTTP/1.1\r\n\r\n".to_vec(),
        with_target(b""),
        with_target(b"/a b"),
        with_target(b"/\x01"),
        with_field(b"no colon"),
        with_field(b": no name"),
        with_field(b"a b: space in the name"),
        with_field(b"a: nul\0"),
        with_field(b" folded: line"),
        with_field(b"content-length: -1"),
        with_field(b"content-length: nonsense"),
        with_field(b"content-length: 99999999999999999999999"),
        with_field(b"content-length: 1\r\ncontent-length: 2"),
        with_field(b"transfer-encoding: gzip"),
        with_field(b"transfer-encoding: chunked, gzip"),
        old(b"transfer-encoding: chunked"),
    ];
    // A head also exceeds the limit by more than 256 fields.
    let exceeds: Vec<Vec<u8>> = vec![
        with_field(&b"a: b\r\n".repeat(257)),
        with_target(&[b"/", &b"x".repeat(65_600)[..]].concat()),
        with_field(&[b"a: ", &b"x".repeat(65_600)[..]].concat()),
    ];
    let mut waiting: Vec<(Connection, Vec<u8>)> = Vec::new();
    for bytes in [never_ends, malformed, exceeds].concat() {
        let mut connection = Connection::to(&attache);
        connection.send(&bytes);
        waiting.push((connection, bytes));
    }
    for (mut connection, bytes) in waiting {
        let case = shown(&bytes);
        if let Some(reply) = connection.reply() {
            assert!(matches!(reply.status, 400 | 408 | 414 | 431), "{case}: {reply:?}");
            assert_eq!(reply.body, "", "{case}: {reply:?}");
            assert!(connection.is_closed(), "{case}");
        }
    }
    // Just below the limit, it is read.
    let long = head.with("a", "x".repeat(60_000));
    call.assert_answers(&attache, &long.with_body(&call.good_body()), "asked with a head of nearly 64 KiB");
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn a_head_of_many_fields_is_answered_by_the_face() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    for call in &calls {
        let many = (0..240).fold(call.head(), |head, index| head.with(&format!("x-{index}"), "x"));
        call.assert_answers(&attache, &many.with_body(&call.good_body()), "asked with many fields");
        call.assert_refuses(&attache, &many.with_body(b"nonsense"), MALFORMED_BODY, "many fields");
    }
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn the_authorization_servers_refuse_bad_input_in_their_own_words() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_BODY_TIMEOUT", "300ms")]);
    let (calls, lines) = everything(&attache);
    let form = "application/x-www-form-urlencoded";
    for caller in Caller::all(&attache.facts()) {
        let basic = basic(&caller.id, &caller.secret);
        for path in [Some(&caller.token_path), caller.backchannel_path.as_ref()].into_iter().flatten() {
            let head = Head::new("POST", path).with("content-type", form).with("authorization", &basic);
            let refused = |bytes: &[u8], status: u16, error: &str| {
                let case = format!("{path}: {}", shown(bytes));
                let reply = exchange(&attache, bytes).unwrap_or_else(|| panic!("{case}: no answer"));
                assert_eq!(reply.status, status, "{case}: {reply:?}");
                assert_eq!(reply.header("content-type"), "application/json", "{case}: {reply:?}");
                let body = reply.json();
                assert_eq!(body["error"], error, "{case}: {reply:?}");
                assert!(body["error_description"].is_string(), "{case}: {reply:?}");
                let mut expected = vec!["error", "error_description"];
                if caller.publisher == "telefonica" {
                    assert_eq!(body["code"], status, "{case}: {reply:?}");
                    expected.splice(0..0, ["code"]);
                    expected.push("message");
                }
                let fields: Vec<&String> = body.as_object().unwrap().keys().collect();
                assert_eq!(fields, expected, "{case}");
                reply
            };
            let body = b"grant_type=client_credentials";
            // What is missing first is the grant here, and the scope there.
            let missing = if path.ends_with("bc-authorize") { "invalid_scope" } else { "invalid_request" };
            refused(&head.with_body(b""), 400, missing);
            refused(&head.with_body(b"\0\xff\xfe"), 400, missing);
            refused(&head.with_body(b"%ff=%00&&&=&%"), 400, missing);
            refused(&head.with_body(b"grant_type=x&grant_type=x"), 400, "invalid_request");
            refused(&head.with_body(b"scope=a&scope=b"), 400, "invalid_request");
            refused(&head.clone().setting("content-type", "application/json").with_body(b"{}"), 400, "invalid_request");
            refused(&head.clone().without("content-type").with_body(body), 400, "invalid_request");
            let latin = format!("{form}; charset=iso-8859-1");
            refused(&head.clone().setting("content-type", latin).with_body(body), 400, "invalid_request");
            refused(&head.clone().with("content-encoding", "gzip").with_body(body), 400, "invalid_request");
            refused(&head.clone().setting("host", "evil.example").with_body(body), 400, "invalid_request");
            refused(&head.clone().with("host", "localhost").with_body(body), 400, "invalid_request");
            refused(&head.clone().followed_by(b""), 411, "invalid_request");
            refused(&head.with_body(&b"a".repeat(BODY_LIMIT + 1)), 413, "invalid_request");
            refused(&head.clone().with("content-length", "1000000000000").followed_by(b""), 413, "invalid_request");
            refused(&head.clone().with("content-length", "100").followed_by(b"grant"), 408, "invalid_request");
            let chunked = head.clone().with("transfer-encoding", "chunked");
            refused(&chunked.followed_by(b"zz\r\n"), 400, "invalid_request");
            let mut long = head.clone();
            long.target = format!("{path}?{}", "x".repeat(8192));
            refused(&long.with_body(body), 414, "invalid_request");
            for method in ["GET", "PUT", "DELETE", "OPTIONS", "QUERY"] {
                let mut other = head.clone();
                method.clone_into(&mut other.method);
                let reply = refused(&other.with_body(body), 405, "invalid_request");
                assert_eq!(reply.header("allow"), "POST", "{path}");
            }
            for credentials in ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Bearer x", "nonsense", "Basic \u{ff}"] {
                let bytes = head.clone().setting("authorization", credentials).with_body(body);
                let reply = refused(&bytes, 401, "invalid_client");
                // Vonage's clients may send application tokens.
                let is_application_token = caller.publisher == "vonage" && credentials.starts_with("Bearer");
                let scheme = if is_application_token { "Bearer" } else { "Basic" };
                assert!(reply.header("www-authenticate").starts_with(scheme), "{path}");
            }
            refused(&head.clone().without("authorization").with_body(body), 401, "invalid_client");
            refused(&head.clone().with("authorization", &basic).with_body(body), 400, "invalid_request");
            let two_ways = format!("client_id={}&client_secret={}", caller.id, caller.secret);
            refused(&head.with_body(two_ways.as_bytes()), 400, "invalid_request");
        }
    }
    assert_unharmed(&attache, &calls, &lines);
}

/// A Basic header.
fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}

#[test]
fn the_authorization_endpoint_sends_nobody_away_on_bad_input() {
    let attache = Attache::sandbox();
    let facts = attache.facts();
    for publisher in ["camara", "telefonica"] {
        let path = crate::callers::path_of(&facts["publishers"][publisher]["authorization_endpoint"]);
        let client = &facts["publishers"][publisher]["clients"][0];
        let (id, uri) = (client["client_id"].as_str().unwrap(), client["redirect_uris"][0].as_str().unwrap());
        let twice = format!("client_id={id}&client_id={id}&redirect_uri={uri}");
        let foreign = format!("client_id={id}&redirect_uri=https://evil.example/");
        let nul = format!("client_id={id}%00&redirect_uri={uri}");
        let longer = format!("client_id={id}&redirect_uri={uri}.evil.example");
        for query in ["", "%", "&&=", "client_id=%ff", &twice, &foreign, &nul, &longer] {
            let reply = exchange(&attache, &Head::new("GET", &format!("{path}?{query}")).followed_by(b"")).unwrap();
            assert_eq!((reply.status, reply.header("location")), (400, ""), "{path}?{query}");
            assert_eq!(reply.json()["error"], "invalid_request", "{path}?{query}");
        }
        let reply = exchange(&attache, &Head::new("POST", &path).with_body(b"")).unwrap();
        assert_eq!((reply.status, reply.header("allow")), (405, "GET"), "{path}");
    }
    attache.get("/healthz").says(200);
}

#[test]
fn nothing_is_half_written_by_a_bad_request_of_the_operator() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_BODY_TIMEOUT", "300ms")]);
    let (calls, lines) = everything(&attache);
    let clients = attache.admin(reqwest::Method::GET, "/admin/v1/clients").says(200).json();
    let head = |path: &str| {
        Head::new("POST", path)
            .with("authorization", format!("Bearer {}", attache.admin_token()))
            .with("content-type", "application/json")
    };
    let line = json!({"phone_number": "+4915123456789", "home_plmn": "26201"}).to_string();
    let client = json!({"publisher": "camara", "client_id": "half"}).to_string();
    let csv = attache.admin(reqwest::Method::GET, "/admin/v1/lines/export").says(200).body;
    let more = format!("{csv}+4915123456789,26201,26201,true,true,,\n");
    for (path, content_type, body) in [
        ("/admin/v1/lines", "application/json", &line),
        ("/admin/v1/clients", "application/json", &client),
        ("/admin/v1/lines/import", "text/csv", &more),
    ] {
        let head = head(path).setting("content-type", content_type);
        let declared = head.clone().with("content-length", (body.len() + 10).to_string());
        let chunked = head.clone().with("transfer-encoding", "chunked");
        let cut = &chunks(&[body.as_bytes()])[..body.len() + 4];
        for bytes in [declared.followed_by(body.as_bytes()), chunked.followed_by(cut)] {
            // It stops, ...
            let reply = exchange(&attache, &bytes).unwrap();
            assert_eq!((reply.status, reply.json()["code"].as_str()), (408, Some("BODY_TIMED_OUT")), "{path}");
            // ... it breaks off, ...
            let mut connection = Connection::to(&attache);
            connection.send(&bytes);
            connection.end();
            let reply = connection.reply().unwrap();
            assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("INVALID_ARGUMENT")), "{path}");
        }
        let garbage = exchange(&attache, &chunked.followed_by(b"zz\r\n")).unwrap();
        assert_eq!((garbage.status, garbage.json()["code"].as_str()), (400, Some("INVALID_ARGUMENT")), "{path}");
    }
    for path in ["/admin/v1/lines", "/admin/v1/clients", "/admin/v1/lines/%2B33699901032/roam"] {
        for body in [
            &b""[..],
            b"[]",
            b"null",
            b"{",
            b"\xff",
            b"{\"a\":1}",
            b"\"x\"",
            b"{\"plmn\":\"26201\",\"plmn\":\"26202\"}",
        ] {
            let reply = exchange(&attache, &head(path).with_body(body)).unwrap();
            assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("INVALID_ARGUMENT")), "{path}");
            assert!(reply.json()["message"].is_string());
        }
        let wrong = head(path).setting("content-type", "text/plain").with_body(line.as_bytes());
        let reply = exchange(&attache, &wrong).unwrap();
        assert_eq!((reply.status, reply.json()["code"].as_str()), (415, Some("UNSUPPORTED_MEDIA_TYPE")), "{path}");
        let huge = head(path).with_body(&b" ".repeat(BODY_LIMIT + 1));
        let reply = exchange(&attache, &huge).unwrap();
        assert_eq!((reply.status, reply.json()["code"].as_str()), (413, Some("BODY_TOO_LARGE")), "{path}");
        let without = head(path).followed_by(b"");
        let reply = exchange(&attache, &without).unwrap();
        assert_eq!((reply.status, reply.json()["code"].as_str()), (411, Some("LENGTH_REQUIRED")), "{path}");
    }
    assert_eq!(attache.admin(reqwest::Method::GET, "/admin/v1/clients").says(200).json(), clients);
    assert_unharmed(&attache, &calls, &lines);
}

#[test]
fn what_stands_beside_the_faces_is_refused_in_an_envelope_too() {
    let attache = Attache::sandbox();
    for (method, status, code) in [("POST", 405, "METHOD_NOT_ALLOWED"), ("DELETE", 405, "METHOD_NOT_ALLOWED")] {
        let reply = exchange(&attache, &Head::new(method, "/sandbox").with_body(b"{}")).unwrap();
        assert_eq!((reply.status, reply.header("allow")), (status, "GET"));
        assert_eq!((&reply.json()["status"], &reply.json()["code"]), (&json!(status), &json!(code)));
    }
    let bytes = Head::new("GET", "/sandbox").setting("host", "evil.example").followed_by(b"");
    assert_refused(exchange(&attache, &bytes), Envelope::Camara, INVALID_HEADER, "an unknown host");
    let bytes = Head::new("GET", "/admin/v1/lines").setting("host", "evil.example").followed_by(b"");
    let reply = exchange(&attache, &bytes).unwrap();
    assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("INVALID_ARGUMENT")));
}

#[test]
fn many_bad_requests_at_once_leave_the_server_as_it_was() {
    let attache = Attache::sandbox();
    let (calls, lines) = everything(&attache);
    let refused = AtomicUsize::new(0);
    thread::scope(|scope| {
        for call in &calls {
            let (attache, refused) = (&attache, &refused);
            scope.spawn(move || {
                for index in 0..50_u8 {
                    // Bytes without a rule, but the same in every run.
                    let body: Vec<u8> = (0..200_u8).map(|at| index.wrapping_mul(37) ^ at.wrapping_mul(91)).collect();
                    let bytes = call.head().with_body(&body);
                    call.assert_refuses(attache, &bytes, MALFORMED_BODY, "noise");
                    refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(refused.into_inner(), calls.len() * 50);
    assert_unharmed(&attache, &calls, &lines);
}
