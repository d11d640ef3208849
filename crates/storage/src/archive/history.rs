//! Reading a stream's archived bytes: extents from the catalog, bytes from the files.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use headwater_protocol::Offset;
use headwater_streams::{StoreError, StreamId};

use super::format::InvalidArchive;
use super::{Archive, ArchiveError};
use crate::catalog::{ArchiveFileId, Catalog, Extent};

/// Look-ups before a file that is always gone counts as lost: each merge moves a byte once, and merges take minutes.
const LOOKUPS_MAX: usize = 4;

/// What readers need of catalog and archive.
#[derive(Debug, Clone)]
pub(crate) struct History {
    catalog: Arc<Catalog>,
    archive: Arc<Archive>,
}

/// A part of one file.
#[derive(Debug, Clone)]
struct Piece {
    file: ArchiveFileId,
    at: Range<u64>,
    /// Offset of its first byte in the stream.
    start: Offset,
}

/// What went wrong, and where.
struct Failure {
    error: ArchiveError,
    piece: Piece,
}

impl History {
    pub(crate) fn new(catalog: Arc<Catalog>, archive: Arc<Archive>) -> Self {
        Self { catalog, archive }
    }

    /// The archived bytes from `range.start` on: all of `range`, or less when the archive has no more of it in one
    /// piece. Empty when the first byte is not archived.
    pub(crate) fn read(&self, stream: StreamId, range: Range<Offset>) -> Result<Bytes, StoreError> {
        self.read_with(stream, &range, |file, at| self.archive.read(file, at).map(Some))
            .map(|bytes| bytes.expect("a read that may wait gives bytes"))
    }

    /// As [`History::read`] when the bytes are in memory; `None` when the read would wait for the device. The look-up
    /// of the extents may still have to wait for a page of the catalog.
    pub(crate) fn read_nowait(&self, stream: StreamId, range: Range<Offset>) -> Result<Option<Bytes>, StoreError> {
        self.read_with(stream, &range, |file, at| self.archive.read_nowait(file, at))
    }

    fn read_with(
        &self,
        stream: StreamId,
        range: &Range<Offset>,
        read: impl Fn(ArchiveFileId, Range<u64>) -> Result<Option<Bytes>, ArchiveError>,
    ) -> Result<Option<Bytes>, StoreError> {
        let mut lookups = 0;
        loop {
            lookups += 1;
            let extents = self.catalog.extents(stream, range.clone())?;
            match gather(pieces(&extents, range), &read) {
                Ok(bytes) => return Ok(bytes),
                // A merge has replaced the file since the look-up.
                Err(failure) if failure.error.is_gone() && lookups < LOOKUPS_MAX => {}
                Err(failure) => return Err(failure.into_store_error(stream)),
            }
        }
    }
}

impl Failure {
    fn into_store_error(self, id: StreamId) -> StoreError {
        let Self { error, piece } = self;
        let damaged = match &error {
            ArchiveError::Damaged { damage: InvalidArchive::Block(block), .. } => {
                block.start.max(piece.at.start)..block.end.min(piece.at.end)
            }
            ArchiveError::Damaged { .. } => piece.at.clone(),
            ArchiveError::Io { .. } if error.is_gone() => piece.at.clone(),
            ArchiveError::Io { operation, path, source } => {
                return StoreError::Io { operation: format!("{operation} {path}"), cause: source.to_string() };
            }
            ArchiveError::Catalog(_) => {
                return StoreError::Io { operation: "reading the catalog".to_owned(), cause: error.to_string() };
            }
        };
        let offset = |at: u64| piece.start.advance(at - piece.at.start);
        StoreError::Damaged { id, range: offset(damaged.start)..offset(damaged.end), detail: error.to_string() }
    }
}

/// The parts of `extents` that make up `range` from its start, up to the first hole.
fn pieces(extents: &[Extent], range: &Range<Offset>) -> Vec<Piece> {
    let mut next = range.start;
    let mut pieces = Vec::with_capacity(extents.len());
    for extent in extents {
        if extent.start > next || next >= range.end {
            break;
        }
        let end = extent.end().min(range.end);
        let from = extent.position + next.bytes_since(extent.start);
        pieces.push(Piece { file: extent.file, at: from..from + end.bytes_since(next), start: next });
        next = end;
    }
    pieces
}

fn gather(
    pieces: Vec<Piece>,
    read: impl Fn(ArchiveFileId, Range<u64>) -> Result<Option<Bytes>, ArchiveError>,
) -> Result<Option<Bytes>, Failure> {
    let is_whole = pieces.len() == 1;
    let mut all = BytesMut::new();
    for piece in pieces {
        match read(piece.file, piece.at.clone()) {
            Ok(Some(bytes)) if is_whole => return Ok(Some(bytes)),
            Ok(Some(bytes)) => all.extend_from_slice(&bytes),
            Ok(None) => return Ok(None),
            Err(error) => return Err(Failure { error, piece }),
        }
    }
    Ok(Some(all.freeze()))
}
