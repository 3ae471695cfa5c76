//! An Attache whose lines are subscribed to, and the changes that it is told: as CSV by the admin API, many lines a
//! request, which is how a network reports.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fs,
    rc::Rc,
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::Instant,
};

use super::{now, sink::Sinks, time_text};
use crate::{
    load::{Connection, number},
    server::{Attache, Server, token_for},
};

const API: &str = "device-roaming-status-subscriptions";
const TYPE: &str = "org.camaraproject.device-roaming-status-subscriptions.v0.roaming-status";
const PATH: &str = "/device-roaming-status-subscriptions/v0.8/subscriptions";
/// How often changes are offered.
const TICK: Duration = Duration::from_millis(20);
/// How many requests with changes are under way at a time.
const REPORTERS: usize = 3;

/// A server whose every line is subscribed to.
pub(super) struct Subscribed {
    pub(super) server: Server,
    operator: String,
    lines: u64,
    /// How many changes were ever made: each line in its turn goes abroad, and home the next time.
    made: Cell<u64>,
}

/// The settings that let it send to this machine.
pub(super) const ARGUMENTS: [&str; 4] = ["--no-request-log", "--allow-http-sinks", "--sink-network", "127.0.0.0/8"];

impl Subscribed {
    /// Imports lines and subscribes to each, at the sink that `url` names for it.
    pub(super) async fn new(attache: &Attache, lines: u64, url: impl Fn(u64) -> String) -> Result<Self> {
        let subscribed = Self::on(attache.start()?, attache, lines)?;
        subscribed.report(&home(0..lines, now()?)).await?;
        let token = token_for(&subscribed.server, &format!("{API}:{TYPE}:create")).await?;
        let next = Rc::new(Cell::new(0));
        let urls: Rc<Vec<String>> = Rc::new((0..lines).map(url).collect());
        let mut tasks = JoinSet::new();
        for _ in 0..32 {
            let mut connection = Connection::open(subscribed.server.address).await?;
            let (next, urls, token) = (Rc::clone(&next), Rc::clone(&urls), token.clone());
            tasks.spawn_local(async move {
                loop {
                    let index = next.replace(next.get() + 1);
                    if index >= lines {
                        return Ok::<_, anyhow::Error>(());
                    }
                    subscribe(&mut connection, &token, index, &urls[usize::try_from(index)?]).await?;
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task??;
        }
        Ok(subscribed)
    }

    /// One that has been subscribed to.
    pub(super) fn on(server: Server, attache: &Attache, lines: u64) -> Result<Self> {
        let operator = fs::read_to_string(attache.data().join("admin-token"))?.trim().to_owned();
        Ok(Self { server, operator, lines, made: Cell::new(0) })
    }

    /// The next so many changes, as CSV, that happen now.
    fn changes(&self, count: u64, at: Duration) -> String {
        let mut text = String::from(HEAD);
        let time = time_text(at);
        for _ in 0..count {
            let made = self.made.replace(self.made.get() + 1);
            let (line, is_abroad) = (made % self.lines, (made / self.lines).is_multiple_of(2));
            row(&mut text, line, if is_abroad { "26201" } else { "20801" }, &time);
        }
        text
    }

    /// Reports lines, and returns when it is acknowledged.
    pub(super) async fn report(&self, csv: &str) -> Result<()> {
        import(&mut TcpStream::connect(self.server.address).await?, &self.operator, csv).await
    }

    /// Offers changes at a rate for some time, whether or not they are taken as fast. A change is dated by when it
    /// is due to be offered. Returns how many it were, when all are acknowledged.
    pub(super) async fn offer(self: &Rc<Self>, rate: u64, time: Duration) -> Result<u64> {
        let waiting = Rc::new(RefCell::new(VecDeque::new()));
        let is_over = Rc::new(Cell::new(false));
        let mut reporters = JoinSet::new();
        for _ in 0..REPORTERS {
            let (me, waiting, is_over) = (Rc::clone(self), Rc::clone(&waiting), Rc::clone(&is_over));
            let mut connection = TcpStream::connect(self.server.address).await?;
            reporters.spawn_local(async move {
                loop {
                    let next: Option<String> = waiting.borrow_mut().pop_front();
                    match next {
                        Some(csv) => import(&mut connection, &me.operator, &csv).await?,
                        None if is_over.get() => return Ok::<_, anyhow::Error>(()),
                        None => tokio::time::sleep(Duration::from_millis(1)).await,
                    }
                }
            });
        }
        let (start, began) = (Instant::now(), now()?);
        let mut offered = 0;
        while start.elapsed() < time {
            let due = u64::try_from(start.elapsed().as_nanos())? * rate / 1_000_000_000;
            let count = due.saturating_sub(offered).min(self.lines / 4);
            if count > 0 {
                let at = began + Duration::from_nanos(offered * 1_000_000_000 / rate);
                waiting.borrow_mut().push_back(self.changes(count, at));
                offered += count;
            }
            tokio::time::sleep(TICK).await;
        }
        is_over.set(true);
        while let Some(reporter) = reporters.join_next().await {
            reporter??;
        }
        Ok(offered)
    }
}

const HEAD: &str = "phone_number,home_plmn,serving_plmn,reachable,last_seen\n";

fn row(text: &mut String, line: u64, serving: &str, time: &str) {
    for part in [&number(line), ",20801,", serving, ",DATA|SMS,", time, "\n"] {
        text.push_str(part);
    }
}

/// Lines that are at home.
pub(super) fn home(lines: std::ops::Range<u64>, at: Duration) -> String {
    let (mut text, time) = (String::from(HEAD), time_text(at));
    lines.for_each(|line| row(&mut text, line, "20801", &time));
    text
}

/// Makes a subscription to a line.
async fn subscribe(connection: &mut Connection, token: &str, line: u64, sink: &str) -> Result<()> {
    let body = json!({
        "protocol": "HTTP", "sink": sink, "types": [TYPE],
        "config": { "subscriptionDetail": { "device": { "phoneNumber": number(line) } } },
    })
    .to_string();
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = connection.send(&request).await?;
    ensure!(answer.status == 201, "no subscription: {} {}", answer.status, answer.body);
    Ok(())
}

/// Imports a CSV file, and waits for its end.
async fn import(connection: &mut TcpStream, operator: &str, csv: &str) -> Result<()> {
    let head = format!(
        "POST /admin/v1/lines/import HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {operator}\r\n\
         content-type: text/csv\r\ncontent-length: {}\r\n\r\n",
        csv.len()
    );
    connection.write_all(&[head.as_bytes(), csv.as_bytes()].concat()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"0\r\n\r\n") {
        ensure!(connection.read_buf(&mut answer).await? > 0, "the server has closed the connection");
        let is_refused = answer.starts_with(b"HTTP/1.1 ") && !answer.starts_with(b"HTTP/1.1 200");
        ensure!(!is_refused, "an import was refused: {}", String::from_utf8_lossy(&answer));
    }
    let answer = String::from_utf8(answer)?;
    ensure!(answer.contains("\"imported\""), "an import failed: {answer}");
    Ok(())
}

/// Waits until the sinks have got so many events, or nothing more has come for as long as this.
pub(super) async fn until(sinks: &Sinks, events: usize, patience: Duration) -> bool {
    let (mut last, mut since) = (sinks.got.events(), Instant::now());
    while sinks.got.events() < events {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if sinks.got.events() > last {
            (last, since) = (sinks.got.events(), Instant::now());
        } else if since.elapsed() > patience {
            return false;
        }
    }
    true
}
