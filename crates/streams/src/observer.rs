//! What the engine tells whoever keeps figures.

use std::time::Duration;

/// Receives figures from the committer. Calls must return at once.
pub trait Observer: Send + Sync + 'static {
    /// A batch became durable: how many operations, payload bytes, bytes handed to the disk, and how long the store
    /// took from first write to durable.
    fn committed(&self, operations: usize, payload_bytes: u64, written_bytes: u64, sync: Duration);
    /// Streams reaped because their lifetime ended.
    fn reaped(&self, streams: usize);
}

/// Keeps no figures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn committed(&self, _: usize, _: u64, _: u64, _: Duration) {}
    fn reaped(&self, _: usize) {}
}
