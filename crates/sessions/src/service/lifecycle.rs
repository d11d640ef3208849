//! Sessions begin, change and end: each step is one transaction of the registry's stream with what belongs to it.

use std::ops::ControlFlow::Break;

use bytes::Bytes;
use headwater_streams::{DeleteError, Step, Store};

use super::answers::{Joined, Published, SessionView};
use super::publish::is_presence_only;
use super::refusal::{self, Refused};
use super::{Sessions, documents, steps};
use crate::channel::RowType;
use crate::error::SessionError;
use crate::id::{IdSource, SessionId};
use crate::limits::{AGENTS_SHOWN_MAX, DECISIONS_MAX};
use crate::registry::{Listing, NewSession, PageRequest, SessionFilter, SessionPatch, SessionRow, Transition};
use crate::request::Request;

impl<S: Store> Sessions<S> {
    /// Creates a session.
    pub async fn create(&self, new: NewSession) -> Result<SessionRow, SessionError> {
        let turn = self.inner.ledger.turn(&self.inner.engine).await?;
        let now_ms = self.inner.engine.now_ms();
        let id = self.new_id(now_ms);
        let row = SessionRow::new(&id, new, None, now_ms);
        let change = row.change(None, &self.inner.ids().next_id(now_ms), now_ms);
        turn.commit(&change, vec![Step::Create(steps::json_stream(id.stream()))], Vec::new()).await?;
        self.schedule_cleanup(&row, &id);
        Ok(row)
    }

    /// A session with who is there and where its stream ends.
    pub async fn get(&self, id: &SessionId) -> Result<SessionView, SessionError> {
        for _ in 0..DECISIONS_MAX {
            if let Break(answer) = refusal::settle(self.view_once(id).await) {
                return answer;
            }
        }
        Err(refusal::contended(id))
    }

    async fn view_once(&self, id: &SessionId) -> Result<SessionView, Refused> {
        let row = self.row(id).await?;
        let slot = self.loaded(id).await?;
        let (at, earliest, last_event_ms, agents) = {
            let live = slot.entry().lock()?;
            let agents = live.state.rows(RowType::State).take(AGENTS_SHOWN_MAX).map(|(_, row)| row.value.clone());
            (live.state.position(), live.earliest, live.state.latest_ms(), agents.collect())
        };
        slot.entry().durable(at.offset).await?;
        let (active_users, _) = self.present(id);
        let viewer_count = active_users.len();
        let (offset, event_count) = (at.offset, at.seq);
        Ok(SessionView { row, viewer_count, active_users, offset, event_count, earliest, last_event_ms, agents })
    }

    /// One page of the sessions that `filter` accepts.
    pub async fn list(&self, filter: &SessionFilter, page: &PageRequest) -> Result<Listing, SessionError> {
        self.inner.ledger.refresh(&self.inner.engine).await?;
        self.inner.ledger.read(|rows| rows.list(filter, page))
    }

    /// Changes what a session says of itself.
    pub async fn update(&self, id: &SessionId, patch: SessionPatch) -> Result<SessionRow, SessionError> {
        let row = self.change_row(id, |row, now_ms| Ok(row.patched(patch, now_ms)), |_| Vec::new()).await?;
        self.schedule_cleanup(&row, id);
        Ok(row)
    }

    /// Halts a session.
    pub async fn pause(&self, id: &SessionId) -> Result<SessionRow, SessionError> {
        self.change_row(id, |row, now_ms| row.after(Transition::Pause, now_ms), |_| Vec::new()).await
    }

    /// Lets a halted session go on.
    pub async fn resume(&self, id: &SessionId) -> Result<SessionRow, SessionError> {
        self.change_row(id, |row, now_ms| row.after(Transition::Resume, now_ms), |_| Vec::new()).await
    }

    /// Ends a session: its stream reaches its end with everything that was accepted before.
    pub async fn close(&self, id: &SessionId) -> Result<SessionRow, SessionError> {
        let close = |id: &SessionId| vec![Step::Append { append: steps::close(id.stream()), expected_tail: None }];
        self.change_row(id, |row, now_ms| row.after(Transition::Close, now_ms), close).await
    }

    async fn change_row(
        &self,
        id: &SessionId,
        decide: impl FnOnce(&SessionRow, u64) -> Result<Option<SessionRow>, SessionError>,
        after: impl FnOnce(&SessionId) -> Vec<Step>,
    ) -> Result<SessionRow, SessionError> {
        let turn = self.inner.ledger.turn(&self.inner.engine).await?;
        let row = turn.row(id)?;
        let now_ms = self.inner.engine.now_ms();
        let Some(changed) = decide(&row, now_ms)? else { return Ok(row) };
        let change = changed.change(Some(&row), &self.inner.ids().next_id(now_ms), now_ms);
        turn.commit(&change, Vec::new(), after(id)).await?;
        Ok(changed)
    }

    /// Deletes a session. Once this is answered, it is gone; its streams follow, after a crash at the next start.
    pub async fn delete(&self, id: &SessionId) -> Result<(), SessionError> {
        {
            let turn = self.inner.ledger.turn(&self.inner.engine).await?;
            let row = turn.row(id)?;
            let now_ms = self.inner.engine.now_ms();
            let change = row.deletion(&self.inner.ids().next_id(now_ms), now_ms);
            let mark = Step::PutDocument { key: documents::unfinished(id), value: Bytes::new() };
            turn.commit(&change, Vec::new(), vec![mark]).await?;
        }
        self.inner.unfinished.lock().insert(id.clone());
        self.finish(id).await
    }

    /// Removes what is left of a session that the registry does not have. Can be done again and again.
    pub(super) async fn finish(&self, id: &SessionId) -> Result<(), SessionError> {
        if let Some(slot) = self.inner.loaded.peek(id) {
            slot.entry().kill();
            self.inner.loaded.forget(id, &slot);
        }
        self.end_presence(id).await;
        match self.inner.engine.delete(&id.stream()).await {
            Ok(()) | Err(DeleteError::NotFound | DeleteError::Gone) => {}
            Err(DeleteError::Engine(cause)) => return Err(cause.into()),
        }
        // ORDER: the mark goes last, or a crash leaves streams that nobody knows of.
        documents::remove(&self.inner.engine, id).await?;
        self.inner.unfinished.lock().remove(id);
        Ok(())
    }

    /// Finishes deletions and forks that a crash or a failure cut short.
    pub(super) async fn heal(&self) -> Result<(), SessionError> {
        for id in documents::all_unfinished(&self.inner.engine).await? {
            if self.inner.ledger.read(|rows| rows.get(id.as_str()).is_ok()) {
                self.inner.engine.write_documents(vec![(documents::unfinished(&id), None)]).await?;
            } else {
                self.finish(&id).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn tend_unfinished(&self) {
        let unfinished: Vec<SessionId> = self.inner.unfinished.lock().iter().cloned().collect();
        for id in unfinished {
            if let Err(error) = self.finish(&id).await {
                tracing::warn!(session = %id, %error, "a deleted session's streams stay for now");
            }
        }
    }

    /// Somebody comes: `request` holds presence events only.
    pub async fn join(&self, id: &SessionId, request: Request) -> Result<Joined, SessionError> {
        if !is_presence_only(&request) {
            return Err(SessionError::params("body", "must hold presence events only"));
        }
        let Published { offset, .. } = self.publish(id, request, None).await?;
        Ok(Joined { view: self.get(id).await?, offset })
    }

    pub(super) fn new_id(&self, now_ms: u64) -> SessionId {
        SessionId::new(&self.inner.ids().next_id(now_ms)).expect("a UUID is a session id")
    }
}
