//! What writers send: events and steps, with the messages that they must become.

use rand::Rng;
use rand::rngs::SmallRng;
use serde_json::{Map, Value, json};

use super::model::{Expected, Session};

/// Timestamps count up from here, so that no state repeats the one before it.
const FIRST_TIMESTAMP_MS: u64 = 1_700_000_000_000;
const TEXT_BYTES: std::ops::Range<usize> = 1..120;
/// One text in so many is long, so that messages cross the boundaries of pages and segments.
const LONG_ONE_IN: u32 = 150;
const LONG_BYTES: std::ops::Range<usize> = 8_000..50_000;
/// Chunks of a turn, about.
const TURN_ONE_IN: u32 = 40;
const WORKFLOW: [&str; 3] = ["approval:requested", "approval:approved", "worktree:created"];
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz ,.\\\"\n\t<>";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Event,
    Step,
}

/// Whether an agent's state may be among what is sent: a late copy of an earlier one cannot be told from a new one, so that
/// requests with several of them need producer headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum States {
    Allowed,
    Withheld,
}

/// One event or step, and what it becomes.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) body: Value,
    pub(super) expected: Expected,
}

/// A writer's choices; every id is used once.
#[derive(Debug)]
pub(super) struct Traffic {
    random: SmallRng,
    writer: usize,
    agent: String,
    next: u64,
    turn: u64,
}

impl Traffic {
    pub(super) fn new(writer: usize, random: SmallRng) -> Traffic {
        Traffic { random, writer, agent: super::model::agent_id(writer), next: 0, turn: 0 }
    }

    pub(super) fn random(&mut self) -> &mut SmallRng {
        &mut self.random
    }

    pub(super) fn unique(&mut self) -> String {
        self.next += 1;
        format!("w{}.{}", self.writer, self.next)
    }

    /// Up to `count` drafts for one session, in order.
    pub(super) fn drafts(&mut self, session: &Session, form: Form, states: States, count: usize) -> Vec<Draft> {
        // What the drafts do is done on a copy: they may fail, and then they are drawn again.
        let mut copy = Session::new(session.id.clone(), String::new(), String::new());
        copy.calls.clone_from(&session.calls);
        let mut has_state = session.holds("state", &self.agent);
        let mut left = if states == States::Allowed { 1 } else { 0 };
        let may_repeat = session.sequence.is_some();
        let mut drafts = Vec::with_capacity(count);
        while drafts.len() < count {
            let draft = match self.random.random_range(0..100) {
                0..50 => self.chunk(&session.id, form),
                50..75 => self.tool(&mut copy, form),
                75..85 if form == Form::Event => self.terminal(&session.id),
                85..90 if form == Form::Event => self.workflow(&session.id),
                90.. if left > 0 => {
                    left -= usize::from(!may_repeat);
                    let operation = if std::mem::replace(&mut has_state, true) { "update" } else { "insert" };
                    self.state(&session.id, form, operation)
                }
                _ => continue,
            };
            drafts.push(draft);
        }
        drafts
    }

    fn chunk(&mut self, session: &str, form: Form) -> Draft {
        self.turn += u64::from(self.random.random_ratio(1, TURN_ONE_IN));
        let (id, text) = (self.unique(), self.text());
        let fields = json!({"id": id, "agentId": self.agent, "text": text, "turn": self.turn});
        let body = wrap(form, "chunks", "stream:token", &fields);
        draft(session, "chunk", id, "insert", body, fields)
    }

    /// The start of a call, or the result of one that has started.
    fn tool(&mut self, session: &mut Session, form: Form) -> Draft {
        if session.calls.is_empty() || self.random.random_bool(0.5) {
            let id = self.unique();
            session.calls.push(id.clone());
            let mut fields =
                json!({"id": id, "agentId": self.agent, "tool": "bash", "input": {"command": self.text()}});
            let step = wrap(Form::Step, "", "tool:start", &fields);
            fields["status"] = "running".into();
            let body = if form == Form::Step { step } else { wrap(form, "toolCalls", "", &fields) };
            return draft(&session.id, "tool", id, "insert", body, fields);
        }
        let id = session.calls.swap_remove(self.random.random_range(0..session.calls.len()));
        let mut fields = json!({"id": id, "agentId": self.agent, "output": [self.text()]});
        // Without one the server takes the time since the start, also when the result is sent again later.
        if self.random.random_bool(0.5) {
            fields["duration"] = self.random.random_range(0..5_000).into();
        }
        let step = wrap(Form::Step, "", "tool:result", &fields);
        fields["status"] = "complete".into();
        let body = if form == Form::Step { step } else { wrap(form, "toolCalls", "", &fields) };
        draft(&session.id, "tool", id, "update", body, fields)
    }

    fn terminal(&mut self, session: &str) -> Draft {
        let id = self.unique();
        let fields = json!({"id": id, "type": "output", "data": self.text(), "source": "agent"});
        let body = wrap(Form::Event, "terminal", "", &fields);
        draft(session, "terminal", id, "insert", body, fields)
    }

    fn workflow(&mut self, session: &str) -> Draft {
        let (id, kind) = (self.unique(), WORKFLOW[self.random.random_range(0..WORKFLOW.len())]);
        let fields = json!({"id": id, "type": kind, "payload": {"why": self.text()}, "actor": "ada"});
        let body = wrap(Form::Event, "workflow", "", &fields);
        draft(session, "workflow", id, "insert", body, fields)
    }

    fn state(&mut self, session: &str, form: Form, operation: &'static str) -> Draft {
        self.next += 1;
        let agent = self.agent.clone();
        let mut fields = json!({"agentId": agent, "turn": self.turn, "timestamp": FIRST_TIMESTAMP_MS + self.next});
        let step = wrap(Form::Step, "", "agent:turn", &fields);
        fields["status"] = "running".into();
        let body = if form == Form::Step { step } else { wrap(form, "agentState", "", &fields) };
        draft(session, "state", agent, operation, body, fields)
    }

    fn text(&mut self) -> String {
        let long = self.random.random_ratio(1, LONG_ONE_IN);
        let length = self.random.random_range(if long { LONG_BYTES } else { TEXT_BYTES });
        (0..length).map(|_| char::from(LETTERS[self.random.random_range(0..LETTERS.len())])).collect()
    }
}

fn wrap(form: Form, channel: &str, step: &str, fields: &Value) -> Value {
    match form {
        Form::Event => json!({"channel": channel, "data": fields}),
        Form::Step => {
            let mut body = fields.clone();
            body["type"] = step.into();
            body
        }
    }
}

fn draft(session: &str, kind: &'static str, key: String, operation: &'static str, body: Value, fields: Value) -> Draft {
    let fields = if let Value::Object(fields) = fields { fields } else { Map::new() };
    Draft { body, expected: Expected { session: session.to_owned(), kind, key, operation, fields } }
}
