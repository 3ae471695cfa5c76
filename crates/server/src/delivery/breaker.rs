//! Keeping away from an origin that fails.

use std::time::Duration;

use attache_core::Timestamp;

/// After so many failures, one after the other, an origin is left alone for a while.
const FAILURES: u32 = 5;
/// For how long at first, and at most.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// How an origin has fared lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    closed_until: Option<Timestamp>,
}

impl Breaker {
    /// Whether its last attempt failed: then it is tried with one delivery at a time.
    pub(super) const fn has_failed(self) -> bool {
        self.failures > 0
    }

    /// Until when it is left alone; the beginning of time when it is not.
    pub(super) fn closed_until(self) -> Timestamp {
        self.closed_until.unwrap_or(Timestamp::from_unix_nanoseconds(i64::MIN))
    }

    /// Whether it is long ago that it failed.
    pub(super) fn is_forgotten(self, now: Timestamp) -> bool {
        self.closed_until.is_some_and(|until| until.plus(Duration::from_hours(1)) < now)
    }

    /// An attempt succeeded, or got an answer that was meant.
    pub(super) const fn succeed(&mut self) {
        *self = Self { failures: 0, closed_until: None };
    }

    /// An attempt failed.
    pub(super) fn fail(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if let Some(more) = self.failures.checked_sub(FAILURES) {
            let pause = SHORTEST.saturating_mul(1 << more.min(10)).min(LONGEST);
            self.closed_until = Some(now.plus(pause));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn an_origin_that_fails_is_left_alone_for_longer_each_time() {
        let mut breaker = Breaker::default();
        for _ in 1..FAILURES {
            breaker.fail(at(0));
            assert!(breaker.has_failed() && breaker.closed_until() < at(0));
        }
        let mut pauses = Vec::new();
        for _ in 0..8 {
            breaker.fail(at(0));
            pauses.push(breaker.closed_until().unix_seconds());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(!breaker.is_forgotten(at(60)) && breaker.is_forgotten(at(4000)));
    }

    #[test]
    fn one_success_makes_it_good_again() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.fail(at(0));
        }
        breaker.succeed();
        assert_eq!(breaker, Breaker::default());
    }
}
