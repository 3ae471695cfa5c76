use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{
    ClientId, DeviceIdentifier, EventType, Id, LineId, Notice, PublisherName, Purpose, Scope, Status, StoreError,
    Timestamp,
};

/// The identifier of a [`Subscription`].
pub type SubscriptionId = Id<Subscription>;

/// A client's wish to be told what becomes of a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscription {
    /// Its identifier.
    pub id: SubscriptionId,
    /// Where it was made.
    pub publisher: PublisherName,
    /// The API by which it was made, such as `device-roaming-status-subscriptions`.
    pub api: String,
    /// The version of its contract, such as `0.8`.
    pub contract: String,
    /// Who made it; nobody else sees it.
    pub client: ClientId,
    /// Why it wants to know.
    pub purpose: Purpose,
    /// What it was made by: it rests on the consent to this scope.
    pub scope: Scope,
    /// About whom.
    pub line: LineId,
    /// What the request named the line by. `None` where the token told it: then the client is never told.
    pub device: Option<DeviceIdentifier>,
    /// Of what it is told.
    pub event_type: EventType,
    /// Where it is told.
    pub sink: Sink,
    /// What the sink asks for.
    pub credential: Option<SinkCredential>,
    /// Whether it wanted to be told how things stand at its start; `None` where the request was silent.
    pub initial_event: Option<bool>,
    /// After how many events it ends.
    pub max_events: Option<u32>,
    /// When its client asked that it end; `None` where the request was silent.
    pub requested_end: Option<Timestamp>,
    /// When it ends: as its client asked, else as the operator has it.
    pub expires_at: Option<Timestamp>,
    /// When it began.
    pub starts_at: Timestamp,
    /// When it ended, for whatever reason.
    pub ended_at: Option<Timestamp>,
    /// Whether it lives.
    pub status: SubscriptionStatus,
    /// How many events were made for it, delivered or not.
    pub events_made: u32,
}

/// Whether a subscription lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubscriptionStatus {
    /// It is told of what happens.
    Active,
    /// The operator has paused it: what happens meanwhile it never hears of.
    Inactive,
    /// It has ended.
    Ended(EndReason),
}

impl SubscriptionStatus {
    /// Whether nothing can begin it again.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// Why a subscription ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    /// As many events as it wanted were made.
    MaxEventsReached,
    /// Its time is over.
    Expired,
    /// Its client deleted it.
    Deleted,
    /// The credential of its sink is about to expire.
    CredentialExpired,
    /// We ended it: the line or the client is gone, or the subscriber does not consent any more.
    NetworkTerminated,
    /// Its sink said that it is gone. There is nobody to be told of it.
    SinkGone,
}

impl EndReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::MaxEventsReached,
        Self::Expired,
        Self::Deleted,
        Self::CredentialExpired,
        Self::NetworkTerminated,
        Self::SinkGone,
    ];

    /// Its text, which is that of the newest contracts but for the last, which they do not have.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxEventsReached => "MAX_EVENTS_REACHED",
            Self::Expired => "SUBSCRIPTION_EXPIRED",
            Self::Deleted => "SUBSCRIPTION_DELETED",
            Self::CredentialExpired => "ACCESS_TOKEN_EXPIRED",
            Self::NetworkTerminated => "NETWORK_TERMINATED",
            Self::SinkGone => "SINK_GONE",
        }
    }

    /// The reason of this text.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Where events are sent: an absolute http or https URL with a host, and without user, password and
/// fragment. Whether it may be sent to is another question. Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sink(Arc<str>);

/// A text that is no sink.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an absolute https URL in ASCII without user, password and fragment is needed, of at most 2048 bytes")]
pub struct SinkError;

impl Sink {
    /// Reads a URL.
    pub fn new(url: &str) -> Result<Self, SinkError> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or(SinkError)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let is_text = url.len() <= 2048 && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let has_host = !authority.is_empty() && !authority.starts_with(':') && !authority.contains('@');
        if is_text && has_host && !url.contains('#') { Ok(Self(url.into())) } else { Err(SinkError) }
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A bearer token that a sink asks for, encrypted by the caller: it is never shown again.
#[derive(Clone, PartialEq, Eq)]
pub struct SinkCredential {
    /// The token, encrypted.
    pub sealed: Vec<u8>,
    /// When the sink ceases to take it; `None` where the contract has no place to say so.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for SinkCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkCredential").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What tells a request that is sent again from a new one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey {
    /// What the client called the request.
    pub key: String,
    /// The SHA-256 of what was asked.
    pub request: [u8; 32],
}

/// What came of keeping a subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// It was kept.
    New(Subscription),
    /// The same request had been sent before: this is what came of it.
    Again(Subscription),
    /// Another request had been sent under the same key.
    OtherRequest,
    /// The line has ended meanwhile.
    LineGone,
    /// Its client was removed meanwhile; or it was made with a token for the line, whose subscriber has withdrawn
    /// consent.
    RightGone,
    /// It was made without the line's subscriber, who has said no to just this.
    Refused,
}

