//! The sessions of an engine: [`Sessions`].
//!
//! Every change is one transaction of the engine, decided on state in memory: a session's state with everything queued
//! (see `entry`), the registry with everything durable (see `ledger`). What is answered is durable, presence excepted.
//! State in memory is bounded; what is given up comes back from its frozen form and the stream's tail.
//!
//! It knows neither HTTP nor who is allowed to do what.

mod answers;
mod attendance;
mod config;
mod documents;
mod entry;
mod fork;
mod ledger;
mod lifecycle;
mod loaded;
mod publish;
mod readers;
mod refusal;
mod retention;
mod scan;
mod steps;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use headwater_streams::{Engine, Store};
use parking_lot::Mutex;

use crate::error::SessionError;
use crate::id::{IdSource, SessionId, TimeOrderedIds};
use crate::limits::{DECISIONS_MAX, UPKEEP_INTERVAL_MS};
use attendance::Attendances;
use ledger::Ledger;
use loaded::Loaded;
use retention::{Agenda, AgentWalk};

pub use answers::{Folded, Joined, Published, PublishedEvent, SessionView, SnapshotPage};
pub use config::SessionsConfig;

/// The sessions of an engine. Cloning is cheap; all clones are one service.
pub struct Sessions<S: Store> {
    inner: Arc<Inner<S>>,
}

struct Inner<S: Store> {
    engine: Engine<S>,
    config: SessionsConfig,
    ids: Mutex<TimeOrderedIds>,
    ledger: Ledger,
    loaded: Loaded,
    attendances: Attendances,
    agenda: Mutex<Agenda>,
    agents: tokio::sync::Mutex<AgentWalk>,
    /// Sessions that the registry does not have, and that something is left of.
    unfinished: Mutex<HashSet<SessionId>>,
}

/// The one source of ids, locked for each.
struct SharedIds<'a>(&'a Mutex<TimeOrderedIds>);

impl IdSource for SharedIds<'_> {
    fn next_id(&mut self, now_ms: u64) -> String {
        self.0.lock().next_id(now_ms)
    }
}

impl<S: Store> Inner<S> {
    fn ids(&self) -> SharedIds<'_> {
        SharedIds(&self.ids)
    }
}

impl<S: Store> Sessions<S> {
    /// Loads the registry from its frozen form and what came after, and finishes what a crash left half done.
    pub async fn open(engine: Engine<S>, config: SessionsConfig) -> Result<Self, SessionError> {
        let ledger = Ledger::open(&engine).await?;
        let loaded = Loaded::new(config.loaded_sessions_max, config.loaded_bytes_max);
        let sessions = Self {
            inner: Arc::new(Inner {
                engine,
                config,
                ids: Mutex::default(),
                ledger,
                loaded,
                attendances: Attendances::default(),
                agenda: Mutex::default(),
                agents: tokio::sync::Mutex::default(),
                unfinished: Mutex::default(),
            }),
        };
        if sessions.inner.engine.is_ready() {
            sessions.heal().await?;
        }
        sessions.inner.ledger.read(|rows| {
            for row in rows.iter() {
                if let Ok(id) = SessionId::new(&row.id) {
                    sessions.schedule_cleanup(row, &id);
                }
            }
        });
        Ok(sessions)
    }

    /// The engine below.
    pub fn engine(&self) -> &Engine<S> {
        &self.inner.engine
    }

    /// What it was opened with.
    pub fn config(&self) -> &SessionsConfig {
        &self.inner.config
    }

    /// A session's folded state.
    pub async fn state(&self, id: &SessionId) -> Result<Folded, SessionError> {
        self.row(id).await?;
        for _ in 0..DECISIONS_MAX {
            let slot = self.loaded(id).await?;
            if let Ok(folded) = slot.entry().folded().await {
                return Ok(folded);
            }
        }
        Err(refusal::contended(id))
    }

    /// A session's folded state as stored messages, for `view=snapshot`.
    pub async fn snapshot(&self, id: &SessionId) -> Result<SnapshotPage, SessionError> {
        Ok(SnapshotPage::new(self.state(id).await?))
    }

    /// Looks at the clock every second, until the engine stops or the last clone is gone. To be spawned once.
    pub fn run(&self) -> impl Future<Output = ()> + Send + use<S> {
        let inner: Weak<Inner<S>> = Arc::downgrade(&self.inner);
        async move {
            loop {
                tokio::time::sleep(Duration::from_millis(UPKEEP_INTERVAL_MS)).await;
                let Some(inner) = inner.upgrade().filter(|inner| inner.engine.is_ready()) else { return };
                Self { inner }.upkeep().await;
            }
        }
    }

    /// One round of what [`Sessions::run`] does, by the engine's clock: users who fell silent go, large and idle states are
    /// frozen, idle ones are given up, and expired events are removed.
    pub async fn upkeep(&self) {
        let now_ms = self.inner.engine.now_ms();
        self.tend_presence(now_ms).await;
        self.tend_loaded(now_ms).await;
        self.tend_registry().await;
        self.tend_retention(now_ms).await;
        self.tend_unfinished().await;
    }

    /// Freezes what would have to be replayed after a restart. To be called before the engine is shut down; without it,
    /// the next start takes longer and nothing is lost.
    pub async fn shutdown(&self) {
        if !self.inner.engine.is_ready() {
            return;
        }
        self.freeze_all().await;
        if let Err(cause) = self.inner.ledger.freeze(&self.inner.engine, 1).await {
            tracing::warn!(%cause, "the registry could not be frozen; its stream is replayed instead");
        }
    }
}

impl<S: Store> Clone for Sessions<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S: Store> fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("config", &self.inner.config).finish_non_exhaustive()
    }
}
