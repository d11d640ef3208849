//! Upkeep: what keeps commits fast and restarts short, away from both.
//!
//! Nothing here poisons the store: what fails is tried again later, and commits are refused only once they would need
//! what upkeep could not provide.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headwater_streams::{StoreError, StoreStats};
use parking_lot::{Condvar, Mutex};

use super::Core;
use super::open::store_error;
use crate::archive::Reclaimed;
use crate::checkpoint::JournalPosition;
use crate::limits::StoreLimits;

/// How often upkeep looks around when nobody calls it.
const INTERVAL: Duration = Duration::from_secs(1);
/// After a failure, checkpoints and hand-overs wait so long.
const RETRY: Duration = Duration::from_secs(5);

/// What only the one who does the upkeep touches.
#[derive(Debug)]
pub(super) struct UpkeepState {
    covered: JournalPosition,
    checkpointed_at: Instant,
    failed_at: Option<Instant>,
}

/// Wakes the threads.
#[derive(Debug, Default)]
pub(super) struct Signals {
    prepare: Signal,
    upkeep: Signal,
}

#[derive(Debug, Default)]
struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

/// The store's own threads.
#[derive(Debug)]
pub(super) struct UpkeepThreads {
    threads: Vec<JoinHandle<()>>,
}

impl UpkeepState {
    pub(super) fn new(covered: JournalPosition) -> Self {
        Self { covered, checkpointed_at: Instant::now(), failed_at: None }
    }
}

impl Core {
    /// Does all that is due, whatever failed before.
    pub(super) fn upkeep(&self) -> Result<(), StoreError> {
        self.health.check()?;
        self.pool.fill()?;
        let mut state = self.upkeep.lock();
        self.upkeep_of_history(&mut state)
    }

    pub(super) fn checkpoint_now(&self) -> Result<(), StoreError> {
        self.health.check()?;
        self.checkpoint(&mut self.upkeep.lock())
    }

    /// Shortens the next start. A poisoned store leaves everything as it is.
    pub(super) fn final_checkpoint(&self) -> Result<(), StoreError> {
        if self.health.is_poisoned() {
            return Ok(());
        }
        self.checkpoint(&mut self.upkeep.lock())
    }

    /// Whether the last attempt failed.
    pub(super) fn upkeep_fails(&self) -> bool {
        self.upkeep.try_lock().is_some_and(|state| state.failed_at.is_some())
    }

