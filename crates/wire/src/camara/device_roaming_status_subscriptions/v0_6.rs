//! CAMARA Device Roaming Status Subscriptions 0.6: `/device-roaming-status-subscriptions/v0.6/subscriptions`.
//!
//! Source: the contract of device-roaming-status-subscriptions 0.6.1.

use attache_core::Scope;

use crate::{
    Correlator, Identification, Life, Several, SubscriptionFace,
    camara::subscription::{self, subscribed_types},
};

/// Device Roaming Status Subscriptions 0.6.
pub const FACE: SubscriptionFace = SubscriptionFace {
    api: "device-roaming-status-subscriptions",
    contract: "0.6",
    version: "v0.6",
    path: "/device-roaming-status-subscriptions/v0.6/subscriptions",
    types: subscribed_types!("device-roaming-status-subscriptions", "org.camaraproject.roaming-status-subscriptions.v0", {
        RoamingStatus => "roaming-status",
        RoamingOn => "roaming-on",
        RoamingOff => "roaming-off",
        RoamingChangeCountry => "roaming-change-country",
    }),
    read_scope: Scope::new_static("device-roaming-status-subscriptions:read"),
    delete_scope: Scope::new_static("device-roaming-status-subscriptions:delete"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::MustAgree,
    correlator: Correlator::AnyText,
    has_uuids: true,
    life: Life {
        started: None,
        updated: None,
        ended: "org.camaraproject.roaming-status-subscriptions.v0.subscription-ends",
    },
    read: subscription::read_with_device,
    write: subscription::write,
    write_list: subscription::write_list,
    write_event: subscription::write_event_v0_6,
    refuse: subscription::refuse_v0_6,
    description: subscription::DESCRIPTION_V0_6,
};
