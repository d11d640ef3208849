//! One session in memory: its folded state, and how far that is durable.
//!
//! Events are decided on what has been queued, not only on what is durable, so that one session can have many requests
//! under way in one commit. Each transaction names the tail it was decided on: the success of one implies that of all
//! before it, and one that fails makes all after it fail. Then the entry is **dead**: nobody decides on it any more, and
//! the next request loads the session anew. Nothing is undone by hand, and nothing is told before it is durable.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use headwater_protocol::{Epoch, Offset, ProducerId, ProducerSeq, ProducerStamp};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::answers::Folded;
use super::documents::Kept;
use super::refusal::Refused;
use crate::fold::State;
use crate::limits::{FREEZE_GROWTH, FREEZE_TAIL_BYTES, PRODUCERS_KNOWN_MAX};

pub(super) struct Entry {
    live: Mutex<Live>,
    durable: watch::Sender<Durable>,
    used_at_ms: AtomicU64,
    /// The documents of the frozen form; held by whoever writes them.
    pub(super) kept: tokio::sync::Mutex<Kept>,
    /// Bytes of all loaded sessions together.
    total_bytes: Arc<AtomicUsize>,
}

/// What is decided on.
pub(super) struct Live {
    /// With everything that has been queued.
    pub(super) state: Arc<State>,
    /// Where the stream begins.
    pub(super) earliest: Offset,
    /// Up to where the frozen form goes.
    pub(super) frozen_at: Offset,
    frozen_bytes: u64,
    is_dead: bool,
    /// The last request of producers that are known to be up to date.
    producers: HashMap<ProducerId, (Epoch, ProducerSeq)>,
    counted_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Durable {
    offset: Offset,
    is_dead: bool,
}

/// How a producer's request stands to those before it, as far as the entry knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    /// It is the next one.
    Next,
    /// The entry does not know the producer.
    Unknown,
    /// A repeated one, or one out of order.
    Other,
}

impl Entry {
    pub(super) fn new(state: State, earliest: Offset, frozen: (Offset, u64, Kept), total: &Arc<AtomicUsize>) -> Self {
        let (frozen_at, frozen_bytes, kept) = frozen;
        let offset = state.position().offset;
        let live = Live {
            state: Arc::new(state),
            earliest,
            frozen_at,
            frozen_bytes,
            is_dead: false,
            producers: HashMap::new(),
            counted_bytes: 0,
        };
        let entry = Self {
            live: Mutex::new(live),
            durable: watch::Sender::new(Durable { offset, is_dead: false }),
            used_at_ms: AtomicU64::new(0),
            kept: tokio::sync::Mutex::new(kept),
            total_bytes: total.clone(),
        };
        entry.count(&mut entry.live.lock());
        entry
    }

    /// What is to be decided on, unless the entry is dead.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Live>, Refused> {
        let live = self.live.lock();
        if live.is_dead { Err(Refused::Moved) } else { Ok(live) }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.durable.borrow().is_dead
    }

    /// Keeps the memory of all sessions counted after `live` has changed.
    pub(super) fn count(&self, live: &mut Live) {
        let bytes = live.state.memory_bytes();
        self.total_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.total_bytes.fetch_sub(live.counted_bytes, Ordering::Relaxed);
        live.counted_bytes = bytes;
    }

    /// Waits until everything up to `offset` is durable.
    pub(super) async fn durable(&self, offset: Offset) -> Result<(), Refused> {
        let mut changes = self.durable.subscribe();
        let reached = changes.wait_for(|durable| durable.is_dead || durable.offset >= offset).await;
        let durable = reached.map_err(|_| Refused::Moved)?;
        if durable.offset >= offset { Ok(()) } else { Err(Refused::Moved) }
    }

    /// The state with everything queued so far, once that is durable.
    pub(super) async fn folded(&self) -> Result<Folded, Refused> {
        let state = self.lock()?.state.clone();
        let offset = state.position().offset;
        self.durable(offset).await?;
        Ok(Folded { state, offset })
    }

    fn landed(&self, next: Offset) {
        self.durable.send_if_modified(|durable| {
            let is_news = durable.offset < next;
            durable.offset = durable.offset.max(next);
            is_news
        });
    }

    /// From now on, nobody decides on it.
    pub(super) fn kill(&self) {
        self.live.lock().is_dead = true;
        self.durable.send_modify(|durable| durable.is_dead = true);
    }

    pub(super) fn touch(&self, now_ms: u64) {
        self.used_at_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(super) fn used_at_ms(&self) -> u64 {
        self.used_at_ms.load(Ordering::Relaxed)
    }

    /// Bytes of the stream after its frozen form.
    pub(super) fn unfrozen_bytes(&self) -> u64 {
        self.live.lock().unfrozen_bytes()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.total_bytes.fetch_sub(self.live.get_mut().counted_bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("durable", &*self.durable.borrow()).finish_non_exhaustive()
    }
}

impl Live {
    /// Where the next message goes.
    pub(super) fn next(&self) -> Offset {
        self.state.position().offset
    }

    pub(super) fn unfrozen_bytes(&self) -> u64 {
        self.next().bytes_since(self.frozen_at.min(self.next()))
    }

    /// Whether so much came after the frozen form that a replay should be spared it.
    pub(super) fn wants_freezing(&self) -> bool {
        self.unfrozen_bytes() >= FREEZE_TAIL_BYTES.max(FREEZE_GROWTH * self.frozen_bytes)
    }

    pub(super) fn frozen(&mut self, at: Offset, bytes: u64) {
        (self.frozen_at, self.frozen_bytes) = (at, bytes);
    }

    pub(super) fn sequence(&self, stamp: &ProducerStamp) -> Sequence {
        match self.producers.get(&stamp.id) {
            None => Sequence::Unknown,
            Some((epoch, seq)) if stamp.epoch == *epoch && stamp.seq.get() == seq.get() + 1 => Sequence::Next,
            Some(_) => Sequence::Other,
        }
    }

    /// The last request of the producer that is known.
    pub(super) fn producer(&self, stamp: &ProducerStamp) -> Option<(Epoch, ProducerSeq)> {
        self.producers.get(&stamp.id).copied()
    }

    /// Takes the stream's word for it that the request is the producer's next, unless one came meanwhile.
    pub(super) fn forget_producer(&mut self, stamp: &ProducerStamp, known: Option<(Epoch, ProducerSeq)>) {
        if self.producer(stamp) == known {
            self.producers.remove(&stamp.id);
        }
    }

    pub(super) fn accepted(&mut self, stamp: &ProducerStamp) {
        if self.producers.len() >= PRODUCERS_KNOWN_MAX && !self.producers.contains_key(&stamp.id) {
            self.producers.clear();
        }
        self.producers.insert(stamp.id.clone(), (stamp.epoch, stamp.seq));
    }
}

/// A transaction under way that an entry has been changed for. Whoever drops it without an answer does not know what
/// became of it, so the entry ends.
#[derive(Debug)]
pub(super) struct UnderWay {
    slot: Arc<super::loaded::Slot>,
    next: Offset,
    is_answered: bool,
}

impl UnderWay {
    pub(super) fn new(slot: Arc<super::loaded::Slot>, next: Offset) -> Self {
        Self { slot, next, is_answered: false }
    }

    /// It is durable.
    pub(super) fn landed(mut self) {
        self.is_answered = true;
        self.slot.entry().landed(self.next);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if !self.is_answered {
            self.slot.entry().kill();
        }
    }
}
