//! Measures the way of an event, from a change of a line to the sink of its subscription: `cargo xtask bench events`.
//!
//! Changes are reported as an operator reports them, in CSV by the admin API, at a rate that does not wait for the
//! server; each is dated by when it was due to be reported, and its event carries that time to the sink. The sinks are
//! in the thread that reports. The rate that is told is the highest at which, over some seconds, 99 of 100 events were
//! sent within [`AIM`] of their change, and none was lost or sent twice; one that fails is tried once more.
//!
//! Beside it, in the same minute, the bare loop: the HTTP client that Attache has, posting one of these events again
//! and again to the same sinks over as many connections, without a database, a queue or anything to retry.

mod million;
mod offer;
pub(crate) mod post;
mod sink;

use std::{fmt::Write, fs, num::TryFromIntError, path::Path, process::Command, rc::Rc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use tokio::{task::LocalSet, time::Instant};

use self::{
    offer::{ARGUMENTS, Subscribed, until},
    sink::Sinks,
};
use crate::{load::Measured, machine, server::Attache};

/// Within which time 99 of 100 events are to be sent.
const AIM: Duration = Duration::from_millis(500);
/// The share of the bare loop's rate that is aimed for.
const SHARE: u32 = 50;
/// How many lines change, each subscribed to once.
const LINES: u64 = 10_000;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    time: Duration,
    subscriptions: u64,
    /// Only with so many sinks.
    sinks: Option<u64>,
}

impl Size {
    /// Reads `--seconds N`, `--subscriptions N`, `--sinks N`.
    pub(crate) fn read(options: &[&str]) -> Result<Self> {
        let mut size = Self { time: Duration::from_secs(5), subscriptions: 1_000_000, sinks: None };
        for pair in options.chunks(2) {
            let &[name, value] = pair else { bail!("{} wants a number", pair.concat()) };
            let value: u32 = value.parse().with_context(|| format!("{name} wants a number"))?;
            match name {
                "--seconds" => size.time = Duration::from_secs(u64::from(value.max(1))),
                "--subscriptions" => size.subscriptions = u64::from(value),
                "--sinks" => size.sinks = Some(u64::from(value)),
                _ => bail!("there is no option {name}"),
            }
        }
        Ok(size)
    }
}

