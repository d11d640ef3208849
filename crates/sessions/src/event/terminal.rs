//! `terminal`: lines in and out of a terminal. Only ever inserted.

use crate::fields::{Field, Kind, filled, required};

pub(super) const FIELDS: &[Field] = &[
    filled("id", Kind::Id),
    filled("sessionId", Kind::Id),
    required("type", Kind::OneOf(&["input", "output", "error"])),
    required("data", Kind::Text),
    required("source", Kind::OneOf(&["user", "agent", "system"])),
    filled("timestamp", Kind::Timestamp),
];
