//! In earnest: what production needs to start, what it doesn't have, and what it never takes as proof.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Output},
};

use rcgen::{CertifiedKey, KeyPair};
use reqwest::{Certificate, Method, blocking::Client, tls::Version};
use serde_json::{Value, json};

use crate::{
    authorization::{BY_ASSERTION, Signer, assertion},
    harness::{Attache, BOUND, eventually, program},
};

const ADMIN_TOKEN: &str = "kS3jv9_Qx0TzR1-mB7nYpA";

/// What production has to be told, but for TLS.
const NEEDED: [(&str, &str); 4] = [
    ("ATTACHE_PUBLIC_URL", "https://attache.example.com"),
    ("ATTACHE_SECRETS_KEY", "ff6162636465666768696a6b6c6d6e6f707172737475767778797a3031323334"),
    ("ATTACHE_AUDIT_KEY", "343332313a797877767574737271706f6e6d6c6b6a696867666564636261ff60"),
    ("ATTACHE_ADMIN_TOKEN", ADMIN_TOKEN),
];

/// The network of a proxy that ends TLS; the tests come from loopback, as a proxy of this machine does.
const PROXY: (&str, &str) = ("ATTACHE_TRUSTED_PROXIES", "192.0.2.0/24");

/// Its clients have secrets at every issuer.
fn behind_a_proxy(arguments: &[&str]) -> Attache {
    by_the_profile(&[&["--camara-client-secrets"], arguments].concat())
}

/// Its clients have keys at CAMARA's issuer.
fn by_the_profile(arguments: &[&str]) -> Attache {
    Attache::with_environment(&[&["--production"], arguments].concat(), &[&NEEDED[..], &[PROXY]].concat())
}

/// Starts a server that must not start, and returns what it says.
fn refuses_to_start(data_dir: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let mut server = program(data_dir);
    server.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).args(arguments);
    let Output { status, stdout, stderr } = run(server.envs(environment.iter().copied()));
    let told = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{told}");
    assert_eq!(stdout, b"", "it prints no banner");
    assert!(!told.contains("panicked"), "{told}");
    told
}

/// Runs a program that has to end by itself.
fn run(command: &mut Command) -> Output {
    let mut process =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut waited = std::time::Duration::ZERO;
    while process.try_wait().unwrap().is_none() {
        let pause = std::time::Duration::from_millis(5);
        std::thread::sleep(pause);
        waited += pause;
        if waited > BOUND {
            process.kill().unwrap();
            panic!("it started, and shouldn't have: {:?}", process.wait_with_output().unwrap());
        }
    }
    process.wait_with_output().unwrap()
}

fn operator(attache: &Attache, method: Method, path: &str) -> crate::harness::Request {
    attache.request(method, path).bearer(ADMIN_TOKEN)
}

#[test]
fn production_tells_everything_that_it_lacks_at_once() {
    let data = tempfile::tempdir().unwrap();
    let told = refuses_to_start(data.path(), &["--production"], &[]);
    for (key, variable) in [
        ("public_url", "ATTACHE_PUBLIC_URL"),
        ("secrets_key", "ATTACHE_SECRETS_KEY"),
        ("audit_key", "ATTACHE_AUDIT_KEY"),
        ("admin_token", "ATTACHE_ADMIN_TOKEN"),
        ("tls_cert", "ATTACHE_TLS_CERT"),
    ] {
        let sentence = told.lines().find(|line| line.contains(key) && line.contains("production needs"));
        let sentence = sentence.unwrap_or_else(|| panic!("{key} isn't asked for:\n{told}"));
        assert!(sentence.contains(variable), "{sentence}");
    }
    assert!(told.contains("https"), "{told}");
    assert!(told.contains("128 random bits"), "{told}");
    assert!(told.contains("openssl rand -hex 32"), "{told}");
    assert!(told.contains("tls_key") && told.contains("trusted_proxies"), "{told}");
    assert!(!data.path().join("attache.db").exists(), "nothing is made before all is well");
}

#[test]
fn production_tells_the_one_thing_that_it_lacks() {
    let whole = [&NEEDED[..], &[PROXY]].concat();
    let keys = ["public_url", "secrets_key", "audit_key", "admin_token", "tls_cert"];
    for (missing, key) in keys.into_iter().enumerate() {
        let data = tempfile::tempdir().unwrap();
        let mut rest = whole.clone();
        rest.remove(missing);
        let told = refuses_to_start(data.path(), &["--production"], &rest);
        for other in keys {
            let is_told = told.contains(&format!("- {other} "));
            assert_eq!(is_told, other == key, "without {key}, about {other}:\n{told}");
        }
    }
}

