//! Tries the scenarios, one after the other, and writes down what came of each.

use std::{
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;

use crate::{
    admin::Admin,
    contract::{CONTRACTS, Contract, Naming},
    exchange::{Exchange, Sending, now, send},
    judge::{self, Verdict},
    plan::{Ask, Bearer, Plan, Scenario, Skip, Step, admit, naming_number},
    report::{ContractReport, Failure, Outcome, Report, ScenarioReport},
    scenarios::scenarios,
    sink::Sink,
    subscription,
    target::{Client, Target, TargetError},
    token::Tokens,
};

/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many seconds an event is waited for, if nothing is said.
const PATIENCE_WITH_EVENTS: u16 = 15;

/// How many responses at fault a report shows by one rule.
const SHOWN: usize = 3;

/// Which contracts are tried: `device-roaming-status` or `device-roaming-status/1.1`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Only {
    api: String,
    version: Option<String>,
}

/// No such API or version is known.
#[derive(Debug, thiserror::Error)]
#[error("`{asked}` is not known; known are {}", known().join(", "))]
pub struct OnlyError {
    asked: String,
}

impl FromStr for Only {
    type Err = OnlyError;

    fn from_str(text: &str) -> Result<Self, OnlyError> {
        let (api, version) = match text.split_once('/') {
            Some((api, version)) => (api, Some(version)),
            None => (text, None),
        };
        let only = Self { api: api.to_owned(), version: version.map(str::to_owned) };
        if versions().any(|(api, version)| only.is_about(api, version)) {
            Ok(only)
        } else {
            Err(OnlyError { asked: text.to_owned() })
        }
    }
}

impl Only {
    fn is_about(&self, api: &str, version: &str) -> bool {
        api == self.api && self.version.as_ref().is_none_or(|only| version == only)
    }
}

/// Every API with its version.
fn versions() -> impl Iterator<Item = (&'static str, &'static str)> {
    let questions = CONTRACTS.iter().map(|contract| (contract.api, contract.version));
    questions.chain(subscription::CONTRACTS.iter().map(|contract| (contract.api, contract.version)))
}

fn known() -> Vec<String> {
    let mut known: Vec<String> = versions().map(|(api, version)| format!("{api}/{version}")).collect();
    known.sort();
    known.dedup();
    known
}

/// Whether a version is to be tried.
enum Choice {
    /// It was named.
    Taken,
    /// It was not, for this reason.
    Left(String),
    /// If the server has it.
    IfThere,
}

