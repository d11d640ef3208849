//! What a follower does from one event to the next.

use headwater_protocol::header::query;
use http::Method;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Subject, Told};
use super::recovery::Recovery;
use super::status::{ConnectionState, SessionStatus};
use crate::limits::{LIVE_IDLE_TIMEOUT, LONG_POLL_PAUSE, SSE_SHORT};
use crate::sessions::api::Api;
use crate::sessions::event::StateMessage;
use crate::sessions::limits::{POLL_PRESENCE_INTERVAL, PRESENCE_SETTLE, PRESENCE_WINDOW};
use crate::sessions::{Participant, SessionError, SessionEvent};
use crate::stream::{Batch, Stream};
use crate::{Error, Offset};

/// Who takes in what is followed.
pub(crate) trait Sink: Send + 'static {
    /// These rows are all there is, up to this offset.
    fn rebuild(&mut self, _rows: &[SessionEvent], _at: &Offset) {}
    /// The next event.
    fn apply(&mut self, event: SessionEvent);
    /// Everything up to here has been told.
    fn settle(&mut self, _at: &Offset) {}
    /// History was lost.
    fn discontinuity(&mut self, _earliest: Option<&Offset>) {}
    /// Who is present will be told anew.
    fn doubt_presence(&mut self) {}
    /// Who was not told again has gone.
    fn settle_presence(&mut self) {}
    /// Who is present.
    fn replace_presence(&mut self, _people: Vec<Participant>) {}
    /// Nothing will come any more.
    fn end(&mut self) {}
}

/// What follows.
pub(super) enum Turn {
    Again,
    Closed,
}

pub(crate) struct Follower<S> {
    pub(super) api: Api,
    pub(super) subject: Subject,
    pub(super) sink: S,
    /// Where to go on; `None` when a snapshot must come first.
    pub(super) offset: Option<Offset>,
    pub(super) status: watch::Sender<SessionStatus>,
    pub(super) recovery: Recovery,
    /// When those of the last connection who were not told again have gone.
    presence_due: Option<Instant>,
    /// Presence is in doubt since the last connection was lost.
    is_presence_in_doubt: bool,
}

impl<S: Sink> Follower<S> {
    pub(crate) fn new(
        api: Api,
        subject: Subject,
        from: Option<Offset>,
        sink: S,
        status: watch::Sender<SessionStatus>,
    ) -> Self {
        let recovery = Recovery::new(&api);
        Self { api, subject, sink, offset: from, status, recovery, presence_due: None, is_presence_in_doubt: false }
    }

    /// Follows to the end.
    pub(crate) async fn run(mut self) {
        self.enter(ConnectionState::Connecting);
        let error = loop {
            match self.turn().await {
                Ok(Turn::Again) => {}
                Ok(Turn::Closed) => break None,
                Err(error) => {
                    self.lose_presence();
                    if let Some(error) = self.recover(error).await {
                        break Some(error);
                    }
                }
            }
        };
        let state = if error.is_some() { ConnectionState::Disconnected } else { ConnectionState::Closed };
        self.status.send_modify(|status| {
            (status.state, status.next_retry, status.error) = (state, None, error);
        });
        self.sink.end();
    }

    async fn turn(&mut self) -> Result<Turn, SessionError> {
        let Some(from) = self.offset.clone() else { return self.snapshot().await };
        if self.recovery.polls() { self.poll(&from).await } else { self.follow(&from).await }
    }

    /// The stream itself, for snapshots and where live connections do not get through.
    fn stream(&self) -> Result<Stream, SessionError> {
        self.api.stream(&self.subject.path())
    }

    async fn snapshot(&mut self) -> Result<Turn, SessionError> {
        let stream = self.stream()?;
        let mut call = stream.call(Method::GET);
        call.query(query::OFFSET, Offset::start().as_str());
        call.query("view", "snapshot");
        let (batch, _) = stream.page(&call).await?;
        // Nothing is known of a server that does not know snapshots, so that its page may be one of many.
        if !(batch.up_to_date || batch.closed) {
            return Err(Error::malformed(&stream.url(), "a snapshot that is not all").into());
        }
        let rows: Vec<SessionEvent> = messages(&stream, &batch)?.into_iter().filter_map(StateMessage::event).collect();
        self.sink.rebuild(&rows, &batch.offset);
        self.recovery.succeeded();
        self.moved(batch.offset.clone());
        Ok(if batch.closed { Turn::Closed } else { Turn::Again })
    }

    async fn follow(&mut self, from: &Offset) -> Result<Turn, SessionError> {
        let opened = Connection::open(&self.api, &self.subject, from).await;
        let mut connection = opened.inspect_err(|error| self.recovery.not_opened(error))?;
        loop {
            let told = tokio::select! {
                told = connection.next() => told,
                () = until(self.presence_due) => {
                    self.settle_presence();
                    continue;
                }
            };
            let told = match told {
                Ok(Some(told)) => told,
                Ok(None) => return self.ended(&connection).await,
                Err(error) => {
                    self.recovery.lost(connection.has_told(), &error);
                    return Err(error);
                }
            };
            for told in told {
                if let Some(turn) = self.take(told) {
                    return Ok(turn);
                }
            }
            if let Some(offset) = self.offset.clone() {
                self.moved(offset);
            }
        }
    }

    /// Servers end connections from time to time, and the follower returns at once; unless that is all they do.
    async fn ended(&mut self, connection: &Connection) -> Result<Turn, SessionError> {
        if !connection.has_told() {
            let error = SessionError::from(Error::malformed("/streams", "an event stream that ended before it began"));
            self.recovery.lost(false, &error);
            return Err(error);
        }
        self.lose_presence();
        if connection.age() < SSE_SHORT {
            tokio::time::sleep(SSE_SHORT).await;
        }
        self.enter(ConnectionState::Reconnecting);
        Ok(Turn::Again)
    }

