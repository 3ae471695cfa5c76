//! The authorization servers: discovery, tokens, how clients authenticate, the backchannel
//! authentication (CIBA), the authorization code. CAMARA's stands for all where they are alike.

use std::{collections::HashSet, thread};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation, get_current_timestamp, jwk::Jwk,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    faces::{App, CAMARA, CIBA, ORANGE, TELEFONICA, VONAGE},
    harness::{Answer, Attache, Request, eventually},
};

pub(crate) const LINE: &str = "+33639980001";
pub(crate) const HINT: &str = "tel:+33639980001";

/// The line whose subscriber never answers.
pub(crate) const SILENT: &str = "tel:+33639980009";

pub(crate) const SCOPE: &str = "dpv:FraudPreventionAndDetection device-roaming-status:read";
pub(crate) const ROAMING: &str = "/device-roaming-status/v1/retrieve";
pub(crate) const REDIRECT_URI: &str = "http://localhost:3000/callback";

/// A second client of CAMARA.
pub(crate) const OTHER: App = App { id: "other", secret: "other-secret", ..CAMARA };

pub(crate) fn register_other(attache: &Attache) {
    attache.register(&json!({
        "publisher": "camara",
        "client_id": OTHER.id,
        "client_secret": OTHER.secret,
        "redirect_uris": [REDIRECT_URI],
    }));
}

/// The path of an address of this server.
fn path<'a>(attache: &Attache, url: &'a Value) -> &'a str {
    url.as_str().unwrap().strip_prefix(&attache.url("")).unwrap()
}

