//! Agent steps: what an agent's loop reports, as events of the channels.
//!
//! | step | becomes |
//! | --- | --- |
//! | `tool:start`, `tool:invoke` | `toolCalls`, `running`; the invocation of a call that has started lands on its row |
//! | `tool:result` | `toolCalls`, `complete` or `error` with output and duration, on the row of the start |
//! | `stream:token` | `chunks` |
//! | `agent:turn` | `agentState`, `running`, with the turn |
//! | `agent:complete` | `agentState`, `completed`, with the result as its message |

use std::fmt;
use std::str::FromStr;

use crate::channel::{Channel, RowType};
use crate::error::SessionError;
use crate::event::{Event, ToolStatus};
use crate::fields::{Field, Kind, missing, optional, read, required};
use crate::id::SessionId;
use crate::json::{Json, Object};
use crate::limits::NAME_BYTES_MAX;
use crate::staged::Staged;

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// A tool is about to be called.
    ToolStart,
    /// It is called, with its input.
    ToolInvoke,
    /// It came back.
    ToolResult,
    /// A piece of text.
    StreamToken,
    /// A turn begins.
    AgentTurn,
    /// The agent is done.
    AgentComplete,
}

impl StepKind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ToolStart, Self::ToolInvoke, Self::ToolResult, Self::StreamToken, Self::AgentTurn, Self::AgentComplete];

    /// As it stands in a step's `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToolStart => "tool:start",
            Self::ToolInvoke => "tool:invoke",
            Self::ToolResult => "tool:result",
            Self::StreamToken => "stream:token",
            Self::AgentTurn => "agent:turn",
            Self::AgentComplete => "agent:complete",
        }
    }

    const fn fields(self) -> &'static [Field] {
        match self {
            Self::ToolStart | Self::ToolInvoke => CALL,
            Self::ToolResult => RESULT,
            Self::StreamToken => TOKEN,
            Self::AgentTurn => TURN,
            Self::AgentComplete => COMPLETE,
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StepKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

const CALL: &[Field] = &[
    required("agentId", Kind::AgentId),
    optional("id", Kind::Id),
    required("tool", Kind::Name(NAME_BYTES_MAX)),
    optional("input", Kind::Any),
    optional("timestamp", Kind::Timestamp),
];
const RESULT: &[Field] = &[
    required("agentId", Kind::AgentId),
    optional("id", Kind::Id),
    optional("tool", Kind::Name(NAME_BYTES_MAX)),
    optional("output", Kind::Any),
    optional("error", Kind::Text),
    optional("duration", Kind::Amount),
    optional("timestamp", Kind::Timestamp),
];
const TOKEN: &[Field] = &[
    required("agentId", Kind::AgentId),
    optional("id", Kind::Id),
    required("text", Kind::Text),
    optional("accumulated", Kind::Text),
    optional("turn", Kind::Whole),
    optional("timestamp", Kind::Timestamp),
];
const TURN: &[Field] = &[
    required("agentId", Kind::AgentId),
    required("turn", Kind::Whole),
    optional("taskId", Kind::Id),
    optional("message", Kind::Text),
    optional("progress", Kind::Amount),
    optional("timestamp", Kind::Timestamp),
];
const COMPLETE: &[Field] = &[
    required("agentId", Kind::AgentId),
    optional("result", Kind::Any),
    optional("turn", Kind::Whole),
    optional("taskId", Kind::Id),
    optional("timestamp", Kind::Timestamp),
];

/// One step with the fields it was given.
#[derive(Debug, Clone)]
pub struct Step {
    kind: StepKind,
    fields: Object,
}

impl Step {
    pub(crate) fn parse(mut object: Object) -> Result<Self, SessionError> {
        let kind = object.get("type").ok_or_else(|| SessionError::field("type", "is required"))?;
        let kind = kind.as_str().and_then(|text| text.parse::<StepKind>().ok()).ok_or_else(|| {
            let names: Vec<&str> = StepKind::ALL.iter().map(|kind| kind.as_str()).collect();
            SessionError::field("type", format!("must be one of {}", names.join(", ")))
        })?;
        object.remove("type");
        let given = read(kind.fields(), object)?;
        missing(kind.fields(), &given.values)?;
        Ok(Self { kind, fields: given.values })
    }

    /// What it is about.
    pub fn kind(&self) -> StepKind {
        self.kind
    }

    /// The event that the step is, given what has happened so far.
    pub(crate) fn resolve(&self, staged: &Staged<'_>, session: &SessionId, now_ms: u64) -> Result<Event, SessionError> {
        let (channel, object) = match self.kind {
            StepKind::ToolStart => (Channel::ToolCalls, self.start(staged)),
            StepKind::ToolInvoke => (Channel::ToolCalls, self.invocation(staged)),
            StepKind::ToolResult => (Channel::ToolCalls, self.result(staged, now_ms)?),
            StepKind::StreamToken => (Channel::Chunks, self.fields.clone()),
            StepKind::AgentTurn => (Channel::AgentState, self.agent_state("running")),
            StepKind::AgentComplete => (Channel::AgentState, self.agent_state("completed")),
        };
        Event::from_object(channel, object, session)
    }

    fn start(&self, staged: &Staged<'_>) -> Object {
        let known = self.fields.text("id").filter(|id| staged.row(RowType::Tool, id).is_some());
        self.call(None, known.is_none())
    }

    /// A running call; a new one has an input, `null` when the step names none.
    fn call(&self, id: Option<&str>, is_new: bool) -> Object {
        let mut call = self.fields.clone();
        if let Some(id) = id {
            call.set("id", Json::text(id));
        }
        if is_new && call.get("input").is_none() {
            call.set("input", Json::null());
        }
        call.set("status", Json::text("running"));
        call
    }

    /// Without an id, it belongs to the latest open call of that tool whose input it does not contradict.
    fn invocation(&self, staged: &Staged<'_>) -> Object {
        let named = self.fields.text("id");
        let key = match &named {
            Some(id) => Some(&**id).filter(|id| staged.row(RowType::Tool, id).is_some()),
            None => self.open_call(staged, |row| {
                let started = row.get("input").filter(|input| !input.is_null());
                started.is_none() || self.fields.get("input").is_none_or(|input| Some(input) == started)
            }),
        };
        let mut call = self.call(key, key.is_none());
        if key.is_some() {
            // The row keeps the time at which the call started.
            call.remove("timestamp");
        }
        call
    }

    fn result(&self, staged: &Staged<'_>, now_ms: u64) -> Result<Object, SessionError> {
        let named = self.fields.text("id");
        let key = named.as_deref().or_else(|| self.open_call(staged, |_| true));
        let row = key.and_then(|key| Some((key, staged.row(RowType::Tool, key)?.0)));
        let (key, row) = row.ok_or_else(|| SessionError::field("id", "must be that of a call that has started"))?;
        let mut result = self.fields.clone();
        result.set("id", Json::text(key));
        result.set("status", Json::text(if self.fields.get("error").is_some() { "error" } else { "complete" }));
        if let (Some(error), None) = (self.fields.get("error"), self.fields.get("output")) {
            result.set("output", error.clone());
        }
        // The duration of a call that is over stands: the same result sent again must not change it.
        let is_open = row.text("status").is_some_and(|status| ToolStatus::of(&status) != ToolStatus::Done);
        if is_open && let (None, Some(started)) = (self.fields.get("duration"), row.whole("timestamp")) {
            let ended = self.fields.whole("timestamp").unwrap_or(now_ms);
            result.set("duration", Json::whole(ended.saturating_sub(started)));
        }
        result.remove("error");
        result.remove("timestamp");
        Ok(result)
    }

    fn open_call<'s>(&self, staged: &'s Staged<'_>, fits: impl Fn(&Object) -> bool) -> Option<&'s str> {
        let (agent_id, tool) = (self.fields.text("agentId")?, self.fields.text("tool"));
        staged.open_calls(&agent_id, tool.as_deref()).find(|key| {
            let is_open =
                |row: &Object| row.text("status").is_some_and(|text| ToolStatus::of(&text) != ToolStatus::Done);
            staged.row(RowType::Tool, key).is_some_and(|(row, _)| is_open(&row) && fits(&row))
        })
    }

    fn agent_state(&self, status: &'static str) -> Object {
        let mut state = self.fields.clone();
        state.set("status", Json::text(status));
        if let Some(result) = self.fields.get("result") {
            let message = result.as_str().map_or_else(|| Json::text(result.get()), |text| Json::text(&text));
            state.set("message", message);
        }
        state.remove("result");
        state
    }
}
