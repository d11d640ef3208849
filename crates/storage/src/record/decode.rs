//! Bytes to changes. Nothing here trusts its input: any bytes give an answer, in bounded memory.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamPath, StreamSeq, TtlSeconds,
};
use headwater_streams::{
    AppendDelta, Closure, DocumentKey, Durability, ForkOrigin, Head, InheritedSpan, ProducerState, StreamId, Version,
};

use super::encode::*;
use super::varint::{take, unzigzag};
use super::{
    CHUNK_CRC_BYTES, KIND_TRANSACTION, Logged, Placed, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, SegmentBytes,
    chunk_crc, framed_len,
};
use crate::checkpoint::JournalPosition;
use crate::limits::{CHUNK_BYTES, TRANSACTION_META_BYTES_MAX};

/// A record whose header and meta passed their checksum.
#[derive(Debug, Clone)]
pub(crate) struct RawRecord<'a> {
    /// Its first byte in the segment.
    pub(crate) position: usize,
    /// The byte after it.
    pub(crate) end: usize,
    /// The opening of the store that wrote it.
    pub(crate) epoch: u32,
    /// Everything in the segment before this byte was durable when it was written.
    pub(crate) durable_to: usize,
    /// In the first write of a segment: where the segment before ends.
    pub(crate) previous_end: Option<JournalPosition>,
    segment: SegmentBytes<'a>,
    changes: &'a [u8],
    payload: &'a [u8],
}

/// Reads the record at `position` of a segment whose bytes are `bytes`; `None` when there is none that holds.
pub(crate) fn parse<'a>(segment: &SegmentBytes<'a>, position: usize) -> Option<RawRecord<'a>> {
    let bytes = segment.bytes;
    let Range { start: meta_start, end: payload_start } = meta_at(segment, position)?;
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let end = payload_start + number(position + 8) as usize;
    if crc32c::crc32c_append(segment.seed, &bytes[position + 4..payload_start]) != number(position) {
        return None;
    }
    let mut changes = &bytes[meta_start..payload_start];
    let epoch = u32::try_from(take(&mut changes)?).ok()?;
    let back = usize::try_from(take(&mut changes)?).ok()?;
    let durable_to = position.checked_sub(back)?;
    let previous_end = match durable_to == SEGMENT_HEADER_BYTES {
        true => Some(JournalPosition { segment: take(&mut changes)?, offset: take(&mut changes)? }),
        false => None,
    };
    let payload = &bytes[payload_start..end];
    Some(RawRecord { position, end, epoch, durable_to, previous_end, segment: *segment, changes, payload })
}

/// Where the meta of a record at `position` would be: what [`parse`] has to check. `None` when no record is there at
/// first sight.
pub(crate) fn meta_at(segment: &SegmentBytes<'_>, position: usize) -> Option<Range<usize>> {
    let header = segment.bytes.get(position..position + RECORD_HEADER_BYTES)?;
    if header[7] != KIND_TRANSACTION {
        return None;
    }
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let meta_len = number(4) & 0x00ff_ffff;
    let meta_start = position + RECORD_HEADER_BYTES;
    let end = (meta_start + meta_len).checked_add(number(8))?;
    let fits = meta_len <= TRANSACTION_META_BYTES_MAX && end <= segment.bytes.len();
    fits.then_some(meta_start..meta_start + meta_len)
}

impl RawRecord<'_> {
    /// Checks the payload of the record, whose decoded changes are `changes`: the first chunk, as a range of
    /// the segment, that does not hold.
    pub(crate) fn damaged_payload(&self, changes: &[Logged]) -> Option<Range<usize>> {
        let payload_start = self.end - self.payload.len();
        for placed in changes.iter().filter_map(Logged::payload) {
            let from = placed.position as usize - payload_start;
            let framed = &self.payload[from..from + framed_len(placed.len as usize)];
            for (index, chunk) in framed.chunks(CHUNK_CRC_BYTES + CHUNK_BYTES).enumerate() {
                let (crc, data) = chunk.split_at(CHUNK_CRC_BYTES);
                if crc != chunk_crc(self.segment.seed, data).to_le_bytes() {
                    let at = placed.position as usize + index * (CHUNK_CRC_BYTES + CHUNK_BYTES);
                    return Some(at..at + chunk.len());
                }
            }
        }
        None
    }
}

