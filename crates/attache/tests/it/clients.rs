//! Clients: how they are registered and changed, how they prove who they are, and what they sign.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use aws_lc_rs::{
    digest,
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp, jwk::Jwk};
use reqwest::Method;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::{
    authority::Authority,
    authorization::{BY_ASSERTION, Signer, assertion},
    faces::{CAMARA, CIBA, VONAGE},
    harness::{Answer, Attache, Request, eventually},
};

const SCOPE: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read";
const ROAMING: &str = "/device-roaming-status/v1/retrieve";
const BODY: &str = r#"{"device": {"phoneNumber": "+33639980001"}}"#;
const HINT: &str = "tel:+33639980001";
const REDIRECT_URI: &str = "http://localhost:3000/callback";
const SHOP: &str = "/admin/v1/clients/camara/shop";

const ONE_SECRET: &str = "kS3jv9_Qx0TzR1-mB7nYpAeF";
const OTHER_SECRET: &str = "Zt8wLq2_Hc5RdV9-uJ4mXsNy";

fn register_shop(attache: &Attache, fields: &Value) {
    let mut client = json!({"publisher": "camara", "client_id": "shop"});
    client.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    attache.register(&client);
}

/// Changes the client as it was seen.
fn patch(attache: &Attache, tag: &str, changes: &Value) -> Request {
    attache.admin(Method::PATCH, SHOP).header("if-match", tag).json(changes)
}

fn shown(attache: &Attache) -> Answer {
    attache.admin(Method::GET, SHOP).says(200)
}

fn token_with(attache: &Attache, parameters: &[(&str, &str)]) -> Request {
    let grant = [("grant_type", "client_credentials"), ("scope", SCOPE)];
    attache.post(CAMARA.token_path).form(&[&grant, parameters].concat())
}

fn token_by_secret(attache: &Attache, secret: &str) -> Request {
    token_with(attache, &[]).basic("shop", secret)
}

fn is_oauth_error(answer: &Answer, code: &str) {
    assert_eq!(answer.json()["error"], code, "{}", answer.body);
}

#[test]
fn a_client_is_changed_by_whoever_has_seen_it_as_it_is() {
    let attache = Attache::sandbox();
    register_shop(&attache, &json!({"client_secret": ONE_SECRET, "plan": {"rate": "10/s", "quota": "7/day"}}));
    let seen = shown(&attache);
    let tag = seen.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with("-1\""), "{tag}");
    let blind = attache.admin(Method::PATCH, SHOP).json(&json!({"name": "The Shop"})).says(428);
    assert_eq!(blind.text("code"), "PRECONDITION_REQUIRED");
    assert_eq!(shown(&attache).body, seen.body);

    let changed = patch(
        &attache,
        &tag,
        &json!({
            "name": "The Shop", "organisation": "Shops & Sons", "grants": ["client_credentials"],
            "plan": {"quota": null}, "sector": "shop.example", "dpop_required": false,
        }),
    );
    let changed = changed.says(200);
    let client = changed.json();
    assert_eq!((&client["name"], &client["organisation"]), (&json!("The Shop"), &json!("Shops & Sons")));
    assert_eq!((&client["grants"], &client["sector"]), (&json!(["client_credentials"]), &json!("shop.example")));
    assert_eq!(client["plan"], json!({"rate": "10/s", "burst": 10}));
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(shown(&attache).body, changed.body);

    let late = patch(&attache, &tag, &json!({"name": "Another Shop"})).says(412);
    assert_eq!(late.text("code"), "PRECONDITION_FAILED");
    for (wrong, word) in [
        (json!({"nam": "x"}), "nam"),
        (json!({"client_id": "x"}), "client_id"),
        (json!({"name": ""}), "name"),
        (json!({"name": "pohs\u{202e}"}), "name"),
        (json!({"grants": ["implicit"]}), "client_credentials"),
        (json!({"authentication_methods": ["private_key_jwt"]}), "keys"),
        (json!({"authentication_methods": ["application_token"]}), "keys"),
        (json!({"authentication_methods": ["none"]}), "public"),
        (json!({"signed_requests_required": true}), "keys"),
        (json!({"scopes": ["everything"]}), "scopes"),
        (json!({"purposes": null}), "purposes"),
        (json!({"jwks_uri": "ftp://shop.example/"}), "jwks_uri"),
        (json!({"sector": "https://shop.example"}), "sector"),
    ] {
        let refused = patch(&attache, changed.header("etag"), &wrong).says(400);
        assert!(refused.text("message").contains(word), "{wrong}: {}", refused.body);
    }
    assert_eq!(shown(&attache).body, changed.body, "what is refused changes nothing");
    let nobody = attache.admin(Method::PATCH, "/admin/v1/clients/camara/nobody").header("if-match", "*");
    assert_eq!(nobody.json(&json!({})).says(404).text("code"), "UNKNOWN_CLIENT");
    let stale = attache.admin(Method::DELETE, SHOP).header("if-match", &tag).says(412);
    assert_eq!(stale.text("code"), "PRECONDITION_FAILED");
    attache.admin(Method::DELETE, SHOP).header("if-match", changed.header("etag")).says(200);
}

