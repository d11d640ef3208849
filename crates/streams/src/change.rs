//! What a store is asked to keep.

use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{Offset, ProducerStamp, StreamPath, StreamSeq};

use crate::head::{Closure, Head, StreamId, Version};

/// Changes that land together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// In order of application.
    pub changes: Vec<Change>,
}

/// One step of a stream's or a document's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new stream with its first content. Conflicts when the path is taken.
    Create {
        /// As it stands after `payload`: `head.tail` is `head.own_from() + payload.len()`.
        head: Box<Head>,
        /// First content, as stored; may be empty.
        payload: Bytes,
    },
    /// Content, closure, producers' state, a trim or a touch. Conflicts when the head is not at `expected`.
    Append {
        /// Whose.
        id: StreamId,
        /// Its path, for messages and for stores keyed by path.
        path: StreamPath,
        /// The version the decision was made on.
        expected: Version,
        /// What changes.
        delta: AppendDelta,
    },
    /// One more (`+1`) or one fewer (`-1`) fork lives off this stream. Bumps its version.
    Forks {
        /// The source.
        id: StreamId,
        /// Its path.
        path: StreamPath,
        /// The version the decision was made on.
        expected: Version,
        /// `+1` or `-1`.
        by: i32,
    },
    /// Deleted by its owner, kept for its forks. Bumps its version.
    SoftDelete {
        /// Whose.
        id: StreamId,
        /// Its path, which stays taken.
        path: StreamPath,
        /// The version the decision was made on.
        expected: Version,
    },
    /// Gone: the path is free again and the bytes are garbage.
    Remove {
        /// Whose.
        id: StreamId,
        /// Its path.
        path: StreamPath,
        /// The version the decision was made on.
        expected: Version,
    },
    /// Sets a document (a subscription, a cursor, a key).
    PutDocument {
        /// Its name.
        key: DocumentKey,
        /// Opaque to the store.
        value: Bytes,
    },
    /// Removes a document; nothing happens when there is none.
    RemoveDocument {
        /// Its name.
        key: DocumentKey,
    },
}

/// What an accepted append changes on its stream. Several requests of one batch on one stream travel in one delta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendDelta {
    /// The tail before it.
    pub start: Offset,
    /// Bytes as stored; empty for a close, a gapless touch or a trim.
    pub payload: Bytes,
    /// New states of idempotent producers; a later entry for the same producer wins.
    pub producers: Vec<ProducerStamp>,
    /// The new `Stream-Seq` mark.
    pub stream_seq: Option<StreamSeq>,
    /// `Some(Closed)` when this closes the stream.
    pub closure: Option<Closure>,
    /// Positions before this one may be reclaimed.
    pub trim_to: Option<Offset>,
    /// Unix milliseconds of the access that this records.
    pub accessed_at_ms: u64,
}

impl AppendDelta {
    /// Records an access at `accessed_at_ms` (Unix milliseconds) and changes nothing else.
    pub fn touch(tail: Offset, accessed_at_ms: u64) -> Self {
        Self {
            start: tail,
            payload: Bytes::new(),
            producers: Vec::new(),
            stream_seq: None,
            closure: None,
            trim_to: None,
            accessed_at_ms,
        }
    }
}

/// The name of a document: slash-separated UTF-8, at most 2,048 bytes, chosen by the code that owns the prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey(pub Arc<str>);
