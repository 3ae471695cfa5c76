//! `private_key_jwt`: a client proves by its signature who it is (RFC 7523 section 2.2).

use attache_core::{Client, Problem, Timestamp};
use attache_wire::Publisher;
use serde::Deserialize;

use super::signed::{self, Audience};
use crate::app::App;

/// The longest life of an assertion, in seconds (CAMARA Security and Interoperability Profile, "Client
/// Authentication").
pub(super) const LONGEST_LIFE: i64 = 300;

/// The type that an assertion may name itself (draft-ietf-oauth-rfc7523bis).
const TYPE: &str = "client-authentication+jwt";

/// The claims of an assertion (RFC 7523 section 3).
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: String,
}

impl Claims {
    /// Whether it is good at this time, by the profile's rules.
    fn is_timely(&self, now: i64) -> bool {
        let lives_shortly = |from: i64| self.exp.saturating_sub(from) <= LONGEST_LIFE;
        self.exp > now
            && lives_shortly(now)
            && self.iat.is_none_or(|iat| lives_shortly(iat) && iat <= now.saturating_add(CLOCKS_DIFFER))
            && self.nbf.is_none_or(|nbf| nbf <= now.saturating_add(CLOCKS_DIFFER))
    }
}

/// What a signed text for an endpoint may name as its audience: the address of the endpoint, also the one
/// below the publisher's other root, and the issuer.
pub(super) fn audiences(app: &App, publisher: &Publisher, endpoint_url: &str) -> Vec<String> {
    let issuer = app.issuer(publisher);
    let path = endpoint_url.strip_prefix(&issuer).unwrap_or_default();
    let aliased = publisher.alias.map(|alias| format!("{issuer}{alias}{path}"));
    [endpoint_url.to_owned()].into_iter().chain(aliased).chain([issuer]).collect()
}

/// By how many seconds a client's clock may be ahead of ours.
pub(crate) const CLOCKS_DIFFER: i64 = 30;

/// The `client_id` of whom an assertion claims to be from.
pub(super) fn claimed_name(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    Some(signed::unverified::<Subject>(assertion)?.sub)
}

/// Whether an assertion proves that it is from this client, to one of these audiences. It does so once.
///
/// # Errors
/// [`Problem::Overloaded`], [`Problem::StoreUnavailable`].
pub(super) async fn proves(app: &App, client: &Client, audiences: &[String], assertion: &str) -> Result<bool, Problem> {
    let Some(claims) = signed::claims::<Claims>(app, client, TYPE, assertion).await else { return Ok(false) };
    let now = app.clock.now();
    let is_good = claims.iss == client.client_id
        && claims.sub == client.client_id
        && claims.aud.is_one_of(&audiences.iter().map(String::as_str).collect::<Vec<_>>())
        && claims.is_timely(now.unix_seconds())
        && !claims.jti.is_empty();
    if !is_good {
        return Ok(false);
    }
    app.used_once.spend(client.id.as_bytes(), &claims.jti, Timestamp::from_unix_seconds(claims.exp), now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_lives_five_minutes_at_most() {
        let claims = |exp, iat, nbf| Claims {
            iss: String::new(),
            sub: String::new(),
            aud: Audience::One(String::new()),
            exp,
            iat,
            nbf,
            jti: String::new(),
        };
        let now = 1_000_000;
        for (exp, iat, nbf, timely) in [
            (now + 300, None, None, true),
            (now + 301, None, None, false),
            (now, None, None, false),
            (now + 1, Some(now - 299), None, true),
            (now + 2, Some(now - 299), None, false),
            (now + 60, Some(now + 30), Some(now + 30), true),
            (now + 60, Some(now + 31), None, false),
            (now + 60, None, Some(now + 31), false),
            (i64::MAX, Some(i64::MIN), None, false),
            (i64::MIN, None, None, false),
        ] {
            assert_eq!(claims(exp, iat, nbf).is_timely(now), timely, "{exp} {iat:?} {nbf:?}");
        }
    }
}
