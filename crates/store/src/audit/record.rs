//! A record as it stands in the log.

use std::borrow::Cow;

use attache_core::Timestamp;
use serde::Deserialize;

/// What of a record is needed to find it.
#[derive(Debug, Deserialize)]
pub(super) struct StoredRecord<'a> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    #[serde(borrow)]
    pub(super) event: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) publisher: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) client_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) subject: Option<Cow<'a, str>>,
}

impl<'a> StoredRecord<'a> {
    /// The record in a line; `None` when it has none, as headers and seals.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        // Cheap to tell, and most lines are.
        if !line.starts_with(br#"{"seq":"#) {
            return None;
        }
        serde_json::from_slice(line).ok()
    }
}
