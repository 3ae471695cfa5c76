//! A whole story, told at every face by every means, leaves no number, no token and no secret in the
//! log, in the audit and in the metrics.

use std::{collections::HashSet, fs};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    by_hand::{Connection, Head, exchange},
    callers::{Caller, FaceCall, path_of},
    harness::{Attache, eventually, program},
    sink::Sink,
    subscriptions::{LINE, ROAMING, id_of, roam},
};

const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// Texts that must stand nowhere.
#[derive(Default)]
struct Secrets(HashSet<String>);

impl Secrets {
    fn add(&mut self, text: &str) {
        assert!(text.len() >= 8, "too short to be looked for: {text}");
        self.0.insert(text.to_owned());
    }

    /// A phone number, in every form.
    fn add_number(&mut self, number: &str) {
        self.add(number.trim_start_matches('+'));
    }

    /// A JSON Web Token: each of its parts tells something.
    fn add_token(&mut self, token: &str) {
        token.split('.').for_each(|part| self.add(part));
    }

    fn assert_absent(&self, place: &str, text: &str) {
        for secret in &self.0 {
            if let Some(line) = text.lines().find(|line| line.contains(secret.as_str())) {
                panic!("{place}: `{secret}` stands in\n{line}");
            }
        }
        // A token begins so, whatever is in it.
        assert!(!text.contains("eyJ"), "{place}: a token stands there");
    }
}

/// Lives a long day with a server, and tells what must not be found afterwards.
fn whole_story(attache: &mut Attache) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add(&attache.admin_token());
    let facts = attache.facts();
    for line in facts["lines"].as_array().unwrap() {
        secrets.add_number(line["phone_number"].as_str().unwrap());
    }
    for publisher in facts["publishers"].as_object().unwrap().values() {
        for client in publisher["clients"].as_array().unwrap() {
            secrets.add(client["client_secret"].as_str().unwrap());
        }
    }
    tokens_and_queries(attache, &mut secrets);
    events(attache, &mut secrets);
    codes(attache, &facts, &mut secrets);
    wrong_authorizations(attache, &mut secrets);
    operators_work(attache, &mut secrets);
    command_line(attache, &mut secrets);
    secrets
}

fn tokens_and_queries(attache: &Attache, secrets: &mut Secrets) {
    secrets.add_number("+33611223344");
    let calls = FaceCall::all(attache);
    for call in &calls {
        secrets.add_token(&call.token);
        let ask = |body: &Value| attache.post(&call.path).bearer(&call.token).json(body).send().status;
        assert_eq!(ask(&call.body), 200);
        // About somebody else, about nobody, and with numbers where none are expected.
        for number in
            ["+33639980004", "+33639980007", "+33611223344", "33611223344", "+33611223344x", "tel:+33611223344"]
        {
            for body in [
                json!({"device": {"phoneNumber": number}}),
                json!({"ueId": {"msisdn": number}}),
                json!({"phoneNumber": number}),
                json!({"device": number}),
                json!(number),
                json!({"device": {"phoneNumber": [number]}}),
                json!({"device": {"networkAccessIdentifier": number}}),
                json!({"ueId": {"externalId": number}}),
                json!({"ueId": number}),
                json!({number: number}),
            ] {
                ask(&body);
            }
        }
        // A number in the path, in the query, in the token's place, in the host's and in the method's.
        for target in [format!("{}?phone=+33611223344", call.path), format!("{}/+33611223344", call.path)] {
            attache.post(&target).bearer(&call.token).json(&call.body).send();
        }
        attache.get("/+33611223344/33611223344").send();
        attache.post(&call.path).bearer("+33611223344").json(&call.body).says(401);
        let head = Head::new("POST", &call.path).with("authorization", format!("Bearer {}", call.token));
        let body = call.body.to_string();
        for head in [
            head.clone().setting("host", "33611223344.example"),
            head.clone().with("content-type", "33611223344/x"),
            head.clone().with("accept", "33611223344/x"),
            head.clone().with("user-agent", "+33611223344"),
            head.clone().with("x-correlator", "+33611223344 is no correlator"),
        ] {
            exchange(attache, &head.with_body(body.as_bytes()));
        }
        let mut head = head;
        "M33611223344".clone_into(&mut head.method);
        exchange(attache, &head.with_body(body.as_bytes()));
        "POST /33611223344".clone_into(&mut head.method);
        exchange(attache, &head.with_body(body.as_bytes()));
        // Half a request.
        let mut connection = Connection::to(attache);
        connection.send(&Head::new("POST", &call.path).with("content-length", "99").followed_by(b"+33611223344"));
    }
}

