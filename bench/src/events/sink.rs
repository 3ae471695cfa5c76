//! The sinks: one listener for all addresses of this machine, so that there are as many origins as one likes. They
//! are in the thread that makes the changes, so one clock tells how long an event took.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener as BlockingListener},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::spawn_local,
};

use super::{now, time_of};

/// What the sinks have got.
#[derive(Default)]
pub(super) struct Got {
    /// How long each event took from the change to here, in microseconds.
    times: RefCell<Vec<u32>>,
    /// The events, each once; a number stands for its id.
    ids: RefCell<HashSet<u64>>,
    hasher: RandomState,
    /// How many requests there were.
    requests: Cell<usize>,
    /// How many connections are open, and were at most.
    open: Cell<usize>,
    pub(super) most_open: Cell<usize>,
    /// One body, for the loop to send.
    pub(super) body: RefCell<String>,
}

impl Got {
    pub(super) fn requests(&self) -> usize {
        self.requests.get()
    }

    /// How many different events there were.
    pub(super) fn events(&self) -> usize {
        self.ids.borrow().len()
    }

    /// The times since this was called last.
    pub(super) fn take_times(&self) -> Vec<u32> {
        self.times.take()
    }

    pub(super) fn forget(&self) {
        self.times.take();
        self.ids.take();
        self.requests.set(0);
        self.most_open.set(self.open.get());
    }

    fn take_in(&self, body: &str) -> Result<()> {
        self.requests.set(self.requests.get() + 1);
        if self.body.borrow().is_empty() {
            body.clone_into(&mut self.body.borrow_mut());
        }
        let text = |name: &str| {
            let (_, rest) = body.split_once(name)?;
            rest.split_once('"').map(|(text, _)| text)
        };
        let id = text("\"id\":\"").context("an event without id")?;
        if self.ids.borrow_mut().insert(self.hasher.hash_one(id)) {
            let time = time_of(text("\"time\":\"").context("an event without time")?)?;
            let took = now()?.saturating_sub(time);
            self.times.borrow_mut().push(took.as_micros().try_into().unwrap_or(u32::MAX));
        }
        Ok(())
    }
}

/// The sinks.
pub(super) struct Sinks {
    pub(super) got: Rc<Got>,
    port: u16,
    /// Where everything is accepted and nothing answered, and where nobody listens.
    hanging: u16,
    closed: u16,
}

impl Sinks {
    /// Opens them, in the set of tasks that it is called in.
    pub(super) async fn open() -> Result<Self> {
        let got = Rc::<Got>::default();
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let hanging = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        // Free a moment ago, and nobody's now.
        let closed = BlockingListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let sinks = Self {
            got: Rc::clone(&got),
            port: listener.local_addr()?.port(),
            hanging: hanging.local_addr()?.port(),
            closed,
        };
        spawn_local(async move {
            let mut held = Vec::new();
            while let Ok((connection, _)) = hanging.accept().await {
                held.push(connection);
            }
        });
        spawn_local(async move {
            while let Ok((connection, from)) = listener.accept().await {
                if from.ip().is_loopback() {
                    let got = Rc::clone(&got);
                    spawn_local(async move {
                        got.open.set(got.open.get() + 1);
                        got.most_open.set(got.most_open.get().max(got.open.get()));
                        if let Err(error) = serve(connection, &got).await {
                            eprintln!("a sink has failed: {error:#}");
                        }
                        got.open.set(got.open.get() - 1);
                    });
                }
            }
        });
        Ok(sinks)
    }

    /// The URL of one of them.
    pub(super) fn url(&self, index: u64) -> String {
        url(index, self.port)
    }

    /// The URL of one that is dead: every other hangs, the others refuse connections.
    pub(super) fn dead_url(&self, index: u64) -> String {
        url(index, if index.is_multiple_of(200) { self.hanging } else { self.closed })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// Each has an address of its own.
pub(super) fn url(index: u64, port: u16) -> String {
    format!("http://127.1.{}.{}:{port}/sink", index / 250, index % 250 + 1)
}

async fn serve(mut connection: TcpStream, got: &Got) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        let head = loop {
            if let Some(head) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break head + 4;
            }
            match tokio::time::timeout(Duration::from_mins(5), connection.read_buf(&mut received)).await {
                Ok(Ok(read)) if read > 0 => {}
                // Whoever is killed or idle breaks off.
                _ => return Ok(()),
            }
        };
        let length = crate::load::content_length(&received[..head])?;
        while received.len() < head + length {
            if connection.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        }
        got.take_in(std::str::from_utf8(&received[head..head + length])?)?;
        received.drain(..head + length);
        connection.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
    }
}
