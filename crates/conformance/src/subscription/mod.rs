//! The APIs of event subscriptions: what their versions say, and the scenarios by which a server is held
//! against them.
//!
//! A scenario is a story: requests, of which later ones name what earlier ones made, and the events that the
//! runner's own sink is sent meanwhile. It ends at the first fault, and whatever it made is deleted after it.

pub mod contract;
mod judge;
mod scenarios;
mod trial;

use crate::{
    plan::{Bearer, admit},
    report::ScenarioReport,
    runner::Runner,
    target::{Line, Target},
};
pub use contract::{CONTRACTS, Contract};
use trial::Session;

/// Holds a server against a contract. `place` is its place among all that are tried at once.
pub(crate) async fn run(runner: &Runner, contract: &'static Contract, place: usize) -> Vec<ScenarioReport> {
    let lines = Lines::of(runner.target(), contract, place);
    let mut session = Session::new(runner, contract, lines);
    session.find_sink().await;
    scenarios::run(&mut session).await;
    session.finish()
}

/// The lines that the scenarios of one contract are about. Where there are enough, no other contract's are
/// about them, since what changes there is told to all who subscribed.
#[derive(Clone, Copy)]
struct Lines<'a> {
    /// One at home and reachable, if there is one.
    own: Option<&'a Line>,
    /// Another one.
    other: Option<&'a Line>,
}

impl<'a> Lines<'a> {
    fn of(target: &'a Target, contract: &Contract, place: usize) -> Self {
        let has_token =
            |line: &&Line| admit(target, Bearer::ThreeLegged(line.phone_number.clone()), &contract.scopes()).is_ok();
        let lies_still = |line: &&Line| {
            line.roaming == Some(false)
                && line.reach() == Some((true, true))
                && line.network_type.as_deref().is_some_and(|name| name != "UNKNOWN")
        };
        // A sandbox's first lines are those with something special.
        let mut fit: Vec<&Line> = target.lines.iter().rev().filter(lies_still).collect();
        if fit.is_empty() {
            fit.extend(target.any_line());
        }
        if fit.iter().any(has_token) {
            fit.retain(has_token);
        }
        let own = fit.iter().cycle().nth(place).copied();
        let is_other = |line: &&Line| own.is_some_and(|own| own.phone_number != line.phone_number);
        let other = fit.iter().copied().find(is_other).or_else(|| target.lines.iter().filter(has_token).find(is_other));
        Self { own, other }
    }
}
