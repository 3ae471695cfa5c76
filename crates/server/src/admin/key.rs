//! `/admin/v1/keys`: the keys that sign tokens; and `/admin/v1/tokens`: what a token is worth.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
};
use http::StatusCode;

use super::{
    AdminError, JsonBody,
    api::{KeyList, KeyState, NewKey, QuestionedToken, Removed, SigningKey},
};
use crate::{
    app::{App, publisher_named},
    authorization::{Introspection, introspect},
    signing_keys,
};

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<KeyList> {
    Json(shown(&app))
}

pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    JsonBody(new): JsonBody<NewKey>,
) -> Result<(StatusCode, Json<KeyList>), AdminError> {
    let keys = app.tokens.keys();
    keys.rotate(app.clock.as_ref(), new.immediately).await.map_err(AdminError::internal)?;
    Ok((StatusCode::CREATED, Json(shown(&app))))
}

pub(super) async fn retire(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Removed>, AdminError> {
    let Path(id) = path?;
    if app.tokens.retire_key(&id, app.clock.now()).await.map_err(AdminError::internal)? {
        Ok(Json(Removed { removed: true }))
    } else {
        Err(AdminError::UnknownKey(id))
    }
}

/// What a token is worth, whosever it is: for those who serve resources beside this server.
pub(super) async fn introspect_token(
    State(app): State<Arc<App>>,
    JsonBody(asked): JsonBody<QuestionedToken>,
) -> Result<Json<Introspection>, AdminError> {
    let publisher = publisher_named(asked.publisher.as_str())
        .ok_or_else(|| AdminError::Invalid(format!("there is no publisher `{}`", asked.publisher)))?;
    introspect(&app, publisher, &asked.token, None).await.map(Json).map_err(AdminError::internal)
}

fn shown(app: &App) -> KeyList {
    let shown = |(key, state): (Arc<signing_keys::SigningKey>, signing_keys::KeyState)| SigningKey {
        id: key.id().to_owned(),
        algorithm: key.algorithm(),
        created_at: key.created_at(),
        signs_from: key.signs_from(),
        state: match state {
            signing_keys::KeyState::Next => KeyState::Next,
            signing_keys::KeyState::Signing => KeyState::Signing,
            signing_keys::KeyState::Verifying { .. } => KeyState::Verifying,
        },
        published_until: match state {
            signing_keys::KeyState::Verifying { until } => Some(until),
            signing_keys::KeyState::Next | signing_keys::KeyState::Signing => None,
        },
    };
    KeyList { keys: app.tokens.keys().list(app.clock.now()).into_iter().map(shown).collect() }
}