#[test]
fn of_two_administrators_who_edit_at_once_neither_loses_a_change() {
    const EACH: usize = 8;
    let mut attache = Attache::sandbox();
    register_shop(&attache, &json!({"client_secret": ONE_SECRET}));
    let add = |attache: &Attache, who: &str, number: usize| {
        // Each reads, adds its own, and writes; and begins anew when the other was faster.
        eventually("the change is in", || {
            let seen = shown(attache);
            let mut uris = seen.json()["redirect_uris"].as_array().unwrap().clone();
            uris.push(json!(format!("https://shop.example/{who}/{number}")));
            let answer = patch(attache, seen.header("etag"), &json!({"redirect_uris": uris})).send();
            assert!(matches!(answer.status, 200 | 412), "{}", answer.body);
            (answer.status == 200).then_some(())
        });
    };
    thread::scope(|scope| {
        for who in ["one", "other"] {
            let (attache, add) = (&attache, &add);
            scope.spawn(move || (0..EACH).for_each(|number| add(attache, who, number)));
        }
    });
    attache.kill();
    attache.start();
    let seen = shown(&attache);
    let uris = seen.json()["redirect_uris"].as_array().unwrap().clone();
    for (who, number) in ["one", "other"].into_iter().flat_map(|who| (0..EACH).map(move |number| (who, number))) {
        assert!(uris.contains(&json!(format!("https://shop.example/{who}/{number}"))), "{who} {number}: {uris:?}");
    }
    assert_eq!(uris.len(), 2 * EACH);
    assert!(seen.header("etag").ends_with(&format!("-{}\"", 2 * EACH + 1)));
}

#[test]
fn a_secret_is_rotated_while_the_one_before_is_good_still() {
    let mut attache = Attache::sandbox();
    register_shop(&attache, &json!({"client_secret": ONE_SECRET}));
    let rotate = |attache: &Attache, body: &Value| attache.admin(Method::POST, &format!("{SHOP}/secrets")).json(body);
    let made = rotate(&attache, &json!({})).says(200);
    let new = made.text("client_secret");
    assert_eq!((new.len(), made.json()["secrets"].as_array().unwrap().len()), (43, 2), "{}", made.body);
    attache.kill();
    attache.start();
    for secret in [ONE_SECRET, &new] {
        token_by_secret(&attache, secret).says(200);
    }
    assert_eq!(shown(&attache).json().get("client_secret"), None, "it is told once");
    assert_eq!(rotate(&attache, &json!({})).says(409).text("code"), "TWO_SECRETS");
    attache.admin(Method::DELETE, &format!("{SHOP}/secrets/previous")).says(200);
    is_oauth_error(&token_by_secret(&attache, ONE_SECRET).says(401), "invalid_client");
    token_by_secret(&attache, &new).says(200);

    let past = rotate(&attache, &json!({"previous_ends_at": "2020-01-01T00:00:00Z"})).says(400);
    assert!(past.text("message").contains("future"), "{}", past.body);
    let soon = get_current_timestamp() + 2;
    let end = jiff::Timestamp::from_second(soon.try_into().unwrap()).unwrap();
    rotate(&attache, &json!({"client_secret": OTHER_SECRET, "previous_ends_at": end.to_string()})).says(200);
    token_by_secret(&attache, OTHER_SECRET).says(200);
    let refused = eventually("the one before ends at its time", || {
        let answer = token_by_secret(&attache, &new).send();
        (answer.status == 401).then_some(answer)
    });
    is_oauth_error(&refused, "invalid_client");
    assert!(get_current_timestamp() >= soon);
    assert_eq!(shown(&attache).json()["secrets"].as_array().unwrap().len(), 1);
    token_by_secret(&attache, OTHER_SECRET).says(200);
}

