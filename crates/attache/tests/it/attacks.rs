//! What somebody tries who means harm, and what comes of it. Each attack that has its test elsewhere, beside
//! what it attacks, is named with it in `docs/security-profile.md`; the others are here.

use std::{collections::HashSet, time::Instant};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authorization::{
        BY_ASSERTION, HINT, LINE, OTHER, REDIRECT_URI, ROAMING, SCOPE, Signer, assertion, auth_req_id, authorize, code,
        exchange, in_body, is_oauth_error, poll, register_other, sent_back,
    },
    faces::{App, CAMARA, CIBA, ORANGE, TELEFONICA, VONAGE, token_of_each_publisher},
    harness::{Answer, Attache, BOUND, Request},
};

/// A part of a signed token.
fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// A token's header and claims.
fn parts(token: &str) -> [Value; 2] {
    let [header, claims, _] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    [header, claims].map(decoded)
}

/// Asks about a line with a token, whatever comes of it.
fn ask(attache: &Attache, token: &str) -> Answer {
    attache.post(ROAMING).bearer(token).json(&json!({"device": {"phoneNumber": LINE}})).send()
}

/// Signs by HMAC with what is public of a key: what a verifier accepts that lets a token choose its algorithm.
fn signed_by_a_public_key(header: &Value, claims: &Value, public: &[u8]) -> String {
    let mut header: Header = serde_json::from_value(header.clone()).unwrap();
    header.alg = Algorithm::HS256;
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(public)).unwrap()
}

/// What somebody may take for the secret of an HMAC who knows a public key: its document, its point, its name.
fn taken_for_a_secret(key: &Value) -> Vec<Vec<u8>> {
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], bytes("x"), bytes("y")].concat();
    // The DER of the same key, and what PEM makes of it: a header of a fixed length, and the point.
    let mut der = vec![0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    der.extend([0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00]);
    der.extend(&point);
    let base64 = base64::engine::general_purpose::STANDARD.encode(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n", &base64[..64], &base64[64..]);
    vec![key.to_string().into_bytes(), bytes("x"), bytes("y"), point, der, pem.into_bytes(), vec![]]
}

#[test]
fn an_access_token_that_chooses_its_algorithm_or_brings_its_key_is_not_valid() {
    let attache = Attache::sandbox();
    let token = CAMARA.two_legged(&attache, SCOPE);
    let [header, claims] = parts(&token);
    let keys = attache.get("/.well-known/jwks.json").says(200).json();
    let signer = Signer::new();
    let mut forged = Vec::new();
    for secret in taken_for_a_secret(&keys["keys"][0]) {
        forged.push(("HS256 with the public key", signed_by_a_public_key(&header, &claims, &secret)));
    }
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let mut unsigned = header.clone();
        unsigned["alg"] = json!(none);
        forged.push(("no algorithm", format!("{}.{}.", encoded(&unsigned), encoded(&claims))));
    }
    let mut own: Header = serde_json::from_value(header.clone()).unwrap();
    forged.push(("a key of one's own", signer.sign_with(&own, &claims)));
    own.jwk = Some(serde_json::from_value(signer.public.clone()).unwrap());
    forged.push(("a key of one's own, brought along", signer.sign_with(&own, &claims)));
    own.jku = Some("http://127.0.0.1:1/keys".to_owned());
    own.x5u = Some("http://127.0.0.1:1/certificate".to_owned());
    own.jwk = None;
    forged.push(("a key of one's own, to be fetched", signer.sign_with(&own, &claims)));
    for kid in ["", "unknown", "../../../../dev/null", "' OR 1=1 --"] {
        own.kid = Some(kid.to_owned());
        forged.push(("a key that nobody knows", signer.sign_with(&own, &claims)));
    }
    own.kid = None;
    forged.push(("no key named", signer.sign_with(&own, &claims)));
    for (attack, forged) in forged {
        let answer = ask(&attache, &forged);
        assert_eq!(answer.status, 401, "{attack}: {forged}: {}", answer.body);
    }
    assert_eq!(ask(&attache, &token).status, 200);
}

