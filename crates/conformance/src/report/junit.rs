//! The report as `JUnit` XML, which build servers read.

use std::fmt::Write as _;

use super::{Failure, Outcome, Report};
use crate::exchange::Exchange;

impl Report {
    /// `JUnit` XML: a suite for each contract, a case for each scenario.
    #[must_use]
    pub fn junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let counts = self.counts();
        let _ = writeln!(
            xml,
            "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
            escape(&format!("attache conformance {}", self.target)),
            counts.tried + counts.skipped,
            counts.failed,
            counts.skipped
        );
        for contract in &self.contracts {
            let counts = contract.counts();
            let _ = writeln!(
                xml,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" timestamp=\"{}\">",
                escape(&contract.name),
                counts.tried + counts.skipped,
                counts.failed,
                counts.skipped,
                escape(&self.at)
            );
            for scenario in &contract.scenarios {
                let _ = write!(
                    xml,
                    "    <testcase classname=\"{}\" name=\"{}\"",
                    escape(&contract.name),
                    escape(&scenario.name)
                );
                match &scenario.outcome {
                    Outcome::Passed => xml += "/>\n",
                    Outcome::Skipped { reason } => {
                        let _ = writeln!(xml, "><skipped message=\"{}\"/></testcase>", escape(reason));
                    }
                    Outcome::Failed { failures } => {
                        xml += ">";
                        xml += &failure(failures);
                        xml += "</testcase>\n";
                    }
                }
            }
            xml += "  </testsuite>\n";
        }
        xml + "</testsuites>\n"
    }
}

/// A case has one failure at most, so all that is wrong goes into it.
fn failure(failures: &[Failure]) -> String {
    let message: Vec<_> = failures.iter().map(|failure| failure.fault.as_str()).collect();
    let exchanges: Vec<_> =
        failures.iter().filter_map(|failure| failure.exchange.as_ref()).map(Exchange::shown).collect();
    format!("<failure message=\"{}\">{}</failure>", escape(&message.join("; ")), escape(&exchanges.join("\n")))
}

/// Text for an attribute or between tags. XML 1.0 can't hold most control characters at all.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(character),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
