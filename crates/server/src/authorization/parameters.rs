use std::borrow::Cow;

use attache_core::Problem;
use attache_wire::oauth::{OAuthError, OAuthErrorCode};
use axum::body::Body;
use http::Request;

use super::{Refused, head::Head};
use crate::{app::App, query, source};

/// The parameters of a request, each at most once (RFC 6749 section 3.1); one without a value counts
/// as absent.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads them from the form encoding of a query or a body.
    pub(super) fn parse(encoded: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if parameters.iter().any(|(other, _)| *other == name) {
                return Err(OAuthErrorCode::InvalidRequest.because("a parameter is given more than once"));
            }
            parameters.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(parameters))
    }

    /// Those with these names and values, each name once.
    pub(super) const fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// None at all.
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads them from the body of a request, and returns its head as well.
    pub(super) async fn read(app: &App, request: Request<Body>) -> Result<(Head, Self), Refused> {
        let source = source::address(&request, &app.settings.trusted_proxies);
        let url = format!("{}{}", app.base_url, request.uri().path());
        let head = Head { url, headers: request.headers().clone(), source };
        let body = query::read_body(app, request).await?;
        if !body.is_empty() && !query::media_type_is(&head.headers, "application/x-www-form-urlencoded") {
            return Err(Refused::Problem(Problem::UnsupportedMediaType));
        }
        Ok((head, Self::parse(&body)?))
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, value)| other == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// Decodes what is form-encoded inside a Basic header (RFC 6749 section 2.3.1).
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    // A name without a value decodes as itself.
    form_urlencoded::parse(text.as_bytes()).next().map_or(Cow::Borrowed(""), |(name, value)| {
        if value.is_empty() { name } else { Cow::Owned(format!("{name}={value}")) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_given_twice_is_refused() {
        assert!(Parameters::parse(b"a=1&a=2").is_err());
        let parameters = Parameters::parse(b"a=1&b=&c=x%20y+z").unwrap();
        assert_eq!((parameters.get("a"), parameters.get("b"), parameters.get("c")), (Some("1"), None, Some("x y z")));
    }

    #[test]
    fn credentials_are_decoded() {
        assert_eq!(decode("my-app-secret"), "my-app-secret");
        assert_eq!(decode("a%3Ab+c"), "a:b c");
        assert_eq!(decode(""), "");
    }
}