#[test]
fn a_client_gets_tokens_in_the_ways_that_it_is_registered_for_and_in_no_other() {
    let attache = Attache::sandbox();
    register_shop(
        &attache,
        &json!({"client_secret": ONE_SECRET, "grants": ["client_credentials"], "redirect_uris": [REDIRECT_URI]}),
    );
    token_by_secret(&attache, ONE_SECRET).says(200);
    let form = [("login_hint", HINT), ("scope", SCOPE)];
    let refused = attache.post(CAMARA.backchannel_path).basic("shop", ONE_SECRET).form(&form).says(400);
    is_oauth_error(&refused, "unauthorized_client");
    let refused = attache
        .post(CAMARA.token_path)
        .basic("shop", ONE_SECRET)
        .form(&[("grant_type", CIBA), ("auth_req_id", "x")])
        .says(400);
    is_oauth_error(&refused, "unauthorized_client");
    let sent_back = authorize(&attache, &[("client_id", "shop"), ("scope", SCOPE), ("login_hint", HINT)]);
    assert!(sent_back.contains("error=unauthorized_client"), "{sent_back}");
}

/// Where the authorization endpoint sends a browser.
fn authorize(attache: &Attache, parameters: &[(&str, &str)]) -> String {
    let usual = [("response_type", "code"), ("redirect_uri", REDIRECT_URI)];
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(usual).extend_pairs(parameters);
    attache.get(&format!("/oauth2/authorize?{}", query.finish())).says(302).header("location").to_owned()
}

#[test]
fn a_public_client_has_no_secret_and_gets_no_token_for_itself() {
    let attache = Attache::sandbox();
    register_shop(&attache, &json!({"authentication_methods": ["none"], "redirect_uris": [REDIRECT_URI]}));
    let client = shown(&attache).json();
    assert_eq!((&client["has_secret"], client.get("client_secret")), (&json!(false), None));
    is_oauth_error(&token_with(&attache, &[("client_id", "shop")]).says(400), "unauthorized_client");
    let without_pkce = authorize(&attache, &[("client_id", "shop"), ("scope", SCOPE), ("login_hint", HINT)]);
    assert!(without_pkce.contains("error=invalid_request"), "{without_pkce}");
}

#[test]
fn a_client_authenticates_only_in_the_ways_that_it_is_registered_for() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    register_shop(
        &attache,
        &json!({
            "client_secret": ONE_SECRET, "keys": [signer.public],
            "authentication_methods": ["private_key_jwt", "client_secret_post"],
        }),
    );
    token_with(&attache, &[("client_id", "shop"), ("client_secret", ONE_SECRET)]).says(200);
    is_oauth_error(&token_by_secret(&attache, ONE_SECRET).says(401), "invalid_client");
    token_with(&attache, &by(&signed_by(&signer, &attache, "1"))).says(200);
}

/// An assertion of the shop for CAMARA's token endpoint.
fn signed_by(signer: &Signer, attache: &Attache, id: &str) -> String {
    let mut claims = assertion(&attache.url(CAMARA.token_path), id);
    claims["iss"] = json!("shop");
    claims["sub"] = json!("shop");
    signer.sign(&claims)
}

fn by(assertion: &str) -> [(&'static str, &str); 2] {
    [BY_ASSERTION, ("client_assertion", assertion)]
}

#[test]
fn an_assertion_is_used_once_also_by_a_server_that_was_killed() {
    let mut attache = Attache::with(&["--public-url", "http://attache.example"]);
    let signer = Signer::new();
    register_shop(&attache, &json!({"keys": [signer.public]}));
    let mut claims = assertion("http://attache.example", "1");
    claims["iss"] = json!("shop");
    claims["sub"] = json!("shop");
    let assertion = signer.sign(&claims);
    token_with(&attache, &by(&assertion)).says(200);
    is_oauth_error(&token_with(&attache, &by(&assertion)).says(401), "invalid_client");
    attache.kill();
    attache.start();
    is_oauth_error(&token_with(&attache, &by(&assertion)).says(401), "invalid_client");
    claims["jti"] = json!("2");
    token_with(&attache, &by(&signer.sign(&claims))).says(200);
}

#[test]
fn an_assertion_is_signed_by_each_algorithm_with_a_key_for_it_and_by_a_key_as_long_as_it_is_registered() {
    let attache = Attache::sandbox();
    let algorithms = [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];
    let keys = algorithms.map(|algorithm| (algorithm, key_for(algorithm)));
    let public = keys.each_ref().map(|(_, (_, public))| public);
    register_shop(&attache, &json!({"keys": public}));
    let sign = |algorithm, key: &EncodingKey, id: &str| {
        let mut claims = assertion(&attache.url(CAMARA.token_path), id);
        claims["iss"] = json!("shop");
        claims["sub"] = json!("shop");
        jsonwebtoken::encode(&Header::new(algorithm), &claims, key).unwrap()
    };
    let refused = |assertion: &str| is_oauth_error(&token_with(&attache, &by(assertion)).says(401), "invalid_client");
    for (algorithm, (key, _)) in &keys {
        let good = sign(*algorithm, key, &format!("good {algorithm:?}"));
        let (text, _) = good.rsplit_once('.').unwrap();
        let other = sign(*algorithm, key, &format!("other {algorithm:?}"));
        let (_, signature) = other.rsplit_once('.').unwrap();
        refused(&format!("{text}.{signature}"));
        refused(&sign(*algorithm, &key_for(*algorithm).0, &format!("stranger {algorithm:?}")));
        // What was refused has used nothing up.
        token_with(&attache, &by(&good)).says(200);
        refused(&good);
    }
    // A key that is registered for one algorithm serves no other.
    let [plain, salted, kept, removed] = keys.map(|(_, key)| key);
    refused(&sign(Algorithm::PS256, &plain.0, "crossed"));
    refused(&sign(Algorithm::RS256, &salted.0, "crossed"));
    patch(&attache, "*", &json!({"keys": [kept.1]})).says(200);
    refused(&sign(Algorithm::EdDSA, &removed.0, "removed"));
    token_with(&attache, &by(&sign(Algorithm::ES256, &kept.0, "kept"))).says(200);
}

/// A new key, and its public half for this algorithm alone.
fn key_for(algorithm: Algorithm) -> (EncodingKey, Value) {
    let key = match algorithm {
        Algorithm::ES256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref())
        }
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::generate().unwrap();
            EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref())
        }
        _ => rsa_key().0,
    };
    let public = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
    (key, public)
}

