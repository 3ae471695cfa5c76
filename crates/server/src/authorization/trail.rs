use std::sync::Arc;

use attache_core::{AuditEvent, AuditRecord, Client, ClientId, LegalBasis, LineId, Purpose, Scope};
use attache_wire::{Publisher, oauth::OAuthErrorCode};
use http::{HeaderMap, header};

use super::{Refused, client_authentication::read_basic, parameters::Parameters};
use crate::{
    app::App,
    consent::{self, Use},
    query,
};

/// What is learned about a request on its way, for its record in the audit log. Each step notes what it
/// has found out; what is not known yet when a request is refused is not in the record.
pub(super) struct Trail<'a> {
    publisher: &'static Publisher,
    correlator: Option<&'a str>,
    /// Who asks. Until the client is authenticated: who it claims to be, if there is one of that name.
    pub(super) client: Option<Arc<Client>>,
    /// About whom.
    pub(super) line: Option<LineId>,
    /// For what.
    pub(super) scopes: Vec<Scope>,
    /// Why.
    pub(super) purpose: Option<Purpose>,
    /// On which legal basis.
    legal_basis: Option<LegalBasis>,
}

impl<'a> Trail<'a> {
    /// The beginning, when nothing but the request is known.
    pub(super) fn begin(
        app: &App,
        publisher: &'static Publisher,
        headers: Option<&'a HeaderMap>,
        parameters: &Parameters,
    ) -> Self {
        let basic = headers.and_then(|headers| headers.get(header::AUTHORIZATION));
        let basic = basic.and_then(|basic| read_basic(basic.to_str().ok()?)).map(|(client_id, _)| client_id);
        let client_id = parameters.get("client_id").or(basic.as_deref());
        Self {
            publisher,
            correlator: headers.and_then(query::sent_correlator),
            client: client_id.and_then(|client_id| app.clients.find(&publisher.name, client_id)),
            line: None,
            scopes: Vec::new(),
            purpose: None,
            legal_basis: None,
        }
    }

    /// Notes what is asked for.
    pub(super) fn asks_for(&mut self, scopes: &[Scope], purpose: &Purpose) {
        self.scopes = scopes.to_vec();
        self.purpose = Some(purpose.clone());
    }

    /// Notes about whom it is asked, and on which legal basis.
    pub(super) async fn is_about(&mut self, app: &App, wanted: Use<'_>) {
        self.line = Some(wanted.line);
        self.legal_basis = consent::basis(app, wanted).await;
    }

    /// Notes about whom a token is, which rests on what stands in the book of consents.
    pub(super) fn is_granted(&mut self, app: &App, client: ClientId, line: LineId) {
        self.line = Some(line);
        self.legal_basis =
            self.purpose.as_ref().and_then(|purpose| app.consents.basis(client, line, purpose, &self.scopes));
    }

    /// Records that a token was issued or refused. A client that is told to wait is refused nothing.
    pub(super) async fn end_with_token<T>(
        &self,
        app: &App,
        grant_type: &str,
        outcome: Result<T, Refused>,
    ) -> Result<T, Refused> {
        match &outcome {
            Err(Refused::OAuth(error))
                if matches!(error.code, OAuthErrorCode::AuthorizationPending | OAuthErrorCode::SlowDown) => {}
            Err(refused) => self.record(app, AuditEvent::TokenRefused, grant_type, refused.name()).await?,
            Ok(_) => self.record(app, AuditEvent::TokenIssued, grant_type, "issued").await?,
        }
        outcome
    }

    /// Records that a subscriber was identified, or was not.
    pub(super) async fn end_with_identification<T>(
        &self,
        app: &App,
        endpoint: &str,
        outcome: Result<T, Refused>,
    ) -> Result<T, Refused> {
        let told = outcome.as_ref().map_or_else(Refused::name, |_| "identified");
        self.record(app, AuditEvent::Identification, endpoint, told).await?;
        outcome
    }

    /// Records that what rests on an authorization was revoked, for a cause.
    pub(super) async fn is_revoked(&self, app: &App, cause: &str) -> Result<(), Refused> {
        self.record(app, AuditEvent::TokenRevoked, cause, "revoked").await
    }

    async fn record(&self, app: &App, event: AuditEvent, action: &str, outcome: &str) -> Result<(), Refused> {
        let record = AuditRecord {
            publisher: Some(&self.publisher.name),
            client_id: self.client.as_ref().map(|client| client.client_id.as_str()),
            action,
            subject: self.line,
            scopes: &self.scopes,
            purpose: self.purpose.as_ref(),
            legal_basis: self.legal_basis,
            correlator: self.correlator,
            ..AuditRecord::new(app.clock.now(), event, outcome)
        };
        Ok(app.record(record).await?)
    }
}
