//! What a read brings: content up to an offset.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use headwater_protocol::{ContentType, Framing};
use serde::de::DeserializeOwned;

use super::Stream;
use crate::{Error, Offset};

/// Content up to an offset. Keep the offset with what was made of the content, and a reader that starts there goes on
/// without a gap and without a repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// The content. Of a JSON stream: one array of messages, or nothing.
    pub bytes: Bytes,
    /// Where the next read starts.
    pub offset: Offset,
    /// There was nothing after this when the server answered.
    pub up_to_date: bool,
    /// The stream is closed and this is its end.
    pub closed: bool,
    pub(crate) framing: Framing,
}

impl Batch {
    /// Whether it brings no content, only news of the position.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The messages of a JSON stream.
    ///
    /// # Errors
    /// [`Error::Json`] when the content is no array of `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        if self.bytes.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&self.bytes).map_err(Error::json)
    }

    /// The content as text, with U+FFFD for what is none. Batches may end inside a character: where all of a stream is
    /// read as text, [`Reader::text`](crate::Reader::text) puts such characters together.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// An empty JSON array is no content.
    pub(crate) fn normal(mut self) -> Self {
        if self.framing == Framing::Json && inside(&self.bytes).is_some_and(|inside| inside.is_empty()) {
            self.bytes = Bytes::new();
        }
        self
    }

    /// This and then `next`, as one.
    pub(crate) fn followed_by(self, next: Self) -> Self {
        let bytes = match (self.bytes.is_empty(), next.bytes.is_empty()) {
            (true, _) => next.bytes.clone(),
            (_, true) => self.bytes,
            _ => join(self.framing, &self.bytes, &next.bytes),
        };
        Self { bytes, ..next }
    }
}

impl Stream {
    /// How content is framed, as far as the content type is known.
    pub(crate) fn framing(&self) -> Framing {
        let known = self.content_type.get().and_then(|text| ContentType::new(text).ok());
        known.map_or(Framing::Binary, |content_type| content_type.framing())
    }
}

fn join(framing: Framing, first: &[u8], second: &[u8]) -> Bytes {
    let mut joined = BytesMut::with_capacity(first.len() + second.len() + 1);
    match (framing, inside(first), inside(second)) {
        (Framing::Json, Some(first), Some(second)) => {
            for part in [b"[", first, b",", second, b"]"] {
                joined.extend_from_slice(part);
            }
        }
        _ => {
            joined.extend_from_slice(first);
            joined.extend_from_slice(second);
        }
    }
    joined.freeze()
}

/// What stands between the brackets of a JSON array.
fn inside(array: &[u8]) -> Option<&[u8]> {
    Some(array.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(framing: Framing, bytes: &'static str) -> Batch {
        Batch { bytes: bytes.into(), offset: Offset::start(), up_to_date: false, closed: false, framing }.normal()
    }

    #[test]
    fn arrays_join_into_one_array_and_bytes_into_bytes() {
        let json = |text| batch(Framing::Json, text);
        let joined = json("[1,[2]]").followed_by(json("[ ]")).followed_by(json("[3]"));
        assert_eq!(joined.bytes, "[1,[2],3]");
        assert_eq!(json("[]").followed_by(json("[3]")).json::<u8>().unwrap(), [3]);
        assert_eq!(batch(Framing::Text, "[1]").followed_by(batch(Framing::Text, "[]")).text(), "[1][]");
    }

    #[test]
    fn an_empty_array_is_no_content() {
        assert!(batch(Framing::Json, "[]").is_empty());
        assert!(!batch(Framing::Text, "[]").is_empty());
    }
}
