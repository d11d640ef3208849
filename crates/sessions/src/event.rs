//! Events: what a writer says on a channel, checked field by field.
//!
//! A field that the channel does not have is refused by name: a misspelt field that vanished in silence, or one that was
//! stored unchecked and shown to every reader, would be worse. Readers are the tolerant side: a fold keeps fields of
//! rows that it does not know, so a newer server's rows pass through an older reader.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::channel::Channel;
use crate::error::SessionError;
use crate::fields::{Field, Given, missing, read};
use crate::id::SessionId;
use crate::json::{Json, Object, compact};
use crate::limits::{EVENT_BYTES_MAX, EVENT_DEPTH_MAX};

mod agent_state;
mod chunk;
mod presence;
mod terminal;
mod tool_call;
mod workflow;

pub(crate) use tool_call::ToolStatus;

/// One event of a session, with the fields it was given.
#[derive(Debug, Clone)]
pub struct Event {
    channel: Channel,
    given: Given,
}

impl Event {
    /// Reads the `data` of an event sent to `session`.
    pub fn parse(channel: Channel, data: &RawValue, session: &SessionId) -> Result<Self, SessionError> {
        let object = bounded_object("data", data)?;
        Self::from_object(channel, object, session)
    }

    pub(crate) fn from_object(channel: Channel, object: Object, session: &SessionId) -> Result<Self, SessionError> {
        let given = read(fields_of(channel), object)?;
        if given.values.text("sessionId").is_some_and(|id| id != session.as_str()) {
            return Err(SessionError::field("sessionId", "must be the session that the event is sent to"));
        }
        Ok(Self { channel, given })
    }

    /// Its channel.
    pub fn channel(&self) -> Channel {
        self.channel
    }

    /// The key of the row it is about, when it names one.
    pub fn key(&self) -> Option<Cow<'_, str>> {
        self.given.values.text(self.channel.key_field())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.given.values.get(name)
    }

    pub(crate) fn values(&self) -> &Object {
        &self.given.values
    }

    pub(crate) fn cleared(&self) -> &[&'static str] {
        &self.given.cleared
    }

    /// An error for the first field that a new row must have and `row` lacks.
    pub(crate) fn check_complete(&self, row: &Object) -> Result<(), SessionError> {
        missing(fields_of(self.channel), row)
    }

    /// `row` with the fields in the order in which the channel lists them.
    pub(crate) fn in_order(&self, mut row: Object) -> Object {
        let mut ordered = Object::default();
        for field in fields_of(self.channel) {
            if let Some(value) = row.take(field.name) {
                ordered.push(field.name, value);
            }
        }
        ordered
    }
}

const fn fields_of(channel: Channel) -> &'static [Field] {
    match channel {
        Channel::Chunks => chunk::FIELDS,
        Channel::ToolCalls => tool_call::FIELDS,
        Channel::Presence => presence::FIELDS,
        Channel::Terminal => terminal::FIELDS,
        Channel::Workflow => workflow::FIELDS,
        Channel::AgentState => agent_state::FIELDS,
    }
}

/// The object in `raw`, within the bounds of an event; `name` is what errors call it.
pub(crate) fn bounded_object(name: &'static str, raw: &RawValue) -> Result<Object, SessionError> {
    let (text, depth) = compact(raw.get());
    if text.len() > EVENT_BYTES_MAX {
        return Err(SessionError::TooLarge { event: None, bytes: text.len() });
    }
    if depth > EVENT_DEPTH_MAX {
        return Err(SessionError::field(name, format!("must not nest more than {EVENT_DEPTH_MAX} levels deep")));
    }
    Object::parse(&text).ok_or_else(|| SessionError::field(name, "must be an object"))
}

#[cfg(test)]
mod tests;
