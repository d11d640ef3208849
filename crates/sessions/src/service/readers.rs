//! What readers get of the sessions that the registry has: [`crate::reading`] with the rows and states that it asks for.

use headwater_protocol::ReadFrom;
use headwater_streams::Store;

use super::Sessions;
use crate::error::SessionError;
use crate::id::{AgentId, SessionId};
use crate::reading::{
    self, AgentFollower, EventsPage, ExportFormat, Exporter, HistoryPage, HistoryQuery, SessionFollower,
};

impl<S: Store> Sessions<S> {
    /// A live reader of a session and of who is present.
    pub async fn follow(&self, id: &SessionId, from: ReadFrom) -> Result<SessionFollower<S>, SessionError> {
        self.row(id).await?;
        SessionFollower::open(&self.inner.engine, id, from, None).await
    }

    /// A live reader of what an agent does in all sessions.
    pub async fn follow_agent(&self, agent: &AgentId, from: ReadFrom) -> Result<AgentFollower<S>, SessionError> {
        AgentFollower::open(&self.inner.engine, agent, from).await
    }

    /// A page of what happened in a session.
    pub async fn history(&self, id: &SessionId, query: &HistoryQuery) -> Result<HistoryPage, SessionError> {
        self.row(id).await?;
        reading::history(&self.inner.engine, id, query).await
    }

    /// A page of a session's change messages as stored.
    pub async fn events(
        &self,
        id: &SessionId,
        from: ReadFrom,
        limit: Option<usize>,
    ) -> Result<EventsPage, SessionError> {
        self.row(id).await?;
        reading::events(&self.inner.engine, id, from, limit).await
    }

    /// A session as a file, up to what is durable now.
    pub async fn export(&self, id: &SessionId, format: ExportFormat) -> Result<Exporter<S>, SessionError> {
        let row = self.row(id).await?;
        let folded = self.state(id).await?;
        Exporter::open(&self.inner.engine, id, row, folded.state, format).await
    }
}
