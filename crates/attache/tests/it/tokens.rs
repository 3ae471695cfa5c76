//! Tokens from their issue to their end: what they say, what ends them, and what can be asked about them.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::{App, CAMARA, CIBA, TELEFONICA, VONAGE},
    harness::{Answer, Attache, Request, eventually},
};

const LINE: &str = "+33639980001";
const SCOPE: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read";
const ROAMING: &str = "/device-roaming-status/v1/retrieve";

/// The error of an authorization server in the words of OAuth.
fn is_oauth_error(answer: &Answer, code: &str) {
    let error = answer.json();
    assert_eq!(error["error"], code, "{error}");
    assert!(error["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    assert_eq!(answer.header("cache-control"), "no-store", "{error}");
}

/// A second client of CAMARA.
const OTHER: App = App { id: "other", secret: "other-secret", ..CAMARA };

const REDIRECT_URI: &str = "http://localhost:3000/callback";

fn register_other(attache: &Attache) {
    attache.register(&json!({
        "publisher": "camara",
        "client_id": OTHER.id,
        "client_secret": OTHER.secret,
        "redirect_uris": [REDIRECT_URI],
    }));
}

/// What a token says of itself.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A question with a token about one line.
fn ask(attache: &Attache, token: &str) -> Request {
    attache.post(ROAMING).bearer(token).body("application/json", "{}")
}

/// The answer of the token endpoint to a backchannel authentication.
fn tokens(attache: &Attache, app: &App, scope: &str) -> Answer {
    let hint = format!("tel:{LINE}");
    let id = app.bc_authorize(attache, &[("login_hint", &hint), ("scope", scope)]).says(200).text("auth_req_id");
    app.token(attache, &[("grant_type", CIBA), ("auth_req_id", &id)]).says(200)
}

fn refresh(attache: &Attache, app: &App, token: &str, parameters: &[(&str, &str)]) -> Request {
    app.token(attache, &[&[("grant_type", "refresh_token"), ("refresh_token", token)], parameters].concat())
}

fn revoke(attache: &Attache, app: &App, token: &str) -> Request {
    attache.post("/oauth2/revoke").basic(app.id, app.secret).form(&[("token", token)])
}

/// A code, and the request that exchanges it.
fn code(attache: &Attache, app: &App, scope: &str) -> String {
    let parameters = [
        ("response_type", "code"),
        ("client_id", app.id),
        ("redirect_uri", REDIRECT_URI),
        ("scope", scope),
        ("login_hint", "tel:+33639980001"),
        ("nonce", "a nonce"),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let answer = attache.get(&format!("/oauth2/authorize?{query}")).says(302);
    let location: url::Url = answer.header("location").parse().unwrap();
    location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned()
}

fn exchange(attache: &Attache, app: &App, code: &str) -> Request {
    let grant = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT_URI)];
    app.token(attache, &grant)
}

const OFFLINE: &str = "openid offline_access dpv:FraudPreventionAndDetection device-roaming-status:read \
                       device-reachability-status:read";

#[test]
fn a_refresh_token_comes_with_offline_access_only_and_never_without_a_subscriber() {
    let attache = Attache::sandbox();
    assert_eq!(tokens(&attache, &CAMARA, SCOPE).json().get("refresh_token"), None);
    assert_eq!(
        exchange(&attache, &CAMARA, &code(&attache, &CAMARA, SCOPE)).says(200).json().get("refresh_token"),
        None
    );
    assert_eq!(tokens(&attache, &CAMARA, OFFLINE).text("refresh_token").len(), 43);
    assert_eq!(
        exchange(&attache, &CAMARA, &code(&attache, &CAMARA, OFFLINE)).says(200).text("refresh_token").len(),
        43
    );
    let two_legged = CAMARA.token(&attache, &[("grant_type", "client_credentials"), ("scope", OFFLINE)]).says(200);
    assert_eq!((two_legged.json().get("refresh_token"), two_legged.json().get("id_token")), (None, None));
    // The documents of Telefónica have it in the answer as well.
    let scope = "offline_access dpv:FraudPreventionAndDetection#device-status-roaming-read";
    let token = tokens(&attache, &TELEFONICA, scope).text("refresh_token");
    refresh(&attache, &TELEFONICA, &token, &[]).says(200);
}

#[test]
fn a_refresh_token_is_good_once_and_gives_the_next() {
    let mut attache = Attache::sandbox();
    let first = tokens(&attache, &CAMARA, OFFLINE);
    let second = refresh(&attache, &CAMARA, &first.text("refresh_token"), &[]).says(200);
    assert_eq!(second.header("cache-control"), "no-store");
    assert_ne!(first.text("refresh_token"), second.text("refresh_token"));
    ask(&attache, &second.text("access_token")).says(200);
    // It is still about the same, and says when its subscriber was there.
    let [before, after] = [&first, &second].map(|answer| claims(&answer.text("id_token")));
    for claim in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(before[claim], after[claim], "{claim}");
    }
    assert_eq!(first.text("scope"), second.text("scope"));

    attache.kill();
    attache.start();
    ask(&attache, &second.text("access_token")).says(200);
    let third = refresh(&attache, &CAMARA, &second.text("refresh_token"), &[]).says(200);
    ask(&attache, &third.text("access_token")).says(200);
}

