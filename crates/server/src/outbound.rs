//! Requests to addresses that others have named: a client's `jwks_uri`, a subscription's sink.
//!
//! Whoever names an address could name one that only this server can reach (server-side request
//! forgery). So a request goes to public addresses only, or to networks that the operator allows. The
//! address that is checked is the one that is connected to: a host name is resolved here, and what it
//! resolves to is filtered before any connection is made, each time. Redirects are answers like any
//! other. The environment's proxies are not used.

use std::{
    fmt, fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Certificate, Client, RequestBuilder,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy as Redirects,
    retry,
};
use url::{Host, Url};

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
    policy: Arc<OutboundPolicy>,
    /// Made at the first request: without certificates of its own, a small container can do all but
    /// this.
    client: OnceLock<Client>,
}

impl Outbound {
    /// Requests under this policy.
    pub(crate) fn new(policy: OutboundPolicy) -> Self {
        Self { policy: Arc::new(policy), client: OnceLock::new() }
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
        if self.policy.allows(address) { Ok(()) } else { Err(Refusal::Address) }
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
            .dns_resolver(PublicNames(Arc::clone(&self.policy)));
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
    match causes.find_map(|cause| cause.downcast_ref::<Refusal>()) {
        Some(refusal) => OutboundError::Refused(*refusal),
        None => OutboundError::Failed(error.without_url()),
    }
}

/// Resolves names to the addresses that the policy allows.
struct PublicNames(Arc<OutboundPolicy>);

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.0);
        Box::pin(async move {
            let resolved = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = resolved.filter(|address| policy.allows(address.ip())).collect();
            if allowed.is_empty() {
                // `lookup_host` fails when there are none at all, so there were others.
                return Err(Box::new(io::Error::other(Refusal::Address)).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

impl OutboundPolicy {
    /// Whether an address is asked: a public one, or one of an allowed network. Where an IPv6 address
    /// leads to an IPv4 one, both must be.
    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_allowed = |address: &IpAddr| self.networks.iter().any(|network| network.contains(address));
        match address {
            IpAddr::V4(v4) => is_public_v4(v4) || is_allowed(&address),
            IpAddr::V6(v6) => {
                (is_public_v6(v6) || is_allowed(&address))
                    && embedded_v4(v6).is_none_or(|v4| is_public_v4(v4) || is_allowed(&IpAddr::V4(v4)))
            }
        }
    }
}

/// The IPv4 networks that are not public (IANA IPv4 Special-Purpose Address Registry), multicast, and
/// what is reserved.
const NOT_PUBLIC_V4: [Ipv4Net; 16] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    // Also where clouds tell their machines' credentials.
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The IPv6 networks that are not public although they lie where all public ones are (IANA
/// IPv6 Special-Purpose Address Registry).
const NOT_PUBLIC_V6: [Ipv6Net; 5] = [
    // Protocol assignments, Teredo, benchmarks, ORCHID.
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
];

/// Where all public IPv6 addresses are.
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Addresses that a gateway translates into the IPv4 address at their end (RFC 6052).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !NOT_PUBLIC_V4.iter().any(|network| network.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_global = GLOBAL_UNICAST.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address));
    is_global || NAT64.contains(&address)
}

/// The IPv4 address that an IPv6 address leads to: by NAT64, 6to4, or the form `::a.b.c.d`.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, third, .., seventh, eighth] = address.segments();
    let from = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    if first == 0x2002 {
        return Some(from(second, third));
    }
    let is_compatible = address.to_bits() >> 32 == 0 && address.to_bits() > 1;
    (is_compatible || NAT64.contains(&address)).then(|| from(seventh, eighth))
}

#[cfg(test)]
mod tests {
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
    fn no_address_that_is_not_public_is_asked() {
        let policy = OutboundPolicy::default();
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
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
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!policy.allows(address.parse().unwrap()), "{address}");
        }
        for address in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1", "2a00::1"]
        {
            assert!(policy.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_allowed_network_is_asked_however_its_address_is_written() {
        let policy = loopback();
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(policy.allows(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::1"] {
            assert!(!policy.allows(address.parse().unwrap()), "{address}");
        }
    }

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
