//! The dispatcher between a store that is real and sinks that are not.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use attache_core::{
    Attempt, Client, ClientId, ClientKeys, Clients as _, Clock as _, Deliveries, Delivery, DeliveryState,
    DeviceIdentifier, Due, DueSink, EndReason, EventType, Found, Kept, Line, LineId, Lines, Made, Notice, Outcome,
    Plan, Problem, PublisherName, Purpose, Replayed, Scope, SigningAlgorithm, Sink, Status, StoreError, SubjectKey,
    Subscription, SubscriptionId, SubscriptionStatus, Subscriptions as _, Timestamp, Wanted,
};
use attache_store::SqliteStore;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{
    Delivering, Signer, Witness,
    courier::Courier,
    dispatcher::{Bounds, Dispatcher},
};
use crate::{clock::SystemClock, keyring::Keyring, outbound::OutboundPolicy, settings::Key32, telemetry::Metrics};

/// Keeps no record.
struct Blind;

/// Keeps none either, and sees to it that consent is withdrawn before what it is told leaves.
struct Withdrawing {
    store: Arc<SqliteStore>,
    subscription: SubscriptionId,
}

#[async_trait]
impl Witness for Withdrawing {
    async fn record(&self, due: &Due, _: &str) -> Result<(), Problem> {
        if matches!(due.delivery.notice, Notice::Event(_)) {
            let reason = EndReason::NetworkTerminated;
            self.store.end(self.subscription, reason, None, SystemClock.now()).await.unwrap();
        }
        Ok(())
    }
}

/// Cannot write at first.
struct Full(AtomicUsize);

#[async_trait]
impl Witness for Full {
    async fn record(&self, _: &Due, _: &str) -> Result<(), Problem> {
        let fails = |left: usize| left.checked_sub(1);
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails) {
            Ok(_) => Err(Problem::Internal),
            Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Witness for Blind {
    async fn record(&self, _: &Due, _: &str) -> Result<(), Problem> {
        Ok(())
    }
}

const BOUNDS: Bounds = Bounds { prompt: 64, slow: 16, patience: Duration::from_secs(1) };

/// Sinks of one host, which answer or hang: what goes below `/hangs/` is never answered, nor is a second event; below
/// `/refuses/` each event is refused the first time.
struct Sinks {
    address: SocketAddr,
    /// The ids of the events that came, by path.
    told: Mutex<HashMap<String, Vec<String>>>,
    /// How many are not answered, and were at most.
    waiting: AtomicUsize,
    most: AtomicUsize,
}

impl Sinks {
    async fn open() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sinks = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            told: Mutex::default(),
            waiting: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let of_all = Arc::clone(&sinks);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&of_all).serve(connection));
            }
        });
        sinks
    }

    async fn serve(self: Arc<Self>, connection: TcpStream) {
        let mut connection = BufReader::new(connection);
        loop {
            let (mut path, mut id, mut length) = (String::new(), String::new(), 0);
            loop {
                let mut line = String::new();
                if connection.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return;
                }
                match line.trim_end().split_once(' ') {
                    None => break,
                    Some(("POST", rest)) => path = rest.split(' ').next().unwrap().to_owned(),
                    Some(("x-correlator:", value)) => id = value.to_owned(),
                    Some(("content-length:", value)) => length = value.parse().unwrap(),
                    Some(_) => {}
                }
            }
            connection.read_exact(&mut vec![0; length]).await.unwrap();
            let hangs = path.starts_with("/hangs/") || id.ends_with("-2");
            let refuses = path.starts_with("/refuses/")
                && !self.told.lock().unwrap().get(&path).is_some_and(|told| told.contains(&id));
            self.told.lock().unwrap().entry(path).or_default().push(id);
            self.most.fetch_max(self.waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            if hangs {
                // Until the other side gives up.
                let _ = connection.read_u8().await;
            }
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            let answer: &[u8] = if refuses {
                b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n"
            } else {
                b"HTTP/1.1 204 No Content\r\n\r\n"
            };
            if connection.write_all(answer).await.is_err() {
                return;
            }
        }
    }

    fn told(&self, path: &str) -> usize {
        self.told.lock().unwrap().get(path).map_or(0, Vec::len)
    }
}

/// A store that cannot record at first, and in which dead letters are replayed at once.
struct Forgetful {
    store: Arc<SqliteStore>,
    failures: AtomicUsize,
}

#[async_trait]
impl Deliveries for Forgetful {
    async fn made(&self) -> Made {
        self.store.made().await
    }

