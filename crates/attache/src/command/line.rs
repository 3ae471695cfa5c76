//! `attache line`: the lines of a running server's simulated network.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use anyhow::{Context, bail};
use attache_core::{Country, NetworkAccessIdentifier, PhoneNumber, Plmn, Technology, Timestamp};
use attache_server::admin::api::{
    Bearer, Connected, Eligibility, ImportError, ImportEvent, Line, LinePage, NewLine, OperatorToken, Reach, Removed,
    Visited,
};
use clap::{ArgGroup, Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::{Method, Response};
use tokio::fs::File;

use crate::{
    operator::{Connection, Operator},
    output,
};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the lines, by number
    List {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// Only those with numbers after this one
        #[arg(long, value_name = "NUMBER")]
        after: Option<PhoneNumber>,
    },
    /// Shows one line
    Show {
        /// Its number, such as +33699901032
        number: PhoneNumber,
    },
    /// Adds a line: at home, reachable by data and SMS, seen just now, if nothing else is said
    Add(Add),
    /// Removes a line; what was granted about it ends
    Remove {
        /// Its number
        number: PhoneNumber,
    },
    /// Takes a line abroad, or anywhere
    #[command(group = ArgGroup::new("place").required(true).args(["country", "plmn"]))]
    Roam {
        /// Its number
        number: PhoneNumber,
        #[command(flatten)]
        place: Place,
    },
    /// Takes a line home
    Home {
        /// Its number
        number: PhoneNumber,
    },
    /// Says by what a line can be reached: what is not named is switched off
    #[command(group = ArgGroup::new("bearers").required(true).multiple(true).args(["data", "sms", "none"]))]
    Reach {
        /// Its number
        number: PhoneNumber,
        #[command(flatten)]
        reach: ReachFlags,
    },
    /// Says by which access technology a line is connected
    Technology {
        /// Its number
        number: PhoneNumber,
        /// 2G, 3G, 4G, 5G, or none when the network cannot tell
        technology: Told,
    },
    /// Says that the service is offered for a line
    Eligible {
        /// Its number
        number: PhoneNumber,
    },
    /// Says that the service is not offered for a line
    Ineligible {
        /// Its number
        number: PhoneNumber,
    },
    /// Issues the token by which the operator tells an application which line a device has (GSMA TS.43), in a
    /// sandbox: it is good once, as a `login_hint` of `operatortoken:` and the token
    OperatorToken {
        /// Its number
        number: PhoneNumber,
    },
    /// Adds the lines of a CSV file, or replaces those with the same numbers: all or none
    Import {
        /// The file, of the form that `export` writes
        file: PathBuf,
    },
    /// Writes all lines to a CSV file
    Export {
        /// The file; one that exists is replaced
        file: PathBuf,
    },
}

#[derive(Args)]
struct Add {
    /// Its number, such as +33699901032
    number: PhoneNumber,
    /// Its home network, such as 20801
    #[arg(long, value_name = "PLMN")]
    home: Plmn,
    /// Its network access identifier, such as 123456789@domain.com
    #[arg(long, value_name = "LOCAL@DOMAIN")]
    network_access_identifier: Option<NetworkAccessIdentifier>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    reach: ReachFlags,
    /// The access technology that it is connected by: 2G, 3G, 4G or 5G
    #[arg(long)]
    technology: Option<Technology>,
    /// When the network last saw it, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    seen_at: Option<Timestamp>,
    /// The network never saw it
    #[arg(long, conflicts_with_all = ["data", "sms", "none", "technology", "seen_at", "country", "plmn"])]
    never_seen: bool,
    /// The service is not offered for it
    #[arg(long)]
    ineligible: bool,
}

/// Where a line is.
#[derive(Args)]
struct Place {
    /// The first network of this country, such as DE
    #[arg(long, value_name = "ISO", conflicts_with = "plmn")]
    country: Option<String>,
    /// This network, such as 26201
    #[arg(long)]
    plmn: Option<Plmn>,
}

