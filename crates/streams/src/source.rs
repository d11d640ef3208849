//! Where a stream's bytes come from: memory, its own data, or the streams it was forked from.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_protocol::{Framing, Offset, ReadFrom};
use memchr::{memchr, memrchr};
use tokio::sync::watch;

use crate::head::StreamId;
use crate::limits::STORE_READ_BYTES_MAX;
use crate::live::{Live, Look, Presence, Published};
use crate::operation::{EngineError, ReadError};
use crate::store::{Store, StoreError};

pub(crate) type ReadFuture = Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send>>;

/// Reads a store without naming its type, so that pages and followers need not.
pub(crate) trait StoreReader: Send + Sync {
    fn read(
        self: Arc<Self>,
        id: StreamId,
        range: std::ops::Range<Offset>,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, StoreError>> + Send>>;
}

impl<S: Store> StoreReader for S {
    fn read(
        self: Arc<Self>,
        id: StreamId,
        range: std::ops::Range<Offset>,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, StoreError>> + Send>> {
        Box::pin(async move { Store::read(&*self, id, range).await })
    }
}

/// A stream's bytes, own and inherited, up to what has been published.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) live: Arc<Live>,
    pub(crate) store: Arc<dyn StoreReader>,
    /// Odd while a commit is under way that has not been published.
    pub(crate) commits: watch::Receiver<u64>,
}

impl Source {
    /// Turns what a request said into a position of this stream, of which `seen` is what was published.
    pub(crate) async fn resolve(&self, seen: &Published, from: ReadFrom) -> Result<Offset, ReadError> {
        let at = match from {
            ReadFrom::Start => return Ok(seen.earliest),
            ReadFrom::Now => return Ok(seen.tail),
            ReadFrom::At(at) => at,
        };
        if at > seen.tail {
            return Err(ReadError::NotAnOffset);
        }
        if at < seen.earliest {
            return Err(ReadError::Trimmed { earliest: seen.earliest });
        }
        if self.is_boundary(at).await? { Ok(at) } else { Err(ReadError::NotAnOffset) }
    }

    /// Bytes from `from` on: at least one, at most [`STORE_READ_BYTES_MAX`], none at or past `to`.
    pub(crate) async fn some(&self, from: Offset, to: Offset) -> Result<Bytes, ReadError> {
        match self.in_memory(from, to) {
            Some(bytes) => Ok(bytes),
            None => self.stored(from, to).await,
        }
    }

    pub(crate) fn in_memory(&self, from: Offset, to: Offset) -> Option<Bytes> {
        let bytes = match self.live.look(from, STORE_READ_BYTES_MAX).1 {
            Look::Bytes(bytes) => bytes,
            Look::Chunk(chunk) => chunk.bytes.clone(),
            Look::Cold | Look::AtTail => return None,
        };
        let wanted = (to.bytes_since(from) as usize).min(STORE_READ_BYTES_MAX);
        Some(bytes.slice(..bytes.len().min(wanted)))
    }

    async fn stored(&self, from: Offset, to: Offset) -> Result<Bytes, ReadError> {
        let (owner, span_end) = self.owner_of(from);
        let to = to.min(span_end).min(from.advance(STORE_READ_BYTES_MAX as u64));
        let outcome = self.store.clone().read(owner, from..to).await;
        if let Err(StoreError::Damaged { range, .. }) = &outcome {
            self.live.mark_damaged(range.clone());
        }
        match outcome {
            Ok(bytes) => {
                assert_eq!(bytes.len() as u64, to.bytes_since(from), "a store reads exactly what it is asked for");
                Ok(bytes)
            }
            Err(StoreError::Reclaimed) => Err(self.why_reclaimed(from).await),
            Err(other) => Err(ReadError::Engine(EngineError::Store(other))),
        }
    }

    /// Bytes vanish under a reader only because the stream was trimmed or removed meanwhile. The store knows that
    /// before readers are shown it.
    async fn why_reclaimed(&self, position: Offset) -> ReadError {
        let mut commits = self.commits.clone();
        let now = *commits.borrow();
        if !now.is_multiple_of(2) && commits.wait_for(|later| *later > now).await.is_err() {
            return ReadError::Engine(EngineError::Stopping);
        }
        let seen = self.live.published();
        match seen.presence {
            Presence::SoftDeleted => ReadError::Gone,
            Presence::Present | Presence::Stopping if position < seen.earliest => {
                ReadError::Trimmed { earliest: seen.earliest }
            }
            // Evicted under a page, and removed after that.
            Presence::Present | Presence::Stopping | Presence::Removed => ReadError::NotFound,
        }
    }

