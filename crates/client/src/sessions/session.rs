//! A session that is followed: its collections, its handlers, its writes, over one connection.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use tokio_util::task::AbortOnDropHandle;

use super::fold::Fold;
use super::follow::{Follower, Sink, Subject};
use super::limits::EVENTS_LAG_MAX;
use super::txn::Writer;
use super::writes::Writes;
use super::{
    AgentState, Channel, Chunk, Collection, EventRouter, HandlerGuard, Message, Outbox, Participant, Person, Post,
    PresenceGuard, Published, SessionClient, SessionError, SessionEvent, SessionStatus, Terminal, TerminalLine,
    ToolCall, Txn, WorkflowEvent,
};
use crate::Offset;

impl SessionClient {
    /// Follows a session: first all there is, then what happens. Must be called on a tokio runtime, on which it goes on
    /// until the last clone of the session is dropped.
    pub fn follow(&self, id: impl Into<String>) -> Session {
        let id = id.into();
        let (tell, status) = watch::channel(SessionStatus::initial());
        let shared = Arc::new(Shared::new(&id));
        let sink = SessionSink { shared: shared.clone() };
        let follower = Follower::new(self.api.clone(), Subject::Session(id.clone()), None, sink, tell);
        let following = AbortOnDropHandle::new(tokio::spawn(follower.run()));
        let writer = Writer::start(self.api.clone(), &id, shared.clone());
        let owned = Owned { id, client: self.clone(), shared, status, writer, _following: following };
        Session { owned: Arc::new(owned) }
    }
}

/// A session that is followed. Cloning is cheap; clones are the same session, over the same connection, which ends with
/// the last of them.
///
/// ```no_run
/// # async fn example() -> Result<(), headwater_client::sessions::SessionError> {
/// use headwater_client::Client;
/// use headwater_client::sessions::{Post, SessionClient};
///
/// let sessions = SessionClient::new(Client::new("http://127.0.0.1:4437/v1/stream")?)?;
/// let session = sessions.follow("a-session");
/// let typed = session.write([Post::terminal_input("make")])?; // shown at once
/// let mut messages = session.messages().subscribe();
/// while let Some(changes) = messages.next().await {
///     for message in changes.iter().filter_map(|change| change.row()) {
///         println!("{}: {}", message.agent_id, message.text);
///     }
/// }
/// typed.await.expect("it was stored");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Session {
    owned: Arc<Owned>,
}

/// What ends with the last handle.
struct Owned {
    id: String,
    client: SessionClient,
    shared: Arc<Shared>,
    status: watch::Receiver<SessionStatus>,
    writer: Writer,
    _following: AbortOnDropHandle<()>,
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.shared.fold.end();
        self.shared.writes.end(&self.shared.fold);
    }
}

/// What the tasks of a session work on.
pub(crate) struct Shared {
    pub(crate) fold: Fold,
    pub(crate) router: EventRouter,
    events: broadcast::Sender<Arc<SessionEvent>>,
    pub(crate) writes: Writes,
    lost: watch::Sender<Option<Discontinuity>>,
}

impl Shared {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            fold: Fold::default(),
            router: EventRouter::new(),
            events: broadcast::Sender::new(EVENTS_LAG_MAX),
            writes: Writes::new(id),
            lost: watch::Sender::new(None),
        }
    }
}

/// History that was lost: it had been trimmed, or replaced by a backup, before it was read. The collections are whole
/// again; handlers and readers of events have missed some.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Discontinuity {
    /// Where what is kept begins, when the server said it.
    pub earliest: Option<Offset>,
    /// How many there were.
    pub count: u64,
}

