//! The registry of sessions, in step with its stream: one change at a time, each durable before it is seen.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::{Engine, EngineError, ReadError, Step, StepError, Store, TransactionError};
use parking_lot::RwLock;
use tokio::sync::{Mutex, MutexGuard};

use super::documents::{self, Kept};
use super::steps;
use super::{Sessions, scan};
use crate::change::{Change, encode_stored};
use crate::error::SessionError;
use crate::id::{SessionId, registry_stream};
use crate::limits::FREEZE_REGISTRY_BYTES;
use crate::registry::{Registry, SessionRow};

#[derive(Debug)]
pub(super) struct Ledger {
    rows: RwLock<Registry>,
    writing: Mutex<Writing>,
    /// A change was asked for and its answer never seen: the stream knows.
    is_behind: AtomicBool,
}

#[derive(Debug)]
struct Writing {
    kept: Kept,
    frozen_at: Offset,
}

/// The right to change the registry.
pub(super) struct Turn<'a, S: Store> {
    engine: &'a Engine<S>,
    ledger: &'a Ledger,
    _writing: MutexGuard<'a, Writing>,
}

impl Ledger {
    pub(super) async fn open<S: Store>(engine: &Engine<S>) -> Result<Self, SessionError> {
        // A store that takes no changes may still hold sessions to read.
        if engine.is_ready() {
            let created = engine.create(steps::json_stream(registry_stream())).await;
            created.map_err(|cause| SessionError::Failed { why: format!("the registry's stream: {cause}") })?;
        }
        let (kept, frozen) = documents::load(engine, documents::REGISTRY).await?;
        let thawed = frozen.and_then(|frozen| {
            let thawed = Registry::thaw(&frozen);
            thawed.inspect_err(|error| tracing::warn!(%error, "the registry is folded from its stream")).ok()
        });
        let rows = thawed.unwrap_or_default();
        let frozen_at = rows.position().offset;
        let writing = Mutex::new(Writing { kept, frozen_at });
        let ledger = Self { rows: RwLock::new(rows), writing, is_behind: AtomicBool::new(true) };
        ledger.catch_up(engine).await?;
        Ok(ledger)
    }

    /// Reads what the stream holds beyond the rows.
    async fn catch_up<S: Store>(&self, engine: &Engine<S>) -> Result<(), SessionError> {
        // ORDER: what was queued is settled before the tail is looked at.
        engine.settle().await?;
        let mut changes = Vec::new();
        let from = ReadFrom::At(self.rows.read().position().offset);
        let each = |text: &str, next: Offset| {
            changes.push((scan::change(text), next));
            ControlFlow::Continue(())
        };
        let scanned = scan::scan(engine, &registry_stream(), from, u64::MAX, each).await;
        scanned.map_err(|cause| match cause {
            ReadError::Engine(cause) => cause.into(),
            cause => SessionError::Failed { why: format!("the registry's stream: {cause}") },
        })?;
        let mut rows = self.rows.write();
        for (change, next) in changes {
            match change {
                Some(change) if rows.apply(&change, next) => {}
                _ => {
                    tracing::debug!(%next, "a message in the registry's stream is no session");
                    rows.pass_over(next);
                }
            }
        }
        self.is_behind.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Makes sure that the rows show all changes that were answered.
    pub(super) async fn refresh<S: Store>(&self, engine: &Engine<S>) -> Result<(), SessionError> {
        if self.is_behind.load(Ordering::SeqCst) {
            self.turn(engine).await?;
        }
        Ok(())
    }

    /// Waits for the right to change something.
    pub(super) async fn turn<'a, S: Store>(&'a self, engine: &'a Engine<S>) -> Result<Turn<'a, S>, SessionError> {
        let writing = self.writing.lock().await;
        if self.is_behind.load(Ordering::SeqCst) {
            self.catch_up(engine).await?;
        }
        Ok(Turn { engine, ledger: self, _writing: writing })
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&Registry) -> T) -> T {
        look(&self.rows.read())
    }

    /// Keeps the registry as a document when enough has been appended since.
    pub(super) async fn freeze<S: Store>(&self, engine: &Engine<S>, bytes_min: u64) -> Result<(), EngineError> {
        let mut writing = self.writing.lock().await;
        let at = self.read(Registry::position).offset;
        if at.bytes_since(writing.frozen_at.min(at)) < bytes_min {
            return Ok(());
        }
        let frozen = self.read(Registry::freeze);
        documents::save(engine, documents::REGISTRY, &mut writing.kept, frozen).await?;
        writing.frozen_at = at;
        Ok(())
    }
}

/// Sets the flag unless it is told that all went well.
struct Behind<'a>(Option<&'a AtomicBool>);

impl Drop for Behind<'_> {
    fn drop(&mut self) {
        if let Some(flag) = self.0 {
            flag.store(true, Ordering::SeqCst);
        }
    }
}

impl<S: Store> Turn<'_, S> {
    pub(super) fn row(&self, id: &SessionId) -> Result<SessionRow, SessionError> {
        self.ledger.read(|rows| rows.get(id.as_str()).cloned())
    }

    /// Appends `change` to the registry, together with other steps.
    pub(super) async fn commit(
        &self,
        change: &Change,
        before: Vec<Step>,
        after: Vec<Step>,
    ) -> Result<(), SessionError> {
        let at = self.ledger.read(Registry::position).offset;
        let (payload, _) = encode_stored([change]);
        let next = at.advance(payload.len() as u64);
        let append = Step::Append { append: steps::append(registry_stream(), payload), expected_tail: Some(at) };
        let all = before.into_iter().chain([append]).chain(after).collect();
        let mut behind = Behind(Some(&self.ledger.is_behind));
        match self.engine.transact(all).await {
            Ok(_) => {
                self.ledger.rows.write().apply(change, next);
                behind.0 = None;
                Ok(())
            }
            Err(TransactionError::Engine(cause)) => Err(cause.into()),
            // Somebody else has appended to the registry's stream: what they did is read before the next change.
            Err(error @ TransactionError::Step { why: StepError::TailDiffers { .. }, .. }) => {
                Err(SessionError::Unavailable { why: error.to_string() })
            }
            Err(error) => {
                behind.0 = None;
                Err(SessionError::Unavailable { why: error.to_string() })
            }
        }
    }
}

impl<S: Store> Sessions<S> {
    /// A session's row.
    pub async fn row(&self, id: &SessionId) -> Result<SessionRow, SessionError> {
        self.inner.ledger.refresh(&self.inner.engine).await?;
        self.inner.ledger.read(|rows| rows.get(id.as_str()).cloned())
    }

    /// How long a session's events are kept, in milliseconds.
    pub(super) fn retention_ms(&self, id: &SessionId) -> u64 {
        let own = self.inner.ledger.read(|rows| rows.get(id.as_str()).ok().and_then(|row| row.retention_ms));
        own.unwrap_or(self.inner.config.retention_ms)
    }

    pub(super) async fn tend_registry(&self) {
        if let Err(cause) = self.inner.ledger.freeze(&self.inner.engine, FREEZE_REGISTRY_BYTES).await {
            tracing::warn!(%cause, "the registry could not be frozen; trying again later");
        }
    }
}
