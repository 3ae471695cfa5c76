//! What was acknowledged is kept: over a stop, over a kill at any moment, on another port.

use std::{
    collections::{HashMap, HashSet},
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use reqwest::{Method, blocking::Client};
use serde_json::{Value, json};

use crate::{
    callers::{Caller, FaceCall},
    harness::{Attache, BOUND, eventually, program},
};

const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// Networks that a line is taken to in turn.
const PLMNS: [&str; 8] = ["26201", "26202", "20810", "21401", "22210", "23410", "26801", "90112"];

/// Numbers that look random, and are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn throw(&mut self, sides: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides).unwrap()
    }
}

#[test]
fn lines_clients_and_tokens_outlive_a_stop_and_a_kill_on_another_port() {
    let mut attache = Attache::sandbox();
    attache.admin(Method::POST, "/admin/v1/lines/+33699901032/roam").json(&json!({"plmn": "26202"})).says(200);
    attache
        .admin(Method::POST, "/admin/v1/lines")
        .json(&json!({"phone_number": "+4915112345678", "home_plmn": "26201"}))
        .says(201);
    attache.admin(Method::DELETE, "/admin/v1/lines/+33699901031").says(200);
    attache.register(&json!({"publisher": "camara", "client_id": "shop", "client_secret": "shop-secret"}));
    attache.admin(Method::DELETE, "/admin/v1/clients/camara/camara-demo").says(200);
    let credentials =
        [("grant_type", "client_credentials"), ("scope", "dpv:FraudPreventionAndDetection device-roaming-status:read")];
    let token = attache.post("/oauth2/token").basic("shop", "shop-secret").form(&credentials).says(200);
    let token = token.text("access_token");
    let lines = attache.admin(Method::GET, "/admin/v1/lines").says(200).json();
    let clients = attache.admin(Method::GET, "/admin/v1/clients").says(200).json();
    let keys = attache.get("/.well-known/jwks.json").says(200).json();
    let question = json!({"device": {"phoneNumber": "+33699901032"}});
    for end in [Attache::stop, Attache::kill, Attache::kill, Attache::stop] {
        let port_before = attache.url("");
        end(&mut attache);
        attache.start();
        assert_ne!(attache.url(""), port_before, "port 0 takes another one");
        assert_eq!(attache.admin(Method::GET, "/admin/v1/lines").says(200).json(), lines);
        assert_eq!(attache.admin(Method::GET, "/admin/v1/clients").says(200).json(), clients);
        assert_eq!(attache.get("/.well-known/jwks.json").says(200).json(), keys);
        let answer = attache.post("/device-roaming-status/v1/retrieve").bearer(&token).json(&question).says(200).json();
        assert_eq!((&answer["roaming"], &answer["countryCode"]), (&json!(true), &json!(262)), "{answer}");
        attache.post("/oauth2/token").basic("shop", "shop-secret").form(&credentials).says(200);
        attache.post("/oauth2/token").basic("camara-demo", "camara-demo-secret").form(&credentials).says(401);
    }
}

#[test]
fn a_token_of_every_publisher_outlives_a_kill() {
    let mut attache = Attache::sandbox();
    let calls = FaceCall::all(&attache);
    attache.kill();
    attache.start();
    for call in &calls {
        attache.post(&call.path).bearer(&call.token).json(&call.body).says(200);
    }
}

#[test]
fn a_token_of_a_removed_client_stays_refused_after_a_kill() {
    let mut attache = Attache::sandbox();
    let call = &FaceCall::all(&attache)[0];
    let caller = Caller::all(&attache.facts()).into_iter().find(|caller| caller.publisher == call.publisher).unwrap();
    attache.admin(Method::DELETE, &format!("/admin/v1/clients/{}/{}", caller.publisher, caller.id)).says(200);
    attache.post(&call.path).bearer(&call.token).json(&call.body).says(401);
    attache.kill();
    attache.start();
    attache.post(&call.path).bearer(&call.token).json(&call.body).says(401);
    // A namesake doesn't inherit the token.
    attache.register(&json!({"publisher": caller.publisher, "client_id": caller.id, "client_secret": caller.secret}));
    attache.post(&call.path).bearer(&call.token).json(&call.body).says(401);
}

