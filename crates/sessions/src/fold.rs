//! The state of a session: its change messages folded, one by one, into rows and messages.
//!
//! The fold is deterministic: the same messages at the same offsets give the same state, whether applied live, read back
//! after a restart, or continued from a frozen state. Chunks are not kept one by one but merged per (agent, turn).
//! Memory is what the rows hold ([`State::bytes`], bounded by [`STATE_BYTES_MAX`](crate::limits::STATE_BYTES_MAX) when
//! deciding) plus a bounded memory of chunk ids.

use std::borrow::Cow;

use headwater_protocol::Offset;
use indexmap::IndexMap;
use serde::Deserialize;
use thiserror::Error;

use crate::change::{Change, Message, Operation};
use crate::channel::RowType;
use crate::event::ToolStatus;
use crate::json::{Fields, Object};
use crate::limits::CHUNK_ID_MEMORY_BYTES;
use crate::messages::{Chunk, Messages};
use crate::position::Position;
use crate::seen::{Content, Seen};
use crate::table::{Row, Table};

/// A session as its stream tells it up to [`State::position`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) position: Position,
    /// The latest time that a message named, in Unix milliseconds: one that names none is no older.
    pub(crate) latest_ms: u64,
    pub(crate) messages: Messages,
    pub(crate) tools: Table,
    pub(crate) terminal: Table,
    pub(crate) workflow: Table,
    pub(crate) states: Table,
    pub(crate) seen: Seen,
    pub(crate) open_calls: IndexMap<Box<str>, OpenCall>,
}

/// A tool call without a result yet, to be found by who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenCall {
    pub(crate) agent_id: Box<str>,
    pub(crate) tool: Box<str>,
}

/// Why a message changed nothing. The fold goes on: one bad message must not hide what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Ignored {
    /// Its type does not belong into a session's stream.
    #[error("{0} rows do not belong into a session's stream")]
    Foreign(RowType),
    /// Chunks are only ever inserted.
    #[error("chunks are only ever inserted")]
    ChunkChanged,
    /// A chunk without the fields of one.
    #[error("not a chunk")]
    NotAChunk,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredChunk<'a> {
    #[serde(borrow)]
    agent_id: Cow<'a, str>,
    #[serde(borrow)]
    session_id: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    turn: Option<u64>,
    timestamp: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredCall<'a> {
    #[serde(borrow)]
    agent_id: Cow<'a, str>,
    #[serde(borrow)]
    tool: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

impl State {
    /// The last message applied: where reading goes on, and how many messages there were.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The latest time that a message named, in Unix milliseconds.
    pub fn latest_ms(&self) -> Option<u64> {
        (self.latest_ms > 0).then_some(self.latest_ms)
    }

    /// What the folded rows take, in bytes.
    pub fn bytes(&self) -> usize {
        self.messages.bytes() + self.tables().map(|(_, table)| table.bytes()).sum::<usize>()
    }

