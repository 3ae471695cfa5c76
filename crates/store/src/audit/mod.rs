//! The audit log: who asked what about whom, why, when, and with what outcome.
//!
//! The cast: a *record* is one line of JSON; a *batch* is the records that one `write` carries, with
//! the *seal* that ends it; a *segment* is one file of batches. The log is a directory of segments,
//! numbered from 1. Each start of the server begins a new one, and so does one that is full.
//!
//! ```text
//! {"segment":2,"previous":"<the last seal of segment 1>"}
//! {"seal":"...","records":0}
//! {"seq":1,"at":"...","event":"query","publisher":"...","client_id":"...","subject":"...", ...}
//! {"seq":2, ...}
//! {"seal":"...","records":2}
//! ```
//!
//! Beside each segment stands its *head* (`head`): how much it has, signed. A segment is *closed* when it
//! is full, when its records are of more than a day, or when the server starts anew; then it gets an
//! *index* (`contents`) by subject and by client. A closed segment can be *dropped* when it is old: its head
//! stays and says so.
//!
//! The rules:
//! - [`FileAuditLog::record`](AuditLog::record) returns when its record is written, so that it
//!   outlives the process; a few times a second what was written is synced, so that it outlives the
//!   power.
//! - Many records a write: a caller adds its record to the open batch, lets the other tasks of its
//!   worker add theirs, and then whoever comes first writes the batch and answers for all.
//! - A batch is written whole or not at all. When a write fails, everybody in the batch hears of it,
//!   the file is cut back, and the next batch tries again. The numbers (`seq`) of the lost records
//!   are left out; they count the records of one start.
//! - A seal is the HMAC-SHA256 of the seal before it and of the bytes since. The first of a segment
//!   continues from the segment's number, and its header repeats the last seal of the segment before.
//!   A few times a second the head of the newest one tells how far it is. So [`verify`] finds what was
//!   changed, removed, moved or cut off by whoever lacks the key, but for what was written since the last
//!   head, and for one who puts back files, heads among them, as they once were.
//! - A line's number is never written. Its pseudonym is the first half of the HMAC-SHA256, under the log's
//!   key, of the line's identifier and a key of its own ([`SubjectKey`]): with all the records are found
//!   ([`AuditKey::pseudonym`]), and when its own is destroyed nobody can find them any more.

mod contents;
mod head;
mod read;
mod record;
mod verify;

use std::{
    collections::BTreeMap,
    fmt,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use attache_core::{
    AuditError, AuditLog, AuditRecord, Health, LegalBasis, LineId, PublisherName, Purpose, SubjectKey, Subjects,
    Timestamp,
};
use aws_lc_rs::hmac;
use contents::Contents;
use head::{Head, State};
pub use read::{AuditFilter, AuditPage, Position, PositionError};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use verify::Scan;
pub use verify::{Cut, Finding, SegmentReport, Verification, VerifyError, verify};

use crate::trouble::Trouble;

/// A segment that has grown to this many bytes is followed by a new one.
const SEGMENT_BYTES: u64 = 64 << 20;

/// How long what was written waits to be synced.
const SYNC_INTERVAL: Duration = Duration::from_millis(250);

/// A segment whose records are of more than this time is followed by a new one, so that what is dropped
/// for its age is not much older than it must be.
const SEGMENT_TIME: Duration = Duration::from_hours(24);

/// How a line of the log that is a seal begins.
const SEAL: &str = r#"{"seal":""#;

/// What the log is written and read with: a key for the seals, one for the heads, one for the pseudonyms.
#[derive(Clone)]
pub struct AuditKey {
    seals: hmac::Key,
    heads: hmac::Key,
    pseudonyms: hmac::Key,
}

impl AuditKey {
    /// The key of this secret, which should have 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, label).as_ref());
        Self {
            seals: derive(b"attache audit seals"),
            heads: derive(b"attache audit heads"),
            pseudonyms: derive(b"attache audit pseudonyms"),
        }
    }

    /// What the log calls a line, which has this key.
    #[must_use]
    pub fn pseudonym(&self, line: LineId, subject: SubjectKey) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.pseudonyms);
        context.update(line.as_bytes());
        context.update(subject.as_bytes());
        let tag = context.sign();
        let mut half = [0; 16];
        half.copy_from_slice(&tag.as_ref()[..16]);
        Pseudonym(half)
    }

    /// Where the chain of a segment begins.
    fn root(&self, segment: u64) -> Seal {
        self.seal(&Seal::default(), &segment.to_be_bytes())
    }

    fn seal(&self, previous: &Seal, bytes: &[u8]) -> Seal {
        let mut context = hmac::Context::with_key(&self.seals);
        context.update(&previous.0);
        context.update(bytes);
        Seal::of(&context.sign())
    }

    fn seal_of_head(&self, bytes: &[u8]) -> Seal {
        Seal::of(&hmac::sign(&self.heads, bytes))
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey(…)")
    }
}

/// What the log calls a line. It prints and parses as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pseudonym([u8; 16]);

/// A text that is no pseudonym.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a pseudonym: 32 hexadecimal digits in lower case are needed, as the field subject of a record has them")]
pub struct PseudonymError;

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Pseudonym {
    type Err = PseudonymError;

    fn from_str(text: &str) -> Result<Self, PseudonymError> {
        let is_lower_case = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        from_hex(text.as_bytes()).filter(|_| is_lower_case).map(Self).ok_or(PseudonymError)
    }
}

/// The HMAC that ends a batch. All zero: there is none yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Seal([u8; 32]);

impl Seal {
    fn of(tag: &hmac::Tag) -> Self {
        let mut seal = Self::default();
        seal.0.copy_from_slice(tag.as_ref());
        seal
    }

    fn push_to(self, bytes: &mut Vec<u8>) {
        push_hex(bytes, &self.0);
    }

    fn from_hex(text: &[u8]) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

impl Serialize for Seal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Vec::with_capacity(64);
        self.push_to(&mut text);
        serializer.collect_str(&String::from_utf8_lossy(&text))
    }
}

impl<'de> Deserialize<'de> for Seal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_hex(text.as_bytes()).ok_or_else(|| D::Error::custom("no seal"))
    }
}

/// What was dropped for its age.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// How many segments.
    pub segments: u64,
    /// How many records they had.
    pub records: u64,
}

/// The audit log in a directory.
///
/// Dropping it writes and syncs what is left.
pub struct FileAuditLog {
    directory: PathBuf,
    shared: Arc<Shared>,
    subjects: Arc<dyn Subjects>,
    syncer: Option<JoinHandle<()>>,
}

