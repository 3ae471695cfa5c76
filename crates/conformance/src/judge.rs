//! Holds what came back against what was expected. A fault is a sentence.

use std::collections::BTreeSet;

use attache_core::{Plmn, countries};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    contract::{Code, Contract, Listed},
    exchange::{Exchange, Response},
    plan::{Expect, Fact, Invariant},
    shape::{Pattern, faults_of},
};

/// By how much a server's clock may be ahead of ours.
pub(crate) const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// How old a status is at least that is called old.
const LONG: SignedDuration = SignedDuration::from_hours(1);

/// Statuses that the Design Guide lets contracts leave undocumented.
const UNDOCUMENTED: [u16; 10] = [405, 406, 410, 412, 415, 429, 500, 502, 503, 504];

/// What a judgement came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is as expected.
    Right,
    /// It is not.
    Wrong(Vec<String>),
    /// It leaves out what the contract lets it leave out, so nothing can be said.
    Untold(&'static str),
}

/// Judges one exchange by what was expected of it.
pub(crate) fn judge(contract: &Contract, expect: &Expect, exchange: &Exchange) -> Verdict {
    let Some(response) = &exchange.response else {
        return Verdict::Wrong(vec![exchange.error.clone().unwrap_or_else(|| "nothing came back".to_owned())]);
    };
    match expect {
        Expect::Refusal(codes) if is_one_of(response, codes) => Verdict::Right,
        Expect::AnswerOr(codes) if response.status == 200 || is_one_of(response, codes) => Verdict::Right,
        Expect::Refusal(codes) => Verdict::Wrong(vec![format!("{} instead of {}", response.shown(), listed(codes))]),
        Expect::AnswerOr(codes) => {
            Verdict::Wrong(vec![format!("{} instead of 200 or {}", response.shown(), listed(codes))])
        }
        Expect::Answer(_) if response.status != 200 => {
            Verdict::Wrong(vec![format!("{} instead of 200", response.shown())])
        }
        Expect::Answer(facts) => {
            let mut faults = Vec::new();
            let mut untold = None;
            for fact in facts {
                match judge_fact(contract, fact, response) {
                    Verdict::Right => {}
                    Verdict::Wrong(more) => faults.extend(more),
                    Verdict::Untold(what) => untold = Some(what),
                }
            }
            match (faults.is_empty(), untold) {
                (false, _) => Verdict::Wrong(faults),
                (true, Some(what)) => Verdict::Untold(what),
                (true, None) => Verdict::Right,
            }
        }
    }
}

pub(crate) fn is_one_of(response: &Response, codes: &[Code]) -> bool {
    codes.iter().any(|(status, code)| {
        response.status == *status && (code.is_empty() || response.code().is_some_and(|said| said == *code))
    })
}

fn listed(codes: &[Code]) -> String {
    let shown = codes.iter().map(|(status, code)| format!("{status} {code}").trim_end().to_owned());
    shown.collect::<Vec<_>>().join(" or ")
}

fn judge_fact(contract: &Contract, fact: &Fact, response: &Response) -> Verdict {
    let null = Value::Null;
    let body = response.json.as_ref().unwrap_or(&null);
    match fact {
        Fact::Roaming(roaming) => is(&body["roaming"], roaming, "roaming"),
        Fact::Country { code, names } => judge_country(body, *code, names),
        Fact::Reachable { data, sms } => judge_reach(contract, body, *data, *sms),
        Fact::NetworkType(technology) => {
            is(&body["connectedNetworkType"], &technology.as_str(), "connectedNetworkType")
        }
        Fact::ConfirmedLongAgo => match response.last_status_time() {
            None => Verdict::Untold("the answer has no lastStatusTime"),
            Some(time) if response.at.duration_since(time) >= LONG => Verdict::Right,
            Some(time) => wrong(format!("lastStatusTime is {time}, although the line was last seen long ago")),
        },
        Fact::NoDevice if body["device"].is_null() => Verdict::Right,
        Fact::NoDevice => wrong("`device` is told, although it must not be".to_owned()),
        Fact::DeviceAmong(identifiers) => match &body["device"] {
            Value::Null => wrong("`device` is missing, although the request had several identifiers".to_owned()),
            device if identifiers.iter().any(|identifier| identifier.is_told_by(device)) => Verdict::Right,
            device => wrong(format!("`device` is {device}, not one of the identifiers that were sent")),
        },
        Fact::Correlator(correlator) => match response.header("x-correlator") {
            Some(header) if header == correlator => Verdict::Right,
            Some(header) => wrong(format!("x-correlator is {header}, not the one of the request")),
            None => wrong("x-correlator is missing".to_owned()),
        },
    }
}

