//! Every path of the server, walked: without credentials, with tokens that aren't meant for it, and by one
//! client for what is another's.
//!
//! The paths are those that the running server tells its log. So a new one fails here until it refuses
//! everyone who has no business there, or has its place in a table below. The tables are exact: an entry that
//! isn't needed any more fails too.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authorization::{REDIRECT_URI, VERIFIER, challenge},
    faces::{App, CAMARA, CIBA, ORANGE, TELEFONICA, VONAGE},
    harness::{Answer, Attache},
    sink::Sink,
};

/// The paths that answer without a credential, and why. `*` stands for any text.
const PUBLIC: [(&str, &str); 14] = [
    ("*/.well-known/openid-configuration", "clients discover a server before they know it"),
    ("*/.well-known/oauth-authorization-server", "the same by RFC 8414"),
    ("/.well-known/oauth-authorization-server/*", "the same, where RFC 8414 section 3.1 looks"),
    ("*/.well-known/jwks.json", "keys to verify by are public"),
    ("*/authorize", "a browser comes with no credential; nothing is given before the subscriber is known"),
    ("/consent", "a subscriber's page: the network, and what only the browser knows, say who it is"),
    ("/self-care", "a subscriber's page, as above"),
    ("/self-care/consents", "the same for programs; whom the network does not know is told nothing"),
    ("/pages.css", "the look of these pages"),
    ("/docs*", "the documentation"),
    ("/sandbox", "in a sandbox only: its demo credentials are for everyone"),
    ("/healthz", "whoever starts it asks whether it lives; it tells no more"),
    ("/readyz", "as above"),
    ("/metrics", "open in a sandbox, and on the operator's own address; else production wants the admin token"),
];

/// What at a path belongs to one client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Owned {
    /// One subscription, by its identifier in the path.
    Subscription,
    /// The subscriptions of the client that asks.
    Subscriptions,
    /// What leads to a token: a code, an `auth_req_id`, a refresh token.
    Grant,
    /// A token that is told about.
    IntrospectedToken,
    /// A token that is ended.
    RevokedToken,
}

/// The paths at which there is something that belongs to one client.
const OWNED: [(&str, Owned); 5] = [
    ("*/subscriptions/{id}", Owned::Subscription),
    ("*/subscriptions", Owned::Subscriptions),
    ("*/token", Owned::Grant),
    ("*/introspect", Owned::IntrospectedToken),
    ("*/revoke", Owned::RevokedToken),
];

/// The paths that need a credential, but at which nothing belongs to a client, and why.
const NOT_OWNED: [(&str, &str); 6] = [
    ("*/retrieve", "a question about a line, to which the token is bound or not"),
    ("*/roaming", "as above"),
    ("*/connectivity", "as above"),
    ("*/bc-authorize", "it begins something new"),
    ("*/subscriptions/", "whoever may ask is told that an identifier is missing, and nothing else"),
    ("*/userinfo", "it tells about the token that is sent, and names no other"),
];

/// Whoever has the credentials of `app` at the publisher below `root`.
struct Publisher {
    root: &'static str,
    name: &'static str,
    app: App,
    line: &'static str,
    scope: &'static str,
}

const PUBLISHERS: [Publisher; 4] = [
    Publisher { root: "/orange", name: "orange", app: ORANGE, line: "", scope: "" },
    Publisher {
        root: "/telefonica",
        name: "telefonica",
        app: TELEFONICA,
        line: "+34777777777",
        scope: "dpv:FraudPreventionAndDetection#device-status-roaming-read",
    },
    Publisher {
        root: "/vonage",
        name: "vonage",
        app: VONAGE,
        line: "+123456789",
        scope: "dpv:NotApplicable#device-status:roaming:read",
    },
    Publisher {
        root: "",
        name: "camara",
        app: CAMARA,
        line: "+33639980001",
        scope: "dpv:FraudPreventionAndDetection device-roaming-status:read",
    },
];

/// The publisher below whose root a path lies.
fn publisher_of(path: &str) -> &'static Publisher {
    PUBLISHERS.iter().find(|publisher| path.starts_with(publisher.root)).unwrap()
}

impl Publisher {
    const fn client(&self, id: &'static str, secret: &'static str) -> App {
        App { id, secret, ..self.app }
    }

    fn owner(&self) -> App {
        self.client("owner", "owner-secret")
    }

    fn stranger(&self) -> App {
        self.client("stranger", "stranger-secret")
    }