/// The error of an authorization server in the words of OAuth, and in these only.
pub(crate) fn is_oauth_error(answer: &Answer, code: &str) {
    let error = answer.json();
    assert_eq!(error["error"], code, "{error}");
    assert!(error["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    assert_eq!(error.as_object().unwrap().len(), 2, "{error}");
}

#[test]
fn every_issuer_is_described_at_every_place_where_one_may_look() {
    let attache = Attache::sandbox();
    let facts = attache.facts();
    for (root, places) in [
        ("", vec!["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]),
        (
            "/orange",
            vec![
                "/orange/.well-known/openid-configuration",
                "/orange/.well-known/oauth-authorization-server",
                "/.well-known/oauth-authorization-server/orange",
            ],
        ),
        (
            "/telefonica",
            vec![
                "/telefonica/.well-known/openid-configuration",
                "/telefonica/.well-known/oauth-authorization-server",
                "/.well-known/oauth-authorization-server/telefonica",
            ],
        ),
        (
            "/vonage",
            vec![
                "/vonage/.well-known/openid-configuration",
                "/vonage/.well-known/oauth-authorization-server",
                "/.well-known/oauth-authorization-server/vonage",
            ],
        ),
    ] {
        let described = attache.get(places[0]).says(200);
        assert_eq!(described.header("content-type"), "application/json");
        for place in &places[1..] {
            assert_eq!(attache.get(place).says(200).body, described.body, "{place}");
        }
        let described = described.json();
        assert_eq!(described["issuer"], attache.url(root));
        let publisher = &facts["publishers"][if root.is_empty() { "camara" } else { &root[1..] }];
        assert_eq!(described["issuer"], publisher["issuer"]);
        for endpoint in ["token_endpoint", "authorization_endpoint", "backchannel_authentication_endpoint"] {
            assert_eq!(described.get(endpoint), publisher.get(endpoint), "{root}: {endpoint}");
        }
        let scopes: HashSet<&str> =
            described["scopes_supported"].as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()).collect();
        for face in publisher["faces"].as_array().unwrap() {
            assert!(scopes.contains(face["scope"].as_str().unwrap()), "{face}");
        }
    }
}

#[test]
fn what_camara_s_discovery_says_holds() {
    let attache = Attache::sandbox();
    let described = attache.get("/.well-known/openid-configuration").says(200).json();
    for (name, values) in [
        ("response_types_supported", json!(["code"])),
        (
            "grant_types_supported",
            json!([
                "client_credentials",
                "authorization_code",
                CIBA,
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "refresh_token"
            ]),
        ),
        (
            "token_endpoint_auth_methods_supported",
            json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]),
        ),
        (
            "introspection_endpoint_auth_methods_supported",
            json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]),
        ),
        ("revocation_endpoint", json!(attache.url("/oauth2/revoke"))),
        ("introspection_endpoint", json!(attache.url("/oauth2/introspect"))),
        ("userinfo_endpoint", json!(attache.url("/oauth2/userinfo"))),
        ("backchannel_token_delivery_modes_supported", json!(["poll"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("id_token_signing_alg_values_supported", json!(["ES256", "RS256"])),
        ("ui_locales_supported", json!(["en", "fr", "es", "de"])),
        ("subject_types_supported", json!(["pairwise"])),
    ] {
        assert_eq!(described[name], values, "{name}");
    }
    let keys = attache.get(path(&attache, &described["jwks_uri"])).says(200).json();
    let [ec, rsa] = keys["keys"].as_array().unwrap().as_slice() else { panic!("one for each algorithm: {keys}") };
    assert_eq!((&ec["kty"], &ec["crv"], &ec["alg"]), (&json!("EC"), &json!("P-256"), &json!("ES256")));
    assert_eq!((&rsa["kty"], &rsa["e"], &rsa["alg"]), (&json!("RSA"), &json!("AQAB"), &json!("RS256")));
    assert_eq!(URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap().len(), 256, "2048 bits");
    for key in [ec, rsa] {
        assert!(key["kid"].is_string() && key["use"] == "sig", "{key}");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert_eq!(key.get(private), None);
        }
    }
    let token = path(&attache, &described["token_endpoint"]);
    assert_eq!(token, CAMARA.token_path);
    assert_eq!(path(&attache, &described["backchannel_authentication_endpoint"]), CAMARA.backchannel_path);
    let authorize = path(&attache, &described["authorization_endpoint"]);
    assert_eq!(code(&attache, &CAMARA, &[]).len(), 43, "{authorize} hands codes out");
}

/// A key that a client may register.
fn any_key() -> Value {
    Signer::new().public
}

#[test]
fn each_member_of_the_metadata_is_what_its_server_does() {
    let attache = Attache::sandbox();
    for (root, publisher, app) in [
        ("", "camara", &CAMARA),
        ("/orange", "orange", &ORANGE),
        ("/telefonica", "telefonica", &TELEFONICA),
        ("/vonage", "vonage", &VONAGE),
    ] {
        let described = attache.get(&format!("{root}/.well-known/openid-configuration")).says(200).json();
        let lists = |name: &str, value: &str| {
            described[name].as_array().is_some_and(|listed| listed.iter().any(|listed| listed == value))
        };
        for (name, value) in described.as_object().unwrap() {
            // RFC 8414 section 3.2; this one is required nevertheless.
            assert!(*value != json!([]) || name == "response_types_supported", "{root}: {name}");
            if let Some(url) = value.as_str().filter(|url| url.starts_with("http") && name != "issuer") {
                let status = attache.get(path(&attache, &json!(url))).send().status;
                assert!(status != 404, "{root}: {name}");
            }
        }
        for (name, path) in [
            ("authorization_endpoint", "/oauth2/authorize"),
            ("authorization_endpoint", "/authorize"),
            ("backchannel_authentication_endpoint", "/oauth2/bc-authorize"),
            ("backchannel_authentication_endpoint", "/bc-authorize"),
            ("userinfo_endpoint", "/oauth2/userinfo"),
            ("userinfo_endpoint", "/userinfo"),
            ("registration_endpoint", "/register"),
            ("end_session_endpoint", "/logout"),
        ] {
            let status = attache.get(&format!("{root}{path}")).send().status;
            let is_there = described[name] == attache.url(&format!("{root}{path}"));
            assert_eq!(status != 404, is_there, "{root}{path}");
        }
        for grant in [
            "client_credentials",
            "authorization_code",
            "refresh_token",
            CIBA,
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
            "password",
        ] {
            let answer = app.token(&attache, &[("grant_type", grant)]).send();
            let is_known = answer.json()["error"] != "unsupported_grant_type";
            assert_eq!(is_known, lists("grant_types_supported", grant), "{root}: {grant}: {}", answer.body);
        }
        for method in [
            "client_secret_basic",
            "client_secret_post",
            "client_secret_jwt",
            "private_key_jwt",
            "tls_client_auth",
            "none",
        ] {
            let mut client = json!({
                "publisher": publisher, "client_id": format!("by-{method}"), "authentication_methods": [method],
            });
            match method {
                "none" => {}
                "private_key_jwt" => client["keys"] = json!([any_key()]),
                _ => client["client_secret"] = json!("a-secret"),
            }
            let is_taken = attache.admin(Method::POST, "/admin/v1/clients").json(&client).send().status == 201;
            for endpoint in ["token", "revocation"] {
                let listed = lists(&format!("{endpoint}_endpoint_auth_methods_supported"), method);
                assert_eq!(is_taken, listed, "{root}: {endpoint}: {method}");
            }
            let may_ask = is_taken && method != "none";
            assert_eq!(may_ask, lists("introspection_endpoint_auth_methods_supported", method), "{root}: {method}");
        }
        let introspect = path(&attache, &described["introspection_endpoint"]);
        let public = attache.post(introspect).form(&[("client_id", "by-none"), ("token", "x")]).says(401);
        assert_eq!(public.json()["error"], "invalid_client");
        for algorithm in ["ES256", "RS256", "PS256", "EdDSA", "HS256", "none"] {
            let client = json!({
                "publisher": publisher, "client_id": format!("tokens-by-{algorithm}"), "client_secret": "a-secret",
                "id_token_signed_response_alg": algorithm,
            });
            let is_taken = attache.admin(Method::POST, "/admin/v1/clients").json(&client).send().status == 201;
            let has_subscribers = publisher != "orange";
            assert_eq!(
                is_taken && has_subscribers,
                lists("id_token_signing_alg_values_supported", algorithm),
                "{root}: {algorithm}"
            );
        }
    }
}

#[test]
fn what_the_metadata_says_of_the_authorization_endpoint_and_of_id_tokens_holds() {
    let attache = Attache::sandbox();
    let described = attache.get("/.well-known/openid-configuration").says(200).json();
    for (name, parameter, values) in [
        ("response_types_supported", "response_type", vec!["code", "token", "id_token", "code id_token", "none"]),
        ("response_modes_supported", "response_mode", vec!["query", "fragment", "form_post"]),
        ("code_challenge_methods_supported", "code_challenge_method", vec!["S256", "plain"]),
        ("prompt_values_supported", "prompt", vec!["none", "login", "consent", "select_account", "create"]),
    ] {
        let listed = described[name].as_array().unwrap();
        for value in values {
            let answer = authorize(&attache, &CAMARA, &[(parameter, value)]).says(302);
            let is_refused = answer.header("location").contains("error=");
            assert_eq!(is_refused, !listed.contains(&json!(value)), "{name}: {value}");
        }
    }
    let code = code(&attache, &CAMARA, &[("scope", &format!("openid {SCOPE}")), ("nonce", "n")]);
    let id_token = exchange(&attache, &CAMARA, &code, &[]).says(200).text("id_token");
    let claims = verified(&attache, &id_token, CAMARA.id).claims;
    let told: HashSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let announced: HashSet<&str> =
        described["claims_supported"].as_array().unwrap().iter().map(|claim| claim.as_str().unwrap()).collect();
    assert_eq!(told, announced);
}

#[test]
fn a_correlator_comes_back_from_every_endpoint_as_it_was_sent() {
    let attache = Attache::sandbox();
    let sent = "b4333c46-49c0-4f62-80d7-f0ef930f1c46";
    for (method, path) in [
        (Method::POST, CAMARA.token_path),
        (Method::POST, CAMARA.backchannel_path),
        (Method::GET, "/oauth2/authorize"),
        (Method::POST, "/oauth2/revoke"),
        (Method::POST, "/oauth2/introspect"),
        (Method::GET, "/oauth2/userinfo"),
        (Method::GET, "/.well-known/openid-configuration"),
        (Method::POST, ORANGE.token_path),
    ] {
        let ask = |correlator: &str| attache.request(method.clone(), path).header("x-correlator", correlator).send();
        assert_eq!(ask(sent).header("x-correlator"), sent, "{path}");
        for strange in ["", "two words", &"a".repeat(300)] {
            let answer = ask(strange);
            assert_eq!((answer.header("x-correlator"), answer.status), ("", ask(sent).status), "{path}: {strange}");
        }
    }
}

#[test]
fn every_endpoint_tells_the_method_that_it_takes() {
    let attache = Attache::sandbox();
    for (path, wrong, right) in [
        ("/oauth2/token", Method::GET, "POST"),
        ("/oauth2/bc-authorize", Method::GET, "POST"),
        ("/oauth2/authorize", Method::POST, "GET"),
        ("/.well-known/openid-configuration", Method::POST, "GET"),
        ("/.well-known/jwks.json", Method::DELETE, "GET"),
        ("/telefonica/token", Method::PUT, "POST"),
        ("/telefonica/apigateway/bc-authorize", Method::GET, "POST"),
        ("/vonage/oauth2/token", Method::GET, "POST"),
    ] {
        let answer = attache.request(wrong, path).says(405);
        assert_eq!((answer.text("error").as_str(), answer.header("allow")), ("invalid_request", right), "{path}");
    }
}

/// What a token says, its signature verified by the published keys.
pub(crate) fn verified(attache: &Attache, token: &str, audience: &str) -> TokenData<Value> {
    let keys = attache.get("/.well-known/jwks.json").says(200).json();
    let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
    let algorithm = key["alg"].as_str().unwrap().parse().unwrap();
    let key = DecodingKey::from_jwk(&serde_json::from_value::<Jwk>(key.clone()).unwrap()).unwrap();
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[attache.url("")]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    jsonwebtoken::decode(token, &key, &validation).unwrap()
}

#[test]
fn an_access_token_is_one_of_rfc_9068() {
    let attache = Attache::sandbox();
    let token = CAMARA.two_legged(&attache, SCOPE);
    let TokenData { header, claims, .. } = verified(&attache, &token, "camara");
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!((&claims["client_id"], &claims["sub"]), (&json!("camara-demo"), &json!("camara-demo")));
    assert_eq!(claims["scope"], "device-roaming-status:read");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    let another = verified(&attache, &CAMARA.two_legged(&attache, SCOPE), "camara").claims;
    assert_ne!(claims["jti"], another["jti"]);
}

#[test]
fn the_subject_of_a_token_is_a_pseudonym_of_the_line_for_each_client() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let subject = |app: &App| {
        let claims = verified(&attache, &app.three_legged(&attache, LINE, SCOPE), "camara").claims;
        assert!(!claims.to_string().contains(&LINE[1..]), "{claims}");
        claims["sub"].as_str().unwrap().to_owned()
    };
    assert_eq!(subject(&CAMARA), subject(&CAMARA), "a client recognizes the line");
    assert_ne!(subject(&CAMARA), subject(&OTHER), "two clients can't compare");
}

