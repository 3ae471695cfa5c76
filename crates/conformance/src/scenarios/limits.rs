//! Rate limits, quotas, and networks that fail.

use super::{Case, named, scenario};
use crate::{
    contract::Code,
    plan::{Ask, Bearer, Expect, Scenario, Skip, Step, naming_number},
};

const TOO_MANY_REQUESTS: &[Code] = &[(429, "TOO_MANY_REQUESTS")];
const QUOTA_EXCEEDED: &[Code] = &[(429, "QUOTA_EXCEEDED")];

pub(super) fn scenarios(case: Case<'_>) -> Vec<Scenario> {
    let rules = case.contract.rules;
    let over = |what: &str, bearer, is_over_at_once: bool, codes| {
        let steps = case.token(bearer).and_then(|bearer| {
            let ask = Ask::new(bearer, &naming_number(case.contract, &case.any_line()?.phone_number));
            // Whoever is not over it yet is so by the first request.
            let first = (!is_over_at_once).then(|| Step { ask: ask.clone(), expect: Expect::AnswerOr(codes) });
            Ok(first.into_iter().chain([ask.is(codes)]).collect())
        });
        scenario(format!("{what} is {}", named(codes)), steps)
    };
    let failing = |what: &str, number: Option<&String>, key: &str, codes| {
        let number = number.ok_or_else(|| Skip::because(format!("a line that provokes it is not given ({key})")));
        let steps = number
            .and_then(|number| Ok(vec![Ask::new(case.two_legged()?, &naming_number(case.contract, number)).is(codes)]));
        scenario(format!("{what} is {}", named(codes)), steps)
    };
    let (provoke, tokens) = (&case.target.provoke, &case.target.tokens);
    vec![
        over("a client over its rate limit", Bearer::OverRate, tokens.over_rate.is_some(), TOO_MANY_REQUESTS),
        over("a client with a used-up quota", Bearer::OverQuota, tokens.over_quota.is_some(), QUOTA_EXCEEDED),
        failing("a network that fails", provoke.unavailable.as_ref(), "provoke.unavailable", rules.unavailable),
        failing("a network that is too slow", provoke.timed_out.as_ref(), "provoke.timed_out", rules.timed_out),
    ]
}
