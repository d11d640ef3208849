//! A state as a document, so that a restart folds only what came after it.
//!
//! Versioned JSON. A version or a form that cannot be read is no loss: the state is folded from the stream instead.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use headwater_protocol::Offset;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::channel::RowType;
use crate::fold::State;
use crate::json::Json;
use crate::messages::Entry;
use crate::position::Position;
use crate::seen::Seen;
use crate::table::Row;

const VERSION: u32 = 1;

/// Why a document is no frozen state.
#[derive(Debug, Error)]
pub enum InvalidFrozen {
    /// Not the JSON that a state freezes to.
    #[error("the frozen state cannot be read")]
    Malformed(#[from] serde_json::Error),
    /// Written by another version.
    #[error("the frozen state has version {0}; this program reads {VERSION}")]
    Version(u32),
    /// The memory of chunk ids is cut or garbled.
    #[error("the frozen memory of chunk ids cannot be read")]
    ChunkIds,
}

#[derive(Serialize, Deserialize)]
struct Frozen {
    version: u32,
    offset: u64,
    seq: u64,
    latest_ms: u64,
    messages: Vec<Entry>,
    tools: Vec<FrozenRow>,
    terminal: Vec<FrozenRow>,
    workflow: Vec<FrozenRow>,
    states: Vec<FrozenRow>,
    chunk_ids: String,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct FrozenRow {
    key: String,
    /// Offset and number of the message that inserted it.
    first: (u64, u64),
    /// Offset and number of the message that changed it last.
    last: (u64, u64),
    changed_ms: u64,
    value: Json,
}

impl State {
    /// The whole state as a document.
    pub fn freeze(&self) -> Vec<u8> {
        let rows = |row_type| self.rows(row_type).map(|(key, row)| FrozenRow::of(key, row)).collect();
        let frozen = Frozen {
            version: VERSION,
            offset: self.position.offset.get(),
            seq: self.position.seq,
            latest_ms: self.latest_ms,
            messages: self.messages.entries().cloned().collect(),
            tools: rows(RowType::Tool),
            terminal: rows(RowType::Terminal),
            workflow: rows(RowType::Workflow),
            states: rows(RowType::State),
            chunk_ids: STANDARD_NO_PAD.encode(self.seen.to_bytes()),
        };
        serde_json::to_vec(&frozen).expect("plain structs with text keys serialize")
    }

    /// What [`State::freeze`] gave; folding goes on after its position.
    pub fn thaw(document: &[u8]) -> Result<Self, InvalidFrozen> {
        let Version { version } = serde_json::from_slice(document)?;
        if version != VERSION {
            return Err(InvalidFrozen::Version(version));
        }
        let frozen: Frozen = serde_json::from_slice(document)?;
        let chunk_ids = STANDARD_NO_PAD.decode(&frozen.chunk_ids).map_err(|_| InvalidFrozen::ChunkIds)?;
        let mut state = Self {
            position: position((frozen.offset, frozen.seq)),
            latest_ms: frozen.latest_ms,
            seen: Seen::from_bytes(&chunk_ids).ok_or(InvalidFrozen::ChunkIds)?,
            ..Self::default()
        };
        frozen.messages.into_iter().for_each(|entry| state.messages.put(entry));
        let tables = [
            (&mut state.tools, frozen.tools),
            (&mut state.terminal, frozen.terminal),
            (&mut state.workflow, frozen.workflow),
            (&mut state.states, frozen.states),
        ];
        for (table, rows) in tables {
            rows.into_iter().for_each(|row| table.put(&row.key.clone(), row.into_row()));
        }
        let calls: Vec<String> = state.tools.iter().map(|(key, _)| key.to_owned()).collect();
        calls.iter().for_each(|key| state.note_call(key));
        Ok(state)
    }
}

impl FrozenRow {
    fn of(key: &str, row: &Row) -> Self {
        let pair = |at: Position| (at.offset.get(), at.seq);
        Self {
            key: key.to_owned(),
            first: pair(row.first),
            last: pair(row.last),
            changed_ms: row.changed_ms,
            value: row.value.clone(),
        }
    }

    fn into_row(self) -> Row {
        Row { value: self.value, first: position(self.first), last: position(self.last), changed_ms: self.changed_ms }
    }
}

fn position((offset, seq): (u64, u64)) -> Position {
    Position { offset: Offset::new(offset), seq }
}
