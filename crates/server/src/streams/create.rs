//! PUT: create a stream or a fork, or make sure that it exists as described (protocol sections 4.2 and 5.1).

use bytes::Bytes;
use headwater_protocol::{ContentType, Framing, StreamPath, header, path_from_url};
use headwater_streams::{Create, ForkPoint, ReadError, Store};
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::body::{self, RequestBody};
use crate::edge::Edge;
use crate::problem::{Code, Problem};
use crate::request;
use crate::response::{Answer, Content, STREAM_CLOSED, STREAM_NEXT_OFFSET, TRUE, answer, offset_value};
use crate::streams::{content_type_value, tell_lifetime};

pub(crate) async fn create<S: Store>(
    edge: &Edge<S>,
    path: StreamPath,
    head: &Parts,
    body: RequestBody,
) -> Result<Answer<S>, Problem> {
    let create = parse(edge, path, head, body).await?;
    let payload_bytes = create.payload.len();
    let created = edge.engine.create(create).await?;
    let status = if created.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let metadata = created.metadata;
    let mut response = answer(status, Content::Empty);
    let headers = response.headers_mut();
    if created.is_new {
        edge.metrics.appended(payload_bytes);
        headers.insert(LOCATION, location(edge, head)?);
    }
    headers.insert(CONTENT_TYPE, content_type_value(&metadata.content_type));
    headers.insert(STREAM_NEXT_OFFSET, offset_value(metadata.tail));
    if metadata.closed {
        headers.insert(STREAM_CLOSED, TRUE);
    }
    tell_lifetime(metadata.lifetime, headers);
    Ok(response)
}

async fn parse<S: Store>(edge: &Edge<S>, path: StreamPath, head: &Parts, body: RequestBody) -> Result<Create, Problem> {
    let headers = &head.headers;
    request::plain_encoding(headers)?;
    let content_type = request::content_type(headers)?;
    let lifetime = request::lifetime(headers)?;
    let closed = request::closes(headers)?;
    let fork = fork(edge, head)?;
    let body = body::collect(body, &edge.config.limits).await?;
    let payload = if body.is_empty() {
        Bytes::new()
    } else {
        request::stored(framing(edge, content_type.as_ref(), fork.as_ref()).await?, body)?
    };
    Ok(Create { path, content_type, lifetime, payload, closed, fork, durability: edge.config.durability })
}

/// How the first content is framed: as the client says, or as the fork's source is.
async fn framing<S: Store>(
    edge: &Edge<S>,
    content_type: Option<&ContentType>,
    fork: Option<&ForkPoint>,
) -> Result<Framing, Problem> {
    match (content_type, fork) {
        (Some(content_type), _) => Ok(content_type.framing()),
        (None, None) => Ok(Framing::Binary),
        (None, Some(fork)) => match edge.engine.metadata(&fork.source).await {
            Ok(source) => Ok(source.content_type.framing()),
            Err(ReadError::NotFound) => Err(headwater_streams::CreateError::SourceNotFound.into()),
            Err(ReadError::Gone) => Err(headwater_streams::CreateError::SourceDeleted.into()),
            Err(error) => Err(error.into()),
        },
    }
}

fn fork<S: Store>(edge: &Edge<S>, head: &Parts) -> Result<Option<ForkPoint>, Problem> {
    let headers = &head.headers;
    let source = request::text(headers, header::STREAM_FORKED_FROM)?;
    let offset = request::fork_offset(headers)?;
    let sub_offset = request::fork_sub_offset(headers)?;
    let Some(source) = source else {
        return if offset.is_some() || sub_offset.is_some() || headers.contains_key(header::STREAM_FORK_OFFSET) {
            Err(Problem::new(Code::InvalidFork, "a fork offset needs Stream-Forked-From"))
        } else {
            Ok(None)
        };
    };
    if sub_offset.is_some_and(|sub_offset| sub_offset > 0) && offset.is_none() {
        return Err(Problem::new(
            Code::InvalidFork,
            "Stream-Fork-Sub-Offset counts from Stream-Fork-Offset, which is missing",
        ));
    }
    let source = fork_source(edge, head, source)?;
    Ok(Some(ForkPoint { source, offset, sub_offset: sub_offset.unwrap_or(0) }))
}

/// The source's path: sent as URL path, relative to the stream root, or as a whole URL of this server.
fn fork_source<S: Store>(edge: &Edge<S>, head: &Parts, text: &str) -> Result<StreamPath, Problem> {
    let invalid = |why: &str| Problem::new(Code::InvalidFork, format!("Stream-Forked-From: {why}"));
    let path = match text.split_once("://") {
        None => text,
        Some((_, rest)) => {
            let origin = &text[..text.len() - rest.len() + rest.find('/').unwrap_or(rest.len())];
            if origin != edge.origin(head)? {
                return Err(invalid("the source must be a stream of this server"));
            }
            &text[origin.len()..]
        }
    };
    if path.contains(['?', '#']) {
        return Err(invalid("the source must be a path without query or fragment"));
    }
    let relative = match edge.config.root.strip(path) {
        Some(relative) => relative,
        None if path.starts_with('/') => {
            return Err(Problem::new(Code::ForkSourceNotFound, "the source lies outside the stream root"));
        }
        None => path,
    };
    let source = path_from_url(relative).map_err(|error| invalid(&error.to_string()))?;
    if edge.is_reserved(&source) {
        return Err(Problem::new(Code::ForkSourceNotFound, "the source is no stream"));
    }
    Ok(source)
}

/// The stream's own URL.
fn location<S: Store>(edge: &Edge<S>, head: &Parts) -> Result<HeaderValue, Problem> {
    let url = format!("{}{}", edge.origin(head)?, head.uri.path());
    HeaderValue::try_from(url).map_err(|_| Problem::new(Code::InvalidPath, "the path cannot be written as a URL"))
}