    pub(super) fn stats(&self) -> StoreStats {
        let (spare_segments, spare_bytes) = self.pool.size();
        let (segments, journal_bytes) = {
            let extents = self.extents.read();
            let used = extents.segment_numbers().filter_map(|number| extents.segment(number));
            used.fold((0, 0), |(count, bytes), segment| (count + 1, bytes + segment.capacity()))
        };
        let (archive_files, archive_bytes) = match self.catalog.archive_files() {
            Ok(files) => (files.len() as u64, files.iter().map(|file| file.bytes).sum()),
            Err(error) => {
                tracing::warn!(%error, "the catalog did not tell the archive's size");
                (0, 0)
            }
        };
        StoreStats {
            streams: self.catalog.count().saturating_add_signed(self.memtable.lock().count_delta()),
            journal_bytes: journal_bytes + spare_bytes,
            journal_segments: segments + spare_segments,
            archive_bytes,
            archive_files,
            catalog_bytes: self.catalog.bytes_on_disk(),
            replay_bytes: self.replay_bytes.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed) + self.pool.written_bytes(),
            poisoned: self.health.is_poisoned(),
        }
    }

    fn upkeep_of_history(&self, state: &mut UpkeepState) -> Result<(), StoreError> {
        if self.is_checkpoint_due(state) {
            self.checkpoint(state)?;
        }
        self.hand_over_if_due(state.covered)?;
        match self.reclaimer.step(&self.stop).map_err(store_error)? {
            Reclaimed::Nothing | Reclaimed::Stopped => {}
            Reclaimed::Files { removed, written_bytes } => {
                self.written_bytes.fetch_add(written_bytes, Ordering::Relaxed);
                tracing::info!(removed, written_bytes, "compacted archive files");
                self.signals.upkeep.raise();
            }
        }
        Ok(())
    }

    fn is_checkpoint_due(&self, state: &UpkeepState) -> bool {
        let memtable = self.memtable.lock();
        memtable.is_frozen()
            || self.replay_bytes.load(Ordering::Relaxed) >= self.limits.checkpoint_journal_bytes
            || memtable.changed_streams() >= self.limits.checkpoint_streams
            || (!memtable.is_clean() && state.checkpointed_at.elapsed() >= self.limits.checkpoint_interval)
    }

    fn checkpoint(&self, state: &mut UpkeepState) -> Result<(), StoreError> {
        let begun = Instant::now();
        let (frozen, replay_bytes) = {
            let mut memtable = self.memtable.lock();
            if memtable.is_clean() {
                return Ok(());
            }
            let was_frozen = memtable.is_frozen();
            let frozen = memtable.freeze();
            // What a failed attempt froze covers less than has been written by now.
            (frozen, if was_frozen { 0 } else { self.replay_bytes.load(Ordering::Relaxed) })
        };
        let checkpoint = frozen.to_checkpoint();
        let missed = self.catalog.checkpoint(&checkpoint)?;
        if !missed.is_empty() {
            tracing::error!(streams = missed.len(), "the catalog lacks changes before those of this checkpoint");
        }
        self.memtable.lock().thaw();
        self.replay_bytes.fetch_sub(replay_bytes, Ordering::Relaxed);
        state.covered = checkpoint.covered;
        state.checkpointed_at = Instant::now();
        let (created, changed) = (checkpoint.created.len(), checkpoint.changed.len());
        tracing::info!(created, changed, took_ms = begun.elapsed().as_millis() as u64, "checkpoint");
        Ok(())
    }

    fn prepare_until_stopped(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            if self.health.check().is_ok()
                && let Err(error) = self.pool.fill()
            {
                tracing::warn!(%error, "preparing a journal segment failed");
            }
            self.signals.prepare.wait(INTERVAL);
        }
    }

    fn upkeep_until_stopped(&self) {
        while !self.stop.load(Ordering::SeqCst) {
            let mut state = self.upkeep.lock();
            let may_try = state.failed_at.is_none_or(|at| at.elapsed() >= RETRY);
            if may_try && self.health.check().is_ok() {
                let done = self.upkeep_of_history(&mut state);
                state.failed_at = None;
                match done {
                    // The stop flag cut it short.
                    Ok(()) | Err(StoreError::Closed) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a checkpoint or hand-over failed and will be tried again");
                        state.failed_at = Some(Instant::now());
                    }
                }
            }
            drop(state);
            self.signals.upkeep.wait(INTERVAL);
        }
    }
}

impl Signals {
    /// Wakes whoever has work after a commit .
    pub(super) fn after_commit(&self, limits: &StoreLimits, rolls: bool, replay_bytes: u64, changed: usize) {
        if rolls || replay_bytes >= limits.checkpoint_journal_bytes || changed >= limits.checkpoint_streams {
            self.raise_all();
        }
    }

    pub(super) fn raise_all(&self) {
        self.prepare.raise();
        self.upkeep.raise();
    }
}

impl Signal {
    fn raise(&self) {
        let mut raised = self.raised.lock();
        if !*raised {
            *raised = true;
            self.changed.notify_one();
        }
    }

    fn wait(&self, at_most: Duration) {
        let mut raised = self.raised.lock();
        if !*raised {
            self.changed.wait_for(&mut raised, at_most);
        }
        *raised = false;
    }
}

impl UpkeepThreads {
    pub(super) fn start(core: &Arc<Core>) -> Self {
        let spawn = |name: &str, run: fn(&Core)| {
            let core = core.clone();
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&core));
            thread.expect("the system has room for two more threads")
        };
        let threads = vec![
            spawn("journal-prepare", Core::prepare_until_stopped),
            spawn("store-upkeep", Core::upkeep_until_stopped),
        ];
        Self { threads }
    }

    pub(super) fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an upkeep thread panicked");
            }
        }
    }
}