    fn current<'a>(&self, due: &'a Due) -> Result<Option<Cow<'a, Due>>, StoreError> {
        self.store.current(due)
    }

    fn due_sinks(&self) -> Result<Vec<DueSink>, StoreError> {
        self.store.due_sinks()
    }

    fn due(&self, wanted: &Wanted, now: Timestamp) -> Result<Found, StoreError> {
        self.store.due(wanted, now)
    }

    async fn record(&self, attempts: Arc<[Attempt]>) -> Result<(), StoreError> {
        let fails = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(StoreError::Failed { action: "commit", cause: "the disk is full".into() });
        }
        let dead = attempts.iter().find(|attempt| attempt.outcome == Outcome::Dead).cloned();
        self.store.record(attempts).await?;
        if let Some(Attempt { subscription, sequence, at, .. }) = dead {
            // The operator is faster than whoever waits for the record.
            self.store.replay(Replayed::One(subscription, sequence), at).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    fn deliveries(&self, subscription: SubscriptionId, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.store.deliveries(subscription, limit)
    }

    fn dead(&self, since: Timestamp, limit: u32) -> Result<Vec<(Delivery, Subscription)>, StoreError> {
        self.store.dead(since, limit)
    }

    async fn replay(&self, which: Replayed, now: Timestamp) -> Result<usize, StoreError> {
        self.store.replay(which, now).await
    }

    async fn sweep(&self, settled_before: Timestamp, dead_before: Timestamp) -> Result<usize, StoreError> {
        self.store.sweep(settled_before, dead_before).await
    }

    fn backlog(&self) -> Result<(usize, usize), StoreError> {
        self.store.backlog()
    }

    fn oldest_pending(&self) -> Result<Option<Timestamp>, StoreError> {
        self.store.oldest_pending()
    }
}

struct World {
    _directory: TempDir,
    store: Arc<SqliteStore>,
    line: Line,
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
            id_token_algorithm: SigningAlgorithm::default(),
            sector: None,
            registered_at: SystemClock.now(),
        };
        store.add(client).await.unwrap();
        let line = Line {
            id: LineId::from_bytes([9; 16]),
            subject_key: SubjectKey::from_bytes([9; 8]),
            phone_number: "+33699901032".parse().unwrap(),
            home: "20801".parse().unwrap(),
            status: None,
            addresses: None,
            eligible: true,
        };
        Lines::put(&*store, vec![line.clone()], SystemClock.now(), Box::new(|_| ())).await.unwrap();
        Self { _directory: directory, store, line, sinks: Sinks::open().await }
    }

    /// Makes a subscription, which is told that it has started.
    async fn subscribe(&self, number: u32, path: &str) -> SubscriptionId {
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
            scope: Scope::new_static("roaming-on:create"),
            device: Some(DeviceIdentifier::PhoneNumber("+33699901032".parse().unwrap())),
            event_type: EventType::RoamingOn,
            sink: Sink::new(&format!("http://{}{path}", self.sinks.address)).unwrap(),
            credential: None,
            initial_event: None,
            max_events: None,
            requested_end: None,
            expires_at: None,
            starts_at: SystemClock.now(),
            ended_at: None,
            status: SubscriptionStatus::Active,
            events_made: 0,
        };
        assert!(matches!(self.store.begin(new, None, None).await.unwrap(), Kept::New(_)));
        id
    }

    /// The line of all subscriptions goes abroad.
    async fn roam(&self) {
        let now = SystemClock.now();
        let abroad = Line {
            status: Some(Status {
                serving: "26201".parse().unwrap(),
                serving_confirmed_at: now,
                data: true,
                sms: true,
                reachability_confirmed_at: now,
                technology: None,
                technology_confirmed_at: now,
            }),
            ..self.line.clone()
        };
        Lines::put(&*self.store, vec![abroad], now, Box::new(|_| ())).await.unwrap();
    }

    async fn pause(&self, id: SubscriptionId) {
        self.store.set_active(id, false, SystemClock.now()).await.unwrap();
    }

    /// Sends, by this store, until it is stopped.
    fn send_by(&self, deliveries: Arc<dyn Deliveries>, witness: Arc<dyn Witness>) -> CancellationToken {
        let stopping = CancellationToken::new();
        let networks = vec!["127.0.0.0/8".parse().unwrap()];
        let policy = OutboundPolicy { networks, allow_http: true, authorities: vec![] };
        let keyring = Arc::new(Keyring::new(&Key32::from_bytes([1; 32]), None));
        let delivering = Delivering {
            deliveries,
            subscriptions: Arc::clone(&self.store) as Arc<_>,
            courier: Arc::new(Courier::new(policy, Duration::from_secs(10)).unwrap()),
            clock: Arc::new(SystemClock),
            signer: Arc::new(Signer::load(Arc::clone(&self.store) as Arc<_>, Arc::clone(&keyring)).unwrap()),
            keyring,
            metrics: Metrics::new().delivery,
            witness,
            base_url: "https://attache.example".to_owned(),
        };
        tokio::spawn(Dispatcher::new(Arc::new(delivering), BOUNDS).run(stopping.clone()));
        stopping
    }

    fn send(&self) {
        self.send_by(Arc::clone(&self.store) as Arc<dyn Deliveries>, Arc::new(Blind));
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
        world.subscribe(number, &format!("/hangs/{number}")).await;
    }
    let good: Vec<String> = (200..220).map(|number| format!("/answers/{number}")).collect();
    world.send();
    for (number, path) in (200..).zip(&good) {
        world.subscribe(number, path).await;
    }
    eventually("all that answer are told", || good.iter().all(|path| world.sinks.told(path) == 1)).await;
    // A connection that was broken off is noticed a little later at its other end.
    assert!(world.sinks.most.load(Ordering::SeqCst) <= 2 * (BOUNDS.prompt + BOUNDS.slow));
}

