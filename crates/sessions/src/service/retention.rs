//! Events do not outlive their retention: the cleanup trims streams up to the first message that is still to be kept.
//!
//! A stream is read from its beginning, a bounded piece per round, so that each byte is read once in its life for this. A
//! session is looked at when its first message expires, not before. Trimming comes in steps, never larger than a fraction
//! of the retention ([`CLEANUP_FRACTION`]); by so much an event may outlive it.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use headwater_protocol::{Offset, ReadFrom, StreamPath};
use headwater_streams::{EngineError, ReadError, Store};

use super::Sessions;
use super::refusal::{self, Refused};
use super::scan::{self, ScanEnd};
use crate::error::SessionError;
use crate::id::{AgentId, SessionId};
use crate::limits::{CLEANUP_BYTES, CLEANUP_FRACTION, CLEANUP_LAG_MS_MAX, CLEANUP_STREAMS};
use crate::registry::SessionRow;

/// When to look at which session.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    by_time: BTreeSet<(u64, SessionId)>,
    times: HashMap<SessionId, u64>,
}

/// Where the walk over the agents' streams is.
#[derive(Debug, Default)]
pub(super) struct AgentWalk {
    after: Option<StreamPath>,
    next_ms: u64,
}

/// What a look at the beginning of a stream has found.
struct Look {
    start: Offset,
    /// After the last message that has expired.
    cut: Offset,
    /// When the first message that is kept was decided, in Unix milliseconds.
    first_kept_ms: Option<u64>,
    /// Whether the rest is to be looked at in the next round.
    has_more: bool,
}

/// What came of a trim.
enum Trimmed {
    Done,
    /// Forks still read what would go.
    KeptForForks,
}

impl Agenda {
    fn set(&mut self, id: &SessionId, at_ms: u64) {
        self.remove(id);
        self.times.insert(id.clone(), at_ms);
        self.by_time.insert((at_ms, id.clone()));
    }

    fn remove(&mut self, id: &SessionId) {
        if let Some(at_ms) = self.times.remove(id) {
            self.by_time.remove(&(at_ms, id.clone()));
        }
    }

    fn take_due(&mut self, now_ms: u64) -> Option<SessionId> {
        let (_, id) = self.by_time.first().filter(|(at_ms, _)| *at_ms <= now_ms)?.clone();
        self.remove(&id);
        Some(id)
    }
}

/// How long something expired may stay.
fn lag_ms(retention_ms: u64) -> u64 {
    (retention_ms / CLEANUP_FRACTION).clamp(1, CLEANUP_LAG_MS_MAX)
}

impl<S: Store> Sessions<S> {
    /// Sees to it that a new session, or one with another retention, is looked at in time.
    pub(super) fn schedule_cleanup(&self, row: &SessionRow, id: &SessionId) {
        let retention_ms = row.retention_ms.unwrap_or(self.inner.config.retention_ms);
        // A fork has events that are older than itself.
        let oldest_ms = if row.forked_from.is_some() { 0 } else { row.created_at };
        self.inner.agenda.lock().set(id, oldest_ms.saturating_add(retention_ms));
    }

    pub(super) async fn tend_retention(&self, now_ms: u64) {
        for _ in 0..CLEANUP_STREAMS {
            let Some(id) = self.inner.agenda.lock().take_due(now_ms) else { break };
            match self.clean(&id, now_ms).await {
                Ok(next_ms) => self.inner.agenda.lock().set(&id, next_ms),
                Err(SessionError::NotFound { .. }) => {}
                Err(error) => {
                    tracing::warn!(session = %id, %error, "expired events stay for now");
                    self.inner.agenda.lock().set(&id, now_ms + lag_ms(self.retention_ms(&id)));
                }
            }
        }
        if let Err(cause) = self.tend_agents(now_ms).await {
            tracing::warn!(%cause, "expired events of agents stay for now");
        }
    }

