//! What a story is told with: the requests of a scenario, what must come back, and the events of its inboxes.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    Lines,
    contract::{Contract, EventType, Model},
    judge::{self, Operation},
};
use crate::{
    contract::Code,
    exchange::Exchange,
    plan::{Ask, Bearer, Identifier, Skip, admit, device_of},
    report::{Failure, Outcome, ScenarioReport},
    runner::Runner,
    scenarios::named,
    sink::{Inbox, Received, Sink},
    target::Line,
};

/// A sink that nobody has (RFC 6761 section 6.4), where no event is looked for.
const NOWHERE: &str = "https://sink.invalid/conformance";

/// In how long a subscription expires that is meant to do so soon.
pub(super) const SOON: SignedDuration = SignedDuration::from_secs(3);

/// How long is looked whether something comes that must not.
const SILENCE: Duration = Duration::from_millis(300);

/// What a story ends with.
pub(super) type Told<T = ()> = Result<T, Stop>;

/// Why a story ends early.
pub(super) enum Stop {
    /// It can't be told here.
    Skipped(String),
    /// The server is at fault.
    Failed(Box<Failure>),
}

impl From<Skip> for Stop {
    fn from(Skip(reason): Skip) -> Self {
        Self::Skipped(reason)
    }
}

/// All the stories of one contract.
pub(super) struct Session<'a> {
    pub(super) runner: &'a Runner,
    pub(super) contract: &'static Contract,
    lines: Lines<'a>,
    /// The sink, or why there is none.
    sink: Result<&'a Sink, String>,
    exchanges: Vec<(Operation, Exchange)>,
    events: Vec<Received>,
    reports: Vec<ScenarioReport>,
}

impl<'a> Session<'a> {
    pub(super) fn new(runner: &'a Runner, contract: &'static Contract, lines: Lines<'a>) -> Self {
        let missing = "the runner has no address at which the server reaches it (sink.url)";
        let sink = runner.sink().ok_or_else(|| missing.to_owned());
        Self { runner, contract, lines, sink, exchanges: Vec::new(), events: Vec::new(), reports: Vec::new() }
    }

    /// Finds out whether the server sends events to the sink: plain HTTP is refused by all contracts, and taken
    /// by some servers all the same.
    pub(super) async fn find_sink(&mut self) {
        if !self.sink.as_ref().is_ok_and(|sink| sink.is_plain()) {
            return;
        }
        let mut trial = self.trial();
        let tried = async {
            let line = trial.line()?;
            let inbox = trial.inbox(0)?;
            let body = trial.body(trial.first_type(), Some(line), &inbox.url);
            let exchange = trial.ask(Operation::Create, trial.post(Bearer::TwoLegged, &body)?).await?;
            Ok::<_, Stop>(exchange.response.is_some_and(|response| response.status == 400))
        };
        let is_refused = tried.await.unwrap_or(false);
        trial.clean_up().await;
        self.exchanges.clear();
        if is_refused {
            let reason = "the server takes no sink over plain HTTP, and the runner has no certificate for its own \
                          (sink.certificate; `attache serve --allow-http-sinks`)";
            self.sink = Err(reason.to_owned());
        }
    }

    /// Tells one story.
    pub(super) async fn tries(&mut self, rule: impl Into<String>, story: impl AsyncFnOnce(&mut Trial<'_, 'a>) -> Told) {
        let mut trial = self.trial();
        let told = story(&mut trial).await;
        trial.clean_up().await;
        let outcome = match told {
            Ok(()) => Outcome::Passed,
            Err(Stop::Skipped(reason)) => Outcome::Skipped { reason },
            Err(Stop::Failed(failure)) => Outcome::Failed { failures: vec![*failure] },
        };
        self.report(rule, outcome);
    }

    /// Tells a request that must be refused.
    pub(super) async fn refuses(
        &mut self,
        what: &str,
        codes: &'static [Code],
        operation: Operation,
        ask: impl AsyncFnOnce(&mut Trial<'_, 'a>) -> Told<Ask>,
    ) {
        self.tries(format!("{what} is {}", named(codes)), async |trial: &mut Trial<'_, 'a>| {
            let ask = ask(trial).await?;
            trial.is_refused(operation, ask, codes).await
        })
        .await;
    }

