//! The session as one JSON document: `{session, offset, messages, toolCalls, terminal, workflow, agentState, events}`.

use std::sync::Arc;

use crate::fold::State;
use crate::reading::event::SessionEvent;
use crate::reading::folded::{StateMembers, write_element, write_json};
use crate::registry::SessionRow;

pub(super) struct Document {
    /// Until it is written.
    row: Option<SessionRow>,
    members: StateMembers,
    has_events: bool,
}

impl Document {
    pub(super) fn new(row: SessionRow, state: Arc<State>) -> Self {
        Self { row: Some(row), members: StateMembers::whole(state), has_events: false }
    }

    /// Writes the next member or row of the head; true when that was the last.
    pub(super) fn head(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(row) = self.row.take() {
            out.extend_from_slice(b"{\"session\":");
            write_json(&row, out);
            out.extend_from_slice(b",\n");
            return false;
        }
        let is_last = self.members.write(out);
        if is_last {
            out.extend_from_slice(b",\n\"events\":[");
        }
        is_last
    }

    pub(super) fn event(&mut self, event: &SessionEvent, out: &mut Vec<u8>) {
        write_element(Some(event), usize::from(self.has_events), out);
        self.has_events = true;
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"]}\n");
    }
}
