//! `/admin/v1/subscriptions`: who is told of changes, and what became of that.

use std::sync::Arc;

use attache_core::{
    Delivery, Replayed, StoreError, Subscription, SubscriptionFilter, SubscriptionId, SubscriptionStatus, Timestamp,
};
use attache_wire::event_id;
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};

use super::{
    AdminError, JsonBody,
    api::{
        self, DeadLetterList, DeadLetterQuery, Replay, ReplaySince, ReplayedEvents, SubscriptionList, SubscriptionQuery,
    },
};
use crate::{app::App, delivery::told};

/// How many are told at once if nothing else is asked for, and at most.
const PAGE: u32 = 100;
const LONGEST_PAGE: u32 = 10_000;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<SubscriptionQuery>, QueryRejection>,
) -> Result<Json<SubscriptionList>, AdminError> {
    let Query(query) = query?;
    let filter = SubscriptionFilter { after: query.after, ..SubscriptionFilter::default() };
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let found = app.subscriptions.subscriptions(&filter, limit).map_err(internal)?;
    let mut subscriptions = Vec::with_capacity(found.len());
    for subscription in &found {
        subscriptions.push(shown(&app, subscription).await);
    }
    Ok(Json(SubscriptionList { subscriptions }))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<api::Subscription>, AdminError> {
    let subscription = find(&app, &id)?;
    Ok(Json(shown(&app, &subscription).await))
}

pub(super) async fn deliveries(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    query: Result<Query<SubscriptionQuery>, QueryRejection>,
) -> Result<Json<api::DeliveryList>, AdminError> {
    let Query(query) = query?;
    let id = find(&app, &id)?.id;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let deliveries = app.deliveries.deliveries(id, limit).map_err(internal)?;
    Ok(Json(api::DeliveryList { deliveries: deliveries.iter().map(delivery).collect() }))
}

pub(super) async fn replay(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    JsonBody(wanted): JsonBody<Replay>,
) -> Result<Json<ReplayedEvents>, AdminError> {
    let id = find(&app, &id)?.id;
    let which = match (wanted.sequence, wanted.since) {
        (Some(sequence), None) => Replayed::One(id, sequence),
        (None, Some(since)) => Replayed::Since(Some(id), since),
        _ => return Err(AdminError::Invalid("either `sequence` or `since` is needed".to_owned())),
    };
    send_again(&app, which).await
}

pub(super) async fn dead_letters(
    State(app): State<Arc<App>>,
    query: Result<Query<DeadLetterQuery>, QueryRejection>,
) -> Result<Json<DeadLetterList>, AdminError> {
    let Query(query) = query?;
    let since = query.since.unwrap_or(Timestamp::from_unix_seconds(0));
    let dead = app.deliveries.dead(since, query.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE)).map_err(internal)?;
    let letter = |(dead, subscription): &(Delivery, Subscription)| api::DeadLetter {
        subscription_id: subscription.id,
        client_id: name_of(&app, subscription),
        sink: subscription.sink.to_string(),
        delivery: delivery(dead),
    };
    let (_, total) = app.deliveries.backlog().map_err(internal)?;
    Ok(Json(DeadLetterList { dead_letters: dead.iter().map(letter).collect(), total }))
}

pub(super) async fn replay_of_all(
    State(app): State<Arc<App>>,
    JsonBody(wanted): JsonBody<ReplaySince>,
) -> Result<Json<ReplayedEvents>, AdminError> {
    send_again(&app, Replayed::Since(None, wanted.since)).await
}

async fn send_again(app: &App, which: Replayed) -> Result<Json<ReplayedEvents>, AdminError> {
    let replayed = app.deliveries.replay(which, app.clock.now()).await.map_err(internal)?;
    Ok(Json(ReplayedEvents { replayed }))
}

pub(super) async fn pause(app: State<Arc<App>>, id: Path<String>) -> Result<Json<api::Subscription>, AdminError> {
    set_active(app, id, false).await
}

pub(super) async fn resume(app: State<Arc<App>>, id: Path<String>) -> Result<Json<api::Subscription>, AdminError> {
    set_active(app, id, true).await
}

async fn set_active(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    is_active: bool,
) -> Result<Json<api::Subscription>, AdminError> {
    let subscription = find(&app, &id)?;
    if subscription.status.has_ended() {
        return Err(AdminError::Invalid(format!("the subscription {id} has ended; nothing begins it again")));
    }
    let changed = app.subscriptions.set_active(subscription.id, is_active, app.clock.now()).await.map_err(internal)?;
    let changed = changed.ok_or(AdminError::UnknownSubscription(id))?;
    Ok(Json(shown(&app, &changed).await))
}

fn find(app: &App, id: &str) -> Result<Subscription, AdminError> {
    let unknown = || AdminError::UnknownSubscription(id.chars().take(36).collect());
    let parsed: SubscriptionId = id.parse().map_err(|_| unknown())?;
    app.subscriptions.subscription(parsed).map_err(internal)?.ok_or_else(unknown)
}

fn internal(error: StoreError) -> AdminError {
    AdminError::internal(error)
}

/// Who made a subscription.
fn name_of(app: &App, subscription: &Subscription) -> Option<String> {
    app.clients.get(subscription.client).map(|client| client.client_id.clone())
}

async fn shown(app: &App, subscription: &Subscription) -> api::Subscription {
    api::Subscription {
        id: subscription.id,
        publisher: subscription.publisher.clone(),
        client_id: name_of(app, subscription),
        api: subscription.api.clone(),
        version: subscription.contract.clone(),
        event_type: subscription.event_type.as_str().to_owned(),
        // A line that has ended has no number any more.
        phone_number: app.network.profile(subscription.line).await.ok().map(|profile| profile.phone_number),
        sink: subscription.sink.to_string(),
        status: match subscription.status {
            SubscriptionStatus::Active => "ACTIVE".to_owned(),
            SubscriptionStatus::Inactive => "INACTIVE".to_owned(),
            SubscriptionStatus::Ended(reason) => reason.as_str().to_owned(),
        },
        events_made: subscription.events_made,
        max_events: subscription.max_events,
        starts_at: subscription.starts_at,
        expires_at: subscription.expires_at,
    }
}

pub(super) fn delivery(delivery: &Delivery) -> api::Delivery {
    api::Delivery {
        sequence: delivery.sequence,
        event_id: event_id(delivery),
        event: told(&delivery.notice).into_owned(),
        at: delivery.at,
        made_at: delivery.made_at,
        attempts: delivery.attempts,
        state: delivery.state.as_str().to_owned(),
        last_outcome: delivery.last_outcome.clone(),
        due_at: delivery.due_at,
    }
}
