//! What can be asked of a session at rest: its folded state, its history, and where something was said.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{AgentState, Channel, Message, SessionEvent, SessionRow, TerminalLine, ToolCall, WorkflowEvent};
use crate::Offset;
use crate::transport::Call;

/// A session's folded state, up to an offset.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StateAt {
    /// Up to where it holds.
    pub offset: Offset,
    /// What was said, oldest first.
    pub messages: Vec<Message>,
    /// Tool calls, oldest first.
    pub tool_calls: Vec<ToolCall>,
    /// The terminal, in order.
    pub terminal: Vec<TerminalLine>,
    /// Approvals and worktrees, oldest first.
    pub workflow: Vec<WorkflowEvent>,
    /// What agents do.
    pub agent_state: Vec<AgentState>,
}

/// What was said in a session, up to an offset.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct MessagesAt {
    /// Up to where it holds.
    pub offset: Offset,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// What to tell of a session's history.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct HistoryQuery {
    query: Vec<(&'static str, String)>,
}

impl HistoryQuery {
    /// All of it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decided then or later, in Unix milliseconds.
    pub fn start_time(self, unix_ms: u64) -> Self {
        self.with("startTime", unix_ms.to_string())
    }

    /// Decided then or earlier, in Unix milliseconds.
    pub fn end_time(self, unix_ms: u64) -> Self {
        self.with("endTime", unix_ms.to_string())
    }

    /// Of these channels.
    pub fn channels(self, channels: &[Channel]) -> Self {
        let names: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
        self.with("eventTypes", names.join(","))
    }

    /// At most so many on a page, up to 1,000.
    pub fn limit(self, limit: usize) -> Self {
        self.with("limit", limit.to_string())
    }

    /// What the page before gave as [`HistoryPage::next_cursor`].
    pub fn cursor(self, cursor: impl Into<String>) -> Self {
        self.with("cursor", cursor)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn add_to(self, call: &mut Call) {
        call.query.extend(self.query);
    }
}

/// One page of history.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HistoryPage {
    /// What happened, oldest first. Events of channels that this version does not know are left out.
    #[serde(deserialize_with = "known")]
    pub events: Vec<SessionEvent>,
    /// Asks for what follows; `None` at the tail. A page may be short, even empty, and have one.
    pub next_cursor: Option<String>,
    /// Up to where the page looked.
    pub offset: Offset,
    /// What lay before has expired and is not told.
    #[serde(default)]
    pub gap: Option<Gap>,
}

/// What is no longer kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Gap {
    /// Where what is kept begins.
    pub earliest: Offset,
}

/// What to find: words in any order and `"phrases"`, all of which must be there; the last word may be unfinished.
#[derive(Debug, Clone)]
#[must_use]
pub struct Search {
    query: Vec<(&'static str, String)>,
}

impl Search {
    /// In all sessions.
    pub fn new(text: impl Into<String>) -> Self {
        Self { query: vec![("q", text.into())] }
    }

    /// In this session.
    pub fn session(self, session_id: impl Into<String>) -> Self {
        self.with("sessionId", session_id)
    }

    /// By this agent.
    pub fn agent(self, agent_id: impl Into<String>) -> Self {
        self.with("agentId", agent_id)
    }

    /// In sessions of this project.
    pub fn project(self, project_id: impl Into<String>) -> Self {
        self.with("projectId", project_id)
    }

    /// Some of `messages`, `toolCalls` and `terminal`. Default: all.
    pub fn channels(self, names: &[&str]) -> Self {
        self.with("channels", names.join(","))
    }

    /// Changed then or later, in Unix milliseconds.
    pub fn start_time(self, unix_ms: u64) -> Self {
        self.with("startTime", unix_ms.to_string())
    }

    /// Changed then or earlier, in Unix milliseconds.
    pub fn end_time(self, unix_ms: u64) -> Self {
        self.with("endTime", unix_ms.to_string())
    }

    /// At most so many on a page, up to 100. Default: 20.
    pub fn limit(self, limit: usize) -> Self {
        self.with("limit", limit.to_string())
    }

    /// What the page before gave as [`SearchPage::next_cursor`].
    pub fn cursor(self, cursor: impl Into<String>) -> Self {
        self.with("cursor", cursor)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn add_to(self, call: &mut Call) {
        call.query.extend(self.query);
    }
}

/// One page of hits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SearchPage {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// Asks for what follows; `None` when nothing does.
    pub next_cursor: Option<String>,
    /// How the index is doing.
    pub index: IndexStatus,
}

/// Where something was said.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SearchHit {
    /// In which session.
    pub session_id: String,
    /// `messages`, `toolCalls` or `terminal`.
    pub channel: String,
    /// A message id, or the key of a row.
    pub key: String,
    /// Who spoke or called.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// The tool, of a call.
    #[serde(default)]
    pub tool: Option<String>,
    /// A session read up to here shows it.
    pub offset: Offset,
    /// When it last changed, in Unix milliseconds.
    pub timestamp: u64,
    /// A piece of the text around what was found.
    pub snippet: String,
    /// The same, cut where matches begin and end.
    #[serde(default)]
    pub parts: Vec<SnippetPart>,
    /// How well it matches: less is better.
    pub rank: f64,
}

/// A piece of a snippet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct SnippetPart {
    /// Its text.
    pub text: String,
    /// Whether it is what was looked for.
    #[serde(rename = "match")]
    pub is_match: bool,
}

/// How the index is doing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct IndexStatus {
    /// `caughtUp`, `behind` or `failing`.
    pub state: String,
    /// Why it fails.
    #[serde(default, alias = "why")]
    pub reason: Option<String>,
}

/// What somebody who joins gets.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Joined {
    /// The session.
    pub session: SessionRow,
    /// Where reading the session goes on.
    pub offset: Offset,
    /// The same of its companion stream.
    pub presence_offset: Offset,
}

fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SessionEvent>, D::Error> {
    let events = Vec::<Value>::deserialize(deserializer)?;
    let is_known = |event: &Value| event["channel"].as_str().is_none_or(|name| Channel::of(name).is_some());
    let events = events.into_iter().filter(is_known).map(serde_json::from_value);
    events.collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}