/// Which subscriptions a list shall have: those that meet every condition that is set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SubscriptionFilter {
    /// Of this client.
    pub client: Option<ClientId>,
    /// About this line.
    pub line: Option<LineId>,
    /// Made by this API in this version.
    pub contract: Option<(String, String)>,
    /// After this one, in the order of their making.
    pub after: Option<SubscriptionId>,
    /// Not those that their clients deleted.
    pub without_deleted: bool,
}

/// Keeps subscriptions over restarts. Whatever is to be told of a change here is kept in the same
/// transaction, for [`crate::Deliveries`] to be found.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// Keeps a new one, and that it has started; and how things stand, if it wants to be told that and the network
    /// has told it (`observed`) when it was asked for this. What it rests on is looked at in the same transaction, so
    /// that none begins after that has ended.
    ///
    /// A key that another request had is looked at first. It is free again when what came of that was deleted.
    async fn begin(
        &self,
        new: Subscription,
        observed: Option<Status>,
        key: Option<IdempotencyKey>,
    ) -> Result<Kept, StoreError>;

    /// What came of a request of this client that was sent before under this key: [`Kept::Again`] or
    /// [`Kept::OtherRequest`].
    fn kept(&self, client: ClientId, key: &IdempotencyKey) -> Result<Option<Kept>, StoreError>;

    /// The subscription of this identifier.
    fn subscription(&self, id: SubscriptionId) -> Result<Option<Subscription>, StoreError>;

    /// The first `limit` subscriptions that pass the filter, oldest first.
    fn subscriptions(&self, filter: &SubscriptionFilter, limit: u32) -> Result<Vec<Subscription>, StoreError>;

    /// Ends one at `now`, for this reason, told with this description. Nothing happens to one that has ended.
    ///
    /// [`EndReason::SinkGone`] also gives up what waits for the sink.
    async fn end(
        &self,
        id: SubscriptionId,
        reason: EndReason,
        description: Option<String>,
        now: Timestamp,
    ) -> Result<Option<Subscription>, StoreError>;

    /// Lets one be told of what happens or not, from `now` on. Nothing happens to one that has ended.
    async fn set_active(
        &self,
        id: SubscriptionId,
        is_active: bool,
        now: Timestamp,
    ) -> Result<Option<Subscription>, StoreError>;

    /// Ends those whose time is over, and those whose sinks' credentials expire before `credentials_until`.
    /// Returns how many.
    async fn end_due(&self, now: Timestamp, credentials_until: Timestamp) -> Result<usize, StoreError>;
}

impl Subscription {
    /// The notice of its end.
    #[must_use]
    pub fn end_notice(reason: EndReason, description: Option<String>) -> Option<Notice> {
        (reason != EndReason::SinkGone).then_some(Notice::Ended { reason, description })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_an_absolute_url() {
        for url in ["https://a.example/sink?x=1", "https://a.example", "https://[::1]:8443/", "http://localhost:1/x"] {
            assert_eq!(Sink::new(url).unwrap().as_str(), url);
        }
        for url in [
            "",
            "https://",
            "https:///x",
            "https://:443/",
            "ftp://a.example",
            "//a.example",
            "https://user:pass@a.example/",
            "https://a.example/#x",
            "https://a.example/ x",
            "https://a.example\\@b/",
            "https://\u{e4}.example/",
        ] {
            assert_eq!(Sink::new(url), Err(SinkError), "{url}");
        }
    }

    #[test]
    fn a_reason_is_found_by_its_text() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::named(reason.as_str()), Some(reason));
        }
    }

    #[test]
    fn a_credential_does_not_print() {
        let credential = SinkCredential { sealed: b"secret".to_vec(), expires_at: None };
        assert!(!format!("{credential:?}").contains("115"));
    }
}
