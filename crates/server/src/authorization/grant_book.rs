//! What was granted and waits to be fetched. The book in memory is what is asked; the store has it
//! before a code or an `auth_req_id` is handed out, and no longer before a token is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use attache_core::{ClientId, Grant, GrantKey, GrantKind, Grants, LineId, StoreError, Timestamp};

/// How long an expired grant is remembered, to be told from one that never was.
const REMEMBERED_AFTER_EXPIRY: Duration = Duration::from_mins(10);

/// By how much the interval grows with each poll that is too fast (CIBA Core section 11).
const SLOWER_BY: Duration = Duration::from_secs(5);

struct Entry {
    grant: Grant,
    last_poll: Option<Timestamp>,
    interval: Duration,
}

/// The grants of all publishers.
pub(crate) struct GrantBook {
    store: Arc<dyn Grants>,
    entries: Mutex<HashMap<GrantKey, Entry>>,
    interval: Duration,
}

/// What a poll finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Poll {
    /// The grant is there, about this line; it can be taken once the subscriber has answered.
    Ready(LineId),
    /// The client polls faster than the interval, which has grown now.
    TooFast,
    /// It has expired.
    Expired,
    /// There is none that this client could fetch.
    Unknown,
}

impl GrantBook {
    /// Reads them from their store.
    pub(crate) fn load(store: Arc<dyn Grants>, interval: Duration) -> Result<Self, StoreError> {
        let entry = |grant| Entry { grant, last_poll: None, interval };
        let entries = store.load()?.into_iter().map(|(key, grant)| (key, entry(grant))).collect();
        Ok(Self { store, entries: Mutex::new(entries), interval })
    }

    /// Writes a grant down.
    pub(super) async fn put(&self, key: GrantKey, grant: Grant) -> Result<(), StoreError> {
        self.store.put(key, grant.clone()).await?;
        let entry = Entry { grant, last_poll: None, interval: self.interval };
        self.lock().insert(key, entry);
        Ok(())
    }

    /// Looks for the grant of an `auth_req_id`, of which each look is a poll.
    pub(super) fn poll(&self, key: &GrantKey, client: ClientId, now: Timestamp) -> Poll {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(key) else { return Poll::Unknown };
        if entry.grant.client != client || entry.grant.kind != GrantKind::Backchannel {
            return Poll::Unknown;
        }
        if entry.grant.expires_at <= now {
            return Poll::Expired;
        }
        let is_too_fast = entry.last_poll.is_some_and(|last| now < last.plus(entry.interval));
        entry.last_poll = Some(now);
        if is_too_fast {
            entry.interval += SLOWER_BY;
            return Poll::TooFast;
        }
        Poll::Ready(entry.grant.line)
    }

    /// Takes a grant out, once: of two who ask at the same time, one gets it. `accept` sees it first
    /// and may leave it where it is.
    pub(super) async fn take(
        &self,
        key: GrantKey,
        accept: impl Fn(&Grant) -> bool + Send,
    ) -> Result<Option<Grant>, StoreError> {
        let grant = {
            let mut entries = self.lock();
            if !entries.get(&key).is_some_and(|entry| accept(&entry.grant)) {
                return Ok(None);
            }
            entries.remove(&key).map(|entry| entry.grant)
        };
        self.store.remove(vec![key]).await?;
        Ok(grant)
    }

    /// Those about a line.
    pub(crate) fn about(&self, line: LineId) -> Vec<Grant> {
        self.lock().values().map(|entry| &entry.grant).filter(|grant| grant.line == line).cloned().collect()
    }

    /// Forgets those about a line, which the store has forgotten.
    pub(crate) fn forget(&self, line: LineId) {
        self.lock().retain(|_, entry| entry.grant.line != line);
    }

    /// Forgets what has long expired.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut forgotten = Vec::new();
        self.lock().retain(|key, entry| {
            let keep = now < entry.grant.expires_at.plus(REMEMBERED_AFTER_EXPIRY);
            if !keep {
                forgotten.push(*key);
            }
            keep
        });
        if forgotten.is_empty() { Ok(()) } else { self.store.remove(forgotten).await }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<GrantKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
