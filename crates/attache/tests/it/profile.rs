//! The CAMARA Security and Interoperability Profile, sentence by sentence: what it demands of a server has a test
//! here, in a module named after its section, or elsewhere. `docs/security-profile.md` lists which, and the
//! last tests of this file hold that list against the tests and against the profile itself.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Header, get_current_timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authorization::{
        BY_ASSERTION, HINT, LINE, OTHER, REDIRECT_URI, ROAMING, SCOPE, SILENT, Signer, assertion, auth_req_id,
        authorize, code, exchange, in_body, is_oauth_error, poll, register_other, sent_back, verified,
    },
    faces::{App, CAMARA, CIBA},
    harness::{Answer, Attache, Request, eventually},
};

/// A token of the application itself.
fn client_credentials(attache: &Attache) -> Request {
    CAMARA.token(attache, &[("grant_type", "client_credentials"), ("scope", SCOPE)])
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

mod sender_constrained_tokens {
    use super::*;

    /// A proof of possession (RFC 9449) for a request, made just now; each change replaces a claim.
    fn proof(signer: &Signer, method: &str, url: &str, changes: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(serde_json::from_value(signer.public.clone()).unwrap());
        let mut claims = json!({"jti": "1", "htm": method, "htu": url, "iat": get_current_timestamp()});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        signer.sign_with(&header, &claims)
    }

    fn for_a_token(attache: &Attache, signer: &Signer, changes: &Value) -> Request {
        let proof = proof(signer, "POST", &attache.url(CAMARA.token_path), changes);
        client_credentials(attache).header("dpop", &proof)
    }

    /// Asks the API with a token and a proof that names it.
    fn ask(attache: &Attache, signer: &Signer, token: &str, changes: &Value) -> Answer {
        let mut claims = json!({"ath": URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256, token.as_bytes(),
        ))});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let proof = proof(signer, "POST", &attache.url(ROAMING), &claims);
        let body = json!({"device": {"phoneNumber": LINE}});
        let request = attache.post(ROAMING).header("authorization", &format!("DPoP {token}")).header("dpop", &proof);
        request.json(&body).send()
    }

    #[test]
    fn who_sends_a_proof_gets_a_dpop_token_and_who_sends_none_a_bearer_token() {
        let attache = Attache::sandbox();
        let signer = Signer::new();
        let bearer = client_credentials(&attache).says(200);
        assert_eq!(bearer.text("token_type"), "Bearer");
        let bound = for_a_token(&attache, &signer, &json!({})).says(200);
        assert_eq!(bound.text("token_type"), "DPoP");
        let token = bound.text("access_token");
        assert!(claims_of(&token)["cnf"]["jkt"].is_string());

        assert_eq!(ask(&attache, &signer, &token, &json!({"jti": "a"})).status, 200);
        // Who has stolen it lacks the key.
        let body = json!({"device": {"phoneNumber": LINE}});
        attache.post(ROAMING).bearer(&token).json(&body).says(401);
        assert_eq!(ask(&attache, &Signer::new(), &token, &json!({"jti": "b"})).status, 401);
    }

    #[test]
    fn claims_of_a_proof_that_nobody_defines_are_ignored() {
        let attache = Attache::sandbox();
        let more = json!({"camara:nothing": [1, 2], "nonce": "x", "scope": {"a": null}, "sub": 1});
        for_a_token(&attache, &Signer::new(), &more).says(200);
    }

    #[test]
    fn a_proof_is_good_once() {
        let attache = Attache::sandbox();
        let signer = Signer::new();
        let token = for_a_token(&attache, &signer, &json!({"jti": "first"})).says(200).text("access_token");
        is_oauth_error(&for_a_token(&attache, &signer, &json!({"jti": "first"})).says(400), "invalid_dpop_proof");
        assert_eq!(ask(&attache, &signer, &token, &json!({"jti": "second"})).status, 200);
        assert_eq!(ask(&attache, &signer, &token, &json!({"jti": "second"})).status, 401);
        for unnamed in [json!({"jti": ""}), json!({"jti": null}), json!({"jti": 1})] {
            is_oauth_error(&for_a_token(&attache, &signer, &unnamed).says(400), "invalid_dpop_proof");
        }
    }

    #[test]
    fn a_proof_is_good_for_300_seconds() {
        let attache = Attache::sandbox();
        let (signer, now) = (Signer::new(), get_current_timestamp());
        let token = for_a_token(&attache, &signer, &json!({"iat": now - 290})).says(200).text("access_token");
        for (turn, iat) in [json!(now - 302), json!(now + 302), json!(null), json!("now")].iter().enumerate() {
            let changes = json!({"jti": format!("turn-{turn}"), "iat": iat});
            is_oauth_error(&for_a_token(&attache, &signer, &changes).says(400), "invalid_dpop_proof");
            assert_eq!(ask(&attache, &signer, &token, &changes).status, 401, "{iat}");
        }
    }

    #[test]
    fn a_proof_is_of_one_request() {
        let attache = Attache::sandbox();
        let signer = Signer::new();
        let token = for_a_token(&attache, &signer, &json!({})).says(200).text("access_token");
        let other = "https://elsewhere.example/oauth2/token";
        for (turn, changes) in [
            json!({"htu": other}),
            json!({"htm": "GET"}),
            json!({"htu": attache.url("/")}),
            json!({"ath": "another"}),
            json!({"ath": null}),
        ]
        .into_iter()
        .enumerate()
        {
            let mut changes = changes;
            changes["jti"] = json!(format!("turn-{turn}"));
            if changes.get("ath").is_none() {
                is_oauth_error(&for_a_token(&attache, &signer, &changes).says(400), "invalid_dpop_proof");
            }
            assert_eq!(ask(&attache, &signer, &token, &changes).status, 401, "{changes}");
        }
    }
}

