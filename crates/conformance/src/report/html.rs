//! The report as one HTML page that needs nothing beside it.

use std::fmt::Write as _;

use super::{ContractReport, Counts, Failure, Outcome, Report, ScenarioReport, junit::escape};
use crate::exchange::Exchange;

const STYLE: &str = "
:root { color-scheme: light dark; --pass: #116329; --fail: #a40e26; --skip: #6a5200; --line: #8886; }
@media (prefers-color-scheme: dark) { :root { --pass: #7ee2a0; --fail: #ff9aa8; --skip: #e8c968; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.count { text-align: right; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
.passed { color: var(--pass); } .failed { color: var(--fail); } .skipped { color: var(--skip); }
.outcome { font-weight: 600; }
";

impl Report {
    /// One HTML page: the table, then every scenario, those that failed with request and answer.
    #[must_use]
    pub fn html(&self) -> String {
        let counts = self.counts();
        let verdict = if counts.failed == 0 {
            "<span class=\"outcome passed\">No scenario failed.</span>".to_owned()
        } else {
            format!("<span class=\"outcome failed\">Scenarios that failed: {}.</span>", counts.failed)
        };
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Conformance of {target}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n\
             <h1>Conformance of {target}</h1>\n<p>{verdict} {tried} were tried at {at}; {skipped} were skipped.</p>\n\
             </header>\n<main>\n",
            target = escape(&self.target),
            tried = counts.tried,
            at = escape(&self.at),
            skipped = counts.skipped,
        );
        html += &table(self);
        for (index, contract) in self.contracts.iter().enumerate().filter(|(_, contract)| contract.skipped.is_none()) {
            html += &section(index, contract);
        }
        html + "</main>\n</body>\n</html>\n"
    }
}

fn table(report: &Report) -> String {
    let mut html = "<table>\n<caption>Scenarios by API and version</caption>\n<thead><tr>\
                    <th scope=\"col\">API and version</th><th scope=\"col\">tried</th><th scope=\"col\">passed</th>\
                    <th scope=\"col\">failed</th><th scope=\"col\">skipped</th></tr></thead>\n<tbody>\n"
        .to_owned();
    for (index, contract) in report.contracts.iter().enumerate() {
        let name = escape(&contract.name);
        let _ = if let Some(reason) = &contract.skipped {
            writeln!(
                html,
                "<tr><th scope=\"row\">{name}</th><td colspan=\"4\" class=\"skipped\">skipped: {}</td></tr>",
                escape(reason)
            )
        } else {
            let Counts { tried, passed, failed, skipped } = contract.counts();
            let cells = [tried, passed, failed, skipped].map(|count| format!("<td class=\"count\">{count}</td>"));
            writeln!(html, "<tr><th scope=\"row\"><a href=\"#contract-{index}\">{name}</a></th>{}</tr>", cells.concat())
        };
    }
    html + "</tbody>\n</table>\n"
}

fn section(index: usize, contract: &ContractReport) -> String {
    let name = escape(&contract.name);
    let mut html =
        format!("<section aria-labelledby=\"contract-{index}\">\n<h2 id=\"contract-{index}\">{name}</h2>\n<ul>\n");
    for scenario in &contract.scenarios {
        html += &item(contract, scenario);
    }
    html + "</ul>\n</section>\n"
}

fn item(contract: &ContractReport, scenario: &ScenarioReport) -> String {
    let rule = scenario.name.strip_prefix(&contract.name).unwrap_or(&scenario.name).trim_start();
    let rule = escape(rule);
    match &scenario.outcome {
        Outcome::Passed => format!("<li><span class=\"outcome passed\">passed</span> {rule}</li>\n"),
        Outcome::Skipped { reason } => {
            format!("<li><span class=\"outcome skipped\">skipped</span> {rule}: {}</li>\n", escape(reason))
        }
        Outcome::Failed { failures } => {
            let details: String = failures.iter().map(failure).collect();
            format!("<li><span class=\"outcome failed\">failed</span> {rule}\n{details}</li>\n")
        }
    }
}

fn failure(failure: &Failure) -> String {
    let exchange = failure.exchange.as_ref().map(Exchange::shown);
    let exchange = exchange.map(|shown| {
        format!(
            "<details open><summary>Request and answer</summary><pre tabindex=\"0\">{}</pre></details>\n",
            escape(&shown)
        )
    });
    format!("<p>{}</p>\n{}", escape(&failure.fault), exchange.unwrap_or_default())
}