#[test]
fn a_token_that_this_server_has_not_signed_is_not_valid() {
    let attache = Attache::sandbox();
    let token = CAMARA.two_legged(&attache, SCOPE);
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let ask = |token: &str| attache.post(ROAMING).bearer(token).json(&json!({"device": {"phoneNumber": LINE}}));
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let decoded = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();

    let mut of_another_key = Header::new(Algorithm::ES256);
    of_another_key.typ = Some("at+jwt".to_owned());
    of_another_key.kid = decoded(header)["kid"].as_str().map(str::to_owned);
    let of_another_key = jsonwebtoken::encode(&of_another_key, &decoded(claims), &Signer::new().key).unwrap();
    let mut unsigned = decoded(header);
    unsigned["alg"] = json!("none");
    let mut wider = decoded(claims);
    wider["scope"] = json!("device-roaming-status:read device-reachability-status:read");
    for forged in [
        of_another_key,
        format!("{}.{claims}.", encoded(&unsigned)),
        format!("{}.{claims}.{signature}", encoded(&unsigned)),
        format!("{header}.{}.{signature}", encoded(&wider)),
        format!("{header}.{claims}."),
        format!("{token}.{signature}"),
    ] {
        ask(&forged).says(401);
    }
    ask(&token).says(200);
    // The token that Telefónica documents is for nobody else.
    ask("mock_sandbox_access_token").says(401);
}

