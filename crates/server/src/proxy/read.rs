//! GET: an ordinary read of the stream, with what is known of the upstream's response.

use std::sync::Arc;

use headwater_protocol::header::{UPSTREAM_CONTENT_TYPE, UPSTREAM_OUTCOME};
use headwater_proxy::{GenerationId, Proxy, Record};
use headwater_streams::Store;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::access;
use super::refusal::Refusal;
use crate::edge::Edge;
use crate::operation::Operation;
use crate::request::{self, Live};
use crate::response::{Answer, STREAM_CLOSED};
use crate::router::{read_stream, reading};
use crate::streams::read::{PRIVATE, SHARED};

pub(super) async fn read<S: Store>(
    edge: &Arc<Edge<S>>,
    proxy: &Proxy<S>,
    id: &str,
    head: &Parts,
) -> (Operation, Result<Answer<S>, Refusal>) {
    if let Err(refusal) = access::reader(proxy, edge.engine.now_ms(), id, head) {
        return (Operation::Read, Err(refusal));
    }
    let query = match request::query(head.uri.query()) {
        Ok(query) => query,
        Err(problem) => return (Operation::Read, Err(problem.into())),
    };
    let operation = reading(query.live);
    let Some(id) = GenerationId::parse(id) else { return (operation, Err(Refusal::stream_not_found())) };
    match read_stream(edge, &id.stream(), &query, &head.headers).await {
        Ok(mut answer) => {
            let described = describe(proxy, id, query.live, answer.headers_mut()).await;
            (operation, described.map(|()| answer))
        }
        Err(problem) => (operation, Err(problem.into())),
    }
}

/// Adds what is known of the upstream's response, and keeps the answer out of shared caches: its URL is a capability
/// that ends, and may hold a secret.
async fn describe<S: Store>(
    proxy: &Proxy<S>,
    id: GenerationId,
    live: Live,
    headers: &mut HeaderMap,
) -> Result<(), Refusal> {
    // ORDER: after the read. What closes the stream says in the same transaction what ended it, so an answer that tells
    // of the closure finds the outcome.
    // The head of an SSE answer does not tell, and may have both to tell.
    let may_have_ended = headers.contains_key(STREAM_CLOSED) || live == Live::Sse;
    let record = if may_have_ended { proxy.durable_record(id).await? } else { proxy.record(id).await? };
    if let Some(record) = record {
        tell(&record, headers);
    }
    if headers.get(CACHE_CONTROL) == Some(&SHARED) {
        headers.insert(CACHE_CONTROL, PRIVATE);
    }
    Ok(())
}

/// The upstream's content type, and what ended its response once something has.
pub(super) fn tell(record: &Record, headers: &mut HeaderMap) {
    headers.insert(UPSTREAM_CONTENT_TYPE, content_type(record));
    if let Some(outcome) = record.outcome {
        headers.insert(UPSTREAM_OUTCOME, HeaderValue::from_static(outcome.as_str()));
    }
}

pub(super) fn content_type(record: &Record) -> HeaderValue {
    HeaderValue::from_str(&record.content_type).expect("it came as a header's visible ASCII")
}
