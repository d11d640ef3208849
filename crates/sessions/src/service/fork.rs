//! Forks: a new session that shares another one's history up to an offset.
//!
//! The engine forks a stream on its own, so a fork is three steps: a mark that the session is unfinished, the stream, and
//! one transaction of the registry's row and the mark's end. Whatever stands between them after a crash is removed at the
//! next start.

use bytes::Bytes;
use headwater_protocol::Offset;
use headwater_streams::{Create, ForkPoint, Step, Store};

use super::documents::{self, Kept};
use super::refusal;
use super::{Sessions, steps};
use crate::error::SessionError;
use crate::fold::State;
use crate::id::{IdSource, SessionId};
use crate::registry::{ForkOrigin, NewFork, NewSession, SessionRow};

/// A fork under way; unless it is told that all went well, what there is of it goes again.
struct Forking<'a, S: Store> {
    sessions: &'a Sessions<S>,
    id: SessionId,
    is_done: bool,
}

impl<S: Store> Drop for Forking<'_, S> {
    fn drop(&mut self) {
        if !self.is_done {
            self.sessions.inner.unfinished.lock().insert(self.id.clone());
        }
    }
}

impl<S: Store> Sessions<S> {
    /// A new, active session with the history of `source` up to `at`, an offset that the source handed out; `None` is its
    /// tail.
    pub async fn fork(&self, source: &SessionId, at: Option<Offset>, new: NewFork) -> Result<SessionRow, SessionError> {
        let from = self.row(source).await?;
        let engine = &self.inner.engine;
        let id = self.new_id(engine.now_ms());
        let mut forking = Forking { sessions: self, id: id.clone(), is_done: false };
        engine.write_documents(vec![(documents::unfinished(&id), Some(Bytes::new()))]).await?;
        let at = self.fork_stream(source, at, &id).await?;
        self.inherit_frozen(source, at, &id).await?;
        let turn = self.inner.ledger.turn(engine).await?;
        let now_ms = engine.now_ms();
        let new = NewSession {
            project_id: new.project_id.unwrap_or(from.project_id),
            task_id: new.task_id.or(from.task_id),
            agent_id: new.agent_id.or(from.agent_id),
            title: new.title.or(from.title),
            retention_ms: new.retention_ms.or(from.retention_ms),
        };
        let origin = ForkOrigin { session_id: source.to_string(), offset: at };
        let row = SessionRow::new(&id, new, Some(origin), now_ms);
        let change = row.change(None, &self.inner.ids().next_id(now_ms), now_ms);
        let unmark = Step::RemoveDocument { key: documents::unfinished(&id) };
        turn.commit(&change, Vec::new(), vec![unmark]).await?;
        forking.is_done = true;
        self.schedule_cleanup(&row, &id);
        Ok(row)
    }

    /// Answers where it branched off.
    async fn fork_stream(
        &self,
        source: &SessionId,
        at: Option<Offset>,
        id: &SessionId,
    ) -> Result<Offset, SessionError> {
        let fork = ForkPoint { source: source.stream(), offset: at, sub_offset: 0 };
        let create = Create { fork: Some(fork), ..steps::json_stream(id.stream()) };
        let created = self.inner.engine.create(create).await.map_err(|cause| refusal::fork(source, cause))?;
        Ok(created.metadata.tail)
    }

    /// Takes over the source's frozen state when it does not go beyond the fork: it also knows of what the stream does
    /// not hold any more.
    async fn inherit_frozen(&self, source: &SessionId, at: Offset, id: &SessionId) -> Result<(), SessionError> {
        let (_, frozen) = documents::load(&self.inner.engine, &documents::state_name(source)).await?;
        let Some(frozen) = frozen else { return Ok(()) };
        let is_before = State::thaw(&frozen).is_ok_and(|state| state.position().offset <= at);
        if is_before {
            let name = documents::state_name(id);
            documents::save(&self.inner.engine, &name, &mut Kept::default(), frozen).await?;
        }
        Ok(())
    }
}
