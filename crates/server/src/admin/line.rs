//! `/admin/v1/lines`: the lines of the simulated network.

use std::{
    io::{self, Read},
    sync::Arc,
};

use attache_core::{Addresses, PhoneNumber, Plmn, Problem, Status, Timestamp, first_plmn};
use attache_network::{ChangeError, Filter, NewLine, Simulator, csv};
use axum::{
    Json,
    body::Body,
    extract::{Query, Request, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use bytes::{Buf, Bytes};
use http::{StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::{
    AdminError, JsonBody, NumberInPath,
    api::{
        Bearer, Connected, Eligibility, ImportError, ImportEvent, Line, LinePage, LineQuery, OperatorToken, Reach,
        Refusal, Removed, Visited,
    },
};
use crate::{app::App, query::media_type_is};

/// How many lines are told at once if nothing else is asked for, and at most.
const PAGE: usize = 100;
const LONGEST_PAGE: usize = 10_000;

/// How large an imported file may be: about five million lines.
const IMPORT_LIMIT: usize = 512 << 20;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<LineQuery>, QueryRejection>,
) -> Result<Json<LinePage>, AdminError> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    // One more than asked for tells whether there are more.
    let mut lines = app.simulator.list(query.after, limit + 1, &Filter::default());
    let has_more = lines.len() > limit;
    lines.truncate(limit);
    Ok(Json(LinePage {
        next: lines.last().map(|line| line.phone_number).filter(|_| has_more),
        lines: lines.iter().map(Line::from).collect(),
        total: app.simulator.count(),
    }))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
) -> Result<Json<Line>, AdminError> {
    let line = app.simulator.get(number).ok_or(AdminError::UnknownLine(number))?;
    Ok(Json(Line::from(&line)))
}

pub(super) async fn add(
    State(app): State<Arc<App>>,
    JsonBody(new): JsonBody<super::api::NewLine>,
) -> Result<(StatusCode, Json<Line>), AdminError> {
    let number = new.phone_number;
    let new = begin(new, app.clock.now())?;
    let line = app.simulator.add(new).await.map_err(|error| AdminError::of_change(error, number))?;
    Ok((StatusCode::CREATED, Json(Line::from(&line))))
}

pub(super) async fn remove(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
) -> Result<Json<Removed>, AdminError> {
    let line = app.simulator.remove(number).await.map_err(|error| AdminError::of_change(error, number))?;
    app.end_line(line.id).await;
    Ok(Json(Removed { removed: true }))
}

pub(super) async fn roam(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
    JsonBody(visited): JsonBody<Visited>,
) -> Result<Json<Line>, AdminError> {
    changed(app.simulator.roam(number, plmn_of(visited)?).await, number)
}

pub(super) async fn home(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
) -> Result<Json<Line>, AdminError> {
    changed(app.simulator.home(number).await, number)
}

pub(super) async fn reach(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
    JsonBody(reach): JsonBody<Reach>,
) -> Result<Json<Line>, AdminError> {
    changed(app.simulator.reach(number, reach.data, reach.sms).await, number)
}

pub(super) async fn technology(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
    JsonBody(connected): JsonBody<Connected>,
) -> Result<Json<Line>, AdminError> {
    changed(app.simulator.technology(number, connected.technology).await, number)
}

pub(super) async fn eligibility(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
    JsonBody(eligibility): JsonBody<Eligibility>,
) -> Result<Json<Line>, AdminError> {
    changed(app.simulator.set_eligible(number, eligibility.eligible).await, number)
}

/// Gives what the device of a line would get from the operator.
pub(super) async fn operator_token(
    State(app): State<Arc<App>>,
    NumberInPath(number): NumberInPath,
) -> Result<(StatusCode, Json<OperatorToken>), AdminError> {
    let entitlement = app.entitlement.as_ref().ok_or(AdminError::SandboxOnly)?;
    let line = app.simulator.get(number).ok_or(AdminError::UnknownLine(number))?;
    let (operator_token, expires_at) = entitlement.issue(line.id).map_err(AdminError::internal)?;
    Ok((StatusCode::CREATED, Json(OperatorToken { operator_token, expires_at })))
}

/// What a change made of a line.
fn changed(line: Result<attache_core::Line, ChangeError>, number: PhoneNumber) -> Result<Json<Line>, AdminError> {
    line.map(|line| Json(Line::from(&line))).map_err(|error| AdminError::of_change(error, number))
}

/// The network that is meant.
fn plmn_of(visited: Visited) -> Result<Plmn, AdminError> {
    match visited {
        Visited::Plmn(plmn) => Ok(plmn),
        Visited::Country(country) => first_plmn(&country.to_ascii_uppercase()).ok_or_else(|| {
            AdminError::Invalid(format!(
                "no mobile network is known in `{country}`: an ISO 3166 alpha-2 code such as DE is needed, or a PLMN"
            ))
        }),
    }
}

fn begin(new: super::api::NewLine, now: Timestamp) -> Result<NewLine, AdminError> {
    let is_seen = new.serving.is_some() || new.reachable.is_some() || new.technology.is_some() || new.seen_at.is_some();
    if new.never_seen && is_seen {
        let sentence = "never_seen: leave it out, or leave serving, reachable, technology and seen_at out";
        return Err(AdminError::Invalid(sentence.to_owned()));
    }
    let seen_at = new.seen_at.unwrap_or(now);
    let can_reach = |bearer| new.reachable.as_ref().is_none_or(|reachable| reachable.contains(&bearer));
    let status = Status {
        data: can_reach(Bearer::Data),
        sms: can_reach(Bearer::Sms),
        serving: new.serving.map(plmn_of).transpose()?.unwrap_or(new.home_plmn),
        serving_confirmed_at: seen_at,
        reachability_confirmed_at: seen_at,
        technology: new.technology,
        technology_confirmed_at: seen_at,
    };
    Ok(NewLine {
        phone_number: new.phone_number,
        home: new.home_plmn,
        status: (!new.never_seen).then_some(status),
        addresses: new.network_access_identifier.map(|identifier| {
            Box::new(Addresses { network_access_identifier: Some(identifier), ..Addresses::default() })
        }),
        eligible: !new.ineligible,
    })
}

/// Takes a CSV file, all of it or nothing, and answers with [`ImportEvent`]s, one a line. The file is
/// parsed while it arrives; writing begins when the whole of it is known to be right, and doesn't end
/// with the connection.
pub(super) async fn import(State(app): State<Arc<App>>, request: Request) -> Result<Response, AdminError> {
    if !media_type_is(request.headers(), "text/csv") {
        return Err(AdminError::MediaType("text/csv"));
    }
    let (chunks, file) = mpsc::channel(8);
    let now = app.clock.now();
    let parsing =
        tokio::task::spawn_blocking(move || csv::read(ArrivingFile { chunks: file, chunk: Bytes::new() }, now));
    receive(&app, request.into_body(), chunks).await?;
    let event = match parsing.await.map_err(AdminError::internal)? {
        Ok(lines) => return Ok(events(put(Arc::clone(&app.simulator), lines))),
        Err(csv::ReadError::Unreadable(cause)) => {
            return Err(AdminError::Invalid(format!("the file can't be read: {cause}")));
        }
        Err(csv::ReadError::Faults { faults, total }) => ImportEvent::Refused {
            errors: faults.into_iter().map(|fault| ImportError { line: fault.line, message: fault.message }).collect(),
            total,
        },
    };
    let (sender, receiver) = mpsc::channel(1);
    // There is room for one, so this can't fail.
    let _ = sender.try_send(event);
    Ok(events(receiver))
}

/// Hands the body over, chunk by chunk. Each chunk must arrive in the time that a whole body has
/// elsewhere.
async fn receive(app: &App, mut body: Body, chunks: mpsc::Sender<Bytes>) -> Result<(), AdminError> {
    let mut received = 0;
    let outcome = loop {
        let frame = match tokio::time::timeout(app.settings.body_timeout, body.frame()).await {
            Err(_) => break Err(Problem::BodyTimedOut),
            Ok(None) => break Ok(()),
            Ok(Some(Err(_))) => break Err(Problem::BodyIncomplete),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(chunk) = frame.into_data() else { continue };
        received += chunk.len();
        if received > IMPORT_LIMIT {
            break Err(Problem::BodyTooLarge { limit: IMPORT_LIMIT });
        }
        if chunks.send(chunk).await.is_err() {
            // The reader has seen enough, and will say why.
            return Ok(());
        }
    };
    outcome.map_err(AdminError::from)
}

/// Writes the lines, in a task of its own, and tells how it goes.
fn put(simulator: Arc<Simulator>, lines: Vec<NewLine>) -> mpsc::Receiver<ImportEvent> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let of = lines.len();
        let telling = sender.clone();
        // What nobody reads in time needs not be told: the next tells more.
        let progress = Box::new(move |progress| drop(telling.try_send(ImportEvent::Progress { progress, of })));
        let event = match simulator.import(lines, progress).await {
            Ok(imported) => ImportEvent::Done { imported: of, added: imported.added, replaced: imported.replaced },
            Err(error) => {
                let Refusal { code, message } = Refusal::from(&AdminError::internal(error));
                ImportEvent::Failed { code, message }
            }
        };
        // Whoever asked may be gone; what was done is done.
        let _ = sender.send(event).await;
    });
    receiver
}

