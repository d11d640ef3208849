//! Every bound of the projection, with its unit in the name.

use std::time::Duration;

/// Names of changed streams remembered; when there are more, all streams are looked at.
pub const CHANGED_NAMES_MAX: usize = 64 * 1024;
/// Streams on a page of a look at all streams.
pub const LOOK_STREAMS: usize = 500;
/// Stored bytes of one stream in one transaction, beyond the message that passes it: others have their turn, too.
pub const PIECE_BYTES: u64 = 256 * 1024;
/// Streams in one transaction.
pub const BATCH_STREAMS: usize = 1_000;
/// Largest text indexed of one tool call or terminal line, in bytes; the row holds all of it.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Size from which on a message goes on in another part, in bytes: what a token that arrives costs is bounded by it.
pub const MESSAGE_PART_BYTES: usize = 8 * 1024;
/// Least time between two transactions: a hundred tokens a second share a few.
pub const TRANSACTION_INTERVAL: Duration = Duration::from_millis(50);
/// How often rows that have expired are looked for.
pub const CLEAN_INTERVAL_MS: u64 = 1_000;
/// Longest time without a look at the clock.
pub const IDLE_INTERVAL: Duration = Duration::from_secs(1);
/// After how long streams that could not be read are tried again.
pub const SET_ASIDE_MS: u64 = 60_000;
/// First pause after a failure; doubled with each further one, …
pub const RETRY_DELAY: Duration = Duration::from_millis(100);
/// … up to so much.
pub const RETRY_DELAY_MAX: Duration = Duration::from_secs(30);
/// How long a transaction waits for somebody else's lock before it counts as failed.
pub const BUSY_WAIT: Duration = Duration::from_millis(250);
/// How long the end waits for the transaction under way.
pub const STOP_WAIT: Duration = Duration::from_secs(5);

/// Longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 512;
/// Words and phrases of one query.
pub const QUERY_PHRASES_MAX: usize = 32;
/// Hits on a page unless told otherwise.
pub const SEARCH_LIMIT_DEFAULT: usize = 20;
/// Hits on a page.
pub const SEARCH_LIMIT_MAX: usize = 100;
/// Words of a snippet.
pub const SNIPPET_TOKENS: u32 = 24;
/// Searches under way at a time; more are refused.
pub const SEARCHES_MAX: usize = 4;
/// How long one may take.
pub const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);

/// What may be set, above all by tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectionLimits {
    /// Stored bytes after which a transaction takes no more streams.
    pub batch_bytes: u64,
    /// Rows that one transaction removes.
    pub clean_rows: usize,
}

impl Default for ProjectionLimits {
    fn default() -> Self {
        Self { batch_bytes: 1024 * 1024, clean_rows: 2_000 }
    }
}