impl Session {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.owned.id
    }

    /// The client that it is followed with.
    pub fn client(&self) -> &SessionClient {
        &self.owned.client
    }

    /// How its connection is doing, as that changes.
    pub fn status(&self) -> watch::Receiver<SessionStatus> {
        self.owned.status.clone()
    }

    /// Waits until everything there was has been told. False when that will not be: the status says why.
    pub async fn caught_up(&self) -> bool {
        let mut status = self.status();
        let reached = status.wait_for(|status| status.caught_up || status.state.is_final()).await;
        reached.is_ok_and(|status| status.error.is_none())
    }

    /// Waits until the session is closed or given up, and says how it is then.
    pub async fn ended(&self) -> SessionStatus {
        let mut status = self.status();
        let last = status.wait_for(|status| status.state.is_final()).await.map(|status| status.clone());
        last.unwrap_or_else(|_| self.owned.status.borrow().clone())
    }

    /// Pieces of agents' text, as they came; those of the snapshot come joined.
    pub fn chunks(&self) -> &Collection<Chunk> {
        &self.owned.shared.fold.chunks
    }

    /// What agents said, turn by turn, oldest first. Grows with each chunk that the server has confirmed.
    pub fn messages(&self) -> &Collection<Message> {
        &self.owned.shared.fold.messages
    }

    /// Tool calls, oldest first.
    pub fn tool_calls(&self) -> &Collection<ToolCall> {
        &self.owned.shared.fold.tool_calls
    }

    /// Who is there, by user id.
    pub fn presence(&self) -> &Collection<Participant> {
        &self.owned.shared.fold.presence
    }

    /// Approvals and worktrees, oldest first.
    pub fn workflow(&self) -> &Collection<WorkflowEvent> {
        &self.owned.shared.fold.workflow
    }

    /// What agents do now, by agent id.
    pub fn agent_states(&self) -> &Collection<AgentState> {
        &self.owned.shared.fold.agent_states
    }

    /// The terminal.
    pub fn terminal(&self) -> Terminal {
        Terminal::new(self.clone())
    }

    pub(crate) fn terminal_lines(&self) -> &Collection<TerminalLine> {
        &self.owned.shared.fold.terminal
    }

    /// Calls `handler` with every event of `channel` from now on, until the guard is dropped. What there is already is in
    /// the collections. It must be quick: events wait for it.
    pub fn on(&self, channel: Channel, handler: impl Fn(&SessionEvent) + Send + Sync + 'static) -> HandlerGuard {
        self.owned.shared.router.on(channel, handler)
    }

    /// The same for all channels.
    pub fn on_any(&self, handler: impl Fn(&SessionEvent) + Send + Sync + 'static) -> HandlerGuard {
        self.owned.shared.router.on_any(handler)
    }

    /// Events of some channels from now on, in order, as many readers as there may be on the one connection.
    pub fn events(&self, channels: &[Channel]) -> Events {
        Events { received: self.owned.shared.events.subscribe(), channels: channels.to_vec() }
    }

    /// Tells when history was lost.
    pub fn discontinuities(&self) -> watch::Receiver<Option<Discontinuity>> {
        self.owned.shared.lost.subscribe()
    }

    /// Writes posts, all or none, and shows what they come to at once. The [`Txn`] says what becomes of them. All must be
    /// events, or all steps, which are shown once the server has decided what they are.
    ///
    /// # Errors
    /// Before anything is shown: [`SessionError::EventTooLarge`], [`SessionError::Busy`], and [`SessionError::Client`]
    /// when there is nothing to write.
    pub fn write(&self, posts: impl IntoIterator<Item = Post>) -> Result<Txn, SessionError> {
        self.owned.writer.write(&self.owned.shared, posts.into_iter().collect())
    }

    /// Writes posts and waits until they are durable, as [`SessionClient::publish`].
    ///
    /// # Errors
    /// As [`SessionClient::publish`].
    pub async fn publish(&self, posts: impl IntoIterator<Item = Post>) -> Result<Published, SessionError> {
        self.client().publish(self.id(), posts).await
    }

    /// Comes to the session and stays until the guard is dropped.
    pub fn join(&self, person: Person) -> PresenceGuard {
        self.client().stay(self.id(), person)
    }

    /// Posts in order, kept while the server is away.
    pub fn outbox(&self) -> Outbox {
        self.client().outbox(self.id())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.owned.status.borrow();
        let mut shown = f.debug_struct("Session");
        shown.field("id", &self.owned.id).field("state", &status.state).field("offset", &status.offset);
        shown.finish_non_exhaustive()
    }
}

/// Events of some channels, in order.
#[derive(Debug)]
pub struct Events {
    received: broadcast::Receiver<Arc<SessionEvent>>,
    channels: Vec<Channel>,
}

/// A reader of [`Events`] was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were not read in time")]
pub struct Lagged {
    /// Events of all channels that it has missed.
    pub missed: u64,
}

impl Events {
    /// The next event; `None` once the session is followed no more. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Lagged`] when so many came between two calls that the oldest were given up. Reading goes on after them.
    pub async fn next(&mut self) -> Result<Option<Arc<SessionEvent>>, Lagged> {
        loop {
            match self.received.recv().await {
                Ok(event) if self.channels.contains(&event.channel) => return Ok(Some(event)),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return Ok(None),
                Err(broadcast::error::RecvError::Lagged(missed)) => return Err(Lagged { missed }),
            }
        }
    }
}

struct SessionSink {
    shared: Arc<Shared>,
}

impl Sink for SessionSink {
    fn rebuild(&mut self, rows: &[SessionEvent], _: &Offset) {
        self.shared.fold.rebuild(rows);
    }

    fn apply(&mut self, event: SessionEvent) {
        self.shared.fold.apply(&event);
        self.shared.writes.came_back(&event);
        // Handlers find the collections as the event has left them.
        self.shared.router.route(&event);
        if self.shared.events.receiver_count() > 0 {
            // Nobody may be left by now.
            self.shared.events.send(Arc::new(event)).unwrap_or_default();
        }
    }

    fn settle(&mut self, at: &Offset) {
        self.shared.writes.settle(&self.shared.fold, at);
    }

    fn discontinuity(&mut self, earliest: Option<&Offset>) {
        self.shared.lost.send_modify(|lost| {
            let count = lost.as_ref().map_or(0, |lost| lost.count) + 1;
            *lost = Some(Discontinuity { earliest: earliest.cloned(), count });
        });
    }

    fn doubt_presence(&mut self) {
        self.shared.fold.doubt_presence();
    }

    fn settle_presence(&mut self) {
        self.shared.fold.settle_presence();
    }

    fn replace_presence(&mut self, people: Vec<Participant>) {
        self.shared.fold.replace_presence(people);
    }

    fn end(&mut self) {
        self.shared.fold.settle_presence();
        self.shared.fold.end();
        self.shared.writes.end(&self.shared.fold);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("writes", &self.writes.len()).finish_non_exhaustive()
    }
}
