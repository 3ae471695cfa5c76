//! Killed at any moment, under load, again and again: every event is delivered at least once and in order, none is
//! invented, and no subscription is forgotten.
//!
//! Movers take lines abroad and home as fast as they are acknowledged, a subscriber makes and deletes subscriptions
//! meanwhile, some of which end by themselves, the operator sends dead letters again, and some sinks are busy, break off
//! or refuse at times. Some of the kills hit a server that is only starting. What was under way when the server was killed
//! may have been done or not: the server is asked which, and is held to it from then on. An event is known by the time at
//! which the network confirmed the change that it tells.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use attache_core::Timestamp;
use reqwest::{Method, blocking::Client};
use serde_json::{Value, json};

use crate::{
    harness::{Attache, BOUND, eventually},
    sink::{Event, Sink},
    subscriptions::{ROAMING, id_of},
    survival::Dice,
};

/// How often the server is killed; `ATTACHE_TEST_KILLS` sets another count.
const KILLS: usize = 100;
/// How many lines are moved.
const LINES: usize = 6;
/// How many subscriptions beside those that last or end by themselves are alive at a time, at most.
const PASSING: usize = 12;

/// How long those subscriptions last that expire.
const SOON: Duration = Duration::from_secs(3);
/// What one of the sinks answers at times, which makes a dead letter.
const REFUSED: u16 = 400;
/// What the operator asks for to have dead letters sent again, and since when.
const REPLAY: &str = "/admin/v1/dead-letters/replay";
const EVER: &str = "2020-01-01T00:00:00Z";

/// One change of a line: when it was confirmed, to the millisecond, and whether the line is abroad since.
type Change = (String, bool);

/// A line, and all that has become of it.
struct Line {
    number: String,
    changes: Vec<Change>,
    /// When it was last changed, as the operator sees it.
    confirmed_at: String,
}

impl Line {
    fn is_abroad(&self) -> bool {
        self.changes.last().is_some_and(|(_, is_abroad)| *is_abroad)
    }

    /// Takes in how the line stands, if that is news.
    fn learn(&mut self, line: &Value) {
        let confirmed_at = line["serving_confirmed_at"].as_str().unwrap();
        if confirmed_at != self.confirmed_at {
            let is_abroad = line["serving_plmn"] != line["home_plmn"];
            assert_ne!(is_abroad, self.is_abroad(), "{}: a change is lost", self.number);
            self.changes.push((milliseconds(confirmed_at), is_abroad));
            confirmed_at.clone_into(&mut self.confirmed_at);
        }
    }
}

fn milliseconds(time: &str) -> String {
    time[..23].to_owned()
}

#[expect(clippy::disallowed_methods, reason = "clients have clocks of their own")]
fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}

/// By what a subscription ends.
#[derive(Clone, Copy)]
enum End {
    /// Its client, if at all.
    Deletion,
    /// So many events.
    Events(usize),
    /// Its time.
    Expiry(Timestamp),
}

/// A subscription that is to be made.
struct Wanted {
    line: usize,
    sink: String,
    end: End,
}

/// A subscription, and between which counts of changes of its line it began and was deleted.
struct Made {
    line: usize,
    event: &'static str,
    end: End,
    began: (usize, usize),
    deleted: Option<(usize, usize)>,
}

/// How to reach the server as long as it lives.
#[derive(Clone)]
struct Reach {
    http: Client,
    url: String,
    operator: String,
    client: String,
    acknowledged: Arc<AtomicUsize>,
}

