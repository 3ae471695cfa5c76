//! What the admin API reads and writes; the command line uses the same types from the other side.

use std::{
    borrow::Cow,
    fmt::{self, Display},
    net::{Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    str::FromStr,
};

use attache_core::{
    AuditEvent, AuthenticationMethod, GrantType, LegalBasis, NetworkAccessIdentifier, Pace, PhoneNumber, PlanError,
    Plmn, PublisherName, Purpose, Quota, Rate, RequestId, Scope, SigningAlgorithm, SubscriptionId, Technology,
    Timestamp,
};
use attache_network::Condition;
use attache_store::{Position, Pseudonym};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::{Map, Value};

/// A line of the simulated network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Its number.
    pub phone_number: PhoneNumber,
    /// Its network access identifier, if its operator has given it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_access_identifier: Option<NetworkAccessIdentifier>,
    /// Its home network.
    pub home_plmn: Plmn,
    /// The network that serves it; none if it was never seen.
    pub serving_plmn: Option<Plmn>,
    /// When the serving network was last confirmed.
    pub serving_confirmed_at: Option<Timestamp>,
    /// By what it can be reached.
    pub reachable: Vec<Bearer>,
    /// When the reachability was last confirmed.
    pub reachability_confirmed_at: Option<Timestamp>,
    /// The access technology that it is connected by; none if the network cannot tell, or never saw it.
    pub technology: Option<Technology>,
    /// When the technology was last confirmed.
    pub technology_confirmed_at: Option<Timestamp>,
    /// Whether the service is offered for it.
    pub eligible: bool,
}

/// What a line can be reached by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Bearer {
    /// Data.
    Data,
    /// SMS.
    Sms,
}

impl Bearer {
    /// The list of those that a line is reachable by.
    #[must_use]
    pub fn list(data: bool, sms: bool) -> Vec<Self> {
        [(data, Self::Data), (sms, Self::Sms)].into_iter().filter_map(|(is, bearer)| is.then_some(bearer)).collect()
    }
}

impl From<&attache_core::Line> for Line {
    fn from(line: &attache_core::Line) -> Self {
        let status = line.status.as_ref();
        Self {
            phone_number: line.phone_number,
            network_access_identifier: line
                .addresses
                .as_ref()
                .and_then(|addresses| addresses.network_access_identifier.clone()),
            home_plmn: line.home,
            serving_plmn: status.map(|status| status.serving),
            serving_confirmed_at: status.map(|status| status.serving_confirmed_at),
            reachable: status.map(|status| Bearer::list(status.data, status.sms)).unwrap_or_default(),
            reachability_confirmed_at: status.map(|status| status.reachability_confirmed_at),
            technology: status.and_then(|status| status.technology),
            technology_confirmed_at: status.map(|status| status.technology_confirmed_at),
            eligible: line.eligible,
        }
    }
}

/// A key that signs tokens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SigningKey {
    /// By what tokens name it, `kid`: its thumbprint (RFC 7638).
    pub id: String,
    /// What it signs by.
    pub algorithm: SigningAlgorithm,
    /// What it does.
    pub state: KeyState,
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// When its last token will have expired, if it signs no more.
    pub published_until: Option<Timestamp>,
}

/// What a signing key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It is published, and will sign.
    Next,
    /// It signs.
    Signing,
    /// It has signed, and its tokens are still about.
    Verifying,
}

/// The signing keys, the newest first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyList {
    /// The keys.
    pub keys: Vec<SigningKey>,
}

/// How a new signing key begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewKey {
    /// Whether it signs at once, and not after the notice.
    pub immediately: bool,
}

/// A token that is asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionedToken {
    /// At which publisher it is presented.
    pub publisher: PublisherName,
    /// The token.
    pub token: String,
}

