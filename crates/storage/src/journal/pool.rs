//! Segments ready for the writer: prepared ahead, recycled, bounded in number.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use headwater_streams::StoreError;
use parking_lot::Mutex;

use super::JOURNAL_DIR;
use super::segment::{Segment, SegmentHeader, path_of};
use crate::disk::Disk;
use crate::error::io_error;
use crate::limits::StoreLimits;
use crate::record::SEGMENT_HEADER_BYTES;

/// Where a new segment is filled with zeros before it gets its name.
const UNFINISHED: &str = "journal/unfinished.tmp";
/// Bytes of zeros between two syncs of a segment that is being filled.
const FILL_SYNC_BYTES: u64 = 1024 * 1024;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Hands out prepared segments and takes back dead ones.
#[derive(Debug)]
pub(crate) struct Pool {
    disk: Arc<dyn Disk>,
    limits: StoreLimits,
    salt: u32,
    state: Mutex<State>,
    /// Held while a segment is prepared, so that numbers become ready in order.
    preparing: Mutex<()>,
    written_bytes: AtomicU64,
}

/// What recovery found besides the segments with records.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    /// Prepared, lowest number first.
    pub(crate) ready: Vec<Arc<Segment>>,
    /// Dead.
    pub(crate) free: Vec<Arc<Segment>>,
    /// Above every number in use.
    pub(crate) next_number: u64,
}

#[derive(Debug)]
struct State {
    /// Lowest number first.
    ready: VecDeque<Arc<Segment>>,
    /// Dead segments of the standard size. A reader may still hold one: it is reused only once nobody does.
    free: Vec<Arc<Segment>>,
    next_number: u64,
    failed_at: Option<Instant>,
}

impl Pool {
    /// Starts with what recovery found.
    pub(crate) fn new(disk: Arc<dyn Disk>, limits: StoreLimits, salt: u32, spares: Spares) -> Self {
        let Spares { ready, free, next_number } = spares;
        let state = State { ready: ready.into(), free, next_number, failed_at: None };
        let (preparing, written_bytes) = (Mutex::new(()), AtomicU64::new(0));
        Self { disk, limits, salt, state: Mutex::new(state), preparing, written_bytes }
    }

    /// Bytes written to prepare segments.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }

    /// Prepares as many segments as are to be ready, and removes dead ones beyond the bound.
    pub(crate) fn fill(&self) -> Result<(), StoreError> {
        while self.state.lock().ready.len() < self.limits.spare_segments {
            self.prepare(self.limits.segment_bytes)?;
        }
        self.shrink()
    }

    /// Capacity of the segments that are ready.
    pub(crate) fn ready_bytes(&self) -> u64 {
        let state = self.state.lock();
        state.ready.iter().map(|segment| segment.capacity() - SEGMENT_HEADER_BYTES as u64).sum()
    }

    /// Segments that are ready or free, and their bytes on disk.
    pub(crate) fn size(&self) -> (u64, u64) {
        let state = self.state.lock();
        let all = || state.ready.iter().chain(&state.free);
        (all().count() as u64, all().map(|segment| segment.capacity()).sum())
    }

    /// The next segment, with room for a record of `record_bytes`. Prepares one when none is ready.
    pub(crate) fn take(&self, record_bytes: u64) -> Result<Arc<Segment>, StoreError> {
        let needed = record_bytes + SEGMENT_HEADER_BYTES as u64;
        if needed > self.limits.segment_bytes {
            return self.take_oversized(needed);
        }
        loop {
            if let Some(segment) = self.state.lock().ready.pop_front() {
                return Ok(segment);
            }
            self.prepare(self.limits.segment_bytes)?;
        }
    }

