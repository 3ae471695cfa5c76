//! Which addresses others may have us connect to: those of the public internet, and those that the operator
//! allows. What is inside is nobody's (server-side request forgery).
//!
//! Addresses in a URL are judged before anything is sent; those that a name stands for when it is resolved,
//! on the very addresses that are connected to, so a name that changes between two looks (DNS rebinding)
//! wins nothing.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Refusal, names::Names};

/// Which addresses may be connected to.
#[derive(Clone)]
pub(super) struct Guard {
    /// Networks that are allowed though they are not public.
    allowed: Arc<[IpNet]>,
    names: Arc<Names>,
}

impl Guard {
    /// Lets through what is public, and these networks.
    pub(super) fn allowing(networks: &[IpNet]) -> Self {
        Self::naming(networks, Names::of_system())
    }

    /// The same, where these tell what names stand for.
    pub(super) fn naming(networks: &[IpNet], names: Arc<Names>) -> Self {
        Self { allowed: networks.into(), names }
    }

    /// Whether an address may be connected to.
    pub(super) fn admit(&self, address: IpAddr) -> Result<(), Refusal> {
        let address = address.to_canonical();
        let is_allowed = is_public(address) || self.allowed.iter().any(|network| network.contains(&address));
        if is_allowed { Ok(()) } else { Err(Refusal::NotPublic) }
    }
}

/// Resolves names to addresses that the guard lets through.
impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.names.find(name.as_str()).await?.to_vec();
            // One inside spoils those outside: a name that stands for both is no accident.
            for address in &found {
                guard.admit(address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public internet (the special-purpose registries of IANA, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_inside = match (first, second) {
        (0 | 10 | 127 | 224..=255, _) | (100, 64..=127) | (169, 254) | (172, 16..=31) | (192, 168) | (198, 18 | 19) => {
            true
        }
        (192, 0) => matches!(third, 0 | 2),
        (192, 88) => third == 99,
        (198, 51) => third == 100,
        (203, 0) => third == 113,
        _ => false,
    };
    !is_inside
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, ..] = address.segments();
    // Global unicast is 2000::/3; the rest is reserved, local, multicast, or stands for something else:
    // NAT64, discard, segment routing.
    let is_unicast = first & 0xe000 == 0x2000;
    // Of it: Teredo and other protocol assignments (2001::/23), documentation, 6to4.
    let is_special = match (first, second) {
        (0x2001, 0..0x0200 | 0x0db8) | (0x2002, _) | (0x3fff, 0..0x1000) => true,
        (0x2620, 0x004f) => third == 0x8000,
        _ => false,
    };
    is_unicast && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:a00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];

    const OUTSIDE: &[&str] = &[
        "1.1.1.1",
        "9.255.255.255",
        "100.63.255.255",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "223.255.255.255",
        "::ffff:1.1.1.1",
        "2606:4700::1111",
        "2a00:1450::1",
    ];

    #[test]
    fn what_is_inside_is_refused_and_what_is_outside_is_not() {
        let guard = Guard::allowing(&[]);
        for address in INSIDE {
            assert_eq!(guard.admit(address.parse().unwrap()), Err(Refusal::NotPublic), "{address}");
        }
        for address in OUTSIDE {
            assert_eq!(guard.admit(address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_let_through() {
        let guard = Guard::allowing(&["10.1.0.0/16".parse().unwrap()]);
        assert_eq!(guard.admit("10.1.2.3".parse().unwrap()), Ok(()));
        assert_eq!(guard.admit("::ffff:10.1.2.3".parse().unwrap()), Ok(()));
        for address in ["10.2.0.1", "127.0.0.1", "169.254.169.254", "::ffff:10.2.0.1"] {
            assert_eq!(guard.admit(address.parse().unwrap()), Err(Refusal::NotPublic), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_stands_for() {
        let resolve = |guard: Guard| async move { guard.resolve("localhost".parse().unwrap()).await };
        let Err(error) = resolve(Guard::allowing(&[])).await else { panic!("localhost is inside") };
        assert_eq!(error.downcast_ref::<Refusal>(), Some(&Refusal::NotPublic));
        let here = Guard::allowing(&["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(resolve(here).await.unwrap().all(|address| address.ip().is_loopback()));
    }
}
