//! CAMARA Device Roaming Status 1.1: `POST /device-roaming-status/v1/retrieve`.
//!
//! Source: the contract of device-roaming-status 1.1. It answers for 1.0 as well, by which each of its
//! answers is valid.

use attache_core::{Country, DeviceIdentifier, Roaming, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Answering, Body, Codes, Correlator, Description, Face, Identification, Several,
    camara::{
        date_time::Milliseconds,
        device::{self, DeviceRequest, DeviceResponse},
        error::{self, ErrorInfo},
        schema::{CountryCode, CountryName, LastStatusTime},
    },
    json,
};

/// Device Roaming Status 1.1.
pub const FACE: Face = Face {
    api: "device-roaming-status",
    contract: "1.1",
    version: "v1",
    path: "/device-roaming-status/v1/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-roaming-status:read"),
    identification: Identification::TokenOrBody,
    several: Several::FirstKnown,
    correlator: Correlator::Long,
    read: device::read,
    answer: Answering::Roaming(write),
    refuse: error::refuse,
    description: DESCRIPTION,
};

/// What its document says.
pub(crate) const DESCRIPTION: Description = Description {
    operation: "getRoamingStatus",
    summary: "Whether a device roams, and in which country",
    request: Body::of::<DeviceRequest>(),
    example: device::EXAMPLE,
    answer: Body::of::<Response<'_>>(),
    error: Body::of::<ErrorInfo<'_>>(),
    instead: &[],
    statuses: error::STATUSES,
    codes: Codes::Enumerated,
};

/// `RoamingStatusResponse`.
#[derive(Serialize, ToSchema)]
#[schema(as = RoamingStatusResponse)]
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
#[schema(as = RoamingStatus)]
pub(super) struct Status {
    #[schema(value_type = LastStatusTime)]
    last_status_time: Milliseconds,
    roaming: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = CountryCode)]
    country_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = CountryName)]
    country_name: Option<&'static [&'static str]>,
}

/// Writes `RoamingStatusResponse`.
pub(super) fn write(answer: &Roaming, device: Option<&DeviceIdentifier>) -> Vec<u8> {
    json::write(&Response {
        device: device.map(DeviceResponse::from),
        status: Status {
            last_status_time: Milliseconds(answer.confirmed_at),
            roaming: answer.is_roaming(),
            country_code: answer.visited.map(|country| country.mcc().number()),
            country_name: answer.visited.map(Country::names),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{phone_number, roaming, write_roaming};

    const CONFIRMED: &str = "2024-02-20T10:41:38.657Z";

    #[test]
    fn every_printed_answer_is_written() {
        for (name, device, visited, expected) in [
            ("not roaming", None, None, r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","roaming":false}"#),
            (
                "no country name",
                None,
                Some("90101"),
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","roaming":true,"countryCode":901,"countryName":[]}"#,
            ),
            (
                "single country code",
                None,
                Some("26201"),
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","roaming":true,"countryCode":262,"countryName":["DE"]}"#,
            ),
            (
                "single country code with device",
                Some(phone_number("+123456789")),
                Some("26201"),
                r#"{"device":{"phoneNumber":"+123456789"},"lastStatusTime":"2024-02-20T10:41:38.657Z","roaming":true,"countryCode":262,"countryName":["DE"]}"#,
            ),
            (
                "multiple country codes",
                None,
                Some("34001"),
                r#"{"lastStatusTime":"2024-02-20T10:41:38.657Z","roaming":true,"countryCode":340,"countryName":["BL","GF","GP","MF","MQ"]}"#,
            ),
        ] {
            assert_eq!(write_roaming(&FACE, roaming(CONFIRMED, visited), device.as_ref()), expected, "{name}");
        }
    }

    #[test]
    fn a_time_has_milliseconds() {
        for (confirmed_at, written) in [
            ("2024-02-20T10:41:38Z", "2024-02-20T10:41:38.000Z"),
            ("2024-02-20T10:41:38.657999999Z", "2024-02-20T10:41:38.657Z"),
        ] {
            let answer = write_roaming(&FACE, roaming(confirmed_at, None), None);
            assert!(answer.contains(written), "{answer}");
        }
    }
}
