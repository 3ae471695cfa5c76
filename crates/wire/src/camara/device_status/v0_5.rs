//! CAMARA Device Status 0.5: `POST /device-status/v0/roaming` and `POST /device-status/v0/connectivity`.
//!
//! Source: the contract of device-status 0.5.1. It lists 400, 401, 403, 404, 500 and 503.

use attache_core::{Country, Device, DeviceIdentifier, PhoneNumber, Problem, Reachability, Roaming, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Answering, Body, Codes, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{
        device::{self, invalid},
        error::{self, ErrorInfo, error_info},
        schema::{CountryCode, CountryName, LenientPhoneNumber},
    },
    json::{self, Object, present},
};

/// Whether and where a device roams.
pub const ROAMING: Face = Face {
    api: "device-status",
    contract: "0.5",
    version: "v0",
    path: "/device-status/v0/roaming",
    is_meant: None,
    scope: Scope::new_static("device-status:roaming:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read,
    answer: Answering::Roaming(write_roaming),
    refuse,
    description: ROAMING_DESCRIPTION,
};

/// What its document says.
pub(crate) const ROAMING_DESCRIPTION: Description = Description {
    operation: "getRoamingStatus",
    summary: "Whether a device roams, and in which country",
    request: Body::of::<Request>(),
    example: device::EXAMPLE,
    answer: Body::of::<RoamingStatus>(),
    error: Body::of::<ErrorInfo<'_>>(),
    instead: &[Body::of::<LenientPhoneNumber>()],
    statuses: STATUSES,
    codes: Codes::Shown,
};

/// By what a device can be reached.
pub const CONNECTIVITY: Face = Face {
    api: "device-status",
    contract: "0.5",
    version: "v0",
    path: "/device-status/v0/connectivity",
    is_meant: None,
    scope: Scope::new_static("device-status:connectivity:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read,
    answer: Answering::Reachability(write_connectivity),
    refuse,
    description: CONNECTIVITY_DESCRIPTION,
};

/// What its document says.
pub(crate) const CONNECTIVITY_DESCRIPTION: Description = Description {
    operation: "getConnectivityStatus",
    summary: "By what a device can be reached",
    answer: Body::of::<Connectivity>(),
    ..ROAMING_DESCRIPTION
};

/// The statuses of errors that device-status 0.4 and 0.5 list.
pub(crate) const STATUSES: &[u16] = &[400, 401, 403, 404, 500, 503];

/// `RequestRoamingStatus` and `RequestConnectivityStatus`: an object with a device, which must be there.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Request {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = device::Device, required)]
    device: Option<Object<device::Device>>,
}

/// Reads a body whose device must be there.
pub(crate) fn read(body: &[u8]) -> Result<Device, Problem> {
    match json::read::<Request>(body)?.device {
        Some(Object(device)) => device.identify(|text| read_phone_number("device.phoneNumber", text)),
        None => Err(Problem::FieldMissing { field: "device" }),
    }
}

/// `PhoneNumber` of versions before 0.6: `^\+?[0-9]{5,15}$`.
///
/// # Errors
/// [`Problem::FieldInvalid`] for what the pattern excludes; [`Problem::UnknownLine`] for a leading 0,
/// which the pattern allows, but no line has.
pub(crate) fn read_phone_number(field: &str, text: &str) -> Result<PhoneNumber, Problem> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !(5..=15).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(field, "5 to 15 digits are needed, after a '+' or without"));
    }
    PhoneNumber::from_digits(digits).map_err(|_| Problem::UnknownLine)
}

/// `RoamingStatusResponse`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RoamingStatusResponse)]
pub(crate) struct RoamingStatus {
    roaming: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = CountryCode)]
    country_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = CountryName)]
    country_name: Option<&'static [&'static str]>,
}

/// Writes `RoamingStatusResponse`.
pub(crate) fn write_roaming(answer: &Roaming, _: Option<&DeviceIdentifier>) -> Vec<u8> {
    json::write(&RoamingStatus {
        roaming: answer.is_roaming(),
        country_code: answer.visited.map(|country| country.mcc().number()),
        country_name: answer.visited.map(Country::names),
    })
}

/// `ConnectivityStatus`: the best way by which a device can be reached.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ConnectivityStatus {
    /// By data, and perhaps by SMS.
    ConnectedData,
    /// By SMS only.
    ConnectedSms,
    /// By neither.
    NotConnected,
}

impl From<&Reachability> for ConnectivityStatus {
    fn from(answer: &Reachability) -> Self {
        match (answer.data, answer.sms) {
            (true, _) => Self::ConnectedData,
            (false, true) => Self::ConnectedSms,
            (false, false) => Self::NotConnected,
        }
    }
}

/// `ConnectivityStatusResponse`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectivityStatusResponse)]
struct Connectivity {
    connectivity_status: ConnectivityStatus,
}

/// Writes `ConnectivityStatusResponse`.
pub(crate) fn write_connectivity(answer: &Reachability, _: Option<&DeviceIdentifier>) -> Vec<u8> {
    json::write(&Connectivity { connectivity_status: answer.into() })
}

