//! Every limit the protocol's words carry, with its unit in the name.

/// Longest stream path, in bytes after percent-decoding.
pub const STREAM_PATH_BYTES_MAX: usize = 1024;
/// Longest `Producer-Id`, in bytes.
pub const PRODUCER_ID_BYTES_MAX: usize = 256;
/// Longest `Stream-Seq`, in bytes.
pub const STREAM_SEQ_BYTES_MAX: usize = 256;
/// Longest `Content-Type`, in bytes.
pub const CONTENT_TYPE_BYTES_MAX: usize = 256;
/// Largest producer epoch or sequence number: 2^53 − 1, what every JavaScript client can hold.
pub const PRODUCER_NUMBER_MAX: u64 = (1 << 53) - 1;
/// Deepest nesting of arrays and objects inside one JSON message.
pub const JSON_DEPTH_MAX: usize = 512;
/// Largest event an SSE parser collects unless told otherwise, in bytes.
pub const SSE_EVENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest subscription pattern, in bytes.
pub const GLOB_BYTES_MAX: usize = 1024;
