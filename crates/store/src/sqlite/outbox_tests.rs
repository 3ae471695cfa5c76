//! Subscriptions and the outbox together: what a change leaves behind, and what becomes of it.

use std::{
    future::Future as _,
    task::{Context, Poll, Waker},
};

use attache_core::{
    Attempt, Client, ClientId, ClientKeys, Clients as _, Consent, ConsentState, Consents, Deliveries as _,
    DeliveryState, DeviceIdentifier, Due, EndReason, EventType, Fact, IdempotencyKey, Kept, LegalBasis, Line, LineId,
    Lines, Made, Notice, Outcome, Plan, PublisherName, Purpose, Replayed, Scope, SigningAlgorithm, Sink,
    SinkCredential, Status, SubjectKey, Subscription, SubscriptionFilter, SubscriptionId, SubscriptionStatus,
    Subscriptions as _, Timestamp, UnderWay, Wanted,
};
use tempfile::TempDir;

use super::SqliteStore;

const SINK: &str = "https://a.example/sink";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + seconds)
}

fn client(id: u8) -> Client {
    Client {
        id: ClientId::from_bytes([id; 16]),
        publisher: PublisherName::new_static("camara"),
        client_id: format!("client-{id}"),
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
        registered_at: at(0),
    }
}

fn line(serving: &str, confirmed: i64) -> Line {
    Line {
        id: LineId::from_bytes([9; 16]),
        subject_key: SubjectKey::from_bytes([9; 8]),
        phone_number: "+33699901032".parse().unwrap(),
        home: "20801".parse().unwrap(),
        status: Some(Status {
            serving: serving.parse().unwrap(),
            serving_confirmed_at: at(confirmed),
            data: true,
            sms: true,
            reachability_confirmed_at: at(0),
            technology: None,
            technology_confirmed_at: at(0),
        }),
        addresses: None,
        eligible: true,
    }
}

/// What the network says of the line when a subscription is asked for.
fn seen() -> Option<Status> {
    line("20801", 0).status
}

fn subscription(id: u8, event_type: EventType) -> Subscription {
    Subscription {
        id: SubscriptionId::from_bytes([id; 16]),
        publisher: PublisherName::new_static("camara"),
        api: "device-roaming-status-subscriptions".into(),
        contract: "0.8".into(),
        client: ClientId::from_bytes([1; 16]),
        purpose: Purpose::new_static("dpv:FraudPreventionAndDetection"),
        scope: Scope::new_static("roaming:create"),
        line: LineId::from_bytes([9; 16]),
        device: Some(DeviceIdentifier::PhoneNumber("+33699901032".parse().unwrap())),
        event_type,
        sink: Sink::new(SINK).unwrap(),
        credential: None,
        initial_event: None,
        max_events: None,
        requested_end: None,
        expires_at: None,
        starts_at: at(1),
        ended_at: None,
        status: SubscriptionStatus::Active,
        events_made: 0,
    }
}

struct World {
    directory: TempDir,
    store: SqliteStore,
}

impl World {
    /// A line at home, and two clients.
    async fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::open(directory.path().join("attache.db"), "sandbox").unwrap();
        for id in [1, 2] {
            store.add(client(id)).await.unwrap();
        }
        let world = Self { directory, store };
        world.put(line("20801", 0)).await;
        world
    }

    /// The same after a restart.
    fn restarted(self) -> Self {
        let Self { directory, store } = self;
        drop(store);
        let store = SqliteStore::open(directory.path().join("attache.db"), "sandbox").unwrap();
        Self { directory, store }
    }

    async fn put(&self, line: Line) {
        Lines::put(&self.store, vec![line], at(50), Box::new(|_| ())).await.unwrap();
    }

    async fn subscribe(&self, new: Subscription) {
        let kept = self.store.begin(new.clone(), seen(), None).await.unwrap();
        assert!(matches!(kept, Kept::New(kept) if kept.id == new.id));
    }

    fn due(&self) -> Vec<Due> {
        self.store.due(&wanted(), at(100)).unwrap().due
    }

    /// What commits have let be sent since this was asked last.
    fn made(&self) -> Made {
        let mut made = std::pin::pin!(self.store.made());
        match made.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(made) => made,
            Poll::Pending => Made::default(),
        }
    }

    /// Sends all that can be sent, until nothing more can; returns it in order.
    async fn send_all(&self) -> Vec<(u8, u64, Notice)> {
        let mut sent = Vec::new();
        loop {
            let due = self.due();
            if due.is_empty() {
                return sent;
            }
            for Due { delivery, .. } in due {
                self.settle(delivery.subscription, delivery.sequence, Outcome::Delivered).await;
                sent.push((delivery.subscription.as_bytes()[0], delivery.sequence, delivery.notice));
            }
        }
    }

    /// What the subject of the line says about the first client.
    async fn say(&self, state: ConsentState) {
        let Subscription { line, client, purpose, scope, .. } = subscription(1, EventType::RoamingOn);
        let consent = Consent { line, client, purpose, scope, basis: LegalBasis::Consent, state };
        Consents::put(&self.store, vec![consent]).await.unwrap();
    }

    async fn settle(&self, subscription: SubscriptionId, sequence: u64, outcome: Outcome) {
        let told = self.store.deliveries(subscription, 100).unwrap();
        let is_replay = told.iter().any(|delivery| delivery.sequence == sequence && delivery.is_replay);
        let attempt =
            Attempt { subscription, sequence, is_replay, at: at(60), outcome, description: "HTTP 204".into() };
        self.store.record([attempt].into()).await.unwrap();
    }

    fn get(&self, id: u8) -> Subscription {
        self.store.subscription(SubscriptionId::from_bytes([id; 16])).unwrap().unwrap()
    }

    fn states(&self, id: u8) -> Vec<(u64, DeliveryState)> {
        let deliveries = self.store.deliveries(SubscriptionId::from_bytes([id; 16]), 100).unwrap();
        deliveries.iter().rev().map(|delivery| (delivery.sequence, delivery.state)).collect()
    }
}

