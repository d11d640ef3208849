//! What a stream is at one moment.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamPath, StreamSeq,
};

use crate::change::AppendDelta;

/// One incarnation of a stream. A path that is deleted and created again gets a new one; ids are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// How many changes a head has seen: what a compare-and-swap compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(pub u64);

/// Everything the rules need to know of a stream: all but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// This incarnation.
    pub id: StreamId,
    /// Its name under the stream root.
    pub path: StreamPath,
    /// Fixed at creation.
    pub content_type: ContentType,
    /// When it ends by itself.
    pub lifetime: Lifetime,
    /// Whether its bytes outlive the process.
    pub durability: Durability,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Last recorded read or write, in Unix milliseconds: what a sliding lifetime counts from. Readers' touches are
    /// recorded now and then, not each time.
    pub accessed_at_ms: u64,
    /// First position that can still be read.
    pub earliest: Offset,
    /// First unwritten position.
    pub tail: Offset,
    /// Whether more can come.
    pub closure: Closure,
    /// The last `Stream-Seq`.
    pub stream_seq: Option<StreamSeq>,
    /// The idempotent producers seen on this incarnation.
    pub producers: HashMap<ProducerId, ProducerState>,
    /// Where it branched off, when it is a fork.
    pub fork: Option<ForkOrigin>,
    /// Whose bytes lie before its own, in offset order without holes; empty unless it is a fork.
    pub inherited: Arc<[InheritedSpan]>,
    /// Live forks made from it directly.
    pub forks: u32,
    /// Deleted by its owner and kept only for its forks.
    pub soft_deleted: bool,
    /// Grows by one with each change.
    pub version: Version,
}

/// Whether a stream's bytes outlive the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every acknowledged byte is on disk.
    Durable,
    /// In memory only; gone after a restart.
    Ephemeral,
}

/// Whether a stream can grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closure {
    /// More may be appended.
    Open,
    /// Final; `by` is the producer's request that closed it, if it was a producer's.
    Closed {
        /// The closing producer request.
        by: Option<ProducerStamp>,
    },
}

/// The last request accepted from a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerState {
    /// Its incarnation.
    pub epoch: Epoch,
    /// The highest accepted sequence number of that incarnation.
    pub seq: ProducerSeq,
}

/// Where a fork branched off, as it was asked for and as it was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkOrigin {
    /// The incarnation it reads from.
    pub source: StreamId,
    /// That stream's path.
    pub source_path: StreamPath,
    /// `Stream-Fork-Offset` as sent; `None` when it was left out.
    pub requested_offset: Option<Offset>,
    /// `Stream-Fork-Sub-Offset` as sent; 0 when it was left out.
    pub sub_offset: u64,
    /// The resolved position: bytes before it are inherited.
    pub at: Offset,
}

/// A range of a fork's offsets whose bytes belong to another stream, at the same offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InheritedSpan {
    /// Whose bytes.
    pub source: StreamId,
    /// First position.
    pub from: Offset,
    /// Position after the last one.
    pub to: Offset,
}

impl Head {
    /// Whether its lifetime has run out at `now_ms`, given the last access in memory.
    pub fn is_expired(&self, accessed_at_ms: u64, now_ms: u64) -> bool {
        self.expires_at_ms(accessed_at_ms).is_some_and(|at_ms| now_ms >= at_ms)
    }

    /// When its lifetime runs out, in Unix milliseconds, given the last access in memory; `None` for ever.
    pub fn expires_at_ms(&self, accessed_at_ms: u64) -> Option<u64> {
        match self.lifetime {
            Lifetime::Forever => None,
            Lifetime::Sliding(ttl) => Some(accessed_at_ms.saturating_add(ttl.0.saturating_mul(1000))),
            Lifetime::Until { at_ms } => Some(at_ms.max(0) as u64),
        }
    }

    /// Whether the stream takes no more appends.
    pub fn is_closed(&self) -> bool {
        matches!(self.closure, Closure::Closed { .. })
    }

    /// Where its own bytes begin: the fork point, or the start.
    pub fn own_from(&self) -> Offset {
        self.fork.as_ref().map_or(Offset::START, |fork| fork.at)
    }

    /// A copy that remembers no producers: there may be many.
    pub(crate) fn without_producers(&self) -> Self {
        Self {
            id: self.id,
            path: self.path.clone(),
            content_type: self.content_type.clone(),
            lifetime: self.lifetime,
            durability: self.durability,
            created_at_ms: self.created_at_ms,
            accessed_at_ms: self.accessed_at_ms,
            earliest: self.earliest,
            tail: self.tail,
            closure: self.closure.clone(),
            stream_seq: self.stream_seq.clone(),
            producers: HashMap::new(),
            fork: self.fork.clone(),
            inherited: self.inherited.clone(),
            forks: self.forks,
            soft_deleted: self.soft_deleted,
            version: self.version,
        }
    }

    /// Brings the head to where it stands after `delta`. The same function runs when a change is decided and when it
    /// is replayed after a crash.
    pub fn apply(&mut self, delta: &AppendDelta) {
        assert_eq!(self.tail, delta.start, "an append starts at the tail of {:?}", self.path);
        self.tail = self.tail.advance(delta.payload.len() as u64);
        for stamp in &delta.producers {
            self.producers.insert(stamp.id.clone(), ProducerState { epoch: stamp.epoch, seq: stamp.seq });
        }
        if let Some(seq) = &delta.stream_seq {
            self.stream_seq = Some(seq.clone());
        }
        if let Some(closure) = &delta.closure {
            self.closure = closure.clone();
        }
        if let Some(earliest) = delta.trim_to {
            self.earliest = self.earliest.max(earliest);
        }
        self.accessed_at_ms = self.accessed_at_ms.max(delta.accessed_at_ms);
        self.version.0 += 1;
    }
}