/// Decodes changes, remembering the last content type so that streams share one.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    content_type: Option<ContentType>,
}

impl Decoder {
    /// The record's changes; `None` when they are not what any version of this program writes.
    pub(crate) fn changes(&mut self, record: &RawRecord<'_>, out: &mut Vec<Logged>) -> Option<()> {
        out.clear();
        let bytes = &mut { record.changes };
        let count = take(bytes)?;
        let mut position = record.end - record.payload.len();
        for _ in 0..count {
            let change = self.change(bytes, record.segment.number, position)?;
            position += change.payload().map_or(0, |placed| framed_len(placed.len as usize));
            if position > record.end {
                return None;
            }
            out.push(change);
        }
        (bytes.is_empty() && position == record.end).then_some(())
    }

    fn change(&mut self, bytes: &mut &[u8], segment: u64, position: usize) -> Option<Logged> {
        let place = |len: u64| {
            Some(Placed {
                segment: u32::try_from(segment).ok()?,
                position: u32::try_from(position).ok()?,
                len: u32::try_from(len).ok()?,
            })
        };
        let tag = take_byte(bytes)?;
        match tag & TAG_MASK {
            TAG_CREATE => {
                let (head, len) = self.create(bytes)?;
                Some(Logged::Create { head: Box::new(head), payload: place(len)? })
            }
            TAG_APPEND => {
                let (id, expected) = take_target(bytes)?;
                let (delta, len) = take_delta(bytes, tag)?;
                Some(Logged::Append { id, expected, delta, payload: place(len)? })
            }
            TAG_FORKS => {
                let (id, expected) = take_target(bytes)?;
                let by = i32::try_from(unzigzag(take(bytes)?)).ok()?;
                Some(Logged::Forks { id, expected, by })
            }
            TAG_SOFT_DELETE => take_target(bytes).map(|(id, expected)| Logged::SoftDelete { id, expected }),
            TAG_REMOVE => {
                let (id, expected) = take_target(bytes)?;
                Some(Logged::Remove { id, path: StreamPath::new(take_text(bytes)?).ok()?, expected })
            }
            TAG_PUT_DOCUMENT => {
                let key = DocumentKey(Arc::from(take_text(bytes)?));
                Some(Logged::PutDocument { key, value: Bytes::copy_from_slice(take_bytes(bytes)?) })
            }
            TAG_REMOVE_DOCUMENT => Some(Logged::RemoveDocument { key: DocumentKey(Arc::from(take_text(bytes)?)) }),
            _ => None,
        }
    }

    fn create(&mut self, bytes: &mut &[u8]) -> Option<(Head, u64)> {
        let flags = take_byte(bytes)?;
        let durability = if flags & HEAD_EPHEMERAL != 0 { Durability::Ephemeral } else { Durability::Durable };
        let mut head = Head {
            id: StreamId(take(bytes)?),
            path: StreamPath::new(take_text(bytes)?).ok()?,
            content_type: self.content_type(take_text(bytes)?)?,
            lifetime: take_lifetime(bytes)?,
            durability,
            created_at_ms: take(bytes)?,
            accessed_at_ms: take(bytes)?,
            earliest: Offset::new(take(bytes)?),
            tail: Offset::new(take(bytes)?),
            closure: take_closure(bytes)?,
            stream_seq: match take_bytes(bytes)? {
                [] => None,
                seq => Some(StreamSeq::new(seq).ok()?),
            },
            producers: Default::default(),
            fork: None,
            inherited: Arc::from([]),
            forks: 0,
            soft_deleted: flags & HEAD_SOFT_DELETED != 0,
            version: Version(0),
        };
        for _ in 0..take(bytes)? {
            let stamp = take_stamp(bytes)?;
            head.producers.insert(stamp.id, ProducerState { epoch: stamp.epoch, seq: stamp.seq });
        }
        head.forks = u32::try_from(take(bytes)?).ok()?;
        head.version = Version(take(bytes)?);
        if flags & HEAD_FORK != 0 {
            take_fork(bytes, flags, &mut head)?;
        }
        Some((head, take(bytes)?))
    }

