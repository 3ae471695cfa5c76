use attache_core::{Device, DeviceIdentifier, Problem, Question, Reachability, Roaming, Scope};

/// One published API in one version, as its clients see it: `POST` of a JSON object to one path.
#[derive(Debug)]
pub struct Face {
    /// The name of the API, such as `device-roaming-status`.
    pub api: &'static str,
    /// The version as its path has it, such as `v1`.
    pub version: &'static str,
    /// The path below the publisher's root.
    pub path: &'static str,
    /// The scope that a token needs.
    pub scope: Scope,
    /// How the token and the body together tell the line.
    pub identification: Identification,
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
}

impl Face {
    /// The question that this face asks.
    #[must_use]
    pub const fn question(&self) -> Question {
        match self.answer {
            Answering::Roaming(_) => Question::Roaming,
            Answering::Reachability(_) => Question::Reachability,
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

/// What a face does about the header `x-correlator`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Correlator {
    /// Its contract has the header: one that does not match the pattern is refused, and one is made
    /// where there is none.
    Documented,
    /// Its contract does not mention the header: one that matches the pattern is echoed.
    Echoed,
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
