//! Content types as the protocol compares them.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::limits::CONTENT_TYPE_BYTES_MAX;

/// A stream's MIME type, kept as it was sent.
///
/// Two are equal when their essences (`type/subtype`) are, whatever their case and parameters.
#[derive(Clone, Debug)]
pub struct ContentType(Arc<str>);

/// How a stream's bytes fall into messages and how SSE carries them (protocol sections 5.8 and 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `application/json`: messages with boundaries; reads answer one array.
    Json,
    /// `text/*`: bytes that SSE carries as UTF-8 lines.
    Text,
    /// Everything else: bytes that SSE carries as base64.
    Binary,
}

/// Why a text is not a content type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidContentType {
    /// Not of the form `type/subtype`, or with characters no header may hold.
    #[error("content type {0:?} is not of the form type/subtype")]
    Malformed(String),
    /// Longer than the limit.
    #[error("content type has {bytes} bytes; the limit is {CONTENT_TYPE_BYTES_MAX}")]
    TooLong {
        /// Bytes as sent.
        bytes: usize,
    },
}

impl ContentType {
    /// Checks `text` and takes it as a content type.
    pub fn new(text: &str) -> Result<Self, InvalidContentType> {
        let text = text.trim();
        if text.len() > CONTENT_TYPE_BYTES_MAX {
            return Err(InvalidContentType::TooLong { bytes: text.len() });
        }
        let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
        let well_formed = essence_of(text).split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
        if !(printable && well_formed) {
            return Err(InvalidContentType::Malformed(text.chars().take(80).collect()));
        }
        Ok(Self(Arc::from(text)))
    }

    /// `application/octet-stream`: what a stream is when its creator does not say.
    pub fn octet_stream() -> Self {
        Self(Arc::from("application/octet-stream"))
    }

    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How messages are framed.
    pub fn framing(&self) -> Framing {
        let essence = essence_of(&self.0);
        if essence.eq_ignore_ascii_case("application/json") {
            Framing::Json
        } else if essence.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case("text/")) {
            Framing::Text
        } else {
            Framing::Binary
        }
    }
}

impl PartialEq for ContentType {
    fn eq(&self, other: &Self) -> bool {
        essence_of(&self.0).eq_ignore_ascii_case(essence_of(&other.0))
    }
}

impl Eq for ContentType {}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn essence_of(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_parameters_do_not_tell_types_apart() {
        let plain = ContentType::new("application/json").unwrap();
        assert_eq!(plain, ContentType::new("Application/JSON; charset=utf-8").unwrap());
        assert_ne!(plain, ContentType::new("application/ndjson").unwrap());
    }

    #[test]
    fn framing_follows_the_essence() {
        let framing = |text| ContentType::new(text).unwrap().framing();
        assert_eq!(framing("APPLICATION/json;charset=utf-8"), Framing::Json);
        assert_eq!(framing("Text/Plain"), Framing::Text);
        assert_eq!(framing("application/x-protobuf"), Framing::Binary);
    }

    #[test]
    fn malformed_types_are_refused() {
        for text in ["", "text", "/", "text/", "te xt/plain", "text/plain\u{1}", "tëxt/plain"] {
            assert!(ContentType::new(text).is_err(), "{text:?}");
        }
    }
}