    /// What it takes in memory, about, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes() + self.seen.len() * CHUNK_ID_MEMORY_BYTES
    }

    /// Messages, oldest first.
    pub fn messages(&self) -> &Messages {
        &self.messages
    }

    /// Rows of a type with their keys, in the order of their first insert. Chunks are not kept as rows.
    pub fn rows(&self, row_type: RowType) -> impl DoubleEndedIterator<Item = (&str, &Row)> {
        self.table(row_type).into_iter().flat_map(Table::iter)
    }

    /// One row.
    pub fn row(&self, row_type: RowType, key: &str) -> Option<&Row> {
        self.table(row_type)?.get(key)
    }

    pub(crate) fn table(&self, row_type: RowType) -> Option<&Table> {
        self.tables().find(|(of, _)| *of == row_type).map(|(_, table)| table)
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = (RowType, &Table)> {
        [
            (RowType::Tool, &self.tools),
            (RowType::Terminal, &self.terminal),
            (RowType::Workflow, &self.workflow),
            (RowType::State, &self.states),
        ]
        .into_iter()
    }

    pub(crate) fn table_mut(&mut self, row_type: RowType) -> Option<&mut Table> {
        match row_type {
            RowType::Tool => Some(&mut self.tools),
            RowType::Terminal => Some(&mut self.terminal),
            RowType::Workflow => Some(&mut self.workflow),
            RowType::State => Some(&mut self.states),
            RowType::Chunk | RowType::Presence | RowType::Session => None,
        }
    }

    /// Tool calls without a result, newest first.
    pub(crate) fn open_calls(&self) -> impl Iterator<Item = (&str, &OpenCall)> {
        self.open_calls.iter().rev().map(|(key, call)| (&**key, call))
    }

    /// Applies the next message of the stream; `next` is the offset right after it.
    pub fn apply_message(&mut self, message: &Message, next: Offset) -> Result<(), Ignored> {
        match message {
            Message::Change(change) => self.apply(change, next),
            Message::Control(_) | Message::Unknown => {
                self.pass_over(next);
                Ok(())
            }
        }
    }

    /// Counts a message that cannot be read.
    pub fn pass_over(&mut self, next: Offset) {
        self.position = Position { offset: next, seq: self.position.seq + 1 };
    }

    /// Notes that there is nothing to read before `offset`.
    pub(crate) fn skip_to(&mut self, offset: Offset) {
        self.position.offset = self.position.offset.max(offset);
    }

    /// Applies the next change of the stream; `next` is the offset right after it.
    pub fn apply(&mut self, change: &Change, next: Offset) -> Result<(), Ignored> {
        self.pass_over(next);
        let at = self.position;
        self.latest_ms = self.latest_ms.max(change.at_ms.unwrap_or_default());
        if change.row_type == RowType::Chunk {
            return self.apply_chunk(change, at);
        }
        let changed_ms = change.at_ms.or_else(|| own_timestamp(change)).unwrap_or(self.latest_ms);
        let table = self.table_mut(change.row_type).ok_or(Ignored::Foreign(change.row_type))?;
        table.apply(change, at, changed_ms);
        if change.row_type == RowType::Tool {
            self.note_call(&change.key);
        }
        Ok(())
    }

    fn apply_chunk(&mut self, change: &Change, at: Position) -> Result<(), Ignored> {
        let Some(value) = change.value.as_ref().filter(|_| change.operation == Operation::Insert) else {
            return Err(Ignored::ChunkChanged);
        };
        let row: StoredChunk<'_> = serde_json::from_str(value.get()).map_err(|_| Ignored::NotAChunk)?;
        let fields = Fields::parse(value.get()).ok_or(Ignored::NotAChunk)?;
        self.seen.remember(&change.key, Content::of_fields(fields.iter()), at);
        let chunk = Chunk {
            id: &change.key,
            agent_id: &row.agent_id,
            session_id: &row.session_id,
            text: &row.text,
            turn: row.turn,
            timestamp: row.timestamp,
        };
        self.messages.push(chunk, change.at_ms.unwrap_or(row.timestamp));
        Ok(())
    }

    /// Keeps the list of open calls in step with a row.
    pub(crate) fn note_call(&mut self, key: &str) {
        let call: Option<StoredCall<'_>> =
            self.tools.get(key).and_then(|row| serde_json::from_str(row.value.get()).ok());
        match call.filter(|call| ToolStatus::of(&call.status) != ToolStatus::Done) {
            Some(call) if !self.open_calls.contains_key(key) => {
                let call = OpenCall { agent_id: (*call.agent_id).into(), tool: (*call.tool).into() };
                self.open_calls.insert(key.into(), call);
            }
            Some(_) => {}
            None => {
                self.open_calls.shift_remove(key);
            }
        }
    }

    /// Drops what last changed before `before_ms` (Unix milliseconds): rows whose every event has expired, and messages
    /// whose every chunk has. A message is dropped as a whole, never cut.
    pub fn expire(&mut self, before_ms: u64) {
        self.messages.expire(before_ms);
        for row_type in [RowType::Tool, RowType::Terminal, RowType::Workflow, RowType::State] {
            if let Some(table) = self.table_mut(row_type) {
                table.expire(before_ms);
            }
        }
        let tools = &self.tools;
        self.open_calls.retain(|key, _| tools.get(key).is_some());
    }
}

fn own_timestamp(change: &Change) -> Option<u64> {
    Object::parse(change.value.as_ref()?.get())?.whole("timestamp")
}
