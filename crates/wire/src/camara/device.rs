//! The CAMARA `Device`: the identifiers by which a request names its line.
//!
//! Source: `Device`, `DeviceResponse` and the types that they name, in the contracts of
//! device-roaming-status and device-reachability-status 1.1 and 0.6, and of device-status 0.5.1, whose
//! phone number alone differs. No fault that is reported quotes a value: it may be personal data.

use std::net::{Ipv4Addr, Ipv6Addr};

use attache_core::{DeviceIdentifier, Ipv4Identifier, PhoneNumber, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema::{DeviceIpv4Addr, DeviceIpv6Address, NetworkAccessIdentifier, Port, SingleIpv4Addr};
use crate::json::{self, Object, present, present_port};

/// The body of every query: an object with a device.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeviceRequest {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Device)]
    pub(crate) device: Option<Object<Device>>,
}

/// `Device`, as it is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(min_properties = 1)]
pub(crate) struct Device {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = super::schema::PhoneNumber)]
    phone_number: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = NetworkAccessIdentifier)]
    network_access_identifier: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DeviceIpv4Addr)]
    ipv4_address: Option<Object<Ipv4Address>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = DeviceIpv6Address)]
    ipv6_address: Option<Ipv6Addr>,
}

/// `DeviceIpv4Addr`, as it is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ipv4Address {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SingleIpv4Addr)]
    public_address: Option<Ipv4Addr>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = SingleIpv4Addr)]
    private_address: Option<Ipv4Addr>,
    #[serde(default, deserialize_with = "present_port")]
    #[schema(value_type = Port)]
    public_port: Option<u16>,
}

/// A body for trying things out. The number is one of those that are kept for fiction.
pub(crate) const EXAMPLE: &str = r#"{"device":{"phoneNumber":"+12025550123"}}"#;

/// Reads a body whose device may be absent, with the phone number of 0.6 and 1.x.
pub(crate) fn read(body: &[u8]) -> Result<attache_core::Device, Problem> {
    match json::read::<DeviceRequest>(body)?.device {
        Some(Object(device)) => device.identify(read_phone_number),
        None => Ok(attache_core::Device::default()),
    }
}

/// `PhoneNumber` of 0.6 and 1.x: `^\+[1-9][0-9]{4,14}$`.
pub(crate) fn read_phone_number(text: &str) -> Result<PhoneNumber, Problem> {
    text.parse()
        .map_err(|_| invalid("device.phoneNumber", "'+' and 5 to 15 digits are needed, the first not 0 (E.164)"))
}

impl Device {
    /// The identifiers, in the order of their trustworthiness. The phone number is read as the
    /// version of the API has it.
    pub(crate) fn identify(
        self,
        read_phone_number: impl FnOnce(&str) -> Result<PhoneNumber, Problem>,
    ) -> Result<attache_core::Device, Problem> {
        let mut identifiers = Vec::new();
        let ipv4 = self.ipv4_address.map(|Object(address)| address.identify()).transpose()?;
        // Last, because a number that no line can have is no fault of the request; another field may be.
        if let Some(number) = self.phone_number {
            identifiers.push(DeviceIdentifier::PhoneNumber(read_phone_number(&number)?));
        }
        identifiers.extend(ipv4.map(DeviceIdentifier::Ipv4));
        if let Some(address) = self.ipv6_address {
            identifiers.push(DeviceIdentifier::Ipv6(address));
        }
        if let Some(identifier) = self.network_access_identifier {
            identifiers.push(DeviceIdentifier::NetworkAccessIdentifier(identifier));
        }
        if identifiers.is_empty() {
            return Err(invalid(
                "device",
                "at least one of phoneNumber, ipv4Address, ipv6Address and networkAccessIdentifier is needed",
            ));
        }
        Ok(attache_core::Device::new(identifiers))
    }
}

impl Ipv4Address {
    fn identify(self) -> Result<Ipv4Identifier, Problem> {
        let Some(public_address) = self.public_address else {
            return Err(Problem::FieldMissing { field: "device.ipv4Address.publicAddress" });
        };
        // Many lines share one public address, so the contract asks for what tells them apart.
        if self.public_port.is_none() && self.private_address.is_none() {
            return Err(invalid("device.ipv4Address", "publicPort or privateAddress is needed beside publicAddress"));
        }
        Ok(Ipv4Identifier { public_address, public_port: self.public_port, private_address: self.private_address })
    }
}

