use std::net::{Ipv4Addr, Ipv6Addr};

use crate::PhoneNumber;

/// What a request names a line by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeviceIdentifier {
    /// The phone number.
    PhoneNumber(PhoneNumber),
    /// A public IPv4 address with what tells the lines behind it apart.
    Ipv4(Ipv4Identifier),
    /// Any IPv6 address of the line's prefix.
    Ipv6(Ipv6Addr),
    /// `{local}@{domain}`, given out by the operator (3GPP TS 23.003 section 19.7.2).
    NetworkAccessIdentifier(String),
}

/// The kind of an identifier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdentifierKind {
    /// Phone numbers.
    PhoneNumber,
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Network access identifiers.
    NetworkAccessIdentifier,
}

impl IdentifierKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::PhoneNumber, Self::Ipv4, Self::Ipv6, Self::NetworkAccessIdentifier];

    /// The name of the kind.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PhoneNumber => "phone_number",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::NetworkAccessIdentifier => "network_access_identifier",
        }
    }
}

impl DeviceIdentifier {
    /// Of which kind it is.
    #[must_use]
    pub const fn kind(&self) -> IdentifierKind {
        match self {
            Self::PhoneNumber(_) => IdentifierKind::PhoneNumber,
            Self::Ipv4(_) => IdentifierKind::Ipv4,
            Self::Ipv6(_) => IdentifierKind::Ipv6,
            Self::NetworkAccessIdentifier(_) => IdentifierKind::NetworkAccessIdentifier,
        }
    }
}

/// A public IPv4 address, and the port or the private address behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv4Identifier {
    /// The address that servers see.
    pub public_address: Ipv4Addr,
    /// The port that servers see.
    pub public_port: Option<u16>,
    /// The address inside the operator's network.
    pub private_address: Option<Ipv4Addr>,
}

/// All identifiers that one request names its line by; none when the token shall tell it.
///
/// In the order in which they are tried: the phone number is the surest, an address may be shared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Device(Vec<DeviceIdentifier>);

impl Device {
    /// The device of these identifiers, most trusted first.
    #[must_use]
    pub const fn new(identifiers: Vec<DeviceIdentifier>) -> Self {
        Self(identifiers)
    }

    /// Whether the request names no line.
    #[must_use]
    pub const fn is_unnamed(&self) -> bool {
        self.0.is_empty()
    }

    /// The identifiers, most trusted first.
    #[must_use]
    pub fn identifiers(&self) -> &[DeviceIdentifier] {
        &self.0
    }
}
