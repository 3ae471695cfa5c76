use std::net::IpAddr;

use http::HeaderMap;

/// What a request tells beside its parameters.
pub(super) struct Head {
    /// The address that it was sent to, as clients know it, without query.
    pub(super) url: String,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Where it comes from, if that is known.
    pub(super) source: Option<IpAddr>,
}
