//! `attache audit`: who did what about whom.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use attache_core::{AuditEvent, PublisherName, Timestamp};
use attache_server::{
    SegmentReport, Verification,
    admin::api::{AuditPage, AuditRecord, AuditSubject, Dropped, Retention},
    verify_audit,
};
use clap::{Args, Subcommand};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::{configuration::parse_duration, operator::Connection, output};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the newest records
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// Only those that come after a list that ended here
        #[arg(long, value_name = "POSITION")]
        after: Option<String>,
    },
    /// Writes all records, one JSON object a line, oldest first
    Export {
        #[command(flatten)]
        filter: Filter,
        /// The file; one that exists is replaced. Absent: standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Finds what was changed, removed, moved or cut off; the server need not run
    Verify,
    /// Drops the records that are older than this
    Retain {
        /// How long records are kept, such as "400 days"; absent, as long as `audit_retention` says
        #[arg(value_parser = parse_duration)]
        keep: Option<Duration>,
    },
}

/// Which records.
#[derive(Args)]
struct Filter {
    /// About this line: its number, or the pseudonym that its records have
    #[arg(long, value_name = "NUMBER")]
    subject: Option<AuditSubject>,
    /// Of the client of this name
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// At this publisher
    #[arg(long, value_name = "NAME")]
    publisher: Option<PublisherName>,
    /// Of this kind, such as query or `token_issued`
    #[arg(long, value_name = "KIND")]
    event: Option<AuditEvent>,
    /// At this time or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

impl Filter {
    fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        let conditions = [
            ("subject", self.subject.map(|subject| subject.to_string())),
            ("client_id", self.client.clone()),
            ("publisher", self.publisher.as_ref().map(ToString::to_string)),
            ("event", self.event.map(|event| event.name().to_owned())),
            ("from", self.from.map(|from| from.to_string())),
            ("to", self.to.map(|to| to.to_string())),
        ];
        let given: Vec<_> = conditions.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        request.query(&given)
    }
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List { filter, limit, after } => {
                let operator = self.connection.open()?;
                let mut request = filter.apply(operator.request(Method::GET, &["audit"])?).query(&[("limit", limit)]);
                if let Some(after) = after {
                    request = request.query(&[("after", after)]);
                }
                let page: AuditPage = operator.read(request).await?;
                operator.show(&page, table)?;
            }
            Command::Export { filter, output } => {
                let operator = self.connection.open()?;
                let request = filter.apply(operator.request(Method::GET, &["audit", "export"])?);
                let answer = operator.send(request).await?;
                output::save(answer, output.as_deref()).await?;
            }
            Command::Verify => return verify(&self.connection),
            Command::Retain { keep } => {
                let operator = self.connection.open()?;
                let retention = Retention { keep_seconds: keep.map(|keep| keep.as_secs()) };
                let dropped: Dropped = operator.tell(&["audit", "retain"], &retention).await?;
                operator.show(&dropped, |Dropped { segments, records }| {
                    format!("{records} records dropped, in {segments} segments\n")
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn table(page: &AuditPage) -> String {
    if page.records.is_empty() {
        return "no record\n".to_owned();
    }
    let headings = ["TIME", "EVENT", "PUBLISHER", "CLIENT", "ACTION", "SUBJECT", "OUTCOME"];
    let next = page.next.as_ref().map(|next| format!("there are more; the next: add --after {next}\n"));
    output::table(headings, page.records.iter().map(row)) + &next.unwrap_or_default()
}

fn row(record: &AuditRecord) -> [String; 7] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    [
        format!("{:.3}", record.at),
        record.event.clone(),
        or_dash(&record.publisher),
        or_dash(&record.client_id),
        or_dash(&record.action),
        or_dash(&record.subject),
        record.outcome.clone(),
    ]
}

/// Tells what was found in the files of the log, and fails if anything was.
fn verify(connection: &Connection) -> anyhow::Result<ExitCode> {
    let configuration = connection.configuration()?;
    let data_dir = configuration.data_dir.context("name the server's data directory with --data-dir")?;
    let verification = verify_audit(&data_dir, configuration.secrets_key.as_ref(), configuration.audit_key.as_ref())?;
    let file = |segment: &SegmentReport| data_dir.join("audit").join(format!("{:010}.jsonl", segment.number));
    let findings: Vec<(String, String)> = verification
        .segments
        .iter()
        .flat_map(|segment| segment.findings.iter().map(move |finding| (segment, finding)))
        .map(|(segment, finding)| (file(segment).display().to_string(), finding.to_string()))
        .collect();
    let Verification { segments } = &verification;
    let count = |dropped: bool| segments.iter().filter(|it| it.is_dropped == dropped).map(|it| it.records).sum::<u64>();
    let (records, dropped) = (count(false), count(true));
    if connection.json {
        let findings: Vec<_> =
            findings.iter().map(|(file, finding)| json!({ "file": file, "finding": finding })).collect();
        let is_intact = verification.is_intact();
        output::print_json(
            &json!({ "intact": is_intact, "segments": segments.len(), "records": records, "dropped_records": dropped, "findings": findings }),
        )?;
        return Ok(if is_intact { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if segments.is_empty() {
        bail!("there is no audit log in {}: whatever it had is gone", data_dir.join("audit").display());
    }
    if !findings.is_empty() {
        let told: Vec<String> = findings.iter().map(|(file, finding)| format!("{file}: {finding}")).collect();
        bail!("the audit log is not as it was written\n  {}", told.join("\n  "));
    }
    let mut told =
        vec![format!("the audit log is as it was written: {records} records in {} segments", segments.len())];
    if dropped > 0 {
        told.push(format!("{dropped} records were dropped for their age"));
    }
    for (segment, cut) in segments.iter().filter_map(|segment| Some((segment, segment.cut?))) {
        let (file, line) = (file(segment), cut.line);
        told.push(format!("{}: a write that did not end, from line {line}; nobody was answered by it", file.display()));
    }
    output::print(&format!("{}\n", told.join("\n")))?;
    Ok(ExitCode::SUCCESS)
}
