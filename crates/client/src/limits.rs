//! What this client waits for, keeps and tries at most, unless it is told otherwise.

use std::time::Duration;

/// For a connection to be made, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For the head of an answer that does not wait for data.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two pieces of an answer's body.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a live connection may be silent before it is taken for half-dead. Servers end live connections after about
/// a minute, so that a longer silence says something.
pub const LIVE_IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// For the first event of an SSE connection: servers tell the position at once, a proxy that buffers does not.
pub const SSE_FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(5);
/// SSE connections in a row without an event, after which long-poll is used instead.
pub const SSE_SILENT_MAX: u32 = 2;
/// An SSE connection that ended sooner and brought no data ended too quickly.
pub const SSE_SHORT: Duration = Duration::from_secs(1);
/// SSE connections in a row that end too quickly, after which long-poll is used instead.
pub const SSE_SHORT_MAX: u32 = 3;
/// How long long-poll stands in before SSE is tried again.
pub const SSE_RETRY_AFTER: Duration = Duration::from_secs(300);
/// An empty answer to a long-poll that came sooner did not wait, and the next one is held back this long.
pub const LONG_POLL_PAUSE: Duration = Duration::from_millis(100);
/// Answers in a row that break the protocol, after which a reader gives up.
pub const MALFORMED_MAX: u32 = 3;
/// Bytes of one page, or of the events up to one position: what a reader holds at most.
pub const PAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a refusal's body that are looked at.
pub const REFUSAL_BYTES_MAX: usize = 16 * 1024;
/// Characters of a refusal that are kept when it is no problem document.
pub const REFUSAL_CHARACTERS_MAX: usize = 300;
/// Times an operation is tried before its last error is returned.
pub const OPERATION_ATTEMPTS_MAX: u32 = 5;
/// Delay before the first retry.
pub const RETRY_INITIAL: Duration = Duration::from_millis(1000);
/// Factor from one delay to the next.
pub const RETRY_MULTIPLIER: f64 = 2.0;
/// Longest delay of the schedule.
pub const RETRY_CAP: Duration = Duration::from_millis(30_000);
/// Longest `Retry-After` that is believed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// Idle connections kept per host.
pub const IDLE_CONNECTIONS_MAX: usize = 32;
/// How long an idle connection is kept. Shorter than servers' own, which close a connection just as it is used again.
pub const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(25);

/// How long a producer waits for company before it sends a batch that is not full.
pub const PRODUCER_LINGER: Duration = Duration::from_millis(5);
/// Bytes of messages in one batch; a larger message travels alone.
pub const PRODUCER_BATCH_BYTES: usize = 1024 * 1024;
/// Messages in one batch.
pub const PRODUCER_BATCH_MESSAGES: usize = 1000;
/// Batches on their way at the same time.
pub const PRODUCER_IN_FLIGHT: usize = 5;
/// Bytes of messages that a producer holds, sent or not, until they are acknowledged.
pub const PRODUCER_QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Messages that a producer holds, sent or not, until they are acknowledged.
pub const PRODUCER_QUEUE_MESSAGES: usize = 10_000;
/// Commands between a producer and its task.
pub const PRODUCER_COMMANDS_MAX: usize = 1024;
