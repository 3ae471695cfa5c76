//! The audit log from outside: what leaves a record, who finds it again, what is found out when somebody
//! was at it; and what is stored about a subscriber, handed out and forgotten.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    callers::Caller,
    faces::CAMARA,
    harness::{Attache, eventually},
};

const CIBA: &str = "urn:openid:params:grant-type:ciba";
const NUMBER: &str = "+33699901032";
const SCOPE: &str = "device-roaming-status:read";

fn camara(attache: &Attache) -> Caller {
    let callers = Caller::all(&attache.facts());
    callers.into_iter().find(|caller| caller.publisher == "camara" && caller.id == "camara-demo").unwrap()
}

/// Asks for an `auth_req_id` about a line, with a correlator.
fn identify(attache: &Attache, caller: &Caller, number: &str, correlator: &str) -> String {
    let scope = caller.asked_scope(SCOPE);
    let form = [("login_hint", format!("tel:{number}")), ("scope", scope)];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let request = attache.post(caller.backchannel_path.as_deref().unwrap()).basic(&caller.id, &caller.secret);
    request.header("x-correlator", correlator).form(&form).says(200).text("auth_req_id")
}

/// Fetches a token about a line, with a correlator.
fn fetch(attache: &Attache, caller: &Caller, auth_req_id: &str, correlator: &str) -> String {
    let form = [("grant_type", CIBA), ("auth_req_id", auth_req_id)];
    let request = attache.post(&caller.token_path).basic(&caller.id, &caller.secret);
    request.header("x-correlator", correlator).form(&form).says(200).text("access_token")
}

fn ask(attache: &Attache, token: &str, correlator: &str, status: u16) {
    let request = attache.post("/device-roaming-status/v1/retrieve").bearer(token);
    request.header("x-correlator", correlator).json(&json!({})).says(status);
}

/// What a command prints, which must end well.
fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The records that `attache audit export` has with these flags, oldest first.
fn exported(attache: &Attache, flags: &[&str]) -> Vec<Value> {
    let text = told(&attache.command(&[&["audit", "export"], flags].concat()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn fields<'a>(records: &'a [Value], name: &str) -> Vec<&'a str> {
    records.iter().map(|record| record[name].as_str().unwrap_or_default()).collect()
}

#[test]
fn the_way_of_a_token_is_told_step_by_step_and_found_by_subject_and_by_client() {
    let attache = Attache::sandbox();
    let caller = camara(&attache);
    let id = identify(&attache, &caller, NUMBER, "c-identify");
    let token = fetch(&attache, &caller, &id, "c-token");
    ask(&attache, &token, "c-query", 200);
    // Refused: the same again, a wrong secret, a stranger, a line that nobody has, a scope too many.
    let form = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    let again = attache.post(&caller.token_path).basic(&caller.id, &caller.secret);
    again.header("x-correlator", "c-again").form(&form).says(400);
    attache.post(&caller.token_path).basic(&caller.id, "wrong").header("x-correlator", "c-wrong").form(&form).says(401);
    attache
        .post(&caller.token_path)
        .basic("+33699901032", "x")
        .header("x-correlator", "c-stranger")
        .form(&form)
        .says(401);
    let scope = caller.asked_scope(SCOPE);
    let nobody = [("login_hint", "tel:+33600000001"), ("scope", scope.as_str())];
    let path = caller.backchannel_path.clone().unwrap();
    let refused = attache.post(&path).basic(&caller.id, &caller.secret).header("x-correlator", "c-nobody");
    assert!(refused.form(&nobody).send().status >= 400);

    let all = exported(&attache, &["--publisher", "camara"]);
    let find = |correlator: &str| {
        let found: Vec<_> = all.iter().filter(|record| record["correlator"] == correlator).collect();
        let [record] = found[..] else { panic!("{correlator} has {} records", found.len()) };
        record
    };
    let told = |correlator: &str| {
        let record = find(correlator);
        let text = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
        [text("event"), text("client_id"), text("action"), text("outcome")]
    };
    assert_eq!(told("c-identify"), ["identification", "camara-demo", "bc-authorize", "identified"]);
    assert_eq!(told("c-token"), ["token_issued", "camara-demo", CIBA, "issued"]);
    assert_eq!(told("c-query"), ["query", "camara-demo", "/device-roaming-status/v1/retrieve", "answered"]);
    assert_eq!(told("c-again"), ["token_refused", "camara-demo", CIBA, "invalid_grant"]);
    assert_eq!(told("c-wrong"), ["token_refused", "camara-demo", CIBA, "invalid_client"]);
    assert_eq!(told("c-stranger"), ["token_refused", "-", CIBA, "invalid_client"]);
    assert_eq!(told("c-nobody")[..3], ["identification", "camara-demo", "bc-authorize"]);
    for correlator in ["c-identify", "c-token", "c-query"] {
        let record = find(correlator);
        assert_eq!(record["scopes"], json!([SCOPE]), "{record}");
        assert!(record["purpose"].as_str().is_some_and(|purpose| purpose.starts_with("dpv:")), "{record}");
        assert_eq!(record["subject"], find("c-query")["subject"], "{record}");
    }
    assert!(find("c-nobody").get("subject").is_none(), "nobody has that number");

    let of_line = exported(&attache, &["--subject", NUMBER]);
    let steps = ["consent_granted", "identification", "token_issued", "query"];
    assert_eq!(fields(&of_line, "event")[..4], steps);
    let pseudonym = of_line[0]["subject"].as_str().unwrap();
    let of_pseudonym = exported(&attache, &["--subject", pseudonym, "--client", "camara-demo"]);
    assert_eq!(fields(&of_pseudonym, "event"), steps);
    assert_eq!(exported(&attache, &["--client", "camara-demo"]).len(), 7);
    assert_eq!(exported(&attache, &["--client", "camara-demo", "--event", "token_refused"]).len(), 2);
    assert_eq!(exported(&attache, &["--to", "2020-01-01T00:00:00Z"]), [] as [Value; 0]);
}

#[test]
fn an_identification_tells_on_which_legal_basis_it_rests() {
    let attache = Attache::with(&["--legal-basis=*/connected-network-type=contract"]);
    let caller = camara(&attache);
    identify(&attache, &caller, NUMBER, "by CIBA");
    for scope in [SCOPE, "connected-network-type:read"] {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("response_type", "code"), ("client_id", caller.id.as_str())])
            .append_pair("scope", &format!("dpv:FraudPreventionAndDetection {scope}"))
            .append_pair("login_hint", &format!("tel:{NUMBER}"))
            .append_pair("redirect_uri", "http://localhost:3000/callback")
            .finish();
        attache.get(&format!("/oauth2/authorize?{query}")).says(302);
    }
    let records = exported(&attache, &["--event", "identification"]);
    assert_eq!(fields(&records, "action"), ["bc-authorize", "authorize", "authorize"]);
    assert_eq!(fields(&records, "legal_basis"), ["consent", "consent", "contract"]);
}

