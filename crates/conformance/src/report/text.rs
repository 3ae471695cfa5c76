//! The report for a terminal.

use std::fmt::Write as _;

use super::{ContractReport, Failure, Report};
use crate::exchange::Exchange;

impl Report {
    /// The rows of the table: API, version, and how many scenarios were tried, passed, failed and
    /// skipped; a version with several operations has one row for all.
    #[must_use]
    pub fn rows(&self) -> Vec<[String; 7]> {
        let mut rows: Vec<(&ContractReport, super::Counts)> = Vec::new();
        for contract in &self.contracts {
            let counts = contract.counts();
            let known = rows.iter_mut().find(|(it, _)| it.api == contract.api && it.version == contract.version);
            match known {
                Some((_, sum)) => {
                    sum.tried += counts.tried;
                    sum.passed += counts.passed;
                    sum.failed += counts.failed;
                    sum.skipped += counts.skipped;
                }
                None => rows.push((contract, counts)),
            }
        }
        rows.into_iter()
            .map(|(contract, counts)| {
                let number = |count: usize| if contract.skipped.is_some() { "-".to_owned() } else { count.to_string() };
                [
                    contract.api.clone(),
                    contract.version.clone(),
                    number(counts.tried),
                    number(counts.passed),
                    number(counts.failed),
                    number(counts.skipped),
                    contract.skipped.as_ref().map(|reason| format!("skipped: {reason}")).unwrap_or_default(),
                ]
            })
            .collect()
    }

    /// What was skipped and what failed, with the requests and the answers.
    #[must_use]
    pub fn details(&self) -> String {
        let mut text = String::new();
        let skips: Vec<_> = self.skips().into_iter().collect();
        if !skips.is_empty() {
            text += "\nSkipped\n";
            for (reason, names) in skips {
                let _ = writeln!(text, "  {reason}");
                for name in names {
                    let _ = writeln!(text, "    {name}");
                }
            }
        }
        for (scenario, failures) in self.failures() {
            let _ = writeln!(text, "\nFailed: {}", scenario.name);
            for failure in failures {
                text += &failure.shown();
            }
        }
        text
    }
}

impl Failure {
    fn shown(&self) -> String {
        let exchange = self.exchange.as_ref().map(Exchange::shown).unwrap_or_default();
        let mut text = format!("  {}\n", self.fault);
        for line in exchange.lines() {
            let _ = writeln!(text, "    {line}");
        }
        text
    }
}

impl Exchange {
    /// The request and the answer, as they look on the wire.
    pub(super) fn shown(&self) -> String {
        let request = &self.request;
        let mut text = format!("{} {}\n", request.method, request.url);
        write_headers(&mut text, &request.headers);
        if let Some(body) = &request.body {
            let _ = writeln!(text, "\n{body}");
        }
        match (&self.response, &self.error) {
            (Some(response), _) => {
                let _ = writeln!(text, "-> {}", response.status);
                write_headers(&mut text, &response.headers);
                let _ = writeln!(text, "\n{}", response.body);
            }
            (None, error) => {
                let _ = writeln!(text, "-> {}", error.as_deref().unwrap_or("nothing"));
            }
        }
        text
    }
}

fn write_headers(text: &mut String, headers: &[(String, String)]) {
    for (name, value) in headers {
        let _ = writeln!(text, "{name}: {value}");
    }
}