/// Writes a problem.
pub(crate) fn refuse(problem: &Problem) -> Refusal {
    let (status, code) = match problem {
        // 422 is not among the statuses of 0.5: what is wrong with the identifiers is wrong with the
        // request.
        Problem::IdentifierMissing
        | Problem::IdentifierUnnecessary
        | Problem::IdentifierUnsupported
        | Problem::IdentifiersDisagree => (400, "INVALID_ARGUMENT"),
        // The code of the Commonalities of its time; 0.5 gives PERMISSION_DENIED as an example only.
        Problem::LineOfAnotherToken => (403, "INVALID_TOKEN_CONTEXT"),
        // A rule forbids it, and neither another request nor waiting helps.
        Problem::LineNotEligible => (403, "PERMISSION_DENIED"),
        Problem::UnknownLine => (404, "NOT_FOUND"),
        // As in 1.x, of what 0.5 lists as well or leaves to the Commonalities.
        Problem::UnknownPath
        | Problem::MethodNotAllowed { .. }
        | Problem::TargetTooLong
        | Problem::InvalidHeader { .. }
        | Problem::NotAcceptable
        | Problem::UnsupportedMediaType
        | Problem::LengthRequired
        | Problem::BodyTooLarge { .. }
        | Problem::BodyTimedOut
        | Problem::BodyIncomplete
        | Problem::BodyMissing
        | Problem::BodyMalformed { .. }
        | Problem::FieldMissing { .. }
        | Problem::FieldInvalid { .. }
        | Problem::CredentialsMissing
        | Problem::CredentialsInvalid
        | Problem::ProofInvalid
        | Problem::CredentialsExpired
        | Problem::ScopeMissing { .. }
        | Problem::SubjectRefuses
        | Problem::NeverSeen
        | Problem::TooManyRequests { .. }
        | Problem::QuotaExceeded { .. }
        | Problem::NetworkUnavailable
        | Problem::NetworkAnswerInvalid
        | Problem::NetworkTimedOut
        | Problem::Overloaded
        | Problem::StoreUnavailable
        | Problem::Internal => return error::refuse(problem),
    };
    error_info(status, code, &problem.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const CONFIRMED: &str = "2024-02-20T10:41:38.657Z";

    #[test]
    fn a_number_stands_with_or_without_plus() {
        for number in ["123456789", "+123456789"] {
            let body = format!(r#"{{"device": {{"phoneNumber": "{number}"}}}}"#);
            assert_eq!(read(body.as_bytes()), Ok(testing::device("+123456789")), "{number}");
        }
    }

    #[test]
    fn a_number_that_the_pattern_excludes_is_a_fault_of_its_field() {
        for number in ["", "1234", "+1234", "1234567890123456", "++12345", "12 345", "١٢٣٤٥"] {
            let body = format!(r#"{{"device": {{"phoneNumber": "{number}"}}}}"#);
            assert_eq!(testing::faulty_field(&ROAMING, &body), "device.phoneNumber", "{number}");
        }
    }

    #[test]
    fn a_number_that_the_pattern_allows_and_no_line_has_is_unknown() {
        for number in ["00000", "+0123456789"] {
            let body = format!(r#"{{"device": {{"phoneNumber": "{number}"}}}}"#);
            assert_eq!(read(body.as_bytes()), Err(Problem::UnknownLine), "{number}");
        }
    }

    #[test]
    fn the_device_is_required() {
        assert_eq!(read(b"{}"), Err(Problem::FieldMissing { field: "device" }));
        assert_eq!(testing::faulty_field(&CONNECTIVITY, r#"{"device": {}}"#), "device");
    }

    #[test]
    fn every_printed_roaming_status_is_written() {
        for (visited, expected) in [
            (None, r#"{"roaming":false}"#),
            (Some("90101"), r#"{"roaming":true,"countryCode":901,"countryName":[]}"#),
            (Some("26201"), r#"{"roaming":true,"countryCode":262,"countryName":["DE"]}"#),
            (Some("34001"), r#"{"roaming":true,"countryCode":340,"countryName":["BL","GF","GP","MF","MQ"]}"#),
        ] {
            assert_eq!(testing::write_roaming(&ROAMING, testing::roaming(CONFIRMED, visited), None), expected);
        }
    }

    #[test]
    fn every_printed_connectivity_status_is_written() {
        for (data, sms, expected) in [
            (true, true, "CONNECTED_DATA"),
            (true, false, "CONNECTED_DATA"),
            (false, true, "CONNECTED_SMS"),
            (false, false, "NOT_CONNECTED"),
        ] {
            let answer = testing::reachability(CONFIRMED, data, sms);
            assert_eq!(
                testing::write_reachability(&CONNECTIVITY, answer, None),
                format!(r#"{{"connectivityStatus":"{expected}"}}"#)
            );
        }
    }

    #[test]
    fn a_token_for_another_line_is_told_from_one_without_the_scope() {
        let (status, body) = testing::refusal(&ROAMING, &Problem::LineOfAnotherToken);
        assert_eq!(status, 403);
        assert!(body.starts_with(r#"{"status":403,"code":"INVALID_TOKEN_CONTEXT","message":"#), "{body}");
    }
}
