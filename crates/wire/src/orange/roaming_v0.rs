//! Orange's Device Roaming Status: `POST /camara/orange-lab/device-roaming-status/v0/retrieve`.
//!
//! Source: the page "Device Roaming Status - CAMARA Sandbox - Orange lab 0.1 Beta". Where it is
//! silent, the API is CAMARA device-roaming-status 0.6.

use attache_core::{Country, Device, DeviceIdentifier, PhoneNumber, Problem, Roaming, Scope, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{
        device::invalid,
        device_roaming_status::v0_6,
        error::error_info,
        error_v0_6,
        schema::{CountryName, LastStatusTime, PhoneNumber as PhoneNumberSchema, Status},
    },
    json::{self, Object, present},
};

/// Orange's Device Roaming Status.
pub const FACE: Face = Face {
    api: "device-roaming-status",
    contract: "0.1",
    version: "v0",
    path: "/camara/orange-lab/device-roaming-status/v0/retrieve",
    is_meant: None,
    scope: Scope::new_static("device-roaming-status:read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read,
    answer: Answering::Roaming(write),
    refuse,
    description: Description {
        request: Body::of::<Request>(),
        answer: Body::of::<Response>(),
        error: Body::of::<Error<'_>>(),
        ..v0_6::DESCRIPTION
    },
};

#[derive(Deserialize, ToSchema)]
#[schema(as = RoamingStatusRequest)]
struct Request {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = LabDevice)]
    device: Option<Object<LabDevice>>,
}

/// The device, by the names of both tables of the page, which differ. Only the phone number is
/// managed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Device, min_properties = 1)]
struct LabDevice {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = PhoneNumberSchema)]
    phone_number: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    msisdn: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "present", alias = "Ipv4Addr")]
    #[schema(value_type = String)]
    ipv4_addr: Option<String>,
    #[serde(default, deserialize_with = "present", alias = "Ipv6Addr")]
    #[schema(value_type = String)]
    ipv6_addr: Option<String>,
}

/// Reads a body whose device may be absent: the page does not make it mandatory.
fn read(body: &[u8]) -> Result<Device, Problem> {
    let Some(Object(device)) = json::read::<Request>(body)?.device else { return Ok(Device::default()) };
    if let Some(number) = device.phone_number {
        let number: PhoneNumber = number
            .parse()
            .map_err(|_| invalid("device.phoneNumber", "'+' and 5 to 15 digits are needed, the first not 0 (E.164)"))?;
        return Ok(Device::new(vec![DeviceIdentifier::PhoneNumber(number)]));
    }
    match (device.msisdn, device.external_id, device.ipv4_addr, device.ipv6_addr) {
        (None, None, None, None) => Err(invalid("device", "phoneNumber is needed")),
        _ => Err(Problem::IdentifierUnsupported),
    }
}

/// The answer. Its types are the page's: `countryCode` a text, `countryName` an empty list at home.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RoamingStatusResponse)]
struct Response {
    #[schema(value_type = LastStatusTime)]
    last_status_time: Nanoseconds,
    roaming: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    country_code: Option<String>,
    #[schema(value_type = CountryName)]
    country_name: &'static [&'static str],
}

/// A time with nanoseconds, as the page prints it.
struct Nanoseconds(Timestamp);

impl Serialize for Nanoseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.9}", self.0))
    }
}

fn write(answer: &Roaming, _: Option<&DeviceIdentifier>) -> Vec<u8> {
    json::write(&Response {
        last_status_time: Nanoseconds(answer.confirmed_at),
        roaming: answer.is_roaming(),
        country_code: answer.visited.map(|country| country.mcc().to_string()),
        country_name: answer.visited.map_or(&[], Country::names),
    })
}

/// The error envelope, its fields in the order in which the page prints them for 400, 401 and 403.
/// For 500 it prints the order of CAMARA's [`error_info`].
#[derive(Serialize, ToSchema)]
struct Error<'a> {
    code: &'static str,
    #[schema(value_type = Status)]
    status: u16,
    message: &'a str,
}

fn error(status: u16, code: &'static str, message: &str) -> Refusal {
    Refusal { status, body: json::write(&Error { code, status, message }) }
}

