//! What search finds: rows of `texts`, made from events as they come.
//!
//! A message is the text of all chunks of an agent and turn, so that words which span chunks are found. It is kept in
//! parts of bounded size, so that a token does not cost a look at all that was said before. Triggers keep the full-text
//! index in step with the rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use headwater_sessions::{Change, Found, Operation, RowType, message_id, without_escapes};
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::events::Place;
use crate::followed::signed;
use crate::text;

/// The texts of one session while a piece of its stream is taken in.
#[derive(Debug)]
pub(crate) struct Texts<'a> {
    connection: &'a Connection,
    session: &'a str,
    /// The last parts of the messages that grow.
    growing: HashMap<String, Part>,
}

#[derive(Debug)]
struct Part {
    /// `None` while it has no row.
    row: Option<i64>,
    number: i64,
    agent_id: String,
    text: String,
    place: Place,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    agent_id: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    turn: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolCall<'a> {
    #[serde(borrow, default)]
    agent_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool: Cow<'a, str>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Terminal<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

/// A text that is written as a whole.
struct Whole<'a> {
    kind: Found,
    key: &'a str,
    agent_id: Option<&'a str>,
    tool: Option<&'a str>,
    text: &'a str,
}

impl<'a> Texts<'a> {
    pub(crate) fn new(connection: &'a Connection, session: &'a str) -> Self {
        Self { connection, session, growing: HashMap::new() }
    }

    /// Takes in an event; what is not of the shape of its type has no text.
    pub(crate) fn take(&mut self, change: &Change, place: Place) -> rusqlite::Result<()> {
        let value = change.value.as_ref().map(|value| value.get());
        match (change.row_type, value) {
            (RowType::Chunk, Some(value)) if change.operation == Operation::Insert => match serde_json::from_str(value)
            {
                Ok(chunk) => self.grow(&chunk, place),
                Err(_) => Ok(()),
            },
            (RowType::Tool, value) => {
                let call = value.and_then(|value| serde_json::from_str::<ToolCall<'_>>(value).ok());
                self.put_call(&change.key, call.as_ref(), place)
            }
            (RowType::Terminal, value) => {
                let line = value.and_then(|value| serde_json::from_str::<Terminal<'_>>(value).ok());
                let text = line.map(|line| text::plain(&line.data)).unwrap_or_default();
                let (kind, key) = (Found::Terminal, change.key.as_str());
                self.put(&Whole { kind, key, agent_id: None, tool: None, text: &text }, place)
            }
            _ => Ok(()),
        }
    }

    fn put_call(&self, key: &str, call: Option<&ToolCall<'_>>, place: Place) -> rusqlite::Result<()> {
        let mut text = String::new();
        for json in call.iter().flat_map(|call| [call.input, call.output]).flatten() {
            text::flatten(json.get(), &mut text);
        }
        let text = text::plain(&text);
        let tool = call.map(|call| &*call.tool);
        let agent_id = call.and_then(|call| call.agent_id.as_deref());
        self.put(&Whole { kind: Found::ToolCall, key, agent_id, tool, text: &text }, place)
    }

    /// Replaces a text by one that came as a whole; a blank one has no row.
    fn put(&self, whole: &Whole<'_>, place: Place) -> rusqlite::Result<()> {
        let Whole { kind, key, agent_id, tool, text } = whole;
        if text.trim().is_empty() && tool.is_none() {
            let mut delete = self
                .connection
                .prepare_cached("DELETE FROM texts WHERE stream_id = ?1 AND channel = ?2 AND key = ?3")?;
            delete.execute((self.session, kind.as_str(), key))?;
            return Ok(());
        }
        let mut put = self.connection.prepare_cached(
            "INSERT INTO texts(stream_id, channel, key, part, agent_id, tool, text, offset, timestamp, expires_at) \
             VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9) \
             ON CONFLICT(stream_id, channel, key, part) DO UPDATE SET agent_id = excluded.agent_id, \
             tool = excluded.tool, text = excluded.text, offset = excluded.offset, timestamp = excluded.timestamp, \
             expires_at = excluded.expires_at",
        )?;
        let (offset, timestamp) = (place.offset.to_string(), signed(place.timestamp_ms));
        let expires_at = signed(place.expires_at_ms);
        put.execute((self.session, kind.as_str(), key, agent_id, tool, text, offset, timestamp, expires_at))?;
        Ok(())
    }

    /// Adds a chunk to its message.
    fn grow(&mut self, chunk: &Chunk<'_>, place: Place) -> rusqlite::Result<()> {
        let key = message_id(&chunk.agent_id, chunk.turn.unwrap_or(0));
        let part = match self.growing.entry(key.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let last = last_part(self.connection, self.session, &key)?;
                vacant.insert(last.unwrap_or_else(|| Part::new(0, &chunk.agent_id, place)))
            }
        };
        part.text.push_str(&without_escapes(&chunk.text));
        part.place = part.place.with(place);
        while let Some(rest) = text::split(&mut part.text) {
            let next = Part { text: rest, ..Part::new(part.number + 1, &chunk.agent_id, part.place) };
            let full = std::mem::replace(part, next);
            full.write(self.connection, self.session, &key)?;
        }
        Ok(())
    }

    /// Writes what grew.
    pub(crate) fn finish(self) -> rusqlite::Result<()> {
        self.growing.iter().try_for_each(|(key, part)| part.write(self.connection, self.session, key))
    }
}

impl Part {
    fn new(number: i64, agent_id: &str, place: Place) -> Self {
        Self { row: None, number, agent_id: agent_id.to_owned(), text: String::new(), place }
    }