#[test]
fn a_refresh_token_that_is_used_again_ends_everything_that_rests_on_it() {
    let mut attache = Attache::sandbox();
    let untouched = tokens(&attache, &CAMARA, OFFLINE);
    let first = tokens(&attache, &CAMARA, OFFLINE);
    let second = refresh(&attache, &CAMARA, &first.text("refresh_token"), &[]).says(200);
    for token in [&first, &second] {
        ask(&attache, &token.text("access_token")).says(200);
    }
    is_oauth_error(&refresh(&attache, &CAMARA, &first.text("refresh_token"), &[]).says(400), "invalid_grant");
    let are_ended = |attache: &Attache| {
        is_oauth_error(&refresh(attache, &CAMARA, &second.text("refresh_token"), &[]).says(400), "invalid_grant");
        for token in [&first, &second] {
            ask(attache, &token.text("access_token")).says(401);
        }
    };
    are_ended(&attache);
    attache.kill();
    attache.start();
    are_ended(&attache);
    ask(&attache, &untouched.text("access_token")).says(200);
    refresh(&attache, &CAMARA, &untouched.text("refresh_token"), &[]).says(200);
}

#[test]
fn of_many_who_refresh_at_once_one_gets_a_token_and_it_is_ended() {
    let attache = Attache::sandbox();
    let token = tokens(&attache, &CAMARA, OFFLINE).text("refresh_token");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| refresh(&attache, &CAMARA, &token, &[]).send())).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let issued: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert!(issued.len() <= 1 && answers.iter().all(|answer| [200, 400].contains(&answer.status)));
    for answer in issued {
        ask(&attache, &answer.text("access_token")).says(401);
        is_oauth_error(&refresh(&attache, &CAMARA, &answer.text("refresh_token"), &[]).says(400), "invalid_grant");
    }
}

#[test]
fn a_refresh_asks_for_less_and_never_for_more() {
    let attache = Attache::sandbox();
    let scope =
        "offline_access dpv:FraudPreventionAndDetection device-roaming-status:read device-reachability-status:read";
    let first = tokens(&attache, &CAMARA, scope);
    let ask_for = |token: &str, scope: &str| refresh(&attache, &CAMARA, token, &[("scope", scope)]);
    for refused in [
        "device-status:roaming:read",
        "device-roaming-status:read device-status:roaming:read",
        "dpv:ServiceProvision device-roaming-status:read",
        "openid device-roaming-status:read",
        "dpv:FraudPreventionAndDetection",
        "a\"b",
    ] {
        is_oauth_error(&ask_for(&first.text("refresh_token"), refused).says(400), "invalid_scope");
    }
    // None of them has used it up.
    let less = ask_for(&first.text("refresh_token"), "device-roaming-status:read").says(200);
    assert_eq!(less.text("scope"), SCOPE);
    ask(&attache, &less.text("access_token")).says(200);
    let reachability = "/device-reachability-status/v1/retrieve";
    let elsewhere = |token: &str| attache.post(reachability).bearer(token).body("application/json", "{}");
    elsewhere(&less.text("access_token")).says(403);
    // What was granted is still there for the next.
    let all = refresh(&attache, &CAMARA, &less.text("refresh_token"), &[]).says(200);
    elsewhere(&all.text("access_token")).says(200);
}

