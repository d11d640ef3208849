//! What readers see of a stream: its published tail, its most recent bytes, and who waits for more.
//!
//! The committer publishes; readers look and wait. Nothing here is ahead of what is durable.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

use bytes::Bytes;
use foldhash::fast::RandomState;
use headwater_protocol::{ContentType, Framing, Lifetime, Offset, StreamPath};
use parking_lot::Mutex;

use crate::head::{Head, InheritedSpan, StreamId};
use crate::limits::TOUCH_GRAIN_MS_MAX;
use crate::mailbox::{Addressed, Round};
use crate::operation::ReadError;

/// One active stream.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) id: StreamId,
    pub(crate) path: StreamPath,
    pub(crate) content_type: ContentType,
    pub(crate) framing: Framing,
    pub(crate) lifetime: Lifetime,
    pub(crate) inherited: Arc<[InheritedSpan]>,
    pub(crate) own_from: Offset,
    /// Unix milliseconds.
    pub(crate) created_at_ms: u64,
    /// Live readers: while there are any the stream is neither evicted nor expired by idleness.
    pub(crate) readers: AtomicUsize,
    /// Set by every use, cleared by the eviction sweep.
    used: AtomicBool,
    /// Unix milliseconds of the last read or write, recorded or not.
    accessed_at_ms: AtomicU64,
    /// Unix milliseconds of the last access that was recorded, or is about to be.
    recorded_at_ms: AtomicU64,
    /// Until somebody uses it again, a stream that comes back after a restart gets this much longer: accesses may have
    /// gone unrecorded.
    grace_ms: u64,
    loaded_accessed_at_ms: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    published: Published,
    chunks: VecDeque<Arc<Chunk>>,
    waiting: HashMap<u64, Addressed<Waker>, RandomState>,
    damaged: Vec<std::ops::Range<Offset>>,
}

/// A consistent look at a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    pub(crate) presence: Presence,
    pub(crate) earliest: Offset,
    pub(crate) tail: Offset,
    pub(crate) closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Present,
    SoftDeleted,
    Removed,
    /// The engine stops: live readers end.
    Stopping,
}

/// Bytes of one commit, kept in memory and shared by all readers.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) start: Offset,
    pub(crate) bytes: Bytes,
    /// Their encoding for followers, made by the first that needs it.
    pub(crate) encoded: OnceLock<Bytes>,
}

impl Chunk {
    fn end(&self) -> Offset {
        self.start.advance(self.bytes.len() as u64)
    }
}

/// What a look from a position finds in memory.
pub(crate) enum Look {
    /// Bytes from that position on, at least one.
    Bytes(Bytes),
    /// Exactly the next commit's bytes.
    Chunk(Arc<Chunk>),
    /// There are bytes, but not in memory.
    Cold,
    /// The position is the tail.
    AtTail,
}

impl Live {
    pub(crate) fn new(head: &Head) -> Self {
        Self {
            id: head.id,
            path: head.path.clone(),
            framing: head.content_type.framing(),
            content_type: head.content_type.clone(),
            lifetime: head.lifetime,
            inherited: head.inherited.clone(),
            own_from: head.own_from(),
            created_at_ms: head.created_at_ms,
            readers: AtomicUsize::new(0),
            used: AtomicBool::new(true),
            accessed_at_ms: AtomicU64::new(head.accessed_at_ms),
            recorded_at_ms: AtomicU64::new(head.accessed_at_ms),
            grace_ms: 0,
            loaded_accessed_at_ms: head.accessed_at_ms,
            state: Mutex::new(State {
                published: published(head),
                chunks: VecDeque::new(),
                waiting: HashMap::default(),
                damaged: Vec::new(),
            }),
        }
    }

    /// For a stream that comes back from the store. When its last access was recorded before the engine started, at
    /// `started_at_ms`, a sliding lifetime gets the grain back in which readers' accesses are recorded, so that it
    /// never ends early. Later records are exact: no stream is evicted with an access unrecorded.
    pub(crate) fn loaded(head: &Head, started_at_ms: u64) -> Self {
        let is_exact = head.accessed_at_ms >= started_at_ms;
        Self { grace_ms: if is_exact { 0 } else { touch_grain_ms(head.lifetime) }, ..Self::new(head) }
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.readers.load(Ordering::SeqCst) > 0
    }

