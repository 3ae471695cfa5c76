//! CAMARA Device Reachability Status 1.1: `POST /device-reachability-status/v1/retrieve`.
//!
//! Source: the contract of device-reachability-status 1.1. It answers for 1.0 as well, by which each of
//! its answers is valid.

use attache_core::{DeviceIdentifier, Reachability, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Several,
    camara::{
        date_time::Milliseconds,
        device::{self, DeviceResponse},
        device_roaming_status, error,
        schema::LastStatusTime,
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
    description: DESCRIPTION,
};

/// What its document says.
pub(crate) const DESCRIPTION: Description = Description {
    operation: "getReachabilityStatus",
    summary: "Whether a device can be reached, and by what",
    answer: Body::of::<Response<'_>>(),
    ..device_roaming_status::v1::DESCRIPTION
};

/// `ReachabilityStatusResponse`.
#[derive(Serialize, ToSchema)]
#[schema(as = ReachabilityStatusResponse)]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = DeviceResponse)]
    device: Option<DeviceResponse<'a>>,
    #[serde(flatten)]
    status: Status,
}

/// What versions answer that do not tell the device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReachabilityStatus)]
pub(super) struct Status {
    #[schema(value_type = LastStatusTime)]
    last_status_time: Milliseconds,
    reachable: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    connectivity: &'static [ConnectivityType],
}

/// `ConnectivityType`: a way by which a device can be reached.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum ConnectivityType {
    Data,
    Sms,
}

/// Writes `ReachabilityStatusResponse`.
pub(super) fn write(answer: &Reachability, device: Option<&DeviceIdentifier>) -> Vec<u8> {
    let connectivity: &[ConnectivityType] = match (answer.data, answer.sms) {
        (true, true) => &[ConnectivityType::Data, ConnectivityType::Sms],
        (true, false) => &[ConnectivityType::Data],
        (false, true) => &[ConnectivityType::Sms],
        (false, false) => &[],
    };
    json::write(&Response {
        device: device.map(DeviceResponse::from),
        status: Status {
            last_status_time: Milliseconds(answer.confirmed_at),
            reachable: !connectivity.is_empty(),
            connectivity,
        },
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
