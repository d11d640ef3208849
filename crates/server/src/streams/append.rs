//! POST: append, close, or both in one step (protocol sections 5.2 and 5.3).

use headwater_protocol::StreamPath;
use headwater_streams::{Append, Appended, Store};
use http::StatusCode;
use http::request::Parts;

use crate::body::{self, RequestBody};
use crate::edge::Edge;
use crate::problem::{Code, Problem};
use crate::request;
use crate::response::{
    Answer, Content, PRODUCER_EPOCH, PRODUCER_SEQ, STREAM_CLOSED, STREAM_NEXT_OFFSET, TRUE, answer, number_value,
    offset_value,
};

pub(crate) async fn append<S: Store>(
    edge: &Edge<S>,
    path: StreamPath,
    head: &Parts,
    body: RequestBody,
) -> Result<Answer<S>, Problem> {
    let append = parse(edge, path, head, body).await?;
    let payload_bytes = append.payload.len();
    let stamp = append.producer.as_ref().map(|stamp| (stamp.epoch, stamp.seq));
    let appended = edge.engine.append(append).await?;
    let (status, next, closed, producer) = match appended {
        Appended::Written { next, closed } => {
            edge.metrics.appended(payload_bytes);
            // 200 tells a producer that its data was new (protocol section 5.2.1).
            let is_new_data = stamp.is_some() && payload_bytes > 0;
            let status = if is_new_data { StatusCode::OK } else { StatusCode::NO_CONTENT };
            (status, next, closed, stamp)
        }
        Appended::Duplicate { next, closed, highest } => (StatusCode::NO_CONTENT, next, closed, highest),
    };
    let mut response = answer(status, Content::Empty);
    let headers = response.headers_mut();
    headers.insert(STREAM_NEXT_OFFSET, offset_value(next));
    if closed {
        headers.insert(STREAM_CLOSED, TRUE);
    }
    if let Some((epoch, seq)) = producer {
        headers.insert(PRODUCER_EPOCH, number_value(epoch.get()));
        headers.insert(PRODUCER_SEQ, number_value(seq.get()));
    }
    Ok(response)
}

async fn parse<S: Store>(edge: &Edge<S>, path: StreamPath, head: &Parts, body: RequestBody) -> Result<Append, Problem> {
    let headers = &head.headers;
    request::plain_encoding(headers)?;
    let close = request::closes(headers)?;
    let stream_seq = request::stream_seq(headers)?;
    let producer = request::producer(headers)?;
    let body = body::collect(body, &edge.config.limits).await?;
    if body.is_empty() {
        // The content type of nothing is nothing: clients send defaults with a close (protocol section 5.2).
        return match close {
            true => Ok(Append { path, content_type: None, payload: body, stream_seq, producer, close }),
            false => Err(Problem::new(Code::EmptyBody, "an append needs a body, unless it closes the stream")),
        };
    }
    let Some(content_type) = request::content_type(headers)? else {
        return Err(Problem::new(Code::ContentTypeRequired, "an append with a body needs its Content-Type"));
    };
    let payload = request::stored(content_type.framing(), body)?;
    if payload.is_empty() {
        return Err(Problem::new(Code::EmptyJsonArray, "an empty array appends nothing"));
    }
    Ok(Append { path, content_type: Some(content_type), payload, stream_seq, producer, close })
}