mod cross_site_request_forgery_protection {
    use super::*;

    #[test]
    fn without_pkce_state_and_nonce_come_back_as_they_were_sent() {
        let attache = Attache::sandbox();
        let scope = format!("openid {SCOPE}");
        let without = [("code_challenge", ""), ("code_challenge_method", ""), ("nonce", "a nonce of 128 bits")];
        let changes = [&without[..], &[("scope", &scope)]].concat();
        // `state` is held against what was sent by whoever reads what is sent back.
        let code = code(&attache, &CAMARA, &changes);
        let token = exchange(&attache, &CAMARA, &code, &[("code_verifier", "")]).says(200);
        assert_eq!(claims_of(&token.text("id_token"))["nonce"], "a nonce of 128 bits");
    }
}

mod authentication_request {
    use super::*;

    #[test]
    fn a_backchannel_authentication_names_its_subscriber_by_login_hint_and_nothing_else() {
        let attache = Attache::sandbox();
        is_oauth_error(&CAMARA.bc_authorize(&attache, &[("scope", SCOPE)]).says(400), "invalid_request");
        for other in ["login_hint_token", "id_token_hint"] {
            for hint in [&[("login_hint", HINT)][..], &[]] {
                let parameters = [hint, &[("scope", SCOPE), (other, "x")]].concat();
                is_oauth_error(&CAMARA.bc_authorize(&attache, &parameters).says(400), "invalid_request");
            }
        }
        CAMARA.bc_authorize(&attache, &[("login_hint", HINT), ("scope", SCOPE)]).says(200);
    }

    #[test]
    fn who_does_not_authenticate_begins_no_backchannel_authentication() {
        let attache = Attache::sandbox();
        let form = [("login_hint", HINT), ("scope", SCOPE), ("client_id", CAMARA.id)];
        let bare = || attache.post(CAMARA.backchannel_path).form(&form);
        for request in [bare(), bare().basic(CAMARA.id, "wrong"), bare().bearer("x")] {
            let answer = request.says(401);
            is_oauth_error(&answer, "invalid_client");
            assert!(!answer.header("www-authenticate").is_empty());
        }
        bare().basic(CAMARA.id, CAMARA.secret).says(200);
    }

    #[test]
    fn what_the_profile_does_not_implement_is_ignored() {
        let attache = Attache::sandbox();
        let more = [("binding_message", "x"), ("user_code", "1234"), ("requested_expiry", "99999999")];
        let parameters = [&[("login_hint", HINT), ("scope", SCOPE)][..], &more].concat();
        let request = CAMARA.bc_authorize(&attache, &parameters).says(200);
        assert_eq!(request.json()["expires_in"], 120);
    }
}

mod refresh_token_usage {
    use super::*;

    #[test]
    fn client_credentials_never_come_with_a_refresh_token() {
        let attache = Attache::sandbox();
        let scope = format!("{SCOPE} offline_access");
        let parameters = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
        let answer = CAMARA.token(&attache, &parameters).send();
        assert_eq!(answer.json().get("refresh_token"), None, "{}", answer.body);
        assert_eq!(client_credentials(&attache).says(200).json().get("refresh_token"), None);
    }