#[tokio::test]
async fn one_event_that_is_not_answered_holds_up_no_other_subscription_of_its_sink() {
    let world = World::new().await;
    let path = "/answers";
    let slow = world.subscribe(0, path).await;
    world.send();
    eventually("the first is told", || world.states(slow) == [DeliveryState::Delivered]).await;
    // Its second is what hangs.
    world.pause(slow).await;
    eventually("it hangs", || world.sinks.told(path) == 2).await;
    let mut others = Vec::new();
    for number in 1..100 {
        others.push(world.subscribe(number, path).await);
    }
    eventually("the others are told", || others.iter().all(|id| world.states(*id) == [DeliveryState::Delivered])).await;
    assert_eq!(world.states(slow), [DeliveryState::Delivered, DeliveryState::Pending]);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_recorded_later_and_not_sent_again() {
    let world = World::new().await;
    let first = world.subscribe(0, "/answers").await;
    let failures = AtomicUsize::new(1);
    let deliveries = Arc::new(Forgetful { store: Arc::clone(&world.store), failures });
    let stopping = world.send_by(deliveries, Arc::new(Blind));
    eventually("it is told", || world.sinks.told("/answers") == 1).await;
    // Nothing else is sent before the store records again.
    let second = world.subscribe(1, "/answers").await;
    eventually("both are delivered", || {
        [first, second].iter().all(|id| world.states(*id) == [DeliveryState::Delivered])
    })
    .await;
    assert_eq!(world.sinks.told("/answers"), 2);
    stopping.cancel();
}

#[tokio::test]
async fn what_was_let_be_sent_before_the_start_is_sent() {
    let world = World::new().await;
    let id = world.subscribe(0, "/answers").await;
    let _ = world.store.made().await;
    world.send();
    eventually("it is told", || world.states(id) == [DeliveryState::Delivered]).await;
}

#[tokio::test]
async fn a_dead_letter_that_is_replayed_before_its_record_is_heard_of_is_sent_again() {
    let world = World::new().await;
    let id = world.subscribe(0, "/refuses/once").await;
    let deliveries = Arc::new(Forgetful { store: Arc::clone(&world.store), failures: AtomicUsize::new(0) });
    world.send_by(deliveries, Arc::new(Blind));
    eventually("it is delivered", || world.states(id) == [DeliveryState::Delivered]).await;
    assert_eq!(world.sinks.told("/refuses/once"), 2);
}

#[tokio::test]
async fn what_is_not_consented_to_any_more_does_not_leave_even_if_it_was_about_to() {
    let world = World::new().await;
    let id = world.subscribe(0, "/answers").await;
    let witness = Withdrawing { store: Arc::clone(&world.store), subscription: id };
    world.send_by(Arc::clone(&world.store) as Arc<dyn Deliveries>, Arc::new(witness));
    eventually("it is told of its start", || world.states(id) == [DeliveryState::Delivered]).await;
    world.roam().await;
    let (delivered, dropped) = (DeliveryState::Delivered, DeliveryState::Dropped);
    eventually("its end is told", || world.states(id) == [delivered, dropped, delivered]).await;
    assert_eq!(world.sinks.told("/answers"), 2, "its start and its end");
}

#[tokio::test]
async fn what_cannot_be_told_to_the_audit_log_is_not_sent_and_uses_up_no_attempt() {
    let world = World::new().await;
    let id = world.subscribe(0, "/answers").await;
    world.send_by(Arc::clone(&world.store) as Arc<dyn Deliveries>, Arc::new(Full(AtomicUsize::new(1))));
    eventually("it is told", || world.states(id) == [DeliveryState::Delivered]).await;
    assert_eq!(world.sinks.told("/answers"), 1);
    assert_eq!(world.store.deliveries(id, 1).unwrap()[0].attempts, 1);
}
