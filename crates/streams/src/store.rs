//! The seam under the engine: what a store must promise.

use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::{ContentType, Offset, StreamPath};
use thiserror::Error;

use crate::change::{DocumentKey, Transaction};
use crate::head::{Head, StreamId};

/// Keeps heads, bytes and documents.
///
/// The unit is a batch of compare-and-swap transactions. A store never interprets payloads and knows no producers'
/// rules: it applies [`Head::apply`] and compares versions. One engine calls `load` and `commit` from one place at a
/// time; `read`, `list` and `documents` come from anywhere.
pub trait Store: Send + Sync + 'static {
    /// True when no other process can change the store: the engine's cached heads are then the truth and a
    /// [`Outcome::Conflict`] is unreachable.
    const EXCLUSIVE: bool;

    /// The heads of `paths`, in the same order, with every committed change applied (linearizable).
    fn load(&self, paths: &[StreamPath]) -> impl Future<Output = Result<Vec<Option<Head>>, StoreError>> + Send;

    /// Makes room for a commit of about `bytes` payload bytes in `transactions` transactions.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is none. Nothing has been written then, and a later call may succeed.
    fn reserve(&self, transactions: usize, bytes: usize) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the batch durable: each transaction wholly or not at all, in order.
    ///
    /// # Errors
    /// An error means that the outcome is unknown: the store is poisoned, refuses further commits, and a reopened one
    /// shows what landed.
    fn commit(&self, id: BatchId, batch: Vec<Transaction>) -> impl Future<Output = Result<Commit, StoreError>> + Send;

    /// Exactly the bytes of `range` of the stream's own data, at most
    /// [`STORE_READ_BYTES_MAX`](crate::limits::STORE_READ_BYTES_MAX).
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a checksum does not hold; other ranges stay readable. [`StoreError::Reclaimed`]
    /// when the bytes are no longer kept.
    fn read(&self, id: StreamId, range: Range<Offset>) -> impl Future<Output = Result<Bytes, StoreError>> + Send;

    /// Streams whose path starts with `prefix`, after `after`, in path order, soft-deleted ones included.
    fn list(
        &self,
        prefix: &str,
        after: Option<&StreamPath>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Listed>, StoreError>> + Send;

    /// Streams whose recorded lifetime ended at or before `now_ms` (Unix milliseconds). The engine checks each again.
    fn expired(&self, now_ms: u64, limit: usize) -> impl Future<Output = Result<Vec<StreamPath>, StoreError>> + Send;

    /// Documents whose key starts with `prefix`, in key order.
    fn documents(&self, prefix: &str) -> impl Future<Output = Result<Vec<(DocumentKey, Bytes)>, StoreError>> + Send;

    /// An id that no stream of this store has had or will have again, even after a crash.
    fn allocate_id(&self) -> impl Future<Output = Result<StreamId, StoreError>> + Send;

    /// Figures for operators.
    fn stats(&self) -> StoreStats;

    /// Writes down what shortens the next start and releases the store. Commits after it fail.
    fn close(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Names one commit, so that one whose outcome is unknown could be asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchId(pub u64);

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Durable.
    Landed,
    /// A head was not at the expected version, or a path was taken: nothing of the transaction happened.
    Conflict,
}

/// A finished commit.
#[derive(Debug, Clone)]
pub struct Commit {
    /// One per transaction, in order.
    pub outcomes: Vec<Outcome>,
    /// Bytes handed to the disk.
    pub written_bytes: u64,
    /// Time from first write to durable.
    pub sync: Duration,
    /// Streams of which the store gave up bytes to make room: only ephemeral ones. [`Store::load`] tells the same.
    pub reclaimed: Vec<Reclaimed>,
}

/// A stream that begins later than it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reclaimed {
    /// Whose bytes went.
    pub id: StreamId,
    /// Its path.
    pub path: StreamPath,
    /// The first position that is still kept, between messages.
    pub earliest: Offset,
}

/// One row of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub path: StreamPath,
    /// Its incarnation.
    pub id: StreamId,
    /// Its type.
    pub content_type: ContentType,
    /// Durable tail.
    pub tail: Offset,
    /// Whether it takes no more appends.
    pub closed: bool,
    /// Whether it is kept only for its forks.
    pub soft_deleted: bool,
    /// Unix milliseconds.
    pub created_at_ms: u64,
}

/// Figures of a store; zero where one has no such thing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Streams, soft-deleted ones included.
    pub streams: u64,
    /// Journal bytes on disk.
    pub journal_bytes: u64,
    /// Journal segments.
    pub journal_segments: u64,
    /// Archive bytes on disk.
    pub archive_bytes: u64,
    /// Archive files.
    pub archive_files: u64,
    /// Catalog bytes on disk.
    pub catalog_bytes: u64,
    /// Journal bytes that a restart would replay.
    pub replay_bytes: u64,
    /// Bytes handed to the disk since the store opened, of every kind.
    pub written_bytes: u64,
    /// Whether the store refuses commits until a restart.
    pub poisoned: bool,
}

/// What a store can fail with.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// No space for more; what is stored can be read.
    #[error("the disk under the data directory is full")]
    Full,
    /// An earlier write or sync failed: the store takes no more changes until it is opened again.
    #[error("the store takes no changes: {cause}")]
    Poisoned {
        /// What failed first.
        cause: String,
    },
    /// Stored bytes do not match their checksum.
    #[error("stored bytes {}..{} of stream {} are damaged: {detail}", range.start.get(), range.end.get(), id.0)]
    Damaged {
        /// Whose bytes.
        id: StreamId,
        /// Which of them cannot be trusted; within the asked range.
        range: Range<Offset>,
        /// Where on disk.
        detail: String,
    },
    /// The bytes are no longer kept.
    #[error("stored bytes are no longer kept")]
    Reclaimed,
    /// The operating system refused.
    #[error("{operation} failed: {cause}")]
    Io {
        /// What was tried, with the file.
        operation: String,
        /// The system's words.
        cause: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}