/// A token by which the operator tells an application which line a device has (GSMA TS.43).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OperatorToken {
    /// The token, which is good once: `operatortoken:` and this is a `login_hint`.
    pub operator_token: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Some of the lines, by number.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinePage {
    /// The lines.
    pub lines: Vec<Line>,
    /// How many lines there are in all.
    pub total: usize,
    /// The number to ask for lines after, if there are more.
    pub next: Option<PhoneNumber>,
}

/// Which lines are asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineQuery {
    /// Those with numbers after this one.
    pub after: Option<PhoneNumber>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// A line to add. Nothing said, it is at home, reachable by data and SMS, and seen just now.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    /// Its number.
    pub phone_number: PhoneNumber,
    /// Its network access identifier, `local@domain`, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_access_identifier: Option<NetworkAccessIdentifier>,
    /// Its home network.
    pub home_plmn: Plmn,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<Visited>,
    /// By what it can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<Vec<Bearer>>,
    /// The access technology that it is connected by; absent, the network cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub technology: Option<Technology>,
    /// When the network last saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<Timestamp>,
    /// Whether the network never saw it; then the four before must not be given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_seen: bool,
    /// Whether the service is not offered for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ineligible: bool,
}

/// A network, by its code or as the first one of a country.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "VisitedFields")]
pub enum Visited {
    /// This network.
    Plmn(Plmn),
    /// The first network of this country (ISO 3166 alpha-2) in a fixed table.
    Country(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VisitedFields {
    plmn: Option<Plmn>,
    country: Option<String>,
}

impl TryFrom<VisitedFields> for Visited {
    type Error = &'static str;

    fn try_from(fields: VisitedFields) -> Result<Self, &'static str> {
        match (fields.plmn, fields.country) {
            (Some(plmn), None) => Ok(Self::Plmn(plmn)),
            (None, Some(country)) => Ok(Self::Country(country)),
            (None, None) | (Some(_), Some(_)) => Err("name either plmn or country"),
        }
    }
}

/// By what a line can be reached from now on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// By data.
    pub data: bool,
    /// By SMS.
    pub sms: bool,
}

/// By which access technology a line is connected from now on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connected {
    /// The technology; `null` when the network cannot tell.
    #[serde(deserialize_with = "Option::deserialize")]
    pub technology: Option<Technology>,
}

/// Whether the service is offered for a line from now on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// Whether it is.
    pub eligible: bool,
}

/// A request that waits for its subject's consent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsentRequest {
    /// The identifier by which it is answered.
    pub id: RequestId,
    /// Where the client is registered.
    pub publisher: PublisherName,
    /// Who asks.
    pub client_id: String,
    /// Whose consent is needed.
    pub phone_number: PhoneNumber,
    /// What for.
    pub purpose: Purpose,
    /// For what.
    pub scopes: Vec<Scope>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
}

/// Some of the requests that wait, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsentRequestPage {
    /// The requests.
    pub requests: Vec<ConsentRequest>,
    /// The identifier to ask for requests after, if there may be more.
    pub next: Option<RequestId>,
}

/// Which requests are asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentRequestQuery {
    /// Those about this line.
    pub phone_number: Option<PhoneNumber>,
    /// Those after this one.
    pub after: Option<RequestId>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// What a subject has said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Yes.
    Granted,
    /// No.
    Denied,
}

/// What the subscriber of a line does in a sandbox when asked for consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriberAnswer {
    /// Agrees at once.
    Grant,
    /// Says no at once.
    Deny,
    /// Doesn't answer, out of band; a page is answered by whoever sits before it.
    Never,
    /// Is asked: on a page, or by whoever answers for it.
    Ask,
}

/// What the subscriber of a line does in a sandbox from now on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscriber {
    /// When asked for consent.
    pub answer: SubscriberAnswer,
}

/// A request that was answered.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AnsweredRequest {
    /// Which.
    pub id: RequestId,
    /// What was said.
    pub answer: Answer,
}

