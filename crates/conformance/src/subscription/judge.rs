//! What holds for every answer, and for every event.

use std::collections::BTreeMap;

use serde_json::Value;

use super::contract::{Contract, ERROR};
use crate::{
    contract::Listed,
    exchange::{Exchange, Response},
    judge::{CLOCK_SKEW, is_documented, uncorrelated},
    report::{Failure, Outcome},
    runner::hold,
    shape::{Field, faults_of},
    sink::Received,
};

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    Create,
    List,
    Read,
    Delete,
    /// Nothing that the contract knows.
    Unknown,
}

/// The identifier of a subscription in an answer.
pub(super) fn id_of(answer: &Value) -> Option<&str> {
    answer["id"].as_str().or_else(|| answer["subscriptionId"].as_str())
}

/// The faults of an answer; none where the rule does not speak of it.
type AnswerRule = fn(&Contract, Operation, &Exchange, &Response) -> Option<Vec<String>>;

const CORRELATED: &str = "every response has the correlator of its request";

const ANSWERS: [(&str, AnswerRule); 5] = [
    ("every response has a documented status and code", undocumented),
    ("every response with a body is application/json", not_json),
    ("every answer has the fields and types of its schema", misfits),
    ("every error has the fields and types of its schema", misfits_of_error),
    (CORRELATED, other_correlator),
];

/// The faults of an event.
type EventRule = fn(&Contract, &Received) -> Vec<String>;

const EVENTS: [(&str, EventRule); 4] = [
    ("every event is a CloudEvent 1.0 in JSON", no_cloud_event),
    ("every event has a type of its version", unknown_type),
    ("every event has the data of its type's schema", misfits_of_data),
    ("no event is from the future", future),
];

/// Each rule that always holds, and what came of it.
pub(super) fn invariants(
    contract: &Contract,
    exchanges: &[(Operation, Exchange)],
    events: &[Received],
) -> Vec<(&'static str, Outcome)> {
    let mut outcomes = Vec::new();
    for (rule, faults) in ANSWERS {
        if contract.correlator.is_none() && rule == CORRELATED {
            continue;
        }
        let judged = exchanges.iter().filter_map(|(operation, exchange)| {
            let response = exchange.response.as_ref()?;
            Some((exchange.clone(), faults(contract, *operation, exchange, response)?))
        });
        outcomes.push((rule, hold(judged.collect())));
    }
    for (rule, faults) in EVENTS {
        let judged = events.iter().map(|event| (event.exchange(), faults(contract, event)));
        outcomes.push((rule, hold(judged.collect())));
    }
    outcomes.push(("different events have different ids, and one that is sent again is the same", repeated(events)));
    outcomes
}

fn undocumented(contract: &Contract, operation: Operation, _: &Exchange, response: &Response) -> Option<Vec<String>> {
    let (good, errors): (&[u16], &[Listed]) = match operation {
        Operation::Create => (&[201, 202], contract.errors.create),
        Operation::List => (&[200], contract.errors.list),
        Operation::Read => (&[200], contract.errors.read),
        Operation::Delete => (&[204, 202], contract.errors.delete),
        Operation::Unknown => return None,
    };
    if good.contains(&response.status) {
        return Some(Vec::new());
    }
    // That no line is known has its code in the guide, and in no contract. What the Design Guide lets a contract
    // leave out may be left out of its examples as well.
    let is_unlisted = |status: u16| errors.iter().all(|listed| listed.status != status);
    if operation == Operation::Create && response.status == 404 && is_unlisted(404) {
        return Some(Vec::new());
    }
    Some(is_documented(errors, response).err().into_iter().collect())
}

fn not_json(_: &Contract, _: Operation, _: &Exchange, response: &Response) -> Option<Vec<String>> {
    if response.status == 204 {
        return (!response.body.is_empty()).then(|| vec!["204 has a body".to_owned()]);
    }
    let media_type = response.header("content-type").unwrap_or("missing");
    let is_json = media_type.split(';').next().is_some_and(|name| name.trim() == "application/json");
    Some((!is_json).then(|| format!("Content-Type is {media_type}")).into_iter().collect())
}

