//! CAMARA Connected Network Type Subscriptions 0.2: `/connected-network-type-subscriptions/v0.2/subscriptions`.
//!
//! Source: the contract of connected-network-type-subscriptions 0.2.0.

use attache_core::{Scope, SubscriptionProblem};

use crate::{
    Correlator, Identification, Life, Refusal, Several, SubscriptionFace,
    camara::subscription::{self, subscribed_types},
};

/// Connected Network Type Subscriptions 0.2.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "connected-network-type-subscriptions",
    contract: "0.2",
    version: "v0.2",
    path: "/connected-network-type-subscriptions/v0.2/subscriptions",
    types: subscribed_types!("connected-network-type-subscriptions", "org.camaraproject.connected-network-type-subscriptions.v0", {
        NetworkTypeChanged => "network-type-changed",
    }),
    read_scope: Scope::new_static("connected-network-type-subscriptions:read"),
    delete_scope: Scope::new_static("connected-network-type-subscriptions:delete"),
    identification: Identification::TokenOrBody,
    several: Several::FirstKnown,
    correlator: Correlator::Long,
    has_uuids: false,
    life: Life {
        started: Some("org.camaraproject.connected-network-type-subscriptions.v0.subscription-started"),
        updated: Some("org.camaraproject.connected-network-type-subscriptions.v0.subscription-updated"),
        ended: "org.camaraproject.connected-network-type-subscriptions.v0.subscription-ended",
    },
    read: subscription::read,
    write: subscription::write,
    write_list: subscription::write_list,
    write_event: subscription::write_event,
    refuse,
    description: subscription::DESCRIPTION,
};

fn refuse(problem: &SubscriptionProblem) -> Refusal {
    subscription::of_one_type(problem, subscription::refuse)
}