/// What a subject has said last about one client, purpose and scope; or the use that needs no word.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// Where the client is registered.
    pub publisher: PublisherName,
    /// Who may use the data, or may not.
    pub client_id: String,
    /// Whose they are.
    pub phone_number: PhoneNumber,
    /// What for.
    pub purpose: Purpose,
    /// Which.
    pub scope: Scope,
    /// On what legal basis.
    pub basis: LegalBasis,
    /// `granted`, `denied` or `withdrawn`.
    pub state: String,
    /// When it was granted, if it ever was.
    pub granted_at: Option<Timestamp>,
    /// When it was denied or withdrawn, if it was.
    pub ended_at: Option<Timestamp>,
}

/// What the subject of a line has said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsentList {
    /// To whom, and about what.
    pub consents: Vec<Consent>,
}

/// Which consents of a line are withdrawn: those that fit all that is said, or all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// Those of clients of this publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<PublisherName>,
    /// Those of clients of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Those for this purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Those about this scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// What was withdrawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Withdrawn {
    /// The consents that were in force until now.
    pub withdrawn: Vec<Consent>,
}

/// A subscription to events about a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    /// Its identifier.
    pub id: SubscriptionId,
    /// Where it was made.
    pub publisher: PublisherName,
    /// Who made it.
    pub client_id: Option<String>,
    /// The API by which it was made.
    pub api: String,
    /// The version of its contract.
    pub version: String,
    /// Of what it is told, such as `roaming-status`.
    pub event_type: String,
    /// About whom; none when the line has ended.
    pub phone_number: Option<PhoneNumber>,
    /// Where it is told.
    pub sink: String,
    /// `ACTIVE`, `INACTIVE`, or why it has ended.
    pub status: String,
    /// How many events were made for it.
    pub events_made: u32,
    /// After how many it ends.
    pub max_events: Option<u32>,
    /// When it began.
    pub starts_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// Some subscriptions, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubscriptionList {
    /// They.
    pub subscriptions: Vec<Subscription>,
}

/// Which subscriptions, or how many deliveries, are listed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionQuery {
    /// Those after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<SubscriptionId>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// One thing that a subscription is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place among all that the subscription is told.
    pub sequence: u64,
    /// The `id` of the event.
    pub event_id: String,
    /// What is told.
    pub event: String,
    /// When it happened.
    pub at: Timestamp,
    /// When it was put on its way.
    pub made_at: Timestamp,
    /// How often it was sent.
    pub attempts: u32,
    /// `pending`, `delivered`, `dead` or `dropped`.
    pub state: String,
    /// What came of the last attempt.
    pub last_outcome: Option<String>,
    /// When it is sent next; none when it is settled, or waits for the one before it.
    pub due_at: Option<Timestamp>,
}

/// What a subscription is told, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeliveryList {
    /// They.
    pub deliveries: Vec<Delivery>,
}

/// An event that was given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Whom it was for.
    pub subscription_id: SubscriptionId,
    /// Who made that subscription; none when the client is gone.
    pub client_id: Option<String>,
    /// Where it should have been told.
    pub sink: String,
    /// What became of it.
    #[serde(flatten)]
    pub delivery: Delivery,
}

/// Dead letters of all subscriptions, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeadLetterList {
    /// They.
    pub dead_letters: Vec<DeadLetter>,
    /// How many there are in all.
    pub total: usize,
}

/// Which dead letters are listed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterQuery {
    /// Those that were made then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which dead letters of all subscriptions are sent again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaySince {
    /// Those that were made then or later.
    pub since: Timestamp,
}

/// Which dead letters of a subscription are sent again: either.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The one of this sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// All that were made since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// How many are sent again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ReplayedEvents {
    /// So many.
    pub replayed: usize,
}

/// How the simulated network fares.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkCondition {
    /// In one word.
    pub state: NetworkState,
}

/// How the simulated network fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkState {
    /// It answers.
    Up,
    /// It cannot be asked.
    Failing,
    /// It does not answer in time.
    Silent,
    /// It answers as if it had never seen any line.
    Unknowing,
}