    /// Makes `bytes` of ready capacity, unless an attempt failed a moment ago.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), StoreError> {
        while self.ready_bytes() < bytes {
            let failed_at = self.state.lock().failed_at;
            if failed_at.is_some_and(|at| at.elapsed() < self.limits.prepare_retry) {
                return Err(StoreError::Full);
            }
            self.prepare(self.limits.segment_bytes)?;
        }
        Ok(())
    }

    /// Takes back segments that were taken and not written to.
    pub(crate) fn give_back(&self, unused: impl DoubleEndedIterator<Item = Arc<Segment>>) {
        let mut state = self.state.lock();
        unused.rev().for_each(|segment| state.ready.push_front(segment));
    }

    /// Takes back segments whose records are in the archive or dead.
    pub(crate) fn recycle(&self, dead: Vec<Arc<Segment>>) {
        self.state.lock().free.extend(dead);
    }

    /// Prepared segments of lower numbers than an oversized one can no longer come before it.
    fn take_oversized(&self, capacity: u64) -> Result<Arc<Segment>, StoreError> {
        self.prepare(capacity)?;
        let mut state = self.state.lock();
        let segment = state.ready.pop_back().expect("prepared just now, and only the writer takes");
        let skipped = std::mem::take(&mut state.ready);
        state.free.extend(skipped);
        Ok(segment)
    }

    fn prepare(&self, capacity: u64) -> Result<(), StoreError> {
        let _in_order = self.preparing.lock();
        let (number, old) = {
            let mut state = self.state.lock();
            let unused = state.free.iter().position(|old| Arc::strong_count(old) == 1 && old.capacity() == capacity);
            (state.next_number, unused.map(|index| state.free.swap_remove(index)))
        };
        let prepared = match &old {
            Some(old) => self.rename_recycled(old, number),
            None => self.create(number, capacity),
        };
        let mut state = self.state.lock();
        // A number that may have reached the disk is not used again.
        state.next_number = number + 1;
        state.failed_at = prepared.as_ref().err().map(|_| Instant::now());
        state.ready.push_back(Arc::new(prepared?));
        Ok(())
    }

    fn create(&self, number: u64, capacity: u64) -> Result<Segment, StoreError> {
        let made = self.create_zeroed(number, capacity);
        if made.is_err() {
            // Best effort: a full disk gets its bytes back; a file that stays is replaced by the next attempt.
            let _ = self.disk.remove(UNFINISHED);
        }
        made
    }

    fn create_zeroed(&self, number: u64, capacity: u64) -> Result<Segment, StoreError> {
        let failed = |what: &str| io_error(format!("{what} {}", path_of(number)));
        let file = self.disk.create(UNFINISHED).map_err(failed("creating"))?;
        let mut offset = SEGMENT_HEADER_BYTES as u64;
        while offset < capacity {
            let len = (capacity - offset).min(ZEROS.len() as u64);
            file.write_at(&ZEROS[..len as usize], offset).map_err(failed("filling"))?;
            offset += len;
            // Little by little: one sync of a whole segment would hold up the commits that go on beside it.
            if offset % FILL_SYNC_BYTES < len {
                file.sync_data().map_err(failed("syncing"))?;
            }
        }
        file.write_at(&SegmentHeader { number, capacity }.encode(), 0).map_err(failed("writing the header of"))?;
        file.sync_data().map_err(failed("syncing"))?;
        self.written_bytes.fetch_add(capacity, Ordering::Relaxed);
        self.disk.rename(UNFINISHED, &path_of(number)).map_err(failed("naming"))?;
        // ORDER: the name is durable before a record in the file is acknowledged.
        self.disk.sync_dir(JOURNAL_DIR).map_err(failed("syncing the directory of"))?;
        Ok(Segment::new(number, capacity, self.salt, file))
    }

    fn rename_recycled(&self, old: &Segment, number: u64) -> Result<Segment, StoreError> {
        let failed = |what: &str| io_error(format!("{what} {}", path_of(number)));
        let header = SegmentHeader { number, capacity: old.capacity() };
        // ORDER: the new number is durable before the new name, so a file whose header matches its name is ready.
        old.file().write_at(&header.encode(), 0).map_err(failed("writing the header of"))?;
        old.file().sync_data().map_err(failed("syncing"))?;
        self.written_bytes.fetch_add(SEGMENT_HEADER_BYTES as u64, Ordering::Relaxed);
        self.disk.rename(&old.path(), &path_of(number)).map_err(failed("renaming"))?;
        self.disk.sync_dir(JOURNAL_DIR).map_err(failed("syncing the directory of"))?;
        Ok(Segment::new(number, old.capacity(), self.salt, old.file().clone()))
    }

    fn shrink(&self) -> Result<(), StoreError> {
        let surplus: Vec<_> = {
            let mut state = self.state.lock();
            let standard = self.limits.segment_bytes;
            // The standard sizes first: others can never be reused.
            state.free.sort_by_key(|segment| segment.capacity() != standard);
            let usable = state.free.iter().filter(|segment| segment.capacity() == standard).count();
            let kept = usable.min(self.limits.free_segments_max);
            state.free.split_off(kept)
        };
        for segment in surplus {
            let path = segment.path();
            self.disk.remove(&path).map_err(io_error(format!("removing {path}")))?;
        }
        Ok(())
    }
}
