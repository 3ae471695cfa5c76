//! CAMARA Device Status 0.4: `POST /device-status/v0/roaming`, a path that it shares with 0.5.
//!
//! Source: the contract of device-status 0.4.1. It lists 400, 401, 403, 404, 500 and 503. The answer is
//! that of 0.5.

use std::net::{Ipv4Addr, Ipv6Addr};

use attache_core::{Device, DeviceIdentifier, Ipv4Identifier, PhoneNumber, Problem, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::v0_5;
use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Refusal, Several,
    camara::{
        device::invalid,
        schema::{ExternalId, Ipv4AddrWithMask, Ipv6AddrWithMask, Msisdn, Port},
    },
    json::{self, FieldNames, Object, present, present_port},
};

/// Device Status 0.4: whether and where a line roams.
pub const FACE: Face = Face {
    api: "device-status",
    contract: "0.4",
    version: "v0",
    path: "/device-status/v0/roaming",
    is_meant: Some(is_meant),
    scope: Scope::new_static("device-status-roaming-read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read,
    answer: Answering::Roaming(v0_5::write_roaming),
    refuse,
    description: DESCRIPTION,
};

/// What its document says.
pub(crate) const DESCRIPTION: Description = Description {
    request: Body::of::<Request>(),
    example: r#"{"ueId":{"msisdn":"+12025550123"}}"#,
    error: Body::of::<ErrorInfo<'_>>(),
    instead: &[],
    ..v0_5::ROAMING_DESCRIPTION
};

/// Whether a body is of 0.4 and not of 0.5: an object with `ueId` and without `device`.
fn is_meant(body: &[u8]) -> bool {
    let names = json::read::<FieldNames>(body);
    names.is_ok_and(|FieldNames(names)| names.contains("ueId") && !names.contains("device"))
}

/// `RequestRoamingStatus`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RequestRoamingStatus)]
struct Request {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = UeId, required)]
    ue_id: Option<Object<UeId>>,
    #[serde(default, deserialize_with = "present_port")]
    #[schema(value_type = Port)]
    ue_port: Option<u16>,
}

fn read(body: &[u8]) -> Result<Device, Problem> {
    let Request { ue_id, ue_port } = json::read(body)?;
    ue_id.ok_or(Problem::FieldMissing { field: "ueId" })?.0.identify(ue_port, None)
}

/// `UeId`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(min_properties = 1)]
pub(crate) struct UeId {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = ExternalId)]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Msisdn)]
    msisdn: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Ipv4AddrWithMask)]
    ipv4_addr: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Ipv6AddrWithMask)]
    ipv6_addr: Option<String>,
}

impl UeId {
    /// The identifiers, in the order of their trustworthiness, with the port and the number that stand
    /// beside them.
    pub(crate) fn identify(self, port: Option<u16>, number_beside: Option<PhoneNumber>) -> Result<Device, Problem> {
        if self.external_id.is_none() && self.msisdn.is_none() && self.ipv4_addr.is_none() && self.ipv6_addr.is_none() {
            return Err(invalid("ueId", "at least one of msisdn, ipv4Addr, ipv6Addr and externalId is needed"));
        }
        let ipv4 = self.ipv4_addr.map(|text| read_ipv4(&text)).transpose()?.flatten();
        let ipv6 = self.ipv6_addr.map(|text| read_ipv6(&text)).transpose()?.flatten();
        // Last, because a number that no line can have is no fault of the request; another field may be.
        let msisdn = self.msisdn.map(|text| v0_5::read_phone_number("ueId.msisdn", &text)).transpose()?;
        if let (Some(msisdn), Some(beside)) = (msisdn, number_beside)
            && msisdn != beside
        {
            return Err(Problem::IdentifiersDisagree);
        }

        let mut identifiers = Vec::new();
        identifiers.extend(msisdn.or(number_beside).map(DeviceIdentifier::PhoneNumber));
        identifiers.extend(ipv4.map(|public_address| {
            DeviceIdentifier::Ipv4(Ipv4Identifier { public_address, public_port: port, private_address: None })
        }));
        identifiers.extend(ipv6.map(DeviceIdentifier::Ipv6));
        identifiers.extend(self.external_id.map(DeviceIdentifier::NetworkAccessIdentifier));
        if identifiers.is_empty() {
            return Err(Problem::IdentifierUnsupported);
        }
        Ok(Device::new(identifiers))
    }
}

