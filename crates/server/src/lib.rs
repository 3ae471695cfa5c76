//! The HTTP server of Attache.
//!
//! - `query` is the pipeline that every question to a face goes through;
//! - `subscription` is the pipeline of those who want to be told of changes, `delivery` tells them; `frame` is what
//!   both pipelines begin and end with;
//! - `authorization` holds the authorization servers, one for each publisher;
//! - `consent` says who may use what of a line, and keeps what subjects have said;
//! - `pages` has the words and the look of the pages that subscribers see, `visitor` says who looks at them,
//!   and `self_care` is the one with all that a subscriber has consented to;
//! - `admin` is the operator's API; `sandbox` is what only a sandbox may do;
//! - `docs` is what the server says about itself;
//! - `routes` says what stands where, `start` starts and stops it all.

mod accept;
pub mod admin;
mod app;
mod audit;
mod authorization;
mod clients;
mod clock;
mod consent;
mod cors;
mod delivery;
mod deprecation;
mod docs;
mod dpop;
mod entropy;
mod frame;
mod keyring;
mod limit;
mod linger;
mod mounts;
mod outbound;
mod pages;
mod query;
mod revocations;
mod routes;
mod sandbox;
mod self_care;
pub mod settings;
mod signing_keys;
mod source;
mod start;
mod subscription;
mod telemetry;
mod throttle;
mod token;
mod used_once;
mod verification_key;
mod visitor;

pub use attache_store::{Finding, SegmentReport, Verification};
pub use clock::SystemClock;
pub use entropy::NoEntropy;
pub use keyring::WrongSecretsKey;
pub use sandbox::{
    ClientSummary, FaceSummary, LineSummary, PublisherSummary, SinkCertificate, SubscriptionSummary, Summary,
    TypeSummary, issue_sink_certificate,
};
pub use signing_keys::KeyError;
pub use start::{Server, StartError, VerifyAuditError, verify_audit};
