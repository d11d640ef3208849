//! The sessions there are: one row each, in a State Protocol stream that is folded here.
//!
//! A session is active, paused or closed, and closed is final. Every operation is a pure function from the row to the
//! change that is to be appended to the registry's stream.

use headwater_protocol::Offset;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::change::{Change, Operation};
use crate::channel::RowType;
use crate::error::SessionError;
use crate::event::bounded_object;
use crate::fields::{Field, Given, Kind, missing, optional, read, required};
use crate::id::SessionId;
use crate::json::Json;
use crate::limits::{ID_BYTES_MAX, TITLE_BYTES_MAX};
use crate::position::Position;

mod frozen;
mod list;
mod new_fork;
mod retention;

pub use list::{Listing, Order, PageRequest, SessionFilter, Sort, SortField};
pub use new_fork::NewFork;

/// Whether a session takes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// At work.
    Active,
    /// Halted for now; events are still taken, so that people can answer and approve.
    Paused,
    /// Over, for good.
    Closed,
}

/// Where a session branched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForkOrigin {
    /// The session it shares history with.
    pub session_id: String,
    /// Up to here.
    pub offset: Offset,
}

/// A session as everybody sees it. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRow {
    /// Its id.
    pub id: String,
    /// What it belongs to.
    pub project_id: String,
    /// The task it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The agent at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether it takes events.
    pub status: SessionStatus,
    /// Where people look at it.
    pub url: String,
    /// When it was created.
    pub created_at: u64,
    /// When its row last changed.
    pub updated_at: u64,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<u64>,
    /// How long its events are kept, in milliseconds, when that is its own.
    #[serde(default, rename = "retentionMs", skip_serializing_if = "Option::is_none")]
    pub retention_ms: Option<u64>,
    /// Where it branched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<ForkOrigin>,
}

/// What somebody who creates a session says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewSession {
    /// What it belongs to.
    pub project_id: String,
    /// The task it is about.
    pub task_id: Option<String>,
    /// The agent at work.
    pub agent_id: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// How long its events are kept, in milliseconds; `None` for the server's default.
    pub retention_ms: Option<u64>,
}

/// What may change about a session: `Some(None)` clears.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionPatch {
    /// The task it is about.
    pub task_id: Option<Option<String>>,
    /// The agent at work.
    pub agent_id: Option<Option<String>>,
    /// For people.
    pub title: Option<Option<String>>,
    /// How long its events are kept, in milliseconds.
    pub retention_ms: Option<Option<u64>>,
}

/// What may happen to a session's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Halt it.
    Pause,
    /// Go on.
    Resume,
    /// End it.
    Close,
}

const NEW: &[Field] = &[
    required("projectId", Kind::Id),
    optional("taskId", Kind::Id),
    optional("agentId", Kind::AgentId),
    optional("title", Kind::Name(TITLE_BYTES_MAX)),
    optional("retentionMs", Kind::Whole),
];
/// All but the first field of [`NEW`].
const PATCH: &[Field] = NEW.split_at(1).1;

impl NewSession {
    /// Reads `{projectId, taskId?, agentId?, title?, retentionMs?}`.
    pub fn parse(body: &[u8]) -> Result<Self, SessionError> {
        let Given { values, .. } = read_body(NEW, body)?;
        missing(NEW, &values)?;
        let text = |name: &str| values.text(name).map(|text| text.into_owned());
        let project_id = text("projectId").expect("it is required");
        let retention_ms = retention::check(values.whole("retentionMs"))?;
        Ok(Self { project_id, task_id: text("taskId"), agent_id: text("agentId"), title: text("title"), retention_ms })
    }
}

impl SessionPatch {
    /// Reads `{taskId?, agentId?, title?, retentionMs?}`; `null` clears a field.
    pub fn parse(body: &[u8]) -> Result<Self, SessionError> {
        let Given { values, cleared } = read_body(PATCH, body)?;
        let text = |name: &str| match cleared.contains(&name) {
            true => Some(None),
            false => values.text(name).map(|text| Some(text.into_owned())),
        };
        let retention_ms = match cleared.contains(&"retentionMs") {
            true => Some(None),
            false => retention::check(values.whole("retentionMs"))?.map(Some),
        };
        Ok(Self { task_id: text("taskId"), agent_id: text("agentId"), title: text("title"), retention_ms })
    }
}

fn read_body(fields: &'static [Field], body: &[u8]) -> Result<Given, SessionError> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| {
        let rule = format!("is not valid JSON: {error}").into();
        SessionError::InvalidParams { name: "body", rule }
    })?;
    read(fields, bounded_object("body", raw)?)
}

impl SessionRow {
    /// A new, active session. The caller has made `id` unique.
    pub fn new(id: &SessionId, new: NewSession, forked_from: Option<ForkOrigin>, now_ms: u64) -> Self {
        Self {
            id: id.to_string(),
            project_id: new.project_id,
            task_id: new.task_id,
            agent_id: new.agent_id,
            title: new.title,
            status: SessionStatus::Active,
            url: format!("/sessions/{id}"),
            created_at: now_ms,
            updated_at: now_ms,
            closed_at: None,
            retention_ms: new.retention_ms,
            forked_from,
        }
    }

