//! CAMARA Device Reachability Status Subscriptions 0.7: `/device-reachability-status-subscriptions/v0.7/subscriptions`.
//!
//! Source: the contract of device-reachability-status-subscriptions 0.7.0.

use attache_core::Scope;

use crate::{
    Correlator, Identification, Life, Several, SubscriptionFace,
    camara::subscription::{self, subscribed_types},
};

/// Device Reachability Status Subscriptions 0.7.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "device-reachability-status-subscriptions",
    contract: "0.7",
    version: "v0.7",
    path: "/device-reachability-status-subscriptions/v0.7/subscriptions",
    types: subscribed_types!("device-reachability-status-subscriptions", "org.camaraproject.device-reachability-status-subscriptions.v0", {
        ReachabilityData => "reachability-data",
        ReachabilitySms => "reachability-sms",
        ReachabilityDisconnected => "reachability-disconnected",
    }),
    read_scope: Scope::new_static("device-reachability-status-subscriptions:read"),
    delete_scope: Scope::new_static("device-reachability-status-subscriptions:delete"),
    identification: Identification::TokenOrBody,
    several: Several::MustAgree,
    correlator: Correlator::Short,
    has_uuids: false,
    life: Life {
        started: None,
        updated: None,
        ended: "org.camaraproject.device-reachability-status-subscriptions.v0.subscription-ends",
    },
    read: subscription::read,
    write: subscription::write,
    write_list: subscription::write_list,
    write_event: subscription::write_event,
    refuse: subscription::refuse_v0_7,
    description: subscription::DESCRIPTION_V0_7,
};
