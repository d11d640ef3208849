//! How a partial event lands on a row that is there. State Protocol updates replace whole rows, so the merge is ours.

use crate::event::{Event, ToolStatus};
use crate::json::{Json, Object};

/// `row` with what the event says. A field that the event clears with `null` stays, as `null`: the official readers lay an
/// update over the old row, so a field that was merely left out would keep its old value there.
pub(super) fn merge(row: &Object, event: &Event) -> Object {
    let mut merged = row.clone();
    merged.lay_over(event.values());
    for name in event.cleared() {
        if merged.get(name).is_some() {
            merged.set(*name, Json::null());
        }
    }
    merged
}

/// Whether the event's status lies before the row's.
pub(super) fn goes_back(row: &Object, event: &Event) -> bool {
    let status = |object: &Object| object.text("status").map(|text| ToolStatus::of(&text));
    matches!((status(row), status(event.values())), (Some(reached), Some(said)) if said < reached)
}

/// Whether a status that lies before the row's is all that tells the event from the row.
pub(super) fn is_late_copy(row: &Object, event: &Event) -> bool {
    let differs = |(name, value): (&str, &Json)| {
        !matches!(name, "status" | "timestamp" | "sessionId") && row.get(name) != Some(value)
    };
    !event.values().iter().any(differs)
}
