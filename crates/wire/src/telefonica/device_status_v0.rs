//! Telefónica's Device Status: `POST /device-status/v0/roaming`.
//!
//! Source: the contract "Device Status" 0.4, and the sample code, which beside its `ueId` sends
//! a `phoneNumber`. But for that it is CAMARA device-status 0.4.

use attache_core::{Device, DeviceIdentifier, Problem, Scope};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    Answering, Body, Correlator, Description, Face, Identification, Several,
    camara::{
        device_status::{
            v0_4::{self, UeId},
            v0_5,
        },
        schema::{Msisdn, Port},
    },
    json::{self, Object, present, present_port},
};

/// Telefónica's Device Status: whether and where a line roams.
pub const FACE: Face = Face {
    api: "device-status",
    contract: "0.4",
    version: "v0",
    path: "/device-status/v0/roaming",
    is_meant: None,
    scope: Scope::new_static("device-status-roaming-read"),
    identification: Identification::BodyAgreesWithToken,
    several: Several::FirstKnown,
    correlator: Correlator::Undocumented,
    read,
    answer: Answering::Roaming(v0_5::write_roaming),
    refuse: v0_4::refuse,
    description: Description { request: Body::of::<Request>(), ..v0_4::DESCRIPTION },
};

/// `RequestRoamingStatus`, and the samples' `phoneNumber`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RequestRoamingStatus)]
struct Request {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = UeId)]
    ue_id: Option<Object<UeId>>,
    #[serde(default, deserialize_with = "present_port")]
    #[schema(value_type = Port)]
    ue_port: Option<u16>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Msisdn)]
    phone_number: Option<String>,
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

#[cfg(test)]
mod tests {
    use attache_core::Ipv4Identifier;

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
            (r#"{"ueId": {"ipv4Addr": "192.168.0.1"}, "uePort": 5060.0}"#, vec![ipv4("192.168.0.1", Some(5060))]),
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
