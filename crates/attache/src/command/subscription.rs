//! `attache subscription`: who is told of changes by a running server, and what became of that.

use std::process::ExitCode;

use attache_core::{SubscriptionId, Timestamp};
use attache_server::admin::api::{DeliveryList, Replay, ReplayedEvents, Subscription, SubscriptionList};
use clap::{ArgGroup, Args, Subcommand};
use reqwest::Method;

use crate::{operator::Connection, output};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the subscriptions, oldest first
    List {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only those that were made after this one
        #[arg(long, value_name = "ID")]
        after: Option<SubscriptionId>,
    },
    /// Shows one subscription
    Show {
        /// Its identifier
        id: SubscriptionId,
    },
    /// Shows what a subscription was told and is to be told, newest first
    Deliveries {
        /// Its identifier
        id: SubscriptionId,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Sends dead letters of a subscription again
    #[command(group = ArgGroup::new("which").required(true).args(["sequence", "since"]))]
    Replay {
        /// Its identifier
        id: SubscriptionId,
        /// The one of this sequence
        #[arg(long, value_name = "SEQUENCE")]
        sequence: Option<u64>,
        /// All that were made since then, such as 2026-11-21T08:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
    },
    /// Pauses a subscription: what happens meanwhile it never hears of
    Pause {
        /// Its identifier
        id: SubscriptionId,
    },
    /// Lets a paused subscription go on
    Resume {
        /// Its identifier
        id: SubscriptionId,
    },
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        let is_json = self.connection.json;
        match self.command {
            Command::List { limit, after } => {
                let mut request = operator.request(Method::GET, &["subscriptions"])?.query(&[("limit", limit)]);
                if let Some(after) = after {
                    request = request.query(&[("after", after)]);
                }
                let list: SubscriptionList = operator.read(request).await?;
                if is_json {
                    output::print_json(&list)?;
                } else if list.subscriptions.is_empty() {
                    output::print("no subscriptions; applications make them at /<api>/<version>/subscriptions\n")?;
                } else {
                    print_all(&list.subscriptions)?;
                }
            }
            Command::Show { id } => {
                let shown = operator.ask(Method::GET, &["subscriptions", &id.to_string()]).await?;
                print_one(is_json, shown)?;
            }
            Command::Pause { id } => {
                let shown = operator.ask(Method::POST, &["subscriptions", &id.to_string(), "pause"]).await?;
                print_one(is_json, shown)?;
            }
            Command::Resume { id } => {
                let shown = operator.ask(Method::POST, &["subscriptions", &id.to_string(), "resume"]).await?;
                print_one(is_json, shown)?;
            }
            Command::Deliveries { id, limit } => {
                let request = operator.request(Method::GET, &["subscriptions", &id.to_string(), "deliveries"])?;
                let list: DeliveryList = operator.read(request.query(&[("limit", limit)])).await?;
                if is_json {
                    output::print_json(&list)?;
                } else {
                    print_deliveries(&list)?;
                }
            }
            Command::Replay { id, sequence, since } => {
                let path = ["subscriptions", &id.to_string(), "replay"];
                let replayed: ReplayedEvents = operator.tell(&path, &Replay { sequence, since }).await?;
                if is_json {
                    output::print_json(&replayed)?;
                } else if replayed.replayed == 0 {
                    output::print(
                        "no dead letter fits that; `attache subscription deliveries` shows those there are\n",
                    )?;
                } else {
                    output::print(&format!("{} sent again\n", replayed.replayed))?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_one(is_json: bool, shown: Subscription) -> anyhow::Result<()> {
    if is_json { output::print_json(&shown) } else { print_all(&[shown]) }
}

fn print_all(subscriptions: &[Subscription]) -> anyhow::Result<()> {
    let row = |subscription: &Subscription| {
        [
            subscription.id.to_string(),
            subscription.client_id.clone().unwrap_or_default(),
            format!("{} {}", subscription.api, subscription.version),
            subscription.event_type.clone(),
            subscription.phone_number.map(|number| number.to_string()).unwrap_or_default(),
            subscription.status.clone(),
            subscription.events_made.to_string(),
            subscription.sink.clone(),
        ]
    };
    let rows: Vec<_> = subscriptions.iter().map(row).collect();
    Ok(output::print(&output::table(["ID", "CLIENT", "API", "EVENT", "LINE", "STATUS", "EVENTS", "SINK"], &rows))?)
}

fn print_deliveries(list: &DeliveryList) -> anyhow::Result<()> {
    let rows: Vec<_> = list
        .deliveries
        .iter()
        .map(|delivery| {
            [
                delivery.sequence.to_string(),
                delivery.event.clone(),
                format!("{:.3}", delivery.at),
                delivery.state.clone(),
                delivery.attempts.to_string(),
                delivery.last_outcome.clone().unwrap_or_default(),
            ]
        })
        .collect();
    Ok(output::print(&output::table(["SEQUENCE", "EVENT", "AT", "STATE", "ATTEMPTS", "LAST"], &rows))?)
}
