//! The operations on one stream, one file each: parse, ask the engine, answer. And which streams there are.

pub(crate) mod append;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod head;
pub(crate) mod list;
pub(crate) mod long_poll;
pub(crate) mod page_body;
pub(crate) mod read;
pub(crate) mod sse;

use headwater_protocol::{CURSOR_JITTER_SECONDS_MAX, ContentType, Cursor, Lifetime};
use http::{HeaderMap, HeaderValue};

use crate::response::{STREAM_EXPIRES_AT, STREAM_TTL};

/// A stream's type as an answer's `Content-Type`.
pub(crate) fn content_type_value(content_type: &ContentType) -> HeaderValue {
    HeaderValue::from_str(content_type.as_str()).expect("a content type is visible ASCII")
}

/// The cursor for an answer now, to a client that echoed `echoed`.
pub(crate) fn cursor(now_ms: u64, echoed: Option<&str>) -> Cursor {
    // Only a client that echoes a cursor needs the random step.
    let jitter_seconds = if echoed.is_some() { rand::random_range(1..=CURSOR_JITTER_SECONDS_MAX) } else { 1 };
    Cursor::at(now_ms, echoed, jitter_seconds)
}

/// Tells when a stream ends by itself.
pub(crate) fn tell_lifetime(lifetime: Lifetime, headers: &mut HeaderMap) {
    if let Lifetime::Sliding(ttl) = lifetime {
        headers.insert(STREAM_TTL, HeaderValue::from(ttl.0));
    }
    if let Some(at) = lifetime.expires_at_text() {
        headers.insert(STREAM_EXPIRES_AT, HeaderValue::try_from(at).expect("a timestamp is visible ASCII"));
    }
}
