use std::net::IpAddr;

use http::HeaderMap;

/// What a request tells beside its parameters.
pub(super) struct Head {
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Where it comes from, if that is known.
    pub(super) source: Option<IpAddr>,
}