    /// A refresh token of an application, for the line.
    fn refresh_token(attache: &Attache, app: &App) -> String {
        let scope = format!("{SCOPE} offline_access");
        let request = app.bc_authorize(attache, &[("login_hint", HINT), ("scope", &scope)]).says(200);
        poll(attache, app, &request.text("auth_req_id")).says(200).text("refresh_token")
    }

    fn refresh(attache: &Attache, app: &App, token: &str) -> Request {
        app.token(attache, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    #[test]
    fn nothing_is_refreshed_once_the_consent_is_withdrawn() {
        let attache = Attache::sandbox();
        let first = refresh_token(&attache, &CAMARA);
        let second = refresh(&attache, &CAMARA, &first).says(200).text("refresh_token");
        let withdraw = format!("/admin/v1/lines/{LINE}/consents/withdraw");
        attache.admin(Method::POST, &withdraw).json(&json!({})).says(200);
        is_oauth_error(&refresh(&attache, &CAMARA, &second).says(400), "invalid_grant");
        // Who consents anew gets new tokens, and the old ones stay ended.
        let anew = refresh_token(&attache, &CAMARA);
        is_oauth_error(&refresh(&attache, &CAMARA, &second).says(400), "invalid_grant");
        refresh(&attache, &CAMARA, &anew).says(200);
    }

    #[test]
    fn nothing_is_refreshed_once_the_client_is_another() {
        let attache = Attache::sandbox();
        register_other(&attache);
        let token = refresh_token(&attache, &OTHER);
        attache.admin(Method::DELETE, "/admin/v1/clients/camara/other").says(200);
        is_oauth_error(&refresh(&attache, &OTHER, &token).says(401), "invalid_client");
        register_other(&attache);
        is_oauth_error(&refresh(&attache, &OTHER, &token).says(400), "invalid_grant");
    }
}

mod jwt_bearer_flow {
    use super::*;

    const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

    /// An application that signs, with its registration as far as a test wants another.
    fn signer(attache: &Attache, registration: &Value) -> Signer {
        let signer = Signer::new();
        let mut client = json!({"publisher": "camara", "client_id": "signer", "keys": [signer.public]});
        client.as_object_mut().unwrap().extend(registration.as_object().unwrap().clone());
        attache.register(&client);
        signer
    }

    /// What an application states that is in order; each change replaces a claim, or leaves it out by null.
    fn statement(attache: &Attache, changes: &Value) -> Value {
        let now = get_current_timestamp();
        let id = format!("{:x}", rand_id());
        let mut claims = json!({
            "iss": "signer", "sub": HINT, "aud": attache.url(CAMARA.token_path), "scope": SCOPE,
            "iat": now - 1, "exp": now + 60, "jti": id,
        });
        let claims_of = claims.as_object_mut().unwrap();
        claims_of.extend(changes.as_object().unwrap().clone());
        claims_of.retain(|_, value| !value.is_null());
        claims
    }

    fn rand_id() -> u64 {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).unwrap();
        u64::from_be_bytes(bytes)
    }

    fn present(attache: &Attache, assertion: &str) -> Request {
        attache.post(CAMARA.token_path).form(&[("grant_type", GRANT), ("assertion", assertion)])
    }

    /// Holds every statement with one of these changes against the error that it has to get.
    fn refuses(changes: &[Value], error: &str) {
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({}));
        for change in changes {
            let answer = present(&attache, &signer.sign(&statement(&attache, change))).send();
            assert_eq!(answer.status, 400, "{change}: {}", answer.body);
            is_oauth_error(&answer, error);
        }
        present(&attache, &signer.sign(&statement(&attache, &json!({})))).says(200);
    }