fn wanted() -> Wanted {
    Wanted { sink: Sink::new(SINK).unwrap(), limit: 100, under_way: UnderWay::default() }
}

fn ended(reason: EndReason) -> Notice {
    Notice::Ended { reason, description: None }
}

#[tokio::test]
async fn a_change_is_told_to_whom_it_concerns_and_is_there_after_a_restart() {
    let world = World::new().await;
    let credential = SinkCredential { sealed: vec![1, 2, 3], expires_at: Some(at(1000)) };
    let first = Subscription { credential: Some(credential), ..subscription(1, EventType::RoamingOn) };
    world.subscribe(first.clone()).await;
    world.say(ConsentState::Granted { at: at(0) }).await;
    world.subscribe(Subscription { device: None, ..subscription(2, EventType::RoamingOff) }).await;
    world.put(line("26201", 7)).await;
    world.put(line("26201", 8)).await;
    let world = world.restarted();
    assert_eq!(world.get(1), Subscription { events_made: 1, ..first });
    assert_eq!(world.get(2).device, None);
    let told = world.store.deliveries(SubscriptionId::from_bytes([1; 16]), 1).unwrap();
    assert_eq!((told[0].at, told[0].made_at), (at(7), at(50)));
    let sent = world.send_all().await;
    let on = Notice::Event(Fact::RoamingOn);
    assert_eq!(sent, [(1, 1, Notice::Started), (2, 1, Notice::Started), (1, 2, on)]);
}

#[tokio::test]
async fn deliveries_of_a_subscription_follow_one_another_and_those_of_others_do_not_wait() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingStatus)).await;
    world.subscribe(subscription(2, EventType::RoamingStatus)).await;
    world.put(line("26201", 7)).await;
    let heads: Vec<_> =
        world.due().iter().map(|due| (due.subscription.id.as_bytes()[0], due.delivery.sequence)).collect();
    assert_eq!(heads, [(1, 1), (2, 1)]);
    let first = SubscriptionId::from_bytes([1; 16]);
    world.settle(first, 1, Outcome::Again { at: at(5000) }).await;
    world.put(line("20801", 8)).await;
    assert_eq!(
        world.send_all().await.iter().map(|(id, sequence, _)| (*id, *sequence)).collect::<Vec<_>>(),
        [(2, 1), (2, 2), (2, 3)]
    );
    assert_eq!(world.store.due_sinks().unwrap()[0].due_at, at(5000));
    // What cannot be told any more lets the next one go.
    world.settle(first, 1, Outcome::Dead).await;
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(id, sequence, _)| (id, sequence)).collect();
    assert_eq!(sent, [(1, 2), (1, 3)]);
    assert_eq!(world.store.due_sinks().unwrap(), []);
    assert_eq!(world.store.backlog().unwrap(), (0, 1));
}

#[tokio::test]
async fn the_oldest_that_is_pending_is_told_by_when_it_was_put_on_its_way() {
    let world = World::new().await;
    assert_eq!(world.store.oldest_pending().unwrap(), None);
    for (id, starts) in [(1, 3), (2, 2), (3, 4)] {
        world.subscribe(Subscription { starts_at: at(starts), ..subscription(id, EventType::RoamingStatus) }).await;
    }
    assert_eq!(world.store.oldest_pending().unwrap(), Some(at(2)));
    for (id, outcome, oldest) in [
        (2, Outcome::Again { at: at(5000) }, Some(at(2))),
        (2, Outcome::Dead, Some(at(3))),
        (1, Outcome::Delivered, Some(at(4))),
        (3, Outcome::Delivered, None),
    ] {
        world.settle(SubscriptionId::from_bytes([id; 16]), 1, outcome).await;
        assert_eq!(world.store.oldest_pending().unwrap(), oldest);
    }
}

#[tokio::test]
async fn a_replay_waits_for_nobody_and_holds_nobody_up() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingStatus)).await;
    let id = SubscriptionId::from_bytes([1; 16]);
    world.settle(id, 1, Outcome::Dead).await;
    world.put(line("26201", 7)).await;
    world.put(line("20801", 8)).await;
    assert_eq!(world.store.replay(Replayed::One(id, 1), at(61)).await.unwrap(), 1);
    assert_eq!(world.store.replay(Replayed::One(id, 2), at(61)).await.unwrap(), 0);
    assert_eq!(world.store.replay(Replayed::Since(Some(id), at(0)), at(61)).await.unwrap(), 0);
    world.settle(id, 1, Outcome::Again { at: at(9000) }).await;
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(_, sequence, _)| sequence).collect();
    assert_eq!(sent, [2, 3]);
    world.settle(id, 1, Outcome::Delivered).await;
    assert!(world.states(1).iter().all(|(_, state)| *state == DeliveryState::Delivered));
}

#[tokio::test]
async fn a_subscription_ends_with_the_last_event_that_it_wants() {
    let world = World::new().await;
    let new = subscription(1, EventType::RoamingStatus);
    world.subscribe(Subscription { max_events: Some(2), initial_event: Some(true), ..new }).await;
    world.put(line("26201", 7)).await;
    world.put(line("20801", 8)).await;
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(_, _, notice)| notice).collect();
    assert_eq!(sent[0], Notice::Started);
    assert_eq!(sent[1], Notice::Event(Fact::RoamingStatus { visited: None }));
    assert!(matches!(sent[2], Notice::Event(Fact::RoamingStatus { visited: Some(_) })));
    assert_eq!(sent[3..], [ended(EndReason::MaxEventsReached)]);
    let subscription = world.get(1);
    assert_eq!(subscription.status, SubscriptionStatus::Ended(EndReason::MaxEventsReached));
    assert_eq!(subscription.events_made, 2);
}

