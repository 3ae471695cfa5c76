//! Lines in every state, asked about.

use super::{Case, named, scenario, tells_time};
use crate::{
    contract::{Contract, NeverSeen, Question},
    plan::{Ask, Fact, Plan, Scenario, Skip, Step, facts, naming_number},
    target::{Line, Seen, Target},
};

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = states(case.contract)
        .into_iter()
        .map(|state| {
            let about = found(case.target, state.line, state.wanted);
            scenario(state.rule, about.and_then(|line| asked(case, line, state.also)))
        })
        .collect();
    scenarios.push(long_ago(case));
    scenarios.push(never_seen(case));
    if tells_time(case.contract) {
        scenarios.push(time_stands(case));
    }
    scenarios
}

/// A state of a line, and the rule about it.
struct State {
    rule: &'static str,
    /// The line that is in this state.
    line: fn(&Line) -> bool,
    /// What such a line is called where none is given.
    wanted: &'static str,
    /// What must be said beyond the line's own facts.
    also: Vec<Fact>,
}

fn state(rule: &'static str, line: fn(&Line) -> bool, wanted: &'static str) -> State {
    State { rule, line, wanted, also: Vec::new() }
}

fn states(contract: &Contract) -> Vec<State> {
    match contract.question {
        Question::Roaming => vec![
            state("a line at home is not roaming", |line| line.roaming == Some(false), "a line at home"),
            state(
                "a line abroad is roaming, in a country with one ISO code",
                |line| countries(line) == Some(1),
                "a line roaming in a country with one ISO code",
            ),
            state(
                "a line abroad is roaming, in all the countries that its country code stands for",
                |line| countries(line).is_some_and(|count| count > 1),
                "a line roaming under a country code of several countries",
            ),
            state(
                "a line in no country is roaming, and its country is not guessed",
                |line| countries(line) == Some(0),
                "a line roaming under a country code of no country",
            ),
        ],
        Question::Reachability => vec![
            state(
                "a line is reachable by data and SMS",
                |line| line.reach() == Some((true, true)),
                "a line reachable by data and SMS",
            ),
            state(
                "a line is reachable by data only",
                |line| line.reach() == Some((true, false)),
                "a line reachable by data only",
            ),
            state(
                "a line is reachable by SMS only",
                |line| line.reach() == Some((false, true)),
                "a line reachable by SMS only",
            ),
            state(
                "a line is not reachable",
                |line| line.reach() == Some((false, false)),
                "a line that is not reachable",
            ),
        ],
        Question::NetworkType => vec![
            state("a line is served by 2G", |line| is_served_by(line, "2G"), "a line served by 2G"),
            state("a line is served by 3G", |line| is_served_by(line, "3G"), "a line served by 3G"),
            state("a line is served by 4G", |line| is_served_by(line, "4G"), "a line served by 4G"),
            state("a line is served by 5G", |line| is_served_by(line, "5G"), "a line served by 5G"),
            state(
                "a line is served by a technology that is UNKNOWN",
                |line| is_served_by(line, "UNKNOWN"),
                "a line served by an unknown technology",
            ),
        ],
    }
}

fn countries(line: &Line) -> Option<usize> {
    line.country_name.as_ref().filter(|_| line.roaming == Some(true)).map(Vec::len)
}

fn is_served_by(line: &Line, technology: &str) -> bool {
    line.network_type.as_deref() == Some(technology)
}

fn found<'a>(target: &'a Target, is: fn(&Line) -> bool, wanted: &str) -> Result<&'a Line, Skip> {
    target
        .line(|line| is(line) && line.seen != Seen::Never)
        .ok_or_else(|| Skip::because(format!("{wanted} is not given (lines)")))
}

/// A line asked about with a 2-legged token; if there is none, with the line's own.
fn asked(case: Case<'_>, line: &Line, also: Vec<Fact>) -> Result<Vec<Step>, Skip> {
    let said = if also.is_empty() { case.facts(line)? } else { facts(case.contract, line) };
    let said = said.into_iter().chain(also).collect();
    Ok(vec![query(case, line)?.answers(said)])
}

fn query(case: Case<'_>, line: &Line) -> Result<Ask, Skip> {
    let by_number = naming_number(case.contract, &line.phone_number);
    match case.two_legged() {
        Ok(bearer) => Ok(Ask::new(bearer, &by_number)),
        Err(skip) => {
            let bearer = case.three_legged(line).map_err(|_| skip)?;
            let names_the_line = matches!(case.contract.rules.token_alone, crate::contract::Said::Refused(_));
            Ok(Ask::new(bearer, &if names_the_line { by_number } else { serde_json::json!({}) }))
        }
    }
}

fn long_ago(case: Case<'_>) -> Scenario {
    let (rule, also) = if tells_time(case.contract) {
        ("a line last seen long ago has its old status, with its old lastStatusTime", vec![Fact::ConfirmedLongAgo])
    } else {
        ("a line last seen long ago has its old status", Vec::new())
    };
    let line = found(case.target, |line| line.seen == Seen::LongAgo, "a line last seen long ago");
    scenario(rule, line.and_then(|line| asked(case, line, also)))
}

fn never_seen(case: Case<'_>) -> Scenario {
    let line = case.target.lines.iter().find(|line| line.seen == Seen::Never);
    let line = line.ok_or_else(|| Skip::because("a line that the network never saw is not given (lines)"));
    let ask = line.and_then(|line| query(case, line));
    match case.contract.rules.never_seen {
        NeverSeen::Refused(codes) => scenario(
            format!("a line that the network never saw is {}", named(codes)),
            ask.map(|ask| vec![ask.is(codes)]),
        ),
        NeverSeen::Unknown => scenario(
            "a line that the network never saw is UNKNOWN",
            ask.map(|ask| vec![ask.answers(vec![Fact::NetworkType("UNKNOWN".to_owned())])]),
        ),
    }
}

fn time_stands(case: Case<'_>) -> Scenario {
    let plan = if case.target.confirms_at_each_query {
        Err(Skip::because("each query confirms the status anew (confirms_at_each_query)"))
    } else {
        case.any_line().and_then(|line| query(case, line)).map(Plan::TimeStands)
    };
    Scenario { rule: "lastStatusTime is when the status was confirmed, not when it is told".to_owned(), plan }
}
