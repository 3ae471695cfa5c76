//! What leaves in an event is a use of personal data like any other: it is told in the audit log before it leaves.

use std::borrow::Cow;

use async_trait::async_trait;
use attache_core::{AuditEvent, AuditRecord, Due, LegalBasis, Notice, Problem};
use attache_wire::event_id;

use crate::{app::App, consent};

/// Keeps a record of what leaves.
#[async_trait]
pub(crate) trait Witness: Send + Sync {
    /// Records that a delivery leaves, or that it was given up. What cannot be recorded must not leave.
    async fn record(&self, due: &Due, outcome: &str) -> Result<(), Problem>;
}

#[async_trait]
impl Witness for App {
    async fn record(&self, due: &Due, outcome: &str) -> Result<(), Problem> {
        let Due { delivery, subscription, .. } = due;
        let client = self.clients.get(subscription.client);
        self.record(AuditRecord {
            publisher: Some(&subscription.publisher),
            client_id: client.as_ref().map(|client| client.client_id.as_str()),
            action: &told(&delivery.notice),
            subject: Some(subscription.line),
            scopes: std::slice::from_ref(&subscription.scope),
            purpose: Some(&subscription.purpose),
            legal_basis: basis(self, due).await,
            subscription: Some(subscription.id),
            correlator: Some(&event_id(delivery)),
            ..AuditRecord::new(self.clock.now(), AuditEvent::Delivery, outcome)
        })
        .await
    }
}

/// By what right it is told: by the consent that the subscription rests on, or by the policy.
async fn basis(app: &App, Due { subscription, .. }: &Due) -> Option<LegalBasis> {
    let scopes = std::slice::from_ref(&subscription.scope);
    let said = app.consents.basis(subscription.client, subscription.line, &subscription.purpose, scopes);
    if said.is_some() {
        return said;
    }
    // A line that has ended has no home any more.
    let home = app.network.profile(subscription.line).await.ok()?.home;
    consent::basis_unasked(app, home, &subscription.api, &subscription.purpose)
}

/// What a notice tells, for operators.
pub(crate) fn told(notice: &Notice) -> Cow<'static, str> {
    match notice {
        Notice::Event(fact) => fact.event_type().as_str().into(),
        Notice::Started => "subscription-started".into(),
        Notice::Updated { is_active: true } => "subscription-updated (active)".into(),
        Notice::Updated { is_active: false } => "subscription-updated (inactive)".into(),
        Notice::Ended { reason, .. } => format!("subscription-ended ({})", reason.as_str()).into(),
    }
}
