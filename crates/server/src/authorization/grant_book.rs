//! What was granted and waits to be fetched. The book in memory is what is asked; the store has it
//! before a code or an `auth_req_id` is handed out, and no longer before a token is.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use attache_core::{
    Backchannel, ClientId, Grant, GrantKey, GrantKind, Grants, LineId, Purpose, RequestId, Scope, StoreError, Timestamp,
};

use crate::consent::{Answer, ConsentBook};

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
    entries: Mutex<Entries>,
    /// Codes that were fetched with.
    spent: Mutex<HashMap<GrantKey, Spent>>,
    interval: Duration,
    token_lifetime: Duration,
}

/// A code that was fetched with.
#[derive(Clone, Copy)]
pub(super) struct Spent {
    /// Until when that is remembered: as long as the token from it lives.
    until: Timestamp,
    /// About whom; unknown after a restart, and once the line is gone.
    pub(super) line: Option<LineId>,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<GrantKey, Entry>,
    /// The backchannel requests, the oldest first.
    by_request: BTreeMap<RequestId, GrantKey>,
}

impl Entries {
    fn insert(&mut self, key: GrantKey, entry: Entry) {
        if let GrantKind::Backchannel(request) = &entry.grant.kind {
            self.by_request.insert(request.id, key);
        }
        self.by_key.insert(key, entry);
    }

    fn remove(&mut self, key: &GrantKey) -> Option<Grant> {
        let grant = self.by_key.remove(key)?.grant;
        if let GrantKind::Backchannel(request) = &grant.kind {
            self.by_request.remove(&request.id);
        }
        Some(grant)
    }

    /// Removes what is not kept, and returns by which keys.
    fn retain(&mut self, mut keep: impl FnMut(&Grant) -> bool) -> Vec<GrantKey> {
        let gone: Vec<GrantKey> =
            self.by_key.iter().filter(|(_, entry)| !keep(&entry.grant)).map(|(key, _)| *key).collect();
        for key in &gone {
            self.remove(key);
        }
        gone
    }
}

/// A backchannel request whose subject has not answered yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PendingRequest {
    pub(crate) id: RequestId,
    pub(crate) client: ClientId,
    pub(crate) line: LineId,
    pub(crate) purpose: Purpose,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) asked_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl PendingRequest {
    /// A grant, if it is a request that waits.
    fn of(grant: &Grant, consents: &ConsentBook, now: Timestamp) -> Option<Self> {
        let GrantKind::Backchannel(Backchannel { id, asked_at }) = grant.kind else { return None };
        let Grant { client, line, purpose, scopes, expires_at, .. } = grant;
        let is_open = || consents.answer(*client, *line, purpose, scopes, asked_at) == Answer::None;
        (*expires_at > now && is_open()).then(|| Self {
            id,
            client: *client,
            line: *line,
            purpose: purpose.clone(),
            scopes: scopes.clone(),
            asked_at,
            expires_at: *expires_at,
        })
    }
}

/// What a poll finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Poll {
    /// The subject has said yes: the grant can be taken.
    Ready,
    /// The subject has not answered yet.
    Pending,
    /// The same, and the client polls faster than the interval, which has grown now.
    TooFast,
    /// The subject has said no.
    Denied,
    /// It has expired.
    Expired,
    /// There is none that this client could fetch.
    Unknown,
}

impl GrantBook {
    /// Reads them from their store.
    pub(crate) fn load(
        store: Arc<dyn Grants>,
        interval: Duration,
        token_lifetime: Duration,
    ) -> Result<Self, StoreError> {
        let spent = store.spent()?.into_iter().map(|(key, until)| (key, Spent { until, line: None })).collect();
        let entry = |grant| Entry { grant, last_poll: None, interval };
        let mut entries = Entries::default();
        for (key, grant) in store.load()? {
            entries.insert(key, entry(grant));
        }
        Ok(Self { store, entries: Mutex::new(entries), spent: Mutex::new(spent), interval, token_lifetime })
    }

    /// Writes a grant down.
    pub(super) async fn put(&self, key: GrantKey, grant: Grant) -> Result<(), StoreError> {
        self.store.put(key, grant.clone()).await?;
        let entry = Entry { grant, last_poll: None, interval: self.interval };
        self.lock().insert(key, entry);
        Ok(())
    }