    fn write(&self, connection: &Connection, session: &str, key: &str) -> rusqlite::Result<()> {
        let Place { offset, timestamp_ms, expires_at_ms } = self.place;
        let (offset, timestamp, expires_at) = (offset.to_string(), signed(timestamp_ms), signed(expires_at_ms));
        if let Some(row) = self.row {
            let mut update = connection.prepare_cached(
                "UPDATE texts SET text = ?2, offset = ?3, timestamp = ?4, expires_at = ?5 WHERE id = ?1",
            )?;
            update.execute((row, &self.text, offset, timestamp, expires_at))?;
            return Ok(());
        }
        let mut insert = connection.prepare_cached(
            "INSERT INTO texts(stream_id, channel, key, part, agent_id, text, offset, timestamp, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        let channel = Found::Message.as_str();
        let Self { number, agent_id, text, .. } = self;
        insert.execute((session, channel, key, number, agent_id, text, offset, timestamp, expires_at))?;
        Ok(())
    }
}

impl Place {
    /// The place of what two events make together.
    fn with(self, later: Self) -> Self {
        Self {
            offset: self.offset.max(later.offset),
            timestamp_ms: self.timestamp_ms.max(later.timestamp_ms),
            expires_at_ms: self.expires_at_ms.max(later.expires_at_ms),
        }
    }
}

fn last_part(connection: &Connection, session: &str, key: &str) -> rusqlite::Result<Option<Part>> {
    let mut select = connection.prepare_cached(
        "SELECT id, part, agent_id, text, offset, timestamp, expires_at FROM texts \
         WHERE stream_id = ?1 AND channel = ?2 AND key = ?3 ORDER BY part DESC LIMIT 1",
    )?;
    let found = select.query_row((session, Found::Message.as_str(), key), |row| {
        let number = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
        let offset: String = row.get(4)?;
        let place =
            Place { offset: offset.parse().unwrap_or_default(), timestamp_ms: number(5)?, expires_at_ms: number(6)? };
        Ok(Part { row: Some(row.get(0)?), number: row.get(1)?, agent_id: row.get(2)?, text: row.get(3)?, place })
    });
    found.optional()
}
