//! State Protocol 1.0 messages: what a session's stream holds and what snapshots are made of.
//!
//! Written messages are exactly `{type, key, value, headers: {operation, txid, timestamp}}` with `insert`, `update` or
//! `delete`, or the control messages `snapshot-start` and `snapshot-end`. Neither `reset` (it ends the official readers)
//! nor `upsert` (no word of the protocol) can be written: the types have no such variant.

use std::borrow::Cow;

use bytes::Bytes;
use headwater_protocol::Offset;
use headwater_protocol::json::MESSAGE_END;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::channel::RowType;
use crate::id::SessionId;
use crate::json::Json;
use crate::limits::TIMESTAMP_MS_MAX;

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// It is new.
    Insert,
    /// It is replaced, as a whole.
    Update,
    /// It is gone.
    Delete,
}

impl Operation {
    /// As it stands in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which kind of row.
    pub row_type: RowType,
    /// Which of that kind.
    pub key: String,
    /// What happens.
    pub operation: Operation,
    /// The row, an object; `None` for a deletion.
    pub value: Option<Json>,
    /// The transaction it belongs to; absent in snapshots.
    pub txid: Option<String>,
    /// When it was decided, in Unix milliseconds; absent in snapshots.
    pub at_ms: Option<u64>,
}

/// A message that is about the stream, not about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Rows follow that are a whole state.
    SnapshotStart(Offset),
    /// The state is complete; reading goes on from here.
    SnapshotEnd(Offset),
}

/// Any message a session's stream or snapshot may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// About a row.
    Change(Change),
    /// About the stream.
    Control(Control),
    /// Well-formed, of a type or a control that this version does not know: readers pass over it.
    Unknown,
}

/// Why a text is no such message.
#[derive(Debug, Error)]
pub enum InvalidMessage {
    /// Not the shape the protocol gives it.
    #[error("not a State Protocol message")]
    Malformed(#[from] serde_json::Error),
    /// Required there.
    #[error("a State Protocol message lacks {0}")]
    Lacks(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(rename = "type", borrow, default, skip_serializing_if = "Option::is_none")]
    row_type: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    headers: WireHeaders<'a>,
}

#[derive(Serialize, Deserialize, Default)]
struct WireHeaders<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<Operation>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    control: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    txid: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    offset: Option<Cow<'a, str>>,
}

/// What a message takes besides its key, its value and its txid, and what separates it from the next.
const MESSAGE_BYTES: usize = 128;
const SNAPSHOT_START: &str = "snapshot-start";
const SNAPSHOT_END: &str = "snapshot-end";

impl Change {
    /// The same change as it stands in the stream of an agent, where sessions must not collide.
    #[must_use]
    pub fn in_agent_stream(&self, session: &SessionId) -> Self {
        Self { key: format!("{session}:{}", self.key), ..self.clone() }
    }

