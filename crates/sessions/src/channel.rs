//! The six channels, and the State Protocol type each one's rows have.

use std::fmt;
use std::str::FromStr;

/// What a writer names: `{channel, data}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Pieces of an agent's text.
    Chunks,
    /// Calls of tools, from start to result.
    ToolCalls,
    /// Who is there.
    Presence,
    /// Lines of the terminal.
    Terminal,
    /// Approvals and worktrees.
    Workflow,
    /// What each agent is doing.
    AgentState,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Chunks, Self::ToolCalls, Self::Presence, Self::Terminal, Self::Workflow, Self::AgentState];

    /// As writers name it.
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

    /// The type of its rows.
    pub const fn row_type(self) -> RowType {
        match self {
            Self::Chunks => RowType::Chunk,
            Self::ToolCalls => RowType::Tool,
            Self::Presence => RowType::Presence,
            Self::Terminal => RowType::Terminal,
            Self::Workflow => RowType::Workflow,
            Self::AgentState => RowType::State,
        }
    }

    /// The field that is a row's key.
    pub const fn key_field(self) -> &'static str {
        match self {
            Self::Presence => "userId",
            Self::AgentState => "agentId",
            Self::Chunks | Self::ToolCalls | Self::Terminal | Self::Workflow => "id",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Channel {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text).ok_or(())
    }
}

/// The `type` of a change message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowType {
    /// Of the channel `chunks`.
    Chunk,
    /// Of `toolCalls`.
    Tool,
    /// Of `presence`.
    Presence,
    /// Of `terminal`.
    Terminal,
    /// Of `workflow`.
    Workflow,
    /// Of `agentState`.
    State,
    /// A session, in the stream that is the registry.
    Session,
}

impl RowType {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Chunk, Self::Tool, Self::Presence, Self::Terminal, Self::Workflow, Self::State, Self::Session];

    /// As it stands in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chunk => "chunk",
            Self::Tool => "tool",
            Self::Presence => "presence",
            Self::Terminal => "terminal",
            Self::Workflow => "workflow",
            Self::State => "state",
            Self::Session => "session",
        }
    }

    /// The channel whose events become such rows.
    pub const fn channel(self) -> Option<Channel> {
        match self {
            Self::Chunk => Some(Channel::Chunks),
            Self::Tool => Some(Channel::ToolCalls),
            Self::Presence => Some(Channel::Presence),
            Self::Terminal => Some(Channel::Terminal),
            Self::Workflow => Some(Channel::Workflow),
            Self::State => Some(Channel::AgentState),
            Self::Session => None,
        }
    }
}

impl fmt::Display for RowType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RowType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|row_type| row_type.as_str() == text).ok_or(())
    }
}
