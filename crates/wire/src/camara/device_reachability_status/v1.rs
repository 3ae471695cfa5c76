//! CAMARA Device Reachability Status 1.x: `POST /device-reachability-status/v1/retrieve`.
//!
//! Source: the contract of device-reachability-status 1.1.

use attache_core::{DeviceIdentifier, Reachability, Scope};
use serde::Serialize;

use crate::{
    Answering, Correlator, Face, Identification,
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
    version: "v1",
    path: "/device-reachability-status/v1/retrieve",
    scope: Scope::new_static("device-reachability-status:read"),
    identification: Identification::TokenOrBody,
    correlator: Correlator::Documented,
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

fn write(answer: &Reachability, device: Option<&DeviceIdentifier>) -> Vec<u8> {
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
