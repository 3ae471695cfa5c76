//! Bodies that nobody reads to their end.
//!
//! A server that answers and closes while its client still sends resets the connection, and many a
//! client never sees the answer then. So what is left of a long body is read and thrown away for a
//! while: as long as it keeps coming, and within bounds.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{Request, Version, header};
use tokio::{runtime::Handle, time::timeout};

use crate::settings::Settings;

/// How many times the longest body that is read at all is thrown away.
const TIMES: usize = 1024;

/// How long the next bytes are waited for, at most.
const PAUSE: Duration = Duration::from_secs(1);

/// A request whose body is read on when it is dropped early.
pub(crate) fn lingering(settings: &Settings, request: Request<Body>) -> Request<Body> {
    let headers = request.headers();
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // A short body fits into what the connection holds; and whoever expects to be told to go on waits
    // for the answer.
    let is_long = declared.map_or(headers.contains_key(header::TRANSFER_ENCODING), |declared| {
        usize::try_from(declared).map_or(true, |declared| declared > settings.body_limit)
    });
    if !is_long || headers.contains_key(header::EXPECT) || request.version() >= Version::HTTP_2 {
        return request;
    }
    let (limit, within) = (settings.body_limit.saturating_mul(TIMES), settings.body_timeout);
    request.map(|body| Body::from_stream(Lingering { data: Some(body.into_data_stream()), limit, within }))
}

/// The data of a body.
struct Lingering {
    /// `None` once it has ended.
    data: Option<BodyDataStream>,
    limit: usize,
    within: Duration,
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(data) = &mut self.data else { return Poll::Ready(None) };
        let next = ready!(Pin::new(data).poll_next(cx));
        if !matches!(next, Some(Ok(_))) {
            self.data = None;
        }
        Poll::Ready(next)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        if let (Some(data), Ok(runtime)) = (self.data.take(), Handle::try_current()) {
            runtime.spawn(timeout(self.within, throw_away(data, self.limit, self.within.min(PAUSE))));
        }
    }
}

async fn throw_away(mut data: BodyDataStream, limit: usize, pause: Duration) {
    let mut thrown = 0;
    while let Ok(Some(Ok(chunk))) = timeout(pause, data.next()).await {
        thrown += chunk.len();
        if thrown > limit {
            return;
        }
    }
}