#[tokio::test]
async fn whatever_ends_a_subscription_ends_it_once() {
    let world = World::new().await;
    world.subscribe(Subscription { expires_at: Some(at(10)), ..subscription(1, EventType::RoamingOn) }).await;
    let credential = Some(SinkCredential { sealed: vec![], expires_at: Some(at(20)) });
    world.subscribe(Subscription { credential, ..subscription(2, EventType::RoamingOn) }).await;
    assert_eq!(world.store.end_due(at(9), at(19)).await.unwrap(), 0);
    assert_eq!(world.store.end_due(at(10), at(20)).await.unwrap(), 2);
    assert_eq!(world.store.end_due(at(30), at(30)).await.unwrap(), 0);
    for (id, reason) in [(1, EndReason::Expired), (2, EndReason::CredentialExpired)] {
        let id = SubscriptionId::from_bytes([id; 16]);
        let kept = world.store.end(id, EndReason::NetworkTerminated, None, at(31)).await.unwrap().unwrap();
        assert_eq!(kept.status, SubscriptionStatus::Ended(reason));
        let deleted = world.store.end(id, EndReason::Deleted, None, at(31)).await.unwrap().unwrap();
        assert_eq!(deleted.status, SubscriptionStatus::Ended(EndReason::Deleted));
        let kept = deleted;
        assert_eq!(world.store.set_active(id, true, at(32)).await.unwrap().unwrap().status, kept.status);
    }
    world.put(line("26201", 40)).await;
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(_, _, notice)| notice).collect();
    let told = [ended(EndReason::Expired), ended(EndReason::CredentialExpired)];
    assert_eq!(sent, [[Notice::Started, Notice::Started], told].concat());
}

#[tokio::test]
async fn once_it_may_not_be_told_nothing_about_the_line_is() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    world.put(line("26201", 7)).await;
    let id = SubscriptionId::from_bytes([1; 16]);
    let reason = EndReason::NetworkTerminated;
    world.store.end(id, reason, Some("no consent".into()), at(51)).await.unwrap();
    world.put(line("20801", 8)).await;
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(_, _, notice)| notice).collect();
    assert_eq!(sent, [Notice::Started, Notice::Ended { reason, description: Some("no consent".into()) }]);
    assert_eq!(world.states(1)[1], (2, DeliveryState::Dropped));
}

#[tokio::test]
async fn a_line_that_ends_takes_its_subscriptions_along() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    world.put(line("26201", 7)).await;
    Lines::remove(&world.store, LineId::from_bytes([9; 16]), at(51)).await.unwrap();
    let left = world.get(1);
    assert_eq!(left.status, SubscriptionStatus::Ended(EndReason::NetworkTerminated));
    // Its end is told, and names it no more; nor does what was read before.
    assert_eq!((left.line, left.device), (LineId::from_bytes([0; 16]), None));
    let read_before = world.made().due.remove(0);
    assert!(read_before.subscription.device.is_some());
    let current = world.store.current(&read_before).unwrap().unwrap();
    assert_eq!((current.delivery.sequence, &current.subscription.device), (1, &None));
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(_, sequence, _)| sequence).collect();
    assert_eq!(sent, [1, 3]);
}

#[tokio::test]
async fn a_sink_that_is_gone_is_told_nothing_more() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    world.put(line("26201", 7)).await;
    world.store.end(SubscriptionId::from_bytes([1; 16]), EndReason::SinkGone, None, at(51)).await.unwrap();
    assert_eq!(world.send_all().await, []);
}

#[tokio::test]
async fn a_paused_subscription_never_hears_of_what_happens_meanwhile() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    let id = SubscriptionId::from_bytes([1; 16]);
    world.store.set_active(id, false, at(51)).await.unwrap();
    world.store.set_active(id, false, at(52)).await.unwrap();
    world.put(line("26201", 7)).await;
    world.put(line("20801", 8)).await;
    world.store.set_active(id, true, at(53)).await.unwrap();
    world.put(line("26201", 9)).await;
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(_, _, notice)| notice).collect();
    let paused = [Notice::Updated { is_active: false }, Notice::Updated { is_active: true }];
    assert_eq!(sent, [&[Notice::Started][..], &paused, &[Notice::Event(Fact::RoamingOn)]].concat());
}

#[tokio::test]
async fn a_change_that_is_not_stored_is_not_told() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    // Two lines cannot have one identifier: the job fails after the first was written.
    let other = Line { phone_number: "+33699901033".parse().unwrap(), ..line("26201", 7) };
    let put = Lines::put(&world.store, vec![line("26201", 7), other], at(50), Box::new(|_| ())).await;
    assert!(put.is_err());
    assert_eq!(world.states(1), [(1, DeliveryState::Pending)]);
    assert_eq!(world.get(1).events_made, 0);
    assert_eq!(world.made().due.len(), 1, "its start is handed over, and nothing that was taken back");
}

#[tokio::test]
async fn a_request_that_is_sent_again_makes_nothing_new() {
    let world = World::new().await;
    let key = |request| Some(IdempotencyKey { key: "k".into(), request: [request; 32] });
    let add = |id, request| world.store.begin(subscription(id, EventType::RoamingOn), seen(), key(request));
    assert!(matches!(add(1, 7).await.unwrap(), Kept::New(_)));
    assert!(matches!(add(2, 7).await.unwrap(), Kept::Again(known) if known.id.as_bytes()[0] == 1));
    assert_eq!(add(3, 8).await.unwrap(), Kept::OtherRequest);
    let other = Subscription { client: ClientId::from_bytes([2; 16]), ..subscription(4, EventType::RoamingOn) };
    assert!(matches!(world.store.begin(other, seen(), key(8)).await.unwrap(), Kept::New(_)));
    assert_eq!(world.send_all().await.len(), 2);
}

