//! Where a request comes from.
//!
//! Proxies tell whom they speak for by `X-Forwarded-For` or by `Forwarded` (RFC 7239). Each adds at the end whom
//! it was asked by, so a list is read from there, for as long as the one that wrote an entry is trusted: what
//! stands further left anybody may have made up. A proxy that sets one of the headers lets the other one through
//! as its client sent it, so where there are both, they have to agree.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::{HeaderMap, Request, header};
use ipnet::IpNet;

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

/// Whom the proxies tell, from the one at the other end of the connection on.
fn behind_proxies(peer: Source, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Option<Source> {
    let is_trusted = |source: &Source| trusted_proxies.iter().any(|network| network.contains(&source.address));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let lines = |name| headers.get_all(name).iter().rev().map(|value| value.to_str().unwrap_or_default());
    let listed = lines(X_FORWARDED_FOR).flat_map(|line| line.rsplit(',')).map(|entry| read(entry.trim()));
    let forwarded = lines(header::FORWARDED.as_str()).flat_map(elements);
    match (headers.contains_key(X_FORWARDED_FOR), headers.contains_key(header::FORWARDED)) {
        (_, false) => follow(peer, listed, is_trusted),
        (false, true) => follow(peer, forwarded, is_trusted),
        (true, true) => {
            let (one, other) = (follow(peer, listed, is_trusted)?, follow(peer, forwarded, is_trusted)?);
            // A port that only one of them tells may be its client's invention.
            let port = one.port.filter(|port| other.port == Some(*port));
            (one.address == other.address).then_some(Source { port, ..one })
        }
    }
}

/// Goes from proxy to proxy, from the last entry to the first, to the first that is not trusted.
fn follow(
    peer: Source,
    entries: impl Iterator<Item = Option<Source>>,
    is_trusted: impl Fn(&Source) -> bool,
) -> Option<Source> {
    let mut source = peer;
    for entry in entries {
        if !is_trusted(&source) {
            break;
        }
        source = entry?;
    }
    Some(source)
}

/// The elements of a line of `Forwarded` (RFC 7239 section 4), the last one first: whom each tells, if it tells an
/// address. Of a line that is not well-formed nothing is believed.
fn elements(line: &str) -> Vec<Option<Source>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        match element(rest) {
            Some((source, None)) => {
                elements.push(source);
                break;
            }
            Some((source, Some(next))) => {
                elements.push(source);
                rest = next;
            }
            None => return vec![None],
        }
    }
    elements.reverse();
    elements
}

/// Reads the first element of a line, and what follows its comma. `None` if it is not well-formed.
fn element(text: &str) -> Option<(Option<Source>, Option<&str>)> {
    let mut told = None;
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, after) = value(after)?;
        if name.eq_ignore_ascii_case("for") && told.replace(node(&value)).is_some() {
            return None;
        }
        let after = after.trim_start();
        match after.as_bytes().first() {
            None => return Some((told.flatten(), None)),
            Some(b',') => return Some((told.flatten(), Some(&after[1..]))),
            Some(b';') => rest = &after[1..],
            Some(_) => return None,
        }
    }
}

