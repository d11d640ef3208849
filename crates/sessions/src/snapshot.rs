//! A state as messages: what a late joiner reads in place of the log.
//!
//! Between `snapshot-start` and `snapshot-end`, one `insert` per row; chunks come merged, one per (agent, turn), under
//! the id of their first. Rows carry no txid and no time of their own: they are no transactions. Reading goes on at the
//! offset that both boundaries name.

use crate::change::{Change, Control, Operation};
use crate::channel::RowType;
use crate::fold::State;
use crate::json::{Json, Object};
use crate::messages::Entry;
use crate::position::Position;
use crate::presence::Presence;

/// The messages of a session's snapshot, encoded one at a time.
pub fn snapshot(state: &State) -> impl Iterator<Item = String> + '_ {
    (0..).map_while(|index| message_at(state, index))
}

/// The messages of the companion stream's snapshot.
pub fn presence_snapshot(presence: &Presence) -> impl Iterator<Item = String> + '_ {
    (0..).map_while(|index| presence_message_at(presence, index))
}

/// One message of a session's snapshot; `None` behind the last one.
pub(crate) fn message_at(state: &State, index: usize) -> Option<String> {
    between(state.position(), index, rows_of(state), |index| row_at(state, index))
}

/// One message of the companion stream's snapshot; `None` behind the last one.
pub(crate) fn presence_message_at(presence: &Presence, index: usize) -> Option<String> {
    between(presence.position(), index, presence.len(), |index| {
        let (key, row) = presence.row_at(index)?;
        Some(insert(RowType::Presence, key, row.value.clone()))
    })
}

fn between(at: Position, index: usize, rows: usize, row: impl Fn(usize) -> Option<String>) -> Option<String> {
    match index.checked_sub(1) {
        None => Some(Control::SnapshotStart(at.offset).encode()),
        Some(index) if index < rows => row(index),
        Some(index) if index == rows => Some(Control::SnapshotEnd(at.offset).encode()),
        Some(_) => None,
    }
}

fn rows_of(state: &State) -> usize {
    state.messages.len() + state.tables().map(|(_, table)| table.len()).sum::<usize>()
}

fn row_at(state: &State, index: usize) -> Option<String> {
    let Some(mut index) = index.checked_sub(state.messages.len()) else {
        return state.messages.entry_at(index).map(|entry| insert(RowType::Chunk, &entry.first_id, chunk_row(entry)));
    };
    for (row_type, table) in state.tables() {
        if let Some((key, row)) = table.at(index) {
            return Some(insert(row_type, key, row.value.clone()));
        }
        index -= table.len();
    }
    None
}

fn insert(row_type: RowType, key: &str, value: Json) -> String {
    let (operation, value) = (Operation::Insert, Some(value));
    Change { row_type, key: key.to_owned(), operation, value, txid: None, at_ms: None }.encode()
}

fn chunk_row(entry: &Entry) -> Json {
    let message = &entry.message;
    let mut row = Object::default();
    row.set("id", Json::text(&entry.first_id));
    row.set("agentId", Json::text(&message.agent_id));
    row.set("sessionId", Json::text(&message.session_id));
    row.set("text", Json::text(&message.text));
    if entry.has_turn {
        row.set("turn", Json::whole(message.turn));
    }
    row.set("timestamp", Json::whole(message.timestamp));
    row.encode()
}
