//! `/admin/v1/network`: how the simulated network fares.

use std::sync::Arc;

use attache_network::Condition;
use axum::{Json, extract::State};

use super::{
    AdminError, JsonBody,
    api::{NetworkCondition, NetworkState},
};
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
    let condition = match wanted.state {
        NetworkState::Up => Condition::Up,
        NetworkState::Failing => Condition::Failing,
        NetworkState::Silent => Condition::Silent,
        NetworkState::Unknowing => Condition::Unknowing,
    };
    sandbox::set_condition(&app, condition);
    Ok(Json(shown(&app)))
}

fn shown(app: &App) -> NetworkCondition {
    let state = match app.simulator.condition() {
        Condition::Up => NetworkState::Up,
        Condition::Failing => NetworkState::Failing,
        Condition::Silent => NetworkState::Silent,
        Condition::Unknowing => NetworkState::Unknowing,
    };
    NetworkCondition { state }
}
