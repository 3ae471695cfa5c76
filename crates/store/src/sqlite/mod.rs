//! The embedded store: one SQLite file, one writer, any number of readers.
//!
//! The cast: a *job* is one piece of writing, a few statements that belong together; the *writer* is
//! a thread that owns the only connection that writes; a *batch* is all the jobs that had queued up
//! when the writer came to look.
//!
//! The rules:
//! - A batch is one transaction, and one sync of the disk (`synchronous=FULL`), however many jobs it
//!   has. Callers hear of their job after the commit that holds it: what is acknowledged outlives
//!   `kill -9` and a power cut.
//! - A job is all or nothing. Unless it is alone, it runs in a savepoint: when it fails, it alone is taken back and its
//!   caller alone hears of it. When the commit fails, everybody hears of it.
//! - A caller who stops waiting does not stop the job.
//! - When the disk is full or the database is locked, everybody in the batch hears of it. As long as that lasts
//!   the writer tries by itself whether it is over, once a second.
//! - What a job lets be sent is told when it is committed, and not before: whoever is told finds it.
//! - Readers have connections of their own and, by the write-ahead log, never wait for the writer.
//! - A database is made for one mode and is not opened in another; one process has it at a time.
//! - Migrations only go forward; a released one is never edited.

use std::{
    cell::{Cell, RefCell},
    fs::{File, OpenOptions, TryLockError},
    io,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use attache_core::{Client, Delivery, Due, Health, Line, Made, Sink, StoreError, Subscription};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, config::DbConfig, params};
use tokio::sync::{Notify, oneshot};

use self::watched::Watched;
use crate::trouble::Trouble;

mod authorization;
mod client;
mod consent;
mod delivery;
mod grant;
mod key;
mod line;
#[cfg(test)]
mod outbox_tests;
mod subscription;
mod used_token;
mod watched;
mod webhook_secret;

pub use line::TABLES_ABOUT_A_LINE;

/// Every version of the schema, oldest first. `user_version` is how many of them a database has.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001_first.sql"),
    include_str!("../../migrations/sqlite/0002_technology.sql"),
    include_str!("../../migrations/sqlite/0003_plan.sql"),
    include_str!("../../migrations/sqlite/0004_eligible.sql"),
    include_str!("../../migrations/sqlite/0005_network_access_identifier.sql"),
    include_str!("../../migrations/sqlite/0006_subject_key.sql"),
    include_str!("../../migrations/sqlite/0007_client.sql"),
    include_str!("../../migrations/sqlite/0008_consent.sql"),
    include_str!("../../migrations/sqlite/0009_authorization.sql"),
    include_str!("../../migrations/sqlite/0010_subscription.sql"),
    include_str!("../../migrations/sqlite/0011_key_rotation.sql"),
    include_str!("../../migrations/sqlite/0012_subscription_scope.sql"),
    include_str!("../../migrations/sqlite/0013_delivery_by_sink.sql"),
    include_str!("../../migrations/sqlite/0014_id_token_algorithm.sql"),
    include_str!("../../migrations/sqlite/0015_webhook_secret.sql"),
    include_str!("../../migrations/sqlite/0016_delivery_in_order.sql"),
    include_str!("../../migrations/sqlite/0017_subscription_end.sql"),
];

/// The most jobs of one transaction; the others go into the next.
const BATCH: usize = 1024;

/// How long after a failed commit the writer tries again by itself.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// The name in `meta` of the mode that the database was made for.
const MODE: &str = "mode";
/// The name in `meta` of what is written to see whether anything can be.
const PROBE: &str = "probe";
/// The name in `meta` of the mark that the first data are in.
const SEEDED: &str = "seeded";

/// The embedded store. It is `Lines`, `Clients`, `Grants`, `Authorizations`, `Consents`, `UsedTokens`, `Subscriptions`
/// and `Deliveries`, and keeps the sealed signing keys.
///
/// Dropping it finishes what has queued up and lets go of the file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    /// `None` only while dropping: the writer ends when nobody can send any more.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Connections that only read and that nobody uses now.
    readers: Mutex<Vec<Connection>>,
    /// What was let be sent.
    wakes: Arc<Wakes>,
    trouble: Arc<Trouble>,
    /// Locked for this process as long as the store lives, and let go by the system at any death.
    _lock: File,
}

/// Why a database cannot be opened. What is displayed says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was made for another mode.
    #[error(
        "the database {} was made for {made_for}, not for {asked}: choose another data directory, or start in {made_for} mode",
        path.display()
    )]
    OtherMode {
        /// The file.
        path: PathBuf,
        /// The mode that it was made for.
        made_for: String,
        /// The mode that was asked for.
        asked: String,
    },
    /// A newer release wrote it.
    #[error(
        "the database {} has schema version {found}, this release knows versions up to {known}: start the newer release that wrote it, or choose another data directory",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// Another process has it open.
    #[error("the database {} is in use by another process: stop that one, or choose another data directory", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made or locked.
    #[error("the database {} cannot be opened: check that its directory exists and can be written to", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// SQLite cannot use the file.
    #[error("the database {} cannot be used: check that it is an SQLite database of this program and that its disk is not full", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        cause: rusqlite::Error,
    },
}

