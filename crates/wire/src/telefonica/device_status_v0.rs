//! Telefónica's Device Status: `POST /device-status/v0/roaming`.
//!
//! Source: the contract "Device Status" 0.4, and the sample code, which beside its `ueId` sends
//! a `phoneNumber`. The answer is that of CAMARA device-status 0.5.

use std::net::{Ipv4Addr, Ipv6Addr};

use attache_core::{Device, DeviceIdentifier, Ipv4Identifier, PhoneNumber, Problem, Scope};
use serde::{Deserialize, Serialize};

use crate::{
    Answering, Correlator, Face, Identification, Refusal,
    camara::{device::invalid, device_status::v0_5},
    json::{self, Object, present},
};

/// Telefónica's Device Status: whether and where a line roams.
pub const FACE: Face = Face {
    api: "device-status",
    version: "v0",
    path: "/device-status/v0/roaming",
    scope: Scope::new_static("device-status-roaming-read"),
    identification: Identification::BodyAgreesWithToken,
    correlator: Correlator::Echoed,
    read,
    answer: Answering::Roaming(v0_5::write_roaming),
    refuse,
};

/// `RequestRoamingStatus`, and the samples' `phoneNumber`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default, deserialize_with = "present")]
    ue_id: Option<Object<UeId>>,
    #[serde(default, deserialize_with = "present")]
    ue_port: Option<u16>,
    #[serde(default, deserialize_with = "present")]
    phone_number: Option<String>,
}

/// `UeId`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UeId {
    #[serde(default, deserialize_with = "present")]
    external_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    msisdn: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ipv4_addr: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ipv6_addr: Option<String>,
}

fn read(body: &[u8]) -> Result<Device, Problem> {
    let request: Request = json::read(body)?;
    let number = request.phone_number.map(|text| v0_5::read_phone_number("phoneNumber", &text)).transpose()?;
    match (request.ue_id, number) {
        (Some(Object(ue_id)), number) => ue_id.identify(request.ue_port, number),
        (None, Some(number)) => Ok(Device::new(vec![DeviceIdentifier::PhoneNumber(number)])),
        (None, None) => Err(Problem::FieldMissing { field: "ueId" }),
    }
}