/// What the callers and the syncer share. Whoever needs both locks takes `segment` first.
#[derive(Debug)]
struct Shared {
    key: AuditKey,
    open: Mutex<Batch>,
    segment: Mutex<Segment>,
    /// One looks after the files at a time.
    caring: Mutex<()>,
    stopped: Mutex<bool>,
    stop: Condvar,
    trouble: Trouble,
}

/// The records that the next write carries.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    contents: Contents,
    /// The number of the record that was added last, in this batch or before it.
    sequence: u64,
    outcome: Arc<Outcome>,
}

/// What became of a batch: unset as long as it is open.
type Outcome = OnceLock<Result<(), Arc<io::Error>>>;

/// The file that is written to.
#[derive(Debug)]
struct Segment {
    directory: PathBuf,
    limit: u64,
    number: u64,
    file: Arc<File>,
    /// The last seal of the segment before.
    previous: Seal,
    /// How many good bytes the file has.
    length: u64,
    contents: Contents,
    last_seal: Seal,
    /// How many bytes the head tells that the file has.
    told: u64,
    /// The heads and the contents of segments that ended since it was last looked after the files.
    ended: Vec<(Head, Contents)>,
    /// Nothing more can go into this file: it is full, or a bad write could not be taken back.
    closed: bool,
    /// The files that have been written to since they were last synced.
    unsynced: Vec<Arc<File>>,
    /// Why what was written may not outlive the power; the next batch is told.
    sync_failure: Option<io::Error>,
    /// The buffers of the batch before, to be used again.
    spare: (Vec<u8>, Contents),
}

impl FileAuditLog {
    /// Opens the log in `directory`, makes it when it does not exist, and begins a new segment: one after `known`,
    /// the segment that was begun by the start before this one, as it is remembered elsewhere (0: there was none).
    /// So a log that was removed in between is missed.
    pub fn open(directory: &Path, key: AuditKey, subjects: Arc<dyn Subjects>, known: u64) -> io::Result<Self> {
        Self::open_with_limit(directory, key, subjects, known, SEGMENT_BYTES)
    }

    /// The number of the segment that is written to.
    #[must_use]
    pub fn segment(&self) -> u64 {
        lock(&self.shared.segment).number
    }

    fn open_with_limit(
        directory: &Path,
        key: AuditKey,
        subjects: Arc<dyn Subjects>,
        known: u64,
        limit: u64,
    ) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory)?;
        let last = numbered(directory, "jsonl")?.pop_last();
        let last_head = numbered(directory, "head")?.pop_last();
        let number = last.iter().chain(&last_head).map(|(number, _)| *number).fold(known, u64::max);
        let head = Head::read(directory, number, &key)?;
        let last_seal = match last {
            Some((last, path)) if last == number => last_seal(&path)?.unwrap_or_else(|| key.root(number)),
            // Only its head tells of one that was dropped, or that the server before this one could not begin.
            Some(_) | None => head.good().map_or(Seal::default(), |head| head.last),
        };
        // One that is closed was followed by another. What is missing here must be missed for ever.
        let is_followed = head.good().is_some_and(|head| head.state != State::Open);
        let next = number + if is_followed { 2 } else { 1 };
        let segment = Segment::create(directory, limit, next, last_seal, &key)?;
        let shared = Arc::new(Shared {
            key,
            open: Mutex::default(),
            segment: Mutex::new(segment),
            caring: Mutex::default(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
            trouble: Trouble::with("the audit log"),
        });
        let syncer = std::thread::Builder::new().name("audit-syncer".into()).spawn({
            let (shared, directory) = (Arc::clone(&shared), directory.to_owned());
            move || {
                // What cannot be done now will be at the next start, and is needed for nothing but speed.
                let _ = shared.close_what_was_left(&directory, number);
                shared.sync_until_stopped();
            }
        })?;
        Ok(Self { directory: directory.to_owned(), shared, subjects, syncer: Some(syncer) })
    }
}

/// Reading it, and keeping it small. All of this reads files, and so blocks.
impl FileAuditLog {
    /// What the log calls a line; `None` when the line is gone.
    #[must_use]
    pub fn pseudonym(&self, line: LineId) -> Option<Pseudonym> {
        self.subjects.subject_key(line).map(|key| self.shared.key.pseudonym(line, key))
    }

    /// The newest `limit` records that pass the filter; with `after`, those that come after it in this
    /// order.
    pub fn page(&self, filter: &AuditFilter, after: Option<Position>, limit: usize) -> io::Result<AuditPage> {
        read::page(&self.directory, &self.shared.key, filter, after, limit)
    }

    /// Calls `each` with every record that passes the filter, oldest first, until it fails.
    pub fn each(&self, filter: &AuditFilter, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        read::each(&self.directory, &self.shared.key, filter, each)
    }

    /// Drops the segments all of whose records are from before `cutoff`, and keeps their heads.
    pub fn retain(&self, cutoff: Timestamp) -> io::Result<Dropped> {
        lock(&self.shared.segment).end_if_older(cutoff, &self.shared.key)?;
        self.shared.sync();
        let current = lock(&self.shared.segment).number;
        self.shared.close_what_was_left(&self.directory, current - 1)?;
        let _caring = lock(&self.shared.caring);
        let mut dropped = Dropped::default();
        for (segment, path) in numbered(&self.directory, "jsonl")?.range(..current) {
            let Some(head) = Head::read(&self.directory, *segment, &self.shared.key)?.good() else { continue };
            let is_old = head.times.is_none_or(|(_, newest)| newest < cutoff);
            match head.state {
                State::Closed if is_old => {
                    dropped.segments += 1;
                    dropped.records += head.records;
                    // First, so that a file that is gone is told from one that was taken away.
                    Head { state: State::Dropped, ..head }.write(&self.directory, &self.shared.key)?;
                }
                // The server ended before its file was gone.
                State::Dropped => {}
                State::Closed | State::Open => continue,
            }
            let index = contents::index_path(&self.directory, *segment);
            if index.exists() {
                std::fs::remove_file(index)?;
            }
            std::fs::remove_file(path)?;
        }
        Ok(dropped)
    }
}

#[async_trait]
impl AuditLog for FileAuditLog {
    async fn record(&self, record: AuditRecord<'_>) -> Result<(), AuditError> {
        // A line that is gone has no pseudonym any more.
        let subject = record.subject.and_then(|line| self.pseudonym(line));
        let outcome = lock(&self.shared.open).add(&record, subject);
        // The other tasks that are ready on this worker add their records before this one goes on.
        tokio::task::yield_now().await;
        self.shared.settle(&outcome).map_err(AuditError)
    }
}

impl Health for FileAuditLog {
    fn is_writable(&self) -> bool {
        !self.shared.trouble.is_now()
    }
}

