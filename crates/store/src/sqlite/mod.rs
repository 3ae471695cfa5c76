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
//! - A job is all or nothing. It runs in a savepoint: when it fails, it alone is taken back and its
//!   caller alone hears of it. When the commit fails, everybody hears of it.
//! - A caller who stops waiting does not stop the job.
//! - Readers have connections of their own and, by the write-ahead log, never wait for the writer.
//! - A database is made for one mode and is not opened in another; one process has it at a time.
//! - Migrations only go forward; a released one is never edited.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use attache_core::{Client, Line, StoreError};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tokio::sync::oneshot;

mod client;
mod grant;
mod key;
mod line;

pub use key::StoredKey;

/// Every version of the schema, oldest first. `user_version` is how many of them a database has.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/sqlite/0001_first.sql")];

/// The most jobs of one transaction; the others go into the next.
const BATCH: usize = 1024;

/// The name in `meta` of the mode that the database was made for.
const MODE: &str = "mode";
/// The name in `meta` of the mark that the first data are in.
const SEEDED: &str = "seeded";

/// The embedded store. It is `Lines`, `Clients` and `Grants`, and keeps the sealed signing keys.
///
/// Dropping it finishes what has queued up and lets go of the file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    /// `None` only while dropping: the writer ends when nobody can send any more.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
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

type Work = Box<dyn FnOnce(&Connection) -> Result<(), StoreError> + Send>;

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
        let (jobs, queue) = mpsc::channel();
        let writer = std::thread::Builder::new()
            .name("sqlite-writer".into())
            .spawn(move || write(&connection, &queue))
            .map_err(|cause| OpenError::File { path: path.clone(), cause })?;
        Ok(Self { path, jobs: Some(jobs), writer: Some(writer), _lock: lock })
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
    async fn write(
        &self,
        work: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let gone = || StoreError::Failed { action: "write", cause: "the writer has ended".into() };
        let (done, outcome) = oneshot::channel();
        let job = Job { work: Box::new(work), done };
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or_else(gone)?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    /// A connection that only reads. One for each reading: they are rare, and a reader that is slow
    /// or calls back into the store holds nobody up.
    fn reader(&self, action: &'static str) -> Result<Connection, StoreError> {
        connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed(action))
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
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What a large import leaves behind is given back to the disk.
        connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
        connection.set_prepared_statement_cache_capacity(64);
    }
    Ok(connection)
}

/// Brings the schema to the newest version, each step in a transaction that also counts it.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let in_database = |cause| OpenError::Database { path: path.to_owned(), cause };
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(in_database)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
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
    Ok(())
}

/// The writer's life: batch after batch, until the store is dropped and the queue is empty.
fn write(connection: &Connection, queue: &mpsc::Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let batch = std::iter::once(first).chain(queue.try_iter()).take(BATCH).collect();
        commit_together(connection, batch);
    }
}

/// Does all jobs in one transaction, then tells each caller.
fn commit_together(connection: &Connection, batch: Vec<Job>) {
    let (work, callers): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.work, job.done)).unzip();
    match in_one_transaction(connection, work) {
        Ok(outcomes) => {
            for (caller, outcome) in callers.into_iter().zip(outcomes) {
                // Who has stopped waiting need not hear of it.
                let _ = caller.send(outcome);
            }
        }
        Err(cause) => {
            if !connection.is_autocommit() {
                // If even that fails, the next BEGIN fails and tells so.
                let _ = connection.execute_batch("ROLLBACK");
            }
            let cause = Arc::new(cause);
            for caller in callers {
                let _ = caller.send(Err(StoreError::Failed { action: "commit", cause: Box::new(Arc::clone(&cause)) }));
            }
        }
    }
}

/// The outcome of each job, all committed; or why nothing was.
fn in_one_transaction(connection: &Connection, batch: Vec<Work>) -> rusqlite::Result<Vec<Result<(), StoreError>>> {
    let mut outcomes = Vec::with_capacity(batch.len());
    let run = |statement| connection.prepare_cached(statement)?.execute([]);
    run("BEGIN IMMEDIATE")?;
    for work in batch {
        run("SAVEPOINT job")?;
        let outcome = work(connection);
        if outcome.is_err() {
            // When the job's failure made SQLite give up the whole transaction, so does this.
            run("ROLLBACK TO job")?;
        }
        run("RELEASE job")?;
        outcomes.push(outcome);
    }
    run("COMMIT")?;
    Ok(outcomes)
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
