//! CAMARA Device Roaming Status 1.0: `POST /device-roaming-status/v1/retrieve`, if it is pinned.
//!
//! Source: the contract of device-roaming-status 1.0.

use attache_core::{Problem, Scope};

use super::{v0_6, v1};
use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{device, error_v1_0},
};

/// Device Roaming Status 1.0.
pub const FACE: Face = Face {
    api: "device-roaming-status",
    contract: "1.0",
    version: "v1",
    path: "/device-roaming-status/v1/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-roaming-status:read"),
    identification: Identification::TokenOrBody,
    several: Several::MustAgree,
    correlator: Correlator::Short,
    read: device::read,
    answer: Answering::Roaming(v0_6::write),
    refuse,
    description: Description { answer: Body::of::<v1::Status>(), ..v1::DESCRIPTION },
};

fn refuse(problem: &Problem) -> Refusal {
    error_v1_0::refuse(problem, "AUTHENTICATION_REQUIRED")
}
