//! The simulated network: every line in memory, kept true by the store.
//!
//! Two sides look at it. The query path identifies and observes ([`Network`]): hash lookups under a
//! read lock that is never held over an `await`. The operator lists and changes.
//!
//! The rules of a change:
//! - Changes happen one after the other. Each goes to the store first, and to memory when the store
//!   has acknowledged it: what was seen once is not taken back by a `kill -9`.
//! - A change that was begun is finished, even if its caller stops waiting.
//! - Every change of a status confirms it: its time becomes the clock's, also when the value stays.
//!   Roaming and reachability have a time each, and a change of one leaves the other's.
//! - A line keeps its identifier through every change of its status. Adding begins a new line; an
//!   import begins one for each number that is new.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use attache_core::{
    Addresses, Clock, DeviceIdentifier, Line, LineId, Lines, Network, Observed, PhoneNumber, Plmn, Problem, Status,
    StoreError, Timestamp,
};

mod table;

use table::Table;

/// How many lines a lock is held for, at most, where many are read or written.
const CHUNK: usize = 1024;

/// A simulated mobile network. Clones are the same network.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    lines: RwLock<Table>,
    /// All numbers in order, made when a list is asked for; none after a number came or went.
    order: Mutex<Option<Arc<[PhoneNumber]>>>,
    /// Held through a change, so that the store and the memory see changes in the same order.
    changing: tokio::sync::Mutex<()>,
    store: Arc<dyn Lines>,
    clock: Arc<dyn Clock>,
}

/// A line that shall begin: all of it but its identifier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewLine {
    /// The number by which it will be known.
    pub phone_number: PhoneNumber,
    /// The home network.
    pub home: Plmn,
    /// What the network knows of it; `None` when it was never seen.
    pub status: Option<Status>,
    /// The IP addresses that it holds, if any.
    pub addresses: Option<Box<Addresses>>,
}

/// Which lines a list shall have: those that meet every condition that is set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Served by another network than its own (`true`), or by its own (`false`). A line that was
    /// never seen is neither.
    pub roaming: Option<bool>,
    /// Numbers that begin like this, with or without `+`.
    pub prefix: Option<String>,
}

/// What an import did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// How many lines began.
    pub added: usize,
    /// How many lines were there already, and have a new state.
    pub replaced: usize,
}

/// Why a change was not made. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A line has this number already.
    #[error("a line has this number already; remove it first, or change its state")]
    Exists,
    /// No line has this number.
    #[error("no line has this number; add it first")]
    Unknown,
    /// A number is there twice among the lines to import.
    #[error("the lines to import name a number twice; name each once")]
    NamedTwice,
    /// The store failed.
    #[error("the change could not be stored; nothing was changed")]
    Store(#[source] StoreError),
    /// A fault of this program, or of the system that it asks for random bytes.
    #[error("the change broke off")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl NewLine {
    fn begin(self, id: LineId) -> Line {
        Line { id, phone_number: self.phone_number, home: self.home, status: self.status, addresses: self.addresses }
    }
}

impl Filter {
    fn allows(&self, line: &Line) -> bool {
        self.roaming
            .is_none_or(|wanted| line.status.is_some_and(|status| (status.serving.value != line.home) == wanted))
    }

    /// The numbers that the prefix allows, of those in order. Numbers with the same beginning stand
    /// together among those of the same length only, so each is looked at.
    fn allows_number(prefix: Option<u64>, number: PhoneNumber) -> bool {
        let Some(prefix) = prefix else { return true };
        let mut beginning = number.as_integer();
        while beginning > prefix {
            beginning /= 10;
        }
        beginning == prefix
    }
}

impl Simulator {
    /// A network with the lines of this store. Blocks while it reads them.
    pub fn load(store: Arc<dyn Lines>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let mut lines = Table::default();
        store.load(&mut |line| lines.insert(line))?;
        Ok(Self(Arc::new(Inner {
            lines: RwLock::new(lines),
            order: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            store,
            clock,
        })))
    }

