use async_trait::async_trait;

use crate::{LegalBasis, LineId, PublisherName, Purpose, Scope, SubscriptionId, Timestamp};

/// One entry of the audit log: who did what about whom, why, when, and what came of it.
///
/// Whatever uses personal data, or decides about its use, leaves one **before** its answer leaves:
///
/// ```
/// # use attache_core::{AuditEvent, AuditLog, AuditRecord, Clock, LineId, PublisherName, Purpose, Scope};
/// # async fn withdrawn(audit: &dyn AuditLog, clock: &dyn Clock, line: LineId, publisher: &PublisherName,
/// #     scopes: &[Scope], purpose: &Purpose) -> Result<(), attache_core::AuditError> {
/// audit
///     .record(AuditRecord {
///         publisher: Some(publisher),
///         client_id: Some("shop"),
///         action: "self-care",
///         subject: Some(line),
///         scopes,
///         purpose: Some(purpose),
///         ..AuditRecord::new(clock.now(), AuditEvent::ConsentWithdrawn, "withdrawn")
///     })
///     .await
/// # }
/// ```
///
/// No text in it may have a phone number, a token or a secret; so a client is named only if it is
/// registered, and of what a stranger sent nothing is repeated but a well-formed correlator.
#[derive(Clone, Copy, Debug)]
pub struct AuditRecord<'a> {
    /// When.
    pub at: Timestamp,
    /// What kind of thing happened.
    pub event: AuditEvent,
    /// At which publisher; `None` where the operator acted.
    pub publisher: Option<&'a PublisherName>,
    /// The `client_id` of the client that asked, once it is known to be registered.
    pub client_id: Option<&'a str>,
    /// What in particular: the path of a face, the grant type of a token, the type of an event, the cause of
    /// a revocation, the route of an operator's request; empty where the event says it all.
    pub action: &'a str,
    /// About whom. The line's pseudonym is what is written down.
    pub subject: Option<LineId>,
    /// For which scopes.
    pub scopes: &'a [Scope],
    /// Why.
    pub purpose: Option<&'a Purpose>,
    /// On which legal basis.
    pub legal_basis: Option<LegalBasis>,
    /// Which subscription was told.
    pub subscription: Option<SubscriptionId>,
    /// How many things it happened to, where that is not one.
    pub count: Option<u64>,
    /// The correlator of the request.
    pub correlator: Option<&'a str>,
    /// What came of it: such as `answered` or `issued`, else the name of the [`crate::Problem`] or the
    /// code of the error that was told.
    pub outcome: &'a str,
}

impl AuditRecord<'_> {
    /// A record that says nothing yet but what happened, when, and how it ended.
    #[must_use]
    pub const fn new(at: Timestamp, event: AuditEvent, outcome: &str) -> AuditRecord<'_> {
        AuditRecord {
            at,
            event,
            publisher: None,
            client_id: None,
            action: "",
            subject: None,
            scopes: &[],
            purpose: None,
            legal_basis: None,
            subscription: None,
            count: None,
            correlator: None,
            outcome,
        }
    }
}

/// The kinds of things that the audit log tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditEvent {
    /// A face was asked about a line.
    Query,
    /// A subscription to events about a line was made, read or ended by its client.
    Subscription,
    /// An event about a line, or about a subscription to such, was sent to a sink.
    Delivery,
    /// An authorization server was asked who a subscriber is: CIBA, or the authorization code flow.
    Identification,
    /// A token was issued.
    TokenIssued,
    /// A token was refused.
    TokenRefused,
    /// A token was revoked.
    TokenRevoked,
    /// The userinfo endpoint was asked about a subscriber.
    Userinfo,
    /// A subscriber gave consent.
    ConsentGranted,
    /// A subscriber refused consent.
    ConsentDenied,
    /// A subscriber withdrew consent.
    ConsentWithdrawn,
    /// The operator's API was used.
    Administration,
    /// Everything that is stored about a line was handed out.
    SubjectExport,
    /// A line was forgotten, with the key of its pseudonym.
    SubjectErasure,
}

impl AuditEvent {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Query,
        Self::Subscription,
        Self::Delivery,
        Self::Identification,
        Self::TokenIssued,
        Self::TokenRefused,
        Self::TokenRevoked,
        Self::Userinfo,
        Self::ConsentGranted,
        Self::ConsentDenied,
        Self::ConsentWithdrawn,
        Self::Administration,
        Self::SubjectExport,
        Self::SubjectErasure,
    ];

    /// The word for it in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Subscription => "subscription",
            Self::Delivery => "delivery",
            Self::Identification => "identification",
            Self::TokenIssued => "token_issued",
            Self::TokenRefused => "token_refused",
            Self::TokenRevoked => "token_revoked",
            Self::Userinfo => "userinfo",
            Self::ConsentGranted => "consent_granted",
            Self::ConsentDenied => "consent_denied",
            Self::ConsentWithdrawn => "consent_withdrawn",
            Self::Administration => "administration",
            Self::SubjectExport => "subject_export",
            Self::SubjectErasure => "subject_erasure",
        }
    }
}

/// A text that names no kind of event.
#[derive(Debug, thiserror::Error)]
#[error("no kind of event: {} is needed", AuditEvent::ALL.map(AuditEvent::name).join(", "))]
pub struct AuditEventError;

impl std::str::FromStr for AuditEvent {
    type Err = AuditEventError;

    fn from_str(text: &str) -> Result<Self, AuditEventError> {
        Self::ALL.into_iter().find(|event| event.name() == text).ok_or(AuditEventError)
    }
}

/// The record could not be kept, so the answer must not leave.
#[derive(Debug, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct AuditError(#[source] pub std::sync::Arc<std::io::Error>);

/// The append-only log of all uses of personal data.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Returns when the record would outlive the process.
    async fn record(&self, record: AuditRecord<'_>) -> Result<(), AuditError>;
}

/// What the pseudonym of a line is made from, beside the key of the audit log and the line's
/// identifier: 64 random bits, beside the 74 of the identifier, that are drawn when the line begins and
/// destroyed with it. Without them nobody can tell which records are about the line, not even who has
/// the key of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SubjectKey([u8; 8]);

impl SubjectKey {
    /// The key with these random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes of this key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey(…)")
    }
}

/// Where the keys of the pseudonyms are.
pub trait Subjects: Send + Sync {
    /// The key of a line; `None` when the line is gone, and its key with it.
    fn subject_key(&self, line: LineId) -> Option<SubjectKey>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_event_is_known_by_its_word() {
        for event in AuditEvent::ALL {
            assert_eq!(event.name().parse::<AuditEvent>().unwrap(), event);
        }
        assert!("".parse::<AuditEvent>().unwrap_err().to_string().contains("token_refused"));
    }
}
