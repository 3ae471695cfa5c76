//! The story-teller: starts Attache, asks it, stops it, kills it, starts it again on the same data.
//!
//! ```text
//! let mut attache = Attache::sandbox();
//! let token = attache.post("/oauth2/token").basic("id", "secret").form(&[("grant_type", "client_credentials")]).says(200);
//! attache.kill();
//! attache.start();
//! ```
//! Nothing here sleeps for a time; what must become true is waited for, with a bound.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use reqwest::{
    Method,
    blocking::Client,
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything is waited for before a test gives up.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// A program under test, and the data that it keeps over its restarts.
pub(crate) struct Attache {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    data: TempDir,
    process: Option<Child>,
    url: String,
    printed: Log,
    logged: Log,
    client: Client,
    /// Whether a write beyond the limit of a file's size fails, rather than end the server.
    is_limitable: bool,
}

impl Attache {
    /// A sandbox, listening.
    pub(crate) fn sandbox() -> Self {
        Self::with(&[])
    }

    /// A server with further arguments, listening.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::with_environment(arguments, &[])
    }

    /// A server with further arguments and variables, listening.
    pub(crate) fn with_environment(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut attache = Self::prepared(arguments, environment, tempfile::tempdir().unwrap());
        attache.start();
        attache
    }

    /// A server with further arguments that keeps its data here, listening.
    pub(crate) fn on(data: TempDir, arguments: &[&str]) -> Self {
        let mut attache = Self::prepared(arguments, &[], data);
        attache.start();
        attache
    }

    /// A server with further arguments whose files can be limited in size while it runs, listening.
    pub(crate) fn limitable(arguments: &[&str]) -> Self {
        let mut attache = Self::prepared(arguments, &[], tempfile::tempdir().unwrap());
        attache.is_limitable = true;
        attache.start();
        attache
    }

    fn prepared(arguments: &[&str], environment: &[(&str, &str)], data: TempDir) -> Self {
        // Tests that mean a certificate look at it themselves.
        let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(BOUND);
        let client = client.tls_danger_accept_invalid_certs(true).build().unwrap();
        Self {
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            environment: environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            data,
            process: None,
            url: String::new(),
            printed: Log::default(),
            logged: Log::default(),
            client,
            is_limitable: false,
        }
    }

    /// Starts it, for the first time or again, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let mut process = self.spawn();
        let facts = self.data_dir().join("server.json");
        let url = eventually("the server says where it listens", || {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("it ended at once ({status}), saying:\n{}", self.log());
            }
            // A killed server leaves its file behind: this one's has this one's number.
            let facts: Value = serde_json::from_slice(&fs::read(&facts).ok()?).ok()?;
            (facts["pid"] == process.id()).then(|| facts["url"].as_str().unwrap().trim_end_matches('/').to_owned())
        });
        self.url = url;
        self.process = Some(process);
        eventually("the server is ready", || {
            self.client.get(self.url("/readyz")).send().ok().filter(|answer| answer.status().is_success())
        });
    }

    /// Starts it, and ends it at once after this long, whether it is ready by then or not. Returns whether it said where
    /// it listens.
    pub(crate) fn kill_while_starting(&mut self, after: Duration) -> bool {
        self.process = Some(self.spawn());
        // No state is waited for: it is to be killed in any.
        thread::sleep(after);
        let facts = fs::read(self.data_dir().join("server.json")).unwrap_or_default();
        let facts: Value = serde_json::from_slice(&facts).unwrap_or_default();
        let is_known = facts["pid"] == self.pid();
        let status = self.kill();
        assert_eq!(status.code(), None, "it ended by itself, saying:\n{}", self.log());
        is_known
    }

    fn spawn(&self) -> Child {
        assert!(self.process.is_none(), "it runs already");
        let mut process = self
            .launcher()
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.data_dir())
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        self.printed.follow(process.stdout.take().unwrap());
        self.logged.follow(process.stderr.take().unwrap());
        process
    }

    /// Leaves out, from the next start on, the variables that it was made with.
    pub(crate) fn forget_environment(&mut self) {
        self.environment.clear();
    }

    /// Asks it to end, as Ctrl-C and service managers do, and waits until it has.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("-TERM")
    }

    /// Ends it at once, as a power cut does, with no chance to tidy up.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        self.signal("-KILL")
    }

    fn signal(&mut self, signal: &str) -> ExitStatus {
        let mut process = self.process.take().expect("it doesn't run");
        let sent = Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let status = eventually("the server ends", || process.try_wait().unwrap());
        eventually("all that it logged is read", || {
            (self.printed.is_complete() && self.logged.is_complete()).then_some(())
        });
        status
    }

    /// Its address, with a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it doesn't run").id()
    }

    /// Where it keeps what it must not forget.
    pub(crate) fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Everything that it has printed and logged.
    pub(crate) fn log(&self) -> String {
        self.printed() + &self.logged()
    }

    /// What it has printed for people on standard output.
    pub(crate) fn printed(&self) -> String {
        self.printed.text()
    }

    /// What it has logged on standard error.
    pub(crate) fn logged(&self) -> String {
        self.logged.text()
    }

    /// What it says at `/sandbox`.
    pub(crate) fn facts(&self) -> Value {
        self.get("/sandbox").says(200).json()
    }

    /// The operator's credential.
    pub(crate) fn admin_token(&self) -> String {
        fs::read_to_string(self.data_dir().join("admin-token")).unwrap().trim().to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    /// A request of any method; its redirects are not followed.
    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        Request { what: format!("{method} {path}"), builder: self.client.request(method, self.url(path)) }
    }

    /// A request of the operator.
    pub(crate) fn admin(&self, method: Method, path: &str) -> Request {
        self.request(method, path).bearer(&self.admin_token())
    }

    /// What the operator does to a line: `roam`, `home` or `reach`.
    pub(crate) fn change(&self, line: &str, change: &str, body: &Value) {
        self.admin(Method::POST, &format!("/admin/v1/lines/{line}/{change}")).json(body).says(200);
    }

    /// What the operator sees of a line.
    pub(crate) fn line(&self, line: &str) -> Value {
        self.admin(Method::GET, &format!("/admin/v1/lines/{line}")).says(200).json()
    }

    /// Registers a client.
    pub(crate) fn register(&self, client: &Value) {
        self.admin(Method::POST, "/admin/v1/clients").json(client).says(201);
    }

    /// Runs `attache` with arguments, against this server, to its end.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        self.program().args(arguments).arg("--data-dir").arg(self.data_dir()).stdin(Stdio::null()).output().unwrap()
    }

    /// Sends bytes over a connection of their own, and returns all that comes back until the server
    /// closes it.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut connection = self.connect();
        connection.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Sends a request written by hand, and reads its answer.
    pub(crate) fn by_hand(&self, bytes: &[u8]) -> Answer {
        let answer = self.raw(bytes);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap())
        };
        Answer { status, headers: lines.map(header).collect(), body: body.to_owned() }
    }

    /// A connection of its own.
    pub(crate) fn connect(&self) -> TcpStream {
        let address: SocketAddr = self.url.strip_prefix("http://").unwrap().parse().unwrap();
        let connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(BOUND)).unwrap();
        connection
    }

    fn program(&self) -> Command {
        program(self.data_dir())
    }

    fn launcher(&self) -> Command {
        if !self.is_limitable {
            return self.program();
        }
        // What a shell ignores, what it becomes ignores as well.
        let mut shell = cleaned(Command::new("sh"), self.data_dir());
        shell.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#, env!("CARGO_BIN_EXE_attache")]);
        shell
    }
}

