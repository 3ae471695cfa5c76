//! CAMARA Device Roaming Status 0.6: `POST /device-roaming-status/v0.6/retrieve`.
//!
//! Source: the contract of device-roaming-status 0.6.1.

use attache_core::{DeviceIdentifier, Problem, Roaming, Scope};

use super::v1;
use crate::{
    Answering, Body, Codes, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{device, error_v0_6},
};

/// Device Roaming Status 0.6.
pub const FACE: Face = Face {
    api: "device-roaming-status",
    contract: "0.6",
    version: "v0.6",
    path: "/device-roaming-status/v0.6/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-roaming-status:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::MustAgree,
    correlator: Correlator::AnyText,
    read: device::read,
    answer: Answering::Roaming(write),
    refuse,
    description: DESCRIPTION,
};

/// What its document says.
pub(crate) const DESCRIPTION: Description = Description {
    answer: Body::of::<v1::Status>(),
    statuses: error_v0_6::STATUSES,
    codes: Codes::Shown,
    ..v1::DESCRIPTION
};

/// Writes `RoamingStatusResponse`: that of 1.1, without the device.
pub(super) fn write(answer: &Roaming, _: Option<&DeviceIdentifier>) -> Vec<u8> {
    v1::write(answer, None)
}

fn refuse(problem: &Problem) -> Refusal {
    error_v0_6::refuse(problem, "UNABLE_TO_PROVIDE_ROAMING_STATUS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{phone_number, refusal, roaming, write_roaming};

    #[test]
    fn the_device_is_never_told() {
        let device = phone_number("+123456789");
        let answer = write_roaming(&FACE, roaming("2024-02-20T10:41:38.657Z", Some("26201")), Some(&device));
        let expected =
            r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","roaming":true,"countryCode":262,"countryName":["DE"]}"#;
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_line_never_seen_is_an_error_of_its_own() {
        let body = r#"{"status":422,"code":"UNABLE_TO_PROVIDE_ROAMING_STATUS","message":"the network has no status of this device: it has never been seen"}"#;
        assert_eq!(refusal(&FACE, &Problem::NeverSeen), (422, body.to_owned()));
    }
}
