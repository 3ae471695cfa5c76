//! Who sits before a browser: the line that the mobile network says the request comes from, the browser
//! itself by a cookie, and the language that it wants.

use std::net::IpAddr;

use attache_core::{DeviceIdentifier, Ipv4Identifier, LineId, Problem};
use aws_lc_rs::constant_time;
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, header};

use crate::{
    app::App,
    entropy,
    pages::Language,
    sandbox,
    source::{self, Source},
    token::hash,
};

/// What is known of a visitor before anything is asked.
pub(crate) struct Visitor {
    headers: HeaderMap,
    source: Option<Source>,
}

impl Visitor {
    pub(crate) fn of(app: &App, request: &Request<Body>) -> Self {
        Self { headers: request.headers().clone(), source: source::of(request, &app.settings.trusted_proxies) }
    }

    /// The address that it comes from, if that is known.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.source.map(|source| source.address)
    }

    /// The language that it wants, which the page may be told before its browser is.
    pub(crate) fn language(&self, told: Option<Language>) -> Language {
        told.unwrap_or_else(|| Language::preferred(&self.headers))
    }

    /// Whether it reads pages rather than JSON.
    pub(crate) fn reads_pages(&self) -> bool {
        let accepted = self.headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok());
        accepted.is_some_and(|accepted| accepted.contains("text/html"))
    }

    /// Whether another site's page has sent it here by a form: browsers tell where a request comes from
    /// (Fetch Metadata), and a form of ours comes from here.
    pub(crate) fn is_sent_by_another_site(&self) -> bool {
        self.headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
    }

    /// What its browser was given to be recognised by.
    pub(crate) fn browser(&self, app: &App) -> Option<Browser> {
        let cookies = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let name = Browser::cookie_name(app);
        pairs.find(|(known, value)| *known == name && value.len() == 43).map(|(_, value)| Browser(value.to_owned()))
    }

    /// The line that the network says it calls from; `None` if the network does not know. In a sandbox, the
    /// line that it says it is.
    pub(crate) async fn line(&self, app: &App) -> Result<Option<LineId>, Problem> {
        if app.is_sandbox()
            && let Some(line) = sandbox::claimed_line(app, &self.headers)
        {
            return Ok(Some(line));
        }
        let Some(Source { address, port }) = self.source else { return Ok(None) };
        let identifier = match address {
            IpAddr::V4(public_address) => {
                DeviceIdentifier::Ipv4(Ipv4Identifier { public_address, public_port: port, private_address: None })
            }
            IpAddr::V6(address) => DeviceIdentifier::Ipv6(address),
        };
        match app.network.identify(&identifier).await {
            Ok(line) => Ok(Some(line)),
            Err(Problem::UnknownLine | Problem::IdentifierUnsupported) => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// What a browser is recognised by, so that no other one can go on where it was: 256 random bits in a cookie
/// that no script reads and that other sites' forms don't send.
pub(crate) struct Browser(String);

impl Browser {
    /// One that was never here.
    pub(crate) fn new() -> Result<Self, entropy::NoEntropy> {
        entropy::secret().map(Self)
    }

    /// By what it is remembered.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }

    /// What its forms on pages for `use_` have to bring along: who has not read the cookie cannot know it.
    pub(crate) fn form_token(&self, use_: &str) -> String {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        URL_SAFE_NO_PAD.encode(hash(&format!("{use_} {}", self.0)))
    }

    /// Whether a form brings it along, in constant time.
    pub(crate) fn knows(&self, use_: &str, token: &str) -> bool {
        constant_time::verify_slices_are_equal(self.form_token(use_).as_bytes(), token.as_bytes()).is_ok()
    }

    /// Lets the browser keep it, until it is closed.
    pub(crate) fn remember(&self, app: &App, response: &mut Response<Body>) {
        let secure = if is_secure(app) { "; Secure" } else { "" };
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}", Self::cookie_name(app), self.0);
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// With TLS, a name that browsers take from this very host only.
    fn cookie_name(app: &App) -> &'static str {
        if is_secure(app) { "__Host-attache" } else { "attache" }
    }
}

fn is_secure(app: &App) -> bool {
    app.base_url.starts_with("https://")
}
