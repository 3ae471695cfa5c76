//! How the text of a value is read, whichever way it came: a file's number or boolean is its text,
//! a list is several.

use std::{path::PathBuf, time::Duration};

use attache_core::{IdentifierKind, PolicyError, PolicyRule};
use attache_server::settings::{Deprecation, DeprecationError, Key32, Mode, Pin, PinError};
use ipnet::IpNet;
use secrecy::SecretString;
use tracing_subscriber::filter::Targets;
use url::Url;

/// What the value of a key can be. The error says what is needed, and never what was given.
pub(crate) trait Value: Sized {
    /// Whether it has several texts; then one of the environment is split at commas.
    const IS_LIST: bool = false;

    /// Reads the texts of a value, of which there are none when the key is absent.
    fn read(texts: &[String]) -> Result<Self, String>;
}

/// A value of one text.
pub(crate) trait Text: Sized {
    /// Reads it.
    fn read_text(text: &str) -> Result<Self, String>;
}

impl<T: Text> Value for T {
    fn read(texts: &[String]) -> Result<Self, String> {
        match texts {
            [text] => T::read_text(text),
            _ => Err("one value is needed".to_owned()),
        }
    }
}

impl<T: Text> Value for Option<T> {
    fn read(texts: &[String]) -> Result<Self, String> {
        match texts {
            [] => Ok(None),
            _ => T::read(texts).map(Some),
        }
    }
}

impl<T: Text> Value for Vec<T> {
    const IS_LIST: bool = true;

    fn read(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| T::read_text(text)).collect()
    }
}

impl Text for Mode {
    fn read_text(text: &str) -> Result<Self, String> {
        [Self::Sandbox, Self::Production]
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| "`sandbox` or `production` is needed".to_owned())
    }
}

impl Text for bool {
    fn read_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "`true` or `false` is needed".to_owned())
    }
}

impl Text for String {
    fn read_text(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("a value that is not empty is needed".to_owned()) } else { Ok(text.to_owned()) }
    }
}

impl Text for PathBuf {
    fn read_text(text: &str) -> Result<Self, String> {
        String::read_text(text).map(Self::from)
    }
}

impl Text for Url {
    fn read_text(text: &str) -> Result<Self, String> {
        const NEEDED: &str = "an address such as https://attache.example.com is needed";
        let url: Self = text.parse().map_err(|cause| format!("{NEEDED}: {cause}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(NEEDED.to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(format!("{NEEDED}, with nothing after the host and its port"));
        }
        Ok(url)
    }
}

impl Text for IpNet {
    fn read_text(text: &str) -> Result<Self, String> {
        text.parse()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(Self::from))
            .map_err(|_| "an IP address or network such as 10.0.0.0/8 is needed".to_owned())
    }
}

impl Text for Key32 {
    fn read_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: attache_server::settings::Key32Error| error.to_string())
    }
}

impl Text for Pin {
    fn read_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: PinError| error.to_string())
    }
}

impl Text for PolicyRule {
    fn read_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: PolicyError| error.to_string())
    }
}

impl Text for IdentifierKind {
    fn read_text(text: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        kind.ok_or_else(|| "`phone_number`, `ipv4`, `ipv6` or `network_access_identifier` is needed".to_owned())
    }
}

impl Text for Deprecation {
    fn read_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: DeprecationError| error.to_string())
    }
}

impl Text for SecretString {
    /// A secret that travels in an `Authorization` header.
    fn read_text(text: &str) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("printable ASCII without spaces is needed, such as `openssl rand -hex 32` prints".to_owned());
        }
        Ok(Self::from(text))
    }
}

impl Text for Duration {
    fn read_text(text: &str) -> Result<Self, String> {
        const NEEDED: &str = "a duration with its unit is needed, such as 500ms, 90s, 5m, 1h or 30 days";
        let span: jiff::Span = text.parse().map_err(|_| NEEDED.to_owned())?;
        // A day is as long as any other here, and what is longer is of no certain length.
        let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| NEEDED.to_owned())?;
        match Self::try_from(duration) {
            Ok(duration) if !duration.is_zero() => Ok(duration),
            _ => Err(format!("{NEEDED}, and more than 0")),
        }
    }
}

/// Reads a duration of the command line.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    Duration::read_text(text)
}

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size(pub(crate) usize);

impl Text for Size {
    fn read_text(text: &str) -> Result<Self, String> {
        let needed = || "a size with its unit is needed, such as 512B, 64KiB or 1MiB".to_owned();
        let end = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(needed)?;
        let (number, unit) = text.split_at(end);
        let unit = match unit.trim_start() {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return Err(needed()),
        };
        number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit)).map(Self).ok_or_else(needed)
    }
}

impl Text for Targets {
    fn read_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "levels are needed, such as info or info,attache_server=debug".to_owned())
    }
}

/// The form of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    /// Lines for people on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// An object a line.
    Json,
}

impl Text for LogFormat {
    fn read_text(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("`auto`, `text` or `json` is needed".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_have_units() {
        for (text, milliseconds) in
            [("90s", 90_000), ("500ms", 500), ("1h 30m", 5_400_000), ("5m", 300_000), ("2 days", 172_800_000)]
        {
            assert_eq!(Duration::read_text(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "90", "0s", "-1s", "soon", "1 month"] {
            assert!(Duration::read_text(text).is_err(), "{text}");
        }
        for (text, bytes) in [("0B", 0), ("64KiB", 65_536), ("1 MiB", 1 << 20)] {
            assert_eq!(Size::read_text(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "64", "64K", "KiB", "-1B", "99999999999999999999B", "99999999999GiB"] {
            assert!(Size::read_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_public_address_is_a_bare_one() {
        assert!(Url::read_text("https://attache.example.com:8443").is_ok());
        for text in ["", "attache.example.com", "ftp://a", "https://a/b", "https://a/?b", "https://a/#b", "https://b@a"]
        {
            assert!(Url::read_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_trusted_proxy_is_an_address_or_a_network() {
        assert!(IpNet::read_text("10.0.0.0/8").is_ok());
        assert_eq!(IpNet::read_text("::1").map(|net| net.prefix_len()), Ok(128));
        assert!(IpNet::read_text("proxy").is_err());
    }
}