#[test]
fn a_refresh_token_is_for_its_client_only() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let token = tokens(&attache, &CAMARA, OFFLINE).text("refresh_token");
    is_oauth_error(&refresh(&attache, &OTHER, &token, &[]).says(400), "invalid_grant");
    is_oauth_error(&refresh(&attache, &TELEFONICA, &token, &[]).says(400), "invalid_grant");
    is_oauth_error(&refresh(&attache, &CAMARA, "unknown", &[]).says(400), "invalid_grant");
    is_oauth_error(&refresh(&attache, &CAMARA, "", &[]).says(400), "invalid_request");
    refresh(&attache, &CAMARA, &token, &[]).says(200);
    let of_other = tokens(&attache, &OTHER, OFFLINE).text("refresh_token");
    attache.admin(Method::DELETE, "/admin/v1/clients/camara/other").says(200);
    register_other(&attache);
    is_oauth_error(&refresh(&attache, &OTHER, &of_other, &[]).says(400), "invalid_grant");
}

#[test]
fn a_refresh_token_expires() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_REFRESH_TOKEN_LIFETIME", "1ms")]);
    let expired = eventually("a refresh token is older than its life", || {
        let token = tokens(&attache, &CAMARA, OFFLINE).text("refresh_token");
        Some(refresh(&attache, &CAMARA, &token, &[]).send()).filter(|answer| answer.status == 400)
    });
    is_oauth_error(&expired, "invalid_grant");
}

#[test]
fn a_code_that_is_used_again_ends_what_it_led_to() {
    let mut attache = Attache::sandbox();
    register_other(&attache);
    for thief in [&CAMARA, &OTHER] {
        let code = code(&attache, &CAMARA, OFFLINE);
        let token = exchange(&attache, &CAMARA, &code).says(200);
        ask(&attache, &token.text("access_token")).says(200);
        let refreshed = refresh(&attache, &CAMARA, &token.text("refresh_token"), &[]).says(200);
        attache.kill();
        attache.start();
        ask(&attache, &refreshed.text("access_token")).says(200);
        is_oauth_error(&exchange(&attache, thief, &code).says(400), "invalid_grant");
        ask(&attache, &token.text("access_token")).says(401);
        ask(&attache, &refreshed.text("access_token")).says(401);
        let answer = refresh(&attache, &CAMARA, &refreshed.text("refresh_token"), &[]).says(400);
        is_oauth_error(&answer, "invalid_grant");
    }
}

#[test]
fn a_code_that_is_used_again_long_after_ends_what_is_refreshed_still() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_CODE_LIFETIME", "1s"), ("ATTACHE_TOKEN_LIFETIME", "1s")]);
    let (code, mut token) = eventually("a code is exchanged in its time", || {
        let code = code(&attache, &CAMARA, OFFLINE);
        let exchanged = exchange(&attache, &CAMARA, &code).send();
        (exchanged.status == 200).then_some((code, exchanged))
    });
    for _ in 0..4 {
        let access_token = token.text("access_token");
        eventually("the access token expires", || (ask(&attache, &access_token).send().status == 401).then_some(()));
        token = refresh(&attache, &CAMARA, &token.text("refresh_token"), &[]).says(200);
    }
    is_oauth_error(&exchange(&attache, &CAMARA, &code).says(400), "invalid_grant");
    ask(&attache, &token.text("access_token")).says(401);
    let answer = refresh(&attache, &CAMARA, &token.text("refresh_token"), &[]).says(400);
    is_oauth_error(&answer, "invalid_grant");
}

#[test]
fn a_revoked_access_token_is_worth_nothing_at_once_and_after_a_kill() {
    let mut attache = Attache::sandbox();
    let [revoked, kept] = [(), ()].map(|()| tokens(&attache, &CAMARA, OFFLINE));
    let token = revoked.text("access_token");
    ask(&attache, &token).says(200);
    assert_eq!(revoke(&attache, &CAMARA, &token).says(200).header("cache-control"), "no-store");
    ask(&attache, &token).says(401);
    attache.kill();
    attache.start();
    ask(&attache, &token).says(401);
    ask(&attache, &kept.text("access_token")).says(200);
    // Its refresh token is another token.
    let next = refresh(&attache, &CAMARA, &revoked.text("refresh_token"), &[]).says(200);
    ask(&attache, &next.text("access_token")).says(200);
    // One that is good for nothing is as good as revoked.
    for token in [token.as_str(), "unknown", "x.y.z"] {
        revoke(&attache, &CAMARA, token).says(200);
    }
}

