//! What a million lines cost: `cargo run --release -p attache-network --example million`.

use std::{
    error::Error,
    fmt::Write,
    io::Cursor,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use attache_core::{Clock, DeviceIdentifier, Line, Network, PhoneNumber, Timestamp};
use attache_network::{Filter, Simulator, csv};
use attache_store::SqliteStore;

const LINES: u64 = 1_000_000;
const FIRST: u64 = 33_600_000_000;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        None => import().await,
        Some(path) => start(&path).await,
    }
}

/// Reads a file, imports it, lists and exports it.
async fn import() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("attache.db");
    println!("a line: {} bytes", size_of::<Line>());

    let mut file = csv::REQUIRED.join(",") + "\n";
    for number in FIRST..FIRST + LINES {
        writeln!(file, "+{number},20801,26201,DATA|SMS,2024-07-22T12:23:21.112Z")?;
    }
    let before = Instant::now();
    let lines = csv::read(Cursor::new(file), Noon.now())?;
    println!("csv read: {:?}", before.elapsed());

    let store = Arc::new(SqliteStore::open(&path, "sandbox")?);
    let simulator = Simulator::load(store.clone(), Arc::new(Noon), Duration::ZERO)?;
    let before = Instant::now();
    let imported = simulator.import(lines, Box::new(|_| ())).await?;
    println!("import: {:?}, {imported:?}", before.elapsed());
    println!("resident after the import: {} MB", resident_megabytes()?);

    let before = Instant::now();
    let page = simulator.list(None, 1000, &Filter::default());
    println!("the first page: {:?}, {} lines", before.elapsed(), page.len());
    let before = Instant::now();
    let mut writer = csv::Writer::new(Vec::new())?;
    let (mut after, mut slowest) = (None, Duration::ZERO);
    loop {
        let before = Instant::now();
        let page = simulator.list(after, 1000, &Filter::default());
        slowest = slowest.max(before.elapsed());
        let Some(last) = page.last() else { break };
        after = Some(last.phone_number);
        page.iter().try_for_each(|line| writer.write(line))?;
    }
    println!("export: {:?}, the slowest page {slowest:?}", before.elapsed());
    drop((writer, simulator, store));
    println!("database: {} MB", std::fs::metadata(&path)?.len() >> 20);

    // In a process of its own, so that nothing of the above counts.
    Command::new(std::env::current_exe()?).arg(&path).status()?;
    Ok(())
}

/// Starts with the lines that are there, and asks about them.
async fn start(path: &str) -> Result<(), Box<dyn Error>> {
    let empty = resident_megabytes()?;
    let before = Instant::now();
    let store = Arc::new(SqliteStore::open(path, "sandbox")?);
    let simulator = Simulator::load(store, Arc::new(Noon), Duration::ZERO)?;
    println!("start: {:?}, {} lines", before.elapsed(), simulator.count());
    println!("resident: {} MB, before {empty} MB", resident_megabytes()?);
    let before = Instant::now();
    for number in (FIRST..FIRST + LINES).step_by(7) {
        let number = DeviceIdentifier::PhoneNumber(PhoneNumber::from_integer(number)?);
        let line = simulator.identify(&number).await.map_err(|problem| problem.to_string())?;
        simulator.observe(line).await.map_err(|problem| problem.to_string())?;
    }
    println!("identify and observe: {:?} each", before.elapsed() / u32::try_from(LINES / 7)?);
    Ok(())
}

fn resident_megabytes() -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? >> 10)
}
