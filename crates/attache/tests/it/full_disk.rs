//! A disk that is full, and a database that somebody else has locked: whoever asks is told so, nothing is done by
//! halves, and when it is over everything goes on by itself.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use reqwest::Method;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    callers::{Caller, FaceCall},
    faces::CAMARA,
    harness::{Answer, Attache, Log, eventually, program},
    sink::{Event, Sink},
    subscriptions::{LINE, ROAMING, Subscriber, id_of, roam},
};

/// A way to leave a server no room to write, and to give it room again.
trait Disk {
    fn fill(&self, attache: &Attache);
    fn make_room(&self, attache: &Attache);
    /// Gives a server room that was killed in want of it.
    fn make_room_for_a_start(&self, attache: &Attache);
}

/// No file may be written: the server's own limit of the size of files. Everybody may lower it and raise it again.
struct Limit;

impl Limit {
    fn set(attache: &Attache, bytes: Option<u64>) {
        let pid = Pid::from_raw(attache.pid().try_into().unwrap());
        prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    }
}

impl Disk for Limit {
    fn fill(&self, attache: &Attache) {
        Self::set(attache, Some(0));
    }

    fn make_room(&self, attache: &Attache) {
        Self::set(attache, None);
    }

    // The limit has died with the process.
    fn make_room_for_a_start(&self, _: &Attache) {}
}

/// A file system of its own in memory, which is full indeed.
struct Mounted {
    directory: TempDir,
}

impl Mounted {
    /// Mounts it, where this is permitted.
    fn new() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(directory.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self { directory })
    }

    fn filling(&self) -> PathBuf {
        self.directory.path().join("filling")
    }
}

impl Disk for Mounted {
    fn fill(&self, _: &Attache) {
        let mut filling = File::create(self.filling()).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while filling.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self, _: &Attache) {
        fs::remove_file(self.filling()).unwrap();
    }

    fn make_room_for_a_start(&self, attache: &Attache) {
        let mut start = program(attache.data_dir());
        start.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(attache.data_dir());
        let mut start = start.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Log::default();
        said.follow(start.stderr.take().unwrap());
        let status = eventually("it ends", || start.try_wait().unwrap());
        eventually("all that it said is read", || said.is_complete().then_some(()));
        assert_eq!(status.code(), Some(1), "{}", said.text());
        assert!(said.text().contains("cannot be"), "it says what is wrong: {}", said.text());
        self.make_room(attache);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.directory.path()).status();
    }
}

/// What is asked of a server in trouble, each with a name.
struct Asked {
    calls: Vec<FaceCall>,
    shop: String,
    subscription: String,
}

impl Asked {
    /// Fetches what is needed for that, and makes a subscription.
    fn prepare(attache: &Attache, sink: &Sink) -> Self {
        let shop = ROAMING.two_legged(attache, &["roaming-status"]);
        let subscription = id_of(&shop.subscribe(&ROAMING.body("roaming-status", &sink.url(), Some(LINE))));
        Self { calls: FaceCall::all(attache), shop: shop.token, subscription }
    }