    /// How many lines there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lines().len()
    }

    /// The line with this number.
    #[must_use]
    pub fn get(&self, number: PhoneNumber) -> Option<Line> {
        self.0.lines().by_number(number).cloned()
    }

    /// The first `limit` lines that pass the filter, in the order of their numbers as integers;
    /// those after `after`, when it is given.
    #[must_use]
    pub fn list(&self, after: Option<PhoneNumber>, limit: usize, filter: &Filter) -> Vec<Line> {
        let prefix = match filter.prefix.as_deref().map(|prefix| prefix.strip_prefix('+').unwrap_or(prefix)) {
            None | Some("") => None,
            Some(prefix) => match prefix.parse::<u64>() {
                Ok(digits) if !prefix.starts_with(['0', '+']) => Some(digits),
                // No number begins like this.
                _ => return Vec::new(),
            },
        };
        let order = self.0.order();
        let start = after.map_or(0, |after| order.partition_point(|number| *number <= after));
        let mut page = Vec::new();
        for numbers in order[start..].chunks(CHUNK) {
            let lines = self.0.lines();
            let found = numbers.iter().filter(|number| Filter::allows_number(prefix, **number));
            let found = found.filter_map(|number| lines.by_number(*number)).filter(|line| filter.allows(line));
            page.extend(found.take(limit - page.len()).cloned());
            if page.len() == limit {
                break;
            }
        }
        page
    }

    /// Begins a line.
    ///
    /// # Errors
    /// [`ChangeError::Exists`] when a line has its number.
    pub async fn add(&self, new: NewLine) -> Result<Line, ChangeError> {
        self.change(|inner| async move {
            if inner.lines().by_number(new.phone_number).is_some() {
                return Err(ChangeError::Exists);
            }
            let line = new.begin(LineId::new(inner.clock.now(), &random_bytes()?));
            inner.keep(line).await
        })
        .await
    }

    /// Ends a line and returns what it was.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none.
    pub async fn remove(&self, number: PhoneNumber) -> Result<Line, ChangeError> {
        self.change(move |inner| async move {
            let line = inner.lines().by_number(number).cloned().ok_or(ChangeError::Unknown)?;
            inner.store.remove(line.id).await.map_err(ChangeError::Store)?;
            inner.lines_mut().remove(number);
            inner.forget_order();
            Ok(line)
        })
        .await
    }

    /// Lets a network serve a line. One that was never seen registers there, reachable by data and
    /// SMS.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none with this number.
    pub async fn roam(&self, number: PhoneNumber, serving: Plmn) -> Result<Line, ChangeError> {
        self.confirm(number, move |_, status, now| {
            let seen = Status {
                serving: Observed { value: serving, confirmed_at: now },
                data: true,
                sms: true,
                reachability_confirmed_at: now,
            };
            status.map_or(seen, |status| Status { serving: seen.serving, ..status })
        })
        .await
    }

    /// Lets its home network serve a line, as [`Self::roam`] does another.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none with this number.
    pub async fn home(&self, number: PhoneNumber) -> Result<Line, ChangeError> {
        let home = self.get(number).ok_or(ChangeError::Unknown)?.home;
        self.roam(number, home).await
    }

    /// Says by what a line can be reached. One that was never seen registers at home.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none with this number.
    pub async fn reach(&self, number: PhoneNumber, data: bool, sms: bool) -> Result<Line, ChangeError> {
        self.confirm(number, move |line, status, now| Status {
            serving: status.map_or(Observed { value: line.home, confirmed_at: now }, |status| status.serving),
            data,
            sms,
            reachability_confirmed_at: now,
        })
        .await
    }

    /// Puts many lines in, all or none in the store; who asks meanwhile may see the first of them
    /// before the last. A number that is there keeps its line and gets all else. `progress` hears how
    /// many have been written, and may be called from another thread.
    ///
    /// # Errors
    /// [`ChangeError::NamedTwice`] when two have the same number.
    pub async fn import(
        &self,
        mut new: Vec<NewLine>,
        progress: Box<dyn Fn(usize) + Send + Sync>,
    ) -> Result<Imported, ChangeError> {
        self.change(|inner| async move {
            // In order, the store appends instead of searching.
            new.sort_unstable_by_key(|line| line.phone_number);
            if new.array_windows().any(|[one, next]| one.phone_number == next.phone_number) {
                return Err(ChangeError::NamedTwice);
            }
            let (lines, imported) = inner.identify_new(new)?;
            inner.store.put(lines.clone(), progress).await.map_err(ChangeError::Store)?;
            let mut lines = lines.into_iter();
            while lines.len() > 0 {
                let mut table = inner.lines_mut();
                lines.by_ref().take(CHUNK).for_each(|line| table.insert(line));
            }
            inner.forget_order();
            Ok(imported)
        })
        .await
    }

    /// Changes the status of a line to what `next` makes of the line, its status and the time.
    async fn confirm(
        &self,
        number: PhoneNumber,
        next: impl FnOnce(&Line, Option<Status>, Timestamp) -> Status + Send + 'static,
    ) -> Result<Line, ChangeError> {
        self.change(move |inner| async move {
            let mut line = inner.lines().by_number(number).cloned().ok_or(ChangeError::Unknown)?;
            line.status = Some(next(&line, line.status, inner.clock.now()));
            inner.keep(line).await
        })
        .await
    }

    /// Makes a change when those before it are done, in a task of its own: a caller who stops
    /// waiting must not leave the store and the memory in disagreement.
    async fn change<T, F>(&self, change: impl FnOnce(Arc<Inner>) -> F + Send + 'static) -> Result<T, ChangeError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ChangeError>> + Send,
    {
        let inner = Arc::clone(&self.0);
        let task = tokio::spawn(async move {
            let _order = inner.changing.lock().await;
            change(Arc::clone(&inner)).await
        });
        task.await.unwrap_or_else(|cause| Err(ChangeError::Interrupted(cause.into())))
    }
}

