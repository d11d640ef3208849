//! Named bounds of the engine; each has a default here and is settable through [`EngineLimits`](crate::limits::EngineLimits).

use std::time::Duration;

/// Bytes one [`Store::read`](crate::Store::read) may be asked for.
pub const STORE_READ_BYTES_MAX: usize = 256 * 1024;
/// Operations the committer decides in one batch.
pub const BATCH_OPERATIONS_MAX: usize = 4096;
/// Payload bytes after which the committer stops draining its queue into a batch.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a batch may fill up under load before it is written: a few times what a write takes.
pub const GATHER_WINDOW: Duration = Duration::from_micros(600);
/// Operations the last batch must have had for the next one to be given time to fill.
pub const GATHER_OPERATIONS_MIN: usize = 4;
/// Operations from which on a batch is taken at once.
pub const GATHER_OPERATIONS_MAX: usize = 128;
/// How long one step of waiting for a batch to fill is.
pub const GATHER_STEP: Duration = Duration::from_micros(20);
/// Damaged ranges remembered per active stream, so that pages end before them.
pub const DAMAGED_RANGES_MAX: usize = 64;
/// Bytes of several small commits joined into one batch for a live reader that lags.
pub const FOLLOW_BYTES_MAX: usize = 64 * 1024;
/// Steps of one transaction.
pub const TRANSACTION_STEPS_MAX: usize = 256;
/// Bytes of one transaction: payloads, documents and names.
pub const TRANSACTION_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Spans of inherited data a fork may stitch together.
pub const FORK_SPANS_MAX: usize = 256;

/// Longest time, in milliseconds, that a reader's access to a stream with a sliding lifetime goes unrecorded, and so the
/// longest such a stream outlives its lifetime after a crash.
pub const TOUCH_GRAIN_MS_MAX: u64 = 300_000;
/// Idle streams whose last access one sweep has recorded before they can be evicted.
pub const SWEEP_TOUCHES_MAX: usize = 1024;

/// How long the last handle waits for a place in the queue to say that the engine ends.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// What an operator may tune; the defaults suit two cores and a gigabyte.
#[derive(Debug, Clone)]
pub struct EngineLimits {
    /// Operations waiting for the committer; more are refused as overload.
    pub queue_operations_max: usize,
    /// Payload bytes waiting for the committer; more are refused as overload.
    pub queue_bytes_max: usize,
    /// Bytes of recent appends kept in memory for readers, over all streams.
    pub tail_cache_bytes_max: usize,
    /// Streams whose heads stay in memory when nobody uses them.
    pub active_streams_max: usize,
    /// Idempotent producers remembered per stream.
    pub producers_per_stream_max: usize,
    /// Live readers (long-polls and SSE) on one stream.
    pub live_readers_per_stream_max: usize,
    /// Live readers over all streams.
    pub live_readers_max: usize,
    /// Body bytes of one page of a catch-up read; one message longer than this still comes whole.
    pub page_bytes_max: usize,
    /// How often expired streams are looked for.
    pub reap_interval: Duration,
    /// Streams reaped per round.
    pub reap_streams_max: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            queue_operations_max: 16 * 1024,
            queue_bytes_max: 256 * 1024 * 1024,
            tail_cache_bytes_max: 64 * 1024 * 1024,
            active_streams_max: 256 * 1024,
            producers_per_stream_max: 10_000,
            live_readers_per_stream_max: 10_000,
            live_readers_max: 50_000,
            page_bytes_max: 4 * 1024 * 1024,
            reap_interval: Duration::from_secs(1),
            reap_streams_max: 1_000,
        }
    }
}