    /// Whether nobody reads it live or has used it since the last time this was asked.
    pub(crate) fn stays_idle(&self) -> bool {
        !self.has_readers() && !self.used.swap(false, Ordering::Relaxed)
    }

    /// Keeps the next eviction sweep away.
    pub(crate) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the last recorded access is old enough to record a new one; true once per grain.
    pub(crate) fn should_record_access(&self, now_ms: u64) -> bool {
        let grain_ms = touch_grain_ms(self.lifetime);
        let recorded = self.recorded_at_ms.load(Ordering::Relaxed);
        grain_ms > 0
            && now_ms >= recorded.saturating_add(grain_ms)
            && self.recorded_at_ms.fetch_max(now_ms, Ordering::Relaxed) == recorded
    }

    pub(crate) fn touch(&self, now_ms: u64) {
        self.mark_used();
        self.accessed_at_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn accessed_at_ms(&self) -> u64 {
        self.accessed_at_ms.load(Ordering::Relaxed)
    }

    /// Whether the lifetime has run out; live readers keep a sliding one from doing so.
    pub(crate) fn is_expired(&self, now_ms: u64) -> bool {
        match self.lifetime {
            Lifetime::Forever => false,
            Lifetime::Until { at_ms } => now_ms >= at_ms.max(0) as u64,
            Lifetime::Sliding(ttl) => {
                let accessed_at_ms = self.accessed_at_ms();
                let grace_ms = if accessed_at_ms == self.loaded_accessed_at_ms { self.grace_ms } else { 0 };
                let lifetime_ms = ttl.0.saturating_mul(1000).saturating_add(grace_ms);
                !self.has_readers() && now_ms >= accessed_at_ms.saturating_add(lifetime_ms)
            }
        }
    }

    /// The published state, or why there is none to read.
    pub(crate) fn readable(&self, now_ms: u64) -> Result<Published, ReadError> {
        let seen = self.published();
        match seen.presence {
            Presence::SoftDeleted => Err(ReadError::Gone),
            Presence::Removed => Err(ReadError::NotFound),
            Presence::Present | Presence::Stopping if self.is_expired(now_ms) => Err(ReadError::NotFound),
            Presence::Present | Presence::Stopping => Ok(seen),
        }
    }

    pub(crate) fn published(&self) -> Published {
        self.state.lock().published
    }

    /// Shows readers the durable `head` and, if it brought bytes, keeps those in memory. Wakes who waits.
    pub(crate) fn publish(&self, round: &mut Round, head: &Head, chunk: Option<Arc<Chunk>>) {
        let woken = {
            let mut state = self.state.lock();
            let is_stopping = state.published.presence == Presence::Stopping;
            state.published = published(head);
            if is_stopping {
                state.published.presence = Presence::Stopping;
            }
            if let Some(chunk) = chunk {
                assert!(
                    state.chunks.back().is_none_or(|last| last.end() == chunk.start),
                    "commits of a stream are published in order"
                );
                state.chunks.push_back(chunk);
            }
            std::mem::take(&mut state.waiting)
        };
        woken.into_values().for_each(|waker| round.wake(waker));
    }

    /// Shows readers that everything before `earliest` is gone. Wakes nobody: whoever waits is past it.
    pub(crate) fn begin_at(&self, earliest: Offset) {
        let mut state = self.state.lock();
        state.published.earliest = state.published.earliest.max(earliest);
    }

    /// Ends every reader: the stream is gone, or the engine stops. Stopping changes nothing for one that is gone.
    pub(crate) fn end(&self, round: &mut Round, presence: Presence) {
        let woken = {
            let mut state = self.state.lock();
            if presence != Presence::Stopping || state.published.presence == Presence::Present {
                state.published.presence = presence;
            }
            std::mem::take(&mut state.waiting)
        };
        woken.into_values().for_each(|waker| round.wake(waker));
    }

    /// Forgets the oldest bytes kept in memory; returns how many there were.
    pub(crate) fn drop_oldest_chunk(&self) -> usize {
        self.state.lock().chunks.pop_front().map_or(0, |chunk| chunk.bytes.len())
    }

    /// What memory holds at `from`, given the look's own published tail.
    pub(crate) fn look(&self, from: Offset, bytes_max: usize) -> (Published, Look) {
        let state = self.state.lock();
        let seen = state.published;
        if from >= seen.tail {
            return (seen, Look::AtTail);
        }
        (seen, state.cached(from, bytes_max))
    }

    /// Registers `waker` for the next publication, unless the tail has moved past `position` meanwhile.
    pub(crate) fn wait(&self, follower: u64, position: Offset, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        let quiet = state.published.tail <= position
            && !state.published.closed
            && state.published.presence == Presence::Present;
        if quiet {
            match state.waiting.entry(follower) {
                Entry::Occupied(known) if known.get().item.will_wake(waker) => {}
                Entry::Occupied(mut known) => *known.get_mut() = Addressed::here(waker.clone()),
                Entry::Vacant(place) => {
                    place.insert(Addressed::here(waker.clone()));
                }
            }
        }
        quiet
    }

    pub(crate) fn forget(&self, follower: u64) {
        self.state.lock().waiting.remove(&follower);
    }

    /// Whether a commit began or ended at `position`, as far as memory knows.
    pub(crate) fn is_known_boundary(&self, position: Offset) -> bool {
        let state = self.state.lock();
        position == state.published.tail
            || position == state.published.earliest
            || state.chunks.binary_search_by_key(&position, |chunk| chunk.start).is_ok()
    }

    pub(crate) fn mark_damaged(&self, range: std::ops::Range<Offset>) {
        let mut state = self.state.lock();
        if !state.damaged.contains(&range) && state.damaged.len() < crate::limits::DAMAGED_RANGES_MAX {
            state.damaged.push(range);
        }
    }

    /// The first byte known to be damaged after `from`.
    pub(crate) fn damaged_after(&self, from: Offset) -> Option<Offset> {
        self.state.lock().damaged.iter().map(|range| range.start).filter(|start| *start > from).min()
    }
}

impl State {
    fn cached(&self, from: Offset, bytes_max: usize) -> Look {
        let Some(first) = self.chunks.front() else { return Look::Cold };
        if from < first.start {
            return Look::Cold;
        }
        // Most who look have read all but the newest.
        let newest = self.chunks.len() - 1;
        let at = match self.chunks[newest].start <= from {
            true => newest + usize::from(self.chunks[newest].end() <= from),
            false => self.chunks.partition_point(|chunk| chunk.end() <= from),
        };
        let Some(chunk) = self.chunks.get(at) else { return Look::Cold };
        let skipped = from.bytes_since(chunk.start) as usize;
        let is_last = at + 1 == self.chunks.len();
        if skipped == 0 && (is_last || chunk.bytes.len() >= bytes_max) {
            return Look::Chunk(chunk.clone());
        }
        if is_last {
            return Look::Bytes(chunk.bytes.slice(skipped..));
        }
        Look::Bytes(self.join(at, skipped, bytes_max))
    }

