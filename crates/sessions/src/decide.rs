//! What a request changes, or why it does not: a pure function of the folded state.
//!
//! All events of a request are decided together: later ones see what earlier ones change, and one refusal refuses all.
//! The caller holds the session while it decides, appends the changes of a [`Decision`] in one append per stream, then
//! applies them to the state it decided on.

use crate::change::{Change, Operation};
use crate::channel::{Channel, RowType};
use crate::error::SessionError;
use crate::event::Event;
use crate::id::{AgentId, IdSource, SessionId};
use crate::json::{Json, Object};
use crate::limits::{PRESENT_USERS_MAX, STATE_BYTES_MAX};
use crate::position::Position;
use crate::presence::{Presence, is_present};
use crate::request::{Input, Request};
use crate::staged::{Origin, Staged};
use crate::{fold::State, seen::Content};

mod merge;

/// What a decision needs from outside.
pub struct Context<'a> {
    /// The session that is written to.
    pub session: &'a SessionId,
    /// Unix milliseconds.
    pub now_ms: u64,
    /// Where ids come from that the writer did not give.
    pub ids: &'a mut dyn IdSource,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("session", self.session).field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

/// A change for the session's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// To append to the session's stream, and to apply.
    pub change: Change,
    /// The agent whose stream gets it, too, as [`Change::in_agent_stream`].
    pub agent: Option<AgentId>,
}

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// For the session's stream, in order; empty when nothing is new.
    pub changes: Vec<Planned>,
    /// For the companion stream, in order.
    pub presence: Vec<Change>,
    /// One per event, in order.
    pub answers: Vec<Answer>,
    /// Of all changes: the writer's, or a new one.
    pub txid: String,
}

/// What one event comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its channel.
    pub channel: Channel,
    /// The key of its row.
    pub key: String,
    /// Whether it was new.
    pub verdict: Verdict,
}

/// Whether an event was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It makes the change at this place of [`Decision::changes`], or of [`Decision::presence`] for that channel.
    Written(usize),
    /// An earlier event of the same request made that change.
    Repeated(usize),
    /// The stream has it already, up to here.
    Duplicate(Position),
}

/// Decides all events of `request`.
pub fn decide(
    state: &State,
    presence: &Presence,
    request: &Request,
    context: &mut Context<'_>,
) -> Result<Decision, SessionError> {
    let txid = request.txid.clone().unwrap_or_else(|| context.ids.next_id(context.now_ms));
    let mut deciding = Deciding { staged: Staged::new(state, presence, request.inputs.len()), txid, context };
    let mut answers = Vec::with_capacity(request.inputs.len());
    for (index, input) in request.inputs.iter().enumerate() {
        let answer = deciding.input(input);
        answers.push(answer.map_err(|error| if request.inputs.len() > 1 { error.in_event(index) } else { error })?);
    }
    let Deciding { staged, txid, .. } = deciding;
    Ok(Decision { changes: staged.changes, presence: staged.presence_changes, answers, txid })
}

struct Deciding<'a, 'c> {
    staged: Staged<'a>,
    txid: String,
    context: &'a mut Context<'c>,
}

impl Deciding<'_, '_> {
    fn input(&mut self, input: &Input) -> Result<Answer, SessionError> {
        match input {
            Input::Event(event) => self.event(event),
            Input::Step(step) => {
                let event = step.resolve(&self.staged, self.context.session, self.context.now_ms)?;
                self.event(&event)
            }
        }
    }

    fn event(&mut self, event: &Event) -> Result<Answer, SessionError> {
        let channel = event.channel();
        let key = match event.key() {
            Some(key) => key.into_owned(),
            None if channel.key_field() == "id" => self.context.ids.next_id(self.context.now_ms),
            None => return Err(SessionError::field(channel.key_field(), "is required")),
        };
        let verdict = match channel {
            Channel::Chunks => self.chunk(event, &key),
            Channel::Terminal | Channel::Workflow => self.line(event, &key),
            Channel::ToolCalls => self.tool_call(event, &key),
            Channel::AgentState => self.agent_state(event, &key),
            Channel::Presence => self.presence(event, &key),
        }?;
        Ok(Answer { channel, key, verdict })
    }

    fn chunk(&mut self, event: &Event, id: &str) -> Result<Verdict, SessionError> {
        let row = self.new_row(event, id)?;
        match self.staged.chunk(id) {
            Some((known, origin)) if known == Content::of(&row) => Ok(duplicate(origin)),
            Some(_) => Err(conflict(event, id, TAKEN)),
            None => self.write(event, id, Operation::Insert, row),
        }
    }

    fn line(&mut self, event: &Event, id: &str) -> Result<Verdict, SessionError> {
        let row = self.new_row(event, id)?;
        match self.staged.row(event.channel().row_type(), id) {
            Some((known, origin)) if Content::of(&known) == Content::of(&row) => Ok(duplicate(origin)),
            Some(_) => Err(conflict(event, id, TAKEN)),
            None => self.write(event, id, Operation::Insert, row),
        }
    }