/// What only the database may know of a sink: its address.
const OF_AN_ADDRESS: &str = "sesame-of-the-address";

/// Subscribes with a credential, and is told of a line: by sinks that take it, refuse it, are busy, break off, and are
/// not there; and asks in vain.
fn events(attache: &Attache, secrets: &mut Secrets) {
    let credential = "sesame-of-the-sink";
    for secret in [credential, OF_AN_ADDRESS] {
        secrets.add(secret);
    }
    let rotate = json!({});
    let rotated = attache.admin(Method::POST, "/admin/v1/clients/camara/camara-demo/webhook-secrets").json(&rotate);
    secrets.add(rotated.says(200).text("webhook_secret").trim_start_matches("whsec_"));
    let shop = ROAMING.two_legged(attache, &["roaming-status"]);
    secrets.add_token(&shop.token);
    let sinks = [
        Sink::open(),
        Sink::answering(|_, _| (400, "")),
        Sink::answering(|_, _| (503, "retry-after: 3600\r\n")),
        Sink::answering(|_, _| Sink::BREAKS_OFF),
    ];
    let nowhere = ["http://127.0.0.1:9/sink", "https://sink.invalid/sink"].map(str::to_owned);
    let with_credential = |sink: &str, number: &str| {
        let mut body = ROAMING.body("roaming-status", sink, Some(number));
        body["sinkCredential"] = json!({
            "credentialType": "ACCESSTOKEN", "accessToken": credential,
            "accessTokenExpiresUtc": "2036-01-01T00:00:00Z", "accessTokenType": "bearer",
        });
        body
    };
    let mut ids = Vec::new();
    for url in sinks.iter().map(Sink::url).chain(nowhere) {
        ids.push(id_of(&shop.subscribe(&with_credential(&format!("{url}?key={OF_AN_ADDRESS}"), LINE))));
    }
    for country in ["DE", "BE"] {
        roam(attache, country);
        attache.change(LINE, "home", &json!({}));
    }
    let told = &sinks[0].received(5)[4];
    assert!(told.head.contains(&format!("authorization: bearer {credential}")) && told.raw.1.contains(LINE));
    sinks[1].received(5);
    sinks[3].received(2);
    attache
        .admin(Method::POST, "/admin/v1/dead-letters/replay")
        .json(&json!({"since": "2026-01-01T00:00:00Z"}))
        .says(200);
    sinks[1].received(10);
    let mut wrong = with_credential("https://sink.example/", LINE);
    wrong["sinkCredential"]["credentialType"] = json!(credential);
    for body in [
        wrong,
        with_credential("https://sink.example/", "+33611223344"),
        with_credential("+33611223344", LINE),
        with_credential(&format!("https://me:{OF_AN_ADDRESS}@sink.example/"), LINE),
        with_credential(&format!("ftp://sink.example/{OF_AN_ADDRESS}"), LINE),
        json!({"sinkCredential": credential, "config": LINE, "sink": OF_AN_ADDRESS}),
    ] {
        assert!(shop.post(&body).status >= 400);
    }
    for id in ids {
        shop.delete(&id);
    }
}

