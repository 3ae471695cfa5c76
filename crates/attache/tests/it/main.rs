//! Attache from outside: every test starts the real program on a free port, with a data directory of
//! its own, and talks to it as its users do.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "these are tests; what can't be unwrapped has failed")]

mod attacks;
mod audit;
mod authority;
mod authorization;
mod by_hand;
mod callers;
mod camara;
mod clients;
mod command_line;
mod conformance;
mod conformance_subscriptions;
mod consent;
mod contracts;
mod cross_origin;
mod curls;
mod deprecation;
mod docs;
mod faces;
mod full_disk;
mod fuzz;
mod harness;
mod hostile_input;
mod hostile_sinks;
mod interoperability;
mod lifecycle;
mod limits;
mod listen;
mod network_faults;
mod orange;
mod privacy;
mod production;
mod profile;
mod properties;
mod signed_events;
mod sink;
mod subject_rights;
mod subscriptions;
mod survival;
mod telefonica;
mod telefonica_samples;
mod tokens;
mod versions;
mod vonage;
mod walk;
