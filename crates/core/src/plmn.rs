use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A mobile country code (ITU-T E.212): three digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mcc(u16);

impl Mcc {
    /// The code as a number, 0 to 999.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The code of this number; `None` for one of more than three digits.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        if number < 1000 { Some(Self(number)) } else { None }
    }
}

impl fmt::Display for Mcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// A mobile network: mobile country code and mobile network code (3GPP TS 23.003 section 2.2).
/// The network code has two or three digits, and `01` is not `001`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Plmn {
    mcc: Mcc,
    /// The network code; 1000 is added to one of three digits, to tell `001` from `01`.
    mnc: u16,
}

/// A text that names no mobile network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PLMN: a mobile country code of 3 digits and a mobile network code of 2 or 3, such as 26201 or 310410")]
pub struct PlmnError;

impl Plmn {
    /// The country code of the network.
    #[must_use]
    pub const fn mcc(self) -> Mcc {
        self.mcc
    }
}

impl FromStr for Plmn {
    type Err = PlmnError;

    /// Reads `26201`, and `262-01` as well.
    fn from_str(text: &str) -> Result<Self, PlmnError> {
        let (mcc, mnc) = text.split_at_checked(3).ok_or(PlmnError)?;
        let mnc = mnc.strip_prefix('-').unwrap_or(mnc);
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(mcc) || !digits(mnc) || !(2..=3).contains(&mnc.len()) {
            return Err(PlmnError);
        }
        let number: u16 = mnc.parse().map_err(|_| PlmnError)?;
        Ok(Self {
            mcc: Mcc(mcc.parse().map_err(|_| PlmnError)?),
            mnc: if mnc.len() == 3 { number + 1000 } else { number },
        })
    }
}

impl fmt::Display for Plmn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnc.checked_sub(1000) {
            Some(three_digits) => write!(f, "{}{three_digits:03}", self.mcc),
            None => write!(f, "{}{:02}", self.mcc, self.mnc),
        }
    }
}

impl Serialize for Plmn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Plmn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_codes_of_two_and_three_digits_differ() {
        let two: Plmn = "31001".parse().unwrap();
        let three: Plmn = "310001".parse().unwrap();
        assert_ne!(two, three);
        assert_eq!((two.to_string(), three.to_string()), ("31001".into(), "310001".into()));
    }

    #[test]
    fn a_hyphen_is_allowed_between_the_codes() {
        assert_eq!("262-01".parse::<Plmn>().unwrap().to_string(), "26201");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "262", "2620", "2620111", "26a01", "262--1", "２６２01"] {
            assert_eq!(text.parse::<Plmn>(), Err(PlmnError), "{text}");
        }
    }
}
