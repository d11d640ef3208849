//! The sessions in memory: loaded when asked for, given up when idle or when there are too many.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::Store;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::entry::Entry;
use super::refusal::Refused;
use super::{Sessions, documents, refusal, scan};
use crate::error::SessionError;
use crate::fold::State;
use crate::id::SessionId;
use crate::limits::{FREEZE_PARTING_BYTES, SESSION_IDLE_MS};

/// A place for a session, filled by whoever asks first.
#[derive(Debug, Default)]
pub(super) struct Slot(OnceCell<Entry>);

impl Slot {
    /// The session; slots are handed out filled.
    pub(super) fn entry(&self) -> &Entry {
        self.0.get().expect("a slot is handed out once it is filled")
    }
}

#[derive(Debug)]
pub(super) struct Loaded {
    slots: Mutex<HashMap<SessionId, Arc<Slot>>>,
    bytes: Arc<AtomicUsize>,
    sessions_max: usize,
    bytes_max: usize,
}

impl Loaded {
    pub(super) fn new(sessions_max: usize, bytes_max: usize) -> Self {
        Self { slots: Mutex::default(), bytes: Arc::default(), sessions_max, bytes_max }
    }

    /// The place of `id`, made if need be and if there is room.
    fn place(&self, id: &SessionId) -> Result<Arc<Slot>, SessionError> {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get(id) {
            return Ok(slot.clone());
        }
        self.make_room(&mut slots);
        if slots.len() >= self.sessions_max || self.bytes.load(Ordering::Relaxed) >= self.bytes_max {
            return Err(SessionError::Overloaded { why: "all sessions that fit into memory are in use".into() });
        }
        Ok(slots.entry(id.clone()).or_default().clone())
    }

    /// Gives up sessions that nobody uses at this moment, the longest unused first, when there are too many.
    fn make_room(&self, slots: &mut HashMap<SessionId, Arc<Slot>>) {
        if slots.len() < self.sessions_max && self.bytes.load(Ordering::Relaxed) < self.bytes_max {
            return;
        }
        let mut idle: Vec<(u64, SessionId)> = slots
            .iter()
            .filter(|(_, slot)| Arc::strong_count(slot) == 1)
            .map(|(id, slot)| (slot.0.get().map_or(0, Entry::used_at_ms), id.clone()))
            .collect();
        idle.sort_unstable();
        let (sessions, bytes) = (self.sessions_max - self.sessions_max.div_ceil(16), self.bytes_max / 16 * 15);
        for (_, id) in idle {
            if slots.len() <= sessions && self.bytes.load(Ordering::Relaxed) <= bytes {
                return;
            }
            slots.remove(&id);
        }
    }

    /// Forgets a session, when it is still the same one.
    pub(super) fn forget(&self, id: &SessionId, slot: &Arc<Slot>) {
        let mut slots = self.slots.lock();
        if slots.get(id).is_some_and(|found| Arc::ptr_eq(found, slot)) {
            slots.remove(id);
        }
    }

    /// The session, when it is in memory.
    pub(super) fn peek(&self, id: &SessionId) -> Option<Arc<Slot>> {
        self.slots.lock().get(id).filter(|slot| slot.0.initialized()).cloned()
    }

    /// All sessions in memory.
    pub(super) fn all(&self) -> Vec<(SessionId, Arc<Slot>)> {
        let slots = self.slots.lock();
        slots.iter().filter(|(_, slot)| slot.0.initialized()).map(|(id, slot)| (id.clone(), slot.clone())).collect()
    }

    /// Forgets a session that only the caller uses besides.
    fn give_up(&self, id: &SessionId, slot: &Arc<Slot>) {
        let mut slots = self.slots.lock();
        // One for the map, one for the caller: under the lock, nobody else can come.
        if Arc::strong_count(slot) == 2 && slots.get(id).is_some_and(|found| Arc::ptr_eq(found, slot)) {
            slots.remove(id);
        }
    }
}

