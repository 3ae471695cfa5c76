//! Telling that something cannot be written. It fails for everybody who needs it, so the log is told when that
//! begins, once a minute while it lasts, and when it is over: not by every one of them.

use std::{
    error::Error,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long the log is left alone while a trouble lasts.
const SILENCE: Duration = Duration::from_mins(1);

/// Whether something can be written.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// What it is, such as `the database`.
    what: &'static str,
    is_now: AtomicBool,
    lasting: Mutex<Option<Lasting>>,
}

/// A trouble that is not over.
#[derive(Debug)]
struct Lasting {
    began: Instant,
    told: Instant,
    failures: u64,
}

impl Trouble {
    pub(crate) const fn with(what: &'static str) -> Self {
        Self { what, is_now: AtomicBool::new(false), lasting: Mutex::new(None) }
    }

    /// Whether the last attempt to write failed.
    pub(crate) fn is_now(&self) -> bool {
        self.is_now.load(Ordering::Relaxed)
    }

    /// An attempt to write failed.
    pub(crate) fn failed(&self, cause: &(dyn Error + 'static)) {
        let now = Instant::now();
        let mut lasting = self.lasting();
        let is_new = lasting.is_none();
        let Lasting { began, told, failures } = lasting.get_or_insert(Lasting { began: now, told: now, failures: 0 });
        *failures += 1;
        if is_new || now.duration_since(*told) >= SILENCE {
            *told = now;
            let seconds = now.duration_since(*began).as_secs();
            tracing::error!(error = cause, seconds, failures, "{} cannot be written; it is tried again", self.what);
        }
        self.is_now.store(true, Ordering::Relaxed);
    }

    /// An attempt to write succeeded.
    pub(crate) fn succeeded(&self) {
        if !self.is_now() {
            return;
        }
        let mut lasting = self.lasting();
        if let Some(Lasting { began, failures, .. }) = lasting.take() {
            let seconds = began.elapsed().as_secs();
            tracing::info!(seconds, failures, "{} can be written again", self.what);
        }
        self.is_now.store(false, Ordering::Relaxed);
    }

    fn lasting(&self) -> MutexGuard<'_, Option<Lasting>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_trouble_lasts_from_a_failure_to_a_success() {
        let trouble = Trouble::with("the database");
        trouble.succeeded();
        assert!(!trouble.is_now());
        for failures in 1..=3 {
            trouble.failed(&io::Error::from(io::ErrorKind::StorageFull));
            assert!(trouble.is_now());
            assert_eq!(trouble.lasting().as_ref().unwrap().failures, failures);
        }
        trouble.succeeded();
        assert!(!trouble.is_now() && trouble.lasting().is_none());
    }
}
