//! What a scenario is made of: steps, each a request and what must come back. Plans are data; nothing
//! here speaks HTTP.

use std::{borrow::Cow, net::Ipv6Addr};

use serde_json::{Value, json};

use crate::{
    contract::{Code, Contract, Naming, Question},
    target::{Line, Target},
};

/// One rule that a server is held against.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The rule, as a sentence.
    pub rule: String,
    /// How it is tried; or why it can't be.
    pub plan: Result<Plan, Skip>,
}

/// Why a scenario isn't tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skip(pub String);

impl Skip {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// How a rule is tried.
#[derive(Clone, Debug)]
pub enum Plan {
    /// By requests, one after the other.
    Steps(Vec<Step>),
    /// By the same request thrice: `lastStatusTime` must not move along with it.
    TimeStands(Ask),
    /// By all responses of the other scenarios.
    Always(Invariant),
}

/// What holds for every response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invariant {
    /// Its status and code are documented.
    Documented,
    /// Its media type is JSON.
    IsJson,
    /// An answer has the fields of its schema.
    AnswerFits,
    /// An error has the fields of its schema, and the status that it came with.
    ErrorFits,
    /// It has the correlator of its request.
    Correlated,
    /// `lastStatusTime` is not in the future.
    NotInTheFuture,
    /// Countries go with a roaming line, and with its country code.
    CountryFits,
    /// Connectivity goes with a line that is reachable.
    ConnectivityFits,
}

/// A request and what must come back.
#[derive(Clone, Debug)]
pub struct Step {
    /// The request.
    pub ask: Ask,
    /// What must come back.
    pub expect: Expect,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    pub(crate) bearer: Bearer,
    pub(crate) method: &'static str,
    pub(crate) path_suffix: Cow<'static, str>,
    pub(crate) content_type: &'static str,
    pub(crate) accept: &'static str,
    pub(crate) correlator: Correlator,
    pub(crate) body: Option<String>,
}

impl Ask {
    /// A query with a JSON body.
    pub(crate) fn new(bearer: Bearer, body: &Value) -> Self {
        Self::raw(bearer, body.to_string())
    }

    /// A query with any body.
    pub(crate) fn raw(bearer: Bearer, body: impl Into<String>) -> Self {
        Self {
            bearer,
            method: "POST",
            path_suffix: Cow::Borrowed(""),
            content_type: "application/json",
            accept: "application/json",
            correlator: Correlator::Fresh,
            body: Some(body.into()),
        }
    }

    pub(crate) fn answers(self, facts: Vec<Fact>) -> Step {
        Step { ask: self, expect: Expect::Answer(facts) }
    }

    pub(crate) fn is(self, codes: &'static [Code]) -> Step {
        Step { ask: self, expect: Expect::Refusal(codes) }
    }
}

/// The credentials of a request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Bearer {
    /// None.
    Missing,
    /// Another scheme than Bearer.
    OtherScheme,
    /// No token at all, but some text.
    Malformed,
    /// A token that was good.
    Expired,
    /// A token of another issuer.
    Foreign,
    /// A 2-legged token with the scope.
    TwoLegged,
    /// A 2-legged token without the scope.
    WithoutScope,
    /// A token about this line.
    ThreeLegged(String),
    /// A 2-legged token of another client.
    OtherClient,
    /// A token of a client that is over its rate limit.
    OverRate,
    /// A token of a client whose quota is used up.
    OverQuota,
}

/// The correlator of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Correlator {
    /// A new one.
    Fresh,
    /// This one.
    This(String),
    /// None.
    Missing,
}

/// What must come back.
#[derive(Clone, Debug)]
pub enum Expect {
    /// 200, with these facts.
    Answer(Vec<Fact>),
    /// One of these errors; an empty code stands for any.
    Refusal(&'static [Code]),
    /// 200 or one of these errors.
    AnswerOr(&'static [Code]),
}

/// What an answer must say.
#[derive(Clone, Debug)]
pub enum Fact {
    /// Whether the line roams.
    Roaming(bool),
    /// Where it roams.
    Country {
        /// The country code.
        code: u16,
        /// The countries that it stands for.
        names: Vec<String>,
    },
    /// By what it can be reached.
    Reachable {
        /// By data.
        data: bool,
        /// By SMS.
        sms: bool,
    },
    /// The technology.
    NetworkType(String),
    /// The status is old, and says so.
    ConfirmedLongAgo,
    /// No device is named.
    NoDevice,
    /// The device is named by one of these identifiers.
    DeviceAmong(Vec<Identifier>),
    /// The response has this correlator.
    Correlator(String),
}

/// What names a line in a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identifier {
    /// A phone number.
    PhoneNumber(String),
    /// A network access identifier.
    AccessIdentifier(String),
    /// A public IPv4 address, with a port, a private address, or both.
    Ipv4 {
        /// The public address.
        public: String,
        /// The port.
        port: Option<u16>,
        /// The private address.
        private: Option<String>,
    },
    /// An IPv6 address.
    Ipv6(String),
}

impl Identifier {
    /// The name and value in `device`.
    fn in_device(&self) -> (&'static str, Value) {
        match self {
            Self::PhoneNumber(number) => ("phoneNumber", json!(number)),
            Self::AccessIdentifier(identifier) => ("networkAccessIdentifier", json!(identifier)),
            Self::Ipv4 { public, port, private } => {
                let mut address = json!({"publicAddress": public});
                if let Some(port) = port {
                    address["publicPort"] = json!(port);
                }
                if let Some(private) = private {
                    address["privateAddress"] = json!(private);
                }
                ("ipv4Address", address)
            }
            Self::Ipv6(address) => ("ipv6Address", json!(address)),
        }
    }

