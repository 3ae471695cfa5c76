use attache_core::Problem;
use attache_wire::Correlator;
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};

use crate::{app::App, entropy};

/// The header by which a request is followed from end to end (CAMARA API Design Guide section 5.8.5).
pub(crate) const X_CORRELATOR: HeaderName = HeaderName::from_static("x-correlator");

/// As many bytes of a request target are too many.
const TARGET_LIMIT: usize = 8 * 1024;

/// Checks what every request to this server must have: a target of a sane length, and a `Host` that
/// is this server's.
pub(crate) fn admit_host_and_target(app: &App, request: &Request<Body>) -> Result<(), Problem> {
    if request.uri().path_and_query().is_some_and(|target| target.as_str().len() >= TARGET_LIMIT) {
        return Err(Problem::TargetTooLong);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (request.uri().authority(), hosts.next()) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host.to_str().unwrap_or_default(),
        (None, None) => return Err(Problem::InvalidHeader { name: "Host", reason: "is missing" }),
    };
    if hosts.next().is_some() || !app.knows_host(host) {
        return Err(Problem::InvalidHeader { name: "Host", reason: "does not name this server" });
    }
    Ok(())
}

/// Every face is asked by `POST`.
pub(super) fn admit_method(request: &Request<Body>) -> Result<(), Problem> {
    if request.method() == Method::POST { Ok(()) } else { Err(Problem::MethodNotAllowed { allow: "POST" }) }
}

/// The request is JSON and takes JSON.
pub(crate) fn admit_media_types(headers: &HeaderMap) -> Result<(), Problem> {
    if !accepts_json(headers) {
        return Err(Problem::NotAcceptable);
    }
    // Without a body there is no type to be wrong: its absence is told later, and more to the point.
    let has_body = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
        || headers.contains_key(header::TRANSFER_ENCODING);
    if has_body && !media_type_is(headers, "application/json") {
        return Err(Problem::UnsupportedMediaType);
    }
    Ok(())
}

/// Whether the body is of a media type, in UTF-8 if it says so, and not compressed.
pub(crate) fn media_type_is(headers: &HeaderMap, expected: &str) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next().and_then(|value| value.to_str().ok()), types.next()) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    let is_type = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case(expected));
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let is_plain = headers.get(header::CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    is_type && is_utf8 && is_plain
}

/// Whether `Accept` lets JSON through (RFC 9110 section 12.5.1): the most specific range decides.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut ranges = headers.get_all(header::ACCEPT).iter().peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let mut best: Option<(u8, bool)> = None;
    for range in ranges.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let specificity = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "application/json" => 3,
            "application/*" => 2,
            "*/*" => 1,
            _ => continue,
        };
        let is_wanted = !parts.any(|parameter| {
            parameter
                .split_once('=')
                .is_some_and(|(name, value)| name.trim().eq_ignore_ascii_case("q") && value.trim().parse() == Ok(0.0))
        });
        if best.is_none_or(|(seen, _)| specificity > seen) {
            best = Some((specificity, is_wanted));
        }
    }
    best.is_some_and(|(_, is_wanted)| is_wanted)
}

/// The correlator of a request to a face with this rule, and whether the one it sent is at fault. An empty one is as
/// good as none.
pub(crate) fn correlator(rule: Correlator, headers: &HeaderMap) -> (HeaderValue, Option<Problem>) {
    let Some(sent) = headers.get(X_CORRELATOR).filter(|sent| !sent.is_empty()) else { return (new_correlator(), None) };
    // Whoever takes any text takes bytes beyond ASCII as well, which a header may have.
    let is_allowed = match sent.to_str() {
        Ok(text) => rule.allows(text),
        Err(_) => rule == Correlator::AnyText,
    };
    if is_allowed {
        return (sent.clone(), None);
    }
    let fault = rule.fault().map(|reason| Problem::InvalidHeader { name: "x-correlator", reason });
    (new_correlator(), fault)
}

/// The correlator as it is written into log and audit, for whom the newest pattern is enough.
pub(crate) fn recorded(correlator: &HeaderValue) -> &str {
    correlator.to_str().ok().filter(|text| Correlator::Long.allows(text)).unwrap_or_default()
}

/// The correlator that a request has, where nothing is answered with one.
pub(crate) fn sent_correlator(headers: &HeaderMap) -> Option<&str> {
    headers.get(X_CORRELATOR).map(recorded).filter(|text| !text.is_empty())
}

/// A new correlator: a random UUID. Without randomness it is the nil one: it only helps to find
/// things.
fn new_correlator() -> HeaderValue {
    let uuid = uuid::Builder::from_random_bytes(entropy::distinct().unwrap_or_default()).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(uuid.hyphenated().encode_lower(&mut text)).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn json_is_accepted_unless_it_is_excluded() {
        for (accept, accepted) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/html, */*;q=0.1", true),
            ("application/*", true),
            ("text/html", false),
            ("application/json;q=0, */*", false),
            ("*/*;q=0", false),
            ("*/*;q=0, application/json", true),
            ("", false),
        ] {
            assert_eq!(accepts_json(&headers(header::ACCEPT, accept)), accepted, "{accept}");
        }
        assert!(accepts_json(&HeaderMap::new()));
    }

    #[test]
    fn a_body_is_json_in_utf8() {
        for (content_type, is_json) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json; charset=iso-8859-1", false),
            ("text/json", false),
            ("application/jsonp", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            assert_eq!(
                media_type_is(&headers(header::CONTENT_TYPE, content_type), "application/json"),
                is_json,
                "{content_type}"
            );
        }
        assert!(!media_type_is(&HeaderMap::new(), "application/json"));
    }

    #[test]
    fn a_correlator_is_echoed_refused_or_made() {
        use attache_wire::camara::{device_roaming_status, device_status};

        let newest = &device_roaming_status::v1::FACE;
        let pinned = &device_roaming_status::v1_0::FACE;
        let any_text = &device_roaming_status::v0_6::FACE;
        let undocumented = &device_status::v0_5::ROAMING;
        let (echoed, refused, made) = ((true, false), (false, true), (false, false));
        for (face, sent, expected) in [
            (newest, "a:b", echoed),
            (newest, "a b", refused),
            (newest, "", made),
            (pinned, "a-b", echoed),
            (pinned, "a:b", refused),
            (any_text, "a b", echoed),
            (any_text, "", made),
            (undocumented, "a:b", echoed),
            (undocumented, "a b", made),
        ] {
            let (correlator, problem) = correlator(face.correlator, &headers(X_CORRELATOR, sent));
            let is_echoed = correlator.to_str().unwrap() == sent;
            assert_eq!((is_echoed, problem.is_some()), expected, "{} {sent:?}", face.contract);
            assert!(is_echoed || correlator.len() == 36, "{sent:?}");
        }
        assert!(correlator(newest.correlator, &HeaderMap::new()).1.is_none());
    }

    #[test]
    fn what_is_echoed_beyond_the_pattern_is_not_recorded() {
        for (sent, kept) in [("a:b", "a:b"), ("a b", ""), ("\u{e9}", "")] {
            let value = HeaderValue::from_bytes(sent.as_bytes()).unwrap();
            assert_eq!(recorded(&value), kept, "{sent}");
        }
    }
}