#[test]
fn a_token_response_is_not_to_be_stored_and_names_the_scopes() {
    let attache = Attache::sandbox();
    let answer = CAMARA.token(&attache, &[("grant_type", "client_credentials"), ("scope", SCOPE)]).says(200);
    let token = answer.text("access_token");
    let expected = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"scope":"{SCOPE}"}}"#);
    assert_eq!(answer.body, expected);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[test]
fn a_scope_that_is_unknown_or_has_no_purpose_is_invalid() {
    let attache = Attache::sandbox();
    for scope in [
        "",
        "device-roaming-status:read",
        "dpv:FraudPreventionAndDetection",
        "dpv:FraudPreventionAndDetection dpv:ServiceProvision device-roaming-status:read",
        "dpv:Advertising device-roaming-status:read",
        "dpv:FraudPreventionAndDetection sim-swap:check",
    ] {
        let parameters = [("grant_type", "client_credentials"), ("scope", scope)];
        is_oauth_error(&CAMARA.token(&attache, &parameters).says(400), "invalid_scope");
        let parameters = [("login_hint", HINT), ("scope", scope)];
        is_oauth_error(&CAMARA.bc_authorize(&attache, &parameters).says(400), "invalid_scope");
    }
}

/// A client's own words in the body.
pub(crate) fn in_body(attache: &Attache, parameters: &[(&str, &str)]) -> Request {
    let grant = [("grant_type", "client_credentials"), ("scope", SCOPE)];
    attache.post(CAMARA.token_path).form(&[&grant, parameters].concat())
}

#[test]
fn a_client_authenticates_by_its_secret_in_the_header_or_in_the_body() {
    let attache = Attache::sandbox();
    let secret = [("client_id", CAMARA.id), ("client_secret", CAMARA.secret)];
    in_body(&attache, &secret).says(200);
    in_body(&attache, &[("client_id", CAMARA.id)]).basic(CAMARA.id, CAMARA.secret).says(200);
    let twice = in_body(&attache, &secret).basic(CAMARA.id, CAMARA.secret).says(400);
    is_oauth_error(&twice, "invalid_request");
    for refused in [
        in_body(&attache, &[]),
        in_body(&attache, &[("client_id", CAMARA.id)]),
        in_body(&attache, &[("client_id", CAMARA.id), ("client_secret", "wrong")]),
        in_body(&attache, &[("client_secret", CAMARA.secret)]),
        in_body(&attache, &[]).basic(CAMARA.id, "wrong"),
        in_body(&attache, &[]).basic("nobody", CAMARA.secret),
        in_body(&attache, &[]).basic("vonage-demo", "vonage-demo-secret"),
        in_body(&attache, &[("client_id", "other")]).basic(CAMARA.id, CAMARA.secret),
        in_body(&attache, &[]).bearer("x"),
    ] {
        let answer = refused.says(401);
        is_oauth_error(&answer, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), "Basic");
    }
}

/// A client with a key of its own.
pub(crate) struct Signer {
    key: EncodingKey,
    pub(crate) public: Value,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let curve = &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = aws_lc_rs::rand::SystemRandom::new();
        let pkcs8 = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let public = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        Self { key, public }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&Header::new(Algorithm::ES256), claims)
    }

    /// Signs with a header that says more, or other things, than it usually does.
    pub(crate) fn sign_with(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }
}

/// The claims of an assertion that is good once.
pub(crate) fn assertion(audience: &str, id: &str) -> Value {
    let now = get_current_timestamp();
    json!({"iss": "signer", "sub": "signer", "aud": audience, "jti": id, "iat": now, "exp": now + 60})
}

pub(crate) const BY_ASSERTION: (&str, &str) =
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

#[test]
fn a_client_authenticates_by_an_assertion_that_its_key_has_signed() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    attache.register(&json!({"publisher": "camara", "client_id": "signer", "keys": [signer.public]}));
    let by = |assertion: &str| in_body(&attache, &[BY_ASSERTION, ("client_assertion", assertion)]);
    let token_endpoint = attache.url(CAMARA.token_path);

    let good = signer.sign(&assertion(&token_endpoint, "1"));
    let token = by(&good).says(200).text("access_token");
    let body = json!({"device": {"phoneNumber": LINE}});
    attache.post(ROAMING).bearer(&token).json(&body).says(200);
    is_oauth_error(&by(&good).says(401), "invalid_client");

    by(&signer.sign(&assertion(&attache.url(""), "2"))).says(200);
    let several = json!(["https://elsewhere.example", token_endpoint]);
    let changed = |changes: Value| {
        let mut claims = assertion(&token_endpoint, "changed");
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        claims
    };
    by(&signer.sign(&changed(json!({"aud": several, "jti": "3"})))).says(200);

    let now = get_current_timestamp();
    for refused in [
        signer.sign(&changed(json!({"aud": "https://elsewhere.example"}))),
        signer.sign(&changed(json!({"aud": attache.url("/vonage/oauth2/token")}))),
        signer.sign(&changed(json!({"exp": now - 1, "iat": now - 60}))),
        signer.sign(&changed(json!({"exp": now + 3600}))),
        signer.sign(&changed(json!({"jti": ""}))),
        signer.sign(&changed(json!({"jti": null}))),
        signer.sign(&changed(json!({"exp": null}))),
        signer.sign(&changed(json!({"iss": "camara-demo"}))),
        signer.sign(&changed(json!({"iss": "camara-demo", "sub": "camara-demo"}))),
        Signer::new().sign(&changed(json!({}))),
        "x.y.z".to_owned(),
    ] {
        is_oauth_error(&by(&refused).says(401), "invalid_client");
    }
    // None of them has used the identifier up.
    let good = signer.sign(&changed(json!({})));
    let other_type = in_body(&attache, &[("client_assertion_type", "saml"), ("client_assertion", &good)]);
    is_oauth_error(&other_type.says(401), "invalid_client");
    by(&good).says(200);
}

