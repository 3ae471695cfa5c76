//! CAMARA Device Reachability Status Subscriptions 0.6: `/device-reachability-status-subscriptions/v0.6/subscriptions`.
//!
//! Source: the contract of device-reachability-status-subscriptions 0.6.1.

use attache_core::Scope;

use crate::{
    Correlator, Identification, Life, Several, SubscriptionFace,
    camara::subscription::{self, subscribed_types},
};

/// Device Reachability Status Subscriptions 0.6.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "device-reachability-status-subscriptions",
    contract: "0.6",
    version: "v0.6",
    path: "/device-reachability-status-subscriptions/v0.6/subscriptions",
    types: subscribed_types!("device-reachability-status-subscriptions", "org.camaraproject.device-reachability-status-subscriptions.v0", {
        ReachabilityData => "reachability-data",
        ReachabilitySms => "reachability-sms",
        ReachabilityDisconnected => "reachability-disconnected",
    }),
    read_scope: Scope::new_static("device-reachability-status-subscriptions:read"),
    delete_scope: Scope::new_static("device-reachability-status-subscriptions:delete"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::MustAgree,
    correlator: Correlator::AnyText,
    life: Life {
        started: None,
        updated: None,
        ended: "org.camaraproject.device-reachability-status-subscriptions.v0.subscription-ends",
    },
    read: subscription::read_with_device,
    write: subscription::write,
    write_list: subscription::write_list,
    write_event: subscription::write_event_v0_6,
    refuse: subscription::refuse_v0_6,
};
