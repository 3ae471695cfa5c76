//! What came of it, for people and for programs.

mod html;
mod junit;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::exchange::Exchange;

/// What came of all contracts.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The server.
    pub target: String,
    /// When it began.
    pub at: String,
    /// One for each operation of each version.
    pub contracts: Vec<ContractReport>,
}

/// What came of one contract.
#[derive(Clone, Debug, Serialize)]
pub struct ContractReport {
    /// Its name.
    pub name: String,
    /// The API.
    pub api: String,
    /// The version.
    pub version: String,
    /// Why it wasn't tried at all, if it wasn't.
    pub skipped: Option<String>,
    /// What came of its scenarios.
    pub scenarios: Vec<ScenarioReport>,
}

/// What came of one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct ScenarioReport {
    /// The contract and the rule.
    pub name: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a scenario.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// The server answers by the rule.
    Passed,
    /// It doesn't.
    Failed {
        /// In what.
        failures: Vec<Failure>,
    },
    /// It wasn't tried, or what came back says nothing.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// One thing that was not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// What was found, and what was expected.
    pub fault: String,
    /// The request and its answer, if it came so far.
    pub exchange: Option<Exchange>,
}

/// How many scenarios came to what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Those that were tried.
    pub tried: usize,
    /// Of these, how many passed.
    pub passed: usize,
    /// Of these, how many failed.
    pub failed: usize,
    /// Those that could not be tried.
    pub skipped: usize,
}

impl ContractReport {
    /// How many scenarios came to what.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let count = |is: fn(&Outcome) -> bool| self.scenarios.iter().filter(|scenario| is(&scenario.outcome)).count();
        let passed = count(|outcome| matches!(outcome, Outcome::Passed));
        let failed = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
        Counts { tried: passed + failed, passed, failed, skipped: self.scenarios.len() - passed - failed }
    }
}

impl Report {
    /// How many scenarios came to what, in all.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.contracts.iter().map(ContractReport::counts).fold(Counts::default(), |sum, counts| Counts {
            tried: sum.tried + counts.tried,
            passed: sum.passed + counts.passed,
            failed: sum.failed + counts.failed,
            skipped: sum.skipped + counts.skipped,
        })
    }

    /// The scenarios that failed, with what was wrong.
    pub fn failures(&self) -> impl Iterator<Item = (&ScenarioReport, &[Failure])> {
        self.scenarios().filter_map(|scenario| match &scenario.outcome {
            Outcome::Failed { failures } => Some((scenario, failures.as_slice())),
            Outcome::Passed | Outcome::Skipped { .. } => None,
        })
    }

    /// The scenarios that were skipped, by the reason.
    #[must_use]
    pub fn skips(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut skips: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for scenario in self.scenarios() {
            if let Outcome::Skipped { reason } = &scenario.outcome {
                skips.entry(reason).or_default().push(&scenario.name);
            }
        }
        for contract in &self.contracts {
            if let Some(reason) = &contract.skipped {
                skips.entry(reason).or_default().push(&contract.name);
            }
        }
        skips
    }

    /// Every scenario.
    pub fn scenarios(&self) -> impl Iterator<Item = &ScenarioReport> {
        self.contracts.iter().flat_map(|contract| &contract.scenarios)
    }
}
