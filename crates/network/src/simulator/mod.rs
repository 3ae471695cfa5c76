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
//!   The serving network, the reachability and the access technology have a time each, and a change of
//!   one leaves the others'.
//! - A line keeps its identifier through every change of its status. Adding begins a new line; an
//!   import begins one for each number that is new.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use attache_core::{
    Addresses, Clock, DeviceIdentifier, Line, LineId, LineProfile, Lines, Network, PhoneNumber, Plmn, Problem, Status,
    StoreError, SubjectKey, Subjects, Technology, Timestamp,
};

mod table;

use table::Table;

/// How many lines a lock is held for, at most, where many are read or written.
const CHUNK: usize = 1024;

/// How long is waited at most for a network that is silent about one line only: who asks about it knows
/// what comes, and need not wait as long as for one that has fallen silent.
const SHORT_PATIENCE: Duration = Duration::from_millis(100);

/// A simulated mobile network. Clones are the same network.
#[derive(Clone)]
pub struct Simulator(Arc<Inner>);

struct Inner {
    lines: RwLock<Table>,
    /// All numbers in order, made when a list is asked for; none after a number came or went.
    order: Mutex<Option<Arc<Vec<PhoneNumber>>>>,
    /// Held through a change, so that the store and the memory see changes in the same order.
    changing: tokio::sync::Mutex<()>,
    store: Arc<dyn Lines>,
    clock: Arc<dyn Clock>,
    /// The [`Condition`], by its place in [`Condition::ALL`].
    condition: AtomicU8,
    /// The lines about which it fares otherwise while it is up.
    troubled: OnceLock<Box<[(PhoneNumber, Condition)]>>,
    /// How long a silent network is waited for.
    patience: Duration,
}

/// How the network fares: developers let it fail, to see what their programs make of that. It knows
/// which line an identifier names in any condition, but not always where that line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// It answers.
    Up,
    /// It cannot be asked: [`Problem::NetworkUnavailable`].
    Failing,
    /// It does not answer in time: [`Problem::NetworkTimedOut`].
    Silent,
    /// It answers as if it had never seen any line.
    Unknowing,
}

impl Condition {
    const ALL: [Self; 4] = [Self::Up, Self::Failing, Self::Silent, Self::Unknowing];
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
    /// What else it is addressed by, if anything.
    pub addresses: Option<Box<Addresses>>,
    /// Whether the service is offered for it.
    pub eligible: bool,
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
    fn begin(self, identity: Identity) -> Line {
        let Self { phone_number, home, status, addresses, eligible } = self;
        let Identity { id, subject_key } = identity;
        Line { id, phone_number, home, status, addresses, eligible, subject_key }
    }
}

/// What makes a line one that nobody else has.
#[derive(Clone, Copy)]
struct Identity {
    id: LineId,
    subject_key: SubjectKey,
}

impl Identity {
    /// Draws a new one.
    fn draw(now: Timestamp) -> Result<Self, ChangeError> {
        let (mut id, mut subject_key) = ([0; 10], [0; 8]);
        for bytes in [&mut id[..], &mut subject_key] {
            aws_lc_rs::rand::fill(bytes).map_err(|cause| ChangeError::Interrupted(cause.into()))?;
        }
        Ok(Self { id: LineId::new(now, &id), subject_key: SubjectKey::from_bytes(subject_key) })
    }
}

impl Filter {
    fn allows(&self, line: &Line) -> bool {
        self.roaming.is_none_or(|wanted| line.status.is_some_and(|status| (status.serving != line.home) == wanted))
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
    /// A network with the lines of this store, which is up. Blocks while it reads them. When it is
    /// silent, it is waited for as long as `patience`.
    pub fn load(store: Arc<dyn Lines>, clock: Arc<dyn Clock>, patience: Duration) -> Result<Self, StoreError> {
        // At its size from the start, it leaves no smaller copies of itself to the allocator.
        let mut lines = Vec::with_capacity(store.count()?);
        store.load(&mut |line| lines.push(Some(line)))?;
        Ok(Self(Arc::new(Inner {
            lines: RwLock::new(Table::of(lines)),
            order: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            store,
            clock,
            condition: AtomicU8::new(0),
            troubled: OnceLock::new(),
            patience,
        })))
    }

    /// How the network fares.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let place = self.0.condition.load(Ordering::Relaxed);
        Condition::ALL.get(usize::from(place)).copied().unwrap_or(Condition::Up)
    }

