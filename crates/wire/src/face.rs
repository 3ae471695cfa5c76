use attache_core::{Device, DeviceIdentifier, NetworkType, Problem, Question, Reachability, Roaming, Scope};

use crate::Description;

/// One published API in one version, as its clients see it: `POST` of a JSON object to one path.
#[derive(Debug)]
pub struct Face {
    /// The name of the API, such as `device-roaming-status`.
    pub api: &'static str,
    /// The version of its contract, such as `1.1`.
    pub contract: &'static str,
    /// The version as its path has it, such as `v1`.
    pub version: &'static str,
    /// The path below the publisher's root.
    pub path: &'static str,
    /// For a version whose path a newer one has as well: whether a body is meant for this one. Without
    /// it the newer version answers for this one, which stands there only if it is asked for.
    pub is_meant: Option<fn(&[u8]) -> bool>,
    /// The scope that a token needs.
    pub scope: Scope,
    /// How the token and the body together tell the line.
    pub identification: Identification,
    /// What is done about several identifiers that name different lines.
    pub several: Several,
    /// What is done about the header `x-correlator`.
    pub correlator: Correlator,
    /// Reads the body of a request.
    ///
    /// Errors: the `Body…` and `Field…` problems; for what the contract allows but what can name no
    /// line, [`Problem::UnknownLine`] or [`Problem::IdentifierUnsupported`]; and
    /// [`Problem::IdentifiersDisagree`] for two that cannot both be true.
    pub read: fn(&[u8]) -> Result<Device, Problem>,
    /// The question that it asks, and how the answer is written.
    pub answer: Answering,
    /// Writes a problem.
    pub refuse: fn(&Problem) -> Refusal,
    /// What its document says beside that.
    pub description: Description,
}

impl Face {
    /// The question that this face asks.
    #[must_use]
    pub const fn question(&self) -> Question {
        match self.answer {
            Answering::Roaming(_) => Question::Roaming,
            Answering::Reachability(_) => Question::Reachability,
            Answering::NetworkType(_) => Question::NetworkType,
        }
    }
}

/// The question of a face, with the writer of its answer as JSON. The writer is given the one
/// identifier that was used of several in the request, for versions that tell it.
#[derive(Clone, Copy, Debug)]
pub enum Answering {
    /// Asks whether and where the line roams.
    Roaming(fn(&Roaming, Option<&DeviceIdentifier>) -> Vec<u8>),
    /// Asks by what the line can be reached.
    Reachability(fn(&Reachability, Option<&DeviceIdentifier>) -> Vec<u8>),
    /// Asks by which access technology the line is connected.
    NetworkType(fn(&NetworkType, Option<&DeviceIdentifier>) -> Vec<u8>),
}

/// How the token and the body together tell the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identification {
    /// Exactly one of them does: a body that names a device beside a token issued for one is
    /// [`Problem::IdentifierUnnecessary`] (CAMARA Commonalities 0.5 and later).
    TokenOrBody,
    /// The body may repeat what the token tells, and must agree with it, or it is
    /// [`Problem::LineOfAnotherToken`] (earlier versions).
    BodyAgreesWithToken,
}

/// What a face does about several identifiers in one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Several {
    /// The first that the network knows is used, and the others are not looked at: nobody learns which
    /// of them belong together.
    FirstKnown,
    /// All that the network knows must name one line, or it is [`Problem::IdentifiersDisagree`].
    MustAgree,
}

/// What a face does about the header `x-correlator`. What its contract allows is echoed, and what it
/// does not allow is refused; where nothing was sent, a correlator is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Correlator {
    /// Its contract has a pattern of up to 256 characters (CAMARA Commonalities 0.6 and later).
    Long,
    /// Its contract has a pattern of up to 55 characters (CAMARA Commonalities 0.5).
    Short,
    /// Its contract has the header, without a pattern.
    AnyText,
    /// Its contract does not mention the header: nothing is refused, and only what the newest pattern
    /// allows is echoed.
    Undocumented,
}

impl Correlator {
    /// Whether a text may be echoed.
    #[must_use]
    pub fn allows(self, text: &str) -> bool {
        let short = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        match self {
            Self::Long | Self::Undocumented => {
                text.len() <= 256 && text.bytes().all(|byte| short(byte) || b"_:;./<>{}".contains(&byte))
            }
            Self::Short => text.len() <= 55 && text.bytes().all(short),
            Self::AnyText => true,
        }
    }

    /// The pattern of the contract, if it has one.
    #[must_use]
    pub const fn pattern(self) -> Option<&'static str> {
        match self {
            Self::Long => Some(r"^[a-zA-Z0-9-_:;.\/<>{}]{0,256}$"),
            Self::Short => Some("^[a-zA-Z0-9-]{0,55}$"),
            Self::AnyText | Self::Undocumented => None,
        }
    }

    /// What to tell who sent something else; `None` where nothing is refused.
    #[must_use]
    pub const fn fault(self) -> Option<&'static str> {
        match self {
            Self::Long => Some("does not match ^[a-zA-Z0-9-_:;.\\/<>{}]{0,256}$"),
            Self::Short => Some("does not match ^[a-zA-Z0-9-]{0,55}$"),
            Self::AnyText | Self::Undocumented => None,
        }
    }
}

/// A problem in the words of one face: the status and the JSON body. What belongs into headers
/// (`Allow`, `Retry-After`, `WWW-Authenticate`) follows from the problem alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body.
    pub body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sent_another_correlator_is_told_the_pattern() {
        for correlator in [Correlator::Long, Correlator::Short, Correlator::AnyText, Correlator::Undocumented] {
            let told = correlator.fault().map(|fault| fault.strip_prefix("does not match ").unwrap());
            assert_eq!(told, correlator.pattern());
        }
    }

    #[test]
    fn a_correlator_has_the_characters_of_its_pattern() {
        let long = "a".repeat(256);
        for (text, is_long, is_short) in [
            ("", true, true),
            ("b4333c46-49c0-4f62-80d7-f0ef930f1c46", true, true),
            ("aZ09-_:;./<>{}", true, false),
            (&long[..55], true, true),
            (&long[..56], true, false),
            (&long, true, false),
            (&format!("{long}a"), false, false),
            ("a b", false, false),
            ("a\"b", false, false),
            ("\u{e9}", false, false),
        ] {
            assert_eq!((Correlator::Long.allows(text), Correlator::Short.allows(text)), (is_long, is_short), "{text}");
            assert_eq!(Correlator::Undocumented.allows(text), is_long, "{text}");
            assert!(Correlator::AnyText.allows(text), "{text}");
        }
    }
}
