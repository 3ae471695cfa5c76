//! Demonstrating Proof of Possession (RFC 9449): a token that is bound to a key of its client, and the
//! proof, signed with that key, that goes along with each request.

use attache_core::{Problem, Timestamp};
use aws_lc_rs::constant_time;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName};
use jsonwebtoken::{
    DecodingKey, Validation,
    jwk::{Jwk, ThumbprintHash},
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    app::App,
    authorization::{ALGORITHMS, CLOCKS_DIFFER},
    token::hash,
};

/// The header that has the proof.
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Tells proofs from other tokens that the same key signs (RFC 9449 section 4.2).
const TYPE: &str = "dpop+jwt";

/// For how many seconds a proof is taken after it was made (CAMARA Security and Interoperability Profile,
/// "Replay Protection Requirements").
const LIFE: i64 = 300;

/// The SHA-256 thumbprint of a public key (RFC 7638), by which a token names the key that it is bound to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Thumbprint(Box<str>);

impl Thumbprint {
    /// Its text, as it stands in tokens.
    pub(crate) const fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a proof is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ProofError {
    /// There is none.
    Missing,
    /// It is not of this request, not of this time, not signed by its key, or was used before.
    Invalid,
    /// Whether it was used before cannot be told.
    Problem(Problem),
}

/// What a proof must be made for.
pub(crate) struct Request<'a> {
    /// The method of the request.
    pub(crate) method: &'a str,
    /// The address that it was sent to, as clients know it, without query.
    pub(crate) url: &'a str,
    /// The token that it bears, if it bears one.
    pub(crate) access_token: Option<&'a str>,
}

/// The claims of a proof (RFC 9449 section 4.2).
#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: Option<String>,
}

/// The header of a proof. The key is also read as it stands there, to see whether it is public.
#[derive(Deserialize)]
struct Header {
    typ: String,
    jwk: serde_json::Value,
}

/// The key that a request proves to come from.
pub(crate) async fn prove(app: &App, headers: &HeaderMap, request: &Request<'_>) -> Result<Thumbprint, ProofError> {
    let mut proofs = headers.get_all(DPOP).iter();
    let proof = proofs.next().ok_or(ProofError::Missing)?;
    if proofs.next().is_some() {
        return Err(ProofError::Invalid);
    }
    let (thumbprint, claims) = proof.to_str().ok().and_then(read).ok_or(ProofError::Invalid)?;
    let now = app.clock.now();
    if !claims.is_for(request, now.unix_seconds()) {
        return Err(ProofError::Invalid);
    }
    let until = Timestamp::from_unix_seconds(claims.iat.saturating_add(LIFE + 1));
    match app.used_once.spend(thumbprint.0.as_bytes(), &claims.jti, until, now).await {
        Ok(true) => Ok(thumbprint),
        Ok(false) => Err(ProofError::Invalid),
        Err(problem) => Err(ProofError::Problem(problem)),
    }
}

/// Reads a proof, and checks that it is signed with the key that it names.
fn read(proof: &str) -> Option<(Thumbprint, Claims)> {
    let own = jsonwebtoken::decode_header(proof).ok()?;
    let is_known = ALGORITHMS.iter().any(|(algorithm, _)| *algorithm == own.alg);
    let raw = URL_SAFE_NO_PAD.decode(proof.split('.').next()?).ok()?;
    let Header { typ, jwk } = serde_json::from_slice(&raw).ok()?;
    let is_private = jwk.get("d").is_some() || jwk.get("k").is_some();
    if !is_known || own.crit.is_some() || is_private || !typ.eq_ignore_ascii_case(TYPE) {
        return None;
    }
    let key: Jwk = serde_json::from_value(jwk).ok()?;
    let mut validation = Validation::new(own.alg);
    // A proof has none of these.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Claims>(proof, &DecodingKey::from_jwk(&key).ok()?, &validation).ok()?.claims;
    Some((Thumbprint(key.thumbprint(ThumbprintHash::SHA256).ok()?.into()), claims))
}

impl Claims {
    /// Whether it was made for a request, and just now.
    fn is_for(&self, request: &Request<'_>, now: i64) -> bool {
        let is_timely = self.iat >= now.saturating_sub(LIFE) && self.iat <= now.saturating_add(CLOCKS_DIFFER);
        let is_of_token = match (request.access_token, &self.ath) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(token), Some(ath)) => {
                let expected = URL_SAFE_NO_PAD.encode(hash(token));
                constant_time::verify_slices_are_equal(expected.as_bytes(), ath.as_bytes()).is_ok()
            }
        };
        !self.jti.is_empty()
            && self.htm == request.method
            && is_same_place(&self.htu, request.url)
            && is_timely
            && is_of_token
    }
}

/// Whether two URLs are of the same place, without query and fragment, after the normalization of RFC 3986
/// section 6.2.2 and 6.2.3 (RFC 9449 section 4.3).
fn is_same_place(one: &str, other: &str) -> bool {
    let place = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    matches!((place(one), place(other)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_however_it_is_written() {
        let place = "https://attache.example/oauth2/token";
        for same in [
            "https://attache.example/oauth2/token",
            "HTTPS://Attache.EXAMPLE:443/oauth2/token",
            "https://attache.example/oauth2/token?a=b#c",
            "https://attache.example/x/../oauth2/token",
        ] {
            assert!(is_same_place(same, place), "{same}");
        }
        for other in [
            "http://attache.example/oauth2/token",
            "https://attache.example/oauth2/token/",
            "https://attache.example:8443/oauth2/token",
            "https://attache.example/oauth2/Token",
            "/oauth2/token",
            "",
        ] {
            assert!(!is_same_place(other, place), "{other}");
        }
    }

    #[test]
    fn a_proof_is_of_one_request_and_of_its_time() {
        let claims = |htm: &str, htu: &str, iat, ath: Option<&str>| Claims {
            jti: "1".into(),
            htm: htm.into(),
            htu: htu.into(),
            iat,
            ath: ath.map(str::to_owned),
        };
        let (now, url, ath) = (1_000_000, "https://a.example/x", URL_SAFE_NO_PAD.encode(hash("token")));
        let with_token = Request { method: "POST", url, access_token: Some("token") };
        let without = Request { method: "POST", url, access_token: None };
        assert!(claims("POST", url, now, None).is_for(&without, now));
        assert!(claims("POST", url, now - 300, None).is_for(&without, now));
        assert!(claims("POST", url, now + 30, None).is_for(&without, now));
        assert!(claims("POST", url, now, Some(&ath)).is_for(&with_token, now));
        for wrong in [
            claims("GET", url, now, Some(&ath)),
            claims("post", url, now, Some(&ath)),
            claims("POST", "https://a.example/y", now, Some(&ath)),
            claims("POST", url, now - 301, Some(&ath)),
            claims("POST", url, now + 31, Some(&ath)),
            claims("POST", url, now, None),
            claims("POST", url, now, Some("x")),
            Claims { jti: String::new(), ..claims("POST", url, now, Some(&ath)) },
        ] {
            assert!(!wrong.is_for(&with_token, now));
        }
    }
}
