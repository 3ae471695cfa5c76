//! Who is told of the changes of a line, as far as the writer has read it: whoever changes once mostly does so again.
//!
//! Only the thread that writes has it, and whatever it writes about a subscription goes through here or makes it
//! forgotten; so does a transaction that is taken back.

use std::collections::HashMap;

use attache_core::{LineId, SubscriptionId};

use super::delivery::Told;

/// How many subscriptions and lines without any are remembered, at most.
const MOST: usize = 64 * 1024;

/// The active subscriptions of some lines.
#[derive(Default)]
pub(super) struct Watched {
    by_line: HashMap<LineId, Vec<Told>>,
    lines: HashMap<SubscriptionId, LineId>,
}

impl Watched {
    /// Takes out what is known of a line. Whoever changes it has to keep it again.
    pub(super) fn take(&mut self, line: LineId) -> Option<Vec<Told>> {
        let told = self.by_line.remove(&line)?;
        for one in &told {
            self.lines.remove(&one.subscription.id);
        }
        Some(told)
    }

    /// Remembers all active subscriptions of a line.
    pub(super) fn keep(&mut self, line: LineId, told: Vec<Told>) {
        if self.by_line.len() + self.lines.len() + told.len() >= MOST {
            self.clear();
        }
        self.lines.extend(told.iter().map(|one| (one.subscription.id, line)));
        self.by_line.insert(line, told);
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
        let told = self.lines.get(&id).and_then(|line| self.by_line.get_mut(line));
        let told = told.and_then(|told| told.iter_mut().find(|one| one.subscription.id == id));
        told.is_some_and(|told| told.settle(sequence))
    }

    pub(super) fn clear(&mut self) {
        self.by_line.clear();
        self.lines.clear();
    }

    /// All that is remembered.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = (LineId, &[Told])> {
        assert_eq!(self.lines.len(), self.by_line.values().map(Vec::len).sum::<usize>());
        self.by_line.iter().map(|(line, told)| (*line, told.as_slice()))
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("lines", &self.by_line.len()).finish_non_exhaustive()
    }
}
