//! What callers ask of the engine, and what it answers.

use bytes::Bytes;
use headwater_protocol::{ContentType, Epoch, Lifetime, Offset, ProducerSeq, ProducerStamp, StreamPath, StreamSeq};
use thiserror::Error;

use crate::head::{Durability, StreamId};
use crate::store::StoreError;

/// Create a stream, or make sure that it exists as described (protocol section 5.1).
#[derive(Debug, Clone)]
pub struct Create {
    /// Its name.
    pub path: StreamPath,
    /// `None` takes the default, or the source's type for a fork.
    pub content_type: Option<ContentType>,
    /// `None` means for ever, or as the source for a fork.
    pub lifetime: Option<Lifetime>,
    /// First content **as stored** (JSON already framed by `headwater_protocol::json`); may be empty.
    pub payload: Bytes,
    /// Create it closed.
    pub closed: bool,
    /// Branch off another stream.
    pub fork: Option<ForkPoint>,
    /// Whether its bytes outlive the process.
    pub durability: Durability,
}

/// Where to branch off (protocol section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkPoint {
    /// The source's path.
    pub source: StreamPath,
    /// `None`: the source's tail.
    pub offset: Option<Offset>,
    /// So many messages (JSON) or bytes (otherwise) past `offset`.
    pub sub_offset: u64,
}

/// The answer to a [`Create`].
#[derive(Debug, Clone)]
pub struct Created {
    /// False when it existed already, as described.
    pub is_new: bool,
    /// As it stands now.
    pub metadata: Metadata,
}

/// Append, close, or both at once (protocol sections 5.2 and 5.3).
#[derive(Debug, Clone)]
pub struct Append {
    /// Where to.
    pub path: StreamPath,
    /// Must match the stream's when there is a payload.
    pub content_type: Option<ContentType>,
    /// Bytes **as stored** (JSON already framed); empty only for a close.
    pub payload: Bytes,
    /// `Stream-Seq`.
    pub stream_seq: Option<StreamSeq>,
    /// The producer headers.
    pub producer: Option<ProducerStamp>,
    /// `Stream-Closed: true`.
    pub close: bool,
}

/// An append that is durable, now or since earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// Accepted.
    Written {
        /// The tail after it.
        next: Offset,
        /// Whether the stream is closed now.
        closed: bool,
    },
    /// Known already: the same producer request was accepted before, or the stream was closed before.
    Duplicate {
        /// The tail as it stands.
        next: Offset,
        /// Whether the stream is closed.
        closed: bool,
        /// The highest accepted sequence number, for a producer's request.
        highest: Option<(Epoch, ProducerSeq)>,
    },
}

/// What HEAD tells (protocol section 5.5).
#[derive(Debug, Clone)]
pub struct Metadata {
    /// Its name.
    pub path: StreamPath,
    /// Its incarnation.
    pub id: StreamId,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Its type.
    pub content_type: ContentType,
    /// The first position that can still be read.
    pub earliest: Offset,
    /// Durable tail.
    pub tail: Offset,
    /// Whether it takes no more appends.
    pub closed: bool,
    /// When it ends by itself.
    pub lifetime: Lifetime,
}

