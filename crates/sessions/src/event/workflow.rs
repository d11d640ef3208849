//! `workflow`: approvals and worktrees. Only ever inserted.

use crate::fields::{Field, Kind, filled, optional, required};

const TYPES: &[&str] = &[
    "approval:requested",
    "approval:approved",
    "approval:rejected",
    "worktree:created",
    "worktree:merged",
    "worktree:removed",
];

pub(super) const FIELDS: &[Field] = &[
    filled("id", Kind::Id),
    filled("sessionId", Kind::Id),
    optional("taskId", Kind::Id),
    required("type", Kind::OneOf(TYPES)),
    required("payload", Kind::AnyObject),
    optional("actor", Kind::Id),
    filled("timestamp", Kind::Timestamp),
];
