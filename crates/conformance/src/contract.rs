//! What each version of each API says, as far as a server can be held against it: the facts of the
//! official contracts, in one table a version. Versions share what is equal.
//!
//! Sources: the contracts of device-status 0.4.1 and 0.5.1, device-roaming-status and
//! device-reachability-status 0.6, 1.0 and 1.1, connected-network-type 0.1 and 0.2, and the CAMARA API
//! Design Guide sections 3.2 and 5.8.5. Where the project's own crates have types for the same
//! contracts, these are not used here: a server cannot be checked by its own idea of what is right.

use crate::shape::{Field, Kind, Pattern};

/// One operation of one API in one version.
#[derive(Debug)]
pub struct Contract {
    /// The name of the API.
    pub api: &'static str,
    /// Its version, `1.1`.
    pub version: &'static str,
    /// The path below the base URL.
    pub path: &'static str,
    /// The scope that a token needs.
    pub scope: &'static str,
    /// What is asked.
    pub question: Question,
    /// How a request names a line.
    pub naming: Naming,
    /// The fields of an answer.
    pub answer: &'static [Field],
    /// The fields of an error.
    pub error: &'static [Field],
    /// The documented errors.
    pub errors: &'static [Listed],
    /// The pattern of `x-correlator`, where the contract has one; `None` for a contract without this
    /// header.
    pub correlator: Option<Pattern>,
    /// The rules by which the server answers.
    pub rules: &'static Rules,
}

impl Contract {
    /// The operation as reports name it: the API and version, and the path's end where an API has
    /// several.
    #[must_use]
    pub fn name(&self) -> String {
        let operation = if self.api == "device-status" { self.path.rsplit('/').next() } else { None };
        match operation {
            Some(operation) => format!("{}/{} /{operation}", self.api, self.version),
            None => format!("{}/{}", self.api, self.version),
        }
    }

    /// Whether this is the newest of the versions that share its path and its way to name a line.
    #[must_use]
    pub fn is_newest_on_its_path(&self) -> bool {
        let same = |other: &&Self| other.path == self.path && other.naming == self.naming;
        CONTRACTS.iter().rfind(same).is_some_and(|newest| newest.version == self.version)
    }

    /// The fields that only other versions and APIs of the family have.
    pub(crate) fn foreign_fields(&self, status: u16) -> Vec<&'static str> {
        let all = CONTRACTS.iter().flat_map(|contract| contract.answer.iter().chain(contract.error));
        let own = if status == 200 { self.answer } else { self.error };
        all.map(|field| field.name).filter(|name| own.iter().all(|field| field.name != *name)).collect()
    }
}

/// What an API asks about a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question {
    /// Whether and where it roams.
    Roaming,
    /// By what it can be reached.
    Reachability,
    /// Which technology serves it.
    NetworkType,
}

/// How a request names a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// `ueId` with `msisdn`, `externalId`, `ipv4Addr` and `ipv6Addr`.
    UeId,
    /// `device` with `phoneNumber`, `networkAccessIdentifier`, `ipv4Address` and `ipv6Address`.
    Device,
}

/// A documented error status.
#[derive(Debug)]
pub struct Listed {
    /// The status.
    pub status: u16,
    /// Its codes.
    pub codes: &'static [&'static str],
    /// Whether there are no others: the contract has an enumeration, not examples.
    pub only: bool,
}

/// Status and code.
pub type Code = (u16, &'static str);

/// How the server answers in the cases in which versions differ. A list of codes means any of them.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The body does not fit the schema.
    pub invalid: &'static [Code],
    /// No good token.
    pub unauthenticated: &'static [Code],
    /// A token that was good.
    pub expired: &'static [Code],
    /// The token lacks the scope.
    pub scope_missing: &'static [Code],
    /// No line is known by the identifier.
    pub unknown_line: &'static [Code],
    /// A token without a line, and none named.
    pub nothing_named: &'static [Code],
    /// A token about a line, and none named.
    pub token_alone: Said,
    /// A token about a line, and the same line named.
    pub named_beside_token: Said,
    /// A token about a line, and another line named.
    pub another_named_beside_token: &'static [Code],
    /// A network access identifier alone; empty where the version takes it.
    pub unsupported: &'static [Code],
    /// Identifiers of different lines.
    pub disagreement: Disagreement,
    /// The service is not for this line; empty where the version has no code.
    pub not_applicable: &'static [Code],
    /// The network never saw the line.
    pub never_seen: NeverSeen,
    /// The network does not answer, or the server can't.
    pub unavailable: &'static [Code],
    /// The network does not answer in time.
    pub timed_out: &'static [Code],
    /// A body of another media type than JSON.
    pub media_type: &'static [Code],
    /// Another method than POST.
    pub method: &'static [Code],
    /// Whether an answer to a request with several identifiers names the one that was used.
    pub names_the_device: bool,
}