/// By what a line can be reached.
#[derive(Args)]
struct ReachFlags {
    /// By data
    #[arg(long)]
    data: bool,
    /// By SMS
    #[arg(long)]
    sms: bool,
    /// By nothing
    #[arg(long, conflicts_with_all = ["data", "sms"])]
    none: bool,
}

/// An access technology, or that the network cannot tell.
#[derive(Clone, Copy)]
struct Told(Option<Technology>);

impl FromStr for Told {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(None)),
            text => {
                text.parse().map(|technology| Self(Some(technology))).map_err(|_| "2G, 3G, 4G, 5G or none is needed")
            }
        }
    }
}

/// The network that the flags name.
fn visited(place: Place) -> Option<Visited> {
    place.plmn.map(Visited::Plmn).or(place.country.map(Visited::Country))
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        match self.command {
            Command::List { limit, after } => list(&operator, limit, after).await?,
            Command::Show { number } => {
                let line: Line = operator.ask(Method::GET, &["lines", &number.to_string()]).await?;
                operator.show(&line, table)?;
            }
            Command::Add(add) => {
                let line: Line = operator.tell(&["lines"], &NewLine::from(add)).await?;
                operator.show(&line, table)?;
            }
            Command::Remove { number } => {
                let removed: Removed = operator.ask(Method::DELETE, &["lines", &number.to_string()]).await?;
                operator.show(&removed, |_| format!("{number} is removed\n"))?;
            }
            Command::Roam { number, place } => {
                let place = visited(place).context("name a country or a network")?;
                change(&operator, number, "roam", &place).await?;
            }
            Command::Home { number } => change(&operator, number, "home", &serde_json::json!({})).await?,
            Command::Reach { number, reach } => {
                let reach = Reach { data: reach.data, sms: reach.sms };
                change(&operator, number, "reach", &reach).await?;
            }
            Command::Technology { number, technology: Told(technology) } => {
                change(&operator, number, "technology", &Connected { technology }).await?;
            }
            Command::Eligible { number } => {
                change(&operator, number, "eligibility", &Eligibility { eligible: true }).await?;
            }
            Command::Ineligible { number } => {
                change(&operator, number, "eligibility", &Eligibility { eligible: false }).await?;
            }
            Command::OperatorToken { number } => {
                let path = ["lines", &number.to_string(), "operator-token"];
                let issued: OperatorToken = operator.ask(Method::POST, &path).await?;
                operator.show(&issued, |issued| format!("operatortoken:{}\n", issued.operator_token))?;
            }
            Command::Import { file } => import(&operator, &file).await?,
            Command::Export { file } => export(&operator, &file).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl From<Add> for NewLine {
    fn from(add: Add) -> Self {
        let ReachFlags { data, sms, none } = add.reach;
        Self {
            phone_number: add.number,
            network_access_identifier: add.network_access_identifier,
            home_plmn: add.home,
            serving: visited(add.place),
            reachable: (data || sms || none).then(|| Bearer::list(data, sms)),
            technology: add.technology,
            seen_at: add.seen_at,
            never_seen: add.never_seen,
            ineligible: add.ineligible,
        }
    }
}

async fn list(operator: &Operator, limit: u64, after: Option<PhoneNumber>) -> anyhow::Result<()> {
    let mut request = operator.request(Method::GET, &["lines"])?.query(&[("limit", limit)]);
    if let Some(after) = after {
        request = request.query(&[("after", after)]);
    }
    let page: LinePage = operator.read(request).await?;
    operator.show(&page, |page| {
        let (count, total) = (page.lines.len(), page.total);
        let next = page.next.as_ref();
        let next = next.map(|next| format!("{count} of {total} lines; the next: attache line list --after {next}\n"));
        output::table(HEADINGS, page.lines.iter().map(row)) + &next.unwrap_or_default()
    })
}

/// Changes a line, and tells what it is like then.
async fn change(
    operator: &Operator,
    number: PhoneNumber,
    change: &str,
    body: &impl serde::Serialize,
) -> anyhow::Result<()> {
    let line: Line = operator.tell(&["lines", &number.to_string(), change], body).await?;
    operator.show(&line, table)
}

fn table(line: &Line) -> String {
    output::table(HEADINGS, [row(line)])
}

const HEADINGS: [&str; 8] =
    ["NUMBER", "HOME", "SERVED BY", "COUNTRY", "REACHABLE BY", "TECHNOLOGY", "LAST CONFIRMED", "ELIGIBLE"];

fn row(line: &Line) -> [String; 8] {
    let country = |plmn: Plmn| Country::of(plmn.mcc()).names().join(" ");
    let reachable = line.reachable.iter().map(|bearer| match bearer {
        Bearer::Data => "data",
        Bearer::Sms => "SMS",
    });
    let reachable = reachable.collect::<Vec<_>>().join(", ");
    let last_confirmed =
        line.serving_confirmed_at.max(line.reachability_confirmed_at).max(line.technology_confirmed_at);
    [
        line.phone_number.to_string(),
        line.home_plmn.to_string(),
        line.serving_plmn.as_ref().map_or("never seen".to_owned(), Plmn::to_string),
        line.serving_plmn.map(country).unwrap_or_default(),
        if reachable.is_empty() { "-".to_owned() } else { reachable },
        line.technology.map_or("-", Technology::as_str).to_owned(),
        last_confirmed.map(|at| format!("{at:.0}")).unwrap_or_default(),
        if line.eligible { "yes" } else { "no" }.to_owned(),
    ]
}

async fn import(operator: &Operator, path: &Path) -> anyhow::Result<()> {
    let file = File::open(path).await.with_context(|| format!("{} can't be read", path.display()))?;
    let request = operator.request(Method::POST, &["lines", "import"])?;
    let answer = operator.send(request.header("content-type", "text/csv").body(file)).await?;
    let bar = progress_bar();
    let last = last_event(answer, &bar).await?;
    bar.finish_and_clear();
    match &last {
        ImportEvent::Done { imported, added, replaced } => {
            operator.show(&last, |_| format!("{imported} lines imported: {added} added, {replaced} replaced\n"))
        }
        ImportEvent::Refused { errors, total } => {
            let told = |error: &ImportError| format!("{}:{}: {}", path.display(), error.line, error.message);
            let told: Vec<String> = errors.iter().map(told).collect();
            bail!("nothing was imported; lines with errors: {total}\n  {}", told.join("\n  "))
        }
        ImportEvent::Failed { message, .. } => bail!("nothing was imported: {message}"),
        ImportEvent::Progress { .. } => bail!("the server stopped before it was done: nothing was imported"),
    }
}

/// Reads the events of an import, one JSON object a line, and returns the last.
async fn last_event(mut answer: Response, bar: &ProgressBar) -> anyhow::Result<ImportEvent> {
    let mut last = None;
    let mut rest = Vec::new();
    while let Some(chunk) = answer.chunk().await.context("the server stopped answering")? {
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let event: ImportEvent = serde_json::from_slice(&line).context("the server's answer is not understood")?;
            if let ImportEvent::Progress { progress, of } = &event {
                bar.set_length(u64::try_from(*of)?);
                bar.set_position(u64::try_from(*progress)?);
            }
            last = Some(event);
        }
    }
    last.context("the server stopped before it was done: nothing was imported")
}

/// A progress bar on standard error, if that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if io::stderr().is_terminal()
        && let Ok(style) = ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} lines, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

async fn export(operator: &Operator, path: &Path) -> anyhow::Result<()> {
    let answer = operator.send(operator.request(Method::GET, &["lines", "export"])?).await?;
    // The first line has the headings.
    let exported = output::save(answer, Some(path)).await?.saturating_sub(1);
    operator.show(&serde_json::json!({ "exported": exported }), |_| {
        format!("{exported} lines exported to {}\n", path.display())
    })
}
