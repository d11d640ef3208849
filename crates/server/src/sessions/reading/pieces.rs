//! Bodies that are made piece by piece, when the client takes more: no task, no queue, one piece at a time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;

/// The pieces that `next` gives, until there is none.
pub(super) fn body(next: impl FnMut() -> Option<Bytes> + Send + Unpin + 'static) -> Body {
    Body::new(Pieces(next))
}

struct Pieces<F>(F);

impl<F: FnMut() -> Option<Bytes> + Unpin> http_body::Body for Pieces<F> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready((self.0)().map(|piece| Ok(Frame::data(piece))))
    }
}

/// Something whose next piece has to be waited for.
pub(super) trait Source: Send + Unpin + 'static {
    /// The next piece; `None` at the end. An error breaks the body off, so that nobody takes it for a whole one.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, BoxError>>> + Send;
}

type Reading<T> = Pin<Box<dyn Future<Output = (T, Option<Result<Bytes, BoxError>>)> + Send>>;

/// `first`, and then what the source gives.
pub(super) fn awaited<T: Source>(first: Option<Bytes>, source: T) -> Body {
    Body::new(Awaited { first, stage: Stage::Idle(source) })
}

struct Awaited<T> {
    first: Option<Bytes>,
    stage: Stage<T>,
}

enum Stage<T> {
    Idle(T),
    Reading(Reading<T>),
    Over,
}

impl<T: Source> http_body::Body for Awaited<T> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let mut reading = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Idle(source) => read(source),
            Stage::Reading(reading) => reading,
            Stage::Over => return Poll::Ready(None),
        };
        let Poll::Ready((source, piece)) = reading.as_mut().poll(cx) else {
            self.stage = Stage::Reading(reading);
            return Poll::Pending;
        };
        if let Some(Ok(_)) = piece {
            self.stage = Stage::Idle(source);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}

fn read<T: Source>(mut source: T) -> Reading<T> {
    Box::pin(async move {
        let piece = source.next().await;
        (source, piece)
    })
}
