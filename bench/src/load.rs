//! Makes the load: a number of connections that are kept open, each asking again as soon as it is
//! answered, all in one thread, so that it takes as little as possible of what it measures.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinSet, LocalSet},
};

/// What is asked: CAMARA's roaming query.
pub(crate) const PATH: &str = "/device-roaming-status/v1/retrieve";

/// How many connections ask at once.
pub(crate) const CONNECTIONS: usize = 32;

/// The lines that are asked about.
#[derive(Clone)]
pub(crate) enum Lines {
    /// This one, again and again.
    One(String),
    /// Those of [`number`], in an order that no cache likes.
    Many(u64),
}

/// The `index`th of the imported lines.
pub(crate) fn number(index: u64) -> String {
    format!("+3361{index:07}")
}

/// How long a load lasts.
#[derive(Clone, Copy)]
pub(crate) enum Length {
    Time(Duration),
    /// Once with each token.
    EachTokenOnce,
}

/// A load: what is asked, of whom, with which tokens in rotation.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) tokens: Rc<Vec<String>>,
    pub(crate) lines: Lines,
    pub(crate) length: Length,
}

/// What came of a load.
pub(crate) struct Measured {
    /// Answered requests a second.
    pub(crate) rate: f64,
    /// The time from a request to its answer, half and 99 of 100 of them at most, in microseconds.
    pub(crate) p50: u32,
    pub(crate) p99: u32,
    /// How many requests were answered.
    pub(crate) requests: usize,
}

impl Measured {
    /// What the times of the answers come to, in microseconds each.
    pub(crate) fn of(mut times: Vec<u32>, elapsed: Duration) -> Result<Self> {
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().context("nothing was answered");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rate = times.len() as f64 / elapsed.as_secs_f64();
        Ok(Self { rate, p50: at(50)?, p99: at(99)?, requests: times.len() })
    }
}

impl Load {
    /// Runs it. Fails when a single answer isn't a 200.
    pub(crate) async fn run(&self) -> Result<Measured> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(self.address).await?);
        }
        let next = Rc::new(Cell::new(0_usize));
        let start = Instant::now();
        let local = LocalSet::new();
        let mut tasks = JoinSet::new();
        for connection in connections {
            tasks.spawn_local_on(self.clone().ask(connection, Rc::clone(&next), start), &local);
        }
        let mut times: Vec<u32> = Vec::new();
        local
            .run_until(async {
                while let Some(task) = tasks.join_next().await {
                    times.extend(task??);
                }
                Ok::<_, anyhow::Error>(())
            })
            .await?;
        Measured::of(times, start.elapsed())
    }

    /// What one connection does. Returns the microseconds of each request.
    async fn ask(self, mut connection: Connection, next: Rc<Cell<usize>>, start: Instant) -> Result<Vec<u32>> {
        let mut times = Vec::new();
        loop {
            let turn = next.replace(next.get() + 1);
            let is_over = match self.length {
                Length::Time(time) => start.elapsed() >= time,
                Length::EachTokenOnce => turn >= self.tokens.len(),
            };
            if is_over {
                return Ok(times);
            }
            let token = &self.tokens[turn % self.tokens.len()];
            let number = match &self.lines {
                Lines::One(number) => number.clone(),
                // Knuth's multiplier scatters consecutive turns over the lines.
                Lines::Many(count) => number((turn as u64).wrapping_mul(2_654_435_761) % count),
            };
            let asked = Instant::now();
            let answer = connection.query(token, &number).await?;
            times.push(u32::try_from(asked.elapsed().as_micros())?);
            ensure!(answer.status == 200, "a query was answered with {}: {}", answer.status, answer.body);
        }
    }
}

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    host: String,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// An answer; its body is only filled where it isn't a 200 of a query.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: address.to_string(), request: Vec::new(), received: Vec::new() })
    }

    /// Asks about a line. The body of a 200 is left out.
    pub(crate) async fn query(&mut self, token: &str, number: &str) -> Result<Answer> {
        let body = format!(r#"{{"device":{{"phoneNumber":"{number}"}}}}"#);
        self.request.clear();
        for part in ["POST ", PATH, " HTTP/1.1\r\nhost: ", &self.host, "\r\nauthorization: Bearer ", token] {
            self.request.extend_from_slice(part.as_bytes());
        }
        let rest = format!("\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.request.extend_from_slice(rest.as_bytes());
        let (status, body) = self.exchange().await?;
        let body =
            if status == 200 { String::new() } else { String::from_utf8_lossy(&self.received[body..]).into_owned() };
        Ok(Answer { status, body })
    }

    /// Sends a form, or fetches where there is none, and returns the whole answer.
    pub(crate) async fn call(&mut self, path: &str, credentials: &str, form: Option<&str>) -> Result<Answer> {
        let method = if form.is_some() { "POST" } else { "GET" };
        let form = form.unwrap_or_default();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {credentials}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.host,
            form.len()
        );
        self.send(&text).await
    }

    /// Sends a request that is written out, and returns the whole answer.
    pub(crate) async fn send(&mut self, request: &str) -> Result<Answer> {
        self.request.clear();
        self.request.extend_from_slice(request.as_bytes());
        let (status, body) = self.exchange().await?;
        Ok(Answer { status, body: String::from_utf8_lossy(&self.received[body..]).into_owned() })
    }

    /// Sends the request, receives the answer, and tells its status and where its body begins.
    async fn exchange(&mut self) -> Result<(u16, usize)> {
        self.stream.write_all(&self.request).await?;
        self.received.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the server has closed the connection");
            let Some(head) = self.received.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let body = head + 4;
            let length = content_length(&self.received[..head])?;
            while self.received.len() < body + length {
                ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the server has closed the connection");
            }
            let status = self.received.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
            return Ok((status.context("no status")?.parse()?, body));
        }
    }
}

/// Finds the length of a body in its head.
pub(crate) fn content_length(head: &[u8]) -> Result<usize> {
    const NAME: &[u8] = b"content-length:";
    for line in head.split(|byte| *byte == b'\n') {
        if let Some((name, value)) = line.split_at_checked(NAME.len())
            && name.eq_ignore_ascii_case(NAME)
        {
            return Ok(std::str::from_utf8(value)?.trim().parse()?);
        }
    }
    bail!("an answer without a length: {}", String::from_utf8_lossy(head))
}