/// What stands in the way of every operation alike.
#[derive(Debug, Clone, Error)]
pub enum EngineError {
    /// The queue is full: try again after a moment.
    #[error("too many requests are waiting for the disk")]
    Overloaded,
    /// The engine is stopping.
    #[error("the server is shutting down")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a stream was not created.
#[derive(Debug, Clone, Error)]
pub enum CreateError {
    /// It exists with another type, lifetime, closure or origin.
    #[error("a stream exists at this path with a different {0}")]
    Differs(&'static str),
    /// The path belongs to a deleted stream whose forks still live.
    #[error("the path belongs to a deleted stream that still has forks")]
    PathHeld,
    /// The fork's source does not exist.
    #[error("the source stream does not exist")]
    SourceNotFound,
    /// The fork's source is deleted.
    #[error("the source stream is deleted")]
    SourceDeleted,
    /// The fork's content type is not its source's.
    #[error("the source stream's content type is {0}")]
    SourceContentType(ContentType),
    /// The fork offset lies past the source's tail, or before what it still holds.
    #[error("the fork offset lies outside the source stream, which ends at {tail}")]
    ForkOffset {
        /// The source's tail.
        tail: Offset,
    },
    /// The fork offset is not a position between messages.
    #[error("the fork offset is not a message boundary of the source stream")]
    ForkOffsetInsideMessage,
    /// The sub-offset passes the data.
    #[error("the fork sub-offset lies past the source stream's data")]
    ForkSubOffset,
    /// Forks of forks, too deep.
    #[error("the fork chain has {0} spans; the limit is {limit}", limit = crate::limits::FORK_SPANS_MAX)]
    TooManySpans(usize),
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why an append was refused. Everything it tells is durable.
#[derive(Debug, Clone, Error)]
pub enum AppendError {
    /// No such stream.
    #[error("no stream exists at this path")]
    NotFound,
    /// Deleted, kept for its forks.
    #[error("the stream is deleted")]
    Gone,
    /// The stream takes no more.
    #[error("the stream is closed")]
    Closed {
        /// Its final tail.
        tail: Offset,
    },
    /// The body is of another type.
    #[error("the stream's content type is {0}")]
    ContentTypeDiffers(ContentType),
    /// `Stream-Seq` did not grow.
    #[error("Stream-Seq is not greater than the last one")]
    StreamSeqNotIncreasing,
    /// A newer incarnation of the producer has written.
    #[error("the producer's epoch is stale; the current one is {current}")]
    Fenced {
        /// The epoch in force.
        current: Epoch,
    },
    /// A new epoch did not begin at 0.
    #[error("a new producer epoch starts at sequence 0")]
    EpochStart,
    /// Requests are missing before this one.
    #[error("expected producer sequence {expected}, received {received}")]
    Gap {
        /// The next acceptable sequence number.
        expected: ProducerSeq,
        /// The one sent.
        received: ProducerSeq,
    },
    /// The stream remembers as many producers as it may.
    #[error("the stream has {0} producers, which is the limit")]
    TooManyProducers(usize),
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a stream was not deleted.
#[derive(Debug, Clone, Error)]
pub enum DeleteError {
    /// No such stream.
    #[error("no stream exists at this path")]
    NotFound,
    /// Deleted already, kept for its forks.
    #[error("the stream is deleted")]
    Gone,
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a read or a look at the metadata failed.
#[derive(Debug, Clone, Error)]
pub enum ReadError {
    /// No such stream.
    #[error("no stream exists at this path")]
    NotFound,
    /// Deleted, kept for its forks.
    #[error("the stream is deleted")]
    Gone,
    /// The position has been trimmed away.
    #[error("the offset lies before {earliest}, the earliest one kept")]
    Trimmed {
        /// The earliest readable position.
        earliest: Offset,
    },
    /// The position lies past the tail, or inside a message: this server never handed it out for this stream.
    #[error("the offset was not handed out for this stream")]
    NotAnOffset,
    /// The stream, or the server, has as many live readers as it may.
    #[error("too many live readers")]
    TooManyReaders,
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a stream was not trimmed.
#[derive(Debug, Clone, Error)]
pub enum TrimError {
    /// No such stream.
    #[error("no stream exists at this path")]
    NotFound,
    /// Deleted, kept for its forks.
    #[error("the stream is deleted")]
    Gone,
    /// Forks may still read what would go.
    #[error("{0} forks read this stream's bytes")]
    HasForks(u32),
    /// The position lies past the tail.
    #[error("the position lies past the tail, {tail}")]
    PastTail {
        /// The tail.
        tail: Offset,
    },
    /// The position lies inside a message.
    #[error("the position lies inside a message")]
    InsideMessage,
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] EngineError),
}
