use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// How much a client may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// How fast; `None`: as fast as it can.
    pub rate: Option<Rate>,
    /// How much on one day; `None`: as much as it likes.
    pub quota: Option<Quota>,
}

/// How fast a client may ask: at a pace, and so many requests at once after a pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    pace: Pace,
    burst: NonZeroU32,
}

/// Requests over time, such as `10/s`, `600/min` or `1/h`; a million of them at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    requests: NonZeroU32,
    period: Period,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Period {
    Second,
    Minute,
    Hour,
}

/// Requests on one day of UTC, such as `1000/day`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota(NonZeroU32);

/// A text or number that is no part of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// No pace.
    #[error("not a rate: 1 to 1000000 requests in a time are needed, such as 10/s, 600/min or 1/h")]
    Pace,
    /// No burst.
    #[error("not a burst: 1 to 1000000 requests are needed")]
    Burst,
    /// No quota.
    #[error("not a quota: requests on one day are needed, such as 1000/day")]
    Quota,
}

/// The most requests of a pace or a burst: a burst of so many at the slowest pace ends within the times
/// that a [`crate::Timestamp`] knows.
const MOST: u32 = 1_000_000;

impl Plan {
    /// Whether it limits nothing.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        self.rate.is_none() && self.quota.is_none()
    }
}

impl Rate {
    /// A pace with a burst; without one, the requests of a whole period may come at once.
    pub fn new(pace: Pace, burst: Option<NonZeroU32>) -> Result<Self, PlanError> {
        let burst = burst.unwrap_or(pace.requests);
        if burst.get() > MOST { Err(PlanError::Burst) } else { Ok(Self { pace, burst }) }
    }

    /// The pace.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// How many requests may come at once after a pause.
    #[must_use]
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }
}

impl Pace {
    /// The time from one request to the next.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.period.duration() / self.requests.get()
    }
}

impl Period {
    const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }

    const fn duration(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
        }
    }
}

impl Quota {
    /// So many requests on one day.
    #[must_use]
    pub const fn new(requests: NonZeroU32) -> Self {
        Self(requests)
    }

    /// How many requests.
    #[must_use]
    pub const fn requests(self) -> NonZeroU32 {
        self.0
    }
}

impl FromStr for Pace {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let (requests, period) = text.split_once('/').ok_or(PlanError::Pace)?;
        let requests = number(requests).filter(|requests| requests.get() <= MOST).ok_or(PlanError::Pace)?;
        let period = Period::ALL.into_iter().find(|known| known.as_str() == period).ok_or(PlanError::Pace)?;
        Ok(Self { requests, period })
    }
}

impl FromStr for Quota {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        text.strip_suffix("/day").and_then(number).map(Self).ok_or(PlanError::Quota)
    }
}

/// A number of digits alone: a sign is none.
fn number(text: &str) -> Option<NonZeroU32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.period.as_str())
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/day", self.0)
    }
}

macro_rules! as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )+};
}

as_text!(Pace, Quota);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_and_a_quota_print_as_they_parse() {
        for (text, milliseconds) in [("10/s", 100), ("600/min", 100), ("1/h", 3_600_000), ("1000000/s", 0)] {
            let pace: Pace = text.parse().unwrap();
            assert_eq!((pace.to_string().as_str(), pace.interval().as_millis()), (text, milliseconds));
        }
        assert_eq!("1000/day".parse::<Quota>().unwrap().to_string(), "1000/day");
    }

    #[test]
    fn what_is_no_pace_is_refused() {
        for text in ["", "10", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10/S", "10/day", "10 /s", "1000001/s"] {
            assert_eq!(text.parse::<Pace>(), Err(PlanError::Pace), "{text}");
        }
        for text in ["", "1000", "0/day", "-1/day", "+1/day", "10/s", "4294967296/day"] {
            assert_eq!(text.parse::<Quota>(), Err(PlanError::Quota), "{text}");
        }
        let pace = "1/h".parse().unwrap();
        assert_eq!(Rate::new(pace, NonZeroU32::new(1_000_001)), Err(PlanError::Burst));
        assert_eq!(Rate::new(pace, None).unwrap().burst().get(), 1);
    }
}