    /// The row after `transition`; `None` when it is there already. A closed session has no further transition.
    pub fn after(&self, transition: Transition, now_ms: u64) -> Result<Option<Self>, SessionError> {
        self.check_open()?;
        let status = match transition {
            Transition::Pause => SessionStatus::Paused,
            Transition::Resume => SessionStatus::Active,
            Transition::Close => SessionStatus::Closed,
        };
        if status == self.status {
            return Ok(None);
        }
        let closed_at = (status == SessionStatus::Closed).then_some(now_ms);
        Ok(Some(Self { status, closed_at, updated_at: self.updated_at.max(now_ms), ..self.clone() }))
    }

    /// The row with what `patch` says; `None` when that changes nothing. A closed session can still be given a title.
    #[must_use]
    pub fn patched(&self, patch: SessionPatch, now_ms: u64) -> Option<Self> {
        let mut row = self.clone();
        let fields =
            [(&mut row.task_id, patch.task_id), (&mut row.agent_id, patch.agent_id), (&mut row.title, patch.title)];
        for (field, said) in fields {
            if let Some(said) = said {
                *field = said;
            }
        }
        if let Some(retention_ms) = patch.retention_ms {
            row.retention_ms = retention_ms;
        }
        if row == *self {
            return None;
        }
        row.updated_at = row.updated_at.max(now_ms);
        Some(row)
    }

    /// Whether it takes events.
    pub fn check_open(&self) -> Result<(), SessionError> {
        match self.status {
            SessionStatus::Closed => Err(SessionError::Closed { id: self.id.clone() }),
            SessionStatus::Active | SessionStatus::Paused => Ok(()),
        }
    }

    /// The change message that makes this the session's row. A row that was cleared of a field holds `null` there, as the
    /// official readers need it; `before` is the row as it was.
    pub fn change(&self, before: Option<&Self>, txid: &str, now_ms: u64) -> Change {
        let operation = if before.is_some() { Operation::Update } else { Operation::Insert };
        let mut row = crate::json::Object::parse(Json::of(self).get()).expect("a struct is an object");
        let was_set = |name: &str, of: fn(&Self) -> bool| before.is_some_and(of).then(|| name.to_owned());
        let names = [
            was_set("taskId", |row| row.task_id.is_some()),
            was_set("agentId", |row| row.agent_id.is_some()),
            was_set("title", |row| row.title.is_some()),
            was_set("retentionMs", |row| row.retention_ms.is_some()),
        ];
        for name in names.into_iter().flatten().filter(|name| row.get(name).is_none()).collect::<Vec<_>>() {
            row.set(name, Json::null());
        }
        registry_change(&self.id, operation, Some(row.encode()), txid, now_ms)
    }

    /// The change message that ends the row.
    pub fn deletion(&self, txid: &str, now_ms: u64) -> Change {
        registry_change(&self.id, Operation::Delete, None, txid, now_ms)
    }
}

fn registry_change(id: &str, operation: Operation, value: Option<Json>, txid: &str, now_ms: u64) -> Change {
    let (txid, at_ms) = (Some(txid.to_owned()), Some(now_ms));
    Change { row_type: RowType::Session, key: id.to_owned(), operation, value, txid, at_ms }
}

/// All sessions: the registry's stream, folded.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    position: Position,
    sessions: IndexMap<Box<str>, SessionRow>,
}

impl Registry {
    /// The last message applied.
    pub fn position(&self) -> Position {
        self.position
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// One session.
    pub fn get(&self, id: &str) -> Result<&SessionRow, SessionError> {
        let shown = || id.chars().take(ID_BYTES_MAX).collect();
        self.sessions.get(id).ok_or_else(|| SessionError::NotFound { id: shown() })
    }

    /// All sessions.
    pub fn iter(&self) -> impl Iterator<Item = &SessionRow> {
        self.sessions.values()
    }

    /// Counts a message that is no session.
    pub(crate) fn pass_over(&mut self, next: Offset) {
        if self.position.offset < next {
            self.position = Position { offset: next, seq: self.position.seq + 1 };
        }
    }

    /// Applies the next change of the registry's stream; `next` is the offset right after it. What is no session is passed
    /// over, and told by `false`.
    pub fn apply(&mut self, change: &Change, next: Offset) -> bool {
        self.position = Position { offset: next, seq: self.position.seq + 1 };
        if change.row_type != RowType::Session {
            return false;
        }
        let Some(value) = &change.value else {
            // Listings sort by themselves, so the order here is free.
            self.sessions.swap_remove(change.key.as_str());
            return true;
        };
        let Ok(row) = serde_json::from_str(value.get()) else { return false };
        self.sessions.insert(change.key.as_str().into(), row);
        true
    }
}

#[cfg(test)]
mod tests;
