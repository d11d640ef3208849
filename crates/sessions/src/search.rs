//! Full-text search over sessions: what is asked and answered.
//!
//! Streams cannot be searched; whoever keeps an index of them implements [`SessionSearch`]. An index follows its streams
//! at its own pace, so a hit may be missing for a moment, and a hit's session may be gone already.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use headwater_protocol::Offset;
use serde::Serialize;
use thiserror::Error;

use crate::error::SessionError;
use crate::id::{AgentId, SessionId};

/// An index that can be asked.
pub trait SessionSearch: Send + Sync + fmt::Debug + 'static {
    /// One page of hits, best first.
    fn search(&self, query: SearchQuery) -> SearchAnswer;

    /// How the index is doing.
    fn status(&self) -> SearchStatus;
}

/// A search under way.
pub type SearchAnswer = Pin<Box<dyn Future<Output = Result<SearchPage, SearchError>> + Send>>;

/// What can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Found {
    /// A message: the joined text of an agent's turn.
    #[serde(rename = "messages")]
    Message,
    /// A tool call: its tool, input and output.
    #[serde(rename = "toolCalls")]
    ToolCall,
    /// A line of the terminal.
    #[serde(rename = "terminal")]
    Terminal,
}

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchQuery {
    /// Words, in any order, and `"phrases in quotation marks"`; all must be there. The last word may be unfinished. No
    /// character has another meaning, so any text is a query.
    pub text: String,
    /// In this session.
    pub session: Option<SessionId>,
    /// By this agent.
    pub agent: Option<AgentId>,
    /// In sessions of this project.
    pub project: Option<String>,
    /// Of these kinds; none for all.
    pub kinds: Vec<Found>,
    /// Changed then or later, in Unix milliseconds.
    pub start_ms: Option<u64>,
    /// Changed then or earlier, in Unix milliseconds.
    pub end_ms: Option<u64>,
    /// Hits on the page; `None` for the default.
    pub limit: Option<usize>,
    /// What the page before answered.
    pub cursor: Option<String>,
}

/// One hit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchHit {
    /// Where it happened.
    pub session_id: String,
    /// What it is.
    pub channel: Found,
    /// Which one: a message id, or the key of a row.
    pub key: String,
    /// Who spoke or called, when it was an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The tool, when it is a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The offset right after the last event that belongs to it: a session read up to here shows it.
    pub offset: Offset,
    /// When it last changed, in Unix milliseconds.
    pub timestamp: u64,
    /// A piece of the text around what was found.
    pub snippet: String,
    /// The same, cut where matches begin and end.
    pub parts: Vec<SnippetPart>,
    /// How well it matches: less is better.
    pub rank: f64,
}

/// A piece of a snippet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnippetPart {
    /// Its text.
    pub text: String,
    /// Whether it is what was looked for.
    #[serde(rename = "match")]
    pub is_match: bool,
}

/// One page of hits.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchPage {
    /// Best first.
    pub hits: Vec<SearchHit>,
    /// Asks for what follows; `None` when nothing does. What changes between two pages may be shown twice or not at all.
    pub next_cursor: Option<String>,
}

/// How an index is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum SearchStatus {
    /// Everything that was acknowledged a moment ago can be found.
    CaughtUp,
    /// It has yet to read what happened before.
    Behind,
    /// It cannot go on; what it holds can be searched if it can be read at all.
    Failing {
        /// Why not.
        why: String,
    },
    /// It has ended.
    Stopped,
}

/// Why a search has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SearchError {
    /// Of the query.
    #[error("{name} {rule}")]
    Invalid {
        /// Which part of it.
        name: &'static str,
        /// What it must be.
        rule: String,
    },
    /// Nothing is wrong with the query; try again after a moment.
    #[error("too many searches are under way")]
    Overloaded,
    /// The query matches too much to be ranked in time.
    #[error("the search took too long; ask for something rarer")]
    TooSlow,
    /// The index cannot be read.
    #[error("the index cannot be read: {why}")]
    Failed {
        /// Why not.
        why: String,
    },
}

impl Found {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Message, Self::ToolCall, Self::Terminal];

    /// As queries and hits name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::ToolCall => "toolCalls",
            Self::Terminal => "terminal",
        }
    }
}

impl FromStr for Found {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

impl From<SearchError> for SessionError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Invalid { name, rule } => Self::InvalidParams { name, rule: rule.into() },
            SearchError::Overloaded | SearchError::TooSlow => Self::Overloaded { why: error.to_string().into() },
            SearchError::Failed { .. } => Self::Unavailable { why: error.to_string() },
        }
    }
}
