//! What the server must be told to run: plain values that were checked before they came here. Where
//! they come from (file, environment, flags) is the binary's matter.

use std::{collections::HashSet, fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use attache_core::{IdentifierKind, PolicyRule};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ipnet::IpNet;
use secrecy::SecretString;
use url::Url;

pub use crate::{
    deprecation::{Deprecation, DeprecationError},
    mounts::{Pin, PinError},
    outbound::{AuthoritiesError, OutboundPolicy},
};

/// Everything that the server is told.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Whether it plays or is in earnest.
    pub mode: Mode,
    /// Where it listens. Port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Whether nobody chose these addresses; then one whose family this machine lacks is left out.
    pub listen_is_default: bool,
    /// Where `/admin`, `/metrics` and the health checks are served instead of beside the faces.
    pub admin_listen: Option<SocketAddr>,
    /// The address that clients know this server by. Absent: the first address that it listens on.
    pub public_url: Option<Url>,
    /// What a request's `Host` may be besides the public and the listening addresses.
    pub allowed_hosts: Vec<String>,
    /// Where the database, the audit log and `server.json` live.
    pub data_dir: PathBuf,
    /// Encrypts the signing keys at rest. Absent (sandbox only): one is kept in the data directory.
    pub secrets_key: Option<Key32>,
    /// Makes the pseudonyms of the audit log and chains it. Absent (sandbox only): as above.
    pub audit_key: Option<Key32>,
    /// How long a subscription lasts at most; absent, as long as it likes.
    pub subscription_lifetime: Option<Duration>,
    /// How long audit records are kept; absent, for ever.
    pub audit_retention: Option<Duration>,
    /// The operator's credential. Absent (sandbox only): one is generated and kept in
    /// `admin-token` in the data directory.
    pub admin_token: Option<SecretString>,
    /// The certificate to serve TLS with; without one, plain HTTP is served.
    pub tls: Option<TlsFiles>,
    /// The proxies that end TLS before this server: without TLS of its own, production takes
    /// connections from them and from this machine only.
    pub trusted_proxies: Vec<IpNet>,
    /// Which addresses are asked for the keys of clients.
    pub jwks: OutboundPolicy,
    /// Whether clients of CAMARA may authenticate with secrets in production, where the profile asks for
    /// `private_key_jwt`. In a sandbox they may.
    pub camara_client_secrets: bool,
    /// Whether a sandbox's subscribers are asked for consent, rather than agree at once.
    pub ask_consent: bool,
    /// Whether a backchannel request about an unknown subscriber is answered as one about a known subscriber
    /// who has yet to consent.
    pub conceal_unknown_subscribers: bool,
    /// On what legal basis lines may be used: the first rule that fits decides, and without one consent is
    /// needed.
    pub legal_bases: Vec<PolicyRule>,
    /// How long an access token lives.
    pub token_lifetime: Duration,
    /// How long a refresh token lives, if it is not used.
    pub refresh_token_lifetime: Duration,
    /// How long a token lives that was issued for a signed statement about a subscriber (RFC 7523).
    pub jwt_bearer_token_lifetime: Duration,
    /// How old the newest signing key becomes before the next one is made.
    pub key_rotation: Duration,
    /// How long a signing key is published before it signs.
    pub key_notice: Duration,
    /// How long an authorization code lives.
    pub code_lifetime: Duration,
    /// How long an `auth_req_id` lives.
    pub backchannel_lifetime: Duration,
    /// Least time between two polls of one `auth_req_id`; a faster client hears `slow_down`.
    pub backchannel_interval: Duration,
    /// How long a request's head may take.
    pub head_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How many bytes a request's body may have.
    pub body_limit: usize,
    /// How long the network may take to answer.
    pub network_timeout: Duration,
    /// The kinds of identifiers by which a request can name its line.
    pub supported_identifiers: Vec<IdentifierKind>,
    /// How long requests under way may take to end once the server is asked to stop.
    pub shutdown_grace: Duration,
    /// Whether each request leaves a line in the log.
    pub request_log: bool,
    /// The versions of CAMARA's APIs that have their base paths to themselves. No two contradict each
    /// other.
    pub pins: Vec<Pin>,
    /// The versions of CAMARA's APIs that are going to end. No two are about the same.
    pub deprecations: Vec<Deprecation>,
    /// Which addresses are sent events.
    pub sinks: OutboundPolicy,
    /// How long a sink may take to answer.
    pub sink_timeout: Duration,
    /// Whether the newest version of each of CAMARA's APIs stands at `/vwip` as well.
    pub vwip: bool,
}