fn codes(attache: &Attache, facts: &Value, secrets: &mut Secrets) {
    for caller in Caller::all(facts) {
        let facts = &facts["publishers"][&caller.publisher];
        let scope = caller.asked_scope(facts["faces"][0]["scope"].as_str().unwrap());
        let fetch = |form: &[(&str, &str)]| {
            attache.post(&caller.token_path).basic(&caller.id, &caller.secret).form(form).send()
        };
        if let Some(path) = &caller.backchannel_path {
            let id = caller.auth_req_id(attache, facts["faces"][0]["scope"].as_str().unwrap());
            secrets.add(&id);
            let token = fetch(&[("grant_type", CIBA), ("auth_req_id", &id)]).text("access_token");
            secrets.add_token(&token);
            fetch(&[("grant_type", CIBA), ("auth_req_id", &id)]);
            for hint in ["tel:+33611223344", "phone_number:+33611223344", "33611223344", "mailto:33611223344"] {
                let form = [("login_hint", hint), ("scope", scope.as_str())];
                attache.post(path).basic(&caller.id, &caller.secret).form(&form).send();
            }
        }
        if let Some(endpoint) = facts.get("authorization_endpoint") {
            let uri = facts["clients"][0]["redirect_uris"][0].as_str().unwrap();
            for hint in [caller.line(), "+33611223344"] {
                let query = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs([("client_id", caller.id.as_str()), ("response_type", "code"), ("scope", &scope)])
                    .extend_pairs([("redirect_uri", uri), ("login_hint", &format!("tel:{hint}")), ("state", hint)])
                    .finish();
                let answer = attache.get(&format!("{}?{query}", path_of(endpoint))).says(302);
                let location: url::Url = answer.header("location").parse().unwrap();
                let Some((_, code)) = location.query_pairs().find(|(name, _)| name == "code") else { continue };
                secrets.add(&code);
                let form = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", uri)];
                secrets.add_token(&fetch(&form).text("access_token"));
                fetch(&form);
            }
        }
    }
}

fn wrong_authorizations(attache: &Attache, secrets: &mut Secrets) {
    for secret in ["wrong-secret-of-somebody", "another-secret-of-somebody"] {
        secrets.add(secret);
    }
    for caller in Caller::all(&attache.facts()) {
        let path = &caller.token_path;
        attache.post(path).basic(&caller.id, "wrong-secret-of-somebody").form(&[("grant_type", "x")]).says(401);
        attache.post(path).basic("wrong-secret-of-somebody", "x").form(&[("grant_type", "x")]).says(401);
        let form = [("client_id", caller.id.as_str()), ("client_secret", "another-secret-of-somebody")];
        attache.post(path).form(&form).says(401);
        attache.post(path).form(&[("client_assertion", "another-secret-of-somebody")]).says(401);
        attache.post(&format!("{path}?client_secret=another-secret-of-somebody")).form(&form).says(401);
    }
    attache.get("/admin/v1/lines").bearer("wrong-secret-of-somebody").says(401);
}

fn operators_work(attache: &Attache, secrets: &mut Secrets) {
    secrets.add_number("+4915199887766");
    secrets.add("operators-client-secret");
    let path = "/admin/v1/lines/+4915199887766";
    let line = json!({"phone_number": "+4915199887766", "home_plmn": "26201"});
    attache.admin(Method::POST, "/admin/v1/lines").json(&line).says(201);
    attache.admin(Method::POST, "/admin/v1/lines").json(&line).says(409);
    attache.admin(Method::POST, &format!("{path}/roam")).json(&json!({"country": "FR"})).says(200);
    attache.admin(Method::POST, &format!("{path}/roam")).json(&json!({"country": "+4915199887766"})).says(400);
    attache.admin(Method::POST, &format!("{path}/home")).json(&json!({})).says(200);
    attache.admin(Method::POST, &format!("{path}/reach")).json(&json!({"data": "+4915199887766"})).says(400);
    attache.admin(Method::GET, &format!("{path}0000000")).says(400);
    attache.admin(Method::GET, "/admin/v1/lines/+33611223344").says(404);
    attache.admin(Method::GET, "/admin/v1/lines?after=33611223344").says(400);
    let csv = "phone_number,home_plmn,serving_plmn,reachable,last_seen\n+4915199887766x,1,,,\n+4915199887766,0,,,\n";
    attache.admin(Method::POST, "/admin/v1/lines/import").body("text/csv", csv).says(200);
    attache.admin(Method::DELETE, path).says(200);
    let client = json!({"publisher": "camara", "client_id": "shop", "client_secret": "operators-client-secret"});
    attache.admin(Method::POST, "/admin/v1/clients").json(&client).says(201);
    attache.admin(Method::POST, "/admin/v1/clients").json(&client).says(409);
    let made = attache.admin(Method::POST, "/admin/v1/clients").json(&json!({"publisher": "orange"})).says(201);
    secrets.add(&made.text("client_secret"));
    attache.admin(Method::DELETE, "/admin/v1/clients/camara/shop").says(200);
}

