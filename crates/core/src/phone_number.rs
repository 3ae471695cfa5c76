use std::{fmt, num::NonZeroU64, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A phone number in international format (ITU-T E.164): `+`, then 5 to 15 digits, the first of
/// them not 0 (`^\+[1-9][0-9]{4,14}$`, as CAMARA's common data types have it).
///
/// Kept as the number that its digits spell, which is exact because none starts with 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(NonZeroU64);

/// A text that is no phone number in international format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number in E.164 format: '+' and 5 to 15 digits, the first not 0")]
pub struct PhoneNumberError;

impl PhoneNumber {
    /// The number that these digits spell, without the `+`.
    pub fn from_digits(digits: &str) -> Result<Self, PhoneNumberError> {
        let well_formed = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !well_formed || digits.starts_with('0') {
            return Err(PhoneNumberError);
        }
        digits.parse().map(Self).map_err(|_| PhoneNumberError)
    }

    /// The number whose digits spell this integer, as a store kept it.
    pub fn from_integer(integer: u64) -> Result<Self, PhoneNumberError> {
        let has_right_length = (10_000..=999_999_999_999_999).contains(&integer);
        NonZeroU64::new(integer).filter(|_| has_right_length).map(Self).ok_or(PhoneNumberError)
    }

    /// The integer that the digits spell.
    #[must_use]
    pub const fn as_integer(self) -> u64 {
        self.0.get()
    }

    /// The number as it may stand in a log: the middle digits are left out.
    #[must_use]
    pub fn masked(self) -> String {
        let digits = self.0.to_string();
        let (shown, hidden) = if digits.len() > 9 { (5, 3) } else { (2, 2) };
        format!("+{}…{}", &digits[..shown], &digits[digits.len() - hidden..])
    }
}

impl FromStr for PhoneNumber {
    type Err = PhoneNumberError;

    fn from_str(text: &str) -> Result<Self, PhoneNumberError> {
        Self::from_digits(text.strip_prefix('+').ok_or(PhoneNumberError)?)
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// Masked, so that a number never reaches a log by way of `{:?}`.
impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_it_was_read() {
        for text in ["+12345", "+33699901032", "+999999999999999"] {
            assert_eq!(text.parse::<PhoneNumber>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_e164_is_refused() {
        for text in
            ["", "+", "+1234", "+1234567890123456", "33699901032", "+0123456", "+33 699", "++33699", "+３３６９９９"]
        {
            assert_eq!(text.parse::<PhoneNumber>(), Err(PhoneNumberError), "{text}");
        }
    }

    #[test]
    fn an_integer_is_a_number_when_its_digits_are() {
        for integer in [0, 1, 9_999, 10_000, 33_699_901_032, 999_999_999_999_999, 1_000_000_000_000_000, u64::MAX] {
            let from_digits = PhoneNumber::from_digits(&integer.to_string());
            assert_eq!(PhoneNumber::from_integer(integer), from_digits, "{integer}");
        }
    }

    #[test]
    fn a_debug_print_hides_the_middle() {
        let number: PhoneNumber = "+33699901032".parse().unwrap();
        assert_eq!(format!("{number:?}"), "+33699…032");
        assert_eq!("+12345".parse::<PhoneNumber>().unwrap().masked(), "+12…45");
    }
}
