//! The stored form of JSON streams (protocol section 9.1), and the arrays that answers are.
//!
//! A stored message is its source text, exactly (digits, key order, duplicate keys, escapes), followed by `,` and a line
//! feed. Raw line breaks inside a message, which JSON allows only as white space, become spaces: so a line feed always
//! ends a message, boundaries are found without parsing, and a page between two boundaries becomes an array by writing
//! `[` before it and `]` in place of its last two bytes.

use std::fmt;

use bytes::Bytes;
use memchr::{memchr_iter, memchr2, memrchr};
use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::limits::JSON_DEPTH_MAX;

/// What follows every stored message.
pub const MESSAGE_END: &[u8; 2] = b",\n";

/// A body cut into messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framed {
    /// The messages as stored.
    pub bytes: Bytes,
    /// How many; zero for `[]`, which a creation may send and an append may not.
    pub messages: usize,
}

/// Why a body is not JSON that a stream can hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidJson {
    /// Not UTF-8.
    #[error("body is not valid JSON: the byte at position {position} is not UTF-8")]
    NotUtf8 {
        /// Valid bytes before it.
        position: usize,
    },
    /// Against the grammar.
    #[error("body is not valid JSON at line {line}, column {column}: {what}")]
    Malformed {
        /// From 1.
        line: usize,
        /// In bytes; 0 at the end of the line before.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// Arrays and objects inside each other, too deep for readers to parse safely.
    #[error("a JSON message is nested more than {JSON_DEPTH_MAX} levels deep")]
    TooDeep,
}

/// Checks a request's body and cuts it into messages: one level of an outer array is flattened.
pub fn frame(body: &[u8]) -> Result<Framed, InvalidJson> {
    let text = std::str::from_utf8(body).map_err(|error| InvalidJson::NotUtf8 { position: error.valid_up_to() })?;
    let mut messages = Messages::with_capacity(body.len());
    let mut parser = serde_json::Deserializer::from_str(text);
    if text.trim_ascii_start().starts_with('[') {
        parser.deserialize_seq(&mut messages).map_err(malformed)?;
    } else {
        let message: &RawValue = serde::Deserialize::deserialize(&mut parser).map_err(malformed)?;
        messages.push(message.get());
    }
    parser.end().map_err(malformed)?;
    if messages.too_deep {
        return Err(InvalidJson::TooDeep);
    }
    Ok(Framed { bytes: messages.stored.into(), messages: messages.count })
}

fn malformed(error: serde_json::Error) -> InvalidJson {
    let (line, column) = (error.line(), error.column());
    let mut what = error.to_string();
    if let Some(position) = what.rfind(" at line ") {
        what.truncate(position);
    }
    InvalidJson::Malformed { line, column, what }
}

/// Collects messages in their stored form.
struct Messages {
    stored: Vec<u8>,
    count: usize,
    too_deep: bool,
}

impl Messages {
    fn with_capacity(body_len: usize) -> Self {
        // Each message grows by a byte at most, against its share of the array: a sixteenth covers messages of 16 bytes.
        Self { stored: Vec::with_capacity(body_len + body_len / 16 + 2), count: 0, too_deep: false }
    }

    fn push(&mut self, message: &str) {
        self.too_deep |= is_too_deep(message.as_bytes());
        let mut rest = message.as_bytes();
        while let Some(at) = memchr2(b'\n', b'\r', rest) {
            self.stored.extend_from_slice(&rest[..at]);
            self.stored.push(b' ');
            rest = &rest[at + 1..];
        }
        self.stored.extend_from_slice(rest);
        self.stored.extend_from_slice(MESSAGE_END);
        self.count += 1;
    }
}

impl<'de> Visitor<'de> for &mut Messages {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(message) = elements.next_element::<&RawValue>()? {
            self.push(message.get());
        }
        Ok(())
    }
}

/// Whether a well-formed message nests deeper than the limit.
fn is_too_deep(message: &[u8]) -> bool {
    // Every level takes two bytes, so most messages need no look.
    if message.len() <= 2 * JSON_DEPTH_MAX {
        return false;
    }
    let mut depth = 0_usize;
    let mut rest = message;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => rest = after_string(after),
            b'[' | b'{' if depth == JSON_DEPTH_MAX => return true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    false
}

/// What follows the string whose opening quote came just before `text`.
fn after_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' {
            return &rest[at + 1..];
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    &[]
}

/// Whether `at` is a position between stored messages.
pub fn is_boundary(stored: &[u8], at: usize) -> bool {
    at == 0 || stored.get(at - 1) == Some(&b'\n')
}

/// The last end of a message at or before `limit`; 0 when the first message is longer.
pub fn boundary_before(stored: &[u8], limit: usize) -> usize {
    let reach = &stored[..limit.min(stored.len())];
    memrchr(b'\n', reach).map_or(0, |at| at + 1)
}

/// Stored bytes of the first `count` messages, or `None` when there are fewer.
pub fn skip_messages(stored: &[u8], count: u64) -> Option<usize> {
    let Some(last) = count.checked_sub(1) else { return Some(0) };
    let last = usize::try_from(last).ok()?;
    memchr_iter(b'\n', stored).nth(last).map(|at| at + 1)
}

/// Complete messages in stored bytes.
pub fn count_messages(stored: &[u8]) -> usize {
    memchr_iter(b'\n', stored).count()
}

/// The array of the messages in `stored`, which must lie between two boundaries.
pub fn wrap(stored: &[u8]) -> Bytes {
    let content = stored.strip_suffix(MESSAGE_END).unwrap_or(stored);
    let mut array = Vec::with_capacity(content.len() + 2);
    array.push(b'[');
    array.extend_from_slice(content);
    array.push(b']');
    array.into()
}

/// Makes an array of a page that arrives in chunks, without copying: write [`ArrayPage::OPEN`], then what
/// [`ArrayPage::chunk`] leaves of each chunk, then [`ArrayPage::CLOSE`].
#[derive(Debug, Clone)]
pub struct ArrayPage {
    array_len: u64,
    content_left: u64,
}

impl ArrayPage {
    /// Comes first.
    pub const OPEN: &'static [u8] = b"[";
    /// Comes last.
    pub const CLOSE: &'static [u8] = b"]";

    /// For a page of `stored_len` bytes between two boundaries.
    pub fn new(stored_len: u64) -> Self {
        let content_left = stored_len.saturating_sub(MESSAGE_END.len() as u64);
        Self { array_len: content_left + 2, content_left }
    }

    /// Bytes of the whole array: what `Content-Length` says.
    pub fn array_len(&self) -> u64 {
        self.array_len
    }

    /// The part of the next chunk that belongs to the array; empty when the chunk is only the end of the last message.
    pub fn chunk(&mut self, mut chunk: Bytes) -> Bytes {
        let keep = usize::try_from(self.content_left).unwrap_or(usize::MAX).min(chunk.len());
        chunk.truncate(keep);
        self.content_left -= keep as u64;
        chunk
    }
}

#[cfg(test)]
mod tests;
