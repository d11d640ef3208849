//! A state as messages: what a late joiner reads in place of the log.
//!
//! Between `snapshot-start` and `snapshot-end`, one `insert` per row; chunks come merged, one per (agent, turn), under
//! the id of their first. Rows carry no txid and no time of their own: they are no transactions. Reading goes on at the
//! offset that both boundaries name.

use std::iter;

use crate::change::{Change, Control, Operation};
use crate::channel::RowType;
use crate::fold::State;
use crate::json::{Json, Object};
use crate::messages::Entry;
use crate::position::Position;
use crate::presence::Presence;

/// The messages of a session's snapshot, encoded one at a time.
pub fn snapshot(state: &State) -> impl Iterator<Item = String> + '_ {
    let chunks = state.messages.entries().map(|entry| insert(RowType::Chunk, &entry.first_id, chunk_row(entry)));
    let rows = state
        .tables()
        .flat_map(|(row_type, table)| table.iter().map(move |(key, row)| insert(row_type, key, row.value.clone())));
    between(state.position(), chunks.chain(rows))
}

/// The messages of the companion stream's snapshot.
pub fn presence_snapshot(presence: &Presence) -> impl Iterator<Item = String> + '_ {
    let rows = presence.rows().map(|(key, row)| insert(RowType::Presence, key, row.value.clone()));
    between(presence.position(), rows)
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
