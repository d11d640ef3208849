//! Takes a request's body: bounded in bytes and in time, and copied out of the connection's read buffer, so that a
//! small body never keeps a large buffer alive.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use hyper::body::{Frame, Incoming};
use thiserror::Error;
use tokio::time::Instant;

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
}

/// Reads the whole body.
pub(crate) async fn collect(mut body: Incoming, limits: &ServerLimits) -> Result<Bytes, BodyError> {
    let limit = limits.body_bytes_max;
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut taken = BytesMut::with_capacity((announced as usize).min(RESERVED_BYTES_MAX));
    let mut deadline = None;
    while let Some(frame) = next_frame(&mut body, &mut deadline, taken.len(), limits).await? {
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - taken.len() {
            return Err(BodyError::TooLarge { limit });
        }
        taken.extend_from_slice(&data);
        if body.is_end_stream() {
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

/// The next frame. Arms the timer only when there is something to wait for: most bodies are here with their heads.
async fn next_frame(
    body: &mut Incoming,
    deadline: &mut Option<Deadline>,
    received: usize,
    limits: &ServerLimits,
) -> Result<Option<Frame<Bytes>>, BodyError> {
    poll_fn(|cx| {
        if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
            return Poll::Ready(frame.transpose().map_err(BodyError::Unreadable));
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
