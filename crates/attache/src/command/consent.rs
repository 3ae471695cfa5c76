//! `attache consent`: what subscribers have consented to, and what waits for their answers.

use std::process::ExitCode;

use attache_core::{PhoneNumber, PublisherName, Purpose, RequestId, Scope};
use attache_server::admin::api::{
    Answer, AnsweredRequest, Consent, ConsentList, ConsentRequest, ConsentRequestPage, Subscriber, SubscriberAnswer,
    Withdrawal, Withdrawn,
};
use clap::{Args, Subcommand, ValueEnum};
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
    /// Shows the requests that wait for their subscribers, the oldest first
    Pending {
        /// Only those about this line
        #[arg(long, value_name = "NUMBER")]
        line: Option<PhoneNumber>,
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
        /// Only those after this one
        #[arg(long, value_name = "REQUEST")]
        after: Option<RequestId>,
    },
    /// Says yes to a request, for its subscriber
    Grant {
        /// The request, as `attache consent pending` shows it
        request: RequestId,
    },
    /// Says no to a request, for its subscriber
    Deny {
        /// The request, as `attache consent pending` shows it
        request: RequestId,
    },
    /// Shows what the subscriber of a line has said, and to whom
    List {
        /// The number of the line
        number: PhoneNumber,
    },
    /// Withdraws consents of a line: all, or those that fit what is said; the tokens that rest on them end at once
    Withdraw(Withdraw),
    /// Says what the subscriber of a line does from now on, when asked for consent; in a sandbox only
    Answer {
        /// The number of the line
        number: PhoneNumber,
        /// What it does
        answer: Rule,
    },
}

#[derive(Args)]
struct Withdraw {
    /// The number of the line
    number: PhoneNumber,
    /// Those of clients of this publisher
    #[arg(long, value_name = "NAME")]
    publisher: Option<PublisherName>,
    /// Those of the client that calls itself so
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Those for this purpose
    #[arg(long)]
    purpose: Option<Purpose>,
    /// Those about this scope
    #[arg(long)]
    scope: Option<Scope>,
}

/// What the subscriber of a line does when asked for consent.
#[derive(Clone, Copy, ValueEnum)]
enum Rule {
    /// Agrees at once
    Grant,
    /// Says no at once
    Deny,
    /// Doesn't answer
    Never,
    /// Is asked on a page, or waits for `attache consent grant` or `deny`
    Ask,
}

impl From<Rule> for SubscriberAnswer {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Grant => Self::Grant,
            Rule::Deny => Self::Deny,
            Rule::Never => Self::Never,
            Rule::Ask => Self::Ask,
        }
    }
}

impl Arguments {
    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = self.connection.open()?;
        match self.command {
            Command::Pending { line, limit, after } => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(line.map(|line| ("phone_number", line.to_string())));
                query.extend(after.map(|after| ("after", after.to_string())));
                let request = operator.request(Method::GET, &["consent-requests"])?.query(&query);
                let page: ConsentRequestPage = operator.read(request).await?;
                operator.show(&page, |page| match page.requests.as_slice() {
                    [] => "no request waits for an answer\n".to_owned(),
                    requests => output::table(REQUEST_HEADINGS, requests.iter().map(request_row)),
                })?;
            }
            Command::Grant { request } => answered(&operator, request, "grant").await?,
            Command::Deny { request } => answered(&operator, request, "deny").await?,
            Command::List { number } => {
                let list: ConsentList = operator.ask(Method::GET, &["lines", &number.to_string(), "consents"]).await?;
                operator.show(&list, |list| match list.consents.as_slice() {
                    [] => format!("nobody was ever allowed anything about {number}\n"),
                    consents => output::table(HEADINGS, consents.iter().map(row)),
                })?;
            }
            Command::Withdraw(Withdraw { number, publisher, client, purpose, scope }) => {
                let meant = Withdrawal { publisher, client_id: client, purpose, scope };
                let path = ["lines", &number.to_string(), "consents", "withdraw"];
                let withdrawn: Withdrawn = operator.tell(&path, &meant).await?;
                operator.show(&withdrawn, |withdrawn| match withdrawn.withdrawn.as_slice() {
                    [] => "nothing fits that is in force and the subscriber's to withdraw\n".to_owned(),
                    consents => output::table(HEADINGS, consents.iter().map(row)),
                })?;
            }
            Command::Answer { number, answer } => {
                let subscriber = Subscriber { answer: answer.into() };
                let request = operator.request(Method::PUT, &["lines", &number.to_string(), "subscriber"])?;
                let subscriber: Subscriber = operator.read(request.json(&subscriber)).await?;
                operator.show(&subscriber, |subscriber| {
                    format!("when asked for consent, the subscriber of {number} {}\n", does(*subscriber))
                })?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn answered(operator: &Operator, request: RequestId, word: &str) -> anyhow::Result<()> {
    let path = ["consent-requests", &request.to_string(), word];
    let answered: AnsweredRequest = operator.ask(Method::POST, &path).await?;
    operator.show(&answered, |answered| match answered.answer {
        Answer::Granted => format!("{request} is granted\n"),
        Answer::Denied => format!("{request} is denied\n"),
    })
}

const fn does(subscriber: Subscriber) -> &'static str {
    match subscriber.answer {
        SubscriberAnswer::Grant => "agrees at once",
        SubscriberAnswer::Deny => "says no at once",
        SubscriberAnswer::Never => "doesn't answer",
        SubscriberAnswer::Ask => "is asked: by a page, or `attache consent pending` shows the request",
    }
}

const REQUEST_HEADINGS: [&str; 7] = ["REQUEST", "NUMBER", "PUBLISHER", "CLIENT", "PURPOSE", "SCOPES", "UNTIL"];

fn request_row(request: &ConsentRequest) -> [String; 7] {
    let scopes: Vec<&str> = request.scopes.iter().map(Scope::as_str).collect();
    [
        request.id.to_string(),
        request.phone_number.to_string(),
        request.publisher.to_string(),
        request.client_id.clone(),
        request.purpose.to_string(),
        scopes.join(" "),
        request.expires_at.to_string(),
    ]
}

const HEADINGS: [&str; 8] = ["PUBLISHER", "CLIENT", "PURPOSE", "SCOPE", "BASIS", "STATE", "GRANTED", "ENDED"];

fn row(consent: &Consent) -> [String; 8] {
    let time = |time: Option<attache_core::Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    [
        consent.publisher.to_string(),
        consent.client_id.clone(),
        consent.purpose.to_string(),
        consent.scope.to_string(),
        consent.basis.to_string(),
        consent.state.clone(),
        time(consent.granted_at),
        time(consent.ended_at),
    ]
}