/// A web server that answers everything with one text, which can be changed.
struct Page {
    url: String,
    text: Arc<Mutex<String>>,
    asked: Arc<Mutex<usize>>,
}

impl Page {
    fn serve(text: &Value) -> Self {
        Self::listen(text, None)
    }

    fn listen(text: &Value, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/jwks", listener.local_addr().unwrap());
        let page = Self { url, text: Arc::new(Mutex::new(text.to_string())), asked: Arc::default() };
        let (text, asked) = (Arc::clone(&page.text), Arc::clone(&page.asked));
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let text = text.lock().unwrap().clone();
                match &tls {
                    None => answer(connection, &text, &asked),
                    Some(tls) => {
                        let tls = ServerConnection::new(Arc::clone(tls)).unwrap();
                        answer(StreamOwned::new(tls, connection), &text, &asked);
                    }
                }
            }
        });
        page
    }
}

/// Reads a request and answers it with a text.
fn answer(mut connection: impl Read + Write, text: &str, asked: &Mutex<usize>) {
    let mut head = [0; 4096];
    // Who does not trust this server says nothing.
    if !connection.read(&mut head).is_ok_and(|length| length > 0) {
        return;
    }
    *asked.lock().unwrap() += 1;
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", text.len());
    let _ = connection.write_all((head + text).as_bytes());
}

fn named(signer: &Signer, kid: &str) -> Value {
    let mut key = signer.public.clone();
    key["kid"] = json!(kid);
    key
}

#[test]
fn the_keys_at_a_jwks_uri_are_fetched_and_fetched_again_when_they_change() {
    let attache = Attache::sandbox();
    let (old, new) = (Signer::new(), Signer::new());
    let page = Page::serve(&json!({"keys": [{"kty": "future"}, named(&old, "old")]}));
    register_shop(&attache, &json!({"jwks_uri": page.url}));
    let ask = |signer: &Signer, kid: &str, id: &str| {
        let mut claims = assertion(&attache.url(CAMARA.token_path), id);
        claims["iss"] = json!("shop");
        claims["sub"] = json!("shop");
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
        token_with(&attache, &by(&signer.sign_with(&header, &claims))).send()
    };
    assert_eq!(ask(&old, "old", "1").status, 200);
    assert_eq!(ask(&old, "old", "2").status, 200);
    assert_eq!(*page.asked.lock().unwrap(), 1, "they are remembered");
    for number in 0..20 {
        assert_eq!(ask(&new, "new", &format!("unknown-{number}")).status, 401);
    }
    assert!(*page.asked.lock().unwrap() <= 3, "whoever asks for unknown keys makes no flood");
    *page.text.lock().unwrap() = json!({"keys": [named(&new, "new")]}).to_string();
    let mut number = 0;
    eventually("the new key is known", || {
        number += 1;
        // A failure counts as a guess, so it is not tried too often.
        thread::sleep(std::time::Duration::from_millis(500));
        (ask(&new, "new", &format!("new-{number}")).status == 200).then_some(())
    });
    assert_eq!(ask(&old, "old", "3").status, 401, "a key that is no longer published is none");
}