impl Reach {
    /// What was acknowledged; `None` once the server is gone.
    fn ask(&self, method: Method, path: &str, token: &str, body: &Value) -> Option<Value> {
        let answer =
            self.http.request(method, format!("{}{path}", self.url)).bearer_auth(token).json(body).send().ok()?;
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        let text = answer.text().ok()?;
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        Some(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Moves a line until the server is gone.
    fn moves(self, mut line: Line) -> Line {
        loop {
            let (way, body) = if line.is_abroad() { ("home", json!({})) } else { ("roam", json!({"country": "DE"})) };
            let path = format!("/admin/v1/lines/{}/{way}", line.number);
            match self.ask(Method::POST, &path, &self.operator, &body) {
                Some(now) => line.learn(&now),
                None => return line,
            }
        }
    }

    /// Makes and deletes subscriptions until the server is gone. Returns what was acknowledged, and what was not.
    fn subscribes(self, numbers: &[String], wanted: Vec<Wanted>, mut alive: Vec<String>) -> Subscribed {
        let mut done = Subscribed::default();
        for Wanted { line, sink, mut end } in wanted {
            let mut body = ROAMING.body("roaming-status", &sink, Some(&numbers[line]));
            match &mut end {
                End::Deletion => {}
                End::Events(count) => body["config"]["subscriptionMaxEvents"] = json!(count),
                End::Expiry(at) => {
                    *at = now().plus(SOON);
                    body["config"]["subscriptionExpireTime"] = json!(format!("{at:.3}"));
                }
            }
            let Some(made) = self.ask(Method::POST, ROAMING.path, &self.client, &body) else {
                done.unsure_of_made = Some((line, end));
                return done;
            };
            done.made.push((id_of(&made), line, end));
            if !matches!(end, End::Deletion) {
                continue;
            }
            alive.push(id_of(&made));
            if alive.len() > PASSING {
                let oldest = alive.remove(0);
                let path = format!("{}/{oldest}", ROAMING.path);
                if self.ask(Method::DELETE, &path, &self.client, &json!({})).is_none() {
                    done.unsure_of_deletion = Some(oldest);
                    return done;
                }
                done.deleted.push(oldest);
            }
        }
        done
    }

    /// Sends dead letters again until the server is gone.
    fn replays(&self) {
        while self.ask(Method::POST, REPLAY, &self.operator, &json!({ "since": EVER })).is_some() {
            // It is no race: there are few of them.
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What a subscriber was told in one round.
#[derive(Default)]
struct Subscribed {
    made: Vec<(String, usize, End)>,
    deleted: Vec<String>,
    unsure_of_made: Option<(usize, End)>,
    unsure_of_deletion: Option<String>,
}

struct World {
    attache: Attache,
    sinks: Vec<Sink>,
    http: Client,
    token: String,
    lines: Vec<Line>,
    made: HashMap<String, Made>,
    /// Those that were made under load and live, oldest first.
    passing: Vec<String>,
    /// How often the server was killed before it was ready.
    unready_kills: usize,
}

impl World {
    fn begin() -> Self {
        // Whoever is sent an event again knows it by its source, too, which is the public address.
        let attache = Attache::with(&["--allow-http-sinks", "--public-url", "https://attache.example"]);
        let sinks = vec![
            Sink::open(),
            Sink::answering(|_, before| if before % 61 == 60 { (503, "") } else { (204, "") }),
            Sink::answering(|_, before| if before % 71 == 70 { Sink::BREAKS_OFF } else { (204, "") }),
            Sink::answering(|_, before| if before % 41 == 40 { (REFUSED, "") } else { (204, "") }),
        ];
        let token = ROAMING.two_legged(&attache, &["roaming-status", "roaming-on", "roaming-off"]).token;
        let http = Client::builder().no_proxy().timeout(BOUND).build().unwrap();
        let (lines, made, passing) = (Vec::new(), HashMap::new(), Vec::new());
        let mut world = Self { attache, sinks, http, token, lines, made, passing, unready_kills: 0 };
        for index in 0..LINES {
            let number = format!("+49151123456{index:02}");
            let new = json!({"phone_number": number, "home_plmn": "20801"});
            world.attache.admin(Method::POST, "/admin/v1/lines").json(&new).says(201);
            let confirmed_at =
                world.attache.line(&number)["serving_confirmed_at"].as_str().unwrap_or_default().to_owned();
            world.lines.push(Line { number, changes: Vec::new(), confirmed_at });
            for (place, event) in
                ["roaming-status", "roaming-status", "roaming-on", "roaming-off"].into_iter().enumerate()
            {
                let sink = &world.sinks[(index + place) % world.sinks.len()];
                let body = ROAMING.body(event, &sink.url(), Some(&world.lines[index].number));
                let made = world.attache.post(ROAMING.path).bearer(&world.token).json(&body).says(201).json();
                world.made.insert(
                    id_of(&made),
                    Made { line: index, event, end: End::Deletion, began: (0, 0), deleted: None },
                );
            }
        }
        world
    }

    /// Lets all work at once, and kills the server in the midst of it, after so many acknowledgements; sometimes, kills
    /// it again while it starts.
    fn killed_under_load(&mut self, after: usize, dice: &mut Dice) {
        let before: Vec<usize> = self.lines.iter().map(|line| line.changes.len()).collect();
        let reach = Reach {
            http: self.http.clone(),
            url: self.attache.url(""),
            operator: self.attache.admin_token(),
            client: self.token.clone(),
            acknowledged: Arc::default(),
        };
        let acknowledged = Arc::clone(&reach.acknowledged);
        let wanted = (0..1000).map(|_| Wanted {
            line: dice.throw(LINES as u64),
            sink: self.sinks[dice.throw(self.sinks.len() as u64)].url(),
            end: match dice.throw(6) {
                0 => End::Events(1 + dice.throw(5)),
                1 => End::Expiry(now()),
                _ => End::Deletion,
            },
        });
        let (wanted, alive) = (wanted.collect(), self.passing.clone());
        let numbers: Vec<String> = self.lines.iter().map(|line| line.number.clone()).collect();
        let subscriber = thread::spawn({
            let reach = reach.clone();
            move || reach.subscribes(&numbers, wanted, alive)
        });
        let operator = thread::spawn({
            let reach = reach.clone();
            move || reach.replays()
        });
        let movers: Vec<_> = self.lines.drain(..).map(|line| (line, reach.clone())).collect();
        let movers: Vec<_> = movers.into_iter().map(|(line, reach)| thread::spawn(|| reach.moves(line))).collect();
        eventually("it is under load", || (acknowledged.load(Ordering::Relaxed) >= after).then_some(()));
        self.attache.kill();
        self.lines = movers.into_iter().map(|mover| mover.join().unwrap()).collect();
        let told = subscriber.join().unwrap();
        operator.join().unwrap();
        if dice.throw(4) == 0 {
            let after = Duration::from_millis(dice.throw(300) as u64);
            self.unready_kills += usize::from(!self.attache.kill_while_starting(after));
        }
        self.attache.start();
        for line in &mut self.lines {
            let now = self.attache.line(&line.number);
            line.learn(&now);
        }
        self.settle(told, &before);
    }

    /// What there is of subscriptions, with how they stand.
    fn list(&self) -> HashMap<String, Value> {
        let list = self.attache.get(ROAMING.path).bearer(&self.token).says(200).json();
        list.as_array().unwrap().iter().map(|found| (id_of(found), found["status"].clone())).collect()
    }

    /// Holds what there is now against what the subscriber was told.
    fn settle(&mut self, subscribed: Subscribed, before: &[usize]) {
        let during = |line: usize| (before[line], self.lines[line].changes.len());
        let list = self.list();
        let unsure = subscribed.unsure_of_made.and_then(|(line, end)| {
            let is_made = |id: &&String| subscribed.made.iter().any(|(made, ..)| made == *id);
            let id = list.keys().find(|id| !self.made.contains_key(*id) && !is_made(id))?;
            Some((id.clone(), line, end))
        });
        for (id, line, end) in subscribed.made.into_iter().chain(unsure) {
            if matches!(end, End::Deletion) {
                self.passing.push(id.clone());
            }
            let event = "roaming-status";
            self.made.insert(id, Made { line, event, end, began: during(line), deleted: None });
        }
        let was_deleted = subscribed.unsure_of_deletion.filter(|id| !list.contains_key(id));
        for id in subscribed.deleted.into_iter().chain(was_deleted) {
            let during = during(self.made[&id].line);
            self.made.get_mut(&id).unwrap().deleted = Some(during);
            self.passing.retain(|alive| *alive != id);
        }
        for (id, made) in &self.made {
            assert_eq!(list.contains_key(id), made.deleted.is_none(), "{id}: what was acknowledged is so");
        }
        for (id, status) in &list {
            let made = self.made.get(id).unwrap_or_else(|| panic!("{id} was made by nobody"));
            let may_have_ended = !matches!(made.end, End::Deletion);
            assert!(status == "ACTIVE" || may_have_ended && status == "EXPIRED", "{id} is {status}");
        }
    }

    /// Waits until all subscriptions have ended whose time has come.
    fn expire_all(&self) {
        eventually("what is to expire does", || {
            let list = self.list();
            let mut expiring = self.made.iter().filter(|(_, made)| matches!(made.end, End::Expiry(_)));
            expiring.all(|(id, _)| list[id] == "EXPIRED").then_some(())
        });
    }

    /// Waits until all is delivered, and sends again what was refused until nothing is.
    fn deliver_all(&self) {
        while self.deliver_pending() > 0 {
            self.attache.admin(Method::POST, REPLAY).json(&json!({ "since": EVER })).says(200);
        }
    }

    /// Waits until nothing is to be delivered, and returns how much is dead.
    fn deliver_pending(&self) -> u64 {
        let gauge = |name: &str| -> u64 {
            let metrics = self.attache.get("/metrics").says(200).body;
            let line = metrics.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
            line.unwrap().trim().parse().unwrap()
        };
        let mut pending = gauge("attache_deliveries_pending");
        while pending > 0 {
            pending = eventually("deliveries go on", || {
                Some(gauge("attache_deliveries_pending")).filter(|now| *now < pending)
            });
        }
        gauge("attache_deliveries_dead")
    }
}

/// What a subscription was told, in the order in which it was made. Nothing is sent before what was made before it has
/// arrived or was refused, and what is sent again is the same.
fn told(id: &str, events: &[&Event]) -> Vec<Value> {
    let sequence = |event: &Event| -> usize { event.id().strip_prefix(&format!("{id}-")).unwrap().parse().unwrap() };
    let mut told = BTreeMap::new();
    let mut next = 1;
    for event in events {
        let sequence = sequence(event);
        assert!(sequence >= 1 && sequence <= next, "{id}: {sequence} came before {next}");
        if event.status == 204 {
            told.entry(sequence).or_insert_with(|| event.body.clone());
        }
        if matches!(event.status, 204 | REFUSED) && sequence == next {
            next += 1;
        }
    }
    for event in events {
        assert_eq!(told[&sequence(event)], event.body, "an event that is sent again is the same");
    }
    assert_eq!(told.len(), next - 1, "{id}: what was refused has arrived since");
    told.into_values().collect()
}

/// Holds what a subscription was told against what has become of its line.
fn check(id: &str, made: &Made, told: &[Value], changes: &[Change]) {
    let name = |event: &Value| event["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
    assert_eq!(name(&told[0]), "subscription-started", "{id}");
    let ends = |event: &Value| name(event) == "subscription-ended";
    let (about, reason) = match &told[1..] {
        [about @ .., last] if ends(last) => (about, last["data"]["terminationReason"].as_str()),
        about => (about, None),
    };
    let heard: Vec<Change> = about
        .iter()
        .map(|event| {
            assert_eq!(name(event), made.event, "{id}");
            let is_abroad = event["data"]["roaming"].as_bool().unwrap_or(made.event == "roaming-on");
            (milliseconds(event["time"].as_str().unwrap()), is_abroad)
        })
        .collect();
    let by_then = |at: Timestamp| changes.partition_point(|(time, _)| *time < milliseconds(&format!("{at:.3}")));
    let (wanted, ended, expected) = match (made.end, made.deleted) {
        (End::Deletion, None) => (usize::MAX, (changes.len(), changes.len()), None),
        (End::Deletion, Some(deleted)) => (usize::MAX, deleted, Some("SUBSCRIPTION_DELETED")),
        (End::Events(count), _) => {
            let has_ended = heard.len() == count;
            (count, (changes.len(), changes.len()), has_ended.then_some("MAX_EVENTS_REACHED"))
        }
        // What is changed just before may be stored just after; and while the server is down, nothing ends.
        (End::Expiry(at), _) => {
            let ended = (by_then(at.minus(Duration::from_secs(1))), by_then(at.plus(BOUND)));
            (usize::MAX, ended, Some("SUBSCRIPTION_EXPIRED"))
        }
    };
    assert_eq!(reason, expected, "{id}");
    let concerns =
        |(_, is_abroad): &&Change| made.event == "roaming-status" || *is_abroad == (made.event == "roaming-on");
    let fits = (made.began.0..=made.began.1).any(|first| {
        (ended.0.max(first)..=ended.1)
            .any(|last| changes[first..last].iter().filter(concerns).take(wanted).eq(heard.iter()))
    });
    assert!(fits, "{id} ({}) from {:?} to {ended:?} heard {heard:?} of {changes:?}", made.event, made.began);
}

/// Leaves figures where `cargo xtask test` finds them: runners keep to themselves what a test prints that passes.
fn leave(figures: &str) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/kills");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("figures.txt"), figures).unwrap();
}

#[test]
fn a_server_that_is_killed_at_any_moment_loses_no_event_and_invents_none() {
    let kills = std::env::var("ATTACHE_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let began = Instant::now();
    let mut world = World::begin();
    let mut dice = Dice::new(2026);
    for _ in 0..kills {
        let after = 1 + dice.throw(40);
        world.killed_under_load(after, &mut dice);
    }
    world.expire_all();
    world.deliver_all();

    let sent: Vec<Event> = world.sinks.iter().flat_map(Sink::events).collect();
    let mut of: HashMap<&str, Vec<&Event>> = HashMap::new();
    for event in &sent {
        of.entry(event.body["data"]["subscriptionId"].as_str().unwrap()).or_default().push(event);
    }
    let strangers: HashSet<_> = of.keys().filter(|id| !world.made.contains_key(**id)).collect();
    assert!(strangers.is_empty(), "nobody made these: {strangers:?}");
    let mut events = 0;
    for (id, made) in &world.made {
        let told = told(id, &of[id.as_str()]);
        check(id, made, &told, &world.lines[made.line].changes);
        events += told.len();
    }
    let verified = world.attache.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let changes: usize = world.lines.iter().map(|line| line.changes.len()).sum();
    let count = |is_counted: fn(&Made) -> bool| world.made.values().filter(|made| is_counted(made)).count();
    let refused = sent.iter().filter(|event| event.status != 204).count();
    let duplicates = sent.len() - refused - events;
    leave(&format!(
        "{kills} kills under load and {} of a server that was not ready yet, in {} s: {changes} changes of {LINES} lines; \
         {} subscriptions, of which {} were deleted, {} expired and {} had a limit of events; {events} events, all delivered \
         in order; sent {} times, of which {refused} were refused or broken off, and {duplicates} were duplicates\n",
        world.unready_kills,
        began.elapsed().as_secs(),
        world.made.len(),
        count(|made| made.deleted.is_some()),
        count(|made| matches!(made.end, End::Expiry(_))),
        count(|made| matches!(made.end, End::Events(_))),
        sent.len(),
    ));
    if kills >= KILLS {
        // Whatever was answered within the last 20 ms before a kill is not recorded, and under load something always is:
        // that none of so many kills has hit such a moment is out of the question.
        assert!(duplicates > 0, "what was sent twice was looked at");
        assert!(world.unready_kills > 0, "some kills came before the server was ready");
    }
}