/// Whether a request is answered or refused.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// It is answered.
    Answered,
    /// It is refused.
    Refused(&'static [Code]),
}

/// What is done about identifiers of different lines.
#[derive(Clone, Copy, Debug)]
pub enum Disagreement {
    /// They are refused.
    Refused(&'static [Code]),
    /// One is used, and nobody learns that they differ.
    Untold,
    /// The contract does not say.
    Unsaid,
}

/// What is said of a line that the network never saw.
#[derive(Clone, Copy, Debug)]
pub enum NeverSeen {
    /// An error.
    Refused(&'static [Code]),
    /// An answer with `UNKNOWN`.
    Unknown,
}

// Patterns.

pub(crate) const PHONE_NUMBER: Pattern = Pattern { text: r"^\+[1-9][0-9]{4,14}$", matches: is_phone_number };
/// The correlator of 1.0 and connected-network-type 0.1.
pub(crate) const CORRELATOR_1_0: Pattern = Pattern { text: r"^[a-zA-Z0-9-]{0,55}$", matches: is_correlator_1_0 };
/// The correlator of 1.1 and connected-network-type 0.2.
pub(crate) const CORRELATOR_1_1: Pattern =
    Pattern { text: r"^[a-zA-Z0-9-_:;.\/<>{}]{0,256}$", matches: is_correlator_1_1 };
/// The correlator of 0.6: any text.
pub(crate) const CORRELATOR_0_6: Pattern = Pattern { text: "", matches: |_| true };

fn is_phone_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (5..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_correlator_1_0(text: &str) -> bool {
    text.len() <= 55 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_correlator_1_1(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:;./<>{}".contains(&byte))
}

// Answers.

const ROAMING: Field = Field::required("roaming", Kind::Boolean);
const COUNTRY_CODE: Field = Field::optional("countryCode", Kind::Integer);
const COUNTRY_NAME: Field = Field::optional("countryName", Kind::List(&Kind::Text));
const REACHABLE: Field = Field::required("reachable", Kind::Boolean);
const CONNECTIVITY: Field = Field::optional("connectivity", Kind::List(&Kind::OneOf(&["DATA", "SMS"])));
const CONNECTED: Kind = Kind::OneOf(&["CONNECTED_DATA", "CONNECTED_SMS", "NOT_CONNECTED"]);
const NETWORK_TYPE: Field = Field::required("connectedNetworkType", Kind::OneOf(&["2G", "3G", "4G", "5G", "UNKNOWN"]));
const TIME_IF_KNOWN: Field = Field::optional("lastStatusTime", Kind::DateTime);
const TIME: Field = Field::required("lastStatusTime", Kind::DateTime);
/// connected-network-type 0.2 requires the time in every answer, and has UNKNOWN for lines of which
/// nothing is known: then there is no time that a server could tell.
const TIME_UNLESS_UNKNOWN: Field = Field { excused_by: Some(("connectedNetworkType", "UNKNOWN")), ..TIME };
/// The one identifier that was used of several.
const DEVICE: Field = Field::optional(
    "device",
    Kind::Object {
        fields: &[
            Field::optional("phoneNumber", Kind::Matching(PHONE_NUMBER)),
            Field::optional("networkAccessIdentifier", Kind::Text),
            Field::optional("ipv4Address", Kind::Object { fields: IPV4_ADDRESS, least: 2, most: 3 }),
            Field::optional("ipv6Address", Kind::Ipv6),
        ],
        least: 1,
        most: 1,
    },
);
pub(crate) const IPV4_ADDRESS: &[Field] = &[
    Field::required("publicAddress", Kind::Ipv4),
    Field::optional("privateAddress", Kind::Ipv4),
    Field::optional("publicPort", Kind::Port),
];

// Errors.

const CODE_AND_MESSAGE: &[Field] = &[Field::required("code", Kind::Text), Field::required("message", Kind::Text)];
pub(crate) const ERROR_INFO: &[Field] = &[
    Field::required("status", Kind::Integer),
    Field::required("code", Kind::Text),
    Field::required("message", Kind::Text),
];

pub(crate) const fn listed(status: u16, codes: &'static [&'static str]) -> Listed {
    Listed { status, codes, only: true }
}

pub(crate) const fn shown(status: u16, codes: &'static [&'static str]) -> Listed {
    Listed { status, codes, only: false }
}

const ERRORS_0_4: &[Listed] = &[
    shown(400, &["INVALID_INPUT"]),
    shown(401, &["UNAUTHORIZED"]),
    shown(403, &["FORBIDDEN"]),
    shown(404, &["NOT_FOUND"]),
    shown(500, &["INTERNAL_SERVER_ERROR"]),
    shown(503, &["SERVICE_UNAVAILABLE"]),
];
const ERRORS_0_5: &[Listed] = &[
    shown(400, &["INVALID_ARGUMENT"]),
    shown(401, &["UNAUTHENTICATED"]),
    shown(403, &["PERMISSION_DENIED"]),
    shown(404, &["NOT_FOUND"]),
    shown(500, &["INTERNAL"]),
    shown(503, &["UNAVAILABLE"]),
];
const UNABLE_ROAMING: &str = "UNABLE_TO_PROVIDE_ROAMING_STATUS";
const UNABLE_REACHABILITY: &str = "UNABLE_TO_PROVIDE_REACHABILITY_STATUS";
const ROAMING_ERRORS_0_6: &[Listed] = &errors_0_6(&[
    "DEVICE_IDENTIFIERS_MISMATCH",
    "DEVICE_NOT_APPLICABLE",
    UNABLE_ROAMING,
    "UNSUPPORTED_DEVICE_IDENTIFIERS",
]);
const REACHABILITY_ERRORS_0_6: &[Listed] = &errors_0_6(&[
    "DEVICE_IDENTIFIERS_MISMATCH",
    "DEVICE_NOT_APPLICABLE",
    UNABLE_REACHABILITY,
    "UNSUPPORTED_DEVICE_IDENTIFIERS",
]);

const fn errors_0_6(unprocessable: &'static [&'static str]) -> [Listed; 13] {
    [
        shown(400, &["INVALID_ARGUMENT"]),
        shown(401, &["UNAUTHENTICATED", "AUTHENTICATION_REQUIRED"]),
        shown(403, &["PERMISSION_DENIED", "INVALID_TOKEN_CONTEXT"]),
        shown(404, &["NOT_FOUND", "DEVICE_NOT_FOUND"]),
        shown(406, &["NOT_ACCEPTABLE"]),
        shown(415, &["UNSUPPORTED_MEDIA_TYPE"]),
        shown(422, unprocessable),
        shown(429, &["QUOTA_EXCEEDED", "TOO_MANY_REQUESTS"]),
        shown(500, &["INTERNAL"]),
        shown(501, &["NOT_IMPLEMENTED"]),
        shown(502, &["BAD_GATEWAY"]),
        shown(503, &["UNAVAILABLE"]),
        shown(504, &["TIMEOUT"]),
    ]
}

const BAD_REQUEST: Listed = listed(400, &["INVALID_ARGUMENT"]);
const UNAUTHORIZED: Listed = listed(401, &["UNAUTHENTICATED"]);
const UNAUTHORIZED_1_0: Listed = listed(401, &["UNAUTHENTICATED", "AUTHENTICATION_REQUIRED"]);
const FORBIDDEN: Listed = listed(403, &["PERMISSION_DENIED"]);
const NOT_FOUND: Listed = listed(404, &["NOT_FOUND", "IDENTIFIER_NOT_FOUND"]);
const UNPROCESSABLE: Listed =
    listed(422, &["SERVICE_NOT_APPLICABLE", "MISSING_IDENTIFIER", "UNSUPPORTED_IDENTIFIER", "UNNECESSARY_IDENTIFIER"]);
const UNPROCESSABLE_1_0: Listed = listed(
    422,
    &[
        "IDENTIFIER_MISMATCH",
        "SERVICE_NOT_APPLICABLE",
        "MISSING_IDENTIFIER",
        "UNSUPPORTED_IDENTIFIER",
        "UNNECESSARY_IDENTIFIER",
    ],
);
const TOO_MANY: Listed = listed(429, &["QUOTA_EXCEEDED", "TOO_MANY_REQUESTS"]);
const UNAVAILABLE: Listed = listed(503, &["UNAVAILABLE"]);

const ERRORS_1_0: &[Listed] =
    &[BAD_REQUEST, UNAUTHORIZED_1_0, FORBIDDEN, NOT_FOUND, UNPROCESSABLE_1_0, TOO_MANY, UNAVAILABLE];
const ERRORS_1_1: &[Listed] = &[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE, TOO_MANY, UNAVAILABLE];
const NETWORK_TYPE_ERRORS_0_1: &[Listed] =
    &[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE_1_0, TOO_MANY];
const NETWORK_TYPE_ERRORS_0_2: &[Listed] = &[BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, UNPROCESSABLE, TOO_MANY];

// Rules.

const RULES_1_1: Rules = Rules {
    invalid: &[(400, "INVALID_ARGUMENT")],
    unauthenticated: &[(401, "UNAUTHENTICATED")],
    expired: &[(401, "UNAUTHENTICATED")],
    scope_missing: &[(403, "PERMISSION_DENIED")],
    unknown_line: &[(404, "IDENTIFIER_NOT_FOUND")],
    nothing_named: &[(422, "MISSING_IDENTIFIER")],
    token_alone: Said::Answered,
    named_beside_token: Said::Refused(&[(422, "UNNECESSARY_IDENTIFIER")]),
    another_named_beside_token: &[(422, "UNNECESSARY_IDENTIFIER")],
    unsupported: &[(422, "UNSUPPORTED_IDENTIFIER")],
    disagreement: Disagreement::Untold,
    not_applicable: &[(422, "SERVICE_NOT_APPLICABLE")],
    never_seen: NeverSeen::Refused(&[(503, "UNAVAILABLE")]),
    unavailable: &[(503, "UNAVAILABLE")],
    timed_out: &[(503, "UNAVAILABLE")],
    // The Design Guide has codes for both; a gateway that reads the body alone finds it invalid.
    media_type: &[(415, "UNSUPPORTED_MEDIA_TYPE"), (400, "INVALID_ARGUMENT")],
    method: &[(405, "METHOD_NOT_ALLOWED")],
    names_the_device: true,
};
const RULES_1_0: Rules = Rules {
    expired: &[(401, "UNAUTHENTICATED"), (401, "AUTHENTICATION_REQUIRED")],
    disagreement: Disagreement::Refused(&[(422, "IDENTIFIER_MISMATCH")]),
    names_the_device: false,
    ..RULES_1_1
};
const NETWORK_TYPE_RULES_0_2: Rules = Rules { never_seen: NeverSeen::Unknown, ..RULES_1_1 };
const NETWORK_TYPE_RULES_0_1: Rules = Rules { expired: RULES_1_1.expired, never_seen: NeverSeen::Unknown, ..RULES_1_0 };
const ROAMING_RULES_0_6: Rules = Rules {
    expired: &[(401, "UNAUTHENTICATED"), (401, "AUTHENTICATION_REQUIRED")],
    unknown_line: &[(404, "DEVICE_NOT_FOUND")],
    nothing_named: &[(422, "UNIDENTIFIABLE_DEVICE")],
    named_beside_token: Said::Answered,
    another_named_beside_token: &[(403, "INVALID_TOKEN_CONTEXT")],
    unsupported: &[(422, "UNSUPPORTED_DEVICE_IDENTIFIERS")],
    disagreement: Disagreement::Refused(&[(422, "DEVICE_IDENTIFIERS_MISMATCH")]),
    not_applicable: &[(422, "DEVICE_NOT_APPLICABLE")],
    never_seen: NeverSeen::Refused(&[(422, UNABLE_ROAMING)]),
    timed_out: &[(504, "TIMEOUT")],
    media_type: &[(415, "UNSUPPORTED_MEDIA_TYPE")],
    names_the_device: false,
    ..RULES_1_1
};
const REACHABILITY_RULES_0_6: Rules =
    Rules { never_seen: NeverSeen::Refused(&[(422, UNABLE_REACHABILITY)]), ..ROAMING_RULES_0_6 };
const RULES_0_5: Rules = Rules {
    unknown_line: &[(404, "NOT_FOUND")],
    nothing_named: &[(400, "INVALID_ARGUMENT")],
    token_alone: Said::Refused(&[(400, "INVALID_ARGUMENT")]),
    named_beside_token: Said::Answered,
    // The contract shows the first, and the guide of its time names the second for this case.
    another_named_beside_token: &[(403, "PERMISSION_DENIED"), (403, "INVALID_TOKEN_CONTEXT")],
    unsupported: &[],
    disagreement: Disagreement::Unsaid,
    not_applicable: &[],
    names_the_device: false,
    ..RULES_1_1
};
const RULES_0_4: Rules = Rules {
    invalid: &[(400, "INVALID_INPUT")],
    unauthenticated: &[(401, "UNAUTHORIZED")],
    expired: &[(401, "UNAUTHORIZED")],
    scope_missing: &[(403, "FORBIDDEN")],
    nothing_named: &[(400, "INVALID_INPUT")],
    token_alone: Said::Refused(&[(400, "INVALID_INPUT")]),
    another_named_beside_token: &[(403, "FORBIDDEN")],
    never_seen: NeverSeen::Refused(&[(503, "SERVICE_UNAVAILABLE")]),
    unavailable: &[(503, "SERVICE_UNAVAILABLE")],
    timed_out: &[(503, "SERVICE_UNAVAILABLE")],
    // Nothing is documented, so any code will do.
    media_type: &[(415, ""), (400, "INVALID_INPUT")],
    method: &[(405, "")],
    ..RULES_0_5
};

// Answers, whole.

const ROAMING_0: &[Field] = &[ROAMING, COUNTRY_CODE, COUNTRY_NAME];
const ROAMING_1_0: &[Field] = &[TIME_IF_KNOWN, ROAMING, COUNTRY_CODE, COUNTRY_NAME];
const ROAMING_1_1: &[Field] = &[DEVICE, TIME, ROAMING, COUNTRY_CODE, COUNTRY_NAME];
const REACHABILITY_0_5: &[Field] = &[Field::required("connectivityStatus", CONNECTED)];
const REACHABILITY_0_6: &[Field] = &[TIME_IF_KNOWN, Field::required("reachabilityStatus", CONNECTED)];
const REACHABILITY_1_0: &[Field] = &[TIME_IF_KNOWN, REACHABLE, CONNECTIVITY];
const REACHABILITY_1_1: &[Field] = &[DEVICE, TIME, REACHABLE, CONNECTIVITY];
const NETWORK_TYPE_0_1: &[Field] = &[TIME_IF_KNOWN, NETWORK_TYPE];
const NETWORK_TYPE_0_2: &[Field] = &[DEVICE, TIME_UNLESS_UNKNOWN, NETWORK_TYPE];

/// Every operation of every version; of those that share a path, the newest is last.
pub static CONTRACTS: &[Contract] = &[
    Contract {
        api: "device-status",
        version: "0.4",
        path: "/device-status/v0/roaming",
        scope: "device-status-roaming-read",
        question: Question::Roaming,
        naming: Naming::UeId,
        answer: ROAMING_0,
        error: CODE_AND_MESSAGE,
        errors: ERRORS_0_4,
        correlator: None,
        rules: &RULES_0_4,
    },
    Contract {
        api: "device-status",
        version: "0.5",
        path: "/device-status/v0/roaming",
        scope: "device-status:roaming:read",
        question: Question::Roaming,
        naming: Naming::Device,
        answer: ROAMING_0,
        error: ERROR_INFO,
        errors: ERRORS_0_5,
        correlator: None,
        rules: &RULES_0_5,
    },
    Contract {
        api: "device-status",
        version: "0.5",
        path: "/device-status/v0/connectivity",
        scope: "device-status:connectivity:read",
        question: Question::Reachability,
        naming: Naming::Device,
        answer: REACHABILITY_0_5,
        error: ERROR_INFO,
        errors: ERRORS_0_5,
        correlator: None,
        rules: &RULES_0_5,
    },
    Contract {
        api: "device-roaming-status",
        version: "0.6",
        path: "/device-roaming-status/v0.6/retrieve",
        scope: "device-roaming-status:read",
        question: Question::Roaming,
        naming: Naming::Device,
        answer: ROAMING_1_0,
        error: ERROR_INFO,
        errors: ROAMING_ERRORS_0_6,
        correlator: Some(CORRELATOR_0_6),
        rules: &ROAMING_RULES_0_6,
    },
    Contract {
        api: "device-roaming-status",
        version: "1.0",
        path: "/device-roaming-status/v1/retrieve",
        scope: "device-roaming-status:read",
        question: Question::Roaming,
        naming: Naming::Device,
        answer: ROAMING_1_0,
        error: ERROR_INFO,
        errors: ERRORS_1_0,
        correlator: Some(CORRELATOR_1_0),
        rules: &RULES_1_0,
    },
    Contract {
        api: "device-roaming-status",
        version: "1.1",
        path: "/device-roaming-status/v1/retrieve",
        scope: "device-roaming-status:read",
        question: Question::Roaming,
        naming: Naming::Device,
        answer: ROAMING_1_1,
        error: ERROR_INFO,
        errors: ERRORS_1_1,
        correlator: Some(CORRELATOR_1_1),
        rules: &RULES_1_1,
    },
    Contract {
        api: "device-reachability-status",
        version: "0.6",
        path: "/device-reachability-status/v0.6/retrieve",
        scope: "device-reachability-status:read",
        question: Question::Reachability,
        naming: Naming::Device,
        answer: REACHABILITY_0_6,
        error: ERROR_INFO,
        errors: REACHABILITY_ERRORS_0_6,
        correlator: Some(CORRELATOR_0_6),
        rules: &REACHABILITY_RULES_0_6,
    },
    Contract {
        api: "device-reachability-status",
        version: "1.0",
        path: "/device-reachability-status/v1/retrieve",
        scope: "device-reachability-status:read",
        question: Question::Reachability,
        naming: Naming::Device,
        answer: REACHABILITY_1_0,
        error: ERROR_INFO,
        errors: ERRORS_1_0,
        correlator: Some(CORRELATOR_1_0),
        rules: &RULES_1_0,
    },
    Contract {
        api: "device-reachability-status",
        version: "1.1",
        path: "/device-reachability-status/v1/retrieve",
        scope: "device-reachability-status:read",
        question: Question::Reachability,
        naming: Naming::Device,
        answer: REACHABILITY_1_1,
        error: ERROR_INFO,
        errors: ERRORS_1_1,
        correlator: Some(CORRELATOR_1_1),
        rules: &RULES_1_1,
    },
    Contract {
        api: "connected-network-type",
        version: "0.1",
        path: "/connected-network-type/v0.1/retrieve",
        scope: "connected-network-type:read",
        question: Question::NetworkType,
        naming: Naming::Device,
        answer: NETWORK_TYPE_0_1,
        error: ERROR_INFO,
        errors: NETWORK_TYPE_ERRORS_0_1,
        correlator: Some(CORRELATOR_1_0),
        rules: &NETWORK_TYPE_RULES_0_1,
    },
    Contract {
        api: "connected-network-type",
        version: "0.2",
        path: "/connected-network-type/v0.2/retrieve",
        scope: "connected-network-type:read",
        question: Question::NetworkType,
        naming: Naming::Device,
        answer: NETWORK_TYPE_0_2,
        error: ERROR_INFO,
        errors: NETWORK_TYPE_ERRORS_0_2,
        correlator: Some(CORRELATOR_1_1),
        rules: &NETWORK_TYPE_RULES_0_2,
    },
];
