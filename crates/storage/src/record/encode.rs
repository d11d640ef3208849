//! Changes to bytes.

use headwater_protocol::{Lifetime, ProducerStamp};
use headwater_streams::{AppendDelta, Change, Closure, Durability, ForkOrigin, Head, InheritedSpan};

use super::varint::{VARINT_BYTES_MAX, put, zigzag};
use super::{CHUNK_CRC_BYTES, KIND_TRANSACTION, RECORD_HEADER_BYTES, chunk_crc, payload_of};
use crate::checkpoint::JournalPosition;
use crate::limits::CHUNK_BYTES;

pub(super) const TAG_CREATE: u8 = 0;
pub(super) const TAG_APPEND: u8 = 1;
pub(super) const TAG_FORKS: u8 = 2;
pub(super) const TAG_SOFT_DELETE: u8 = 3;
pub(super) const TAG_REMOVE: u8 = 4;
pub(super) const TAG_PUT_DOCUMENT: u8 = 5;
pub(super) const TAG_REMOVE_DOCUMENT: u8 = 6;
/// The low bits of a change's first byte are its tag, the high ones say which optional parts follow.
pub(super) const TAG_MASK: u8 = 0x07;
pub(super) const HAS_PAYLOAD: u8 = 0x08;
pub(super) const HAS_PRODUCERS: u8 = 0x10;
pub(super) const HAS_STREAM_SEQ: u8 = 0x20;
pub(super) const HAS_CLOSURE: u8 = 0x40;
pub(super) const HAS_TRIM: u8 = 0x80;

pub(super) const CLOSURE_OPEN: u8 = 0;
pub(super) const CLOSURE_CLOSED: u8 = 1;
pub(super) const CLOSURE_CLOSED_BY: u8 = 2;

pub(super) const LIFETIME_FOREVER: u8 = 0;
pub(super) const LIFETIME_SLIDING: u8 = 1;
pub(super) const LIFETIME_UNTIL: u8 = 2;

/// Flags of a head, in the byte after its tag.
pub(super) const HEAD_EPHEMERAL: u8 = 0x01;
pub(super) const HEAD_SOFT_DELETED: u8 = 0x02;
pub(super) const HEAD_FORK: u8 = 0x04;
pub(super) const HEAD_FORK_REQUESTED: u8 = 0x08;

/// Where a record goes, as far as its bytes depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) epoch: u32,
    /// What the segment's checksums start from.
    pub(crate) seed: u32,
    /// Distance to the start of the write.
    pub(crate) back: u64,
    /// In the first write of a segment: where the segment before ends.
    pub(crate) previous_end: Option<JournalPosition>,
}

/// Bytes that a payload of `len` takes with its checksums.
pub(crate) fn framed_len(len: usize) -> usize {
    len + len.div_ceil(CHUNK_BYTES) * CHUNK_CRC_BYTES
}

/// An upper bound of the record's size, wherever it goes.
pub(crate) fn record_bytes_max(changes_len: usize, changes: &[Change]) -> usize {
    let payload: usize = changes.iter().map(|change| framed_len(payload_of(change).len())).sum();
    RECORD_HEADER_BYTES + 4 * VARINT_BYTES_MAX + changes_len + payload
}

/// Writes all of `changes` but their payloads.
pub(crate) fn encode_changes(out: &mut Vec<u8>, changes: &[Change]) {
    put(out, changes.len() as u64);
    for change in changes {
        encode_change(out, change);
    }
}

/// Appends the record of `changes`, whose encoding is `encoded`; returns where its payload starts in `out`.
pub(crate) fn encode_record(out: &mut Vec<u8>, place: &Place, encoded: &[u8], changes: &[Change]) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; RECORD_HEADER_BYTES]);
    put(out, u64::from(place.epoch));
    put(out, place.back);
    if let Some(previous) = place.previous_end {
        put(out, previous.segment);
        put(out, previous.offset);
    }
    out.extend_from_slice(encoded);
    let payload_start = out.len();
    let meta_len = (payload_start - start - RECORD_HEADER_BYTES) as u32;
    let payload_len: usize = changes.iter().map(|change| framed_len(payload_of(change).len())).sum();
    out[start + 4..start + 8].copy_from_slice(&(meta_len | u32::from(KIND_TRANSACTION) << 24).to_le_bytes());
    out[start + 8..start + 12].copy_from_slice(&(payload_len as u32).to_le_bytes());
    let crc = crc32c::crc32c_append(place.seed, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    for chunk in changes.iter().flat_map(|change| payload_of(change).chunks(CHUNK_BYTES)) {
        out.extend_from_slice(&chunk_crc(place.seed, chunk).to_le_bytes());
        out.extend_from_slice(chunk);
    }
    payload_start
}

