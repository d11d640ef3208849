//! What happens: one event per change of a row, from the live connection, from pages of history and from snapshots.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Channel, Operation};
use crate::Offset;

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionEvent {
    /// In which session; told in agents' streams only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Where.
    pub channel: Channel,
    /// Which row.
    pub key: String,
    /// What happened to it.
    pub operation: Operation,
    /// The whole row as it is now; `None` for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Right after the event. `None` for presence, which is no history, and in snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Offset>,
    /// The transaction it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txid: Option<String>,
    /// When the server decided it, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}

impl SessionEvent {
    /// The row, as its type. `None` for a deletion, and for a row that is not of this type.
    pub fn row<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self.data.as_ref()?).ok()
    }
}

/// A State Protocol message.
#[derive(Debug, Deserialize)]
pub(crate) struct StateMessage {
    #[serde(rename = "type", default)]
    row_type: String,
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Option<Value>,
    headers: Headers,
}

#[derive(Debug, Deserialize)]
struct Headers {
    #[serde(default)]
    operation: Option<Operation>,
    #[serde(default)]
    txid: Option<String>,
}

impl StateMessage {
    /// What it says; `None` for messages that are about the stream, and of types that this version does not know.
    pub(crate) fn event(self) -> Option<SessionEvent> {
        Some(SessionEvent {
            session_id: None,
            channel: Channel::of_row_type(&self.row_type)?,
            key: self.key,
            operation: self.headers.operation?,
            data: self.value,
            offset: None,
            txid: self.headers.txid,
            timestamp: None,
        })
    }
}
