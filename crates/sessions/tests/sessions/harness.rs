//! A session without a server: decides, "appends" to a log in memory, applies.

use headwater_protocol::Offset;
use headwater_sessions::{
    Change, Context, Decision, IdSource, Message, Presence, Request, SessionError, SessionId, State, decide,
    encode_stored,
};

pub(crate) struct Harness {
    pub(crate) session: SessionId,
    pub(crate) state: State,
    pub(crate) presence: Presence,
    /// Every message of the session's stream, with the offset after it.
    pub(crate) log: Vec<(String, Offset)>,
    /// The same of the companion stream.
    pub(crate) presence_log: Vec<(String, Offset)>,
    ids: Counting,
}

/// `id-0001`, `id-0002`, …
#[derive(Default)]
struct Counting(u32);

impl IdSource for Counting {
    fn next_id(&mut self, _now_ms: u64) -> String {
        self.0 += 1;
        format!("id-{:04}", self.0)
    }
}

impl Harness {
    pub(crate) fn new(session: &str) -> Self {
        Self {
            session: SessionId::new(session).unwrap(),
            state: State::default(),
            presence: Presence::default(),
            log: Vec::new(),
            presence_log: Vec::new(),
            ids: Counting::default(),
        }
    }

    pub(crate) fn events(&mut self, body: &str, now_ms: u64) -> Result<Decision, SessionError> {
        self.post(&Request::parse_events(body.as_bytes(), &self.session)?, now_ms)
    }

    pub(crate) fn steps(&mut self, body: &str, now_ms: u64) -> Result<Decision, SessionError> {
        self.post(&Request::parse_steps(body.as_bytes())?, now_ms)
    }

    fn post(&mut self, request: &Request, now_ms: u64) -> Result<Decision, SessionError> {
        let mut context = Context { session: &self.session, now_ms, ids: &mut self.ids };
        let decision = decide(&self.state, &self.presence, request, &mut context)?;
        for planned in &decision.changes {
            let next = append(&mut self.log, &planned.change);
            self.state.apply(&planned.change, next).unwrap();
        }
        self.apply_presence(&decision.presence);
        Ok(decision)
    }

    pub(crate) fn leave(&mut self, user_id: &str, now_ms: u64) -> Vec<Change> {
        let left: Vec<Change> = self.presence.leave(user_id, now_ms, "leave").into_iter().collect();
        self.apply_presence(&left);
        left
    }

    pub(crate) fn expire_presence(&mut self, now_ms: u64) -> Vec<Change> {
        let gone = self.presence.expired(now_ms, "expiry");
        self.apply_presence(&gone);
        gone
    }

    fn apply_presence(&mut self, changes: &[Change]) {
        for change in changes {
            let next = append(&mut self.presence_log, change);
            self.presence.apply(change, next);
        }
    }
}

fn append(log: &mut Vec<(String, Offset)>, change: &Change) -> Offset {
    let tail = log.last().map_or(Offset::START, |(_, next)| *next);
    let (stored, _) = encode_stored([change]);
    let next = tail.advance(stored.len() as u64);
    log.push((change.encode(), next));
    next
}

/// The state that a log folds to.
pub(crate) fn fold(log: &[(String, Offset)]) -> State {
    let mut state = State::default();
    go_on(&mut state, log);
    state
}

/// Folds what comes after.
pub(crate) fn go_on(state: &mut State, log: &[(String, Offset)]) {
    for (text, next) in log {
        state.apply_message(&Message::decode(text).unwrap(), *next).unwrap();
    }
}
