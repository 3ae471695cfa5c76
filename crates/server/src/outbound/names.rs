//! What names stand for. The system's resolver is asked, which takes a thread for as long as it takes.
//!
//! A name server that is silent holds that thread for longer than anybody waits for it. So that the silence of one
//! holds up nobody who asks for another:
//! - A name is looked up once at a time, however many wait for it.
//! - The names of one zone, which is about what one owner has registered, have a few threads at a time.
//! - Zones that were silent have fewer, out of a share of their own that they cannot exceed.
//! - A name that was silent is not looked up again for some seconds; whoever asks for it hears so at once.
//!
//! Nothing that was answered is remembered: each connection is made to what its name stands for then.

use std::{
    collections::HashMap,
    error::Error,
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

/// What registries call what they register in, below a country: there, three labels are what one owner has.
const OF_REGISTRIES: [&str; 11] = ["ac", "co", "com", "edu", "go", "gob", "gov", "ne", "net", "or", "org"];

/// Asks for the addresses of a name, and waits for them. Their ports mean nothing.
pub(super) type Ask = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The bounds of what is looked up at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How many names of zones that answer.
    pub(super) prompt: usize,
    /// How many of one of them.
    pub(super) of_zone: usize,
    /// How many names of all zones that were silent.
    pub(super) silent: usize,
    /// How many of one of them.
    pub(super) of_silent_zone: usize,
    /// After how long without an answer a name is silent, and with it its zone.
    pub(super) patience: Duration,
    /// For how long a name stays so, once its thread is free again.
    pub(super) name_rests: Duration,
    /// For how long a zone stays so, unless another of its names is answered in time.
    pub(super) zone_rests: Duration,
}

impl Bounds {
    /// Those of every server. The threads are those by which the store is read, of which there are 512.
    pub(super) const USUAL: Self = Self {
        prompt: 128,
        of_zone: 8,
        silent: 32,
        of_silent_zone: 2,
        patience: Duration::from_secs(2),
        name_rests: Duration::from_secs(10),
        zone_rests: Duration::from_mins(1),
    };
}

/// A name was not answered, now or a moment ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("its name is not answered")]
pub(super) struct Silence;

type Answer = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
/// Where those who wait for a name hear of it.
type Telling = watch::Sender<Option<Answer>>;

/// Looks names up.
pub(super) struct Names {
    ask: Box<Ask>,
    bounds: Bounds,
    prompt: Arc<Semaphore>,
    silent: Arc<Semaphore>,
    known: Mutex<Known>,
}

/// What is known of names at the moment.
#[derive(Default)]
struct Known {
    names: HashMap<Arc<str>, State>,
    zones: HashMap<Box<str>, Zone>,
}

/// How it stands with a name.
enum State {
    /// It is looked up, or waits for its turn.
    UnderWay(Arc<Telling>),
    /// It is looked up, and has not been answered for long.
    Late,
    /// It was not answered.
    Silent { until: Instant },
}

/// The names that are about one owner's.
struct Zone {
    turns: Arc<Semaphore>,
    silent_turns: Arc<Semaphore>,
    silent_until: Option<Instant>,
}

/// The right to a thread. It is given back by the thread, whoever still waits for that.
type Turn = [OwnedSemaphorePermit; 2];

impl Names {
    /// Looks names up as the system does.
    pub(super) fn of_system() -> Arc<Self> {
        Self::new(Bounds::USUAL, |name| Ok((name, 0).to_socket_addrs()?.collect()))
    }

