//! One bounded page of a catch-up read.

use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use headwater_protocol::{ContentType, Framing, Lifetime, Offset};

use crate::head::StreamId;
use crate::live::Published;
use crate::operation::ReadError;
use crate::source::{ReadFuture, Source};

/// A range of a stream that ends between messages, and the bytes of it, chunk by chunk.
///
/// What it holds in memory is one chunk, however long it is. The first chunk was read and checked before the page was
/// handed out, so an error can still be answered properly.
pub struct Page {
    /// The incarnation: what an entity tag names.
    pub id: StreamId,
    /// The stream's type.
    pub content_type: ContentType,
    /// When the stream ends by itself.
    pub lifetime: Lifetime,
    /// Resolved start.
    pub start: Offset,
    /// Where the next read starts.
    pub next: Offset,
    /// The durable tail was reached.
    pub up_to_date: bool,
    /// Closed, and this page reaches the end.
    pub closed: bool,
    source: Source,
    position: Offset,
    first: Option<Bytes>,
    reading: Option<ReadFuture>,
}

impl Page {
    pub(crate) async fn open(
        source: Source,
        seen: Published,
        start: Offset,
        bytes_max: usize,
    ) -> Result<Self, ReadError> {
        let next = page_end(&source, seen.tail, start, bytes_max).await?;
        let first = if start < next { Some(source.some(start, next).await?) } else { None };
        let up_to_date = next == seen.tail;
        Ok(Self {
            id: source.live.id,
            content_type: source.live.content_type.clone(),
            lifetime: source.live.lifetime,
            start,
            next,
            up_to_date,
            closed: seen.closed && up_to_date,
            source,
            position: start,
            first,
            reading: None,
        })
    }

    /// Stored bytes in the page: `next - start`.
    pub fn len(&self) -> u64 {
        self.next.bytes_since(self.start)
    }

    /// Whether the page holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next chunk of stored bytes, at most [`STORE_READ_BYTES_MAX`](crate::limits::STORE_READ_BYTES_MAX); `None` at
    /// the end and after an error.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReadError>>> {
        if let Some(first) = self.first.take() {
            self.position = self.position.advance(first.len() as u64);
            return Poll::Ready(Some(Ok(first)));
        }
        if self.position >= self.next {
            return Poll::Ready(None);
        }
        if self.reading.is_none() {
            if let Some(bytes) = self.source.in_memory(self.position, self.next) {
                self.position = self.position.advance(bytes.len() as u64);
                return Poll::Ready(Some(Ok(bytes)));
            }
            let (source, from, to) = (self.source.clone(), self.position, self.next);
            self.reading = Some(Box::pin(async move { source.some(from, to).await }));
        }
        let reading = self.reading.as_mut().expect("set above");
        let outcome = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        match &outcome {
            Ok(bytes) => self.position = self.position.advance(bytes.len() as u64),
            Err(_) => self.position = self.next,
        }
        Poll::Ready(Some(outcome))
    }

    /// [`Page::poll_chunk`] as a future.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, ReadError>> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("id", &self.id).field("start", &self.start).field("next", &self.next).finish()
    }
}

/// Where a page from `start` ends: at the tail, at the size limit, or before bytes known to be damaged.
async fn page_end(source: &Source, tail: Offset, start: Offset, bytes_max: usize) -> Result<Offset, ReadError> {
    let by_size = start.checked_add(bytes_max as u64).unwrap_or(tail).min(tail);
    let limit = source.live.damaged_after(start).map_or(by_size, |damaged| damaged.min(by_size));
    if limit >= tail || source.live.framing != Framing::Json {
        return Ok(limit.min(tail));
    }
    source.boundary_near(start, limit, tail).await
}
