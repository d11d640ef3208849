//! Live readers of a session and of an agent.

use std::fmt;
use std::task::{Context, Poll, ready};

use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::{Engine, Store};

use super::companion::Companion;
use super::event::{AgentEvent, Item, SessionEvent};
use super::failure::Subject;
use super::log::{Log, Next};
use crate::error::SessionError;
use crate::id::{AgentId, SessionId};
use crate::presence::Presence;

/// A live reader of one session: its events from a position on, and who is present from now on, in one sequence.
///
/// Any offset of an event is a position to go on from, also inside what was appended at once. The reader holds one batch
/// of stored bytes; a slow one reads from the log and holds up nobody. Dropping a `next` loses nothing.
pub struct SessionFollower<S: Store> {
    subject: Subject,
    log: Log<S>,
    presence: Companion<S>,
    /// Whose turn it is when both have something, so that neither starves the other.
    is_presence_next: bool,
}

/// A live reader of what one agent does in all sessions.
pub struct AgentFollower<S: Store> {
    subject: Subject,
    log: Log<S>,
}

impl<S: Store> SessionFollower<S> {
    /// Follows `session` from a position. `presence` is the folded companion stream, from whoever has it; without it,
    /// who is present is looked up.
    pub async fn open(
        engine: &Engine<S>,
        session: &SessionId,
        from: ReadFrom,
        presence: Option<Presence>,
    ) -> Result<Self, SessionError> {
        let subject = Subject::Session(session.clone());
        let stream = subject.stream();
        let log = Log::open(engine, stream.clone(), from).await.map_err(|cause| subject.error(cause))?;
        let is_closed = engine.metadata(&stream).await.map_err(|cause| subject.error(cause))?.closed;
        let presence = if is_closed {
            Companion::none(engine.clone(), session.clone())
        } else {
            Companion::follow(engine.clone(), session.clone(), presence)
        };
        Ok(Self { subject, log, presence, is_presence_next: true })
    }

    /// Where the next event of the session's own stream begins: what a client that is cut off now goes on from.
    pub fn position(&self) -> Offset {
        self.log.position()
    }

    /// The next item; pending while there is none. After [`Item::Closed`] and after an error, the same again.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Item, SessionError>> {
        let presence_first = self.is_presence_next || self.presence.has_rows();
        if presence_first && let Poll::Ready(event) = self.presence.poll_next(cx) {
            self.is_presence_next = false;
            return Poll::Ready(Ok(Item::Event(event)));
        }
        if let Poll::Ready(item) = poll_item(&mut self.log, cx, &self.subject, SessionEvent::read) {
            self.is_presence_next = true;
            return Poll::Ready(item);
        }
        if presence_first {
            return Poll::Pending;
        }
        self.presence.poll_next(cx).map(|event| Ok(Item::Event(event)))
    }

    /// [`SessionFollower::poll_next`] as a future.
    pub async fn next(&mut self) -> Result<Item, SessionError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl<S: Store> AgentFollower<S> {
    /// Follows what `agent` does from a position of its stream.
    pub async fn open(engine: &Engine<S>, agent: &AgentId, from: ReadFrom) -> Result<Self, SessionError> {
        let subject = Subject::Agent(agent.clone());
        let log = Log::open(engine, subject.stream(), from).await.map_err(|cause| subject.error(cause))?;
        Ok(Self { subject, log })
    }

    /// Where the next event begins.
    pub fn position(&self) -> Offset {
        self.log.position()
    }

    /// The next item; pending while there is none. After [`Item::Closed`] and after an error, the same again.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Item<AgentEvent>, SessionError>> {
        poll_item(&mut self.log, cx, &self.subject, AgentEvent::read)
    }

    /// [`AgentFollower::poll_next`] as a future.
    pub async fn next(&mut self) -> Result<Item<AgentEvent>, SessionError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

fn poll_item<S: Store, E>(
    log: &mut Log<S>,
    cx: &mut Context<'_>,
    subject: &Subject,
    read: impl Fn(&super::stored::StoredMessage) -> Option<E>,
) -> Poll<Result<Item<E>, SessionError>> {
    loop {
        let next = ready!(log.poll_next(cx)).map_err(|cause| subject.error(cause))?;
        return Poll::Ready(Ok(match next {
            Next::Message(message) => match read(&message) {
                Some(event) => Item::Event(event),
                None => continue,
            },
            Next::CaughtUp => Item::CaughtUp,
            Next::Gap { earliest } => Item::Gap { earliest },
            Next::Closed => Item::Closed,
        }));
    }
}

impl<S: Store> fmt::Debug for SessionFollower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFollower").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl<S: Store> fmt::Debug for AgentFollower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentFollower").field("subject", &self.subject).finish_non_exhaustive()
    }
}
