//! The scenarios: plain functions from a contract and a target to rules and how they are tried.
//! Versions share them; in what they differ stands in the contract's rules.

mod body;
mod correlator;
mod credentials;
mod http;
mod identification;
mod limits;
mod status;

use crate::{
    contract::{Code, Contract, Naming, Question},
    plan::{Bearer, Fact, Invariant, Plan, Scenario, Skip, Step, admit},
    target::{Line, Target},
};

/// All scenarios of a contract, against this target. Each rule of the contract is there, tried or not.
#[must_use]
pub fn scenarios(contract: &Contract, target: &Target) -> Vec<Scenario> {
    let case = Case { contract, target };
    let mut scenarios = status::scenarios(case);
    scenarios.extend(identification::scenarios(case));
    scenarios.extend(body::scenarios(case));
    scenarios.extend(credentials::scenarios(case));
    scenarios.extend(correlator::scenarios(case));
    scenarios.extend(http::scenarios(case));
    scenarios.extend(limits::scenarios(case));
    scenarios.extend(invariants(contract));
    scenarios
}

/// What holds for every response, whatever it was asked for.
fn invariants(contract: &Contract) -> Vec<Scenario> {
    let always = |rule: &str, invariant| Scenario { rule: rule.to_owned(), plan: Ok(Plan::Always(invariant)) };
    let mut invariants = vec![
        always("every response has a documented status and code", Invariant::Documented),
        always("every response is application/json", Invariant::IsJson),
        always("every answer has the fields and types of its schema", Invariant::AnswerFits),
        always("every error has the fields and types of its schema", Invariant::ErrorFits),
    ];
    if contract.correlator.is_some() {
        invariants.push(always("every response has the correlator of its request", Invariant::Correlated));
    }
    if tells_time(contract) {
        invariants.push(always("lastStatusTime is never in the future", Invariant::NotInTheFuture));
    }
    match contract.question {
        Question::Roaming => {
            let rule = "countries go with roaming, and names with their code: an unknown country is not guessed";
            invariants.push(always(rule, Invariant::CountryFits));
        }
        Question::Reachability if contract.answer.iter().any(|field| field.name == "connectivity") => {
            let rule = "connectivity names each bearer once, and none for a line that is not reachable";
            invariants.push(always(rule, Invariant::ConnectivityFits));
        }
        Question::Reachability | Question::NetworkType => {}
    }
    invariants
}

/// A contract and the server that is held against it.
#[derive(Clone, Copy)]
struct Case<'a> {
    contract: &'a Contract,
    target: &'a Target,
}

impl<'a> Case<'a> {
    fn token(self, bearer: Bearer) -> Result<Bearer, Skip> {
        admit(self.target, bearer, self.contract.scope)
    }

    /// Whether a request is meant for this version whatever its body is: where versions share a path, what
    /// has no `ueId` is meant for the newer one.
    fn is_meant_anyway(self) -> bool {
        self.contract.naming == Naming::Device || !self.target.may_share_the_path_of(self.contract)
    }

    fn two_legged(self) -> Result<Bearer, Skip> {
        self.token(Bearer::TwoLegged)
    }

    fn three_legged(self, line: &Line) -> Result<Bearer, Skip> {
        self.token(Bearer::ThreeLegged(line.phone_number.clone()))
    }

    /// Any line that has a status.
    fn any_line(self) -> Result<&'a Line, Skip> {
        self.target.any_line().ok_or_else(|| Skip::because("no line that the network saw recently is given (lines)"))
    }

    /// What must be said of a line. Where nothing is known of it, an answer proves nothing.
    fn facts(self, line: &Line) -> Result<Vec<Fact>, Skip> {
        let said = crate::plan::facts(self.contract, line);
        if said.is_empty() {
            return Err(Skip::because(format!(
                "nothing that this API tells is given of {} (lines)",
                line.phone_number
            )));
        }
        Ok(said)
    }

    /// A line with a 3-legged token.
    fn token_line(self) -> Result<&'a Line, Skip> {
        let can = |line: &Line| self.three_legged(line).is_ok();
        let known = self.target.line(|line| can(line) && !crate::plan::facts(self.contract, line).is_empty());
        if let Some(line) = known {
            return Ok(line);
        }
        let line = self.any_line()?;
        self.three_legged(line).map(|_| line)
    }
}

fn tells_time(contract: &Contract) -> bool {
    contract.answer.iter().any(|field| field.name == "lastStatusTime")
}

/// A scenario of one or several steps; or the reason why it can't be tried.
fn scenario(rule: impl Into<String>, steps: Result<Vec<Step>, Skip>) -> Scenario {
    Scenario { rule: rule.into(), plan: steps.map(Plan::Steps) }
}

/// Codes as a rule names them.
pub(crate) fn named(codes: &[Code]) -> String {
    let names: Vec<String> =
        codes.iter().map(|(status, code)| format!("{status} {code}").trim_end().to_owned()).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::contract::CONTRACTS;

    fn bare() -> Target {
        Target::from_file(&"http://localhost:1".parse().unwrap(), "").unwrap()
    }

    #[test]
    fn a_rule_has_its_name_for_itself() {
        for contract in CONTRACTS {
            let mut seen = HashSet::new();
            for scenario in scenarios(contract, &bare()) {
                assert!(seen.insert(scenario.rule.clone()), "{}: {}", contract.name(), scenario.rule);
            }
        }
    }

    #[test]
    fn what_a_target_does_not_offer_is_skipped_with_a_reason() {
        for contract in CONTRACTS {
            for scenario in scenarios(contract, &bare()) {
                match scenario.plan {
                    Err(Skip(reason)) => assert!(!reason.is_empty(), "{}", scenario.rule),
                    Ok(Plan::Steps(steps)) => {
                        assert!(steps.iter().all(|step| step.ask.bearer != Bearer::TwoLegged), "{}", scenario.rule);
                    }
                    Ok(Plan::Always(_)) => {}
                    Ok(Plan::TimeStands(_)) => panic!("{}", scenario.rule),
                }
            }
        }
    }
}
