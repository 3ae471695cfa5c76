//! Killed at any moment, under load, again and again: every event is delivered at least once and in order, none is
//! invented, and no subscription is forgotten.
//!
//! Movers take lines abroad and home as fast as they are acknowledged, a subscriber makes and deletes subscriptions
//! meanwhile, and some sinks refuse or break off at times. What was under way when the server was killed may have been
//! done or not: the server is asked which, and is held to it from then on. An event is known by the time at which the
//! network confirmed the change that it tells.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

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
/// How many subscriptions beside those that last are alive at a time, at most.
const PASSING: usize = 12;

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

/// A subscription, and between which counts of changes of its line it began and ended.
struct Made {
    line: usize,
    event: &'static str,
    began: (usize, usize),
    ended: Option<(usize, usize)>,
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
    fn subscribes(self, wanted: Vec<(usize, Value)>, mut alive: Vec<String>) -> Subscribed {
        let mut done = Subscribed::default();
        for (line, body) in wanted {
            let Some(made) = self.ask(Method::POST, ROAMING.path, &self.client, &body) else {
                done.unsure_of_line = Some(line);
                return done;
            };
            alive.push(id_of(&made));
            done.made.push((id_of(&made), line));
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
}

/// What a subscriber was told in one round.
#[derive(Default)]
struct Subscribed {
    made: Vec<(String, usize)>,
    deleted: Vec<String>,
    unsure_of_line: Option<usize>,
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
}

impl World {
    fn begin() -> Self {
        // Whoever is sent an event again knows it by its source, too, which is the public address.
        let attache = Attache::with(&["--allow-http-sinks", "--public-url", "https://attache.example"]);
        let sinks = vec![
            Sink::open(),
            Sink::answering(|_, before| if before % 61 == 60 { (503, "") } else { (204, "") }),
            Sink::answering(|_, before| if before % 71 == 70 { Sink::BREAKS_OFF } else { (204, "") }),
        ];
        let token = ROAMING.two_legged(&attache, &["roaming-status", "roaming-on", "roaming-off"]).token;
        let http = Client::builder().no_proxy().timeout(BOUND).build().unwrap();
        let mut world =
            Self { attache, sinks, http, token, lines: Vec::new(), made: HashMap::new(), passing: Vec::new() };
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
                let body = world.wanted(index, event, index + place);
                let made = world.attache.post(ROAMING.path).bearer(&world.token).json(&body).says(201).json();
                world.made.insert(id_of(&made), Made { line: index, event, began: (0, 0), ended: None });
            }
        }
        world
    }

    fn wanted(&self, line: usize, event: &str, sink: usize) -> Value {
        ROAMING.body(event, &self.sinks[sink % self.sinks.len()].url(), Some(&self.lines[line].number))
    }