/// `Ipv4Addr`: an address, perhaps with a mask. `None` for a range, which the contract allows, but
/// which names no line.
fn read_ipv4(text: &str) -> Result<Option<Ipv4Addr>, Problem> {
    let malformed = || invalid("ueId.ipv4Addr", "an IPv4 address is needed, alone or with a mask from /0 to /32");
    let (address, mask) = split_mask(text);
    let address: Ipv4Addr = address.parse().map_err(|_| malformed())?;
    let is_single = match mask {
        None => true,
        Some(mask) => {
            let two_digits_with_leading_zero = mask.len() == 2 && mask.starts_with('0');
            let width = read_mask(mask, 32).filter(|_| !two_digits_with_leading_zero).ok_or_else(malformed)?;
            width == 32
        }
    };
    Ok(is_single.then_some(address))
}

/// `Ipv6Addr`: an address as RFC 5952 writes it, in small letters and without leading zeros, perhaps
/// with a mask. `None` for a range.
fn read_ipv6(text: &str) -> Result<Option<Ipv6Addr>, Problem> {
    let malformed =
        || invalid("ueId.ipv6Addr", "an IPv6 address as in RFC 5952 is needed, alone or with a mask from /0 to /128");
    let (address, mask) = split_mask(text);
    let as_the_pattern_has_it = |group: &str| {
        let hexadecimal = group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        hexadecimal && (group == "0" || !group.starts_with('0'))
    };
    if !address.split(':').all(as_the_pattern_has_it) {
        return Err(malformed());
    }
    let address: Ipv6Addr = address.parse().map_err(|_| malformed())?;
    let is_single = match mask {
        None => true,
        Some(mask) => read_mask(mask, 128).ok_or_else(malformed)? == 128,
    };
    Ok(is_single.then_some(address))
}

fn split_mask(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((address, mask)) => (address, Some(mask)),
        None => (text, None),
    }
}

/// The width of a mask, in one to three digits.
fn read_mask(text: &str, widest: u8) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|width| digits && *width <= widest && (text.len() < 3 || *width > 99))
}

/// `ErrorInfo`, which here has no status.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorInfo<'a> {
    code: &'static str,
    message: &'a str,
}