#[test]
fn a_jwks_uri_is_asked_by_tls_of_an_authority_that_the_operator_trusts() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trusting = Attache::with(&["--jwks-ca", &authority.file()]);
    let signer = Signer::new();
    for (tls, status) in [
        (authority.server("127.0.0.1"), 200),
        (authority.server("shop.example"), 401),
        (stranger.server("127.0.0.1"), 401),
    ] {
        let page = Page::listen(&json!({"keys": [named(&signer, "own")]}), Some(tls));
        register_shop(&trusting, &json!({"jwks_uri": page.url}));
        let mut claims = assertion(&trusting.url(CAMARA.token_path), &page.url);
        claims["iss"] = json!("shop");
        claims["sub"] = json!("shop");
        token_with(&trusting, &by(&signer.sign(&claims))).says(status);
        assert_eq!(*page.asked.lock().unwrap() > 0, status == 200);
        trusting.admin(Method::DELETE, SHOP).says(200);
    }
    for cause in ["UnknownIssuer", "not valid for name"] {
        eventually(&format!("the log tells {cause}"), || trusting.logged().contains(cause).then_some(()));
    }
}

#[test]
fn a_jwks_uri_leads_to_no_network_inside() {
    let attache = Attache::sandbox();
    for uri in [
        "http://10.0.0.1/jwks",
        "http://169.254.169.254/latest/meta-data",
        "http://[fd00::1]/jwks",
        "http://[::ffff:10.0.0.1]/jwks",
        "http://[64:ff9b::a00:1]/jwks",
        "http://0x0a000001/jwks",
        "https://me:secret@shop.example/jwks",
        "file:///etc/passwd",
        "jwks",
    ] {
        let client = json!({"publisher": "camara", "client_id": "shop", "jwks_uri": uri});
        let refused = attache.admin(Method::POST, "/admin/v1/clients").json(&client).says(400);
        assert!(refused.text("message").starts_with("jwks_uri: "), "{uri}: {}", refused.body);
    }
}

/// A key as Vonage's applications have one.
fn rsa_key() -> (EncodingKey, Value) {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    // Behind the 26 bytes that wrap it, it is the PKCS#1 form that is needed here.
    let key = EncodingKey::from_rsa_der(&pkcs8.as_ref()[26..]);
    let public = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::RS256).unwrap()).unwrap();
    (key, public)
}

#[test]
fn an_application_of_vonage_authenticates_with_the_token_that_its_sdk_makes() {
    let attache = Attache::sandbox();
    let (key, public) = rsa_key();
    let application = "78d335fa-323d-0114-9c3d-d6f0d48968cf";
    attache.register(&json!({"publisher": "vonage", "client_id": application, "keys": [public]}));
    let now = get_current_timestamp();
    let token = |algorithm, changes: Value| {
        let mut claims = json!({"application_id": application, "iat": now, "exp": now + 900, "jti": "1"});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap()
    };
    let form = [("login_hint", "tel:+123456789"), ("scope", "dpv:NotApplicable#device-status:roaming:read")];
    let begin = |token: &str| attache.post(VONAGE.backchannel_path).bearer(token).form(&form);
    let good = token(Algorithm::RS256, json!({}));
    let id = begin(&good).says(200).text("auth_req_id");
    let grant = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    let fetch = |token: &str| attache.post(VONAGE.token_path).bearer(token).form(&grant);
    for refused in [
        good.clone(),
        token(Algorithm::PS256, json!({"jti": "2"})),
        token(Algorithm::RS256, json!({"jti": "2", "exp": now - 1})),
        token(Algorithm::RS256, json!({"jti": "2", "exp": now + 100_000})),
        token(Algorithm::RS256, json!({"jti": "2", "iat": now + 600})),
        token(Algorithm::RS256, json!({"jti": ""})),
        token(Algorithm::RS256, json!({"jti": "2", "application_id": "vonage-demo"})),
        "x.y.z".to_owned(),
    ] {
        let answer = fetch(&refused).says(401);
        is_oauth_error(&answer, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    }
    let both = fetch(&token(Algorithm::RS256, json!({"jti": "3"})));
    is_oauth_error(&both.basic(VONAGE.id, VONAGE.secret).says(400), "invalid_request");
    fetch(&token(Algorithm::RS256, json!({"jti": "4"}))).says(200);
    let elsewhere = attache.post(CAMARA.token_path).bearer(&token(Algorithm::RS256, json!({"jti": "5"})));
    let answer = elsewhere.form(&[("grant_type", "client_credentials"), ("scope", SCOPE)]).says(401);
    assert_eq!(answer.header("www-authenticate"), "Basic");
}

#[test]
fn who_guesses_is_slowed_down_and_locks_nobody_out_elsewhere() {
    let attache = Attache::with(&["--trusted-proxy", "127.0.0.0/8"]);
    register_shop(&attache, &json!({"client_secret": ONE_SECRET}));
    let from = |source: &str, secret: &str| token_by_secret(&attache, secret).header("x-forwarded-for", source).send();
    let mut tried = 0;
    let refused = loop {
        let answer = from("203.0.113.7", &format!("guess-{tried}"));
        tried += 1;
        assert!(tried < 100, "nobody slows it down");
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 401);
    };
    assert!(tried > 20, "a client may err a few times: {tried}");
    is_oauth_error(&refused, "temporarily_unavailable");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&seconds), "{seconds}");
    assert_eq!(from("203.0.113.7", ONE_SECRET).status, 429, "nor is the right one tried meanwhile");
    assert_eq!(from("198.51.100.1", ONE_SECRET).status, 200, "the client at its own address");
    let other = CAMARA.token(&attache, &[("grant_type", "client_credentials"), ("scope", SCOPE)]);
    other.header("x-forwarded-for", "203.0.113.7").says(200);
}

