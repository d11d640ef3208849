//! The budget of recent bytes kept in memory, over all streams: first in, first out.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::live::Live;

/// What a kept commit costs beyond its bytes.
const CHUNK_OVERHEAD_BYTES: usize = 128;

#[derive(Debug)]
pub(crate) struct TailCache {
    bytes_max: usize,
    bytes: usize,
    kept: VecDeque<Arc<Live>>,
}

impl TailCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, kept: VecDeque::new() }
    }

    /// Notes that `live` has just been given `bytes` more, and makes room by forgetting the oldest of any stream.
    pub(crate) fn keep(&mut self, live: &Arc<Live>, bytes: usize) {
        self.bytes += bytes + CHUNK_OVERHEAD_BYTES;
        self.kept.push_back(live.clone());
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.drop_oldest_chunk() + CHUNK_OVERHEAD_BYTES;
        }
    }
}