/// Reads a value, quoted or not, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let value = text[..end].trim_end();
        let is_plain = !value.is_empty() && !value.contains(['"', ' ', '\t', '=']);
        return is_plain.then(|| (value.to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// The address of a node (RFC 7239 section 6). One that is unknown or has a name that only its proxy understands
/// has none; nor has IPv6 without brackets. A port with such a name is as good as none.
fn node(text: &str) -> Option<Source> {
    let (address, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        (IpAddr::V6(address.parse().ok()?), port)
    } else {
        let (address, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        (IpAddr::V4(address.parse().ok()?), port)
    };
    let port = match port.strip_prefix(':') {
        Some(hidden) if hidden.starts_with('_') => None,
        Some(port) => Some(port.parse().ok()?),
        None if port.is_empty() => None,
        None => return None,
    };
    Some(Source { address: address.to_canonical(), port })
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
        told(peer, &forwarded.iter().map(|value| (X_FORWARDED_FOR, *value)).collect::<Vec<_>>())
            .map(|source| source.address.to_string())
    }

    fn told(peer: &str, sent: &[(&'static str, &str)]) -> Option<Source> {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8:1::/48".parse().unwrap()];
        let peer = Source { address: peer.parse().unwrap(), port: Some(5) };
        behind_proxies(peer, &headers, &proxies)
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

    /// What comes of a header `Forwarded` from a trusted proxy.
    fn forwarded(lines: &[&str]) -> Option<String> {
        let source = told("10.0.0.1", &lines.iter().map(|line| ("forwarded", *line)).collect::<Vec<_>>())?;
        Some(source.port.map_or(source.address.to_string(), |port| SocketAddr::new(source.address, port).to_string()))
    }

    #[test]
    fn a_trusted_proxy_may_tell_it_by_forwarded() {
        for (lines, expected) in [
            (&["for=203.0.113.7"][..], "203.0.113.7"),
            (&["For=\"203.0.113.7:4711\""], "203.0.113.7:4711"),
            (&["for=203.0.113.7:4711"], "203.0.113.7:4711"),
            (&["for=\"203.0.113.7:_here\";proto=https"], "203.0.113.7"),
            (&["proto=https;host=\"a.example:443\";for=203.0.113.7;by=10.0.0.1"], "203.0.113.7"),
            (&["for=\"[2001:db8:2::1]:4711\""], "[2001:db8:2::1]:4711"),
            (&["for=\"[2001:db8:2::1]\""], "2001:db8:2::1"),
            (&["for=\"[::ffff:203.0.113.7]\""], "203.0.113.7"),
            (&["for=\"203.0.113\\.7\""], "203.0.113.7"),
            (&["for=192.0.2.1, for=203.0.113.7"], "203.0.113.7"),
            (&["for=192.0.2.1", "for=203.0.113.7"], "203.0.113.7"),
            (&["for=203.0.113.7,for=10.0.0.2"], "203.0.113.7"),
            (&["for=203.0.113.7;host=\"a,for=192.0.2.1\""], "203.0.113.7"),
            (&["for=unknown", "for=203.0.113.7 , for=\"[2001:db8:1::2]:80\""], "203.0.113.7"),
            (&["not well-formed", "for=203.0.113.7"], "203.0.113.7"),
        ] {
            assert_eq!(forwarded(lines).as_deref(), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn what_forwarded_does_not_tell_is_not_guessed() {
        for line in [
            "",
            "for=unknown",
            "for=_hidden",
            "for=\"_hidden:80\"",
            "for=",
            "for=\"\"",
            "for",
            "203.0.113.7",
            "proto=https",
            "by=203.0.113.7",
            "for=203.0.113.7;for=203.0.113.7",
            "for=203.0.113.7,",
            "for=203.0.113.7;",
            "for=\"203.0.113.7",
            "for=\"203.0.113.7\"x",
            "for=203.0.113.7:99999",
            "for=203.0.113.7:",
            "for=2001:db8:2::1",
            "for=\"[2001:db8:2::1\"",
            "for=\"[2001:db8:2::1]80\"",
            "for=\"[203.0.113.7]\"",
            "for=example.com",
            // A client opens a quotation that the proxy's own entry is to end.
            "for=203.0.113.9;x=\", for=\"[2001:db8:2::1]:80\"",
            "for=203.0.113.9;x=\", for=203.0.113.7",
        ] {
            assert_eq!(forwarded(&[line]), None, "{line}");
        }
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed_by_either_header() {
        let sent = [("forwarded", "for=203.0.113.7"), (X_FORWARDED_FOR, "203.0.113.7")];
        for sent in [&sent[..1], &sent[1..], &sent] {
            let source = told("198.51.100.1", sent).unwrap();
            assert_eq!((source.address.to_string().as_str(), source.port), ("198.51.100.1", Some(5)), "{sent:?}");
        }
    }

    #[test]
    fn two_headers_have_to_agree() {
        let both = |listed: &str, forwarded: &str| {
            let source = told("10.0.0.1", &[(X_FORWARDED_FOR, listed), ("forwarded", forwarded)])?;
            Some((source.address.to_string(), source.port))
        };
        let found = |port| Some(("203.0.113.7".to_owned(), port));
        assert_eq!(both("203.0.113.7", "for=203.0.113.7"), found(None));
        assert_eq!(both("203.0.113.7:4711", "for=\"203.0.113.7:4711\""), found(Some(4711)));
        assert_eq!(both("192.0.2.1, 203.0.113.7, 10.0.0.2", "for=203.0.113.7"), found(None));
        // Which of them its client has made up cannot be told.
        assert_eq!(both("203.0.113.7", "for=\"203.0.113.7:4711\""), found(None));
        assert_eq!(both("203.0.113.7:4711", "for=203.0.113.7"), found(None));
        assert_eq!(both("203.0.113.7:4711", "for=\"203.0.113.7:4712\""), found(None));
        for (listed, forwarded) in [
            ("203.0.113.7", "for=203.0.113.8"),
            ("203.0.113.7", "for=unknown"),
            ("unknown", "for=203.0.113.7"),
            ("203.0.113.7", "for=203.0.113.7, for=10.0.0.2, for=203.0.113.9"),
        ] {
            assert_eq!(both(listed, forwarded), None, "{listed} {forwarded}");
        }
    }
}
