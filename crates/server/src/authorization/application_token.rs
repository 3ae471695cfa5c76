//! Vonage's application tokens: its SDKs authenticate an application with a JSON Web Token of their own form,
//! signed with RS256, in a Bearer header.

use attache_core::{Client, Problem, Timestamp};
use jsonwebtoken::Algorithm;
use serde::Deserialize;

use super::{assertion::CLOCKS_DIFFER, signed};
use crate::app::App;

/// The longest life of a token, in seconds. The SDKs make them for 15 minutes; Vonage takes a day.
const LONGEST_LIFE: i64 = 24 * 60 * 60;

/// The claims of a token.
#[derive(Deserialize)]
struct Claims {
    application_id: String,
    iat: i64,
    exp: i64,
    nbf: Option<i64>,
    jti: String,
}

impl Claims {
    fn is_timely(&self, now: i64) -> bool {
        let soon = now.saturating_add(CLOCKS_DIFFER);
        self.exp > now
            && self.iat <= soon
            && self.exp.saturating_sub(self.iat) <= LONGEST_LIFE
            && self.nbf.is_none_or(|nbf| nbf <= soon)
    }
}

/// The `client_id` of whom a token claims to be from.
pub(super) fn claimed_name(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Application {
        application_id: String,
    }
    Some(signed::unverified::<Application>(token)?.application_id)
}

/// Whether a token proves that it is from this client. It does so once.
///
/// # Errors
/// [`Problem::Overloaded`], [`Problem::StoreUnavailable`].
pub(super) async fn proves(app: &App, client: &Client, token: &str) -> Result<bool, Problem> {
    let is_rs256 = jsonwebtoken::decode_header(token).is_ok_and(|header| header.alg == Algorithm::RS256);
    if !is_rs256 {
        return Ok(false);
    }
    let Some(claims) = signed::claims::<Claims>(app, client, "JWT", token).await else { return Ok(false) };
    let now = app.clock.now();
    if claims.application_id != client.client_id || !claims.is_timely(now.unix_seconds()) || claims.jti.is_empty() {
        return Ok(false);
    }
    let until = Timestamp::from_unix_seconds(claims.exp);
    app.used_once.spend(client.id.as_bytes(), &claims.jti, until, now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_a_day_at_most() {
        let now = 1_000_000;
        for (iat, exp, timely) in [
            (now, now + 900, true),
            (now - 100, now + 86_300, true),
            (now - 100, now + 86_301, false),
            (now - 900, now, false),
            (now + 31, now + 900, false),
        ] {
            let claims = Claims { application_id: String::new(), iat, exp, nbf: None, jti: String::new() };
            assert_eq!(claims.is_timely(now), timely, "{iat} {exp}");
        }
    }
}
