//! Named bounds of the store; those an operator or a test may set are in [`StoreLimits`].

use std::time::Duration;

use headwater_streams::limits::{TRANSACTION_BYTES_MAX, TRANSACTION_STEPS_MAX};

/// Bytes of payload under one checksum: what a read of one byte has to check.
pub const CHUNK_BYTES: usize = 64 * 1024;
/// Largest payload of one transaction.
pub const TRANSACTION_PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Largest encoding of what a transaction changes besides payload.
pub const TRANSACTION_META_BYTES_MAX: usize = 16 * 1024 * 1024 - 64;
/// What `reserve` assumes that a transaction takes besides its payload.
pub const TRANSACTION_OVERHEAD_BYTES: usize = 512;
/// Whatever the steps of an engine's transaction are, it can be written.
const _: () =
    assert!(TRANSACTION_BYTES_MAX + TRANSACTION_STEPS_MAX * TRANSACTION_OVERHEAD_BYTES <= TRANSACTION_META_BYTES_MAX,);
/// Bytes between two wanted places of a segment that one read rather takes along than splits at.
pub const READ_GAP_BYTES_MAX: u64 = 16 * 1024;
/// Bytes of one read from a segment.
pub const READ_SPAN_BYTES_MAX: u64 = 1024 * 1024;
/// While a search of a segment looks for records where none may be, so many times the segment's length may go to
/// checking those of more than [`SEARCH_META_BYTES_FREE`].
pub const SEARCH_FACTOR: usize = 16;
/// Bytes of meta that a search checks at any place that looks like a record.
pub const SEARCH_META_BYTES_FREE: usize = 1024;
/// Stream ids leased from the catalog at a time.
pub const ID_LEASE: u64 = 64 * 1024;
/// While checkpoints fail, so many times the replay bound is taken before commits are refused.
pub const BACKLOG_FACTOR: u64 = 4;

/// Archive files that are open, hence descriptors.
pub const ARCHIVE_FILES_OPEN_MAX: usize = 256;
/// Bytes of the checksum tables of open archive files.
pub const ARCHIVE_TABLES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of streams in a merged archive file, hence free space that merging needs.
pub const ARCHIVE_FILE_DATA_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Runs in a merged archive file, hence memory that merging needs.
pub const ARCHIVE_FILE_RUNS_MAX: u64 = 2_000_000;
/// Findings that a report of `verify` lists; more are only counted.
pub const FINDINGS_MAX: usize = 1_000;

/// What an operator or a test may set.
#[derive(Debug, Clone)]
pub struct StoreLimits {
    /// Bytes of a journal segment; a transaction that is larger gets a segment of its own size.
    pub segment_bytes: u64,
    /// Prepared segments kept ready.
    pub spare_segments: usize,
    /// Segments kept for reuse; more are removed.
    pub free_segments_max: usize,
    /// A checkpoint is due after so many journal bytes: the bound of a replay.
    pub checkpoint_journal_bytes: u64,
    /// A checkpoint is due after so many changed streams: the bound of the memtable.
    pub checkpoint_streams: usize,
    /// A checkpoint is due after so long, when something changed.
    pub checkpoint_interval: Duration,
    /// Sealed segments that are archived together.
    pub archive_segments: usize,
    /// Bytes of ephemeral streams in memory; the oldest go first.
    pub ephemeral_bytes_max: usize,
    /// After a failure to prepare a segment, the next attempt waits so long.
    pub prepare_retry: Duration,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            spare_segments: 1,
            free_segments_max: 4,
            checkpoint_journal_bytes: 256 * 1024 * 1024,
            checkpoint_streams: 200_000,
            checkpoint_interval: Duration::from_secs(300),
            archive_segments: 4,
            ephemeral_bytes_max: 256 * 1024 * 1024,
            prepare_retry: Duration::from_secs(1),
        }
    }
}