    /// As compact JSON.
    pub fn encode(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    fn write(&self, out: &mut Vec<u8>) {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        out.reserve(
            MESSAGE_BYTES
                + self.key.len()
                + text(&self.txid)
                + self.value.as_ref().map_or(0, |value| value.get().len()),
        );
        let value = self.value.as_ref().map(Json::raw);
        let headers = WireHeaders {
            operation: Some(self.operation),
            txid: self.txid.as_deref().map(Cow::Borrowed),
            timestamp: self.at_ms.map(|at_ms| rfc3339(at_ms).into()),
            ..WireHeaders::default()
        };
        let row_type = Some(self.row_type.as_str().into());
        let wire = Wire { row_type, key: Some(self.key.as_str().into()), value, headers };
        serde_json::to_writer(out, &wire).expect("texts and checked JSON serialize into memory");
    }
}

impl Control {
    /// As compact JSON.
    pub fn encode(&self) -> String {
        let (control, offset) = match self {
            Self::SnapshotStart(offset) => (SNAPSHOT_START, offset),
            Self::SnapshotEnd(offset) => (SNAPSHOT_END, offset),
        };
        let offset = Some(offset.to_string().into());
        let headers = WireHeaders { control: Some(control.into()), offset, ..WireHeaders::default() };
        encode(&Wire { row_type: None, key: None, value: None, headers })
    }
}

impl Message {
    /// Reads one message; white space inside its value goes.
    pub fn decode(text: &str) -> Result<Self, InvalidMessage> {
        let wire: Wire<'_> = serde_json::from_str(text)?;
        if let Some(control) = &wire.headers.control {
            return Ok(decode_control(control, wire.headers.offset.as_deref()));
        }
        let operation = wire.headers.operation.ok_or(InvalidMessage::Lacks("headers.operation"))?;
        let row_type = wire.row_type.ok_or(InvalidMessage::Lacks("type"))?;
        let key = wire.key.filter(|key| !key.is_empty()).ok_or(InvalidMessage::Lacks("key"))?;
        let value = wire.value.map(Json::compact).filter(|value| value.get().starts_with('{'));
        if value.is_none() && operation != Operation::Delete {
            return Err(InvalidMessage::Lacks("an object as its value"));
        }
        let Ok(row_type) = row_type.parse() else { return Ok(Self::Unknown) };
        let at_ms = wire.headers.timestamp.as_deref().and_then(unix_ms);
        let txid = wire.headers.txid.map(Cow::into_owned);
        let value = value.filter(|_| operation != Operation::Delete);
        Ok(Self::Change(Change { row_type, key: key.into_owned(), operation, value, txid, at_ms }))
    }
}

fn decode_control(control: &str, offset: Option<&str>) -> Message {
    let offset = offset.and_then(|offset| offset.parse().ok()).unwrap_or_default();
    match control {
        SNAPSHOT_START => Message::Control(Control::SnapshotStart(offset)),
        SNAPSHOT_END => Message::Control(Control::SnapshotEnd(offset)),
        _ => Message::Unknown,
    }
}

fn encode(wire: &Wire<'_>) -> String {
    serde_json::to_string(wire).expect("texts and checked JSON serialize")
}

/// The messages as a stream stores them, and where each one ends, in bytes from the first's beginning.
pub fn encode_stored<'a>(changes: impl IntoIterator<Item = &'a Change>) -> (Bytes, Vec<usize>) {
    let (mut stored, mut ends) = (Vec::new(), Vec::new());
    for change in changes {
        // Compact JSON holds no line break, so the message's text is its stored form already.
        change.write(&mut stored);
        stored.extend_from_slice(MESSAGE_END);
        ends.push(stored.len());
    }
    (stored.into(), ends)
}

/// What stands before the text of a change's key.
const BEFORE_KEY: &[u8] = b",\"key\":\"";

/// Writes a stored message of `session` as it stands in the stream of an agent: the message of
/// [`Change::in_agent_stream`], without encoding it again.
pub(crate) fn copy_for_agent(stored: &[u8], session: &SessionId, out: &mut Vec<u8>) {
    // Only the type stands before the key, and no type's name looks like this.
    let at = memchr::memmem::find(stored, BEFORE_KEY).expect("a change has a key") + BEFORE_KEY.len();
    out.reserve(stored.len() + session.as_str().len() + 1);
    out.extend_from_slice(&stored[..at]);
    // An id of a session needs no escapes.
    out.extend_from_slice(session.as_str().as_bytes());
    out.push(b':');
    out.extend_from_slice(&stored[at..]);
}

/// Unix milliseconds as RFC 3339 in UTC, always with milliseconds.
pub(crate) fn rfc3339(at_ms: u64) -> String {
    let at_ms = i64::try_from(at_ms.min(TIMESTAMP_MS_MAX)).expect("the latest timestamp fits");
    format!("{:.3}", Timestamp::from_millisecond(at_ms).expect("the latest timestamp fits"))
}

