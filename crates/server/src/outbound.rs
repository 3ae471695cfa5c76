//! Requests to addresses that others have named: a client's `jwks_uri`, a subscription's sink.
//!
//! Whoever names an address could name one that only this server can reach (server-side request
//! forgery). So a request goes to public addresses only, or to networks that the operator allows. The
//! address that is checked is the one that is connected to: a host name is resolved here, and what it
//! resolves to is checked before any connection is made, each time. Redirects are answers like any
//! other. The environment's proxies are not used.

use std::{
    fmt, fs,
    net::IpAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use ipnet::IpNet;
use reqwest::{Certificate, Client, RequestBuilder, redirect::Policy as Redirects, retry};
use url::{Host, Url};

use crate::delivery::guard::{self, Guard, GuardedResolver};

/// What may be asked.
#[derive(Clone, Debug, Default)]
pub struct OutboundPolicy {
    /// Whether addresses without TLS are asked.
    pub http: bool,
    /// The networks beside the public internet whose addresses are asked.
    pub networks: Vec<IpNet>,
    /// Certification authorities that are trusted beside this machine's, PEM.
    pub certificates: Option<PathBuf>,
}

/// The bounds of one exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long all of it may take, from the resolution of the name to the last byte of the answer.
    pub(crate) within: Duration,
    /// How many bytes the answer's body may have.
    pub(crate) body: usize,
}