#[async_trait]
impl Network for Simulator {
    async fn identify(&self, identifier: &DeviceIdentifier) -> Result<LineId, Problem> {
        let lines = self.0.lines();
        let line = match identifier {
            DeviceIdentifier::PhoneNumber(number) => lines.by_number(*number),
            DeviceIdentifier::Ipv4(address) => lines.by_ipv4(address),
            DeviceIdentifier::Ipv6(address) => lines.by_ipv6_prefix(Addresses::prefix_of(*address)),
            DeviceIdentifier::NetworkAccessIdentifier(_) => return Err(Problem::IdentifierUnsupported),
        };
        line.map(|line| line.id).ok_or(Problem::UnknownLine)
    }

    async fn observe(&self, line: LineId) -> Result<Line, Problem> {
        self.0.lines().by_id(line).cloned().ok_or(Problem::UnknownLine)
    }
}

impl Inner {
    // A panic under the lock would be a fault of the table; going on is better than never answering
    // again.
    fn lines(&self) -> RwLockReadGuard<'_, Table> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.lines.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All numbers in order.
    fn order(&self) -> Arc<[PhoneNumber]> {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order
            .get_or_insert_with(|| {
                let mut numbers: Vec<_> = self.lines().iter().map(|line| line.phone_number).collect();
                numbers.sort_unstable();
                numbers.into()
            })
            .clone()
    }

    /// To be called after a number came or went, when the table has it.
    fn forget_order(&self) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stores a line, and then shows it.
    async fn keep(&self, line: Line) -> Result<Line, ChangeError> {
        self.store.put(vec![line.clone()], Box::new(|_| ())).await.map_err(ChangeError::Store)?;
        let is_new = {
            let mut lines = self.lines_mut();
            let before = lines.len();
            lines.insert(line.clone());
            lines.len() > before
        };
        if is_new {
            self.forget_order();
        }
        Ok(line)
    }

    /// Gives the lines to import the identifiers of the lines with their numbers, or new ones.
    fn identify_new(&self, new: Vec<NewLine>) -> Result<(Vec<Line>, Imported), ChangeError> {
        let mut lines = Vec::with_capacity(new.len());
        let mut imported = Imported::default();
        let now = self.clock.now();
        for line in new {
            let known = self.lines().by_number(line.phone_number).map(|known| known.id);
            match known {
                Some(_) => imported.replaced += 1,
                None => imported.added += 1,
            }
            let id = known.map_or_else(|| Ok(LineId::new(now, &random_bytes()?)), Ok)?;
            lines.push(line.begin(id));
        }
        Ok((lines, imported))
    }
}

/// What makes an identifier one that nobody else has.
fn random_bytes() -> Result<[u8; 10], ChangeError> {
    let mut bytes = [0; 10];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|cause| ChangeError::Interrupted(cause.into()))?;
    Ok(bytes)
}
