//! Takes a request's body: bounded in bytes and in time, and copied out of the connection's read buffer, so that a
//! small body never keeps a large buffer alive.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use hyper::body::Incoming;
use thiserror::Error;
use tokio::time::Instant;

use crate::http1::{Inflow, Taken};
use crate::limits::ServerLimits;

/// Bytes set aside at once for a body of announced length; the rest comes as it is needed, so that an announcement
/// alone costs little.
const RESERVED_BYTES_MAX: usize = 256 * 1024;

/// Why a body was not taken.
#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("the body is larger than {limit} bytes, the limit")]
    TooLarge { limit: usize },
    #[error("the body did not arrive in time: {received} bytes came")]
    TooSlow { received: usize },
    #[error("the body could not be read: {0}")]
    Unreadable(#[source] hyper::Error),
    #[error("the body could not be read: {0}")]
    Broken(&'static str),
}

/// A request's body, whatever brought it.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// It came with its head.
    Whole(Bytes),
    /// Of HTTP/1.1.
    Arriving(Inflow),
    /// Of HTTP/2.
    Http2(Incoming),
}

impl RequestBody {
    /// Bytes still to come, as far as is known.
    fn announced(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Arriving(inflow) => inflow.announced(),
            Self::Http2(body) => body.size_hint().lower(),
        }
    }

    fn is_finished(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Arriving(inflow) => inflow.is_finished(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    /// The next bytes; `None` at the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        match self {
            Self::Whole(bytes) => Poll::Ready(Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()))),
            Self::Arriving(inflow) => match inflow.take() {
                Taken::Piece(piece) => Poll::Ready(Ok(Some(piece))),
                Taken::Nothing => Poll::Pending,
                Taken::Whole => Poll::Ready(Ok(None)),
                Taken::Broken(why) => Poll::Ready(Err(BodyError::Broken(why))),
            },
            Self::Http2(body) => match ready!(Pin::new(body).poll_frame(cx)) {
                // Trailers mean nothing to us.
                Some(Ok(frame)) => Poll::Ready(Ok(Some(frame.into_data().unwrap_or_default()))),
                Some(Err(error)) => Poll::Ready(Err(BodyError::Unreadable(error))),
                None => Poll::Ready(Ok(None)),
            },
        }
    }
}

/// Takes the whole body. One that came with its head, as most do, is there at once and arms no timer.
pub(crate) async fn collect(mut body: RequestBody, limits: &ServerLimits) -> Result<Bytes, BodyError> {
    let limit = limits.body_bytes_max;
    if body.announced() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    if let RequestBody::Whole(bytes) = body {
        return Ok(bytes);
    }
    if body.is_finished() {
        return Ok(Bytes::new());
    }
    let first = match poll_fn(|cx| Poll::Ready(body.poll_piece(cx))).await {
        Poll::Ready(piece) => match piece? {
            Some(piece) => piece,
            None => return Ok(Bytes::new()),
        },
        Poll::Pending => Bytes::new(),
    };
    if first.len() > limit {
        return Err(BodyError::TooLarge { limit });
    }
    if body.is_finished() {
        return Ok(Bytes::copy_from_slice(&first));
    }
    Box::pin(collect_rest(body, first, limits)).await
}

async fn collect_rest(mut body: RequestBody, first: Bytes, limits: &ServerLimits) -> Result<Bytes, BodyError> {
    let limit = limits.body_bytes_max;
    let announced = first.len() + body.announced() as usize;
    let mut taken = BytesMut::with_capacity(announced.min(RESERVED_BYTES_MAX));
    taken.extend_from_slice(&first);
    drop(first);
    let mut deadline = None;
    while let Some(piece) = next_piece(&mut body, &mut deadline, taken.len(), limits).await? {
        if piece.len() > limit - taken.len() {
            return Err(BodyError::TooLarge { limit });
        }
        taken.extend_from_slice(&piece);
        if body.is_finished() {
            break;
        }
    }
    Ok(taken.freeze())
}

/// When the time for a body began.
struct Deadline {
    started: Instant,
    sleep: Pin<Box<tokio::time::Sleep>>,
}

/// The next bytes. Arms the timer only when there is something to wait for: most bodies are here with their heads.
async fn next_piece(
    body: &mut RequestBody,
    deadline: &mut Option<Deadline>,
    received: usize,
    limits: &ServerLimits,
) -> Result<Option<Bytes>, BodyError> {
    poll_fn(|cx| {
        if let Poll::Ready(piece) = body.poll_piece(cx) {
            return Poll::Ready(piece);
        }
        let deadline = deadline.get_or_insert_with(|| {
            let started = Instant::now();
            Deadline { started, sleep: Box::pin(tokio::time::sleep_until(started)) }
        });
        deadline.sleep.as_mut().reset(deadline.started + time_for(received, limits));
        deadline.sleep.as_mut().poll(cx).map(|()| Err(BodyError::TooSlow { received }))
    })
    .await
}

fn time_for(received: usize, limits: &ServerLimits) -> Duration {
    let rate = limits.body_bytes_per_second_min.max(1);
    limits.body_timeout + Duration::from_secs_f64(received as f64 / rate as f64)
}
