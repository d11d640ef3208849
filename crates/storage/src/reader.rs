//! Reads payloads from journal segments and checks them.
//!
//! Only the chunks that a range touches are read and checked. Payloads that lie near each other in a segment are
//! fetched with one read.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_protocol::Offset;
use headwater_streams::{StoreError, StreamId};

use crate::error::io_error;
use crate::extents::Extent;
use crate::journal::Segment;
use crate::limits::{CHUNK_BYTES, READ_GAP_BYTES_MAX, READ_SPAN_BYTES_MAX};
use crate::record::{CHUNK_CRC_BYTES, chunk_crc};

const FRAMED_CHUNK_BYTES: u64 = (CHUNK_BYTES + CHUNK_CRC_BYTES) as u64;

/// Whether a read may wait for the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Never,
    IfNeeded,
}

/// A planned read of a range that the journal holds.
#[derive(Debug)]
pub(crate) struct JournalRead {
    id: StreamId,
    range: Range<Offset>,
    spans: Vec<Span>,
}

/// Bytes of a segment that are fetched together.
#[derive(Debug)]
struct Span {
    segment: Arc<Segment>,
    at: Range<u64>,
    pieces: Vec<Piece>,
}

/// The part of one payload that is wanted.
#[derive(Debug)]
struct Piece {
    extent: Extent,
    wanted: Range<Offset>,
}

impl JournalRead {
    /// Plans to read `range`, which `extents` must hold without holes.
    pub(crate) fn plan(
        id: StreamId,
        range: Range<Offset>,
        extents: Vec<(Extent, Arc<Segment>)>,
    ) -> Result<Self, StoreError> {
        let mut spans: Vec<Span> = Vec::new();
        let mut next = range.start;
        for (extent, segment) in extents {
            if extent.start > next {
                return Err(hole(id, next..extent.start));
            }
            let piece = Piece { extent, wanted: next..extent.end().min(range.end) };
            next = piece.wanted.end;
            let at = piece.framed();
            match spans.last_mut().filter(|span| span.takes(&segment, &at)) {
                Some(span) => {
                    span.at.end = at.end;
                    span.pieces.push(piece);
                }
                None => spans.push(Span { segment, at, pieces: vec![piece] }),
            }
        }
        if next < range.end { Err(hole(id, next..range.end)) } else { Ok(Self { id, range, spans }) }
    }

    /// Exactly the bytes of the range; `None` when that would wait and must not.
    pub(crate) fn run(&self, wait: Wait) -> Result<Option<Bytes>, StoreError> {
        if let [span] = &self.spans[..]
            && let [piece] = &span.pieces[..]
            && piece.chunks().count() == 1
        {
            let Some(bytes) = span.fetch(wait)? else { return Ok(None) };
            let at = self.check(span, piece, piece.chunks().start, &bytes)?;
            return Ok(Some(Bytes::from(bytes).slice(at)));
        }
        let mut all = BytesMut::with_capacity(self.range.end.bytes_since(self.range.start) as usize);
        for span in &self.spans {
            let Some(bytes) = span.fetch(wait)? else { return Ok(None) };
            for piece in &span.pieces {
                for chunk in piece.chunks() {
                    let at = self.check(span, piece, chunk, &bytes)?;
                    all.extend_from_slice(&bytes[at]);
                }
            }
        }
        Ok(Some(all.freeze()))
    }

    /// Checks one chunk of a piece and tells where in `bytes` its wanted part is.
    fn check(&self, span: &Span, piece: &Piece, chunk: u64, bytes: &[u8]) -> Result<Range<usize>, StoreError> {
        let framed = piece.framed_chunk(chunk);
        let local = |position: u64| (position - span.at.start) as usize;
        let (crc, data) = bytes[local(framed.start)..local(framed.end)].split_at(CHUNK_CRC_BYTES);
        let start = piece.extent.start.advance(chunk * CHUNK_BYTES as u64);
        let end = start.advance(data.len() as u64);
        let wanted = piece.wanted.start.max(start)..piece.wanted.end.min(end);
        if crc != chunk_crc(span.segment.seed(), data).to_le_bytes() {
            let detail = format!("bytes {} to {} of {}", framed.start, framed.end, span.segment.path());
            return Err(StoreError::Damaged { id: self.id, range: wanted, detail });
        }
        let data_at = local(framed.start) + CHUNK_CRC_BYTES;
        let at = |offset: Offset| data_at + offset.bytes_since(start) as usize;
        Ok(at(wanted.start)..at(wanted.end))
    }
}

impl Span {
    /// Whether a payload at `at` is near enough to come along.
    fn takes(&self, segment: &Arc<Segment>, at: &Range<u64>) -> bool {
        Arc::ptr_eq(&self.segment, segment)
            && at.start >= self.at.end
            && at.start - self.at.end <= READ_GAP_BYTES_MAX
            && at.end - self.at.start <= READ_SPAN_BYTES_MAX
    }

    fn fetch(&self, wait: Wait) -> Result<Option<Vec<u8>>, StoreError> {
        let mut bytes = vec![0; (self.at.end - self.at.start) as usize];
        let file = self.segment.file();
        let read = match wait {
            Wait::Never => file.read_at_nowait(&mut bytes, self.at.start),
            Wait::IfNeeded => file.read_at(&mut bytes, self.at.start).map(Some),
        };
        let path = || self.segment.path();
        match read.map_err(|error| io_error(format!("reading {}", path()))(error))? {
            None => Ok(None),
            Some(read) if read == bytes.len() => Ok(Some(bytes)),
            Some(_) => Err(StoreError::Io {
                operation: format!("reading {}", path()),
                cause: "the file is shorter than it was".to_owned(),
            }),
        }
    }
}

impl Piece {
    /// Chunks of the payload that the wanted part touches.
    fn chunks(&self) -> Range<u64> {
        let chunk = CHUNK_BYTES as u64;
        let first = self.wanted.start.bytes_since(self.extent.start) / chunk;
        first..self.wanted.end.bytes_since(self.extent.start).div_ceil(chunk)
    }

    /// Where a chunk and its checksum are in the segment.
    fn framed_chunk(&self, chunk: u64) -> Range<u64> {
        let start = u64::from(self.extent.placed.position) + chunk * FRAMED_CHUNK_BYTES;
        let data = (u64::from(self.extent.placed.len) - chunk * CHUNK_BYTES as u64).min(CHUNK_BYTES as u64);
        start..start + CHUNK_CRC_BYTES as u64 + data
    }

    /// Where all touched chunks are in the segment.
    fn framed(&self) -> Range<u64> {
        let chunks = self.chunks();
        self.framed_chunk(chunks.start).start..self.framed_chunk(chunks.end - 1).end
    }
}

fn hole(id: StreamId, range: Range<Offset>) -> StoreError {
    StoreError::Damaged { id, range, detail: "no record of the journal holds them".to_owned() }
}