    fn shop<'a>(&self, attache: &'a Attache) -> Subscriber<'a> {
        Subscriber { attache, api: ROAMING, token: self.shop.clone() }
    }

    /// Questions about lines, at every face.
    fn queries(&self, attache: &Attache) -> Vec<(String, Answer)> {
        let ask = |call: &FaceCall| attache.post(&call.path).bearer(&call.token).json(&call.body).send();
        self.calls.iter().map(|call| (format!("{} {}", call.publisher, call.path), ask(call))).collect()
    }

    /// Asks until no answer comes any more: the last block of a file may have room for a few records.
    fn until_nothing_can_be_recorded(&self, attache: &Attache) {
        eventually("nothing can be recorded", || {
            self.queries(attache).iter().all(|(_, answer)| answer.status != 200).then_some(())
        });
    }

    /// What changes something, all at once, as whoever else asks must not wait for it.
    fn changes(&self, attache: &Attache, sink: &Sink) -> Vec<(String, Answer)> {
        let operate = |method: Method, path: &str, body: &Value| {
            attache.admin(method, &format!("/admin/v1{path}")).json(body).send()
        };
        let go_home = || operate(Method::POST, &format!("/lines/{LINE}/home"), &json!({}));
        let add_line =
            || operate(Method::POST, "/lines", &json!({"phone_number": "+4915112345678", "home_plmn": "26201"}));
        let register = || {
            let client = json!({"publisher": "camara", "client_id": "late", "client_secret": "a-secret"});
            operate(Method::POST, "/clients", &client)
        };
        let withdraw = || operate(Method::POST, "/lines/+34666666666/consents/withdraw", &json!({}));
        let subscribe = || self.shop(attache).post(&ROAMING.body("roaming-status", &sink.url(), Some(LINE)));
        let delete = || self.shop(attache).delete(&self.subscription);
        let ask_consent = || {
            let scope = "dpv:FraudPreventionAndDetection device-reachability-status:read";
            CAMARA.bc_authorize(attache, &[("login_hint", "tel:+33639980007"), ("scope", scope)]).send()
        };
        let changes: [(&str, &(dyn Fn() -> Answer + Sync)); 7] = [
            ("to go home", &go_home),
            ("to add a line", &add_line),
            ("to register a client", &register),
            ("to withdraw consent", &withdraw),
            ("to subscribe", &subscribe),
            ("to delete a subscription", &delete),
            ("to ask for consent", &ask_consent),
        ];
        thread::scope(|scope| {
            let asked = changes.map(|(name, change)| (name, scope.spawn(change)));
            asked.into_iter().map(|(name, change)| (name.to_owned(), change.join().unwrap())).collect()
        })
    }

    /// Asserts that nothing of the [`Self::changes`] has been done.
    fn nothing_was_changed(&self, attache: &Attache) {
        let country = |line: &Value| line["serving_plmn"].as_str().unwrap()[..3].to_owned();
        assert_eq!(country(&attache.line(LINE)), "262", "it roams where it was acknowledged to");
        attache.admin(Method::GET, "/admin/v1/lines/+4915112345678").says(404);
        attache.admin(Method::GET, "/admin/v1/clients/camara/late").says(404);
        let list = self.shop(attache).list();
        assert_eq!(list.as_array().unwrap().iter().map(id_of).collect::<Vec<_>>(), [self.subscription.as_str()]);
        assert_eq!(list[0]["status"], "ACTIVE");
        for (name, answer) in self.queries(attache) {
            assert_eq!(answer.status, 200, "{name}: {}", answer.body);
        }
    }
}

/// Asserts that an answer says, in its face's words, that it cannot be done now.
fn is_unavailable(name: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{name}: {}", answer.body);
    let body = answer.json();
    let says = |field: &str, words: &[Value]| body.get(field).is_some_and(|word| words.contains(word));
    let codes = ["UNAVAILABLE", "SERVICE_UNAVAILABLE", "UNAUDITED"].map(Value::from);
    let is_said =
        says("error", &["temporarily_unavailable".into()]) || says("code", &codes) || says("code", &[5.into()]);
    assert!(is_said, "{name}: {body}");
}

/// How often the log has said so far that something cannot be written, and that it can be again.
fn told(attache: &Attache) -> (usize, usize) {
    let log = attache.logged();
    (log.matches("cannot be written").count(), log.matches("can be written again").count())
}

fn is_ready(attache: &Attache) -> bool {
    attache.get("/readyz").send().status == 200
}

/// The events that a sink has taken of a subscription, each once, in the order of their coming.
fn taken(events: &[Event], subscription: &str) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for event in events.iter().filter(|event| event.status == 204 && event.id().starts_with(subscription)) {
        if !ids.contains(&event.id().to_owned()) {
            ids.push(event.id().to_owned());
        }
    }
    ids
}