#[test]
fn a_revoked_refresh_token_ends_all_tokens_that_rest_on_it() {
    let attache = Attache::sandbox();
    let first = tokens(&attache, &CAMARA, OFFLINE);
    let second = refresh(&attache, &CAMARA, &first.text("refresh_token"), &[]).says(200);
    revoke(&attache, &CAMARA, &second.text("refresh_token")).says(200);
    let audited = std::fs::read_dir(attache.data_dir().join("audit")).unwrap();
    let audited: String = audited
        .map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned())
        .collect();
    assert_eq!(audited.matches("token_revoked").count(), 1);
    for token in [&first, &second] {
        ask(&attache, &token.text("access_token")).says(401);
        is_oauth_error(&refresh(&attache, &CAMARA, &token.text("refresh_token"), &[]).says(400), "invalid_grant");
    }
}

#[test]
fn a_token_is_revoked_by_its_client_only() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let token = tokens(&attache, &CAMARA, OFFLINE);
    for kind in ["access_token", "refresh_token"] {
        is_oauth_error(&revoke(&attache, &OTHER, &token.text(kind)).says(400), "invalid_grant");
        let unauthenticated = attache.post("/oauth2/revoke").form(&[("token", &token.text(kind))]).says(401);
        is_oauth_error(&unauthenticated, "invalid_client");
    }
    is_oauth_error(&revoke(&attache, &CAMARA, "").says(400), "invalid_request");
    ask(&attache, &token.text("access_token")).says(200);
    refresh(&attache, &CAMARA, &token.text("refresh_token"), &[]).says(200);
}

#[test]
fn an_id_token_tells_when_its_subscriber_was_authenticated_and_is_bound_to_its_access_token() {
    let attache = Attache::sandbox();
    let scope = format!("openid {SCOPE}");
    let token = exchange(&attache, &CAMARA, &code(&attache, &CAMARA, &scope)).says(200);
    let said = claims(&token.text("id_token"));
    let digest = digest::digest(&digest::SHA256, token.text("access_token").as_bytes());
    assert_eq!(said["at_hash"], URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]));
    let [iat, auth_time] = ["iat", "auth_time"].map(|claim| said[claim].as_i64().unwrap());
    assert!((0..60).contains(&(iat - auth_time)), "{said}");
    assert_eq!((&said["nonce"], &said["aud"]), (&json!("a nonce"), &json!(CAMARA.id)));
    assert_eq!(claims(&token.text("access_token"))["scope"], "openid device-roaming-status:read");
    assert_eq!(token.text("scope"), "dpv:FraudPreventionAndDetection openid device-roaming-status:read");
}

#[test]
fn the_userinfo_endpoint_tells_the_subject_of_the_id_token_and_no_more() {
    let attache = Attache::sandbox();
    let token = tokens(&attache, &CAMARA, &format!("openid {SCOPE}"));
    let subject = claims(&token.text("id_token"))["sub"].clone();
    let userinfo = |method: Method| attache.request(method, "/oauth2/userinfo");
    for method in [Method::GET, Method::POST] {
        let told = userinfo(method).bearer(&token.text("access_token")).says(200);
        assert_eq!((told.json(), told.header("cache-control")), (json!({"sub": subject}), "no-store"));
    }
    let refused = userinfo(Method::GET).says(401);
    assert_eq!(refused.header("www-authenticate").split(' ').next(), Some("Bearer"));
    is_oauth_error(&userinfo(Method::GET).bearer("x.y.z").says(401), "invalid_token");
    is_oauth_error(&userinfo(Method::GET).bearer(&token.text("id_token")).says(401), "invalid_token");
    let without = tokens(&attache, &CAMARA, SCOPE).text("access_token");
    is_oauth_error(&userinfo(Method::GET).bearer(&without).says(403), "insufficient_scope");
    let two_legged = CAMARA.two_legged(&attache, &format!("openid {SCOPE}"));
    is_oauth_error(&userinfo(Method::GET).bearer(&two_legged).says(403), "insufficient_scope");
    // A token of one publisher is none at another.
    attache.get("/vonage/oauth2/userinfo").bearer(&token.text("access_token")).says(401);
    revoke(&attache, &CAMARA, &token.text("access_token")).says(200);
    is_oauth_error(&userinfo(Method::GET).bearer(&token.text("access_token")).says(401), "invalid_token");
}