    /// Takes in what the server told. What follows, when that is not the next thing it tells.
    fn take(&mut self, told: Told) -> Option<Turn> {
        match told {
            Told::Ready(offset) => {
                // A follower that began with `now` learns here where that is.
                self.offset = Some(offset);
                self.connected();
                self.sink.doubt_presence();
                self.presence_due = None;
            }
            Told::Event(event) => {
                if let Some(offset) = &event.offset {
                    self.offset = Some(offset.clone());
                }
                self.sink.apply(event);
            }
            Told::Passed(offset) => self.offset = offset.or(self.offset.take()),
            Told::CaughtUp(offset) => {
                self.offset = Some(offset);
                self.status.send_modify(|status| status.caught_up = true);
                // Who is there is looked up beside the log, so that it may come a little later.
                self.presence_due = Some(Instant::now() + PRESENCE_SETTLE);
            }
            Told::Gap(earliest) => {
                self.discontinuity(Some(&earliest));
                return Some(Turn::Again);
            }
            Told::Closed(offset) => {
                self.moved(offset);
                return Some(Turn::Closed);
            }
        }
        None
    }

    /// One long-poll, and who is there beside it.
    async fn poll(&mut self, from: &Offset) -> Result<Turn, SessionError> {
        let stream = self.stream()?;
        let mut call = stream.call(Method::GET);
        call.query(query::OFFSET, from.as_str());
        call.query(query::LIVE, query::LONG_POLL);
        call.head_timeout = Some(LIVE_IDLE_TIMEOUT);
        let asked = Instant::now();
        self.poll_presence().await?;
        let batch = {
            let page = stream.page(&call);
            tokio::pin!(page);
            loop {
                tokio::select! {
                    page = &mut page => break page?.0,
                    () = tokio::time::sleep(POLL_PRESENCE_INTERVAL) => self.poll_presence().await?,
                }
            }
        };
        let events = messages(&stream, &batch)?.into_iter().filter_map(StateMessage::event);
        for event in events {
            self.sink.apply(match self.subject {
                Subject::Session(_) => event,
                Subject::Agent(_) => of_agent(event),
            });
        }
        self.connected();
        self.moved(batch.offset.clone());
        if batch.up_to_date {
            self.status.send_if_modified(|status| !std::mem::replace(&mut status.caught_up, true));
        }
        if batch.is_empty() && !batch.closed && asked.elapsed() < LONG_POLL_PAUSE {
            tokio::time::sleep(LONG_POLL_PAUSE).await;
        }
        Ok(if batch.closed { Turn::Closed } else { Turn::Again })
    }

    async fn poll_presence(&mut self) -> Result<(), SessionError> {
        let Subject::Session(id) = &self.subject else { return Ok(()) };
        let people = self.api.get(&self.api.call(Method::GET, &["sessions", id, "presence"])?).await?;
        self.sink.replace_presence(people);
        Ok(())
    }

    fn connected(&mut self) {
        self.recovery.connected();
        self.is_presence_in_doubt = false;
        self.status.send_modify(|status| {
            (status.state, status.attempt, status.next_retry, status.error) =
                (ConnectionState::Connected, 0, None, None);
        });
    }

    /// Notes that everything up to `offset` has been told.
    fn moved(&mut self, offset: Offset) {
        self.sink.settle(&offset);
        self.status.send_if_modified(|status| std::mem::replace(&mut status.offset, offset.clone()) != offset);
        self.offset = Some(offset);
    }

    /// Begins anew with a snapshot: what lay in between is not known.
    pub(super) fn discontinuity(&mut self, earliest: Option<&Offset>) {
        self.offset = match self.subject {
            Subject::Session(_) => None,
            // Agents have no snapshot: what is kept is told.
            Subject::Agent(_) => Some(earliest.cloned().unwrap_or_else(Offset::start)),
        };
        self.sink.discontinuity(earliest);
        self.status.send_modify(|status| status.discontinuities += 1);
    }

    /// Whoever is not heard of within the window has gone, also while there is no connection.
    fn lose_presence(&mut self) {
        if !std::mem::replace(&mut self.is_presence_in_doubt, true) {
            self.sink.doubt_presence();
            self.presence_due = Some(Instant::now() + PRESENCE_WINDOW);
        }
    }

    fn settle_presence(&mut self) {
        self.presence_due = None;
        self.sink.settle_presence();
    }

    /// Waits, and lets people go meanwhile.
    pub(super) async fn wait_until(&mut self, end: Instant) {
        while Instant::now() < end {
            tokio::select! {
                () = sleep_until(end) => {}
                () = until(self.presence_due) => self.settle_presence(),
            }
        }
    }

    pub(super) fn enter(&self, state: ConnectionState) {
        self.status.send_if_modified(|status| std::mem::replace(&mut status.state, state) != state);
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn messages(stream: &Stream, batch: &Batch) -> Result<Vec<StateMessage>, SessionError> {
    let messages = batch.json().map_err(|error| Error::malformed(&stream.url(), error.to_string()))?;
    Ok(messages)
}

/// In an agent's stream, keys begin with the session.
fn of_agent(mut event: SessionEvent) -> SessionEvent {
    if let Some((session, key)) = event.key.split_once(':') {
        (event.session_id, event.key) = (Some(session.to_owned()), key.to_owned());
    }
    event
}
