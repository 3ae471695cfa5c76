use attache_core::{Delivery, Device, EventType, Scope, Sink, Subscription, SubscriptionProblem, Timestamp};

use crate::{Correlator, Identification, Refusal, Several, SubscriptionDescription};

/// One published API of subscriptions in one version, as its clients see it: `POST` and `GET` of one path,
/// `GET` and `DELETE` of one subscription below it, and the events that are sent to the sinks.
#[derive(Debug)]
pub struct SubscriptionFace {
    /// The name of the API, such as `device-roaming-status-subscriptions`.
    pub api: &'static str,
    /// The version of its contract, such as `0.8`.
    pub contract: &'static str,
    /// The version as its path has it, such as `v0.8`.
    pub version: &'static str,
    /// The path of all subscriptions, below the publisher's root.
    pub path: &'static str,
    /// What can be subscribed to.
    pub types: &'static [SubscribedType],
    /// The scope that reading needs.
    pub read_scope: Scope,
    /// The scope that deleting needs.
    pub delete_scope: Scope,
    /// How the token and the body together tell the line.
    pub identification: Identification,
    /// What is done about several identifiers that name different lines.
    pub several: Several,
    /// What is done about the header `x-correlator`.
    pub correlator: Correlator,
    /// Whether the identifiers of subscriptions are UUIDs by its contract: then any other text is a fault of the
    /// request, and elsewhere it names nothing.
    pub has_uuids: bool,
    /// How its events tell of a subscription itself.
    pub life: Life,
    /// Reads the body of a request for a subscription.
    pub read: fn(&SubscriptionFace, &[u8]) -> Result<SubscriptionRequest, SubscriptionProblem>,
    /// Writes a subscription as JSON.
    pub write: fn(&SubscriptionFace, &Subscription) -> Vec<u8>,
    /// Writes a list of subscriptions as JSON.
    pub write_list: fn(&SubscriptionFace, &[Subscription]) -> Vec<u8>,
    /// Writes a delivery as a `CloudEvent` in JSON, from this source; `None` for what this version does not
    /// tell.
    pub write_event: fn(&SubscriptionFace, &Subscription, &Delivery, &str) -> Option<Vec<u8>>,
    /// Writes a problem.
    pub refuse: fn(&SubscriptionProblem) -> Refusal,
    /// What its document says beside that.
    pub description: SubscriptionDescription,
}

/// A type of events that can be subscribed to.
#[derive(Debug)]
pub struct SubscribedType {
    /// Which it is.
    pub event_type: EventType,
    /// What the version calls it.
    pub name: &'static str,
    /// The scope that a subscription to it needs.
    pub create_scope: Scope,
}

/// The types of the events that tell of a subscription itself; `None` where a version has none.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// It has begun.
    pub started: Option<&'static str>,
    /// It was paused, or goes on.
    pub updated: Option<&'static str>,
    /// It has ended.
    pub ended: &'static str,
}

impl SubscriptionFace {
    /// What this version calls a type of events, if it has it.
    #[must_use]
    pub fn type_of(&self, event_type: EventType) -> Option<&'static SubscribedType> {
        self.types.iter().find(|subscribed| subscribed.event_type == event_type)
    }

    /// Every scope of this version.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.types.iter().map(|subscribed| &subscribed.create_scope).chain([&self.read_scope, &self.delete_scope])
    }
}

/// What a request for a subscription asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct SubscriptionRequest {
    /// What it names the line by.
    pub device: Device,
    /// Of what it is to be told.
    pub event_type: EventType,
    /// Where it is to be told.
    pub sink: Sink,
    /// What the sink asks for.
    pub credential: Option<Credential>,
    /// Whether how things stand is to be told at once.
    pub initial_event: Option<bool>,
    /// After how many events it is to end.
    pub max_events: Option<u32>,
    /// When it is to end.
    pub expires_at: Option<Timestamp>,
}

/// The bearer token that a sink asks for. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The token.
    pub token: String,
    /// When the sink ceases to take it.
    pub expires_at: Option<Timestamp>,
}

/// What identifies the event of a delivery: the same however often it is sent.
#[must_use]
pub fn event_id(delivery: &Delivery) -> String {
    format!("{}-{}", delivery.subscription, delivery.sequence)
}
