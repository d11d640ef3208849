//! A live reader: catches up, then waits for what is published.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use headwater_protocol::{ContentType, Framing, Lifetime, Offset};

use crate::engine::Inner;
use crate::head::StreamId;
use crate::limits::{FOLLOW_BYTES_MAX, STORE_READ_BYTES_MAX};
use crate::live::{Chunk, Live, Look, Presence, Published};
use crate::operation::{EngineError, ReadError};
use crate::source::{ReadFuture, Source, whole_messages};
use crate::store::Store;

/// A live reader of one stream: holds its place in the count of live readers until dropped, and keeps the stream from
/// expiring by idleness.
///
/// It owns no buffer and no task: recent bytes are shared by all followers of the stream, older ones are read when
/// asked for, so a slow reader costs nothing but its place.
pub struct Follower<S: Store> {
    place: Place<S>,
    source: Source,
    position: Offset,
    number: u64,
    reading: Option<ReadFuture>,
}

/// What a live reader got.
#[derive(Debug)]
pub struct Batch {
    /// Position of the first byte.
    pub start: Offset,
    /// Position after the last one.
    pub next: Offset,
    /// Stored bytes, ending between messages for JSON; at most
    /// [`STORE_READ_BYTES_MAX`](crate::limits::STORE_READ_BYTES_MAX), but one longer JSON message comes whole.
    pub bytes: Bytes,
    /// The durable tail was reached.
    pub up_to_date: bool,
    /// Closed, and this batch reaches the end. Its bytes are empty when nothing was left.
    pub closed: bool,
    shared: Option<Arc<Chunk>>,
}

impl Batch {
    /// The encoding of `bytes`, made by the first follower of the stream that asks and shared by the others. `encode`
    /// must depend on nothing but the bytes and the stream's content type.
    pub fn encoded(&self, encode: impl FnOnce(&Bytes) -> Bytes) -> Bytes {
        match &self.shared {
            Some(chunk) => chunk.encoded.get_or_init(|| encode(&self.bytes)).clone(),
            None => encode(&self.bytes),
        }
    }
}

/// A counted place among the live readers of a stream and of the engine.
pub(crate) struct Place<S: Store> {
    engine: Arc<Inner<S>>,
    live: Arc<Live>,
}

impl<S: Store> Place<S> {
    /// Takes over a count on `live` that was made when it was looked up.
    pub(crate) fn take(engine: Arc<Inner<S>>, live: Arc<Live>) -> Result<Self, ReadError> {
        engine.live_readers.fetch_add(1, Ordering::SeqCst);
        let place = Self { engine, live };
        let limits = &place.engine.limits;
        let crowded = place.live.readers.load(Ordering::SeqCst) > limits.live_readers_per_stream_max
            || place.engine.live_readers.load(Ordering::SeqCst) > limits.live_readers_max;
        if crowded { Err(ReadError::TooManyReaders) } else { Ok(place) }
    }
}

