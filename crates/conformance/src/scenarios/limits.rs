//! Rate limits, quotas, and networks that fail.

use super::{Case, named, scenario};
use crate::{
    contract::Code,
    plan::{Ask, Bearer, Scenario, Skip, naming_number},
};

const TOO_MANY_REQUESTS: &[Code] = &[(429, "TOO_MANY_REQUESTS")];
const QUOTA_EXCEEDED: &[Code] = &[(429, "QUOTA_EXCEEDED")];

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let rules = case.contract.rules;
    let over = |what: &str, bearer, codes| {
        let steps = case.token(bearer).and_then(|bearer| {
            Ok(vec![Ask::new(bearer, &naming_number(case.contract, &case.any_line()?.phone_number)).is(codes)])
        });
        scenario(format!("{what} is {}", named(codes)), steps)
    };
    let failing = |what: &str, number: Option<&String>, key: &str, codes| {
        let number = number.ok_or_else(|| Skip::because(format!("a line that provokes it is not given ({key})")));
        let steps = number
            .and_then(|number| Ok(vec![Ask::new(case.two_legged()?, &naming_number(case.contract, number)).is(codes)]));
        scenario(format!("{what} is {}", named(codes)), steps)
    };
    let provoke = &case.target.provoke;
    vec![
        over("a client over its rate limit", Bearer::OverRate, TOO_MANY_REQUESTS),
        over("a client with a used-up quota", Bearer::OverQuota, QUOTA_EXCEEDED),
        failing("a network that fails", provoke.unavailable.as_ref(), "provoke.unavailable", rules.unavailable),
        failing("a network that is too slow", provoke.timed_out.as_ref(), "provoke.timed_out", rules.timed_out),
    ]
}