#[test]
fn who_guesses_at_what_was_granted_is_slowed_down() {
    let attache = Attache::sandbox();
    let poll = |id: &str| CAMARA.token(&attache, &[("grant_type", CIBA), ("auth_req_id", id)]).send();
    let slowed = (0..100).map(|number| poll(&format!("guess-{number}"))).find(|answer| answer.status != 400).unwrap();
    assert_eq!(slowed.status, 429, "{}", slowed.body);
    assert!(!slowed.header("retry-after").is_empty());
}

/// What a request proves to come from a key with.
struct Proof<'a> {
    signer: &'a Signer,
    method: &'a str,
    url: String,
    token: Option<&'a str>,
}

impl Proof<'_> {
    fn made(&self, changes: &Value) -> String {
        let mut claims = json!({
            "jti": URL_SAFE_NO_PAD.encode(random()), "htm": self.method, "htu": self.url,
            "iat": get_current_timestamp(),
        });
        if let Some(token) = self.token {
            let hash = digest::digest(&digest::SHA256, token.as_bytes());
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(hash));
        }
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let jwk = serde_json::from_value(self.signer.public.clone()).unwrap();
        let header = Header { typ: Some("dpop+jwt".into()), jwk: Some(jwk), ..Header::new(Algorithm::ES256) };
        self.signer.sign_with(&header, &claims)
    }
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_token_that_is_bound_to_a_key_is_used_by_who_has_the_key_and_by_nobody_else() {
    let mut attache = Attache::with(&["--public-url", "http://attache.example"]);
    let (signer, thief) = (Signer::new(), Signer::new());
    let base = "http://attache.example";
    let at_token_endpoint =
        Proof { signer: &signer, method: "POST", url: format!("{base}{}", CAMARA.token_path), token: None };
    let grant = [("grant_type", "client_credentials"), ("scope", SCOPE)];
    let proof = at_token_endpoint.made(&json!({}));
    let issued = CAMARA.token(&attache, &grant).header("dpop", &proof).says(200);
    assert_eq!(issued.text("token_type"), "DPoP");
    let again = CAMARA.token(&attache, &grant).header("dpop", &proof).says(400);
    is_oauth_error(&again, "invalid_dpop_proof");
    assert_eq!(CAMARA.token(&attache, &grant).says(200).text("token_type"), "Bearer");
    for wrong in [
        json!({"htm": "GET"}),
        json!({"htu": format!("{base}/oauth2/bc-authorize")}),
        json!({"iat": get_current_timestamp() - 400}),
        json!({"iat": get_current_timestamp() + 400}),
        json!({"jti": ""}),
    ] {
        let refused = CAMARA.token(&attache, &grant).header("dpop", &at_token_endpoint.made(&wrong)).says(400);
        is_oauth_error(&refused, "invalid_dpop_proof");
    }

    let token = issued.text("access_token");
    let at_face = Proof { signer: &signer, method: "POST", url: format!("{base}{ROAMING}"), token: Some(&token) };
    let ask = |attache: &Attache, scheme: &str, proof: Option<&str>| {
        let request = attache.post(ROAMING).header("authorization", &format!("{scheme} {token}"));
        let request = if let Some(proof) = proof { request.header("dpop", proof) } else { request };
        request.body("application/json", BODY)
    };
    let proof = at_face.made(&json!({}));
    ask(&attache, "DPoP", Some(&proof)).says(200);
    let of_thief = Proof { signer: &thief, url: at_face.url.clone(), ..at_face };
    for refused in [
        ask(&attache, "DPoP", Some(&proof)),
        ask(&attache, "DPoP", None),
        ask(&attache, "Bearer", None),
        ask(&attache, "Bearer", Some(&at_face.made(&json!({})))),
        ask(&attache, "DPoP", Some(&of_thief.made(&json!({})))),
        ask(&attache, "DPoP", Some(&at_face.made(&json!({"ath": "x"})))),
        ask(&attache, "DPoP", Some(&at_face.made(&json!({"htm": "GET"})))),
        ask(&attache, "DPoP", Some("x.y.z")),
    ] {
        let answer = refused.says(401);
        assert_eq!(answer.text("code"), "UNAUTHENTICATED");
        assert!(answer.header("www-authenticate").starts_with("DPoP error=\"invalid_dpop_proof\""), "{}", answer.body);
    }
    attache.kill();
    attache.start();
    ask(&attache, "DPoP", Some(&proof)).says(401);
    ask(&attache, "DPoP", Some(&at_face.made(&json!({})))).says(200);
    let bearer = CAMARA.two_legged(&attache, SCOPE);
    let of_bearer = Proof { token: Some(&bearer), ..at_face };
    let request = attache.post(ROAMING).header("authorization", &format!("DPoP {bearer}"));
    request.header("dpop", &of_bearer.made(&json!({}))).body("application/json", BODY).says(401);
}

