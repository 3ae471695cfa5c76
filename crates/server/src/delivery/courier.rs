//! One exchange with a sink.

use std::time::Duration;

use attache_core::{Sink, SubscriptionProblem};
use http::header;
use secrecy::{ExposeSecret as _, SecretString};

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
    pub(crate) correlator: String,
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
            let request = request
                .header(header::CONTENT_TYPE, "application/cloudevents+json")
                .header("x-correlator", letter.correlator)
                .body(letter.body);
            match &letter.token {
                None => request,
                Some(token) => request.bearer_auth(token.expose_secret()),
            }
        });
        let (status, headers) = answer.await?;
        let retry_after = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Ok(Reply { status: status.as_u16(), retry_after: retry_after.map(str::to_owned) })
    }
}