/// A field whose value its contract does not allow.
pub(crate) fn invalid(field: &str, reason: &str) -> Problem {
    Problem::FieldInvalid { field: field.into(), reason: reason.into() }
}

/// `DeviceResponse`: the one identifier that was used of several in the request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeviceResponse<'a> {
    /// `phoneNumber`.
    PhoneNumber(PhoneNumber),
    /// `ipv4Address`.
    Ipv4Address(Ipv4Response),
    /// `ipv6Address`.
    Ipv6Address(Ipv6Addr),
    /// `networkAccessIdentifier`.
    NetworkAccessIdentifier(&'a str),
}

/// `DeviceIpv4Addr` in a response: what the request named, and no more.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ipv4Response {
    public_address: Ipv4Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_address: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_port: Option<u16>,
}

impl<'a> From<&'a DeviceIdentifier> for DeviceResponse<'a> {
    fn from(identifier: &'a DeviceIdentifier) -> Self {
        match identifier {
            DeviceIdentifier::PhoneNumber(number) => Self::PhoneNumber(*number),
            DeviceIdentifier::Ipv4(Ipv4Identifier { public_address, public_port, private_address }) => {
                Self::Ipv4Address(Ipv4Response {
                    public_address: *public_address,
                    private_address: *private_address,
                    public_port: *public_port,
                })
            }
            DeviceIdentifier::Ipv6(address) => Self::Ipv6Address(*address),
            DeviceIdentifier::NetworkAccessIdentifier(identifier) => Self::NetworkAccessIdentifier(identifier),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> DeviceIdentifier {
        DeviceIdentifier::PhoneNumber(text.parse().unwrap())
    }

    fn ipv4(public: &str, port: Option<u16>, private: Option<&str>) -> DeviceIdentifier {
        DeviceIdentifier::Ipv4(Ipv4Identifier {
            public_address: public.parse().unwrap(),
            public_port: port,
            private_address: private.map(|address| address.parse().unwrap()),
        })
    }

    fn ipv6(text: &str) -> DeviceIdentifier {
        DeviceIdentifier::Ipv6(text.parse().unwrap())
    }

    fn external(text: &str) -> DeviceIdentifier {
        DeviceIdentifier::NetworkAccessIdentifier(text.into())
    }

    #[test]
    fn a_device_is_what_its_identifiers_say() {
        let table: &[(&str, &str, Vec<DeviceIdentifier>)] = &[
            ("no device", r"{}", vec![]),
            ("an unknown field", r#"{"subject": null}"#, vec![]),
            ("phone number", r#"{"device": {"phoneNumber": "+123456789"}}"#, vec![number("+123456789")]),
            ("its shortest", r#"{"device": {"phoneNumber": "+12345"}}"#, vec![number("+12345")]),
            ("its longest", r#"{"device": {"phoneNumber": "+123456789012345"}}"#, vec![number("+123456789012345")]),
            ("escapes", r#"{"device": {"phoneNumber": "\u002b123456789"}}"#, vec![number("+123456789")]),
            (
                "network access identifier",
                r#"{"device": {"networkAccessIdentifier": "123456789@domain.com"}}"#,
                vec![external("123456789@domain.com")],
            ),
            (
                "address and port",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 59765}}}"#,
                vec![ipv4("84.125.93.10", Some(59765), None)],
            ),
            (
                "a port that is written as a fraction of none",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 5060.0}}}"#,
                vec![ipv4("84.125.93.10", Some(5060), None)],
            ),
            (
                "a port that is written with an exponent",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": 6.5535e4}}}"#,
                vec![ipv4("84.125.93.10", Some(65535), None)],
            ),
            (
                "no port by its sign",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10", "publicPort": -0.0}}}"#,
                vec![ipv4("84.125.93.10", Some(0), None)],
            ),
            (
                "both addresses",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10", "privateAddress": "10.0.0.1"}}}"#,
                vec![ipv4("84.125.93.10", None, Some("10.0.0.1"))],
            ),
            (
                "IPv6 address",
                r#"{"device": {"ipv6Address": "2001:db8:85a3:8d3:1319:8a2e:370:7344"}}"#,
                vec![ipv6("2001:db8:85a3:8d3:1319:8a2e:370:7344")],
            ),
            (
                "all of them, in our order",
                r#"{"device": {"networkAccessIdentifier": "a@b", "ipv6Address": "2001:DB8::1", "imei": 1, "ipv4Address":
                    {"publicAddress": "1.2.3.4", "privateAddress": "10.0.0.1", "publicPort": 0}, "phoneNumber": "+12345"}}"#,
                vec![
                    number("+12345"),
                    ipv4("1.2.3.4", Some(0), Some("10.0.0.1")),
                    ipv6("2001:db8::1"),
                    external("a@b"),
                ],
            ),
        ];
        for (name, body, expected) in table {
            assert_eq!(read(body.as_bytes()).unwrap().identifiers(), expected.as_slice(), "{name}");
        }
    }

    #[test]
    fn a_faulty_device_is_refused_with_the_path_of_its_fault_and_without_its_value() {
        let table = [
            ("device", r#"{"device": null}"#),
            ("device", r#"{"device": "+33699901032"}"#),
            ("device", r#"{"device": ["+33699901032"]}"#),
            ("device", r#"{"device": {}}"#),
            ("device", r#"{"device": {"msisdn": "+33699901032"}}"#),
            ("device", r#"{"device": {"phoneNumber": "+33699901032", "phoneNumber": "+33699901033"}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": null}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": 33699901032}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": ""}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": "33699901032"}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": "+0699901032"}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": "+1234"}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": "+1234567890123456"}}"#),
            ("device.phoneNumber", r#"{"device": {"phoneNumber": "+33 699901032"}}"#),
            ("device.networkAccessIdentifier", r#"{"device": {"networkAccessIdentifier": 33699901032}}"#),
            ("device.ipv4Address", r#"{"device": {"ipv4Address": "84.125.93.10"}}"#),
            ("device.ipv4Address", r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10"}}}"#),
            ("device.ipv4Address.publicAddress", r#"{"device": {"ipv4Address": {"publicPort": 59765}}}"#),
            (
                "device.ipv4Address.publicAddress",
                r#"{"device": {"ipv4Address": {"publicAddress": "84.125.93.10/32"}}}"#,
            ),
            ("device.ipv4Address.publicAddress", r#"{"device": {"ipv4Address": {"publicAddress": "084.125.93.10"}}}"#),
            ("device.ipv4Address.privateAddress", r#"{"device": {"ipv4Address": {"privateAddress": 1}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": 65536}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": -1}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": "59765"}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": 59765.5}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": 65536.0}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": -1.0}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": 1e300}}}"#),
            ("device.ipv4Address.publicPort", r#"{"device": {"ipv4Address": {"publicPort": null}}}"#),
            ("device.ipv6Address", r#"{"device": {"ipv6Address": "84.125.93.10"}}"#),
            ("device.ipv6Address", r#"{"device": {"ipv6Address": "2001:db8::/64"}}"#),
        ];
        for (path, body) in table {
            let problem = read(body.as_bytes()).unwrap_err();
            match &problem {
                Problem::FieldInvalid { field, .. } => assert_eq!(field, path, "{body}"),
                Problem::FieldMissing { field } => assert_eq!(*field, path, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
            let text = problem.to_string();
            for value in ["699901032", "84.125", "84.125.93.10", "2001:db8", "59765"] {
                assert!(!text.contains(value), "{text}");
            }
        }
    }

    #[test]
    fn a_response_names_one_identifier() {
        for (identifier, expected) in [
            (number("+123456789"), r#"{"phoneNumber":"+123456789"}"#),
            (
                ipv4("84.125.93.10", Some(59765), None),
                r#"{"ipv4Address":{"publicAddress":"84.125.93.10","publicPort":59765}}"#,
            ),
            (
                ipv4("84.125.93.10", None, Some("10.0.0.1")),
                r#"{"ipv4Address":{"publicAddress":"84.125.93.10","privateAddress":"10.0.0.1"}}"#,
            ),
            (ipv6("2001:db8::1"), r#"{"ipv6Address":"2001:db8::1"}"#),
            (external("a@b"), r#"{"networkAccessIdentifier":"a@b"}"#),
        ] {
            assert_eq!(String::from_utf8(json::write(&DeviceResponse::from(&identifier))).unwrap(), expected);
        }
    }
}
