use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An access technology: a generation of mobile networks. Its text is `2G` to `5G`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Technology {
    /// GSM.
    Second,
    /// UMTS.
    Third,
    /// LTE.
    Fourth,
    /// NR.
    Fifth,
}

/// A text that names no access technology.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an access technology: 2G, 3G, 4G or 5G")]
pub struct TechnologyError;

impl Technology {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::Third, Self::Fourth, Self::Fifth];

    /// Its text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "2G",
            Self::Third => "3G",
            Self::Fourth => "4G",
            Self::Fifth => "5G",
        }
    }
}

impl FromStr for Technology {
    type Err = TechnologyError;

    fn from_str(text: &str) -> Result<Self, TechnologyError> {
        Self::ALL.into_iter().find(|technology| technology.as_str() == text).ok_or(TechnologyError)
    }
}

impl fmt::Display for Technology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Technology {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Technology {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_parses_what_it_prints_and_nothing_else() {
        for technology in Technology::ALL {
            assert_eq!(technology.to_string().parse(), Ok(technology));
        }
        for text in ["", "1G", "4g", "6G", "LTE", "UNKNOWN", " 4G"] {
            assert_eq!(text.parse::<Technology>(), Err(TechnologyError), "{text}");
        }
    }
}
