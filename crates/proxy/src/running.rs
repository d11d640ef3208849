//! Generations under way: who can be told to stop, and who has ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::id::GenerationId;
use crate::outcome::Outcome;
use crate::record::Record;

/// A generation under way.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: GenerationId,
    pub(crate) record: Record,
    /// Why it shall end.
    stop: watch::Sender<Option<Outcome>>,
    ended: watch::Sender<bool>,
}

impl Generation {
    /// Tells it to end; the first reason counts.
    pub(crate) fn stop(&self, outcome: Outcome) {
        self.stop.send_if_modified(|reason| reason.is_none().then(|| *reason = Some(outcome)).is_some());
    }

    /// Waits until it is told to end.
    pub(crate) async fn stopped(&self) -> Outcome {
        let mut told = self.stop.subscribe();
        // The sender lives as long as this generation.
        let reason = told.wait_for(Option::is_some).await;
        reason.ok().and_then(|reason| *reason).unwrap_or(Outcome::ServerStopped)
    }

    /// Waits until its stream is closed, or cannot be.
    pub(crate) async fn ended(&self) {
        // A sender that is gone has ended too.
        self.ended.subscribe().wait_for(|ended| *ended).await.ok();
    }
}

/// All of them, and counts of those that were.
#[derive(Debug, Default)]
pub(crate) struct Running {
    generations: Mutex<Generations>,
    pub(crate) started: AtomicU64,
    outcomes: [AtomicU64; Outcome::ALL.len()],
}

#[derive(Debug, Default)]
struct Generations {
    by_id: HashMap<GenerationId, Arc<Generation>>,
    is_stopping: bool,
}

impl Running {
    /// Takes in a new one, unless the proxy is stopping.
    pub(crate) fn begin(self: &Arc<Self>, id: GenerationId, record: Record) -> Option<Place> {
        let generation =
            Arc::new(Generation { id, record, stop: watch::Sender::new(None), ended: watch::Sender::new(false) });
        let mut generations = self.generations.lock();
        if generations.is_stopping {
            return None;
        }
        generations.by_id.insert(id, generation.clone());
        Some(Place { running: self.clone(), generation })
    }

    pub(crate) fn get(&self, id: GenerationId) -> Option<Arc<Generation>> {
        self.generations.lock().by_id.get(&id).cloned()
    }

    /// Takes no more, and answers what there is.
    pub(crate) fn stop(&self) -> Vec<Arc<Generation>> {
        let mut generations = self.generations.lock();
        generations.is_stopping = true;
        generations.by_id.values().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.generations.lock().by_id.len()
    }

    pub(crate) fn count_outcome(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
    }

    /// How many ended how.
    pub(crate) fn outcomes(&self) -> [(Outcome, u64); Outcome::ALL.len()] {
        Outcome::ALL.map(|outcome| (outcome, self.outcomes[outcome as usize].load(Relaxed)))
    }
}

/// A generation's place among those under way; given up when dropped, so that nobody waits for one that panicked.
#[derive(Debug)]
pub(crate) struct Place {
    running: Arc<Running>,
    pub(crate) generation: Arc<Generation>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.generations.lock().by_id.remove(&self.generation.id);
        self.generation.ended.send_replace(true);
    }
}