fn wrong(fault: String) -> Verdict {
    Verdict::Wrong(vec![fault])
}

fn is<T>(value: &Value, expected: &T, name: &str) -> Verdict
where
    Value: PartialEq<T>,
    T: std::fmt::Display,
{
    if value == expected { Verdict::Right } else { wrong(format!("`{name}` is {value} instead of {expected}")) }
}

fn judge_country(body: &Value, code: u16, names: &[String]) -> Verdict {
    let told_code = &body["countryCode"];
    if !told_code.is_null() && told_code.as_u64() != Some(code.into()) {
        return wrong(format!("`countryCode` is {told_code} instead of {code}"));
    }
    let told_names = &body["countryName"];
    let Some(told) = told_names.as_array() else { return Verdict::Untold("the answer does not tell the country") };
    let told: BTreeSet<&str> = told.iter().filter_map(Value::as_str).collect();
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    if told == names { Verdict::Right } else { wrong(format!("`countryName` is {told_names} instead of {names:?}")) }
}

fn judge_reach(contract: &Contract, body: &Value, data: bool, sms: bool) -> Verdict {
    let has = |name: &str| contract.answer.iter().any(|field| field.name == name);
    if !has("reachable") {
        let name = if has("reachabilityStatus") { "reachabilityStatus" } else { "connectivityStatus" };
        let status = match (data, sms) {
            (true, _) => "CONNECTED_DATA",
            (false, true) => "CONNECTED_SMS",
            (false, false) => "NOT_CONNECTED",
        };
        return is(&body[name], &status, name);
    }
    let reachable = is(&body["reachable"], &(data || sms), "reachable");
    if reachable != Verdict::Right || !(data || sms) {
        return reachable;
    }
    let Some(told) = body["connectivity"].as_array() else {
        return Verdict::Untold("the answer does not tell by what the line can be reached");
    };
    let told: BTreeSet<&str> = told.iter().filter_map(Value::as_str).collect();
    let expected = [(data, "DATA"), (sms, "SMS")].into_iter().filter_map(|(can, by)| can.then_some(by));
    let expected: BTreeSet<&str> = expected.collect();
    if told == expected {
        Verdict::Right
    } else {
        wrong(format!("`connectivity` is {} instead of {expected:?}", body["connectivity"]))
    }
}

/// The faults of one exchange by a rule that always holds; `None` where the rule says nothing of it.
pub(crate) fn faults(contract: &Contract, invariant: Invariant, exchange: &Exchange) -> Option<Vec<String>> {
    let response = exchange.response.as_ref()?;
    let answer = response.json.as_ref().filter(|_| response.status == 200);
    match invariant {
        Invariant::Documented if response.status == 200 => Some(Vec::new()),
        Invariant::Documented => Some(is_documented(contract.errors, response).err().into_iter().collect()),
        Invariant::IsJson => {
            let media_type = response.header("content-type").unwrap_or("missing");
            let is_json = media_type.split(';').next().is_some_and(|name| name.trim() == "application/json");
            Some((!is_json).then(|| format!("Content-Type is {media_type}")).into_iter().collect())
        }
        Invariant::AnswerFits if response.status != 200 => None,
        // Where no operation is, no version's envelope is promised.
        Invariant::ErrorFits if response.status == 200 || !exchange.is_of_operation => None,
        Invariant::AnswerFits | Invariant::ErrorFits => Some(misfits(contract, response)),
        Invariant::Correlated if !exchange.is_of_operation => None,
        Invariant::Correlated => Some(
            contract.correlator.and_then(|pattern| uncorrelated(pattern, exchange, response)).into_iter().collect(),
        ),
        Invariant::NotInTheFuture => {
            let time = response.last_status_time()?;
            let future = time > latest_now(response) + CLOCK_SKEW;
            Some(future.then(|| format!("lastStatusTime is {time}, which is in the future")).into_iter().collect())
        }
        Invariant::CountryFits => answer.map(country_faults),
        Invariant::ConnectivityFits => answer.map(connectivity_faults),
    }
}

