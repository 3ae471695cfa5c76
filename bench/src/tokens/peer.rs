//! The two servers, as an application sees them: where their endpoints are, and its credentials.

use std::{
    cell::Cell,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};

use crate::{load::Connection, server::Server};

/// What is asked for: a scope of CAMARA, with its purpose.
const SCOPE: &str = "dpv%3AServiceProvision+device-roaming-status%3Aread";
/// A line whose subscriber consents at once, and one whose subscriber never answers.
const WILLING: &str = "tel%3A%2B33639980001";
const SILENT: &str = "tel%3A%2B33639980009";

const SECRET: (&str, &str) = ("bench-with-a-secret", "an-example-of-a-secret-that-is-not-short");
const BY_KEY: &str = "bench-with-a-key";

/// The key of the application that has one.
pub(super) struct ClientKey {
    key: EncodingKey,
    public: Value,
    next: Cell<u64>,
}

impl ClientKey {
    pub(super) fn generate() -> Result<Self> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .ok()
            .context("no key could be drawn")?;
        let key = EncodingKey::from_ec_der(pkcs8.as_ref());
        let public = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256)?)?;
        Ok(Self { key, public, next: Cell::new(0) })
    }

    /// The parameters of so many assertions for a server, each good once and for some minutes.
    pub(super) fn assertions(&self, issuer: &str, count: usize) -> Result<Vec<String>> {
        let now = now()?;
        let sign = |_| {
            let id = self.next.replace(self.next.get() + 1);
            let claims = json!({
                "iss": BY_KEY, "sub": BY_KEY, "aud": issuer, "jti": id.to_string(), "iat": now, "exp": now + 290,
            });
            let assertion = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.key)?;
            Ok(format!(
                "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                 &client_assertion={assertion}"
            ))
        };
        (0..count).map(sign).collect()
    }
}

/// What assertions are dated by: others judge them by the time that it really is.
#[expect(clippy::disallowed_methods, reason = "no server's clock is asked here: the assertions are for two")]
fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}

/// A server, and where its endpoints are.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) server: Server,
    pub(super) issuer: String,
    token_path: String,
    backchannel_path: String,
}

impl Peer {
    /// Attache, which knows both applications then.
    pub(super) async fn attache(server: Server, data: &Path, key: &ClientKey) -> Result<Self> {
        let operator = std::fs::read_to_string(data.join("admin-token"))?;
        let mut connection = Connection::open(server.address).await?;
        for mut client in [
            json!({"client_id": SECRET.0, "client_secret": SECRET.1}),
            json!({"client_id": BY_KEY, "keys": [key.public]}),
        ] {
            client["publisher"] = json!("camara");
            client["scopes"] = json!(["device-roaming-status:read"]);
            client["purposes"] = json!(["dpv:ServiceProvision"]);
            client["id_token_signed_response_alg"] = json!("ES256");
            let body = client.to_string();
            let request = format!(
                "POST /admin/v1/clients HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                server.address,
                operator.trim(),
                body.len()
            );
            let answer = connection.send(&request).await?;
            ensure!(answer.status == 201, "a client isn't taken: {}", answer.body);
        }
        Self::discover("Attache", server).await
    }

    /// oidc-provider, from the folder of its packages.
    pub(super) async fn provider(modules: &Path, key: &ClientKey) -> Result<Self> {
        let clients = json!({
            "secret": {"client_id": SECRET.0, "client_secret": SECRET.1},
            "key": {"client_id": BY_KEY, "jwks": {"keys": [key.public]}},
        });
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tokens/provider.mjs");
        let server = Server::of_node(Path::new(script), modules, &clients.to_string())?;
        Self::discover("oidc-provider", server).await
    }

    /// Finds the endpoints as any application does.
    async fn discover(name: &'static str, server: Server) -> Result<Self> {
        let mut connection = Connection::open(server.address).await?;
        let answer = connection.call("/.well-known/openid-configuration", "none", None).await?;
        let document: Value = serde_json::from_str(&answer.body).context(answer.body)?;
        let path = |endpoint: &str| {
            let url = document[endpoint].as_str().with_context(|| format!("no {endpoint}"))?;
            Ok::<_, anyhow::Error>(format!("/{}", url.splitn(4, '/').nth(3).context("no path")?))
        };
        Ok(Self {
            name,
            issuer: document["issuer"].as_str().context("no issuer")?.to_owned(),
            token_path: path("token_endpoint")?,
            backchannel_path: path("backchannel_authentication_endpoint")?,
            server,
        })
    }

    /// The request for a token of the application itself. An assertion authenticates it, or else its secret.
    pub(super) fn client_credentials(&self, assertion: Option<&str>) -> String {
        self.request(&self.token_path, &format!("grant_type=client_credentials&scope={SCOPE}"), assertion)
    }

    /// The request that begins a backchannel authentication.
    pub(super) fn begin(&self, is_answered: bool, assertion: Option<&str>) -> String {
        let hint = if is_answered { WILLING } else { SILENT };
        self.request(&self.backchannel_path, &format!("scope=openid+{SCOPE}&login_hint={hint}"), assertion)
    }

    /// The request that polls for its token.
    pub(super) fn poll(&self, auth_req_id: &str, assertion: Option<&str>) -> String {
        let form = format!("grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={auth_req_id}");
        self.request(&self.token_path, &form, assertion)
    }

    fn request(&self, path: &str, form: &str, assertion: Option<&str>) -> String {
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", SECRET.0, SECRET.1));
        let authorization =
            if assertion.is_none() { format!("authorization: Basic {credentials}\r\n") } else { String::new() };
        let assertion = assertion.unwrap_or_default();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{authorization}content-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{form}{assertion}",
            self.server.address,
            form.len() + assertion.len()
        )
    }
}

/// A text in a JSON answer, found without reading the rest: the load generator shares the machine.
pub(super) fn text_in<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("\"{name}\":\""))?;
    rest.split_once('"').map(|(text, _)| text)
}
