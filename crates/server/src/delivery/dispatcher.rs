//! Who is sent to, and when: one task that knows all sinks, and leaves the sending to others.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use attache_core::{Attempt, Due, Found, Made, Outcome, Sink, StoreError, Timestamp, Wanted};
use futures_util::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{Delivering, Verdict, lane::Lane};

/// How many deliveries one look into the store reads.
const LOOK: u32 = 512;
/// How many deliveries that have no permit yet are held in memory, at most: the others wait in the store.
const MOST_READY: usize = 4096;
/// How long is slept at most: whatever happened to the clock, it is looked at again then.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How long it takes from one record of attempts to the next: the longer, the more it were, so that many are recorded
/// together and the next event of a subscription waits no longer than it must.
const RECORD_PAUSE: Duration = Duration::from_micros(100);
const SHORTEST_RECORD_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_RECORD_PAUSE: Duration = Duration::from_millis(50);
/// How long it takes until the store is tried again when it has failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The bounds of what is under way at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many deliveries to sinks that answer at once.
    pub(super) prompt: usize,
    /// How many to those that fail or are slow, or have become so.
    pub(super) slow: usize,
    /// After how long a delivery counts among the latter.
    pub(super) patience: Duration,
}

impl Bounds {
    /// Those of every server.
    pub(super) const USUAL: Self = Self { prompt: 1024, slow: 1024, patience: Duration::from_millis(500) };
}

/// What the dispatcher hears of those whom it has set to work.
enum News {
    /// A sink has not answered for long.
    Late(Sink),
    /// An attempt has ended.
    Sent(Sent),
    /// Attempts were recorded, or could not be.
    Recorded(Arc<[Attempt]>, Vec<Sink>, Result<(), StoreError>),
}

/// An attempt that has ended.
struct Sent {
    sink: Sink,
    attempt: Attempt,
    verdict: Verdict,
    was_late: bool,
    round: u32,
}

pub(super) struct Dispatcher {
    delivering: Arc<Delivering>,
    bounds: Bounds,
    /// The sinks that have something to be told, now or later.
    lanes: HashMap<Sink, Lane>,
    /// Whose turn it is, of those that are prompt and of the others.
    prompt: VecDeque<Sink>,
    slow: VecDeque<Sink>,
    /// When lanes wake; one that says another time by now has been woken already.
    clocked: BinaryHeap<Reverse<(Timestamp, Sink)>>,
    prompt_permits: Arc<Semaphore>,
    slow_permits: Arc<Semaphore>,
    /// What came of attempts, to be recorded, and whose they were.
    settled: Vec<(Attempt, Sink)>,
    is_recording: bool,
    /// When the next record may be made.
    record_at: Instant,
    /// Whether attempts could not be recorded. Nothing is sent before they are.
    recording_failed: bool,
    sending: usize,
    /// How many are held in memory that have no permit yet.
    ready: usize,
    tell: mpsc::UnboundedSender<News>,
    news: mpsc::UnboundedReceiver<News>,
}

impl Dispatcher {
    pub(super) fn new(delivering: Arc<Delivering>, bounds: Bounds) -> Self {
        let (tell, news) = mpsc::unbounded_channel();
        Self {
            delivering,
            bounds,
            lanes: HashMap::new(),
            prompt: VecDeque::new(),
            slow: VecDeque::new(),
            clocked: BinaryHeap::new(),
            prompt_permits: Arc::new(Semaphore::new(bounds.prompt)),
            slow_permits: Arc::new(Semaphore::new(bounds.slow)),
            settled: Vec::new(),
            is_recording: false,
            record_at: Instant::now(),
            recording_failed: false,
            sending: 0,
            ready: 0,
            tell,
            news,
        }
    }

