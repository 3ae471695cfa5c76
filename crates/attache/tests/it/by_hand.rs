//! Requests written by hand, byte by byte, for what no HTTP library would send.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

use serde_json::Value;

use crate::harness::Attache;

/// The head of a request that can be bent in every way.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: &'static str,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// A request that names its host.
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let head =
            Self { method: method.to_owned(), target: target.to_owned(), version: "HTTP/1.1", fields: Vec::new() };
        head.with("host", "localhost")
    }

    /// With another field.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Without a field.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| other != name);
        self
    }

    /// With one value of a field in the place of all others.
    pub(crate) fn setting(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).with(name, value)
    }

    /// The bytes, with a body as it is, whatever the head says of it.
    pub(crate) fn followed_by(&self, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{} {} {}\r\n", self.method, self.target, self.version).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }

    /// The bytes, with a body whose length the head says.
    pub(crate) fn with_body(&self, body: &[u8]) -> Vec<u8> {
        self.clone().with("content-length", body.len().to_string()).followed_by(body)
    }
}

/// A body in chunks, with its end.
pub(crate) fn chunks(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts.iter().chain([&&b""[..]]) {
        bytes.extend(format!("{:x}\r\n", part.len()).into_bytes());
        bytes.extend(*part);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// An answer, read by hand.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// The value of a field; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Takes one answer from the beginning of what came; `None` if there is no whole one.
    fn take(bytes: &mut Vec<u8>, has_body: bool) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
        let fields: Vec<(String, String)> = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut reply = Self { status, fields, body: String::new() };
        let length: usize = if has_body { reply.header("content-length").parse().unwrap_or(0) } else { 0 };
        if bytes.len() < end + length {
            return None;
        }
        let rest = bytes.split_off(end + length);
        reply.body = String::from_utf8(bytes[end..].to_vec()).unwrap();
        *bytes = rest;
        Some(reply)
    }
}

/// A connection of a client that isn't put off when the server closes it.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    has_body: bool,
}

impl Connection {
    pub(crate) fn to(attache: &Attache) -> Self {
        Self { stream: attache.connect(), received: Vec::new(), has_body: true }
    }

    /// Sends, and tells whether the server still listened.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.has_body = !bytes.starts_with(b"HEAD ");
        self.stream.write_all(bytes).is_ok()
    }

    /// Says that nothing more will come.
    pub(crate) fn end(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next answer; `None` if the server closes without one.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(reply) = Reply::take(&mut self.received, self.has_body) {
                return Some(reply);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    assert!(self.received.is_empty(), "half an answer: {:?}", String::from_utf8_lossy(&self.received));
                    return None;
                }
                Ok(length) => self.received.extend(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// Whether the server closes without a further word.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.reply().is_none()
    }
}

/// Sends bytes over a connection of their own, and reads the answer.
pub(crate) fn exchange(attache: &Attache, bytes: &[u8]) -> Option<Reply> {
    let mut connection = Connection::to(attache);
    connection.send(bytes);
    connection.reply()
}

/// What a request was, for a message: its beginning, as far as it can be printed.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes.iter().take(600) {
        write!(text, "{}", byte.escape_ascii()).unwrap();
    }
    text
}
