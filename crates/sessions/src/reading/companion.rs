//! Who is there, live: the rows of who is present when reading begins, then what changes.
//!
//! The companion stream may be missing, vanish and come back; readers of the session must notice none of it. While it
//! is away nothing is told, and when it is back the difference is. It never fails and never holds up the session's own
//! events.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::{ContentType, Offset, ReadFrom};
use headwater_streams::{Create, Durability, Engine, Follower, ReadError, Store};
use memchr::memchr;
use tokio::time::Sleep;

use super::event::SessionEvent;
use super::stored::Stored;
use crate::change::{Change, Message, Operation};
use crate::channel::Channel;
use crate::id::SessionId;
use crate::limits::{PRESENCE_LOOK_BYTES, PRESENCE_LOOK_BYTES_MAX, PRESENCE_PAUSE_MS};
use crate::presence::{Presence, is_present};

/// How the companion stream of a session is created, by whoever needs it first.
pub fn presence_companion(session: &SessionId) -> Create {
    Create {
        path: session.presence_stream(),
        content_type: Some(ContentType::new("application/json").expect("the type is well-formed")),
        lifetime: None,
        payload: Bytes::new(),
        closed: false,
        fork: None,
        durability: Durability::Ephemeral,
    }
}

/// A live reader of the companion stream.
pub(super) struct Companion<S: Store> {
    engine: Engine<S>,
    session: SessionId,
    stage: Stage<S>,
    /// Users that were told and not told to be gone.
    told: HashSet<String>,
    /// What is to be told before the stream is read on, last one first.
    rows: Vec<SessionEvent>,
}

type Opening<S> = Pin<Box<dyn Future<Output = Result<(Follower<S>, Presence), ReadError>> + Send>>;

enum Stage<S: Store> {
    Opening(Opening<S>),
    Reading {
        follower: Follower<S>,
        batch: Stored,
    },
    Resting(Pin<Box<Sleep>>),
    /// Nobody comes or goes any more.
    Over,
}

impl<S: Store> Companion<S> {
    /// Reads on from `known`, which whoever keeps the presence folded may give; otherwise looks who is there.
    pub(super) fn follow(engine: Engine<S>, session: SessionId, known: Option<Presence>) -> Self {
        let stage = Stage::Opening(open(engine.clone(), session.clone(), known));
        Self { engine, session, stage, told: HashSet::new(), rows: Vec::new() }
    }

    /// Of a session that is closed.
    pub(super) fn none(engine: Engine<S>, session: SessionId) -> Self {
        Self { engine, session, stage: Stage::Over, told: HashSet::new(), rows: Vec::new() }
    }

