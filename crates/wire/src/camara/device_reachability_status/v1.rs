//! CAMARA Device Reachability Status 1.1: `POST /device-reachability-status/v1/retrieve`.
//!
//! Source: the contract of device-reachability-status 1.1. It answers for 1.0 as well, by which each of
//! its answers is valid.

use attache_core::{DeviceIdentifier, Reachability, Scope};
use serde::Serialize;

use crate::{
    Answering, Correlator, Face, Identification, Several,
    camara::{
        date_time::Milliseconds,
        device::{self, DeviceResponse},
        error,
    },
    json,
};

/// Device Reachability Status 1.1.
pub const FACE: Face = Face {
    api: "device-reachability-status",
    contract: "1.1",
    version: "v1",
    path: "/device-reachability-status/v1/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-reachability-status:read"),
    identification: Identification::TokenOrBody,
    several: Several::FirstKnown,
    correlator: Correlator::Long,
    read: device::read,
    answer: Answering::Reachability(write),
    refuse: error::refuse,
};

/// `ReachabilityStatusResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceResponse<'a>>,
    last_status_time: Milliseconds,
    reachable: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    connectivity: &'static [&'static str],
}

/// Writes `ReachabilityStatusResponse`.
pub(super) fn write(answer: &Reachability, device: Option<&DeviceIdentifier>) -> Vec<u8> {
    let connectivity: &[&str] = match (answer.data, answer.sms) {
        (true, true) => &["DATA", "SMS"],
        (true, false) => &["DATA"],
        (false, true) => &["SMS"],
        (false, false) => &[],
    };
    json::write(&Response {
        device: device.map(DeviceResponse::from),
        last_status_time: Milliseconds(answer.confirmed_at),
        reachable: !connectivity.is_empty(),
        connectivity,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{phone_number, reachability, write_reachability};

    #[test]
    fn every_printed_answer_is_written() {
        for (name, device, data, sms, expected) in [
            (
                "SMS",
                None,
                false,
                true,
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","reachable":true,"connectivity":["SMS"]}"#,
            ),
            (
                "SMS, with device",
                Some(phone_number("+123456789")),
                false,
                true,
                r#"{"device":{"phoneNumber":"+123456789"},"lastStatusTime":"2024-02-20T10:41:38.657Z","reachable":true,"connectivity":["SMS"]}"#,
            ),
            (
                "data",
                None,
                true,
                false,
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","reachable":true,"connectivity":["DATA"]}"#,
            ),
            (
                "data and SMS",
                None,
                true,
                true,
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","reachable":true,"connectivity":["DATA","SMS"]}"#,
            ),
            ("neither", None, false, false, r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","reachable":false}"#),
        ] {
            let answer = reachability("2024-02-20T10:41:38.657Z", data, sms);
            assert_eq!(write_reachability(&FACE, answer, device.as_ref()), expected, "{name}");
        }
    }
}