/// Whether the server plays or is in earnest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Demo clients, demo lines, consent given at once.
    Sandbox,
    /// Nothing of that.
    Production,
}

impl Mode {
    /// The word for it in configuration and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }
}

/// Where the certificate is; both files are read again when they change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// A key of 256 bits. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct Key32([u8; 32]);

/// A text that is no key of 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Key32Error {
    /// Not 32 bytes.
    #[error(
        "not a key: 32 bytes as 64 hexadecimal digits or as base64 are needed, such as `openssl rand -hex 32` prints"
    )]
    Form,
    /// 32 bytes that nobody drew at random.
    #[error("not a random key: take one from `openssl rand -hex 32`")]
    NotRandom,
}

impl Key32 {
    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of this key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Key32 {
    type Err = Key32Error;

    fn from_str(text: &str) -> Result<Self, Key32Error> {
        let bytes = from_hex(text).or_else(|| from_base64(text)).ok_or(Key32Error::Form)?;
        // 32 random bytes have fewer than 16 different ones about once in 10^9 years of trying.
        if bytes.iter().collect::<HashSet<_>>().len() < 16 {
            return Err(Key32Error::NotRandom);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for Key32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key32(…)")
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(bytes)
}

/// Either alphabet of RFC 4648, padded or not.
fn from_base64(text: &str) -> Option<[u8; 32]> {
    let options = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [alphabet::STANDARD, alphabet::URL_SAFE].iter().find_map(|alphabet| {
        let bytes = GeneralPurpose::new(alphabet, options).decode(text).ok()?;
        <[u8; 32]>::try_from(bytes).ok()
    })
}

/// Whether a credential can hold 128 random bits: long enough for its alphabet, and without the
/// patterns of one that was typed. What people made up cleverly can't be told from what was drawn.
#[must_use]
pub fn is_random(token: &str) -> bool {
    let bytes = token.as_bytes();
    let is_hex = bytes.iter().all(u8::is_ascii_hexdigit);
    let least = if is_hex { 32 } else { 22 };
    let different = bytes.iter().collect::<HashSet<_>>().len();
    let steps = bytes.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    let repeats = (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b));
    bytes.len() >= least && different >= 8 && steps < bytes.len() / 2 && !repeats
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 32] = *b"\xffabcdefghijklmnopqrstuvwxyz01234";

    #[test]
    fn a_key_is_read_from_hex_and_from_base64() {
        let texts = [
            "ff6162636465666768696a6b6c6d6e6f707172737475767778797a3031323334",
            "/2FiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ=",
            "_2FiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ",
        ];
        for text in texts {
            assert_eq!(text.parse::<Key32>().map(|key| *key.as_bytes()), Ok(BYTES), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_short_or_not_random_is_refused() {
        for text in ["", "ff", "secret", &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(text.parse::<Key32>(), Err(Key32Error::Form), "{text}");
        }
        for text in ["00".repeat(32), "0123456789abcdef".repeat(4)] {
            assert_eq!(text.parse::<Key32>(), Err(Key32Error::NotRandom), "{text}");
        }
    }

    #[test]
    fn a_key_does_not_print() {
        assert_eq!(format!("{:?}", Key32::from_bytes(BYTES)), "Key32(…)");
    }

    #[test]
    fn a_credential_of_128_random_bits_is_long_and_without_pattern() {
        for token in ["kS3jv9_Qx0TzR1-mB7nYpA", "8f14e45fceea167a5a36dedd4bea2543"] {
            assert!(is_random(token), "{token}");
        }
        for token in [
            "",
            "change-me",
            "kS3jv9_Qx0TzR1-mB7nYp",
            "8f14e45fceea167a5a36dedd4bea254",
            "00000000000000000000000000000000",
            "0123456789abcdef0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz",
            "passwordpasswordpassword",
        ] {
            assert!(!is_random(token), "{token}");
        }
    }
}