/// One piece of writing, and who waits for it.
struct Job {
    work: Work,
    done: oneshot::Sender<Result<(), StoreError>>,
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Why a batch was not committed, for all who are in it.
type Cause = Arc<dyn std::error::Error + Send + Sync>;

type Work = Box<dyn FnOnce(&Writer) -> Result<(), StoreError> + Send>;

/// The connection that writes.
#[derive(Debug)]
struct Writer {
    connection: Connection,
    /// What can be sent once the transaction is committed.
    made: RefCell<Made>,
    /// Whether the transaction gives deliveries up.
    gives_up: Cell<bool>,
    watched: RefCell<Watched>,
    wakes: Arc<Wakes>,
    trouble: Arc<Trouble>,
}

/// What can be sent since the last time that somebody asked, and how to wait for it.
#[derive(Debug, Default)]
struct Wakes {
    made: Mutex<Made>,
    told: Notify,
    /// How many commits have given deliveries up.
    given_up: AtomicU64,
}

impl SqliteStore {
    /// Opens the database at `path` in the mode of this name, and makes it when it does not exist.
    /// Blocks while it migrates.
    pub fn open(path: impl AsRef<Path>, mode: &str) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let lock = lock(&path)?;
        let in_database = |cause| OpenError::Database { path: path.clone(), cause };
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(in_database)?;
        migrate(&mut connection, &path)?;
        connection
            .execute(
                "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![MODE, mode.as_bytes()],
            )
            .map_err(in_database)?;
        let made_for = read_value(&connection, MODE).map_err(in_database)?.unwrap_or_default();
        if made_for != mode.as_bytes() {
            let made_for = String::from_utf8_lossy(&made_for).into_owned();
            return Err(OpenError::OtherMode { path, made_for, asked: mode.to_owned() });
        }
        let trouble = Arc::new(Trouble::with("the database"));
        let (jobs, queue) = mpsc::channel();
        let wakes = Arc::<Wakes>::default();
        let writer = Writer::new(connection, Arc::clone(&wakes), Arc::clone(&trouble));
        let writer = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || writer.run(&queue))
            .map_err(|cause| OpenError::File { path: path.clone(), cause })?;
        Ok(Self {
            path,
            jobs: Some(jobs),
            writer: Some(writer),
            readers: Mutex::default(),
            wakes,
            trouble,
            _lock: lock,
        })
    }

    /// Whether [`Self::seed`] has never been called: the database was just made, or a first start
    /// was killed before its data were in.
    pub fn is_new(&self) -> Result<bool, StoreError> {
        Ok(self.value(SEEDED)?.is_none())
    }

    /// Puts the first data in, all or nothing, and marks it as done. With nothing to put in it
    /// still marks it.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when it was done before.
    pub async fn seed(&self, clients: Vec<Client>, lines: Vec<Line>) -> Result<(), StoreError> {
        self.write(move |connection| {
            let marked = connection
                .execute("INSERT INTO meta (name, value) VALUES (?1, x'') ON CONFLICT DO NOTHING", [SEEDED])
                .map_err(failed("mark the first data as put in"))?;
            if marked == 0 {
                return Err(StoreError::Exists);
            }
            for client in &clients {
                client::insert(connection, client)?;
            }
            line::put(connection, &lines, &|_| ())
        })
        .await
    }

    /// A small value that was put under this name.
    pub fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let action = "read a value";
        let connection = self.reader(action)?;
        read_value(&connection, name).map_err(failed(action))
    }

    /// Puts a small value under a name, instead of what was there.
    pub async fn put_value(&self, name: &str, value: Vec<u8>) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.write(move |connection| {
            connection
                .prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2")
                .and_then(|mut statement| statement.execute(params![name, value]))
                .map_err(failed("put a value"))?;
            Ok(())
        })
        .await
    }

    /// Queues a job and waits until the commit that holds it is done.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::Failed { action: "write", cause: "the writer has ended".into() };
        let (done, outcome) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let work = Box::new(move |connection: &Writer| {
            work(connection).map(|value| {
                // Who has stopped waiting need not hear of it.
                let _ = tell.send(value);
            })
        });
        self.jobs.as_ref().and_then(|jobs| jobs.send(Job { work, done }).ok()).ok_or_else(gone)?;
        outcome.await.unwrap_or_else(|_| Err(gone()))?;
        told.await.map_err(|_| gone())
    }

    /// Reads on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.path.clone();
        let reading = tokio::task::spawn_blocking(move || {
            connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|connection| read(&connection))
        });
        reading.await.map_err(failed(action))?.map_err(failed(action))
    }

    /// Reads with a connection that is kept for the next time.
    fn read_now<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        let outcome = work(&connection);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        outcome
    }

    /// Takes what was deleted out of the write-ahead log as well, which keeps pages as they were. A reader
    /// that is slow may hold that up until the next time; the log is emptied at every stop, too.
    async fn forget_what_was_deleted(&self) -> Result<(), StoreError> {
        let action = "empty the write-ahead log";
        let path = self.path.clone();
        let checkpoint = move || -> rusqlite::Result<()> {
            let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        tokio::task::spawn_blocking(checkpoint).await.map_err(failed(action))?.map_err(failed(action))
    }

    /// A connection that only reads. One for each reading: they are rare, and a reader that is slow
    /// or calls back into the store holds nobody up.
    fn reader(&self, action: &'static str) -> Result<Connection, StoreError> {
        connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed(action))
    }
}

impl Health for SqliteStore {
    fn is_writable(&self) -> bool {
        !self.trouble.is_now()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(writer) = self.writer.take() {
            // It ends by itself, and there is nobody left to tell of a panic.
            let _ = writer.join();
        }
    }
}

/// Takes the database for this process, and makes its file when it does not exist: readable by its
/// owner only, which SQLite copies to the files beside it.
fn lock(path: &Path) -> Result<File, OpenError> {
    let file = |cause| OpenError::File { path: path.to_owned(), cause };
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(file)?;
    // A file of its own: SQLite's locks are let go when any handle of its file is closed.
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = options.open(name).map_err(file)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(file(cause)),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // A plan does not depend on the values that are bound, or a statement would be compiled again for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What is deleted is overwritten, so that a key that was destroyed cannot be found in the file.
        connection.pragma_update(None, "secure_delete", true)?;
        // What a large import leaves behind is given back to the disk.
        connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
        // Fewer checkpoints, each of which syncs the disk twice, and room for the pages that events touch again and
        // again.
        connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
        connection.pragma_update(None, "cache_size", -32 * 1024)?;
        connection.set_prepared_statement_cache_capacity(64);
    }
    Ok(connection)
}

/// Brings the schema to the newest version, each step in a transaction that also counts it. A table that is
/// replaced keeps what refers to it, so references are not followed meanwhile.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let in_database = |cause| OpenError::Database { path: path.to_owned(), cause };
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(in_database)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    connection.pragma_update(None, "foreign_keys", false).map_err(in_database)?;
    for (version, migration) in (1u32..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        connection
            .transaction()
            .and_then(|transaction| {
                transaction.execute_batch(migration)?;
                transaction.pragma_update(None, "user_version", version)?;
                transaction.commit()
            })
            .map_err(in_database)?;
    }
    connection.pragma_update(None, "foreign_keys", true).map_err(in_database)
}

impl Writer {
    fn new(connection: Connection, wakes: Arc<Wakes>, trouble: Arc<Trouble>) -> Self {
        Self {
            connection,
            made: RefCell::default(),
            gives_up: Cell::default(),
            watched: RefCell::default(),
            wakes,
            trouble,
        }
    }

    /// Lets a delivery be sent, as soon as it is committed.
    fn wake(&self, delivery: Delivery, subscription: Subscription) {
        // What this transaction itself gives up counts when it is committed.
        let as_of = self.wakes.given_up.load(Ordering::Acquire);
        self.made.borrow_mut().add(Due { delivery, subscription, as_of });
    }

    /// Lets something be sent to a sink that is to be looked for, as soon as it is committed.
    fn wake_sink(&self, sink: Sink) {
        self.made.borrow_mut().sinks.insert(sink);
    }

