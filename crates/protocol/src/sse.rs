//! Server-Sent Events as the protocol uses them (protocol section 5.8): `event: data` with a page's content, then
//! `event: control` with the reader's position.
//!
//! Payload lines end at LF, CR or CRLF and arrive as LF, the only line break SSE can carry; nothing else changes. JSON
//! pages are arrays over as many lines as messages, binary pages one line of base64.

mod parse;

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memchr::{memchr_iter, memchr2_iter};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use parse::{EventTooLarge, SseEvent, SseParser};

use crate::json::MESSAGE_END;
use crate::{Cursor, Framing, Offset};

/// Name of the events that carry content.
pub const DATA_EVENT: &str = "data";
/// Name of the events that carry a position.
pub const CONTROL_EVENT: &str = "control";
/// The answer's content type.
pub const CONTENT_TYPE: &str = "text/event-stream";
/// The value of `stream-sse-data-encoding` where [`is_base64`] holds.
pub const BASE64: &str = "base64";

const DATA_START: &[u8] = b"event: data\ndata:";
const NEXT_LINE: &[u8] = b"data:";

/// Whether data events of such streams are base64, and the answer says so.
pub fn is_base64(framing: Framing) -> bool {
    framing == Framing::Binary
}

/// Encodes a page of stored bytes as one data event.
///
/// A JSON page lies between two boundaries. Of a text page, cut what [`complete_text_len`] or [`complete_utf8_len`] does
/// not count: bytes that are not UTF-8 become U+FFFD.
pub fn encode_data(framing: Framing, stored: &[u8]) -> Bytes {
    match framing {
        Framing::Json => encode_json(stored),
        Framing::Text => encode_text(&String::from_utf8_lossy(stored)),
        Framing::Binary => encode_base64(stored),
    }
    .into()
}

fn encode_json(stored: &[u8]) -> Vec<u8> {
    let content = stored.strip_suffix(MESSAGE_END).unwrap_or(stored);
    let breaks = memchr_iter(b'\n', content).count();
    let mut event = Vec::with_capacity(DATA_START.len() + content.len() + breaks * NEXT_LINE.len() + 4);
    event.extend_from_slice(DATA_START);
    event.push(b'[');
    push_lines(&mut event, content);
    event.extend_from_slice(b"]\n\n");
    event
}

/// Messages as lines, without what separates the last one from the next.
fn push_lines(event: &mut Vec<u8>, content: &[u8]) {
    let mut start = 0;
    for at in memchr_iter(b'\n', content) {
        event.extend_from_slice(&content[start..=at]);
        event.extend_from_slice(NEXT_LINE);
        start = at + 1;
    }
    event.extend_from_slice(&content[start..]);
}

/// One data event of a JSON stream that is made piece by piece: the pieces, one after the other, are what
/// [`encode_data`] makes of all content at once.
#[derive(Debug, Default)]
pub struct JsonEventPieces {
    has_begun: bool,
}

impl JsonEventPieces {
    /// The next piece: of stored bytes between two boundaries, not empty.
    pub fn piece(&mut self, stored: &[u8]) -> Bytes {
        let content = stored.strip_suffix(MESSAGE_END).unwrap_or(stored);
        let breaks = memchr_iter(b'\n', content).count();
        let mut piece = Vec::with_capacity(DATA_START.len() + content.len() + breaks * NEXT_LINE.len() + 1);
        self.begin(&mut piece);
        push_lines(&mut piece, content);
        piece.into()
    }

    /// The last piece.
    pub fn end(mut self) -> Bytes {
        let mut piece = Vec::new();
        if !self.has_begun {
            self.begin(&mut piece);
        }
        piece.extend_from_slice(b"]\n\n");
        piece.into()
    }

    fn begin(&mut self, piece: &mut Vec<u8>) {
        if self.has_begun {
            piece.extend_from_slice(MESSAGE_END);
            piece.extend_from_slice(NEXT_LINE);
        } else {
            piece.extend_from_slice(DATA_START);
            piece.push(b'[');
            self.has_begun = true;
        }
    }
}

fn encode_text(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let breaks = memchr2_iter(b'\n', b'\r', bytes).count();
    // A line adds its field name, perhaps a space, and an end that its own line break gave back.
    let mut event = Vec::with_capacity(DATA_START.len() + bytes.len() + breaks * (NEXT_LINE.len() + 1) + 4);
    event.extend_from_slice(DATA_START);
    let mut start = 0;
    for at in memchr2_iter(b'\n', b'\r', bytes) {
        if at < start {
            continue; // the LF of a CRLF
        }
        push_line(&mut event, &bytes[start..at]);
        event.extend_from_slice(NEXT_LINE);
        start = at + if bytes[at..].starts_with(b"\r\n") { 2 } else { 1 };
    }
    push_line(&mut event, &bytes[start..]);
    event.push(b'\n');
    event
}

