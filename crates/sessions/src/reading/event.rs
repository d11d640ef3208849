//! What readers of a session get: one event per change message.

use headwater_protocol::Offset;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::stored::StoredMessage;
use crate::change::{Change, Message, Operation};
use crate::channel::Channel;
use crate::id::SessionId;
use crate::json::Json;

/// One change of one row, as its channel's readers see it. Serializes to one object, absent fields left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEvent {
    /// The offset right after its message: reading from here gives what comes next. `None` for presence, which is no
    /// history.
    pub offset: Option<Offset>,
    /// Where it happened.
    pub channel: Channel,
    /// Which row.
    pub key: String,
    /// What happened to the row.
    pub operation: Operation,
    /// The row as stored; `None` for a deletion.
    pub data: Option<Json>,
    /// The transaction it belongs to.
    pub txid: Option<String>,
    /// When it was decided, in Unix milliseconds.
    pub at_ms: Option<u64>,
}

/// An event of an agent, and the session it happened in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentEvent {
    /// Which session.
    pub session: SessionId,
    /// What happened there; its offset is one of the agent's stream.
    pub event: SessionEvent,
}

/// What a live reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<E = SessionEvent> {
    /// Something happened.
    Event(E),
    /// All there was has been told; from now on events come as they happen. Told once.
    CaughtUp,
    /// What lay before `earliest` is no longer kept and was not told. Reading goes on from there.
    Gap {
        /// The first position that can still be read.
        earliest: Offset,
    },
    /// Closed, and all has been told. Nothing follows.
    Closed,
}

impl SessionEvent {
    /// What `change` says to readers; `None` for rows that belong to no channel.
    pub(super) fn of(change: Change, offset: Option<Offset>) -> Option<Self> {
        let Change { row_type, key, operation, value, txid, at_ms } = change;
        Some(Self { offset, channel: row_type.channel()?, key, operation, data: value, txid, at_ms })
    }

    /// Reads a stored message; `None` for one that is to be passed over.
    pub(super) fn read(message: &StoredMessage) -> Option<Self> {
        match Message::decode(message.text()?) {
            Ok(Message::Change(change)) => Self::of(change, Some(message.end)),
            Ok(Message::Control(_) | Message::Unknown) | Err(_) => None,
        }
    }
}

impl AgentEvent {
    /// Reads a message of an agent's stream, whose keys begin with the session.
    pub(super) fn read(message: &StoredMessage) -> Option<Self> {
        let mut event = SessionEvent::read(message)?;
        let (session, key) = event.key.split_once(':')?;
        let session = SessionId::new(session).ok()?;
        event.key = key.to_owned();
        Some(Self { session, event })
    }
}

impl Serialize for SessionEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("channel", self.channel.as_str())?;
        map.serialize_entry("key", &self.key)?;
        map.serialize_entry("operation", &self.operation)?;
        if let Some(data) = &self.data {
            map.serialize_entry("data", data)?;
        }
        if let Some(offset) = self.offset {
            map.serialize_entry("offset", &offset.to_string())?;
        }
        if let Some(txid) = &self.txid {
            map.serialize_entry("txid", txid)?;
        }
        if let Some(at_ms) = self.at_ms {
            map.serialize_entry("timestamp", &at_ms)?;
        }
        map.end()
    }
}