impl<S: Store> Sessions<S> {
    /// A session that the registry has, in memory.
    pub(super) async fn loaded(&self, id: &SessionId) -> Result<Arc<Slot>, SessionError> {
        loop {
            let slot = self.inner.loaded.place(id)?;
            if let Err(error) = slot.0.get_or_try_init(|| self.load(id)).await {
                self.inner.loaded.forget(id, &slot);
                return Err(error);
            }
            if !slot.entry().is_dead() {
                slot.entry().touch(self.inner.engine.now_ms());
                return Ok(slot);
            }
            self.inner.loaded.forget(id, &slot);
        }
    }

    /// Folds a session from its frozen form and what came after.
    async fn load(&self, id: &SessionId) -> Result<Entry, SessionError> {
        let engine = &self.inner.engine;
        // ORDER: what was queued on an entry that is dead now is settled before the tail is looked at.
        engine.settle().await?;
        let (kept, frozen) = documents::load(engine, &documents::state_name(id)).await?;
        let frozen_bytes = frozen.as_ref().map_or(0, |frozen| frozen.len() as u64);
        let thawed = frozen.and_then(|frozen| match State::thaw(&frozen) {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::warn!(session = %id, %error, "a session is folded from its stream");
                None
            }
        });
        let path = id.stream();
        let read_error = |cause| refusal::read(id, cause);
        let earliest = engine.page(&path, ReadFrom::Start).await.map_err(read_error)?.start;
        let tail = engine.metadata(&path).await.map_err(read_error)?.tail;
        let mut state = thawed.filter(|state| state.position().offset <= tail).unwrap_or_default();
        let frozen_at = state.position().offset;
        let from = frozen_at.max(earliest);
        let each = |text: &str, next: Offset| {
            scan::fold(&mut state, text, next);
            ControlFlow::Continue(())
        };
        let scanned = scan::scan(engine, &path, ReadFrom::At(from), u64::MAX, each).await.map_err(read_error)?;
        state.skip_to(scanned.next);
        state.expire(engine.now_ms().saturating_sub(self.retention_ms(id)));
        Ok(Entry::new(state, earliest, (frozen_at, frozen_bytes, kept), &self.inner.loaded.bytes))
    }

    /// Freezes a session's state and keeps it as documents.
    pub(super) async fn freeze(&self, id: &SessionId, slot: &Slot) -> Result<(), Refused> {
        let entry = slot.entry();
        let mut kept = entry.kept.lock().await;
        let folded = entry.folded().await?;
        let frozen = folded.state.freeze();
        let bytes = frozen.len() as u64;
        documents::save(&self.inner.engine, &documents::state_name(id), &mut kept, frozen).await?;
        entry.lock()?.frozen(folded.offset, bytes);
        Ok(())
    }

    /// Freezes sessions that have grown, and gives up those that nobody asked for in a long time.
    pub(super) async fn tend_loaded(&self, now_ms: u64) {
        for (id, slot) in self.inner.loaded.all() {
            let entry = slot.entry();
            let is_idle = entry.used_at_ms() + SESSION_IDLE_MS <= now_ms;
            let has_grown = entry.lock().is_ok_and(|live| live.wants_freezing());
            if (has_grown || (is_idle && entry.unfrozen_bytes() >= FREEZE_PARTING_BYTES))
                && let Err(refused) = self.freeze(&id, &slot).await
            {
                tracing::warn!(session = %id, ?refused, "a session could not be frozen; trying again later");
                continue;
            }
            if is_idle {
                self.inner.loaded.give_up(&id, &slot);
            }
        }
    }

    /// Freezes every session whose replay would take long.
    pub(super) async fn freeze_all(&self) {
        for (id, slot) in self.inner.loaded.all() {
            if slot.entry().unfrozen_bytes() >= FREEZE_PARTING_BYTES
                && let Err(refused) = self.freeze(&id, &slot).await
            {
                tracing::warn!(session = %id, ?refused, "a session could not be frozen; its stream is replayed instead");
            }
        }
    }
}
