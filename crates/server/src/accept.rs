//! Which connections are taken.

use std::{
    future::{Ready, ready},
    io,
    net::IpAddr,
    sync::Arc,
};

use axum_server::accept::Accept;
use ipnet::IpNet;
use tokio::net::TcpStream;

/// Takes connections as they come; when a proxy ends TLS before a server in production, only that
/// proxy's and this machine's own, because whatever else arrives has travelled in the clear.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    /// From where; `None` is from anywhere.
    from: Option<Arc<[IpNet]>>,
}

impl Connections {
    pub(crate) fn from_anywhere() -> Self {
        Self { from: None }
    }

    pub(crate) fn from_networks(networks: &[IpNet]) -> Self {
        Self { from: Some(networks.into()) }
    }

    fn takes(&self, peer: IpAddr) -> bool {
        match &self.from {
            None => true,
            Some(networks) => peer.is_loopback() || networks.iter().any(|network| network.contains(&peer)),
        }
    }
}

impl<S> Accept<TcpStream, S> for Connections {
    type Stream = TcpStream;
    type Service = S;
    type Future = Ready<io::Result<(TcpStream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = stream.peer_addr().and_then(|peer| {
            if self.takes(peer.ip().to_canonical()) {
                // Answers are small and complete: waiting for more to send only delays them.
                stream.set_nodelay(true)
            } else {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "the peer is no trusted proxy"))
            }
        });
        ready(admitted.map(|()| (stream, service)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_proxy_only_the_proxy_and_this_machine_connect() {
        let connections = Connections::from_networks(&["192.0.2.0/24".parse().unwrap()]);
        for (peer, taken) in [("192.0.2.7", true), ("127.0.0.1", true), ("::1", true), ("198.51.100.1", false)] {
            assert_eq!(connections.takes(peer.parse().unwrap()), taken, "{peer}");
            assert!(Connections::from_anywhere().takes(peer.parse().unwrap()));
        }
    }
}
