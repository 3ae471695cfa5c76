//! CAMARA Device Roaming Status Subscriptions 0.7: `/device-roaming-status-subscriptions/v0.7/subscriptions`.
//!
//! Source: the contract of device-roaming-status-subscriptions 0.7.0.

use attache_core::Scope;

use crate::{
    Correlator, Identification, Life, Several, SubscriptionFace,
    camara::subscription::{self, subscribed_types},
};

/// Device Roaming Status Subscriptions 0.7.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "device-roaming-status-subscriptions",
    contract: "0.7",
    version: "v0.7",
    path: "/device-roaming-status-subscriptions/v0.7/subscriptions",
    types: subscribed_types!("device-roaming-status-subscriptions", "org.camaraproject.device-roaming-status-subscriptions.v0", {
        RoamingStatus => "roaming-status",
        RoamingOn => "roaming-on",
        RoamingOff => "roaming-off",
        RoamingChangeCountry => "roaming-change-country",
    }),
    read_scope: Scope::new_static("device-roaming-status-subscriptions:read"),
    delete_scope: Scope::new_static("device-roaming-status-subscriptions:delete"),
    identification: Identification::TokenOrBody,
    several: Several::MustAgree,
    correlator: Correlator::Short,
    has_uuids: false,
    life: Life {
        started: None,
        updated: None,
        ended: "org.camaraproject.device-roaming-status-subscriptions.v0.subscription-ends",
    },
    read: subscription::read,
    write: subscription::write,
    write_list: subscription::write_list,
    write_event: subscription::write_event,
    refuse: subscription::refuse_v0_7,
    description: subscription::DESCRIPTION_V0_7,
};
