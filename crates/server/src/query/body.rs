use std::time::Duration;

use attache_core::Problem;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Version, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::app::App;

/// How large a body may be that is read for who is refused in any case.
const SMALL: usize = 4 << 10;

/// How long may be waited for such a body. It follows its head at once, but for who wants to hold a
/// connection.
const SOON: Duration = Duration::from_millis(500);

/// Reads the whole body, within the limits of size and time.
pub(crate) async fn read_body(app: &App, request: Request<Body>) -> Result<Bytes, Problem> {
    let limit = app.settings.body_limit;
    let length = request.headers().get(header::CONTENT_LENGTH);
    // HTTP/2 frames a body by itself; HTTP/1 needs one of the two headers.
    let is_framed = request.version() >= Version::HTTP_2
        || length.is_some()
        || request.headers().contains_key(header::TRANSFER_ENCODING);
    if !is_framed {
        return Err(Problem::LengthRequired);
    }
    let declared = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > limit) {
        return Err(Problem::BodyTooLarge { limit });
    }
    let body = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(app.settings.body_timeout, body).await {
        Err(_) => Err(Problem::BodyTimedOut),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::BodyTooLarge { limit }),
        Ok(Err(_)) => Err(Problem::BodyIncomplete),
    }
}

/// The body of a request that is refused in any case, if its length is told, small, and there soon.
pub(super) async fn read_small_body(app: &App, request: Request<Body>) -> Option<Bytes> {
    let length: usize = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    if length > SMALL.min(app.settings.body_limit) {
        return None;
    }
    let body = Limited::new(request.into_body(), SMALL).collect();
    let body = tokio::time::timeout(SOON.min(app.settings.body_timeout), body).await.ok()?.ok()?;
    Some(body.to_bytes())
}
