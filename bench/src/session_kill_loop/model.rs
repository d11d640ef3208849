//! What one writer knows to be acknowledged: its sessions, and in each the messages that its events must have become.

use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Active,
    Paused,
    Closed,
    Deleted,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Paused => "paused",
            Status::Closed => "closed",
            Status::Deleted => "deleted",
        }
    }
}

/// A message that an acknowledged event must have become.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expected {
    /// The session it was sent to; a fork's history names its source.
    pub(super) session: String,
    /// The State Protocol type.
    pub(super) kind: &'static str,
    pub(super) key: String,
    pub(super) operation: &'static str,
    /// What the row holds, at least.
    pub(super) fields: Map<String, Value>,
}

/// A session as one writer sees it. All writers write to the shared one, and each only to its own otherwise.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) is_shared: bool,
    pub(super) status: Status,
    /// This writer's part of the log, in order.
    pub(super) expected: Vec<Expected>,
    /// Offsets that were handed out, each with the number of messages before it.
    pub(super) marks: Vec<(String, usize)>,
    /// Tool calls without a result.
    pub(super) calls: Vec<String>,
    /// The source, and how many of its messages are inherited.
    pub(super) forked: Option<(String, usize)>,
    /// The next producer sequence number, where requests carry one.
    pub(super) sequence: Option<u64>,
    /// Whether something happened since it was last verified.
    pub(super) is_touched: bool,
}

impl Session {
    pub(super) fn new(id: String, title: String, tail: String) -> Session {
        Session {
            id,
            title,
            is_shared: false,
            status: Status::Active,
            expected: Vec::new(),
            marks: vec![(tail, 0)],
            calls: Vec::new(),
            forked: None,
            sequence: None,
            is_touched: true,
        }
    }

    /// The fork of this session at one of its marks.
    pub(super) fn fork(&self, id: String, title: String, mark: usize) -> Session {
        let (offset, length) = self.marks[mark].clone();
        let mut fork = Session::new(id, title, offset);
        fork.marks[0].1 = length;
        fork.expected = self.expected[..length].to_vec();
        fork.forked = Some((self.id.clone(), length));
        for message in fork.expected.iter().filter(|message| message.kind == "tool") {
            match message.operation {
                "insert" => fork.calls.push(message.key.clone()),
                _ => fork.calls.retain(|call| *call != message.key),
            }
        }
        fork
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.status, Status::Active | Status::Paused)
    }

    pub(super) fn holds(&self, kind: &str, key: &str) -> bool {
        self.expected.iter().any(|message| message.kind == kind && message.key == key)
    }
}

/// How requests that were in flight at a kill ended.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Retries {
    pub(super) resent: u64,
    pub(super) duplicates: u64,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) writer: usize,
    pub(super) sessions: Vec<Session>,
    /// What the writer's agent did in all sessions, in order.
    pub(super) agent: Vec<Expected>,
    /// Titles of creations that were sent again: a session without an answer may be there, too.
    pub(super) repeated: Vec<String>,
    pub(super) presence: u64,
    pub(super) retries: Retries,
    /// What the server answered against its word, and what else ended the writer.
    pub(super) refused: Vec<String>,
}

impl Model {
    pub(super) fn agent_id(&self) -> String {
        agent_id(self.writer)
    }

    /// Notes that messages have been acknowledged at `tail`.
    pub(super) fn acknowledge(&mut self, session: usize, messages: Vec<Expected>, tail: Option<String>) {
        let of_agent = messages.iter().filter(|message| matches!(message.kind, "chunk" | "tool" | "state"));
        self.agent.extend(of_agent.cloned());
        let session = &mut self.sessions[session];
        session.is_touched = true;
        session.expected.extend(messages);
        session.marks.extend(tail.map(|tail| (tail, session.expected.len())));
    }
}

/// Every key of a writer begins with its own prefix.
pub(super) fn agent_id(writer: usize) -> String {
    format!("w{writer}.agent")
}
