//! Whether the log is as it was written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::{
    AuditKey, Batch, Seal,
    contents::{self, Contents},
    head::{Found, Head, State},
    numbered, previous_of,
    record::StoredRecord,
    seal_of,
};

/// What [`verify`] found in a log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// Each segment, oldest first.
    pub segments: Vec<SegmentReport>,
}

impl Verification {
    /// Whether nothing was changed, removed or moved, as far as the seals tell. A log without a segment was
    /// removed: there is one from the first start on.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        !self.segments.is_empty() && self.segments.iter().all(|segment| segment.findings.is_empty())
    }
}

/// What was found in one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentReport {
    /// The number of the segment.
    pub number: u64,
    /// How many records are vouched for by a good seal, or were when the segment was dropped.
    pub records: u64,
    /// Whether it was dropped when it was old enough, and only its head is left.
    pub is_dropped: bool,
    /// What follows the last seal, if anything: an end that was cut off in the middle of a write by
    /// a loss of power or a full disk. Nothing vouches for it.
    pub cut: Option<Cut>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What follows the last seal of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// The first line of it, counted from 1.
    pub line: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Something that whoever holds the key did not write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The segments before this one, after `after`, are gone, and nobody dropped them for their age.
    SegmentsMissing {
        /// The last segment that is there; 0 when the first is not.
        after: u64,
    },
    /// The segments after this one, which is closed, are gone: it was closed because another followed it.
    NextMissing,
    /// The segment is gone, and nobody dropped it for its age.
    Removed {
        /// How many records it had.
        records: u64,
    },
    /// The end of the segment before is gone or was changed: its last seal is not the one that this
    /// segment continues.
    PreviousSegmentCut,
    /// Lines of one batch, or of some that follow one another, were changed, removed, added or moved.
    Altered {
        /// The first line, counted from 1.
        first_line: u64,
        /// The line of the last seal.
        last_line: u64,
        /// The `seq` of the first and of the last record in these lines, as far as there are any.
        records: Option<(u64, u64)>,
    },
    /// The end is gone: records that its head has.
    CutOff {
        /// The last line that is left.
        last_line: u64,
        /// How many records are gone.
        records: u64,
    },
    /// The head is gone.
    HeadMissing,
    /// The head was changed.
    HeadAltered,
    /// The index does not have the records that the segment has.
    IndexAltered,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SegmentsMissing { after: 0 } => f.write_str("the segments before it are missing"),
            Self::SegmentsMissing { after } => write!(f, "the segments between {after} and it are missing"),
            Self::NextMissing => f.write_str("the segments after it are missing"),
            Self::Removed { records } => write!(f, "the segment was removed, with its {records} records"),
            Self::PreviousSegmentCut => f.write_str("the end of the segment before it was removed or changed"),
            Self::Altered { first_line, last_line, records } => {
                match records {
                    Some((first, last)) if first == last => write!(f, "record {first} (")?,
                    Some((first, last)) => write!(f, "one of the records {first} to {last} (")?,
                    None => f.write_str("a record (")?,
                }
                write!(f, "lines {first_line} to {last_line}) was changed, removed, added or moved")
            }
            Self::CutOff { last_line, records } => {
                write!(f, "the end was cut off: {records} records after line {last_line} are gone")
            }
            Self::HeadMissing => f.write_str("its head was removed"),
            Self::HeadAltered => f.write_str("its head was changed"),
            Self::IndexAltered => f.write_str("its index was changed; remove it, and the next start makes it anew"),
        }
    }
}

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the audit log at {} cannot be read", path.display())]
pub struct VerifyError {
    /// The directory or the segment.
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// Holds every seal of the log in `directory` against the bytes that it vouches for. It may be written to
/// meanwhile.
pub fn verify(directory: &Path, key: &AuditKey) -> Result<Verification, VerifyError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| VerifyError { path, cause }
    };
    let heads = numbered(directory, "head").map_err(unreadable(directory))?;
    let segments: BTreeMap<u64, PathBuf> = numbered(directory, "jsonl").map_err(unreadable(directory))?;
    let numbers: BTreeSet<u64> = heads.keys().chain(segments.keys()).copied().collect();
    let mut verification = Verification::default();
    let (mut before, mut last_seal, mut is_next_missing) = (0, Seal::default(), false);
    for number in numbers {
        // The head first: the segment may grow meanwhile.
        let head = Head::read(directory, number, key).map_err(unreadable(directory))?;
        let mut report;
        let previous;
        let last;
        if let Some(path) = segments.get(&number) {
            let scan = Scan::of(path, number, key).map_err(unreadable(path))?;
            (report, previous, last) = (scan.report(&head), scan.previous, scan.last);
            let index = contents::read_index(directory, number).map_err(unreadable(directory))?;
            if index.is_some_and(|index| index != scan.contents.index()) && report.findings.is_empty() {
                report.findings.push(Finding::IndexAltered);
            }
        } else {
            (report, previous, last) = without_file(number, &head);
        }
        if before + 1 != number {
            report.findings.insert(0, Finding::SegmentsMissing { after: before });
        } else if previous.is_some_and(|previous| previous != last_seal) {
            report.findings.insert(0, Finding::PreviousSegmentCut);
        }
        let is_followed = head.good().is_some_and(|head| head.state != State::Open);
        (before, last_seal, is_next_missing) = (number, last, is_followed);
        verification.segments.push(report);
    }
    if let Some(report) = verification.segments.last_mut().filter(|_| is_next_missing) {
        // It may have been closed, and the next one begun, since the files were looked for.
        let next = numbered(directory, "head").map_err(unreadable(directory))?.into_keys().next_back();
        if next <= Some(report.number) {
            report.findings.push(Finding::NextMissing);
        }
    }
    Ok(verification)
}