    #[test]
    fn a_signed_statement_gives_a_token_of_its_subject_and_no_refresh_token() {
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({}));
        let offline = format!("offline_access {SCOPE}");
        for scope in [SCOPE, &offline] {
            let token = present(&attache, &signer.sign(&statement(&attache, &json!({"scope": scope})))).says(200);
            assert_eq!(token.json().get("refresh_token"), None);
            let answer = attache.post(ROAMING).bearer(&token.text("access_token")).json(&json!({})).says(200);
            assert_eq!(answer.json()["roaming"], false);
        }
    }

    #[test]
    fn the_scope_is_a_claim_and_no_parameter() {
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({}));
        let assertion = signer.sign(&statement(&attache, &json!({})));
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str()), ("scope", SCOPE)];
        is_oauth_error(&attache.post(CAMARA.token_path).form(&form).says(400), "invalid_request");
        is_oauth_error(&attache.post(CAMARA.token_path).form(&form[..1]).says(400), "invalid_request");
    }

    #[test]
    fn every_claim_is_needed() {
        refuses(
            &["iss", "sub", "aud", "exp", "iat", "jti", "scope"].map(|claim| json!({claim: null})),
            "invalid_grant",
        );
    }

    #[test]
    fn the_scope_has_one_purpose_and_scopes_that_the_client_may_use() {
        refuses(
            &[
                json!({"scope": "device-roaming-status:read"}),
                json!({"scope": "dpv:FraudPreventionAndDetection"}),
                json!({"scope": "dpv:Advertising device-roaming-status:read"}),
                json!({"scope": "dpv:FraudPreventionAndDetection sim-swap:check"}),
                json!({"scope": "dpv:ServiceProvision dpv:FraudPreventionAndDetection device-roaming-status:read"}),
            ],
            "invalid_scope",
        );
    }

    #[test]
    fn the_subject_is_a_known_number_or_operator_token() {
        refuses(
            &[
                json!({"sub": "tel:+99999999999"}),
                json!({"sub": LINE}),
                json!({"sub": "tel:33639980001"}),
                json!({"sub": "ipport:84.125.93.10:59765"}),
                json!({"sub": "operatortoken:unknown"}),
                json!({"sub": "signer"}),
                json!({"sub": ""}),
            ],
            "invalid_grant",
        );
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({}));
        let path = format!("/admin/v1/lines/{LINE}/operator-token");
        let token = attache.admin(Method::POST, &path).says(201).text("operator_token");
        let subject = json!({"sub": format!("operatortoken:{token}")});
        present(&attache, &signer.sign(&statement(&attache, &subject))).says(200);
        let again = present(&attache, &signer.sign(&statement(&attache, &subject))).says(400);
        is_oauth_error(&again, "invalid_grant");
    }

    #[test]
    fn it_is_for_the_endpoint_that_it_is_sent_to() {
        let attache = Attache::sandbox();
        let elsewhere = ["/vonage/oauth2/token", CAMARA.backchannel_path].map(|path| json!({"aud": attache.url(path)}));
        let signer = signer(&attache, &json!({}));
        for change in elsewhere.iter().chain([&json!({"aud": "https://elsewhere.example"}), &json!({"aud": []})]) {
            let answer = present(&attache, &signer.sign(&statement(&attache, change))).says(400);
            is_oauth_error(&answer, "invalid_grant");
        }
    }

    #[test]
    fn it_is_good_for_300_seconds_at_most_and_once() {
        let now = get_current_timestamp();
        refuses(
            &[
                json!({"exp": now - 1, "iat": now - 60}),
                json!({"exp": now + 310}),
                json!({"exp": now + 100, "iat": now - 250}),
                json!({"iat": now + 100, "exp": now + 200}),
                json!({"jti": ""}),
            ],
            "invalid_grant",
        );
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({}));
        let assertion = signer.sign(&statement(&attache, &json!({})));
        present(&attache, &assertion).says(200);
        is_oauth_error(&present(&attache, &assertion).says(400), "invalid_grant");
    }

    #[test]
    fn it_is_signed_by_whom_it_is_from() {
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({}));
        let good = signer.sign(&statement(&attache, &json!({})));
        let [header, claims, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
        let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
        for forged in [
            Signer::new().sign(&statement(&attache, &json!({}))),
            signer.sign(&statement(&attache, &json!({"iss": CAMARA.id}))),
            signer.sign(&statement(&attache, &json!({"iss": "nobody"}))),
            format!("{none}.{claims}."),
            format!("{header}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            "x.y.z".to_owned(),
        ] {
            is_oauth_error(&present(&attache, &forged).says(400), "invalid_grant");
        }
        present(&attache, &good).says(200);
    }

    #[test]
    fn without_consent_there_is_no_token() {
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({}));
        let silent = json!({"sub": SILENT});
        let answer = present(&attache, &signer.sign(&statement(&attache, &silent))).says(400);
        is_oauth_error(&answer, "invalid_grant");
        // Who has withdrawn is not asked again by this.
        present(&attache, &signer.sign(&statement(&attache, &json!({})))).says(200);
    }

    #[test]
    fn a_client_that_is_not_registered_for_it_is_unauthorized() {
        let attache = Attache::sandbox();
        let signer = signer(&attache, &json!({"grants": ["client_credentials"]}));
        let answer = present(&attache, &signer.sign(&statement(&attache, &json!({})))).says(400);
        is_oauth_error(&answer, "unauthorized_client");
    }
}

