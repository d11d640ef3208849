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

/// Reads the whole body. One that came with its head, as most do, is copied once and arms no timer.
pub(crate) async fn collect(mut body: Incoming, limits: &ServerLimits) -> Result<Bytes, BodyError> {
    let limit = limits.body_bytes_max;
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
    let taken = match first {
        Poll::Ready(Some(frame)) => frame.map_err(BodyError::Unreadable)?.into_data().unwrap_or_default(),
        Poll::Ready(None) => return Ok(Bytes::new()),
        Poll::Pending => Bytes::new(),
    };
    if taken.len() > limit {
        return Err(BodyError::TooLarge { limit });
    }
    if body.is_end_stream() {
        return Ok(Bytes::copy_from_slice(&taken));
    }
    Box::pin(collect_rest(body, taken, limits)).await
}

async fn collect_rest(mut body: Incoming, first: Bytes, limits: &ServerLimits) -> Result<Bytes, BodyError> {
    let limit = limits.body_bytes_max;
    let announced = first.len() + body.size_hint().lower() as usize;
    let mut taken = BytesMut::with_capacity(announced.min(RESERVED_BYTES_MAX));
    taken.extend_from_slice(&first);
    drop(first);
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