/// Measures everything and writes the report.
pub(crate) fn run(program: &Path, report: &Path, size: Size) -> Result<()> {
    let load_before = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load_before = load_before.split(' ').next().unwrap_or_default();
    let mut text = format!("Measured on: {}. Load average before: {load_before}.\n\n", machine::description());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = LocalSet::new().block_on(&runtime, async {
        let sinks = Sinks::open().await?;
        let mut text = String::from(
            "| sinks | events/s | of the bare loop | aim | p50 | p99 | aim | bare loop, events/s | connections |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for (name, count, one_in) in
            [("1", 1, 0), ("100", 100, 0), ("10000", 10_000, 0), ("10000, of which 1 % are dead", 10_000, 100)]
        {
            if size.sinks.is_none_or(|only| only == count) {
                text += &row(program, &sinks, name, count, one_in, size.time).await?;
            }
        }
        if size.subscriptions > 0 {
            text += &million::measure(program, &sinks, size.subscriptions).await?;
        }
        Ok::<_, anyhow::Error>(text)
    })?;
    text += &measured;
    fs::write(report, &text).with_context(|| format!("{} can't be written", report.display()))?;
    println!("{text}");
    Ok(())
}

/// Measures with so many sinks, of which one in so many is dead.
async fn row(program: &Path, sinks: &Sinks, name: &str, count: u64, one_in: u64, time: Duration) -> Result<String> {
    eprintln!("{name} sinks: subscribing");
    let attache = Attache::new(program, &ARGUMENTS)?;
    let is_dead = |line: u64| one_in > 0 && line.is_multiple_of(one_in);
    let url = |line: u64| if is_dead(line) { sinks.dead_url(line) } else { sinks.url(line % count) };
    sinks.got.forget();
    let subscribed = Rc::new(Subscribed::new(&attache, LINES, url).await?);
    let alive = LINES - LINES.checked_div(one_in).unwrap_or(0);
    ensure!(until(sinks, usize::try_from(alive)?, Duration::from_secs(5)).await, "no sink is told of the start");

    // As much as it takes when it gets all at once is about what it can keep up with.
    sinks.got.forget();
    let begin = Instant::now();
    let offered = subscribed.offer(LINES * 20, Duration::from_millis(100)).await?;
    let expected = |offered: u64| usize::try_from(offered * alive / LINES);
    until(sinks, expected(offered)?, Duration::from_secs(2)).await;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let capacity = sinks.got.events() as f64 / begin.elapsed().as_secs_f64();
    eprintln!("  {capacity:.0} events/s when it gets all at once");

    // From there on upwards as long as it keeps up, and else downwards. A rate that fails is tried twice: what else the
    // machine does is not meant.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
    let mut rate = (capacity as u64).max(100);
    let (mut sustained, mut falls) = (None, false);
    let measured = loop {
        ensure!(rate >= 100, "no rate is sustained");
        let tried = match try_rate(&subscribed, sinks, rate, time, expected).await? {
            None => try_rate(&subscribed, sinks, rate, time, expected).await?,
            some => some,
        };
        match (tried, sustained.take()) {
            (Some(measured), _) if falls => break measured,
            (Some(measured), _) => {
                sustained = Some(measured);
                rate = rate * 106 / 100;
            }
            (None, Some(measured)) => break measured,
            (None, None) => {
                falls = true;
                rate = rate * 90 / 100;
            }
        }
    };
    let connections = sinks.got.most_open.get();
    drop(subscribed);
    // The middle of three, since the machine is not always equally fast.
    let mut posted = Vec::new();
    for _ in 0..3 {
        posted.push(bare_loop(sinks, count, connections, time)?.await?);
    }
    posted.sort_by(f64::total_cmp);
    let bare = posted[1];
    eprintln!("  the bare loop: {bare:.0} posts/s over {connections} connections");
    let mut text = String::new();
    writeln!(
        text,
        "| {name} | {:.0} | {:.0} % | {SHARE} % | {:.0} ms | {:.0} ms | {} ms | {bare:.0} | {connections} |",
        measured.rate,
        measured.rate / bare * 100.0,
        f64::from(measured.p50) / 1000.0,
        f64::from(measured.p99) / 1000.0,
        AIM.as_millis(),
    )?;
    Ok(text)
}

/// Offers changes at a rate for some time. Returns what was measured if the rate was sustained.
async fn try_rate(
    subscribed: &Rc<Subscribed>,
    sinks: &Sinks,
    rate: u64,
    time: Duration,
    expected: impl Fn(u64) -> Result<usize, TryFromIntError>,
) -> Result<Option<Measured>> {
    sinks.got.forget();
    let offered = subscribed.offer(rate, time).await?;
    // Every line has changed as often as every other, but for the last round.
    let least = expected(offered)?.saturating_sub(usize::try_from(LINES / 100)?);
    let have_come = until(sinks, least, Duration::from_secs(3)).await;
    tokio::time::sleep(AIM).await;
    let measured = Measured::of(sinks.got.take_times(), time)?;
    let is_sustained = have_come && Duration::from_micros(u64::from(measured.p99)) <= AIM;
    eprintln!(
        "  {rate} changes/s: {} events, p50 {} us, p99 {} us{}",
        measured.requests,
        measured.p50,
        measured.p99,
        if is_sustained { "" } else { ": too fast" }
    );
    if is_sustained {
        ensure!(sinks.got.requests() == sinks.got.events(), "events were sent twice");
        return Ok(Some(measured));
    }
    // What is left is sent before the next.
    until(sinks, expected(offered)?, Duration::from_secs(2)).await;
    Ok(None)
}

/// Runs the bare loop.
fn bare_loop(
    sinks: &Sinks,
    count: u64,
    connections: usize,
    time: Duration,
) -> Result<impl Future<Output = Result<f64>> + use<>> {
    let body = sinks.got.body.borrow().clone();
    let arguments = [sinks.port().to_string(), count.to_string(), connections.to_string(), time.as_secs().to_string()];
    let program = std::env::current_exe()?;
    Ok(async move {
        let running =
            tokio::task::spawn_blocking(move || Command::new(program).arg("post").args(arguments).arg(body).output());
        let output = running.await??;
        ensure!(output.status.success(), "the bare loop: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    })
}

/// The time of day, since 1970.
#[expect(clippy::disallowed_methods, reason = "no server's clock is asked here: changes are dated by the network")]
fn now() -> Result<Duration> {
    Ok(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?)
}

/// A time as reports have it.
fn time_text(time: Duration) -> String {
    let time = i128::try_from(time.as_nanos()).ok().and_then(|time| Timestamp::from_nanosecond(time).ok());
    time.unwrap_or_default().to_string()
}

/// A time as events have it.
fn time_of(text: &str) -> Result<Duration> {
    Ok(Duration::from_nanos(text.parse::<Timestamp>()?.as_nanosecond().try_into()?))
}