#[test]
fn an_assertion_that_chooses_its_algorithm_or_brings_its_key_proves_nothing() {
    let attache = Attache::sandbox();
    let (signer, stranger) = (Signer::new(), Signer::new());
    let mut public = signer.public.clone();
    public["kid"] = json!("registered");
    attache.register(&json!({"publisher": "camara", "client_id": "signer", "keys": [public]}));
    let claims = |id: &str| assertion(&attache.url(CAMARA.token_path), id);
    let by = |assertion: &str| in_body(&attache, &[BY_ASSERTION, ("client_assertion", assertion)]);

    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("registered".to_owned());
    let mut forged = Vec::new();
    for (turn, secret) in taken_for_a_secret(&public).iter().enumerate() {
        let header = serde_json::to_value(&header).unwrap();
        forged.push(signed_by_a_public_key(&header, &claims(&format!("hmac-{turn}")), secret));
    }
    for none in ["none", "None", "NONE", ""] {
        let unsigned = json!({"alg": none, "kid": "registered"});
        forged.push(format!("{}.{}.", encoded(&unsigned), encoded(&claims("unsigned"))));
    }
    forged.push(stranger.sign_with(&header, &claims("stranger")));
    header.jwk = Some(serde_json::from_value(stranger.public.clone()).unwrap());
    forged.push(stranger.sign_with(&header, &claims("brought along")));
    header.jwk = None;
    header.jku = Some("http://127.0.0.1:1/keys".to_owned());
    forged.push(stranger.sign_with(&header, &claims("to be fetched")));
    header.jku = None;
    header.kid = Some("unknown".to_owned());
    forged.push(signer.sign_with(&header, &claims("unknown kid")));
    for forged in forged {
        is_oauth_error(&by(&forged).says(401), "invalid_client");
    }
    header.kid = Some("registered".to_owned());
    by(&signer.sign_with(&header, &claims("good"))).says(200);
}

#[test]
fn a_token_of_one_kind_is_no_token_of_another() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    attache.register(&json!({
        "publisher": "camara", "client_id": "signer", "keys": [signer.public], "redirect_uris": [REDIRECT_URI],
    }));
    let token_endpoint = attache.url(CAMARA.token_path);
    let scope = format!("openid {SCOPE}");
    let request = CAMARA.bc_authorize(&attache, &[("login_hint", HINT), ("scope", &scope)]).says(200);
    let request = request.text("auth_req_id");
    let tokens = poll(&attache, &CAMARA, &request).says(200);
    let [access_token, id_token] = ["access_token", "id_token"].map(|name| tokens.text(name));
    let code = code(&attache, &CAMARA, &[]);

    // Whatever isn't an access token.
    for other in [&id_token, &code, &request, &signer.sign(&assertion(&token_endpoint, "1"))] {
        assert_eq!(ask(&attache, other).status, 401, "{other}");
    }
    // Whatever isn't an assertion, though the server has signed it itself.
    for other in [&access_token, &id_token, &code] {
        let answer = in_body(&attache, &[BY_ASSERTION, ("client_assertion", other)]).says(401);
        is_oauth_error(&answer, "invalid_client");
    }
    // Whatever isn't a code, or an `auth_req_id`.
    for other in [&access_token, &id_token, &request] {
        is_oauth_error(&exchange(&attache, &CAMARA, other, &[]).says(400), "invalid_grant");
    }
    for other in [&access_token, &id_token, &code] {
        is_oauth_error(&poll(&attache, &CAMARA, other).says(400), "invalid_grant");
    }
    exchange(&attache, &CAMARA, &code, &[]).says(200);
}

