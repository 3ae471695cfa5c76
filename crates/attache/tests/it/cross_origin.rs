//! Pages of a registered origin may call discovery, keys, token endpoints and faces; nobody's page may
//! call the operator's side.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    callers::{Caller, FaceCall, path_of},
    harness::{Answer, Attache},
};

/// The origin that the demo clients are registered with.
const REGISTERED: &str = "http://localhost:3000";

/// Origins that are not: other schemes, hosts and ports, and what only looks like it.
const OTHERS: [&str; 9] = [
    "https://localhost:3000",
    "http://localhost",
    "http://localhost:3001",
    "http://localhost:3000.evil.example",
    "http://localhost:3000/",
    "HTTP://LOCALHOST:3000",
    "https://evil.example",
    "null",
    "*",
];

/// The header fields by which a browser lets a page read an answer.
fn cors_fields(answer: &Answer) -> Vec<&str> {
    answer
        .headers
        .keys()
        .map(reqwest::header::HeaderName::as_str)
        .filter(|name| name.contains("access-control"))
        .collect()
}

fn assert_shared(answer: &Answer, origin: &str, path: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), origin, "{path}");
    assert!(answer.header("vary").to_ascii_lowercase().contains("origin"), "{path}");
    assert!(answer.header("access-control-expose-headers").contains("x-correlator"), "{path}");
    // Nothing here lives on cookies.
    assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
}

fn assert_not_shared(answer: &Answer, case: &str) {
    assert_eq!(cors_fields(answer), Vec::<&str>::new(), "{case}");
}

/// Every path that a page may read with `GET`: metadata and keys of every publisher.
fn discovery_paths(facts: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    for publisher in facts["publishers"].as_object().unwrap().values() {
        let root = path_of(&publisher["base_url"]);
        let root = root.trim_end_matches('/');
        paths.push(format!("{root}/.well-known/openid-configuration"));
        paths.push(format!("{root}/.well-known/oauth-authorization-server"));
        paths.push(format!("/.well-known/oauth-authorization-server{root}"));
        paths.push(format!("{root}/.well-known/jwks.json"));
    }
    paths
}

#[test]
fn discovery_and_keys_are_shared_with_a_registered_origin_only() {
    let attache = Attache::sandbox();
    for path in discovery_paths(&attache.facts()) {
        let answer = attache.get(&path).header("origin", REGISTERED).says(200);
        assert_shared(&answer, REGISTERED, &path);
        for other in OTHERS {
            assert_not_shared(&attache.get(&path).header("origin", other).says(200), &format!("{path} from {other}"));
        }
        assert_not_shared(&attache.get(&path).says(200), &format!("{path} without origin"));
    }
}

#[test]
fn faces_share_their_answers_and_their_errors_with_a_registered_origin_only() {
    let attache = Attache::sandbox();
    for call in FaceCall::all(&attache) {
        let ask = || attache.post(&call.path).bearer(&call.token);
        assert_shared(&ask().header("origin", REGISTERED).json(&call.body).says(200), REGISTERED, &call.path);
        assert_shared(&ask().header("origin", REGISTERED).json(&json!([])).says(400), REGISTERED, &call.path);
        let without_token = attache.post(&call.path).header("origin", REGISTERED).json(&call.body).says(401);
        assert_shared(&without_token, REGISTERED, &call.path);
        for other in OTHERS {
            let answer = ask().header("origin", other).json(&call.body).says(200);
            assert_not_shared(&answer, &format!("{} from {other}", call.path));
        }
        assert_not_shared(&ask().json(&call.body).says(200), &call.path);
    }
}