impl Drop for FileAuditLog {
    fn drop(&mut self) {
        *lock(&self.shared.stopped) = true;
        self.shared.stop.notify_all();
        if let Some(syncer) = self.syncer.take() {
            // It ends by itself, and there is nobody left to tell of a panic.
            let _ = syncer.join();
        }
    }
}

impl Shared {
    /// Waits for the outcome of a batch, and writes it when nobody has yet.
    fn settle(&self, outcome: &Outcome) -> Result<(), Arc<io::Error>> {
        if let Some(outcome) = outcome.get() {
            return outcome.clone();
        }
        let mut segment = lock(&self.segment);
        if let Some(outcome) = outcome.get() {
            return outcome.clone();
        }
        // Batches are taken and settled under this lock: one that is not settled is the open one.
        self.write_open_batch(&mut segment)
    }

    fn write_open_batch(&self, segment: &mut Segment) -> Result<(), Arc<io::Error>> {
        let mut batch = {
            let mut open = lock(&self.open);
            let (bytes, contents) = std::mem::take(&mut segment.spare);
            let next = Batch { bytes, contents, sequence: open.sequence, outcome: Arc::default() };
            std::mem::replace(&mut *open, next)
        };
        let result = segment.append(&mut batch, &self.key).map_err(Arc::new);
        match &result {
            Ok(()) => self.trouble.succeeded(),
            Err(cause) => self.trouble.failed(cause),
        }
        batch.bytes.clear();
        batch.contents.clear();
        segment.spare = (batch.bytes, batch.contents);
        // Set here and nowhere else, so it was unset.
        let _ = batch.outcome.set(result.clone());
        result
    }

