//! `agentState`: one row per agent, saying what it does now. `timestamp` is when it last changed.

use crate::fields::{Field, Kind, filled, optional, required};
use crate::limits::NAME_BYTES_MAX;

pub(super) const FIELDS: &[Field] = &[
    required("agentId", Kind::AgentId),
    filled("sessionId", Kind::Id),
    required("status", Kind::OneOf(&["idle", "starting", "running", "paused", "error", "completed"])),
    optional("taskId", Kind::Id),
    optional("turn", Kind::Whole),
    optional("progress", Kind::Amount),
    optional("currentTool", Kind::Name(NAME_BYTES_MAX)),
    optional("message", Kind::Text),
    optional("error", Kind::Text),
    filled("timestamp", Kind::Timestamp),
];
