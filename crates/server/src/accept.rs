//! Which connections are taken.

use std::{
    future::{Ready, ready},
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready as ready_or_wait},
    time::Duration,
};

use axum_server::accept::Accept;
use ipnet::IpNet;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

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

/// How a connection that speaks HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Gives up a connection on which nothing comes. The limit for a request's head begins when it is
/// known which HTTP is spoken; this one ends there.
#[derive(Clone, Debug)]
pub(crate) struct Prompt<A> {
    inner: A,
    within: Duration,
}

impl<A> Prompt<A> {
    pub(crate) fn new(inner: A, within: Duration) -> Self {
        Self { inner, within }
    }
}

impl<I, S, A> Accept<I, S> for Prompt<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = PromptStream<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let (accepting, within) = (self.inner.accept(stream, service), self.within);
        Box::pin(async move {
            let (inner, service) = accepting.await?;
            let beginning = Beginning { deadline: Box::pin(tokio::time::sleep(within)), seen: 0 };
            Ok((PromptStream { inner, beginning: Some(beginning) }, service))
        })
    }
}

/// A connection on which the first bytes must come in time.
pub(crate) struct PromptStream<S> {
    inner: S,
    /// While it is not known which HTTP is spoken.
    beginning: Option<Beginning>,
}

struct Beginning {
    deadline: Pin<Box<Sleep>>,
    /// How many bytes of the preface have come.
    seen: usize,
}

impl Beginning {
    /// Whether it goes on after these bytes: they are of the preface, and not its end.
    fn goes_on(&mut self, bytes: &[u8]) -> bool {
        let is_preface = PREFACE.get(self.seen..).is_some_and(|rest| rest.starts_with(bytes));
        self.seen += bytes.len();
        is_preface && self.seen < PREFACE.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PromptStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if let Some(beginning) = &mut self.beginning {
            if read.is_pending() {
                ready_or_wait!(beginning.deadline.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            if !beginning.goes_on(&buffer.filled()[before..]) {
                self.beginning = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PromptStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
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

    #[tokio::test]
    async fn it_is_waited_until_it_is_known_which_http_is_spoken() {
        let beginning = || Beginning { deadline: Box::pin(tokio::time::sleep(Duration::ZERO)), seen: 0 };
        for (parts, goes_on) in [
            (&["P"][..], true),
            (&["PRI * HTTP/2.0\r\n", "\r\nSM"], true),
            (&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], false),
            (&["PRI * HTTP/2.0\r\n\r\n", "SM\r\n\r\n"], false),
            (&["P", "OST"], false),
            (&["GET / HTTP/1.1\r\n"], false),
            (&["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes"], false),
        ] {
            let mut beginning = beginning();
            let went_on = parts.iter().map(|part| beginning.goes_on(part.as_bytes())).last();
            assert_eq!(went_on, Some(goes_on), "{parts:?}");
        }
    }
}