#[test]
fn a_token_and_a_use_of_it_tell_on_which_legal_basis_they_rest() {
    let attache = Attache::with(&["--legal-basis=*/connected-network-type=contract"]);
    let tokens = |scope: &str| {
        let scope = format!("dpv:FraudPreventionAndDetection {scope}");
        [CAMARA.three_legged(&attache, NUMBER, &scope), CAMARA.two_legged(&attache, &scope)]
    };
    let (roaming, network_type) = (tokens(SCOPE), tokens("connected-network-type:read"));
    for (path, [three_legged, two_legged]) in
        [("/device-roaming-status/v1/retrieve", &roaming), ("/connected-network-type/v0.2/retrieve", &network_type)]
    {
        attache.post(path).bearer(three_legged).json(&json!({})).says(200);
        attache.post(path).bearer(two_legged).json(&json!({"device": {"phoneNumber": NUMBER}})).says(200);
    }
    let bases = |event: &str| -> Vec<Value> {
        exported(&attache, &["--event", event]).iter().map(|record| record["legal_basis"].clone()).collect()
    };
    let none = Value::Null;
    // A client's own token is about nobody.
    assert_eq!(bases("token_issued"), [json!("consent"), none.clone(), json!("contract"), none.clone()]);
    // Whom a client names by itself has said nothing, so no consent is claimed.
    assert_eq!(bases("query"), [json!("consent"), none, json!("contract"), json!("contract")]);
}

