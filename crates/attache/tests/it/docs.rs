//! What the server says about itself: pages that need nothing from elsewhere, and a document for each
//! API and version.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::harness::{Answer, Attache};

/// The targets of the links and of the parts of a page.
fn targets(page: &str) -> BTreeSet<String> {
    let of_attribute = |attribute: &str| {
        let parts: Vec<String> =
            page.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
        parts
    };
    of_attribute(" href=\"").into_iter().chain(of_attribute(" src=\"")).collect()
}

/// A page, whose headers are those of every page.
fn page(attache: &Attache, path: &str) -> Answer {
    let answer = attache.get(path).send();
    assert_eq!(answer.status, 200, "{path}");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    for directive in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(directive), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    answer
}

#[test]
fn every_link_of_the_pages_leads_somewhere_on_this_server() {
    let attache = Attache::sandbox();
    let mut left = vec!["/docs".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(path) = left.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let answer = page(&attache, &path);
        // But for names that are kept for examples.
        let text = answer.body.replace("https://sink.example/", "").replace("https://attache.example", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{path} has a foreign address");
        if answer.headers["content-type"].to_str().unwrap().starts_with("text/html") {
            assert!(!answer.body.contains(" style=") && !answer.body.contains(" onclick="), "{path}");
            for target in targets(&answer.body) {
                let (target, fragment) =
                    target.split_once('#').map_or((&*target, None), |(path, end)| (path, Some(end)));
                assert!(target.starts_with("/docs"), "{path} leads to {target}");
                if let Some(fragment) = fragment {
                    assert!(page(&attache, target).body.contains(&format!("id=\"{fragment}\"")), "{target}#{fragment}");
                }
                left.push(target.to_owned());
            }
        }
    }
    let documents = seen.iter().filter(|path| path.ends_with("/openapi.json")).count();
    // The index, a page for each document, a style and a script.
    assert_eq!((documents, seen.len()), (22, 22 * 2 + 3), "{seen:?}");
}

#[test]
fn every_path_of_the_documents_is_one_that_the_server_has() {
    let attache = Attache::sandbox();
    let index = page(&attache, "/docs").body;
    for link in targets(&index).iter().filter(|link| link.ends_with("/openapi.json")) {
        let document = attache.get(link).says(200).json();
        assert_eq!(document["openapi"], "3.1.0", "{link}");
        let server = document["servers"][0]["url"].as_str().unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
                let path = format!("{server}{path}");
                assert!(index.contains(&format!("<code>{method} {path}</code>")), "{method} {path}");
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                attache.request(method, &path).body("application/json", "{}").says(401);
            }
        }
        let discovery = document["components"]["securitySchemes"]["openId"]["openIdConnectUrl"].as_str().unwrap();
        attache.get(discovery).says(200);
    }
}

#[test]
fn the_index_says_which_version_answers() {
    let attache = Attache::with_environment(&[], &[("ATTACHE_PINS", "device-status=0.4")]);
    let index = page(&attache, "/docs").body;
    assert!(index.contains("1.1 answers, and this version if it is pinned"), "{index}");
    assert!(index.contains("another version is pinned"), "{index}");
    assert!(!page(&attache, "/docs/camara/device-status/0.5").body.contains("<form"));
    assert!(page(&attache, "/docs/camara/connected-network-type-subscriptions/0.1").body.contains("<form"));
    assert!(
        page(&attache, "/docs/camara/device-status/0.4").body.contains("<form data-path=\"/device-status/v0/roaming\"")
    );
}

#[test]
fn the_page_of_subscriptions_tells_every_operation_and_every_event() {
    let attache = Attache::sandbox();
    let page = page(&attache, "/docs/camara/device-roaming-status-subscriptions/0.8").body;
    let path = "/device-roaming-status-subscriptions/v0.8/subscriptions";
    for part in [
        format!("<form data-path=\"{path}\" data-method=\"POST\""),
        format!("<form data-path=\"{path}\" data-method=\"GET\""),
        format!("<form data-path=\"{path}/{{subscriptionId}}\" data-method=\"GET\""),
        format!("<form data-path=\"{path}/{{subscriptionId}}\" data-method=\"DELETE\""),
        "<th scope=\"row\"><code>config.subscriptionDetail.device.phoneNumber</code></th>".to_owned(),
        "<code>org.camaraproject.device-roaming-status-subscriptions.v0.subscription-ended</code>".to_owned(),
        "<th scope=\"row\"><code>data.terminationReason</code></th>".to_owned(),
        "<td><code>INVALID_SINK</code></td>".to_owned(),
        "<p>Nothing but the status.</p>".to_owned(),
    ] {
        assert!(page.contains(&part), "{part}\n{page}");
    }
}

#[test]
fn what_is_not_there_is_not_found_and_nothing_is_written() {
    let attache = Attache::sandbox();
    for path in ["/docs/camara", "/docs/camara/device-status/9.9", "/docs/camara/device-status/0.5/openapi.yaml"] {
        attache.get(path).says(404);
    }
    assert_eq!(attache.request(Method::POST, "/docs").says(405).headers["allow"], "GET");
    attache.get("/docs").header("Host", "elsewhere.example").says(400);
}

#[test]
fn nothing_of_the_sandbox_stands_in_the_pages() {
    let attache = Attache::sandbox();
    let mut pages = String::new();
    for target in targets(&page(&attache, "/docs").body) {
        pages += &page(&attache, target.split('#').next().unwrap()).body;
    }
    for publisher in attache.get("/sandbox").says(200).json()["publishers"].as_object().unwrap().values() {
        for credential in publisher["clients"].as_array().unwrap() {
            assert!(!pages.contains(credential["client_secret"].as_str().unwrap()), "{credential}");
        }
    }
}
