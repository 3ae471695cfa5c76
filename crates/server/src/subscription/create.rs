//! Making a subscription.

use std::time::Duration;

use attache_core::{
    Id, IdempotencyKey, Kept, Problem, Scope, SinkCredential, Subscription, SubscriptionProblem, SubscriptionStatus,
    Timestamp,
};
use attache_wire::{Credential, SubscriptionFace, SubscriptionRequest};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request};

use super::{Done, Trail, limited, stored, unavailable};
use crate::{
    app::App,
    consent,
    delivery::CREDENTIAL_LEAD,
    entropy,
    query::{identify_line, read_body},
    token::{Token, hash},
};

/// How long a subscription may last at most where the operator has not said it.
const LONGEST: Duration = Duration::from_hours(24 * 3660);

/// Makes what a request asks for.
pub(super) async fn create(
    app: &App,
    face: &SubscriptionFace,
    token: &Token,
    request: Request<Body>,
    trail: &mut Trail,
) -> Result<Done, SubscriptionProblem> {
    let key = idempotency_key(request.headers())?;
    let body = read_body(app, request).await?;
    let wanted = (face.read)(face, &body)?;
    trail.subject = token.line;
    let scope = permit(token, face, &wanted)?;
    let key = key.map(|key| IdempotencyKey { key, request: fingerprint(face, token, &body) });
    if let Some(key) = key.clone() {
        let client = token.client;
        if let Some(kept) = stored(app, move |store| store.kept(client, &key)).await? {
            // Neither the time nor the network that the request met is asked of it again.
            limited(app, trail)?;
            return answer(face, token, kept, trail);
        }
    }
    let identified =
        identify_line(app.network.as_ref(), &app.settings.supported_identifiers, face, token.line, &wanted.device)
            .await?;
    trail.subject = Some(identified.line);
    limited(app, trail)?;
    if token.line.is_none() {
        consent::permit_unasked(app, token, identified.line, &scope)?;
    }
    let line = match app.network.observe(identified.line).await {
        // The line of the token is gone: its number may have passed to somebody else.
        Err(Problem::UnknownLine) if token.line.is_some() => return Err(Problem::CredentialsInvalid.into()),
        observed => observed?,
    };
    if token.line.is_none() {
        trail.basis = consent::basis_unasked(app, line.home, face.api, &token.purpose);
    }
    if !line.eligible {
        return Err(Problem::LineNotEligible.into());
    }
    let now = app.clock.now();
    app.courier.admit(&wanted.sink)?;
    let lifetime = app.settings.subscription_lifetime;
    check_times(&wanted, now, lifetime.unwrap_or(LONGEST))?;
    // Whom a token tells of, its client does not learn from us.
    let used = identified.told.or(wanted.device.identifiers().first());
    let device = used.filter(|_| token.line.is_none()).cloned();
    let credential = wanted.credential.map(|credential| seal(app, &credential)).transpose()?;
    let new = Subscription {
        id: Id::new(now, &entropy::bytes().map_err(|_| Problem::Internal)?),
        publisher: token.publisher.clone(),
        api: face.api.to_owned(),
        contract: face.contract.to_owned(),
        client: token.client,
        purpose: token.purpose.clone(),
        scope,
        line: identified.line,
        device,
        event_type: wanted.event_type,
        sink: wanted.sink,
        credential,
        initial_event: wanted.initial_event,
        max_events: wanted.max_events,
        requested_end: wanted.expires_at,
        expires_at: wanted.expires_at.or_else(|| lifetime.map(|lifetime| now.plus(lifetime))),
        starts_at: now,
        ended_at: None,
        status: SubscriptionStatus::Active,
        events_made: 0,
    };
    let kept = app.subscriptions.begin(new, line.status, key).await.map_err(|error| unavailable(&error))?;
    answer(face, token, kept, trail)
}

/// What is said of what came of a request.
fn answer(face: &SubscriptionFace, token: &Token, kept: Kept, trail: &mut Trail) -> Result<Done, SubscriptionProblem> {
    match kept {
        Kept::New(kept) | Kept::Again(kept) => {
            trail.is_about(&kept);
            Ok(Done { status: 201, body: Some((face.write)(face, &kept)), name: "subscribed" })
        }
        Kept::OtherRequest => Err(SubscriptionProblem::KeyUsedOtherwise),
        Kept::Refused => Err(Problem::SubjectRefuses.into()),
        Kept::LineGone if token.line.is_none() => Err(Problem::UnknownLine.into()),
        // As with every token whose line, client or consent is gone.
        Kept::LineGone | Kept::RightGone => Err(Problem::CredentialsInvalid.into()),
    }
}

/// The scope by which the token permits subscriptions to this type: it permits some.
fn permit(token: &Token, face: &SubscriptionFace, wanted: &SubscriptionRequest) -> Result<Scope, SubscriptionProblem> {
    face.type_of(wanted.event_type)
        .map(|subscribed| &subscribed.create_scope)
        .filter(|scope| token.scopes.contains(scope))
        .cloned()
        .ok_or(SubscriptionProblem::TypeNotPermitted)
}

/// Whether the times that a request names can be kept.
fn check_times(wanted: &SubscriptionRequest, now: Timestamp, longest: Duration) -> Result<(), SubscriptionProblem> {
    let out_of_range = |field, reason| Err(SubscriptionProblem::OutOfRange { field, reason });
    if let Some(expires_at) = wanted.expires_at {
        if expires_at <= now {
            return out_of_range("subscriptionExpireTime", "it must be in the future");
        }
        if expires_at > now.plus(longest) {
            return out_of_range("subscriptionExpireTime", "it is later than subscriptions last here");
        }
    }
    let credential_ends = wanted.credential.as_ref().and_then(|credential| credential.expires_at);
    if credential_ends.is_some_and(|ends| ends <= now.plus(CREDENTIAL_LEAD)) {
        return out_of_range("sinkCredential.accessTokenExpiresUtc", "the token must last for a minute or more");
    }
    Ok(())
}

fn seal(app: &App, credential: &Credential) -> Result<SinkCredential, Problem> {
    let sealed = app.keyring.seal(credential.token.as_bytes()).map_err(|_| Problem::Internal)?;
    Ok(SinkCredential { sealed, expires_at: credential.expires_at })
}

/// What the client calls the request, if it does (draft-ietf-httpapi-idempotency-key-header).
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all(NAME).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let is_key = |text: &&str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    match value.to_str().ok().filter(is_key) {
        Some(key) if values.next().is_none() => Ok(Some(key.to_owned())),
        _ => Err(Problem::InvalidHeader { name: NAME, reason: "must be 1 to 255 printable ASCII characters, once" }),
    }
}

/// What tells one request from another.
fn fingerprint(face: &SubscriptionFace, token: &Token, body: &Bytes) -> [u8; 32] {
    let line = token.line.map_or_else(String::new, |line| line.to_string());
    hash(&format!("{}\n{line}\n{}\n{}", face.path, token.purpose, String::from_utf8_lossy(body)))
}