#[test]
fn whatever_is_revoked_leaves_a_record_with_its_cause() {
    let attache = Attache::sandbox();
    let scope = format!("dpv:FraudPreventionAndDetection {SCOPE}");
    let begin = |scope: &str| {
        let form = [("login_hint", format!("tel:{NUMBER}")), ("scope", scope.to_owned())];
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        let id = CAMARA.bc_authorize(&attache, &form).says(200).text("auth_req_id");
        CAMARA.token(&attache, &[("grant_type", CIBA), ("auth_req_id", &id)]).says(200)
    };
    let refreshable = || begin(&format!("{scope} offline_access")).text("refresh_token");
    let stolen = refreshable();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", stolen.as_str())];
    CAMARA.token(&attache, &refresh).says(200);
    CAMARA.token(&attache, &refresh).says(400);

    let uri = "http://localhost:3000/callback";
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("response_type", "code"), ("client_id", CAMARA.id), ("scope", &scope), ("redirect_uri", uri)])
        .append_pair("login_hint", &format!("tel:{NUMBER}"))
        .finish();
    let answer = attache.get(&format!("/oauth2/authorize?{query}")).says(302);
    let location: url::Url = answer.header("location").parse().unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let fetch = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", uri)];
    CAMARA.token(&attache, &fetch).says(200);
    CAMARA.token(&attache, &fetch).says(400);

    let [returned, kept] = [begin(&scope).text("access_token"), begin(&scope).text("access_token")];
    attache.post("/oauth2/revoke").basic(CAMARA.id, CAMARA.secret).form(&[("token", &returned)]).says(200);

    for _ in 0..2 {
        refreshable();
    }
    let withdraw = format!("/admin/v1/lines/{NUMBER}/consents/withdraw");
    attache.admin(Method::POST, &withdraw).json(&json!({})).says(200);
    ask(&attache, &kept, "c-late", 401);

    let records = exported(&attache, &["--event", "token_revoked"]);
    let told: Vec<_> =
        fields(&records, "action").into_iter().zip(records.iter().map(|it| it["count"].as_u64())).collect();
    let expected =
        [("refresh_token_reused", None), ("code_reused", None), ("revoke", None), ("consent_withdrawn", Some(2))];
    assert_eq!(told, expected);
    let subject = &exported(&attache, &["--subject", NUMBER])[0]["subject"];
    for record in &records {
        assert_eq!((&record["subject"], &record["client_id"]), (subject, &json!(CAMARA.id)), "{record}");
    }
    for record in [&records[0], &records[2], &records[3]] {
        assert_eq!((&record["legal_basis"], &record["scopes"]), (&json!("consent"), &json!([SCOPE])), "{record}");
    }
}