#[tokio::test]
async fn what_came_of_a_request_is_found_by_its_key_until_it_is_deleted() {
    let world = World::new().await;
    let shop = ClientId::from_bytes([1; 16]);
    let key = |request| IdempotencyKey { key: "k".into(), request: [request; 32] };
    let find = |client, request| world.store.kept(client, &key(request)).unwrap();
    assert_eq!(find(shop, 7), None);
    let add = |id| world.store.begin(subscription(id, EventType::RoamingOn), seen(), Some(key(7)));
    add(1).await.unwrap();
    assert_eq!(find(shop, 7), Some(Kept::Again(world.get(1))));
    assert_eq!(find(shop, 8), Some(Kept::OtherRequest));
    assert_eq!(find(ClientId::from_bytes([2; 16]), 7), None);
    let id = SubscriptionId::from_bytes([1; 16]);
    for reason in [EndReason::Expired, EndReason::Deleted] {
        world.store.end(id, reason, None, at(60)).await.unwrap();
        let expected = (reason == EndReason::Expired).then(|| Kept::Again(world.get(1)));
        assert_eq!(find(shop, 7), expected, "{reason:?}");
    }
    assert!(matches!(add(2).await.unwrap(), Kept::New(_)));
    world.store.end(SubscriptionId::from_bytes([2; 16]), EndReason::Deleted, None, at(61)).await.unwrap();
    assert_eq!(find(shop, 7), None);
}

#[tokio::test]
async fn a_subscription_keeps_what_was_asked_for_when_it_ends_and_when_it_ended() {
    let world = World::new().await;
    let asked =
        Subscription { requested_end: Some(at(10)), expires_at: Some(at(10)), ..subscription(1, EventType::RoamingOn) };
    let decided = Subscription { expires_at: Some(at(10)), ..subscription(2, EventType::RoamingOn) };
    for new in [asked.clone(), decided.clone()] {
        world.subscribe(new).await;
    }
    let world = world.restarted();
    assert_eq!((world.get(1), world.get(2)), (asked, decided));
    world.store.end(SubscriptionId::from_bytes([2; 16]), EndReason::SinkGone, None, at(5)).await.unwrap();
    world.store.end_due(at(11), at(11)).await.unwrap();
    world.store.end(SubscriptionId::from_bytes([1; 16]), EndReason::Deleted, None, at(20)).await.unwrap();
    assert_eq!((world.get(1).ended_at, world.get(2).ended_at), (Some(at(10)), Some(at(5))), "a deletion ends nothing");
    assert_eq!((world.get(1).expires_at, world.get(2).expires_at), (Some(at(10)), Some(at(10))));
}

#[tokio::test]
async fn of_what_the_network_would_not_tell_no_initial_event_tells() {
    let world = World::new().await;
    world.put(line("26201", 7)).await;
    for (id, event_type, observed) in [
        (1, EventType::RoamingStatus, None),
        (2, EventType::ReachabilityData, None),
        (3, EventType::NetworkTypeChanged, None),
        // What has changed since it was looked at is told as it is now.
        (4, EventType::RoamingOn, seen()),
    ] {
        let new = Subscription { initial_event: Some(true), ..subscription(id, event_type) };
        world.store.begin(new, observed, None).await.unwrap();
    }
    let sent = world.send_all().await;
    let told: Vec<_> = sent.into_iter().filter(|(.., notice)| *notice != Notice::Started).collect();
    let unknown = Notice::Event(Fact::NetworkTypeChanged { technology: None });
    assert_eq!(told, [(3, 2, unknown), (4, 2, Notice::Event(Fact::RoamingOn))]);
}

#[tokio::test]
async fn lists_have_what_was_asked_for() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    let (id, phone_number) = (LineId::from_bytes([8; 16]), "+33699901033".parse().unwrap());
    world.put(Line { id, phone_number, ..line("20801", 0) }).await;
    let older = Subscription { contract: "0.7".into(), line: id, ..subscription(2, EventType::RoamingOn) };
    world.subscribe(older).await;
    world
        .subscribe(Subscription { client: ClientId::from_bytes([2; 16]), ..subscription(3, EventType::RoamingOn) })
        .await;
    world.store.end(SubscriptionId::from_bytes([3; 16]), EndReason::Deleted, None, at(2)).await.unwrap();
    let list = |filter: SubscriptionFilter| -> Vec<u8> {
        world.store.subscriptions(&filter, 10).unwrap().iter().map(|it| it.id.as_bytes()[0]).collect()
    };
    assert_eq!(list(SubscriptionFilter::default()), [1, 2, 3]);
    assert_eq!(list(SubscriptionFilter { without_deleted: true, ..Default::default() }), [1, 2]);
    assert_eq!(list(SubscriptionFilter { client: Some(ClientId::from_bytes([2; 16])), ..Default::default() }), [3]);
    assert_eq!(list(SubscriptionFilter { line: Some(LineId::from_bytes([8; 16])), ..Default::default() }), [2]);
    assert_eq!(
        list(SubscriptionFilter { after: Some(SubscriptionId::from_bytes([1; 16])), ..Default::default() }),
        [2, 3]
    );
    let contract = Some(("device-roaming-status-subscriptions".into(), "0.7".into()));
    assert_eq!(list(SubscriptionFilter { contract, ..Default::default() }), [2]);
}