    fn sync_until_stopped(&self) {
        loop {
            let mut stopped = lock(&self.stopped);
            if !*stopped {
                stopped = self.stop.wait_timeout(stopped, SYNC_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
            }
            let is_last = *stopped;
            drop(stopped);
            self.sync();
            if is_last {
                return;
            }
        }
    }

    /// Writes what callers left behind who stopped waiting, syncs what was written, and tells in the
    /// heads how far it is.
    fn sync(&self) {
        let _caring = lock(&self.caring);
        let (unsynced, ended, head) = {
            let mut segment = lock(&self.segment);
            if lock(&self.open).contents.records > 0 {
                // Who waits for these records hears of a failure by the outcome.
                let _ = self.write_open_batch(&mut segment);
            }
            // In trouble it is written for itself: that it can be tells that it is over.
            let head = Some(segment.head()).filter(|head| head.bytes != segment.told || self.trouble.is_now());
            (std::mem::take(&mut segment.unsynced), std::mem::take(&mut segment.ended), head)
        };
        let directory = lock(&self.segment).directory.clone();
        for file in unsynced {
            if let Err(cause) = file.sync_data() {
                let mut segment = lock(&self.segment);
                segment.sync_failure = Some(cause);
                // After a failed sync the system may have dropped what it could not write.
                segment.closed = true;
            }
        }
        // What a full disk hinders is tried again: a head at the next turn, a closed segment at the next start.
        for (head, contents) in ended {
            let _ = close(&directory, head, &contents, &self.key);
        }
        if let Some(head) = head
            && head.write(&directory, &self.key).is_ok()
        {
            self.trouble.succeeded();
            let mut segment = lock(&self.segment);
            if segment.number == head.segment {
                segment.told = head.bytes;
            }
        }
    }

    /// Closes the segments until this one that servers before this one left open.
    fn close_what_was_left(&self, directory: &Path, last: u64) -> io::Result<()> {
        let _caring = lock(&self.caring);
        for segment in numbered(directory, "jsonl")?.range(..=last).map(|(segment, _)| *segment) {
            if let Some(head) = Head::read(directory, segment, &self.key)?.good()
                && (head.state == State::Open
                    || (head.state == State::Closed && !contents::index_path(directory, segment).exists()))
            {
                close_by_scan(directory, head, &self.key)?;
            }
        }
        Ok(())
    }
}

/// Gives a segment to which nothing is added any more its index and its last head.
fn close(directory: &Path, head: Head, contents: &Contents, key: &AuditKey) -> io::Result<()> {
    head::replace(&contents::index_path(directory, head.segment), &contents.index())?;
    Head { state: State::Closed, ..head }.write(directory, key)
}

/// Closes a segment that an earlier server left. One that does not have what its head says is left as it is,
/// for [`verify`] to tell.
fn close_by_scan(directory: &Path, head: Head, key: &AuditKey) -> io::Result<()> {
    let path = directory.join(format!("{:010}.jsonl", head.segment));
    let scan = Scan::of(&path, head.segment, key)?;
    if !scan.altered.is_empty() || !scan.agrees_with(&head) {
        return Ok(());
    }
    let Scan { last, bytes, contents, .. } = scan;
    let head = Head { last, bytes, records: contents.records, times: contents.times, ..head };
    close(directory, head, &contents, key)
}

impl Batch {
    fn add(&mut self, record: &AuditRecord<'_>, subject: Option<Pseudonym>) -> Arc<Outcome> {
        self.sequence += 1;
        self.contents.add(record.at, subject, record.client_id, self.bytes.len() as u64);
        let bytes = &mut self.bytes;
        // Writing to memory cannot fail.
        let _ = write!(bytes, r#"{{"seq":{},"at":"{}","event":"{}"#, self.sequence, record.at, record.event.name());
        push_field(bytes, "publisher", record.publisher.map(PublisherName::as_str));
        push_field(bytes, "client_id", record.client_id);
        push_field(bytes, "action", Some(record.action).filter(|action| !action.is_empty()));
        if let Some(subject) = subject {
            bytes.extend_from_slice(br#"","subject":""#);
            push_hex(bytes, &subject.0);
        }
        push_field(bytes, "purpose", record.purpose.map(Purpose::as_str));
        push_field(bytes, "legal_basis", record.legal_basis.map(LegalBasis::as_str));
        if let Some(subscription) = record.subscription {
            let _ = write!(bytes, r#"","subscription":"{subscription}"#);
        }
        push_field(bytes, "correlator", record.correlator);
        push_field(bytes, "outcome", Some(record.outcome));
        bytes.push(b'"');
        for (scope, before) in
            record.scopes.iter().zip(std::iter::once(r#","scopes":[""#).chain(std::iter::repeat(r#"",""#)))
        {
            bytes.extend_from_slice(before.as_bytes());
            push_escaped(bytes, scope.as_str());
        }
        if !record.scopes.is_empty() {
            bytes.extend_from_slice(b"\"]");
        }
        if let Some(count) = record.count {
            let _ = write!(bytes, r#","count":{count}"#);
        }
        bytes.extend_from_slice(b"}\n");
        Arc::clone(&self.outcome)
    }

    fn end(&mut self, seal: Seal, records: u64) {
        self.bytes.extend_from_slice(SEAL.as_bytes());
        seal.push_to(&mut self.bytes);
        // Writing to memory cannot fail.
        let _ = writeln!(self.bytes, r#"","records":{records}}}"#);
    }
}

impl Segment {
    /// Begins a segment with its header, which binds it to the one before. Its head comes first, so that no file
    /// is ever without one.
    fn create(directory: &Path, limit: u64, number: u64, previous: Seal, key: &AuditKey) -> io::Result<Self> {
        Head::of_nothing(number, previous, key).write(directory, key)?;
        let mut options = OpenOptions::new();
        options.create_new(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let path = directory.join(format!("{number:010}.jsonl"));
        let file = options.open(&path)?;
        let mut segment = Self {
            directory: directory.to_owned(),
            limit,
            number,
            file: Arc::new(file),
            previous,
            length: 0,
            contents: Contents::default(),
            last_seal: key.root(number),
            told: 0,
            ended: Vec::new(),
            closed: false,
            unsynced: Vec::new(),
            sync_failure: None,
            spare: Default::default(),
        };
        let mut header = Batch::default();
        header.bytes.extend_from_slice(format!(r#"{{"segment":{number},"previous":""#).as_bytes());
        previous.push_to(&mut header.bytes);
        header.bytes.extend_from_slice(b"\"}\n");
        // The name must outlive the power as well, not only the bytes.
        let written = segment.append(&mut header, key).and_then(|()| {
            segment.head().write(directory, key)?;
            File::open(directory)?.sync_all()
        });
        if written.is_err() {
            // Otherwise the next attempt at this number would find it taken.
            let _ = std::fs::remove_file(&path);
        }
        written.map(|()| segment)
    }

    /// Seals a batch and writes it, whole or not at all.
    fn append(&mut self, batch: &mut Batch, key: &AuditKey) -> io::Result<()> {
        if let Some(cause) = self.sync_failure.take() {
            return Err(cause);
        }
        if self.closed {
            self.end(key)?;
        }
        let seal = key.seal(&self.last_seal, &batch.bytes);
        batch.end(seal, batch.contents.records);
        if let Err(cause) = (&*self.file).write_all(&batch.bytes) {
            self.take_back();
            return Err(cause);
        }
        self.contents.append(&mut batch.contents, self.length);
        self.length += batch.bytes.len() as u64;
        self.last_seal = seal;
        let is_of_days = self.contents.times.is_some_and(|(oldest, newest)| oldest.plus(SEGMENT_TIME) <= newest);
        self.closed = self.length >= self.limit || is_of_days;
        if self.unsynced.last().is_none_or(|last| !Arc::ptr_eq(last, &self.file)) {
            self.unsynced.push(Arc::clone(&self.file));
        }
        Ok(())
    }

    /// Goes on in a new file.
    fn end(&mut self, key: &AuditKey) -> io::Result<()> {
        let next = Self::create(&self.directory, self.limit, self.number + 1, self.last_seal, key)?;
        let mut ended = std::mem::replace(self, next);
        self.unsynced.append(&mut ended.unsynced);
        self.ended = std::mem::take(&mut ended.ended);
        self.ended.push((ended.head(), std::mem::take(&mut ended.contents)));
        Ok(())
    }

    /// Goes on in a new file when all records of this one are from before `cutoff`.
    fn end_if_older(&mut self, cutoff: Timestamp, key: &AuditKey) -> io::Result<()> {
        if self.contents.times.is_some_and(|(_, newest)| newest < cutoff) { self.end(key) } else { Ok(()) }
    }

    fn head(&self) -> Head {
        Head {
            segment: self.number,
            state: State::Open,
            previous: self.previous,
            last: self.last_seal,
            bytes: self.length,
            records: self.contents.records,
            times: self.contents.times,
        }
    }

    /// Cuts half a write off. What cannot be cut off stays behind as an unsealed end, and nothing is
    /// put after it.
    fn take_back(&mut self) {
        self.closed = self.file.set_len(self.length).is_err();
    }
}

/// The files of a log with this extension by number.
fn numbered(directory: &Path, extension: &str) -> io::Result<BTreeMap<u64, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in directory.read_dir()? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        // No other name of the same number: nobody would read it, so nobody may vouch for it.
        let is_named = |number: &u64| path.file_name() == Some(format!("{number:010}.{extension}").as_ref());
        if let Some(number) = number.filter(is_named) {
            files.insert(number, path);
        }
    }
    Ok(files)
}

/// The last seal of a segment, which the next one continues; `None` if it has none.
fn last_seal(path: &Path) -> io::Result<Option<Seal>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    // A batch is a few hundred records at most; only after a strange end is the whole file read.
    for tail in [length.min(1 << 20), length] {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(length - tail))?;
        file.read_to_end(&mut bytes)?;
        if let Some(seal) = bytes.split_inclusive(|byte| *byte == b'\n').rev().find_map(seal_of) {
            return Ok(Some(seal));
        }
    }
    Ok(None)
}

/// The seal in a line that is one, whole to its end. A record never begins like one.
fn seal_of(line: &[u8]) -> Option<Seal> {
    line.ends_with(b"}\n").then_some(())?;
    Seal::from_hex(line.strip_prefix(SEAL.as_bytes())?.get(..64)?)
}

/// Which seal the header of a segment continues.
fn previous_of(header: &[u8]) -> Option<Seal> {
    let end = header.strip_suffix(b"\"}\n")?;
    Seal::from_hex(end.get(end.len().checked_sub(64)?..)?)
}

/// Appends a text after one whose quotes are still open, and leaves its own so.
fn push_field(bytes: &mut Vec<u8>, name: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    bytes.extend_from_slice(br#"",""#);
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(br#"":""#);
    push_escaped(bytes, text);
}

/// Appends what stands between the quotes of a JSON string (RFC 8259 section 7).
fn push_escaped(bytes: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(index) = rest.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\')) {
        bytes.extend_from_slice(&rest[..index]);
        match rest[index] {
            special @ (b'"' | b'\\') => bytes.extend_from_slice(&[b'\\', special]),
            control => {
                bytes.extend_from_slice(br"\u00");
                push_hex(bytes, &[control]);
            }
        }
        rest = &rest[index + 1..];
    }
    bytes.extend_from_slice(rest);
}

fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn push_hex(bytes: &mut Vec<u8>, binary: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.extend(binary.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

/// A panic elsewhere leaves nothing half-done here: every change under these locks is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use attache_core::{AuditEvent, Id, LegalBasis, LineId, PublisherName, Purpose, Scope, Timestamp};
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    /// Knows the keys of two lines.
    struct TwoLines;

    impl Subjects for TwoLines {
        fn subject_key(&self, line: LineId) -> Option<SubjectKey> {
            matches!(line.as_bytes()[0], 1 | 2).then(|| SubjectKey::from_bytes([line.as_bytes()[0]; 8]))
        }
    }

    fn line(first: u8) -> LineId {
        LineId::from_bytes([first; 16])
    }

    fn open(directory: &Path) -> FileAuditLog {
        FileAuditLog::open(directory, key(), Arc::new(TwoLines), 0).unwrap()
    }

    fn key() -> AuditKey {
        AuditKey::new(b"a key for the tests")
    }

    fn at() -> Timestamp {
        Timestamp::from_unix_nanoseconds(1_700_000_000_123_456_789)
    }

    async fn record(log: &FileAuditLog, correlator: &str) -> Result<(), AuditError> {
        log.record(AuditRecord {
            publisher: Some(&PublisherName::new_static("camara")),
            client_id: Some("shop"),
            action: "/device-roaming-status/v1/retrieve",
            subject: Some(line(1)),
            scopes: &[Scope::new_static("device-roaming-status:read"), Scope::new_static("openid")],
            purpose: Some(&Purpose::new_static("dpv:FraudPreventionAndDetection")),
            legal_basis: Some(LegalBasis::Consent),
            correlator: Some(correlator),
            ..AuditRecord::new(at(), AuditEvent::Query, "answered")
        })
        .await
    }

    /// A log with one segment of these records, each in a batch of its own.
    async fn log_of(correlators: &[&str]) -> TempDir {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        for correlator in correlators {
            record(&log, correlator).await.unwrap();
        }
        directory
    }

    fn segment(directory: &TempDir, number: u64) -> PathBuf {
        directory.path().join(format!("{number:010}.jsonl"))
    }

    fn head(directory: &TempDir, number: u64) -> PathBuf {
        directory.path().join(format!("{number:010}.head"))
    }

    /// So many days after the first records of the tests.
    fn after(days: u64) -> Timestamp {
        at().plus(Duration::from_hours(24 * days))
    }

    async fn record_at(log: &FileAuditLog, day: u64, subject: u8, client: &str) {
        let record = AuditRecord {
            publisher: Some(&PublisherName::new_static("camara")),
            client_id: Some(client),
            subject: Some(line(subject)),
            ..AuditRecord::new(after(day), AuditEvent::Query, "answered")
        };
        log.record(record).await.unwrap();
    }

    fn lines(directory: &TempDir, number: u64) -> Vec<String> {
        let text = std::fs::read_to_string(segment(directory, number)).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    fn records(directory: &TempDir, number: u64) -> Vec<serde_json::Value> {
        let lines = lines(directory, number);
        let values = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        values.filter(|value| value.get("seq").is_some()).collect()
    }

    fn findings(directory: &TempDir) -> Vec<Finding> {
        let segments = verify(directory.path(), &key()).unwrap().segments;
        segments.into_iter().flat_map(|segment| segment.findings).collect()
    }

    #[tokio::test]
    async fn a_record_is_one_line_of_json() {
        let directory = log_of(&["c-1"]).await;
        let [value] = &records(&directory, 1)[..] else { panic!("one record") };
        let expected = serde_json::json!({
            "seq": 1,
            "at": "2023-11-14T22:13:20.123456789Z",
            "event": "query",
            "publisher": "camara",
            "client_id": "shop",
            "action": "/device-roaming-status/v1/retrieve",
            "subject": key().pseudonym(line(1), SubjectKey::from_bytes([1; 8])).to_string(),
            "purpose": "dpv:FraudPreventionAndDetection",
            "legal_basis": "consent",
            "correlator": "c-1",
            "outcome": "answered",
            "scopes": ["device-roaming-status:read", "openid"],
        });
        assert_eq!(*value, expected);
    }

    #[tokio::test]
    async fn a_record_tells_which_subscription_and_how_many() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        let told = AuditRecord {
            subscription: Some(Id::from_bytes([7; 16])),
            ..AuditRecord::new(at(), AuditEvent::Delivery, "delivered")
        };
        let counted = AuditRecord {
            scopes: &[Scope::new_static("a")],
            count: Some(3),
            ..AuditRecord::new(at(), AuditEvent::TokenRevoked, "revoked")
        };
        for record in [told, counted] {
            log.record(record).await.unwrap();
        }
        let [told, counted] = &records(&directory, 1)[..] else { panic!("two records") };
        assert_eq!(told["subscription"], "07070707-0707-0707-0707-070707070707");
        assert_eq!((&counted["scopes"], &counted["count"]), (&json!(["a"]), &json!(3)));
        drop(log);
        assert_eq!(findings(&directory), []);
    }

    #[tokio::test]
    async fn what_a_record_does_not_know_is_not_in_it() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        let nothing = AuditRecord::new(at(), AuditEvent::TokenRefused, "invalid_client");
        log.record(AuditRecord { subject: Some(line(3)), ..nothing }).await.unwrap();
        log.record(AuditRecord { scopes: &[Scope::new_static("a")], ..nothing }).await.unwrap();
        let common = |seq: u8| {
            json!({
                "seq": seq, "at": "2023-11-14T22:13:20.123456789Z", "event": "token_refused", "outcome": "invalid_client",
            })
        };
        let (without, mut with) = (common(1), common(2));
        with["scopes"] = json!(["a"]);
        assert_eq!(records(&directory, 1), [without, with], "a line that is gone has no pseudonym");
    }

    #[test]
    fn a_pseudonym_hangs_on_the_line_on_its_key_and_on_that_of_the_log() {
        let pseudonym =
            |log: &[u8], id: u8, own: u8| AuditKey::new(log).pseudonym(line(id), SubjectKey::from_bytes([own; 8]));
        assert_eq!(pseudonym(b"a", 1, 1), pseudonym(b"a", 1, 1));
        assert_ne!(pseudonym(b"a", 1, 1), pseudonym(b"b", 1, 1));
        assert_ne!(pseudonym(b"a", 1, 1), pseudonym(b"a", 2, 1));
        assert_ne!(pseudonym(b"a", 1, 1), pseudonym(b"a", 1, 2));
        let text = pseudonym(b"a", 1, 1).to_string();
        assert_eq!(text.parse(), Ok(pseudonym(b"a", 1, 1)));
        for wrong in ["", "a", &text[1..], &text.to_uppercase(), "+33699901032"] {
            assert_eq!(wrong.parse::<Pseudonym>(), Err(PseudonymError), "{wrong}");
        }
    }

    #[tokio::test]
    async fn foreign_text_stays_inside_its_field() {
        let foreign = "\"},\n{\"seal\":\"\\ \u{1}\u{1f}\t\u{7f}ü\u{2028}😀\r";
        let directory = log_of(&[foreign]).await;
        assert_eq!(records(&directory, 1)[0]["correlator"], foreign);
        assert_eq!(lines(&directory, 1).len(), 4);
        assert_eq!(findings(&directory), []);
    }

    #[test]
    fn every_character_is_escaped_as_json_wants_it() {
        let text: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let mut bytes = b"\"".to_vec();
        push_escaped(&mut bytes, &text);
        bytes.push(b'"');
        assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), text);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_records_at_once_are_all_there_in_the_order_of_their_numbers() {
        let directory = TempDir::new().unwrap();
        let log = Arc::new(open(directory.path()));
        let tasks = (0..100).map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for index in 0..20 {
                    record(&log, &format!("{task}-{index}")).await.unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let records = records(&directory, 1);
        let numbers: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=2000).collect::<Vec<_>>());
        let seals = lines(&directory, 1).len() - 2001;
        assert!(seals < 1000, "{seals} seals: records must share their writes");
        let report = &verify(directory.path(), &key()).unwrap().segments[0];
        assert_eq!((report.records, report.cut, &report.findings[..]), (2000, None, [].as_slice()));
    }

    #[tokio::test]
    async fn a_record_is_in_the_file_when_it_was_acknowledged() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        record(&log, "c-1").await.unwrap();
        assert_eq!(records(&directory, 1).len(), 1);
    }

    #[tokio::test]
    async fn whatever_is_done_to_a_sealed_line_is_found() {
        type Deed = fn(&mut Vec<String>);
        let deeds: [(&str, Deed); 9] = [
            ("changed", |lines| lines[4] = lines[4].replace("answered", "unknown_line")),
            ("a seal changed", |lines| lines[5] = lines[5].replace("\"records\":1", "\"records\":2")),
            ("removed with its seal", |lines| drop(lines.drain(4..6))),
            ("removed without its seal", |lines| drop(lines.remove(4))),
            ("its seal removed", |lines| drop(lines.remove(5))),
            ("reordered with their seals", |lines| lines[2..6].rotate_left(2)),
            ("reordered without their seals", |lines| lines.swap(2, 4)),
            ("added", |lines| lines.insert(4, lines[2].clone())),
            ("the header changed", |lines| lines[0] = lines[0].replace("\"segment\":1", "\"segment\":9")),
        ];
        for (name, deed) in deeds {
            let directory = log_of(&["c-1", "c-2", "c-3"]).await;
            assert_eq!(findings(&directory), [], "{name}");
            let mut lines = lines(&directory, 1);
            deed(&mut lines);
            std::fs::write(segment(&directory, 1), lines.concat()).unwrap();
            assert!(matches!(findings(&directory)[..], [Finding::Altered { .. }]), "{name}");
        }
    }

    #[tokio::test]
    async fn another_key_vouches_for_nothing() {
        let directory = log_of(&["c-1"]).await;
        assert!(!verify(directory.path(), &AuditKey::new(b"another")).unwrap().is_intact());
    }

    #[tokio::test]
    async fn an_end_that_was_cut_off_in_a_write_is_told_and_tolerated() {
        let directory = log_of(&["c-1", "c-2"]).await;
        let path = segment(&directory, 1);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole, b"{\"seq\":3,\"at\":\"20".as_slice()].concat()).unwrap();
        // The next start goes on after the last good seal.
        drop(open(directory.path()));
        let verification = verify(directory.path(), &key()).unwrap();
        assert!(verification.is_intact(), "{verification:?}");
        assert_eq!(verification.segments[0].records, 2);
        assert_eq!(verification.segments[0].cut, Some(Cut { line: 7, bytes: 17 }));
    }

    #[tokio::test]
    async fn what_is_cut_from_a_segment_that_another_follows_is_found() {
        let directory = log_of(&["c-1", "c-2"]).await;
        drop(open(directory.path()));
        assert_eq!(findings(&directory), []);
        std::fs::write(segment(&directory, 1), lines(&directory, 1)[..4].concat()).unwrap();
        assert_eq!(findings(&directory), [Finding::CutOff { last_line: 4, records: 1 }, Finding::PreviousSegmentCut]);
    }

    #[tokio::test]
    async fn a_newest_segment_that_was_removed_with_its_head_is_found_and_the_next_start_does_not_hide_it() {
        let directory = log_of(&["c-1"]).await;
        drop(open(directory.path()));
        assert_eq!(findings(&directory), []);
        for path in [segment(&directory, 2), head(&directory, 2)] {
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(findings(&directory), [Finding::NextMissing]);
        drop(open(directory.path()));
        assert_eq!(findings(&directory), [Finding::SegmentsMissing { after: 1 }]);
    }

    #[tokio::test]
    async fn a_log_that_was_removed_before_the_next_start_is_missed() {
        let directory = TempDir::new().unwrap();
        let log = FileAuditLog::open(directory.path(), key(), Arc::new(TwoLines), 2).unwrap();
        assert_eq!(log.segment(), 3);
        assert_eq!(findings(&directory), [Finding::SegmentsMissing { after: 0 }]);
    }

    #[tokio::test]
    async fn a_segment_that_lost_all_its_records_and_its_head_is_found() {
        let directory = log_of(&["c-1"]).await;
        std::fs::write(segment(&directory, 1), lines(&directory, 1)[..2].concat()).unwrap();
        std::fs::remove_file(head(&directory, 1)).unwrap();
        assert_eq!(findings(&directory), [Finding::HeadMissing]);
    }

    #[tokio::test]
    async fn a_server_that_was_killed_while_it_began_a_segment_has_lost_nothing() {
        for has_file in [false, true] {
            let directory = log_of(&["c-1"]).await;
            let last = lines(&directory, 1).last().unwrap()[9..73].to_owned();
            Head::of_nothing(2, Seal::from_hex(last.as_bytes()).unwrap(), &key())
                .write(directory.path(), &key())
                .unwrap();
            if has_file {
                std::fs::write(segment(&directory, 2), "{\"segm").unwrap();
            }
            assert_eq!(findings(&directory), [], "with a file: {has_file}");
            let log = open(directory.path());
            record(&log, "c-2").await.unwrap();
            drop(log);
            assert_eq!((findings(&directory), records(&directory, 3).len()), (vec![], 1), "with a file: {has_file}");
        }
    }

    #[tokio::test]
    async fn a_log_that_is_gone_is_not_as_it_was_written() {
        let directory = TempDir::new().unwrap();
        assert!(!verify(directory.path(), &key()).unwrap().is_intact());
    }

    #[tokio::test]
    async fn a_segment_by_another_name_is_missed() {
        let directory = log_of(&["c-1"]).await;
        std::fs::rename(segment(&directory, 1), directory.path().join("1.jsonl")).unwrap();
        assert_eq!(findings(&directory), [Finding::Removed { records: 1 }]);
    }

    #[tokio::test]
    async fn what_somebody_added_without_a_seal_is_no_record() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        record(&log, "c-1").await.unwrap();
        let mut file = OpenOptions::new().append(true).open(segment(&directory, 1)).unwrap();
        file.write_all(lines(&directory, 1)[2].replace("c-1", "c-9").as_bytes()).unwrap();
        assert_eq!(log.page(&AuditFilter::default(), None, 10).unwrap().records.len(), 1);
        let cut = verify(directory.path(), &key()).unwrap().segments[0].cut;
        assert_eq!(cut.map(|cut| cut.line), Some(5));
        // The server goes on writing after it.
        record(&log, "c-2").await.unwrap();
        assert!(matches!(findings(&directory)[..], [Finding::Altered { first_line: 5, .. }, ..]));
    }

    #[tokio::test]
    async fn a_segment_that_was_removed_is_found_with_its_head_or_without() {
        let directory = log_of(&["c-1"]).await;
        for _ in 0..3 {
            drop(open(directory.path()));
        }
        assert_eq!(findings(&directory), []);
        std::fs::remove_file(segment(&directory, 1)).unwrap();
        assert_eq!(findings(&directory), [Finding::Removed { records: 1 }]);
        std::fs::remove_file(head(&directory, 1)).unwrap();
        assert_eq!(findings(&directory), [Finding::SegmentsMissing { after: 0 }]);
        std::fs::remove_file(segment(&directory, 3)).unwrap();
        std::fs::remove_file(head(&directory, 3)).unwrap();
        assert_eq!(
            findings(&directory),
            [Finding::SegmentsMissing { after: 0 }, Finding::SegmentsMissing { after: 2 }]
        );
    }

    #[tokio::test]
    async fn what_is_cut_from_the_end_of_the_newest_segment_is_found() {
        for (left, last_line, records) in [(4, 4, 2), (6, 6, 1), (2, 2, 3), (0, 0, 3)] {
            let directory = log_of(&["c-1", "c-2", "c-3"]).await;
            std::fs::write(segment(&directory, 1), lines(&directory, 1)[..left].concat()).unwrap();
            assert_eq!(findings(&directory), [Finding::CutOff { last_line, records }]);
            // The next start does not make it good.
            drop(open(directory.path()));
            assert!(findings(&directory).contains(&Finding::CutOff { last_line, records }));
        }
    }

    #[tokio::test]
    async fn a_change_is_told_by_its_record_and_what_is_left_alone_is_not_accused() {
        let directory = log_of(&["c-1", "c-2", "c-3", "c-4", "c-5"]).await;
        let mut changed = lines(&directory, 1);
        changed[4] = changed[4].replace("c-2", "c-9");
        changed[8] = changed[8].replace("answered", "unknown_line");
        std::fs::write(segment(&directory, 1), changed.concat()).unwrap();
        let altered = |first_line, record| Finding::Altered {
            first_line,
            last_line: first_line + 1,
            records: Some((record, record)),
        };
        assert_eq!(findings(&directory), [altered(5, 2), altered(9, 4)]);
        assert_eq!(altered(5, 2).to_string(), "record 2 (lines 5 to 6) was changed, removed, added or moved");
        assert_eq!(verify(directory.path(), &key()).unwrap().segments[0].records, 3);
    }

    #[tokio::test]
    async fn a_head_or_an_index_that_was_changed_is_found() {
        type Deed = fn(&TempDir);
        let deeds: [(Deed, Finding); 4] = [
            (|directory| std::fs::remove_file(head(directory, 1)).unwrap(), Finding::HeadMissing),
            (|directory| std::fs::write(head(directory, 1), "{}").unwrap(), Finding::HeadAltered),
            (
                |directory| {
                    let text = std::fs::read_to_string(head(directory, 1)).unwrap();
                    std::fs::write(head(directory, 1), text.replace("closed", "dropped")).unwrap();
                },
                Finding::HeadAltered,
            ),
            (|directory| std::fs::write(contents::index_path(directory.path(), 1), "").unwrap(), Finding::IndexAltered),
        ];
        for (deed, finding) in deeds {
            let directory = log_of(&["c-1", "c-2"]).await;
            drop(open(directory.path()));
            assert_eq!(findings(&directory), []);
            deed(&directory);
            assert_eq!(findings(&directory), [finding]);
        }
    }

    #[tokio::test]
    async fn a_server_that_was_killed_left_a_segment_that_the_next_start_closes() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        record(&log, "c-1").await.unwrap();
        let killed = std::fs::read(segment(&directory, 1)).unwrap();
        let first_head = Head::read(directory.path(), 1, &key()).unwrap();
        drop(log);
        // As if the last head had not been written.
        std::fs::write(segment(&directory, 1), killed).unwrap();
        let first_head = first_head.good().expect("a segment has a head from its beginning");
        first_head.write(directory.path(), &key()).unwrap();
        assert_eq!(findings(&directory), []);
        drop(open(directory.path()));
        let closed = Head::read(directory.path(), 1, &key()).unwrap().good().expect("a good head");
        assert_eq!((closed.state, closed.records, closed.times), (State::Closed, 1, Some((at(), at()))));
        assert_eq!(findings(&directory), []);
    }

    #[tokio::test]
    async fn what_is_old_is_dropped_and_the_chain_still_holds() {
        let directory = TempDir::new().unwrap();
        for day in 0..3 {
            let log = open(directory.path());
            record_at(&log, day, 1, "shop").await;
            record_at(&log, day, 2, "bank").await;
        }
        let log = open(directory.path());
        assert_eq!(log.retain(after(1)).unwrap(), Dropped { segments: 1, records: 2 });
        assert_eq!(log.retain(after(1)).unwrap(), Dropped::default());
        assert!(!segment(&directory, 1).exists() && !contents::index_path(directory.path(), 1).exists());
        assert_eq!(log.page(&AuditFilter::default(), None, 10).unwrap().records.len(), 4);
        let verification = verify(directory.path(), &key()).unwrap();
        assert!(verification.is_intact(), "{verification:?}");
        assert_eq!((verification.segments[0].is_dropped, verification.segments[0].records), (true, 2));
        // Also the one that is written to goes when all of it is old.
        record_at(&log, 3, 1, "shop").await;
        assert_eq!(log.retain(after(9)).unwrap(), Dropped { segments: 3, records: 5 });
        assert_eq!(log.page(&AuditFilter::default(), None, 10).unwrap(), AuditPage::default());
        record_at(&log, 9, 1, "shop").await;
        drop(log);
        assert_eq!(findings(&directory), []);
        // Nobody else can drop one.
        std::fs::remove_file(segment(&directory, 5)).unwrap();
        assert_eq!(findings(&directory), [Finding::Removed { records: 1 }]);
    }

    #[tokio::test]
    async fn records_of_another_day_go_into_another_segment() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        for day in [0, 0, 1, 1, 5] {
            record_at(&log, day, 1, "shop").await;
        }
        // The one that shows that a day is over ends its segment.
        assert_eq!([1, 2].map(|number| records(&directory, number).len()), [3, 2]);
    }