/// What a client is told of a token.
fn introspect(attache: &Attache, app: &App, token: &str) -> Answer {
    attache.post("/oauth2/introspect").basic(app.id, app.secret).form(&[("token", token)]).says(200)
}

#[test]
fn a_client_is_told_what_its_tokens_are_worth_and_nothing_about_others() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let token = tokens(&attache, &CAMARA, OFFLINE);
    let [access, refresh_token] = ["access_token", "refresh_token"].map(|kind| token.text(kind));
    let said = claims(&access);
    let told = introspect(&attache, &CAMARA, &access);
    assert_eq!(told.header("cache-control"), "no-store");
    for claim in ["iss", "sub", "aud", "client_id", "scope", "purpose", "exp", "iat", "jti"] {
        assert_eq!(told.json()[claim], said[claim], "{claim}");
    }
    assert_eq!((&told.json()["active"], &told.json()["token_type"]), (&json!(true), &json!("Bearer")));
    let told = introspect(&attache, &CAMARA, &refresh_token).json();
    assert_eq!((&told["active"], &told["sub"], &told["scope"]), (&json!(true), &said["sub"], &said["scope"]));

    let nothing = json!({"active": false});
    for unknown in ["unknown", "x.y.z", &token.text("id_token")] {
        assert_eq!(introspect(&attache, &CAMARA, unknown).json(), nothing);
    }
    for other in [&access, &refresh_token] {
        assert_eq!(introspect(&attache, &OTHER, other).json(), nothing);
        let elsewhere = attache.post("/vonage/oauth2/introspect").basic(VONAGE.id, VONAGE.secret);
        assert_eq!(elsewhere.form(&[("token", other)]).says(200).json(), nothing);
    }
    is_oauth_error(&attache.post("/oauth2/introspect").form(&[("token", &access)]).says(401), "invalid_client");
    is_oauth_error(
        &attache.post("/oauth2/introspect").basic(CAMARA.id, CAMARA.secret).form(&[]).says(400),
        "invalid_request",
    );
    let by_operator = || {
        let body = json!({"publisher": "camara", "token": access});
        attache.admin(Method::POST, "/admin/v1/tokens/introspect").json(&body).says(200).json()
    };
    assert_eq!((&by_operator()["active"], &by_operator()["sub"]), (&json!(true), &said["sub"]));
    revoke(&attache, &CAMARA, &refresh_token).says(200);
    for ended in [&access, &refresh_token] {
        assert_eq!(introspect(&attache, &CAMARA, ended).json(), nothing);
    }
    assert_eq!(by_operator(), nothing);
}

/// Those of an algorithm.
fn of(keys: &Value, name: &str, algorithm: &str) -> Vec<Value> {
    keys["keys"].as_array().unwrap().iter().filter(|key| key[name] == algorithm).cloned().collect()
}

/// The signing keys of an algorithm as the operator sees them, the newest first.
fn listed(attache: &Attache, algorithm: &str) -> Vec<Value> {
    let listed = attache.command(&["key", "list", "--json"]);
    assert!(listed.status.success(), "{listed:?}");
    of(&serde_json::from_slice(&listed.stdout).unwrap(), "algorithm", algorithm)
}

/// Those that sign access tokens.
fn keys(attache: &Attache) -> Vec<Value> {
    listed(attache, "ES256")
}

fn published(attache: &Attache) -> Vec<Value> {
    of(&attache.get("/.well-known/jwks.json").says(200).json(), "alg", "ES256")
}