#[test]
fn an_auth_req_id_is_good_once_even_when_the_server_is_killed_in_between() {
    let mut attache = Attache::sandbox();
    let facts = attache.facts();
    for publisher in ["telefonica", "vonage", "camara"] {
        let caller = Caller::all(&facts).into_iter().find(|caller| caller.publisher == publisher).unwrap();
        let scope = facts["publishers"][publisher]["faces"][0]["scope"].as_str().unwrap();
        let used = caller.auth_req_id(&attache, scope);
        let unused = caller.auth_req_id(&attache, scope);
        let fetch = |attache: &Attache, id: &str, status: u16| {
            attache
                .post(&caller.token_path)
                .basic(&caller.id, &caller.secret)
                .form(&[("grant_type", CIBA), ("auth_req_id", id)])
                .says(status)
        };
        fetch(&attache, &used, 200);
        attache.kill();
        attache.start();
        assert_eq!(fetch(&attache, &used, 400).text("error"), "invalid_grant", "{publisher}");
        fetch(&attache, &unused, 200);
        attache.kill();
        attache.start();
        assert_eq!(fetch(&attache, &unused, 400).text("error"), "invalid_grant", "{publisher}");
    }
}

#[test]
fn a_code_is_good_once_even_when_the_server_is_killed_in_between() {
    let mut attache = Attache::sandbox();
    let facts = attache.facts();
    for publisher in ["telefonica", "camara"] {
        let caller = Caller::all(&facts).into_iter().find(|caller| caller.publisher == publisher).unwrap();
        let facts = &facts["publishers"][publisher];
        let path = crate::callers::path_of(&facts["authorization_endpoint"]);
        let redirect_uri = facts["clients"][0]["redirect_uris"][0].as_str().unwrap();
        let scope = caller.asked_scope(facts["faces"][0]["scope"].as_str().unwrap());
        let hint = format!("tel:{}", caller.line());
        let code = |attache: &Attache| {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs([("client_id", caller.id.as_str()), ("response_type", "code"), ("scope", &scope)])
                .extend_pairs([("redirect_uri", redirect_uri), ("login_hint", &hint), ("state", "s")])
                .finish();
            let answer = attache.get(&format!("{path}?{query}")).says(302);
            let location: url::Url = answer.header("location").parse().unwrap();
            location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
        };
        let fetch = |attache: &Attache, code: &str, status: u16| {
            let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect_uri)];
            attache.post(&caller.token_path).basic(&caller.id, &caller.secret).form(&form).says(status)
        };
        let (used, unused) = (code(&attache), code(&attache));
        fetch(&attache, &used, 200);
        attache.kill();
        attache.start();
        assert_eq!(fetch(&attache, &used, 400).text("error"), "invalid_grant", "{publisher}");
        fetch(&attache, &unused, 200);
        attache.kill();
        attache.start();
        assert_eq!(fetch(&attache, &unused, 400).text("error"), "invalid_grant", "{publisher}");
    }
}

/// What one operator was told, and what it asked for last.
#[derive(Default)]
struct Ledger {
    /// How many moves of its line were acknowledged.
    moves: usize,
    /// Lines that it added, by the acknowledgements.
    added: Vec<String>,
    /// Lines of these that it removed again.
    removed: HashSet<String>,
    /// Clients that it registered.
    clients: Vec<String>,
    /// The line that a request under way adds or removes.
    in_doubt: Option<String>,
}

/// An operator who changes things as fast as the server takes it, until no answer comes.
struct Operator {
    index: usize,
    http: Client,
    url: String,
    token: String,
    ledger: Ledger,
    acknowledged: Arc<AtomicUsize>,
}