    fn content_type(&mut self, text: &str) -> Option<ContentType> {
        if let Some(known) = self.content_type.as_ref().filter(|known| known.as_str() == text) {
            return Some(known.clone());
        }
        let new = ContentType::new(text).ok()?;
        self.content_type = Some(new.clone());
        Some(new)
    }
}

fn take_fork(bytes: &mut &[u8], flags: u8, head: &mut Head) -> Option<()> {
    head.fork = Some(ForkOrigin {
        source: StreamId(take(bytes)?),
        source_path: StreamPath::new(take_text(bytes)?).ok()?,
        requested_offset: match flags & HEAD_FORK_REQUESTED {
            0 => None,
            _ => Some(Offset::new(take(bytes)?)),
        },
        sub_offset: take(bytes)?,
        at: Offset::new(take(bytes)?),
    });
    let mut spans = Vec::new();
    for _ in 0..take(bytes)? {
        spans.push(InheritedSpan {
            source: StreamId(take(bytes)?),
            from: Offset::new(take(bytes)?),
            to: Offset::new(take(bytes)?),
        });
    }
    head.inherited = spans.into();
    Some(())
}

fn take_delta(bytes: &mut &[u8], flags: u8) -> Option<(AppendDelta, u64)> {
    let start = Offset::new(take(bytes)?);
    let accessed_at_ms = take(bytes)?;
    let len = if flags & HAS_PAYLOAD != 0 { take(bytes)? } else { 0 };
    start.checked_add(len)?;
    let mut producers = Vec::new();
    if flags & HAS_PRODUCERS != 0 {
        for _ in 0..take(bytes)? {
            producers.push(take_stamp(bytes)?);
        }
    }
    let stream_seq = if flags & HAS_STREAM_SEQ != 0 { Some(StreamSeq::new(take_bytes(bytes)?).ok()?) } else { None };
    let closure = if flags & HAS_CLOSURE != 0 { Some(take_closure(bytes)?) } else { None };
    let trim_to = if flags & HAS_TRIM != 0 { Some(Offset::new(take(bytes)?)) } else { None };
    let delta = AppendDelta { start, payload: Bytes::new(), producers, stream_seq, closure, trim_to, accessed_at_ms };
    Some((delta, len))
}

fn take_target(bytes: &mut &[u8]) -> Option<(StreamId, Version)> {
    Some((StreamId(take(bytes)?), Version(take(bytes)?)))
}

fn take_lifetime(bytes: &mut &[u8]) -> Option<Lifetime> {
    match take_byte(bytes)? {
        LIFETIME_FOREVER => Some(Lifetime::Forever),
        LIFETIME_SLIDING => Some(Lifetime::Sliding(TtlSeconds(take(bytes)?))),
        LIFETIME_UNTIL => Some(Lifetime::Until { at_ms: unzigzag(take(bytes)?) }),
        _ => None,
    }
}

fn take_closure(bytes: &mut &[u8]) -> Option<Closure> {
    match take_byte(bytes)? {
        CLOSURE_OPEN => Some(Closure::Open),
        CLOSURE_CLOSED => Some(Closure::Closed { by: None }),
        CLOSURE_CLOSED_BY => Some(Closure::Closed { by: Some(take_stamp(bytes)?) }),
        _ => None,
    }
}

fn take_stamp(bytes: &mut &[u8]) -> Option<ProducerStamp> {
    Some(ProducerStamp {
        id: ProducerId::new(take_text(bytes)?).ok()?,
        epoch: Epoch::new(take(bytes)?)?,
        seq: ProducerSeq::new(take(bytes)?)?,
    })
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(byte)
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(take(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(bytes)?).ok()
}
