use std::{borrow::Cow, collections::HashSet, sync::Arc};

use async_trait::async_trait;

use crate::{EndReason, Fact, Sink, StoreError, Subscription, SubscriptionId, Timestamp};

/// What a subscription is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// What became of its line.
    Event(Fact),
    /// That it has begun.
    Started,
    /// That it was paused, or goes on.
    Updated {
        /// Whether it is told of what happens from now on.
        is_active: bool,
    },
    /// That it has ended: the last that it is told.
    Ended {
        /// Why.
        reason: EndReason,
        /// More about it, for people.
        description: Option<String>,
    },
}

/// One notice on its way to the sink of its subscription. Subscription and sequence together name it
/// for ever, however often it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Whom it is for.
    pub subscription: SubscriptionId,
    /// Its place among all that the subscription is told, from 1.
    pub sequence: u64,
    /// What is told.
    pub notice: Notice,
    /// When that happened.
    pub at: Timestamp,
    /// When it was put on its way.
    pub made_at: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// What came of that.
    pub state: DeliveryState,
    /// When it can be sent, if it is pending and waits for no other.
    pub due_at: Option<Timestamp>,
    /// Whether it was dead once, and the operator had it sent again.
    pub is_replay: bool,
    /// What came of the last attempt, for people.
    pub last_outcome: Option<String>,
}

/// What came of a delivery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DeliveryState {
    /// It is on its way, or waits for the one before it.
    Pending,
    /// The sink has it.
    Delivered,
    /// The sink refused it, or was tried often enough. The operator can replay it.
    Dead,
    /// It was given up: its sink is gone, or the version of its API does not tell such a thing.
    Dropped,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Dead, Self::Dropped];

    /// Its text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Dropped => "dropped",
        }
    }

    /// The state of this text.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A sink with deliveries that can be sent, now or later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueSink {
    /// Where they go.
    pub sink: Sink,
    /// When the first of them can be sent.
    pub due_at: Timestamp,
}

/// Names a delivery: whose it is, and its sequence.
pub type DeliveryId = (SubscriptionId, u64);

/// What is on its way to a sink already.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UnderWay {
    /// Of these one that is no replay: the next has to wait for it.
    subscriptions: HashSet<SubscriptionId>,
    /// These, which are in no order.
    replays: HashSet<DeliveryId>,
}

impl UnderWay {
    /// Whether a delivery must not be sent now: it is on its way itself, or one that it has to follow is.
    #[must_use]
    pub fn holds_up(&self, delivery: &Delivery) -> bool {
        let Delivery { subscription, sequence, is_replay, .. } = delivery;
        if *is_replay {
            self.replays.contains(&(*subscription, *sequence))
        } else {
            self.subscriptions.contains(subscription)
        }
    }

    /// A delivery is on its way.
    pub fn insert(&mut self, delivery: &Delivery) {
        if delivery.is_replay {
            self.replays.insert((delivery.subscription, delivery.sequence));
        } else {
            self.subscriptions.insert(delivery.subscription);
        }
    }

    /// One is no more, and what came of it is recorded.
    pub fn remove(&mut self, (subscription, sequence): DeliveryId, is_replay: bool) {
        if is_replay {
            self.replays.remove(&(subscription, sequence));
        } else {
            self.subscriptions.remove(&subscription);
        }
    }

    /// How many are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subscriptions.len() + self.replays.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is asked for, to be sent to a sink.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it goes.
    pub sink: Sink,
    /// At most so many.
    pub limit: usize,
    /// Nothing that has to wait for these.
    pub under_way: UnderWay,
}

/// What commits have let be sent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Made {
    /// Deliveries.
    pub due: Vec<Due>,
    /// Sinks to which there is more than was worth being held in memory: [`Deliveries::due`] has it.
    pub sinks: HashSet<Sink>,
}

/// What can be sent to a sink.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Now, longest due first.
    pub due: Vec<Due>,
    /// When the first of the others can be, if these are all that can be sent now.
    pub next_at: Option<Timestamp>,
    /// Whether there was more that has to wait for what is under way.
    pub has_held_up: bool,
}

