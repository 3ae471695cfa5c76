use crate::{Problem, SinkError};

/// Everything that can stand in the way of a subscription: what can of a question, and what is its own.
/// Each face renders every one of them in its own words, by a `match` without a wildcard.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionProblem {
    /// What can go wrong with a question too.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// Another protocol than HTTP is asked for.
    #[error("the field protocol must be HTTP")]
    ProtocolUnsupported,
    /// The sink's credential is of another type than an access token.
    #[error("the field sinkCredential.credentialType must be ACCESSTOKEN")]
    CredentialUnsupported,
    /// The access token of the sink is of another type than bearer.
    #[error("the field sinkCredential.accessTokenType must be bearer")]
    TokenTypeUnsupported,
    /// The sink is no URL that events can be sent to.
    #[error("the sink is not valid: {0}")]
    SinkInvalid(#[from] SinkError),
    /// The sink is a URL that events may not be sent to.
    #[error("events cannot be sent to this sink: {reason}")]
    SinkRefused {
        /// Why.
        reason: &'static str,
    },
    /// More than one type of events is asked for.
    #[error("the field types must have one type; make a subscription for each")]
    TypesTooMany,
    /// A field is outside of the range that is allowed for it.
    #[error("the field {field} is out of range: {reason}")]
    OutOfRange {
        /// The path of the field.
        field: &'static str,
        /// What its range is.
        reason: &'static str,
    },
    /// The access token has scopes for other types of events than the one that is asked for.
    #[error("the access token does not permit subscriptions to this type of events")]
    TypeNotPermitted,
    /// The caller has no such subscription.
    #[error("there is no such subscription")]
    UnknownSubscription,
    /// Another request was sent under the same idempotency key.
    #[error("another request was sent with this Idempotency-Key; take a new one for each request")]
    KeyUsedOtherwise,
}

impl SubscriptionProblem {
    /// One of each that is not a [`Problem`], for tests that walk all of them through every face.
    #[must_use]
    pub fn examples() -> Vec<Self> {
        vec![
            Self::ProtocolUnsupported,
            Self::CredentialUnsupported,
            Self::TokenTypeUnsupported,
            Self::SinkInvalid(SinkError),
            Self::SinkRefused { reason: "its address is not public" },
            Self::TypesTooMany,
            Self::OutOfRange { field: "config.subscriptionExpireTime", reason: "it must be in the future" },
            Self::TypeNotPermitted,
            Self::UnknownSubscription,
            Self::KeyUsedOtherwise,
        ]
    }

    /// The name of the problem, as it stands in the audit, the log and the metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Problem(problem) => problem.name(),
            Self::ProtocolUnsupported => "protocol_unsupported",
            Self::CredentialUnsupported => "credential_unsupported",
            Self::TokenTypeUnsupported => "token_type_unsupported",
            Self::SinkInvalid(_) => "sink_invalid",
            Self::SinkRefused { .. } => "sink_refused",
            Self::TypesTooMany => "types_too_many",
            Self::OutOfRange { .. } => "out_of_range",
            Self::TypeNotPermitted => "type_not_permitted",
            Self::UnknownSubscription => "unknown_subscription",
            Self::KeyUsedOtherwise => "key_used_otherwise",
        }
    }
}
