//! One exchange with a sink.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use attache_core::{Sink, SubscriptionProblem};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::guard::{Guard, GuardedResolver, Refused};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a whole exchange may take, with the reading of the reply.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a reply is read, so that its connection can be used again. More than that closes it.
const REPLY_LIMIT: usize = 16 * 1024;

/// Carries letters to sinks.
#[async_trait]
pub(crate) trait Courier: Send + Sync {
    /// Whether a sink may be sent to, as far as its text tells.
    fn admit(&self, sink: &Sink) -> Result<(), SubscriptionProblem>;

    /// Sends a letter, once.
    async fn post(&self, letter: Letter) -> Result<Reply, PostError>;
}

/// What is sent.
pub(crate) struct Letter {
    pub(crate) sink: Sink,
    /// The bearer token that the sink asks for.
    pub(crate) token: Option<SecretString>,
    pub(crate) correlator: String,
    /// A `CloudEvent` in JSON.
    pub(crate) body: Vec<u8>,
}

/// What a sink answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
}

/// Why a sink answered nothing.
#[derive(Debug)]
pub(crate) enum PostError {
    /// It may not be sent to.
    Refused(Refused),
    /// It did not answer: what went wrong, for people.
    NoAnswer(String),
}

/// Carries letters by HTTP.
pub(crate) struct HttpCourier {
    client: Client,
    guard: Arc<Guard>,
    allows_http: bool,
}

impl HttpCourier {
    /// A courier that sends where the guard lets it.
    pub(crate) fn new(guard: Guard, allows_http: bool) -> Result<Self, reqwest::Error> {
        let guard = Arc::new(guard);
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(64)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("attache/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&guard))))
            .build()?;
        Ok(Self { client, guard, allows_http })
    }

    fn target(&self, sink: &Sink) -> Result<Url, Refused> {
        let url: Url = sink.as_str().parse().map_err(|_| Refused::NoUrl)?;
        if url.scheme() != "https" && !(self.allows_http && url.scheme() == "http") {
            return Err(Refused::NotEncrypted);
        }
        // Names are judged by the addresses that they stand for, when they are connected to.
        match url.host() {
            None => Err(Refused::NoUrl),
            Some(url::Host::Domain(_)) => Ok(url),
            Some(url::Host::Ipv4(address)) => self.guard.admit(address.into()).map(|()| url),
            Some(url::Host::Ipv6(address)) => self.guard.admit(address.into()).map(|()| url),
        }
    }
}

#[async_trait]
impl Courier for HttpCourier {
    fn admit(&self, sink: &Sink) -> Result<(), SubscriptionProblem> {
        self.target(sink).map(drop).map_err(|refused| SubscriptionProblem::SinkRefused { reason: refused.reason() })
    }

    async fn post(&self, letter: Letter) -> Result<Reply, PostError> {
        let url = self.target(&letter.sink).map_err(PostError::Refused)?;
        let mut request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/cloudevents+json")
            .header("x-correlator", letter.correlator)
            .body(letter.body);
        if let Some(token) = &letter.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let mut reply = request.send().await.map_err(|error| PostError::of(&error))?;
        let answer =
            Reply { status: reply.status().as_u16(), retry_after: retry_after(reply.status(), reply.headers()) };
        let mut read = 0;
        while read < REPLY_LIMIT {
            match reply.chunk().await {
                Ok(Some(chunk)) => read += chunk.len(),
                // It has said what it thinks of the event already.
                Ok(None) | Err(_) => break,
            }
        }
        Ok(answer)
    }
}

impl PostError {
    /// What went wrong, without the address: it is in the subscription.
    fn of(error: &reqwest::Error) -> Self {
        let causes = || std::iter::successors(Some(error as &dyn std::error::Error), |cause| cause.source());
        if let Some(refused) = causes().find_map(|cause| cause.downcast_ref::<Refused>()) {
            return Self::Refused(*refused);
        }
        if error.is_timeout() {
            return Self::NoAnswer("it did not answer in time".to_owned());
        }
        let cause = causes().last().map(ToString::to_string).unwrap_or_default();
        let what = if error.is_connect() { "it cannot be connected to" } else { "it broke off" };
        Self::NoAnswer(format!("{what}: {cause}"))
    }
}

/// What a sink that is busy asks for, in seconds (RFC 9110 section 10.2.3). A date is not read: it would be
/// held against a clock that may be another.
fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (!status.is_success()).then(|| Duration::from_secs(seconds))
}
