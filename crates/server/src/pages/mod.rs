//! The pages that subscribers see: they need no script, nothing from elsewhere, and no wide screen.
//!
//! `words` has every sentence in every language; `language` finds out which one a visitor reads. Whatever
//! comes from outside goes through [`escape`]. [`response`] sets the headers that keep a page from being
//! framed, and from loading or sending anything anywhere else.

mod language;
mod words;

use std::fmt::Write as _;

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

pub(crate) use language::Language;
pub(crate) use words::{Words, purpose, uses};

/// Where the style of all pages stands.
pub(crate) const STYLE_PATH: &str = "/pages.css";

/// A text as it stands in HTML, in an attribute as well.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Sends the browser on to another page, after a form.
pub(crate) fn see_other(location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page in a language. `others` is the address of the same page in another, up to the language's tag; none
/// where there is no way back to it.
pub(crate) fn page(language: Language, title: &str, body: &str, others: Option<&str>) -> String {
    let mut languages = String::new();
    if let Some(address) = others {
        for other in Language::ALL.into_iter().filter(|other| *other != language) {
            let (tag, name) = (other.tag(), other.name());
            let _ = write!(
                languages,
                "<li><a lang=\"{tag}\" hreflang=\"{tag}\" href=\"{}{tag}\">{name}</a></li>",
                escape(address)
            );
        }
        let label = escape(Words::of(language).languages);
        languages = format!("<nav aria-label=\"{label}\"><ul>{languages}</ul></nav>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <link rel=\"stylesheet\" href=\"{STYLE_PATH}\">\n</head>\n<body>\n<main>\n{body}</main>\n{languages}</body>\n</html>\n",
        language.tag(),
        escape(title),
    )
}

/// The response with a page, whose forms may lead to this server and, by way of it, to `form_target`.
pub(crate) fn response(status: StatusCode, html: String, form_target: &str) -> Response {
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {form_target}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept-Language, Cookie"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page that only says something, such as what is wrong.
pub(crate) fn notice(status: StatusCode, language: Language, title: &str, text: &str) -> Response {
    let body = format!("<h1>{}</h1>\n<p>{}</p>\n", escape(title), escape(text));
    response(status, page(language, title, &body, None), "")
}

/// The style of all pages.
pub(crate) fn style() -> Response {
    let mut response = Response::new(Body::from(include_str!("pages.css")));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text() {
        assert_eq!(escape(r#"<b a="1" b='2'>&"#), "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;");
    }

    #[test]
    fn a_page_links_to_itself_in_every_other_language() {
        let html = page(Language::French, "a < b", "", Some("/consent?request=x&lang="));
        assert!(html.contains("<html lang=\"fr\">") && html.contains("<title>a &lt; b</title>"), "{html}");
        for tag in ["en", "es", "de"] {
            assert!(html.contains(&format!("href=\"/consent?request=x&amp;lang={tag}\"")), "{html}");
        }
        assert!(!html.contains("lang=fr\""), "{html}");
    }
}
