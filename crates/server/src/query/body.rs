use attache_core::Problem;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Version, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::app::App;

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