#[tokio::test]
async fn what_a_client_subscribed_to_ends_with_it() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    world.subscribe(Subscription { max_events: Some(1), ..subscription(2, EventType::RoamingOn) }).await;
    let other = Subscription { client: ClientId::from_bytes([2; 16]), ..subscription(3, EventType::RoamingOn) };
    world.subscribe(other).await;
    world.put(line("26201", 7)).await;
    let ended = attache_core::Clients::remove(&world.store, ClientId::from_bytes([1; 16]), at(51)).await.unwrap();
    assert_eq!(ended, 1, "the second had ended by itself");
    let sent = world.send_all().await;
    let of = |id| sent.iter().filter(|(of, ..)| *of == id).map(|(.., notice)| notice.clone()).collect::<Vec<_>>();
    let (reason, description) = (EndReason::NetworkTerminated, Some("the client has been removed".into()));
    assert_eq!(of(1), [Notice::Started, Notice::Ended { reason, description }]);
    assert_eq!(of(2), [Notice::Started, self::ended(EndReason::MaxEventsReached)]);
    assert_eq!(of(3), [Notice::Started, Notice::Event(Fact::RoamingOn)]);
    let late = world.store.begin(subscription(4, EventType::RoamingOn), seen(), None).await.unwrap();
    assert_eq!(late, Kept::RightGone);
}

#[tokio::test]
async fn what_rests_on_a_consent_ends_with_it_in_one_commit() {
    let world = World::new().await;
    world.say(ConsentState::Granted { at: at(0) }).await;
    world.subscribe(Subscription { device: None, ..subscription(1, EventType::RoamingOn) }).await;
    let other = Subscription { scope: Scope::new_static("another:create"), ..subscription(2, EventType::RoamingOn) };
    world.subscribe(other).await;
    world.put(line("26201", 7)).await;
    world.say(ConsentState::Withdrawn { granted_at: at(0), at: at(51) }).await;
    let world = world.restarted();
    world.put(line("20801", 8)).await;
    world.put(line("26201", 9)).await;
    let sent = world.send_all().await;
    let of = |id| sent.iter().filter(|(of, ..)| *of == id).map(|(.., notice)| notice.clone()).collect::<Vec<_>>();
    let (reason, description) = (EndReason::NetworkTerminated, Some("the subscriber does not consent any more".into()));
    assert_eq!(of(1), [Notice::Started, Notice::Ended { reason, description }]);
    let on = Notice::Event(Fact::RoamingOn);
    assert_eq!(of(2), [Notice::Started, on.clone(), on]);
}

#[tokio::test]
async fn after_a_withdrawal_nothing_that_was_left_over_is_told_either() {
    let world = World::new().await;
    world.say(ConsentState::Granted { at: at(0) }).await;
    let new = Subscription { device: None, max_events: Some(2), ..subscription(1, EventType::RoamingStatus) };
    world.subscribe(new).await;
    world.settle(SubscriptionId::from_bytes([1; 16]), 1, Outcome::Delivered).await;
    for (serving, confirmed) in [("26201", 7), ("20801", 8)] {
        world.put(line(serving, confirmed)).await;
    }
    let id = SubscriptionId::from_bytes([1; 16]);
    world.settle(id, 2, Outcome::Dead).await;
    assert_eq!(world.get(1).status, SubscriptionStatus::Ended(EndReason::MaxEventsReached));
    world.say(ConsentState::Withdrawn { granted_at: at(0), at: at(51) }).await;
    assert_eq!(world.store.replay(Replayed::Since(Some(id), at(0)), at(61)).await.unwrap(), 0);
    let sent: Vec<_> = world.send_all().await.into_iter().map(|(.., notice)| notice).collect();
    assert_eq!(sent, [ended(EndReason::MaxEventsReached)]);
}

#[tokio::test]
async fn none_begins_after_that_has_ended_which_it_would_rest_on() {
    let world = World::new().await;
    let with_token = Subscription { device: None, ..subscription(1, EventType::RoamingOn) };
    assert_eq!(world.store.begin(with_token.clone(), seen(), None).await.unwrap(), Kept::RightGone);
    world.say(ConsentState::Granted { at: at(0) }).await;
    world.say(ConsentState::Withdrawn { granted_at: at(0), at: at(1) }).await;
    assert_eq!(world.store.begin(with_token, seen(), None).await.unwrap(), Kept::RightGone);
    let without_token = world.store.begin(subscription(1, EventType::RoamingOn), seen(), None);
    assert_eq!(without_token.await.unwrap(), Kept::Refused);
    Lines::remove(&world.store, LineId::from_bytes([9; 16]), at(2)).await.unwrap();
    let of_client = world.store.begin(subscription(1, EventType::RoamingOn), seen(), None).await.unwrap();
    assert_eq!(of_client, Kept::LineGone);
    assert_eq!(world.send_all().await, []);
}

#[tokio::test]
async fn a_no_stands_in_the_way_of_just_what_it_was_said_to() {
    let world = World::new().await;
    let new = || subscription(1, EventType::RoamingOn);
    world.say(ConsentState::Denied { at: at(1) }).await;
    assert_eq!(world.store.begin(new(), seen(), None).await.unwrap(), Kept::Refused);
    let others = [
        Subscription { client: ClientId::from_bytes([2; 16]), ..subscription(2, EventType::RoamingOn) },
        Subscription { purpose: Purpose::new_static("dpv:Marketing"), ..subscription(3, EventType::RoamingOn) },
        Subscription { scope: Scope::new_static("another:create"), ..subscription(4, EventType::RoamingOn) },
    ];
    for other in others {
        world.subscribe(other).await;
    }
    world.say(ConsentState::Granted { at: at(2) }).await;
    world.subscribe(new()).await;
}

