//! The domain of Attache: what a line is, what may be asked about it and what can go wrong.
//!
//! No HTTP, no SQL, no vendor. A published API (a *face*) turns its request into a [`Device`] and
//! asks one question of it; the network tells the line's [`Status`]; [`Roaming`], [`Reachability`] or
//! [`NetworkType`] is the answer, and [`Problem`] is everything that can stand in its way.
//!
//! The traits here are the *ports*: [`Network`], [`Clock`], [`AuditLog`], [`Subjects`] and the stores. Their
//! implementations live in the crates above.

mod answer;
mod audit;
mod authorization;
mod client;
mod clock;
mod consent;
mod country;
mod delivery;
mod device;
mod event;
mod grant;
mod id;
mod line;
mod network;
mod network_access_identifier;
mod operator_token;
mod phone_number;
mod plan;
mod plmn;
mod problem;
mod scope;
mod signing_key;
mod status;
mod store;
mod subscription;
mod subscription_problem;
mod technology;
mod timestamp;
mod webhook_secret;

pub use answer::{Answer, NetworkType, Question, Reachability, Roaming};
pub use audit::{AuditError, AuditEvent, AuditEventError, AuditLog, AuditRecord, SubjectKey, Subjects};
pub use authorization::{
    Authorization, AuthorizationId, Authorizations, RefreshToken, RefreshTokenHash, RevocationKey,
};
pub use client::{
    AuthenticationMethod, Client, ClientId, ClientKeys, ClientSecret, Clients, GrantType, NameError, PublicKey,
    SecretHash, SigningAlgorithm, UsedTokens,
};
pub use clock::Clock;
pub use consent::{Consent, ConsentState, Consents, LegalBasis, Policy, PolicyError, PolicyRule};
pub use country::{Country, countries, first_plmn};
pub use delivery::{
    Attempt, Deliveries, Delivery, DeliveryId, DeliveryState, Due, DueSink, Found, Made, Notice, Outcome, Replayed,
    UnderWay, Wanted,
};
pub use device::{Device, DeviceIdentifier, IdentifierKind, Ipv4Identifier};
pub use event::{Event, EventType, Fact, events, initial_event};
pub use grant::{Backchannel, CodeChallenge, Grant, GrantKey, GrantKind, Grants, Redirect, RequestId};
pub use id::{Id, IdError};
pub use line::{Addresses, Line, LineId, Lines};
pub use network::{LineProfile, Network};
pub use network_access_identifier::{NetworkAccessIdentifier, NetworkAccessIdentifierError};
pub use operator_token::OperatorTokens;
pub use phone_number::{PhoneNumber, PhoneNumberError};
pub use plan::{Pace, Plan, PlanError, Quota, Rate};
pub use plmn::{Mcc, Plmn, PlmnError};
pub use problem::Problem;
pub use scope::{PublisherName, Purpose, Scope, ScopeError};
pub use signing_key::{SealedKey, SealedKeys};
pub use status::Status;
pub use store::{Health, StoreError};
pub use subscription::{
    EndReason, IdempotencyKey, Kept, Sink, SinkCredential, SinkError, Subscription, SubscriptionFilter, SubscriptionId,
    SubscriptionStatus, Subscriptions,
};
pub use subscription_problem::SubscriptionProblem;
pub use technology::{Technology, TechnologyError};
pub use timestamp::Timestamp;
pub use webhook_secret::{WebhookSecret, WebhookSecrets};