    /// Whose bytes lie at `position`, and where they end.
    fn owner_of(&self, position: Offset) -> (StreamId, Offset) {
        if position >= self.live.own_from {
            return (self.live.id, Offset::new(u64::MAX));
        }
        let at = self.live.inherited.partition_point(|span| span.to <= position);
        let span = self.live.inherited[at];
        (span.source, span.to)
    }

    /// Bytes from `from` on that end between messages (for JSON) or anywhere (otherwise). `to` lies between messages.
    /// One message longer than a read comes whole.
    pub(crate) async fn messages(&self, from: Offset, to: Offset) -> Result<Bytes, ReadError> {
        let first = self.some(from, to).await?;
        if let Some(whole) = whole_messages(&first, self.live.framing, from.advance(first.len() as u64) == to) {
            return Ok(whole);
        }
        let mut long = BytesMut::from(&first[..]);
        loop {
            let more = self.some(from.advance(long.len() as u64), to).await?;
            if let Some(end) = memchr(b'\n', &more) {
                long.extend_from_slice(&more[..=end]);
                return Ok(long.freeze());
            }
            long.extend_from_slice(&more);
        }
    }

    /// Whether `position` lies between messages; any position does unless the stream is JSON.
    pub(crate) async fn is_boundary(&self, position: Offset) -> Result<bool, ReadError> {
        let anywhere = self.live.framing != Framing::Json;
        if anywhere || position == Offset::START || self.live.is_known_boundary(position) {
            return Ok(true);
        }
        let before = Offset::new(position.get() - 1);
        Ok(self.some(before, position).await?[..] == *b"\n")
    }

    /// The last position in `from+1..=limit` that lies between messages, or the first one after it, at most `to`.
    pub(crate) async fn boundary_near(&self, from: Offset, limit: Offset, to: Offset) -> Result<Offset, ReadError> {
        let block = STORE_READ_BYTES_MAX as u64;
        let mut end = limit;
        while end > from {
            let begin = Offset::new(end.get().saturating_sub(block)).max(from);
            if let Some(found) = self.last_boundary(begin, end).await? {
                return Ok(found);
            }
            end = begin;
        }
        let mut position = limit;
        while position < to {
            let bytes = self.some(position, to).await?;
            if let Some(at) = memchr(b'\n', &bytes) {
                return Ok(position.advance(at as u64 + 1));
            }
            position = position.advance(bytes.len() as u64);
        }
        Ok(to)
    }

    /// The last boundary in `begin+1..=end`.
    async fn last_boundary(&self, begin: Offset, end: Offset) -> Result<Option<Offset>, ReadError> {
        let mut position = begin;
        let mut found = None;
        while position < end {
            let bytes = self.some(position, end).await?;
            if let Some(at) = memrchr(b'\n', &bytes) {
                found = Some(position.advance(at as u64 + 1));
            }
            position = position.advance(bytes.len() as u64);
        }
        Ok(found)
    }

    /// The position `count` messages (JSON) or bytes (otherwise) after `from`; `None` past `to`.
    pub(crate) async fn skip(&self, from: Offset, to: Offset, count: u64) -> Result<Option<Offset>, ReadError> {
        if self.live.framing != Framing::Json {
            return Ok(from.checked_add(count).filter(|at| *at <= to));
        }
        let mut position = from;
        let mut left = count;
        while left > 0 && position < to {
            let bytes = self.some(position, to).await?;
            let mut ends = memchr::memchr_iter(b'\n', &bytes);
            while left > 0 {
                let Some(at) = ends.next() else { break };
                left -= 1;
                if left == 0 {
                    return Ok(Some(position.advance(at as u64 + 1)));
                }
            }
            position = position.advance(bytes.len() as u64);
        }
        Ok((left == 0).then_some(position))
    }
}

/// The longest prefix that ends between messages; `None` when not even one message ends in `bytes`.
pub(crate) fn whole_messages(bytes: &Bytes, framing: Framing, ends_at_boundary: bool) -> Option<Bytes> {
    if framing != Framing::Json || ends_at_boundary {
        return Some(bytes.clone());
    }
    memrchr(b'\n', bytes).map(|end| bytes.slice(..=end))
}
