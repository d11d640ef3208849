//! A folded state as JSON, written row by row: what is answered holds the state and one piece of its text.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::channel::Channel;
use crate::fold::State;
use crate::limits::FOLDED_CHUNK_BYTES;

/// Rows by channel, in the order in which they are told.
const ROWS: &[Channel] = &[Channel::ToolCalls, Channel::Terminal, Channel::Workflow, Channel::AgentState];

/// How much of a state is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldedView {
    /// `{offset, messages, toolCalls, terminal, workflow, agentState}`
    Whole,
    /// `{offset, messages}`
    Messages,
}

/// A state as one JSON object, piece by piece.
#[derive(Debug)]
pub struct FoldedText {
    members: StateMembers,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Members,
    Over,
}

impl FoldedText {
    /// The text of a state.
    pub fn new(state: Arc<State>, view: FoldedView) -> Self {
        let groups = match view {
            FoldedView::Whole => ROWS,
            FoldedView::Messages => &[],
        };
        Self { members: StateMembers::new(state, groups), stage: Stage::Open }
    }

    /// The next piece, about [`FOLDED_CHUNK_BYTES`]; `None` at the end.
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        let mut piece = Vec::new();
        while piece.len() < FOLDED_CHUNK_BYTES && self.stage != Stage::Over {
            match self.stage {
                Stage::Open => {
                    piece.push(b'{');
                    self.stage = Stage::Members;
                }
                Stage::Members if self.members.write(&mut piece) => {
                    piece.push(b'}');
                    self.stage = Stage::Over;
                }
                Stage::Members | Stage::Over => {}
            }
        }
        (!piece.is_empty()).then(|| piece.into())
    }
}

/// The members of an object that holds a state, `"offset":…` first.
#[derive(Debug)]
pub(super) struct StateMembers {
    state: Arc<State>,
    groups: &'static [Channel],
    place: Place,
}

#[derive(Debug)]
enum Place {
    Offset,
    Message(usize),
    Row(usize, usize),
}

impl StateMembers {
    /// All of a state.
    pub(super) fn whole(state: Arc<State>) -> Self {
        Self::new(state, ROWS)
    }

    fn new(state: Arc<State>, groups: &'static [Channel]) -> Self {
        Self { state, groups, place: Place::Offset }
    }

    /// Writes the next member or row; true when that was the last.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) -> bool {
        match self.place {
            Place::Offset => {
                out.extend_from_slice(b"\"offset\":");
                write_json(&self.state.position().offset, out);
                out.extend_from_slice(b",\n\"messages\":[");
                self.place = Place::Message(0);
            }
            Place::Message(index) => {
                let message = self.state.messages.entry_at(index).map(|entry| &entry.message);
                if write_element(message, index, out) {
                    self.place = Place::Message(index + 1);
                } else {
                    return self.begin_rows(0, out);
                }
            }
            Place::Row(group, index) => {
                let table = self.state.table(self.groups[group].row_type());
                let row = table.and_then(|table| table.at(index)).map(|(_, row)| &row.value);
                if write_element(row, index, out) {
                    self.place = Place::Row(group, index + 1);
                } else {
                    return self.begin_rows(group + 1, out);
                }
            }
        }
        false
    }

    /// Ends an array and begins the next one; true when there is none.
    fn begin_rows(&mut self, group: usize, out: &mut Vec<u8>) -> bool {
        out.push(b']');
        let Some(channel) = self.groups.get(group) else { return true };
        out.extend_from_slice(format!(",\n\"{channel}\":[").as_bytes());
        self.place = Place::Row(group, 0);
        false
    }
}

/// Writes an element of an array, if there is one.
pub(super) fn write_element(value: Option<&impl Serialize>, index: usize, out: &mut Vec<u8>) -> bool {
    let Some(value) = value else { return false };
    out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
    write_json(value, out);
    true
}

pub(super) fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("texts and checked JSON serialize into memory");
}