/// A delivery that can be sent, with all that is needed for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    /// The delivery.
    pub delivery: Delivery,
    /// Its subscription, as it was then.
    pub subscription: Subscription,
    /// How often the store had given something up when this was read: [`Deliveries::current`] looks again if it has
    /// since.
    pub as_of: u64,
}

/// How many deliveries are held in memory on their way from the store, at most.
const MOST_MADE: usize = 4096;

impl Made {
    /// Adds a delivery, or its sink where there are many already.
    pub fn add(&mut self, due: Due) {
        if self.due.len() < MOST_MADE {
            self.due.push(due);
        } else {
            self.sinks.insert(due.subscription.sink);
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty() && self.sinks.is_empty()
    }
}

/// What came of one attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// Whose delivery it was.
    pub subscription: SubscriptionId,
    /// Which of them.
    pub sequence: u64,
    /// Whether it was a replay, for which nothing waits.
    pub is_replay: bool,
    /// When it ended.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// The same for people, such as `HTTP 503`.
    pub description: String,
}

/// What came of one attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The sink has it.
    Delivered,
    /// It is to be tried again.
    Again {
        /// When.
        at: Timestamp,
    },
    /// It could not even be sent, for a reason that is ours: it is to be tried then, as if nothing had been tried.
    Postponed {
        /// When.
        at: Timestamp,
    },
    /// It is not to be tried again.
    Dead,
    /// It cannot be told in the version of its subscription.
    Dropped,
    /// The sink said that it is gone, which ends the subscription.
    Gone,
}

/// Which dead deliveries are sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replayed {
    /// The one of this sequence of a subscription.
    One(SubscriptionId, u64),
    /// All that were made since then, of one subscription or of all.
    Since(Option<SubscriptionId>, Timestamp),
}

/// Keeps what is to be told until it was told: the outbox.
///
/// Of each subscription only the first delivery that is pending can be sent; the next one can when that
/// one has been settled. A replay can be sent at once.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Waits until commits have let deliveries be sent, and returns them. Each is told once; what was let be sent
    /// before a start, [`Self::due_sinks`] tells.
    async fn made(&self) -> Made;

    /// Every sink with deliveries that can be sent, now or later.
    fn due_sinks(&self) -> Result<Vec<DueSink>, StoreError>;

    /// What can be sent to a sink at `now`.
    fn due(&self, wanted: &Wanted, now: Timestamp) -> Result<Found, StoreError>;

    /// A delivery as it is by now, as far as is committed; `None` if it is not to be sent any more: its subscriber may
    /// have withdrawn consent since it was read, or its line have ended. Costs nothing as long as nobody has.
    fn current<'a>(&self, due: &'a Due) -> Result<Option<Cow<'a, Due>>, StoreError>;

    /// Records what came of attempts, all in one transaction.
    async fn record(&self, attempts: Arc<[Attempt]>) -> Result<(), StoreError>;

    /// The last `limit` deliveries of a subscription, newest first.
    fn deliveries(&self, subscription: SubscriptionId, limit: u32) -> Result<Vec<Delivery>, StoreError>;

    /// The last `limit` dead deliveries that were made at a time or later, of all subscriptions, newest first.
    fn dead(&self, since: Timestamp, limit: u32) -> Result<Vec<(Delivery, Subscription)>, StoreError>;

    /// Lets dead deliveries be sent again from `now` on. Returns how many.
    async fn replay(&self, which: Replayed, now: Timestamp) -> Result<usize, StoreError>;

    /// Deletes what was delivered or dropped if it was made before `settled_before`, dead letters that were given up
    /// before `dead_before`, and ended subscriptions of which nothing is left then. In small steps, so that nobody
    /// waits for it; who stops waiting for it stops it between two of them. Returns how many deliveries it were.
    async fn sweep(&self, settled_before: Timestamp, dead_before: Timestamp) -> Result<usize, StoreError>;

    /// How many deliveries are pending, and how many are dead.
    fn backlog(&self) -> Result<(usize, usize), StoreError>;

    /// When the oldest of those that are pending was put on its way.
    fn oldest_pending(&self) -> Result<Option<Timestamp>, StoreError>;
}