fn misfits(contract: &Contract, operation: Operation, _: &Exchange, response: &Response) -> Option<Vec<String>> {
    let fields = match (operation, response.status) {
        (Operation::Create | Operation::Delete, 202) => contract.asynchronous,
        (Operation::Create, 201) | (Operation::Read | Operation::List, 200) => contract.subscription,
        _ => return None,
    };
    let Some(body) = &response.json else { return Some(vec!["the body is not JSON".to_owned()]) };
    if operation != Operation::List {
        return Some(faults_of(body, fields, &[]));
    }
    let Some(list) = body.as_array() else { return Some(vec!["the body is not a list".to_owned()]) };
    Some(list.iter().flat_map(|one| faults_of(one, fields, &[])).collect())
}

fn misfits_of_error(_: &Contract, operation: Operation, _: &Exchange, response: &Response) -> Option<Vec<String>> {
    if response.status < 400 || operation == Operation::Unknown {
        return None;
    }
    let Some(body) = &response.json else { return Some(vec!["the body is not JSON".to_owned()]) };
    let mut faults = faults_of(body, ERROR, &[]);
    if body["status"].is_number() && body["status"] != response.status {
        faults.push(format!("`status` is {}, and the HTTP status {}", body["status"], response.status));
    }
    Some(faults)
}

fn other_correlator(
    contract: &Contract,
    operation: Operation,
    exchange: &Exchange,
    response: &Response,
) -> Option<Vec<String>> {
    let pattern = contract.correlator.filter(|_| operation != Operation::Unknown)?;
    Some(uncorrelated(pattern, exchange, response).into_iter().collect())
}

fn no_cloud_event(contract: &Contract, event: &Received) -> Vec<String> {
    let mut faults = faults_of(&event.json, contract.envelope, &[]);
    let media_type = event.header("content-type").unwrap_or("missing");
    let is_structured = media_type.split(';').next().is_some_and(|name| name.trim() == "application/cloudevents+json");
    if !is_structured {
        faults.push(format!("Content-Type is {media_type}, not application/cloudevents+json"));
    }
    if event.id().is_empty() {
        faults.push("`id` is empty".to_owned());
    }
    faults
}

fn unknown_type(contract: &Contract, event: &Received) -> Vec<String> {
    let is_known = contract.data(event.event_type()).is_some();
    let fault = || format!("`type` is {}, which {} does not have", event.json["type"], contract.name());
    (!is_known).then(fault).into_iter().collect()
}

fn misfits_of_data(contract: &Contract, event: &Received) -> Vec<String> {
    let fields: &'static [Field] = contract.data(event.event_type()).unwrap_or_default();
    let faults = faults_of(&event.json["data"], fields, &[]);
    faults.into_iter().map(|fault| format!("in `data`: {fault}")).collect()
}

fn future(_: &Contract, event: &Received) -> Vec<String> {
    let time = event.time().filter(|time| *time > event.at + CLOCK_SKEW);
    time.map(|time| format!("`time` is {time}, which is in the future")).into_iter().collect()
}

/// Holds events of one id, of one source, against each other.
fn repeated(events: &[Received]) -> Outcome {
    let mut first: BTreeMap<(String, &str), &Received> = BTreeMap::new();
    let mut failures = Vec::new();
    for event in events {
        let known = first.entry((event.json["source"].to_string(), event.id())).or_insert(event);
        let fault = if known.json["data"]["subscriptionId"] != event.json["data"]["subscriptionId"]
            || known.json["type"] != event.json["type"]
        {
            "two events have one id"
        } else if known.json["time"] != event.json["time"] {
            "an event that is sent again has another time: its `time` is that of the delivery"
        } else if known.json != event.json {
            "an event that is sent again is another"
        } else {
            continue;
        };
        let fault = format!("{fault} ({}): the first was {}", event.id(), known.json);
        failures.push(Failure { fault, exchange: Some(event.exchange()) });
    }
    match (failures.is_empty(), events.is_empty()) {
        (_, true) => Outcome::Skipped { reason: "nothing came that it speaks of".to_owned() },
        (true, false) => Outcome::Passed,
        (false, false) => Outcome::Failed { failures },
    }
}
