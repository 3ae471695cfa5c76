//! CAMARA Connected Network Type 0.2: `POST /connected-network-type/v0.2/retrieve`.
//!
//! Source: the contract of connected-network-type 0.2.

use attache_core::{DeviceIdentifier, NetworkType, Scope, Technology};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Several,
    camara::{
        date_time::Milliseconds,
        device::{self, DeviceResponse},
        device_roaming_status, error,
        schema::{ConnectedNetworkType, LastStatusTime},
    },
    json,
};

/// Connected Network Type 0.2.
pub const FACE: Face = Face {
    api: "connected-network-type",
    contract: "0.2",
    version: "v0.2",
    path: "/connected-network-type/v0.2/retrieve",
    is_meant: None,
    scope: Scope::new_static("connected-network-type:read"),
    identification: Identification::TokenOrBody,
    several: Several::FirstKnown,
    correlator: Correlator::Long,
    read: device::read,
    answer: Answering::NetworkType(write),
    refuse: error::refuse,
    description: DESCRIPTION,
};

/// What its document says.
pub(crate) const DESCRIPTION: Description = Description {
    operation: "getConnectedNetworkType",
    summary: "By which access technology a device is connected",
    answer: Body::of::<Response<'_>>(),
    statuses: &[400, 401, 403, 404, 422, 429],
    ..device_roaming_status::v1::DESCRIPTION
};

/// `ConnectedNetworkTypeResponse`. It requires `lastStatusTime`, which a line that was never seen does
/// not have: no time is made up for it.
#[derive(Serialize, ToSchema)]
#[schema(as = ConnectedNetworkTypeResponse)]
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
#[schema(as = NetworkTypeStatus)]
pub(super) struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = LastStatusTime)]
    last_status_time: Option<Milliseconds>,
    #[schema(value_type = ConnectedNetworkType)]
    connected_network_type: &'static str,
}

/// What is said instead of a technology.
pub(crate) const UNKNOWN: &str = "UNKNOWN";

/// Writes `ConnectedNetworkTypeResponse`.
pub(super) fn write(answer: &NetworkType, device: Option<&DeviceIdentifier>) -> Vec<u8> {
    json::write(&Response {
        device: device.map(DeviceResponse::from),
        status: Status {
            last_status_time: answer.confirmed_at.map(Milliseconds),
            connected_network_type: answer.technology.map_or(UNKNOWN, Technology::as_str),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{network_type, phone_number, write_network_type};

    const CONFIRMED: Option<&str> = Some("2024-02-20T10:41:38.657Z");

    #[test]
    fn every_printed_answer_is_written() {
        for (name, device, technology, expected) in [
            (
                "4G",
                None,
                Some(Technology::Fourth),
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","connectedNetworkType":"4G"}"#,
            ),
            (
                "4G, with device",
                Some(phone_number("+123456789")),
                Some(Technology::Fourth),
                r#"{"device":{"phoneNumber":"+123456789"},"lastStatusTime":"2024-02-20T10:41:38.657Z","connectedNetworkType":"4G"}"#,
            ),
            (
                "5G",
                None,
                Some(Technology::Fifth),
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","connectedNetworkType":"5G"}"#,
            ),
            (
                "unknown",
                None,
                None,
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","connectedNetworkType":"UNKNOWN"}"#,
            ),
        ] {
            assert_eq!(
                write_network_type(&FACE, network_type(technology, CONFIRMED), device.as_ref()),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn a_line_never_seen_is_unknown_without_a_time() {
        assert_eq!(write_network_type(&FACE, network_type(None, None), None), r#"{"connectedNetworkType":"UNKNOWN"}"#);
    }
}
