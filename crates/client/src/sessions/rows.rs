//! Rows as readers see them. Fields that a newer server adds are passed over, and words it adds become `Other`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Channel;

/// What a collection of a channel holds.
pub(crate) trait Row: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    const CHANNEL: Channel;
}

macro_rules! rows {
    ($($row:ty => $channel:ident),*) => {
        $(impl Row for $row { const CHANNEL: Channel = Channel::$channel; })*
    };
}

rows!(
    Chunk => Chunks, ToolCall => ToolCalls, Participant => Presence, TerminalLine => Terminal,
    WorkflowEvent => Workflow, AgentState => AgentState
);

/// A piece of an agent's text. In a snapshot, the pieces of one agent and turn come as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Chunk {
    /// Unique.
    pub id: String,
    /// Who speaks.
    pub agent_id: String,
    /// Where.
    pub session_id: String,
    /// The piece.
    pub text: String,
    /// All text of the turn so far, when the agent says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accumulated: Option<String>,
    /// Which turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u64>,
    /// When, in Unix milliseconds.
    pub timestamp: u64,
}

/// What an agent said in a turn: the texts of its chunks, joined in stream order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Message {
    /// `{agentId}-{turn}`.
    pub id: String,
    /// Who speaks.
    pub agent_id: String,
    /// Where.
    pub session_id: String,
    /// What was said so far.
    pub text: String,
    /// 0 when the chunks name none.
    pub turn: u64,
    /// The latest of the chunks' timestamps, in Unix milliseconds.
    pub timestamp: u64,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolCall {
    /// Unique.
    pub id: String,
    /// Who calls.
    pub agent_id: String,
    /// Where.
    pub session_id: String,
    /// What is called.
    pub tool: String,
    /// With what.
    #[serde(default)]
    pub input: Value,
    /// What came of it; `null` until then.
    #[serde(default)]
    pub output: Value,
    /// How far it is.
    pub status: ToolStatus,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// When it was made, in Unix milliseconds.
    pub timestamp: u64,
}

/// How far a tool call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ToolStatus {
    /// Waits, perhaps for approval.
    Pending,
    /// Under way.
    Running,
    /// Done.
    Complete,
    /// Failed.
    Error,
    /// A word that this version does not know.
    #[serde(other)]
    Other,
}

/// Somebody present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Participant {
    /// Who.
    pub user_id: String,
    /// Where.
    pub session_id: String,
    /// What others call them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// What others see of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Where they point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// The last sign of life, in Unix milliseconds.
    pub last_seen: u64,
    /// When they came, in Unix milliseconds.
    pub joined_at: u64,
}

/// Where somebody points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

/// A piece of what went into or came out of a terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TerminalLine {
    /// Unique.
    pub id: String,
    /// Where.
    pub session_id: String,
    /// In which direction.
    #[serde(rename = "type")]
    pub kind: TerminalKind,
    /// The text, escape sequences included.
    pub data: String,
    /// Whose.
    pub source: TerminalSource,
    /// When, in Unix milliseconds.
    pub timestamp: u64,
}

/// In which direction a terminal's text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TerminalKind {
    /// Into the program.
    Input,
    /// Out of it.
    Output,
    /// Out of it, to tell of errors.
    Error,
    /// A word that this version does not know.
    #[serde(other)]
    Other,
}

/// Whose a terminal's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TerminalSource {
    /// A person's.
    User,
    /// An agent's.
    Agent,
    /// The machine's.
    System,
    /// A word that this version does not know.
    #[serde(other)]
    Other,
}

/// An approval, or what happened to a worktree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorkflowEvent {
    /// Unique.
    pub id: String,
    /// Where.
    pub session_id: String,
    /// About which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// What.
    #[serde(rename = "type")]
    pub kind: WorkflowKind,
    /// More about it, an object.
    #[serde(default)]
    pub payload: Value,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// When, in Unix milliseconds.
    pub timestamp: u64,
}

/// What happened in a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WorkflowKind {
    /// Somebody asks for approval.
    #[serde(rename = "approval:requested")]
    ApprovalRequested,
    /// Somebody approves.
    #[serde(rename = "approval:approved")]
    ApprovalApproved,
    /// Somebody rejects.
    #[serde(rename = "approval:rejected")]
    ApprovalRejected,
    /// A worktree is there.
    #[serde(rename = "worktree:created")]
    WorktreeCreated,
    /// A worktree's changes are in.
    #[serde(rename = "worktree:merged")]
    WorktreeMerged,
    /// A worktree is gone.
    #[serde(rename = "worktree:removed")]
    WorktreeRemoved,
    /// A word that this version does not know.
    #[serde(other)]
    Other,
}

/// What an agent does now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AgentState {
    /// Which agent.
    pub agent_id: String,
    /// Where.
    pub session_id: String,
    /// What it does.
    pub status: AgentStatus,
    /// On which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// In which turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u64>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// With which tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_tool: Option<String>,
    /// What it says about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When this last changed, in Unix milliseconds.
    pub timestamp: u64,
}

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AgentStatus {
    /// Nothing.
    Idle,
    /// It begins.
    Starting,
    /// It works.
    Running,
    /// It waits for somebody.
    Paused,
    /// It failed.
    Error,
    /// It is done.
    Completed,
    /// A word that this version does not know.
    #[serde(other)]
    Other,
}
