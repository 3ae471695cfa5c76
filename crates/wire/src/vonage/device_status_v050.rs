//! Vonage's Device Status: `POST /camara/device-status/v050/connectivity` and `…/roaming`.
//!
//! Source: the API reference "Vonage Device Status API", version `v050`. It is CAMARA device-status 0.5
//! under other paths; it prints no errors, so these are CAMARA's as well.

use attache_core::Scope;

use crate::{Answering, Correlator, Face, Identification, camara::device_status::v0_5};

/// By what a device can be reached.
pub const CONNECTIVITY: Face = Face {
    api: "device-status",
    version: "v050",
    path: "/camara/device-status/v050/connectivity",
    scope: Scope::new_static("device-status:connectivity:read"),
    identification: Identification::BodyAgreesWithToken,
    correlator: Correlator::Echoed,
    read: v0_5::read,
    answer: Answering::Reachability(v0_5::write_connectivity),
    refuse: v0_5::refuse,
};

/// Whether and where a device roams.
pub const ROAMING: Face = Face {
    api: "device-status",
    version: "v050",
    path: "/camara/device-status/v050/roaming",
    scope: Scope::new_static("device-status:roaming:read"),
    identification: Identification::BodyAgreesWithToken,
    correlator: Correlator::Echoed,
    read: v0_5::read,
    answer: Answering::Roaming(v0_5::write_roaming),
    refuse: v0_5::refuse,
};