impl<S: Store> Drop for Place<S> {
    fn drop(&mut self) {
        // ORDER: touch before leaving, or a sliding lifetime that ran out under the reader ends with it.
        self.live.touch(self.engine.clock.now_ms());
        self.live.readers.fetch_sub(1, Ordering::SeqCst);
        self.engine.live_readers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<S: Store> Follower<S> {
    pub(crate) fn new(place: Place<S>, source: Source, position: Offset, number: u64) -> Self {
        Self { place, source, position, number, reading: None }
    }

    /// The stream's type.
    pub fn content_type(&self) -> &ContentType {
        &self.source.live.content_type
    }

    /// When the stream ends by itself.
    pub fn lifetime(&self) -> Lifetime {
        self.source.live.lifetime
    }

    /// The incarnation.
    pub fn id(&self) -> StreamId {
        self.source.live.id
    }

    /// Where the next batch starts.
    pub fn position(&self) -> Offset {
        self.position
    }

    /// Whether the position is the durable tail at this moment, and whether the stream is closed there.
    pub fn at_tail(&self) -> (bool, bool) {
        let seen = self.source.live.published();
        let at_tail = self.position >= seen.tail;
        (at_tail, at_tail && seen.closed)
    }

    /// Ready with data; with an empty closed batch at the end of a closed stream; with
    /// [`ReadError::NotFound`] or [`ReadError::Gone`] once the stream is deleted; with [`EngineError::Stopping`] when
    /// the engine stops. Pending while caught up. Dropping it between polls loses nothing.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, ReadError>> {
        loop {
            if let Some(reading) = self.reading.as_mut() {
                let outcome = ready!(reading.as_mut().poll(cx));
                self.reading = None;
                let seen = self.source.live.published();
                return Poll::Ready(outcome.map(|bytes| self.advance(&seen, bytes, None)));
            }
            let (seen, look) = self.source.live.look(self.position, FOLLOW_BYTES_MAX);
            check_presence(&seen, self.position)?;
            match look {
                Look::Chunk(chunk) if chunk.bytes.len() <= STORE_READ_BYTES_MAX => {
                    return Poll::Ready(Ok(self.advance(&seen, chunk.bytes.clone(), Some(chunk))));
                }
                Look::Chunk(chunk) => return Poll::Ready(Ok(self.cut(&seen, chunk.bytes.clone()))),
                Look::Bytes(bytes) => return Poll::Ready(Ok(self.cut(&seen, bytes))),
                Look::Cold => self.start_reading(seen.tail),
                Look::AtTail if seen.closed => return Poll::Ready(Ok(self.advance(&seen, Bytes::new(), None))),
                Look::AtTail => {
                    if self.source.live.wait(self.number, self.position, cx.waker()) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// [`Follower::poll_next`] as a future.
    pub async fn next(&mut self) -> Result<Batch, ReadError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The stored bytes right before the position: `count`, or as many as there are.
    pub async fn preceding(&mut self, count: u64) -> Result<Bytes, ReadError> {
        let earliest = self.source.live.published().earliest;
        let mut from = Offset::new(self.position.get().saturating_sub(count)).max(earliest);
        let mut bytes = BytesMut::new();
        while from < self.position {
            let some = self.source.some(from, self.position).await?;
            from = from.advance(some.len() as u64);
            bytes.extend_from_slice(&some);
        }
        Ok(bytes.freeze())
    }

    fn start_reading(&mut self, tail: Offset) {
        let (source, from) = (self.source.clone(), self.position);
        self.reading = Some(Box::pin(async move { source.messages(from, tail).await }));
    }

    /// Cuts bytes from memory to a batch's size, between messages; a message too long for that comes whole.
    fn cut(&mut self, seen: &Published, bytes: Bytes) -> Batch {
        if bytes.len() <= STORE_READ_BYTES_MAX {
            return self.advance(seen, bytes, None);
        }
        let head = bytes.slice(..STORE_READ_BYTES_MAX);
        let framing = self.source.live.framing;
        let whole = whole_messages(&head, framing, false).unwrap_or_else(|| {
            debug_assert_eq!(framing, Framing::Json);
            let end = memchr::memchr(b'\n', &bytes).expect("a stored JSON message ends with a line feed");
            bytes.slice(..=end)
        });
        self.advance(seen, whole, None)
    }

    fn advance(&mut self, seen: &Published, bytes: Bytes, shared: Option<Arc<Chunk>>) -> Batch {
        let start = self.position;
        let next = start.advance(bytes.len() as u64);
        self.position = next;
        let up_to_date = next >= seen.tail;
        Batch { start, next, bytes, up_to_date, closed: up_to_date && seen.closed, shared }
    }
}

fn check_presence(seen: &Published, position: Offset) -> Result<(), ReadError> {
    match seen.presence {
        Presence::Present if position < seen.earliest => Err(ReadError::Trimmed { earliest: seen.earliest }),
        Presence::Present => Ok(()),
        Presence::SoftDeleted => Err(ReadError::Gone),
        Presence::Removed => Err(ReadError::NotFound),
        Presence::Stopping => Err(ReadError::Engine(EngineError::Stopping)),
    }
}

impl<S: Store> Drop for Follower<S> {
    fn drop(&mut self) {
        self.place.live.forget(self.number);
    }
}

impl<S: Store> fmt::Debug for Follower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").field("id", &self.id()).field("position", &self.position).finish()
    }
}