#[tokio::test]
async fn what_is_old_is_swept_and_an_ended_subscription_with_the_last_of_it() {
    let world = World::new().await;
    for id in [1, 2] {
        world.subscribe(subscription(id, EventType::RoamingOn)).await;
    }
    let [first, second] = [1, 2].map(|id| SubscriptionId::from_bytes([id; 16]));
    world.settle(first, 1, Outcome::Delivered).await;
    world.settle(second, 1, Outcome::Dead).await;
    world.put(line("26201", 7)).await;
    world.settle(first, 2, Outcome::Delivered).await;
    // The starts were made at 1, the events at 50.
    assert_eq!(world.store.sweep(at(1), at(1)).await.unwrap(), 0);
    assert_eq!(world.store.sweep(at(40), at(1)).await.unwrap(), 1);
    assert_eq!(world.states(1), [(2, DeliveryState::Delivered)]);
    assert_eq!(world.states(2), [(1, DeliveryState::Dead), (2, DeliveryState::Pending)]);
    assert_eq!(world.store.sweep(at(90), at(61)).await.unwrap(), 2);
    assert_eq!((world.states(1), world.states(2)), (vec![], vec![(2, DeliveryState::Pending)]));
    assert_eq!(world.get(1).status, SubscriptionStatus::Active, "it has nothing to show, but lives");

    // What is counted and ordered does not depend on what was swept.
    world.put(line("20801", 8)).await;
    world.put(line("26201", 9)).await;
    assert_eq!(world.states(1), [(3, DeliveryState::Pending)]);
    for id in [first, second] {
        world.store.end(id, EndReason::Deleted, None, at(51)).await.unwrap();
    }
    world.send_all().await;
    world.store.replay(Replayed::One(second, 1), at(60)).await.unwrap();
    assert_eq!(world.store.sweep(at(51), at(51)).await.unwrap(), 3);
    assert_eq!(world.get(1).status, SubscriptionStatus::Ended(EndReason::Deleted), "its end is not that old");
    assert_eq!(world.store.sweep(at(52), at(52)).await.unwrap(), 2);
    assert_eq!(world.store.subscriptions(&SubscriptionFilter::default(), 10).unwrap(), []);
}

#[tokio::test]
async fn what_is_under_way_is_not_found_again_and_what_comes_later_is_told() {
    let world = World::new().await;
    for id in 1..=3 {
        world.subscribe(subscription(id, EventType::RoamingOn)).await;
    }
    let first = SubscriptionId::from_bytes([1; 16]);
    world.settle(first, 1, Outcome::Again { at: at(500) }).await;
    let mut under_way = UnderWay::default();
    under_way.insert(&world.due()[0].delivery);
    let found = world.store.due(&Wanted { under_way: under_way.clone(), limit: 1, ..wanted() }, at(100)).unwrap();
    assert_eq!(found.due.iter().map(|due| due.subscription.id.as_bytes()[0]).collect::<Vec<_>>(), [3]);
    assert_eq!(found.next_at, None, "there may be more that can be sent now");
    let found = world.store.due(&Wanted { under_way, ..wanted() }, at(100)).unwrap();
    assert_eq!((found.due.len(), found.next_at, found.has_held_up), (1, Some(at(500)), true));
}

#[tokio::test]
async fn what_follows_one_that_is_under_way_is_not_found_but_a_replay_is() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingStatus)).await;
    let id = SubscriptionId::from_bytes([1; 16]);
    world.settle(id, 1, Outcome::Dead).await;
    world.put(line("26201", 7)).await;
    let mut under_way = UnderWay::default();
    under_way.insert(&world.due()[0].delivery);
    // Its consent is withdrawn while its event is on its way: the end is due, and has to wait for that.
    let reason = EndReason::NetworkTerminated;
    world.store.replay(Replayed::One(id, 1), at(51)).await.unwrap();
    world.store.end(id, reason, None, at(52)).await.unwrap();
    let find = |under_way: &UnderWay| {
        let wanted = Wanted { under_way: under_way.clone(), ..wanted() };
        let found = world.store.due(&wanted, at(100)).unwrap();
        (found.due.iter().map(|due| due.delivery.sequence).collect::<Vec<_>>(), found.has_held_up)
    };
    assert_eq!(find(&under_way), (vec![1], true));
    under_way.insert(&world.due().iter().find(|due| due.delivery.is_replay).unwrap().delivery);
    assert_eq!(find(&under_way), (vec![], true));
    under_way.remove((id, 2), false);
    assert_eq!(find(&under_way), (vec![3], true));
    under_way.remove((id, 1), true);
    assert_eq!(find(&under_way), (vec![1, 3], false));
}

#[tokio::test]
async fn whatever_lets_a_delivery_be_sent_hands_it_over_when_it_is_committed() {
    let world = World::new().await;
    let handed_over = || {
        let made = world.made();
        let found = world.due();
        for due in &made.due {
            assert!(found.contains(due), "it is as it is found");
        }
        made.due.iter().map(|due| due.delivery.sequence).collect::<Vec<_>>()
    };
    let id = SubscriptionId::from_bytes([1; 16]);
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    assert_eq!((handed_over(), world.made()), (vec![1], Made::default()));
    world.put(line("26201", 7)).await;
    assert_eq!(world.made(), Made::default(), "it waits for the one before it");
    world.settle(id, 1, Outcome::Again { at: at(70) }).await;
    assert_eq!(world.made(), Made::default(), "who has recorded it knows when");
    world.settle(id, 1, Outcome::Dead).await;
    assert_eq!(handed_over(), [2]);
    world.settle(id, 2, Outcome::Delivered).await;
    assert_eq!(world.made(), Made::default(), "there is no other");
    world.store.replay(Replayed::One(id, 1), at(61)).await.unwrap();
    let sinks = [Sink::new(SINK).unwrap()].into();
    assert_eq!(world.made(), Made { due: vec![], sinks }, "there may be many");
    world.store.set_active(id, false, at(62)).await.unwrap();
    assert_eq!(handed_over(), [3]);
}