impl From<Condition> for NetworkState {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Up => Self::Up,
            Condition::Failing => Self::Failing,
            Condition::Silent => Self::Silent,
            Condition::Unknowing => Self::Unknowing,
        }
    }
}

impl From<NetworkState> for Condition {
    fn from(state: NetworkState) -> Self {
        match state {
            NetworkState::Up => Self::Up,
            NetworkState::Failing => Self::Failing,
            NetworkState::Silent => Self::Silent,
            NetworkState::Unknowing => Self::Unknowing,
        }
    }
}

/// One line of an import's answer, of which there are as many as there is progress to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImportEvent {
    /// So many lines are written.
    Progress {
        /// So many.
        progress: usize,
        /// Of so many.
        of: usize,
    },
    /// All lines are written.
    Done {
        /// How many the file had.
        imported: usize,
        /// How many of them are new.
        added: usize,
        /// How many replaced a line of the same number.
        replaced: usize,
    },
    /// No line was written: the file has errors.
    Refused {
        /// The first of them.
        errors: Vec<ImportError>,
        /// How many there are.
        total: usize,
    },
    /// No line was written: something else failed.
    Failed {
        /// Which kind.
        code: String,
        /// What.
        message: String,
    },
}

/// What is wrong with a line of an imported file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImportError {
    /// The number of the line in the file; the first is 1.
    pub line: u64,
    /// What is wrong.
    pub message: String,
}

/// A registered client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Client {
    /// Where it is registered.
    pub publisher: PublisherName,
    /// What it calls itself.
    pub client_id: String,
    /// Its secret, told once, when it was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Whether it has a secret that is good now.
    pub has_secret: bool,
    /// Its secrets, the oldest first, without what is secret about them.
    #[serde(default)]
    pub secrets: Vec<Secret>,
    /// The secret by which events to its sinks are signed, told once, when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
    /// Those that are good, the oldest first, without what is secret about them.
    #[serde(default)]
    pub webhook_secrets: Vec<Secret>,
    /// What can be changed of it.
    #[serde(flatten)]
    pub registration: Registration,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// A secret of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secret {
    /// Since when it is good.
    pub created_at: Timestamp,
    /// Until when; absent, until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// What can be changed of a client.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// What subscribers are told that it is called; absent, its `client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who is responsible for it, as subscribers are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Its public keys, JSON Web Keys.
    #[serde(default)]
    pub keys: Vec<serde_json::Value>,
    /// Where it publishes its public keys instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The only ways in which it may authenticate; empty, whichever it has the credential for.
    #[serde(default)]
    pub authentication_methods: Vec<AuthenticationMethod>,
    /// Where a browser may be sent back to.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// The web origins whose pages may call.
    #[serde(default)]
    pub origins: Vec<String>,
    /// How it may get tokens; empty, in all ways that its publisher has.
    #[serde(default)]
    pub grants: Vec<GrantType>,
    /// What it may ask for; empty, whatever its publisher's APIs need.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// What for.
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    /// How much; absent, nothing is limited.
    #[serde(default, skip_serializing_if = "Plan::is_unlimited")]
    pub plan: Plan,
    /// Whether its tokens must be bound to a key of its own (RFC 9449).
    #[serde(default)]
    pub dpop_required: bool,
    /// Whether its authorization requests must be signed (RFC 9101).
    #[serde(default)]
    pub signed_requests_required: bool,
    /// What its ID tokens are signed by; absent, RS256.
    #[serde(default)]
    pub id_token_signed_response_alg: SigningAlgorithm,
    /// The host whose clients know a subscriber by the same pseudonym; absent, it has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<String>,
}

/// The registered clients.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientList {
    /// The clients.
    pub clients: Vec<Client>,
}

/// A client to register.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct NewClient {
    /// Where to register it.
    pub publisher: PublisherName,
    /// What it will call itself; made here if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its secret; made here if it has neither secret nor key, and needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// What can be changed of it later.
    #[serde(flatten)]
    pub registration: Registration,
}

