//! GET with `live=sse`: a body that grows with the stream (protocol section 5.8).
//!
//! hyper polls it directly, and only when the socket takes more: there is no task, no queue and no buffer per reader.
//! A reader that lags is served from the log; what readers at the tail get is encoded once for all of them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use headwater_protocol::sse::{self, Control, Reach};
use headwater_protocol::{Cursor, Framing, Offset, ReadFrom, StreamPath};
use headwater_streams::{Batch, EngineError, Follower, ReadError, Store};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use tokio::time::{Instant, Sleep};

use crate::edge::Edge;
use crate::limits::{SSE_JOINED_BYTES_MAX, SSE_LIFETIME_SPREAD};
use crate::problem::Problem;
use crate::response::{Answer, Content, STREAM_SSE_DATA_ENCODING, answer};
use crate::streams::cursor;

pub(crate) async fn sse<S: Store>(
    edge: &Arc<Edge<S>>,
    path: &StreamPath,
    from: ReadFrom,
    echoed: Option<&str>,
) -> Result<Answer<S>, Problem> {
    let mut follower = edge.engine.follow(path, from).await?;
    let framing = framing(&mut follower).await?;
    // What is there already is read before the answer, so that damage is told with a status.
    let first = match follower.at_tail() {
        (true, _) => None,
        (false, _) => Some(follower.next().await?),
    };
    Ok(live(SseBody { first, ..SseBody::new(edge, path, framing, follower, echoed) }))
}

/// A live answer that begins with a data event made elsewhere, piece by piece, which stands for what lies before the
/// follower's position.
pub(crate) async fn after<S: Store>(
    edge: &Arc<Edge<S>>,
    path: &StreamPath,
    beginning: Pieces,
    mut follower: Follower<S>,
    echoed: Option<&str>,
) -> Result<Answer<S>, Problem> {
    let framing = framing(&mut follower).await?;
    Ok(live(SseBody { beginning: Some(beginning), ..SseBody::new(edge, path, framing, follower, echoed) }))
}

