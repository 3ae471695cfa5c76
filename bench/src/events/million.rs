//! Very many subscriptions on one node: whether they fit, how long a restart takes, and what it costs when lines are
//! reported that have not changed.

use std::{
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rusqlite::Connection as Database;

use super::{
    now,
    offer::{ARGUMENTS, Subscribed, home, until},
    sink::Sinks,
};
use crate::{report::megabytes, server::Attache};

/// Measures it, and returns a table.
pub(super) async fn measure(program: &Path, sinks: &Sinks, count: u64) -> Result<String> {
    eprintln!("{count} subscriptions: preparing");
    let attache = Attache::new(program, &ARGUMENTS)?;
    // One is made as they are, and told of its start.
    sinks.got.forget();
    let first = Subscribed::new(&attache, 1, |_| sinks.url(0)).await?;
    ensure!(until(sinks, 1, Duration::from_secs(5)).await, "the sink is not told of the start");
    attache.import(count)?;
    first.server.stop()?;
    multiply(&attache.data().join("attache.db"))?;

    eprintln!("{count} subscriptions: restarting");
    let begin = Instant::now();
    let server = attache.start()?;
    let held = Subscribed::on(server, &attache, count)?;
    let csv = std::fs::read_to_string(attache.data().join("lines.csv"))?;
    let csv = csv.replace("2026-01-31T12:00:00Z", &super::time_text(now()?));
    held.report(&csv.lines().take(2).fold(String::new(), |text, line| text + line + "\n")).await?;
    let start = begin.elapsed();

    eprintln!("{count} subscriptions: reporting what has not changed");
    sinks.got.forget();
    let begin = Instant::now();
    held.report(&csv).await?;
    let absorbed = begin.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = sinks.got.requests();
    ensure!(told == 0, "{told} events were sent of lines that have not changed");
    let memory = held.server.memory()?;

    // Every fifth is abroad already.
    held.report(&home(1..5, now()?).replace(",20801,20801,", ",20801,21401,")).await?;
    ensure!(until(sinks, 4, Duration::from_secs(10)).await, "not every change is told");

    let mut text = String::from("\n| what | measured | aim |\n| --- | ---: | ---: |\n");
    writeln!(text, "| memory, {count} subscriptions to {count} lines | {} | 2147.5 MB |", megabytes(memory))?;
    writeln!(text, "| restart with them, to the first report acknowledged | {:.2} s | 10 s |", start.as_secs_f64())?;
    writeln!(
        text,
        "| {count} unchanged lines reported again, no event sent | {:.1} s | 60 s |",
        absorbed.as_secs_f64()
    )?;
    Ok(text)
}

/// Gives every line a subscription like the one that there is.
fn multiply(path: &Path) -> Result<()> {
    let database = Database::open(path)?;
    let columns: Vec<String> = database
        .prepare("SELECT name FROM pragma_table_info('subscription')")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let values: Vec<&str> = columns
        .iter()
        .map(|name| match name.as_str() {
            "id" => "randomblob(16)",
            "line" => "l.id",
            "device" => "'number +' || l.phone_number",
            "sink" => "s.sink || '/' || (l.phone_number % 10000)",
            "last_sequence" => "1",
            "events_made" => "0",
            name => name,
        })
        .collect();
    let values: Vec<String> = values
        .iter()
        .map(|value| if columns.iter().any(|name| name == value) { format!("s.{value}") } else { (*value).to_owned() })
        .collect();
    database
        .execute(
            &format!(
                "INSERT INTO subscription ({}) SELECT {} FROM line l, (SELECT * FROM subscription LIMIT 1) s
                 WHERE l.id NOT IN (SELECT line FROM subscription)",
                columns.join(", "),
                values.join(", ")
            ),
            [],
        )
        .context("the subscriptions can't be multiplied")?;
    Ok(())
}