/// Unknown fields are refused, which derived code with a flattened field does not.
impl TryFrom<Map<String, Value>> for NewClient {
    type Error = serde_json::Error;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let mut take = |name| fields.remove(name).unwrap_or_default();
        Ok(Self {
            publisher: match take("publisher") {
                Value::Null => return Err(serde_json::Error::missing_field("publisher")),
                name => serde_json::from_value(name)?,
            },
            client_id: serde_json::from_value(take("client_id"))?,
            client_secret: serde_json::from_value(take("client_secret"))?,
            registration: serde_json::from_value(Value::Object(fields))?,
        })
    }
}

/// A new secret for a client, beside the one that it has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// The secret; made here if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// When the one before ends; absent, when it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_ends_at: Option<Timestamp>,
}

/// A new secret by which events to a client's sinks are signed, beside the one that it has.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWebhookSecret {
    /// When the one before ends; absent, when it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_ends_at: Option<Timestamp>,
}

/// How much a client may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How fast, such as `10/s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Pace>,
    /// How many requests may come at once after a pause; absent, those of a whole period of the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<NonZeroU32>,
    /// How much on one day of UTC, such as `1000/day`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}

impl Plan {
    fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

impl TryFrom<Plan> for attache_core::Plan {
    type Error = PlanError;

    fn try_from(plan: Plan) -> Result<Self, PlanError> {
        let rate = match (plan.rate, plan.burst) {
            (Some(pace), burst) => Some(Rate::new(pace, burst)?),
            (None, Some(_)) => return Err(PlanError::Pace),
            (None, None) => None,
        };
        Ok(Self { rate, quota: plan.quota })
    }
}

impl From<attache_core::Plan> for Plan {
    fn from(plan: attache_core::Plan) -> Self {
        Self { rate: plan.rate.map(|rate| rate.pace()), burst: plan.rate.map(|rate| rate.burst()), quota: plan.quota }
    }
}

/// Which records of the audit log are asked for: those that meet every condition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// About this line: its number, or the pseudonym that its records have.
    pub subject: Option<AuditSubject>,
    /// At this publisher.
    pub publisher: Option<PublisherName>,
    /// Of the client of this name.
    pub client_id: Option<String>,
    /// Of this kind.
    #[serde(default, deserialize_with = "parsed")]
    pub event: Option<AuditEvent>,
    /// At this time or later.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Those that come after a page which told this as `next`.
    #[serde(default, deserialize_with = "parsed")]
    pub after: Option<Position>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Reads what has a text of its own.
fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// Whom records are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditSubject {
    /// The line of this number.
    Number(PhoneNumber),
    /// Whoever has this pseudonym.
    Pseudonym(Pseudonym),
}

impl FromStr for AuditSubject {
    type Err = AuditSubjectError;

    fn from_str(text: &str) -> Result<Self, AuditSubjectError> {
        let number = || text.parse().map(Self::Number);
        text.parse().map(Self::Pseudonym).or_else(|_| number()).map_err(|_| AuditSubjectError)
    }
}

/// A text that names nobody.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("neither a phone number such as +33699901032 nor a pseudonym of 32 hexadecimal digits; in a URL, + is %2B")]
pub struct AuditSubjectError;

impl Display for AuditSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Pseudonym(pseudonym) => pseudonym.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for AuditSubject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Some of the records of the audit log, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditPage {
    /// The records.
    pub records: Vec<AuditRecord>,
    /// What to ask for next as `after`, if there are more.
    pub next: Option<String>,
}

/// A record of the audit log, as it stands there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Its number, counted from the start of the server.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What kind of thing happened.
    pub event: String,
    /// At which publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// About whom: a pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// On which legal basis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// Which subscription it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// How many things it happened to, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The correlator of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlator: Option<String>,
    /// What came of it.
    pub outcome: String,
    /// For which scopes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// Drops what is older.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// How long records are kept, in seconds; absent, as long as is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u64>,
}