/// Writes a problem: the four printed errors as they are printed, everything else in the same fields
/// with CAMARA's code.
fn refuse(problem: &Problem) -> Refusal {
    match problem {
        // Clients may compare the printed message, so nothing is added to it.
        Problem::InvalidHeader { .. }
        | Problem::BodyIncomplete
        | Problem::BodyMissing
        | Problem::BodyMalformed { .. }
        | Problem::FieldMissing { .. }
        | Problem::FieldInvalid { .. } => error(400, "INVALID_ARGUMENT", "Invalid input"),
        // The page leaves the end of these two messages open; the reason stands there.
        Problem::CredentialsMissing
        | Problem::CredentialsInvalid
        | Problem::CredentialsExpired
        | Problem::ProofInvalid => error(401, "UNAUTHENTICATED", &format!("Authorization failed: {problem}")),
        Problem::ScopeMissing { .. } | Problem::LineOfAnotherToken | Problem::SubjectRefuses => {
            error(403, "PERMISSION_DENIED", &format!("Operation not allowed: {problem}"))
        }
        Problem::UnknownLine => error_info(500, "INTERNAL_SERVER_ERROR", "Internal Server Error, status code 500"),
        // The page's code for this status; the message tells it from a number that is not managed.
        Problem::Internal => error_info(500, "INTERNAL_SERVER_ERROR", &problem.to_string()),
        Problem::UnknownPath
        | Problem::MethodNotAllowed { .. }
        | Problem::TargetTooLong
        | Problem::NotAcceptable
        | Problem::UnsupportedMediaType
        | Problem::LengthRequired
        | Problem::BodyTooLarge { .. }
        | Problem::BodyTimedOut
        | Problem::IdentifierMissing
        | Problem::IdentifierUnnecessary
        | Problem::IdentifierUnsupported
        | Problem::IdentifiersDisagree
        | Problem::LineNotEligible
        | Problem::NeverSeen
        | Problem::TooManyRequests { .. }
        | Problem::QuotaExceeded { .. }
        | Problem::NetworkUnavailable
        | Problem::NetworkAnswerInvalid
        | Problem::NetworkTimedOut
        | Problem::Overloaded
        | Problem::StoreUnavailable => {
            let (status, code) = error_v0_6::status_and_code(problem, "UNABLE_TO_PROVIDE_ROAMING_STATUS");
            error(status, code, &problem.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, faulty_field, refusal, roaming, write_roaming};

    #[test]
    fn the_printed_request_is_read() {
        let body = b"{\n\"device\": {\n    \"phoneNumber\": \"+33699901032\"\n   }\n}\n";
        assert_eq!(read(body), Ok(device("+33699901032")));
        assert_eq!(read(b"{}"), Ok(Device::default()));
    }

    #[test]
    fn only_the_phone_number_is_managed() {
        for field in ["msisdn", "externalId", "ipv4Addr", "Ipv4Addr", "ipv6Addr", "Ipv6Addr"] {
            let alone = format!(r#"{{"device": {{"{field}": "1"}}}}"#);
            assert_eq!(read(alone.as_bytes()), Err(Problem::IdentifierUnsupported), "{field}");
            let beside = format!(r#"{{"device": {{"{field}": "1", "phoneNumber": "+33699901032"}}}}"#);
            assert_eq!(read(beside.as_bytes()), Ok(device("+33699901032")), "{field}");
            let number = format!(r#"{{"device": {{"{field}": 1}}}}"#);
            assert!(faulty_field(&FACE, &number).eq_ignore_ascii_case(&format!("device.{field}")), "{field}");
        }
    }

    #[test]
    fn a_device_without_identifier_and_a_number_without_plus_are_invalid() {
        assert_eq!(faulty_field(&FACE, r#"{"device": {}}"#), "device");
        assert_eq!(faulty_field(&FACE, r#"{"device": {"phoneNumber": "33699901032"}}"#), "device.phoneNumber");
        assert_eq!(faulty_field(&FACE, r#"{"device": {"phoneNumber": 33699901032}}"#), "device.phoneNumber");
    }

    #[test]
    fn the_printed_answer_is_written() {
        for (confirmed_at, visited, expected) in [
            (
                "2024-07-22T12:23:21.112125501Z",
                None,
                r#"{"lastStatusTime":"2024-07-22T12:23:21.112125501Z","roaming":false,"countryName":[]}"#,
            ),
            (
                "2024-07-22T12:23:21Z",
                Some("26201"),
                r#"{"lastStatusTime":"2024-07-22T12:23:21.000000000Z","roaming":true,"countryCode":"262","countryName":["DE"]}"#,
            ),
            (
                "2024-07-22T12:23:21Z",
                Some("90101"),
                r#"{"lastStatusTime":"2024-07-22T12:23:21.000000000Z","roaming":true,"countryCode":"901","countryName":[]}"#,
            ),
        ] {
            assert_eq!(write_roaming(&FACE, roaming(confirmed_at, visited), None), expected);
        }
    }

    #[test]
    fn the_printed_errors_are_written() {
        for (problem, status, body) in [
            (
                Problem::FieldMissing { field: "device" },
                400,
                r#"{"code":"INVALID_ARGUMENT","status":400,"message":"Invalid input"}"#,
            ),
            (
                Problem::CredentialsExpired,
                401,
                r#"{"code":"UNAUTHENTICATED","status":401,"message":"Authorization failed: the access token has expired; ask for a new one"}"#,
            ),
            (
                Problem::ScopeMissing { scope: Scope::new_static("device-roaming-status:read") },
                403,
                r#"{"code":"PERMISSION_DENIED","status":403,"message":"Operation not allowed: the access token lacks the scope device-roaming-status:read"}"#,
            ),
            (
                Problem::UnknownLine,
                500,
                r#"{"status":500,"code":"INTERNAL_SERVER_ERROR","message":"Internal Server Error, status code 500"}"#,
            ),
            (
                Problem::NeverSeen,
                422,
                r#"{"code":"UNABLE_TO_PROVIDE_ROAMING_STATUS","status":422,"message":"the network has no status of this device: it has never been seen"}"#,
            ),
        ] {
            assert_eq!(refusal(&FACE, &problem), (status, body.to_owned()));
        }
    }
}