#[test]
fn a_client_with_a_key_may_use_the_backchannel_authentication() {
    let attache = Attache::sandbox();
    let signer = Signer::new();
    attache.register(&json!({"publisher": "camara", "client_id": "signer", "keys": [signer.public]}));
    let assertion_for_bc = signer.sign(&assertion(&attache.url(CAMARA.backchannel_path), "1"));
    let request = attache
        .post(CAMARA.backchannel_path)
        .form(&[BY_ASSERTION, ("client_assertion", &assertion_for_bc), ("login_hint", HINT), ("scope", SCOPE)])
        .says(200);
    let assertion_for_token = signer.sign(&assertion(&attache.url(CAMARA.token_path), "2"));
    let grant = [("grant_type", CIBA), ("auth_req_id", &request.text("auth_req_id"))];
    let authentication = [BY_ASSERTION, ("client_assertion", assertion_for_token.as_str())];
    let token = attache.post(CAMARA.token_path).form(&[&grant[..], &authentication].concat()).says(200);
    attache.post(ROAMING).bearer(&token.text("access_token")).body("application/json", "{}").says(200);
}

/// Begins a backchannel authentication, and returns its identifier.
pub(crate) fn auth_req_id(attache: &Attache, hint: &str) -> String {
    CAMARA.bc_authorize(attache, &[("login_hint", hint), ("scope", SCOPE)]).says(200).text("auth_req_id")
}

pub(crate) fn poll(attache: &Attache, app: &App, id: &str) -> Request {
    app.token(attache, &[("grant_type", CIBA), ("auth_req_id", id)])
}

#[test]
fn a_backchannel_authentication_leads_to_one_token() {
    let attache = Attache::sandbox();
    let request = CAMARA.bc_authorize(&attache, &[("login_hint", HINT), ("scope", SCOPE)]).says(200);
    let id = request.text("auth_req_id");
    assert_eq!(request.body, format!(r#"{{"auth_req_id":"{id}","expires_in":120,"interval":2}}"#));
    assert_eq!(request.header("cache-control"), "no-store");
    let token = poll(&attache, &CAMARA, &id).says(200);
    assert_eq!(token.json().get("id_token"), None);
    attache.post(ROAMING).bearer(&token.text("access_token")).body("application/json", "{}").says(200);
    is_oauth_error(&poll(&attache, &CAMARA, &id).says(400), "invalid_grant");
}

#[test]
fn a_client_may_poll_again_after_the_interval_and_not_before() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_INTERVAL", "1h")]);
    let id = auth_req_id(&attache, SILENT);
    is_oauth_error(&poll(&attache, &CAMARA, &id).says(400), "authorization_pending");
    is_oauth_error(&poll(&attache, &CAMARA, &id).says(400), "slow_down");
    let mut attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_INTERVAL", "1ms")]);
    let id = auth_req_id(&attache, SILENT);
    is_oauth_error(&poll(&attache, &CAMARA, &id).says(400), "authorization_pending");
    // Who waits out the interval is still told that the subscriber has not answered, also by a server that
    // was started again.
    attache.kill();
    attache.start();
    is_oauth_error(&poll(&attache, &CAMARA, &id).says(400), "authorization_pending");
}

#[test]
fn an_unanswered_authentication_expires() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_LIFETIME", "1s")]);
    let id = auth_req_id(&attache, SILENT);
    let expired = eventually("the request expires", || {
        let answer = poll(&attache, &CAMARA, &id).says(400);
        (!["authorization_pending", "slow_down"].contains(&answer.text("error").as_str())).then_some(answer)
    });
    is_oauth_error(&expired, "expired_token");
}

#[test]
fn an_authentication_is_fetched_by_the_client_that_began_it() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let id = auth_req_id(&attache, HINT);
    is_oauth_error(&poll(&attache, &OTHER, &id).says(400), "invalid_grant");
    is_oauth_error(&poll(&attache, &CAMARA, "unknown").says(400), "invalid_grant");
    is_oauth_error(&CAMARA.token(&attache, &[("grant_type", CIBA)]).says(400), "invalid_request");
    let vonage = App { token_path: "/vonage/oauth2/token", ..CAMARA };
    is_oauth_error(&poll(&attache, &vonage, &id).says(401), "invalid_client");
    poll(&attache, &CAMARA, &id).says(200);
}