    /// Lets the network fare like this from now on, until it is told otherwise or starts anew.
    pub fn set_condition(&self, condition: Condition) {
        let place = (0..).zip(Condition::ALL).find(|(_, known)| *known == condition).map_or(0, |(place, _)| place);
        self.0.condition.store(place, Ordering::Relaxed);
    }

    /// Lets the network fare like this about these lines while it is up, so that one can see what comes
    /// of it without troubling those who ask about others. That is said once, when it starts; what is
    /// said later has no effect.
    pub fn trouble(&self, lines: Vec<(PhoneNumber, Condition)>) {
        let _ = self.0.troubled.set(lines.into());
    }

    /// How the network fares about a line while it is up.
    #[must_use]
    pub fn condition_about(&self, number: PhoneNumber) -> Condition {
        let mut troubled = self.0.troubled.get().into_iter().flatten();
        troubled.find(|(other, _)| *other == number).map_or(Condition::Up, |(_, condition)| *condition)
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
            let line = new.begin(Identity::draw(inner.clock.now())?);
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
            inner.store.remove(line.id, inner.clock.now()).await.map_err(ChangeError::Store)?;
            inner.lines_mut().remove(number);
            inner.forget_order();
            Ok(line)
        })
        .await
    }

    /// Ends a line and begins another with the same number in the same state: whatever was stored about
    /// the line is gone, and no token or pseudonym of it is good for the new one. Returns the line that
    /// ended.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none.
    pub async fn renew(&self, number: PhoneNumber) -> Result<Line, ChangeError> {
        self.change(move |inner| async move {
            let old = inner.lines().by_number(number).cloned().ok_or(ChangeError::Unknown)?;
            let Identity { id, subject_key } = Identity::draw(inner.clock.now())?;
            let new = Line { id, subject_key, ..old.clone() };
            inner.store.replace(old.id, new.clone(), inner.clock.now()).await.map_err(ChangeError::Store)?;
            inner.lines_mut().insert(new);
            Ok(old)
        })
        .await
    }

    /// Lets a network serve a line. One that was never seen registers there, reachable by data and
    /// SMS.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none with this number.
    pub async fn roam(&self, number: PhoneNumber, serving: Plmn) -> Result<Line, ChangeError> {
        self.confirm(number, move |line, now| Status { serving, serving_confirmed_at: now, ..last_known(line, now) })
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
        self.confirm(number, move |line, now| Status {
            data,
            sms,
            reachability_confirmed_at: now,
            ..last_known(line, now)
        })
        .await
    }

    /// Says by which access technology a line is connected, or that the network cannot tell. One that
    /// was never seen registers at home, reachable by data and SMS.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none with this number.
    pub async fn technology(&self, number: PhoneNumber, technology: Option<Technology>) -> Result<Line, ChangeError> {
        self.confirm(number, move |line, now| Status {
            technology,
            technology_confirmed_at: now,
            ..last_known(line, now)
        })
        .await
    }

    /// Says whether the service is offered for a line. That is no news of its status.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`] when there is none with this number.
    pub async fn set_eligible(&self, number: PhoneNumber, eligible: bool) -> Result<Line, ChangeError> {
        self.change(move |inner| async move {
            let line = inner.lines().by_number(number).cloned().ok_or(ChangeError::Unknown)?;
            inner.keep(Line { eligible, ..line }).await
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
            inner.store.put(lines.clone(), inner.clock.now(), progress).await.map_err(ChangeError::Store)?;
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

    /// Changes the status of a line to what `next` makes of the line and the time.
    async fn confirm(
        &self,
        number: PhoneNumber,
        next: impl FnOnce(&Line, Timestamp) -> Status + Send + 'static,
    ) -> Result<Line, ChangeError> {
        self.change(move |inner| async move {
            let mut line = inner.lines().by_number(number).cloned().ok_or(ChangeError::Unknown)?;
            line.status = Some(next(&line, inner.clock.now()));
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
            // What has another form is no line's.
            DeviceIdentifier::NetworkAccessIdentifier(text) => {
                text.parse().ok().and_then(|identifier| lines.by_access_identifier(&identifier))
            }
        };
        line.map(|line| line.id).ok_or(Problem::UnknownLine)
    }

    async fn profile(&self, line: LineId) -> Result<LineProfile, Problem> {
        let lines = self.0.lines();
        let line = lines.by_id(line).ok_or(Problem::UnknownLine)?;
        Ok(LineProfile { phone_number: line.phone_number, home: line.home })
    }

    async fn observe(&self, line: LineId) -> Result<Line, Problem> {
        let line = self.0.line(line)?;
        let (condition, patience) = match self.condition() {
            Condition::Up => (self.condition_about(line.phone_number), self.0.patience.min(SHORT_PATIENCE)),
            condition => (condition, self.0.patience),
        };
        match condition {
            Condition::Up => Ok(line),
            Condition::Failing => Err(Problem::NetworkUnavailable),
            // In a future of its own, which a network that is up makes no room for.
            Condition::Silent => {
                Box::pin(tokio::time::sleep(patience)).await;
                Err(Problem::NetworkTimedOut)
            }
            Condition::Unknowing => Ok(Line { status: None, ..line }),
        }
    }
}

impl Subjects for Simulator {
    fn subject_key(&self, line: LineId) -> Option<SubjectKey> {
        self.0.lines().by_id(line).map(|line| line.subject_key)
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

    fn line(&self, id: LineId) -> Result<Line, Problem> {
        self.lines().by_id(id).cloned().ok_or(Problem::UnknownLine)
    }

    /// All numbers in order.
    fn order(&self) -> Arc<Vec<PhoneNumber>> {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order
            .get_or_insert_with(|| {
                let lines = self.lines();
                // At its size from the start, as the table.
                let mut numbers = Vec::with_capacity(lines.len());
                numbers.extend(lines.iter().map(|line| line.phone_number));
                drop(lines);
                numbers.sort_unstable();
                Arc::new(numbers)
            })
            .clone()
    }

    /// To be called after a number came or went, when the table has it.
    fn forget_order(&self) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Stores a line, and then shows it.
    async fn keep(&self, line: Line) -> Result<Line, ChangeError> {
        self.store.put(vec![line.clone()], self.clock.now(), Box::new(|_| ())).await.map_err(ChangeError::Store)?;
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
            let identity_of = |known: &Line| Identity { id: known.id, subject_key: known.subject_key };
            let known = self.lines().by_number(line.phone_number).map(identity_of);
            match known {
                Some(_) => imported.replaced += 1,
                None => imported.added += 1,
            }
            lines.push(line.begin(known.map_or_else(|| Identity::draw(now), Ok)?));
        }
        Ok((lines, imported))
    }
}

/// The status of a line. One that was never seen registers now, at home, reachable by data and SMS.
fn last_known(line: &Line, now: Timestamp) -> Status {
    line.status.unwrap_or(Status {
        serving: line.home,
        serving_confirmed_at: now,
        data: true,
        sms: true,
        reachability_confirmed_at: now,
        technology: None,
        technology_confirmed_at: now,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use attache_core::Ipv4Identifier;

    use super::*;

    /// A store in memory that can be told to fail, and to be slow.
    #[derive(Default)]
    struct Memory {
        lines: Mutex<Vec<Line>>,
        fails: Mutex<bool>,
    }

    #[async_trait]
    impl Lines for Memory {
        fn count(&self) -> Result<usize, StoreError> {
            Ok(self.lines.lock().unwrap().len())
        }

        fn load(&self, each: &mut dyn FnMut(Line)) -> Result<(), StoreError> {
            self.lines.lock().unwrap().iter().cloned().for_each(each);
            Ok(())
        }

        async fn put(
            &self,
            lines: Vec<Line>,
            _: Timestamp,
            progress: Box<dyn Fn(usize) + Send + Sync>,
        ) -> Result<(), StoreError> {
            tokio::task::yield_now().await;
            if *self.fails.lock().unwrap() {
                return Err(StoreError::Failed { action: "put lines", cause: "the disk is full".into() });
            }
            progress(lines.len());
            let mut kept = self.lines.lock().unwrap();
            for line in lines {
                kept.retain(|other| other.phone_number != line.phone_number);
                kept.push(line);
            }
            Ok(())
        }

        async fn remove(&self, id: LineId, _: Timestamp) -> Result<(), StoreError> {
            self.lines.lock().unwrap().retain(|line| line.id != id);
            Ok(())
        }

        async fn replace(&self, id: LineId, by: Line, now: Timestamp) -> Result<(), StoreError> {
            self.remove(id, now).await?;
            self.put(vec![by], now, Box::new(|_| ())).await
        }
    }

    /// A clock that goes on by a second each time that it is asked.
    #[derive(Default)]
    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_seconds(1_700_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    struct World {
        store: Arc<Memory>,
        network: Simulator,
    }

    fn world() -> World {
        let store = Arc::new(Memory::default());
        let network = Simulator::load(store.clone(), Arc::new(Ticking::default()), Duration::ZERO).unwrap();
        World { store, network }
    }

    impl World {
        /// What a restart would show, in order.
        fn stored(&self) -> Vec<Line> {
            let again = Simulator::load(self.store.clone(), Arc::new(Ticking::default()), Duration::ZERO).unwrap();
            again.list(None, usize::MAX, &Filter::default())
        }

        fn shown(&self) -> Vec<Line> {
            self.network.list(None, usize::MAX, &Filter::default())
        }

        async fn identify(&self, identifier: DeviceIdentifier) -> Result<PhoneNumber, Problem> {
            let id = self.network.identify(&identifier).await?;
            Ok(self.network.observe(id).await?.phone_number)
        }
    }

    fn number(text: &str) -> PhoneNumber {
        text.parse().unwrap()
    }

    fn plmn(text: &str) -> Plmn {
        text.parse().unwrap()
    }

    fn never_seen(text: &str) -> NewLine {
        NewLine { phone_number: number(text), home: plmn("20801"), status: None, addresses: None, eligible: true }
    }

    fn seen(text: &str, serving: &str) -> NewLine {
        let confirmed_at = Timestamp::from_unix_seconds(1_600_000_000);
        let status = Status {
            serving: plmn(serving),
            serving_confirmed_at: confirmed_at,
            data: true,
            sms: true,
            reachability_confirmed_at: confirmed_at,
            technology: None,
            technology_confirmed_at: confirmed_at,
        };
        NewLine { status: Some(status), ..never_seen(text) }
    }

    fn at(text: &str, addresses: Addresses) -> NewLine {
        NewLine { addresses: Some(Box::new(addresses)), ..never_seen(text) }
    }

    #[tokio::test]
    async fn a_line_is_found_by_its_number_until_it_ends() {
        let world = world();
        let line = world.network.add(seen("+33699901032", "20801")).await.unwrap();
        let identifier = DeviceIdentifier::PhoneNumber(line.phone_number);
        assert_eq!(world.network.identify(&identifier).await, Ok(line.id));
        assert_eq!(world.network.observe(line.id).await, Ok(line.clone()));
        assert_eq!((world.network.count(), world.stored()), (1, vec![line.clone()]));

        assert_eq!(world.network.remove(line.phone_number).await.unwrap(), line);
        assert_eq!(world.network.identify(&identifier).await, Err(Problem::UnknownLine));
        assert_eq!(world.network.observe(line.id).await, Err(Problem::UnknownLine));
        assert_eq!((world.network.count(), world.stored()), (0, vec![]));
        assert!(matches!(world.network.remove(line.phone_number).await, Err(ChangeError::Unknown)));
    }

    #[tokio::test]
    async fn a_number_that_passes_on_begins_a_new_line() {
        let world = world();
        let old = world.network.add(never_seen("+33699901032")).await.unwrap();
        assert!(matches!(world.network.add(never_seen("+33699901032")).await, Err(ChangeError::Exists)));
        world.network.remove(old.phone_number).await.unwrap();
        let new = world.network.add(never_seen("+33699901032")).await.unwrap();
        assert_ne!(old.id, new.id);
        assert_eq!(world.network.observe(old.id).await, Err(Problem::UnknownLine));
    }

    #[tokio::test]
    async fn a_renewed_line_has_all_of_the_old_but_what_names_it() {
        let world = world();
        let line = world.network.add(seen("+12345", "26201")).await.unwrap();
        assert_eq!(world.network.subject_key(line.id), Some(line.subject_key));
        assert_eq!(world.network.renew(line.phone_number).await.unwrap(), line);
        let renewed = world.network.get(line.phone_number).unwrap();
        assert!(renewed.id != line.id && renewed.subject_key != line.subject_key);
        assert_eq!(renewed, Line { id: renewed.id, subject_key: renewed.subject_key, ..line.clone() });
        assert_eq!(world.stored(), [renewed]);
        assert_eq!(world.network.observe(line.id).await, Err(Problem::UnknownLine));
        assert_eq!(world.network.subject_key(line.id), None);
        assert!(matches!(world.network.renew(number("+12346")).await, Err(ChangeError::Unknown)));
    }

    #[tokio::test]
    async fn a_change_confirms_its_part_of_the_status_and_leaves_the_other() {
        let world = world();
        let before = world.network.add(seen("+33699901032", "20801")).await.unwrap();
        let (number, status) = (before.phone_number, before.status.unwrap());

        let abroad = world.network.roam(number, plmn("26201")).await.unwrap();
        let Status { serving, serving_confirmed_at, .. } = abroad.status.unwrap();
        assert_eq!(serving, plmn("26201"));
        assert!(serving_confirmed_at > status.serving_confirmed_at);
        assert_eq!(abroad.status.unwrap(), Status { serving, serving_confirmed_at, ..status });
        assert_eq!(abroad.id, before.id);

        let still = world.network.roam(number, plmn("26201")).await.unwrap().status.unwrap();
        assert!(still.serving_confirmed_at > serving_confirmed_at, "the same value is confirmed anew");

        let silent = world.network.reach(number, false, true).await.unwrap().status.unwrap();
        assert_eq!((silent.serving, silent.data, silent.sms), (still.serving, false, true));
        assert!(silent.reachability_confirmed_at > still.serving_confirmed_at);

        let fourth = world.network.technology(number, Some(Technology::Fourth)).await.unwrap().status.unwrap();
        assert!(fourth.technology_confirmed_at > silent.reachability_confirmed_at);
        let (technology, technology_confirmed_at) = (Some(Technology::Fourth), fourth.technology_confirmed_at);
        assert_eq!(fourth, Status { technology, technology_confirmed_at, ..silent });
        let untold = world.network.technology(number, None).await.unwrap().status.unwrap();
        assert_eq!(untold.technology, None);
        assert!(untold.technology_confirmed_at > technology_confirmed_at);

        let home = world.network.home(number).await.unwrap();
        assert_eq!(home.status.unwrap().serving, home.home);
        assert_eq!((world.stored(), world.shown()), (vec![home.clone()], vec![home]));
        for unknown in [
            world.network.home(self::number("+12345")).await,
            world.network.reach(self::number("+12345"), true, true).await,
            world.network.technology(self::number("+12345"), None).await,
        ] {
            assert!(matches!(unknown, Err(ChangeError::Unknown)));
        }
    }

    #[tokio::test]
    async fn a_line_never_seen_registers_when_it_roams_or_is_reached() {
        let world = world();
        world.network.add(never_seen("+33699901032")).await.unwrap();
        world.network.add(never_seen("+33699901033")).await.unwrap();
        world.network.add(never_seen("+33699901034")).await.unwrap();
        let roaming = world.network.roam(number("+33699901032"), plmn("26201")).await.unwrap().status.unwrap();
        assert_eq!((roaming.serving, roaming.data, roaming.sms), (plmn("26201"), true, true));
        assert_eq!(roaming.serving_confirmed_at, roaming.reachability_confirmed_at);
        let reached = world.network.reach(number("+33699901033"), false, true).await.unwrap().status.unwrap();
        assert_eq!((reached.serving, reached.data, reached.sms), (plmn("20801"), false, true));
        let told = world.network.technology(number("+33699901034"), Some(Technology::Fifth)).await.unwrap();
        let told = told.status.unwrap();
        assert_eq!((told.serving, told.data, told.sms), (plmn("20801"), true, true));
        assert_eq!(told.technology, Some(Technology::Fifth));
    }

    #[tokio::test]
    async fn what_the_store_refuses_is_not_shown() {
        let world = world();
        let line = world.network.add(seen("+33699901032", "20801")).await.unwrap();
        *world.store.fails.lock().unwrap() = true;
        assert!(matches!(world.network.add(never_seen("+33699901033")).await, Err(ChangeError::Store(_))));
        assert!(matches!(world.network.roam(line.phone_number, plmn("26201")).await, Err(ChangeError::Store(_))));
        let import = world.network.import(vec![never_seen("+33699901034")], Box::new(|_| ())).await;
        assert!(matches!(import, Err(ChangeError::Store(_))));
        assert_eq!(world.shown(), [line]);
    }

    #[tokio::test]
    async fn a_change_is_finished_when_its_caller_stops_waiting() {
        let world = world();
        world.network.add(seen("+33699901032", "20801")).await.unwrap();
        tokio::select! {
            biased;
            _ = world.network.roam(number("+33699901032"), plmn("26201")) => panic!("it waits for the store"),
            () = std::future::ready(()) => {}
        }
        // The next change waits for the one before.
        world.network.reach(number("+33699901032"), false, false).await.unwrap();
        assert_eq!(world.shown()[0].status.unwrap().serving, plmn("26201"));
        assert_eq!(world.shown(), world.stored());
    }

    #[tokio::test]
    async fn an_import_keeps_the_lines_that_are_there_and_begins_the_others() {
        let world = world();
        let old = world.network.add(never_seen("+33699901032")).await.unwrap();
        world.network.add(never_seen("+33699901039")).await.unwrap();
        let lines = vec![seen("+33699901033", "26201"), seen("+33699901032", "21403")];
        let imported = world.network.import(lines, Box::new(|_| ())).await.unwrap();
        assert_eq!(imported, Imported { added: 1, replaced: 1 });
        let shown = world.shown();
        assert_eq!(
            shown.iter().map(|line| line.phone_number.to_string()).collect::<Vec<_>>(),
            ["+33699901032", "+33699901033", "+33699901039"]
        );
        assert_eq!((shown[0].id, shown[0].status.unwrap().serving), (old.id, plmn("21403")));
        assert_eq!(shown, world.stored());
    }

    #[tokio::test]
    async fn an_import_that_names_a_number_twice_is_refused_whole() {
        let world = world();
        let lines = vec![never_seen("+33699901032"), never_seen("+33699901033"), seen("+33699901032", "20801")];
        assert!(matches!(world.network.import(lines, Box::new(|_| ())).await, Err(ChangeError::NamedTwice)));
        assert_eq!((world.shown(), world.stored()), (vec![], vec![]));
    }

    #[tokio::test]
    async fn lists_go_by_number_page_by_page_and_stay_true_after_changes() {
        let world = world();
        let lines = (0..3000).rev().map(|index| never_seen(&format!("+336{:08}", index * 7))).collect();
        world.network.import(lines, Box::new(|_| ())).await.unwrap();
        let (mut after, mut all) = (None, Vec::new());
        loop {
            let page = world.network.list(after, 700, &Filter::default());
            let Some(last) = page.last() else { break };
            after = Some(last.phone_number);
            all.extend(page);
        }
        assert_eq!(all, world.shown());
        assert!(all.is_sorted_by_key(|line| line.phone_number));
        assert_eq!(all.len(), 3000);
        world.network.remove(all[0].phone_number).await.unwrap();
        world.network.add(never_seen("+12345")).await.unwrap();
        assert_eq!(world.network.list(None, 1, &Filter::default())[0].phone_number, number("+12345"));
        assert_eq!(world.network.list(None, 0, &Filter::default()), []);
        assert_eq!(world.network.list(all.last().map(|line| line.phone_number), 5, &Filter::default()), []);
    }

    #[tokio::test]
    async fn lists_can_be_of_the_roaming_and_of_a_prefix() {
        let world = world();
        let lines = [
            seen("+33611111", "20801"),
            seen("+336222222", "26201"),
            seen("+44711111", "26201"),
            never_seen("+336333"),
        ];
        world.network.import(lines.to_vec(), Box::new(|_| ())).await.unwrap();
        let list = |roaming, prefix: Option<&str>| -> Vec<String> {
            let filter = Filter { roaming, prefix: prefix.map(str::to_owned) };
            world.network.list(None, 10, &filter).iter().map(|line| line.phone_number.to_string()).collect()
        };
        assert_eq!(list(Some(true), None), ["+44711111", "+336222222"]);
        assert_eq!(list(Some(false), None), ["+33611111"]);
        assert_eq!(list(None, Some("+336")), ["+336333", "+33611111", "+336222222"]);
        assert_eq!(list(Some(true), Some("33")), ["+336222222"]);
        assert_eq!(list(None, Some("+")).len(), 4);
        for nothing in ["0", "++33", "33x", "99999999999999999999", "-33"] {
            assert_eq!(list(None, Some(nothing)), [""; 0], "{nothing}");
        }
    }

    #[tokio::test]
    async fn behind_one_ipv4_address_the_port_or_the_private_address_tells_lines_apart() {
        let world = world();
        let (shared, own) = ([203, 0, 113, 1].into(), [203, 0, 113, 2].into());
        let private = |last| Some([10, 0, 0, last].into());
        let ports = |first, last| Addresses {
            public_ipv4: Some(shared),
            public_ports: Some((first, last)),
            ..Addresses::default()
        };
        for line in [
            at("+33611111", Addresses { private_ipv4: private(1), ..ports(1000, 1999) }),
            at("+33622222", Addresses { private_ipv4: private(2), ..ports(2000, 2999) }),
            at("+33633333", Addresses { public_ipv4: Some(own), ..Addresses::default() }),
        ] {
            world.network.add(line).await.unwrap();
        }
        let ask = async |public_address, public_port, private_address| {
            let identifier = Ipv4Identifier { public_address, public_port, private_address };
            world.identify(DeviceIdentifier::Ipv4(identifier)).await.map(|number| number.to_string())
        };
        assert_eq!(ask(shared, Some(1999), None).await.as_deref(), Ok("+33611111"));
        assert_eq!(ask(shared, Some(2000), None).await.as_deref(), Ok("+33622222"));
        assert_eq!(ask(shared, None, private(2)).await.as_deref(), Ok("+33622222"));
        assert_eq!(ask(own, None, None).await.as_deref(), Ok("+33633333"));
        assert_eq!(ask(own, Some(65535), None).await.as_deref(), Ok("+33633333"));
        for nobody in [
            ask(shared, None, None).await,
            ask(shared, Some(999), None).await,
            ask(shared, Some(1000), private(2)).await,
            ask(own, None, private(1)).await,
            ask([203, 0, 113, 3].into(), None, None).await,
        ] {
            assert_eq!(nobody, Err(Problem::UnknownLine));
        }
        world.network.remove(number("+33622222")).await.unwrap();
        assert_eq!(ask(shared, None, None).await.as_deref(), Ok("+33611111"));
    }

    #[tokio::test]
    async fn any_ipv6_address_of_its_prefix_names_a_line() {
        let world = world();
        let prefix = Addresses::prefix_of("2001:db8:1:2::".parse().unwrap());
        world
            .network
            .add(at("+33611111", Addresses { ipv6_prefix: Some(prefix), ..Addresses::default() }))
            .await
            .unwrap();
        let ask = async |address: &str| world.identify(DeviceIdentifier::Ipv6(address.parse().unwrap())).await;
        assert_eq!(ask("2001:db8:1:2:ffff::1").await, Ok(number("+33611111")));
        assert_eq!(ask("2001:db8:1:3::1").await, Err(Problem::UnknownLine));
    }

    #[tokio::test]
    async fn a_network_access_identifier_names_the_one_line_that_has_it() {
        let world = world();
        let known_as = |text: &str| Addresses { network_access_identifier: text.parse().ok(), ..Addresses::default() };
        for (number, identifier) in [("+33611111", "a@operator.example"), ("+33622222", "b@operator.example")] {
            world.network.add(at(number, known_as(identifier))).await.unwrap();
        }
        let again = Simulator::load(world.store.clone(), Arc::new(Ticking::default()), Duration::ZERO).unwrap();
        for network in [&world.network, &again] {
            let ask = async |text: &str| {
                let line = network.identify(&DeviceIdentifier::NetworkAccessIdentifier(text.into())).await?;
                network.observe(line).await.map(|line| line.phone_number)
            };
            assert_eq!(ask("a@operator.example").await, Ok(number("+33611111")));
            assert_eq!(ask("b@Operator.Example").await, Ok(number("+33622222")));
            for nobody in ["A@operator.example", "c@operator.example", "a", "", "@"] {
                assert_eq!(ask(nobody).await, Err(Problem::UnknownLine), "{nobody}");
            }
        }
        // What two lines have names neither.
        let second = world.network.add(at("+33633333", known_as("a@operator.example"))).await.unwrap();
        let shared = DeviceIdentifier::NetworkAccessIdentifier("a@operator.example".into());
        assert_eq!(world.network.identify(&shared).await, Err(Problem::UnknownLine));
        world.network.remove(second.phone_number).await.unwrap();
        assert_eq!(world.identify(shared).await, Ok(number("+33611111")));
    }

    #[tokio::test]
    async fn a_network_in_trouble_about_one_line_is_well_about_the_others() {
        let world = world();
        let mut lines = Vec::new();
        for text in ["+33611111", "+33622222", "+33633333", "+33644444"] {
            lines.push(world.network.add(seen(text, "26201")).await.unwrap());
        }
        let troubles = [Condition::Failing, Condition::Silent, Condition::Unknowing];
        world.network.trouble(lines.iter().map(|line| line.phone_number).zip(troubles).collect());
        let observe = async |index: usize| world.network.observe(lines[index].id).await;
        assert_eq!(observe(0).await, Err(Problem::NetworkUnavailable));
        assert_eq!(observe(1).await, Err(Problem::NetworkTimedOut));
        assert_eq!(observe(2).await.map(|line| line.status), Ok(None));
        assert_eq!(observe(3).await, Ok(lines[3].clone()));
        world.network.set_condition(Condition::Failing);
        for index in 0..4 {
            assert_eq!(observe(index).await, Err(Problem::NetworkUnavailable));
        }
    }

    #[tokio::test]
    async fn what_a_line_is_eligible_for_is_stored_and_changes_nothing_else() {
        let world = world();
        let line = world.network.add(seen("+33611111", "26201")).await.unwrap();
        assert!(line.eligible);
        let changed = world.network.set_eligible(line.phone_number, false).await.unwrap();
        assert_eq!(changed, Line { eligible: false, ..line.clone() });
        assert_eq!((world.shown(), world.stored()), (vec![changed.clone()], vec![changed]));
        assert_eq!(world.network.set_eligible(line.phone_number, true).await.unwrap(), line);
        let unknown = world.network.set_eligible(number("+33622222"), true).await;
        assert!(matches!(unknown, Err(ChangeError::Unknown)));
    }

    #[tokio::test]
    async fn a_network_in_trouble_still_knows_who_is_meant() {
        let world = world();
        let line = world.network.add(seen("+33611111", "26201")).await.unwrap();
        let never_seen = Line { status: None, ..line.clone() };
        for (condition, observed) in [
            (Condition::Up, Ok(line.clone())),
            (Condition::Failing, Err(Problem::NetworkUnavailable)),
            (Condition::Silent, Err(Problem::NetworkTimedOut)),
            (Condition::Unknowing, Ok(never_seen)),
            (Condition::Up, Ok(line.clone())),
        ] {
            world.network.set_condition(condition);
            assert_eq!(world.network.condition(), condition);
            assert_eq!(world.network.observe(line.id).await, observed);
            let identifier = DeviceIdentifier::PhoneNumber(line.phone_number);
            assert_eq!(world.network.identify(&identifier).await, Ok(line.id));
        }
        // Its operator sees the lines in any condition.
        world.network.set_condition(Condition::Failing);
        assert_eq!(world.shown(), [line]);
    }

    #[test]
    fn a_line_is_small() {
        assert_eq!(size_of::<Option<Line>>(), 80);
    }
}
