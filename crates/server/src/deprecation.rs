//! Versions that are going to end: what their answers tell about it, in `Deprecation` (RFC 9745) and
//! `Sunset` (RFC 8594).

use std::{fmt, str::FromStr};

use attache_core::Timestamp;
use attache_wire::{ApiVersion, camara};
use http::{HeaderMap, HeaderName, HeaderValue};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// A version of one of CAMARA's APIs and when it is deprecated, and perhaps ends: such as
/// `device-roaming-status/0.6=2026-01-01..2026-12-31`. A day begins at midnight UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deprecation {
    version: ApiVersion,
    deprecated_at: Timestamp,
    ends_at: Option<Timestamp>,
}

/// A text that deprecates nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DeprecationError {
    /// It has not the form of one.
    #[error(
        "a version and its days are needed, such as device-roaming-status/0.6=2026-01-01..2026-12-31, or without an \
         end device-roaming-status/0.6=2026-01-01"
    )]
    Form,
    /// There is no such version.
    #[error("a version of an API is needed before the days: one of {}", known_versions())]
    Version,
    /// It ends before it is deprecated.
    #[error("a version can't end before it is deprecated")]
    Order,
}

impl Deprecation {
    /// Whether both are about the same version.
    #[must_use]
    pub fn is_about_same(self, other: Self) -> bool {
        self.version == other.version
    }
}

impl FromStr for Deprecation {
    type Err = DeprecationError;

    fn from_str(text: &str) -> Result<Self, DeprecationError> {
        let (version, days) = text.split_once('=').ok_or(DeprecationError::Form)?;
        let (from, to) = days.split_once("..").map_or((days, None), |(from, to)| (from, Some(to)));
        let deprecated_at = midnight(from)?;
        let ends_at = to.map(midnight).transpose()?;
        let (api, contract) = version.split_once('/').ok_or(DeprecationError::Version)?;
        let mut versions = camara::PUBLISHER.versions().into_iter();
        let version = versions.find(|known| (known.api, known.contract) == (api, contract));
        let version = version.ok_or(DeprecationError::Version)?;
        if ends_at.is_some_and(|ends_at| ends_at < deprecated_at) {
            return Err(DeprecationError::Order);
        }
        Ok(Self { version, deprecated_at, ends_at })
    }
}

impl fmt::Display for Deprecation {
    /// The version alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.version.api, self.version.contract)
    }
}

fn midnight(day: &str) -> Result<Timestamp, DeprecationError> {
    let is_day = day.len() == 10 && day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let midnight = is_day.then(|| format!("{day}T00:00:00Z").parse().ok()).flatten();
    midnight.ok_or(DeprecationError::Form)
}

fn known_versions() -> String {
    let versions = camara::PUBLISHER.versions();
    versions.iter().map(|known| format!("{}/{}", known.api, known.contract)).collect::<Vec<_>>().join(", ")
}

/// What the answers of one version tell.
#[derive(Debug)]
pub(crate) struct Notice {
    version: ApiVersion,
    deprecation: HeaderValue,
    sunset: Option<HeaderValue>,
}

impl Notice {
    /// What is to be told of a version, if it is deprecated.
    pub(crate) fn of(version: ApiVersion, deprecations: &[Deprecation]) -> Option<Self> {
        let known = deprecations.iter().find(|known| known.version == version)?;
        Some(Self {
            version,
            deprecation: HeaderValue::try_from(format!("@{}", known.deprecated_at.unix_seconds())).ok()?,
            sunset: known.ends_at.and_then(|ends_at| HeaderValue::try_from(ends_at.http_date()).ok()),
        })
    }

    /// Tells it, if it is about the version that answers, of those at one path.
    pub(crate) fn tell(&self, version: ApiVersion, headers: &mut HeaderMap) {
        if version != self.version {
            return;
        }
        headers.insert(DEPRECATION, self.deprecation.clone());
        if let Some(sunset) = &self.sunset {
            headers.insert(SUNSET, sunset.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use attache_wire::camara::{device_roaming_status, device_roaming_status_subscriptions};

    use super::*;

    fn told(text: &str, face: impl Into<ApiVersion>) -> Option<(String, Option<String>)> {
        let version = face.into();
        let mut headers = HeaderMap::new();
        Notice::of(version, &[text.parse().unwrap()])?.tell(version, &mut headers);
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
        Some((text(DEPRECATION).unwrap(), text(SUNSET)))
    }

    #[test]
    fn a_version_tells_when_it_is_deprecated_and_when_it_ends() {
        let (old, new) = (&device_roaming_status::v0_6::FACE, &device_roaming_status::v1::FACE);
        let both = "device-roaming-status/0.6=2026-01-01..2026-12-31";
        let expected = ("@1767225600".to_owned(), Some("Thu, 31 Dec 2026 00:00:00 GMT".to_owned()));
        assert_eq!(told(both, old), Some(expected));
        assert_eq!(told("device-roaming-status/0.6=2026-01-01", old), Some(("@1767225600".to_owned(), None)));
        assert_eq!(told(both, new), None);
        assert_eq!(told("device-reachability-status/0.6=2026-01-01", old), None);
        let subscriptions = &device_roaming_status_subscriptions::v0_6::FACE;
        let expected = Some(("@1767225600".to_owned(), None));
        assert_eq!(told("device-roaming-status-subscriptions/0.6=2026-01-01", subscriptions), expected);
    }

    #[test]
    fn what_deprecates_nothing_is_refused_with_what_is_needed() {
        for (text, error) in [
            ("", DeprecationError::Form),
            ("device-roaming-status/0.6", DeprecationError::Form),
            ("device-roaming-status/0.6=", DeprecationError::Form),
            ("device-roaming-status/0.6=soon", DeprecationError::Form),
            ("device-roaming-status/0.6=2026-02-30", DeprecationError::Form),
            ("device-roaming-status/0.6=2026-01-01..", DeprecationError::Form),
            ("device-roaming-status/0.6=2026-01-01..2026-01-02T00:00:00Z", DeprecationError::Form),
            ("device-roaming-status=2026-01-01", DeprecationError::Version),
            ("device-roaming-status/v1=2026-01-01", DeprecationError::Version),
            ("roaming/0.6=2026-01-01", DeprecationError::Version),
            ("device-roaming-status/0.6=2026-01-02..2026-01-01", DeprecationError::Order),
        ] {
            assert_eq!(text.parse::<Deprecation>(), Err(error), "{text}");
        }
        let sentence = DeprecationError::Version.to_string();
        assert!(sentence.contains("device-status/0.5, device-status/0.4"), "{sentence}");
        assert!("device-status/0.4=2026-01-01..2026-01-01".parse::<Deprecation>().is_ok());
    }
}