impl Operator {
    /// Whether a request was acknowledged; `None` if the server is gone.
    fn asks(&self, method: Method, path: &str, body: &Value) -> Option<()> {
        let url = format!("{}/admin/v1{path}", self.url);
        let answer = self.http.request(method, url).bearer_auth(&self.token).json(body).send().ok()?;
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        Some(())
    }

    fn line(index: usize) -> String {
        format!("+3363998000{}", index + 1)
    }

    fn works(mut self) -> Ledger {
        while self.one_round().is_some() {}
        self.ledger
    }

    fn one_round(&mut self) -> Option<()> {
        let plmn = PLMNS[(self.ledger.moves + 1) % PLMNS.len()];
        self.asks(Method::POST, &format!("/lines/{}/roam", Self::line(self.index)), &json!({"plmn": plmn}))?;
        self.ledger.moves += 1;

        let number = format!("+4915{}{:06}", self.index, self.ledger.added.len());
        self.ledger.in_doubt = Some(number.clone());
        self.asks(Method::POST, "/lines", &json!({"phone_number": number, "home_plmn": "26201"}))?;
        self.ledger.added.push(number);

        if self.ledger.added.len().is_multiple_of(3) {
            let number = self.ledger.added[self.ledger.added.len() - 3].clone();
            self.ledger.in_doubt = Some(number.clone());
            self.asks(Method::DELETE, &format!("/lines/{number}"), &json!({}))?;
            self.ledger.removed.insert(number);
        }
        self.ledger.in_doubt = None;

        let id = format!("client-{}-{}", self.index, self.ledger.clients.len());
        let client = json!({"publisher": "camara", "client_id": id, "client_secret": "a-secret"});
        self.asks(Method::POST, "/clients", &client)?;
        self.ledger.clients.push(id);
        Some(())
    }
}

#[test]
fn every_acknowledged_change_outlives_twenty_kills_under_load() {
    let mut attache = Attache::sandbox();
    let mut dice = Dice(2026);
    let http = Client::builder().no_proxy().timeout(BOUND).build().unwrap();
    let mut ledgers: Vec<Ledger> = (0..4).map(|_| Ledger::default()).collect();
    for kill in 0..20 {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let operators: Vec<_> = ledgers
            .drain(..)
            .enumerate()
            .map(|(index, ledger)| {
                let operator = Operator {
                    index,
                    http: http.clone(),
                    url: attache.url(""),
                    token: attache.admin_token(),
                    ledger,
                    acknowledged: Arc::clone(&acknowledged),
                };
                thread::spawn(|| operator.works())
            })
            .collect();
        let enough = 1 + dice.throw(60);
        eventually("changes are acknowledged", || (acknowledged.load(Ordering::Relaxed) >= enough).then_some(()));
        attache.kill();
        ledgers = operators.into_iter().map(|operator| operator.join().unwrap()).collect();
        attache.start();
        check(&attache, &mut ledgers, kill);
    }
}

