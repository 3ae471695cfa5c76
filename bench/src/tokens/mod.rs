//! Measures the authorization server beside oidc-provider, which the OpenID Foundation has certified:
//! `cargo xtask bench tokens`. Both sign ES256, issue access tokens as JWTs, and know the same two
//! applications, one by its secret and one by its key; every flow is the same requests to both. Attache
//! writes what it grants to its database before it answers, the other one keeps it in memory.
//!
//! oidc-provider is one process of Node.js, with one thread for JavaScript; Attache uses all cores that the
//! load leaves. So the ratio of the processor time is told as well.

mod load;
mod peer;

use std::{cell::RefCell, fmt::Write, fs, path::Path, rc::Rc, time::Duration};

use anyhow::{Context, Result, bail};

use self::{
    load::{Supply, Work, as_fast_as_it_goes, begin_many, polls_at},
    peer::{ClientKey, Peer},
};
use crate::{
    load::Measured,
    machine,
    report::{Round, Row, megabytes},
    server::Attache,
};

/// How many times as many tokens as oidc-provider's are aimed for.
const AIM: u32 = 5;

/// Assertions for each round.
const ASSERTIONS: usize = 4_000;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    rounds: u32,
    time: Duration,
    pending: usize,
    polls: u32,
}

impl Size {
    /// Reads `--rounds N`, `--seconds N`, `--pending N`, `--polls N`.
    pub(crate) fn read(options: &[&str]) -> Result<Self> {
        let mut size = Self { rounds: 7, time: Duration::from_secs(3), pending: 100_000, polls: 5_000 };
        for pair in options.chunks(2) {
            let &[name, value] = pair else { bail!("{} wants a number", pair.concat()) };
            let value: u32 = value.parse().with_context(|| format!("{name} wants a number"))?;
            match name {
                "--rounds" => size.rounds = value.max(1),
                "--seconds" => size.time = Duration::from_secs(u64::from(value.max(1))),
                "--pending" => size.pending = usize::try_from(value.max(1))?,
                "--polls" => size.polls = value.max(1),
                _ => bail!("there is no option {name}"),
            }
        }
        Ok(size)
    }
}

/// Measures everything and writes the report.
pub(crate) fn run(program: &Path, report: &Path, modules: &Path, size: Size) -> Result<()> {
    let load_before = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load_before = load_before.split(' ').next().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let key = ClientKey::generate()?;
    let mut text = format!("Measured on: {}. Load average before: {load_before}.\n\n", machine::description());
    text += &runtime.block_on(beside_each_other(program, modules, &key, size))?;
    text += &runtime.block_on(many_pending(program, &key, size))?;
    fs::write(report, &text).with_context(|| format!("{} can't be written", report.display()))?;
    println!("{text}");
    Ok(())
}

/// The loads that both servers get.
const LOADS: [(&str, bool, Work); 4] = [
    ("client credentials, client_secret_basic", false, Work::ClientCredentials),
    ("client credentials, private_key_jwt", true, Work::ClientCredentials),
    ("CIBA to its tokens, client_secret_basic", false, Work::Backchannel),
    ("CIBA to its tokens, private_key_jwt", true, Work::Backchannel),
];

/// Both servers in turns, round after round.
async fn beside_each_other(program: &Path, modules: &Path, key: &ClientKey, size: Size) -> Result<String> {
    let attache = Attache::new(program, &["--no-request-log"])?;
    let peers = [
        Rc::new(Peer::provider(modules, key).await?),
        Rc::new(Peer::attache(attache.start()?, attache.data(), key).await?),
    ];
    let mut text = String::from(
        "| load | server | a second | times as many | aim | p50 | p99 | processor time of each | times by it |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for (name, by_key, work) in LOADS {
        let mut rows = [(); 2].map(|()| Row::new(name, None));
        // The first round fills caches, and lets V8 compile; it isn't counted.
        for round in 0..=size.rounds {
            eprintln!("{name}: round {round} of {}", size.rounds);
            for (peer, row) in peers.iter().zip(&mut rows) {
                let measured = once(peer, key, by_key, &work, size.time).await.with_context(|| peer.name)?;
                eprintln!("  {:<60} {:>8.0} a second", peer.name, measured.measured.rate);
                if round > 0 {
                    row.rounds.push(measured);
                }
            }
        }
        let processor = |row: &Row| row.median(|round| round.processor);
        for (peer, row) in peers.iter().zip(&rows) {
            let is_attache = peer.name == "Attache";
            let ratio = |ratio: f64| if is_attache { format!("{ratio:.1}") } else { String::new() };
            writeln!(
                text,
                "| {name} | {} | {:.0} | {} | {} | {:.2} ms | {:.2} ms | {:.0} us | {} |",
                peer.name,
                row.median(|round| round.measured.rate),
                ratio(row.ratio(&rows[0])),
                if is_attache && !by_key { AIM.to_string() } else { String::new() },
                row.median(|round| f64::from(round.measured.p50)) / 1000.0,
                row.median(|round| f64::from(round.measured.p99)) / 1000.0,
                processor(row),
                ratio(processor(&rows[0]) / processor(row)),
            )?;
        }
    }
    Ok(text)
}

