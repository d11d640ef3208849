//! Names of streams, relative to the stream root.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::limits::STREAM_PATH_BYTES_MAX;

/// A stream's path below the stream root, percent-decoded: `chat/42`, never `/chat/42`.
///
/// Non-empty UTF-8 of at most [`STREAM_PATH_BYTES_MAX`] bytes without control characters, and no segment is empty,
/// `.` or `..`. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamPath(Arc<str>);

/// Why a text cannot name a stream.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPath {
    /// Nothing after the stream root.
    #[error("stream path is empty")]
    Empty,
    /// Longer than the limit.
    #[error("stream path has {bytes} bytes; the limit is {STREAM_PATH_BYTES_MAX}")]
    TooLong {
        /// Bytes after percent-decoding.
        bytes: usize,
    },
    /// A control character, which no listing or log could show.
    #[error("stream path holds a control character")]
    ControlCharacter,
    /// Two slashes in a row, a slash at an end, `.` or `..`.
    #[error("stream path has an empty, '.' or '..' segment")]
    BadSegment,
    /// In a URL: `%` without two hexadecimal digits after it.
    #[error("stream path has a '%' that two hexadecimal digits do not follow")]
    MalformedEscape,
    /// In a URL: escapes that are not UTF-8.
    #[error("stream path is not UTF-8 once its escapes are decoded")]
    NotUtf8,
}

/// The first segment under which the protocol keeps its own resources (protocol section 6): no stream lives there.
pub const RESERVED_SEGMENT: &str = "__ds";

impl StreamPath {
    /// Checks `text` and takes it as a path.
    pub fn new(text: &str) -> Result<Self, InvalidPath> {
        if text.is_empty() {
            return Err(InvalidPath::Empty);
        }
        if text.len() > STREAM_PATH_BYTES_MAX {
            return Err(InvalidPath::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidPath::ControlCharacter);
        }
        if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(InvalidPath::BadSegment);
        }
        Ok(Self(Arc::from(text)))
    }

    /// Whether it lies under [`RESERVED_SEGMENT`].
    pub fn is_reserved(&self) -> bool {
        self.0.split('/').next() == Some(RESERVED_SEGMENT)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl serde::Serialize for StreamPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for StreamPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl std::borrow::Borrow<str> for StreamPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken_as_they_are() {
        for text in ["a", "chat/42", "ünï/ço de", "a%2Fb", "...", "a.b/..c"] {
            assert_eq!(StreamPath::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn only_the_first_segment_reserves() {
        let reserved = |text| StreamPath::new(text).unwrap().is_reserved();
        assert!(reserved("__ds") && reserved("__ds/x"));
        assert!(!reserved("__dsx") && !reserved("a/__ds"));
    }

    #[test]
    fn path_tricks_are_refused() {
        for text in ["", "/a", "a/", "a//b", "a/../b", ".", "a\0b", "a\nb"] {
            assert!(StreamPath::new(text).is_err(), "{text:?}");
        }
        assert_eq!(StreamPath::new(&"x".repeat(1025)), Err(InvalidPath::TooLong { bytes: 1025 }));
    }
}
