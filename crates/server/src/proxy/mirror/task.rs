//! One response on its way into a session.
//!
//! Chunks are numbered by their place in the response, and what a run before this one has told is recognised by the text
//! of its message, so that reading the stream again tells nothing twice.

use headwater_protocol::ReadFrom;
use headwater_protocol::sse::{CONTENT_TYPE, SseParser};
use headwater_proxy::{GenerationId, Outcome, Proxy, Record};
use headwater_sessions::{AgentId, Request, SessionError, SessionId, Sessions, message_id};
use headwater_streams::{EngineError, Follower, ReadError, Store};
use serde_json::{Value, json};

use super::dialect::{self, Said};
use super::key;
use super::turns::Turn;
use crate::limits::{MIRROR_CHUNK_BYTES_MAX, MIRROR_EVENT_BYTES_MAX, MIRROR_EVENTS_AT_ONCE, MIRROR_RETRY_DELAY};

pub(super) struct Task<S: Store> {
    pub(super) sessions: Sessions<S>,
    pub(super) proxy: Proxy<S>,
    pub(super) id: GenerationId,
    pub(super) session: SessionId,
    pub(super) agent: AgentId,
    pub(super) turn: Turn,
}

/// Why a response is told no further.
enum Stopped {
    /// The session takes no more of it: it is closed, deleted or full.
    Refused(SessionError),
    /// The store or the engine stops; the next start goes on.
    Unavailable(String),
}

/// What is told, and what a run before this one told already.
struct Telling {
    chunks: u64,
    known: String,
    events: Vec<Value>,
    failed: Option<String>,
}

impl<S: Store> Task<S> {
    /// Tells the response from its beginning to its end.
    pub(super) async fn run(self) {
        let (id, session) = (self.id, &self.session);
        match self.tell().await {
            Ok(()) => {}
            Err(Stopped::Refused(error)) => {
                tracing::warn!(%id, %session, %error, "a session takes no more of a proxied response");
            }
            Err(Stopped::Unavailable(cause)) => {
                tracing::warn!(%id, %session, cause, "the next start tells a session the rest of a proxied response");
                return;
            }
        }
        if let Err(error) = self.sessions.engine().write_documents(vec![(key(id), None)]).await {
            tracing::debug!(%id, %error, "the next start looks at this response again");
        }
    }

    async fn tell(&self) -> Result<(), Stopped> {
        let mut telling = Telling { chunks: 0, known: self.known().await?, events: Vec::new(), failed: None };
        self.publish(&[self.state(&json!({"status": "running"}))]).await?;
        let record = self.record().await?;
        if record.as_ref().is_some_and(is_event_stream) {
            self.tell_events(&mut telling).await?;
        } else if record.is_some() {
            self.until_closed().await?;
        }
        let outcome = self.record().await?.and_then(|record| record.outcome);
        self.publish(&[self.state(&end(outcome, telling.failed))]).await
    }

    async fn tell_events(&self, telling: &mut Telling) -> Result<(), Stopped> {
        let Some(mut follower) = self.follow().await? else { return Ok(()) };
        let mut parser = SseParser::new(MIRROR_EVENT_BYTES_MAX);
        while let Some((bytes, closed)) = next(&mut follower).await? {
            let events = match parser.push(&bytes) {
                Ok(events) => events,
                Err(error) => {
                    telling.failed = Some(error.to_string());
                    return self.until_closed().await;
                }
            };
            for event in events {
                match dialect::read(&event) {
                    Said::Text(text) => telling.text(self, &text),
                    Said::Failed(reason) => telling.failed = Some(reason),
                    Said::Nothing => {}
                }
            }
            for some in std::mem::take(&mut telling.events).chunks(MIRROR_EVENTS_AT_ONCE) {
                self.publish(some).await?;
            }
            if closed {
                break;
            }
        }
        Ok(())
    }

    /// Waits until the response has ended, whatever it says.
    async fn until_closed(&self) -> Result<(), Stopped> {
        let Some(mut follower) = self.follow().await? else { return Ok(()) };
        while let Some((_, closed)) = next(&mut follower).await? {
            if closed {
                break;
            }
        }
        Ok(())
    }