    /// Looks names up by asking this, within these bounds.
    pub(super) fn new(
        bounds: Bounds,
        ask: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            ask: Box::new(ask),
            bounds,
            prompt: Arc::new(Semaphore::new(bounds.prompt)),
            silent: Arc::new(Semaphore::new(bounds.silent)),
            known: Mutex::default(),
        })
    }

    /// Finds the addresses of a name.
    pub(super) async fn find(self: &Arc<Self>, name: &str) -> Result<Arc<[SocketAddr]>, Box<dyn Error + Send + Sync>> {
        let mut told = self.wait_for(name)?;
        let answer = told.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        // Without an answer the server is stopping.
        Ok(answer.ok_or(Silence)??)
    }

    /// Where the answer will be told, by a look-up that is under way or is begun by this.
    fn wait_for(self: &Arc<Self>, name: &str) -> Result<watch::Receiver<Option<Answer>>, Silence> {
        let mut known = self.known();
        match known.names.get(name) {
            Some(State::UnderWay(telling)) => return Ok(telling.subscribe()),
            Some(State::Late) => return Err(Silence),
            Some(State::Silent { until }) if Instant::now() < *until => return Err(Silence),
            Some(State::Silent { .. }) | None => {}
        }
        let (telling, told) = watch::channel(None);
        let (name, telling) = (Arc::<str>::from(name), Arc::new(telling));
        known.names.insert(Arc::clone(&name), State::UnderWay(Arc::clone(&telling)));
        tokio::spawn(Arc::clone(self).look_up(name, telling));
        Ok(told)
    }

    async fn look_up(self: Arc<Self>, name: Arc<str>, telling: Arc<Telling>) {
        let turn = loop {
            tokio::select! {
                turn = self.turn(zone_of(&name)) => break turn,
                () = telling.closed() => {
                    let mut known = self.known();
                    // Somebody may have asked for it meanwhile.
                    if telling.receiver_count() == 0 {
                        return known.forget(&name);
                    }
                }
            }
        };
        let (names, asked) = (Arc::clone(&self), Arc::clone(&name));
        let mut asking = tokio::task::spawn_blocking(move || {
            let found = (names.ask)(&asked);
            drop(turn);
            found
        });
        let in_time = tokio::time::timeout(self.bounds.patience, &mut asking).await;
        let is_late = in_time.is_err();
        let asked = if let Ok(asked) = in_time {
            asked
        } else {
            self.known().wait_long(&name, self.bounds);
            asking.await
        };
        let answer = asked.unwrap_or_else(|broken| Err(io::Error::other(broken))).map(Arc::from).map_err(Arc::new);
        self.known().settle(&name, is_late, answer.is_ok(), self.bounds);
        telling.send_replace(Some(answer));
    }

    /// Waits for a thread to be free for a name of this zone; `None` never comes of that.
    async fn turn(&self, zone: &str) -> Option<Turn> {
        loop {
            let (is_silent, of_zone) = self.known().turns(zone, self.bounds);
            let of_all = if is_silent { &self.silent } else { &self.prompt };
            let turn = [of_zone.acquire_owned().await.ok()?, Arc::clone(of_all).acquire_owned().await.ok()?];
            // It may have become another while it was waited for.
            if self.known().turns(zone, self.bounds).0 == is_silent {
                return Some(turn);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether a zone is silent, and what its names take turns by.
    fn turns(&mut self, zone: &str, bounds: Bounds) -> (bool, Arc<Semaphore>) {
        let zone = self.zone(zone, bounds);
        let is_silent = zone.is_silent();
        (is_silent, Arc::clone(if is_silent { &zone.silent_turns } else { &zone.turns }))
    }

    fn zone(&mut self, zone: &str, bounds: Bounds) -> &mut Zone {
        self.zones.entry(zone.into()).or_insert_with(|| Zone {
            turns: Arc::new(Semaphore::new(bounds.of_zone)),
            silent_turns: Arc::new(Semaphore::new(bounds.of_silent_zone)),
            silent_until: None,
        })
    }

    /// A name has not been answered for long.
    fn wait_long(&mut self, name: &Arc<str>, bounds: Bounds) {
        self.names.insert(Arc::clone(name), State::Late);
        self.zone(zone_of(name), bounds).silent_until = Some(Instant::now() + bounds.zone_rests);
    }

    /// A name is looked up no longer.
    fn settle(&mut self, name: &Arc<str>, was_late: bool, is_answered: bool, bounds: Bounds) {
        let now = Instant::now();
        if was_late {
            self.zone(zone_of(name), bounds).silent_until = Some(now + bounds.zone_rests);
        } else if is_answered {
            self.zone(zone_of(name), bounds).silent_until = None;
        }
        self.forget(name);
        if was_late && !is_answered {
            self.names.insert(Arc::clone(name), State::Silent { until: now + bounds.name_rests });
        }
        if was_late {
            // It is rare enough for a look at all of them.
            self.names.retain(|_, state| !matches!(state, State::Silent { until } if *until <= now));
            self.zones.retain(|_, zone| zone.is_needed());
        }
    }

    /// Forgets a name, and its zone if there is nothing to remember of it.
    fn forget(&mut self, name: &str) {
        self.names.remove(name);
        let zone = zone_of(name);
        if self.zones.get(zone).is_some_and(|zone| !zone.is_needed()) {
            self.zones.remove(zone);
        }
    }
}

impl Zone {
    fn is_silent(&self) -> bool {
        self.silent_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether it is silent, or somebody has a turn or waits for one.
    fn is_needed(&self) -> bool {
        self.is_silent() || Arc::strong_count(&self.turns) + Arc::strong_count(&self.silent_turns) > 2
    }
}

/// The part of a name that tells whose it is.
fn zone_of(name: &str) -> &str {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = |labels: usize| {
        let dot = name.rmatch_indices('.').nth(labels - 1);
        dot.and_then(|(at, _)| name.get(at + 1..)).unwrap_or(name)
    };
    match last(2).split_once('.') {
        Some((second, first)) if first.len() == 2 && OF_REGISTRIES.contains(&second) => last(3),
        _ => last(2),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    /// Name servers of which those of `dead.example` and its like say nothing before the test ends.
    #[derive(Clone)]
    struct Servers {
        /// How many threads wait for them, and how often they were asked.
        waiting: Arc<AtomicUsize>,
        asked: Arc<AtomicUsize>,
    }

    impl Servers {
        fn open(bounds: Bounds) -> (Arc<Names>, Self, mpsc::Sender<()>) {
            let servers = Self { waiting: Arc::default(), asked: Arc::default() };
            let (ends, ended) = mpsc::channel::<()>();
            let (ended, of_names) = (Mutex::new(ended), servers.clone());
            let names = Names::new(bounds, move |name| {
                of_names.asked.fetch_add(1, Ordering::SeqCst);
                if name.contains("dead") {
                    of_names.waiting.fetch_add(1, Ordering::SeqCst);
                    let _ = ended.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    of_names.waiting.fetch_sub(1, Ordering::SeqCst);
                    return Err(io::Error::other("no answer"));
                }
                Ok(vec![ADDRESS])
            });
            (names, servers, ends)
        }

        async fn have_waiting(&self, count: usize) {
            while self.waiting.load(Ordering::SeqCst) != count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(1, 1, 1, 1)), 0);
    const SECOND: Duration = Duration::from_secs(1);

    /// Asks for a name, and waits for it as long as the test lasts.
    fn ask(names: &Arc<Names>, name: String) {
        let names = Arc::clone(names);
        tokio::spawn(async move { drop(names.find(&name).await) });
    }

    #[test]
    fn whose_a_name_is_is_told_by_its_end() {
        for (name, zone) in [
            ("localhost", "localhost"),
            ("shop.example", "shop.example"),
            ("a.b.shop.example", "shop.example"),
            ("a.b.shop.example.", "shop.example"),
            ("a.shop.co.uk", "shop.co.uk"),
            ("shop.co.uk", "shop.co.uk"),
            ("co.uk", "co.uk"),
            ("a.shop.de", "shop.de"),
            ("a.com.example", "com.example"),
            ("", ""),
            (".", ""),
            ("..", "."),
        ] {
            assert_eq!(zone_of(name), zone, "{name}");
        }
    }

    #[tokio::test]
    async fn names_that_are_not_answered_hold_up_no_other() {
        let (names, servers, _ends) = Servers::open(Bounds::USUAL);
        for index in 0..300 {
            ask(&names, format!("{index}.dead.example"));
        }
        servers.have_waiting(Bounds::USUAL.of_zone).await;
        let found = tokio::time::timeout(SECOND, names.find("sink.shop.example")).await;
        assert_eq!(*found.unwrap().unwrap(), [ADDRESS]);
        assert_eq!(servers.waiting.load(Ordering::SeqCst), Bounds::USUAL.of_zone);
    }

    #[tokio::test]
    async fn zones_that_are_not_answered_have_a_share_that_they_cannot_exceed() {
        let bounds = Bounds { prompt: 16, of_zone: 4, patience: Duration::from_millis(50), ..Bounds::USUAL };
        let bounds = Bounds { silent: 3, of_silent_zone: 1, ..bounds };
        let (names, servers, _ends) = Servers::open(bounds);
        let of_three_zones = |among: &str| {
            for index in 0..100 {
                (0..3).for_each(|zone| ask(&names, format!("{index}.{among}.dead{zone}.example")));
            }
        };
        of_three_zones("first");
        servers.have_waiting(3 * bounds.of_zone).await;
        tokio::time::sleep(bounds.patience * 4).await;
        of_three_zones("later");
        // Those that have begun by then go on; of the others, as many as silent zones may.
        servers.have_waiting(3 * bounds.of_zone + bounds.silent).await;
        tokio::time::sleep(bounds.patience * 2).await;
        assert_eq!(servers.waiting.load(Ordering::SeqCst), 3 * bounds.of_zone + bounds.silent);
        let found = tokio::time::timeout(SECOND, names.find("sink.shop.example")).await;
        assert_eq!(*found.unwrap().unwrap(), [ADDRESS]);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_however_many_wait_for_it() {
        let (names, servers, ends) = Servers::open(Bounds::USUAL);
        let waiting: Vec<_> = (0..50)
            .map(|_| {
                let names = Arc::clone(&names);
                tokio::spawn(async move { names.find("dead.example").await.unwrap_err().to_string() })
            })
            .collect();
        servers.have_waiting(1).await;
        drop(ends);
        for told in waiting {
            assert_eq!(told.await.unwrap(), "no answer");
        }
        assert_eq!(servers.asked.load(Ordering::SeqCst), 1);
        // It was answered in time, so it is asked for again.
        assert_eq!(names.find("dead.example").await.unwrap_err().to_string(), "no answer");
        assert_eq!(servers.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_name_that_was_not_answered_is_left_alone_for_a_while() {
        let bounds = Bounds {
            patience: Duration::from_millis(50),
            name_rests: Duration::from_millis(500),
            zone_rests: Duration::from_millis(700),
            ..Bounds::USUAL
        };
        let (names, servers, ends) = Servers::open(bounds);
        let first = tokio::spawn({
            let names = Arc::clone(&names);
            async move { names.find("dead.example").await.unwrap_err().to_string() }
        });
        servers.have_waiting(1).await;
        tokio::time::sleep(bounds.patience * 2).await;
        let error = names.find("dead.example").await.unwrap_err();
        assert_eq!(error.downcast_ref::<Silence>(), Some(&Silence), "its thread is held still");
        drop(ends);
        assert_eq!(first.await.unwrap(), "no answer");
        let error = names.find("dead.example").await.unwrap_err();
        assert_eq!(error.downcast_ref::<Silence>(), Some(&Silence), "it was silent a moment ago");
        assert_eq!(servers.asked.load(Ordering::SeqCst), 1);
        tokio::time::sleep(bounds.name_rests).await;
        assert_eq!(names.find("dead.example").await.unwrap_err().to_string(), "no answer");
        assert_eq!(servers.asked.load(Ordering::SeqCst), 2);
        tokio::time::sleep(bounds.zone_rests).await;
        assert_eq!(names.find("dead.example").await.unwrap_err().to_string(), "no answer");
        let known = names.known();
        assert!(known.names.is_empty() && known.zones.is_empty(), "what is over is forgotten");
    }

    #[tokio::test]
    async fn a_zone_that_answers_again_is_silent_no_longer() {
        let bounds = Bounds { patience: Duration::from_millis(50), ..Bounds::USUAL };
        let (names, servers, ends) = Servers::open(bounds);
        ask(&names, "dead.shop.example".to_owned());
        servers.have_waiting(1).await;
        let is_silent = || names.known().turns("shop.example", bounds).0;
        while !is_silent() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(ends);
        servers.have_waiting(0).await;
        assert!(is_silent());
        assert_eq!(*names.find("alive.shop.example").await.unwrap(), [ADDRESS]);
        assert!(!is_silent());
    }

    #[tokio::test]
    async fn a_name_that_nobody_waits_for_any_more_gives_up_its_turn() {
        let bounds = Bounds { prompt: 1, ..Bounds::USUAL };
        let (names, servers, ends) = Servers::open(bounds);
        ask(&names, "dead.example".to_owned());
        servers.have_waiting(1).await;
        let given_up = tokio::time::timeout(Duration::from_millis(20), names.find("sink.shop.example")).await;
        assert!(given_up.is_err(), "the one thread is held");
        while names.known().names.len() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(ends);
        assert_eq!(*names.find("sink.shop.example").await.unwrap(), [ADDRESS]);
        assert_eq!(servers.asked.load(Ordering::SeqCst), 2);
    }
}