#[test]
fn a_log_that_was_removed_is_missed() {
    let mut attache = stopped();
    let directory = attache.data_dir().join("audit");
    for entry in fs::read_dir(&directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let output = attache.command(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no audit log"));
    attache.start();
    let output = attache.command(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the segments before it are missing"));
}

#[test]
fn what_the_operator_does_is_told_with_the_line_that_it_is_about() {
    let attache = Attache::sandbox();
    attache.line(NUMBER);
    attache.admin(Method::GET, "/admin/v1/lines/+33600000001").says(404);
    attache.change(NUMBER, "roam", &json!({"plmn": "26202"}));
    attache.get("/admin/v1/lines").bearer("wrong").says(401);
    let records = exported(&attache, &["--event", "administration"]);
    let told: Vec<_> = fields(&records, "action").into_iter().zip(fields(&records, "outcome")).collect();
    let expected = [
        ("GET /admin/v1/lines/{number}", "answered"),
        ("GET /admin/v1/lines/{number}", "UNKNOWN_LINE"),
        ("POST /admin/v1/lines/{number}/roam", "answered"),
    ];
    assert_eq!(told[..3], expected, "who has no admin token leaves no record");
    assert_eq!(records[0]["subject"], records[2]["subject"]);
    assert!(records[0]["subject"].is_string() && records[1].get("subject").is_none());
    // Looking into the log is told as well, with whom it was about.
    let looked = exported(&attache, &["--subject", NUMBER]);
    assert!(fields(&looked, "action").contains(&"GET /admin/v1/lines/{number}"));
    let again = exported(&attache, &["--subject", NUMBER]);
    assert!(fields(&again, "action").contains(&"GET /admin/v1/audit/export"), "{again:?}");
}

#[test]
fn a_list_has_the_newest_first_page_by_page_and_says_when_there_is_none() {
    let attache = Attache::sandbox();
    assert_eq!(told(&attache.command(&["audit", "list", "--event", "query"])), "no record\n");
    let caller = camara(&attache);
    let id = identify(&attache, &caller, NUMBER, "c-0");
    let token = fetch(&attache, &caller, &id, "c-0");
    for index in 1..=5 {
        ask(&attache, &token, &format!("c-{index}"), 200);
    }
    let table = told(&attache.command(&["audit", "list", "--event", "query", "--limit", "2"]));
    assert!(table.starts_with("TIME") && table.contains("add --after "), "{table}");
    let (mut correlators, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut flags = vec!["audit", "list", "--event", "query", "--limit", "2", "--json"];
        flags.extend(after.iter().flat_map(|after| ["--after", after]));
        let page: Value = serde_json::from_str(&told(&attache.command(&flags))).unwrap();
        correlators.extend(page["records"].as_array().unwrap().iter().map(|it| it["correlator"].clone()));
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(correlators, ["c-5", "c-4", "c-3", "c-2", "c-1"]);
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_sentence() {
    let attache = Attache::sandbox();
    for (query, word) in [
        ("subject=nobody", "pseudonym"),
        ("event=nothing", "token_issued"),
        ("from=yesterday", "from"),
        ("after=here", "next"),
        ("colour=red", "colour"),
    ] {
        let answer = attache.admin(Method::GET, &format!("/admin/v1/audit?{query}")).says(400);
        assert!(answer.text("message").contains(word), "{query}: {}", answer.body);
    }
    attache.admin(Method::GET, "/admin/v1/audit?subject=%2B33600000001").says(404);
    attache.admin(Method::GET, "/admin/v1/audit/export?limit=1").says(400);
    let answer = attache.admin(Method::POST, "/admin/v1/audit/retain").json(&json!({})).says(400);
    assert!(answer.text("message").contains("audit_retention"), "{}", answer.body);
    attache.admin(Method::GET, "/admin/v1/subjects/+33600000001").says(404);
    attache.admin(Method::DELETE, "/admin/v1/subjects/+33600000001").says(404);
}

#[test]
fn the_record_of_every_token_and_identification_outlives_a_kill() {
    let mut attache = Attache::sandbox();
    let caller = camara(&attache);
    let mut expected = Vec::new();
    for kill in 0..3 {
        for index in 0..5 {
            let correlator = format!("k-{kill}-{index}");
            let id = identify(&attache, &caller, NUMBER, &correlator);
            fetch(&attache, &caller, &id, &correlator);
            expected.extend([(correlator.clone(), "identification"), (correlator, "token_issued")]);
        }
        attache.kill();
        attache.start();
    }
    let records = exported(&attache, &["--client", "camara-demo"]);
    let found: Vec<_> = records
        .iter()
        .filter_map(|record| Some((record["correlator"].as_str()?.to_owned(), record["event"].as_str()?)))
        .collect();
    assert_eq!(found, expected);
    assert!(told(&attache.command(&["audit", "verify"])).contains("is as it was written"));
}

/// A server that has stopped, with a log in which each record has a batch of its own.
fn stopped() -> Attache {
    let mut attache = Attache::sandbox();
    for _ in 0..3 {
        attache.line(NUMBER);
    }
    attache.stop();
    attache
}

fn segment(attache: &Attache) -> PathBuf {
    attache.data_dir().join("audit").join("0000000001.jsonl")
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

#[test]
fn whatever_somebody_did_to_the_log_is_found_with_its_file_and_record() {
    type Deed = fn(&mut Vec<String>);
    let deeds: [(&str, Deed, &str); 4] = [
        ("changed", |lines| lines[4] = lines[4].replace("answered", "refused"), "record 2 (lines 5 to 6)"),
        ("removed", |lines| drop(lines.drain(4..6)), "record 3 (lines 5 to 6)"),
        ("reordered", |lines| lines[2..6].rotate_left(2), "one of the records 1 to 3 (lines 3 to 8)"),
        ("cut off", |lines| lines.truncate(6), "the end was cut off: 1 records after line 6 are gone"),
    ];
    for (name, deed, finding) in deeds {
        let attache = stopped();
        assert!(told(&attache.command(&["audit", "verify"])).contains("3 records"), "{name}");
        let path = segment(&attache);
        let mut lines = lines(&path);
        deed(&mut lines);
        fs::write(&path, lines.concat()).unwrap();
        let output = attache.command(&["audit", "verify"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(told.contains(&format!("{}: {finding}", path.display())), "{name}: {told}");
        let output = attache.command(&["audit", "verify", "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&told["intact"], output.status.code()), (&json!(false), Some(1)), "{name}");
    }
    let attache = stopped();
    fs::remove_file(segment(&attache)).unwrap();
    let told = String::from_utf8(attache.command(&["audit", "verify"]).stderr).unwrap();
    assert!(told.contains("the segment was removed, with its 3 records"), "{told}");
}

#[test]
fn verification_wants_the_key_of_the_server() {
    let attache = stopped();
    fs::remove_file(attache.data_dir().join("secrets.key")).unwrap();
    let output = attache.command(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("ATTACHE_AUDIT_KEY"));
}

#[test]
fn records_that_are_old_enough_are_dropped_by_command_and_by_configuration() {
    let mut attache = Attache::sandbox();
    attache.line(NUMBER);
    assert_eq!(told(&attache.command(&["audit", "retain", "400 days"])), "0 records dropped, in 0 segments\n");
    let dropped = told(&attache.command(&["audit", "retain", "1ms"]));
    assert!(dropped.starts_with("2 records dropped"), "{dropped}");
    assert_eq!(fields(&exported(&attache, &[]), "action"), ["POST /admin/v1/audit/retain"]);
    assert!(told(&attache.command(&["audit", "verify"])).contains("2 records were dropped for their age"));
    attache.stop();

    let mut attache = Attache::with_environment(&[], &[("ATTACHE_AUDIT_RETENTION", "1ms")]);
    attache.line(NUMBER);
    attache.kill();
    attache.start();
    eventually("the records from before the start are dropped", || {
        exported(&attache, &["--event", "administration"])
            .iter()
            .all(|record| record["action"] != "GET /admin/v1/lines/{number}")
            .then_some(())
    });
    assert!(told(&attache.command(&["audit", "verify"])).contains("dropped for their age"));
}

#[test]
fn a_subscriber_is_told_everything_and_then_forgotten() {
    let attache = Attache::sandbox();
    let caller = camara(&attache);
    let id = identify(&attache, &caller, NUMBER, "c-used");
    let token = fetch(&attache, &caller, &id, "c-used");
    let pending = identify(&attache, &caller, NUMBER, "c-pending");
    ask(&attache, &token, "c-query", 200);
    let export = || -> Value { serde_json::from_str(&told(&attache.command(&["subject", "export", NUMBER]))).unwrap() };

    let data = export();
    assert_eq!(data["line"]["phone_number"], NUMBER);
    let consents = data["consents"].as_array().unwrap();
    assert!(!consents.is_empty() && consents.iter().all(|it| it["client_id"] == "camara-demo"), "{consents:?}");
    let grants = data["grants"].as_array().unwrap();
    assert_eq!(grants.len(), 1, "the one that was not fetched");
    assert_eq!((&grants[0]["client_id"], &grants[0]["scopes"]), (&json!("camara-demo"), &json!([SCOPE])));
    let events = fields(data["audit"].as_array().unwrap(), "event");
    let expected = ["consent_granted", "identification", "token_issued", "identification", "query", "subject_export"];
    assert_eq!(events, expected);
    let pseudonym = data["pseudonym"].as_str().unwrap();

    let records = exported(&attache, &["--subject", pseudonym]).len();
    let said = told(&attache.command(&["subject", "erase", NUMBER]));
    assert!(said.starts_with(&format!("{NUMBER} is forgotten")), "{said}");
    // What was granted has ended.
    ask(&attache, &token, "c-late", 401);
    let form = [("grant_type", CIBA), ("auth_req_id", pending.as_str())];
    attache.post(&caller.token_path).basic(&caller.id, &caller.secret).form(&form).says(400);
    // The line goes on as another, of which nothing is known.
    let after = export();
    assert_eq!(after["line"]["serving_plmn"], data["line"]["serving_plmn"]);
    assert_ne!(after["pseudonym"], data["pseudonym"]);
    assert_eq!(fields(after["audit"].as_array().unwrap(), "event"), ["subject_export"]);
    assert_eq!((&after["grants"], &after["consents"]), (&json!([]), &json!([])));
    // The records stay, and the chain holds, but nothing leads from the number to them.
    let stayed = exported(&attache, &["--subject", pseudonym]);
    assert_eq!(stayed.len(), records + 1, "and the record of the erasure itself");
    assert_eq!(stayed.last().unwrap()["event"], "subject_erasure");
    assert!(told(&attache.command(&["audit", "verify"])).contains("is as it was written"));
    let id = identify(&attache, &caller, NUMBER, "c-anew");
    ask(&attache, &fetch(&attache, &caller, &id, "c-anew"), "c-anew-query", 200);
}

#[test]
fn an_erasure_outlives_a_kill() {
    let mut attache = Attache::sandbox();
    let caller = camara(&attache);
    let id = identify(&attache, &caller, NUMBER, "c-1");
    let pending = identify(&attache, &caller, NUMBER, "c-2");
    let token = fetch(&attache, &caller, &id, "c-1");
    attache.admin(Method::DELETE, &format!("/admin/v1/subjects/{NUMBER}")).says(200);
    attache.kill();
    attache.start();
    ask(&attache, &token, "c-late", 401);
    let form = [("grant_type", CIBA), ("auth_req_id", pending.as_str())];
    attache.post(&caller.token_path).basic(&caller.id, &caller.secret).form(&form).says(400);
    assert!(!fields(&exported(&attache, &["--subject", NUMBER]), "correlator").contains(&"c-1"));
}
