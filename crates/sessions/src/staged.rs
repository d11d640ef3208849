//! The state as the events of one request find it: what is folded, and over it what earlier events of the same request
//! have decided.

use std::collections::HashMap;

use crate::change::{Change, Operation};
use crate::channel::RowType;
use crate::decide::Planned;
use crate::fold::{OpenCall, State};
use crate::id::AgentId;
use crate::json::Object;
use crate::limits::ROW_OVERHEAD_BYTES;
use crate::position::Position;
use crate::presence::Presence;
use crate::seen::Content;

/// Where a row or a chunk comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the stream: the messages that inserted it and that changed it last.
    Stored { first: Position, last: Position },
    /// From this request: the place of its change among the changes for its stream.
    Staged(usize),
}

pub(crate) struct Staged<'a> {
    state: &'a State,
    presence: &'a Presence,
    rows: HashMap<(RowType, String), (Object, usize)>,
    chunks: HashMap<String, (Content, usize)>,
    /// Calls this request opened, oldest first.
    calls: Vec<(String, OpenCall)>,
    new_users: usize,
    growth_bytes: usize,
    /// Later events of the request may ask for what this one decides.
    is_asked_again: bool,
    pub(crate) changes: Vec<Planned>,
    pub(crate) presence_changes: Vec<Change>,
}

impl<'a> Staged<'a> {
    /// For a request of so many events.
    pub(crate) fn new(state: &'a State, presence: &'a Presence, events: usize) -> Self {
        Self {
            state,
            presence,
            rows: HashMap::new(),
            chunks: HashMap::new(),
            calls: Vec::new(),
            new_users: 0,
            growth_bytes: 0,
            is_asked_again: events > 1,
            changes: Vec::new(),
            presence_changes: Vec::new(),
        }
    }

    /// A row as it stands now.
    pub(crate) fn row(&self, row_type: RowType, key: &str) -> Option<(Object, Origin)> {
        if let Some((object, index)) = self.rows.get(&(row_type, key.to_owned())) {
            return Some((object.clone(), Origin::Staged(*index)));
        }
        let row = match row_type {
            RowType::Presence => self.presence.row(key),
            _ => self.state.row(row_type, key),
        }?;
        let object = Object::parse(row.value.get())?;
        Some((object, Origin::Stored { first: row.first, last: row.last }))
    }

    /// A chunk that is remembered under this id.
    pub(crate) fn chunk(&self, id: &str) -> Option<(Content, Origin)> {
        if let Some((content, index)) = self.chunks.get(id) {
            return Some((*content, Origin::Staged(*index)));
        }
        let (content, at) = self.state.seen.get(id)?;
        Some((content, Origin::Stored { first: at, last: at }))
    }

    /// Keys of calls of `tool` by `agent_id` that have no result yet, newest first.
    pub(crate) fn open_calls(&self, agent_id: &str, tool: Option<&str>) -> impl Iterator<Item = &str> {
        let staged = self.calls.iter().rev().map(|(key, call)| (key.as_str(), call));
        staged
            .chain(self.state.open_calls())
            .filter(move |(_, call)| &*call.agent_id == agent_id && tool.is_none_or(|tool| *call.tool == *tool))
            .map(|(key, _)| key)
    }

    /// Users present, those of this request included.
    pub(crate) fn users(&self) -> usize {
        self.presence.len() + self.new_users
    }

    /// What the state would take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.state.bytes() + self.growth_bytes
    }

    /// Takes a decided change; gives its place among those for its stream.
    pub(crate) fn stage(&mut self, change: Change, row: Object) -> usize {
        let len = change.value.as_ref().map_or(0, |value| value.get().len());
        if change.row_type == RowType::Presence {
            self.new_users += usize::from(change.operation == Operation::Insert);
            let index = self.presence_changes.len();
            if self.is_asked_again {
                self.note(&change, row, index);
            }
            self.presence_changes.push(change);
            return index;
        }
        // An upper bound: what an update replaces is not taken off.
        self.growth_bytes += len + ROW_OVERHEAD_BYTES;
        let (index, agent) = (self.changes.len(), agent_of(&change, &row));
        if self.is_asked_again {
            self.note(&change, row, index);
        }
        self.changes.push(Planned { change, agent });
        index
    }

    /// Remembers a change for later events.
    fn note(&mut self, change: &Change, row: Object, index: usize) {
        let key = change.key.clone();
        if change.row_type == RowType::Chunk {
            self.chunks.insert(key, (Content::of(&row), index));
        } else {
            self.note_call(change, &row);
            self.rows.insert((change.row_type, key), (row, index));
        }
    }

    fn note_call(&mut self, change: &Change, row: &Object) {
        if change.row_type != RowType::Tool || change.operation != Operation::Insert {
            return;
        }
        let (Some(agent_id), Some(tool)) = (row.text("agentId"), row.text("tool")) else { return };
        self.calls.push((change.key.clone(), OpenCall { agent_id: (*agent_id).into(), tool: (*tool).into() }));
    }
}

/// The agent whose stream shows the change, too.
fn agent_of(change: &Change, row: &Object) -> Option<AgentId> {
    let has_agent = matches!(change.row_type, RowType::Chunk | RowType::Tool | RowType::State);
    row.text("agentId").filter(|_| has_agent).and_then(|agent| AgentId::new(&agent).ok())
}
