use std::{io::Write as _, path::Path};

use attache_server::settings::{Mode, OutboundPolicy};

use super::*;

/// Keys and tokens that may stand in a test.
const KEY: &str = "ff6162636465666768696a6b6c6d6e6f707172737475767778797a3031323334";
const TOKEN: &str = "kS3jv9_Qx0TzR1-mB7nYpA";

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load_from(file: Option<&Path>, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Loaded {
    let environment = environment.iter().map(|&(name, value)| (name.into(), value.into()));
    let flag =
        |&(key, text): &(&'static str, &str)| Given { key, texts: vec![text.into()], origin: format!("--{key}") };
    load(file, environment, flags.iter().map(flag).collect()).unwrap()
}

fn sentences(faults: &Faults) -> Vec<&str> {
    faults.0.iter().map(|fault| fault.sentence.as_str()).collect()
}

fn refusals(loaded: Loaded) -> Vec<String> {
    settings(loaded).map(|_| ()).unwrap_err().0.into_iter().map(|fault| fault.sentence).collect()
}

fn origin<'a>(loaded: &'a Loaded, key: &str) -> &'a str {
    &loaded.entries.iter().find(|entry| entry.key.name == key).unwrap().origin
}

#[test]
fn nothing_given_is_a_sandbox_on_loopback() {
    let loaded = load_from(None, &[], &[("data_dir", "/data")]);
    assert!(sentences(&loaded.faults).is_empty());
    assert!(loaded.entries.iter().all(|entry| entry.is_default() || entry.key.name == "data_dir"));
    let settings = settings(loaded).unwrap();
    assert_eq!(settings.mode, Mode::Sandbox);
    assert_eq!(settings.listen, ["127.0.0.1:9091".parse().unwrap(), "[::1]:9091".parse().unwrap()]);
    assert!(settings.listen_is_default && settings.request_log);
}

#[test]
fn flags_override_the_environment_which_overrides_the_file() {
    let file = file("token_lifetime = \"1m\"\ncode_lifetime = \"1s\"\nlog = \"warn\"\nrequest_log = false\n");
    let environment = [("ATTACHE_TOKEN_LIFETIME", "2m"), ("ATTACHE_LOG", "debug"), ("HOME", "/root")];
    let loaded = load_from(Some(file.path()), &environment, &[("log", "trace")]);
    assert!(sentences(&loaded.faults).is_empty());
    assert_eq!(loaded.configuration.token_lifetime.as_secs(), 120);
    assert_eq!(loaded.configuration.code_lifetime.as_secs(), 1);
    assert_eq!(loaded.configuration.log.to_string(), "trace");
    assert!(!loaded.configuration.request_log);
    assert_eq!(origin(&loaded, "log"), "--log");
    assert_eq!(origin(&loaded, "token_lifetime"), "ATTACHE_TOKEN_LIFETIME");
    assert_eq!(origin(&loaded, "code_lifetime"), file.path().to_str().unwrap());
    assert_eq!(origin(&loaded, "body_limit"), DEFAULT);
}

#[test]
fn a_list_is_replaced_as_a_whole() {
    let file = file("listen = [\"127.0.0.1:1\", \"127.0.0.1:2\", \"127.0.0.1:3\"]\n");
    let loaded = load_from(Some(file.path()), &[("ATTACHE_LISTEN", "127.0.0.1:4, 127.0.0.1:5")], &[]);
    assert_eq!(loaded.configuration.listen, ["127.0.0.1:4", "127.0.0.1:5"]);
    let loaded = load_from(Some(file.path()), &[], &[]);
    assert_eq!(loaded.configuration.listen.len(), 3);
    assert!(!settings(loaded).unwrap().listen_is_default);
}

#[test]
fn two_versions_cannot_be_pinned_to_one_path() {
    let pins = |pins| load_from(None, &[("ATTACHE_PINS", pins), ("ATTACHE_VWIP", "true")], &[("data_dir", "/data")]);
    let settings = settings(pins("device-status=0.4,device-roaming-status=1.0")).unwrap();
    assert_eq!(settings.pins.len(), 2);
    assert!(settings.vwip);
    let [refusal] = &refusals(pins("device-status=0.4, device-status=0.5"))[..] else { panic!("one refusal") };
    assert_eq!(refusal, "pins: device-status=0.4 and device-status=0.5 want the same path; leave one of them out");
    let [refusal] = &refusals(pins("device-status=1.0"))[..] else { panic!("one refusal") };
    assert!(refusal.contains("device-status=0.5, device-status=0.4"), "{refusal}");
}

#[test]
fn a_version_is_deprecated_once() {
    let deprecated = |texts| load_from(None, &[("ATTACHE_DEPRECATIONS", texts)], &[("data_dir", "/data")]);
    let loaded = deprecated("device-status/0.4=2026-01-01, device-status/0.5=2026-01-01..2027-01-01");
    assert_eq!(settings(loaded).unwrap().deprecations.len(), 2);
    let [refusal] = &refusals(deprecated("device-status/0.4=2026-01-01, device-status/0.4=2026-01-02"))[..] else {
        panic!("one refusal")
    };
    assert_eq!(refusal, "deprecations: device-status/0.4 is there twice; leave one out");
    let [refusal] = &refusals(deprecated("device-status/0.4=tomorrow"))[..] else { panic!("one refusal") };
    assert!(refusal.contains("device-roaming-status/0.6=2026-01-01..2026-12-31"), "{refusal}");
}

