//! The stories, each told once for all versions; in what these differ stands in their contracts.

mod changes;
mod credentials;
mod events;
mod http;
mod identification;
mod life;
mod requests;

use super::trial::Session;

/// Tells them all.
pub(super) async fn run(session: &mut Session<'_>) {
    life::run(session).await;
    identification::run(session).await;
    requests::run(session).await;
    credentials::run(session).await;
    http::run(session).await;
    events::run(session).await;
    changes::run(session).await;
}
