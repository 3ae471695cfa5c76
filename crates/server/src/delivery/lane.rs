//! What is known of one sink while something is to be told to it.

use std::{collections::VecDeque, time::Duration};

use attache_core::{Delivery, DeliveryId, Due, Timestamp, UnderWay};

/// How many deliveries are sent to a sink at a time, at most.
const WIDEST: u32 = 64;
/// So many that are not answered for long take nobody else's place, as long as others are answered.
const LATE: u32 = 8;
/// After so many failures, one after the other, a sink is left alone for a while.
const FAILURES: u32 = 5;
/// For how long at first, and at most.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
/// For how long at most where it has asked for it.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

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
    /// What can be sent and need not be looked for.
    ready: VecDeque<Due>,
    /// What is ready, or was sent and is not recorded yet: so it is not sent twice, nor before the one that it follows.
    under_way: UnderWay,
    /// Whether the store has something that had to wait for what is under way.
    has_held_up: bool,
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
            ready: VecDeque::new(),
            under_way: UnderWay::default(),
            has_held_up: false,
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

    /// How many more may be sent now, of what is there. Few at a time are not worth a look into the store, unless no
    /// more are on their way.
    pub(super) fn room(&self, now: Timestamp) -> u32 {
        if now < self.rests_until {
            return 0;
        }
        let late = if self.failures == 0 { self.overdue.min(LATE) } else { 0 };
        let room = (self.width + late).saturating_sub(self.sending);
        let ready = u32::try_from(self.ready.len()).unwrap_or(u32::MAX);
        if self.has_due && room * 2 >= self.width { room } else { room.min(ready) }
    }

    /// Takes in what need not be looked for, if there is room for it in memory, and it does not have to wait: what waits
    /// waits in the store. Returns whether it was taken in.
    pub(super) fn take_in(&mut self, due: Due, has_room: bool) -> bool {
        if self.under_way.holds_up(&due.delivery) {
            self.has_held_up = true;
        } else if has_room && self.is_prompt() {
            self.under_way.insert(&due.delivery);
            self.ready.push_back(due);
            return true;
        } else {
            self.has_due = true;
        }
        false
    }

    /// Takes in what a look into the store has found, which has to be sent.
    pub(super) fn take_found(&mut self, due: Vec<Due>, is_all: bool, has_held_up: bool) {
        self.has_due = !is_all;
        self.has_held_up |= has_held_up;
        for due in due {
            self.under_way.insert(&due.delivery);
            self.ready.push_back(due);
        }
    }

    /// The next that is ready, which is sent now.
    pub(super) fn send_next(&mut self) -> Option<Due> {
        let due = self.ready.pop_front()?;
        self.sending += 1;
        Some(due)
    }

    /// Whether there is anything to send, or to look for.
    pub(super) fn has_more(&self) -> bool {
        self.has_due || !self.ready.is_empty()
    }

    /// What is to be looked for if so many are to be sent, beside what is ready; and what it must not have to wait for.
    pub(super) fn missing(&self, limit: usize) -> Option<(usize, UnderWay)> {
        let missing = limit.saturating_sub(self.ready.len());
        (self.has_due && missing > 0).then(|| (missing, self.under_way.clone()))
    }

    /// What came of an attempt is recorded.
    pub(super) fn recorded(&mut self, delivery: DeliveryId, is_replay: bool) {
        self.under_way.remove(delivery, is_replay);
        self.has_due |= std::mem::take(&mut self.has_held_up);
    }

    /// Until when it is left alone, if it is.
    pub(super) fn rests(&self, now: Timestamp) -> Option<Timestamp> {
        (now < self.rests_until).then_some(self.rests_until)
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.sending == 0 && self.under_way.is_empty() && !self.has_due && !self.is_queued && self.wakes_at.is_none()
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

    /// An attempt that began in a round succeeded, or got an answer that was meant. One that began before the sink failed
    /// says nothing.
    pub(super) fn succeed(&mut self, round: u32) {
        if round != self.round {
            return;
        }
        self.failures = 0;
        self.rests_until = Timestamp::from_unix_nanoseconds(i64::MIN);
        self.width = (self.width + 1).min(WIDEST);
    }

    /// How often it has failed, for attempts that begin now.
    pub(super) const fn round(&self) -> u32 {
        self.round
    }

    /// The sink asks to be left alone until then.
    pub(super) fn rest(&mut self, now: Timestamp, until: Timestamp) {
        self.rests_until = self.rests_until.max(until.min(now.plus(LONGEST_ASKED)));
    }

    /// An attempt failed that began in a round. What was on its way together fails together, and counts once. What is
    /// ready waits in the store again; returns how many.
    pub(super) fn fail(&mut self, now: Timestamp, round: u32) -> usize {
        if round != self.round {
            return 0;
        }
        let ready = self.ready.len();
        for Due { delivery: Delivery { subscription, sequence, is_replay, .. }, .. } in self.ready.drain(..) {
            self.under_way.remove((subscription, sequence), is_replay);
            self.has_due = true;
        }
        self.round = self.round.wrapping_add(1);
        self.failures = self.failures.saturating_add(1);
        self.width = 1;
        if let Some(more) = self.failures.checked_sub(FAILURES) {
            let pause = SHORTEST.saturating_mul(1 << more.min(10)).min(LONGEST);
            self.rests_until = now.plus(pause);
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use attache_core::{
        ClientId, DeliveryState, EventType, LineId, Notice, PublisherName, Purpose, Scope, Sink, Subscription,
        SubscriptionId, SubscriptionStatus,
    };

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn due(subscription: u8, sequence: u64, is_replay: bool) -> Due {
        let subscription = SubscriptionId::from_bytes([subscription; 16]);
        Due {
            delivery: Delivery {
                subscription,
                sequence,
                notice: Notice::Started,
                at: at(0),
                made_at: at(0),
                attempts: 0,
                state: DeliveryState::Pending,
                due_at: Some(at(0)),
                is_replay,
                last_outcome: None,
            },
            subscription: Subscription {
                id: subscription,
                publisher: PublisherName::new_static("camara"),
                api: "device-roaming-status-subscriptions".into(),
                contract: "0.8".into(),
                client: ClientId::from_bytes([1; 16]),
                purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
                scope: Scope::new_static("roaming-on:create"),
                line: LineId::from_bytes([9; 16]),
                device: None,
                event_type: EventType::RoamingOn,
                sink: Sink::new("https://a.example/sink").unwrap(),
                credential: None,
                initial_event: None,
                max_events: None,
                expires_at: None,
                starts_at: at(0),
                status: SubscriptionStatus::Active,
                events_made: 0,
                requested_end: None,
                ended_at: None,
            },
            as_of: 0,
        }
    }

    /// Sends so many, of as many subscriptions.
    fn send(lane: &mut Lane, count: u8) {
        for subscription in 0..count {
            assert!(lane.take_in(due(subscription, 1, false), true));
        }
        assert_eq!(std::iter::from_fn(|| lane.send_next()).count(), usize::from(count));
    }

    #[test]
    fn a_sink_that_fails_is_left_alone_for_longer_each_time() {
        let mut lane = Lane { has_due: true, ..Lane::default() };
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
        lane.succeed(lane.round());
        assert_eq!((lane.is_prompt(), lane.room(at(0))), (true, 2));
    }

    #[test]
    fn a_sink_that_asks_for_it_is_left_alone_even_if_it_has_failed_but_once() {
        let mut lane = Lane { has_due: true, ..Lane::default() };
        let before = lane.round();
        lane.fail(at(0), before);
        lane.rest(at(0), at(30));
        lane.succeed(before);
        assert_eq!(lane.rests(at(29)), Some(at(30)), "what it answered before says nothing of that");
        assert_eq!((lane.rests(at(30)), lane.room(at(30))), (None, 1));
        lane.rest(at(30), at(1_000_000));
        assert_eq!(lane.rests(at(30)), Some(at(30 + 3600)), "for an hour at most");
    }

    #[test]
    fn a_sink_that_answers_gets_more_at_a_time_and_one_that_fails_gets_one() {
        let mut lane = Lane::default();
        for _ in 0..100 {
            lane.succeed(lane.round());
        }
        lane.has_due = true;
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
        send(&mut lane, 4);
        lane.has_due = true;
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
        for subscription in 0..100 {
            lane.take_found(vec![due(subscription, 1, false)], false, false);
            if lane.room(at(0)) > 0 && lane.send_next().is_some() {
                lane.wait_long();
                sent += 1;
            }
        }
        assert_eq!(sent, 1 + LATE);
    }

    #[test]
    fn what_is_not_recorded_is_remembered_and_what_follows_it_waits() {
        let mut lane = Lane::default();
        assert!(lane.is_idle());
        send(&mut lane, 1);
        lane.settle(false);
        assert!(!lane.is_idle());
        assert!(!lane.take_in(due(0, 2, false), true));
        assert!(lane.take_in(due(0, 1, true), true), "a replay follows nothing");
        assert!(!lane.take_in(due(0, 1, true), true), "once");
        assert!(!lane.has_due, "nothing can be found before that is recorded");
        lane.recorded((SubscriptionId::from_bytes([0; 16]), 1), false);
        assert!(lane.has_due);
        assert_eq!(lane.missing(3).unwrap().0, 2, "beside the replay");
    }

    #[test]
    fn what_is_ready_waits_in_the_store_when_the_sink_fails_or_memory_is_full() {
        let mut lane = Lane::default();
        for subscription in 0..5 {
            assert!(lane.take_in(due(subscription, 1, false), true));
        }
        assert_eq!(lane.room(at(0)), 1, "one at a time, at first");
        assert!(lane.send_next().is_some());
        assert_eq!(lane.fail(at(0), lane.round()), 4);
        lane.settle(false);
        assert!(lane.has_due && lane.send_next().is_none());
        assert!(!lane.take_in(due(5, 1, false), true), "as long as it fails");
        let (_, under_way) = lane.missing(1).unwrap();
        assert_eq!(under_way.len(), 1, "the one that was sent");

        let mut full = Lane::default();
        assert!(!full.take_in(due(0, 1, false), false));
        assert!(full.has_due);
    }
}