#[test]
fn the_file_can_be_named_by_the_environment() {
    let file = file("ciba_interval = \"7s\"\n");
    let loaded = load_from(None, &[(FILE_VARIABLE, file.path().to_str().unwrap())], &[]);
    assert_eq!(loaded.configuration.ciba_interval.as_secs(), 7);
}

#[test]
fn all_that_is_wrong_is_told_at_once_with_key_and_origin() {
    let file = file("token_lifetime = 90\nbody_limit = \"64K\"\ntoken_lifetme = \"1s\"\nlog = { level = 1 }\n");
    let environment = [("ATTACHE_LISTEM", "x"), ("ATTACHE_SECRETS_KEY", "hunter2"), ("ATTACHE_MODE", "production")];
    let refusals = refusals(load_from(Some(file.path()), &environment, &[("public_url", "attache.example.com")]));
    let name = file.path().display();
    for beginning in [
        &format!("token_lifetime (from {name}): a duration with its unit is needed"),
        &format!("body_limit (from {name}): a size with its unit is needed, such as 512B, 64KiB or 1MiB; it is `64K`"),
        &format!("token_lifetme (in {name}) is no key; the nearest is token_lifetime"),
        &format!("log (in {name}): a text"),
        "ATTACHE_LISTEM (in the environment) is no variable of Attache; the nearest is ATTACHE_LISTEN",
        "secrets_key (from ATTACHE_SECRETS_KEY): not a key",
        "public_url (from --public_url): an address such as",
        "audit_key (ATTACHE_AUDIT_KEY): production needs",
        "admin_token (ATTACHE_ADMIN_TOKEN): production needs",
        "tls_cert (ATTACHE_TLS_CERT): production needs TLS",
    ] {
        let found = refusals.iter().filter(|sentence| sentence.starts_with(beginning)).count();
        assert_eq!(found, 1, "{beginning}\n{refusals:#?}");
    }
    assert_eq!(refusals.len(), 10, "{refusals:#?}");
    assert!(!refusals.concat().contains("hunter2"));
}

#[test]
fn a_file_that_is_missing_or_malformed_is_told() {
    let loaded = load_from(Some(Path::new("/nowhere/attache.toml")), &[], &[]);
    assert!(sentences(&loaded.faults)[0].starts_with("the file /nowhere/attache.toml can't be read"));
    let malformed = file("listen = [");
    let loaded = load_from(Some(malformed.path()), &[], &[]);
    assert_eq!(loaded.faults.0.len(), 1);
}