/// One server, once.
async fn once(peer: &Rc<Peer>, key: &ClientKey, by_key: bool, work: &Work, time: Duration) -> Result<Round> {
    let supply = if by_key {
        Supply::Assertions(Rc::new(RefCell::new(key.assertions(&peer.issuer, ASSERTIONS)?)))
    } else {
        Supply::Secret(time)
    };
    let before = peer.server.processor_time()?;
    let measured = as_fast_as_it_goes(peer, work, &supply).await?;
    let used = peer.server.processor_time()? - before;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let processor = used * 1e6 / measured.requests as f64;
    Ok(Round { measured, processor })
}

/// Many backchannel authentications that wait for an answer, and applications that poll for them.
async fn many_pending(program: &Path, key: &ClientKey, size: Size) -> Result<String> {
    // So that none of them expires while it is measured, and a poll is never too fast.
    let attache = Attache::new(program, &["--no-request-log"])?
        .configured(&[("ATTACHE_CIBA_LIFETIME", "1h"), ("ATTACHE_CIBA_INTERVAL", "1ms")]);
    let peer = Rc::new(Peer::attache(attache.start()?, attache.data(), key).await?);
    eprintln!("beginning {} backchannel authentications that nobody answers", size.pending);
    let memory_before = peer.server.memory()?;
    let ids = Rc::new(begin_many(&peer, size.pending, &Supply::Secret(size.time)).await?);
    let memory = peer.server.memory()?.saturating_sub(memory_before);

    let mut at_a_rate = Vec::new();
    for round in 0..=size.rounds {
        eprintln!("polling: round {round} of {}", size.rounds);
        let measured = polls_at(&peer, &ids, size.polls, size.time).await?;
        eprintln!("  p99 {} us", measured.p99);
        if round > 0 {
            at_a_rate.push(measured);
        }
    }
    let p99 = |measured: &Measured| measured.p99;
    let (best, worst) = (at_a_rate.iter().map(p99).min(), at_a_rate.iter().map(p99).max());
    let median = |value: fn(&Measured) -> u32| {
        let mut values: Vec<u32> = at_a_rate.iter().map(value).collect();
        values.sort_unstable();
        f64::from(values.get(values.len() / 2).copied().unwrap_or_default()) / 1000.0
    };

    let by_secret = as_fast_as_it_goes(&peer, &Work::Poll(ids), &Supply::Secret(size.time)).await?;
    let assertions = |count| Ok::<_, anyhow::Error>(Rc::new(RefCell::new(key.assertions(&peer.issuer, count)?)));
    let of_key = size.pending.min(ASSERTIONS);
    let ids = Rc::new(begin_many(&peer, of_key, &Supply::Assertions(assertions(of_key)?)).await?);
    let supply = Supply::Assertions(assertions(5 * ASSERTIONS)?);
    let by_key = as_fast_as_it_goes(&peer, &Work::Poll(ids), &supply).await?;

    let milliseconds = |micros: Option<u32>| f64::from(micros.unwrap_or_default()) / 1000.0;
    let mut text = format!(
        "\n{} backchannel authentications pending at once ({} of memory), polled for:\n\n\
         | polls | a second | p50 | p99 | p99, best and worst round | aim |\n\
         | --- | ---: | ---: | ---: | ---: | ---: |\n",
        size.pending,
        megabytes(memory)
    );
    writeln!(
        text,
        "| at a given rate, client_secret_basic | {} | {:.2} ms | {:.2} ms | {:.2} ms, {:.2} ms | p99 10 ms |",
        size.polls,
        median(|measured| measured.p50),
        median(p99),
        milliseconds(best),
        milliseconds(worst),
    )?;
    for (name, measured) in [("client_secret_basic", by_secret), ("private_key_jwt", by_key)] {
        writeln!(
            text,
            "| as fast as it goes, {name} | {:.0} | {:.2} ms | {:.2} ms | | |",
            measured.rate,
            f64::from(measured.p50) / 1000.0,
            f64::from(measured.p99) / 1000.0,
        )?;
    }
    Ok(text)
}