    /// The writer's life: batch after batch, until the store is dropped and the queue is empty.
    fn run(&self, queue: &mpsc::Receiver<Job>) {
        while let Some(batch) = self.next_batch(queue) {
            match self.commit_together(batch) {
                // Who has come meanwhile would wait as long for the same.
                Err(cause) if is_locked(cause.as_ref()) => refuse(queue.try_iter().map(|job| job.done), &cause),
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Waits for jobs; `None` when nobody can send any more. In trouble it does not wait for long, and there is one more
    /// that writes in any case, so that the commit tells whether the trouble is over.
    fn next_batch(&self, queue: &mpsc::Receiver<Job>) -> Option<Vec<Job>> {
        let (first, probe) = if self.trouble.is_now() {
            match queue.recv_timeout(PROBE_PAUSE) {
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                waiting => (waiting.ok(), Some(Job::probe())),
            }
        } else {
            (Some(queue.recv().ok()?), None)
        };
        Some(first.into_iter().chain(queue.try_iter()).take(BATCH).chain(probe).collect())
    }

    /// Does all jobs in one transaction, then tells each caller. The error is why none was done.
    fn commit_together(&self, batch: Vec<Job>) -> Result<(), Cause> {
        let (work, callers): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.work, job.done)).unzip();
        let outcomes = self.in_one_transaction(work);
        let (made, gives_up) = (self.made.take(), self.gives_up.take());
        match outcomes {
            Ok(outcomes) => {
                #[cfg(test)]
                subscription::verify_watched(self);
                self.trouble.succeeded();
                if gives_up {
                    self.wakes.given_up.fetch_add(1, Ordering::AcqRel);
                }
                self.wakes.add(made);
                for (caller, outcome) in callers.into_iter().zip(outcomes) {
                    // Who has stopped waiting need not hear of it.
                    let _ = caller.send(outcome);
                }
                Ok(())
            }
            Err(cause) => {
                if !self.is_autocommit() {
                    // If even that fails, the next BEGIN fails and tells so.
                    let _ = self.execute_batch("ROLLBACK");
                }
                self.watched.borrow_mut().clear();
                let cause: Cause = cause.into();
                // Who is refused finds the store in trouble.
                self.trouble.failed(&cause);
                refuse(callers.into_iter(), &cause);
                Err(cause)
            }
        }
    }

    /// The outcome of each job, all committed; or why nothing was.
    fn in_one_transaction(&self, batch: Vec<Work>) -> Result<Vec<Result<(), StoreError>>, AnyError> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let run = |statement| self.prepare_cached(statement)?.execute([]);
        // One that is alone needs no savepoint, for which every page that it touches would be copied.
        let is_alone = batch.len() == 1;
        run("BEGIN IMMEDIATE")?;
        for work in batch {
            let made = self.made.borrow().due.len();
            if !is_alone {
                run("SAVEPOINT job")?;
            }
            let outcome = match work(self) {
                // A disk that is full for one is so for all, and SQLite may have given up the whole transaction.
                Err(StoreError::Failed { cause, .. }) if self.is_autocommit() || is_full(cause.as_ref()) => {
                    return Err(cause);
                }
                outcome => outcome,
            };
            if outcome.is_err() {
                run(if is_alone { "ROLLBACK" } else { "ROLLBACK TO job" })?;
                // A sink that is looked at for nothing does no harm.
                self.made.borrow_mut().due.truncate(made);
                self.watched.borrow_mut().clear();
            }
            if !is_alone {
                run("RELEASE job")?;
            }
            outcomes.push(outcome);
        }
        if !self.is_autocommit() {
            run("COMMIT")?;
        }
        Ok(outcomes)
    }
}

impl Job {
    /// A job that nobody waits for, and that writes.
    fn probe() -> Self {
        let work = |writer: &Writer| -> Result<(), StoreError> {
            writer
                .prepare_cached("INSERT INTO meta (name, value) VALUES (?1, x'') ON CONFLICT DO UPDATE SET value = x''")
                .and_then(|mut statement| statement.execute([PROBE]))
                .map(drop)
                .map_err(failed("try whether anything can be written"))
        };
        Self { work: Box::new(work), done: oneshot::channel().0 }
    }
}

/// Tells callers why their jobs were not done.
fn refuse(callers: impl Iterator<Item = oneshot::Sender<Result<(), StoreError>>>, cause: &Cause) {
    for caller in callers {
        let _ = caller.send(Err(StoreError::Failed { action: "commit", cause: Box::new(Arc::clone(cause)) }));
    }
}

