//! Requests to addresses that others have named: a client's `jwks_uri`, a subscription's sink.
//!
//! Whoever names an address could name one that only this server can reach (server-side request
//! forgery). So a request goes to public addresses only, or to networks that the operator allows. The
//! address that is checked is the one that is connected to: a host name is resolved here, and what it
//! resolves to is checked before any connection is made, each time. Redirects are answers like any
//! other. The environment's proxies are not used.
//!
//! A connection that is kept for the next request leads to the address that was checked when it was made, and
//! what is allowed does not change while the server runs: so it needs no second look, whatever its host name
//! has come to stand for since.
//!
//! How long an answer may take and how much of its body is read is bounded here. How long its head may be is not ours
//! to say: hyper stops at 100 headers and at 408 KiB, and the HTTP client has a setting for the former only. HTTP/2,
//! which would have bounds of its own, is not spoken.

mod guard;
mod names;

use std::{
    fmt, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use ipnet::IpNet;
use quick_cache::sync::Cache;
use reqwest::{Certificate, Client, RequestBuilder, Response, redirect::Policy as Redirects, retry};
use url::{Host, Url};

use guard::Guard;

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(30);
/// How many connections to one host are kept.
const IDLE_CONNECTIONS: usize = 64;
/// How many addresses need not be read again.
const ADMITTED: usize = 4096;

/// What may be asked.
#[derive(Clone, Debug, Default)]
pub struct OutboundPolicy {
    /// The networks beside the public internet whose addresses are asked.
    pub networks: Vec<IpNet>,
    /// Whether addresses without TLS are asked.
    pub allow_http: bool,
    /// Files with certification authorities that are trusted beside this machine's: PEM, one or more in each.
    pub authorities: Vec<PathBuf>,
}

/// The bounds of one exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long all of it may take, from the resolution of the name to the last byte of the answer.
    pub(crate) within: Duration,
    /// How many bytes of the answer's body are read.
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

/// Why an address is not asked at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.as_str())]
pub(crate) enum Refusal {
    /// It is nothing that could be asked.
    NoUrl,
    /// It is no https URL.
    NotEncrypted,
    /// It has a user or a password, which would be kept and logged where the URL is.
    Credentials,
    /// Where it leads is not public, and not allowed.
    NotPublic,
}

impl Refusal {
    /// The same, for whoever named it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NoUrl => "it is no URL with a host",
            Self::NotEncrypted => "it is not https",
            Self::Credentials => "it has a user or a password",
            Self::NotPublic => "its address is not public",
        }
    }
}

