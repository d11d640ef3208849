//! Sessions themselves: what the registry holds, and what lists of them are asked for.

use serde::{Deserialize, Serialize};

use super::{AgentState, Participant};
use crate::Offset;
use crate::transport::Call;

/// A session, as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionRow {
    /// Unique; made by the server.
    pub id: String,
    /// What it belongs to.
    pub project_id: String,
    /// The task it is about.
    #[serde(default)]
    pub task_id: Option<String>,
    /// The agent at work.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// For people.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether things happen.
    pub status: SessionState,
    /// Where people look at it: a path.
    pub url: String,
    /// When it was created, in Unix milliseconds.
    pub created_at: u64,
    /// When its row last changed, in Unix milliseconds.
    pub updated_at: u64,
    /// When it was closed, in Unix milliseconds.
    #[serde(default)]
    pub closed_at: Option<u64>,
    /// How long its events are kept, in milliseconds; the server's default when absent.
    #[serde(default)]
    pub retention_ms: Option<u64>,
    /// What it is a fork of.
    #[serde(default)]
    pub forked_from: Option<ForkedFrom>,
    /// Where its stream ended when the server answered; not told in lists.
    #[serde(default)]
    pub offset: Option<Offset>,
}

/// Whether things happen in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SessionState {
    /// They do.
    Active,
    /// It rests; people can answer and approve.
    Paused,
    /// Nothing will happen any more.
    Closed,
    /// A word that this version does not know.
    #[serde(other)]
    Other,
}

/// What a session is a fork of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ForkedFrom {
    /// Of which session.
    pub session_id: String,
    /// Up to where they are the same.
    pub offset: Offset,
}

/// A session, with what is known of it at this moment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionDetail {
    /// The session.
    #[serde(flatten)]
    pub row: SessionRow,
    /// Where its stream begins: what lies before has expired.
    pub earliest: Offset,
    /// Events there were.
    pub event_count: u64,
    /// When the last of them happened, in Unix milliseconds.
    #[serde(default)]
    pub last_event_at: Option<u64>,
    /// How many are there.
    pub viewer_count: u64,
    /// Who is there.
    pub active_users: Vec<Participant>,
    /// What the agents are doing: the first of them, when there are very many.
    #[serde(default)]
    pub agents: Vec<AgentState>,
}

/// What a new session says of itself.
///
/// ```
/// use headwater_client::sessions::NewSession;
///
/// let new = NewSession::new("web").title("Fix the build").agent("coder");
/// ```
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct NewSession {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<Offset>,
}

impl NewSession {
    /// A session of this project.
    pub fn new(project_id: impl Into<String>) -> Self {
        Self { project_id: Some(project_id.into()), ..Self::default() }
    }

    /// For a fork: what is not said is as in the source.
    pub fn like_source() -> Self {
        Self::default()
    }

    /// The task it is about.
    pub fn task(mut self, task_id: impl Into<String>) -> Self {
        self.task_id = Some(task_id.into());
        self
    }

    /// The agent at work.
    pub fn agent(mut self, agent_id: impl Into<String>) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }

    /// For people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// How long its events are kept, in milliseconds.
    pub fn retention_ms(mut self, retention_ms: u64) -> Self {
        self.retention_ms = Some(retention_ms);
        self
    }

    /// For a fork: where to branch off. Default: the tail.
    pub fn at(mut self, offset: impl Into<Offset>) -> Self {
        self.offset = Some(offset.into());
        self
    }
}

/// What to change of a session's row. A field is left as it is (not named), set (`Some`), or cleared (`None`).
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct SessionPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_ms: Option<Option<u64>>,
}

impl SessionPatch {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The task it is about.
    pub fn task(mut self, task_id: Option<&str>) -> Self {
        self.task_id = Some(task_id.map(str::to_owned));
        self
    }

    /// The agent at work.
    pub fn agent(mut self, agent_id: Option<&str>) -> Self {
        self.agent_id = Some(agent_id.map(str::to_owned));
        self
    }

    /// For people.
    pub fn title(mut self, title: Option<&str>) -> Self {
        self.title = Some(title.map(str::to_owned));
        self
    }

    /// How long its events are kept, in milliseconds.
    pub fn retention_ms(mut self, retention_ms: Option<u64>) -> Self {
        self.retention_ms = Some(retention_ms);
        self
    }
}

/// Which sessions to list: those that match everything given.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ListSessions {
    query: Vec<(&'static str, String)>,
}

impl ListSessions {
    /// All, those that changed last first.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this project.
    pub fn project(self, project_id: impl Into<String>) -> Self {
        self.with("projectId", project_id)
    }

    /// About this task.
    pub fn task(self, task_id: impl Into<String>) -> Self {
        self.with("taskId", task_id)
    }

    /// Of this agent.
    pub fn agent(self, agent_id: impl Into<String>) -> Self {
        self.with("agentId", agent_id)
    }

    /// `active`, `paused` or `closed`.
    pub fn status(self, status: impl Into<String>) -> Self {
        self.with("status", status)
    }

    /// With this in the title, in any case.
    pub fn search(self, text: impl Into<String>) -> Self {
        self.with("search", text)
    }

    /// Created then or later, in Unix milliseconds.
    pub fn date_from(self, unix_ms: u64) -> Self {
        self.with("dateFrom", unix_ms.to_string())
    }

    /// Created then or earlier, in Unix milliseconds.
    pub fn date_to(self, unix_ms: u64) -> Self {
        self.with("dateTo", unix_ms.to_string())
    }

    /// By `createdAt`, `updatedAt` or `title`, `asc` or `desc`.
    pub fn sort(self, field: impl Into<String>, order: impl Into<String>) -> Self {
        self.with("sort", field).with("order", order)
    }

    /// At most so many on a page, up to 100. Default: 20.
    pub fn limit(self, limit: usize) -> Self {
        self.with("limit", limit.to_string())
    }

    /// What the page before gave as [`SessionPage::next_cursor`].
    pub fn cursor(self, cursor: impl Into<String>) -> Self {
        self.with("cursor", cursor)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.retain(|(earlier, _)| *earlier != name);
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn add_to(self, call: &mut Call) {
        call.query.extend(self.query);
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions, in order.
    pub sessions: Vec<SessionRow>,
    /// Asks for what follows; `None` when nothing does.
    pub next_cursor: Option<String>,
}

/// Where others find a session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ShareLinks {
    /// For people.
    pub url: String,
    /// Its stream.
    pub stream_url: String,
    /// What happens in it, as server-sent events.
    pub events_url: String,
}