#[tokio::test]
async fn of_very_many_that_can_be_sent_only_the_sinks_are_handed_over() {
    let world = World::new().await;
    // The most that are held in memory, and one more.
    let most = 4096_u32;
    let new = (0..=most).map(|number| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let id = SubscriptionId::from_bytes(id);
        world.store.begin(Subscription { id, ..subscription(1, EventType::RoamingOn) }, seen(), None)
    });
    futures_util::future::try_join_all(new).await.unwrap();
    let made = world.made();
    assert_eq!((made.due.len(), made.sinks), (4096, [Sink::new(SINK).unwrap()].into()));
    let found = world.store.due(&Wanted { limit: 5000, ..wanted() }, at(100)).unwrap();
    assert_eq!(found.due.len(), 4097);

    // As many at a time are replayed as hold nobody up.
    let dead = |due: &Due| Attempt {
        subscription: due.delivery.subscription,
        sequence: 1,
        is_replay: false,
        at: at(60),
        outcome: Outcome::Dead,
        description: "HTTP 400".into(),
    };
    world.store.record(found.due.iter().map(dead).collect()).await.unwrap();
    assert_eq!(world.store.replay(Replayed::Since(None, at(0)), at(61)).await.unwrap(), 4097);
    assert_eq!(world.store.backlog().unwrap(), (4097, 0));
}

#[tokio::test]
async fn what_was_given_up_is_not_pending_any_more_for_who_has_read_it_before() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    world.settle(SubscriptionId::from_bytes([1; 16]), 1, Outcome::Delivered).await;
    world.made();
    world.put(line("26201", 7)).await;
    let (handed_over, found) = (world.made().due.remove(0), world.due().remove(0));
    let is_pending = |due: &Due| world.store.current(due).unwrap().is_some();
    assert!(is_pending(&handed_over) && is_pending(&found));
    world
        .store
        .end(subscription(1, EventType::RoamingOn).id, EndReason::NetworkTerminated, None, at(51))
        .await
        .unwrap();
    assert!(!is_pending(&handed_over) && !is_pending(&found));
    let end = world.made().due.remove(0);
    assert!(is_pending(&end), "its end is told");
    world.say(ConsentState::Withdrawn { granted_at: at(0), at: at(52) }).await;
    assert!(is_pending(&end), "another commit that gives things up is not about it");
}

#[tokio::test]
async fn whose_time_is_over_is_told_nothing_more_but_that_and_when() {
    let world = World::new().await;
    world.subscribe(Subscription { expires_at: Some(at(10)), ..subscription(1, EventType::RoamingOn) }).await;
    world.subscribe(Subscription { expires_at: Some(at(51)), ..subscription(2, EventType::RoamingOn) }).await;
    // It happens at 50.
    world.put(line("26201", 7)).await;
    assert_eq!(world.store.end_due(at(60), at(60)).await.unwrap(), 2);
    let told = |id: u8| -> Vec<(Notice, Timestamp)> {
        let told = world.store.deliveries(SubscriptionId::from_bytes([id; 16]), 100).unwrap();
        told.into_iter().rev().map(|delivery| (delivery.notice, delivery.at)).collect()
    };
    let (started, ended) = ((Notice::Started, at(1)), |seconds| (ended(EndReason::Expired), at(seconds)));
    assert_eq!(told(1), [started.clone(), ended(10)]);
    assert_eq!(told(2), [started, (Notice::Event(Fact::RoamingOn), at(7)), ended(51)]);
}

#[tokio::test]
async fn however_many_end_at_a_time_all_of_them_do() {
    let world = World::new().await;
    let new = (0..2500_u32).map(|number| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let (id, expires_at) = (SubscriptionId::from_bytes(id), Some(at(10)));
        world.store.begin(Subscription { id, expires_at, ..subscription(1, EventType::RoamingOn) }, seen(), None)
    });
    futures_util::future::try_join_all(new).await.unwrap();
    assert_eq!(world.store.end_due(at(10), at(10)).await.unwrap(), 2500);
}

#[tokio::test]
async fn a_dead_letter_is_kept_from_when_it_was_given_up() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    // Made at 1, given up at 60.
    world.settle(SubscriptionId::from_bytes([1; 16]), 1, Outcome::Dead).await;
    assert_eq!(world.store.sweep(at(60), at(60)).await.unwrap(), 0);
    assert_eq!(world.store.sweep(at(61), at(61)).await.unwrap(), 1);
}

#[tokio::test]
async fn the_end_of_a_subscription_waits_for_what_it_is_told_before() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    world.put(line("26201", 7)).await;
    let id = SubscriptionId::from_bytes([1; 16]);
    world.store.end(id, EndReason::NetworkTerminated, None, at(51)).await.unwrap();
    let due = || world.due().iter().map(|due| due.delivery.sequence).collect::<Vec<_>>();
    assert_eq!(due(), [1], "its start is not told yet");
    world.settle(id, 1, Outcome::Delivered).await;
    assert_eq!(due(), [3]);
}

#[tokio::test]
async fn what_could_not_be_sent_for_a_reason_of_ours_has_not_been_tried() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    let id = SubscriptionId::from_bytes([1; 16]);
    world.settle(id, 1, Outcome::Postponed { at: at(70) }).await;
    let of = |delivery: attache_core::Delivery| (delivery.state, delivery.attempts, delivery.due_at);
    assert_eq!(of(world.store.deliveries(id, 1).unwrap().remove(0)), (DeliveryState::Pending, 0, Some(at(70))));
    world.settle(id, 1, Outcome::Again { at: at(80) }).await;
    assert_eq!(of(world.store.deliveries(id, 1).unwrap().remove(0)), (DeliveryState::Pending, 1, Some(at(80))));
}