fn command_line(attache: &Attache, secrets: &mut Secrets) {
    secrets.add("a-secret-by-command-line");
    for arguments in [
        &["line", "list"][..],
        &["line", "show", "+33699901032"],
        &["line", "show", "+33611223344"],
        &["line", "roam", "+33699901032", "--country", "DE"],
        &["line", "home", "+33699901032"],
        &["line", "reach", "+33699901032", "--none"],
        &["line", "add", "+4915199887766", "--home", "26201"],
        &["line", "remove", "+4915199887766"],
        &["client", "add", "--publisher", "camara", "--id", "cli", "--secret", "a-secret-by-command-line"],
        &["client", "list"],
        &["audit", "list", "--subject", "+33699901032"],
        &["audit", "verify"],
        &["subject", "export", "+33699901032"],
        &["subject", "erase", "+33699901032"],
        &["subject", "erase", "+33611223344"],
        &["client", "remove", "--publisher", "camara", "cli"],
    ] {
        let output = attache.command(arguments);
        secrets.assert_absent("standard error of a command", &without_its_arguments(&output.stderr, arguments));
    }
}

/// What a command says, without the number that it was given: whoever typed it may read it again.
fn without_its_arguments(stderr: &[u8], arguments: &[&str]) -> String {
    let text = String::from_utf8(stderr.to_vec()).unwrap();
    arguments.iter().filter(|it| it.starts_with('+')).fold(text, |text, number| text.replace(number, "NUMBER"))
}

/// Everything that lies in the audit log.
fn audit(attache: &Attache) -> String {
    let directory = fs::read_dir(attache.data_dir().join("audit")).unwrap();
    directory.map(|entry| String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned()).collect()
}

#[test]
fn no_number_no_token_and_no_secret_is_logged_audited_or_measured() {
    let mut attache = Attache::with(&["--allow-http-sinks"]);
    let secrets = whole_story(&mut attache);
    let metrics = attache.get("/metrics").says(200).body;
    attache.stop();
    let (logged, audited) = (attache.logged(), audit(&attache));
    assert!(logged.lines().count() > 500 && audited.lines().count() > 100, "the story was told");
    assert!(metrics.contains("attache_requests_total") && metrics.contains("attache_token_requests_total"));
    secrets.assert_absent("the log", &logged);
    secrets.assert_absent("the audit", &audited);
    secrets.assert_absent("the metrics", &metrics);
}

#[test]
fn not_even_the_most_talkative_log_tells_them() {
    let mut attache = Attache::with(&["--log", "trace", "--allow-http-sinks"]);
    let secrets = whole_story(&mut attache);
    attache.stop();
    let logged = attache.logged();
    assert!(logged.contains("hyper_util::client"), "what sends the events is heard");
    secrets.assert_absent("the log", &logged);
}

#[test]
fn what_is_kept_on_disk_has_no_token_and_no_secret_in_the_clear() {
    let mut attache = Attache::with(&["--allow-http-sinks"]);
    let admin_token = attache.admin_token();
    let mut secrets = whole_story(&mut attache);
    attache.stop();
    // The lines and the sinks themselves are kept, and the operator's credential has a file of its own.
    let is_kept = |secret: &String| secret.bytes().all(|byte| byte.is_ascii_digit()) || secret == OF_AN_ADDRESS;
    secrets.0.retain(|secret| !is_kept(secret) && *secret != admin_token);
    for name in ["attache.db", "attache.db-wal", "server.json"] {
        let Ok(bytes) = fs::read(attache.data_dir().join(name)) else { continue };
        for secret in &secrets.0 {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "`{secret}` is kept in {name}");
        }
    }
    #[cfg(unix)]
    for name in ["admin-token", "secrets.key", "attache.db"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(attache.data_dir().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} can be read by others");
    }
}