    fn trial(&mut self) -> Trial<'_, 'a> {
        Trial {
            runner: self.runner,
            contract: self.contract,
            lines: self.lines,
            sink: self.sink.clone(),
            exchanges: &mut self.exchanges,
            events: &mut self.events,
            made: Vec::new(),
            inboxes: Vec::new(),
        }
    }

    fn report(&mut self, rule: impl Into<String>, outcome: Outcome) {
        let name = format!("{} {}", self.contract.name(), rule.into());
        self.reports.push(ScenarioReport { name, outcome });
    }

    /// Holds all that came back, and all that came, against what always holds.
    pub(super) fn finish(mut self) -> Vec<ScenarioReport> {
        for (rule, outcome) in judge::invariants(self.contract, &self.exchanges, &self.events) {
            self.report(rule, outcome);
        }
        self.reports
    }
}

/// One story.
pub(super) struct Trial<'t, 'a> {
    pub(super) runner: &'a Runner,
    pub(super) contract: &'static Contract,
    lines: Lines<'a>,
    sink: Result<&'a Sink, String>,
    exchanges: &'t mut Vec<(Operation, Exchange)>,
    events: &'t mut Vec<Received>,
    made: Vec<(Bearer, String)>,
    inboxes: Vec<Inbox>,
}

/// A subscription that was made.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) by: Bearer,
    pub(super) exchange: Exchange,
    pub(super) body: Value,
}

/// The events of a subscription, as they are looked at one after the other.
pub(super) struct Letters {
    inbox: Inbox,
    seen: BTreeSet<String>,
    /// How much later than at once they may come.
    pub(super) later: Duration,
}

