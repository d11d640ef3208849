//! What a checkpoint hands to the catalog: the words that journal, memtable, catalog and archive share.
//!
//! The memtable keeps **patches**, not heads, of streams that the catalog knows already: neither a commit nor a replay
//! then reads the catalog. A patch carries the version it starts from, so that it can be applied exactly once to a
//! head of any age: see [`HeadPatch::apply_to`].

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::RandomState;
use headwater_protocol::{Lifetime, Offset, ProducerId, StreamPath, StreamSeq};
use headwater_streams::{AppendDelta, Closure, DocumentKey, Head, ProducerState, StreamId, Version};

/// A place in the journal: byte `offset` of segment number `segment`. Order is the order of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct JournalPosition {
    /// Segment number, from 1.
    pub segment: u64,
    /// Byte in that segment.
    pub offset: u64,
}

impl JournalPosition {
    const OFFSET_BITS: u32 = 40;

    /// As one number of the same order.
    pub fn to_bits(self) -> u64 {
        debug_assert!(self.offset < 1 << Self::OFFSET_BITS && self.segment < 1 << (64 - Self::OFFSET_BITS));
        self.segment << Self::OFFSET_BITS | self.offset
    }

    /// The position that [`JournalPosition::to_bits`] made a number of.
    pub fn from_bits(bits: u64) -> Self {
        Self { segment: bits >> Self::OFFSET_BITS, offset: bits & ((1 << Self::OFFSET_BITS) - 1) }
    }
}

/// All that changed since the previous checkpoint. The catalog applies it in one transaction, in this order: removed,
/// created, changed, documents, position.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// Everything before this position is covered.
    pub covered: JournalPosition,
    /// Streams the catalog may know that are gone, with their producers. Ids the catalog does not know are skipped.
    pub removed: Vec<StreamId>,
    /// New streams as they stand; their paths are free once `removed` is applied.
    pub created: Vec<Head>,
    /// Streams the catalog knows, changed.
    pub changed: Vec<HeadPatch>,
    /// Documents set (`Some`) and removed (`None`).
    pub documents: Vec<(DocumentKey, Option<Bytes>)>,
}

/// The net change of one stream between two checkpoints: what the catalog writes, and nothing else of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadPatch {
    /// Whose.
    pub id: StreamId,
    /// The version of the head it applies to.
    pub base: Version,
    /// The version after it.
    pub version: Version,
    /// The tail after it; `None` when no append came.
    pub tail: Option<Offset>,
    /// New, when set.
    pub earliest: Option<Offset>,
    /// New, when later than the head's.
    pub accessed_at_ms: u64,
    /// New, when set.
    pub closure: Option<Closure>,
    /// New, when set.
    pub stream_seq: Option<StreamSeq>,
    /// Producers whose state changed: to be upserted.
    pub producers: HashMap<ProducerId, ProducerState, RandomState>,
    /// To be added to the count of forks.
    pub forks_by: i32,
    /// Deleted by its owner since.
    pub soft_deleted: bool,
}

/// Whether a patch met the head it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patched {
    /// Applied.
    Applied,
    /// The head contains it already.
    Contained,
    /// Changes between the head and the patch are missing: a journal record was lost to damage.
    Missing,
}

/// A stream whose lifetime may have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiring {
    /// Its incarnation.
    pub id: StreamId,
    /// Its name.
    pub path: StreamPath,
    /// When it ends by itself.
    pub lifetime: Lifetime,
}

impl HeadPatch {
    /// No change yet to the head at `base`.
    pub fn new(id: StreamId, base: Version) -> Self {
        Self {
            id,
            base,
            version: base,
            tail: None,
            earliest: None,
            accessed_at_ms: 0,
            closure: None,
            stream_seq: None,
            producers: HashMap::default(),
            forks_by: 0,
            soft_deleted: false,
        }
    }

    /// Adds one append, as [`Head::apply`] does to a head. The payload's length is passed apart, because a replay has
    /// the length and not the bytes.
    pub fn append(&mut self, delta: &AppendDelta, payload_len: u64) {
        assert!(self.tail.is_none_or(|tail| tail == delta.start), "an append starts at the tail of {:?}", self.id);
        self.tail = Some(delta.start.advance(payload_len));
        for stamp in &delta.producers {
            self.producers.insert(stamp.id.clone(), ProducerState { epoch: stamp.epoch, seq: stamp.seq });
        }
        if let Some(seq) = &delta.stream_seq {
            self.stream_seq = Some(seq.clone());
        }
        if let Some(closure) = &delta.closure {
            self.closure = Some(closure.clone());
        }
        if let Some(earliest) = delta.trim_to {
            self.earliest = self.earliest.max(Some(earliest));
        }
        self.accessed_at_ms = self.accessed_at_ms.max(delta.accessed_at_ms);
        self.version.0 += 1;
    }

    /// Counts one fork more or fewer.
    pub fn add_forks(&mut self, by: i32) {
        self.forks_by += by;
        self.version.0 += 1;
    }

    /// Marks the stream as deleted by its owner.
    pub fn soft_delete(&mut self) {
        self.soft_deleted = true;
        self.version.0 += 1;
    }

    /// Brings `head` up to this patch's version, exactly once whatever the head's age.
    pub fn apply_to(&self, head: &mut Head) -> Patched {
        if head.version >= self.version {
            return Patched::Contained;
        }
        if head.version != self.base {
            return Patched::Missing;
        }
        head.version = self.version;
        head.tail = self.tail.unwrap_or(head.tail);
        head.earliest = self.earliest.map_or(head.earliest, |earliest| earliest.max(head.earliest));
        head.accessed_at_ms = head.accessed_at_ms.max(self.accessed_at_ms);
        head.forks = head.forks.checked_add_signed(self.forks_by).expect("a fork is counted before it is dropped");
        head.soft_deleted |= self.soft_deleted;
        if let Some(closure) = &self.closure {
            head.closure = closure.clone();
        }
        if let Some(seq) = &self.stream_seq {
            head.stream_seq = Some(seq.clone());
        }
        head.producers.extend(self.producers.iter().map(|(id, state)| (id.clone(), *state)));
        Patched::Applied
    }
}