fn live<S: Store>(body: SseBody<S>) -> Answer<S> {
    let framing = body.framing;
    let mut response = answer(StatusCode::OK, Content::Live(Box::new(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(sse::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if sse::is_base64(framing) {
        headers.insert(STREAM_SSE_DATA_ENCODING, HeaderValue::from_static(sse::BASE64));
    }
    response
}

/// How data events are encoded. A text reader that resumes in the middle of a character, where a catch-up read may end,
/// gets base64: the rest of the character is no text.
async fn framing<S: Store>(follower: &mut Follower<S>) -> Result<Framing, ReadError> {
    let framing = follower.content_type().framing();
    if framing != Framing::Text {
        return Ok(framing);
    }
    match follower.preceding(sse::CHARACTER_LOOKBACK_BYTES).await {
        Ok(before) if sse::complete_utf8_len(&before) < before.len() => Ok(Framing::Binary),
        // Damage before the position does not concern this reader.
        Ok(_) | Err(ReadError::Engine(EngineError::Store(_))) => Ok(Framing::Text),
        Err(other) => Err(other),
    }
}

/// The pieces of an event; `None` after the last.
pub(crate) type Pieces = Box<dyn FnMut() -> Option<Bytes> + Send>;

/// The body of a live answer.
pub(crate) struct SseBody<S: Store> {
    edge: Arc<Edge<S>>,
    path: StreamPath,
    framing: Framing,
    /// A data event that comes before what the follower reads.
    beginning: Option<Pieces>,
    follower: Follower<S>,
    first: Option<Batch>,
    /// For a client that echoed a cursor: no cursor of this answer is smaller.
    cursor_min: Option<Cursor>,
    /// The end of a text page that makes no sense without what follows: part of a character, or the CR of a CRLF.
    held: Bytes,
    /// The control event that the data event just sent is owed.
    control: Option<Bytes>,
    /// A control event has been sent.
    has_told: bool,
    is_over: bool,
    end: Pin<Box<Sleep>>,
}

type Polled = Poll<Option<Result<Frame<Bytes>, ReadError>>>;

impl<S: Store> SseBody<S> {
    fn new(
        edge: &Arc<Edge<S>>,
        path: &StreamPath,
        framing: Framing,
        follower: Follower<S>,
        echoed: Option<&str>,
    ) -> Self {
        let lifetime = edge.config.sse_lifetime.mul_f64(1.0 - SSE_LIFETIME_SPREAD * rand::random::<f64>());
        Self {
            edge: edge.clone(),
            path: path.clone(),
            framing,
            beginning: None,
            follower,
            first: None,
            cursor_min: echoed.map(|echoed| cursor(edge.engine.now_ms(), Some(echoed))),
            held: Bytes::new(),
            control: None,
            has_told: false,
            is_over: false,
            end: Box::pin(tokio::time::sleep_until(Instant::now() + lifetime)),
        }
    }

    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        if let Some(control) = self.control.take() {
            return event(control);
        }
        if self.is_over || self.shall_end(cx) {
            return Poll::Ready(None);
        }
        if let Some(beginning) = &mut self.beginning {
            let piece = beginning();
            return event(piece.unwrap_or_else(|| self.end_beginning()));
        }
        loop {
            let batch = match self.first.take() {
                Some(first) => Poll::Ready(Ok(first)),
                None => self.follower.poll_next(cx),
            };
            match batch {
                Poll::Ready(Ok(batch)) => {
                    if let Some(told) = self.tell(&batch) {
                        return event(told);
                    }
                }
                Poll::Ready(Err(error)) => return self.break_off(error),
                Poll::Pending if self.has_told => return Poll::Pending,
                Poll::Pending => {
                    let (up_to_date, _) = self.follower.at_tail();
                    return event(self.control(self.follower.position(), up_to_date, false));
                }
            }
        }
    }

    /// The control event that the beginning is owed.
    fn end_beginning(&mut self) -> Bytes {
        self.beginning = None;
        let (up_to_date, closed) = self.follower.at_tail();
        self.control(self.follower.position(), up_to_date, closed)
    }

    /// Whether its time is over or the server stops; a client has heard its position before.
    fn shall_end(&mut self, cx: &mut Context<'_>) -> bool {
        self.has_told && (self.edge.is_stopping() || self.end.as_mut().poll(cx).is_ready())
    }

    /// The events for a batch; `None` when all of it has to be held back.
    fn tell(&mut self, batch: &Batch) -> Option<Bytes> {
        let framing = self.framing;
        let data = match framing {
            Framing::Text => self.text(batch),
            _ if batch.bytes.is_empty() => None,
            // What followers share is encoded as the stream's type says.
            Framing::Binary if self.follower.content_type().framing() == Framing::Text => {
                Some(sse::encode_data(framing, &batch.bytes))
            }
            Framing::Json | Framing::Binary => Some(batch.encoded(|bytes| sse::encode_data(framing, bytes))),
        };
        if data.is_none() && self.has_told && !batch.closed {
            return None;
        }
        let told = Offset::new(batch.next.get() - self.held.len() as u64);
        self.edge.metrics.read(batch.bytes.len() as u64);
        let Some(data) = data else { return Some(self.control(told, batch.up_to_date, batch.closed)) };
        // That the stream is closed comes in a control event of its own. The official client reads one event ahead of what
        // it hands on, and gives up what it holds as soon as it has read of the closure.
        let mut control = self.control(told, batch.up_to_date, false);
        if batch.closed {
            control = joined(&control, &self.control(told, batch.up_to_date, true));
        }
        if data.len() > SSE_JOINED_BYTES_MAX {
            self.control = Some(control);
            return Some(data);
        }
        // Copying little is cheaper than one more chunk and one more slice to write.
        let mut joined = BytesMut::with_capacity(data.len() + control.len());
        joined.extend_from_slice(&data);
        joined.extend_from_slice(&control);
        Some(joined.freeze())
    }

    /// The data event of a text batch, without an end that makes no sense yet.
    fn text(&mut self, batch: &Batch) -> Option<Bytes> {
        let is_continued = !self.held.is_empty();
        let text = if is_continued { joined(&self.held, &batch.bytes) } else { batch.bytes.clone() };
        let complete = match (batch.closed, batch.up_to_date) {
            (true, _) => text.len(),
            (false, true) => sse::complete_utf8_len(&text),
            (false, false) => sse::complete_text_len(&text),
        };
        // A copy, so that three bytes never keep a batch in memory.
        self.held = Bytes::copy_from_slice(&text[complete..]);
        if complete == 0 {
            None
        } else if is_continued || complete < text.len() {
            Some(sse::encode_data(Framing::Text, &text[..complete]))
        } else {
            Some(batch.encoded(|bytes| sse::encode_data(Framing::Text, bytes)))
        }
    }

    fn control(&mut self, next: Offset, up_to_date: bool, closed: bool) -> Bytes {
        self.has_told = true;
        self.is_over = closed;
        let now = cursor(self.edge.engine.now_ms(), None);
        let cursor = self.cursor_min.map_or(now, |min| min.max(now));
        let reach = match (closed, up_to_date) {
            (true, _) => Reach::Closed,
            (false, true) => Reach::UpToDate(cursor),
            (false, false) => Reach::Behind(cursor),
        };
        Control { next, reach }.encode()
    }

    /// Ends the answer: cleanly when the stream or the server went away, so that the client asks again and is told.
    fn break_off(&mut self, error: ReadError) -> Polled {
        self.is_over = true;
        match error {
            ReadError::Engine(EngineError::Store(_)) => {
                tracing::error!(path = %self.path, %error, "live reader broke off");
                Poll::Ready(Some(Err(error)))
            }
            _ => Poll::Ready(None),
        }
    }
}

fn event(bytes: Bytes) -> Polled {
    Poll::Ready(Some(Ok(Frame::data(bytes))))
}

fn joined(held: &[u8], bytes: &[u8]) -> Bytes {
    [held, bytes].concat().into()
}