    fn tool_call(&mut self, event: &Event, id: &str) -> Result<Verdict, SessionError> {
        let Some((row, origin)) = self.staged.row(RowType::Tool, id) else {
            let row = self.new_row(event, id)?;
            return self.write(event, id, Operation::Insert, row);
        };
        if event.get("agentId").is_some_and(|agent| Some(agent) != row.get("agentId")) {
            return Err(SessionError::field("agentId", "must be the agent that made the call"));
        }
        if merge::goes_back(&row, event) {
            return merge::is_late_copy(&row, event)
                .then(|| late(origin))
                .ok_or_else(|| conflict(event, id, GOES_BACK));
        }
        let merged = merge::merge(&row, event);
        if Content::of(&merged) == Content::of(&row) {
            return Ok(duplicate(origin));
        }
        self.write(event, id, Operation::Update, merged)
    }

    fn agent_state(&mut self, event: &Event, agent_id: &str) -> Result<Verdict, SessionError> {
        let Some((row, origin)) = self.staged.row(RowType::State, agent_id) else {
            let row = self.new_row(event, agent_id)?;
            return self.write(event, agent_id, Operation::Insert, row);
        };
        let mut merged = merge::merge(&row, event);
        let says_nothing_new = event.get("timestamp").is_none_or(|at| Some(at) == row.get("timestamp"));
        if says_nothing_new && Content::of(&merged) == Content::of(&row) {
            return Ok(duplicate(origin));
        }
        if event.get("timestamp").is_none() {
            merged.set("timestamp", Json::whole(self.context.now_ms));
        }
        self.write(event, agent_id, Operation::Update, merged)
    }

    /// Every event is a sign of life, so there are no duplicates here.
    fn presence(&mut self, event: &Event, user_id: &str) -> Result<Verdict, SessionError> {
        let now_ms = self.context.now_ms;
        let known = self.staged.row(RowType::Presence, user_id).map(|(row, _)| row);
        let operation = if known.is_some() { Operation::Update } else { Operation::Insert };
        if operation == Operation::Insert && self.staged.users() >= PRESENT_USERS_MAX {
            return Err(SessionError::Full {
                what: format!("{PRESENT_USERS_MAX} users are present, which is the limit"),
            });
        }
        let was = |name: &str| known.as_ref().and_then(|row| row.whole(name));
        let last_seen = was("lastSeen").unwrap_or_default();
        let mut row = match &known {
            Some(row) => merge::merge(row, event),
            None => self.new_row(event, user_id)?,
        };
        // Whoever was silent for too long comes anew, even when their deletion is still on its way.
        let comes_anew = !is_present(last_seen, now_ms);
        if comes_anew && known.is_some() && event.get("cursor").is_none() && row.get("cursor").is_some() {
            row.set("cursor", Json::null());
        }
        let joined_at = was("joinedAt").filter(|_| !comes_anew).unwrap_or(now_ms);
        row.set("lastSeen", Json::whole(last_seen.max(now_ms)));
        row.set("joinedAt", Json::whole(joined_at));
        self.write(event, user_id, operation, event.in_order(row))
    }

    /// The row that `event` makes when there is none, with what the server fills.
    fn new_row(&self, event: &Event, key: &str) -> Result<Object, SessionError> {
        let mut row = event.values().clone();
        row.set(event.channel().key_field(), Json::text(key));
        row.set("sessionId", Json::text(self.context.session.as_str()));
        if event.channel() != Channel::Presence && row.get("timestamp").is_none() {
            row.set("timestamp", Json::whole(self.context.now_ms));
        }
        event.check_complete(&row)?;
        Ok(event.in_order(row))
    }

    fn write(&mut self, event: &Event, key: &str, operation: Operation, row: Object) -> Result<Verdict, SessionError> {
        let mut row = row;
        // A row that a fork inherited names the source until something happens to it here.
        row.set("sessionId", Json::text(self.context.session.as_str()));
        let value = row.encode();
        let is_kept = event.channel() != Channel::Presence;
        if is_kept && self.staged.bytes() + value.get().len() > STATE_BYTES_MAX {
            return Err(SessionError::Full {
                what: format!("its rows take {STATE_BYTES_MAX} bytes, which is the limit"),
            });
        }
        let change = Change {
            row_type: event.channel().row_type(),
            key: key.to_owned(),
            operation,
            value: Some(value),
            txid: Some(self.txid.clone()),
            at_ms: Some(self.context.now_ms),
        };
        Ok(Verdict::Written(self.staged.stage(change, row)))
    }
}

const TAKEN: &str = "the id belongs to an event with other content";
const GOES_BACK: &str = "the call has gone further than the event's status";

fn conflict(event: &Event, id: &str, what: &'static str) -> SessionError {
    SessionError::Conflict { event: None, channel: event.channel().as_str(), id: id.to_owned(), what }
}

fn duplicate(origin: Origin) -> Verdict {
    match origin {
        Origin::Stored { last, .. } => Verdict::Duplicate(last),
        Origin::Staged(index) => Verdict::Repeated(index),
    }
}

/// The verdict on a copy of what inserted a row.
fn late(origin: Origin) -> Verdict {
    match origin {
        Origin::Stored { first, .. } => Verdict::Duplicate(first),
        Origin::Staged(index) => Verdict::Repeated(index),
    }
}

#[cfg(test)]
mod tests;