fn encode_change(out: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Create { head, payload } => encode_create(out, head, payload.len()),
        Change::Append { id, path: _, expected, delta } => {
            out.push(TAG_APPEND | append_flags(delta));
            put(out, id.0);
            put(out, expected.0);
            encode_delta(out, delta);
        }
        Change::Forks { id, path: _, expected, by } => {
            out.push(TAG_FORKS);
            put(out, id.0);
            put(out, expected.0);
            put(out, zigzag(i64::from(*by)));
        }
        Change::SoftDelete { id, path: _, expected } => {
            out.push(TAG_SOFT_DELETE);
            put(out, id.0);
            put(out, expected.0);
        }
        Change::Remove { id, path, expected } => {
            out.push(TAG_REMOVE);
            put(out, id.0);
            put(out, expected.0);
            put_bytes(out, path.as_str().as_bytes());
        }
        Change::PutDocument { key, value } => {
            out.push(TAG_PUT_DOCUMENT);
            put_bytes(out, key.0.as_bytes());
            put_bytes(out, value);
        }
        Change::RemoveDocument { key } => {
            out.push(TAG_REMOVE_DOCUMENT);
            put_bytes(out, key.0.as_bytes());
        }
    }
}

fn append_flags(delta: &AppendDelta) -> u8 {
    let flag = |present: bool, flag: u8| if present { flag } else { 0 };
    flag(!delta.payload.is_empty(), HAS_PAYLOAD)
        | flag(!delta.producers.is_empty(), HAS_PRODUCERS)
        | flag(delta.stream_seq.is_some(), HAS_STREAM_SEQ)
        | flag(delta.closure.is_some(), HAS_CLOSURE)
        | flag(delta.trim_to.is_some(), HAS_TRIM)
}

fn encode_delta(out: &mut Vec<u8>, delta: &AppendDelta) {
    put(out, delta.start.get());
    put(out, delta.accessed_at_ms);
    if !delta.payload.is_empty() {
        put(out, delta.payload.len() as u64);
    }
    if !delta.producers.is_empty() {
        put(out, delta.producers.len() as u64);
        delta.producers.iter().for_each(|stamp| encode_stamp(out, stamp));
    }
    if let Some(seq) = &delta.stream_seq {
        put_bytes(out, seq.as_bytes());
    }
    if let Some(closure) = &delta.closure {
        encode_closure(out, closure);
    }
    if let Some(earliest) = delta.trim_to {
        put(out, earliest.get());
    }
}

fn encode_create(out: &mut Vec<u8>, head: &Head, payload_len: usize) {
    let flag = |present: bool, flag: u8| if present { flag } else { 0 };
    let requested = head.fork.as_ref().and_then(|fork| fork.requested_offset);
    out.push(TAG_CREATE);
    out.push(
        flag(head.durability == Durability::Ephemeral, HEAD_EPHEMERAL)
            | flag(head.soft_deleted, HEAD_SOFT_DELETED)
            | flag(head.fork.is_some(), HEAD_FORK)
            | flag(requested.is_some(), HEAD_FORK_REQUESTED),
    );
    put(out, head.id.0);
    put_bytes(out, head.path.as_str().as_bytes());
    put_bytes(out, head.content_type.as_str().as_bytes());
    encode_lifetime(out, &head.lifetime);
    put(out, head.created_at_ms);
    put(out, head.accessed_at_ms);
    put(out, head.earliest.get());
    put(out, head.tail.get());
    encode_closure(out, &head.closure);
    put_bytes(out, head.stream_seq.as_ref().map_or(&[], |seq| seq.as_bytes()));
    put(out, head.producers.len() as u64);
    for (id, state) in &head.producers {
        encode_stamp(out, &ProducerStamp { id: id.clone(), epoch: state.epoch, seq: state.seq });
    }
    put(out, u64::from(head.forks));
    put(out, head.version.0);
    if let Some(fork) = &head.fork {
        encode_fork(out, fork, &head.inherited);
    }
    put(out, payload_len as u64);
}

fn encode_fork(out: &mut Vec<u8>, fork: &ForkOrigin, inherited: &[InheritedSpan]) {
    put(out, fork.source.0);
    put_bytes(out, fork.source_path.as_str().as_bytes());
    if let Some(requested) = fork.requested_offset {
        put(out, requested.get());
    }
    put(out, fork.sub_offset);
    put(out, fork.at.get());
    put(out, inherited.len() as u64);
    for span in inherited {
        put(out, span.source.0);
        put(out, span.from.get());
        put(out, span.to.get());
    }
}

fn encode_lifetime(out: &mut Vec<u8>, lifetime: &Lifetime) {
    match lifetime {
        Lifetime::Forever => out.push(LIFETIME_FOREVER),
        Lifetime::Sliding(ttl) => {
            out.push(LIFETIME_SLIDING);
            put(out, ttl.0);
        }
        Lifetime::Until { at_ms } => {
            out.push(LIFETIME_UNTIL);
            put(out, zigzag(*at_ms));
        }
    }
}

fn encode_closure(out: &mut Vec<u8>, closure: &Closure) {
    match closure {
        Closure::Open => out.push(CLOSURE_OPEN),
        Closure::Closed { by: None } => out.push(CLOSURE_CLOSED),
        Closure::Closed { by: Some(stamp) } => {
            out.push(CLOSURE_CLOSED_BY);
            encode_stamp(out, stamp);
        }
    }
}

fn encode_stamp(out: &mut Vec<u8>, stamp: &ProducerStamp) {
    put_bytes(out, stamp.id.as_str().as_bytes());
    put(out, stamp.epoch.get());
    put(out, stamp.seq.get());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