#[test]
fn each_request_leaves_one_line_of_json() {
    let mut attache = Attache::sandbox();
    let calls = FaceCall::all(&attache);
    // What came before belongs to another story.
    eventually("the requests so far are logged", || attache.logged().contains("bc-authorize").then_some(()));
    for (index, call) in calls.iter().enumerate() {
        let ask = |status: &str| {
            attache.post(&call.path).bearer(&call.token).header("x-correlator", &format!("one-{index}-{status}"))
        };
        ask("200").json(&call.body).says(200);
        ask("400").body("application/json", "[").says(400);
    }
    attache.stop();
    let lines: Vec<Value> = attache
        .logged()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}")))
        .collect();
    for (index, call) in calls.iter().enumerate() {
        for (status, problem) in [(200, None), (400, Some("body_malformed"))] {
            let correlator = format!("one-{index}-{status}");
            let of_it: Vec<&Value> = lines.iter().filter(|line| line["correlator"] == correlator).collect();
            let [line] = of_it[..] else { panic!("{correlator} has {} lines", of_it.len()) };
            assert_eq!((&line["status"], &line["method"]), (&json!(status), &json!("POST")), "{line}");
            assert_eq!((&line["publisher"], &line["api"]), (&json!(call.publisher), &json!(call.api)), "{line}");
            assert!(call.path.ends_with(line["path"].as_str().unwrap()), "{line}");
            assert_eq!(line["problem"].as_str(), problem, "{line}");
            assert!(line["client_id"].is_string() && line["duration_us"].is_u64(), "{line}");
            assert!(line["timestamp"].as_str().unwrap().ends_with('Z') && line["level"] == "INFO", "{line}");
        }
    }
}

#[test]
fn every_line_of_the_log_is_json_whatever_happens() {
    let mut attache = Attache::with(&["--allow-http-sinks"]);
    let secrets = whole_story(&mut attache);
    attache.stop();
    for line in attache.logged().lines() {
        let json: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
        assert!(json["timestamp"].is_string() && json["level"].is_string() && json["target"].is_string(), "{line}");
        assert_ne!(json["level"], "ERROR", "nothing went wrong inside: {line}");
    }
    drop(secrets);
}

#[test]
fn the_operators_requests_leave_a_line_that_names_no_line() {
    let mut attache = Attache::sandbox();
    attache.admin(Method::GET, "/admin/v1/lines/+33699901032").says(200);
    attache.admin(Method::DELETE, "/admin/v1/clients/camara/camara-demo").says(200);
    attache.stop();
    let logged = attache.logged();
    let of_it: Vec<&str> = logged.lines().filter(|line| line.contains("answered the operator")).collect();
    assert_eq!(of_it.len(), 2, "{logged}");
    assert!(of_it.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{logged}");
}

#[test]
fn the_request_log_can_be_switched_off() {
    let mut attache = Attache::with(&["--no-request-log"]);
    for call in FaceCall::all(&attache) {
        attache.post(&call.path).bearer(&call.token).json(&call.body).says(200);
    }
    attache.stop();
    assert!(!attache.logged().contains("attache::request"), "{}", attache.logged());
}

#[test]
fn the_configuration_shows_no_secret() {
    let data = tempfile::tempdir().unwrap();
    let secrets = [
        ("ATTACHE_ADMIN_TOKEN", "kS3jv9_Qx0TzR1-mB7nYpA"),
        ("ATTACHE_SECRETS_KEY", "ff6162636465666768696a6b6c6d6e6f707172737475767778797a3031323334"),
        ("ATTACHE_AUDIT_KEY", "343332313a797877767574737271706f6e6d6c6b6a696867666564636261ff60"),
    ];
    for arguments in [&["config"][..], &["config", "--json"]] {
        let output = program(data.path()).args(arguments).envs(secrets).output().unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && told.contains("admin_token"), "{told}");
        assert!(secrets.iter().all(|(_, secret)| !told.contains(secret)), "{told}");
    }
}