    /// Sends what is due, until the server stops. What is under way then is finished, within the deadline of an
    /// exchange: it was sent, and is to be recorded.
    pub(super) async fn run(mut self, stopping: CancellationToken) {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = self.remember() => {}
        }
        let deliveries = Arc::clone(&self.delivering.deliveries);
        while !stopping.is_cancelled() {
            let sleep = self.wake_due();
            let has_more = self.refill().await;
            self.record();
            let may_record = !self.is_recording && !self.settled.is_empty();
            tokio::select! {
                () = stopping.cancelled() => {}
                Some(news) = self.news.recv() => self.hear(news),
                made = deliveries.made() => self.take_in(made),
                () = tokio::task::yield_now(), if has_more => {}
                () = tokio::time::sleep(sleep) => {}
                () = tokio::time::sleep_until(self.record_at), if may_record => {}
            }
            while let Ok(news) = self.news.try_recv() {
                self.hear(news);
            }
        }
        self.finish().await;
    }

    /// Finds what was to be sent before the server started.
    async fn remember(&mut self) {
        loop {
            let deliveries = Arc::clone(&self.delivering.deliveries);
            let looking = tokio::task::spawn_blocking(move || deliveries.due_sinks());
            match looking.await {
                Ok(Ok(sinks)) => return sinks.iter().for_each(|due| self.wake_at(&due.sink, due.due_at)),
                Ok(Err(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "deliveries cannot be read; trying again");
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the look for deliveries broke off; trying again");
                }
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }

    async fn finish(mut self) {
        while self.sending > 0 || self.is_recording || !self.settled.is_empty() {
            if self.recording_failed {
                // They are sent again after the next start: at least once is what was promised.
                return;
            }
            self.record_at = self.record_at.min(Instant::now());
            self.record();
            let Some(news) = self.news.recv().await else { return };
            self.hear(news);
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Late(sink) => {
                if let Some(lane) = self.lanes.get_mut(&sink) {
                    lane.wait_long();
                }
                self.queue(sink);
            }
            News::Sent(sent) => self.settle(sent),
            News::Recorded(attempts, sinks, outcome) => self.recorded(&attempts, sinks, outcome),
        }
    }

    /// Takes in what came of an attempt.
    fn settle(&mut self, sent: Sent) {
        let Sent { sink, attempt, verdict, was_late, round } = sent;
        self.sending -= 1;
        if let Some(lane) = self.lanes.get_mut(&sink) {
            lane.settle(was_late);
            match verdict {
                Verdict::Answers => lane.succeed(round),
                Verdict::Fails { asks_until } => {
                    self.ready -= lane.fail(attempt.at, round);
                    if let Some(until) = asks_until {
                        lane.rest(attempt.at, until);
                    }
                }
                Verdict::Unknown => {}
            }
        }
        self.settled.push((attempt, sink.clone()));
        self.queue(sink);
    }

    /// Takes in what commits have let be sent.
    fn take_in(&mut self, made: Made) {
        for due in made.due {
            let sink = due.subscription.sink.clone();
            let lane = self.lanes.entry(sink.clone()).or_default();
            self.ready += usize::from(lane.take_in(due, self.ready < MOST_READY));
            self.queue(sink);
        }
        made.sinks.into_iter().for_each(|sink| self.wake(sink));
    }

    /// Records what has been settled, all that has come together while the last record was made.
    fn record(&mut self) {
        let now = Instant::now();
        if self.is_recording || self.settled.is_empty() || now < self.record_at {
            return;
        }
        self.is_recording = true;
        let attempts = u32::try_from(self.settled.len()).unwrap_or(u32::MAX);
        let pause = RECORD_PAUSE.saturating_mul(attempts);
        self.record_at = now + pause.clamp(SHORTEST_RECORD_PAUSE, LONGEST_RECORD_PAUSE);
        let (attempts, sinks): (Vec<_>, Vec<_>) = std::mem::take(&mut self.settled).into_iter().unzip();
        let attempts: Arc<[Attempt]> = attempts.into();
        let (deliveries, tell) = (Arc::clone(&self.delivering.deliveries), self.tell.clone());
        tokio::spawn(async move {
            let outcome = deliveries.record(Arc::clone(&attempts)).await;
            // Nobody listens any more when the server has stopped.
            let _ = tell.send(News::Recorded(attempts, sinks, outcome));
        });
    }

    fn recorded(&mut self, attempts: &[Attempt], sinks: Vec<Sink>, outcome: Result<(), StoreError>) {
        self.is_recording = false;
        if let Err(error) = outcome {
            // The store tells its trouble itself.
            tracing::debug!(error = &error as &dyn std::error::Error, "attempts could not be recorded; trying again");
            self.settled.extend(attempts.iter().cloned().zip(sinks));
            self.recording_failed = true;
            self.record_at = Instant::now() + STORE_PAUSE;
            return;
        }
        self.recording_failed = false;
        for (attempt, sink) in attempts.iter().zip(sinks) {
            if let Some(lane) = self.lanes.get_mut(&sink) {
                lane.recorded((attempt.subscription, attempt.sequence), attempt.is_replay);
            }
            if let Outcome::Again { at } | Outcome::Postponed { at } = attempt.outcome {
                self.wake_at(&sink, at);
            }
            self.queue(sink);
        }
    }

    /// The store has something that can be sent to a sink now.
    fn wake(&mut self, sink: Sink) {
        self.lanes.entry(sink.clone()).or_default().has_due = true;
        self.queue(sink);
    }

    /// It will have something then.
    fn wake_at(&mut self, sink: &Sink, at: Timestamp) {
        let lane = self.lanes.entry(sink.clone()).or_default();
        if lane.wakes_at.is_none_or(|earlier| at < earlier) {
            lane.wakes_at = Some(at);
            self.clocked.push(Reverse((at, sink.clone())));
        }
    }

    /// Lets a sink wait for its turn, if it has anything to wait for; or forgets it, or leaves it alone as long as
    /// it rests.
    fn queue(&mut self, sink: Sink) {
        let now = self.delivering.clock.now();
        let Some(lane) = self.lanes.get_mut(&sink) else { return };
        if lane.is_idle() {
            self.lanes.remove(&sink);
        } else if lane.has_more() && !lane.is_queued {
            if let Some(until) = lane.rests(now) {
                lane.has_due = false;
                self.wake_at(&sink, until);
            } else if lane.room(now) > 0 {
                lane.is_queued = true;
                if lane.is_prompt() { self.prompt.push_back(sink) } else { self.slow.push_back(sink) }
            }
        }
    }

    /// Wakes those whose time has come. Returns how long nothing more happens by itself.
    fn wake_due(&mut self) -> Duration {
        let now = self.delivering.clock.now();
        while let Some(Reverse((at, _))) = self.clocked.peek() {
            if *at > now {
                let nanoseconds = at.unix_nanoseconds().saturating_sub(now.unix_nanoseconds());
                return Duration::from_nanos(nanoseconds.try_into().unwrap_or(0)).min(LONGEST_SLEEP);
            }
            let Some(Reverse((at, sink))) = self.clocked.pop() else { break };
            if let Some(lane) = self.lanes.get_mut(&sink)
                && lane.wakes_at == Some(at)
            {
                lane.wakes_at = None;
                self.wake(sink);
            }
        }
        LONGEST_SLEEP
    }

    /// Sends what is ready to those whose turn it is, and reads what else can be sent. Returns whether it is somebody's
    /// turn still.
    async fn refill(&mut self) -> bool {
        if self.recording_failed {
            return false;
        }
        let now = self.delivering.clock.now();
        let mut look = LOOK;
        let (mut wanted, mut permits) = (Vec::new(), Vec::new());
        for is_prompt in [true, false] {
            while look > 0
                && let Some((sink, mut permit)) = self.next(is_prompt, look, now)
            {
                self.send_ready(&sink, &mut permit);
                let missing = self.lanes.get(&sink).and_then(|lane| lane.missing(permit.num_permits()));
                if let Some((limit, under_way)) = missing {
                    look = look.saturating_sub(u32::try_from(limit).unwrap_or(look));
                    wanted.push(Wanted { sink, limit, under_way });
                    permits.push(permit);
                } else {
                    self.queue(sink);
                }
            }
        }
        if wanted.is_empty() {
            return false;
        }
        let deliveries = Arc::clone(&self.delivering.deliveries);
        let looked_for = wanted.clone();
        let looking = tokio::task::spawn_blocking(move || {
            looked_for.iter().map(|wanted| deliveries.due(wanted, now)).collect::<Vec<_>>()
        });
        // It does not panic; if it did, everybody is looked for again.
        let found = looking.await.unwrap_or_default();
        if let Some(error) = found.iter().find_map(|found| found.as_ref().err()) {
            tracing::error!(error = error as &dyn std::error::Error, "deliveries cannot be read; trying again");
        }
        let mut found = found.into_iter();
        for (wanted, permit) in wanted.into_iter().zip(permits) {
            self.send_found(found.next().and_then(Result::ok), wanted, permit);
        }
        look == 0
    }

    /// Whose turn it is, and for how many deliveries.
    fn next(&mut self, is_prompt: bool, look: u32, now: Timestamp) -> Option<(Sink, OwnedSemaphorePermit)> {
        let permits = Arc::clone(if is_prompt { &self.prompt_permits } else { &self.slow_permits });
        loop {
            let free = u32::try_from(permits.available_permits()).unwrap_or(u32::MAX).min(look);
            if free == 0 {
                return None;
            }
            let queue = if is_prompt { &mut self.prompt } else { &mut self.slow };
            let sink = queue.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&sink) else { continue };
            let room = lane.room(now);
            if lane.is_prompt() == is_prompt && room > 0 {
                let Ok(permit) = Arc::clone(&permits).try_acquire_many_owned(room.min(free)) else {
                    // An exchange that has become slow has taken them meanwhile. It keeps its turn.
                    queue.push_front(sink);
                    return None;
                };
                lane.is_queued = false;
                return Some((sink, permit));
            }
            // It has become another since it was queued.
            lane.is_queued = false;
            self.queue(sink);
        }
    }

    /// Sends what a look has found, which is nothing where it failed.
    fn send_found(&mut self, found: Option<Found>, wanted: Wanted, mut permit: OwnedSemaphorePermit) {
        let Wanted { sink, limit, .. } = wanted;
        let found = found.unwrap_or_else(|| Found {
            next_at: Some(self.delivering.clock.now().plus(STORE_PAUSE)),
            ..Found::default()
        });
        let Some(lane) = self.lanes.get_mut(&sink) else { return };
        let is_all = found.due.len() < limit;
        self.ready += found.due.len();
        lane.take_found(found.due, is_all, found.has_held_up);
        if let Some(at) = found.next_at {
            self.wake_at(&sink, at);
        }
        self.send_ready(&sink, &mut permit);
        self.queue(sink);
    }

    /// Sends what is ready for a sink, as far as there are permits.
    fn send_ready(&mut self, sink: &Sink, permits: &mut OwnedSemaphorePermit) {
        let Some(lane) = self.lanes.get_mut(sink) else { return };
        let (is_slow, round) = (!lane.is_prompt(), lane.round());
        while permits.num_permits() > 0
            && let Some(due) = lane.send_next()
            && let Some(permit) = permits.split(1)
        {
            self.ready -= 1;
            self.sending += 1;
            let exchange = Exchange {
                delivering: Arc::clone(&self.delivering),
                patience: self.bounds.patience,
                slow_permits: Arc::clone(&self.slow_permits),
                tell: self.tell.clone(),
                is_slow,
                round,
            };
            tokio::spawn(exchange.run(due, permit));
        }
    }
}