    /// Trims a session's stream and its state; answers when to look again.
    async fn clean(&self, id: &SessionId, now_ms: u64) -> Result<u64, SessionError> {
        self.row(id).await?;
        let retention_ms = self.retention_ms(id);
        let before_ms = now_ms.saturating_sub(retention_ms);
        let look = self.look(&id.stream(), before_ms).await.map_err(|cause| refusal::read(id, cause))?;
        let soon_ms = now_ms + lag_ms(retention_ms);
        if look.cut > look.start {
            match self.trim_session(id, look.cut, before_ms).await {
                Ok(Trimmed::Done) if look.has_more => return Ok(now_ms),
                Ok(Trimmed::Done) => {}
                Ok(Trimmed::KeptForForks) => return Ok(soon_ms),
                Err(Refused::Moved) => return Ok(now_ms),
                Err(Refused::Told(error)) => return Err(error),
            }
        }
        let expires_ms = look.first_kept_ms.unwrap_or(now_ms).saturating_add(retention_ms);
        Ok(expires_ms.max(soon_ms))
    }

    async fn trim_session(&self, id: &SessionId, cut: Offset, before_ms: u64) -> Result<Trimmed, Refused> {
        let slot = self.loaded(id).await?;
        let entry = slot.entry();
        let is_frozen = {
            let mut live = entry.lock()?;
            std::sync::Arc::make_mut(&mut live.state).expire(before_ms);
            entry.count(&mut live);
            live.frozen_at >= cut
        };
        // ORDER: what only the state knows after the trim is kept before it.
        if !is_frozen {
            self.freeze(id, &slot).await?;
        }
        match self.inner.engine.trim(&id.stream(), cut).await {
            Ok(earliest) => {
                entry.lock()?.earliest = earliest;
                Ok(Trimmed::Done)
            }
            Err(cause) => refusal::trim(cause).map_or(Ok(Trimmed::KeptForForks), |error| Err(error.into())),
        }
    }

    /// Goes on with the walk over the agents' streams, which are kept for the longest retention there is.
    async fn tend_agents(&self, now_ms: u64) -> Result<(), EngineError> {
        let mut walk = self.inner.agents.lock().await;
        if now_ms < walk.next_ms {
            return Ok(());
        }
        let own = self.inner.ledger.read(|rows| rows.iter().filter_map(|row| row.retention_ms).max());
        let retention_ms = own.unwrap_or_default().max(self.inner.config.retention_ms);
        let found = self.inner.engine.list("agent/", walk.after.as_ref(), CLEANUP_STREAMS).await?;
        let is_agent =
            |path: &StreamPath| path.as_str().strip_prefix("agent/").is_some_and(|id| AgentId::new(id).is_ok());
        for listed in found.iter().filter(|listed| !listed.soft_deleted && is_agent(&listed.path)) {
            self.clean_agent(&listed.path, now_ms.saturating_sub(retention_ms)).await?;
        }
        if found.len() < CLEANUP_STREAMS {
            *walk = AgentWalk { after: None, next_ms: now_ms + lag_ms(retention_ms) };
        } else {
            walk.after = found.last().map(|listed| listed.path.clone());
        }
        Ok(())
    }

    async fn clean_agent(&self, path: &StreamPath, before_ms: u64) -> Result<(), EngineError> {
        let look = match self.look(path, before_ms).await {
            Ok(look) => look,
            Err(ReadError::Engine(cause)) => return Err(cause),
            // It has ended since it was listed.
            Err(_) => return Ok(()),
        };
        if look.cut > look.start
            && let Err(cause) = self.inner.engine.trim(path, look.cut).await
            && let Some(error) = refusal::trim(cause)
        {
            tracing::warn!(%path, %error, "expired events of an agent stay for now");
        }
        Ok(())
    }

    /// Reads from the beginning to the first message that was decided at `before_ms` or later. Messages that do not say
    /// when go with those around them.
    async fn look(&self, path: &StreamPath, before_ms: u64) -> Result<Look, ReadError> {
        let (mut cut, mut first_kept_ms) = (None, None);
        let each = |text: &str, next: Offset| match scan::change(text).and_then(|change| change.at_ms) {
            Some(at_ms) if at_ms >= before_ms => {
                first_kept_ms = Some(at_ms);
                ControlFlow::Break(())
            }
            Some(_) => {
                cut = Some(next);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        };
        let scanned = scan::scan(&self.inner.engine, path, ReadFrom::Start, CLEANUP_BYTES, each).await?;
        let cut = cut.unwrap_or(scanned.start);
        Ok(Look { start: scanned.start, cut, first_kept_ms, has_more: scanned.end == ScanEnd::Budget })
    }
}