fn push_line(event: &mut Vec<u8>, line: &[u8]) {
    // Parsers drop one space after the colon, so only a line that begins with one needs it doubled.
    if line.first() == Some(&b' ') {
        event.push(b' ');
    }
    event.extend_from_slice(line);
    event.push(b'\n');
}

fn encode_base64(stored: &[u8]) -> Vec<u8> {
    let encoded = base64::encoded_len(stored.len(), true).expect("a page is far smaller than the address space");
    let mut event = vec![0; DATA_START.len() + encoded + 2];
    let (start, rest) = event.split_at_mut(DATA_START.len());
    let (content, end) = rest.split_at_mut(encoded);
    start.copy_from_slice(DATA_START);
    STANDARD.encode_slice(stored, content).expect("the slice has the length base64 asked for");
    end.copy_from_slice(b"\n\n");
    event
}

/// A data event's payload is not base64.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("data event of a binary stream is not base64")]
pub struct InvalidBase64;

/// The content a data event carries: text as it is, base64 decoded, whatever the lines it came on.
pub fn decode_data(framing: Framing, data: &str) -> Result<Bytes, InvalidBase64> {
    match framing {
        Framing::Json | Framing::Text => Ok(Bytes::copy_from_slice(data.as_bytes())),
        Framing::Binary => {
            let joined =
                if data.contains(['\n', '\r']) { Cow::Owned(data.replace(['\n', '\r'], "")) } else { data.into() };
            STANDARD.decode(&*joined).map(Bytes::from).map_err(|_| InvalidBase64)
        }
    }
}

/// Bytes before a position that tell whether a UTF-8 character lies across it.
pub const CHARACTER_LOOKBACK_BYTES: u64 = 3;

/// What to send of a text page: all but a UTF-8 character whose end is yet to come (at most 3 bytes).
///
/// Hold the rest back until more arrives, and send it as it is when the stream is closed.
pub fn complete_utf8_len(text: &[u8]) -> usize {
    let window = text.len().saturating_sub(3);
    let Some(lead) = text[window..].iter().rposition(|&byte| byte >= 0xc0) else { return text.len() };
    let lead = window + lead;
    match std::str::from_utf8(&text[lead..]) {
        // `error_len` is absent when the bytes could still become a character.
        Err(error) if error.valid_up_to() == 0 && error.error_len().is_none() => lead,
        _ => text.len(),
    }
}

/// What to send of a text page **when more bytes follow it already**: as [`complete_utf8_len`], and without a CR at the
/// very end, whose LF may come next: apart, the two would read as two line breaks.
pub fn complete_text_len(text: &[u8]) -> usize {
    match text {
        [before @ .., b'\r'] => before.len(),
        _ => complete_utf8_len(text),
    }
}

/// A reader's position, sent after every data event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Where the next read starts.
    pub next: Offset,
    /// How that lies to the tail.
    pub reach: Reach,
}

/// How a reader's position lies to the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// There is more to read.
    Behind(Cursor),
    /// At the tail of an open stream.
    UpToDate(Cursor),
    /// At the end of a closed stream: nothing will follow, and there is no cursor to come back with.
    Closed,
}

impl Control {
    /// Encodes the control event.
    pub fn encode(&self) -> Bytes {
        let mut event = String::with_capacity(128);
        write!(event, "event: control\ndata:{{\"streamNextOffset\":\"{}\"", self.next)
            .and_then(|()| match self.reach {
                Reach::Behind(cursor) => write!(event, ",\"streamCursor\":\"{cursor}\""),
                Reach::UpToDate(cursor) => write!(event, ",\"streamCursor\":\"{cursor}\",\"upToDate\":true"),
                Reach::Closed => write!(event, ",\"upToDate\":true,\"streamClosed\":true"),
            })
            .expect("a String takes every write");
        event.push_str("}\n\n");
        event.into()
    }
}

/// A control event's payload as a client receives it, from any server: offsets and cursors are opaque.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedControl {
    /// Where to read on.
    pub stream_next_offset: String,
    /// What to echo when reconnecting.
    #[serde(default)]
    pub stream_cursor: Option<String>,
    /// Everything there was has been sent.
    #[serde(default)]
    pub up_to_date: bool,
    /// Nothing will follow.
    #[serde(default)]
    pub stream_closed: bool,
}

#[cfg(test)]
mod tests;
