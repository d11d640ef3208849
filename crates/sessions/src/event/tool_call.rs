//! `toolCalls`: one row per call, inserted when it starts and updated as it goes on.
//!
//! `timestamp` is when the call was made; an update that names none leaves it. The status only moves forward, so that
//! a late copy of the start cannot reopen a finished call.

use crate::fields::{Field, Kind, filled, optional, required};
use crate::limits::NAME_BYTES_MAX;

pub(super) const FIELDS: &[Field] = &[
    filled("id", Kind::Id),
    required("agentId", Kind::AgentId),
    filled("sessionId", Kind::Id),
    required("tool", Kind::Name(NAME_BYTES_MAX)),
    required("input", Kind::Any),
    optional("output", Kind::Any),
    required("status", Kind::OneOf(&["pending", "running", "complete", "error"])),
    optional("duration", Kind::Amount),
    filled("timestamp", Kind::Timestamp),
];

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ToolStatus {
    Pending,
    Running,
    /// Complete or failed.
    Done,
}

impl ToolStatus {
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "pending" => Self::Pending,
            "running" => Self::Running,
            _ => Self::Done,
        }
    }
}
