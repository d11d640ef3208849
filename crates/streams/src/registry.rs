//! The active streams by path, as readers find them.
//!
//! The committer alone inserts and removes. A live reader is counted under the same lock under which eviction looks at
//! the count, so no reader is left waiting on a stream that was evicted under it.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;
use headwater_protocol::StreamPath;
use parking_lot::RwLock;

use crate::live::Live;
use crate::operation::ReadError;

/// A power of two, so that the shard is a mask away.
const SHARDS: usize = 64;

type Shard = RwLock<HashMap<StreamPath, Arc<Live>, RandomState>>;

#[derive(Debug)]
pub(crate) struct Registry {
    shards: Box<[Shard]>,
    hasher: RandomState,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), hasher: RandomState::default() }
    }

    fn shard(&self, path: &StreamPath) -> &Shard {
        &self.shards[self.hasher.hash_one(path) as usize & (SHARDS - 1)]
    }

    pub(crate) fn get(&self, path: &StreamPath) -> Option<Arc<Live>> {
        let shard = self.shard(path).read();
        let live = shard.get(path)?;
        // ORDER: marked under the lock that eviction takes, so that what a reader is about to do is not done to a
        // stream that was evicted under it.
        live.mark_used();
        Some(live.clone())
    }

    /// Finds a readable stream and counts a live reader on it in one step; `None` when it is not in memory.
    pub(crate) fn get_as_reader(&self, path: &StreamPath, now_ms: u64) -> Result<Option<Arc<Live>>, ReadError> {
        let shard = self.shard(path).read();
        let Some(live) = shard.get(path) else { return Ok(None) };
        // ORDER: look before counting, since a counted reader would bring an expired stream back to life.
        live.readable(now_ms)?;
        live.readers.fetch_add(1, Ordering::SeqCst);
        Ok(Some(live.clone()))
    }

    pub(crate) fn insert(&self, live: Arc<Live>) {
        self.shard(&live.path).write().insert(live.path.clone(), live);
    }

    /// Removes this incarnation; one that was created at the same path since stays.
    pub(crate) fn remove(&self, live: &Arc<Live>) {
        let mut shard = self.shard(&live.path).write();
        if shard.get(&live.path).is_some_and(|known| Arc::ptr_eq(known, live)) {
            shard.remove(&live.path);
        }
    }

    /// Removes the stream unless somebody reads it live or has used it since the last sweep.
    pub(crate) fn evict_if_idle(&self, path: &StreamPath) -> bool {
        let mut shard = self.shard(path).write();
        let Some(live) = shard.get(path) else { return true };
        let idle = live.stays_idle();
        if idle {
            shard.remove(path);
        }
        idle
    }

    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Arc<Live>)) {
        for shard in &self.shards {
            shard.read().values().for_each(&mut visit);
        }
    }
}
