//! What is measured, in which order.

use std::{
    fs,
    path::Path,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    load::{Connection, Length, Lines, Load, number},
    report::{Facts, Round, Row, markdown},
    server::{Attache, Server, tokens},
};

/// How many tokens are in rotation.
const TOKENS: usize = 256;
/// How many tokens are used once each, in a round.
const NEW_TOKENS: usize = 20_000;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    rounds: u32,
    time: Duration,
    lines: u64,
}

impl Size {
    /// Reads `--rounds N`, `--seconds N`, `--lines N`.
    pub(crate) fn read(options: &[&str]) -> Result<Self> {
        let mut size = Self { rounds: 7, time: Duration::from_secs(3), lines: 1_000_000 };
        for pair in options.chunks(2) {
            let &[name, value] = pair else { bail!("{} wants a number", pair.concat()) };
            let value: u32 = value.parse().with_context(|| format!("{name} wants a number"))?;
            match name {
                "--rounds" => size.rounds = value.max(1),
                "--seconds" => size.time = Duration::from_secs(u64::from(value.max(1))),
                "--lines" => size.lines = u64::from(value.clamp(1, 10_000_000)),
                _ => bail!("there is no option {name}"),
            }
        }
        Ok(size)
    }
}

/// A server in the rounds.
struct Subject<'a> {
    server: &'a Server,
    load: Load,
    row: Row,
}

impl<'a> Subject<'a> {
    fn new(
        name: &'static str,
        aim: Option<u32>,
        server: &'a Server,
        tokens: &Rc<Vec<String>>,
        lines: Lines,
        time: Duration,
    ) -> Self {
        let load = Load { address: server.address, tokens: Rc::clone(tokens), lines, length: Length::Time(time) };
        Self { server, load, row: Row::new(name, aim) }
    }

    async fn round(&mut self) -> Result<()> {
        let before = self.server.processor_time()?;
        let measured = self.load.run().await.with_context(|| self.row.name)?;
        let used = self.server.processor_time()? - before;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let processor = used * 1e6 / measured.requests as f64;
        eprintln!("  {:<60} {:>8.0} requests/s", self.row.name, measured.rate);
        self.row.rounds.push(Round { measured, processor });
        Ok(())
    }
}

/// Measures everything and writes the report.
pub(crate) fn run(program: &Path, report: &Path, size: Size) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(measure(program, size))?;
    fs::write(report, &text).with_context(|| format!("{} can't be written", report.display()))?;
    println!("{text}");
    Ok(())
}

async fn measure(program: &Path, size: Size) -> Result<String> {
    let load_before = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load_before = load_before.split(' ').next().unwrap_or_default().to_owned();
    eprintln!("starting the servers, importing {} lines", size.lines);
    let bare = Server::bare()?;
    let (few_quiet, few_logged) = (Attache::new(program, &["--no-request-log"])?, Attache::new(program, &[])?);
    let (many_quiet, many_logged) = (Attache::new(program, &["--no-request-log"])?, Attache::new(program, &[])?);
    let quiet = few_quiet.start()?;
    let memory_idle = quiet.memory()?;
    let logged = few_logged.start()?;

    let first = many_quiet.start()?;
    let import = many_quiet.import(size.lines)?;
    let token = tokens(&first, 1).await?.remove(0);
    first.stop()?;
    let mut starts = Vec::new();
    for _ in 0..3 {
        let (server, time) = start_to_first_answer(&many_quiet, &token, size.lines).await?;
        starts.push(time);
        server.stop()?;
    }
    starts.sort_unstable();
    let (many, _) = start_to_first_answer(&many_quiet, &token, size.lines).await?;
    let memory_with_lines = many.memory()?;
    let many_with_log = many_logged.start()?;
    many_logged.import(size.lines)?;

    let one = Lines::One(one_line(&quiet).await?);
    let all = Lines::Many(size.lines);
    let time = size.time;
    let of_quiet = Rc::new(tokens(&quiet, TOKENS).await?);
    let of_logged = Rc::new(tokens(&logged, TOKENS).await?);
    let of_many = Rc::new(tokens(&many, TOKENS).await?);
    let of_many_with_log = Rc::new(tokens(&many_with_log, TOKENS).await?);
    let mut subjects = [
        Subject::new("bare server", None, &bare, &of_quiet, one.clone(), time),
        Subject::new("Attache, one line, request log off", Some(80), &quiet, &of_quiet, one.clone(), time),
        Subject::new("Attache, one line, request log on", Some(70), &logged, &of_logged, one.clone(), time),
        Subject::new("Attache, all lines, request log off", Some(80), &many, &of_many, all.clone(), time),
        Subject::new(
            "Attache, all lines, request log on",
            Some(70),
            &many_with_log,
            &of_many_with_log,
            all.clone(),
            time,
        ),
    ];
    // The first answers of a process fill caches and grow buffers; they aren't counted.
    for subject in &mut subjects {
        subject.round().await?;
        subject.row.rounds.clear();
    }
    for round in 1..=size.rounds {
        eprintln!("round {round} of {}", size.rounds);
        for subject in &mut subjects {
            subject.round().await?;
        }
    }
    let rows = subjects.map(|subject| subject.row);

    let mut with_new_tokens = [
        Subject::new("bare server, each token once", None, &bare, &of_quiet, one.clone(), time),
        Subject::new("Attache, each token once, request log off", None, &quiet, &of_quiet, one, time),
    ];
    for round in 1..=size.rounds {
        eprintln!("round {round} of {}, each token once", size.rounds);
        let new = Rc::new(tokens(&quiet, NEW_TOKENS).await?);
        for subject in &mut with_new_tokens {
            subject.load.tokens = Rc::clone(&new);
            subject.load.length = Length::EachTokenOnce;
            subject.round().await?;
        }
    }
    let facts = Facts {
        lines: size.lines,
        import,
        start: starts[starts.len() / 2],
        memory_idle,
        memory_of_lines: memory_with_lines.saturating_sub(memory_idle),
        memory_after_load: many.memory()?,
        binary: fs::metadata(program)?.len(),
        load_before,
    };
    Ok(markdown(&rows, &with_new_tokens.map(|subject| subject.row), &facts)?)
}

/// Starts a server that knows many lines already, and asks it about the last of them with a token that
/// an earlier process issued.
async fn start_to_first_answer(attache: &Attache, token: &str, lines: u64) -> Result<(Server, Duration)> {
    let start = Instant::now();
    let server = attache.start()?;
    let answer = Connection::open(server.address).await?.query(token, &number(lines - 1)).await?;
    let time = start.elapsed();
    ensure!(answer.status == 200, "the first answer is {}: {}", answer.status, answer.body);
    Ok((server, time))
}

/// A line of the sandbox that can be asked about.
async fn one_line(server: &Server) -> Result<String> {
    let token = tokens(server, 1).await?.remove(0);
    let mut connection = Connection::open(server.address).await?;
    let facts = connection.call("/sandbox", "none", None).await?;
    let facts: serde_json::Value = serde_json::from_str(&facts.body)?;
    for line in facts["lines"].as_array().context("no lines")? {
        let number = line["phone_number"].as_str().context("no number")?;
        if connection.query(&token, number).await?.status == 200 {
            return Ok(number.to_owned());
        }
    }
    bail!("the sandbox has no line to ask about")
}
