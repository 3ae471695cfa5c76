//! Finding records again.

use std::{
    collections::VecDeque,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
    str::FromStr,
};

use attache_core::{AuditEvent, PublisherName, Timestamp};

use super::{
    AuditKey, Pseudonym,
    contents::{self, Where},
    head::{Head, State},
    numbered,
    record::StoredRecord,
    seal_of,
};

/// Which records are asked for: those that meet every condition that is set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFilter {
    /// About this line.
    pub subject: Option<Pseudonym>,
    /// At this publisher.
    pub publisher: Option<PublisherName>,
    /// Of the client of this name.
    pub client_id: Option<String>,
    /// Of this kind.
    pub event: Option<AuditEvent>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl AuditFilter {
    fn allows(&self, record: &StoredRecord<'_>) -> bool {
        let is_about = |subject| record.subject.as_deref().and_then(|text| text.parse().ok()) == Some(subject);
        self.from.is_none_or(|from| from <= record.at)
            && self.to.is_none_or(|to| record.at < to)
            && self.event.is_none_or(|event| event.name() == record.event)
            && self.publisher.as_ref().is_none_or(|name| record.publisher.as_deref() == Some(name.as_str()))
            && self.client_id.as_ref().is_none_or(|id| record.client_id.as_deref() == Some(id))
            && self.subject.is_none_or(is_about)
    }

    /// Whether a segment whose records are of these times may have one.
    fn allows_times(&self, (first, last): (Timestamp, Timestamp)) -> bool {
        self.from.is_none_or(|from| from <= last) && self.to.is_none_or(|to| first < to)
    }
}

/// Where a record stands. It prints and parses as `SEGMENT-OFFSET`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    segment: u64,
    offset: u64,
}

/// A text that is no position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a position in the audit log: what a page calls `next` is needed, such as 3-1024")]
pub struct PositionError;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.segment, self.offset)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let (segment, offset) = text.split_once('-').ok_or(PositionError)?;
        let number = |text: &str| text.parse().map_err(|_| PositionError);
        Ok(Self { segment: number(segment)?, offset: number(offset)? })
    }
}

/// Some of the records, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditPage {
    /// The records, each one line of JSON.
    pub records: Vec<Vec<u8>>,
    /// Where to go on, if there are more.
    pub next: Option<Position>,
}

/// The newest `limit` records that pass the filter; with `after`, those that come after it in this order.
pub(super) fn page(
    directory: &Path,
    key: &AuditKey,
    filter: &AuditFilter,
    after: Option<Position>,
    limit: usize,
) -> io::Result<AuditPage> {
    let mut page = AuditPage::default();
    let mut last = None;
    for segment in numbered(directory, "jsonl")?.into_keys().rev() {
        if after.is_some_and(|after| after.segment < segment) {
            continue;
        }
        let end = after.filter(|after| after.segment == segment).map(|after| after.offset);
        // The last ones of the segment, and one more to tell whether there are more.
        let wanted = limit + 1 - page.records.len();
        let mut found = VecDeque::new();
        read_segment(directory, segment, key, filter, end, &mut |offset, line| {
            if found.len() == wanted {
                found.pop_front();
            }
            found.push_back((offset, line.to_vec()));
            Ok(())
        })?;
        for (offset, line) in found.into_iter().rev() {
            if page.records.len() == limit {
                page.next = last;
                return Ok(page);
            }
            last = Some(Position { segment, offset });
            page.records.push(line);
        }
    }
    Ok(page)
}

/// Calls `each` with every record that passes the filter, oldest first, until it fails.
pub(super) fn each(
    directory: &Path,
    key: &AuditKey,
    filter: &AuditFilter,
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    for segment in numbered(directory, "jsonl")?.into_keys() {
        read_segment(directory, segment, key, filter, None, &mut |_, line| each(line))?;
    }
    Ok(())
}

/// Calls `each` with the offset and the line of every record of a segment that passes the filter, in
/// order, as far as it begins before `end`.
fn read_segment(
    directory: &Path,
    segment: u64,
    key: &AuditKey,
    filter: &AuditFilter,
    end: Option<u64>,
    each: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let head = match Head::read(directory, segment, key)?.good() {
        Some(head) if head.state == State::Dropped => return Ok(()),
        head => head.filter(|head| head.state == State::Closed),
    };
    if head.as_ref().and_then(|head| head.times).is_some_and(|times| !filter.allows_times(times)) {
        return Ok(());
    }
    let file = match File::open(directory.join(format!("{segment:010}.jsonl"))) {
        Ok(file) => file,
        // It was dropped meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let end = end.unwrap_or(u64::MAX).min(head.as_ref().map_or(u64::MAX, |head| head.bytes));
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let mut tell = |offset, line: &[u8]| match StoredRecord::read(line) {
        Some(record) if line.ends_with(b"\n") && filter.allows(&record) => each(offset, line),
        _ => Ok(()),
    };
    let is_indexed = head.is_some() && (filter.subject.is_some() || filter.client_id.is_some());
    let index = if is_indexed { contents::read_index(directory, segment)? } else { None };
    let place = index.map(|index| contents::find(&index, filter.subject, filter.client_id.as_deref()));
    if let Some(Where::At(offsets)) = place {
        let (mut at, mut line) = (0_i64, Vec::new());
        for offset in offsets.into_iter().take_while(|offset| *offset < end) {
            // What is near is in the buffer already.
            reader.seek_relative(offset.cast_signed() - at)?;
            line.clear();
            let length = reader.read_until(b'\n', &mut line)?;
            at = (offset + length as u64).cast_signed();
            tell(offset, &line)?;
        }
        return Ok(());
    }
    // What no seal follows is no record yet, or was put there by somebody else.
    let (mut batch, mut offset) = (Vec::new(), 0);
    loop {
        let begins = batch.len();
        if reader.read_until(b'\n', &mut batch)? == 0 {
            return Ok(());
        }
        if seal_of(&batch[begins..]).is_none() {
            continue;
        }
        for line in batch.split_inclusive(|byte| *byte == b'\n') {
            if offset >= end {
                return Ok(());
            }
            tell(offset, line)?;
            offset += line.len() as u64;
        }
        batch.clear();
    }
}
