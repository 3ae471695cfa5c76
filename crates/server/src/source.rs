//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderMap, Request};
use ipnet::IpNet;

/// The header by which proxies tell whom they speak for. It is the only one that is read: a proxy that
/// sets one of several lets the others through as its client sent them.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Where a request comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    pub(crate) address: IpAddr,
    /// The port, by which many who share one address are told apart; proxies seldom tell it.
    pub(crate) port: Option<u16>,
}

/// Where a request comes from: the connection's other end or, if a trusted proxy is there, whom it tells.
/// `None` if it is not known.
pub(crate) fn of<B>(request: &Request<B>, trusted_proxies: &[IpNet]) -> Option<Source> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    let peer = Source { address: peer.ip().to_canonical(), port: Some(peer.port()) };
    behind_proxies(peer, request.headers(), trusted_proxies)
}

/// The address that a request comes from.
pub(crate) fn address<B>(request: &Request<B>, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
    of(request, trusted_proxies).map(|source| source.address)
}

/// Each proxy adds at the end whom it was asked by, so the list is read from there, for as long as the
/// one that wrote an entry is trusted: what stands further left anybody may have made up.
fn behind_proxies(peer: Source, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Option<Source> {
    let is_trusted = |source: &Source| trusted_proxies.iter().any(|network| network.contains(&source.address));
    let mut source = peer;
    let values: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    let entries = values.iter().rev().flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    for entry in entries {
        if !is_trusted(&source) {
            break;
        }
        source = read(entry.trim())?;
    }
    Some(source)
}

/// Reads an address, which some proxies write with its port.
fn read(entry: &str) -> Option<Source> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let (address, port) = match bare.parse::<IpAddr>() {
        Ok(address) => (address, None),
        Err(_) => entry.parse::<SocketAddr>().map(|socket| (socket.ip(), Some(socket.port()))).ok()?,
    };
    Some(Source { address: address.to_canonical(), port })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn source(peer: &str, forwarded: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let peer = Source { address: peer.parse().unwrap(), port: Some(5) };
        behind_proxies(peer, &headers, &proxies).map(|source| source.address.to_string())
    }

    #[test]
    fn who_is_no_trusted_proxy_speaks_for_itself_alone() {
        assert_eq!(source("198.51.100.1", &["203.0.113.7"]).as_deref(), Some("198.51.100.1"));
        assert_eq!(source("198.51.100.1", &[]).as_deref(), Some("198.51.100.1"));
    }

    #[test]
    fn a_trusted_proxy_tells_whom_it_speaks_for() {
        for (forwarded, expected) in [
            (&["203.0.113.7"][..], "203.0.113.7"),
            (&["203.0.113.7:4711"], "203.0.113.7"),
            (&["[2001:db8:2::1]:4711"], "2001:db8:2::1"),
            (&["[2001:db8:2::1]"], "2001:db8:2::1"),
            (&["::ffff:203.0.113.7"], "203.0.113.7"),
            (&["192.0.2.1, 203.0.113.7"], "203.0.113.7"),
            (&["192.0.2.1", "203.0.113.7"], "203.0.113.7"),
            (&["203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            (&["203.0.113.7", "2001:db8:1::2, 10.0.0.2"], "203.0.113.7"),
            (&["192.0.2.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            (&[], "10.0.0.1"),
        ] {
            assert_eq!(source("10.0.0.1", forwarded).as_deref(), Some(expected), "{forwarded:?}");
        }
    }

    #[test]
    fn what_a_trusted_proxy_tells_without_sense_is_no_address() {
        for forwarded in ["unknown", "", "203.0.113.7,", "203.0.113", "example.com"] {
            assert_eq!(source("10.0.0.1", &[forwarded]), None, "{forwarded}");
        }
    }

    #[test]
    fn the_port_is_that_of_whoever_is_found() {
        for (entry, port) in [("203.0.113.7:4711", Some(4711)), ("203.0.113.7", None), ("[2001:db8:2::1]:80", Some(80))]
        {
            assert_eq!(read(entry).unwrap().port, port, "{entry}");
        }
    }
}