#[test]
fn production_takes_no_weak_substitute() {
    for (variable, weak, key) in [
        ("ATTACHE_PUBLIC_URL", "http://attache.example.com", "public_url"),
        ("ATTACHE_PUBLIC_URL", "attache.example.com", "public_url"),
        ("ATTACHE_SECRETS_KEY", "hunter2", "secrets_key"),
        ("ATTACHE_SECRETS_KEY", "0000000000000000000000000000000000000000000000000000000000000000", "secrets_key"),
        ("ATTACHE_AUDIT_KEY", "ff616263", "audit_key"),
        ("ATTACHE_ADMIN_TOKEN", "change-me", "admin_token"),
        ("ATTACHE_ADMIN_TOKEN", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "admin_token"),
        ("ATTACHE_ADMIN_TOKEN", "", "admin_token"),
        ("ATTACHE_TRUSTED_PROXIES", "", "tls_cert"),
        ("ATTACHE_TRUSTED_PROXIES", "proxy.example", "trusted_proxies"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let mut environment = [&NEEDED[..], &[PROXY]].concat();
        environment.iter_mut().filter(|(name, _)| *name == variable).for_each(|(_, value)| *value = weak);
        let told = refuses_to_start(data.path(), &["--production"], &environment);
        assert!(told.contains(&format!("- {key} ")), "{variable}={weak}:\n{told}");
        let is_secret = matches!(key, "secrets_key" | "audit_key" | "admin_token");
        assert!(!is_secret || weak.is_empty() || !told.contains(weak), "it prints a secret:\n{told}");
    }
}

#[test]
fn a_certificate_needs_its_key_and_both_need_to_be_readable() {
    let data = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let files = Files::in_directory(directory.path());
    files.write(&certificate());
    let refusal = |cert: Option<&str>, key: Option<&str>| {
        let mut arguments = vec!["--production"];
        arguments.extend(cert.into_iter().flat_map(|cert| ["--tls-cert", cert]));
        arguments.extend(key.into_iter().flat_map(|key| ["--tls-key", key]));
        refuses_to_start(data.path(), &arguments, &NEEDED)
    };
    assert!(refusal(Some(&files.certificate), None).contains("- tls_key "));
    assert!(refusal(None, Some(&files.key)).contains("- tls_cert "));
    let told = refusal(Some("nowhere.pem"), Some(&files.key));
    assert!(told.contains("nowhere.pem") && told.contains("cannot be used"), "{told}");
    fs::write(&files.certificate, "nonsense").unwrap();
    let told = refusal(Some(&files.certificate), Some(&files.key));
    assert!(told.contains(&files.certificate), "{told}");
    let another = certificate();
    fs::write(&files.certificate, another.cert.pem()).unwrap();
    let told = refusal(Some(&files.certificate), Some(&files.key));
    assert!(told.contains(&files.key), "a key of another certificate: {told}");
}

#[test]
fn production_has_nothing_of_the_sandbox() {
    let attache = behind_a_proxy(&[]);
    let unknown = json!({"status": 404, "code": "NOT_FOUND"});
    for method in [Method::GET, Method::POST] {
        let mut answer = attache.request(method, "/sandbox").says(404).json();
        assert!(answer.as_object_mut().unwrap().remove("message").is_some());
        assert_eq!(answer, unknown);
    }
    let fail = operator(&attache, Method::PUT, "/admin/v1/network").json(&json!({"state": "failing"})).says(403);
    assert_eq!(fail.text("code"), "SANDBOX_ONLY");
    assert_eq!(operator(&attache, Method::GET, "/admin/v1/lines").says(200).json()["lines"], json!([]));
    assert_eq!(operator(&attache, Method::GET, "/admin/v1/clients").says(200).json()["clients"], json!([]));
    for (path, id, secret) in [
        ("/oauth2/token", "camara-demo", "camara-demo-secret"),
        ("/orange/oauth/v3/token", "orange-demo", "orange-demo-secret"),
        ("/telefonica/token", "my-app-id", "my-app-secret"),
        ("/telefonica/token", "mock_sandbox_app_id", "mock_sandbox_app_secret"),
        ("/vonage/oauth2/token", "vonage-demo", "vonage-demo-secret"),
    ] {
        let answer = attache.post(path).basic(id, secret).form(&[("grant_type", "client_credentials")]).says(401);
        assert_eq!(answer.text("error"), "invalid_client");
    }
    let mock = attache.post("/telefonica/device-status/v0/roaming").bearer("mock_sandbox_access_token");
    mock.json(&json!({"ueId": {"msisdn": "+34777777777"}})).says(401);
    let printed = eventually("it prints its banner", || Some(attache.printed()).filter(|it| it.contains("Ctrl-C")));
    for word in ["demo", "secret", "sandbox", "curl", "+3"] {
        assert!(!printed.contains(word), "{word}:\n{printed}");
    }
    assert!(!attache.data_dir().join("admin-token").exists(), "the credential is the operator's to keep");
    assert!(!attache.data_dir().join("secrets.key").exists(), "and so is the key");
    assert!(!attache.data_dir().join("sandbox-ca.key").exists(), "and nobody vouches for sinks");
    let told = attache.command(&["listen", "--port", "0"]).stderr;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("is no sandbox: only a sandbox trusts"), "{told}");
}

#[test]
fn production_says_what_it_answers_and_nothing_of_the_sandbox() {
    let attache = behind_a_proxy(&[]);
    for path in ["/docs", "/docs/camara/device-roaming-status/1.1", "/docs/vonage/device-status/0.5/openapi.json"] {
        let page = attache.get(path).says(200).body;
        for word in ["demo", "secret", "sandbox", "+336", "+346", "+123456789"] {
            assert!(!page.contains(word), "{path}: {word}");
        }
    }
}

