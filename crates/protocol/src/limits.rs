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
/// Longest subscription id, in bytes after percent-decoding.
pub const SUBSCRIPTION_ID_BYTES_MAX: usize = 256;
/// Most stream paths one subscription request may name.
pub const SUBSCRIPTION_STREAMS_PER_REQUEST_MAX: usize = 1000;
/// Longest subscription description, in bytes.
pub const SUBSCRIPTION_DESCRIPTION_BYTES_MAX: usize = 1024;
/// Longest webhook URL, in bytes.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;
/// Longest name of a worker, in bytes.
pub const WORKER_NAME_BYTES_MAX: usize = 256;
/// Shortest lease, in milliseconds.
pub const LEASE_TTL_MS_MIN: u64 = 1_000;
/// Lease unless told otherwise, in milliseconds.
pub const LEASE_TTL_MS_DEFAULT: u64 = 30_000;
/// Longest lease, in milliseconds.
pub const LEASE_TTL_MS_MAX: u64 = 600_000;