    /// The name and value in `ueId`, with the port that stands beside it.
    fn in_ue_id(&self) -> (&'static str, Value, Option<u16>) {
        match self {
            Self::PhoneNumber(number) => ("msisdn", json!(number), None),
            Self::AccessIdentifier(identifier) => ("externalId", json!(identifier), None),
            Self::Ipv4 { public, port, .. } => ("ipv4Addr", json!(public), *port),
            Self::Ipv6(address) => ("ipv6Addr", json!(address), None),
        }
    }

    /// Whether `device` of a response is this identifier and nothing else.
    pub(crate) fn is_told_by(&self, device: &Value) -> bool {
        let (name, value) = self.in_device();
        let told = device.as_object().filter(|device| device.len() == 1).and_then(|device| device.get(name));
        match (told, &value) {
            // One address has several spellings.
            (Some(Value::String(told)), Value::String(sent)) if name == "ipv6Address" => {
                told.parse::<Ipv6Addr>().is_ok_and(|told| sent.parse() == Ok(told))
            }
            (Some(told), sent) => told == sent,
            (None, _) => false,
        }
    }
}

/// A body that names a line by these identifiers.
pub(crate) fn naming(contract: &Contract, identifiers: &[Identifier]) -> Value {
    match contract.naming {
        Naming::Device => json!({ "device": device_of(identifiers) }),
        Naming::UeId => {
            let mut body = json!({"ueId": {}});
            for (name, value, port) in identifiers.iter().map(Identifier::in_ue_id) {
                body["ueId"][name] = value;
                if let Some(port) = port {
                    body["uePort"] = json!(port);
                }
            }
            body
        }
    }
}

/// `device` with these identifiers.
pub(crate) fn device_of(identifiers: &[Identifier]) -> Value {
    identifiers.iter().map(Identifier::in_device).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A body that names a line by its number.
pub(crate) fn naming_number(contract: &Contract, number: &str) -> Value {
    naming(contract, &[Identifier::PhoneNumber(number.to_owned())])
}

/// What an answer about a line must say.
pub(crate) fn facts(contract: &Contract, line: &Line) -> Vec<Fact> {
    let mut facts = Vec::new();
    match contract.question {
        Question::Roaming => {
            facts.extend(line.roaming.map(Fact::Roaming));
            if let (Some(true), Some(code), Some(names)) = (line.roaming, line.country_code, &line.country_name) {
                facts.push(Fact::Country { code, names: names.clone() });
            }
        }
        Question::Reachability => facts.extend(line.reach().map(|(data, sms)| Fact::Reachable { data, sms })),
        Question::NetworkType => facts.extend(line.network_type.clone().map(Fact::NetworkType)),
    }
    facts
}

/// Whether the bearer's token with these scopes, separated by spaces, is to be had; if not, why.
pub(crate) fn admit(target: &Target, bearer: Bearer, scopes: &str) -> Result<Bearer, Skip> {
    let tokens = &target.tokens;
    let client = target.client.as_ref();
    let can_ciba = client.is_some_and(|client| client.backchannel_authentication_endpoint.is_some());
    let (is_there, missing) = match &bearer {
        Bearer::Missing | Bearer::OtherScheme | Bearer::Malformed => (true, ""),
        Bearer::Expired => (tokens.expired.is_some(), "no expired token is given (tokens.expired)"),
        Bearer::Foreign => (
            tokens.foreign.is_some() || target.foreign_client.is_some(),
            "no token of another issuer is given (tokens.foreign)",
        ),
        Bearer::TwoLegged => (
            tokens.two_legged.is_some() || client.is_some(),
            "no 2-legged token is given (tokens.two_legged), and no client to fetch one (client)",
        ),
        Bearer::WithoutScope => (
            tokens.without_scope.is_some()
                || client.is_some_and(|client| client.scopes.iter().any(|scope| !has_scope(scopes, scope))),
            "no token without the scope is given (tokens.without_scope), and no client with another scope \
             (client.scopes)",
        ),
        Bearer::ThreeLegged(number) => (
            can_ciba || tokens.three_legged.iter().any(|given| given.phone_number == *number),
            "no 3-legged token is given (tokens.three_legged), and no client to fetch one by CIBA \
             (client.backchannel_authentication_endpoint)",
        ),
        Bearer::OtherClient => (
            tokens.other_client.is_some() || target.other_client.is_some(),
            "no token of another client is given (tokens.other_client), and no such client (other_client)",
        ),
        Bearer::OverRate => (
            tokens.over_rate.is_some() || target.rate_client.is_some(),
            "no token of a client over its rate limit is given (tokens.over_rate)",
        ),
        Bearer::OverQuota => (
            tokens.over_quota.is_some() || target.quota_client.is_some(),
            "no token of a client with a used-up quota is given (tokens.over_quota)",
        ),
    };
    if is_there { Ok(bearer) } else { Err(Skip::because(missing)) }
}

/// Whether a list of scopes, separated by spaces, has this one.
pub(crate) fn has_scope(scopes: &str, scope: &str) -> bool {
    scopes.split(' ').any(|one| one == scope)
}