/// Registers a client of production, and returns its secret.
fn shop(attache: &Attache, publisher: &str) -> String {
    let client = json!({
        "publisher": publisher,
        "client_id": "shop",
        "redirect_uris": ["https://shop.example/callback"],
        "purposes": ["dpv:FraudPreventionAndDetection"],
    });
    operator(attache, Method::POST, "/admin/v1/clients").json(&client).says(201).text("client_secret")
}

fn add_line(attache: &Attache) {
    let line = json!({"phone_number": "+33699901032", "home_plmn": "20801", "serving": {"country": "DE"}});
    operator(attache, Method::POST, "/admin/v1/lines").json(&line).says(201);
}

#[test]
fn client_credentials_work_for_a_registered_client() {
    let mut attache = behind_a_proxy(&[]);
    add_line(&attache);
    let question = json!({"device": {"phoneNumber": "+33699901032"}});
    let secret = shop(&attache, "camara");
    let form =
        [("grant_type", "client_credentials"), ("scope", "dpv:FraudPreventionAndDetection device-roaming-status:read")];
    let token = attache.post("/oauth2/token").basic("shop", &secret).form(&form).says(200).text("access_token");
    let ask = |attache: &Attache| {
        attache.post("/device-roaming-status/v1/retrieve").bearer(&token).json(&question).says(200).json()
    };
    assert_eq!(ask(&attache)["countryCode"], 262);
    let orange = shop(&attache, "orange");
    let form = [("grant_type", "client_credentials")];
    let of_orange = attache.post("/orange/oauth/v3/token").basic("shop", &orange).form(&form).says(200);
    let path = "/orange/camara/orange-lab/device-roaming-status/v0/retrieve";
    attache.post(path).bearer(&of_orange.text("access_token")).json(&question).says(200);
    attache.post(path).bearer(&token).json(&question).says(401);
    attache.kill();
    attache.start();
    assert_eq!(ask(&attache)["countryCode"], 262);
}