fn signer(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

#[test]
fn a_new_signing_key_is_published_before_it_signs_and_the_old_one_while_its_tokens_live() {
    let mut attache = Attache::with_environment(&[], &[("ATTACHE_KEY_NOTICE", "2s")]);
    let before = tokens(&attache, &CAMARA, SCOPE).text("access_token");
    assert_eq!(attache.get("/.well-known/jwks.json").says(200).header("cache-control"), "public, max-age=1");
    let rotated = attache.command(&["key", "rotate"]);
    assert!(rotated.status.success(), "{rotated:?}");
    let listed = keys(&attache);
    assert_eq!((listed.len(), &listed[0]["state"], &listed[1]["state"]), (2, &json!("next"), &json!("signing")));
    let kids = |keys: &[Value]| keys.iter().map(|key| key["kid"].clone()).collect::<Vec<_>>();
    assert_eq!(kids(&published(&attache)), [listed[0]["id"].clone(), listed[1]["id"].clone()]);
    // It holds over a kill.
    attache.kill();
    attache.start();
    let after = eventually("the new key signs", || {
        let token = CAMARA.two_legged(&attache, SCOPE);
        (signer(&token) == listed[0]["id"]).then_some(token)
    });
    assert_eq!(signer(&before), listed[1]["id"]);
    assert_eq!(keys(&attache)[1]["state"], "verifying");
    assert_eq!(published(&attache).len(), 2);
    ask(&attache, &before).says(200);
    attache.post(ROAMING).bearer(&after).json(&json!({"device": {"phoneNumber": LINE}})).says(200);
}

#[test]
fn the_key_for_rs256_is_made_when_it_is_wanted_and_is_rotated_and_retired_as_the_other() {
    let mut attache = Attache::with_environment(&[], &[("ATTACHE_KEY_NOTICE", "1h")]);
    assert_eq!(listed(&attache, "RS256").len(), 0, "no start waits for it");
    let signer_of_id_token = |attache: &Attache| signer(&tokens(attache, &CAMARA, OFFLINE).text("id_token"));
    let first = signer_of_id_token(&attache);
    assert!(attache.command(&["key", "rotate"]).status.success());
    let states = |attache: &Attache, algorithm: &str| {
        listed(attache, algorithm).iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for algorithm in ["ES256", "RS256"] {
        assert_eq!(states(&attache, algorithm), ["next", "signing"]);
    }
    let all = attache.get("/.well-known/jwks.json").says(200).json();
    assert_eq!((of(&all, "alg", "ES256").len(), of(&all, "alg", "RS256").len()), (2, 2));
    attache.kill();
    attache.start();
    assert_eq!(signer_of_id_token(&attache), first);
    assert!(attache.command(&["key", "retire", &first]).status.success());
    let second = signer_of_id_token(&attache);
    assert_eq!(second, listed(&attache, "RS256")[0]["id"]);
    assert_eq!((states(&attache, "RS256"), states(&attache, "ES256").len()), (vec!["signing".to_owned()], 2));
    let all = attache.get("/.well-known/jwks.json").says(200).json();
    assert!(of(&all, "kid", &first).is_empty() && of(&all, "kid", &second).len() == 1, "{all}");
    // It is nowhere as it is.
    let database = std::fs::read(attache.data_dir().join("attache.db")).unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(of(&all, "kid", &second)[0]["n"].as_str().unwrap()).unwrap();
    assert!(!database.windows(32).any(|window| window == &modulus[..32]), "the key is encrypted at rest");
}

#[test]
fn a_retired_signing_key_is_out_at_once_with_its_tokens() {
    let attache = Attache::sandbox();
    let token = tokens(&attache, &CAMARA, OFFLINE);
    ask(&attache, &token.text("access_token")).says(200);
    let retired = signer(&token.text("access_token"));
    assert!(attache.command(&["key", "retire", &retired]).status.success());
    ask(&attache, &token.text("access_token")).says(401);
    assert!(published(&attache).iter().all(|key| key["kid"] != retired));
    let next = refresh(&attache, &CAMARA, &token.text("refresh_token"), &[]).says(200).text("access_token");
    ask(&attache, &next).says(200);
    assert_eq!(signer(&next), keys(&attache)[0]["id"]);
    let again = attache.command(&["key", "retire", &retired]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("there is no signing key"), "{again:?}");
    assert!(attache.command(&["key", "rotate", "--now"]).status.success());
    assert_ne!(signer(&CAMARA.two_legged(&attache, SCOPE)), signer(&next));
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A client with a key of its own.
struct Signer {
    key: jsonwebtoken::EncodingKey,
}

impl Signer {
    fn registered(attache: &Attache, client_id: &str) -> Self {
        let curve = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = aws_lc_rs::rand::SystemRandom::new();
        let pkcs8 = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let key = jsonwebtoken::EncodingKey::from_ec_der(pkcs8.as_ref());
        let public = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, jsonwebtoken::Algorithm::ES256).unwrap();
        attache.register(&json!({"publisher": "camara", "client_id": client_id, "keys": [public]}));
        Self { key }
    }

    /// A statement that is good once, but for what is changed.
    fn states(&self, attache: &Attache, id: &str, changes: &Value) -> String {
        let now = jsonwebtoken::get_current_timestamp();
        let mut claims = json!({
            "iss": "signer", "sub": "tel:+33639980001", "aud": attache.url(CAMARA.token_path), "jti": id, "iat": now,
            "exp": now + 60, "scope": SCOPE,
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256), &claims, &self.key).unwrap()
    }
}

fn bear(attache: &Attache, assertion: &str, more: &[(&str, &str)]) -> Request {
    let grant = [("grant_type", JWT_BEARER), ("assertion", assertion)];
    attache.post(CAMARA.token_path).form(&[&grant, more].concat())
}

#[test]
fn a_signed_statement_about_a_subscriber_gives_a_short_lived_token_and_no_other() {
    let attache = Attache::sandbox();
    let signer = Signer::registered(&attache, "signer");
    let scope = json!({"scope": format!("openid offline_access {SCOPE}")});
    let assertion = signer.states(&attache, "1", &scope);
    let token = bear(&attache, &assertion, &[]).says(200);
    assert_eq!(token.json()["expires_in"], 300);
    assert_eq!((token.json().get("refresh_token"), token.json().get("id_token")), (None, None));
    ask(&attache, &token.text("access_token")).says(200);
    is_oauth_error(&bear(&attache, &assertion, &[]).says(400), "invalid_grant");

    let sub = json!({"sub": format!("operatortoken:{}", operator_token(&attache, LINE))});
    let token = bear(&attache, &signer.states(&attache, "2", &sub), &[]).says(200);
    ask(&attache, &token.text("access_token")).says(200);
    is_oauth_error(&bear(&attache, &signer.states(&attache, "3", &sub), &[]).says(400), "invalid_grant");
}

#[test]
fn a_statement_that_the_profile_does_not_allow_is_refused() {
    let attache = Attache::sandbox();
    let signer = Signer::registered(&attache, "signer");
    let other = Signer::registered(&attache, "another");
    let now = jsonwebtoken::get_current_timestamp();
    for (change, error) in [
        (json!({"iss": "another"}), "invalid_grant"),
        (json!({"iss": CAMARA.id}), "invalid_grant"),
        (json!({"iss": "nobody"}), "invalid_grant"),
        (json!({"aud": attache.url("")}), "invalid_grant"),
        (json!({"aud": attache.url("/vonage/oauth2/token")}), "invalid_grant"),
        (json!({"exp": now - 1, "iat": now - 60}), "invalid_grant"),
        (json!({"exp": now + 400}), "invalid_grant"),
        (json!({"exp": now + 400, "iat": now + 150}), "invalid_grant"),
        (json!({"exp": now + 200, "iat": now - 150}), "invalid_grant"),
        (json!({"iat": now + 150, "exp": now + 200}), "invalid_grant"),
        (json!({"iat": null}), "invalid_grant"),
        (json!({"exp": null}), "invalid_grant"),
        (json!({"jti": null}), "invalid_grant"),
        (json!({"jti": ""}), "invalid_grant"),
        (json!({"sub": null}), "invalid_grant"),
        (json!({"sub": "signer", "jti": "4"}), "invalid_grant"),
        (json!({"sub": "+33639980001", "jti": "5"}), "invalid_grant"),
        (json!({"sub": "ipport:84.125.93.10:59765", "jti": "6"}), "invalid_grant"),
        (json!({"sub": "tel:33639980001", "jti": "7"}), "invalid_grant"),
        (json!({"sub": "tel:+99999999999", "jti": "8"}), "invalid_grant"),
        (json!({"sub": "operatortoken:unknown", "jti": "9"}), "invalid_grant"),
        (json!({"scope": null}), "invalid_grant"),
        (json!({"scope": "device-roaming-status:read", "jti": "10"}), "invalid_scope"),
        (json!({"scope": "dpv:Advertising device-roaming-status:read", "jti": "11"}), "invalid_scope"),
    ] {
        let refused = bear(&attache, &signer.states(&attache, "1", &change), &[]).says(400);
        assert_eq!(refused.text("error"), error, "{change}");
        is_oauth_error(&refused, error);
    }
    // The subscriber of this line does not answer, so has not consented.
    let silent = signer.states(&attache, "12", &json!({"sub": "tel:+33639980009"}));
    is_oauth_error(&bear(&attache, &silent, &[]).says(400), "invalid_grant");
    let of_another = other.states(&attache, "1", &json!({}));
    is_oauth_error(&bear(&attache, &of_another, &[]).says(400), "invalid_grant");
    is_oauth_error(&bear(&attache, "", &[]).says(400), "invalid_request");
    let good = signer.states(&attache, "1", &json!({}));
    is_oauth_error(&bear(&attache, &good, &[("scope", SCOPE)]).says(400), "invalid_request");
    // None of them has used the identifier up.
    bear(&attache, &good, &[]).says(200);
    // Only CAMARA has this grant.
    let telefonica = attache.post(TELEFONICA.token_path).basic(TELEFONICA.id, TELEFONICA.secret);
    let refused = telefonica.form(&[("grant_type", JWT_BEARER), ("assertion", &good)]).says(400);
    is_oauth_error(&refused, "unsupported_grant_type");
}

#[test]
fn a_statement_about_who_has_not_consented_is_no_guess() {
    let attache = Attache::sandbox();
    let signer = Signer::registered(&attache, "signer");
    for turn in 0..40 {
        let silent = signer.states(&attache, &format!("{turn}"), &json!({"sub": "tel:+33639980009"}));
        is_oauth_error(&bear(&attache, &silent, &[]).says(400), "invalid_grant");
    }
    bear(&attache, &signer.states(&attache, "good", &json!({})), &[]).says(200);
}

#[test]
fn claims_of_openid_are_not_asked_for_without_openid() {
    let attache = Attache::sandbox();
    let ask = |parameters: &[(&str, &str)]| {
        CAMARA.bc_authorize(&attache, &[&[("login_hint", "tel:+33639980001")], parameters].concat())
    };
    is_oauth_error(&ask(&[("scope", &format!("{SCOPE} email"))]).says(400), "invalid_request");
    is_oauth_error(&ask(&[("scope", SCOPE), ("claims", "{}")]).says(400), "invalid_request");
    is_oauth_error(&ask(&[("scope", &format!("openid {SCOPE} email"))]).says(400), "invalid_scope");
    ask(&[("scope", &format!("openid {SCOPE}")), ("claims", "{}")]).says(200);
}

/// A token that tells which line a device has.
fn operator_token(attache: &Attache, line: &str) -> String {
    attache.admin(Method::POST, &format!("/admin/v1/lines/{line}/operator-token")).says(201).text("operator_token")
}

#[test]
fn an_operator_token_is_a_login_hint_once_at_every_publisher_that_has_hints() {
    let attache = Attache::sandbox();
    for (app, scope) in [
        (&CAMARA, SCOPE),
        (&TELEFONICA, "dpv:FraudPreventionAndDetection#device-status-roaming-read"),
        (&VONAGE, "dpv:NotApplicable#device-status:roaming:read"),
    ] {
        let hint = format!("operatortoken:{}", operator_token(&attache, LINE));
        let begin = |app: &App| app.bc_authorize(&attache, &[("login_hint", &hint), ("scope", scope)]);
        let id = begin(app).says(200).text("auth_req_id");
        app.token(&attache, &[("grant_type", CIBA), ("auth_req_id", &id)]).says(200);
        is_oauth_error(&begin(app).says(400), "unknown_user_id");
    }
}

#[test]
fn an_operator_token_tells_the_line_that_it_was_issued_for() {
    let attache = Attache::sandbox();
    let issued = attache.command(&["line", "operator-token", LINE]);
    assert!(issued.status.success(), "{issued:?}");
    let hint = String::from_utf8(issued.stdout).unwrap();
    let parameters = [("login_hint", hint.trim()), ("scope", SCOPE)];
    let id = CAMARA.bc_authorize(&attache, &parameters).says(200).text("auth_req_id");
    let token = CAMARA.token(&attache, &[("grant_type", CIBA), ("auth_req_id", &id)]).says(200).text("access_token");
    attache.post(ROAMING).bearer(&token).body("application/json", "{}").says(200);
    assert!(!attache.log().contains(hint.trim().strip_prefix("operatortoken:").unwrap()), "the log has it");

    let unknown = attache.command(&["line", "operator-token", "+99999999999"]);
    assert!(!unknown.status.success());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no line has the number"), "{unknown:?}");
}