    #[tokio::test]
    async fn records_are_found_by_subject_client_kind_and_time_page_by_page() {
        let directory = TempDir::new().unwrap();
        for day in 0..3 {
            let log = open(directory.path());
            for (subject, client) in [(1, "shop"), (2, "shop"), (1, "bank"), (3, "shop")] {
                record_at(&log, day, subject, client).await;
            }
        }
        // The newest segment has no index, the others have one.
        let log = open(directory.path());
        record_at(&log, 3, 1, "shop").await;
        log.shared.sync();
        let all = AuditFilter::default();
        let subject = log.pseudonym(line(1));
        let client = |name: &str| AuditFilter { client_id: Some(name.to_owned()), ..all.clone() };
        let table = [
            (all.clone(), 13),
            (AuditFilter { subject, ..all.clone() }, 7),
            (AuditFilter { subject: log.pseudonym(line(2)), ..all.clone() }, 3),
            (client("shop"), 10),
            (client("bank"), 3),
            (client("nobody"), 0),
            (AuditFilter { subject, ..client("bank") }, 3),
            (AuditFilter { event: Some(AuditEvent::Query), ..all.clone() }, 13),
            (AuditFilter { event: Some(AuditEvent::TokenIssued), ..all.clone() }, 0),
            (AuditFilter { publisher: Some(PublisherName::new_static("orange")), ..all.clone() }, 0),
            (AuditFilter { from: Some(after(1)), ..all.clone() }, 9),
            (AuditFilter { from: Some(after(1)), to: Some(after(2)), ..all.clone() }, 4),
            (AuditFilter { from: Some(after(1)), subject, ..client("shop") }, 3),
        ];
        for (filter, expected) in table {
            let mut exported = Vec::new();
            log.each(&filter, &mut |line| {
                exported.push(line.to_vec());
                Ok(())
            })
            .unwrap();
            assert_eq!(exported.len(), expected, "{filter:?}");
            exported.reverse();
            for limit in [1, 2, 5, 100] {
                let (mut listed, mut next) = (Vec::new(), None);
                loop {
                    let page = log.page(&filter, next, limit).unwrap();
                    assert!(page.records.len() <= limit && (page.next.is_none() || page.records.len() == limit));
                    listed.extend(page.records);
                    next = page.next.map(|next| next.to_string().parse::<Position>().unwrap());
                    if next.is_none() {
                        break;
                    }
                }
                assert_eq!(listed, exported, "{filter:?}, {limit} at a time");
            }
        }
        drop(log);
        assert_eq!(findings(&directory), []);
    }