/// Why nothing can be tried.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// No HTTP client can be made.
    #[error("can't prepare an HTTP client")]
    Http(#[source] reqwest::Error),
    /// The target can't be told.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The runner's sink can't be opened.
    #[error("can't open a sink for events")]
    Sink(#[source] std::io::Error),
    /// The file names a version that isn't known.
    #[error("in `versions`: {0}")]
    Version(#[from] OnlyError),
}

/// What a server on this machine lends to the runner; a file has the last word.
#[derive(Debug, Default)]
pub struct Local {
    /// Its admin API.
    pub admin: Option<Admin>,
    /// A certificate that it trusts, and its key, PEM.
    pub certificate: Option<(Vec<u8>, Vec<u8>)>,
}

/// Tries scenarios against a target.
pub struct Runner {
    http: reqwest::Client,
    target: Target,
    tokens: Tokens,
    sink: Option<Sink>,
    sent: AtomicUsize,
}

impl Runner {
    /// A runner for a server, by what a file says of it, if there is one.
    pub async fn new(base_url: url::Url, file: Option<&str>, local: Local) -> Result<Self, RunnerError> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
        // The system's certificates are read only if they are needed: a small container has none.
        let http = if base_url.scheme() == "http" && !file.is_some_and(|file| file.contains("https://")) {
            http.no_proxy().tls_certs_only([])
        } else {
            http
        };
        let http = http.build().map_err(RunnerError::Http)?;
        let mut target = Target::find(&http, base_url, file).await?;
        target.admin = target.admin.or(local.admin);
        for version in &target.versions {
            version.parse::<Only>()?;
        }
        let sink = match target.sink_settings(local.certificate).map_err(RunnerError::Sink)? {
            Some(settings) => Some(Sink::open(&settings).await.map_err(RunnerError::Sink)?),
            None => None,
        };
        Ok(Self { http, target, tokens: Tokens::default(), sink, sent: AtomicUsize::new(0) })
    }

    /// Its sink, if the server can reach one.
    pub(crate) fn sink(&self) -> Option<&Sink> {
        self.sink.as_ref()
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// How long an event is waited for.
    pub(crate) fn patience(&self) -> Duration {
        let given = self.target.sink.as_ref().and_then(|sink| sink.patience);
        Duration::from_secs(given.unwrap_or(PATIENCE_WITH_EVENTS).into())
    }

    /// A name that nothing else of this run has.
    pub(crate) fn next_name(&self) -> String {
        format!("{}-{}", now().as_millisecond(), self.sent.fetch_add(1, Ordering::Relaxed))
    }

    /// What is known of the server.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Tries what is asked for; everything, if nothing is.
    pub async fn run(&mut self, only: &[Only]) -> Report {
        let began = now();
        let is_asked_for =
            |api: &str, version: &str| only.is_empty() || only.iter().any(|only| only.is_about(api, version));
        let mut contracts = Vec::new();
        for contract in CONTRACTS.iter().filter(|contract| is_asked_for(contract.api, contract.version)) {
            let reason = self.reason_to_skip(contract, only).await;
            let scenarios = if reason.is_none() { self.run_contract(contract).await } else { Vec::new() };
            contracts.push(ContractReport {
                name: contract.name(),
                api: contract.api.to_owned(),
                version: contract.version.to_owned(),
                skipped: reason,
                scenarios,
            });
        }
        let registered = self.register_other_client().await;
        let subscribed = subscription::CONTRACTS.iter().filter(|contract| is_asked_for(contract.api, contract.version));
        let runner: &Self = self;
        // Their stories wait for events most of the time, so they are told side by side.
        let tried = subscribed.enumerate().map(|(place, contract)| runner.run_subscriptions(contract, place, only));
        contracts.extend(join_all(tried).await);
        if let (Some(client_id), Some(admin)) = (registered, &self.target.admin) {
            // A client that stays behind harms nobody, and is gone with the sandbox.
            let _ = admin.remove(&self.http, &client_id).await;
        }
        Report { target: self.target.to_string(), at: began.to_string(), contracts }
    }

    async fn run_subscriptions(
        &self,
        contract: &'static subscription::Contract,
        place: usize,
        only: &[Only],
    ) -> ContractReport {
        let skipped = match self.choice(contract.api, contract.version, only) {
            Choice::Taken => None,
            Choice::Left(reason) => Some(reason),
            Choice::IfThere => self.probe_subscriptions(contract).await,
        };
        let scenarios = if skipped.is_none() { subscription::run(self, contract, place).await } else { Vec::new() };
        let (api, version) = (contract.api.to_owned(), contract.version.to_owned());
        ContractReport { name: contract.name(), api, version, skipped, scenarios }
    }

    /// Asks once whether a version is there.
    async fn probe_subscriptions(&self, contract: &subscription::Contract) -> Option<String> {
        let scopes = contract.scopes();
        let bearer = admit(&self.target, Bearer::TwoLegged, &scopes).unwrap_or(Bearer::Missing);
        let ask = Ask { method: "GET", body: None, ..Ask::raw(bearer, "") };
        let exchange = self.ask_about_subscriptions(contract, &scopes, &ask).await.ok()?;
        let is_there = exchange.response.as_ref().is_none_or(|response| response.status != 404);
        (!is_there).then(|| format!("GET {} is answered with 404", exchange.request.url))
    }

    /// Sends a request about subscriptions, with a token that has these scopes. Errors: a sentence.
    pub(crate) async fn ask_about_subscriptions(
        &self,
        contract: &subscription::Contract,
        scopes: &str,
        ask: &Ask,
    ) -> Result<Exchange, String> {
        let url = self.target.address(&contract.name(), contract.api, contract.version, contract.path);
        self.send(&url, scopes, contract.correlator.is_some(), ask).await
    }

    /// Sees to it that there is a second client, if one can be registered. Returns it if it was.
    async fn register_other_client(&mut self) -> Option<String> {
        let (client, admin) = (self.target.client.clone()?, self.target.admin.as_ref()?);
        if self.target.other_client.is_some() || self.target.tokens.other_client.is_some() {
            return None;
        }
        let registered = admin.register(&self.http, client.purpose.as_deref()).await.ok()?;
        let text = |name: &str| registered[name].as_str().map(str::to_owned);
        let client_id = text("client_id")?;
        let client_secret = text("client_secret")?.into();
        self.target.other_client = Some(Client { client_id: client_id.clone(), client_secret, ..client });
        Some(client_id)
    }

    /// Whether a version is to be tried.
    fn choice(&self, api: &str, version: &str, only: &[Only]) -> Choice {
        let named = format!("{api}/{version}");
        let is_named = |only: &Only| only.version.is_some() && only.is_about(api, version);
        if only.iter().any(is_named) || self.target.versions.contains(&named) {
            return Choice::Taken;
        }
        if self.target.versions.is_empty() {
            Choice::IfThere
        } else {
            Choice::Left(format!("`versions` does not name {named}"))
        }
    }

    /// Why a contract isn't tried at all, if it isn't.
    async fn reason_to_skip(&self, contract: &Contract, only: &[Only]) -> Option<String> {
        match self.choice(contract.api, contract.version, only) {
            Choice::Taken => return None,
            Choice::Left(reason) => return Some(reason),
            Choice::IfThere => {}
        }
        let version = format!("{}/{}", contract.api, contract.version);
        match self.target.offers(contract) {
            Some(true) => None,
            _ if !contract.is_newest_on_its_path() => Some(format!(
                "a newer version has its path and is tried there; to try this one, name {version} by `versions` or --only"
            )),
            Some(false) => Some("the server does not list it".to_owned()),
            None => self.probe(contract).await,
        }
    }

    /// Asks once whether a version is there.
    async fn probe(&self, contract: &Contract) -> Option<String> {
        let bearer = admit(&self.target, Bearer::TwoLegged, contract.scope).unwrap_or(Bearer::Missing);
        let number = self.target.any_line().map_or("+33639980001", |line| line.phone_number.as_str());
        let exchange = self.ask(contract, &Ask::new(bearer, &naming_number(contract, number))).await.ok()?;
        let response = exchange.response.as_ref()?;
        if response.status == 404 {
            return Some(format!("POST {} is answered with 404", exchange.request.url));
        }
        // 0.4 and 0.5 share a path; errors with a status are not 0.4's.
        let is_later =
            contract.naming == Naming::UeId && response.json.as_ref().is_some_and(|body| body.get("status").is_some());
        is_later.then(|| format!("POST {} answers as a later version does", exchange.request.url))
    }

    async fn run_contract(&self, contract: &'static Contract) -> Vec<ScenarioReport> {
        let mut reports = Vec::new();
        let mut exchanges = Vec::new();
        let (always, tried): (Vec<Scenario>, Vec<Scenario>) = scenarios(contract, &self.target)
            .into_iter()
            .partition(|scenario| matches!(scenario.plan, Ok(Plan::Always(_))));
        for scenario in tried.into_iter().chain(always) {
            let outcome = match scenario.plan {
                Err(Skip(reason)) => Outcome::Skipped { reason },
                Ok(Plan::Steps(steps)) => self.run_steps(contract, &steps, &mut exchanges).await,
                Ok(Plan::TimeStands(ask)) => self.run_time_stands(contract, &ask, &mut exchanges).await,
                Ok(Plan::Always(invariant)) => hold(
                    exchanges
                        .iter()
                        .filter_map(|exchange| Some((exchange.clone(), judge::faults(contract, invariant, exchange)?)))
                        .collect(),
                ),
            };
            reports.push(ScenarioReport { name: format!("{} {}", contract.name(), scenario.rule), outcome });
        }
        reports
    }

    async fn run_steps(&self, contract: &Contract, steps: &[Step], exchanges: &mut Vec<Exchange>) -> Outcome {
        let mut failures = Vec::new();
        let mut untold = None;
        for step in steps {
            let exchange = match self.ask(contract, &step.ask).await {
                Ok(exchange) => exchange,
                Err(fault) => {
                    failures.push(Failure { fault, exchange: None });
                    continue;
                }
            };
            match judge::judge(contract, &step.expect, &exchange) {
                Verdict::Right => {}
                Verdict::Untold(what) => untold = Some(what),
                Verdict::Wrong(faults) => {
                    failures.push(Failure { fault: faults.join("; "), exchange: Some(exchange.clone()) });
                }
            }
            exchanges.push(exchange);
        }
        outcome(failures, untold)
    }

    /// The same query thrice. Servers that tell seconds only are given one between the queries.
    async fn run_time_stands(&self, contract: &Contract, ask: &Ask, exchanges: &mut Vec<Exchange>) -> Outcome {
        let mut times = Vec::new();
        let mut last = None;
        for number in 0..3 {
            let exchange = match self.ask(contract, ask).await {
                Ok(exchange) => exchange,
                Err(fault) => return outcome(vec![Failure { fault, exchange: None }], None),
            };
            if let Some(response) = &exchange.response {
                times.push(response.last_status_time());
                let tells_seconds_only = response.last_status_time().is_some_and(|time| time.subsec_nanosecond() == 0);
                if number < 2 {
                    let pause = if tells_seconds_only { 1_100 } else { 20 };
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            }
            exchanges.push(exchange.clone());
            last = Some(exchange);
        }
        match judge::time_faults(&times) {
            Verdict::Right => Outcome::Passed,
            Verdict::Untold(what) => outcome(Vec::new(), Some(what)),
            Verdict::Wrong(faults) => outcome(vec![Failure { fault: faults.join("; "), exchange: last }], None),
        }
    }

    async fn ask(&self, contract: &Contract, ask: &Ask) -> Result<Exchange, String> {
        self.send(&self.target.url(contract), contract.scope, contract.correlator.is_some(), ask).await
    }

    async fn send(&self, url: &str, scopes: &str, is_correlated: bool, ask: &Ask) -> Result<Exchange, String> {
        let authorization = self.tokens.authorization(&self.http, &self.target, scopes, &ask.bearer).await?;
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let sending = Sending { base_url: url, authorization: authorization.as_deref(), is_correlated, number };
        Ok(send(&self.http, ask, sending).await)
    }
}

fn outcome(failures: Vec<Failure>, untold: Option<&str>) -> Outcome {
    match (failures.is_empty(), untold) {
        (false, _) => Outcome::Failed { failures },
        (true, Some(what)) => Outcome::Skipped { reason: format!("{what}, as the contract permits") },
        (true, None) => Outcome::Passed,
    }
}

/// What comes of a rule that always holds, by the faults of each exchange that it speaks of.
pub(crate) fn hold(judged: Vec<(Exchange, Vec<String>)>) -> Outcome {
    if judged.is_empty() {
        return Outcome::Skipped { reason: "nothing came that it speaks of".to_owned() };
    }
    let wrong: Vec<_> = judged.into_iter().filter(|(_, faults)| !faults.is_empty()).collect();
    let more = wrong.len().saturating_sub(SHOWN);
    let mut failures: Vec<Failure> = wrong
        .into_iter()
        .take(SHOWN)
        .map(|(exchange, faults)| Failure { fault: faults.join("; "), exchange: Some(exchange) })
        .collect();
    if let Some(last) = failures.last_mut().filter(|_| more > 0) {
        last.fault = format!("{} (and {more} more responses at fault)", last.fault);
    }
    outcome(failures, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_can_be_narrowed_to_an_api_or_a_version() {
        let of = |text: &str| {
            let only: Only = text.parse().unwrap();
            CONTRACTS.iter().filter(|it| only.is_about(it.api, it.version)).map(Contract::name).collect::<Vec<_>>()
        };
        assert_eq!(of("device-roaming-status/1.1"), ["device-roaming-status/1.1"]);
        assert_eq!(of("connected-network-type"), ["connected-network-type/0.1", "connected-network-type/0.2"]);
        assert_eq!(of("device-status/0.5"), ["device-status/0.5 /roaming", "device-status/0.5 /connectivity"]);
        let error = "device-roaming-status/9".parse::<Only>().unwrap_err().to_string();
        assert!(error.contains("device-roaming-status/1.1"), "{error}");
    }

    #[test]
    fn of_versions_that_share_a_path_the_newest_is_tried() {
        let newest: Vec<_> =
            CONTRACTS.iter().filter(|contract| !contract.is_newest_on_its_path()).map(Contract::name).collect();
        assert_eq!(newest, ["device-roaming-status/1.0", "device-reachability-status/1.0"]);
    }
}