impl<'a> Trial<'_, 'a> {
    // What there is.

    /// The line that this contract's stories are about.
    pub(super) fn line(&self) -> Told<&'a Line> {
        let missing = || Stop::Skipped("no line that the network saw recently is given (lines)".to_owned());
        self.lines.own.ok_or_else(missing)
    }

    /// Another line.
    pub(super) fn other_line(&self) -> Told<&'a Line> {
        self.lines.other.ok_or_else(|| Stop::Skipped("a second line is not given (lines)".to_owned()))
    }

    /// The line that this contract's stories are about, which stays as it is known to be.
    pub(super) fn known_line(&self) -> Told<&'a Line> {
        let line = self.line()?;
        let is_known = line.roaming == Some(false) && line.reach() == Some((true, true)) && line.network_type.is_some();
        let unknown = "no line at home is given that is reachable by data and SMS (lines)";
        if is_known { Ok(line) } else { Err(Stop::Skipped(unknown.to_owned())) }
    }

    /// The first type of the contract, which tells at once how a line at home stands.
    pub(super) fn first_type(&self) -> &'static EventType {
        &self.contract.types[0]
    }

    pub(super) fn bearer(&self, bearer: Bearer) -> Told<Bearer> {
        Ok(admit(self.runner.target(), bearer, &self.contract.scopes())?)
    }

    pub(super) fn three_legged(&self, line: &Line) -> Told<Bearer> {
        self.bearer(Bearer::ThreeLegged(line.phone_number.clone()))
    }

    /// A new inbox that first refuses so many events.
    pub(super) fn inbox(&mut self, refusals: usize) -> Told<Inbox> {
        let sink = self.sink.clone().map_err(Stop::Skipped)?;
        let inbox = sink.inbox(self.runner.next_name(), refusals);
        self.inboxes.push(inbox.clone());
        Ok(inbox)
    }

    /// An address that a server takes, where no event is looked for.
    pub(super) fn sink_url(&mut self) -> String {
        self.inbox(0).map_or_else(|_| NOWHERE.to_owned(), |inbox| inbox.url)
    }

    /// The admin API, by which lines are changed.
    pub(super) fn admin(&self) -> Told<&'a crate::admin::Admin> {
        let missing = "lines can be changed by Attache's admin API only, which is not given (admin)";
        self.runner.target().admin.as_ref().ok_or_else(|| Stop::Skipped(missing.to_owned()))
    }

    pub(super) fn http(&self) -> &'a reqwest::Client {
        self.runner.http()
    }

    // Bodies.

    /// A request for a subscription about a line, or about that of the token.
    pub(super) fn body(&self, event_type: &EventType, line: Option<&Line>, sink: &str) -> Value {
        let identifiers = line.map(|line| vec![Identifier::PhoneNumber(line.phone_number.clone())]);
        self.body_naming(event_type, identifiers.as_deref(), sink)
    }

    /// A request for a subscription about a line that is named so.
    pub(super) fn body_naming(&self, event_type: &EventType, identifiers: Option<&[Identifier]>, sink: &str) -> Value {
        let mut detail = json!({});
        if let Some(identifiers) = identifiers {
            detail["device"] = device_of(identifiers);
        }
        match self.contract.model {
            Model::Webhook => {
                detail["type"] = json!(event_type.name);
                json!({ "subscriptionDetail": detail, "webhook": { "notificationUrl": sink } })
            }
            Model::Sink => json!({
                "protocol": "HTTP",
                "sink": sink,
                "types": [event_type.name],
                "config": { "subscriptionDetail": detail },
            }),
        }
    }

    /// A request about this contract's line, to a sink that is not looked at.
    pub(super) fn any_body(&mut self) -> Told<Value> {
        let (line, sink) = (self.line()?, self.sink_url());
        Ok(self.body(self.first_type(), Some(line), &sink))
    }

    /// Where a body or an answer has its options.
    pub(super) fn config<'b>(&self, body: &'b mut Value) -> &'b mut Value {
        match self.contract.model {
            Model::Webhook => body,
            Model::Sink => &mut body["config"],
        }
    }

    /// What names the line in an answer.
    pub(super) fn device<'b>(&self, answer: &'b Value) -> &'b Value {
        match self.contract.model {
            Model::Webhook => &answer["subscriptionDetail"]["device"],
            Model::Sink => &answer["config"]["subscriptionDetail"]["device"],
        }
    }

    /// What names the line in a body.
    pub(super) fn device_mut<'b>(&self, body: &'b mut Value) -> &'b mut Value {
        &mut self.config(body)["subscriptionDetail"]["device"]
    }

    // Requests.

    pub(super) fn post(&self, bearer: Bearer, body: &Value) -> Told<Ask> {
        Ok(Ask::new(self.bearer(bearer)?, body))
    }

    pub(super) fn get_list(&self, bearer: Bearer) -> Told<Ask> {
        Ok(Ask { method: "GET", body: None, ..Ask::raw(self.bearer(bearer)?, "") })
    }

    pub(super) fn get(&self, bearer: Bearer, id: &str) -> Told<Ask> {
        Ok(Ask { path_suffix: Cow::Owned(format!("/{id}")), ..self.get_list(bearer)? })
    }

    pub(super) fn delete(&self, bearer: Bearer, id: &str) -> Told<Ask> {
        Ok(Ask { method: "DELETE", ..self.get(bearer, id)? })
    }

    /// Asks with a token that has all scopes of the contract.
    pub(super) async fn ask(&mut self, operation: Operation, ask: Ask) -> Told<Exchange> {
        let scopes = self.contract.scopes();
        self.ask_with(&scopes, operation, ask).await
    }

    /// Asks with a token that has these scopes.
    pub(super) async fn ask_with(&mut self, scopes: &str, operation: Operation, ask: Ask) -> Told<Exchange> {
        let sent = self.runner.ask_about_subscriptions(self.contract, scopes, &ask).await;
        let exchange = sent.map_err(|fault| Stop::Failed(Box::new(Failure { fault, exchange: None })))?;
        let Some(response) = &exchange.response else {
            let fault = exchange.error.clone().unwrap_or_else(|| "nothing came back".to_owned());
            return Err(self.fault(fault, &exchange));
        };
        if operation == Operation::Create && matches!(response.status, 201 | 202) {
            let id = response.json.as_ref().and_then(judge::id_of);
            self.made.extend(id.map(|id| (ask.bearer.clone(), id.to_owned())));
        }
        self.exchanges.push((operation, exchange.clone()));
        Ok(exchange)
    }

    /// Makes a subscription.
    pub(super) async fn create(&mut self, by: Bearer, body: Value) -> Told<Made> {
        let exchange = self.ask(Operation::Create, self.post(by.clone(), &body)?).await?;
        let answer = exchange.response.as_ref();
        let is_made = answer.is_some_and(|response| matches!(response.status, 201 | 202));
        if !is_made {
            let shown = answer.map(crate::exchange::Response::shown).unwrap_or_default();
            return Err(self.fault(format!("{shown} instead of 201 or 202"), &exchange));
        }
        let id = answer.and_then(|response| response.json.as_ref()).and_then(judge::id_of).map(str::to_owned);
        let id = id.ok_or_else(|| self.fault("the answer does not tell the subscription's identifier", &exchange))?;
        Ok(Made { id, by, exchange, body })
    }

    /// Makes a subscription and returns it with the events that it sends.
    pub(super) async fn subscribe(
        &mut self,
        by: Bearer,
        body: impl FnOnce(&Self, &str) -> Value,
    ) -> Told<(Made, Letters)> {
        self.subscribe_refusing(0, by, body).await
    }

    /// The same with a sink that first refuses so many events.
    pub(super) async fn subscribe_refusing(
        &mut self,
        refusals: usize,
        by: Bearer,
        body: impl FnOnce(&Self, &str) -> Value,
    ) -> Told<(Made, Letters)> {
        let inbox = self.inbox(refusals)?;
        let body = body(self, &inbox.url);
        let made = self.create(by, body).await?;
        Ok((made, Letters { inbox, seen: BTreeSet::new(), later: Duration::ZERO }))
    }

    /// Reads a subscription that must be there.
    pub(super) async fn read(&mut self, made: &Made) -> Told<Exchange> {
        let ask = self.get(made.by.clone(), &made.id)?;
        let exchange = self.ask(Operation::Read, ask).await?;
        self.is_status(&exchange, &[200])?;
        Ok(exchange)
    }

    /// Lists what a bearer may see.
    pub(super) async fn list(&mut self, by: Bearer) -> Told<(Exchange, Vec<Value>)> {
        let ask = self.get_list(by)?;
        let exchange = self.ask(Operation::List, ask).await?;
        self.is_status(&exchange, &[200])?;
        let list = exchange.response.as_ref().and_then(|response| response.json.as_ref()).and_then(Value::as_array);
        let Some(list) = list.cloned() else { return Err(self.fault("the body is not a list", &exchange)) };
        Ok((exchange, list))
    }

    /// Deletes a subscription that must be there.
    pub(super) async fn remove(&mut self, made: &Made) -> Told<Exchange> {
        let ask = self.delete(made.by.clone(), &made.id)?;
        let exchange = self.ask(Operation::Delete, ask).await?;
        self.is_status(&exchange, &[204, 202])?;
        self.made.retain(|(_, id)| *id != made.id);
        Ok(exchange)
    }

    /// Asks what must be refused.
    pub(super) async fn is_refused(&mut self, operation: Operation, ask: Ask, codes: &[Code]) -> Told {
        let exchange = self.ask(operation, ask).await?;
        self.is_code(&exchange, codes)
    }

    // What must be so.

    pub(super) fn is_code(&self, exchange: &Exchange, codes: &[Code]) -> Told {
        let Some(response) = &exchange.response else { return Ok(()) };
        if crate::judge::is_one_of(response, codes) {
            return Ok(());
        }
        Err(self.fault(format!("{} instead of {}", response.shown(), named(codes)), exchange))
    }

    pub(super) fn is_status(&self, exchange: &Exchange, statuses: &[u16]) -> Told {
        let Some(response) = &exchange.response else { return Ok(()) };
        if statuses.contains(&response.status) {
            return Ok(());
        }
        let wanted: Vec<_> = statuses.iter().map(u16::to_string).collect();
        Err(self.fault(format!("{} instead of {}", response.shown(), wanted.join(" or ")), exchange))
    }

    /// A fault of the server, in an answer.
    #[expect(clippy::unused_self, reason = "it reads as what the story found")]
    pub(super) fn fault(&self, fault: impl Into<String>, exchange: &Exchange) -> Stop {
        Stop::Failed(Box::new(Failure { fault: fault.into(), exchange: Some(exchange.clone()) }))
    }

    /// A fault of the server, unless something is so.
    pub(super) fn unless(&self, is_so: bool, fault: impl Into<String>, exchange: &Exchange) -> Told {
        if is_so { Ok(()) } else { Err(self.fault(fault, exchange)) }
    }

    // Events.

    /// The next event of a subscription; one that is sent again counts once, and its beginning is not looked at.
    pub(super) async fn next(&self, letters: &mut Letters, wanted: &str) -> Told<Received> {
        loop {
            let event = self.next_of_any(letters, wanted, self.runner.patience() + letters.later).await?;
            if self.contract.started.is_none_or(|started| started.name != event.event_type()) {
                return Ok(event);
            }
        }
    }

    /// The next event of a subscription, whatever it tells.
    pub(super) async fn next_of_any(&self, letters: &mut Letters, wanted: &str, patience: Duration) -> Told<Received> {
        let sink = self.sink.clone().map_err(Stop::Skipped)?;
        let unseen = |received: &[Received]| {
            received.iter().find(|event| event.status == 204 && !letters.seen.contains(event.id())).cloned()
        };
        let Some(event) = sink.wait(&letters.inbox, patience, unseen).await else {
            let fault = format!("no event came within {} s: {wanted} was expected", patience.as_secs());
            return Err(Stop::Failed(Box::new(Failure { fault, exchange: None })));
        };
        letters.seen.insert(event.id().to_owned());
        Ok(event)
    }

    /// The next event, which must be of this type.
    pub(super) async fn next_is(&self, letters: &mut Letters, name: &str) -> Told<Received> {
        let event = self.next(letters, name).await?;
        let fault = || format!("`type` is {} instead of {name}", event.json["type"]);
        self.unless(event.event_type() == name, fault(), &event.exchange())?;
        Ok(event)
    }

    /// The next event, which must tell of the end by this reason.
    pub(super) async fn ends(&self, letters: &mut Letters, reason: &str) -> Told<Received> {
        let event = self.next_is(letters, self.contract.ended.name).await?;
        let told = &event.json["data"]["terminationReason"];
        self.unless(told == reason, format!("`terminationReason` is {told} instead of {reason}"), &event.exchange())?;
        Ok(event)
    }

    /// That nothing has come, and nothing comes.
    pub(super) async fn nothing_more(&self, letters: &mut Letters, why: &str) -> Told {
        match self.next_of_any(letters, "nothing", SILENCE).await {
            Ok(event) => Err(self.fault(format!("{} came, {why}", event.json["type"]), &event.exchange())),
            Err(Stop::Failed(_)) => Ok(()),
            Err(skipped @ Stop::Skipped(_)) => Err(skipped),
        }
    }

    /// Everything that came to a subscription's sink, refused or not.
    pub(super) fn all(&self, letters: &Letters) -> Vec<Received> {
        self.sink.as_ref().map(|sink| sink.received(&letters.inbox)).unwrap_or_default()
    }

    /// Waits for what is found among everything that came.
    pub(super) async fn wait<T>(
        &self,
        letters: &Letters,
        patience: Duration,
        find: impl Fn(&[Received]) -> Option<T>,
    ) -> Option<T> {
        self.sink.as_ref().ok()?.wait(&letters.inbox, patience, find).await
    }

    /// Deletes what is still there, and keeps what came.
    async fn clean_up(mut self) {
        for (bearer, id) in std::mem::take(&mut self.made) {
            if let Ok(ask) = self.delete(bearer, &id) {
                let scopes = self.contract.scopes();
                let _ = self.runner.ask_about_subscriptions(self.contract, &scopes, &ask).await;
            }
        }
        if let Ok(sink) = &self.sink {
            self.events.extend(self.inboxes.iter().flat_map(|inbox| sink.received(inbox)));
        }
    }
}
