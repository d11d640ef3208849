//! A state as messages: what a late joiner reads in place of the log.
//!
//! Between `snapshot-start` and `snapshot-end`, one `insert` per row; chunks come merged, one per (agent, turn), under
//! the id of their first. Rows carry no txid and no time of their own: they are no transactions. Reading goes on at the
//! offset that both boundaries name.

use std::iter;
use std::sync::Arc;

use crate::change::{Change, Control, Operation};
use crate::channel::RowType;
use crate::fold::State;
use crate::json::{Json, Object};
use crate::messages::Entry;
use crate::position::Position;
use crate::presence::Presence;

/// The messages of a session's snapshot, encoded one at a time.
pub fn snapshot(state: &State) -> impl Iterator<Item = String> + '_ {
    let rows = (0..).map_while(|at| row_at(state, at));
    between(state.position(), rows)
}

/// The messages of the companion stream's snapshot.
pub fn presence_snapshot(presence: &Presence) -> impl Iterator<Item = String> + '_ {
    let rows = presence.rows().map(|(key, row)| insert(RowType::Presence, key, row.value.clone()));
    between(presence.position(), rows)
}

/// [`snapshot`] of a state that it shares.
pub(crate) struct SnapshotRows {
    state: Arc<State>,
    /// How many messages it has given.
    given: usize,
    is_over: bool,
}

impl SnapshotRows {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state, given: 0, is_over: false }
    }
}

impl Iterator for SnapshotRows {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        let at = self.state.position().offset;
        self.given += 1;
        if self.given == 1 {
            return Some(Control::SnapshotStart(at).encode());
        }
        let row = row_at(&self.state, self.given - 2);
        self.is_over = row.is_none();
        Some(row.unwrap_or_else(|| Control::SnapshotEnd(at).encode()))
    }
}

/// The row at a place: merged chunks first, then the tables.
fn row_at(state: &State, at: usize) -> Option<String> {
    if let Some(entry) = state.messages.entry_at(at) {
        return Some(insert(RowType::Chunk, &entry.first_id, chunk_row(entry)));
    }
    let mut at = at - state.messages.len();
    for (row_type, table) in state.tables() {
        if let Some((key, row)) = table.at(at) {
            return Some(insert(row_type, key, row.value.clone()));
        }
        at -= table.len();
    }
    None
}

fn between(at: Position, rows: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let start = iter::once_with(move || Control::SnapshotStart(at.offset).encode());
    let end = iter::once_with(move || Control::SnapshotEnd(at.offset).encode());
    start.chain(rows).chain(end)
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