/// The whole story, on any disk.
fn a_full_disk_is_survived(mut attache: Attache, disk: &dyn Disk) {
    let sink = Sink::open();
    let asked = Asked::prepare(&attache, &sink);
    roam(&attache, "DE");
    sink.received(2);

    disk.fill(&attache);
    asked.until_nothing_can_be_recorded(&attache);
    for (name, answer) in asked.queries(&attache) {
        is_unavailable(&name, &answer);
    }
    for round in 0..5 {
        for (name, answer) in asked.changes(&attache, &sink) {
            is_unavailable(&format!("{name}, round {round}"), &answer);
        }
    }
    for caller in Caller::all(&attache.facts()) {
        let form = [("grant_type", "client_credentials")];
        let answer = attache.post(&caller.token_path).basic(&caller.id, &caller.secret).form(&form).send();
        is_unavailable(&caller.token_path, &answer);
    }
    assert!(!is_ready(&attache));
    attache.get("/healthz").says(200);
    let metadata = attache.get("/.well-known/openid-configuration").says(200);
    assert!(metadata.json().is_object());
    let (troubles, ends) = told(&attache);
    assert!((1..=4).contains(&troubles) && ends == 0, "{troubles} and {ends}:\n{}", attache.logged());
    let errors = attache.logged().matches("\"level\":\"ERROR\"").count();
    assert!(errors <= 6, "{errors} errors:\n{}", attache.logged());
    assert_eq!(sink.events().len(), 2, "nothing that was refused is told");

    disk.make_room(&attache);
    eventually("it is ready by itself", || is_ready(&attache).then_some(()));
    asked.nothing_was_changed(&attache);
    attache.change(LINE, "home", &json!({}));
    let sequences = |upto: usize| (1..=upto).map(|next| format!("{}-{next}", asked.subscription)).collect::<Vec<_>>();
    eventually("the next event is told", || (taken(&sink.events(), &asked.subscription) == sequences(3)).then_some(()));

    // And killed in the midst of it, it has lost nothing.
    roam(&attache, "DE");
    disk.fill(&attache);
    asked.until_nothing_can_be_recorded(&attache);
    for (name, answer) in asked.changes(&attache, &sink) {
        is_unavailable(&name, &answer);
    }
    attache.kill();
    disk.make_room_for_a_start(&attache);
    attache.start();
    asked.nothing_was_changed(&attache);
    eventually("all events are told", || (taken(&sink.events(), &asked.subscription) == sequences(4)).then_some(()));
    let verified = attache.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn when_no_file_may_grow_nothing_is_done_by_halves_and_it_goes_on_by_itself() {
    a_full_disk_is_survived(Attache::limitable(&["--allow-http-sinks"]), &Limit);
}

#[test]
fn on_a_full_disk_nothing_is_done_by_halves_and_it_goes_on_by_itself() {
    let Some(disk) = Mounted::new() else {
        eprintln!("no file system may be mounted here: only the limit of the size of files was tried");
        return;
    };
    let data = tempfile::tempdir_in(disk.directory.path()).unwrap();
    a_full_disk_is_survived(Attache::on(data, &["--allow-http-sinks"]), &disk);
}

#[test]
fn while_the_database_is_locked_what_needs_no_writing_goes_on_and_the_rest_is_refused() {
    let mut attache = Attache::with(&["--allow-http-sinks"]);
    let sink = Sink::open();
    let asked = Asked::prepare(&attache, &sink);
    roam(&attache, "DE");
    sink.received(2);
    let other = rusqlite::Connection::open(attache.data_dir().join("attache.db")).unwrap();

    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for (name, answer) in asked.queries(&attache) {
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
    let shop = asked.shop(&attache);
    assert_eq!(shop.get(&asked.subscription).json()["status"], "ACTIVE");
    ROAMING.two_legged(&attache, &["roaming-status"]);
    for (name, answer) in asked.changes(&attache, &sink) {
        is_unavailable(&name, &answer);
    }
    assert!(!is_ready(&attache));
    let (troubles, ends) = told(&attache);
    assert!(troubles == 1 && ends == 0, "{troubles} and {ends}:\n{}", attache.logged());
    other.execute_batch("ROLLBACK").unwrap();

    eventually("it is ready by itself", || is_ready(&attache).then_some(()));
    asked.nothing_was_changed(&attache);
    // Who is locked out for less than the server's patience only waits.
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    thread::scope(|scope| {
        let change = scope.spawn(|| attache.change(LINE, "home", &json!({})));
        sink.received(2);
        other.execute_batch("ROLLBACK").unwrap();
        change.join().unwrap();
    });
    let sequences: Vec<_> = (1..=3).map(|next| format!("{}-{next}", asked.subscription)).collect();
    eventually("the next event is told", || (taken(&sink.events(), &asked.subscription) == sequences).then_some(()));
    roam(&attache, "DE");
    attache.kill();
    attache.start();
    asked.nothing_was_changed(&attache);
    let verified = attache.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
