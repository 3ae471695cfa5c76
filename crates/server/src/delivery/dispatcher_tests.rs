//! The dispatcher between a store that is real and sinks that are not.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use attache_core::{
    Attempt, Client, ClientId, ClientKeys, Clients as _, Clock as _, Deliveries, Delivery, DeliveryState, DueSink,
    EventType, Found, LineId, Plan, PublisherName, Purpose, Replayed, Sink, StoreError, Subscription, SubscriptionId,
    SubscriptionProblem, SubscriptionStatus, Subscriptions as _, Timestamp, Wanted,
};
use attache_store::SqliteStore;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    Delivering,
    courier::{Courier, Letter, PostError, Reply},
    dispatcher::{Bounds, Dispatcher},
};
use crate::{clock::SystemClock, keyring::Keyring, telemetry::Metrics};

const BOUNDS: Bounds = Bounds { prompt: 8, slow: 8, patience: Duration::from_millis(20) };

/// Sinks that answer or hang, by their names: `https://hangs.example/...` never answers.
#[derive(Default)]
struct Sinks {
    /// The ids of the events that came, by sink.
    told: Mutex<HashMap<String, Vec<String>>>,
    /// How many exchanges are under way, and were at most.
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Courier for Sinks {
    fn admit(&self, _: &Sink) -> Result<(), SubscriptionProblem> {
        Ok(())
    }

    async fn post(&self, letter: Letter) -> Result<Reply, PostError> {
        /// Counted to its end, though it is broken off.
        struct Counted<'a>(&'a AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.most.fetch_max(self.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _counted = Counted(&self.now);
        let sink = letter.sink.as_str().to_owned();
        let hangs = sink.starts_with("https://hangs.example/") || letter.correlator.ends_with("-2");
        self.told.lock().unwrap().entry(sink).or_default().push(letter.correlator);
        if hangs {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        Ok(Reply { status: 204, retry_after: None })
    }
}

/// A store that cannot record at first.
struct Forgetful {
    store: Arc<SqliteStore>,
    failures: AtomicUsize,
}

#[async_trait]
impl Deliveries for Forgetful {
    async fn made(&self) -> Vec<Sink> {
        self.store.made().await
    }

    fn due_sinks(&self) -> Result<Vec<DueSink>, StoreError> {
        self.store.due_sinks()
    }

    fn due(&self, wanted: &Wanted, now: Timestamp) -> Result<Found, StoreError> {
        self.store.due(wanted, now)
    }

    async fn record(&self, attempts: Arc<[Attempt]>) -> Result<(), StoreError> {
        let fails = |left: usize| left.checked_sub(1);
        match self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails) {
            Ok(_) => Err(StoreError::Failed { action: "commit", cause: "the disk is full".into() }),
            Err(_) => self.store.record(attempts).await,
        }
    }

    fn deliveries(&self, subscription: SubscriptionId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.store.deliveries(subscription, limit)
    }

    async fn replay(&self, subscription: SubscriptionId, which: Replayed, now: Timestamp) -> Result<usize, StoreError> {
        self.store.replay(subscription, which, now).await
    }

    fn backlog(&self) -> Result<(usize, usize), StoreError> {
        self.store.backlog()
    }
}

struct World {
    _directory: TempDir,
    store: Arc<SqliteStore>,
    sinks: Arc<Sinks>,
}

impl World {
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = Arc::new(SqliteStore::open(directory.path().join("attache.db"), "sandbox").unwrap());
        let client = Client {
            id: ClientId::from_bytes([1; 16]),
            publisher: PublisherName::new_static("camara"),
            client_id: "shop".into(),
            revision: 1,
            name: None,
            organisation: None,
            secrets: vec![],
            keys: ClientKeys::Registered(vec![]),
            authentication_methods: vec![],
            redirect_uris: vec![],
            origins: vec![],
            grants: vec![],
            scopes: vec![],
            purposes: vec![],
            plan: Plan::default(),
            dpop_required: false,
            signed_requests_required: false,
            sector: None,
            registered_at: SystemClock.now(),
        };
        store.add(client).await.unwrap();
        Self { _directory: directory, store, sinks: Arc::default() }
    }

    /// Makes a subscription, which is told that it has started.
    async fn subscribe(&self, number: u32, sink: &str) -> SubscriptionId {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let id = SubscriptionId::from_bytes(id);
        let new = Subscription {
            id,
            publisher: PublisherName::new_static("camara"),
            api: "device-roaming-status-subscriptions".into(),
            contract: "0.8".into(),
            client: ClientId::from_bytes([1; 16]),
            purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
            line: LineId::from_bytes([9; 16]),
            device: None,
            event_type: EventType::RoamingOn,
            sink: Sink::new(sink).unwrap(),
            credential: None,
            initial_event: None,
            max_events: None,
            expires_at: None,
            starts_at: SystemClock.now(),
            status: SubscriptionStatus::Active,
            events_made: 0,
        };
        self.store.begin(new, None).await.unwrap();
        id
    }

    async fn pause(&self, id: SubscriptionId) {
        self.store.set_active(id, false, SystemClock.now()).await.unwrap();
    }

    /// Sends, by this store, until it is stopped.
    fn send_by(&self, deliveries: Arc<dyn Deliveries>) -> CancellationToken {
        let stopping = CancellationToken::new();
        let delivering = Delivering {
            deliveries,
            subscriptions: Arc::clone(&self.store) as Arc<_>,
            courier: Arc::clone(&self.sinks) as Arc<dyn Courier>,
            clock: Arc::new(SystemClock),
            keyring: Arc::new(Keyring::new(
                &"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".parse().unwrap(),
                None,
            )),
            metrics: Metrics::new().delivery,
            base_url: "https://attache.example".to_owned(),
        };
        tokio::spawn(Dispatcher::new(Arc::new(delivering), BOUNDS).run(stopping.clone()));
        stopping
    }

    fn send(&self) {
        self.send_by(Arc::clone(&self.store) as Arc<dyn Deliveries>);
    }

    fn told(&self, sink: &str) -> Vec<String> {
        self.sinks.told.lock().unwrap().get(sink).cloned().unwrap_or_default()
    }

    fn states(&self, id: SubscriptionId) -> Vec<DeliveryState> {
        self.store.deliveries(id, 100).unwrap().iter().rev().map(|delivery| delivery.state).collect()
    }
}

/// Waits until something is so.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn many_more_sinks_that_hang_than_there_is_room_for_hold_up_none_that_answers() {
    let world = World::new().await;
    for number in 0..200 {
        world.subscribe(number, &format!("https://hangs.example/{number}")).await;
    }
    let good: Vec<String> = (200..220).map(|number| format!("https://answers.example/{number}")).collect();
    world.send();
    for (number, sink) in (200..).zip(&good) {
        world.subscribe(number, sink).await;
    }
    eventually("all that answer are told", || good.iter().all(|sink| world.told(sink).len() == 1)).await;
    eventually("all that hang were tried", || world.sinks.told.lock().unwrap().len() == 220).await;
    assert!(world.sinks.most.load(Ordering::SeqCst) <= BOUNDS.prompt + BOUNDS.slow);
}

