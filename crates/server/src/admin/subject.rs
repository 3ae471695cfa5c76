//! `/admin/v1/subjects`: the rights of a subscriber to see what is stored about the line, and to have it
//! forgotten.

use std::{io, sync::Arc};

use attache_core::{
    AuditEvent, AuditRecord, DeviceIdentifier, GrantKind, LineId, SubscriptionFilter, SubscriptionStatus,
};
use attache_store::AuditFilter;
use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    AdminError, NumberInPath,
    api::{Addresses, Erased, Line, PendingGrant, RefreshTokenData, SubjectData, SubscriptionData},
    audit::Lines,
    consent::shown,
    subscription::delivery,
};
use crate::app::App;

/// Everything that is stored about a line: a JSON object whose last member has the audit records, which
/// may be many.
pub(super) async fn export(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
) -> Result<Response, AdminError> {
    let line = app.simulator.get(number).ok_or(AdminError::UnknownLine(number))?;
    record(&app, line.id, AuditEvent::SubjectExport, "exported").await?;
    let client_id = |client| app.clients.get(client).map(|client| client.client_id.clone());
    let refresh_tokens = app.authorizations.about(line.id).await.map_err(AdminError::internal)?;
    let refresh_tokens = refresh_tokens.into_iter().filter(|token| !token.is_used).map(|token| RefreshTokenData {
        client_id: client_id(token.authorization.client),
        publisher: token.authorization.publisher,
        scopes: token.authorization.scopes,
        purpose: token.authorization.purpose,
        authenticated_at: token.authorization.authenticated_at,
        expires_at: token.expires_at,
    });
    let of_line = SubscriptionFilter { line: Some(line.id), ..SubscriptionFilter::default() };
    let subscriptions = app.subscriptions.subscriptions(&of_line, u32::MAX).map_err(AdminError::internal)?;
    let mut told = Vec::with_capacity(subscriptions.len());
    for subscription in &subscriptions {
        told.push(app.deliveries.deliveries(subscription.id, u32::MAX).map_err(AdminError::internal)?);
    }
    let subscriptions = subscriptions.into_iter().zip(told).map(|(subscription, told)| SubscriptionData {
        id: subscription.id,
        client_id: client_id(subscription.client),
        publisher: subscription.publisher,
        purpose: subscription.purpose,
        event_type: subscription.event_type.as_str().to_owned(),
        sink: subscription.sink.to_string(),
        status: match subscription.status {
            SubscriptionStatus::Active => "active",
            SubscriptionStatus::Inactive => "inactive",
            SubscriptionStatus::Ended(_) => "ended",
        }
        .to_owned(),
        starts_at: subscription.starts_at,
        expires_at: subscription.expires_at,
        events_made: subscription.events_made,
        device: subscription.device.as_ref().map(named),
        deliveries: told.iter().map(delivery).collect(),
    });
    let grants = app.grants.about(line.id).into_iter().map(|grant| PendingGrant {
        client_id: client_id(grant.client),
        grant_type: match grant.kind {
            GrantKind::Backchannel(_) => "urn:openid:params:grant-type:ciba",
            GrantKind::AuthorizationCode(_) => "authorization_code",
        }
        .to_owned(),
        publisher: grant.publisher,
        scopes: grant.scopes,
        purpose: grant.purpose,
        expires_at: grant.expires_at,
    });
    let pseudonym = app.audit.pseudonym(line.id);
    let now = app.clock.now();
    let data = SubjectData {
        exported_at: now,
        line: Line::from(&line),
        addresses: line.addresses.as_deref().map(Addresses::from),
        consents: app.consents.of_line(line.id).iter().filter_map(|it| shown(&app, number, it)).collect(),
        grants: grants.collect(),
        refresh_tokens: refresh_tokens.collect(),
        subscriptions: subscriptions.collect(),
        pseudonym: pseudonym.map(|pseudonym| pseudonym.to_string()),
    };
    let mut head = serde_json::to_vec(&data).map_err(AdminError::internal)?;
    // The object goes on with the records.
    head.pop();
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let audit = Arc::clone(&app.audit);
    tokio::task::spawn_blocking(move || {
        let mut lines = Lines { sender: &sender, chunk: head };
        let written = lines.push(br#","audit":["#).and_then(|()| {
            let mut separator = "\n";
            if pseudonym.is_some() {
                let filter = AuditFilter { subject: pseudonym, to: Some(now), ..AuditFilter::default() };
                audit.each(&filter, &mut |record| {
                    lines.push(std::mem::replace(&mut separator, ",\n").as_bytes())?;
                    lines.push(record.trim_ascii_end())
                })?;
            }
            lines.push(b"\n]}\n")?;
            lines.flush()
        });
        if let Err(error) = written {
            // Breaks the answer off, unless whoever asked is gone already.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let headers = [(header::CONTENT_TYPE, "application/json")];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// Forgets a subscriber: whatever is stored about the line ends, and the key of its pseudonym is destroyed,
/// so that nobody can tell any more which audit records are about it. The number goes on as a new line.
pub(super) async fn erase(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
) -> Result<Json<Erased>, AdminError> {
    let line = app.simulator.get(number).ok_or(AdminError::UnknownLine(number))?;
    // Afterwards the line has no pseudonym to be recorded under.
    record(&app, line.id, AuditEvent::SubjectErasure, "begun").await?;
    let ended = app.simulator.renew(number).await.map_err(|error| AdminError::of_change(error, number))?;
    app.end_line(ended.id).await;
    Ok(Json(Erased { erased: true }))
}

/// What a request has named a line by.
fn named(device: &DeviceIdentifier) -> String {
    match device {
        DeviceIdentifier::PhoneNumber(number) => number.to_string(),
        DeviceIdentifier::Ipv4(address) => address
            .public_port
            .map_or_else(|| address.public_address.to_string(), |port| format!("{}:{port}", address.public_address)),
        DeviceIdentifier::Ipv6(address) => address.to_string(),
        DeviceIdentifier::NetworkAccessIdentifier(identifier) => identifier.clone(),
    }
}

async fn record(app: &App, line: LineId, event: AuditEvent, outcome: &str) -> Result<(), AdminError> {
    let record = AuditRecord { subject: Some(line), ..AuditRecord::new(app.clock.now(), event, outcome) };
    app.record(record).await.map_err(|_| AdminError::Unaudited)
}

#[cfg(test)]
mod tests {
    /// Under which member of an export the rows of a table are told.
    const TOLD: [(&str, &str); 7] = [
        ("authorization", "refresh_tokens"),
        ("consent", "consents"),
        ("delivery", "subscriptions"),
        ("grants", "grants"),
        ("line", "line"),
        ("refresh_token", "refresh_tokens"),
        ("subscription", "subscriptions"),
    ];

    #[test]
    fn an_export_has_every_table_that_is_about_a_line() {
        assert_eq!(TOLD.map(|(table, _)| table), attache_store::TABLES_ABOUT_A_LINE);
    }
}