/// What is left of a segment whose file is gone: its report, the seal that it continues, and its last.
fn without_file(number: u64, head: &Found) -> (SegmentReport, Option<Seal>, Seal) {
    let mut report = SegmentReport { number, records: 0, is_dropped: false, cut: None, findings: Vec::new() };
    let Found::Good(head) = head else {
        report.findings.push(Finding::HeadAltered);
        return (report, None, Seal::default());
    };
    report.is_dropped = head.state == State::Dropped;
    report.records = head.records;
    // One without records was about to begin.
    if !report.is_dropped && head.records > 0 {
        report.findings.push(Finding::Removed { records: head.records });
    }
    (report, Some(head.previous), head.last)
}

/// What stands in a segment.
pub(super) struct Scan {
    number: u64,
    /// The seal that it continues, if that is vouched for.
    previous: Option<Seal>,
    /// Its last seal.
    pub(super) last: Seal,
    /// Where each good seal ends.
    seals: BTreeMap<u64, Seal>,
    pub(super) bytes: u64,
    /// What it has, as far as good seals vouch for it.
    pub(super) contents: Contents,
    last_line: u64,
    cut: Option<Cut>,
    pub(super) altered: Vec<Finding>,
}

impl Scan {
    /// Reads a segment, and holds its seals against its lines. After a seal that is not good, the next
    /// is judged as if it had been: so that each change is told from what it left alone.
    pub(super) fn of(path: &Path, number: u64, key: &AuditKey) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut scan = Self {
            number,
            previous: None,
            last: key.root(number),
            // Its head tells of this before there is a file.
            seals: BTreeMap::from([(0, key.root(number))]),
            bytes: 0,
            contents: Contents::default(),
            last_line: 0,
            cut: None,
            altered: Vec::new(),
        };
        let (mut batch, mut line) = (Vec::new(), Vec::new());
        let mut first_line = 1;
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            scan.last_line += 1;
            match seal_of(&line) {
                None => batch.extend_from_slice(&line),
                Some(found) => {
                    scan.judge(&batch, first_line, &line, found, key);
                    first_line = scan.last_line + 1;
                    batch.clear();
                }
            }
        }
        if !batch.is_empty() {
            scan.cut = Some(Cut { line: first_line, bytes: batch.len() as u64 });
            scan.last_line = first_line - 1;
        }
        Ok(scan)
    }

    /// Takes in a batch with the seal that ends it.
    fn judge(&mut self, batch: &[u8], first_line: u64, seal_line: &[u8], found: Seal, key: &AuditKey) {
        let is_header = first_line == 1;
        let records = if is_header { 0 } else { self.last_line - first_line };
        let expected = key.seal(&self.last, batch);
        let mut end = Batch::default();
        end.end(expected, records);
        if found == expected && seal_line == end.bytes {
            if is_header {
                self.previous = previous_of(batch);
            } else {
                self.take_in(batch);
            }
            self.seals.insert(self.bytes + (batch.len() + seal_line.len()) as u64, found);
        } else {
            self.note_alteration(batch, first_line);
        }
        self.bytes += (batch.len() + seal_line.len()) as u64;
        self.last = found;
    }

    fn take_in(&mut self, batch: &[u8]) {
        let mut offset = self.bytes;
        for line in batch.split_inclusive(|byte| *byte == b'\n') {
            if let Some(record) = StoredRecord::read(line) {
                let subject = record.subject.as_deref().and_then(|subject| subject.parse().ok());
                self.contents.add(record.at, subject, record.client_id.as_deref(), offset);
            }
            offset += line.len() as u64;
        }
    }

    fn note_alteration(&mut self, batch: &[u8], first_line: u64) {
        let sequences = batch.split_inclusive(|byte| *byte == b'\n').filter_map(StoredRecord::read);
        let sequences: Vec<u64> = sequences.map(|record| record.seq).collect();
        let range = sequences.iter().min().copied().zip(sequences.iter().max().copied());
        // What follows one another is told as one.
        if let Some(Finding::Altered { last_line, records, .. }) = self.altered.last_mut()
            && *last_line + 1 == first_line
        {
            *last_line = self.last_line;
            *records = match (*records, range) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, other) => one.or(other),
            };
            return;
        }
        self.altered.push(Finding::Altered { first_line, last_line: self.last_line, records: range });
    }

    /// Whether it has all that its head says: the seal where the head saw it last, and in a closed
    /// segment none after it.
    pub(super) fn agrees_with(&self, head: &Head) -> bool {
        let is_there = self.seals.get(&head.bytes).is_some_and(|seal| *seal == head.last);
        is_there && (head.state == State::Open || self.last == head.last)
    }

    fn report(&self, head: &Found) -> SegmentReport {
        let mut findings = self.altered.clone();
        match head {
            Found::Missing => findings.push(Finding::HeadMissing),
            Found::Altered => findings.push(Finding::HeadAltered),
            Found::Good(head) => {
                let is_cut = if findings.is_empty() {
                    !self.agrees_with(head)
                } else {
                    // What was altered has other bytes than the head knows: only the end tells.
                    self.last != head.last && self.bytes < head.bytes
                };
                if is_cut {
                    let records = head.records.saturating_sub(self.contents.records);
                    findings.push(Finding::CutOff { last_line: self.last_line, records });
                }
            }
        }
        SegmentReport {
            number: self.number,
            records: self.contents.records,
            is_dropped: false,
            cut: self.cut,
            findings,
        }
    }
}