    /// Lets all work at once, and kills the server in the midst of it, after so many acknowledgements.
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
        let wanted = (0..1000).map(|_| {
            let (line, sink) = (dice.throw(LINES as u64), dice.throw(self.sinks.len() as u64));
            (line, self.wanted(line, "roaming-status", sink))
        });
        let (wanted, alive) = (wanted.collect(), self.passing.clone());
        let subscriber = thread::spawn({
            let reach = reach.clone();
            move || reach.subscribes(wanted, alive)
        });
        let movers: Vec<_> = self.lines.drain(..).map(|line| (line, reach.clone())).collect();
        let movers: Vec<_> = movers.into_iter().map(|(line, reach)| thread::spawn(|| reach.moves(line))).collect();
        eventually("it is under load", || (acknowledged.load(Ordering::Relaxed) >= after).then_some(()));
        self.attache.kill();
        self.lines = movers.into_iter().map(|mover| mover.join().unwrap()).collect();
        let told = subscriber.join().unwrap();
        self.attache.start();
        for line in &mut self.lines {
            let now = self.attache.line(&line.number);
            line.learn(&now);
        }
        self.settle(told, &before);
    }

    /// Holds what there is now against what the subscriber was told.
    fn settle(&mut self, subscribed: Subscribed, before: &[usize]) {
        let during = |line: usize| (before[line], self.lines[line].changes.len());
        let list = self.attache.get(ROAMING.path).bearer(&self.token).says(200).json();
        let list: HashMap<String, Value> =
            list.as_array().unwrap().iter().map(|found| (id_of(found), found["status"].clone())).collect();
        let passing = |line| Made { line, event: "roaming-status", began: during(line), ended: None };
        for (id, line) in &subscribed.made {
            self.made.insert(id.clone(), passing(*line));
            self.passing.push(id.clone());
        }
        if let Some(line) = subscribed.unsure_of_line
            && let Some(id) = list.keys().find(|id| !self.made.contains_key(*id))
        {
            self.made.insert(id.clone(), passing(line));
            self.passing.push(id.clone());
        }
        let was_deleted = subscribed.unsure_of_deletion.filter(|id| !list.contains_key(id));
        for id in subscribed.deleted.into_iter().chain(was_deleted) {
            let during = during(self.made[&id].line);
            self.made.get_mut(&id).unwrap().ended = Some(during);
            self.passing.retain(|alive| *alive != id);
        }
        for (id, made) in &self.made {
            assert_eq!(list.contains_key(id), made.ended.is_none(), "{id}: what was acknowledged is so");
        }
        assert!(list.iter().all(|(id, status)| self.made.contains_key(id) && status == "ACTIVE"), "none is invented");
    }

    /// Waits until all is delivered, and returns how much is dead.
    fn deliver_all(&self) -> u64 {
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

/// What a subscription was told: each event once, in the order in which they came first. Others of the same
/// identifier are the same.
fn told(id: &str, events: &[&Event]) -> Vec<Value> {
    let mut told: Vec<Value> = Vec::new();
    for event in events.iter().filter(|event| event.status == 204) {
        let sequence: usize = event.id().strip_prefix(&format!("{id}-")).unwrap().parse().unwrap();
        assert!(sequence >= 1 && sequence <= told.len() + 1, "{}: {sequence} came after {}", id, told.len());
        if sequence == told.len() + 1 {
            told.push(event.body.clone());
        }
    }
    for event in events {
        let sequence: usize = event.id().strip_prefix(&format!("{id}-")).unwrap().parse().unwrap();
        assert_eq!(told[sequence - 1], event.body, "an event that is sent again is the same");
    }
    told
}

/// Holds what a subscription was told against what has become of its line.
fn check(id: &str, made: &Made, told: &[Value], changes: &[Change]) {
    let name = |event: &Value| event["type"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
    assert_eq!(name(&told[0]), "subscription-started", "{id}");
    let last = told.last().unwrap();
    let about = if made.ended.is_some() {
        assert_eq!(
            (name(last).as_str(), &last["data"]["terminationReason"]),
            ("subscription-ended", &json!("SUBSCRIPTION_DELETED"))
        );
        &told[1..told.len() - 1]
    } else {
        &told[1..]
    };
    let heard: Vec<Change> = about
        .iter()
        .map(|event| {
            assert_eq!(name(event), made.event, "{id}");
            let is_abroad = event["data"]["roaming"].as_bool().unwrap_or(made.event == "roaming-on");
            (milliseconds(event["time"].as_str().unwrap()), is_abroad)
        })
        .collect();
    let concerns =
        |(_, is_abroad): &&Change| made.event == "roaming-status" || *is_abroad == (made.event == "roaming-on");
    let ended = made.ended.unwrap_or((changes.len(), changes.len()));
    let fits = (made.began.0..=made.began.1).any(|first| {
        (ended.0..=ended.1).any(|last| first <= last && changes[first..last].iter().filter(concerns).eq(heard.iter()))
    });
    assert!(fits, "{id} ({}) from {:?} to {ended:?} heard {heard:?} of {changes:?}", made.event, made.began);
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
    assert_eq!(world.deliver_all(), 0, "none is given up");

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
    let refused = sent.iter().filter(|event| event.status != 204).count();
    let deleted = world.made.values().filter(|made| made.ended.is_some()).count();
    eprintln!(
        "{kills} kills in {} s: {changes} changes of {LINES} lines, {} subscriptions of which {deleted} were deleted, \
         {events} events, all delivered in order; sent {} times, {refused} refused, {} duplicates",
        began.elapsed().as_secs(),
        world.made.len(),
        sent.len(),
        sent.len() - refused - events,
    );
}
