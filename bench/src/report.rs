//! Medians, and the table.

use std::{fmt::Write, time::Duration};

use crate::{load::Measured, machine};

/// One round of one server.
pub(crate) struct Round {
    pub(crate) measured: Measured,
    /// The processor time that the server took for a request, in microseconds.
    pub(crate) processor: f64,
}

/// A server, and its rounds.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the project aims for, as a share of the bare server.
    pub(crate) aim: Option<u32>,
    pub(crate) rounds: Vec<Round>,
}

impl Row {
    pub(crate) fn new(name: &'static str, aim: Option<u32>) -> Self {
        Self { name, aim, rounds: Vec::new() }
    }

    /// The median of a value over the rounds.
    pub(crate) fn median(&self, value: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(value).collect())
    }

    /// The median of the ratios to another row's rate, round by round.
    pub(crate) fn ratio(&self, bare: &Self) -> f64 {
        let pairs = self.rounds.iter().zip(&bare.rounds);
        median(pairs.map(|(mine, theirs)| mine.measured.rate / theirs.measured.rate).collect())
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What else is measured.
pub(crate) struct Facts {
    pub(crate) lines: u64,
    pub(crate) import: Duration,
    pub(crate) start: Duration,
    pub(crate) memory_idle: u64,
    pub(crate) memory_of_lines: u64,
    pub(crate) memory_after_load: u64,
    pub(crate) binary: u64,
    pub(crate) load_before: String,
}

/// Writes the report. The rows come in pairs of a table: the first of each is the bare server.
pub(crate) fn markdown(rows: &[Row], once: &[Row], facts: &Facts) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "Measured on: {}. Load average before: {}.\n", machine::description(), facts.load_before)?;
    writeln!(text, "| server | requests/s | of bare | aim | p50 | p99 | processor time a request |")?;
    writeln!(text, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")?;
    for table in [rows, once] {
        for row in table {
            let aim = row.aim.map_or_else(String::new, |aim| format!("{aim} %"));
            writeln!(
                text,
                "| {} | {:.0} | {:.0} % | {aim} | {:.2} ms | {:.2} ms | {:.1} us |",
                row.name,
                row.median(|round| round.measured.rate),
                row.ratio(&table[0]) * 100.0,
                row.median(|round| f64::from(round.measured.p50)) / 1000.0,
                row.median(|round| f64::from(round.measured.p99)) / 1000.0,
                row.median(|round| round.processor),
            )?;
        }
    }
    writeln!(text, "\n| what | measured | aim |\n| --- | ---: | ---: |")?;
    writeln!(text, "| start to first answer, {} lines | {:.2} s | 1 s |", facts.lines, facts.start.as_secs_f64())?;
    writeln!(text, "| memory, idle | {} | 60 MB |", megabytes(facts.memory_idle))?;
    writeln!(text, "| memory for {} lines | {} | 120 MB |", facts.lines, megabytes(facts.memory_of_lines))?;
    writeln!(
        text,
        "| memory in all, with {} lines, after the load | {} | |",
        facts.lines,
        megabytes(facts.memory_after_load)
    )?;
    writeln!(text, "| import of {} lines | {:.1} s | 30 s |", facts.lines, facts.import.as_secs_f64())?;
    writeln!(text, "| size of the binary | {} | 40 MB |", megabytes(facts.binary))?;
    Ok(text)
}

/// Megabytes, with one digit after the point.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}
