//! The runner's own sink: a small HTTP server that remembers which events came, by the path of their inbox.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::Notify, time::timeout};
use url::Url;

use crate::exchange::{Exchange, Request, Response, now};

/// Where a sink listens, and what servers call it.
#[derive(Clone, Debug)]
pub(crate) struct SinkSettings {
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Its address as servers reach it; without one, the one that it listens on.
    pub(crate) url: Option<Url>,
    /// Its certificate and key, PEM; without them it speaks plain HTTP.
    pub(crate) certificate: Option<(Vec<u8>, Vec<u8>)>,
}

/// A sink that listens as long as it lives.
pub(crate) struct Sink {
    url: Url,
    events: Arc<Events>,
    handle: Handle<SocketAddr>,
}

#[derive(Default)]
struct Events {
    inboxes: Mutex<HashMap<String, Kept>>,
    arrived: Notify,
}

/// What came to one inbox.
#[derive(Default)]
struct Kept {
    /// How many events are still to be refused.
    refusals: usize,
    received: Vec<Received>,
}

/// An event as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) at: Timestamp,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: String,
    pub(crate) json: Value,
    pub(crate) status: u16,
}

/// Where the events of one subscription arrive.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    pub(crate) url: String,
    name: String,
}

impl Sink {
    /// Listens.
    pub(crate) async fn open(settings: &SinkSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen)?;
        listener.set_nonblocking(true)?;
        let scheme = if settings.certificate.is_some() { "https" } else { "http" };
        let here = format!("{scheme}://{}/", listener.local_addr()?);
        let url = settings.url.clone().map_or_else(|| here.parse().map_err(io::Error::other), Ok)?;
        let events = Arc::<Events>::default();
        let service = Router::new().fallback(receive).with_state(Arc::clone(&events)).into_make_service();
        let handle = Handle::new();
        match &settings.certificate {
            None => {
                let server = axum_server::from_tcp(listener)?.handle(handle.clone());
                tokio::spawn(server.serve(service));
            }
            Some((certificate, key)) => {
                let config = RustlsConfig::from_pem(certificate.clone(), key.clone()).await?;
                let server = axum_server::from_tcp_rustls(listener, config)?.handle(handle.clone());
                tokio::spawn(server.serve(service));
            }
        }
        Ok(Self { url, events, handle })
    }

    /// Whether it speaks plain HTTP.
    pub(crate) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// An inbox that refuses so many events, with 503, before it takes them.
    pub(crate) fn inbox(&self, name: String, refusals: usize) -> Inbox {
        let url = format!("{}/{name}", self.url.as_str().trim_end_matches('/'));
        self.events.lock().insert(name.clone(), Kept { refusals, ..Kept::default() });
        Inbox { url, name }
    }

    /// All that came to an inbox.
    pub(crate) fn received(&self, inbox: &Inbox) -> Vec<Received> {
        self.events.lock().get(&inbox.name).map(|kept| kept.received.clone()).unwrap_or_default()
    }

    /// Waits until something is found among what came to an inbox.
    pub(crate) async fn wait<T>(
        &self,
        inbox: &Inbox,
        patience: Duration,
        find: impl Fn(&[Received]) -> Option<T>,
    ) -> Option<T> {
        let search = async {
            loop {
                let arrived = self.events.arrived.notified();
                tokio::pin!(arrived);
                // Whatever arrives from now on wakes this up.
                arrived.as_mut().enable();
                if let Some(found) = find(&self.received(inbox)) {
                    return found;
                }
                arrived.await;
            }
        };
        timeout(patience, search).await.ok()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl Events {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn receive(
    State(events): State<Arc<Events>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let name = uri.path().rsplit('/').next().unwrap_or_default();
    let status = {
        let mut inboxes = events.lock();
        let Some(kept) = inboxes.get_mut(name) else { return StatusCode::NOT_FOUND };
        let status = if kept.refusals > 0 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT };
        kept.refusals = kept.refusals.saturating_sub(1);
        let body = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_str(&body).unwrap_or(Value::Null);
        let path = uri.path().to_owned();
        kept.received.push(Received { at: now(), method, path, headers, body, json, status: status.as_u16() });
        status
    };
    events.arrived.notify_waiters();
    status
}

impl Received {
    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The whole name of its type.
    pub(crate) fn event_type(&self) -> &str {
        self.json["type"].as_str().unwrap_or_default()
    }

    /// What names it.
    pub(crate) fn id(&self) -> &str {
        self.json["id"].as_str().unwrap_or_default()
    }

    /// When it happened.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.json["time"].as_str()?.parse().ok()
    }

    /// As reports show it; its token is masked.
    pub(crate) fn exchange(&self) -> Exchange {
        let shown = |name: &str, value: &str| match name {
            "authorization" => format!("{} ***", value.split(' ').next().unwrap_or_default()),
            _ => value.to_owned(),
        };
        let headers = self.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), shown(name.as_str(), &value))
        });
        Exchange {
            request: Request {
                method: self.method.to_string(),
                url: self.path.clone(),
                headers: headers.collect(),
                body: Some(self.body.clone()),
            },
            response: Some(Response {
                status: self.status,
                headers: Vec::new(),
                body: String::new(),
                json: None,
                at: self.at,
            }),
            error: None,
            correlator: None,
            is_of_operation: true,
        }
    }
}
