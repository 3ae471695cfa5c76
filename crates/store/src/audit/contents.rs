//! What a segment has: how many records of which times, and of whom. Its index tells the latter once it
//! is closed.
//!
//! An index is a list of entries in order, each sixteen bytes of a key and four of an offset. For each
//! record about somebody there is one with the pseudonym and where the record begins; for each client one
//! with a hash of its identifier and no offset, which says that records of it are somewhere. It says
//! nothing that its segment does not, and is made anew when it is missing.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use attache_core::Timestamp;

use super::Pseudonym;

/// How many bytes an entry has.
const ENTRY: usize = 20;

/// In the place of an offset: somewhere.
const SOMEWHERE: u32 = u32::MAX;

/// What a batch has, or a segment.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) records: u64,
    /// The times of the records, oldest and newest.
    pub(super) times: Option<(Timestamp, Timestamp)>,
    /// Whom they are about, and where they begin.
    subjects: Vec<([u8; 16], u32)>,
    /// Whose they are.
    clients: BTreeSet<[u8; 16]>,
}

impl Contents {
    /// Takes a record in that begins at this offset.
    pub(super) fn add(&mut self, at: Timestamp, subject: Option<Pseudonym>, client_id: Option<&str>, offset: u64) {
        self.records += 1;
        self.widen(Some((at, at)));
        if let Some(Pseudonym(key)) = subject {
            self.subjects.push((key, to_offset(offset)));
        }
        if let Some(client_id) = client_id {
            self.clients.insert(client_key(client_id));
        }
    }

    /// Takes in what a batch has that begins at this offset, and leaves it empty.
    pub(super) fn append(&mut self, batch: &mut Self, offset: u64) {
        self.records += std::mem::take(&mut batch.records);
        self.widen(batch.times.take());
        let offset = to_offset(offset);
        self.subjects.extend(batch.subjects.drain(..).map(|(key, inside)| (key, offset.saturating_add(inside))));
        self.clients.append(&mut batch.clients);
    }

    /// Leaves it empty.
    pub(super) fn clear(&mut self) {
        self.records = 0;
        self.times = None;
        self.subjects.clear();
        self.clients.clear();
    }

    fn widen(&mut self, times: Option<(Timestamp, Timestamp)>) {
        self.times = match (self.times, times) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (one, other) => one.or(other),
        };
    }

    /// The text of its index.
    pub(super) fn index(&self) -> Vec<u8> {
        let clients = self.clients.iter().map(|client| (*client, SOMEWHERE));
        let mut entries: Vec<_> = self.subjects.iter().copied().chain(clients).collect();
        entries.sort_unstable();
        entries.iter().flat_map(|(key, offset)| key.iter().copied().chain(offset.to_be_bytes())).collect()
    }
}

/// A segment is far smaller.
fn to_offset(offset: u64) -> u32 {
    u32::try_from(offset).unwrap_or(SOMEWHERE)
}

/// The key of a client: FNV-1a, which costs nothing beside writing the record. Who shares it with another
/// is told apart by the record.
fn client_key(client_id: &str) -> [u8; 16] {
    let hash = client_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut key = [0; 16];
    key[8..].copy_from_slice(&hash.to_be_bytes());
    key
}

/// Where the index of a segment is.
pub(super) fn index_path(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("{segment:010}.index"))
}

/// The index of a segment, if it has one.
pub(super) fn read_index(directory: &Path, segment: u64) -> io::Result<Option<Vec<u8>>> {
    match fs::read(index_path(directory, segment)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where in a segment to look.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Where {
    /// Everywhere.
    Anywhere,
    /// At these offsets, in order.
    At(Vec<u64>),
}

/// Where in the segment of this index to look for the records of a subject or of a client.
pub(super) fn find(index: &[u8], subject: Option<Pseudonym>, client_id: Option<&str>) -> Where {
    let (entries, _) = index.as_chunks::<ENTRY>();
    let of = |key: [u8; 16]| {
        let first = entries.partition_point(|entry| entry[..16] < key[..]);
        entries[first..].iter().take_while(move |entry| entry[..16] == key)
    };
    if client_id.is_some_and(|client_id| of(client_key(client_id)).next().is_none()) {
        return Where::At(Vec::new());
    }
    subject.map_or(Where::Anywhere, |Pseudonym(key)| {
        Where::At(of(key).map(|[.., a, b, c, d]| u64::from(u32::from_be_bytes([*a, *b, *c, *d]))).collect())
    })
}
