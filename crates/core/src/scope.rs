use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A text that is no scope, purpose or publisher name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// No scope token (RFC 6749 section 3.3).
    #[error("not a scope: printable ASCII without space, quote or backslash is needed")]
    Scope,
    /// No purpose.
    #[error(
        "not a purpose: `dpv:` and the name of a purpose of the W3C Data Privacy Vocabulary, such as dpv:FraudPreventionAndDetection"
    )]
    Purpose,
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Cow<'static, str>);

        impl $name {
            /// This text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

text! {
    /// What a token allows its bearer to ask, such as `device-roaming-status:read` (RFC 6749 section 3.3).
    Scope
}
text! {
    /// Why a client asks: a purpose of the W3C Data Privacy Vocabulary, with its prefix, such as
    /// `dpv:FraudPreventionAndDetection` (CAMARA Security and Interoperability Profile, "Purpose").
    Purpose
}
text! {
    /// The name of a publisher of APIs: clients and tokens belong to one.
    PublisherName
}

impl Scope {
    /// A scope that stands in this program's text.
    #[must_use]
    pub const fn new_static(scope: &'static str) -> Self {
        Self(Cow::Borrowed(scope))
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(allowed) {
            return Err(ScopeError::Scope);
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }
}

impl Purpose {
    /// A purpose that stands in this program's text.
    #[must_use]
    pub const fn new_static(purpose: &'static str) -> Self {
        Self(Cow::Borrowed(purpose))
    }
}

impl FromStr for Purpose {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let name = text.strip_prefix("dpv:").ok_or(ScopeError::Purpose)?;
        if name.is_empty() || name.len() > 127 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(ScopeError::Purpose);
        }
        Ok(Self(Cow::Owned(text.to_owned())))
    }
}

impl PublisherName {
    /// The name of a publisher that stands in this program's text.
    #[must_use]
    pub const fn new_static(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }
}

impl FromStr for PublisherName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Cow::Owned(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_has_its_prefix_and_one_word() {
        assert!("dpv:FraudPreventionAndDetection".parse::<Purpose>().is_ok());
        for text in ["", "dpv:", "FraudPrevention", "dpv:Fraud#scope", "dpv:A B"] {
            assert_eq!(text.parse::<Purpose>(), Err(ScopeError::Purpose), "{text}");
        }
    }

    #[test]
    fn a_scope_is_one_token() {
        assert!("device-status:roaming:read".parse::<Scope>().is_ok());
        for text in ["", "a b", "a\"b", "a\\b", "ä", "a\n"] {
            assert_eq!(text.parse::<Scope>(), Err(ScopeError::Scope), "{text:?}");
        }
    }
}