    #[tokio::test]
    async fn one_segment_cannot_stand_for_another() {
        let directory = log_of(&["c-1"]).await;
        drop(open(directory.path()));
        std::fs::copy(segment(&directory, 1), segment(&directory, 2)).unwrap();
        assert!(matches!(findings(&directory)[..], [Finding::Altered { .. }]));
    }

    #[tokio::test]
    async fn a_full_segment_is_followed_by_a_new_one() {
        let directory = TempDir::new().unwrap();
        let log = FileAuditLog::open_with_limit(directory.path(), key(), Arc::new(TwoLines), 0, 2000).unwrap();
        for _ in 0..20 {
            record(&log, "c").await.unwrap();
        }
        drop(log);
        let verification = verify(directory.path(), &key()).unwrap();
        assert!(verification.is_intact(), "{verification:?}");
        assert!(verification.segments.len() > 2);
        assert_eq!(verification.segments.iter().map(|segment| segment.records).sum::<u64>(), 20);
    }

    #[tokio::test]
    async fn everybody_hears_of_a_write_that_fails_and_the_next_one_tries_again() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        record(&log, "c-1").await.unwrap();
        let good = {
            // A file that is not open for writing fails as a full disk does.
            let unwritable = Arc::new(File::open(segment(&directory, 1)).unwrap());
            std::mem::replace(&mut lock(&log.shared.segment).file, unwritable)
        };
        let (one, two) = tokio::join!(record(&log, "c-2"), record(&log, "c-3"));
        assert!(one.is_err() && two.is_err());
        // The bad write could not be cut off, so a new segment begins.
        record(&log, "c-4").await.unwrap();
        drop((log, good));
        let correlators = |number| -> Vec<_> {
            records(&directory, number).iter().map(|record| record["correlator"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!((correlators(1), correlators(2)), (vec!["c-1".to_owned()], vec!["c-4".to_owned()]));
        assert_eq!(findings(&directory), []);
    }

    #[tokio::test]
    async fn half_a_write_is_cut_off() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        record(&log, "c-1").await.unwrap();
        {
            let mut segment = lock(&log.shared.segment);
            let length = segment.length;
            (&*segment.file).write_all(b"{\"seq\":2,\"at\":\"20").unwrap();
            segment.take_back();
            assert_eq!((segment.file.metadata().unwrap().len(), segment.closed), (length, false));
        }
        record(&log, "c-2").await.unwrap();
        drop(log);
        assert_eq!(records(&directory, 1).len(), 2);
        assert_eq!(findings(&directory), []);
    }

    #[tokio::test]
    async fn a_record_whose_caller_stopped_waiting_is_written_all_the_same() {
        let directory = TempDir::new().unwrap();
        let log = open(directory.path());
        tokio::select! {
            biased;
            _ = record(&log, "c-1") => panic!("it yields first"),
            () = std::future::ready(()) => {}
        }
        drop(log);
        assert_eq!(records(&directory, 1).len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = TempDir::new().unwrap();
        let inner = directory.path().join("audit");
        let _log = open(&inner);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&inner.join("0000000001.jsonl"))), (0o700, 0o600));
    }
}
