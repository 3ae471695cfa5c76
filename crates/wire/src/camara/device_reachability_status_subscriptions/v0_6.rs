//! CAMARA Device Reachability Status Subscriptions 0.6: `/device-reachability-status-subscriptions/v0.6/subscriptions`.
//!
//! Source: the contract of device-reachability-status-subscriptions 0.6.1.

use attache_core::Scope;

use crate::{
    Correlator, Identification, Life, Several, Statuses, SubscriptionDescription, SubscriptionFace,
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
    has_uuids: true,
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
    description: DESCRIPTION,
};

/// What its document says. Unlike that of its sibling, its contract lists 429 for the list and for sinks.
const DESCRIPTION: SubscriptionDescription = SubscriptionDescription {
    sink_statuses: &[204, 400, 401, 403, 429, 500, 503],
    statuses: Statuses { list: &[400, 401, 403, 429, 500, 503], ..subscription::DESCRIPTION_V0_6.statuses },
    ..subscription::DESCRIPTION_V0_6
};
