//! Stored bytes, cut into messages one at a time.

use bytes::Bytes;
use headwater_protocol::Offset;
use headwater_protocol::json::MESSAGE_END;
use memchr::memchr;

/// Whole messages that are still to be read. Holds the bytes it was given and copies none.
#[derive(Debug, Default)]
pub(super) struct Stored {
    bytes: Bytes,
    position: Offset,
}

/// One message.
#[derive(Debug, Clone)]
pub(super) struct StoredMessage {
    /// Its source text.
    pub(super) json: Bytes,
    /// The offset right after it.
    pub(super) end: Offset,
}

impl Stored {
    /// Messages whose first byte stands at `position`.
    pub(super) fn new(bytes: Bytes, position: Offset) -> Self {
        Self { bytes, position }
    }
}

impl Iterator for Stored {
    type Item = StoredMessage;

    /// The next whole message; bytes after the last one are never given.
    fn next(&mut self) -> Option<StoredMessage> {
        let end = memchr(b'\n', &self.bytes)? + 1;
        let mut json = self.bytes.split_to(end);
        json.truncate(end.saturating_sub(MESSAGE_END.len()));
        self.position = self.position.advance(end as u64);
        Some(StoredMessage { json, end: self.position })
    }
}

impl StoredMessage {
    /// Its source text; JSON streams hold no other.
    pub(super) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.json).ok()
    }
}
