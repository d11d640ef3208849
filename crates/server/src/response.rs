//! Answers: heads with few allocations, and the bodies that hyper polls.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use headwater_protocol::{Offset, header};
use headwater_streams::{ReadError, Store};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use crate::streams::page_body::PageBody;
use crate::streams::sse::SseBody;
use crate::vitals::InFlight;

pub(crate) const STREAM_NEXT_OFFSET: HeaderName = HeaderName::from_static(header::STREAM_NEXT_OFFSET);
pub(crate) const STREAM_UP_TO_DATE: HeaderName = HeaderName::from_static(header::STREAM_UP_TO_DATE);
pub(crate) const STREAM_CLOSED: HeaderName = HeaderName::from_static(header::STREAM_CLOSED);
pub(crate) const STREAM_CURSOR: HeaderName = HeaderName::from_static(header::STREAM_CURSOR);
pub(crate) const STREAM_TTL: HeaderName = HeaderName::from_static(header::STREAM_TTL);
pub(crate) const STREAM_EXPIRES_AT: HeaderName = HeaderName::from_static(header::STREAM_EXPIRES_AT);
pub(crate) const STREAM_SSE_DATA_ENCODING: HeaderName = HeaderName::from_static(header::STREAM_SSE_DATA_ENCODING);
pub(crate) const PRODUCER_EPOCH: HeaderName = HeaderName::from_static(header::PRODUCER_EPOCH);
pub(crate) const PRODUCER_SEQ: HeaderName = HeaderName::from_static(header::PRODUCER_SEQ);
pub(crate) const TRUE: HeaderValue = HeaderValue::from_static("true");
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Fields most answers carry, so that a head's map is allocated once.
const HEADERS_EXPECTED: usize = 12;

/// An answer before the edge adds what every answer carries.
pub(crate) type Answer<S> = Response<Content<S>>;

/// What an answer's body is.
pub(crate) enum Content<S: Store> {
    Empty,
    Full(Bytes),
    /// Read from the store as the client takes it.
    Page(Box<PageBody>),
    /// Grows with the stream.
    Live(Box<SseBody<S>>),
    /// Of the control routes.
    Control(axum::body::Body),
}

/// A body that keeps its connection's request in flight until it is sent or dropped.
pub(crate) struct EdgeBody<S: Store> {
    content: Content<S>,
    _in_flight: InFlight,
}

/// An answer with room for its header fields.
pub(crate) fn answer<S: Store>(status: StatusCode, content: Content<S>) -> Answer<S> {
    let mut response = Response::new(content);
    *response.status_mut() = status;
    *response.headers_mut() = HeaderMap::with_capacity(HEADERS_EXPECTED);
    response
}

/// An offset as a header's value.
pub(crate) fn offset_value(offset: Offset) -> HeaderValue {
    let mut text = [0; Offset::TEXT_LEN];
    write!(text.as_mut_slice(), "{offset}").expect("an offset is so many characters");
    HeaderValue::from_bytes(&text).expect("digits are visible ASCII")
}

/// A number as a header's value.
pub(crate) fn number_value(number: u64) -> HeaderValue {
    HeaderValue::from(number)
}

impl<S: Store> Content<S> {
    pub(crate) fn full(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }

    pub(crate) fn in_flight(self, in_flight: InFlight) -> EdgeBody<S> {
        EdgeBody { content: self, _in_flight: in_flight }
    }
}

/// Why a body broke off; hyper then cuts the connection, so that the client cannot take it for a whole one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("stored bytes could not be read: {0}")]
    Read(#[from] ReadError),
    #[error("a control route's body broke off: {0}")]
    Control(#[from] axum::Error),
}

impl<S: Store> Body for EdgeBody<S> {
    type Data = Bytes;
    type Error = ContentError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ContentError>>> {
        match &mut self.content {
            Content::Empty => Poll::Ready(None),
            Content::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.content = Content::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Content::Page(page) => page.poll_frame(cx).map_err(ContentError::Read),
            Content::Live(live) => live.poll_frame(cx).map_err(ContentError::Read),
            Content::Control(body) => Pin::new(body).poll_frame(cx).map_err(ContentError::Control),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Control(body) => body.is_end_stream(),
            Content::Full(_) | Content::Page(_) | Content::Live(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Page(page) => SizeHint::with_exact(page.remaining()),
            Content::Live(_) => SizeHint::default(),
            Content::Control(body) => body.size_hint(),
        }
    }
}
