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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Request, Response};

    /// One scenario of each outcome, full of what must be escaped.
    fn report() -> Report {
        let exchange = Exchange {
            request: Request {
                method: "POST".to_owned(),
                url: "http://localhost/retrieve?a&b".to_owned(),
                headers: vec![("authorization".to_owned(), "Bearer ***".to_owned())],
                body: Some("{}".to_owned()),
            },
            response: Some(Response {
                status: 200,
                headers: Vec::new(),
                body: "<script>\u{1}</script>".to_owned(),
                json: None,
                at: jiff::Timestamp::UNIX_EPOCH,
            }),
            error: None,
            correlator: None,
            is_of_operation: true,
        };
        let failures = vec![Failure { fault: "`roaming` is \"<b>\"".to_owned(), exchange: Some(exchange) }];
        let outcomes = [
            ("api/1 one is right", Outcome::Passed),
            ("api/1 another is <wrong>", Outcome::Failed { failures }),
            ("api/1 a third is not tried", Outcome::Skipped { reason: "no token & no line".to_owned() }),
        ];
        let contract = |name: &str, skipped: Option<&str>| ContractReport {
            name: name.to_owned(),
            api: "api".to_owned(),
            version: "1".to_owned(),
            skipped: skipped.map(str::to_owned),
            scenarios: Vec::new(),
        };
        let scenarios = outcomes.map(|(name, outcome)| ScenarioReport { name: name.to_owned(), outcome });
        Report {
            target: "http://localhost".to_owned(),
            at: "2024-02-20T10:41:38Z".to_owned(),
            contracts: vec![
                ContractReport { scenarios: scenarios.into(), ..contract("api/1", None) },
                ContractReport { version: "2".to_owned(), ..contract("api/2", Some("not there")) },
            ],
        }
    }

    /// Whether each tag that is opened is closed in its order.
    fn is_balanced(markup: &str) -> bool {
        let mut open = Vec::new();
        for tag in markup.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let name = tag.trim_start_matches('/').split(' ').next().unwrap_or_default();
            match (tag.strip_prefix('/'), name) {
                (None, "!DOCTYPE" | "meta" | "?xml") => {}
                (None, _) if tag.ends_with('/') => {}
                (None, _) => open.push(name),
                (Some(_), _) if open.pop() == Some(name) => {}
                (Some(_), _) => return false,
            }
        }
        open.is_empty()
    }

    #[test]
    fn the_counts_of_a_report_are_those_of_its_scenarios() {
        assert_eq!(report().counts(), Counts { tried: 2, passed: 1, failed: 1, skipped: 1 });
        let rows = report().rows();
        assert_eq!(rows[0], ["api", "1", "2", "1", "1", "1", ""]);
        assert_eq!(rows[1], ["api", "2", "-", "-", "-", "-", "skipped: not there"]);
    }

    #[test]
    fn a_failure_is_shown_with_request_and_answer() {
        let details = report().details();
        assert!(
            details.contains("Failed: api/1 another is <wrong>\n  `roaming` is \"<b>\"\n    POST http://localhost")
        );
        assert!(details.contains("    -> 200\n"), "{details}");
        assert!(details.contains("  no token & no line\n    api/1 a third is not tried\n"), "{details}");
    }

    #[test]
    fn reports_in_markup_are_well_formed_whatever_a_server_says() {
        for markup in [report().html(), report().junit()] {
            assert!(is_balanced(&markup), "{markup}");
            assert!(!markup.contains("<script>") && !markup.contains('\u{1}'), "{markup}");
            assert!(markup.contains("another is &lt;wrong&gt;"), "{markup}");
        }
        assert!(report().html().contains("Scenarios that failed: 1."));
        assert!(report().junit().contains("tests=\"3\" failures=\"1\" skipped=\"1\""));
    }
}
