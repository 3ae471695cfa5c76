//! Signed requests to the authorization and the backchannel authentication endpoint: their parameters
//! come in an object that the client has signed (RFC 9101; OpenID Connect CIBA Core section 7.1.1; CAMARA
//! Security and Interoperability Profile, "Signed Authentication Requests").

use attache_core::{Client, Timestamp};
use attache_wire::{
    Publisher,
    oauth::{OAuthError, OAuthErrorCode},
};
use serde_json::{Map, Value};

use super::{
    Endpoint, Refused,
    assertion::{LONGEST_LIFE, audiences},
    parameters::Parameters,
    signed::{self, Audience},
};
use crate::app::App;

/// The type that an object may name itself (RFC 9101 section 10.8).
const TYPE: &str = "oauth-authz-req+jwt";

/// What of an object says whether it is good, and is no parameter.
const CLAIMS: [&str; 7] = ["iss", "aud", "exp", "nbf", "iat", "jti", "sub"];

/// What must stand beside the object as it stands in it, at the authorization endpoint.
const REPEATED: [&str; 4] = ["scope", "response_type", "client_id", "redirect_uri"];

/// The parameters of a request that is signed: those of its object, and of nothing else. `None` for a
/// request that is not, from a client that may send such.
pub(super) async fn parameters(
    app: &App,
    publisher: &Publisher,
    client: &Client,
    (endpoint, endpoint_url): (Endpoint, &str),
    outer: &Parameters,
) -> Result<Option<Parameters>, Refused> {
    if outer.get("request_uri").is_some() {
        return Err(OAuthErrorCode::RequestUriNotSupported
            .because("request_uri is not supported; send the object itself as request")
            .into());
    }
    let Some(object) = outer.get("request") else {
        if client.signed_requests_required {
            return Err(OAuthErrorCode::InvalidRequest
                .because("the client is registered for signed requests only; send a request object")
                .into());
        }
        return Ok(None);
    };
    let invalid = |description| OAuthErrorCode::InvalidRequestObject.because(description);
    let claims: Map<String, Value> = signed::claims(app, client, TYPE, object).await.ok_or_else(|| {
        invalid(
            "the request object is malformed, or not signed by a key of the client with RS256, PS256, ES256 or EdDSA",
        )
    })?;
    let now = app.clock.now();
    let accepted = audiences(app, publisher, endpoint_url);
    check(&claims, client, endpoint, &accepted, now.unix_seconds())?;
    if endpoint == Endpoint::Authorize
        && REPEATED.iter().any(|name| outer.get(name) != claims.get(*name).and_then(Value::as_str))
    {
        return Err(invalid(
            "scope, response_type, client_id and redirect_uri must stand beside the object as they do in it",
        )
        .into());
    }
    // A browser may ask again for the page that it has shown; what a client sends by itself, it sends once.
    if endpoint == Endpoint::Backchannel {
        let maker = [client.id.as_bytes().as_slice(), b"request"].concat();
        let jti = claims.get("jti").and_then(Value::as_str).unwrap_or_default();
        let until = Timestamp::from_unix_seconds(claims.get("exp").and_then(Value::as_i64).unwrap_or(0));
        if !app.used_once.spend(&maker, jti, until, now).await? {
            return Err(invalid("the request object was used before; sign a new one").into());
        }
    }
    let pairs = claims.into_iter().filter(|(name, _)| !CLAIMS.contains(&name.as_str())).map(|(name, value)| {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        (name, text)
    });
    Ok(Some(Parameters::of(pairs.collect())))
}

/// Whether an object is from this client, for this server, and of this time.
fn check(
    claims: &Map<String, Value>,
    client: &Client,
    endpoint: Endpoint,
    audiences: &[String],
    now: i64,
) -> Result<(), OAuthError> {
    let invalid = |description| Err(OAuthErrorCode::InvalidRequestObject.because(description));
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    if text("iss") != Some(&client.client_id) || text("client_id").is_some_and(|id| id != client.client_id) {
        return invalid("the iss of the request object is not the client");
    }
    // With it, the object could pass for an assertion of the client (RFC 9101 section 10.8).
    if text("sub") == Some(&client.client_id) {
        return invalid("the request object has the client as its sub; leave that out");
    }
    if claims.contains_key("request") || claims.contains_key("request_uri") {
        return invalid("the request object has a request object in it");
    }
    let audience = claims.get("aud").and_then(|aud| serde_json::from_value::<Audience>(aud.clone()).ok());
    let accepted: Vec<&str> = audiences.iter().map(String::as_str).collect();
    if !audience.is_some_and(|audience| audience.is_one_of(&accepted)) {
        return invalid("the aud of the request object is neither this endpoint nor the issuer");
    }
    if text("jti").is_none_or(str::is_empty) {
        return invalid("the request object has no jti");
    }
    let (Some(exp), Some(iat)) = (time("exp"), time("iat")) else {
        return invalid("the request object has no exp or no iat");
    };
    let nbf = match (claims.get("nbf"), endpoint) {
        (None, Endpoint::Backchannel) => return invalid("the request object has no nbf"),
        (None, _) => iat,
        (Some(nbf), _) => nbf.as_i64().unwrap_or(i64::MAX),
    };
    if exp <= now || iat > now || nbf > now || exp.saturating_sub(iat) > LONGEST_LIFE {
        return invalid("the request object has expired, is not good yet, or lives longer than 300 seconds");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clients::any_client;

    #[test]
    fn an_object_is_of_its_client_its_endpoint_and_its_time() {
        let client = any_client("shop");
        let now = 1_000_000;
        let audiences = ["https://a.example/authorize".to_owned(), "https://a.example".to_owned()];
        let good = json!({
            "iss": "shop", "aud": "https://a.example/authorize", "exp": now + 60, "iat": now, "nbf": now, "jti": "1",
            "client_id": "shop",
        });
        let judge = |endpoint, changes: Value| {
            let mut claims = good.as_object().unwrap().clone();
            claims.extend(changes.as_object().unwrap().clone());
            claims.retain(|_, value| !value.is_null());
            check(&claims, &client, endpoint, &audiences, now).map_err(|error| error.code)
        };
        for endpoint in [Endpoint::Authorize, Endpoint::Backchannel] {
            for changes in [
                json!({}),
                json!({"aud": ["x", "https://a.example"]}),
                json!({"exp": now + 240, "iat": now - 60}),
                json!({"client_id": null}),
            ] {
                assert_eq!(judge(endpoint, changes.clone()), Ok(()), "{changes}");
            }
            for changes in [
                json!({"iss": "bank"}),
                json!({"iss": null}),
                json!({"client_id": "bank"}),
                json!({"sub": "shop"}),
                json!({"request": "x"}),
                json!({"request_uri": "x"}),
                json!({"aud": "https://b.example"}),
                json!({"aud": null}),
                json!({"jti": null}),
                json!({"jti": ""}),
                json!({"exp": null}),
                json!({"iat": null}),
                json!({"exp": now}),
                json!({"iat": now + 1}),
                json!({"nbf": now + 1}),
                json!({"nbf": "soon"}),
                json!({"exp": now + 300, "iat": now - 1}),
            ] {
                assert_eq!(judge(endpoint, changes.clone()), Err(OAuthErrorCode::InvalidRequestObject), "{changes}");
            }
        }
        assert_eq!(judge(Endpoint::Authorize, json!({"nbf": null})), Ok(()));
        assert!(judge(Endpoint::Backchannel, json!({"nbf": null})).is_err(), "CIBA Core section 7.1.1");
    }
}
