//! Methods, media types and paths.

use super::{Case, named, scenario};
use crate::{
    contract::Code,
    plan::{Ask, Expect, Scenario, Skip, Step, naming_number},
};

const NOT_ACCEPTABLE: &[Code] = &[(406, "NOT_ACCEPTABLE")];
const NOT_FOUND: &[Code] = &[(404, "NOT_FOUND")];

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let rules = case.contract.rules;
    let ask = || -> Result<Ask, Skip> {
        Ok(Ask::new(case.two_legged()?, &naming_number(case.contract, &case.any_line()?.phone_number)))
    };
    let mut scenarios = Vec::new();
    if case.is_meant_anyway() {
        scenarios.push(scenario(
            format!("another method than POST is {}", named(rules.method)),
            ask().map(|ask| vec![Ask { method: "GET", body: None, ..ask }.is(rules.method)]),
        ));
        scenarios.push(scenario(
            "an unknown path below is 404 NOT_FOUND",
            ask().map(|ask| vec![Ask { path_suffix: "/nothing-here".into(), ..ask }.is(NOT_FOUND)]),
        ));
    }
    scenarios.push(scenario(
        format!("a body that is not declared as JSON is {}", named(rules.media_type)),
        ask().map(|ask| vec![Ask { content_type: "text/plain", ..ask }.is(rules.media_type)]),
    ));
    let html = ask().map(|ask| Ask { accept: "text/html", ..ask });
    if case.contract.errors.iter().any(|listed| listed.status == 406) {
        let steps = html.map(|ask| vec![ask.is(NOT_ACCEPTABLE)]);
        scenarios.push(scenario("a request that does not accept JSON is 406 NOT_ACCEPTABLE", steps));
    } else if case.contract.correlator.is_some() {
        let steps = html.map(|ask| vec![Step { ask, expect: Expect::AnswerOr(NOT_ACCEPTABLE) }]);
        scenarios.push(scenario("a request that does not accept JSON is answered, or 406 NOT_ACCEPTABLE", steps));
    }
    scenarios
}
