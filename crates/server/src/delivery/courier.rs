//! One exchange with a sink.

use std::time::Duration;

use attache_core::{Sink, SubscriptionProblem};
use http::header;
use secrecy::{ExposeSecret as _, SecretString};

use super::signer::Signature;
use crate::outbound::{AuthoritiesError, Limits, Outbound, OutboundError, OutboundPolicy};

/// How much of a reply is read, so that its connection can be used again.
const REPLY_LIMIT: usize = 16 * 1024;

/// Carries letters to sinks.
pub(crate) struct Courier {
    outbound: Outbound,
}

/// What is sent.
pub(crate) struct Letter {
    pub(crate) sink: Sink,
    /// The bearer token that the sink asks for.
    pub(crate) token: Option<SecretString>,
    /// The event's.
    pub(crate) id: String,
    /// The client's secrets vouch for the rest by it.
    pub(crate) signature: Option<Signature>,
    /// A `CloudEvent` in JSON.
    pub(crate) body: Vec<u8>,
}

/// What a sink answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// What it asks for if it is busy, as it says it.
    pub(crate) retry_after: Option<String>,
}

impl Courier {
    /// A courier that goes where this policy lets it, and waits as long as this for a reply.
    pub(crate) fn new(policy: OutboundPolicy, timeout: Duration) -> Result<Self, AuthoritiesError> {
        Ok(Self { outbound: Outbound::new(policy, Limits { within: timeout, body: REPLY_LIMIT })? })
    }

    /// Whether a sink may be sent to, as far as its text tells.
    pub(crate) fn admit(&self, sink: &Sink) -> Result<(), SubscriptionProblem> {
        let refused = self.outbound.admit(sink.as_str()).map(drop);
        refused.map_err(|refusal| SubscriptionProblem::SinkRefused { reason: refusal.as_str() })
    }

    /// Sends a letter, once.
    pub(crate) async fn post(&self, letter: Letter) -> Result<Reply, OutboundError> {
        let answer = self.outbound.post(letter.sink.as_str(), |request| {
            let mut request = request
                .header(header::CONTENT_TYPE, "application/cloudevents+json")
                .header("x-correlator", &letter.id)
                .body(letter.body);
            if let Some(token) = &letter.token {
                request = request.bearer_auth(token.expose_secret());
            }
            if let Some(signature) = letter.signature {
                request = request
                    .header("webhook-id", letter.id)
                    .header("webhook-timestamp", signature.timestamp)
                    .header("webhook-signature", signature.signatures);
            }
            request
        });
        let (status, headers) = answer.await?;
        let retry_after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Reply { status: status.as_u16(), retry_after: retry_after.map(str::to_owned) })
    }
}
