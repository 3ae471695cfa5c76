//! A sink of events: a server of a few lines that remembers what it was sent and answers as it is told.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::harness::eventually;

/// What a sink was sent.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Its head, in small letters.
    pub(crate) head: String,
    /// The `CloudEvent`.
    pub(crate) body: Value,
    /// The head and the body, as they came.
    pub(crate) raw: (String, String),
    /// What was answered.
    pub(crate) status: u16,
}

impl Event {
    /// The last part of its type.
    pub(crate) fn name(&self) -> &str {
        self.body["type"].as_str().unwrap().rsplit('.').next().unwrap()
    }

    /// A header, as it came.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.raw
            .0
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(crate) fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }
}

/// What an answer has beside its status: further header lines.
pub(crate) type Answer = (u16, &'static str);
type Behaviour = Arc<dyn Fn(&Value, usize) -> Answer + Send + Sync>;

/// A sink, listening on this machine as long as the test runs.
pub(crate) struct Sink {
    url: String,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Sink {
    /// Of a sink that closes the connection rather than answer.
    pub(crate) const BREAKS_OFF: Answer = (0, "");

    /// A sink that takes everything.
    pub(crate) fn open() -> Self {
        Self::answering(|_, _| (204, ""))
    }

    /// A sink that answers as this function says, of the event and of how many came before.
    pub(crate) fn answering(behaviour: impl Fn(&Value, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::listening("127.0.0.1:0", Arc::new(behaviour), None)
    }

    /// A sink that takes everything, on another address of this machine.
    pub(crate) fn open_on(address: &str) -> Self {
        Self::listening(address, Arc::new(|_, _| (204, "")), None)
    }

    /// A sink that takes everything that comes by TLS.
    pub(crate) fn with_tls(tls: Arc<ServerConfig>) -> Self {
        Self::listening("127.0.0.1:0", Arc::new(|_, _| (204, "")), Some(tls))
    }

    fn listening(address: &str, behaviour: Behaviour, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/sink", listener.local_addr().unwrap());
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let kept = Arc::clone(&events);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (events, behaviour) = (Arc::clone(&kept), Arc::clone(&behaviour));
                let tls = tls.clone().map(|tls| ServerConnection::new(tls).unwrap());
                thread::spawn(move || match tls {
                    None => serve(connection, &events, &behaviour),
                    Some(tls) => serve(StreamOwned::new(tls, connection), &events, &behaviour),
                });
            }
        });
        Self { url, events }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// All that has come.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// The names of all events, once so many have come.
    pub(crate) fn names(&self, count: usize) -> Vec<String> {
        self.received(count).iter().map(|event| event.name().to_owned()).collect()
    }

    /// All events, once so many have come.
    pub(crate) fn received(&self, count: usize) -> Vec<Event> {
        eventually(&format!("{count} events arrive"), || {
            let events = self.events();
            (events.len() >= count).then_some(events)
        })
    }
}

/// Answers what comes over one connection.
fn serve(connection: impl Read + Write, events: &Mutex<Vec<Event>>, behaviour: &Behaviour) {
    let mut reader = BufReader::new(connection);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let sent = head.clone();
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.trim().parse().unwrap()];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let raw = (sent, String::from_utf8(body).unwrap());
        let body: Value = serde_json::from_str(&raw.1).unwrap();
        let before = events.lock().unwrap().len();
        let (status, headers) = behaviour(&body, before);
        events.lock().unwrap().push(Event { head, body, raw, status });
        if status == Sink::BREAKS_OFF.0 {
            return;
        }
        let answer = format!("HTTP/1.1 {status} X\r\n{headers}content-length: 0\r\n\r\n");
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
