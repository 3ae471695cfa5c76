//! The published contracts: one folder a publisher, one file a version of an API.
//!
//! A [`Face`] is data and pure functions: bytes of a request to a [`attache_core::Device`], an answer
//! or a [`attache_core::Problem`] to bytes of a response. It holds no logic and does no I/O. Adding a
//! version is adding its file here and its name to the list of its [`Publisher`].

pub mod camara;
mod description;
mod face;
mod json;
pub mod oauth;
pub mod orange;
mod publisher;
mod subscription_face;
pub mod telefonica;
#[cfg(test)]
mod testing;
pub mod vonage;

pub use description::{Body, Codes, Description, Document, Statuses, SubscriptionDescription, Told, documents};
pub use face::{Answering, Correlator, Face, Identification, Refusal, Several};
pub use publisher::{ApiVersion, Authorization, Publisher};
pub use subscription_face::{Credential, Life, SubscribedType, SubscriptionFace, SubscriptionRequest, event_id};

/// All publishers. A new one is mounted by its line here.
pub const PUBLISHERS: &[&Publisher] =
    &[&camara::PUBLISHER, &orange::PUBLISHER, &telefonica::PUBLISHER, &vonage::PUBLISHER];