#[test]
fn a_client_that_is_registered_for_bound_tokens_gets_no_other() {
    let attache = Attache::sandbox();
    register_shop(&attache, &json!({"client_secret": ONE_SECRET, "dpop_required": true}));
    is_oauth_error(&token_by_secret(&attache, ONE_SECRET).says(400), "invalid_dpop_proof");
    let signer = Signer::new();
    let proof = Proof { signer: &signer, method: "POST", url: attache.url(CAMARA.token_path), token: None };
    let issued = token_by_secret(&attache, ONE_SECRET).header("dpop", &proof.made(&json!({}))).says(200);
    assert_eq!(issued.text("token_type"), "DPoP");
}

/// The claims of a request object of the shop.
fn object(attache: &Attache, endpoint: &str, fields: &Value) -> Value {
    let now = get_current_timestamp();
    let mut claims = json!({
        "iss": "shop", "aud": attache.url(endpoint), "iat": now, "nbf": now, "exp": now + 60, "client_id": "shop",
        "jti": URL_SAFE_NO_PAD.encode(random()),
    });
    claims.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    claims
}

#[test]
fn a_signed_request_for_authorization_is_what_its_object_says() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    register_shop(
        &attache,
        &json!({"keys": [signer.public], "redirect_uris": [REDIRECT_URI], "signed_requests_required": true}),
    );
    let fields = json!({
        "response_type": "code", "redirect_uri": REDIRECT_URI, "scope": SCOPE, "login_hint": HINT, "state": "signed",
    });
    let made = |changes: Value| {
        let mut claims = object(&attache, "/oauth2/authorize", &fields);
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        signer.sign(&claims)
    };
    let send = |object: &str| {
        authorize(&attache, &[("client_id", "shop"), ("scope", SCOPE), ("request", object), ("state", "outside")])
    };
    let answered = send(&made(json!({})));
    assert!(answered.contains("code=") && answered.contains("state=signed"), "{answered}");
    let now = get_current_timestamp();
    for wrong in [
        made(json!({"iss": "camara-demo"})),
        made(json!({"sub": "shop"})),
        made(json!({"aud": "https://elsewhere.example"})),
        made(json!({"aud": attache.url("/telefonica")})),
        made(json!({"exp": now - 1})),
        made(json!({"iat": now + 100})),
        made(json!({"nbf": now + 100})),
        made(json!({"exp": now + 500})),
        made(json!({"jti": ""})),
        made(json!({"scope": "dpv:FraudPreventionAndDetection device-reachability-status:read"})),
        made(json!({"redirect_uri": "http://localhost:3000/elsewhere"})),
        Signer::new().sign(&object(&attache, "/oauth2/authorize", &fields)),
        "x.y.z".to_owned(),
    ] {
        let refused = send(&wrong);
        assert!(refused.contains("error=invalid_request_object"), "{refused}");
    }
    let bare = authorize(&attache, &[("client_id", "shop"), ("request", &made(json!({})))]);
    assert!(bare.contains("error=invalid_request_object"), "the scope must stand outside as well: {bare}");
    let unsigned = authorize(&attache, &[("client_id", "shop"), ("scope", SCOPE), ("login_hint", HINT)]);
    assert!(unsigned.contains("error=invalid_request&"), "{unsigned}");
    let by_reference = [("client_id", "shop"), ("scope", SCOPE), ("request_uri", "https://shop.example/object")];
    let refused = authorize(&attache, &by_reference);
    assert!(refused.contains("error=request_uri_not_supported"), "{refused}");
}

