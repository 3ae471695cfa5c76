use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An instant, in nanoseconds since 1970-01-01T00:00:00Z; from 1677 to 2262.
///
/// Prints and parses as RFC 3339 in UTC. `{:.3}` prints milliseconds, `{:.9}` nanoseconds. It is
/// the only place that knows the time library, and half its size: a million lines hold three each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `seconds` after the Unix epoch, at the ends of the range where it would leave it.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// The instant `nanoseconds` after the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanoseconds(nanoseconds: i64) -> Self {
        Self(nanoseconds)
    }

    /// Whole seconds since the Unix epoch, rounded down: what JSON Web Tokens call a numeric date.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanoseconds(self) -> i64 {
        self.0
    }

    /// This instant as HTTP dates things, in whole seconds (RFC 9110 section 5.6.7).
    #[must_use]
    pub fn http_date(self) -> String {
        // Every i64 of nanoseconds lies inside the range of the time library.
        let timestamp = jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default();
        timestamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// The instant of an HTTP date in any of its three forms, of which two are obsolete but must be read.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        const FORMS: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
        let read = |form| jiff::civil::DateTime::strptime(form, text).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
        FORMS.into_iter().find_map(read).map(|date| date.timestamp().into())
    }

    /// This instant moved into the future.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This instant moved into the past.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(timestamp: jiff::Timestamp) -> Self {
        let nanoseconds = timestamp.as_nanosecond();
        Self(i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX }))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every i64 of nanoseconds lies inside the range of the time library.
        let timestamp = jiff::Timestamp::from_nanosecond(i128::from(self.0)).map_err(|_| fmt::Error)?;
        timestamp.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    /// A time that is later or earlier than this type reaches is read as the end of its range.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = text.parse::<jiff::Timestamp>().map(Self::from);
        read.or_else(|error| out_of_range(text).ok_or(error))
    }
}

/// The end of the range that a time lies beyond which is a time, but none of the time library's: that ends some hours
/// before the year 9999 does.
fn out_of_range(text: &str) -> Option<Timestamp> {
    let pieces = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let local = pieces.date().to_datetime(pieces.time()?);
    let is_beyond = pieces.to_numeric_offset()?.to_timestamp(local).is_err();
    is_beyond.then_some(Timestamp(if local.year() < 1970 { i64::MIN } else { i64::MAX }))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_many_digits_as_asked() {
        let timestamp: Timestamp = "2024-07-22T12:23:21.112125501Z".parse().unwrap();
        assert_eq!(timestamp.to_string(), "2024-07-22T12:23:21.112125501Z");
        assert_eq!(format!("{timestamp:.3}"), "2024-07-22T12:23:21.112Z");
        assert_eq!(format!("{:.9}", Timestamp::from_unix_seconds(0)), "1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn an_http_date_is_read_in_each_of_its_forms() {
        let date = Timestamp::from_unix_seconds(784_111_777);
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(Timestamp::from_http_date(text), Some(date), "{text}");
        }
        assert_eq!(Timestamp::from_http_date(&date.http_date()), Some(date));
        for text in ["", "tomorrow", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 +0100", "1994-11-06"] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn the_ends_of_the_range_can_be_printed() {
        for end in [i64::MIN, i64::MAX] {
            assert!(!Timestamp::from_unix_nanoseconds(end).to_string().is_empty());
        }
    }

    #[test]
    fn it_is_dated_as_http_does() {
        let timestamp: Timestamp = "1994-11-06T08:49:37.5Z".parse().unwrap();
        assert_eq!(timestamp.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_time_beyond_the_range_is_the_end_of_it_and_one_that_never_is_is_none() {
        let last = Timestamp::from_unix_nanoseconds(i64::MAX);
        for text in [
            "2262-04-12T00:00:00Z",
            "2999-01-01T00:00:00Z",
            "9999-12-30T21:59:59Z",
            "9999-12-30T22:00:01Z",
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59.999999999-23:59",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap(), last, "{text}");
        }
        let first: Timestamp = "0000-01-01T00:00:00+23:59".parse().unwrap();
        assert_eq!(first, Timestamp::from_unix_nanoseconds(i64::MIN));
        for text in ["9999-12-32T00:00:00Z", "9999-12-31T25:00:00Z", "9999-12-31T23:59:59", "9999-12-31"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_offset_is_turned_into_utc() {
        let timestamp: Timestamp = "2023-07-03T14:27:08.312+02:00".parse().unwrap();
        assert_eq!(timestamp.to_string(), "2023-07-03T12:27:08.312Z");
    }
}
