//! CAMARA Device Roaming Status 1.x: `POST /device-roaming-status/v1/retrieve`.
//!
//! Source: the contract of device-roaming-status 1.1.

use attache_core::{Country, DeviceIdentifier, Roaming, Scope};
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

/// Device Roaming Status 1.1.
pub const FACE: Face = Face {
    api: "device-roaming-status",
    version: "v1",
    path: "/device-roaming-status/v1/retrieve",
    scope: Scope::new_static("device-roaming-status:read"),
    identification: Identification::TokenOrBody,
    correlator: Correlator::Documented,
    read: device::read,
    answer: Answering::Roaming(write),
    refuse: error::refuse,
};

/// `RoamingStatusResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceResponse<'a>>,
    last_status_time: Milliseconds,
    roaming: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_name: Option<&'static [&'static str]>,
}

fn write(answer: &Roaming, device: Option<&DeviceIdentifier>) -> Vec<u8> {
    json::write(&Response {
        device: device.map(DeviceResponse::from),
        last_status_time: Milliseconds(answer.confirmed_at),
        roaming: answer.is_roaming(),
        country_code: answer.visited.map(|country| country.mcc().number()),
        country_name: answer.visited.map(Country::names),
    })
}
