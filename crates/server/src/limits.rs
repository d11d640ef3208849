//! Named bounds of the HTTP edge. What an operator may tune is in [`ServerLimits`]; the rest is fixed here.

use std::time::Duration;

/// Header fields of one request. Fixed: a head is parsed into an array of this size.
pub const HEADER_COUNT_MAX: usize = 100;
/// Smallest limit on a head's bytes that is of use.
pub const HEADER_BYTES_MIN: usize = 8 * 1024;
/// Appends in flight on one HTTP/1.1 connection; later ones wait in the socket.
pub const PIPELINED_REQUESTS_MAX: usize = 64;
/// Bytes taken from a socket in one read; each worker has one such buffer.
pub const READ_BYTES: usize = 64 * 1024;
/// Bytes of a body that wait for their handler; the rest waits in the socket.
pub const INFLOW_BYTES_MAX: usize = 256 * 1024;
/// Bytes of answers that wait for the socket, after which no more are made.
pub const OUTBOX_BYTES_MAX: usize = 64 * 1024;
/// Largest piece of an answer that is copied to travel together with others.
pub const OUTBOX_COPIED_BYTES_MAX: usize = 4 * 1024;
/// Longest size line of a chunk, with its extensions.
pub const CHUNK_LINE_BYTES_MAX: usize = 1024;
/// Bytes of trailers that are read past.
pub const TRAILER_BYTES_MAX: usize = 8 * 1024;
/// Requests in flight on one HTTP/2 connection.
pub const HTTP2_STREAMS_PER_CONNECTION_MAX: u32 = 250;
/// Bytes an HTTP/2 client may send before the server has taken them, per stream.
pub const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// Bytes an HTTP/2 client may send before the server has taken them, per connection.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes waiting to be sent, per HTTP/2 stream.
pub const HTTP2_SEND_BYTES_MAX: usize = 64 * 1024;
/// How long a browser may remember a preflight answer, in seconds, as it is sent.
pub const PREFLIGHT_MAX_AGE_SECONDS: &str = "86400";
/// Bytes of an unread request that are thrown away so that the client gets to read why it was refused.
pub const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How long that may take.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// Refused connections that may linger at the same time; further ones are simply dropped.
pub const LINGERING_REFUSALS_MAX: usize = 256;
/// Pause after the system refuses to accept a connection (out of descriptors, mostly).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two looks at a worker's connections; short timeouts shorten it.
pub const SWEEP_INTERVAL_MAX: Duration = Duration::from_millis(500);
/// Shortest pause between two looks at a worker's connections.
pub const SWEEP_INTERVAL_MIN: Duration = Duration::from_millis(5);
/// What a client is told to wait before it tries again after overload, in seconds, as it is sent.
pub const RETRY_AFTER_SECONDS: &str = "1";
/// Longest `X-Request-Id` that is taken over from a client, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// A live SSE reader's lifetime is drawn from the configured one minus up to this share, so that readers that came
/// together do not come back together.
pub const SSE_LIFETIME_SPREAD: f64 = 0.1;
/// Largest data event that is copied to travel in one piece with its control event.
pub const SSE_JOINED_BYTES_MAX: usize = 4 * 1024;
/// Bytes of events that a live reader of a session is given in one piece, about: one more event may follow.
pub const SESSION_FRAME_BYTES: usize = 16 * 1024;
/// How often a live reader of a session hears that the connection lives.
pub const SESSION_PING_INTERVAL: Duration = Duration::from_secs(15);
/// Streams on a page of a listing unless the client says otherwise.
pub const LISTING_STREAMS: usize = 100;
/// Streams on a page of a listing at most.
pub const LISTING_STREAMS_MAX: usize = 1_000;
/// Warnings of one kind that are logged per second.
pub const WARNINGS_PER_SECOND_MAX: u32 = 5;
/// Bytes of one event of a proxied response that becomes part of a session; a longer one ends what the session is told.
pub const MIRROR_EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest text of one of its chunks, in bytes: in JSON it may take six times as much, and an event is bounded.
pub const MIRROR_CHUNK_BYTES_MAX: usize = 8 * 1024;
/// Chunks that a session is told at a time.
pub const MIRROR_EVENTS_AT_ONCE: usize = 64;
/// Longest reason of a failure that a session is told, in bytes.
pub const MIRROR_REASON_BYTES_MAX: usize = 1024;
/// Before a session that had no place for an event is told again.
pub const MIRROR_RETRY_DELAY: Duration = Duration::from_millis(100);
/// How long a stop waits until sessions have heard how responses ended.
pub const MIRROR_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operator may tune.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// Open connections; more are answered 503.
    pub connections_max: usize,
    /// Body bytes of one request; more are answered 413.
    pub body_bytes_max: usize,
    /// Request line and header bytes of one request; more are answered 431.
    pub header_bytes_max: usize,
    /// Bytes of a request's path and query; more are answered 414.
    pub url_bytes_max: usize,
    /// From a request's first byte to the end of its head.
    pub head_timeout: Duration,
    /// For a request's body, plus the time its bytes take at `body_bytes_per_second_min`.
    pub body_timeout: Duration,
    /// The slowest body that is waited for.
    pub body_bytes_per_second_min: usize,
    /// A connection without a request is closed after this.
    pub idle_timeout: Duration,
    /// A client that takes none of the bytes sent to it is dropped after this.
    pub write_stall_timeout: Duration,
    /// How long requests in flight may take once the server is told to stop.
    pub shutdown_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            body_bytes_max: 10 * 1024 * 1024,
            header_bytes_max: 32 * 1024,
            url_bytes_max: 8 * 1024,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            body_bytes_per_second_min: 16 * 1024,
            idle_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}