fn unix_ms(text: &str) -> Option<u64> {
    text.parse::<Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(operation: Operation, value: Option<&str>) -> Change {
        let value = value.map(|text| Json::compact(serde_json::from_str(text).unwrap()));
        let (txid, at_ms) = (Some("t1".to_owned()), Some(1_700_000_000_123));
        Change { row_type: RowType::Tool, key: "a \"b\"".into(), operation, value, txid, at_ms }
    }

    #[test]
    fn a_change_is_exactly_the_fields_of_the_protocol() {
        let insert = change(Operation::Insert, Some(r#"{ "input": 12345678901234567890123 }"#));
        assert_eq!(
            insert.encode(),
            r#"{"type":"tool","key":"a \"b\"","value":{"input":12345678901234567890123},"headers":{"operation":"insert","txid":"t1","timestamp":"2023-11-14T22:13:20.123Z"}}"#
        );
        let delete = change(Operation::Delete, None);
        assert_eq!(
            delete.encode(),
            r#"{"type":"tool","key":"a \"b\"","headers":{"operation":"delete","txid":"t1","timestamp":"2023-11-14T22:13:20.123Z"}}"#
        );
        for change in [insert, delete] {
            assert_eq!(Message::decode(&change.encode()).unwrap(), Message::Change(change));
        }
    }

    #[test]
    fn every_allowed_moment_can_be_written_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(TIMESTAMP_MS_MAX), "9999-12-30T22:00:00.000Z");
        assert_eq!(unix_ms(&rfc3339(TIMESTAMP_MS_MAX)), Some(TIMESTAMP_MS_MAX));
    }

    #[test]
    fn snapshot_boundaries_come_back() {
        let end = Control::SnapshotEnd(Offset::new(42));
        assert_eq!(
            end.encode(),
            r#"{"headers":{"control":"snapshot-end","offset":"0000000000000000_0000000000000042"}}"#
        );
        assert_eq!(Message::decode(&end.encode()).unwrap(), Message::Control(end));
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_what_is_malformed_is_told() {
        for known_by_others in [
            r#"{"type":"x","key":"1","value":{},"headers":{"operation":"insert"}}"#,
            r#"{"headers":{"control":"reset"}}"#,
        ] {
            assert_eq!(Message::decode(known_by_others).unwrap(), Message::Unknown);
        }
        for malformed in [
            r#"{"channel":"chunks","data":{}}"#,
            r#"{"type":"tool","key":"1","value":1,"headers":{"operation":"insert"}}"#,
            r#"{"type":"tool","key":"1","headers":{"operation":"insert"}}"#,
            r#"{"type":"tool","key":"","value":{},"headers":{"operation":"insert"}}"#,
            r#"{"type":"tool","key":"1","value":{},"headers":{"operation":"upsert"}}"#,
            "[]",
            "1",
        ] {
            assert!(Message::decode(malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn stored_form_is_what_framing_the_array_gives() {
        let changes = [change(Operation::Insert, Some(r#"{"a":"x\ny"}"#)), change(Operation::Delete, None)];
        let array = format!("[{},{}]", changes[0].encode(), changes[1].encode());
        let (stored, ends) = encode_stored(&changes);
        assert_eq!(stored, headwater_protocol::json::frame(array.as_bytes()).unwrap().bytes);
        assert_eq!(ends, [changes[0].encode().len() + 2, stored.len()]);
    }

    #[test]
    fn keys_of_agent_streams_name_their_session() {
        let session = SessionId::new("s1").unwrap();
        for change in [change(Operation::Insert, Some(r#"{"key":"x"}"#)), change(Operation::Delete, None)] {
            let in_agent_stream = change.in_agent_stream(&session);
            assert_eq!(in_agent_stream.key, "s1:a \"b\"");
            let mut copy = Vec::new();
            copy_for_agent(change.encode().as_bytes(), &session, &mut copy);
            assert_eq!(copy, in_agent_stream.encode().as_bytes());
        }
    }
}