#[test]
fn an_event_for_a_name_that_stands_for_an_inside_address_is_a_dead_letter() {
    let attache = behind_a_proxy(&["--legal-basis", "*/device-roaming-status-subscriptions=contract"]);
    add_line(&attache);
    let secret = shop(&attache, "camara");
    let event = "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-status";
    let scope = format!("dpv:FraudPreventionAndDetection device-roaming-status-subscriptions:{event}:create");
    let form = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
    let token = attache.post("/oauth2/token").basic("shop", &secret).form(&form).says(200).text("access_token");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let body = json!({
        "protocol": "HTTP", "types": [event], "sink": format!("https://localhost:{}/", listener.local_addr().unwrap().port()),
        "config": {"subscriptionDetail": {"device": {"phoneNumber": "+33699901032"}}},
    });
    let path = "/device-roaming-status-subscriptions/v0.8/subscriptions";
    let id = attache.post(path).bearer(&token).json(&body).says(201).text("id");
    let deliveries = format!("/admin/v1/subscriptions/{id}/deliveries");
    let dead = eventually("it is a dead letter", || {
        let deliveries = operator(&attache, Method::GET, &deliveries).says(200).json();
        Some(deliveries["deliveries"][0].clone()).filter(|delivery| delivery["state"] == "dead")
    });
    assert_eq!((&dead["last_outcome"], &dead["attempts"]), (&json!("its address is not public"), &json!(1)));
    assert!(listener.accept().is_err(), "nothing is connected to");
    let metrics = operator(&attache, Method::GET, "/metrics").says(200).body;
    for (name, value) in [
        (r#"attempts_total{outcome="refused"}"#, 1),
        (r#"attempts_total{outcome="dead"}"#, 0),
        ("duration_seconds_count", 1),
        ("lag_seconds_count", 1),
    ] {
        assert!(metrics.contains(&format!("\nattache_delivery_{name} {value}\n")), "{name}: {metrics}");
    }
    assert!(metrics.contains("\nattache_deliveries_pending 0\n"), "{metrics}");
    assert!(metrics.contains("\nattache_deliveries_dead 1\n"), "{metrics}");
}

/// A line that holds an address, which the tests come from by way of a proxy.
const FORWARDED: &str = "198.51.100.7";

fn behind_a_proxy_of_this_machine() -> Attache {
    let attache = behind_a_proxy(&["--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "192.0.2.0/24"]);
    let csv = "phone_number,home_plmn,serving_plmn,reachable,last_seen,public_ipv4\n\
               +33699901032,20801,20801,DATA,2026-01-31T12:00:00Z,198.51.100.7\n\
               +33699901033,20801,20801,DATA,2026-01-31T12:00:00Z,\n";
    operator(&attache, Method::POST, "/admin/v1/lines/import").body("text/csv", csv).says(200);
    attache
}

/// Where a browser is sent by an authorization endpoint, that a request with these headers asked.
fn authorize(attache: &Attache, changes: &[(&str, &str)], headers: &[(&str, &str)]) -> url::Url {
    let usual = [
        ("client_id", "shop"),
        ("response_type", "code"),
        ("scope", "dpv:FraudPreventionAndDetection device-roaming-status:read"),
        ("redirect_uri", "https://shop.example/callback"),
        ("state", "s"),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(usual).extend_pairs(changes).finish();
    let mut request = attache.get(&format!("/oauth2/authorize?{query}"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let base: url::Url = "https://attache.example.com/".parse().unwrap();
    base.join(request.says(302).header("location")).unwrap()
}

fn parameter(location: &url::Url, name: &str) -> Option<String> {
    location.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[test]
fn the_network_says_who_calls_and_neither_a_login_hint_nor_a_forged_header() {
    let attache = behind_a_proxy_of_this_machine();
    shop(&attache, "camara");
    let from = |address: &'static str| [("x-forwarded-for", address)];
    let page = authorize(&attache, &[], &from(FORWARDED));
    assert_eq!((page.host_str(), page.path()), (Some("attache.example.com"), "/consent"), "{page}");
    for hint in ["tel:+33699901032", "ipport:198.51.100.7", "ipport:198.51.100.7:1", "nonsense", "operatortoken:x"] {
        let page = authorize(&attache, &[("login_hint", hint)], &from(FORWARDED));
        assert_eq!(page.path(), "/consent", "{hint}");
    }
    for hint in ["tel:+33699901033", "tel:+33600000000", "ipport:198.51.100.8"] {
        let location = authorize(&attache, &[("login_hint", hint)], &from(FORWARDED));
        assert_eq!(parameter(&location, "error").as_deref(), Some("access_denied"), "{hint}");
    }
    for headers in [
        &[("forwarded", "for=198.51.100.7")][..],
        &[("forwarded", "for=198.51.100.8, for=198.51.100.7;proto=https, for=192.0.2.1")],
        &[("forwarded", "for=198.51.100.7"), ("x-forwarded-for", "198.51.100.7")],
    ] {
        assert_eq!(authorize(&attache, &[], headers).path(), "/consent", "{headers:?}");
    }
    let nobody: [&[(&str, &str)]; 9] = [
        &[],
        &[("x-forwarded-for", "198.51.100.8")],
        &[("x-forwarded-for", "198.51.100.7, 198.51.100.8")],
        &[("forwarded", "for=198.51.100.7, for=198.51.100.8")],
        &[("forwarded", "for=198.51.100.7, for=unknown")],
        // One is the proxy's, the other its client's.
        &[("forwarded", "for=198.51.100.7"), ("x-forwarded-for", "198.51.100.8")],
        &[("forwarded", "for=198.51.100.8"), ("x-forwarded-for", "198.51.100.7")],
        &[("x-real-ip", "198.51.100.7")],
        &[("x-sandbox-line", "+33699901032")],
    ];
    for headers in nobody {
        for (changes, error) in [
            (&[("login_hint", "tel:+33699901032")][..], "access_denied"),
            (&[], "access_denied"),
            (&[("prompt", "none")], "login_required"),
        ] {
            let location = authorize(&attache, changes, headers);
            assert!(location.as_str().starts_with("https://shop.example/callback?"), "{location}");
            assert_eq!(parameter(&location, "error").as_deref(), Some(error), "{headers:?} {changes:?}");
            assert_eq!(parameter(&location, "state").as_deref(), Some("s"));
        }
    }
    let location = authorize(&attache, &[("prompt", "none")], &from(FORWARDED));
    assert_eq!(parameter(&location, "error").as_deref(), Some("consent_required"));
    // Who is not behind the proxy speaks for itself alone.
    let attache = behind_a_proxy(&[]);
    shop(&attache, "camara");
    for headers in [from(FORWARDED), [("forwarded", "for=198.51.100.7")]] {
        let location = authorize(&attache, &[], &headers);
        assert_eq!(parameter(&location, "error").as_deref(), Some("access_denied"));
    }
}

#[test]
fn of_the_lines_behind_one_address_the_port_tells_which_one_calls() {
    let attache = behind_a_proxy(&["--trusted-proxy", "127.0.0.0/8"]);
    let csv = "phone_number,home_plmn,serving_plmn,reachable,last_seen,public_ipv4,public_ports\n\
               +33699901032,20801,20801,DATA,2026-01-31T12:00:00Z,198.51.100.7,1000-1999\n\
               +33699901033,20801,20801,DATA,2026-01-31T12:00:00Z,198.51.100.7,2000-2999\n";
    operator(&attache, Method::POST, "/admin/v1/lines/import").body("text/csv", csv).says(200);
    shop(&attache, "camara");
    let calls = |hint: &str, headers: &[(&str, &str)]| {
        let location = authorize(&attache, &[("login_hint", hint)], headers);
        location.path() == "/consent"
    };
    for (told, one, other) in [
        ("for=\"198.51.100.7:1500\"", true, false),
        ("for=\"198.51.100.7:2500\"", false, true),
        ("for=\"198.51.100.7:3500\"", false, false),
        ("for=\"198.51.100.7:_1500\"", false, false),
        ("for=198.51.100.7", false, false),
    ] {
        let is_called_by = |hint| calls(hint, &[("forwarded", told)]);
        assert_eq!((is_called_by("tel:+33699901032"), is_called_by("tel:+33699901033")), (one, other), "{told}");
    }
    assert!(calls("tel:+33699901032", &[("x-forwarded-for", "198.51.100.7:1500")]));
    // A port that only its client may have added is nobody's word.
    let both = [("x-forwarded-for", "198.51.100.7"), ("forwarded", "for=\"198.51.100.7:1500\"")];
    assert!(!calls("tel:+33699901032", &both));
}

#[test]
fn a_subscriber_sees_and_withdraws_what_is_its_own_and_nobody_else_does() {
    let attache = behind_a_proxy_of_this_machine();
    let csv = "phone_number,home_plmn,serving_plmn,reachable,last_seen,public_ipv4\n\
               +33699901034,20801,20801,DATA,2026-01-31T12:00:00Z,198.51.100.9\n";
    operator(&attache, Method::POST, "/admin/v1/lines/import").body("text/csv", csv).says(200);
    let secret = shop(&attache, "camara");
    let scope = "dpv:FraudPreventionAndDetection device-roaming-status:read";
    let form = [("login_hint", "tel:+33699901032"), ("scope", scope)];
    let id = attache.post("/oauth2/bc-authorize").basic("shop", &secret).form(&form).says(200).text("auth_req_id");
    // The request waits on the page of its own subscriber, who answers.
    let care = |address: &str| attache.get("/self-care?lang=en").header("x-forwarded-for", address);
    let page = care(FORWARDED).says(200);
    assert!(page.body.contains("+33699…032") && page.body.contains("Waiting for your answer"), "{}", page.body);
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-") && page.header("set-cookie").contains("Secure"), "{cookie}");
    let field = |name: &str| {
        let value = page.body.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    };
    let answer = |address: &str, cookie: &str| {
        let (request, token) = (field("consent_request"), field("token"));
        let fields =
            [("consent_request", request.as_str()), ("token", &token), ("answer", "grant"), ("line", "33699901032")];
        attache
            .post("/self-care")
            .header("cookie", cookie)
            .header("x-forwarded-for", address)
            .form(&fields)
            .send()
            .status
    };
    assert_eq!(answer("198.51.100.8", &cookie), 403, "whom the network does not know");
    assert_eq!(answer(FORWARDED, ""), 400, "another browser");
    let poll = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", &id)];
    assert_eq!(answer("198.51.100.9", &cookie), 303, "another subscriber, who answers nothing");
    attache.post("/oauth2/token").basic("shop", &secret).form(&poll).says(400);
    assert_eq!(answer(FORWARDED, &cookie), 303);
    let token = attache.post("/oauth2/token").basic("shop", &secret).form(&poll).says(200).text("access_token");
    let ask = || attache.post("/device-roaming-status/v1/retrieve").bearer(&token).json(&json!({})).send().status;
    assert_eq!(ask(), 200);

    let consents = |method: Method, headers: &[(&str, &str)]| {
        let mut request = attache.request(method, "/self-care/consents");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.json(&json!({})).send()
    };
    let nobody: [&[(&str, &str)]; 5] = [
        &[],
        &[("x-forwarded-for", "198.51.100.8")],
        &[("x-forwarded-for", "198.51.100.7, 198.51.100.8")],
        &[("x-real-ip", "198.51.100.7")],
        &[("x-sandbox-line", "+33699901032")],
    ];
    for headers in nobody {
        for method in [Method::GET, Method::DELETE] {
            let refused = consents(method, headers);
            assert_eq!((refused.status, refused.text("code").as_str()), (403, "PERMISSION_DENIED"), "{headers:?}");
        }
        let request =
            headers.iter().fold(attache.get("/self-care?line=33699901032"), |it, (name, value)| it.header(name, value));
        let page = request.says(403);
        assert!(page.body.contains("Your line is not known") && !page.body.contains("shop"), "{headers:?}");
    }
    let other = [("x-forwarded-for", "198.51.100.9")];
    assert_eq!(consents(Method::GET, &other).json(), json!({ "consents": [] }));
    assert_eq!(consents(Method::DELETE, &other).json(), json!({ "withdrawn": [] }));
    assert!(!care("198.51.100.9").says(200).body.contains("shop"));
    assert_eq!(ask(), 200);
    let own = [("x-forwarded-for", FORWARDED)];
    assert_eq!(consents(Method::GET, &own).json()["consents"][0]["client_id"], "shop");
    assert_eq!(consents(Method::DELETE, &own).json()["withdrawn"][0]["state"], "withdrawn");
    assert_eq!(ask(), 401);
}

#[test]
fn a_backchannel_request_waits_for_the_operator_to_bring_the_answer() {
    for (publisher, scope) in [
        ("camara", "dpv:FraudPreventionAndDetection device-roaming-status:read"),
        ("telefonica", "dpv:FraudPreventionAndDetection#device-status-roaming-read"),
        ("vonage", "dpv:FraudPreventionAndDetection#device-status:roaming:read"),
    ] {
        let attache = behind_a_proxy(&[]);
        add_line(&attache);
        let secret = shop(&attache, publisher);
        let metadata = attache.get(&format!("{}/.well-known/openid-configuration", root(publisher))).says(200).json();
        let [begin, token] =
            ["backchannel_authentication_endpoint", "token_endpoint"].map(|endpoint| path_of(&metadata[endpoint]));
        let ask =
            |hint: &str| attache.post(&begin).basic("shop", &secret).form(&[("login_hint", hint), ("scope", scope)]);
        assert_eq!(ask("tel:+33600000000").says(400).text("error"), "unknown_user_id");
        let id = ask("tel:+33699901032").says(200).text("auth_req_id");
        let form = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", &id)];
        let poll = || attache.post(&token).basic("shop", &secret).form(&form);
        assert_eq!(poll().says(400).text("error"), "authorization_pending");
        let requests = operator(&attache, Method::GET, "/admin/v1/consent-requests").says(200).json();
        let request = requests["requests"][0]["id"].as_str().unwrap();
        operator(&attache, Method::POST, &format!("/admin/v1/consent-requests/{request}/grant")).says(200);
        poll().says(200);
        let rule = operator(&attache, Method::PUT, "/admin/v1/lines/+33699901032/subscriber");
        assert_eq!(rule.json(&json!({"answer": "grant"})).says(403).text("code"), "SANDBOX_ONLY");
    }
}

#[test]
fn who_is_unknown_can_be_concealed() {
    let attache = behind_a_proxy(&["--conceal-unknown-subscribers"]);
    add_line(&attache);
    let secret = shop(&attache, "camara");
    let scope = "dpv:FraudPreventionAndDetection device-roaming-status:read";
    let answers = ["tel:+33699901032", "tel:+33600000000"].map(|hint| {
        let form = [("login_hint", hint), ("scope", scope)];
        let begun = attache.post("/oauth2/bc-authorize").basic("shop", &secret).form(&form).says(200);
        let id = begun.text("auth_req_id");
        let form = [("grant_type", "urn:openid:params:grant-type:ciba"), ("auth_req_id", &id)];
        let polled = attache.post("/oauth2/token").basic("shop", &secret).form(&form).says(400);
        (begun.body.replace(&id, ""), polled.body)
    });
    assert_eq!(answers[0], answers[1]);
    let requests = operator(&attache, Method::GET, "/admin/v1/consent-requests").says(200).json();
    assert_eq!(requests["requests"].as_array().unwrap().len(), 1, "nobody is asked in vain");
    let signer = Signer::new();
    let client = json!({
        "publisher": "camara", "client_id": "signer", "keys": [signer.public],
        "purposes": ["dpv:FraudPreventionAndDetection"],
    });
    operator(&attache, Method::POST, "/admin/v1/clients").json(&client).says(201);
    let answers = ["tel:+33699901032", "tel:+33600000000"].map(|subject| {
        let now = jsonwebtoken::get_current_timestamp();
        let statement = signer.sign(&json!({
            "iss": "signer", "sub": subject, "aud": "https://attache.example.com/oauth2/token", "jti": subject,
            "iat": now, "exp": now + 60, "scope": scope,
        }));
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        attache.post("/oauth2/token").form(&[grant, ("assertion", &statement)]).says(400).body
    });
    assert_eq!(answers[0], answers[1]);
}

fn root(publisher: &str) -> String {
    if publisher == "camara" { String::new() } else { format!("/{publisher}") }
}

fn path_of(address: &Value) -> String {
    crate::callers::path_of(address)
}

#[test]
fn production_registers_no_client_that_is_easily_robbed() {
    let attache = behind_a_proxy(&[]);
    let purposes = json!(["dpv:FraudPreventionAndDetection"]);
    for (client, word) in [
        (json!({"publisher": "camara"}), "purposes"),
        (json!({"publisher": "camara", "client_secret": "guess-me", "purposes": purposes}), "client_secret"),
        (json!({"publisher": "camara", "redirect_uris": ["http://shop.example/"], "purposes": purposes}), "https"),
    ] {
        let answer = operator(&attache, Method::POST, "/admin/v1/clients").json(&client).says(400);
        assert!(answer.text("message").contains(word), "{}", answer.body);
    }
    assert_eq!(operator(&attache, Method::GET, "/admin/v1/clients").says(200).json()["clients"], json!([]));
}

#[test]
fn camaras_issuer_takes_keys_alone_unless_it_is_configured_otherwise() {
    let purposes = json!(["dpv:FraudPreventionAndDetection"]);
    let client = json!({"publisher": "camara", "client_id": "shop", "purposes": purposes});
    let grant =
        [("grant_type", "client_credentials"), ("scope", "dpv:FraudPreventionAndDetection device-roaming-status:read")];
    let methods = |attache: &Attache| {
        let described = attache.get("/.well-known/openid-configuration").says(200).json();
        described["token_endpoint_auth_methods_supported"].clone()
    };

    let attache = by_the_profile(&[]);
    assert_eq!(methods(&attache), json!(["private_key_jwt", "none"]));
    let refused = operator(&attache, Method::POST, "/admin/v1/clients").json(&client).says(400);
    assert!(refused.text("message").contains("camara_client_secrets"), "{}", refused.body);
    let signer = Signer::new();
    let mut with_key = client.clone();
    with_key["keys"] = json!([signer.public]);
    with_key["client_secret"] = json!("kS3jv9_Qx0TzR1-mB7nYpAeF");
    operator(&attache, Method::POST, "/admin/v1/clients").json(&with_key).says(201);
    attache.post("/oauth2/token").basic("shop", "kS3jv9_Qx0TzR1-mB7nYpAeF").form(&grant).says(401);
    let mut claims = assertion("https://attache.example.com/oauth2/token", "1");
    claims["iss"] = json!("shop");
    claims["sub"] = json!("shop");
    let by_key = [BY_ASSERTION, ("client_assertion", &signer.sign(&claims))];
    attache.post("/oauth2/token").form(&[&grant[..], &by_key].concat()).says(200);

    let attache = behind_a_proxy(&[]);
    assert_eq!(methods(&attache), json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]));
    let made = operator(&attache, Method::POST, "/admin/v1/clients").json(&client).says(201).text("client_secret");
    attache.post("/oauth2/token").basic("shop", &made).form(&grant).says(200);
}

#[test]
fn without_a_listener_of_its_own_the_metrics_are_for_the_operator_alone() {
    let attache = behind_a_proxy(&[]);
    attache.get("/metrics").says(401);
    attache.get("/metrics").bearer("wrong").says(401);
    assert!(operator(&attache, Method::GET, "/metrics").says(200).body.contains("attache_lines 0"));
    attache.get("/healthz").says(200);
    attache.get("/readyz").says(200);
    attache.get("/admin/v1/lines").says(401);
}

/// The address that a server listens on for applications, as it prints it.
fn public_address(attache: &Attache) -> String {
    eventually("it prints where it listens", || {
        let printed = attache.printed();
        let (_, rest) = printed.rsplit_once("listens on ")?;
        let (address, _) = rest.split_once([',', ' '])?;
        Some(address.to_owned())
    })
}

#[test]
fn with_a_listener_of_its_own_the_operators_side_is_only_there() {
    let attache = behind_a_proxy(&["--admin-listen", "127.0.0.1:0"]);
    // `server.json` leads the command line to the operator's listener.
    for path in ["/healthz", "/readyz", "/metrics"] {
        attache.get(path).says(200);
    }
    operator(&attache, Method::GET, "/admin/v1/lines").says(200);
    let address = public_address(&attache);
    assert_ne!(attache.url(""), format!("http://{address}"));
    let http = Client::builder().no_proxy().build().unwrap();
    for path in ["/healthz", "/readyz", "/metrics", "/admin", "/admin/v1", "/admin/v1/lines", "/admin/v1/clients"] {
        for method in [Method::GET, Method::POST] {
            let answer = http.request(method, format!("http://{address}{path}")).bearer_auth(ADMIN_TOKEN);
            let answer = answer.header("content-length", "0").send().unwrap();
            assert_eq!(answer.status(), 404, "{path}");
            let body: Value = answer.json().unwrap();
            assert_eq!((&body["status"], &body["code"]), (&json!(404), &json!("NOT_FOUND")), "{path}");
        }
    }
    let keys = http.get(format!("http://{address}/.well-known/jwks.json")).send().unwrap();
    assert_eq!(keys.status(), 200);
    for path in ["/.well-known/jwks.json", "/oauth2/token", "/device-roaming-status/v1/retrieve", "/sandbox", "/"] {
        let answer = operator(&attache, Method::POST, path).says(404);
        assert_eq!(answer.text("code"), "NOT_FOUND", "{path} is for applications, and not there");
    }
    let mut list = program(attache.data_dir());
    list.args(["line", "list", "--data-dir"]).arg(attache.data_dir()).env("ATTACHE_ADMIN_TOKEN", ADMIN_TOKEN);
    let listed = run(&mut list);
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
}

#[test]
fn a_sandbox_and_production_never_share_their_data() {
    let mut sandbox = Attache::sandbox();
    sandbox.stop();
    let environment = [&NEEDED[..], &[PROXY]].concat();
    let told = refuses_to_start(sandbox.data_dir(), &["--production"], &environment);
    assert!(told.contains("was made for sandbox, not for production"), "{told}");
    assert!(told.contains("another data directory"), "{told}");
    sandbox.start();

    let mut production = behind_a_proxy(&[]);
    production.stop();
    let told = refuses_to_start(production.data_dir(), &[], &[]);
    assert!(told.contains("was made for production, not for sandbox"), "{told}");
    production.start();
}

#[test]
fn production_does_not_start_with_another_key_than_its_secrets_were_sealed_with() {
    let mut attache = behind_a_proxy(&[]);
    attache.stop();
    let mut environment = [&NEEDED[..], &[PROXY]].concat();
    environment[1].1 = "343332313a797877767574737271706f6e6d6c6b6a696867666564636261ff60";
    let told = refuses_to_start(attache.data_dir(), &["--production"], &environment);
    assert!(told.contains("secrets") && told.contains("key"), "{told}");
    attache.start();
}

#[test]
fn a_sandbox_goes_beyond_loopback_only_by_the_flag_that_says_what_it_means() {
    let data = tempfile::tempdir().unwrap();
    for arguments in [
        ["--listen", "0.0.0.0:0"],
        ["--listen", "[::]:0"],
        ["--listen", "192.0.2.1:0"],
        ["--admin-listen", "0.0.0.0:0"],
    ] {
        let told = refuses_to_start(data.path(), &arguments, &[]);
        assert!(told.contains("--sandbox-beyond-loopback"), "{told}");
        assert!(told.contains("demo credentials"), "{told}");
    }
    let attache = Attache::with(&["--listen", "0.0.0.0:0", "--sandbox-beyond-loopback"]);
    attache.get("/sandbox").says(200);
}

/// A self-signed certificate for this machine.
fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// Where a certificate and its key lie.
struct Files {
    certificate: String,
    key: String,
}

impl Files {
    fn in_directory(directory: &Path) -> Self {
        let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        Self { certificate: path("certificate.pem"), key: path("key.pem") }
    }

    fn write(&self, certified: &CertifiedKey<KeyPair>) {
        fs::write(&self.certificate, certified.cert.pem()).unwrap();
        fs::write(&self.key, certified.signing_key.serialize_pem()).unwrap();
    }
}

/// A server with TLS, and its operator's listener beside.
fn with_tls(files: &Files) -> Attache {
    let arguments =
        ["--production", "--tls-cert", &files.certificate, "--tls-key", &files.key, "--admin-listen", "127.0.0.1:0"];
    Attache::with_environment(&arguments, &NEEDED)
}

/// Whether a new connection shows this certificate and no other.
fn shows(address: &str, certified: &CertifiedKey<KeyPair>) -> bool {
    let trusted = Certificate::from_pem(certified.cert.pem().as_bytes()).unwrap();
    let http = Client::builder().no_proxy().tls_certs_only([trusted]).timeout(BOUND).build().unwrap();
    http.get(format!("https://{address}/.well-known/jwks.json")).send().is_ok_and(|answer| answer.status() == 200)
}

#[test]
fn production_serves_tls_with_its_certificate_and_nothing_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::in_directory(directory.path());
    let mine = certificate();
    files.write(&mine);
    let attache = with_tls(&files);
    let address = public_address(&attache);
    assert!(shows(&address, &mine));
    assert!(!shows(&address, &certificate()), "another certificate is no proof");
    let plain = Client::builder().no_proxy().build().unwrap();
    assert!(plain.get(format!("http://{address}/.well-known/jwks.json")).send().is_err(), "nothing in the clear");
    attache.get("/healthz").says(200);
}

/// How a client begins that speaks TLS up to `1.minor`, below 1.3: a record, a handshake, its version, random bytes,
/// no session, a suite, no compression, and what it knows of curves and signatures.
fn client_hello(minor: u8) -> Vec<u8> {
    let groups = [0, 10, 0, 4, 0, 2, 0, 23];
    let points = [0, 11, 0, 2, 1, 0];
    let signatures = [0, 13, 0, 4, 0, 2, 4, 3];
    let extensions = [&groups[..], &points, &signatures].concat();
    let length = u8::try_from(extensions.len()).unwrap();
    let body = [&[3, minor + 1][..], &[7; 32], &[0], &[0, 2, 0xc0, 0x2b], &[1, 0], &[0, length], &extensions].concat();
    let handshake = [&[1, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat();
    [&[0x16, 3, 1, 0, u8::try_from(handshake.len()).unwrap()][..], &handshake].concat()
}

#[test]
fn nothing_older_than_tls_1_2_is_spoken() {
    const ALERT: u8 = 0x15;
    const HANDSHAKE: u8 = 0x16;
    let directory = tempfile::tempdir().unwrap();
    let files = Files::in_directory(directory.path());
    files.write(&certificate());
    let attache = with_tls(&files);
    let address = public_address(&attache);
    let first_byte = |minor| {
        let mut connection = TcpStream::connect(&address).unwrap();
        connection.set_read_timeout(Some(BOUND)).unwrap();
        connection.write_all(&client_hello(minor)).unwrap();
        let mut answer = [0];
        connection.read_exact(&mut answer).unwrap();
        answer[0]
    };
    assert_eq!([0, 1, 2].map(first_byte), [ALERT, ALERT, HANDSHAKE]);
    for version in [Version::TLS_1_2, Version::TLS_1_3] {
        let http = Client::builder().no_proxy().tls_danger_accept_invalid_certs(true);
        let http = http.tls_version_min(version).tls_version_max(version).build().unwrap();
        assert_eq!(http.get(format!("https://{address}/.well-known/jwks.json")).send().unwrap().status(), 200);
    }
}

#[test]
fn a_new_certificate_is_shown_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::in_directory(directory.path());
    let (old, new) = (certificate(), certificate());
    files.write(&old);
    let attache = with_tls(&files);
    let address = public_address(&attache);
    assert!(shows(&address, &old) && !shows(&address, &new));
    files.write(&new);
    eventually("the new certificate is shown", || shows(&address, &new).then_some(()));
    assert!(!shows(&address, &old));
}

#[test]
fn a_new_certificate_that_cannot_be_used_leaves_the_old_one_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::in_directory(directory.path());
    let old = certificate();
    files.write(&old);
    let attache = with_tls(&files);
    let address = public_address(&attache);
    fs::write(&files.certificate, "nonsense").unwrap();
    eventually("the log tells it", || attache.logged().contains("the old one stays in force").then_some(()));
    assert!(shows(&address, &old));
    attache.get("/healthz").says(200);
}
