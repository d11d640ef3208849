//! A session's rows, folded from its events: the same events give the same rows and messages as the server's.

use std::collections::HashSet;

use parking_lot::Mutex;

use super::rows::Row;
use super::{
    AgentState, Channel, Chunk, Collection, Message, Operation, Participant, SessionEvent, TerminalLine, ToolCall,
    WorkflowEvent,
};

/// All collections of a session.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) chunks: Collection<Chunk>,
    pub(crate) messages: Collection<Message>,
    pub(crate) tool_calls: Collection<ToolCall>,
    pub(crate) presence: Collection<Participant>,
    pub(crate) terminal: Collection<TerminalLine>,
    pub(crate) workflow: Collection<WorkflowEvent>,
    pub(crate) agent_states: Collection<AgentState>,
    /// Who was there on the last connection and was not told again on this one.
    stale: Mutex<HashSet<String>>,
}

impl Fold {
    /// Takes in the next event.
    pub(crate) fn apply(&self, event: &SessionEvent) {
        match event.channel {
            Channel::Chunks => self.apply_chunk(event),
            Channel::ToolCalls => put(&self.tool_calls, event),
            Channel::Presence => {
                self.stale.lock().remove(&event.key);
                put(&self.presence, event);
            }
            Channel::Terminal => put(&self.terminal, event),
            Channel::Workflow => put(&self.workflow, event),
            Channel::AgentState => put(&self.agent_states, event),
        }
    }

    /// Chunks are only ever inserted, and a message is never read anew to grow by one.
    fn apply_chunk(&self, event: &SessionEvent) {
        let Some(chunk) = row::<Chunk>(event).filter(|_| event.operation == Operation::Insert) else { return };
        let id = message_id(&chunk);
        {
            let mut messages = self.messages.table.lock();
            if messages.confirmed(&id).is_some() {
                messages.edit(&id, |message| {
                    message.text.push_str(&chunk.text);
                    message.timestamp = message.timestamp.max(chunk.timestamp);
                });
            } else {
                messages.put(&id, message_of(&id, &chunk), None);
            }
        }
        self.chunks.table.lock().put(&event.key, chunk, event.txid.as_deref());
    }

    /// Replaces what is history by a snapshot of it. Who is present stays.
    pub(crate) fn rebuild(&self, rows: &[SessionEvent]) {
        let mut messages: indexmap::IndexMap<String, Message> = indexmap::IndexMap::new();
        for chunk in rows.iter().filter(|event| event.channel == Channel::Chunks).filter_map(row::<Chunk>) {
            let id = message_id(&chunk);
            if let Some(message) = messages.get_mut(&id) {
                message.text.push_str(&chunk.text);
                message.timestamp = message.timestamp.max(chunk.timestamp);
            } else {
                messages.insert(id.clone(), message_of(&id, &chunk));
            }
        }
        self.messages.table.lock().replace(messages);
        replace(&self.chunks, rows);
        replace(&self.tool_calls, rows);
        replace(&self.terminal, rows);
        replace(&self.workflow, rows);
        replace(&self.agent_states, rows);
    }

    /// A new connection will tell who is there: those it does not tell have gone.
    pub(crate) fn doubt_presence(&self) {
        *self.stale.lock() = self.presence.rows().iter().map(|person| person.user_id.clone()).collect();
    }

    /// Removes who is in doubt.
    pub(crate) fn settle_presence(&self) {
        for user_id in self.stale.lock().drain() {
            self.presence.table.lock().remove(&user_id);
        }
    }

    /// Sets who is there.
    pub(crate) fn replace_presence(&self, people: Vec<Participant>) {
        self.stale.lock().clear();
        self.presence.table.lock().replace(people.into_iter().map(|person| (person.user_id.clone(), person)));
    }

    /// Takes the drafts of a transaction away.
    pub(crate) fn remove_drafts(&self, txid: &str) {
        self.chunks.table.lock().remove_drafts(txid);
        self.tool_calls.table.lock().remove_drafts(txid);
        self.terminal.table.lock().remove_drafts(txid);
        self.workflow.table.lock().remove_drafts(txid);
        self.agent_states.table.lock().remove_drafts(txid);
    }

    /// Nothing will change any more.
    pub(crate) fn end(&self) {
        self.chunks.table.lock().end();
        self.messages.table.lock().end();
        self.tool_calls.table.lock().end();
        self.presence.table.lock().end();
        self.terminal.table.lock().end();
        self.workflow.table.lock().end();
        self.agent_states.table.lock().end();
    }
}

fn put<T: Row>(collection: &Collection<T>, event: &SessionEvent) {
    if event.operation == Operation::Delete {
        collection.table.lock().remove(&event.key);
    } else if let Some(row) = row(event) {
        collection.table.lock().put(&event.key, row, event.txid.as_deref());
    }
}

fn replace<T: Row + PartialEq>(collection: &Collection<T>, rows: &[SessionEvent]) {
    let rows = rows.iter().filter(|event| event.channel == T::CHANNEL);
    let rows = rows.filter_map(|event| Some((event.key.clone(), row(event)?)));
    collection.table.lock().replace(rows);
}

/// A row that is not what its channel holds must not hide those that follow it.
fn row<T: Row>(event: &SessionEvent) -> Option<T> {
    match T::deserialize(event.data.as_ref()?) {
        Ok(row) => Some(row),
        Err(error) => {
            tracing::warn!(channel = %event.channel, key = event.key, %error, "a row is passed over");
            None
        }
    }
}

fn message_id(chunk: &Chunk) -> String {
    format!("{}-{}", chunk.agent_id, chunk.turn.unwrap_or(0))
}

fn message_of(id: &str, chunk: &Chunk) -> Message {
    Message {
        id: id.to_owned(),
        agent_id: chunk.agent_id.clone(),
        session_id: chunk.session_id.clone(),
        text: chunk.text.clone(),
        turn: chunk.turn.unwrap_or(0),
        timestamp: chunk.timestamp,
    }
}

#[cfg(test)]
mod tests;
