//! `/admin/v1/network`: how the simulated network fares.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::{AdminError, JsonBody, api::NetworkCondition};
use crate::{app::App, sandbox};

pub(super) async fn show(State(app): State<Arc<App>>) -> Json<NetworkCondition> {
    Json(shown(&app))
}

pub(super) async fn set(
    State(app): State<Arc<App>>,
    JsonBody(wanted): JsonBody<NetworkCondition>,
) -> Result<Json<NetworkCondition>, AdminError> {
    if !app.is_sandbox() {
        return Err(AdminError::SandboxOnly);
    }
    sandbox::set_condition(&app, wanted.state.into());
    Ok(Json(shown(&app)))
}

fn shown(app: &App) -> NetworkCondition {
    NetworkCondition { state: app.simulator.condition().into() }
}
