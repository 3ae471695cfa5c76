//! The header `x-correlator`, in versions that have it.

use super::{Case, named, scenario};
use crate::{
    contract::Contract,
    plan::{Ask, Bearer, Correlator, Fact, Scenario, naming_number},
};

/// What no pattern allows.
const BAD: &str = "not a correlator!";

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let Some(pattern) = case.contract.correlator else { return Vec::new() };
    let with = |bearer: Bearer, correlator: Correlator| {
        let line = case.any_line()?;
        let body = naming_number(case.contract, &line.phone_number);
        Ok(Ask { correlator, ..Ask::new(case.token(bearer)?, &body) })
    };
    let longest = longest(case.contract);
    let mut scenarios = vec![
        scenario(
            "the longest correlator is repeated in an answer",
            with(Bearer::TwoLegged, Correlator::This(longest.clone()))
                .map(|ask| vec![ask.answers(vec![Fact::Correlator(longest)])]),
        ),
        scenario(
            "a request without correlator is answered",
            with(Bearer::TwoLegged, Correlator::Missing).map(|ask| vec![ask.answers(Vec::new())]),
        ),
    ];
    if !(pattern.matches)(BAD) {
        let codes = case.contract.rules.invalid;
        scenarios.push(scenario(
            format!("a correlator that its pattern excludes is {}", named(codes)),
            with(Bearer::TwoLegged, Correlator::This(BAD.to_owned())).map(|ask| vec![ask.is(codes)]),
        ));
    }
    scenarios
}

/// A correlator of all the characters that the pattern allows, as long as it allows.
fn longest(contract: &Contract) -> String {
    match contract.version {
        "1.1" | "0.2" => "aZ09-_:;./<>{}".chars().cycle().take(256).collect(),
        _ => "aZ09-".chars().cycle().take(55).collect(),
    }
}