    /// A reader of the response; `None` when its stream is gone.
    async fn follow(&self) -> Result<Option<Follower<S>>, Stopped> {
        loop {
            match self.sessions.engine().follow(&self.id.stream(), ReadFrom::Start).await {
                Ok(follower) => return Ok(Some(follower)),
                Err(ReadError::NotFound | ReadError::Gone) => return Ok(None),
                Err(ReadError::TooManyReaders | ReadError::Engine(EngineError::Overloaded)) => {
                    tokio::time::sleep(MIRROR_RETRY_DELAY).await;
                }
                Err(error) => return Err(Stopped::Unavailable(error.to_string())),
            }
        }
    }

    async fn record(&self) -> Result<Option<Record>, Stopped> {
        self.proxy.durable_record(self.id).await.map_err(|error| Stopped::Unavailable(error.to_string()))
    }

    /// The text of this turn that the session has.
    async fn known(&self) -> Result<String, Stopped> {
        let state = self.sessions.state(&self.session).await.map_err(stopped)?.state;
        let message = state.messages().get(&message_id(self.agent.as_str(), self.turn.number));
        Ok(message.map(|message| message.text.to_string()).unwrap_or_default())
    }

    fn state(&self, fields: &Value) -> Value {
        let mut data = json!({"agentId": self.agent.as_str(), "turn": self.turn.number});
        for (name, value) in fields.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        json!({"channel": "agentState", "data": data})
    }

    /// Publishes events, as often as it takes to find a place.
    async fn publish(&self, events: &[Value]) -> Result<(), Stopped> {
        let body = serde_json::to_vec(events).expect("a JSON value always becomes JSON");
        let request = Request::parse_events(&body, &self.session).map_err(Stopped::Refused)?;
        loop {
            match self.sessions.publish(&self.session, request.clone(), None).await {
                Ok(_) => return Ok(()),
                Err(SessionError::Overloaded { .. } | SessionError::Unavailable { .. } | SessionError::StoreFull)
                    if self.sessions.engine().is_ready() =>
                {
                    tokio::time::sleep(MIRROR_RETRY_DELAY).await
                }
                Err(error) => return Err(stopped(error)),
            }
        }
    }
}

impl Telling {
    /// Adds a text as chunks, unless the session has it.
    fn text<S: Store>(&mut self, task: &Task<S>, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let piece = dialect::beginning(rest, MIRROR_CHUNK_BYTES_MAX);
            self.chunks += 1;
            match self.known.strip_prefix(piece) {
                Some(known) => self.known = known.to_owned(),
                None => {
                    // Somebody else spoke in this turn: from here on only the ids tell what is known.
                    self.known.clear();
                    self.events.push(json!({"channel": "chunks", "data": {
                        "id": format!("{}-{:06}", task.id, self.chunks),
                        "agentId": task.agent.as_str(), "turn": task.turn.number, "text": piece,
                    }}));
                }
            }
            rest = &rest[piece.len()..];
        }
    }
}

/// The next bytes and whether they are the last; `None` when the stream is gone.
async fn next<S: Store>(follower: &mut Follower<S>) -> Result<Option<(bytes::Bytes, bool)>, Stopped> {
    match follower.next().await {
        Ok(batch) => Ok(Some((batch.bytes, batch.closed))),
        Err(ReadError::NotFound | ReadError::Gone) => Ok(None),
        Err(error) => Err(Stopped::Unavailable(error.to_string())),
    }
}

fn is_event_stream(record: &Record) -> bool {
    record.content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(CONTENT_TYPE))
}

/// The agent's state after a response that ended so. Without an outcome its stream was deleted.
fn end(outcome: Option<Outcome>, failed: Option<String>) -> Value {
    match (failed, outcome) {
        (Some(reason), _) => json!({"status": "error", "error": reason}),
        (None, Some(Outcome::Complete)) => json!({"status": "completed"}),
        (None, Some(Outcome::Aborted) | None) => json!({"status": "completed", "message": "aborted"}),
        (None, Some(outcome)) => json!({"status": "error", "error": outcome.as_str()}),
    }
}

fn stopped(error: SessionError) -> Stopped {
    match error {
        SessionError::Failed { .. }
        | SessionError::StoreUnavailable { .. }
        | SessionError::StoreFull
        | SessionError::Unavailable { .. }
        | SessionError::Overloaded { .. } => Stopped::Unavailable(error.to_string()),
        error => Stopped::Refused(error),
    }
}
