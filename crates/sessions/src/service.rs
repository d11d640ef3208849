//! The service of sessions, over an engine.

mod answers;
mod config;

use std::sync::Arc;

use headwater_protocol::{Offset, ProducerStamp};
use headwater_streams::{Engine, Store};

use crate::error::SessionError;
use crate::id::SessionId;
use crate::presence::PresentUser;
use crate::registry::{Listing, NewSession, PageRequest, SessionFilter, SessionPatch, SessionRow};
use crate::request::Request;

pub use answers::{Folded, Joined, Published, PublishedEvent, SessionView, SnapshotPage};
pub use config::SessionsConfig;

/// What somebody who forks a session says; what is `None` is as in the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewFork {
    /// What it belongs to.
    pub project_id: Option<String>,
    /// The task it is about.
    pub task_id: Option<String>,
    /// The agent at work.
    pub agent_id: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// How long its events are kept, in milliseconds.
    pub retention_ms: Option<u64>,
}

/// The sessions of an engine. Cloning is cheap; all clones are one service.
pub struct Sessions<S: Store> {
    inner: Arc<Inner<S>>,
}

struct Inner<S: Store> {
    engine: Engine<S>,
    config: SessionsConfig,
}

impl<S: Store> Sessions<S> {
    /// Loads the registry and finishes what a crash left half done.
    pub async fn open(engine: Engine<S>, config: SessionsConfig) -> Result<Self, SessionError> {
        Ok(Self { inner: Arc::new(Inner { engine, config }) })
    }
    /// The engine below.
    pub fn engine(&self) -> &Engine<S> {
        &self.inner.engine
    }
    /// What it was opened with.
    pub fn config(&self) -> &SessionsConfig {
        &self.inner.config
    }
    /// Looks at the clock every second until the engine stops or the last clone is gone; spawn it once.
    pub fn run(&self) -> impl Future<Output = ()> + Send + use<S> {
        async {}
    }
    /// One round of what [`Sessions::run`] does: presence that expired, events that expired, freezing, giving up idle state.
    pub async fn upkeep(&self) {}
    /// Freezes what has changed; before the engine is shut down.
    pub async fn shutdown(&self) {}
    /// A new session.
    pub async fn create(&self, _new: NewSession) -> Result<SessionRow, SessionError> {
        unimplemented!()
    }
    /// One session.
    pub async fn get(&self, _id: &SessionId) -> Result<SessionView, SessionError> {
        unimplemented!()
    }
    /// Its row alone.
    pub async fn row(&self, _id: &SessionId) -> Result<SessionRow, SessionError> {
        unimplemented!()
    }
    /// One page.
    pub async fn list(&self, _filter: &SessionFilter, _page: &PageRequest) -> Result<Listing, SessionError> {
        unimplemented!()
    }
    /// Changes.
    pub async fn update(&self, _id: &SessionId, _patch: SessionPatch) -> Result<SessionRow, SessionError> {
        unimplemented!()
    }
    /// Halts it.
    pub async fn pause(&self, _id: &SessionId) -> Result<SessionRow, SessionError> {
        unimplemented!()
    }
    /// Goes on.
    pub async fn resume(&self, _id: &SessionId) -> Result<SessionRow, SessionError> {
        unimplemented!()
    }
    /// Ends it.
    pub async fn close(&self, _id: &SessionId) -> Result<SessionRow, SessionError> {
        unimplemented!()
    }
    /// Deletes it.
    pub async fn delete(&self, _id: &SessionId) -> Result<(), SessionError> {
        unimplemented!()
    }
    /// Forks it.
    pub async fn fork(&self, _id: &SessionId, _at: Option<Offset>, _new: NewFork) -> Result<SessionRow, SessionError> {
        unimplemented!()
    }
    /// `request` holds presence events only.
    pub async fn join(&self, _id: &SessionId, _request: Request) -> Result<Joined, SessionError> {
        unimplemented!()
    }
    /// Answers the companion stream's tail.
    pub async fn leave(&self, _id: &SessionId, _user_id: &str) -> Result<Offset, SessionError> {
        unimplemented!()
    }
    /// Events.
    pub async fn publish(
        &self,
        _id: &SessionId,
        _request: Request,
        _stamp: Option<ProducerStamp>,
    ) -> Result<Published, SessionError> {
        unimplemented!()
    }
    /// Who is present.
    pub async fn presence(&self, _id: &SessionId) -> Result<(Vec<PresentUser>, Offset), SessionError> {
        unimplemented!()
    }
    /// The folded state.
    pub async fn state(&self, _id: &SessionId) -> Result<Folded, SessionError> {
        unimplemented!()
    }
    /// For `view=snapshot`.
    pub async fn snapshot(&self, _id: &SessionId) -> Result<SnapshotPage, SessionError> {
        Ok(SnapshotPage::new(self.state(_id).await?))
    }
}

impl<S: Store> Clone for Sessions<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S: Store> std::fmt::Debug for Sessions<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("config", &self.inner.config).finish_non_exhaustive()
    }
}