#[test]
fn a_login_hint_names_a_known_subscriber() {
    let attache = Attache::sandbox();
    let begin = |hint: &str| CAMARA.bc_authorize(&attache, &[("login_hint", hint), ("scope", SCOPE)]);
    for hint in ["ipport:84.125.93.10:59765", "ipport:[2001:db8:85a3:8d3::1]:8080", "ipport:[2001:db8:85a3:8d3::1]"] {
        let id = begin(hint).says(200).text("auth_req_id");
        poll(&attache, &CAMARA, &id).says(200);
    }
    for hint in ["tel:+99999999999", "ipport:84.125.93.10:1", "operatortoken:x"] {
        is_oauth_error(&begin(hint).says(400), "unknown_user_id");
    }
    for hint in ["", LINE, "tel:33639980001", "tel:+33 639980001", "ipport:84.125.93", "mailto:a@b.example"] {
        is_oauth_error(&begin(hint).says(400), "invalid_request");
    }
}

#[test]
fn an_authentication_request_has_one_hint() {
    let attache = Attache::sandbox();
    for other in [("login_hint_token", "x"), ("id_token_hint", "x")] {
        let parameters = [("login_hint", HINT), ("scope", SCOPE), other];
        is_oauth_error(&CAMARA.bc_authorize(&attache, &parameters).says(400), "invalid_request");
    }
    // CAMARA's profile has this one ignored.
    CAMARA.bc_authorize(&attache, &[("login_hint", HINT), ("scope", SCOPE), ("acr_values", "2")]).says(200);
}

/// A verifier, and its challenge.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()))
}

/// What comes of sending a browser to the authorization endpoint; each change replaces a parameter.
pub(crate) fn authorize(attache: &Attache, app: &App, changes: &[(&str, &str)]) -> Request {
    let challenge = challenge();
    let usual = [
        ("response_type", "code"),
        ("client_id", app.id),
        ("redirect_uri", REDIRECT_URI),
        ("scope", SCOPE),
        ("state", "a state"),
        ("login_hint", HINT),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let unchanged = usual.iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(unchanged.chain(changes)).finish();
    attache.get(&format!("/oauth2/authorize?{query}"))
}

/// The parameters that come back to the client.
pub(crate) fn sent_back(attache: &Attache, answer: &Answer) -> Value {
    let location: url::Url = answer.header("location").parse().unwrap();
    assert!(location.as_str().starts_with("http://localhost:3000/callback?"), "{location}");
    let parameters: Value =
        location.query_pairs().map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect();
    assert_eq!((&parameters["state"], &parameters["iss"]), (&json!("a state"), &json!(attache.url(""))));
    parameters
}

pub(crate) fn code(attache: &Attache, app: &App, changes: &[(&str, &str)]) -> String {
    let answer = authorize(attache, app, changes).says(302);
    sent_back(attache, &answer)["code"].as_str().unwrap().to_owned()
}

/// Exchanges a code; each change replaces a parameter.
pub(crate) fn exchange(attache: &Attache, app: &App, code: &str, changes: &[(&str, &str)]) -> Request {
    let usual = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let unchanged = usual.into_iter().filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    app.token(attache, &unchanged.chain(changes.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn an_authorization_code_leads_to_one_token_for_the_line_of_the_hint() {
    let attache = Attache::sandbox();
    let code = code(&attache, &CAMARA, &[]);
    let token = exchange(&attache, &CAMARA, &code, &[]).says(200);
    assert_eq!(token.json().get("id_token"), None);
    let answer = attache.post(ROAMING).bearer(&token.text("access_token")).body("application/json", "{}").says(200);
    assert_eq!(answer.json()["roaming"], false);
    is_oauth_error(&exchange(&attache, &CAMARA, &code, &[]).says(400), "invalid_grant");
}

#[test]
fn with_openid_an_id_token_tells_the_subject_and_the_nonce() {
    let attache = Attache::sandbox();
    let scope = format!("openid {SCOPE}");
    let code = code(&attache, &CAMARA, &[("scope", &scope), ("nonce", "n-0S6_WzA2Mj")]);
    let token = exchange(&attache, &CAMARA, &code, &[]).says(200);
    let id_token = token.text("id_token");
    let claims = verified(&attache, &id_token, CAMARA.id).claims;
    assert_eq!(claims["nonce"], "n-0S6_WzA2Mj");
    assert_eq!(claims["sub"], verified(&attache, &token.text("access_token"), "camara").claims["sub"]);
    // It is not for asking.
    attache.post(ROAMING).bearer(&id_token).body("application/json", "{}").says(401);

    let request = CAMARA.bc_authorize(&attache, &[("login_hint", HINT), ("scope", &scope)]).says(200);
    let token = poll(&attache, &CAMARA, &request.text("auth_req_id")).says(200);
    let again = verified(&attache, &token.text("id_token"), CAMARA.id).claims;
    assert_eq!((again.get("nonce"), &again["sub"]), (None, &claims["sub"]));
}

#[test]
fn an_id_token_is_signed_as_its_client_is_registered_to_have_it() {
    let mut attache = Attache::sandbox();
    let shop = App { id: "shop", secret: "shop-secret", ..CAMARA };
    attache.register(&json!({
        "publisher": "camara", "client_id": shop.id, "client_secret": shop.secret,
        "id_token_signed_response_alg": "ES256",
    }));
    let fetch = |attache: &Attache, app: &App| {
        let scope = format!("openid {SCOPE}");
        let request = app.bc_authorize(attache, &[("login_hint", HINT), ("scope", &scope)]).says(200);
        let token = poll(attache, app, &request.text("auth_req_id")).says(200);
        let access_token = token.text("access_token");
        assert_eq!(verified(attache, &access_token, "camara").header.alg, Algorithm::ES256);
        let TokenData { header, claims, .. } = verified(attache, &token.text("id_token"), app.id);
        let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
        assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]));
        (header.alg, header.kid)
    };
    let (usual, by_rsa) = fetch(&attache, &CAMARA);
    assert_eq!(usual, Algorithm::RS256, "OpenID Connect Dynamic Client Registration section 2");
    assert_eq!(fetch(&attache, &shop).0, Algorithm::ES256);
    // The keys outlive a kill.
    attache.kill();
    attache.start();
    assert_eq!(fetch(&attache, &CAMARA).1, by_rsa);
    let change = |changes: &[&str]| {
        let output = attache.command(&[&["client", "set", "--publisher", "camara", "shop"], changes].concat());
        output.status.success()
    };
    assert!(change(&["--clear", "id_token_signed_response_alg"]));
    assert_eq!(fetch(&attache, &shop).0, Algorithm::RS256);
    assert!(change(&["--id-token-signed-response-alg", "ES256"]));
    assert_eq!(fetch(&attache, &shop).0, Algorithm::ES256);
    assert!(!change(&["--id-token-signed-response-alg", "none"]));
}

#[test]
fn a_code_is_exchanged_with_its_verifier_and_its_redirect_uri_or_spent() {
    let attache = Attache::sandbox();
    for change in [
        ("code_verifier", "another"),
        ("code_verifier", ""),
        ("redirect_uri", "http://localhost:3000/callback/"),
        ("redirect_uri", "http://localhost:3000"),
    ] {
        let code = code(&attache, &CAMARA, &[]);
        is_oauth_error(&exchange(&attache, &CAMARA, &code, &[change]).says(400), "invalid_grant");
        is_oauth_error(&exchange(&attache, &CAMARA, &code, &[]).says(400), "invalid_grant");
    }
    let code = code(&attache, &CAMARA, &[]);
    let without = exchange(&attache, &CAMARA, &code, &[("redirect_uri", "")]).says(400);
    is_oauth_error(&without, "invalid_request");
    is_oauth_error(&exchange(&attache, &CAMARA, &code, &[("code", "")]).says(400), "invalid_request");
    is_oauth_error(&exchange(&attache, &CAMARA, "unknown", &[]).says(400), "invalid_grant");
}

#[test]
fn a_verifier_without_challenge_is_refused_and_neither_is_needed_by_a_client_with_a_secret() {
    let attache = Attache::sandbox();
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let answer = exchange(&attache, &CAMARA, &code(&attache, &CAMARA, &without), &[]).says(400);
    is_oauth_error(&answer, "invalid_grant");
    exchange(&attache, &CAMARA, &code(&attache, &CAMARA, &without), &[("code_verifier", "")]).says(200);
}

#[test]
fn a_code_is_exchanged_by_its_client_only_and_others_cannot_spend_it() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let code = code(&attache, &CAMARA, &[]);
    is_oauth_error(&exchange(&attache, &OTHER, &code, &[]).says(400), "invalid_grant");
    is_oauth_error(&poll(&attache, &CAMARA, &code).says(400), "invalid_grant");
    exchange(&attache, &CAMARA, &code, &[]).says(200);
}

