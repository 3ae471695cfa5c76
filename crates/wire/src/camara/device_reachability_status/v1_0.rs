//! CAMARA Device Reachability Status 1.0: `POST /device-reachability-status/v1/retrieve`, if it is
//! pinned.
//!
//! Source: the contract of device-reachability-status 1.0.

use attache_core::{DeviceIdentifier, Problem, Reachability, Scope};

use super::v1;
use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{device, error_v1_0},
};

/// Device Reachability Status 1.0.
pub const FACE: Face = Face {
    api: "device-reachability-status",
    contract: "1.0",
    version: "v1",
    path: "/device-reachability-status/v1/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-reachability-status:read"),
    identification: Identification::TokenOrBody,
    several: Several::MustAgree,
    correlator: Correlator::Short,
    read: device::read,
    answer: Answering::Reachability(write),
    refuse,
    description: Description { answer: Body::of::<v1::Status>(), ..v1::DESCRIPTION },
};

/// Writes `ReachabilityStatusResponse`: that of 1.1, without the device.
fn write(answer: &Reachability, _: Option<&DeviceIdentifier>) -> Vec<u8> {
    v1::write(answer, None)
}

fn refuse(problem: &Problem) -> Refusal {
    error_v1_0::refuse(problem, "AUTHENTICATION_REQUIRED")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{phone_number, reachability, write_reachability};

    #[test]
    fn the_device_is_never_told() {
        let answer = reachability("2024-02-20T10:41:38.657Z", true, false);
        assert_eq!(
            write_reachability(&FACE, answer, Some(&phone_number("+123456789"))),
            r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","reachable":true,"connectivity":["DATA"]}"#
        );
    }
}