#[test]
fn production_starts_when_it_has_all_it_needs() {
    let given = [
        ("ATTACHE_MODE", "production"),
        ("ATTACHE_PUBLIC_URL", "https://attache.example.com"),
        ("ATTACHE_SECRETS_KEY", KEY),
        ("ATTACHE_AUDIT_KEY", KEY),
        ("ATTACHE_ADMIN_TOKEN", TOKEN),
        ("ATTACHE_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("ATTACHE_LISTEN", "0.0.0.0:443"),
        ("ATTACHE_DATA_DIR", "/data"),
    ];
    let production = settings(load_from(None, &given, &[])).unwrap();
    for policy in [&production.jwks, &production.sinks] {
        assert!(policy.networks.is_empty() && !policy.allow_http && policy.authorities.is_empty());
    }
    let unencrypted = load_from(None, &given, &[("allow_http_sinks", "true")]);
    assert!(refusals(unencrypted)[0].starts_with("allow_http_sinks"));
    for (missing, key) in [(1, "public_url"), (2, "secrets_key"), (3, "audit_key"), (4, "admin_token"), (5, "tls_cert")]
    {
        let rest: Vec<_> = given.iter().enumerate().filter(|(index, _)| *index != missing).map(|(_, it)| *it).collect();
        let refusals = refusals(load_from(None, &rest, &[]));
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert!(refusals[0].starts_with(key), "{refusals:?}");
    }
    let plain = load_from(None, &given, &[("public_url", "http://attache.example.com")]);
    assert!(refusals(plain)[0].starts_with("public_url"));
    let tls = [("tls_cert", "cert.pem"), ("tls_key", "key.pem")];
    assert!(settings(load_from(None, &given, &tls)).is_ok());
    assert!(refusals(load_from(None, &given, &tls[..1]))[0].starts_with("tls_key"));
}

#[test]
fn addresses_that_others_name_are_public_and_https_but_where_the_operator_says_otherwise() {
    let given = [
        ("ATTACHE_JWKS_NETWORKS", "10.0.0.0/8"),
        ("ATTACHE_JWKS_CA", "jwks.pem"),
        ("ATTACHE_SINK_NETWORKS", "10.1.0.0/16,fd00::/8"),
        ("ATTACHE_SINK_CA", "sink.pem"),
        ("ATTACHE_SINK_TIMEOUT", "2s"),
    ];
    let settings = settings(load_from(None, &given, &[("data_dir", "/data")])).unwrap();
    let networks = |policy: &OutboundPolicy| policy.networks.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(networks(&settings.jwks), ["10.0.0.0/8", "127.0.0.1/32", "::1/128"]);
    assert_eq!(networks(&settings.sinks), ["10.1.0.0/16", "fd00::/8", "127.0.0.1/32", "::1/128"]);
    assert!(settings.jwks.allow_http && !settings.sinks.allow_http);
    assert_eq!(settings.jwks.authorities, [Path::new("jwks.pem")]);
    assert_eq!(settings.sinks.authorities, [Path::new("sink.pem")]);
    assert_eq!(settings.sink_timeout.as_secs(), 2);
}

#[test]
fn a_sandbox_listens_beyond_loopback_only_if_told_so() {
    for address in ["0.0.0.0:9091", "[::]:9091", "192.0.2.1:9091", "[::ffff:192.0.2.1]:80"] {
        let refusals = refusals(load_from(None, &[], &[("listen", address)]));
        assert!(refusals[0].contains("--sandbox-beyond-loopback"), "{refusals:?}");
        assert!(settings(load_from(None, &[], &[("listen", address), ("sandbox_beyond_loopback", "true")])).is_ok());
    }
    assert_eq!(refusals(load_from(None, &[], &[("admin_listen", "0.0.0.0:9092")])).len(), 1);
    assert!(refusals(load_from(None, &[], &[("listen", "9091")]))[0].starts_with("listen (from --listen)"));
    assert!(refusals(load_from(None, &[("ATTACHE_LISTEN", "")], &[]))[0].starts_with("listen: one address"));
}

#[test]
fn secrets_are_not_shown() {
    let loaded = load_from(None, &[("ATTACHE_ADMIN_TOKEN", TOKEN)], &[]);
    let shown = |name| loaded.entries.iter().find(|entry| entry.key.name == name).unwrap().shown();
    assert_eq!(shown("admin_token"), "********");
    assert_eq!(shown("audit_key"), "");
    assert_eq!(shown("token_lifetime"), "1h");
}

/// The table of all keys, as `docs/configuration.md` has it.
fn reference() -> String {
    let code =
        |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ");
    let rows = KEYS.iter().map(|key| {
        let flag = key.flag.map(|flag| format!("`--{}`", flag.name())).unwrap_or_default();
        let default = code(&mut key.default.iter().copied());
        let meaning = key.meaning.trim();
        format!("| `{}` | `{}` | {flag} | {default} | {meaning} |\n", key.name, key.variable())
    });
    let headings = ["| key | variable | flag | default | meaning |\n".into(), "|---|---|---|---|---|\n".into()];
    headings.into_iter().chain(rows).collect()
}

/// `UPDATE=1 cargo test -p attache` writes the table anew.
#[test]
fn every_key_and_only_those_are_in_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once("<!-- keys -->\n").unwrap();
    let (written, after) = rest.split_once("<!-- end of keys -->").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, format!("{before}<!-- keys -->\n{}<!-- end of keys -->{after}", reference())).unwrap();
    } else {
        assert_eq!(written, reference(), "docs/configuration.md: write it anew with UPDATE=1 cargo test -p attache");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    #[test]
    fn no_value_makes_a_reader_panic_and_none_is_shown_if_it_is_a_secret(
        key in 0..KEYS.len(),
        text in proptest::prop_oneof![
            "[ -~]{0,40}", "[0-9]{0,20}[a-zA-Z]{0,3}", "[a-z-]{1,24}[=/][0-9.]{1,4}(=[0-9-]{1,10}\\.\\.[0-9-]{1,10})?",
        ],
    ) {
        let key = &KEYS[key];
        let marked = format!("{text}-of-a-secret");
        for text in [&text, &marked] {
            let loaded = load_from(None, &[(&key.variable(), text)], &[("data_dir", "/data")]);
            let shown = loaded.entries.iter().map(Entry::shown).collect::<String>();
            let told = sentences(&loaded.faults).concat();
            proptest::prop_assert!(!key.secret || !(shown + &told).contains("-of-a-secret"));
        }
    }

    #[test]
    fn no_file_makes_the_reader_panic(
        keys in proptest::collection::vec((0..KEYS.len(), "[ -~]{0,24}"), 0..6),
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64),
    ) {
        let lines: Vec<String> = keys.iter().map(|(key, value)| format!("{} = {value}", KEYS[*key].name)).collect();
        for text in [lines.join("\n").as_bytes(), &bytes] {
            let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
            file.write_all(text).unwrap();
            let loaded = load_from(Some(file.path()), &[], &[("data_dir", "/data")]);
            let _ = settings(loaded).map(drop);
        }
    }
}
