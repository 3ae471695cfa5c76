//! Lines and who is told of their changes, as far as the writer has read it: what changes once mostly does so again.
//!
//! Only the thread that writes has it, and whatever it writes about a line or a subscription goes through here or makes
//! it forgotten; so does a transaction that is taken back.

use std::collections::HashMap;

use attache_core::{Line, LineId, SubscriptionId};

use super::delivery::Told;

/// How many lines and subscriptions are remembered, at most.
const MOST: usize = 64 * 1024;

/// A line as it is stored, and its active subscriptions.
pub(super) struct WatchedLine {
    pub(super) line: Line,
    pub(super) told: Vec<Told>,
}

/// Some lines.
#[derive(Default)]
pub(super) struct Watched {
    by_line: HashMap<LineId, WatchedLine>,
    lines: HashMap<SubscriptionId, LineId>,
}

impl Watched {
    /// Takes out what is known of a line. Whoever changes it has to keep it again.
    pub(super) fn take(&mut self, line: LineId) -> Option<WatchedLine> {
        let watched = self.by_line.remove(&line)?;
        for one in &watched.told {
            self.lines.remove(&one.subscription.id);
        }
        Some(watched)
    }

    /// Remembers a line with all of its active subscriptions.
    pub(super) fn keep(&mut self, watched: WatchedLine) {
        if self.by_line.len() + self.lines.len() + watched.told.len() >= MOST {
            self.clear();
        }
        let id = watched.line.id;
        self.lines.extend(watched.told.iter().map(|one| (one.subscription.id, id)));
        self.by_line.insert(id, watched);
    }

    /// A subscription is to be read again.
    pub(super) fn forget(&mut self, id: SubscriptionId) {
        if let Some(line) = self.lines.get(&id) {
            self.take(*line);
        }
    }

    /// A delivery of a subscription has been settled. Returns whether it is known to be the newest: then none waits for
    /// it.
    pub(super) fn settle(&mut self, id: SubscriptionId, sequence: u64) -> bool {
        let watched = self.lines.get(&id).and_then(|line| self.by_line.get_mut(line));
        let told = watched.and_then(|watched| watched.told.iter_mut().find(|one| one.subscription.id == id));
        told.is_some_and(|told| told.settle(sequence))
    }

    pub(super) fn clear(&mut self) {
        self.by_line.clear();
        self.lines.clear();
    }

    /// All that is remembered.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &WatchedLine> {
        assert_eq!(self.lines.len(), self.by_line.values().map(|watched| watched.told.len()).sum::<usize>());
        self.by_line.values()
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("lines", &self.by_line.len()).finish_non_exhaustive()
    }
}