/// Holds what the server knows against what the operators were told.
fn check(attache: &Attache, ledgers: &mut [Ledger], kill: usize) {
    let page = attache.admin(Method::GET, "/admin/v1/lines?limit=10000").says(200).json();
    let lines: HashMap<&str, &Value> =
        page["lines"].as_array().unwrap().iter().map(|line| (line["phone_number"].as_str().unwrap(), line)).collect();
    let clients = attache.admin(Method::GET, "/admin/v1/clients").says(200).json();
    let clients: HashSet<&str> =
        clients["clients"].as_array().unwrap().iter().map(|client| client["client_id"].as_str().unwrap()).collect();
    for (index, ledger) in ledgers.iter_mut().enumerate() {
        let now = lines[Operator::line(index).as_str()]["serving_plmn"].as_str().unwrap();
        // The one that was under way may have been done.
        let told = PLMNS[ledger.moves % PLMNS.len()];
        let next = PLMNS[(ledger.moves + 1) % PLMNS.len()];
        if now == next {
            ledger.moves += 1;
        } else if ledger.moves > 0 {
            assert_eq!(now, told, "kill {kill}: a move of operator {index} is lost");
        }
        for number in &ledger.added {
            let is_known = lines.contains_key(number.as_str());
            if ledger.in_doubt.as_ref() != Some(number) {
                assert_eq!(is_known, !ledger.removed.contains(number), "kill {kill}: {number}");
            }
        }
        for id in &ledger.clients {
            assert!(clients.contains(id.as_str()), "kill {kill}: the client {id} is lost");
        }
        // What was in doubt is settled, so that the next round begins well.
        if let Some(number) = ledger.in_doubt.take() {
            match (ledger.added.contains(&number), lines.contains_key(number.as_str())) {
                (false, true) => ledger.added.push(number),
                (true, false) => drop(ledger.removed.insert(number)),
                _ => {}
            }
        }
        let next = format!("client-{index}-{}", ledger.clients.len());
        if clients.contains(next.as_str()) {
            ledger.clients.push(next);
        }
    }
}