#[test]
fn of_many_who_present_a_code_or_a_request_at_once_one_gets_a_token() {
    let attache = Attache::sandbox();
    let code = code(&attache, &CAMARA, &[]);
    let id = auth_req_id(&attache, HINT);
    let fetches: [&(dyn Fn() -> Request + Sync); 2] =
        [&|| exchange(&attache, &CAMARA, &code, &[]), &|| poll(&attache, &CAMARA, &id)];
    for fetch in fetches {
        let statuses: Vec<u16> = thread::scope(|scope| {
            let fetching: Vec<_> = (0..8).map(|_| scope.spawn(|| fetch().send().status)).collect();
            fetching.into_iter().map(|fetching| fetching.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 400].contains(status)), "{statuses:?}");
    }
}

#[test]
fn a_code_expires() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_CODE_LIFETIME", "1ms")]);
    let expired = eventually("a code is older than its life", || {
        let code = code(&attache, &CAMARA, &[]);
        Some(exchange(&attache, &CAMARA, &code, &[]).send()).filter(|answer| answer.status == 400)
    });
    is_oauth_error(&expired, "invalid_grant");
}

#[test]
fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let attache = Attache::sandbox();
    for change in [
        ("redirect_uri", "http://localhost:3000/callback/"),
        ("redirect_uri", "http://localhost:3000/callback?more"),
        ("redirect_uri", "HTTP://localhost:3000/callback"),
        ("redirect_uri", "https://elsewhere.example/"),
        ("redirect_uri", ""),
        ("client_id", ""),
        ("client_id", "nobody"),
        ("client_id", "my-app-id"),
    ] {
        let answer = authorize(&attache, &CAMARA, &[change]).says(400);
        is_oauth_error(&answer, "invalid_request");
        assert_eq!(answer.header("location"), "");
    }
}

