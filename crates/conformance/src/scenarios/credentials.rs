//! Who may ask.

use super::{Case, named, scenario};
use crate::{
    contract::{Code, Naming},
    plan::{Ask, Bearer, Scenario, naming_number},
};

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let rules = case.contract.rules;
    let mut scenarios = vec![
        refused(case, "a request without credentials", Bearer::Missing, rules.unauthenticated),
        refused(case, "another scheme than Bearer", Bearer::OtherScheme, rules.unauthenticated),
        refused(case, "a malformed token", Bearer::Malformed, rules.unauthenticated),
        refused(case, "an expired token", Bearer::Expired, rules.expired),
        refused(case, "a token of another issuer", Bearer::Foreign, rules.unauthenticated),
    ];
    // 0.4 lets a 2-legged token be without scope.
    if case.contract.naming == Naming::Device {
        scenarios.push(refused(case, "a token without the scope", Bearer::WithoutScope, rules.scope_missing));
    }
    scenarios
}

fn refused(case: Case<'_>, what: &str, bearer: Bearer, codes: &'static [Code]) -> Scenario {
    let steps = case.token(bearer).and_then(|bearer| {
        let number = &case.any_line()?.phone_number;
        Ok(vec![Ask::new(bearer, &naming_number(case.contract, number)).is(codes)])
    });
    scenario(format!("{what} is {}", named(codes)), steps)
}