/// All records of queries in the audit log.
fn audit_records(attache: &Attache) -> Vec<Value> {
    let mut records = Vec::new();
    for entry in fs::read_dir(attache.data_dir().join("audit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().unwrap() != "jsonl" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // A line that was being written when the server was killed was of no answer.
        let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.extend(whole.filter(|record| record["event"] == "query"));
    }
    records
}

#[test]
fn the_audit_record_of_every_answered_query_outlives_a_kill() {
    let mut attache = Attache::sandbox();
    let calls = Arc::new(FaceCall::all(&attache));
    let http = Client::builder().no_proxy().timeout(BOUND).build().unwrap();
    let answered: Arc<Mutex<Vec<String>>> = Arc::default();
    for kill in 0..5 {
        let before = answered.lock().unwrap().len();
        let is_killed = Arc::new(AtomicBool::new(false));
        let askers: Vec<_> = (0..4)
            .map(|asker| {
                let (calls, answered) = (Arc::clone(&calls), Arc::clone(&answered));
                let is_killed = Arc::clone(&is_killed);
                let (http, url) = (http.clone(), attache.url(""));
                thread::spawn(move || {
                    for index in 0.. {
                        let call = &calls[index % calls.len()];
                        let correlator = format!("k{kill}-a{asker}-i{index}");
                        let request = http.post(format!("{url}{}", call.path)).bearer_auth(&call.token);
                        let request = request.header("x-correlator", &correlator).json(&call.body);
                        let answer = match request.send() {
                            Ok(answer) => answer,
                            Err(_) if is_killed.load(Ordering::SeqCst) => return,
                            // What was not answered, such as on a connection of the server before, proves nothing.
                            Err(_) => continue,
                        };
                        assert_eq!(answer.status(), 200, "{}", call.path);
                        answered.lock().unwrap().push(correlator);
                    }
                })
            })
            .collect();
        eventually("queries are answered", || (answered.lock().unwrap().len() > before + 100).then_some(()));
        is_killed.store(true, Ordering::SeqCst);
        attache.kill();
        for asker in askers {
            asker.join().unwrap();
        }
        attache.start();
    }
    let records = audit_records(&attache);
    let recorded: HashMap<&str, &Value> =
        records.iter().map(|record| (record["correlator"].as_str().unwrap(), record)).collect();
    let answered = answered.lock().unwrap();
    for correlator in answered.iter() {
        assert!(recorded.contains_key(correlator.as_str()), "the answer {correlator} has no record");
    }
    assert_eq!(recorded.len(), records.len(), "an answer is recorded twice");
    assert!(records.len() <= answered.len() + 5 * 4, "what was under way is all that may be recorded beside");

    for record in &records {
        for field in ["at", "publisher", "client_id", "action", "subject", "purpose", "correlator", "outcome"] {
            assert!(record[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {record}");
        }
        assert_eq!(record["outcome"], "answered");
    }
    // One line has one pseudonym, at whatever face it is asked about; another has another.
    let subjects = |publisher: &str| -> HashSet<&str> {
        let of = records.iter().filter(|record| record["publisher"] == publisher);
        of.map(|record| record["subject"].as_str().unwrap()).collect()
    };
    assert_eq!(subjects("camara"), subjects("orange"), "both ask about the same line");
    assert_eq!((subjects("camara").len(), subjects("telefonica").len(), subjects("vonage").len()), (1, 1, 1));
    assert!(subjects("camara").is_disjoint(&subjects("telefonica")));
    for entry in fs::read_dir(attache.data_dir().join("audit")).unwrap() {
        let text = String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()).into_owned();
        for number in ["33699901032", "34666666666", "123456789"] {
            assert!(!text.contains(number), "a number stands in the audit log");
        }
    }
}

#[test]
fn a_refused_query_about_a_line_leaves_a_record_too() {
    let attache = Attache::sandbox();
    let calls = FaceCall::all(&attache);
    let call = calls.iter().find(|call| call.publisher == "camara").unwrap();
    let body = json!({"device": {"phoneNumber": "+33600000000"}});
    attache.post(&call.path).bearer(&call.token).header("x-correlator", "unknown-one").json(&body).says(404);
    let records = audit_records(&attache);
    let record = records.iter().find(|record| record["correlator"] == "unknown-one").unwrap();
    assert_eq!(record["outcome"], "unknown_line");
}

#[test]
fn a_second_server_on_the_same_data_is_refused_with_a_sentence() {
    let attache = Attache::sandbox();
    let mut second = program(attache.data_dir());
    second.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(attache.data_dir());
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.stdout, b"");
    assert!(told.contains("in use by another process") && told.contains("data directory"), "{told}");
    assert!(told.contains(attache.data_dir().to_str().unwrap()), "{told}");
    // The first one goes on, and is still found.
    assert!(attache.command(&["line", "show", "+33699901032"]).status.success());
}

#[test]
fn a_request_under_way_ends_when_the_server_is_asked_to_stop() {
    use crate::by_hand::{Connection, Head};

    let mut attache = Attache::sandbox();
    let calls = FaceCall::all(&attache);
    let call = &calls[0];
    let body = call.body.to_string();
    let head = Head::new("POST", &call.path)
        .with("authorization", format!("Bearer {}", call.token))
        .with("content-type", "application/json")
        .with("expect", "100-continue")
        .with("content-length", body.len().to_string());
    let mut connection = Connection::to(&attache);
    connection.send(&head.followed_by(b""));
    // Once it asks for the body, the request is under way.
    assert_eq!(connection.reply().unwrap().status, 100);
    let finishing = thread::spawn(move || {
        connection.send(body.as_bytes());
        connection.reply().unwrap().status
    });
    assert!(attache.stop().success());
    assert_eq!(finishing.join().unwrap(), 200);
    assert!(!attache.data_dir().join("server.json").exists(), "nobody is found there any more");
}

#[test]
fn a_stop_waits_no_longer_than_it_is_told_to() {
    use crate::by_hand::{Connection, Head};

    let mut attache =
        Attache::with_environment(&[], &[("ATTACHE_SHUTDOWN_GRACE", "100ms"), ("ATTACHE_BODY_TIMEOUT", "1h")]);
    let calls = FaceCall::all(&attache);
    let head = Head::new("POST", &calls[0].path)
        .with("authorization", format!("Bearer {}", calls[0].token))
        .with("content-type", "application/json")
        .with("expect", "100-continue")
        .with("content-length", "100");
    let mut connection = Connection::to(&attache);
    connection.send(&head.followed_by(b""));
    assert_eq!(connection.reply().unwrap().status, 100);
    // Its body might have taken an hour.
    assert!(attache.stop().success());
}