    /// Whether rows of a snapshot wait to be told.
    pub(super) fn has_rows(&self) -> bool {
        !self.rows.is_empty()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<SessionEvent> {
        loop {
            if let Some(row) = self.rows.pop() {
                return Poll::Ready(row);
            }
            match &mut self.stage {
                Stage::Over => return Poll::Pending,
                Stage::Resting(pause) => {
                    std::task::ready!(pause.as_mut().poll(cx));
                    self.stage = Stage::Opening(open(self.engine.clone(), self.session.clone(), None));
                }
                Stage::Opening(opening) => match std::task::ready!(opening.as_mut().poll(cx)) {
                    Ok((follower, presence)) => {
                        self.stage = Stage::Reading { follower, batch: Stored::default() };
                        self.tell_difference(&presence);
                    }
                    Err(_absent) => self.rest(),
                },
                Stage::Reading { follower, batch } => {
                    if let Some(message) = batch.next() {
                        let event = SessionEvent::read(&message).and_then(|event| self.tell(event));
                        if let Some(event) = event {
                            return Poll::Ready(event);
                        }
                        continue;
                    }
                    match std::task::ready!(follower.poll_next(cx)) {
                        Ok(next) if next.closed && next.bytes.is_empty() => self.rest(),
                        Ok(next) => *batch = Stored::new(next.bytes, next.start),
                        // Memory made the oldest bytes go before they were read: who is there is looked up afresh.
                        Err(ReadError::Trimmed { .. }) => {
                            self.stage = Stage::Opening(open(self.engine.clone(), self.session.clone(), None));
                        }
                        Err(_absent) => self.rest(),
                    }
                }
            }
        }
    }

    /// Waits before it looks again, so that a session that is being deleted is gone by then.
    fn rest(&mut self) {
        self.stage = Stage::Resting(Box::pin(tokio::time::sleep(Duration::from_millis(PRESENCE_PAUSE_MS))));
    }

    /// Makes an event fit what was told: nobody comes twice, and nobody goes who never came.
    fn tell(&mut self, mut event: SessionEvent) -> Option<SessionEvent> {
        if event.channel != Channel::Presence {
            return None;
        }
        event.offset = None;
        event.operation = match event.operation {
            Operation::Delete if !self.told.remove(&event.key) => return None,
            Operation::Delete => Operation::Delete,
            Operation::Insert | Operation::Update if self.told.insert(event.key.clone()) => Operation::Insert,
            Operation::Insert | Operation::Update => Operation::Update,
        };
        Some(event)
    }

    /// Queues what differs from what was told: first who is gone, then who is present.
    fn tell_difference(&mut self, presence: &Presence) {
        let now_ms = self.engine.now_ms();
        let present: HashSet<String> = presence.present(now_ms).into_iter().map(|user| user.user_id).collect();
        let gone: Vec<String> = self.told.difference(&present).cloned().collect();
        let gone = gone.into_iter().map(|key| (key, Operation::Delete, None, Some(now_ms)));
        let rows = presence.rows().filter(|(key, _)| present.contains(*key));
        let rows =
            rows.map(|(key, row)| (key.to_owned(), Operation::Insert, Some(row.value.clone()), Some(row.changed_ms)));
        let events: Vec<SessionEvent> = gone
            .chain(rows)
            .map(|(key, operation, data, at_ms)| {
                let (channel, offset, txid) = (Channel::Presence, None, None);
                SessionEvent { offset, channel, key, operation, data, txid, at_ms }
            })
            .collect();
        self.rows = events.into_iter().filter_map(|event| self.tell(event)).collect();
        self.rows.reverse();
    }
}

fn open<S: Store>(engine: Engine<S>, session: SessionId, known: Option<Presence>) -> Opening<S> {
    Box::pin(async move {
        let path = session.presence_stream();
        if let Some(presence) = known
            && let Ok(follower) = engine.follow(&path, ReadFrom::At(presence.position().offset)).await
        {
            return Ok((follower, presence));
        }
        let mut follower = match engine.follow(&path, ReadFrom::Now).await {
            Err(ReadError::NotFound) => {
                // Nobody has come yet. The stream is made for them, so that this reader is woken when they do, unless
                // the session has gone with it.
                engine.metadata(&session.stream()).await?;
                let created = engine.create(presence_companion(&session)).await;
                drop(created); // Whoever else made it meanwhile did as well; whether it is there shows next.
                engine.follow(&path, ReadFrom::Now).await?
            }
            other => other?,
        };
        let presence = look(&mut follower, engine.now_ms()).await?;
        Ok((follower, presence))
    })
}

/// Who is present, from the last bytes before the follower's position. Whoever is present has said so within
/// [`PRESENCE_TTL_MS`](crate::limits::PRESENCE_TTL_MS), so nothing older needs to be read.
async fn look<S: Store>(follower: &mut Follower<S>, now_ms: u64) -> Result<Presence, ReadError> {
    let mut count = PRESENCE_LOOK_BYTES;
    loop {
        let bytes = follower.preceding(count).await?;
        let is_all = (bytes.len() as u64) < count;
        let whole = if is_all { bytes } else { after_first_boundary(&bytes) };
        if is_all || count >= PRESENCE_LOOK_BYTES_MAX || begins_before_present(&whole, now_ms) {
            return Ok(fold(whole, follower.position()));
        }
        count *= 4;
    }
}

fn after_first_boundary(bytes: &Bytes) -> Bytes {
    memchr(b'\n', bytes).map_or_else(Bytes::new, |at| bytes.slice(at + 1..))
}

fn begins_before_present(bytes: &Bytes, now_ms: u64) -> bool {
    let decided_ms = changes(bytes.clone()).next().and_then(|change| change.at_ms);
    decided_ms.is_some_and(|at_ms| !is_present(at_ms, now_ms))
}

fn fold(bytes: Bytes, position: Offset) -> Presence {
    let mut presence = Presence::default();
    changes(bytes).for_each(|change| presence.apply(&change, position));
    presence
}

fn changes(bytes: Bytes) -> impl Iterator<Item = Change> {
    Stored::new(bytes, Offset::START).filter_map(|message| match Message::decode(message.text()?) {
        Ok(Message::Change(change)) => Some(change),
        Ok(Message::Control(_) | Message::Unknown) | Err(_) => None,
    })
}
