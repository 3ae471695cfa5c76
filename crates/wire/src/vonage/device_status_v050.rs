//! Vonage's Device Status: `POST /camara/device-status/v050/connectivity` and `…/roaming`.
//!
//! Source: the API reference "Vonage Device Status API", version `v050`. It is CAMARA device-status 0.5
//! under other paths; it prints no errors, so these are CAMARA's as well.

use attache_core::Scope;

use crate::{Answering, Correlator, Face, Identification, Several, camara::device_status::v0_5};

/// By what a device can be reached.
pub const CONNECTIVITY: Face = Face {
    api: "device-status",
    contract: "0.5",
    version: "v050",
    path: "/camara/device-status/v050/connectivity",
    is_meant: None,
    scope: Scope::new_static("device-status:connectivity:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read: v0_5::read,
    answer: Answering::Reachability(v0_5::write_connectivity),
    refuse: v0_5::refuse,
    description: v0_5::CONNECTIVITY_DESCRIPTION,
};

/// Whether and where a device roams.
pub const ROAMING: Face = Face {
    api: "device-status",
    contract: "0.5",
    version: "v050",
    path: "/camara/device-status/v050/roaming",
    is_meant: None,
    scope: Scope::new_static("device-status:roaming:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read: v0_5::read,
    answer: Answering::Roaming(v0_5::write_roaming),
    refuse: v0_5::refuse,
    description: v0_5::ROAMING_DESCRIPTION,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, reachability, roaming, write_reachability, write_roaming};

    #[test]
    fn the_printed_request_is_read() {
        let body = b"{\n   \"device\": {\n      \"phoneNumber\": \"123456789\"\n   }\n}";
        for face in [&CONNECTIVITY, &ROAMING] {
            assert_eq!((face.read)(body), Ok(device("+123456789")));
        }
    }

    #[test]
    fn the_printed_answers_are_written() {
        let confirmed_at = "2024-02-20T10:41:38.657Z";
        assert_eq!(
            write_reachability(&CONNECTIVITY, reachability(confirmed_at, true, true), None),
            r#"{"connectivityStatus":"CONNECTED_DATA"}"#
        );
        assert_eq!(
            write_roaming(&ROAMING, roaming(confirmed_at, Some("26201")), None),
            r#"{"roaming":true,"countryCode":262,"countryName":["DE"]}"#
        );
    }
}
