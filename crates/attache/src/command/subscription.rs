//! `attache subscription`: who is told of changes by a running server, and what became of that.

use std::process::ExitCode;

use attache_core::{SubscriptionId, Timestamp};
use attache_server::admin::api::{
    DeadLetter, DeadLetterList, DeadLetterQuery, Delivery, DeliveryList, Replay, ReplaySince, ReplayedEvents,
    Subscription, SubscriptionList, SubscriptionQuery,
};
use clap::{ArgGroup, Args, Subcommand};
use reqwest::Method;

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
    /// Shows what was given up, of all subscriptions, newest first
    DeadLetters {
        /// Only those that were made since then, such as 2026-11-21T08:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<Timestamp>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// Sends dead letters again: one, or all that were made since a time
    #[command(group = ArgGroup::new("which").required(true).args(["sequence", "since"]))]
    Replay {
        /// Of this subscription; without one, of all
        id: Option<SubscriptionId>,
        /// The one of this sequence
        #[arg(long, value_name = "SEQUENCE", requires = "id")]
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
        match self.command {
            Command::List { limit, after } => {
                let request = operator.request(Method::GET, &["subscriptions"])?;
                let list: SubscriptionList =
                    operator.read(request.query(&SubscriptionQuery { after, limit: Some(limit) })).await?;
                operator.show(&list, |list| subscriptions(list, limit))?;
            }
            Command::Show { id } => {
                let shown: Subscription = operator.ask(Method::GET, &["subscriptions", &id.to_string()]).await?;
                operator.show(&shown, output::fields)?;
            }
            Command::Pause { id } => set_active(&operator, id, "pause").await?,
            Command::Resume { id } => set_active(&operator, id, "resume").await?,
            Command::Deliveries { id, limit } => {
                let request = operator.request(Method::GET, &["subscriptions", &id.to_string(), "deliveries"])?;
                let list: DeliveryList = operator.read(request.query(&[("limit", limit)])).await?;
                operator.show(&list, deliveries)?;
            }
            Command::DeadLetters { since, limit } => {
                let request = operator.request(Method::GET, &["dead-letters"])?;
                let list: DeadLetterList =
                    operator.read(request.query(&DeadLetterQuery { since, limit: Some(limit) })).await?;
                operator.show(&list, dead_letters)?;
            }
            Command::Replay { id, sequence, since } => {
                let replayed: ReplayedEvents = match (id, since) {
                    (None, Some(since)) => operator.tell(&["dead-letters", "replay"], &ReplaySince { since }).await?,
                    (id, since) => {
                        let id = id.map(|id| id.to_string()).unwrap_or_default();
                        operator.tell(&["subscriptions", &id, "replay"], &Replay { sequence, since }).await?
                    }
                };
                operator.show(&replayed, |replayed| match replayed.replayed {
                    0 => "no dead letter fits that; `attache subscription dead-letters` shows those there are\n".into(),
                    1 => "1 event is sent again\n".into(),
                    count => format!("{count} events are sent again\n"),
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn set_active(operator: &Operator, id: SubscriptionId, word: &str) -> anyhow::Result<()> {
    let shown: Subscription = operator.ask(Method::POST, &["subscriptions", &id.to_string(), word]).await?;
    operator.show(&shown, |shown| format!("{id} is {}\n", shown.status))
}

fn subscriptions(list: &SubscriptionList, limit: u32) -> String {
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
    let Some(newest) = list.subscriptions.last() else {
        return "no subscriptions; applications make them, and so does `attache listen NUMBER`\n".to_owned();
    };
    let headings = ["ID", "CLIENT", "API", "EVENT", "LINE", "STATUS", "EVENTS", "SINK"];
    let table = output::table(headings, list.subscriptions.iter().map(row));
    let is_full = u32::try_from(list.subscriptions.len()).is_ok_and(|count| count >= limit);
    let next =
        if is_full { format!("there may be more; the next: add --after {}\n", newest.id) } else { String::new() };
    table + &next
}

fn deliveries(list: &DeliveryList) -> String {
    let row = |delivery: &Delivery| {
        let next = match (delivery.state.as_str(), delivery.due_at) {
            (_, Some(due_at)) => format!("{due_at:.0}"),
            ("pending", None) => "waits".to_owned(),
            _ => String::new(),
        };
        [
            delivery.sequence.to_string(),
            delivery.event.clone(),
            format!("{:.3}", delivery.at),
            delivery.state.clone(),
            delivery.attempts.to_string(),
            next,
            delivery.last_outcome.clone().unwrap_or_default(),
        ]
    };
    let headings = ["SEQUENCE", "EVENT", "AT", "STATE", "ATTEMPTS", "NEXT", "LAST OUTCOME"];
    output::table(headings, list.deliveries.iter().map(row))
}

fn dead_letters(list: &DeadLetterList) -> String {
    if list.dead_letters.is_empty() {
        return format!("no dead letters{}\n", if list.total > 0 { " since then" } else { "" });
    }
    let row = |letter: &DeadLetter| {
        [
            letter.subscription_id.to_string(),
            letter.delivery.sequence.to_string(),
            letter.delivery.event.clone(),
            format!("{:.3}", letter.delivery.made_at),
            letter.delivery.attempts.to_string(),
            letter.delivery.last_outcome.clone().unwrap_or_default(),
            letter.client_id.clone().unwrap_or_default(),
            letter.sink.clone(),
        ]
    };
    let headings = ["SUBSCRIPTION", "SEQUENCE", "EVENT", "MADE", "ATTEMPTS", "LAST OUTCOME", "CLIENT", "SINK"];
    let table = output::table(headings, list.dead_letters.iter().map(row));
    format!("{table}{} of {} dead letters\n", list.dead_letters.len(), list.total)
}
