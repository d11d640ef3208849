//! GET with `live=long-poll`: answer at once when there is something to tell, else wait for it (protocol section 5.7).

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use headwater_protocol::{ETag, Framing, ReadFrom, StreamPath, json};
use headwater_streams::{Batch, Follower, ReadError, Store};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::edge::Edge;
use crate::problem::Problem;
use crate::response::{Answer, Content, STREAM_CURSOR, answer, number_value};
use crate::streams::read::{Extent, describe, not_modified};
use crate::streams::{content_type_value, cursor};

pub(crate) async fn long_poll<S: Store>(
    edge: &Edge<S>,
    path: &StreamPath,
    from: ReadFrom,
    echoed: Option<&str>,
    headers: &HeaderMap,
) -> Result<Answer<S>, Problem> {
    let mut follower = edge.engine.follow(path, from).await?;
    let batch = wait(edge, &mut follower).await?;
    let mut response = match batch {
        Some(batch) if !batch.bytes.is_empty() => data(edge, &follower, from, &batch, headers),
        Some(_) => nothing(&follower, headers, true),
        None => nothing(&follower, headers, false),
    };
    if !response.headers().contains_key(crate::response::STREAM_CLOSED) {
        let cursor = cursor(edge.engine.now_ms(), echoed);
        response.headers_mut().insert(STREAM_CURSOR, number_value(cursor.get()));
    }
    Ok(response)
}

/// The next batch, or `None` when the time is up or the server stops.
async fn wait<S: Store>(edge: &Edge<S>, follower: &mut Follower<S>) -> Result<Option<Batch>, ReadError> {
    let mut give_up = pin!(tokio::time::sleep(edge.config.long_poll_timeout));
    poll_fn(|cx| match follower.poll_next(cx) {
        Poll::Ready(Err(ReadError::Engine(headwater_streams::EngineError::Stopping))) => Poll::Ready(Ok(None)),
        Poll::Ready(outcome) => Poll::Ready(outcome.map(Some)),
        Poll::Pending if edge.is_stopping() => Poll::Ready(Ok(None)),
        Poll::Pending => give_up.as_mut().poll(cx).map(|()| Ok(None)),
    })
    .await
}

fn data<S: Store>(
    edge: &Edge<S>,
    follower: &Follower<S>,
    from: ReadFrom,
    batch: &Batch,
    headers: &HeaderMap,
) -> Answer<S> {
    let tag = (from != ReadFrom::Now).then(|| ETag::new(follower.id().0, batch.start, batch.next, batch.closed));
    let extent = Extent { tag, next: batch.next, up_to_date: batch.up_to_date, closed: batch.closed };
    if let Some(unchanged) = not_modified(&extent, headers) {
        return unchanged;
    }
    edge.metrics.read(batch.bytes.len() as u64);
    let is_json = follower.content_type().framing() == Framing::Json;
    let bytes = if is_json { json::wrap(&batch.bytes) } else { batch.bytes.clone() };
    let mut response = answer(StatusCode::OK, Content::full(bytes));
    response.headers_mut().insert(CONTENT_TYPE, content_type_value(follower.content_type()));
    describe(&extent, headers, response.headers_mut());
    response
}

fn nothing<S: Store>(follower: &Follower<S>, headers: &HeaderMap, closed: bool) -> Answer<S> {
    let extent = Extent { tag: None, next: follower.position(), up_to_date: true, closed };
    let mut response = answer(StatusCode::NO_CONTENT, Content::Empty);
    describe(&extent, headers, response.headers_mut());
    response
}