#[test]
fn token_endpoints_share_their_answers_and_their_errors_with_a_registered_origin_only() {
    let attache = Attache::sandbox();
    for caller in Caller::all(&attache.facts()) {
        for path in [Some(&caller.token_path), caller.backchannel_path.as_ref()].into_iter().flatten() {
            let ask = |origin: &str| attache.post(path).header("origin", origin).form(&[("grant_type", "nonsense")]);
            assert_shared(&ask(REGISTERED).says(401), REGISTERED, path);
            for other in OTHERS {
                assert_not_shared(&ask(other).says(401), &format!("{path} from {other}"));
            }
        }
    }
    let form = [("grant_type", "client_credentials")];
    let answer = attache.post("/orange/oauth/v3/token").basic("orange-demo", "orange-demo-secret").form(&form);
    assert_shared(&answer.header("origin", REGISTERED).says(200), REGISTERED, "a token");
}

#[test]
fn a_preflight_tells_what_a_page_of_a_registered_origin_may_send() {
    let attache = Attache::sandbox();
    let faces = FaceCall::all(&attache).into_iter().map(|call| call.path);
    let callers = Caller::all(&attache.facts());
    let tokens = callers.iter().flat_map(|caller| [Some(caller.token_path.clone()), caller.backchannel_path.clone()]);
    for path in faces.chain(tokens.flatten()) {
        let ask = |origin: &str| {
            attache
                .request(Method::OPTIONS, &path)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,content-type,x-correlator")
        };
        let answer = ask(REGISTERED).says(204);
        assert_shared(&answer, REGISTERED, &path);
        assert!(answer.header("access-control-allow-methods").contains("POST"), "{path}");
        let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
        for name in ["authorization", "content-type", "x-correlator"] {
            assert!(allowed.split(',').any(|it| it.trim() == name), "{path}: {allowed}");
        }
        assert_eq!(answer.body, "");
        for other in OTHERS {
            // For them, OPTIONS is a method like any other.
            let answer = ask(other).says(405);
            assert_not_shared(&answer, &format!("{path} from {other}"));
            assert_eq!(answer.header("allow"), "POST", "{path}");
        }
        let no_preflight = attache.request(Method::OPTIONS, &path).header("origin", REGISTERED).says(405);
        assert_eq!(no_preflight.header("allow"), "POST", "{path}");
    }
}

#[test]
fn an_origin_is_registered_with_its_publisher_only() {
    let attache = Attache::sandbox();
    let origin = "https://shop.example";
    let client =
        json!({"publisher": "vonage", "client_id": "shop", "client_secret": "shop-secret", "origins": [origin]});
    let calls = FaceCall::all(&attache);
    for call in &calls {
        let answer = attache.post(&call.path).bearer(&call.token).header("origin", origin).json(&call.body).says(200);
        assert_not_shared(&answer, &call.path);
    }
    attache.register(&client);
    for call in &calls {
        let answer = attache.post(&call.path).bearer(&call.token).header("origin", origin).json(&call.body).says(200);
        if call.publisher == "vonage" {
            assert_shared(&answer, origin, &call.path);
        } else {
            assert_not_shared(&answer, &call.path);
        }
    }
    attache.admin(Method::DELETE, "/admin/v1/clients/vonage/shop").says(200);
    for call in &calls {
        let answer = attache.post(&call.path).bearer(&call.token).header("origin", origin).json(&call.body).says(200);
        assert_not_shared(&answer, &call.path);
    }
}

#[test]
fn the_operators_side_and_the_sandbox_are_shared_with_nobody() {
    let attache = Attache::sandbox();
    for path in
        ["/sandbox", "/metrics", "/healthz", "/readyz", "/admin/v1/lines", "/admin/v1/clients", "/admin/v1/x", "/x"]
    {
        for origin in [REGISTERED].into_iter().chain(OTHERS) {
            let case = format!("{path} from {origin}");
            let status = match path {
                "/admin/v1/x" | "/x" => 404,
                _ => 200,
            };
            assert_not_shared(&attache.admin(Method::GET, path).header("origin", origin).says(status), &case);
            let preflight = attache
                .request(Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", "GET")
                .header("access-control-request-headers", "authorization")
                .send();
            assert!(preflight.status >= 400, "{case}: {}", preflight.status);
            assert_not_shared(&preflight, &case);
        }
        let without_token = attache.get(path).header("origin", REGISTERED).send();
        assert_not_shared(&without_token, path);
    }
}