#[test]
fn a_token_that_is_huge_or_nested_without_end_is_only_not_valid() {
    let attache = Attache::sandbox();
    let token = CAMARA.two_legged(&attache, SCOPE);
    let [header, claims] = parts(&token);
    let signature = token.rsplit('.').next().unwrap();
    let nested = |depth: usize| format!("{}{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let arrays = |depth: usize| format!(r#"{{"alg":"ES256","a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let raw = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let mut wide = claims.clone();
    wide["scope"] = json!("a ".repeat(15_000));
    let hostile = [
        format!("{}.{}.{signature}", raw(&nested(5_000)), encoded(&claims)),
        format!("{}.{}.{signature}", encoded(&header), raw(&nested(5_000))),
        format!("{}.{}.{signature}", raw(&arrays(10_000)), encoded(&claims)),
        format!("{}.{}.{signature}", encoded(&header), encoded(&wide)),
        format!("{}.{}.{}", encoded(&header), encoded(&claims), "A".repeat(30_000)),
        ".".repeat(20_000),
        "..".to_owned(),
        "A".repeat(40_000),
        format!("{token}."),
        token.to_uppercase(),
    ];
    for hostile in &hostile {
        let answer = ask(&attache, hostile);
        assert_eq!(answer.status, 401, "{}...: {}", &hostile[..hostile.len().min(60)], answer.body);
        let answer = in_body(&attache, &[BY_ASSERTION, ("client_assertion", hostile)]).says(401);
        is_oauth_error(&answer, "invalid_client");
    }
    assert_eq!(ask(&attache, &token).status, 200);
}

#[test]
fn a_client_gets_no_scope_and_no_purpose_beyond_its_registration_on_any_way() {
    let attache = Attache::sandbox();
    attache.register(&json!({
        "publisher": "camara",
        "client_id": OTHER.id,
        "client_secret": OTHER.secret,
        "redirect_uris": [REDIRECT_URI],
        "scopes": ["device-roaming-status:read"],
        "purposes": ["dpv:FraudPreventionAndDetection"],
    }));
    for wider in [
        "dpv:FraudPreventionAndDetection device-reachability-status:read",
        "dpv:FraudPreventionAndDetection device-roaming-status:read device-reachability-status:read",
        "dpv:ServiceProvision device-roaming-status:read",
        "dpv:fraudpreventionanddetection device-roaming-status:read",
        "dpv:FraudPreventionAndDetection DEVICE-ROAMING-STATUS:READ",
        "dpv:FraudPreventionAndDetection#device-roaming-status:read",
        "dpv:FraudPreventionAndDetection device-roaming-status:read *",
    ] {
        let parameters = [("grant_type", "client_credentials"), ("scope", wider)];
        is_oauth_error(&OTHER.token(&attache, &parameters).says(400), "invalid_scope");
        let parameters = [("login_hint", HINT), ("scope", wider)];
        is_oauth_error(&OTHER.bc_authorize(&attache, &parameters).says(400), "invalid_scope");
        let answer = authorize(&attache, &OTHER, &[("scope", wider)]).says(302);
        assert_eq!(sent_back(&attache, &answer)["error"], "invalid_scope", "{wider}");
    }
    // What was granted doesn't grow while it is fetched.
    let wider = ("scope", "dpv:FraudPreventionAndDetection device-roaming-status:read device-reachability-status:read");
    let fetched = [
        exchange(&attache, &CAMARA, &code(&attache, &CAMARA, &[]), &[wider]),
        CAMARA.token(&attache, &[("grant_type", CIBA), ("auth_req_id", &auth_req_id(&attache, HINT)), wider]),
    ];
    for answer in fetched.map(Request::send) {
        if answer.status == 200 {
            assert_eq!(answer.text("scope"), "dpv:FraudPreventionAndDetection device-roaming-status:read");
        } else {
            is_oauth_error(&answer, "invalid_scope");
        }
    }
}

#[test]
fn a_state_with_line_breaks_adds_no_header_and_comes_back_as_it_was() {
    let attache = Attache::sandbox();
    for state in
        ["\r\nSet-Cookie: a=b", "\r\n\r\n<script>alert(1)</script>", "\n", "\0", "é\u{2028}", "&code=x#y", "%0d%0a"]
    {
        for changes in [vec![("state", state)], vec![("state", state), ("response_type", "none")]] {
            let answer = authorize(&attache, &CAMARA, &changes).says(302);
            assert_eq!(answer.headers.get("set-cookie"), None, "{state:?}");
            assert!(!answer.header("location").contains(['\r', '\n']));
            let location: url::Url = answer.header("location").parse().unwrap();
            assert_eq!(location.fragment(), None, "{state:?}");
            let returned: Vec<_> = location.query_pairs().filter(|(name, _)| name == "state").collect();
            assert_eq!(returned.len(), 1, "{state:?}");
            assert_eq!(returned[0].1, state);
        }
    }
}

#[test]
fn an_address_that_only_looks_like_a_registered_one_is_nobodys_way_out() {
    let attache = Attache::sandbox();
    for address in [
        "http://localhost:3000/callback#",
        "http://localhost:3000/callback?",
        "http://localhost:3000/callback%00",
        "http://localhost:3000/callback/../callback",
        "http://localhost:3000/./callback",
        "http://localhost:3000//callback",
        "http://localhost:3000\\callback",
        "http://localhost:3000@elsewhere.example/callback",
        "http://localhost:3000.elsewhere.example/callback",
        "http://LOCALHOST:3000/callback",
        "http://127.0.0.1:3000/callback",
        "http://[::1]:3000/callback",
        "https://localhost:3000/callback",
        "//localhost:3000/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        " http://localhost:3000/callback",
        "http://localhost:3000/callback\r\nX-Injected: 1",
        "http://localhost:3000/callback http://elsewhere.example/",
    ] {
        let answer = authorize(&attache, &CAMARA, &[("redirect_uri", address)]).says(400);
        is_oauth_error(&answer, "invalid_request");
        assert_eq!((answer.header("location"), answer.headers.get("x-injected")), ("", None), "{address}");
        assert!(!answer.body.contains(address), "{address}");
    }
}

#[test]
fn what_a_request_says_of_its_host_and_its_way_here_changes_no_address_of_the_server() {
    let attache = Attache::sandbox();
    let forged = [
        ("x-forwarded-host", "elsewhere.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-prefix", "/elsewhere"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-real-ip", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1;host=elsewhere.example;proto=https"),
        ("x-host", "elsewhere.example"),
        ("x-original-url", "/admin/v1/lines"),
        ("x-rewrite-url", "/admin/v1/lines"),
    ];
    let place = "/.well-known/openid-configuration";
    let described = attache.get(place).says(200).body;
    for (name, value) in forged {
        assert_eq!(attache.get(place).header(name, value).says(200).body, described, "{name}");
        let answer = authorize(&attache, &CAMARA, &[]).header(name, value).says(302);
        assert_eq!(sent_back(&attache, &answer)["iss"], attache.url(""), "{name}");
        let parameters = [("grant_type", "client_credentials"), ("scope", SCOPE)];
        let token = CAMARA.token(&attache, &parameters).header(name, value).says(200).text("access_token");
        assert_eq!(parts(&token)[1]["iss"], attache.url(""), "{name}");
        attache.get("/admin/v1/lines").header(name, value).says(401);
    }
    for host in ["elsewhere.example", "localhost.elsewhere.example", "127.0.0.1@elsewhere.example", "localhost:1:2"] {
        let answer = attache.get(place).header("host", host).says(400);
        assert!(!answer.body.contains("elsewhere"), "{host}");
    }
}

/// An application of one publisher, and where it fetches what.
struct Publisher {
    name: &'static str,
    app: App,
    scope: &'static str,
    hint: &'static str,
}

const PUBLISHERS: [Publisher; 3] = [
    Publisher { name: "camara", app: CAMARA, scope: SCOPE, hint: HINT },
    Publisher {
        name: "telefonica",
        app: TELEFONICA,
        scope: "dpv:FraudPreventionAndDetection#device-status-roaming-read",
        hint: "tel:+34666666666",
    },
    Publisher {
        name: "vonage",
        app: VONAGE,
        scope: "dpv:NotApplicable#device-status:roaming:read",
        hint: "tel:+123456789",
    },
];

#[test]
fn what_one_publisher_gives_is_worth_nothing_at_another() {
    let attache = Attache::sandbox();
    // The same name and the same secret everywhere, which is the most that an attacker can hope for.
    for publisher in ["camara", "telefonica", "vonage"] {
        let client = json!({
            "publisher": publisher, "client_id": "twin", "client_secret": "twin-secret", "redirect_uris": [REDIRECT_URI],
        });
        attache.register(&client);
    }
    let twin = |app: App| App { id: "twin", secret: "twin-secret", ..app };
    for from in &PUBLISHERS {
        let parameters = [("login_hint", from.hint), ("scope", from.scope)];
        let id = twin(from.app).bc_authorize(&attache, &parameters).says(200).text("auth_req_id");
        for at in PUBLISHERS.iter().filter(|at| at.name != from.name) {
            let error = poll(&attache, &twin(at.app), &id).says(400).json();
            assert_eq!(error["error"], "invalid_grant", "{} at {}", from.name, at.name);
        }
        poll(&attache, &twin(from.app), &id).says(200);
    }
    let scope = format!("{SCOPE} offline_access");
    let request = twin(CAMARA).bc_authorize(&attache, &[("login_hint", HINT), ("scope", &scope)]).says(200);
    let token = poll(&attache, &twin(CAMARA), &request.text("auth_req_id")).says(200).text("refresh_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    for at in [TELEFONICA, VONAGE] {
        let error = twin(at).token(&attache, &refresh).says(400).json();
        assert!(["invalid_grant", "unsupported_grant_type"].contains(&error["error"].as_str().unwrap()), "{error}");
    }
    twin(CAMARA).token(&attache, &refresh).says(200);

    let code = code(&attache, &twin(CAMARA), &[]);
    let error = exchange(&attache, &twin(TELEFONICA), &code, &[]).says(400).json();
    assert_eq!(error["error"], "invalid_grant");
    exchange(&attache, &twin(CAMARA), &code, &[]).says(200);

    let operator = attache.admin_token();
    assert_eq!(ask(&attache, &operator).status, 401);
    for (publisher, token) in token_of_each_publisher(&attache) {
        assert_eq!(ask(&attache, &token).status == 200, publisher == "camara", "{publisher}");
        attache.get("/admin/v1/lines").bearer(&token).says(401);
    }
}

#[test]
fn an_assertion_for_one_publisher_proves_nothing_at_another() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    let publishers = [("camara", CAMARA, ""), ("orange", ORANGE, "/orange"), ("vonage", VONAGE, "/vonage")];
    for (publisher, ..) in publishers {
        attache.register(&json!({"publisher": publisher, "client_id": "signer", "keys": [signer.public]}));
    }
    for (from, app, root) in publishers {
        for audience in [attache.url(app.token_path), attache.url(root)] {
            for (at, other, _) in publishers.iter().filter(|(at, ..)| *at != from) {
                let assertion = signer.sign(&assertion(&audience, &format!("{audience} at {at}")));
                let parameters = [BY_ASSERTION, ("client_assertion", &assertion), ("grant_type", "client_credentials")];
                let answer = attache.post(other.token_path).form(&parameters).says(401);
                assert_eq!(answer.json()["error"], "invalid_client", "{from} at {at}");
            }
        }
    }
}

#[test]
fn what_is_handed_out_cannot_be_guessed_and_is_never_the_same() {
    let attache = Attache::sandbox();
    let mut seen = HashSet::new();
    for _ in 0..50 {
        for secret in [code(&attache, &CAMARA, &[]), auth_req_id(&attache, HINT)] {
            let bytes = URL_SAFE_NO_PAD.decode(&secret).unwrap();
            assert!(bytes.len() >= 16, "128 bits at least: {secret}");
            assert!(seen.insert(secret));
        }
        let token = CAMARA.two_legged(&attache, SCOPE);
        assert!(seen.insert(parts(&token)[1]["jti"].as_str().unwrap().to_owned()));
    }
}

#[test]
fn an_assertion_cannot_be_taken_to_the_past_or_the_future() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    attache.register(&json!({"publisher": "camara", "client_id": "signer", "keys": [signer.public]}));
    let now = get_current_timestamp();
    let (far, text) = (json!(u64::MAX), json!((now + 60).to_string()));
    for (exp, iat) in [
        (json!(now), json!(now - 10)),
        (json!(0), json!(0)),
        (json!(-1), json!(now)),
        (json!(now + 302), json!(now + 2)),
        (json!(now + 60), json!(now - 300)),
        (far.clone(), json!(now)),
        (far.clone(), far),
        (text, json!(now)),
        (json!(null), json!(now)),
        (json!([now + 60]), json!(now)),
    ] {
        let mut claims = assertion(&attache.url(CAMARA.token_path), "the same");
        claims["exp"] = exp;
        claims["iat"] = iat;
        let answer = in_body(&attache, &[BY_ASSERTION, ("client_assertion", &signer.sign(&claims))]).says(401);
        is_oauth_error(&answer, "invalid_client");
    }
}

#[test]
fn who_guesses_at_a_secret_is_slowed_down_and_learns_nothing() {
    let attache = Attache::sandbox();
    let guess = |client_id: &str, secret: &str| {
        let form = [("grant_type", "client_credentials"), ("scope", SCOPE)];
        attache.post(CAMARA.token_path).basic(client_id, secret).form(&form)
    };
    let began = Instant::now();
    let mut heard = HashSet::new();
    let refused = (0..100).find_map(|turn| {
        let answer = guess(CAMARA.id, &format!("guess-{turn}")).send();
        let unknown = guess("nobody", &format!("guess-{turn}")).send();
        if answer.status == 429 {
            return Some(answer);
        }
        heard.extend([(answer.status, answer.body), (unknown.status, unknown.body)]);
        None
    });
    let refused = refused.expect("a hundred guesses are too many");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    assert_eq!(heard.len(), 1, "a wrong secret and an unknown client are told alike: {heard:?}");
    assert_eq!(heard.iter().next().unwrap().0, 401);
    assert!(began.elapsed() < BOUND, "no slow hash that would exhaust the server");
    // Not even the right one is told apart from there, and other clients go on.
    guess(CAMARA.id, CAMARA.secret).says(429);
    guess("camara-rate-demo", "camara-rate-demo-secret").says(200);
}

#[test]
fn who_guesses_at_codes_and_auth_req_ids_is_slowed_down() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let pending = auth_req_id(&attache, HINT);
    for guess in
        [&(|turn| poll(&attache, &CAMARA, &format!("{turn}{}", &pending[3..]))) as &dyn Fn(u32) -> Request, &|turn| {
            exchange(&attache, &OTHER, &format!("guess-{turn}"), &[])
        }]
    {
        let refused = (100..300).find_map(|turn| Some(guess(turn).send()).filter(|answer| answer.status != 400));
        let refused = refused.expect("two hundred guesses are too many");
        assert_eq!(refused.status, 429, "{}", refused.body);
        assert!(!refused.header("retry-after").is_empty());
    }
}

