//! One live connection: server-sent events of a session or of an agent.

use std::time::Duration;

use headwater_protocol::sse::{SseEvent, SseParser};
use http::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::super::api::Api;
use super::super::limits::ANSWER_BYTES_MAX;
use super::super::{Channel, SessionError, SessionEvent};
use crate::answer::Answer;
use crate::limits::SSE_FIRST_EVENT_TIMEOUT;
use crate::{Error, Offset};

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Session(String),
    Agent(String),
}

impl Subject {
    /// Its stream, which can be read like any other.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Session(id) => format!("session/{id}"),
            Self::Agent(id) => format!("agent/{id}"),
        }
    }

    fn query(&self) -> (&'static str, &str) {
        match self {
            Self::Session(id) => ("sessionId", id),
            Self::Agent(id) => ("agentId", id),
        }
    }
}

/// What the server tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// Where it begins to tell. Who is present comes anew.
    Ready(Offset),
    /// Something happened.
    Event(SessionEvent),
    /// Something happened that this version knows nothing about.
    Passed(Option<Offset>),
    /// That was all there was.
    CaughtUp(Offset),
    /// What lay before is no longer kept.
    Gap(Offset),
    /// Nothing will follow.
    Closed(Offset),
}

#[derive(Deserialize)]
struct At {
    offset: Offset,
}

#[derive(Deserialize)]
struct Earliest {
    earliest: Offset,
}

/// What every event has, whatever its channel.
#[derive(Deserialize)]
struct AnyEvent {
    channel: String,
    #[serde(default)]
    offset: Option<Offset>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    answer: Answer,
    parser: SseParser,
    idle_timeout: Duration,
    opened: Instant,
    has_told: bool,
}

impl Connection {
    pub(crate) async fn open(api: &Api, subject: &Subject, from: &Offset) -> Result<Self, SessionError> {
        let mut call = api.call(Method::GET, &["streams"])?;
        let (name, id) = subject.query();
        call.query(name, id);
        call.query("offset", from.as_str());
        call.header("accept", "text/event-stream")?;
        call.head_timeout = Some(api.idle_timeout.min(SSE_FIRST_EVENT_TIMEOUT));
        let answer = api.exchange(&call).await?;
        let is_events = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !is_events {
            return Err(Error::malformed(answer.url(), "an answer that is no event stream").into());
        }
        let (parser, idle_timeout) = (SseParser::new(ANSWER_BYTES_MAX), api.idle_timeout);
        Ok(Self { answer, parser, idle_timeout, opened: Instant::now(), has_told: false })
    }

    /// Whether it has told where it begins.
    pub(crate) fn has_told(&self) -> bool {
        self.has_told
    }

    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// What comes next, all that has come at once; `None` when the server has ended the connection. Dropping the future
    /// loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Told>>, SessionError> {
        loop {
            // The first event comes at once, unless something on the way holds it back.
            let first = self.idle_timeout.min(SSE_FIRST_EVENT_TIMEOUT);
            let Some(bytes) = self.answer.chunk(if self.has_told { self.idle_timeout } else { first }).await? else {
                return Ok(None);
            };
            let events = self
                .parser
                .push(&bytes)
                .map_err(|_| Error::TooLarge { url: self.answer.url().to_owned(), limit: ANSWER_BYTES_MAX })?;
            let told: Result<Vec<Told>, serde_json::Error> = events.iter().filter_map(read).collect();
            let told = told.map_err(|error| Error::malformed(self.answer.url(), format!("an event: {error}")))?;
            if !told.is_empty() {
                self.has_told = true;
                return Ok(Some(told));
            }
        }
    }
}

/// Events of other names are for later versions.
fn read(event: &SseEvent) -> Option<Result<Told, serde_json::Error>> {
    let at = |told: fn(Offset) -> Told| serde_json::from_str::<At>(&event.data).map(|at| told(at.offset));
    Some(match event.event.as_str() {
        "" | "message" => read_event(&event.data),
        "ready" => at(Told::Ready),
        "caught-up" => at(Told::CaughtUp),
        "closed" => at(Told::Closed),
        "gap" => serde_json::from_str::<Earliest>(&event.data).map(|gap| Told::Gap(gap.earliest)),
        _ => return None,
    })
}

fn read_event(data: &str) -> Result<Told, serde_json::Error> {
    let any: AnyEvent = serde_json::from_str(data)?;
    if Channel::of(&any.channel).is_none() {
        return Ok(Told::Passed(any.offset));
    }
    serde_json::from_str(data).map(Told::Event)
}
