//! Reading a stream in pieces of whole messages.

use bytes::{Bytes, BytesMut};
use headwater_protocol::json::MESSAGE_END;
use headwater_protocol::{Offset, ReadFrom, StreamPath};
use headwater_streams::{Engine, ReadError, Store, StreamId};
use memchr::{memchr, memrchr};

use crate::limits::PIECE_BYTES;

/// Whole messages from a position on.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Bytes,
    position: Offset,
    /// Where the next piece begins.
    pub(crate) next: Offset,
}

/// Reads what follows `from`, about [`PIECE_BYTES`]; `None` when the stream is no longer the one with this id.
pub(crate) async fn read<S: Store>(
    engine: &Engine<S>,
    path: &StreamPath,
    id: StreamId,
    from: Offset,
) -> Result<Option<Piece>, ReadError> {
    let mut page = engine.page(path, ReadFrom::At(from)).await?;
    if page.id != id {
        return Ok(None);
    }
    let mut bytes = BytesMut::new();
    while let Some(chunk) = page.chunk().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() as u64 >= PIECE_BYTES && memrchr(b'\n', &bytes).is_some() {
            break;
        }
    }
    let whole = memrchr(b'\n', &bytes).map_or(0, |last| last + 1);
    bytes.truncate(whole);
    Ok(Some(Piece { bytes: bytes.freeze(), position: from, next: from.advance(whole as u64) }))
}

impl Piece {
    /// The messages, each with the offset right after it. What is no text has no message.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&str, Offset)> {
        let (mut rest, mut position) = (&self.bytes[..], self.position);
        std::iter::from_fn(move || {
            let end = memchr(b'\n', rest)? + 1;
            let message = &rest[..end.saturating_sub(MESSAGE_END.len())];
            rest = &rest[end..];
            position = position.advance(end as u64);
            Some((message, position))
        })
        .filter_map(|(message, end)| std::str::from_utf8(message).ok().map(|text| (text, end)))
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}