/// Writes a problem.
pub(crate) fn refuse(problem: &Problem) -> Refusal {
    let (status, code) = match problem {
        // 422 is not among the statuses of 0.4: what is wrong with the identifiers is wrong with the
        // request.
        Problem::InvalidHeader { .. }
        | Problem::BodyIncomplete
        | Problem::BodyMissing
        | Problem::BodyMalformed { .. }
        | Problem::FieldMissing { .. }
        | Problem::FieldInvalid { .. }
        | Problem::IdentifierMissing
        | Problem::IdentifierUnnecessary
        | Problem::IdentifierUnsupported
        | Problem::IdentifiersDisagree => (400, "INVALID_INPUT"),
        Problem::CredentialsMissing
        | Problem::CredentialsInvalid
        | Problem::CredentialsExpired
        | Problem::ProofInvalid => (401, "UNAUTHORIZED"),
        // A line that the service is not offered for stays so: no other request and no waiting helps.
        Problem::ScopeMissing { .. }
        | Problem::LineOfAnotherToken
        | Problem::SubjectRefuses
        | Problem::LineNotEligible => (403, "FORBIDDEN"),
        Problem::UnknownPath | Problem::UnknownLine => (404, "NOT_FOUND"),
        Problem::Internal => (500, "INTERNAL_SERVER_ERROR"),
        Problem::NeverSeen
        | Problem::NetworkUnavailable
        | Problem::NetworkAnswerInvalid
        | Problem::NetworkTimedOut
        | Problem::Overloaded
        | Problem::StoreUnavailable => (503, "SERVICE_UNAVAILABLE"),
        // 0.4 does not list these statuses; the codes are CAMARA's.
        Problem::MethodNotAllowed { .. } => (405, "METHOD_NOT_ALLOWED"),
        Problem::NotAcceptable => (406, "NOT_ACCEPTABLE"),
        Problem::BodyTimedOut => (408, "REQUEST_TIMEOUT"),
        Problem::LengthRequired => (411, "LENGTH_REQUIRED"),
        Problem::BodyTooLarge { .. } => (413, "CONTENT_TOO_LARGE"),
        Problem::TargetTooLong => (414, "URI_TOO_LONG"),
        Problem::UnsupportedMediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
        Problem::TooManyRequests { .. } => (429, "TOO_MANY_REQUESTS"),
        Problem::QuotaExceeded { .. } => (429, "QUOTA_EXCEEDED"),
    };
    // The document's messages for these two end in an ellipsis, where the reason stands.
    let message = match status {
        401 => format!("Authorization failed: {problem}"),
        403 => format!("Operation not allowed: {problem}"),
        _ => problem.to_string(),
    };
    Refusal { status, body: json::write(&ErrorInfo { code, message: &message }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{device, faulty_field, refusal};

    #[test]
    fn a_body_with_ue_id_and_without_device_is_meant_for_it() {
        for (body, expected) in [
            (r#"{"ueId": {"msisdn": "+34777777777"}}"#, true),
            (r#"{"\u0075eId": {}}"#, true),
            (r#"{"ueId": null, "phoneNumber": "+34777777777"}"#, true),
            (r#"{"ueId": {}, "ueId": {}}"#, true),
            (r#"{"ueId": {}, "device": {}}"#, false),
            (r#"{"ueId": {}, "device": null}"#, false),
            (r#"{"device": {"ueId": {}}}"#, false),
            (r#"{"uePort": 5060}"#, false),
            (r#"{"UEID": {}}"#, false),
            (r"{}", false),
            (r#"[{"ueId": {}}]"#, false),
            (r#"{"ueId": {}"#, false),
            ("", false),
        ] {
            assert_eq!(is_meant(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn the_request_is_what_the_contract_says() {
        for port in ["5060", "5060.0"] {
            let body = format!(r#"{{"ueId": {{"msisdn": "34777777777"}}, "uePort": {port}}}"#);
            assert_eq!(read(body.as_bytes()), Ok(device("+34777777777")));
        }
        for (field, body) in [
            ("ueId", r#"{"uePort": 5060}"#),
            // Telefónica's samples send it, the contract does not know it.
            ("ueId", r#"{"phoneNumber": "+34777777777"}"#),
            ("ueId", r#"{"ueId": null}"#),
            ("ueId", r#"{"ueId": {}}"#),
            ("uePort", r#"{"ueId": {"msisdn": "34777777777"}, "uePort": -1}"#),
            ("ueId.msisdn", r#"{"ueId": {"msisdn": "34 777"}}"#),
        ] {
            assert_eq!(faulty_field(&FACE, body), field, "{body}");
        }
    }

    #[test]
    fn a_number_that_no_line_can_have_is_told_after_the_faults_of_the_request() {
        let faulty = r#"{"ueId": {"msisdn": "012345", "ipv4Addr": "84.125.93.256"}}"#;
        assert_eq!(faulty_field(&FACE, faulty), "ueId.ipv4Addr");
        assert_eq!(read(br#"{"ueId": {"msisdn": "012345"}}"#), Err(Problem::UnknownLine));
    }

    #[test]
    fn an_error_has_no_status() {
        let body = r#"{"code":"INVALID_INPUT","message":"the field ueId is missing"}"#;
        assert_eq!(refusal(&FACE, &Problem::FieldMissing { field: "ueId" }), (400, body.to_owned()));
    }
}