/// One delivery being sent.
struct Exchange {
    delivering: Arc<Delivering>,
    patience: Duration,
    slow_permits: Arc<Semaphore>,
    tell: mpsc::UnboundedSender<News>,
    /// Whether its permit is one of the slow.
    is_slow: bool,
    /// How often its sink had failed when it was begun.
    round: u32,
}

impl Exchange {
    /// Sends it. If that takes long, it goes on among the slow, where there is room; else it is broken off, so that
    /// those who are slow never hold up those who are not.
    async fn run(self, due: Due, permit: OwnedSemaphorePermit) {
        let sink = due.subscription.sink.clone();
        let mut sending = std::pin::pin!(AssertUnwindSafe(self.delivering.send(&due)).catch_unwind());
        let in_time = tokio::time::timeout(self.patience, &mut sending).await;
        let was_late = in_time.is_err();
        let (sent, permit) = if let Ok(sent) = in_time {
            (sent.ok(), Some(permit))
        } else {
            let among_slow = if self.is_slow {
                Some(permit)
            } else {
                drop(permit);
                Arc::clone(&self.slow_permits).try_acquire_owned().ok()
            };
            // Nobody listens any more when the server has stopped.
            let _ = self.tell.send(News::Late(sink.clone()));
            if among_slow.is_some() { (sending.await.ok(), among_slow) } else { (None, None) }
        };
        // Given back before it is told, so that whoever hears of it finds it.
        drop(permit);
        let (attempt, verdict) = sent.unwrap_or_else(|| self.delivering.broken_off(&due));
        self.delivering.tell_end(&due, &attempt).await;
        let _ = self.tell.send(News::Sent(Sent { sink, attempt, verdict, was_late, round: self.round }));
    }
}
