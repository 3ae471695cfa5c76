//! What is known of one sink while something is to be told to it.

use std::{collections::HashSet, time::Duration};

use attache_core::{DeliveryId, Timestamp};

/// How many deliveries are sent to a sink at a time, at most.
const WIDEST: u32 = 64;
/// So many that are not answered for long take nobody else's place, as long as others are answered.
const LATE: u32 = 8;
/// After so many failures, one after the other, a sink is left alone for a while.
const FAILURES: u32 = 5;
/// For how long at first, and at most.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// How a sink fares.
///
/// It begins with one delivery at a time, and gets one more with each that it has answered; a failure takes it
/// back to one.
#[derive(Debug)]
pub(super) struct Lane {
    /// How many may be on their way at a time.
    width: u32,
    /// How many are.
    sending: u32,
    /// Of these, how many have not been answered for long.
    overdue: u32,
    /// How often it has failed since it last did not.
    failures: u32,
    /// How often it has ever failed.
    round: u32,
    /// Until when it is left alone; the beginning of time when it is not.
    rests_until: Timestamp,
    /// What was sent and is not recorded yet, so that it is not sent twice.
    pub(super) under_way: HashSet<DeliveryId>,
    /// Whether the store may have something that can be sent now.
    pub(super) has_due: bool,
    /// Whether it waits for its turn.
    pub(super) is_queued: bool,
    /// When the store will have something, as far as that is known.
    pub(super) wakes_at: Option<Timestamp>,
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            width: 1,
            sending: 0,
            overdue: 0,
            failures: 0,
            round: 0,
            rests_until: Timestamp::from_unix_nanoseconds(i64::MIN),
            under_way: HashSet::new(),
            has_due: false,
            is_queued: false,
            wakes_at: None,
        }
    }
}

impl Lane {
    /// Whether it answers, and at once: then it never has to wait for those that don't.
    pub(super) const fn is_prompt(&self) -> bool {
        self.failures == 0 && self.overdue == 0
    }

    /// How many more may be sent now. Few at a time are not worth a look into the store, unless no more are on
    /// their way.
    pub(super) fn room(&self, now: Timestamp) -> u32 {
        if now < self.rests_until {
            return 0;
        }
        let late = if self.failures == 0 { self.overdue.min(LATE) } else { 0 };
        let room = (self.width + late).saturating_sub(self.sending);
        if room * 2 >= self.width { room } else { 0 }
    }

    /// Until when it is left alone, if it is.
    pub(super) fn rests(&self, now: Timestamp) -> Option<Timestamp> {
        (now < self.rests_until).then_some(self.rests_until)
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.sending == 0 && self.under_way.is_empty() && !self.has_due && !self.is_queued && self.wakes_at.is_none()
    }

    /// A delivery is sent.
    pub(super) fn send(&mut self, delivery: DeliveryId) {
        self.sending += 1;
        self.under_way.insert(delivery);
    }

    /// One that was sent has not been answered for long.
    pub(super) const fn wait_long(&mut self) {
        self.overdue += 1;
    }

    /// One that was sent is on its way no longer.
    pub(super) const fn settle(&mut self, was_overdue: bool) {
        self.sending = self.sending.saturating_sub(1);
        if was_overdue {
            self.overdue = self.overdue.saturating_sub(1);
        }
    }

    /// An attempt succeeded, or got an answer that was meant.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
        self.rests_until = Timestamp::from_unix_nanoseconds(i64::MIN);
        self.width = (self.width + 1).min(WIDEST);
    }

    /// How often it has failed, for attempts that begin now.
    pub(super) const fn round(&self) -> u32 {
        self.round
    }

    /// An attempt failed that began in a round. What was on its way together fails together, and counts once.
    pub(super) fn fail(&mut self, now: Timestamp, round: u32) {
        if round != self.round {
            return;
        }
        self.round = self.round.wrapping_add(1);
        self.failures = self.failures.saturating_add(1);
        self.width = 1;
        if let Some(more) = self.failures.checked_sub(FAILURES) {
            let pause = SHORTEST.saturating_mul(1 << more.min(10)).min(LONGEST);
            self.rests_until = now.plus(pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use attache_core::SubscriptionId;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn id(sequence: u64) -> DeliveryId {
        (SubscriptionId::from_bytes([1; 16]), sequence)
    }

    #[test]
    fn a_sink_that_fails_is_left_alone_for_longer_each_time() {
        let mut lane = Lane::default();
        for _ in 1..FAILURES {
            lane.fail(at(0), lane.round());
            assert_eq!((lane.is_prompt(), lane.room(at(0))), (false, 1));
        }
        let mut pauses = Vec::new();
        for _ in 0..8 {
            lane.fail(at(0), lane.round());
            assert_eq!(lane.room(at(0)), 0);
            pauses.push(lane.rests(at(0)).unwrap().unix_seconds());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!((lane.rests(at(60)), lane.room(at(60))), (None, 1));
        lane.succeed();
        assert_eq!((lane.is_prompt(), lane.room(at(0))), (true, 2));
    }

    #[test]
    fn a_sink_that_answers_gets_more_at_a_time_and_one_that_fails_gets_one() {
        let mut lane = Lane::default();
        for _ in 0..100 {
            lane.send(id(1));
            lane.settle(false);
            lane.succeed();
        }
        assert_eq!(lane.room(at(0)), WIDEST);
        let round = lane.round();
        for _ in 0..WIDEST {
            lane.fail(at(0), round);
        }
        assert_eq!((lane.room(at(0)), lane.rests(at(0))), (1, None), "they failed together");
    }

    #[test]
    fn one_that_is_answered_late_holds_up_none_of_the_others() {
        let mut lane = Lane { width: 4, ..Lane::default() };
        for sequence in 1..=4 {
            lane.send(id(sequence));
        }
        assert_eq!(lane.room(at(0)), 0);
        lane.settle(false);
        assert_eq!(lane.room(at(0)), 0, "one alone is not worth a look");
        for _ in 0..3 {
            lane.wait_long();
        }
        assert_eq!((lane.is_prompt(), lane.room(at(0))), (false, 4));
        lane.fail(at(0), lane.round());
        assert_eq!(lane.room(at(0)), 0, "nothing is answered");
        for _ in 0..3 {
            lane.settle(true);
        }
        assert_eq!((lane.is_prompt(), lane.room(at(0))), (false, 1));
    }

    #[test]
    fn a_sink_that_answers_nothing_is_not_sent_more_and_more() {
        let mut lane = Lane::default();
        let mut sent = 0;
        while lane.room(at(0)) > 0 {
            lane.send(id(sent));
            lane.wait_long();
            sent += 1;
        }
        assert_eq!(sent, u64::from(1 + LATE));
    }

    #[test]
    fn what_is_not_recorded_is_remembered() {
        let mut lane = Lane::default();
        assert!(lane.is_idle());
        lane.send(id(1));
        lane.settle(false);
        assert!(!lane.is_idle());
        lane.under_way.clear();
        assert!(lane.is_idle());
    }
}