/// The program in a home directory, without what the environment of the tests would tell it.
pub(crate) fn program(home: &Path) -> Command {
    cleaned(Command::new(env!("CARGO_BIN_EXE_attache")), home)
}

fn cleaned(mut program: Command, home: &Path) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ATTACHE_")) {
        program.env_remove(name);
    }
    program.env("HOME", home).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").stdin(Stdio::null());
    program
}

impl Drop for Attache {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
        if thread::panicking() {
            eprintln!("--- the server's log:\n{}", self.log());
        } else {
            assert!(!self.logged().contains("panicked at"), "the server panicked:\n{}", self.logged());
        }
    }
}

/// A request that is being put together.
pub(crate) struct Request {
    what: String,
    builder: reqwest::blocking::RequestBuilder,
}

impl Request {
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { builder: self.builder.header(name, value), ..self }
    }

    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        Self { builder: self.builder.basic_auth(id, Some(secret)), ..self }
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        Self { builder: self.builder.bearer_auth(token), ..self }
    }

    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { builder: self.builder.header("content-type", content_type).body(body.into()), ..self }
    }

    /// Sends it and holds the status against what was expected.
    pub(crate) fn says(self, status: u16) -> Answer {
        let what = self.what.clone();
        let answer = self.send();
        assert_eq!(answer.status, status, "the status of {what} is not what was expected; it says: {}", answer.body);
        answer
    }

    /// Sends it, whatever comes of it.
    pub(crate) fn send(self) -> Answer {
        let answer = self.builder.send().unwrap_or_else(|error| panic!("{}: {error:?}", self.what));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.text().unwrap() }
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.body))
    }

    /// A text in its JSON object.
    pub(crate) fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no text {field:?} in {}", self.body)).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// Waits until `state` has something, and fails when that takes longer than [`BOUND`].
pub(crate) fn eventually<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = state() {
            return value;
        }
        assert!(start.elapsed() < BOUND, "this didn't come true within {BOUND:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The lines that programs print, as they print them.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    text: String,
    /// How many streams are followed that haven't ended.
    open: usize,
}

impl Log {
    /// Takes in what comes out of a stream, until its end.
    pub(crate) fn follow(&self, stream: impl Read + Send + 'static) {
        let log = self.clone();
        log.lock().open += 1;
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let mut lines = log.lock();
                lines.text.push_str(&String::from_utf8_lossy(&line));
                lines.text.push('\n');
            }
            log.lock().open -= 1;
        });
    }

    /// What has come so far.
    pub(crate) fn text(&self) -> String {
        self.lock().text.clone()
    }

    /// Whether all streams have ended, so that nothing more comes.
    pub(crate) fn is_complete(&self) -> bool {
        self.lock().open == 0
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