    /// Looks for the grant of an `auth_req_id`, of which each look is a poll.
    pub(super) fn poll(&self, key: &GrantKey, client: ClientId, consents: &ConsentBook, now: Timestamp) -> Poll {
        let mut entries = self.lock();
        let Some(entry) = entries.by_key.get_mut(key) else { return Poll::Unknown };
        let Grant { line, scopes, purpose, .. } = &entry.grant;
        let asked_at = match &entry.grant.kind {
            GrantKind::Backchannel(backchannel) if entry.grant.client == client => backchannel.asked_at,
            GrantKind::Backchannel(_) | GrantKind::AuthorizationCode(_) => return Poll::Unknown,
        };
        if entry.grant.expires_at <= now {
            return Poll::Expired;
        }
        match consents.answer(client, *line, purpose, scopes, asked_at) {
            Answer::Yes => return Poll::Ready,
            Answer::No => return Poll::Denied,
            Answer::None => {}
        }
        let is_too_fast = entry.last_poll.is_some_and(|last| now < last.plus(entry.interval));
        entry.last_poll = Some(now);
        if is_too_fast {
            entry.interval += SLOWER_BY;
            return Poll::TooFast;
        }
        Poll::Pending
    }

    /// Takes a grant out, once: of two who ask at the same time, one gets it. `accept` sees it first
    /// and may leave it where it is.
    pub(super) async fn take(
        &self,
        key: GrantKey,
        accept: impl Fn(&Grant) -> bool + Send,
    ) -> Result<Option<Grant>, StoreError> {
        let mut spent_until = None;
        let grant = {
            let mut entries = self.lock();
            if !entries.by_key.get(&key).is_some_and(|entry| accept(&entry.grant)) {
                return Ok(None);
            }
            let grant = entries.remove(&key);
            if let Some(Grant { kind: GrantKind::AuthorizationCode(_), line, expires_at, .. }) = &grant {
                let until = expires_at.plus(self.token_lifetime);
                spent_until = Some(until);
                self.lock_spent().insert(key, Spent { until, line: Some(*line) });
            }
            grant
        };
        match spent_until {
            Some(until) => self.store.spend(key, until).await?,
            None => self.store.remove(vec![key]).await?,
        }
        Ok(grant)
    }

    /// A code that was fetched with before: whoever presents it has stolen it, or was stolen from (RFC 6749
    /// section 4.1.2).
    pub(super) fn spent(&self, code: &GrantKey, now: Timestamp) -> Option<Spent> {
        self.lock_spent().get(code).filter(|spent| now < spent.until).copied()
    }

    /// The first `limit` requests whose subjects have not answered yet, the oldest first: those after one of
    /// them and about one line, if these are named.
    pub(crate) fn pending(
        &self,
        after: Option<RequestId>,
        line: Option<LineId>,
        limit: usize,
        consents: &ConsentBook,
        now: Timestamp,
    ) -> Vec<PendingRequest> {
        let entries = self.lock();
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let grants = entries.by_request.range((start, Bound::Unbounded)).filter_map(|(_, key)| entries.by_key.get(key));
        grants
            .filter(|entry| line.is_none_or(|line| entry.grant.line == line))
            .filter_map(|entry| PendingRequest::of(&entry.grant, consents, now))
            .take(limit)
            .collect()
    }

    /// A request whose subject has not answered yet.
    pub(crate) fn find_pending(&self, id: RequestId, consents: &ConsentBook, now: Timestamp) -> Option<PendingRequest> {
        let entries = self.lock();
        let entry = entries.by_key.get(entries.by_request.get(&id)?)?;
        PendingRequest::of(&entry.grant, consents, now)
    }

    /// Those about a line.
    pub(crate) fn about(&self, line: LineId) -> Vec<Grant> {
        self.lock().by_key.values().map(|entry| &entry.grant).filter(|grant| grant.line == line).cloned().collect()
    }

    /// Forgets a line that has ended; its store has done so with the line.
    pub(crate) fn end_line(&self, line: LineId) {
        self.lock().retain(|grant| grant.line != line);
        for spent in self.lock_spent().values_mut() {
            spent.line.take_if(|known| *known == line);
        }
    }

    /// Forgets what has long expired.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut forgotten = self.lock().retain(|grant| now < grant.expires_at.plus(REMEMBERED_AFTER_EXPIRY));
        self.lock_spent().retain(|key, spent| {
            let keep = now < spent.until;
            if !keep {
                forgotten.push(*key);
            }
            keep
        });
        if forgotten.is_empty() { Ok(()) } else { self.store.remove(forgotten).await }
    }

    fn lock_spent(&self) -> std::sync::MutexGuard<'_, HashMap<GrantKey, Spent>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
