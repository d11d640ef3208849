//! Messages, derived from chunks: the text of each (agent, turn), joined in stream order as chunks arrive.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::limits::ROW_OVERHEAD_BYTES;

/// A message as readers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRow {
    /// [`message_id`] of agent and turn.
    pub id: String,
    /// Who speaks.
    pub agent_id: String,
    /// Where.
    pub session_id: String,
    /// The chunks' texts, joined in stream order.
    pub text: String,
    /// 0 when the chunks name none.
    pub turn: u64,
    /// The latest of the chunks' timestamps, in Unix milliseconds.
    pub timestamp: u64,
}

/// The id of the message that an agent says in a turn. The turn is digits only, so two pairs never share an id.
pub fn message_id(agent_id: &str, turn: u64) -> String {
    format!("{agent_id}-{turn}")
}

/// A chunk, as far as messages need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a> {
    pub(crate) id: &'a str,
    pub(crate) agent_id: &'a str,
    pub(crate) session_id: &'a str,
    pub(crate) text: &'a str,
    pub(crate) turn: Option<u64>,
    pub(crate) timestamp: u64,
}

/// A message, and what is needed to show its chunks as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The first chunk's: it stands for all of them.
    pub(crate) first_id: String,
    /// Whether that chunk named its turn.
    pub(crate) has_turn: bool,
    /// When the last chunk was decided, in Unix milliseconds.
    pub(crate) changed_ms: u64,
    pub(crate) message: MessageRow,
}

impl Entry {
    fn bytes(&self) -> usize {
        2 * ROW_OVERHEAD_BYTES + self.message.text.len()
    }
}

/// All messages of a session, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    entries: IndexMap<String, Entry>,
    bytes: usize,
}

impl Messages {
    /// The messages, in the order of their first chunks.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &MessageRow> {
        self.entries.values().map(|entry| &entry.message)
    }

    /// The message with this id.
    pub fn get(&self, id: &str) -> Option<&MessageRow> {
        self.entries.get(id).map(|entry| &entry.message)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(crate) fn entry_at(&self, at: usize) -> Option<&Entry> {
        self.entries.get_index(at).map(|(_, entry)| entry)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Joins a chunk to its message.
    pub(crate) fn push(&mut self, chunk: Chunk<'_>, changed_ms: u64) {
        let turn = chunk.turn.unwrap_or(0);
        let id = message_id(chunk.agent_id, turn);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.message.text.push_str(chunk.text);
            entry.message.timestamp = entry.message.timestamp.max(chunk.timestamp);
            entry.changed_ms = entry.changed_ms.max(changed_ms);
            self.bytes += chunk.text.len();
            return;
        }
        let message = MessageRow {
            id,
            agent_id: chunk.agent_id.to_owned(),
            session_id: chunk.session_id.to_owned(),
            text: chunk.text.to_owned(),
            turn,
            timestamp: chunk.timestamp,
        };
        self.put(Entry { first_id: chunk.id.to_owned(), has_turn: chunk.turn.is_some(), changed_ms, message });
    }

    pub(crate) fn put(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        if let Some(old) = self.entries.insert(entry.message.id.clone(), entry) {
            self.bytes -= old.bytes();
        }
    }

    /// Drops messages whose last chunk came before `before_ms`.
    pub(crate) fn expire(&mut self, before_ms: u64) {
        self.entries.retain(|_, entry| entry.changed_ms >= before_ms);
        self.bytes = self.entries.values().map(Entry::bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk<'a>(agent_id: &'a str, turn: Option<u64>, text: &'a str, timestamp: u64) -> Chunk<'a> {
        Chunk { id: text, agent_id, session_id: "s", text, turn, timestamp }
    }

    #[test]
    fn text_joins_in_stream_order_whatever_the_timestamps_say() {
        let mut messages = Messages::default();
        messages.push(chunk("a", Some(1), "one ", 9), 0);
        messages.push(chunk("b", Some(1), "other", 1), 0);
        messages.push(chunk("a", Some(1), "two", 3), 0);
        let told: Vec<_> = messages.iter().map(|m| (m.id.as_str(), m.text.as_str(), m.timestamp)).collect();
        assert_eq!(told, [("a-1", "one two", 9), ("b-1", "other", 1)]);
    }

    #[test]
    fn no_turn_is_turn_zero() {
        let mut messages = Messages::default();
        messages.push(chunk("a", None, "x", 1), 0);
        messages.push(chunk("a", Some(0), "y", 1), 0);
        assert_eq!(messages.iter().map(|m| (m.id.as_str(), m.text.as_str())).collect::<Vec<_>>(), [("a-0", "xy")]);
    }
}
