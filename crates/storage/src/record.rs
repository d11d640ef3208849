//! The journal's record: one transaction as bytes.
//!
//! ```text
//! crc32c u32 | meta length u24 | kind u8 | payload length u32 | meta … | payload …
//! meta:    epoch, back, [previous segment, previous end], changes     (varints)
//! payload: for each change that has one, chunks of (crc32c u32, at most 64 KiB)
//! ```
//!
//! The first checksum covers the rest of the header and the meta; it and the chunks' are seeded by segment, so that what a recycled segment held in its former life never passes. `back` is the distance to the start
//! of the write that the record came in: all before that was durable when the record was written. Records of the
//! first write in a segment name the end of the segment before.

mod decode;
mod encode;
mod varint;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use headwater_protocol::StreamPath;
use headwater_streams::{AppendDelta, Change, DocumentKey, Head, StreamId, Version};

pub(crate) use decode::{Decoder, RawRecord, meta_at, parse};
pub(crate) use encode::{Place, encode_changes, encode_record, framed_len, record_bytes_max};

use crate::limits::CHUNK_BYTES;

/// Bytes of a segment before its first record.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 4096;
/// Bytes before the meta.
pub(crate) const RECORD_HEADER_BYTES: usize = 12;
/// Bytes of a chunk's checksum, which comes before the chunk.
pub(crate) const CHUNK_CRC_BYTES: usize = 4;
/// Each write to a segment starts at a multiple of this, so that a search for records after damage can leap.
pub(crate) const WRITE_ALIGNMENT: u64 = 8;
/// The one kind of record so far; it says how meta and payload are to be read.
pub(crate) const KIND_TRANSACTION: u8 = 0xd1;

/// Where the journal holds a payload: `position` is that of the first chunk's checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) segment: u32,
    pub(crate) position: u32,
    pub(crate) len: u32,
}

/// A change as the journal holds it: payloads are places. What replay reads, and what commit makes of a
/// [`Change`] once it is durable, so that both apply the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Logged {
    Create { head: Box<Head>, payload: Placed },
    Append { id: StreamId, expected: Version, delta: AppendDelta, payload: Placed },
    Forks { id: StreamId, expected: Version, by: i32 },
    SoftDelete { id: StreamId, expected: Version },
    Remove { id: StreamId, path: StreamPath, expected: Version },
    PutDocument { key: DocumentKey, value: Bytes },
    RemoveDocument { key: DocumentKey },
}

impl Logged {
    /// The change without its payload, which has become durable at `payload.position`.
    pub(crate) fn new(change: Change, payload: Placed) -> Self {
        match change {
            Change::Create { head, payload: _ } => Self::Create { head, payload },
            Change::Append { id, path: _, expected, mut delta } => {
                delta.payload = Bytes::new();
                Self::Append { id, expected, delta, payload }
            }
            Change::Forks { id, path: _, expected, by } => Self::Forks { id, expected, by },
            Change::SoftDelete { id, path: _, expected } => Self::SoftDelete { id, expected },
            Change::Remove { id, path, expected } => Self::Remove { id, path, expected },
            Change::PutDocument { key, value } => Self::PutDocument { key, value },
            Change::RemoveDocument { key } => Self::RemoveDocument { key },
        }
    }

    /// Where its payload is, when it can have one.
    pub(crate) fn payload(&self) -> Option<Placed> {
        match self {
            Self::Create { payload, .. } | Self::Append { payload, .. } => Some(*payload),
            _ => None,
        }
    }
}

/// The payload of a change; empty when it has none.
pub(crate) fn payload_of(change: &Change) -> &[u8] {
    match change {
        Change::Create { payload, .. } => payload,
        Change::Append { delta, .. } => &delta.payload,
        _ => &[],
    }
}

/// What checksums in segment `number` start from: different for any two segments that ever share a file. The data
/// directory's salt keeps clients from sending payloads that look like records.
pub(crate) fn seed(salt: u32, number: u64) -> u32 {
    (number as u32).wrapping_mul(0x9e37_79b1) ^ (number >> 32) as u32 ^ salt
}

/// The bytes of a segment, from its first one, and what its checksums start from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentBytes<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) number: u64,
    pub(crate) seed: u32,
}

/// The checksum of one chunk of payload.
pub(crate) fn chunk_crc(seed: u32, chunk: &[u8]) -> u32 {
    debug_assert!(chunk.len() <= CHUNK_BYTES);
    crc32c::crc32c_append(seed, chunk)
}