#[tokio::test]
async fn one_event_that_is_not_answered_holds_up_no_other_subscription_of_its_sink() {
    let world = World::new().await;
    let sink = "https://answers.example/";
    let slow = world.subscribe(0, sink).await;
    world.send();
    eventually("the first is told", || world.states(slow) == [DeliveryState::Delivered]).await;
    // Its second is what hangs.
    world.pause(slow).await;
    eventually("it hangs", || world.told(sink).len() == 2).await;
    let mut others = Vec::new();
    for number in 1..100 {
        others.push(world.subscribe(number, sink).await);
    }
    eventually("the others are told", || others.iter().all(|id| world.states(*id) == [DeliveryState::Delivered])).await;
    assert_eq!(world.states(slow), [DeliveryState::Delivered, DeliveryState::Pending]);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_recorded_later_and_not_sent_again() {
    let world = World::new().await;
    let sink = "https://answers.example/";
    let first = world.subscribe(0, sink).await;
    let failures = AtomicUsize::new(1);
    let stopping = world.send_by(Arc::new(Forgetful { store: Arc::clone(&world.store), failures }));
    eventually("it is told", || world.told(sink).len() == 1).await;
    // Nothing else is sent before the store records again.
    let second = world.subscribe(1, sink).await;
    eventually("both are delivered", || {
        [first, second].iter().all(|id| world.states(*id) == [DeliveryState::Delivered])
    })
    .await;
    assert_eq!(world.told(sink).len(), 2);
    stopping.cancel();
}

#[tokio::test]
async fn what_was_let_be_sent_before_the_start_is_sent() {
    let world = World::new().await;
    let id = world.subscribe(0, "https://answers.example/").await;
    let _ = world.store.made().await;
    world.send();
    eventually("it is told", || world.states(id) == [DeliveryState::Delivered]).await;
}