/// Whether an error is one of those listed, or one that may be left out of the list; if not, the fault.
pub(crate) fn is_documented(errors: &[Listed], response: &Response) -> Result<(), String> {
    let Some(listed) = errors.iter().find(|listed| listed.status == response.status) else {
        let is_known = UNDOCUMENTED.contains(&response.status);
        return if is_known { Ok(()) } else { Err(format!("status {} is not documented", response.status)) };
    };
    if !listed.only || response.code().is_some_and(|code| listed.codes.contains(&code)) {
        return Ok(());
    }
    Err(format!("{} is none of the codes {}", response.shown(), listed.codes.join(", ")))
}

fn misfits(contract: &Contract, response: &Response) -> Vec<String> {
    let Some(body) = &response.json else { return vec!["the body is not JSON".to_owned()] };
    let is_answer = response.status == 200;
    let fields = if is_answer { contract.answer } else { contract.error };
    let mut faults = faults_of(body, fields, &contract.foreign_fields(response.status));
    let says_status = !is_answer && fields.iter().any(|field| field.name == "status");
    if says_status && body["status"].is_number() && body["status"] != response.status {
        faults.push(format!("`status` is {}, and the HTTP status {}", body["status"], response.status));
    }
    faults
}

/// What is wrong with the correlator of a response.
pub(crate) fn uncorrelated(pattern: Pattern, exchange: &Exchange, response: &Response) -> Option<String> {
    let told = response.header("x-correlator");
    match (exchange.correlator.as_deref(), told) {
        (Some(sent), told) if (pattern.matches)(sent) => {
            let fault = || format!("x-correlator is {}, not {sent} as in the request", told.unwrap_or("missing"));
            (told != Some(sent)).then(fault)
        }
        (_, Some(told)) if !(pattern.matches)(told) => Some(format!("x-correlator {told} does not match {pattern:?}")),
        _ => None,
    }
}

/// The later of our clock and the server's.
fn latest_now(response: &Response) -> Timestamp {
    let date = response.header("date");
    let date = date.and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    date.map_or(response.at, |date| date.max(response.at))
}

fn country_faults(answer: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let (code, names) = (&answer["countryCode"], &answer["countryName"]);
    if answer["roaming"] == false && !(code.is_null() && names.as_array().is_none_or(Vec::is_empty)) {
        faults.push("a country is told of a line that is not roaming".to_owned());
    }
    let Some(names) = names.as_array() else { return faults };
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    for name in &names {
        if name.len() != 2 || !name.bytes().all(|byte| byte.is_ascii_uppercase()) {
            faults.push(format!("`countryName` has {name:?}, which is no ISO 3166 alpha-2 code"));
        }
    }
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        faults.push(format!("`countryName` names a country twice: {names:?}"));
    }
    let Some(code) = code.as_u64() else { return faults };
    let known = format!("{code:03}01").parse::<Plmn>().map_or(&[][..], |plmn| countries(plmn.mcc()));
    let foreign: Vec<_> = names.iter().filter(|name| !known.contains(name)).collect();
    if !foreign.is_empty() {
        let stands_for = if known.is_empty() { "no country".to_owned() } else { known.join(", ") };
        faults.push(format!("`countryName` has {foreign:?}, and `countryCode` {code} stands for {stands_for}"));
    }
    faults
}