#[tokio::test]
async fn a_sink_that_says_that_it_is_gone_ends_its_subscription_with_the_record() {
    let world = World::new().await;
    world.subscribe(subscription(1, EventType::RoamingOn)).await;
    world.put(line("26201", 7)).await;
    world.settle(SubscriptionId::from_bytes([1; 16]), 1, Outcome::Gone).await;
    assert_eq!(world.get(1).status, SubscriptionStatus::Ended(EndReason::SinkGone));
    assert_eq!(world.states(1), [(1, DeliveryState::Dropped), (2, DeliveryState::Dropped)]);
}

#[tokio::test]
async fn a_sink_that_is_gone_is_told_nothing_of_a_subscription_that_has_ended_either() {
    let world = World::new().await;
    world.subscribe(Subscription { max_events: Some(1), ..subscription(1, EventType::RoamingOn) }).await;
    world.put(line("26201", 7)).await;
    assert_eq!(world.get(1).status, SubscriptionStatus::Ended(EndReason::MaxEventsReached));
    world.settle(SubscriptionId::from_bytes([1; 16]), 1, Outcome::Gone).await;
    assert_eq!(world.states(1), [1, 2, 3].map(|sequence| (sequence, DeliveryState::Dropped)));
    assert_eq!(world.store.backlog().unwrap(), (0, 0));
    world.store.sweep(at(90), at(90)).await.unwrap();
    assert_eq!(world.store.subscriptions(&SubscriptionFilter::default(), 10).unwrap(), []);
}

/// After each commit the writer holds against the tables what it remembers.
#[tokio::test]
async fn what_is_remembered_of_subscriptions_is_what_is_stored_whatever_happens() {
    let world = World::new().await;
    world.say(ConsentState::Granted { at: at(0) }).await;
    // Numbers that are the same each time (a linear congruential generator).
    let mut seed = 2026_u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let mut subscribed: Vec<SubscriptionId> = Vec::new();
    let types = [EventType::RoamingStatus, EventType::RoamingOn, EventType::RoamingOff, EventType::ReachabilitySms];
    for step in 0..1200 {
        match next(12) {
            0 if subscribed.len() < 200 => {
                let id = u8::try_from(subscribed.len()).unwrap();
                let new = Subscription {
                    max_events: [None, Some(3)][usize::try_from(next(2)).unwrap()],
                    expires_at: [None, Some(at(step + 40))][usize::try_from(next(2)).unwrap()],
                    device: subscription(1, EventType::RoamingOn).device.filter(|_| id % 5 != 0),
                    ..subscription(id, types[usize::from(id % 4)])
                };
                if matches!(world.store.begin(new.clone(), seen(), None).await.unwrap(), Kept::New(_)) {
                    subscribed.push(new.id);
                }
            }
            1 if !subscribed.is_empty() => {
                let id = subscribed[usize::try_from(next(subscribed.len() as u64)).unwrap()];
                world.store.set_active(id, next(2) == 0, at(step)).await.unwrap();
            }
            2 if next(4) == 0 && !subscribed.is_empty() => {
                let id = subscribed[usize::try_from(next(subscribed.len() as u64)).unwrap()];
                let reason = [EndReason::Deleted, EndReason::NetworkTerminated][usize::try_from(next(2)).unwrap()];
                world.store.end(id, reason, None, at(step)).await.unwrap();
            }
            3 => {
                world.store.replay(Replayed::Since(None, at(0)), at(step)).await.unwrap();
            }
            4 => {
                world.store.end_due(at(step), at(step)).await.unwrap();
            }
            5 => {
                world.store.sweep(at(step - 100), at(step - 50)).await.unwrap();
            }
            6 if next(8) == 0 => {
                let state = if next(4) == 0 {
                    ConsentState::Withdrawn { granted_at: at(0), at: at(step) }
                } else {
                    ConsentState::Granted { at: at(step) }
                };
                world.say(state).await;
            }
            7 => {
                // A job that fails after it has told of a change.
                let other = Line { phone_number: "+33699901033".parse().unwrap(), ..line("26201", step) };
                let lines = vec![line("20801", step), line("21401", step), other];
                assert!(Lines::put(&world.store, lines, at(step), Box::new(|_| ())).await.is_err());
            }
            8 | 9 => {
                for due in world.store.due(&Wanted { limit: 5, ..wanted() }, at(10_000)).unwrap().due {
                    let outcome = match next(6) {
                        0 => Outcome::Again { at: at(step + 5) },
                        1 => Outcome::Dead,
                        2 => Outcome::Dropped,
                        3 if next(10) == 0 => Outcome::Gone,
                        _ => Outcome::Delivered,
                    };
                    world.settle(due.delivery.subscription, due.delivery.sequence, outcome).await;
                }
            }
            _ => {
                let serving = ["20801", "26201", "21401"][usize::try_from(next(3)).unwrap()];
                let mut line = line(serving, step);
                if let Some(status) = &mut line.status {
                    status.data = next(2) == 0;
                    status.reachability_confirmed_at = at(step);
                }
                Lines::put(&world.store, vec![line], at(step), Box::new(|_| ())).await.unwrap();
            }
        }
    }
    assert!(subscribed.len() > 20);
    // Nothing is stuck.
    loop {
        let due = world.store.due(&wanted(), at(1_000_000)).unwrap().due;
        if due.is_empty() {
            break;
        }
        for Due { delivery, .. } in due {
            world.settle(delivery.subscription, delivery.sequence, Outcome::Delivered).await;
        }
    }
    assert_eq!(world.store.backlog().unwrap().0, 0);
}
