//! Named bounds of the proxy.

use std::time::Duration;

/// Bytes after which what came from upstream is written at once.
pub const FLUSH_BYTES: usize = 4 * 1024;
/// How long the first unwritten byte waits for more.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(50);
/// Unwritten bytes of one generation from which on its upstream is not read; one more chunk of it may be in flight.
pub const PIPE_BYTES_MAX: usize = 32 * 1024;
/// Bytes in flight that an HTTP/2 upstream may send for one generation before they are taken.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// The same for all generations of one connection.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of an upstream's refusal that are passed on.
pub const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;
/// Shortest secret that is accepted, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;
/// Longest wait for an upstream's connection, name resolution included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an unused connection to an upstream is kept.
pub const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// Unused connections kept per upstream.
pub const IDLE_CONNECTIONS_MAX: usize = 32;
/// Before a write that found the engine's queue full is tried again.
pub const OVERLOAD_DELAY: Duration = Duration::from_millis(20);
/// Before the end of a stream that could not be written is tried again.
pub const END_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Streams that the start closes at a time.
pub const RECOVERED_AT_ONCE: usize = 64;
/// How often records of streams that are no more are looked for.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How long a stop waits for generations to be closed.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What an operator may tune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyLimits {
    /// Upstream requests under way; a further one is refused.
    pub upstreams_max: usize,
    /// Bytes of one upstream response; a longer one is cut here and its stream says so.
    pub response_bytes_max: u64,
    /// Bytes of the head of an upstream response.
    pub response_head_bytes_max: usize,
    /// From the request to the head of the response.
    pub head_timeout: Duration,
    /// Between two pieces of a response.
    pub idle_timeout: Duration,
    /// From the head of a response to its end.
    pub total_timeout: Duration,
    /// How long a stream and its signed URL live.
    pub lifetime: Duration,
}

impl Default for ProxyLimits {
    fn default() -> Self {
        Self {
            upstreams_max: 1_000,
            response_bytes_max: 64 * 1024 * 1024,
            response_head_bytes_max: 64 * 1024,
            head_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(10 * 60),
            total_timeout: Duration::from_secs(6 * 3600),
            lifetime: Duration::from_secs(24 * 3600),
        }
    }
}