/// Whether another process has the database to itself.
fn is_locked(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(code_of(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether the disk does not take what is written.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    matches!(code_of(error), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly))
}

fn code_of(error: &(dyn std::error::Error + 'static)) -> Option<ErrorCode> {
    error.downcast_ref::<rusqlite::Error>()?.sqlite_error_code()
}

impl Deref for Writer {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Wakes {
    fn add(&self, more: Made) {
        if !more.is_empty() {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            made.sinks.extend(more.sinks);
            more.due.into_iter().for_each(|due| made.add(due));
            drop(made);
            self.told.notify_one();
        }
    }

    /// Waits until there is something, and takes it.
    async fn take(&self) -> Made {
        loop {
            let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
            if !made.is_empty() {
                return made;
            }
            self.told.notified().await;
        }
    }
}

fn read_value(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

/// Says what failed, beside why.
fn failed<E: std::error::Error + Send + Sync + 'static>(action: &'static str) -> impl Fn(E) -> StoreError {
    move |cause| StoreError::Failed { action, cause: Box::new(cause) }
}

/// Says which column holds what it should not.
fn damaged<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    column: usize,
    kind: rusqlite::types::Type,
) -> impl FnOnce(E) -> rusqlite::Error {
    move |cause| rusqlite::Error::FromSqlConversionFailure(column, kind, cause.into())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use attache_core::{
        AuthenticationMethod, Authorization, AuthorizationId, Authorizations, Backchannel, ClientId, ClientKeys,
        ClientSecret, Clients, CodeChallenge, Consent, ConsentState, Consents, Grant, GrantKind, GrantType, Grants,
        LegalBasis, LineId, Lines, PublisherName, Purpose, Redirect, RefreshToken, RequestId, Scope, SealedKey,
        SealedKeys, SecretHash, SigningAlgorithm, Status, Technology, Timestamp, UsedTokens,
    };
    use tempfile::TempDir;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn open(directory: &TempDir) -> SqliteStore {
        SqliteStore::open(directory.path().join("attache.db"), "sandbox").unwrap()
    }

    fn in_memory() -> Writer {
        Writer::new(Connection::open_in_memory().unwrap(), Arc::default(), Arc::new(Trouble::with("a database")))
    }

    fn line(number: u64, id: u8) -> Line {
        Line {
            id: LineId::from_bytes([id; 16]),
            phone_number: attache_core::PhoneNumber::from_integer(number).unwrap(),
            home: "310001".parse().unwrap(),
            status: Some(Status {
                serving: "31001".parse().unwrap(),
                serving_confirmed_at: Timestamp::from_unix_nanoseconds(7),
                data: true,
                sms: false,
                reachability_confirmed_at: Timestamp::from_unix_nanoseconds(-8),
                technology: Some(Technology::Fifth),
                technology_confirmed_at: Timestamp::from_unix_nanoseconds(9),
            }),
            addresses: Some(Box::new(attache_core::Addresses {
                public_ipv4: Some([255, 0, 0, 1].into()),
                public_ports: Some((0, u16::MAX)),
                private_ipv4: Some([10, 0, 0, 1].into()),
                ipv6_prefix: Some(u64::MAX),
                network_access_identifier: "123456789@domain.com".parse().ok(),
            })),
            eligible: !number.is_multiple_of(2),
            subject_key: attache_core::SubjectKey::from_bytes([id ^ 0x5a; 8]),
        }
    }

    fn client(id: u8, client_id: &str) -> Client {
        Client {
            id: ClientId::from_bytes([id; 16]),
            publisher: PublisherName::new_static("camara"),
            client_id: client_id.into(),
            revision: 1,
            name: Some("The Shop".into()),
            organisation: None,
            secrets: vec![secret(id, Some(Timestamp::from_unix_seconds(1_800_000_000))), secret(id + 1, None)],
            keys: ClientKeys::Registered(vec![attache_core::PublicKey(r#"{"kty":"EC"}"#.into())]),
            authentication_methods: vec![AuthenticationMethod::PrivateKeyJwt],
            redirect_uris: vec!["https://shop.example/\"callback\"".into(), "http://localhost/ü".into()],
            origins: vec![],
            grants: vec![GrantType::Backchannel, GrantType::ClientCredentials],
            scopes: vec![Scope::new_static("b"), Scope::new_static("a")],
            purposes: vec![Purpose::new_static("dpv:FraudPreventionAndDetection")],
            plan: attache_core::Plan {
                rate: Some(attache_core::Rate::new("600/min".parse().unwrap(), NonZeroU32::new(7)).unwrap()),
                quota: Some(attache_core::Quota::new(NonZeroU32::MAX)),
            },
            dpop_required: true,
            signed_requests_required: false,
            id_token_algorithm: SigningAlgorithm::Es256,
            sector: Some("shop.example".into()),
            registered_at: Timestamp::from_unix_seconds(1_700_000_000),
        }
    }

    fn backchannel() -> GrantKind {
        let asked_at = Timestamp::from_unix_seconds(3);
        GrantKind::Backchannel(Backchannel { id: RequestId::from_bytes([5; 16]), asked_at })
    }

    fn secret(byte: u8, ends_at: Option<Timestamp>) -> ClientSecret {
        let created_at = Timestamp::from_unix_seconds(1_700_000_000 + i64::from(byte));
        ClientSecret { hash: SecretHash([byte; 32]), created_at, ends_at }
    }

    fn grant(client: u8, kind: GrantKind) -> Grant {
        Grant {
            publisher: PublisherName::new_static("camara"),
            client: ClientId::from_bytes([client; 16]),
            line: LineId::from_bytes([9; 16]),
            scopes: vec![Scope::new_static("device-status:roaming:read")],
            purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
            openid: true,
            offline_access: true,
            authenticated_at: Timestamp::from_unix_seconds(1_700_000_000),
            kind,
            expires_at: Timestamp::from_unix_seconds(1_700_000_120),
        }
    }

    fn lines(store: &SqliteStore) -> Vec<Line> {
        let mut lines = Vec::new();
        Lines::load(store, &mut |line| lines.push(line)).unwrap();
        lines
    }

    async fn put(store: &SqliteStore, lines: Vec<Line>) -> Result<(), StoreError> {
        Lines::put(store, lines, NOW, Box::new(|_| ())).await
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_restart() {
        let directory = TempDir::new().unwrap();
        let never_seen = Line { status: None, addresses: None, ..line(999_999_999_999_999, 2) };
        let redirect = Redirect {
            redirect_uri: "https://shop.example/callback".into(),
            code_challenge: Some(CodeChallenge([3; 32])),
            nonce: Some("n".into()),
        };
        let grants = [([1; 32], grant(1, backchannel())), ([2; 32], grant(1, GrantKind::AuthorizationCode(redirect)))];
        let sealed_key = |id: &str, created_at| SealedKey {
            id: id.into(),
            sealed: vec![0, 1, 2],
            created_at: Timestamp::from_unix_seconds(created_at),
            signs_from: Timestamp::from_unix_seconds(created_at + 10),
            token_lifetime: Duration::from_hours(1),
        };
        {
            let store = open(&directory);
            put(&store, vec![line(33_699_901_032, 1), never_seen.clone()]).await.unwrap();
            Clients::add(&store, client(1, "shop")).await.unwrap();
            for (key, grant) in &grants {
                Grants::put(&store, *key, grant.clone()).await.unwrap();
            }
            store.change(vec![sealed_key("k1", 1), sealed_key("k2", 2)], vec![]).await.unwrap();
            store.change(vec![sealed_key("k3", 3), sealed_key("k2", 1)], vec!["k1".into()]).await.unwrap();
            store.put_value("a", b"1".to_vec()).await.unwrap();
            store.put_value("a", b"2".to_vec()).await.unwrap();
        }
        let store = open(&directory);
        assert_eq!(lines(&store), [line(33_699_901_032, 1), never_seen]);
        assert_eq!(Clients::load(&store).unwrap(), [client(1, "shop")]);
        assert_eq!(Grants::load(&store).unwrap(), grants);
        assert_eq!(SealedKeys::load(&store).unwrap(), [sealed_key("k3", 3), sealed_key("k2", 1)]);
        assert_eq!(store.value("a").unwrap().as_deref(), Some(b"2".as_slice()));
        assert_eq!(store.value("b").unwrap(), None);
    }

    #[tokio::test]
    async fn a_line_replaces_the_one_with_its_number_and_goes_by_its_identifier() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        put(&store, vec![line(12345, 1)]).await.unwrap();
        put(&store, vec![Line { status: None, ..line(12345, 2) }]).await.unwrap();
        assert_eq!(lines(&store), [Line { status: None, ..line(12345, 2) }]);
        Lines::remove(&store, LineId::from_bytes([1; 16]), NOW).await.unwrap();
        assert_eq!(lines(&store).len(), 1);
        Lines::remove(&store, LineId::from_bytes([2; 16]), NOW).await.unwrap();
        assert_eq!(lines(&store), []);
    }

    #[tokio::test]
    async fn a_line_that_is_replaced_leaves_nothing_in_the_files() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        let [old, new] = [1, 2].map(|id| Line { subject_key: subject_key(id), ..line(12345, id) });
        let about = |line: &Line, key: u8| ([key; 32], Grant { line: line.id, ..grant(1, backchannel()) });
        let (gone, other) = (about(&old, 1), about(&line(54321, 3), 2));
        put(&store, vec![old.clone(), line(54321, 3)]).await.unwrap();
        Clients::add(&store, client(1, "shop")).await.unwrap();
        for (key, grant) in [&gone, &other] {
            Grants::put(&store, *key, grant.clone()).await.unwrap();
        }
        let is_kept = |line: &Line| {
            let files = directory.path().read_dir().unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
            files.into_iter().any(|bytes| bytes.windows(8).any(|window| window == line.subject_key.as_bytes()))
        };
        assert!(is_kept(&old) && !is_kept(&new));
        Lines::replace(&store, old.id, new.clone(), NOW).await.unwrap();
        assert!(!is_kept(&old) && is_kept(&new));
        assert_eq!(lines(&store), [new, line(54321, 3)]);
        assert_eq!(Grants::load(&store).unwrap(), [other]);
    }

    /// A key that no other bytes look like.
    fn subject_key(seed: u8) -> attache_core::SubjectKey {
        attache_core::SubjectKey::from_bytes(std::array::from_fn(|index| seed ^ b"its key!"[index]))
    }

    #[test]
    fn all_that_is_stored_about_a_line_goes_with_it() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        let connection = store.reader("look at the schema").unwrap();
        let tables: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for table in tables {
            let columns = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let names_a_line = columns.column_names().any(|column| column == "line");
            if names_a_line {
                // What is left of a subscription names no line any more: tests of its own hold that.
                let is_deleted = line::ABOUT_A_LINE.contains(&(table.as_str(), "line")) || table == "subscription";
                assert!(is_deleted, "{table} is about lines: it belongs into ABOUT_A_LINE");
            }
            let belongs_to_one = connection
                .prepare(&format!(r#"SELECT "table" FROM pragma_foreign_key_list('{table}')"#))
                .unwrap()
                .query_map([], |row| row.get::<_, String>(0))
                .unwrap()
                .any(|owner| TABLES_ABOUT_A_LINE.contains(&owner.unwrap().as_str()));
            let is_listed = TABLES_ABOUT_A_LINE.contains(&table.as_str());
            let is_about_one = names_a_line || belongs_to_one || table == "line";
            assert_eq!(is_listed, is_about_one, "{table}: does it belong into TABLES_ABOUT_A_LINE?");
        }
    }

    #[tokio::test]
    async fn a_job_that_fails_leaves_nothing_of_itself_and_all_of_the_others() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        // The second line of the middle job has the identifier of the first, which is refused.
        let jobs = tokio::join!(
            put(&store, vec![line(11111, 1)]),
            put(&store, vec![line(22222, 2), line(33333, 2)]),
            put(&store, vec![line(44444, 4)]),
        );
        assert!(matches!(jobs, (Ok(()), Err(StoreError::Failed { action: "put lines", .. }), Ok(()))));
        assert_eq!(lines(&store), [line(11111, 1), line(44444, 4)]);
    }

    #[test]
    fn a_batch_commits_as_one_and_each_job_has_its_own_outcome() {
        let connection = in_memory();
        connection.execute_batch("CREATE TABLE t (n INTEGER PRIMARY KEY)").unwrap();
        let insert = |n: i64, then: Result<(), StoreError>| -> Work {
            Box::new(move |connection| {
                connection.execute("INSERT INTO t VALUES (?1)", [n]).map_err(failed("insert"))?;
                then
            })
        };
        let batch = vec![insert(1, Ok(())), insert(2, Err(StoreError::Exists)), insert(2, Ok(())), insert(2, Ok(()))];
        let outcomes = connection.in_one_transaction(batch).unwrap();
        assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false]);
        let sum: i64 = connection.query_row("SELECT sum(n) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 3);
    }

    #[test]
    fn when_the_commit_fails_every_caller_hears_of_it_and_the_next_batch_goes_on() {
        let connection = in_memory();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; CREATE TABLE parent (n INTEGER PRIMARY KEY);
                 CREATE TABLE child (n INTEGER REFERENCES parent (n) DEFERRABLE INITIALLY DEFERRED);",
            )
            .unwrap();
        let run = |statements: &[&'static str]| -> Vec<Result<(), StoreError>> {
            let (batch, outcomes): (Vec<_>, Vec<_>) = statements
                .iter()
                .map(|statement| {
                    let statement = *statement;
                    let (done, outcome) = oneshot::channel();
                    let work: Work =
                        Box::new(move |connection| connection.execute_batch(statement).map_err(failed("run")));
                    (Job { work, done }, outcome)
                })
                .unzip();
            // The writer is told as the callers are.
            let told = connection.commit_together(batch);
            let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.blocking_recv().unwrap()).collect();
            assert_eq!(told.is_ok(), outcomes.iter().all(Result::is_ok));
            outcomes
        };
        let outcomes = run(&["INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (2)"]);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Failed { action: "commit", .. }))));
        assert!(run(&["INSERT INTO parent VALUES (2)"])[0].is_ok());
        let parents: i64 = connection.query_row("SELECT sum(n) FROM parent", [], |row| row.get(0)).unwrap();
        assert_eq!(parents, 2);
    }

    #[tokio::test]
    async fn a_client_id_is_taken_once_at_a_publisher() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        Clients::add(&store, client(1, "shop")).await.unwrap();
        assert!(matches!(Clients::add(&store, client(2, "shop")).await, Err(StoreError::Exists)));
        let elsewhere = Client { publisher: PublisherName::new_static("orange"), ..client(3, "shop") };
        Clients::add(&store, elsewhere).await.unwrap();
    }

    #[tokio::test]
    async fn of_two_changes_to_one_revision_of_a_client_the_first_holds() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        Clients::add(&store, client(1, "shop")).await.unwrap();
        let changed = Client {
            revision: 2,
            secrets: vec![secret(9, None)],
            keys: ClientKeys::Published("https://shop.example/jwks".into()),
            name: None,
            grants: vec![],
            ..client(1, "shop")
        };
        Clients::replace(&store, changed.clone()).await.unwrap();
        let late = Client { revision: 2, ..client(1, "shop") };
        assert!(matches!(Clients::replace(&store, late).await, Err(StoreError::Changed)));
        assert_eq!(Clients::load(&store).unwrap(), [changed]);
        let unknown = Client { revision: 2, ..client(7, "bank") };
        assert!(matches!(Clients::replace(&store, unknown).await, Err(StoreError::Changed)));
    }

    #[test]
    fn a_client_from_before_keeps_its_secret_and_what_it_could_do() {
        let directory = TempDir::new().unwrap();
        let before = Connection::open(directory.path().join("attache.db")).unwrap();
        for migration in &MIGRATIONS[..6] {
            before.execute_batch(migration).unwrap();
        }
        before.pragma_update(None, "user_version", 6).unwrap();
        before
            .execute_batch(
                "INSERT INTO client (id, publisher, client_id, secret, keys, redirect_uris, origins, scopes, purposes,
                                     registered_at)
                 VALUES (x'01010101010101010101010101010101', 'camara', 'shop',
                         x'0707070707070707070707070707070707070707070707070707070707070707', '[]', '[]', '[]', '[]',
                         '[]', 5)",
            )
            .unwrap();
        drop(before);
        let clients = Clients::load(&open(&directory)).unwrap();
        let created_at = Timestamp::from_unix_nanoseconds(5);
        assert_eq!(clients[0].secrets, [ClientSecret { hash: SecretHash([7; 32]), created_at, ends_at: None }]);
        assert_eq!((clients[0].revision, clients[0].grants.len(), clients[0].is_public()), (1, 3, false));
        assert_eq!(clients[0].id_token_algorithm, SigningAlgorithm::Es256, "what its ID tokens were signed by");
    }

    #[test]
    fn a_subscription_from_before_keeps_what_it_was_told_and_knows_its_scope() {
        let directory = TempDir::new().unwrap();
        let before = Connection::open(directory.path().join("attache.db")).unwrap();
        before.pragma_update(None, "foreign_keys", true).unwrap();
        for migration in &MIGRATIONS[..11] {
            before.execute_batch(migration).unwrap();
        }
        before.pragma_update(None, "user_version", 11).unwrap();
        before
            .execute_batch(
                "INSERT INTO client (id, publisher, client_id, keys, redirect_uris, origins, scopes, purposes,
                                     registered_at)
                 VALUES (x'01010101010101010101010101010101', 'camara', 'shop', '[]', '[]', '[]', '[]', '[]', 5)",
            )
            .unwrap();
        let made = [
            ("device-roaming-status-subscriptions", "0.8", "org.camaraproject.device-roaming-status-subscriptions.v0"),
            ("device-roaming-status-subscriptions", "0.6", "org.camaraproject.roaming-status-subscriptions.v0"),
            ("device-status", "0.5", ""),
        ];
        for (id, (api, contract, _)) in (1u8..).zip(made) {
            before
                .execute(
                    "INSERT INTO subscription (id, publisher, api, contract, client, purpose, line, event_type, sink,
                                               starts_at, status, events_made)
                     VALUES (?1, 'camara', ?2, ?3, x'01010101010101010101010101010101', 'dpv:Marketing', zeroblob(16),
                             'roaming-on', 'https://a.example/', 7, 'active', 3)",
                    params![[id; 16], api, contract],
                )
                .unwrap();
            before
                .execute(
                    "INSERT INTO delivery (subscription, sequence, origin, notice, at, made_at)
                     VALUES (?1, 1, 'https://a.example', 'subscription-started', 7, 8)",
                    [[id; 16]],
                )
                .unwrap();
        }
        drop(before);
        let store = open(&directory);
        for (id, (api, _, prefix)) in (1u8..).zip(made) {
            let id = attache_core::SubscriptionId::from_bytes([id; 16]);
            let kept = attache_core::Subscriptions::subscription(&store, id).unwrap().unwrap();
            let scope = match api {
                "device-status" => "device-status:subscriptions:create".to_owned(),
                _ => format!("{api}:{prefix}.roaming-on:create"),
            };
            assert_eq!((kept.scope.as_str(), kept.events_made), (scope.as_str(), 3));
            assert_eq!(attache_core::Deliveries::deliveries(&store, id, 9).unwrap().len(), 1);
        }
    }

    #[test]
    fn a_subscription_from_before_ends_as_its_client_asked_and_has_ended_with_the_last_of_its_events() {
        let directory = TempDir::new().unwrap();
        let before = Connection::open(directory.path().join("attache.db")).unwrap();
        let last = MIGRATIONS.iter().position(|migration| migration.contains("requested_end")).unwrap();
        for migration in &MIGRATIONS[..last] {
            before.execute_batch(migration).unwrap();
        }
        before.pragma_update(None, "user_version", u32::try_from(last).unwrap()).unwrap();
        for (id, status, expires_at) in
            [(1u8, "active", Some(90)), (2, "NETWORK_TERMINATED", None), (3, "SUBSCRIPTION_DELETED", None)]
        {
            before
                .execute(
                    "INSERT INTO subscription (id, publisher, api, contract, client, purpose, scope, line, event_type,
                                               sink, expires_at, starts_at, status, idempotency_key, request)
                     VALUES (?1, 'camara', 'device-status', '0.5', zeroblob(16), 'dpv:Marketing', 'a:create',
                             zeroblob(16), 'roaming-on', 'https://a.example/', ?3, 7, ?2, 'key-' || ?2, zeroblob(32))",
                    params![[id; 16], status, expires_at],
                )
                .unwrap();
            for (sequence, made_at) in [(1, 8), (2, i64::from(id) * 10)] {
                before
                    .execute(
                        "INSERT INTO delivery (subscription, sequence, events_made, sink, notice, at, made_at)
                         VALUES (?1, ?2, 0, 'https://a.example/', 'subscription-started', 7, ?3)",
                        params![[id; 16], sequence, made_at],
                    )
                    .unwrap();
            }
        }
        drop(before);
        let store = open(&directory);
        let time = |nanoseconds| Some(Timestamp::from_unix_nanoseconds(nanoseconds));
        for (id, requested_end, ended_at) in [(1, time(90), None), (2, None, time(20)), (3, None, time(30))] {
            let id = attache_core::SubscriptionId::from_bytes([id; 16]);
            let kept = attache_core::Subscriptions::subscription(&store, id).unwrap().unwrap();
            assert_eq!((kept.requested_end, kept.ended_at), (requested_end, ended_at));
        }
        let find = |status: &str| {
            let key = attache_core::IdempotencyKey { key: format!("key-{status}"), request: [0; 32] };
            attache_core::Subscriptions::kept(&store, attache_core::ClientId::from_bytes([0; 16]), &key).unwrap()
        };
        assert!(find("active").is_some() && find("SUBSCRIPTION_DELETED").is_none(), "a key is free again");
    }

    #[tokio::test]
    async fn what_was_used_is_remembered_until_nobody_takes_it_any_more() {
        let directory = TempDir::new().unwrap();
        let at = Timestamp::from_unix_seconds;
        {
            let store = open(&directory);
            UsedTokens::add(&store, [1; 32], at(10)).await.unwrap();
            UsedTokens::add(&store, [2; 32], at(20)).await.unwrap();
            UsedTokens::add(&store, [2; 32], at(21)).await.unwrap();
        }
        let store = open(&directory);
        assert_eq!(UsedTokens::load(&store).unwrap(), [([1; 32], at(10)), ([2; 32], at(21))]);
        store.forget(at(10)).await.unwrap();
        assert_eq!(UsedTokens::load(&store).unwrap(), [([2; 32], at(21))]);
    }

    #[tokio::test]
    async fn the_grants_of_a_client_end_with_it() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        for (id, name) in [(1, "shop"), (2, "bank")] {
            Clients::add(&store, client(id, name)).await.unwrap();
            Grants::put(&store, [id; 32], grant(id, backchannel())).await.unwrap();
        }
        Clients::remove(&store, ClientId::from_bytes([1; 16]), NOW).await.unwrap();
        assert_eq!(Grants::load(&store).unwrap(), [([2; 32], grant(2, backchannel()))]);
        Grants::remove(&store, vec![[2; 32], [3; 32]]).await.unwrap();
        assert_eq!(Grants::load(&store).unwrap(), []);
    }

    fn authorization(client: u8, id: u8) -> Authorization {
        Authorization {
            id: AuthorizationId::from_bytes([id; 16]),
            publisher: PublisherName::new_static("camara"),
            client: ClientId::from_bytes([client; 16]),
            line: LineId::from_bytes([9; 16]),
            scopes: vec![Scope::new_static("device-status:roaming:read")],
            purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
            openid: true,
            authenticated_at: Timestamp::from_unix_seconds(1_700_000_000),
            bound_to: Some("thumbprint".into()),
        }
    }

    #[tokio::test]
    async fn of_the_refresh_tokens_of_an_authorization_the_last_is_good_and_the_others_are_known() {
        let directory = TempDir::new().unwrap();
        let until = Timestamp::from_unix_seconds;
        {
            let store = open(&directory);
            Clients::add(&store, client(1, "shop")).await.unwrap();
            assert!(store.begin(authorization(1, 1), [1; 32], until(10)).await.unwrap());
            assert!(store.rotate([1; 32], [2; 32], until(20)).await.unwrap());
            assert!(!store.rotate([1; 32], [3; 32], until(20)).await.unwrap());
            assert!(!store.rotate([4; 32], [3; 32], until(20)).await.unwrap());
        }
        let store = open(&directory);
        let token = |is_used, expires_at| RefreshToken { authorization: authorization(1, 1), is_used, expires_at };
        assert_eq!(store.find([1; 32]).await.unwrap(), Some(token(true, until(10))));
        assert_eq!(store.find([2; 32]).await.unwrap(), Some(token(false, until(20))));
        assert_eq!(store.find([3; 32]).await.unwrap(), None);
        store.forget_expired(until(10)).await.unwrap();
        assert_eq!(store.find([1; 32]).await.unwrap(), None);
        assert_eq!(store.find([2; 32]).await.unwrap(), Some(token(false, until(20))));
        assert_eq!(store.line_of(authorization(1, 1).id).await.unwrap(), Some(authorization(1, 1).line));
        assert_eq!(store.line_of(authorization(1, 2).id).await.unwrap(), None);
        store.forget_expired(until(20)).await.unwrap();
        assert_eq!(store.find([2; 32]).await.unwrap(), None);
        assert_eq!(store.line_of(authorization(1, 1).id).await.unwrap(), None);
        // Its identifier is free again, so it is gone as well.
        assert!(store.begin(authorization(1, 1), [5; 32], until(30)).await.unwrap());
        Clients::remove(&store, ClientId::from_bytes([1; 16]), NOW).await.unwrap();
        assert_eq!(store.find([5; 32]).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_revoked_stays_so_until_it_would_have_expired() {
        let directory = TempDir::new().unwrap();
        let until = Timestamp::from_unix_seconds;
        {
            let store = open(&directory);
            Clients::add(&store, client(1, "shop")).await.unwrap();
            assert!(store.begin(authorization(1, 1), [1; 32], until(100)).await.unwrap());
            store.revoke([1; 16], until(20)).await.unwrap();
            store.revoke([2; 16], until(10)).await.unwrap();
            store.revoke([1; 16], until(15)).await.unwrap();
        }
        let store = open(&directory);
        assert_eq!(store.revoked().unwrap(), [([1; 16], until(20)), ([2; 16], until(10))]);
        assert_eq!(store.find([1; 32]).await.unwrap(), None);
        assert!(!store.begin(authorization(1, 1), [3; 32], until(100)).await.unwrap());
        store.forget_expired(until(10)).await.unwrap();
        assert_eq!(store.revoked().unwrap(), [([1; 16], until(20))]);
    }

    #[tokio::test]
    async fn a_spent_code_is_remembered_in_the_place_of_its_grant() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        Clients::add(&store, client(1, "shop")).await.unwrap();
        Grants::put(&store, [1; 32], grant(1, backchannel())).await.unwrap();
        store.spend([1; 32], Timestamp::from_unix_seconds(7)).await.unwrap();
        assert_eq!(Grants::load(&store).unwrap(), []);
        assert_eq!(store.spent().unwrap(), [([1; 32], Timestamp::from_unix_seconds(7))]);
        Grants::remove(&store, vec![[1; 32]]).await.unwrap();
        assert_eq!(store.spent().unwrap(), []);
    }

    fn consent(line: u8, client: u8, state: ConsentState) -> Consent {
        Consent {
            line: LineId::from_bytes([line; 16]),
            client: ClientId::from_bytes([client; 16]),
            purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
            scope: Scope::new_static("device-roaming-status:read"),
            basis: LegalBasis::Consent,
            state,
        }
    }

    fn consents(store: &SqliteStore) -> Vec<Consent> {
        let mut consents = Vec::new();
        Consents::load(store, &mut |consent| consents.push(consent)).unwrap();
        consents
    }

    #[tokio::test]
    async fn a_consent_is_the_last_word_and_survives_a_restart() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        Clients::add(&store, client(1, "shop")).await.unwrap();
        let (granted_at, at) = (Timestamp::from_unix_seconds(1), Timestamp::from_unix_seconds(2));
        for state in [
            ConsentState::Denied { at },
            ConsentState::Granted { at: granted_at },
            ConsentState::Withdrawn { granted_at, at },
        ] {
            Consents::put(&store, vec![consent(7, 1, state)]).await.unwrap();
            assert_eq!(consents(&store), [consent(7, 1, state)]);
        }
        let basis = LegalBasis::LegitimateInterest;
        let other = Consent { basis, scope: Scope::new_static("a:read"), ..consent(7, 1, ConsentState::Denied { at }) };
        Consents::put(&store, vec![other.clone()]).await.unwrap();
        drop(store);
        let kept = consents(&open(&directory));
        assert_eq!(kept.len(), 2);
        assert!(kept.contains(&other));
    }

    #[tokio::test]
    async fn consents_end_with_their_client_and_with_their_line() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        let at = Timestamp::from_unix_seconds(1);
        for (id, name) in [(1, "shop"), (2, "bank")] {
            Clients::add(&store, client(id, name)).await.unwrap();
        }
        Lines::put(&store, vec![line(12345, 7), line(12346, 8)], NOW, Box::new(|_| ())).await.unwrap();
        let of = |line, client| consent(line, client, ConsentState::Granted { at });
        Consents::put(&store, vec![of(7, 1), of(7, 2), of(8, 2)]).await.unwrap();
        let grants = |line| Grant { line: LineId::from_bytes([line; 16]), ..grant(2, backchannel()) };
        Grants::put(&store, [7; 32], grants(7)).await.unwrap();
        Grants::put(&store, [8; 32], grants(8)).await.unwrap();
        Clients::remove(&store, ClientId::from_bytes([1; 16]), NOW).await.unwrap();
        assert_eq!(consents(&store), [of(7, 2), of(8, 2)]);
        Lines::remove(&store, LineId::from_bytes([7; 16]), NOW).await.unwrap();
        assert_eq!(consents(&store), [of(8, 2)]);
        assert_eq!(Grants::load(&store).unwrap(), [([8; 32], grants(8))]);
        assert!(Consents::put(&store, vec![of(8, 1)]).await.is_err(), "the client is gone");
    }

    #[tokio::test]
    async fn the_first_data_are_put_in_once_and_whole() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        let twice_the_same = vec![client(1, "shop"), client(2, "shop")];
        assert!(store.seed(twice_the_same, vec![]).await.is_err());
        assert!(store.is_new().unwrap());
        assert_eq!(Clients::load(&store).unwrap(), []);
        store.seed(vec![client(1, "shop")], vec![line(12345, 1)]).await.unwrap();
        assert!(!store.is_new().unwrap());
        assert!(matches!(store.seed(vec![], vec![]).await, Err(StoreError::Exists)));
        assert_eq!((Clients::load(&store).unwrap().len(), lines(&store).len()), (1, 1));
    }

    #[test]
    fn a_database_is_not_opened_in_another_mode() {
        let directory = TempDir::new().unwrap();
        drop(open(&directory));
        let error = SqliteStore::open(directory.path().join("attache.db"), "production").unwrap_err();
        let told = "was made for sandbox, not for production: choose another data directory, or start in sandbox mode";
        assert!(error.to_string().ends_with(told), "{error}");
    }

    #[test]
    fn one_process_has_the_database_at_a_time() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        let second = SqliteStore::open(directory.path().join("attache.db"), "sandbox");
        assert!(matches!(second, Err(OpenError::InUse { .. })));
        drop(store);
        open(&directory);
    }

    #[test]
    fn a_database_of_a_newer_release_is_left_alone() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("attache.db");
        drop(open(&directory));
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = SqliteStore::open(&path, "sandbox").unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 99, known, .. } if known < 99), "{error}");
    }

    #[test]
    fn a_line_from_before_there_were_technologies_has_none() {
        let directory = TempDir::new().unwrap();
        let before = Connection::open(directory.path().join("attache.db")).unwrap();
        before.execute_batch(MIGRATIONS[0]).unwrap();
        before.pragma_update(None, "user_version", 1).unwrap();
        before
            .execute_batch(
                "INSERT INTO line (phone_number, id, home, serving, serving_confirmed_at, data, sms,
                                   reachability_confirmed_at)
                 VALUES (12345, zeroblob(16), '20801', '20801', 7, 1, 1, 8), (12346, x'0123456789abcdef0123456789abcdef', '20801',
                         NULL, NULL, NULL, NULL, NULL)",
            )
            .unwrap();
        drop(before);
        let lines = lines(&open(&directory));
        let status = lines[0].status.unwrap();
        assert_eq!((status.technology, status.technology_confirmed_at), (None, status.serving_confirmed_at));
        assert_eq!(lines[1].status, None);
        assert!(lines.iter().all(|line| line.eligible));
    }

    #[test]
    fn what_is_no_database_is_told() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("attache.db");
        std::fs::write(&path, "not a database, but long enough to be taken for one: ".repeat(20)).unwrap();
        assert!(matches!(SqliteStore::open(&path, "sandbox"), Err(OpenError::Database { .. })));
        let nowhere = directory.path().join("missing").join("attache.db");
        assert!(matches!(SqliteStore::open(nowhere, "sandbox"), Err(OpenError::File { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let directory = TempDir::new().unwrap();
        let _store = open(&directory);
        for entry in directory.path().read_dir().unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        }
    }

    #[tokio::test]
    async fn a_database_that_is_full_refuses_all_of_a_batch_and_goes_on_by_itself() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        let room = |pages: u32| {
            store.write(move |connection| {
                connection.pragma_update(None, "max_page_count", pages).map_err(failed("limit the database"))
            })
        };
        let pages = store.read_now(|connection| connection.pragma_query_value(None, "page_count", |row| row.get(0)));
        room(pages.unwrap()).await.unwrap();
        let many =
            |first| (first..first + 2000).map(|number| line(number, 0)).map(|line| Line { addresses: None, ..line });
        let many = |first| {
            many(first)
                .map(|line| Line {
                    id: LineId::from_bytes(u128::from(line.phone_number.as_integer()).to_be_bytes()),
                    ..line
                })
                .collect::<Vec<_>>()
        };
        // What comes while the writer is busy is one batch.
        let (starting, started) = oneshot::channel();
        let (go_on, end) = mpsc::channel();
        let busy = store.write(move |_| {
            starting.send(()).unwrap();
            end.recv().map_err(failed("wait"))
        });
        let batch = async {
            started.await.unwrap();
            let put = Lines::put(&store, many(10_000), NOW, Box::new(|_| ()));
            tokio::join!(put, store.put_value("beside it", vec![1]), async { go_on.send(()).unwrap() })
        };
        let (busy, (put, value, ())) = tokio::join!(busy, batch);
        assert!(busy.is_ok() && value.is_err());
        let told = put.unwrap_err();
        let cause = std::error::Error::source(&told).unwrap().to_string();
        assert!(cause.contains("full"), "{told}: {cause}");
        assert!(!store.is_writable());
        assert_eq!(Lines::count(&store).unwrap(), 0);
        room(1_000_000).await.unwrap();
        while !store.is_writable() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Lines::put(&store, many(10_000), NOW, Box::new(|_| ())).await.unwrap();
        assert_eq!(Lines::count(&store).unwrap(), 2000);
    }

    #[tokio::test]
    async fn progress_is_told_while_many_lines_are_written() {
        let directory = TempDir::new().unwrap();
        let store = open(&directory);
        let many = (0..25_000u64).map(|index| Line {
            id: LineId::from_bytes(u128::from(index).to_be_bytes()),
            addresses: None,
            ..line(10_000 + index, 0)
        });
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let progress = Arc::clone(&told);
        Lines::put(&store, many.collect(), NOW, Box::new(move |written| progress.lock().unwrap().push(written)))
            .await
            .unwrap();
        assert_eq!(*told.lock().unwrap(), [10_000, 20_000, 25_000]);
    }
}
