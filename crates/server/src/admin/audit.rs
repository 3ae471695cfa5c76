//! `/admin/v1/audit`: who did what about whom.

use std::{io, sync::Arc, time::Duration};

use attache_core::LineId;
use attache_store::AuditFilter;
use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{
    AdminError, JsonBody,
    api::{AuditPage, AuditQuery, AuditRecord, AuditSubject, Dropped, Retention},
};
use crate::app::App;

/// How many records are told at once if nothing else is asked for, and at most.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 10_000;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, AdminError> {
    let Query(query) = query?;
    let (limit, after) = (query.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE), query.after);
    let (filter, line) = filter(&app, query)?;
    let audit = Arc::clone(&app.audit);
    let page = blocking(move || audit.page(&filter, after, limit)).await?;
    let records = page.records.iter().map(|record| serde_json::from_slice(record));
    let records = records.collect::<Result<Vec<AuditRecord>, _>>().map_err(AdminError::internal)?;
    let page = AuditPage { records, next: page.next.map(|next| next.to_string()) };
    Ok(about(line, Json(page).into_response()))
}

pub(super) async fn export(
    State(app): State<Arc<App>>,
    query: Result<Query<AuditQuery>, QueryRejection>,
) -> Result<Response, AdminError> {
    let Query(query) = query?;
    if query.limit.is_some() || query.after.is_some() {
        return Err(AdminError::Invalid("an export has all records: leave limit and after out".to_owned()));
    }
    let (mut filter, line) = filter(&app, query)?;
    // What comes while it is read is not in it, its own record among that.
    let now = app.clock.now();
    filter.to = Some(filter.to.map_or(now, |to| to.min(now)));
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let audit = Arc::clone(&app.audit);
    tokio::task::spawn_blocking(move || {
        let mut lines = Lines { sender: &sender, chunk: Vec::new() };
        let written = audit.each(&filter, &mut |record| lines.push(record)).and_then(|()| lines.flush());
        if let Err(error) = written {
            // Breaks the answer off, unless whoever asked is gone already.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok(about(line, (headers, Body::from_stream(ReceiverStream::new(receiver))).into_response()))
}

pub(super) async fn retain(
    State(app): State<Arc<App>>,
    JsonBody(retention): JsonBody<Retention>,
) -> Result<Json<Dropped>, AdminError> {
    let keep = retention.keep_seconds.map(Duration::from_secs).or(app.settings.audit_retention).ok_or_else(|| {
        AdminError::Invalid("say how long records are kept: audit_retention is not configured".to_owned())
    })?;
    let cutoff = app.clock.now().minus(keep);
    let audit = Arc::clone(&app.audit);
    let dropped = blocking(move || audit.retain(cutoff)).await?;
    Ok(Json(Dropped { segments: dropped.segments, records: dropped.records }))
}

/// Lets a response tell whom it is about, for its own record in the log.
fn about(line: Option<LineId>, mut response: Response) -> Response {
    if let Some(line) = line {
        response.extensions_mut().insert(line);
    }
    response
}

/// What is asked for, and the line that it is about if it was named by its number.
fn filter(app: &App, query: AuditQuery) -> Result<(AuditFilter, Option<LineId>), AdminError> {
    let (subject, line) = match query.subject {
        None => (None, None),
        Some(AuditSubject::Pseudonym(pseudonym)) => (Some(pseudonym), None),
        Some(AuditSubject::Number(number)) => {
            let line = app.simulator.get(number).ok_or(AdminError::UnknownLine(number))?.id;
            (app.audit.pseudonym(line), Some(line))
        }
    };
    let AuditQuery { publisher, client_id, event, from, to, .. } = query;
    Ok((AuditFilter { subject, publisher, client_id, event, from, to }, line))
}

/// Does what reads files, where that holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, AdminError> {
    tokio::task::spawn_blocking(work).await.map_err(AdminError::internal)?.map_err(AdminError::internal)
}

/// Records on their way into a response, many at a time.
pub(super) struct Lines<'a> {
    pub(super) sender: &'a mpsc::Sender<io::Result<Bytes>>,
    pub(super) chunk: Vec<u8>,
}

impl Lines<'_> {
    pub(super) fn push(&mut self, text: &[u8]) -> io::Result<()> {
        self.chunk.extend_from_slice(text);
        if self.chunk.len() < 64 << 10 { Ok(()) } else { self.flush() }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let chunk = Bytes::from(std::mem::take(&mut self.chunk));
        self.sender.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