#[test]
fn a_signed_backchannel_request_is_what_its_object_says_and_is_sent_once() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    register_shop(&attache, &json!({"client_secret": ONE_SECRET, "keys": [signer.public]}));
    let fields = json!({"scope": SCOPE, "login_hint": HINT});
    let send = |object: &str| {
        let form = [("request", object), ("login_hint", "tel:+99999999999")];
        attache.post(CAMARA.backchannel_path).basic("shop", ONE_SECRET).form(&form)
    };
    let good = signer.sign(&object(&attache, CAMARA.backchannel_path, &fields));
    let id = send(&good).says(200).text("auth_req_id");
    let grant = [("grant_type", CIBA), ("auth_req_id", id.as_str())];
    attache.post(CAMARA.token_path).basic("shop", ONE_SECRET).form(&grant).says(200);
    is_oauth_error(&send(&good).says(400), "invalid_request_object");
    for wrong in [
        signer.sign(&object(&attache, CAMARA.token_path, &fields)),
        signer.sign(&object(&attache, CAMARA.backchannel_path, &json!({"iss": "camara-demo"}))),
        Signer::new().sign(&object(&attache, CAMARA.backchannel_path, &fields)),
        "x".to_owned(),
    ] {
        is_oauth_error(&send(&wrong).says(400), "invalid_request_object");
    }
    let by_reference = [("request_uri", "https://shop.example/object")];
    let refused = attache.post(CAMARA.backchannel_path).basic("shop", ONE_SECRET).form(&by_reference).says(400);
    is_oauth_error(&refused, "request_uri_not_supported");
    let described = attache.get("/.well-known/openid-configuration").says(200).json();
    assert_eq!(described["request_parameter_supported"], true);
    assert_eq!(described["request_uri_parameter_supported"], false);
    assert!(described["dpop_signing_alg_values_supported"].as_array().unwrap().contains(&json!("ES256")));
}

#[test]
fn the_command_line_shows_and_changes_clients_and_rotates_their_secrets() {
    let attache = Attache::sandbox();
    let run = |arguments: &[&str]| {
        let output = attache.command(&[&["client"], arguments].concat());
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let shop = ["--publisher", "camara", "shop"];
    let does = |arguments: &[&str]| {
        let (is_done, told) = run(arguments);
        assert!(is_done, "{arguments:?}: {told}");
        told
    };
    does(&["add", "--publisher", "camara", "--id", "shop", "--secret", ONE_SECRET, "--name", "The Shop"]);
    let set = ["--organisation", "Shops & Sons", "--grant", "client_credentials", "--rate", "5/s", "--dpop-required"];
    does(&[&["set"], &shop[..], &set].concat());
    let told = does(&[&["show"], &shop[..]].concat());
    for text in ["The Shop", "Shops & Sons", "client_credentials", "5/s", "dpop_required"] {
        assert!(told.contains(text), "{text}: {told}");
    }
    does(&[&["set"], &shop[..], &["--clear", "organisation", "--clear", "plan", "--dpop-required", "false"]].concat());
    let client: Value = serde_json::from_str(&does(&[&["show"], &shop[..], &["--json"]].concat())).unwrap();
    assert_eq!((client.get("organisation"), client.get("plan")), (None, None), "{client}");
    assert_eq!((&client["name"], &client["dpop_required"]), (&json!("The Shop"), &json!(false)));

    let told = does(&[&["rotate-secret"], &shop[..]].concat());
    let new = told.split("secret, shown only now: ").nth(1).unwrap().trim().to_owned();
    assert!(told.contains("2 secrets"), "{told}");
    token_by_secret(&attache, ONE_SECRET).says(200);
    let (is_done, told) = run(&[&["rotate-secret"], &shop[..]].concat());
    assert!(!is_done && told.contains("end the previous one first"), "{told}");
    does(&[&["rotate-secret"], &shop[..], &["--end-previous"]].concat());
    token_by_secret(&attache, ONE_SECRET).says(401);
    token_by_secret(&attache, &new).says(200);

    let (is_done, told) = run(&[&["set"], &shop[..]].concat());
    assert!(!is_done && told.contains("name what to change"), "{told}");
    let (is_done, told) = run(&["show", "--publisher", "camara", "nobody"]);
    assert!(!is_done && told.contains("camara has no client nobody"), "{told}");
}
