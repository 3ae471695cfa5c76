//! The sink itself: https on this machine, with a certificate of the sandbox's own authority.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, anyhow, bail};
use attache_core::{Clock as _, Timestamp};
use attache_server::{SystemClock, issue_sink_certificate};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{Router, body::Bytes, extract::State};
use axum_server::tls_rustls::RustlsConfig;
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A sink that is open as long as the program runs.
pub(super) struct Sink {
    url: String,
    arrivals: UnboundedReceiver<Arrival>,
}

/// Something that was sent to the sink.
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    pub(super) answer: StatusCode,
    pub(super) what: Arrived,
}

/// What was sent.
pub(super) enum Arrived {
    Event(Box<CloudEvent>),
    /// No event, or not as it should come: what is wrong with it.
    Refused(String),
}

/// An event, as far as it is looked at.
#[derive(Deserialize)]
pub(super) struct CloudEvent {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) time: Option<Timestamp>,
    #[serde(default)]
    pub(super) data: Value,
    /// All of it, as JSON on one line.
    #[serde(skip)]
    pub(super) text: String,
}

impl Arrival {
    /// The subscription of which it tells that it has ended.
    pub(super) fn ended(&self) -> Option<&str> {
        match &self.what {
            Arrived::Event(event) if event.event_type.ends_with(".subscription-ended") => {
                event.data["subscriptionId"].as_str()
            }
            Arrived::Event(_) | Arrived::Refused(_) => None,
        }
    }
}

/// How the sink answers.
struct Behaviour {
    token: Option<SecretString>,
    /// Not empty.
    answers: Vec<StatusCode>,
    answered: AtomicUsize,
    arrivals: UnboundedSender<Arrival>,
}

impl Sink {
    /// Opens a sink that insists on a token, if there is one, and gives these answers in turn, the last one for
    /// ever.
    pub(super) async fn open(
        port: u16,
        data_dir: &Path,
        token: Option<SecretString>,
        answers: Vec<StatusCode>,
    ) -> anyhow::Result<Self> {
        let issued = match issue_sink_certificate(data_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!(
                    "{} is no data directory of a sandbox of this version; name it with --data-dir",
                    data_dir.display()
                )
            }
            issued => issued.with_context(|| format!("no certificate can be made from {}", data_dir.display()))?,
        };
        let certificate = RustlsConfig::from_pem(issued.certificate.into(), issued.key.into()).await?;
        let in_use =
            || format!("cannot listen on port {port}; choose another with --port, such as --port 0 for a free one");
        let socket = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).with_context(in_use)?;
        socket.set_nonblocking(true)?;
        let url = format!("https://localhost:{}/", socket.local_addr()?.port());
        let (sender, arrivals) = unbounded_channel();
        let behaviour = Behaviour { token, answers, answered: AtomicUsize::new(0), arrivals: sender };
        let router = Router::new().fallback(receive).with_state(Arc::new(behaviour));
        // Were it to fail, no arrival could come any more, which is how it is noticed.
        tokio::spawn(axum_server::from_tcp_rustls(socket, certificate)?.serve(router.into_make_service()));
        Ok(Self { url, arrivals })
    }

    /// Its address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits for what is sent next.
    pub(super) async fn next(&mut self) -> anyhow::Result<Arrival> {
        self.arrivals.recv().await.ok_or_else(|| anyhow!("the sink has closed"))
    }
}

async fn receive(
    State(behaviour): State<Arc<Behaviour>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let at = SystemClock.now();
    if method != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, "This is a sink of `attache listen`: events are posted to it.\n");
    }
    let (answer, what) = match behaviour.read(&headers, &body) {
        Ok(event) => (behaviour.next_answer(), Arrived::Event(Box::new(event))),
        Err((status, why)) => (status, Arrived::Refused(why)),
    };
    // Who listens no more need not be told.
    let _ = behaviour.arrivals.send(Arrival { at, answer, what });
    (answer, "")
}

impl Behaviour {
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<CloudEvent, (StatusCode, String)> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(token) = &self.token {
            let given = text(AUTHORIZATION).and_then(|value| value.split_once(' '));
            let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let why = match given {
                None => Some("no bearer token"),
                Some((_, given)) => verify_slices_are_equal(given.as_bytes(), token.expose_secret().as_bytes())
                    .is_err()
                    .then_some("another bearer token than that of --token"),
            };
            if let Some(why) = why {
                return Err((StatusCode::UNAUTHORIZED, why.to_owned()));
            }
        }
        let media_type = text(CONTENT_TYPE).unwrap_or_default();
        if media_type.split(';').next().map(str::trim) != Some("application/cloudevents+json") {
            let why = format!("the type {media_type:?} rather than application/cloudevents+json");
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let unread = |error: serde_json::Error| (StatusCode::BAD_REQUEST, format!("no CloudEvent: {error}"));
        let whole: Value = serde_json::from_slice(body).map_err(unread)?;
        let text = whole.to_string();
        Ok(CloudEvent { text, ..serde_json::from_value(whole).map_err(unread)? })
    }

    fn next_answer(&self) -> StatusCode {
        let before = self.answered.fetch_add(1, Ordering::Relaxed);
        self.answers.get(before).or(self.answers.last()).copied().unwrap_or(StatusCode::NO_CONTENT)
    }
}
