//! Heads: what a segment had when it was last looked after, signed. A head outlives its segment, so that
//! what was dropped when it was old enough is told from what was taken away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use attache_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AuditKey, Seal};

/// What a segment had.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) segment: u64,
    pub(super) state: State,
    /// The last seal of the segment before.
    pub(super) previous: Seal,
    /// Its own last seal, which ends at this byte.
    pub(super) last: Seal,
    pub(super) bytes: u64,
    pub(super) records: u64,
    /// The times of its records, oldest and newest.
    pub(super) times: Option<(Timestamp, Timestamp)>,
}

/// How it stands with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It is written to, or was when the server ended: it may have grown since.
    Open,
    /// Nothing comes after what it has.
    Closed,
    /// It was old enough to be dropped: its file is gone.
    Dropped,
}

/// The text of a head's file, without its seal.
#[derive(Serialize, Deserialize)]
struct Signed {
    head: Head,
    seal: Seal,
}

/// A head as it was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    Missing,
    /// Whoever holds the key did not write it.
    Altered,
    Good(Head),
}

impl Found {
    /// The head, if it is good.
    pub(super) fn good(self) -> Option<Head> {
        match self {
            Self::Good(head) => Some(head),
            Self::Missing | Self::Altered => None,
        }
    }
}

impl Head {
    /// The head of a segment that is about to begin.
    pub(super) fn of_nothing(segment: u64, previous: Seal, key: &AuditKey) -> Self {
        let last = key.root(segment);
        Self { segment, state: State::Open, previous, last, bytes: 0, records: 0, times: None }
    }

    fn seal(&self, key: &AuditKey) -> io::Result<Seal> {
        Ok(key.seal_of_head(&serde_json::to_vec(self)?))
    }

    /// Writes it, whole or not at all: readable for its owner only.
    pub(super) fn write(&self, directory: &Path, key: &AuditKey) -> io::Result<()> {
        let signed = Signed { seal: self.seal(key)?, head: *self };
        let mut text = serde_json::to_vec(&signed)?;
        text.push(b'\n');
        replace(&path(directory, self.segment), &text)
    }

    /// Reads the head of a segment.
    pub(super) fn read(directory: &Path, segment: u64, key: &AuditKey) -> io::Result<Found> {
        let text = match fs::read(path(directory, segment)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            Err(error) => return Err(error),
        };
        let Ok(Signed { head, seal }) = serde_json::from_slice(&text) else { return Ok(Found::Altered) };
        let is_good = head.segment == segment && head.seal(key)? == seal;
        Ok(if is_good { Found::Good(head) } else { Found::Altered })
    }
}

fn path(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("{segment:010}.head"))
}

/// Writes a file anew, whole or not at all, also after a loss of power.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&unfinished, path)
}