/// What came back: any status, redirects among them.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The whole body.
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// It is not asked at all.
    #[error("{0} is not asked")]
    Refused(#[from] Refusal),
    /// The answer did not come in time.
    #[error("there was no whole answer in time")]
    TimedOut,
    /// The answer is too long.
    #[error("the answer is too long")]
    TooLong,
    /// The certificates that the operator named cannot be used, or this machine has none.
    #[error("the certificates to trust cannot be read")]
    Certificates(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection failed, or what came over it is no answer.
    #[error("the exchange failed")]
    Failed(#[source] reqwest::Error),
}

/// What is not asked, by the policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It is no https URL with a host.
    #[error("an address without TLS")]
    Scheme,
    /// It has a user or a password, which would be kept and logged where the URL is.
    #[error("an address with credentials")]
    Credentials,
    /// Where it leads is not public, and not allowed.
    #[error("an address that is not public")]
    Address,
}

/// Makes requests under a policy.
pub(crate) struct Outbound {
    policy: OutboundPolicy,
    /// The same that events are delivered under: what is inside is nobody's.
    guard: Arc<Guard>,
    /// Made at the first request: without certificates of its own, a small container can do all but
    /// this.
    client: OnceLock<Client>,
}

impl Outbound {
    /// Requests under this policy.
    pub(crate) fn new(policy: OutboundPolicy) -> Self {
        let guard = Guard { allowed: policy.networks.clone(), allows_loopback: false };
        Self { policy, guard: Arc::new(guard), client: OnceLock::new() }
    }

    /// Holds an address against the policy, as far as that can be told without resolving its name: for
    /// registrations, so that whoever names it hears of it at once.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refusal> {
        match url.scheme() {
            "https" => {}
            "http" if self.policy.http => {}
            _ => return Err(Refusal::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let address = match url.host() {
            None => return Err(Refusal::Scheme),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        self.guard.admit(address).map_err(|_| Refusal::Address)
    }

    /// Gets what is at an address.
    pub(crate) async fn get(&self, url: &Url, limits: Limits) -> Result<Answer, OutboundError> {
        self.exchange(url, limits, |client| client.get(url.clone())).await
    }

    async fn exchange(
        &self,
        url: &Url,
        limits: Limits,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<Answer, OutboundError> {
        // A literal address is not resolved, so this is where it is filtered.
        self.check(url)?;
        let request = request(self.client()?);
        tokio::time::timeout(limits.within, read(request, limits.body)).await.unwrap_or(Err(OutboundError::TimedOut))
    }

    fn client(&self) -> Result<&Client, OutboundError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let unusable = |cause: Box<dyn std::error::Error + Send + Sync>| OutboundError::Certificates(cause);
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(Redirects::none())
            .retry(retry::never())
            .referer(false)
            .user_agent(concat!("attache/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(GuardedResolver(Arc::clone(&self.guard)));
        if let Some(path) = &self.policy.certificates {
            let pem = fs::read(path).map_err(|cause| unusable(cause.into()))?;
            builder =
                builder.tls_certs_merge(Certificate::from_pem_bundle(&pem).map_err(|cause| unusable(cause.into()))?);
        }
        let client = builder.build().map_err(|cause| unusable(cause.into()))?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Sends a request and reads its answer, as long as that is not too long.
async fn read(request: RequestBuilder, limit: usize) -> Result<Answer, OutboundError> {
    let mut response = request.send().await.map_err(failed)?;
    if response.content_length().is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > limit)) {
        return Err(OutboundError::TooLong);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > limit {
            return Err(OutboundError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status: response.status(), body: body.freeze() })
}

/// What went wrong, without the URL, which may hold a secret.
fn failed(error: reqwest::Error) -> OutboundError {
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
    if causes.any(<dyn std::error::Error + 'static>::is::<guard::Refused>) {
        return OutboundError::Refused(Refusal::Address);
    }
    OutboundError::Failed(error.without_url())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    fn loopback() -> OutboundPolicy {
        let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        OutboundPolicy { http: true, networks, certificates: None }
    }

    const LIMITS: Limits = Limits { within: Duration::from_secs(10), body: 1_000 };

    #[test]
    fn an_address_is_https_without_credentials_and_not_a_private_one() {
        let check = |policy: &OutboundPolicy, url: &str| Outbound::new(policy.clone()).check(&url.parse().unwrap());
        let policy = OutboundPolicy::default();
        assert_eq!(check(&policy, "https://shop.example/jwks"), Ok(()));
        for (url, refusal) in [
            ("http://shop.example/", Refusal::Scheme),
            ("ftp://shop.example/", Refusal::Scheme),
            ("file:///etc/passwd", Refusal::Scheme),
            ("https://me:secret@shop.example/", Refusal::Credentials),
            ("https://127.0.0.1/", Refusal::Address),
            ("https://2130706433/", Refusal::Address),
            ("https://0x7f.1/", Refusal::Address),
            ("https://0177.0.0.1/", Refusal::Address),
            ("https://[::1]/", Refusal::Address),
            ("https://[::ffff:7f00:1]/", Refusal::Address),
        ] {
            assert_eq!(check(&policy, url), Err(refusal), "{url}");
        }
        assert_eq!(check(&loopback(), "http://127.0.0.1:1/"), Ok(()));
    }

    /// Answers each connection with these bytes, and tells its address.
    async fn serve(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut head = [0; 1024];
                let _ = connection.read(&mut head).await;
                let _ = connection.write_all(answer.as_bytes()).await;
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        let address = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
        let answer = Outbound::new(loopback()).get(&format!("http://{address}/").parse().unwrap(), LIMITS).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, b"hi".as_slice()));
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_private_address_is_refused_before_anything_is_sent() {
        let address = serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let url = format!("http://localhost:{}/", address.port()).parse().unwrap();
        let refused = Outbound::new(OutboundPolicy { http: true, ..OutboundPolicy::default() }).get(&url, LIMITS).await;
        assert!(matches!(refused, Err(OutboundError::Refused(Refusal::Address))), "{refused:?}");
        assert!(Outbound::new(loopback()).get(&url, LIMITS).await.is_ok());
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let address = serve(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )
        .await;
        let answer = Outbound::new(loopback()).get(&format!("http://{address}/").parse().unwrap(), LIMITS).await;
        assert_eq!(answer.unwrap().status, StatusCode::FOUND);
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_not_read_whether_or_not_it_says_so() {
        const DECLARED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\nconnection: close\r\n\r\n";
        static CHUNKED: OnceLock<String> = OnceLock::new();
        let chunks = "100\r\n".to_owned() + &"x".repeat(256) + "\r\n";
        let chunked = CHUNKED.get_or_init(|| {
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned() + &chunks.repeat(4) + "0\r\n\r\n"
        });
        for answer in [DECLARED, chunked] {
            let url = format!("http://{}/", serve(answer).await).parse().unwrap();
            let refused = Outbound::new(loopback()).get(&url, LIMITS).await;
            assert!(matches!(refused, Err(OutboundError::TooLong)), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn the_deadline_is_one_for_the_whole_exchange() {
        let silent = serve("").await;
        let slow = serve("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal").await;
        for address in [silent, slow] {
            let limits = Limits { within: Duration::from_millis(50), ..LIMITS };
            let refused = Outbound::new(loopback()).get(&format!("http://{address}/").parse().unwrap(), limits).await;
            assert!(matches!(refused, Err(OutboundError::TimedOut | OutboundError::Failed(_))), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn certificates_that_cannot_be_read_are_told() {
        let certificates = Some(PathBuf::from("/nonexistent.pem"));
        let outbound = Outbound::new(OutboundPolicy { certificates, ..loopback() });
        let refused = outbound.get(&"http://127.0.0.1:1/".parse().unwrap(), LIMITS).await;
        assert!(matches!(refused, Err(OutboundError::Certificates(_))), "{refused:?}");
    }
}