/// A statement of a client about a subscriber (RFC 7523 section 2.1).
fn statement(attache: &Attache, signer: &Signer, client_id: &str, turn: u32, subject: &str) -> Request {
    let now = get_current_timestamp();
    let claims = json!({
        "iss": client_id, "sub": subject, "aud": attache.url(CAMARA.token_path), "iat": now, "exp": now + 60,
        "jti": format!("{turn}"), "scope": SCOPE,
    });
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    attache.post(CAMARA.token_path).form(&[grant, ("assertion", &signer.sign(&claims))])
}

#[test]
fn who_guesses_at_any_other_credential_is_slowed_down_too() {
    type Guess<'a> = &'a dyn Fn(&App, u32) -> Request;
    let attache = Attache::sandbox();
    let (signer, stranger) = (Signer::new(), Signer::new());
    let guesses: [(&'static str, Guess); 8] = [
        ("statements", &|app, turn| statement(&attache, &stranger, app.id, turn, HINT)),
        ("stated-operator-tokens", &|app, turn| {
            statement(&attache, &signer, app.id, turn, &format!("operatortoken:{turn}"))
        }),
        ("operator-tokens", &|app, turn| {
            app.bc_authorize(&attache, &[("login_hint", &format!("operatortoken:{turn}")), ("scope", SCOPE)])
        }),
        ("refresh-tokens", &|app, turn| {
            app.token(&attache, &[("grant_type", "refresh_token"), ("refresh_token", &format!("{turn}"))])
        }),
        ("request-objects", &|app, turn| app.bc_authorize(&attache, &[("request", &format!("{turn}"))])),
        ("proofs", &|app, turn| app.token(&attache, &[("scope", SCOPE)]).header("dpop", &format!("{turn}"))),
        ("secrets-to-revoke", &|app, turn| {
            attache.post("/oauth2/revoke").basic(app.id, &format!("{turn}")).form(&[("token", "x")])
        }),
        ("secrets-to-introspect", &|app, turn| {
            attache.post("/oauth2/introspect").basic(app.id, &format!("{turn}")).form(&[("token", "x")])
        }),
    ];
    for (what, guess) in guesses {
        let app = App { id: what, secret: "the-secret", ..CAMARA };
        attache.register(&json!({
            "publisher": "camara", "client_id": app.id, "client_secret": app.secret, "keys": [signer.public],
        }));
        let refused = (0..32).find_map(|turn| Some(guess(&app, turn).send()).filter(|answer| answer.status == 429));
        let refused = refused.unwrap_or_else(|| panic!("{what}: more than thirty guesses are too many"));
        assert!(!refused.header("retry-after").is_empty(), "{what}");
    }
    // The address has tried 240 times by now. A browser is sent back, whoever is at fault.
    let client = json!({"publisher": "camara", "client_id": "of-browsers", "redirect_uris": [REDIRECT_URI],
        "authentication_methods": ["none"]});
    attache.register(&client);
    let app = App { id: "of-browsers", ..CAMARA };
    let refused = (0..32).find_map(|turn| {
        let answer = authorize(&attache, &app, &[("request", &format!("{turn}"))]).says(302);
        Some(answer).filter(|answer| answer.header("location").contains("error=temporarily_unavailable"))
    });
    assert!(refused.is_some(), "request objects that browsers bring");
}

#[test]
fn no_page_of_elsewhere_reaches_the_operators_side_by_a_browser() {
    let attache = Attache::sandbox();
    for origin in ["https://elsewhere.example", "null", "http://localhost:3000"] {
        let preflight = attache
            .request(Method::OPTIONS, "/admin/v1/clients")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization")
            .send();
        assert_eq!(preflight.headers.get("access-control-allow-origin"), None, "{origin}");
        let answer = attache.admin(Method::GET, "/admin/v1/clients").header("origin", origin).says(200);
        assert_eq!(answer.headers.get("access-control-allow-origin"), None, "{origin}");
    }
}