fn connectivity_faults(answer: &Value) -> Vec<String> {
    let connectivity = answer["connectivity"].as_array();
    let bearers: Vec<&str> = connectivity.into_iter().flatten().filter_map(Value::as_str).collect();
    let mut faults = Vec::new();
    if answer["reachable"] == false && !bearers.is_empty() {
        faults.push(format!("`connectivity` is {bearers:?} of a line that is not reachable"));
    }
    if answer["reachable"] == true && connectivity.is_some_and(Vec::is_empty) {
        faults.push("`connectivity` is empty of a line that is reachable".to_owned());
    }
    if bearers.iter().collect::<BTreeSet<_>>().len() != bearers.len() {
        faults.push(format!("`connectivity` names a bearer twice: {bearers:?}"));
    }
    faults
}

/// The faults of `lastStatusTime` over queries in a row: it may change when the network confirms the
/// status anew, but not with each query.
pub(crate) fn time_faults(times: &[Option<Timestamp>]) -> Verdict {
    let Some(times) = times.iter().copied().collect::<Option<Vec<_>>>() else {
        return Verdict::Untold("the answer has no lastStatusTime");
    };
    let shown = || times.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if times.is_sorted_by(|earlier, later| earlier < later) && times.len() > 1 {
        return wrong(format!("lastStatusTime moves along with the queries: {}", shown()));
    }
    if !times.is_sorted() {
        return wrong(format!("lastStatusTime goes back: {}", shown()));
    }
    Verdict::Right
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn times(texts: [&str; 3]) -> Vec<Option<Timestamp>> {
        texts.iter().map(|text| text.parse().ok()).collect()
    }

    #[test]
    fn a_time_that_moves_along_with_the_queries_is_wrong() {
        let (first, second, third) = ("2024-02-20T10:41:38Z", "2024-02-20T10:41:39Z", "2024-02-20T10:41:40Z");
        assert_eq!(time_faults(&times([first, first, first])), Verdict::Right);
        assert_eq!(time_faults(&times([first, first, second])), Verdict::Right);
        assert_eq!(time_faults(&times([first, second, second])), Verdict::Right);
        assert!(matches!(time_faults(&times([first, second, third])), Verdict::Wrong(_)));
        assert!(matches!(time_faults(&times([second, first, first])), Verdict::Wrong(_)));
        assert!(matches!(time_faults(&times([first, "", first])), Verdict::Untold(_)));
    }

    #[test]
    fn countries_go_with_roaming_and_with_their_code() {
        for (answer, fault) in [
            (json!({"roaming": false}), None),
            (json!({"roaming": true, "countryCode": 262, "countryName": ["DE"]}), None),
            (json!({"roaming": true, "countryCode": 901, "countryName": []}), None),
            (json!({"roaming": true}), None),
            (json!({"roaming": false, "countryCode": 262}), Some("a country is told of a line that is not roaming")),
            (json!({"roaming": true, "countryCode": 901, "countryName": ["FR"]}), Some("stands for no country")),
            (json!({"roaming": true, "countryCode": 262, "countryName": ["FR"]}), Some("stands for DE")),
            (json!({"roaming": true, "countryName": ["Germany"]}), Some("no ISO 3166 alpha-2 code")),
            (json!({"roaming": true, "countryCode": 262, "countryName": ["DE", "DE"]}), Some("names a country twice")),
        ] {
            let faults = country_faults(&answer);
            match fault {
                None => assert_eq!(faults, [""; 0], "{answer}"),
                Some(fault) => assert!(faults.iter().any(|said| said.contains(fault)), "{answer}: {faults:?}"),
            }
        }
    }

    #[test]
    fn connectivity_goes_with_being_reachable() {
        for (answer, is_right) in [
            (json!({"reachable": true, "connectivity": ["DATA", "SMS"]}), true),
            (json!({"reachable": true}), true),
            (json!({"reachable": false}), true),
            (json!({"reachable": false, "connectivity": []}), true),
            (json!({"reachable": false, "connectivity": ["SMS"]}), false),
            (json!({"reachable": true, "connectivity": []}), false),
            (json!({"reachable": true, "connectivity": ["SMS", "SMS"]}), false),
        ] {
            assert_eq!(connectivity_faults(&answer).is_empty(), is_right, "{answer}");
        }
    }
}
