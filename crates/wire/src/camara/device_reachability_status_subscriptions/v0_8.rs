//! CAMARA Device Reachability Status Subscriptions 0.8: `/device-reachability-status-subscriptions/v0.8/subscriptions`.
//!
//! Source: the contract of device-reachability-status-subscriptions 0.8.0.

use attache_core::Scope;

use crate::{
    Correlator, Identification, Life, Several, SubscriptionFace,
    camara::subscription::{self, subscribed_types},
};

/// Device Reachability Status Subscriptions 0.8.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "device-reachability-status-subscriptions",
    contract: "0.8",
    version: "v0.8",
    path: "/device-reachability-status-subscriptions/v0.8/subscriptions",
    types: subscribed_types!("device-reachability-status-subscriptions", "org.camaraproject.device-reachability-status-subscriptions.v0", {
        ReachabilityData => "reachability-data",
        ReachabilitySms => "reachability-sms",
        ReachabilityDisconnected => "reachability-disconnected",
    }),
    read_scope: Scope::new_static("device-reachability-status-subscriptions:read"),
    delete_scope: Scope::new_static("device-reachability-status-subscriptions:delete"),
    identification: Identification::TokenOrBody,
    several: Several::FirstKnown,
    correlator: Correlator::Long,
    has_uuids: false,
    life: Life {
        started: Some("org.camaraproject.device-reachability-status-subscriptions.v0.subscription-started"),
        updated: Some("org.camaraproject.device-reachability-status-subscriptions.v0.subscription-updated"),
        ended: "org.camaraproject.device-reachability-status-subscriptions.v0.subscription-ended",
    },
    read: subscription::read,
    write: subscription::write,
    write_list: subscription::write_list,
    write_event: subscription::write_event,
    refuse: subscription::refuse,
    description: subscription::DESCRIPTION,
};
