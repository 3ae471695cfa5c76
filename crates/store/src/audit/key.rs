//! The keys of the log, and what is made with them: pseudonyms and seals.

use std::{fmt, str::FromStr};

use attache_core::{LineId, SubjectKey};
use aws_lc_rs::hmac;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What the log is written and read with: a key for the seals, one for the heads, one for the pseudonyms.
#[derive(Clone)]
pub struct AuditKey {
    seals: hmac::Key,
    heads: hmac::Key,
    pseudonyms: hmac::Key,
}

impl AuditKey {
    /// The key of this secret, which should have 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&secret, label).as_ref());
        Self {
            seals: derive(b"attache audit seals"),
            heads: derive(b"attache audit heads"),
            pseudonyms: derive(b"attache audit pseudonyms"),
        }
    }

    /// What the log calls a line, which has this key.
    #[must_use]
    pub fn pseudonym(&self, line: LineId, subject: SubjectKey) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.pseudonyms);
        context.update(line.as_bytes());
        context.update(subject.as_bytes());
        let tag = context.sign();
        let mut half = [0; 16];
        half.copy_from_slice(&tag.as_ref()[..16]);
        Pseudonym(half)
    }

    /// Where the chain of a segment begins.
    pub(super) fn root(&self, segment: u64) -> Seal {
        self.seal(&Seal::default(), &segment.to_be_bytes())
    }

    pub(super) fn seal(&self, previous: &Seal, bytes: &[u8]) -> Seal {
        let mut context = hmac::Context::with_key(&self.seals);
        context.update(&previous.0);
        context.update(bytes);
        Seal::of(&context.sign())
    }

    pub(super) fn seal_of_head(&self, bytes: &[u8]) -> Seal {
        Seal::of(&hmac::sign(&self.heads, bytes))
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey(…)")
    }
}

/// What the log calls a line. It prints and parses as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pseudonym(pub(super) [u8; 16]);

/// A text that is no pseudonym.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a pseudonym: 32 hexadecimal digits in lower case are needed, as the field subject of a record has them")]
pub struct PseudonymError;

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Pseudonym {
    type Err = PseudonymError;

    fn from_str(text: &str) -> Result<Self, PseudonymError> {
        let is_lower_case = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        from_hex(text.as_bytes()).filter(|_| is_lower_case).map(Self).ok_or(PseudonymError)
    }
}

/// The HMAC that ends a batch. All zero: there is none yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Seal([u8; 32]);

impl Seal {
    fn of(tag: &hmac::Tag) -> Self {
        let mut seal = Self::default();
        seal.0.copy_from_slice(tag.as_ref());
        seal
    }

    pub(super) fn push_to(self, bytes: &mut Vec<u8>) {
        push_hex(bytes, &self.0);
    }

    pub(super) fn from_hex(text: &[u8]) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

impl Serialize for Seal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Vec::with_capacity(64);
        self.push_to(&mut text);
        serializer.collect_str(&String::from_utf8_lossy(&text))
    }
}

impl<'de> Deserialize<'de> for Seal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_hex(text.as_bytes()).ok_or_else(|| D::Error::custom("no seal"))
    }
}

fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

pub(super) fn push_hex(bytes: &mut Vec<u8>, binary: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.extend(binary.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}