/// Why there is no answer. Its texts are about whoever was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// It is not asked at all.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The answer did not come in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// The answer is too long.
    #[error("its answer is too long")]
    TooLong,
    /// Nobody can be asked.
    #[error("this machine has no certification authorities to hold its certificate against")]
    NoAuthorities(#[source] reqwest::Error),
    /// There is no connection, or none that can be trusted.
    #[error("it cannot be connected to")]
    Unreachable(#[source] reqwest::Error),
    /// What came over the connection is no answer, or no whole one.
    #[error("it broke off")]
    Failed(#[source] reqwest::Error),
}

impl OutboundError {
    /// What went wrong and its last cause, in one line for people. The address is not in it.
    pub(crate) fn description(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        causes.last().map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }
}

/// A file whose authorities cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// It is not there, or not for this user.
    #[error("the certification authorities in {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// There is no certificate in it.
    #[error("{} has no certificate: PEM is needed, which begins with -----BEGIN CERTIFICATE-----", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// What is in it is no certificate.
    #[error("{} has something that is no certificate", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
}

/// Makes requests under a policy.
pub(crate) struct Outbound {
    policy: OutboundPolicy,
    limits: Limits,
    guard: Guard,
    authorities: Vec<Certificate>,
    /// Addresses that were admitted, as they were read: the policy does not change.
    admitted: Cache<Box<str>, Url>,
    /// Made at the first request: a small container that has no authorities can do all but this.
    client: OnceLock<Client>,
}

impl Outbound {
    /// Requests under this policy, within these limits.
    pub(crate) fn new(policy: OutboundPolicy, limits: Limits) -> Result<Self, AuthoritiesError> {
        let authorities = policy.authorities.iter().map(|path| read_authorities(path));
        let authorities = authorities.collect::<Result<Vec<_>, _>>()?.concat();
        let guard = Guard::allowing(&policy.networks);
        Ok(Self { policy, limits, guard, authorities, admitted: Cache::new(ADMITTED), client: OnceLock::new() })
    }

    /// Reads an address and holds it against the policy, as far as that can be told without resolving its name:
    /// whoever names it hears of it at once.
    pub(crate) fn admit(&self, url: &str) -> Result<Url, Refusal> {
        let url: Url = url.parse().map_err(|_| Refusal::NoUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if self.policy.allow_http => {}
            _ => return Err(Refusal::NotEncrypted),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let address = match url.host() {
            None => return Err(Refusal::NoUrl),
            Some(Host::Domain(_)) => return Ok(url),
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
        };
        self.guard.admit(address).map(|()| url)
    }

    /// Gets what is at an address, as long as that is not too long.
    pub(crate) async fn get(&self, url: &str) -> Result<Answer, OutboundError> {
        let mut response = self.send(url, Client::get).await?;
        if self.is_too_long(&response) {
            return Err(OutboundError::TooLong);
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.limits.body {
                return Err(OutboundError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), body: body.freeze() })
    }

    /// Posts what `fill` puts into the request. The answer is its head: that says all, even if its body never
    /// ends. The body is read, and thrown away, so that the connection can be used again; of one that is too
    /// long nothing is, and its connection closed.
    pub(crate) async fn post(
        &self,
        url: &str,
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<(StatusCode, HeaderMap), OutboundError> {
        let mut response = self.send(url, |client, url| fill(client.post(url))).await?;
        let head = (response.status(), std::mem::take(response.headers_mut()));
        let mut read = if self.is_too_long(&response) { self.limits.body } else { 0 };
        while read < self.limits.body
            && let Ok(Some(chunk)) = response.chunk().await
        {
            read += chunk.len();
        }
        Ok(head)
    }

    /// Whether an answer says itself that its body is too long.
    fn is_too_long(&self, response: &Response) -> bool {
        response.content_length().is_some_and(|length| length > self.limits.body as u64)
    }

    async fn send(
        &self,
        url: &str,
        request: impl FnOnce(&Client, Url) -> RequestBuilder,
    ) -> Result<Response, OutboundError> {
        // A literal address is not resolved, so this is where it is judged.
        let url = if let Some(admitted) = self.admitted.get(url) {
            admitted
        } else {
            let admitted = self.admit(url)?;
            self.admitted.insert(url.into(), admitted.clone());
            admitted
        };
        let request = request(self.client()?, url);
        // One deadline for all of it: the reading of the body counts too.
        request.timeout(self.limits.within).send().await.map_err(failed)
    }

    fn client(&self) -> Result<&Client, OutboundError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::builder()
            .no_proxy()
            .redirect(Redirects::none())
            .retry(retry::never())
            .referer(false)
            .user_agent(concat!("attache/", env!("CARGO_PKG_VERSION")))
            // Half of the time: where the first address of a name is dead, the second has a chance.
            .connect_timeout(self.limits.within / 2)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tls_certs_merge(self.authorities.iter().cloned())
            .dns_resolver(self.guard.clone())
            .build()
            .map_err(OutboundError::NoAuthorities)?;
        Ok(self.client.get_or_init(|| client))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// The certification authorities in a file.
fn read_authorities(path: &Path) -> Result<Vec<Certificate>, AuthoritiesError> {
    let path = path.to_owned();
    let pem = match fs::read(&path) {
        Ok(pem) => pem,
        Err(cause) => return Err(AuthoritiesError::Unreadable { path, cause }),
    };
    // Whether they are certificates shows only when they are to be trusted.
    let read = Certificate::from_pem_bundle(&pem).and_then(|authorities| {
        Client::builder().tls_certs_only(authorities.clone()).build()?;
        Ok(authorities)
    });
    match read {
        Ok(authorities) if authorities.is_empty() => Err(AuthoritiesError::Empty { path }),
        Ok(authorities) => Ok(authorities),
        Err(cause) => Err(AuthoritiesError::Malformed { path, cause }),
    }
}

/// What went wrong, without the URL, which may hold a secret.
fn failed(error: reqwest::Error) -> OutboundError {
    let mut causes = std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
    if let Some(refusal) = causes.find_map(|cause| cause.downcast_ref::<Refusal>()) {
        return OutboundError::Refused(*refusal);
    }
    match error.without_url() {
        error if error.is_timeout() => OutboundError::TimedOut,
        error if error.is_connect() => OutboundError::Unreachable(error),
        error => OutboundError::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::SocketAddr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::{
        names::{Bounds, Names},
        *,
    };

    fn loopback() -> OutboundPolicy {
        let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        OutboundPolicy { networks, allow_http: true, authorities: Vec::new() }
    }

    const LIMITS: Limits = Limits { within: Duration::from_secs(10), body: 1_000 };

    fn outbound(policy: OutboundPolicy) -> Outbound {
        Outbound::new(policy, LIMITS).unwrap()
    }

    #[test]
    fn an_address_is_https_without_credentials_and_not_a_private_one() {
        let admit = |policy: OutboundPolicy, url: &str| outbound(policy).admit(url).map(String::from);
        assert_eq!(
            admit(OutboundPolicy::default(), "https://shop.example/jwks"),
            Ok("https://shop.example/jwks".into())
        );
        for (url, refusal) in [
            ("shop.example", Refusal::NoUrl),
            ("https://", Refusal::NoUrl),
            ("https://[fe80::1%25eth0]/", Refusal::NoUrl),
            ("http://shop.example/", Refusal::NotEncrypted),
            ("ftp://shop.example/", Refusal::NotEncrypted),
            ("file:///etc/passwd", Refusal::NotEncrypted),
            ("https://me:secret@shop.example/", Refusal::Credentials),
            ("https://me@shop.example/", Refusal::Credentials),
            ("https://127.0.0.1/", Refusal::NotPublic),
            ("https://2130706433/", Refusal::NotPublic),
            ("https://0x7f.1/", Refusal::NotPublic),
            ("https://0177.0.0.1/", Refusal::NotPublic),
            ("https://127.0.0.1./", Refusal::NotPublic),
            ("https://%31%32%37.0.0.1/", Refusal::NotPublic),
            ("https://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", Refusal::NotPublic),
            ("https://[::1]/", Refusal::NotPublic),
            ("https://[::ffff:7f00:1]/", Refusal::NotPublic),
            ("https://[::ffff:169.254.169.254]/", Refusal::NotPublic),
        ] {
            assert_eq!(admit(OutboundPolicy::default(), url), Err(refusal), "{url}");
        }
        assert!(admit(loopback(), "http://127.0.0.1:1/").is_ok());
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
                // Until the other side closes it.
                let _ = connection.read(&mut head).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end() {
        let address = serve("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
        let answer = outbound(loopback()).get(&format!("http://{address}/")).await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_ref()), (StatusCode::OK, b"hi".as_slice()));
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_private_address_is_refused_before_anything_is_sent() {
        let address = serve("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let url = format!("http://localhost:{}/", address.port());
        let refused = outbound(OutboundPolicy { allow_http: true, ..OutboundPolicy::default() }).get(&url).await;
        assert!(matches!(refused, Err(OutboundError::Refused(Refusal::NotPublic))), "{refused:?}");
        assert!(outbound(loopback()).get(&url).await.is_ok());
    }

    /// Requests to names that stand for what this says of each look-up, the first being 0: of the addresses, only
    /// 127.0.0.1 may be connected to.
    fn naming(stands_for: impl Fn(usize) -> Vec<&'static str> + Send + Sync + 'static) -> Outbound {
        let networks = vec!["127.0.0.1/32".parse().unwrap()];
        let asked = AtomicUsize::new(0);
        let names = Names::new(Bounds::USUAL, move |_| {
            let addresses = stands_for(asked.fetch_add(1, Ordering::SeqCst));
            Ok(addresses.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect())
        });
        let guard = Guard::naming(&networks, names);
        let policy = OutboundPolicy { networks, allow_http: true, authorities: Vec::new() };
        Outbound { guard, ..outbound(policy) }
    }

    /// Listens where nobody may connect, and counts who does.
    async fn inside(port: u16) -> Arc<AtomicUsize> {
        let listener = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
        let connected = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connected);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        connected
    }

    const CLOSING: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";

    #[tokio::test]
    async fn a_name_that_comes_to_stand_for_a_private_address_is_refused_from_then_on() {
        let port = serve(CLOSING).await.port();
        let connected = inside(port).await;
        let outbound = naming(|before| vec![if before == 0 { "127.0.0.1" } else { "127.0.0.2" }]);
        let url = format!("http://rebinding.example:{port}/");
        assert_eq!(outbound.get(&url).await.unwrap().status, StatusCode::OK);
        for _ in 0..2 {
            let refused = outbound.get(&url).await;
            assert!(matches!(refused, Err(OutboundError::Refused(Refusal::NotPublic))), "{refused:?}");
        }
        assert_eq!(connected.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_name_that_stands_for_a_private_address_beside_a_public_one_is_refused() {
        let port = serve(CLOSING).await.port();
        let connected = inside(port).await;
        let url = format!("http://both.example:{port}/");
        for addresses in [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]] {
            let refused = naming(move |_| addresses.to_vec()).get(&url).await;
            assert!(matches!(refused, Err(OutboundError::Refused(Refusal::NotPublic))), "{refused:?}");
        }
        assert_eq!(connected.load(Ordering::SeqCst), 0);
        assert!(naming(|_| vec!["127.0.0.1"]).get(&url).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_without_an_address_cannot_be_connected_to() {
        let nothing = naming(|_| Vec::new()).get("http://nothing.example/").await.unwrap_err();
        assert!(matches!(nothing, OutboundError::Unreachable(_)), "{nothing:?}");
        let names = Names::new(Bounds::USUAL, |_| Err(io::Error::other("nobody has it")));
        let guard = Guard::naming(&[], names);
        let unknown = Outbound { guard, ..outbound(loopback()) }.get("http://nobody.example/").await.unwrap_err();
        assert_eq!(unknown.description(), "it cannot be connected to: nobody has it");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let address = serve(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        )
        .await;
        let answer = outbound(loopback()).get(&format!("http://{address}/")).await;
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
            let url = format!("http://{}/", serve(answer).await);
            let refused = outbound(loopback()).get(&url).await;
            assert!(matches!(refused, Err(OutboundError::TooLong)), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn the_deadline_is_one_for_the_whole_exchange() {
        let silent = serve("").await;
        let slow = serve("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal").await;
        for address in [silent, slow] {
            let limits = Limits { within: Duration::from_millis(50), ..LIMITS };
            let outbound = Outbound::new(loopback(), limits).unwrap();
            let refused = outbound.get(&format!("http://{address}/")).await;
            assert!(matches!(refused, Err(OutboundError::TimedOut)), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn a_posted_answer_is_its_head_however_long_its_body_is() {
        const ENDLESS: &str = "HTTP/1.1 503 X\r\nretry-after: 7\r\ncontent-length: 99999999999\r\n\r\n";
        let limits = Limits { within: Duration::from_millis(500), ..LIMITS };
        let outbound = Outbound::new(loopback(), limits).unwrap();
        let url = format!("http://{}/", serve(ENDLESS).await);
        let (status, headers) = outbound.post(&url, |request| request.body("event")).await.unwrap();
        assert_eq!((status.as_u16(), headers["retry-after"].as_bytes()), (503, b"7".as_slice()));
    }

    #[test]
    fn what_went_wrong_is_told_in_a_line() {
        assert_eq!(OutboundError::Refused(Refusal::NotPublic).description(), "its address is not public");
        assert_eq!(OutboundError::TimedOut.description(), "it did not answer in time");
    }
}
