use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The longest one, in bytes (RFC 7542 section 2.3).
const LONGEST: usize = 253;

/// A network access identifier that an operator has given to a line: `local@domain` (3GPP TS 23.003
/// section 19.7.2, RFC 7542). CAMARA's device-status 0.4 calls it the external identifier.
///
/// The domain is a name of the DNS and kept in small letters; the local part is kept as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkAccessIdentifier(Box<str>);

/// A text that is no network access identifier.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network access identifier: local@domain, at most 253 bytes, without spaces")]
pub struct NetworkAccessIdentifierError;

impl NetworkAccessIdentifier {
    /// The identifier as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkAccessIdentifier {
    type Err = NetworkAccessIdentifierError;

    fn from_str(text: &str) -> Result<Self, NetworkAccessIdentifierError> {
        // RFC 7542 section 2.2: what stands before the last @ is the local part's.
        let (local, domain) = text.rsplit_once('@').ok_or(NetworkAccessIdentifierError)?;
        let is_printable = |character: char| !character.is_whitespace() && !character.is_control();
        let is_name = |label: &str| {
            let is_inner = |character: char| character.is_alphanumeric() || character == '-';
            !label.is_empty() && label.chars().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
        };
        let well_formed = text.len() <= LONGEST
            && !local.is_empty()
            && local.chars().all(is_printable)
            && domain.split('.').all(is_name);
        if !well_formed {
            return Err(NetworkAccessIdentifierError);
        }
        Ok(Self(format!("{local}@{}", domain.to_lowercase()).into()))
    }
}

impl fmt::Display for NetworkAccessIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shown like a phone number: it names a person as one does.
impl fmt::Debug for NetworkAccessIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        write!(f, "…@{domain}")
    }
}

impl Serialize for NetworkAccessIdentifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NetworkAccessIdentifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_access_identifier_has_a_local_part_and_a_domain() {
        let longest = format!("{}@a.example", "x".repeat(LONGEST - 10));
        for text in
            ["123456789@domain.com", "a@b", "first.last+x@operator.example", "a@b@c", "ä@bücher.example", &longest]
        {
            assert_eq!(text.parse::<NetworkAccessIdentifier>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            "a b@c",
            "a\n@c",
            "a@b c",
            "a@.b",
            "a@b.",
            "a@-b",
            "a@b_c",
            &format!("x{longest}"),
        ] {
            assert_eq!(text.parse::<NetworkAccessIdentifier>(), Err(NetworkAccessIdentifierError), "{text}");
        }
    }

    #[test]
    fn its_domain_has_no_case_and_its_local_part_has() {
        let parse = |text: &str| text.parse::<NetworkAccessIdentifier>().unwrap();
        assert_eq!(parse("a@Domain.COM"), parse("a@domain.com"));
        assert_ne!(parse("A@domain.com"), parse("a@domain.com"));
        assert_eq!(format!("{:?}", parse("a@domain.com")), "…@domain.com");
    }
}
