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
mod key;
mod read;
mod record;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use attache_core::{
    AuditError, AuditLog, AuditRecord, Health, LegalBasis, LineId, PublisherName, Purpose, Subjects, Timestamp,
};
use contents::Contents;
use head::{Head, State};
pub use key::{AuditKey, Pseudonym, PseudonymError};
use key::{Seal, push_hex};
pub use read::{AuditFilter, AuditPage, Position, PositionError};
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

/// A panic elsewhere leaves nothing half-done here: every change under these locks is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
