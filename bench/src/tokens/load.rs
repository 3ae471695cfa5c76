//! The loads: as fast as it goes over some connections, or at a given rate.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::task::{JoinSet, LocalSet};

use super::peer::{Peer, text_in};
use crate::load::{CONNECTIONS, Connection, Measured};

/// What is done again and again.
#[derive(Clone)]
pub(super) enum Work {
    /// A token of the application itself.
    ClientCredentials,
    /// A backchannel authentication from its beginning to its tokens.
    Backchannel,
    /// A poll for one of these, which nobody has answered yet.
    Poll(Rc<Vec<String>>),
}

/// For how long, and how the application authenticates.
#[derive(Clone)]
pub(super) enum Supply {
    /// By its secret, for a time.
    Secret(Duration),
    /// By these assertions, each once; a backchannel authentication takes two.
    Assertions(Rc<RefCell<Vec<String>>>),
}

impl Work {
    /// Does it once.
    async fn once(&self, peer: &Peer, connection: &mut Connection, turn: usize, supply: &Supply) -> Result<bool> {
        let Ok(assertion) = supply.next() else { return Ok(false) };
        match self {
            Self::ClientCredentials => {
                let answer = connection.send(&peer.client_credentials(assertion.as_deref())).await?;
                let is_token = answer.status == 200 && text_in(&answer.body, "access_token").is_some();
                ensure!(is_token, "no token: {} {}", answer.status, answer.body);
            }
            Self::Backchannel => {
                let id = begin(peer, connection, true, assertion.as_deref()).await?;
                let Ok(assertion) = supply.next() else { return Ok(false) };
                let answer = connection.send(&peer.poll(&id, assertion.as_deref())).await?;
                let are_tokens = answer.status == 200 && text_in(&answer.body, "id_token").is_some();
                ensure!(are_tokens, "no tokens: {} {}", answer.status, answer.body);
            }
            Self::Poll(ids) => poll(peer, connection, &ids[turn % ids.len()], assertion.as_deref()).await?,
        }
        Ok(true)
    }
}

/// There is no assertion left.
struct UsedUp;

impl Supply {
    /// The assertion for the next request, if it needs one.
    fn next(&self) -> Result<Option<String>, UsedUp> {
        match self {
            Self::Secret(_) => Ok(None),
            Self::Assertions(assertions) => assertions.borrow_mut().pop().map(Some).ok_or(UsedUp),
        }
    }

    fn is_over(&self, start: Instant) -> bool {
        match self {
            Self::Secret(time) => start.elapsed() >= *time,
            Self::Assertions(assertions) => assertions.borrow().is_empty(),
        }
    }
}

/// Begins a backchannel authentication, and returns its `auth_req_id`.
async fn begin(peer: &Peer, connection: &mut Connection, is_answered: bool, assertion: Option<&str>) -> Result<String> {
    let answer = connection.send(&peer.begin(is_answered, assertion)).await?;
    let id = text_in(&answer.body, "auth_req_id").filter(|_| answer.status == 200);
    Ok(id.with_context(|| format!("no auth_req_id: {} {}", answer.status, answer.body))?.to_owned())
}

/// Polls for what nobody has answered.
async fn poll(peer: &Peer, connection: &mut Connection, id: &str, assertion: Option<&str>) -> Result<()> {
    let answer = connection.send(&peer.poll(id, assertion)).await?;
    let is_pending = answer.status == 400 && text_in(&answer.body, "error") == Some("authorization_pending");
    ensure!(is_pending, "not pending: {} {}", answer.status, answer.body);
    Ok(())
}

/// Does a work as fast as the server answers it.
pub(super) async fn as_fast_as_it_goes(peer: &Rc<Peer>, work: &Work, supply: &Supply) -> Result<Measured> {
    let next = Rc::new(Cell::new(0));
    let start = Instant::now();
    let times = on_connections(peer, CONNECTIONS, |mut connection, _| {
        let (peer, work, supply, next) = (Rc::clone(peer), work.clone(), supply.clone(), Rc::clone(&next));
        async move {
            let mut times = Vec::new();
            while !supply.is_over(start) {
                let turn = next.replace(next.get() + 1);
                let asked = Instant::now();
                if work.once(&peer, &mut connection, turn, &supply).await? {
                    times.push(u32::try_from(asked.elapsed().as_micros())?);
                }
            }
            Ok(times)
        }
    })
    .await?;
    Measured::of(times, start.elapsed())
}

/// Begins so many backchannel authentications that nobody will answer, or one with each assertion.
pub(super) async fn begin_many(peer: &Rc<Peer>, count: usize, supply: &Supply) -> Result<Vec<String>> {
    let next = Rc::new(Cell::new(0));
    on_connections(peer, CONNECTIONS, |mut connection, _| {
        let (peer, supply, next) = (Rc::clone(peer), supply.clone(), Rc::clone(&next));
        async move {
            let mut ids = Vec::new();
            while next.replace(next.get() + 1) < count {
                let Ok(assertion) = supply.next() else { break };
                ids.push(begin(&peer, &mut connection, false, assertion.as_deref()).await?);
            }
            Ok(ids)
        }
    })
    .await
}

/// Polls at a rate, whether or not the server keeps up. The time of a poll begins when it is due: what it has
/// to wait because others are late is part of it.
pub(super) async fn polls_at(peer: &Rc<Peer>, ids: &Rc<Vec<String>>, rate: u32, time: Duration) -> Result<Measured> {
    const CONNECTIONS: usize = 64;
    let total = u32::try_from(u64::from(rate) * time.as_secs())?;
    // Late enough for all connections to be open.
    let start = tokio::time::Instant::now() + Duration::from_millis(200);
    let times = on_connections(peer, CONNECTIONS, |mut connection, index| {
        let (peer, ids) = (Rc::clone(peer), Rc::clone(ids));
        async move {
            let mut times = Vec::new();
            for turn in (u32::try_from(index)?..total).step_by(CONNECTIONS) {
                let due = start + Duration::from_secs(1) * turn / rate;
                tokio::time::sleep_until(due).await;
                poll(&peer, &mut connection, &ids[turn as usize % ids.len()], None).await?;
                times.push(u32::try_from(due.elapsed().as_micros())?);
            }
            Ok(times)
        }
    })
    .await?;
    Measured::of(times, start.elapsed())
}

/// Opens connections, does something on each at the same time, and gathers what comes of it.
async fn on_connections<T: 'static, Doing>(
    peer: &Peer,
    count: usize,
    doing: impl Fn(Connection, usize) -> Doing,
) -> Result<Vec<T>>
where
    Doing: Future<Output = Result<Vec<T>>> + 'static,
{
    let local = LocalSet::new();
    let mut tasks = JoinSet::new();
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(Connection::open(peer.server.address).await?);
    }
    for (index, connection) in connections.into_iter().enumerate() {
        tasks.spawn_local_on(doing(connection, index), &local);
    }
    let mut gathered = Vec::new();
    local
        .run_until(async {
            while let Some(task) = tasks.join_next().await {
                gathered.extend(task??);
            }
            Ok::<_, anyhow::Error>(())
        })
        .await?;
    Ok(gathered)
}