    /// Joins whole chunks from `at` on while they fit into `bytes_max`, at least the first.
    fn join(&self, at: usize, skipped: usize, bytes_max: usize) -> Bytes {
        let mut end = at + 1;
        let mut total = self.chunks[at].bytes.len() - skipped;
        while let Some(next) = self.chunks.get(end)
            && total + next.bytes.len() <= bytes_max
        {
            total += next.bytes.len();
            end += 1;
        }
        if end == at + 1 {
            return self.chunks[at].bytes.slice(skipped..);
        }
        let mut joined = Vec::with_capacity(total);
        joined.extend_from_slice(&self.chunks[at].bytes[skipped..]);
        self.chunks.range(at + 1..end).for_each(|chunk| joined.extend_from_slice(&chunk.bytes));
        joined.into()
    }
}

/// How much of a sliding lifetime may pass before a reader's access is recorded: a sixteenth within
/// [`TOUCH_GRAIN_MS_MAX`], so that reads cost few writes; 0 where accesses do not matter.
fn touch_grain_ms(lifetime: Lifetime) -> u64 {
    match lifetime {
        Lifetime::Sliding(ttl) => (ttl.0.saturating_mul(1000) / 16).clamp(1, TOUCH_GRAIN_MS_MAX),
        Lifetime::Forever | Lifetime::Until { .. } => 0,
    }
}

fn published(head: &Head) -> Published {
    Published {
        presence: if head.soft_deleted { Presence::SoftDeleted } else { Presence::Present },
        earliest: head.earliest,
        tail: head.tail,
        closed: head.is_closed(),
    }
}