impl UeId {
    /// The identifiers, in the order of their trustworthiness, with the number that stands beside them.
    fn identify(self, port: Option<u16>, number_beside: Option<PhoneNumber>) -> Result<Device, Problem> {
        if self.external_id.is_none() && self.msisdn.is_none() && self.ipv4_addr.is_none() && self.ipv6_addr.is_none() {
            return Err(invalid("ueId", "at least one of msisdn, ipv4Addr, ipv6Addr and externalId is needed"));
        }
        let msisdn = self.msisdn.map(|text| v0_5::read_phone_number("ueId.msisdn", &text)).transpose()?;
        if let (Some(msisdn), Some(beside)) = (msisdn, number_beside)
            && msisdn != beside
        {
            return Err(Problem::IdentifiersDisagree);
        }
        let ipv4 = self.ipv4_addr.map(|text| read_ipv4(&text)).transpose()?.flatten();
        let ipv6 = self.ipv6_addr.map(|text| read_ipv6(&text)).transpose()?.flatten();

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
#[derive(Serialize)]
struct ErrorInfo<'a> {
    code: &'static str,
    message: &'a str,
}

/// Writes a problem, also for what no face catches.
pub(super) fn refuse(problem: &Problem) -> Refusal {
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
        Problem::CredentialsMissing | Problem::CredentialsInvalid | Problem::CredentialsExpired => {
            (401, "UNAUTHORIZED")
        }
        // A line that the service is not offered for stays so: no other request and no waiting helps.
        Problem::ScopeMissing { .. } | Problem::LineOfAnotherToken | Problem::LineNotEligible => (403, "FORBIDDEN"),
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
    use crate::testing::{self, device, faulty_field, phone_number, refusal, roaming};

    fn ipv4(address: &str, public_port: Option<u16>) -> DeviceIdentifier {
        let public_address = address.parse().unwrap();
        DeviceIdentifier::Ipv4(Ipv4Identifier { public_address, public_port, private_address: None })
    }

    fn ipv6(address: &str) -> DeviceIdentifier {
        DeviceIdentifier::Ipv6(address.parse().unwrap())
    }

    fn external(identifier: &str) -> DeviceIdentifier {
        DeviceIdentifier::NetworkAccessIdentifier(identifier.into())
    }

    #[test]
    fn the_requests_of_the_samples_are_read() {
        for body in [
            r#"{"ueId": { "msisdn": "+34777777777" }}"#,
            r#"{"phoneNumber": "+34777777777"}"#,
            r#"{"ueId": { "msisdn": "34777777777" }}"#,
            r#"{"ueId": { "msisdn": "34777777777" }, "phoneNumber": "+34777777777"}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Ok(device("+34777777777")), "{body}");
        }
    }

    #[test]
    fn a_line_is_named_by_what_the_contract_lists() {
        let table: &[(&str, Vec<DeviceIdentifier>)] = &[
            (r#"{"ueId": {"externalId": "123456789@domain.com"}}"#, vec![external("123456789@domain.com")]),
            (r#"{"ueId": {"ipv4Addr": "192.168.0.1"}, "uePort": 5060}"#, vec![ipv4("192.168.0.1", Some(5060))]),
            (r#"{"ueId": {"ipv4Addr": "192.168.0.1/32"}}"#, vec![ipv4("192.168.0.1", None)]),
            (
                r#"{"ueId": {"ipv6Addr": "2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#,
                vec![ipv6("2001:db8:85a3:8d3:1319:8a2e:370:7344")],
            ),
            (r#"{"ueId": {"ipv6Addr": "2001:db8:85a3:8d3::/128"}}"#, vec![ipv6("2001:db8:85a3:8d3::")]),
            (
                r#"{"ueId": {"externalId": "a@b", "ipv6Addr": "::1", "ipv4Addr": "1.2.3.4"}, "phoneNumber": "+12345"}"#,
                vec![phone_number("+12345"), ipv4("1.2.3.4", None), ipv6("::1"), external("a@b")],
            ),
            // A range names no line; it is left out where something else does.
            (r#"{"ueId": {"msisdn": "12345", "ipv4Addr": "192.168.0.1/24"}}"#, vec![phone_number("+12345")]),
        ];
        for (body, expected) in table {
            assert_eq!(read(body.as_bytes()).unwrap().identifiers(), expected.as_slice(), "{body}");
        }
    }

    #[test]
    fn a_faulty_request_is_refused_with_the_path_of_its_fault() {
        for (field, body) in [
            ("ueId", r"{}"),
            ("ueId", r#"{"uePort": 5060}"#),
            ("ueId", r#"{"ueId": {}}"#),
            ("ueId", r#"{"ueId": {}, "phoneNumber": "+34777777777"}"#),
            ("ueId", r#"{"ueId": "+34777777777"}"#),
            ("phoneNumber", r#"{"phoneNumber": "+34 777"}"#),
            ("phoneNumber", r#"{"phoneNumber": 34777777777}"#),
            ("uePort", r#"{"ueId": {"ipv4Addr": "1.2.3.4"}, "uePort": 65536}"#),
            ("ueId.msisdn", r#"{"ueId": {"msisdn": "1234"}}"#),
            ("ueId.msisdn", r#"{"ueId": {"msisdn": 34777777777}}"#),
            ("ueId.ipv4Addr", r#"{"ueId": {"ipv4Addr": "1.2.3"}}"#),
            ("ueId.ipv4Addr", r#"{"ueId": {"ipv4Addr": "1.2.3.4/33"}}"#),
            ("ueId.ipv4Addr", r#"{"ueId": {"ipv4Addr": "1.2.3.4/"}}"#),
            ("ueId.ipv4Addr", r#"{"ueId": {"ipv4Addr": "1.2.3.4/+8"}}"#),
            ("ueId.ipv4Addr", r#"{"ueId": {"ipv4Addr": "1.2.3.4/08"}}"#),
            ("ueId.ipv6Addr", r#"{"ueId": {"ipv6Addr": "2001:0db8::1"}}"#),
            ("ueId.ipv6Addr", r#"{"ueId": {"ipv6Addr": "2001:DB8::1"}}"#),
            ("ueId.ipv6Addr", r#"{"ueId": {"ipv6Addr": "::ffff:1.2.3.4"}}"#),
            ("ueId.ipv6Addr", r#"{"ueId": {"ipv6Addr": "::1/129"}}"#),
            ("ueId.ipv6Addr", r#"{"ueId": {"ipv6Addr": "::1/008"}}"#),
            ("ueId.ipv6Addr", r#"{"ueId": {"ipv6Addr": "1::2::3"}}"#),
        ] {
            assert_eq!(faulty_field(&FACE, body), field, "{body}");
        }
    }

    #[test]
    fn what_can_be_no_line_is_told() {
        for (body, problem) in [
            (r#"{"ueId": {"msisdn": "0034777777777"}}"#, Problem::UnknownLine),
            (r#"{"ueId": {"ipv4Addr": "192.168.0.1/24"}}"#, Problem::IdentifierUnsupported),
            (r#"{"ueId": {"ipv6Addr": "2001:db8:85a3:8d3::0/64"}}"#, Problem::IdentifierUnsupported),
            (r#"{"ueId": {"msisdn": "+34777777777"}, "phoneNumber": "+34666666666"}"#, Problem::IdentifiersDisagree),
        ] {
            assert_eq!(read(body.as_bytes()), Err(problem), "{body}");
        }
    }

    #[test]
    fn the_printed_answers_are_written() {
        for (visited, expected) in [
            ("90101", r#"{"roaming":true,"countryCode":901,"countryName":[]}"#),
            ("26201", r#"{"roaming":true,"countryCode":262,"countryName":["DE"]}"#),
            ("34001", r#"{"roaming":true,"countryCode":340,"countryName":["BL","GF","GP","MF","MQ"]}"#),
        ] {
            let answer = roaming("2024-02-20T10:41:38.657Z", Some(visited));
            assert_eq!(testing::write_roaming(&FACE, answer, None), expected);
        }
    }

    #[test]
    fn an_error_is_a_code_and_a_message() {
        for (problem, status, body) in [
            (
                Problem::FieldMissing { field: "ueId" },
                400,
                r#"{"code":"INVALID_INPUT","message":"the field ueId is missing"}"#,
            ),
            (
                Problem::CredentialsExpired,
                401,
                r#"{"code":"UNAUTHORIZED","message":"Authorization failed: the access token has expired; ask for a new one"}"#,
            ),
            (
                Problem::LineOfAnotherToken,
                403,
                r#"{"code":"FORBIDDEN","message":"Operation not allowed: the device in the request is not the one that the access token was issued for"}"#,
            ),
        ] {
            assert_eq!(refusal(&FACE, &problem), (status, body.to_owned()));
        }
    }
}