#[test]
fn every_other_fault_goes_back_to_the_client() {
    let attache = Attache::sandbox();
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", ""), "invalid_request"),
        (("scope", ""), "invalid_scope"),
        (("scope", "device-roaming-status:read"), "invalid_scope"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("response_mode", "fragment"), "invalid_request"),
        (("request", "e30.e30."), "invalid_request_object"),
        (("request_uri", "https://app.example/request"), "request_uri_not_supported"),
        (("prompt", "none login"), "invalid_request"),
        (("login_hint", "tel:+99999999999"), "access_denied"),
        (("login_hint", "nobody"), "access_denied"),
    ] {
        let answer = authorize(&attache, &CAMARA, &[change]).says(302);
        let sent_back = sent_back(&attache, &answer);
        assert_eq!((&sent_back["error"], sent_back.get("code")), (&json!(error), None), "{change:?}");
        assert!(sent_back["error_description"].is_string());
    }
}

#[test]
fn a_parameter_that_is_given_twice_is_refused_everywhere() {
    let attache = Attache::sandbox();
    let query = format!("client_id={}&redirect_uri={REDIRECT_URI}&state=1&state=2", CAMARA.id);
    let answer = attache.get(&format!("/oauth2/authorize?{query}")).says(400);
    is_oauth_error(&answer, "invalid_request");
    assert_eq!(answer.header("location"), "");
    let twice = [("grant_type", "client_credentials"), ("scope", SCOPE), ("scope", SCOPE)];
    is_oauth_error(&CAMARA.token(&attache, &twice).says(400), "invalid_request");
    let twice = [("login_hint", HINT), ("login_hint", SILENT), ("scope", SCOPE)];
    is_oauth_error(&CAMARA.bc_authorize(&attache, &twice).says(400), "invalid_request");
}

#[test]
fn a_body_that_is_no_form_is_an_invalid_request() {
    let attache = Attache::sandbox();
    for path in [CAMARA.token_path, CAMARA.backchannel_path] {
        let ask = || attache.post(path).basic(CAMARA.id, CAMARA.secret);
        is_oauth_error(&ask().json(&json!({"grant_type": "client_credentials"})).says(400), "invalid_request");
        is_oauth_error(
            &ask().body("application/x-www-form-urlencoded", vec![b'a'; 65_537]).says(413),
            "invalid_request",
        );
    }
    let telefonica = attache.post(TELEFONICA.token_path).basic(TELEFONICA.id, TELEFONICA.secret);
    let error = telefonica.body("application/x-www-form-urlencoded", vec![b'a'; 65_537]).says(413).json();
    assert_eq!((&error["error"], &error["code"]), (&json!("invalid_request"), &json!(413)));
}

#[test]
fn a_removed_client_is_out_at_once_and_a_new_one_of_its_name_inherits_nothing() {
    let attache = Attache::sandbox();
    register_other(&attache);
    let tokens = [OTHER.two_legged(&attache, SCOPE), OTHER.three_legged(&attache, LINE, SCOPE)];
    let request = OTHER.bc_authorize(&attache, &[("login_hint", HINT), ("scope", SCOPE)]).says(200);
    let id = request.text("auth_req_id");
    let code = code(&attache, &OTHER, &[]);
    let bodies = [json!({"device": {"phoneNumber": LINE}}), json!({})];
    let ask = |status| {
        for (token, body) in tokens.iter().zip(&bodies) {
            attache.post(ROAMING).bearer(token).json(body).says(status);
        }
    };
    ask(200);
    attache.admin(Method::DELETE, "/admin/v1/clients/camara/other").says(200);
    ask(401);
    is_oauth_error(&poll(&attache, &OTHER, &id).says(401), "invalid_client");
    is_oauth_error(&authorize(&attache, &OTHER, &[]).says(400), "invalid_request");
    register_other(&attache);
    ask(401);
    is_oauth_error(&poll(&attache, &OTHER, &id).says(400), "invalid_grant");
    is_oauth_error(&exchange(&attache, &OTHER, &code, &[]).says(400), "invalid_grant");
    OTHER.two_legged(&attache, SCOPE);
}

#[test]
fn every_demo_client_of_the_sandbox_gets_a_token_with_what_the_sandbox_tells() {
    let attache = Attache::sandbox();
    let facts = attache.facts();
    for (name, publisher) in facts["publishers"].as_object().unwrap() {
        for client in publisher["clients"].as_array().unwrap() {
            let [id, secret] = ["client_id", "client_secret"].map(|field| client[field].as_str().unwrap());
            let scope = client["scopes"][0].as_str().unwrap();
            let scope = format!("{} {scope}", client["purposes"][0].as_str().unwrap());
            let ask = |endpoint: &str, parameters: &[(&str, &str)]| {
                attache.post(path(&attache, &publisher[endpoint])).basic(id, secret).form(parameters).says(200)
            };
            if publisher.get("backchannel_authentication_endpoint").is_some() {
                let hint = [("login_hint", HINT), ("scope", &scope)];
                let request = ask("backchannel_authentication_endpoint", &hint).text("auth_req_id");
                ask("token_endpoint", &[("grant_type", CIBA), ("auth_req_id", &request)]);
            } else {
                ask("token_endpoint", &[("grant_type", "client_credentials"), ("scope", &scope)]);
            }
            for redirect_uri in client["redirect_uris"].as_array().unwrap() {
                let parameters = [
                    ("response_type", "code"),
                    ("client_id", id),
                    ("redirect_uri", redirect_uri.as_str().unwrap()),
                    ("scope", &scope),
                    ("login_hint", HINT),
                ];
                let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
                let endpoint = path(&attache, &publisher["authorization_endpoint"]);
                let answer = attache.get(&format!("{endpoint}?{query}")).says(302);
                assert!(answer.header("location").contains("code="), "{name}: {}", answer.header("location"));
            }
        }
    }
}
