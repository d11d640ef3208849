//! Ids: of sessions and agents, which are also segments of stream paths, and of events, which a source makes.

use std::fmt;

use headwater_protocol::StreamPath;
use uuid::{ContextV7, Timestamp, Uuid};

use crate::error::SessionError;
use crate::limits::{ID_BYTES_MAX, SESSION_ID_BYTES_MAX};

/// Names a session: letters, digits, `-`, `_` and `.`, and no `.` first. So it is a path segment and never holds the
/// colon that ends it in keys of agent streams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// Checks `text` and takes it as an id.
    pub fn new(text: &str) -> Result<Self, SessionError> {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let fits = (1..=SESSION_ID_BYTES_MAX).contains(&text.len()) && !text.starts_with('.');
        if !fits || !text.bytes().all(is_allowed) {
            let rule = format!("must be 1 to {SESSION_ID_BYTES_MAX} letters, digits, '-', '_' or '.', no '.' first");
            return Err(SessionError::InvalidId { name: "sessionId", rule: rule.into() });
        }
        Ok(Self(text.into()))
    }

    /// The session whose change messages a stream holds; `None` for any other stream, companions included.
    pub fn of_stream(path: &StreamPath) -> Option<Self> {
        Self::new(path.as_str().strip_prefix("session/")?).ok()
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stream that holds its change messages.
    pub fn stream(&self) -> StreamPath {
        StreamPath::new(&format!("session/{}", self.0)).expect("a session id is a path segment")
    }

    /// The companion stream that says who is there.
    pub fn presence_stream(&self) -> StreamPath {
        StreamPath::new(&format!("session/{}/presence", self.0)).expect("a session id is a path segment")
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The stream that is the registry of sessions.
pub fn registry_stream() -> StreamPath {
    StreamPath::new("sessions").expect("a proper path")
}

/// Names an agent: a path segment of at most [`ID_BYTES_MAX`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(Box<str>);

impl AgentId {
    /// Checks `text` and takes it as an id.
    pub fn new(text: &str) -> Result<Self, SessionError> {
        if !is_id(text) || text.contains('/') || matches!(text, "." | "..") {
            let rule = format!("must be {}", Self::rule());
            return Err(SessionError::InvalidId { name: "agentId", rule: rule.into() });
        }
        Ok(Self(text.into()))
    }

    /// What an agent id is, for messages.
    pub(crate) fn rule() -> String {
        format!("1 to {ID_BYTES_MAX} bytes of text without control characters or '/', not '.' or '..'")
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The stream that holds what it does in all sessions.
    pub fn stream(&self) -> StreamPath {
        StreamPath::new(&format!("agent/{}", self.0)).expect("an agent id is a path segment")
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text may be the id of an event, a user, a task or a project.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Makes ids that nobody else makes, later ones sorting after earlier ones.
pub trait IdSource {
    /// The next id at `now_ms` (Unix milliseconds).
    fn next_id(&mut self, now_ms: u64) -> String;
}

/// UUIDs of version 7, counting within a millisecond.
#[derive(Debug)]
pub struct TimeOrderedIds {
    context: ContextV7,
}

impl Default for TimeOrderedIds {
    fn default() -> Self {
        Self { context: ContextV7::new() }
    }
}

impl IdSource for TimeOrderedIds {
    fn next_id(&mut self, now_ms: u64) -> String {
        let nanos = u32::try_from(now_ms % 1_000).expect("below a thousand") * 1_000_000;
        Uuid::new_v7(Timestamp::from_unix(&self.context, now_ms / 1_000, nanos)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_millisecond_differ_and_sort_as_made() {
        let mut source = TimeOrderedIds::default();
        let ids: Vec<String> = (0..10_000).map(|i| source.next_id(1_700_000_000_000 + i / 5_000)).collect();
        assert!(ids.is_sorted());
        let distinct: std::collections::HashSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn session_ids_are_path_segments_without_colons() {
        for id in ["a", "0197-x_y.z", "A"] {
            assert_eq!(SessionId::new(id).unwrap().stream().to_string(), format!("session/{id}"));
        }
        for id in ["", ".", "..", ".a", "a/b", "a:b", "ä", "a b", &"x".repeat(129)] {
            assert!(SessionId::new(id).is_err(), "{id}");
        }
    }

    #[test]
    fn a_stream_tells_its_session_unless_it_is_a_companion() {
        let id = SessionId::new("a").unwrap();
        assert_eq!(SessionId::of_stream(&id.stream()), Some(id.clone()));
        assert_eq!(SessionId::of_stream(&id.presence_stream()), None);
        assert_eq!(SessionId::of_stream(&registry_stream()), None);
        assert_eq!(SessionId::of_stream(&AgentId::new("a").unwrap().stream()), None);
    }

    #[test]
    fn agent_ids_are_path_segments() {
        assert_eq!(AgentId::new("coder:1 é").unwrap().stream().to_string(), "agent/coder:1 é");
        for id in ["", ".", "..", "a/b", "a\n", &"x".repeat(129)] {
            assert!(AgentId::new(id).is_err(), "{id}");
        }
    }
}