    fn has_subscribers(&self) -> bool {
        !self.app.backchannel_path.is_empty()
    }

    /// A token that is good for one scope only.
    fn token(&self, attache: &Attache, app: &App, scope: &str) -> String {
        if self.has_subscribers() {
            app.three_legged(attache, self.line, scope)
        } else {
            app.two_legged(attache, scope)
        }
    }
}

fn server() -> Attache {
    let levels = "warn,attache_server::routes=debug";
    let mut attache =
        Attache::with(&["--vwip", "--allow-http-sinks", "--no-request-log", "--log-format", "json", "--log", levels]);
    // What it has logged is complete once it has ended.
    attache.stop();
    attache.start();
    attache
}

/// Every path of the server, as it tells them itself.
fn paths(attache: &Attache) -> BTreeSet<String> {
    let lines = attache.logged();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let paths: BTreeSet<String> = lines
        .filter(|line| line["message"] == "serves")
        .map(|line| line["path"].as_str().unwrap().to_owned())
        .collect();
    assert!(paths.contains("/admin/v1/lines") && paths.contains(CAMARA.token_path), "{paths:?}");
    paths
}

fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, end)) => path.starts_with(start) && path.ends_with(end),
    }
}

/// What a table says of a path.
fn entry_of<'a, T>(table: &'a [(&'static str, T)], path: &str) -> Option<&'a T> {
    table.iter().find(|(pattern, _)| fits(pattern, path)).map(|(_, entry)| entry)
}

fn is_public(path: &str) -> bool {
    entry_of(&PUBLIC, path).is_some()
}

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    path.replace("{number}", "+33639980001")
        .replace("{publisher}", "camara")
        .replace("{client_id}", "camara-demo")
        .replace("{id}", "0190b3a2-7d5f-7c3e-8f21-1a2b3c4d5e6f")
        .replace("{*rest}", "v1/nothing")
}

/// One way to ask at a path.
#[derive(Clone, Debug)]
struct Way {
    path: String,
    method: Method,
    content_type: &'static str,
    body: &'static str,
}

impl Way {
    /// Every way to ask at a path: with each method, and with a body of each kind.
    fn all(path: &str) -> Vec<Self> {
        let path = filled(path);
        assert!(!path.contains('{'), "nothing is known to put into {path}");
        let form = "grant_type=client_credentials&token=a&login_hint=tel%3A%2B33639980001";
        let bodies = [("application/json", "{}"), ("application/x-www-form-urlencoded", form)];
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let ways = methods.into_iter().flat_map(|method| bodies.map(|body| (method.clone(), body)));
        ways.map(|(method, (content_type, body))| Self { path: path.clone(), method, content_type, body }).collect()
    }

    fn ask(&self, attache: &Attache, token: Option<&str>) -> Answer {
        let request = attache.request(self.method.clone(), &self.path);
        let request = if self.method == Method::GET { request } else { request.body(self.content_type, self.body) };
        match token {
            None => request.send(),
            Some(token) => request.bearer(token).send(),
        }
    }
}

/// The ways to ask that are answered by 401 where there is no credential, by path.
fn guarded(attache: &Attache) -> BTreeMap<String, Vec<Way>> {
    let mut guarded = BTreeMap::new();
    for path in paths(attache) {
        let ways: Vec<Way> = Way::all(&path).into_iter().filter(|way| way.ask(attache, None).status == 401).collect();
        if !ways.is_empty() {
            guarded.insert(path, ways);
        }
    }
    guarded
}

#[test]
fn no_path_answers_without_a_credential_but_those_that_are_known_to_be_public() {
    let attache = server();
    let paths = paths(&attache);
    for path in &paths {
        let mut is_guarded = false;
        for way in Way::all(path) {
            let answer = way.ask(&attache, None);
            is_guarded |= answer.status == 401;
            let is_refused = (400..500).contains(&answer.status);
            // A form that is sent without who sends it is answered with the page again.
            let is_shown = way.method == Method::GET || answer.header("content-type").starts_with("text/html");
            assert!(
                is_refused || is_public(path) && is_shown,
                "{way:?} needs no credential: {} {}",
                answer.status,
                answer.body
            );
        }
        let is_public = is_public(path);
        assert!(is_guarded || is_public, "{path} never asks for a credential, and isn't known to be public");
        assert!(!is_guarded || !is_public, "{path} asks for a credential, and needn't stand among the public ones");
    }
    for (pattern, reason) in PUBLIC {
        assert!(paths.iter().any(|path| fits(pattern, path)), "nothing is at {pattern} any more: {reason}");
    }
}

/// Tokens that are each good for one scope of one publisher.
fn narrow_tokens(attache: &Attache) -> Vec<(&'static str, &'static str, String)> {
    let camara = [
        "device-roaming-status:read",
        "device-reachability-status:read",
        "device-status:roaming:read",
        "device-status:connectivity:read",
        "connected-network-type:read",
    ];
    let mut tokens = Vec::new();
    for scope in camara {
        let asked = format!("dpv:FraudPreventionAndDetection {scope}");
        tokens.push(("", scope, CAMARA.two_legged(attache, &asked)));
    }
    for publisher in &PUBLISHERS[..3] {
        tokens.push((publisher.root, publisher.scope, publisher.token(attache, &publisher.app, publisher.scope)));
    }
    let vonage = "dpv:NotApplicable#device-status:connectivity:read";
    tokens.push(("/vonage", vonage, publisher_of("/vonage").token(attache, &VONAGE, vonage)));
    tokens
}

#[test]
fn no_path_takes_a_token_of_another_scope_or_another_publisher() {
    let mut attache = server();
    let tokens = narrow_tokens(&attache);
    for (path, ways) in guarded(&attache) {
        let mut scopes = BTreeSet::new();
        for way in ways {
            for (root, scope, token) in &tokens {
                let mut answer = way.ask(&attache, Some(token));
                if answer.status == 429 {
                    // To the server this is guessing at a client's credential. A restart forgets the guesses.
                    attache.stop();
                    attache.start();
                    answer = way.ask(&attache, Some(token));
                }
                if !matches!(answer.status, 401 | 403) {
                    let own = publisher_of(&path).root;
                    assert_eq!(*root, own, "{way:?} takes a token for {scope}: {}", answer.body);
                    assert!(!path.starts_with("/admin"), "{way:?} takes a client's token: {}", answer.body);
                    scopes.insert(*scope);
                }
            }
        }
        assert!(scopes.len() <= 1, "{path} takes tokens for {scopes:?}");
    }
}

#[test]
fn nothing_of_one_client_is_given_to_another() {
    let attache = server();
    for Publisher { name, .. } in &PUBLISHERS {
        for (id, secret) in [("owner", "owner-secret"), ("stranger", "stranger-secret")] {
            attache.register(&json!({
                "publisher": name, "client_id": id, "client_secret": secret, "redirect_uris": [REDIRECT_URI],
            }));
        }
    }
    // The operator sees everything, and no client anything of the operator's side, as the test above holds.
    let guarded = guarded(&attache).into_keys().filter(|path| !path.starts_with("/admin"));
    let guarded: BTreeSet<String> = guarded.collect();
    for path in &guarded {
        match (entry_of(&OWNED, path), entry_of(&NOT_OWNED, path)) {
            (Some(owned), None) => keeps_to_its_owner(&attache, path, *owned),
            (None, Some(_)) => {}
            (Some(_), Some(_)) => panic!("{path} stands in both tables"),
            (None, None) => panic!("say for {path} what there belongs to one client, or why nothing does"),
        }
    }
    let patterns = OWNED.iter().map(|(pattern, _)| pattern).chain(NOT_OWNED.iter().map(|(pattern, _)| pattern));
    for pattern in patterns {
        assert!(guarded.iter().any(|path| fits(pattern, path)), "nothing is at {pattern} any more");
    }
}

fn keeps_to_its_owner(attache: &Attache, path: &str, owned: Owned) {
    let publisher = publisher_of(path);
    match owned {
        Owned::Subscription => subscription_is_its_owners(attache, path.strip_suffix("/{id}").unwrap()),
        Owned::Subscriptions => subscription_is_its_owners(attache, path),
        Owned::Grant => grants_are_their_owners(attache, path, publisher),
        Owned::IntrospectedToken | Owned::RevokedToken => token_is_its_owners(attache, path, publisher, owned),
    }
}

/// Makes a subscription of the first type that its collection takes, and has another client look for it.
fn subscription_is_its_owners(attache: &Attache, collection: &str) {
    let publisher = publisher_of(collection);
    let metadata = attache.get("/.well-known/openid-configuration").says(200).json();
    let scopes = metadata["scopes_supported"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap());
    let api = collection.split('/').nth(1).unwrap();
    let scopes: Vec<&str> = scopes.filter(|scope| scope.starts_with(&format!("{api}:"))).collect();
    let asked = format!("dpv:FraudPreventionAndDetection {}", scopes.join(" "));
    let owner = publisher.owner().two_legged(attache, &asked);
    let stranger = publisher.stranger().two_legged(attache, &asked);
    let sink = Sink::open();
    let device = json!({"phoneNumber": "+33639980001"});
    let types = scopes.iter().filter_map(|scope| scope.strip_prefix(&format!("{api}:"))?.strip_suffix(":create"));
    let bodies = types.map(|name| {
        json!({
            "protocol": "HTTP", "sink": sink.url(), "types": [name],
            "config": {"subscriptionDetail": {"device": device}},
        })
    });
    let of_device_status = json!({
        "subscriptionDetail": {"device": device, "type": "org.camaraproject.device-status.v0.connectivity-sms"},
        "webhook": {"notificationUrl": sink.url()},
    });
    let made = bodies.chain([of_device_status]).find_map(|body| {
        let answer = attache.post(collection).bearer(&owner).json(&body).send();
        (answer.status == 201).then(|| answer.json())
    });
    let made = made.unwrap_or_else(|| panic!("no subscription could be made at {collection}"));
    let id = made["id"].as_str().or(made["subscriptionId"].as_str()).unwrap();
    let one = format!("{collection}/{id}");
    for method in [Method::GET, Method::DELETE] {
        attache.request(method, &one).bearer(&stranger).says(404);
    }
    let listed = |token: &str| attache.get(collection).bearer(token).says(200).body.contains(id);
    assert!(!listed(&stranger) && listed(&owner), "{collection}");
    attache.get(&one).bearer(&owner).says(200);
    assert!((200..300).contains(&attache.request(Method::DELETE, &one).bearer(&owner).send().status), "{one}");
}

fn grants_are_their_owners(attache: &Attache, path: &str, publisher: &Publisher) {
    if !publisher.has_subscribers() {
        return;
    }
    let (owner, stranger) = (publisher.owner(), publisher.stranger());
    let only_the_owner_gets = |grant: &[(&str, &str)]| {
        let asked = |app: &App| attache.post(path).basic(app.id, app.secret).form(grant);
        let refused = asked(&stranger).says(400);
        assert!(!refused.body.contains("access_token"), "{path}: {}", refused.body);
        asked(&owner).says(200).json()
    };
    let hint = format!("tel:{}", publisher.line);
    let mut request = vec![("login_hint", hint.as_str()), ("scope", publisher.scope)];
    let refreshable = format!("{} offline_access", publisher.scope);
    if publisher.root.is_empty() {
        request[1].1 = &refreshable;
    }
    let id = owner.bc_authorize(attache, &request).says(200).text("auth_req_id");
    let tokens = only_the_owner_gets(&[("grant_type", CIBA), ("auth_req_id", &id)]);
    if publisher.root.is_empty() {
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        only_the_owner_gets(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]);
    }

    let metadata = attache.get(&format!("{}/.well-known/openid-configuration", publisher.root)).says(200).json();
    let Some(address) = metadata["authorization_endpoint"].as_str() else { return };
    let challenge = challenge();
    let parameters = [
        ("response_type", "code"),
        ("client_id", owner.id),
        ("redirect_uri", REDIRECT_URI),
        ("scope", publisher.scope),
        ("state", "a state"),
        ("login_hint", &hint),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let sent = attache.get(&format!("{}?{query}", address.strip_prefix(&attache.url("")).unwrap())).says(302);
    let location: url::Url = sent.header("location").parse().unwrap();
    let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1;
    only_the_owner_gets(&[
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ]);
}

fn token_is_its_owners(attache: &Attache, path: &str, publisher: &Publisher, what: Owned) {
    let (owner, stranger) = (publisher.owner(), publisher.stranger());
    let token = publisher.token(attache, &owner, publisher.scope);
    let ask = |path: &str, app: &App| attache.post(path).basic(app.id, app.secret).form(&[("token", &token)]);
    let introspection = path.replace("/revoke", "/introspect");
    let is_active = |app: &App| ask(&introspection, app).says(200).json()["active"].as_bool().unwrap();
    assert!(!is_active(&stranger) && is_active(&owner), "{introspection}");
    if what == Owned::RevokedToken {
        ask(path, &stranger).says(400);
        assert!(is_active(&owner), "{path}: a stranger has revoked it");
        ask(path, &owner).says(200);
        assert!(!is_active(&owner), "{path}");
    }
}
