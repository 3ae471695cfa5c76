//! Holds any server against the contracts of the CAMARA Device Status family: ours in its tests,
//! anybody's by `attache conformance`.
//!
//! A [`Contract`](contract::Contract) says what a version of an API says. A [`Target`] says what is
//! known of the server: its lines and their states, and how tokens are fetched. From both come the
//! [`Scenario`](plan::Scenario)s, which are data; the [`Runner`] tries them and makes a
//! [`Report`]. APIs of event [subscriptions](subscription) have contracts and stories of their own. What the target doesn't offer is skipped with the reason, never passed.

mod admin;
pub mod contract;
mod exchange;
mod judge;
pub mod plan;
mod report;
mod runner;
pub mod scenarios;
mod shape;
mod sink;
pub mod subscription;
mod target;
mod token;

pub use admin::Admin;
pub use exchange::{Exchange, Request, Response};
pub use report::{ContractReport, Counts, Failure, Outcome, Report, ScenarioReport};
pub use runner::{Local, Only, OnlyError, Runner, RunnerError};
pub use shape::{Field, Kind, Pattern};
pub use target::{Bearing, Client, Line, Provoke, Seen, SinkPlace, Target, TargetError, ThreeLegged, Tokens};
