//! CAMARA Connected Network Type Subscriptions 0.1: `/connected-network-type-subscriptions/v0.1/subscriptions`.
//!
//! Source: the contract of connected-network-type-subscriptions 0.1.0.

use attache_core::{Scope, SubscriptionProblem};

use crate::{
    Correlator, Identification, Life, Refusal, Several, SubscriptionFace,
    camara::subscription::{self, subscribed_types},
};

/// Connected Network Type Subscriptions 0.1.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "connected-network-type-subscriptions",
    contract: "0.1",
    version: "v0.1",
    path: "/connected-network-type-subscriptions/v0.1/subscriptions",
    types: subscribed_types!("connected-network-type-subscriptions", "org.camaraproject.connected-network-type-subscriptions.v0", {
        NetworkTypeChanged => "network-type-changed",
    }),
    read_scope: Scope::new_static("connected-network-type-subscriptions:read"),
    delete_scope: Scope::new_static("connected-network-type-subscriptions:delete"),
    identification: Identification::TokenOrBody,
    several: Several::MustAgree,
    correlator: Correlator::Short,
    has_uuids: false,
    life: Life {
        started: None,
        updated: None,
        ended: "org.camaraproject.connected-network-type-subscriptions.v0.subscription-ends",
    },
    read: subscription::read,
    write: subscription::write,
    write_list: subscription::write_list,
    write_event: subscription::write_event,
    refuse,
    description: subscription::DESCRIPTION_V0_7,
};

fn refuse(problem: &SubscriptionProblem) -> Refusal {
    subscription::of_one_type(problem, subscription::refuse_v0_7)
}
