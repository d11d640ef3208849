//! The channels of a session, and what happens to their rows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where in a session something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Channel {
    /// Pieces of agents' text.
    Chunks,
    /// Tool calls, one row each.
    ToolCalls,
    /// Who is there, one row per user.
    Presence,
    /// Lines in and out of a terminal.
    Terminal,
    /// Approvals and worktrees.
    Workflow,
    /// What agents do now, one row per agent.
    AgentState,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Chunks, Self::ToolCalls, Self::Presence, Self::Terminal, Self::Workflow, Self::AgentState];

    /// As it stands in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chunks => "chunks",
            Self::ToolCalls => "toolCalls",
            Self::Presence => "presence",
            Self::Terminal => "terminal",
            Self::Workflow => "workflow",
            Self::AgentState => "agentState",
        }
    }

    /// The type of its rows in change messages.
    pub const fn row_type(self) -> &'static str {
        match self {
            Self::Chunks => "chunk",
            Self::ToolCalls => "tool",
            Self::Presence => "presence",
            Self::Terminal => "terminal",
            Self::Workflow => "workflow",
            Self::AgentState => "state",
        }
    }

    /// The channel of this name, if this version knows it.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }

    pub(crate) fn of_row_type(row_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.row_type() == row_type)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// It is new.
    Insert,
    /// It is replaced, as a whole.
    Update,
    /// It is gone.
    Delete,
}
