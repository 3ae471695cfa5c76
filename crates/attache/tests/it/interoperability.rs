//! Attache held against relying parties that others have written: `openid-client`, which is certified
//! by the OpenID Foundation, and `authlib`. They find the server by its discovery document and check what
//! it sends by their own rules; the scripts that drive them lie beside this file, and fail on the first
//! answer that their library refuses.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};

use crate::harness::Attache;

const REDIRECT_URI: &str = "http://localhost:3000/callback";

/// Two applications of CAMARA: one has a secret, with characters that libraries encode in different ways, the
/// other a key.
fn told_to_the_script(attache: &Attache) -> Value {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    let key = Jwk::from_encoding_key(&EncodingKey::from_ec_der(pkcs8.as_ref()), Algorithm::ES256).unwrap();
    let key = serde_json::to_value(key).unwrap();
    attache.register(&json!({
        "publisher": "camara",
        "client_id": "with-a-secret",
        "client_secret": "S3cret:of-100%+more",
        "redirect_uris": [REDIRECT_URI],
    }));
    attache.register(&json!({
        "publisher": "camara",
        "client_id": "with-a-key",
        "keys": [key],
        "redirect_uris": [REDIRECT_URI],
    }));
    json!({
        "issuer": attache.url(""),
        "secret": {"client_id": "with-a-secret", "client_secret": "S3cret:of-100%+more"},
        "key": {"client_id": "with-a-key", "pkcs8": STANDARD.encode(pkcs8.as_ref())},
        "redirect_uri": REDIRECT_URI,
        "scope": "openid dpv:FraudPreventionAndDetection device-roaming-status:read",
        "login_hint": "tel:+33639980001",
        "silent_login_hint": "tel:+33639980009",
        "resource": attache.url("/device-roaming-status/v1/retrieve"),
    })
}

/// Where a script lies.
fn path_of(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/interoperability").join(script)
}

/// Python with the libraries that `cargo xtask test` has installed, about to run a script.
pub(crate) fn python(script: &str) -> Command {
    let mut python = Command::new(tool("python/bin/python"));
    python.arg(path_of(script));
    python
}

/// Runs a script, which reads what it is told from its standard input, to its end.
fn run(mut interpreter: Command) {
    let attache = Attache::with_environment(&[], &[("ATTACHE_CIBA_INTERVAL", "1s")]);
    let mut process = interpreter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(told_to_the_script(&attache).to_string().as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let [printed, errors] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{printed}\n{errors}");
    println!("{printed}");
}

/// Where `cargo xtask test` has put something.
fn tool(path: &str) -> String {
    format!("{}/../../target/tools/{path}", env!("CARGO_MANIFEST_DIR"))
}

mod needs_node {
    use super::*;

    #[test]
    #[ignore = "needs Node.js: cargo xtask test"]
    fn openid_client_runs_discovery_client_credentials_code_with_pkce_ciba_refresh_and_revocation() {
        let mut node = Command::new("node");
        node.env("MODULES", tool("node/node_modules"));
        node.arg(path_of("openid_client.mjs"));
        run(node);
    }
}

mod needs_python {
    use super::*;

    #[test]
    #[ignore = "needs Python: cargo xtask test"]
    fn authlib_runs_discovery_client_credentials_code_with_pkce_ciba_refresh_and_revocation() {
        run(python("authlib_client.py"));
    }
}
