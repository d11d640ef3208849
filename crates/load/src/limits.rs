//! Named bounds and intervals of the load generator.

use std::time::Duration;

/// Bytes of an answer's body that an error repeats.
pub(crate) const SAID_BYTES_MAX: usize = 300;
/// Before a connection that was lost is opened again.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// How long the last answers may take once nothing more is sent.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the last deliveries may take once nothing more is written.
pub(crate) const LAST_DELIVERIES: Duration = Duration::from_secs(5);
/// How often progress is looked at while something is waited for.
pub(crate) const POLL: Duration = Duration::from_millis(5);
/// The longest latency that is told apart from longer ones.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(120);

/// Requests in flight in an open loop, on all connections together.
pub(crate) const OPEN_LOOP_IN_FLIGHT_MAX: u64 = 8_192;
/// How long the pace of an open loop waits when so many are in flight.
pub(crate) const OPEN_LOOP_OVERLOADED: Duration = Duration::from_millis(1);
/// Before an open loop writes again to a socket that was full.
pub(crate) const OPEN_LOOP_RETRY_WRITE: Duration = Duration::from_micros(20);

/// Connections that create and delete streams.
pub(crate) const SETUP_CONNECTIONS: usize = 16;
/// Requests in flight on each of them.
pub(crate) const SETUP_IN_FLIGHT: usize = 16;
/// Bytes of one append that fills a stream.
pub(crate) const FILL_BLOCK_BYTES: usize = 1 << 20;
/// Messages of one append that fills a JSON stream: about as many bytes.
pub(crate) const FILL_BLOCK_MESSAGES: usize = 18_000;

/// The latest bytes of an SSE response that are kept to find where to go on.
pub(crate) const SSE_KEPT_BYTES: usize = 1024;