/// What was dropped for its age.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Dropped {
    /// How many segments of the audit log.
    pub segments: u64,
    /// How many records they had.
    pub records: u64,
}

/// Everything that is stored about a line, but for the audit records, which come after it.
#[derive(Clone, Debug, Serialize)]
pub struct SubjectData {
    /// When it was looked up.
    pub exported_at: Timestamp,
    /// The line.
    pub line: Line,
    /// What else it is addressed by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Addresses>,
    /// What the subscriber has said, or need not say, about the use of the data.
    pub consents: Vec<Consent>,
    /// What was granted and not fetched yet.
    pub grants: Vec<PendingGrant>,
    /// What can be refreshed; the tokens themselves are not stored.
    pub refresh_tokens: Vec<RefreshTokenData>,
    /// Who is told of events, those that have ended among them.
    pub subscriptions: Vec<SubscriptionData>,
    /// What it is called in the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pseudonym: Option<String>,
}

/// What a line is addressed by beside its number.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// The IPv4 address that servers see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_ipv4: Option<Ipv4Addr>,
    /// The ports of that address that are its own, first and last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_ports: Option<(u16, u16)>,
    /// The IPv4 address inside the operator's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_ipv4: Option<Ipv4Addr>,
    /// The prefix of 64 bits of its IPv6 addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_prefix: Option<String>,
    /// Its network access identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_access_identifier: Option<String>,
}

impl From<&attache_core::Addresses> for Addresses {
    fn from(addresses: &attache_core::Addresses) -> Self {
        let prefix = |prefix: u64| format!("{}/64", Ipv6Addr::from_bits(u128::from(prefix) << 64));
        Self {
            public_ipv4: addresses.public_ipv4,
            public_ports: addresses.public_ports,
            private_ipv4: addresses.private_ipv4,
            ipv6_prefix: addresses.ipv6_prefix.map(prefix),
            network_access_identifier: addresses.network_access_identifier.as_ref().map(ToString::to_string),
        }
    }
}

/// What was granted to a client and waits at the token endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct PendingGrant {
    /// At which publisher.
    pub publisher: PublisherName,
    /// To whom; absent if the client is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// How it is fetched.
    pub grant_type: String,
    /// For what.
    pub scopes: Vec<Scope>,
    /// Why.
    pub purpose: Purpose,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What is stored of a refresh token.
#[derive(Clone, Debug, Serialize)]
pub struct RefreshTokenData {
    /// At which publisher.
    pub publisher: PublisherName,
    /// Who has it; absent if the client is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// For what.
    pub scopes: Vec<Scope>,
    /// Why.
    pub purpose: Purpose,
    /// When the subscriber was authenticated.
    pub authenticated_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// What is stored of a subscription to events about a line; the credential of its sink is not shown.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionData {
    /// Its identifier.
    pub id: SubscriptionId,
    /// At which publisher.
    pub publisher: PublisherName,
    /// Who made it; absent if the client is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Why.
    pub purpose: Purpose,
    /// Of what it is told.
    pub event_type: String,
    /// Where.
    pub sink: String,
    /// `active`, `inactive` or `ended`.
    pub status: String,
    /// When it began.
    pub starts_at: Timestamp,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How many events were made for it.
    pub events_made: u32,
    /// What the request named the line by; absent where the token told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What it was told or is to be told, newest first.
    pub deliveries: Vec<Delivery>,
}

/// A subscriber was forgotten.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Erased {
    /// Always true.
    pub erased: bool,
}

/// What was removed is told in no more than this.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Removed {
    /// Always true.
    pub removed: bool,
}

/// What went with a client that was removed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RemovedClient {
    /// Always true.
    pub removed: bool,
    /// How many subscriptions ended with it; their sinks are told so.
    pub ended_subscriptions: usize,
}

/// An error.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Which kind, for programs.
    pub code: String,
    /// What, for people.
    pub message: String,
}
