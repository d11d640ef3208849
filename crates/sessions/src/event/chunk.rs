//! `chunks`: pieces of an agent's text. Only ever inserted.

use crate::fields::{Field, Kind, filled, optional, required};

pub(super) const FIELDS: &[Field] = &[
    filled("id", Kind::Id),
    required("agentId", Kind::AgentId),
    filled("sessionId", Kind::Id),
    required("text", Kind::Text),
    optional("accumulated", Kind::Text),
    optional("turn", Kind::Whole),
    filled("timestamp", Kind::Timestamp),
];