mod handling_of_acr_values {
    use super::*;

    #[test]
    fn acr_values_change_nothing() {
        let attache = Attache::sandbox();
        let scope = format!("openid {SCOPE}");
        for values in ["2", "urn:mace:incommon:iap:silver 3", "{}", "\u{1f511}"] {
            let parameters = [("login_hint", HINT), ("scope", &scope), ("acr_values", values)];
            let id = CAMARA.bc_authorize(&attache, &parameters).says(200).text("auth_req_id");
            let token = poll(&attache, &CAMARA, &id).says(200);
            assert_eq!(claims_of(&token.text("id_token")).get("acr"), None);
            let code = code(&attache, &CAMARA, &[("acr_values", values), ("scope", &scope)]);
            let token = exchange(&attache, &CAMARA, &code, &[]).says(200);
            assert_eq!(claims_of(&token.text("id_token")).get("acr"), None);
        }
    }
}

mod access_token_request {
    use super::*;

    #[test]
    fn client_credentials_need_a_scope() {
        let attache = Attache::sandbox();
        let without = CAMARA.token(&attache, &[("grant_type", "client_credentials")]).says(400);
        is_oauth_error(&without, "invalid_scope");
    }

    #[test]
    fn who_does_not_authenticate_gets_no_token_by_any_grant() {
        let attache = Attache::sandbox();
        let (code, id) = (code(&attache, &CAMARA, &[]), auth_req_id(&attache, HINT));
        for grant in [
            &[("grant_type", "client_credentials"), ("scope", SCOPE)][..],
            &[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT_URI)],
            &[("grant_type", CIBA), ("auth_req_id", &id)],
        ] {
            for named in [&[][..], &[("client_id", CAMARA.id)]] {
                let answer = attache.post(CAMARA.token_path).form(&[grant, named].concat()).says(401);
                is_oauth_error(&answer, "invalid_client");
            }
        }
    }
}

mod missing_openid_scope {
    use super::*;

    #[test]
    fn without_openid_there_is_no_id_token() {
        let attache = Attache::sandbox();
        let by_code = exchange(&attache, &CAMARA, &code(&attache, &CAMARA, &[]), &[]).says(200);
        let by_backchannel = poll(&attache, &CAMARA, &auth_req_id(&attache, HINT)).says(200);
        for token in [by_code, by_backchannel] {
            assert_eq!(token.json().get("id_token"), None);
        }
    }
}

mod purpose_as_a_scope {
    use super::*;

    /// What comes of a scope by each of the flows that take one.
    fn outcomes(attache: &Attache, scope: &str) -> [bool; 3] {
        let parameters = [("grant_type", "client_credentials"), ("scope", scope)];
        let two_legged = CAMARA.token(attache, &parameters).send().status == 200;
        let parameters = [("login_hint", HINT), ("scope", scope)];
        let backchannel = CAMARA.bc_authorize(attache, &parameters).send().status == 200;
        let answer = authorize(attache, &CAMARA, &[("scope", scope)]).says(302);
        [two_legged, backchannel, sent_back(attache, &answer).get("code").is_some()]
    }

    #[test]
    fn there_is_exactly_one_purpose() {
        let attache = Attache::sandbox();
        assert_eq!(outcomes(&attache, SCOPE), [true; 3]);
        assert_eq!(outcomes(&attache, "device-roaming-status:read dpv:FraudPreventionAndDetection"), [true; 3]);
        for scope in [
            "device-roaming-status:read",
            "dpv:ServiceProvision dpv:FraudPreventionAndDetection device-roaming-status:read",
        ] {
            assert_eq!(outcomes(&attache, scope), [false; 3], "{scope}");
        }
    }

    #[test]
    fn a_purpose_has_its_prefix_and_its_value() {
        let attache = Attache::sandbox();
        for purpose in [
            "dpv:",
            "DPV:FraudPreventionAndDetection",
            "FraudPreventionAndDetection",
            "dpv#FraudPreventionAndDetection",
            "dpv:FraudPreventionAndDetection#",
            "dpv::FraudPreventionAndDetection",
            "dpv:Fraud_Prevention",
        ] {
            let scope = format!("{purpose} device-roaming-status:read");
            assert_eq!(outcomes(&attache, &scope), [false; 3], "{purpose}");
        }
        assert_eq!(outcomes(&attache, "dpv:FraudPreventionAndDetection#device-roaming-status:read"), [false; 3]);
    }
}