/// Events as newline-delimited JSON.
fn events(events: mpsc::Receiver<ImportEvent>) -> Response {
    let lines = ReceiverStream::new(events).map(|event| {
        let mut line = serde_json::to_vec(&event)?;
        line.push(b'\n');
        Ok::<_, serde_json::Error>(Bytes::from(line))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// A file that arrives in chunks.
struct ArrivingFile {
    chunks: mpsc::Receiver<Bytes>,
    chunk: Bytes,
}

impl Read for ArrivingFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len());
        self.chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

/// All lines as a CSV file, page by page: a line that is changed meanwhile is in it once, in one
/// state or the other.
pub(super) async fn export(State(app): State<Arc<App>>) -> Result<Response, AdminError> {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let simulator = Arc::clone(&app.simulator);
    tokio::task::spawn_blocking(move || {
        let pages = Pages { simulator: &simulator, after: None }.flatten();
        if let Err(error) = csv::write(io::BufWriter::with_capacity(64 << 10, Chunks(&sender)), pages) {
            // Breaks the answer off, unless whoever asked is gone already.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let headers = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

/// The lines in order, a page at a time.
struct Pages<'a> {
    simulator: &'a Simulator,
    after: Option<PhoneNumber>,
}

impl Iterator for Pages<'_> {
    type Item = Vec<attache_core::Line>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = self.simulator.list(self.after, LONGEST_PAGE, &Filter::default());
        self.after = Some(page.last()?.phone_number);
        Some(page)
    }
}

/// A writer into a response.
struct Chunks<'a>(&'a mpsc::Sender<io::Result<Bytes>>);

impl io::Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_line(json: &str) -> Result<NewLine, AdminError> {
        begin(serde_json::from_str(json).unwrap(), Timestamp::from_unix_seconds(7))
    }

    #[test]
    fn a_new_line_is_at_home_unless_something_else_is_said() {
        let line = new_line(r#"{"phone_number":"+33699901032","home_plmn":"20801"}"#).unwrap();
        let status = line.status.unwrap();
        assert_eq!(status.serving, line.home);
        assert!(status.data && status.sms);
        assert_eq!(status.serving_confirmed_at, Timestamp::from_unix_seconds(7));
        let abroad =
            r#"{"phone_number":"+33699901032","home_plmn":"20801","serving":{"country":"de"},"reachable":["SMS"]}"#;
        let status = new_line(abroad).unwrap().status.unwrap();
        assert_eq!(status.serving.to_string(), "26201");
        assert!(!status.data && status.sms);
    }

    #[test]
    fn a_line_that_was_never_seen_has_no_status() {
        let json = r#"{"phone_number":"+33699901032","home_plmn":"20801","never_seen":true}"#;
        assert!(new_line(json).unwrap().status.is_none());
        let json = r#"{"phone_number":"+33699901032","home_plmn":"20801","never_seen":true,"reachable":[]}"#;
        assert!(matches!(new_line(json), Err(AdminError::Invalid(_))));
    }

    #[test]
    fn a_country_without_network_is_refused() {
        assert!(matches!(plmn_of(Visited::Country("ZZ".into())), Err(AdminError::Invalid(_))));
    }

    #[test]
    fn a_file_is_read_across_its_chunks() {
        let (sender, chunks) = mpsc::channel(4);
        for chunk in ["a", "", "bcd"] {
            sender.try_send(Bytes::from(chunk)).unwrap();
        }
        drop(sender);
        let mut text = String::new();
        ArrivingFile { chunks, chunk: Bytes::new() }.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abcd");
    }
}
