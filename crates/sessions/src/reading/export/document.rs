//! The session as one JSON document: `{session, offset, messages, toolCalls, terminal, workflow, agentState, events}`.

use std::sync::Arc;

use super::write_json;
use crate::channel::Channel;
use crate::fold::State;
use crate::reading::event::SessionEvent;
use crate::registry::SessionRow;

/// Rows by channel, in the order in which the document has them.
const ROWS: [Channel; 4] = [Channel::ToolCalls, Channel::Terminal, Channel::Workflow, Channel::AgentState];

pub(super) struct Document {
    row: SessionRow,
    state: Arc<State>,
    place: Place,
    has_events: bool,
}

/// What the head has come to.
enum Place {
    Session,
    Message(usize),
    Row(usize, usize),
}

impl Document {
    pub(super) fn new(row: SessionRow, state: Arc<State>) -> Self {
        Self { row, state, place: Place::Session, has_events: false }
    }

    /// Writes the next member or row of the head; true when that was the last.
    pub(super) fn head(&mut self, out: &mut Vec<u8>) -> bool {
        match self.place {
            Place::Session => {
                out.extend_from_slice(b"{\"session\":");
                write_json(&self.row, out);
                out.extend_from_slice(b",\n\"offset\":");
                write_json(&self.state.position().offset.to_string(), out);
                out.extend_from_slice(b",\n\"messages\":[");
                self.place = Place::Message(0);
            }
            Place::Message(index) => {
                let message = self.state.messages.entry_at(index).map(|entry| &entry.message);
                let is_there = element(message, index, out);
                self.place = if is_there { Place::Message(index + 1) } else { begin_rows(0, out) };
            }
            Place::Row(group, index) => {
                let table = self.state.table(ROWS[group].row_type());
                let row = table.and_then(|table| table.at(index)).map(|(_, row)| &row.value);
                if element(row, index, out) {
                    self.place = Place::Row(group, index + 1);
                } else if group + 1 < ROWS.len() {
                    self.place = begin_rows(group + 1, out);
                } else {
                    out.extend_from_slice(b"],\n\"events\":[");
                    return true;
                }
            }
        }
        false
    }

    pub(super) fn event(&mut self, event: &SessionEvent, out: &mut Vec<u8>) {
        element(Some(event), usize::from(self.has_events), out);
        self.has_events = true;
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"]}\n");
    }
}

fn begin_rows(group: usize, out: &mut Vec<u8>) -> Place {
    out.extend_from_slice(format!("],\n\"{}\":[", ROWS[group]).as_bytes());
    Place::Row(group, 0)
}

/// Writes an element of an array, if there is one.
fn element(value: Option<&impl serde::Serialize>, index: usize, out: &mut Vec<u8>) -> bool {
    let Some(value) = value else { return false };
    out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
    write_json(value, out);
    true
}