mod id_token {
    use super::*;

    #[test]
    fn with_openid_every_flow_of_a_subscriber_gives_an_id_token_of_the_client() {
        let attache = Attache::sandbox();
        let scope = format!("openid {SCOPE}");
        let by_code = exchange(&attache, &CAMARA, &code(&attache, &CAMARA, &[("scope", &scope)]), &[]).says(200);
        let request = CAMARA.bc_authorize(&attache, &[("login_hint", HINT), ("scope", &scope)]).says(200);
        let by_backchannel = poll(&attache, &CAMARA, &request.text("auth_req_id")).says(200);
        for token in [by_code, by_backchannel] {
            let claims = verified(&attache, &token.text("id_token"), CAMARA.id).claims;
            assert!(claims["iat"].is_i64() && claims["exp"].as_i64() > claims["iat"].as_i64(), "{claims}");
        }
    }
}

mod id_token_sub_claim {
    use super::*;

    fn subject(attache: &Attache, app: &App, line: &str) -> String {
        let (hint, scope) = (format!("tel:{line}"), format!("openid {SCOPE}"));
        let request = app.bc_authorize(attache, &[("login_hint", &hint), ("scope", &scope)]).says(200);
        let token = poll(attache, app, &request.text("auth_req_id")).says(200);
        claims_of(&token.text("id_token"))["sub"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_subject_is_another_for_each_client_and_each_server() {
        let attache = Attache::sandbox();
        register_other(&attache);
        let mine = subject(&attache, &CAMARA, LINE);
        assert_eq!(mine, subject(&attache, &CAMARA, LINE));
        assert_ne!(mine, subject(&attache, &CAMARA, "+33639980004"));
        assert_ne!(mine, subject(&attache, &OTHER, LINE), "two clients can't compare");
        assert_ne!(mine, subject(&Attache::sandbox(), &CAMARA, LINE), "nor can two servers");
    }

    #[test]
    fn a_subject_tells_nothing_of_the_number() {
        let attache = Attache::sandbox();
        let subject = subject(&attache, &CAMARA, LINE);
        let bytes = URL_SAFE_NO_PAD.decode(&subject).unwrap();
        let digits = &LINE[1..];
        assert!(!subject.contains(digits) && !String::from_utf8_lossy(&bytes).contains(digits));
        // Who knows all numbers cannot find it by hashing them either: it isn't a hash of one.
        for text in [LINE, digits, HINT] {
            for algorithm in [&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &aws_lc_rs::digest::SHA256] {
                let hash = aws_lc_rs::digest::digest(algorithm, text.as_bytes());
                assert!(!hash.as_ref().starts_with(&bytes[..8]), "{text}");
            }
        }
    }
}

mod client_authentication {
    use super::*;

    #[test]
    fn an_assertion_lives_300_seconds_at_most_from_now_and_from_its_making() {
        let attache = Attache::sandbox();
        let signer = Signer::new();
        attache.register(&json!({"publisher": "camara", "client_id": "signer", "keys": [signer.public]}));
        let now = get_current_timestamp();
        for (id, iat, exp, status) in [
            ("a", Some(now), now + 299, 200),
            ("b", None, now + 299, 200),
            ("c", Some(now), now + 310, 401),
            ("d", None, now + 310, 401),
            ("e", Some(now - 250), now + 60, 401),
            ("f", Some(now - 250), now + 40, 200),
        ] {
            let mut claims = assertion(&attache.url(CAMARA.token_path), id);
            claims["exp"] = json!(exp);
            claims.as_object_mut().unwrap().remove("iat");
            if let Some(iat) = iat {
                claims["iat"] = json!(iat);
            }
            in_body(&attache, &[BY_ASSERTION, ("client_assertion", &signer.sign(&claims))]).says(status);
        }
    }

    #[test]
    fn private_key_jwt_is_taken_at_every_endpoint_that_a_client_authenticates_at() {
        let attache = Attache::sandbox();
        let signer = Signer::new();
        attache.register(&json!({"publisher": "camara", "client_id": "signer", "keys": [signer.public]}));
        let described = attache.get("/.well-known/openid-configuration").says(200).json();
        let methods = &described["token_endpoint_auth_methods_supported"];
        assert!(methods.as_array().unwrap().contains(&json!("private_key_jwt")), "{methods}");
        let by = |endpoint: &str, id: &str, form: &[(&str, &str)]| {
            let assertion = signer.sign(&assertion(&attache.url(endpoint), id));
            let authentication = [BY_ASSERTION, ("client_assertion", assertion.as_str())];
            attache.post(endpoint).form(&[form, &authentication].concat()).says(200)
        };
        by(CAMARA.token_path, "1", &[("grant_type", "client_credentials"), ("scope", SCOPE)]);
        let request = by(CAMARA.backchannel_path, "2", &[("login_hint", HINT), ("scope", SCOPE)]).text("auth_req_id");
        by(CAMARA.token_path, "3", &[("grant_type", CIBA), ("auth_req_id", &request)]);
    }
}

mod appendix_a_error_responses {
    use super::*;

    #[test]
    fn every_error_of_the_backchannel_endpoint_has_its_code_and_its_status() {
        let attache = Attache::sandbox();
        let begin = |parameters: &[(&str, &str)]| CAMARA.bc_authorize(&attache, parameters);
        for (request, status, error) in [
            (begin(&[("scope", SCOPE)]), 400, "invalid_request"),
            (begin(&[("login_hint", HINT), ("login_hint", HINT), ("scope", SCOPE)]), 400, "invalid_request"),
            (begin(&[("login_hint", "no hint"), ("scope", SCOPE)]), 400, "invalid_request"),
            (begin(&[("login_hint", "tel:+99999999999"), ("scope", SCOPE)]), 400, "unknown_user_id"),
            (begin(&[("login_hint", HINT), ("scope", "dpv:ServiceProvision no-such-scope")]), 400, "invalid_scope"),
            (begin(&[("login_hint", HINT), ("scope", SCOPE)]).bearer("x"), 400, "invalid_request"),
            (attache.post(CAMARA.backchannel_path).form(&[("login_hint", HINT)]), 401, "invalid_client"),
        ] {
            is_oauth_error(&request.says(status), error);
        }
    }

    #[test]
    fn every_error_of_the_token_endpoint_has_its_code_and_its_status() {
        let attache = Attache::sandbox();
        register_other(&attache);
        let mine = |parameters: &[(&str, &str)]| CAMARA.token(&attache, parameters);
        let used = auth_req_id(&attache, HINT);
        poll(&attache, &CAMARA, &used).says(200);
        let pending = auth_req_id(&attache, SILENT);
        let of_another = code(&attache, &CAMARA, &[]);
        for (request, status, error) in [
            (mine(&[("scope", SCOPE)]), 400, "invalid_request"),
            (mine(&[("grant_type", "client_credentials"), ("scope", SCOPE), ("scope", SCOPE)]), 400, "invalid_request"),
            (mine(&[("grant_type", "authorization_code"), ("redirect_uri", REDIRECT_URI)]), 400, "invalid_request"),
            (mine(&[("grant_type", CIBA)]), 400, "invalid_request"),
            (mine(&[("grant_type", "password"), ("scope", SCOPE)]), 400, "unsupported_grant_type"),
            (mine(&[("grant_type", "client_credentials"), ("scope", "no-such-scope")]), 400, "invalid_scope"),
            (client_credentials(&attache).header("authorization", "Bearer x"), 400, "invalid_request"),
            (attache.post(CAMARA.token_path).form(&[("grant_type", CIBA)]), 401, "invalid_client"),
            (exchange(&attache, &CAMARA, "unknown", &[]), 400, "invalid_grant"),
            (exchange(&attache, &OTHER, &of_another, &[]), 400, "invalid_grant"),
            (exchange(&attache, &CAMARA, &of_another, &[("code_verifier", "wrong")]), 400, "invalid_grant"),
            (poll(&attache, &CAMARA, &used), 400, "invalid_grant"),
            (poll(&attache, &OTHER, &pending), 400, "invalid_grant"),
            (poll(&attache, &CAMARA, &pending), 400, "authorization_pending"),
            (poll(&attache, &CAMARA, &pending), 400, "slow_down"),
        ] {
            is_oauth_error(&request.says(status), error);
        }
    }

    #[test]
    fn after_slow_down_the_interval_is_longer_for_all_that_follows() {
        let attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_INTERVAL", "1s")]);
        let id = auth_req_id(&attache, SILENT);
        let error = || poll(&attache, &CAMARA, &id).says(400).text("error");
        assert_eq!([error(), error()], ["authorization_pending", "slow_down"]);
        let asked = std::time::Instant::now();
        let first_interval = std::time::Duration::from_millis(1_200);
        eventually("the first interval is over", || (asked.elapsed() > first_interval).then_some(()));
        assert_eq!(error(), "slow_down", "it has become six seconds");
    }

    #[test]
    fn whoever_cannot_be_sent_back_safely_is_told_here_and_everybody_else_by_302() {
        let attache = Attache::sandbox();
        for change in
            [("client_id", "nobody"), ("client_id", ""), ("redirect_uri", ""), ("redirect_uri", "https://a.example")]
        {
            let answer = authorize(&attache, &CAMARA, &[change]).says(400);
            assert_eq!(answer.header("location"), "", "{change:?}");
            assert!(!answer.body.is_empty());
        }
        for (change, error) in [
            (("response_type", ""), "invalid_request"),
            (("code_challenge_method", "plain"), "invalid_request"),
            (("response_type", "token"), "unsupported_response_type"),
            (("scope", "no-such-scope"), "invalid_scope"),
            (("request_uri", "https://a.example/request"), "request_uri_not_supported"),
            (("login_hint", "tel:+99999999999"), "access_denied"),
        ] {
            let answer = authorize(&attache, &CAMARA, &[change]).says(302);
            assert_eq!(sent_back(&attache, &answer)["error"], error, "{change:?}");
        }
    }
}

mod the_list {
    use std::{collections::BTreeMap, fs, path::Path};

    const WORDS: [&str; 4] = ["MUST", "SHALL", "REQUIRED", "REQUIRES"];

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    /// The rows of one of the tables of `docs/security-profile.md`, cell by cell.
    fn rows(table: &str) -> Vec<Vec<String>> {
        let document = fs::read_to_string(root().join("docs/security-profile.md")).unwrap();
        let (_, rest) = document.split_once(&format!("<!-- {table} -->\n")).unwrap();
        let (rows, _) = rest.split_once(&format!("<!-- end of {table} -->")).unwrap();
        let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        rows.lines().skip(2).map(cells).collect()
    }

    /// The section of each sentence of the profile that binds, in its order.
    fn sections_of_binding_sentences(profile: &str) -> Vec<&str> {
        let (mut section, mut is_code, mut found) = ("", false, Vec::new());
        for line in profile.lines() {
            is_code ^= line.starts_with("```");
            if is_code {
                continue;
            }
            if let Some(title) = line.strip_prefix('#') {
                section = title.trim_start_matches('#').trim();
                continue;
            }
            let sentences = line.replace(": ", ". ");
            for sentence in sentences.split(". ") {
                let mut words = sentence.split(|character: char| !character.is_alphanumeric());
                if words.any(|word| WORDS.contains(&word)) {
                    found.push(section);
                }
            }
        }
        found
    }

    #[test]
    fn every_binding_sentence_of_the_profile_has_its_row() {
        let Ok(profile) =
            fs::read_to_string(root().join("../shared/camara/guides/CAMARA-Security-Interoperability.md"))
        else {
            return;
        };
        let count = |sections: Vec<String>| {
            let mut counts = BTreeMap::<String, u32>::new();
            for section in sections {
                *counts.entry(section).or_default() += 1;
            }
            counts
        };
        let listed = rows("sentences").into_iter().map(|mut row| row.remove(0)).collect();
        let written = sections_of_binding_sentences(&profile).into_iter().map(str::to_owned).collect();
        assert_eq!(count(listed), count(written));
    }

    /// Whether a test is there: `file::module::function`, or without a module.
    fn exists(name: &str) -> bool {
        let parts: Vec<&str> = name.split("::").collect();
        let [file, modules @ .., function] = &parts[..] else { return false };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(format!("{file}.rs"));
        let Ok(source) = fs::read_to_string(source) else { return false };
        modules.iter().all(|module| source.contains(&format!("mod {module} {{")))
            && source.contains(&format!("fn {function}() {{"))
    }

    #[test]
    fn every_test_that_is_named_exists_and_what_is_met_names_one() {
        let mut seen = 0;
        for table in ["sentences", "further", "attacks"] {
            for row in rows(table) {
                let [.., test, status] = &row[..] else { panic!("{row:?}") };
                let test = test.trim_matches('`');
                assert!(test.is_empty() || exists(test), "there is no test {test:?}: {row:?}");
                match (table, status.as_str()) {
                    ("attacks", "refused") | ("sentences" | "further", "met") => {
                        assert!(!test.is_empty(), "no test shows it: {row:?}");
                    }
                    (_, "not met") | ("sentences", "clients only" | "not offered" | "definition") => {}
                    _ => panic!("{status:?} is no status: {row:?}"),
                }
                seen += 1;
            }
        }
        assert!(seen > 100, "the tables were read: {seen} rows");
    }
}
