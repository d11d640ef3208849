//! What happens in a session, event by event and from an offset on, for those who tell it and keep no rows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::follow::{Follower, Sink, Subject};
use super::limits::FEED_EVENTS_MAX;
use super::{SessionClient, SessionEvent, SessionStatus};
use crate::Offset;

impl SessionClient {
    /// Follows a session event by event, in order, each once: from `from` through all there is, then live, until it is
    /// closed. Must be called on a tokio runtime.
    ///
    /// ```no_run
    /// # async fn example(sessions: headwater_client::sessions::SessionClient) {
    /// use headwater_client::sessions::Fed;
    ///
    /// let mut feed = sessions.feed("a-session", "-1");
    /// while let Some(fed) = feed.next().await {
    ///     if let Fed::Event(event) = fed {
    ///         println!("{} {}", event.channel, event.key);
    ///     }
    /// }
    /// # }
    /// ```
    pub fn feed(&self, id: impl Into<String>, from: impl Into<Offset>) -> SessionFeed {
        let (tell, _) = watch::channel(SessionStatus::initial());
        let (id, from) = (id.into(), from.into());
        let following = Following::start(self, &id, from.clone(), &tell);
        SessionFeed { client: self.clone(), id, offset: from, tell, following }
    }
}

/// What a feed tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fed {
    /// Something happened. Who comes and goes is told without offsets, and anew after each loss of the connection.
    Event(SessionEvent),
    /// What lay before has expired. What is known of it follows as rows, without offsets, then what happens.
    Gap {
        /// Where what is kept begins, when the server said it.
        earliest: Option<Offset>,
    },
}

/// A session, event by event.
#[must_use = "dropping it ends the following"]
pub struct SessionFeed {
    client: SessionClient,
    id: String,
    /// After the last event that was taken.
    offset: Offset,
    tell: watch::Sender<SessionStatus>,
    following: Following,
}

/// One follower, as far as its reader keeps up with it.
struct Following {
    told: mpsc::Receiver<Told>,
    has_overflowed: Arc<AtomicBool>,
    _task: AbortOnDropHandle<()>,
}

enum Told {
    Fed(Fed),
    /// The rows so far are all there is up to here.
    At(Offset),
}

impl SessionFeed {
    /// What comes next; `None` at the end of a closed session, or when it was given up: the status says which. Dropping
    /// the future loses nothing.
    pub async fn next(&mut self) -> Option<Fed> {
        loop {
            match self.following.told.recv().await {
                Some(Told::Fed(fed)) => {
                    if let Fed::Event(SessionEvent { offset: Some(offset), .. }) = &fed {
                        self.offset = offset.clone();
                    }
                    return Some(fed);
                }
                Some(Told::At(offset)) => self.offset = offset,
                None if self.following.has_overflowed.load(Ordering::Acquire) => {
                    // What did not fit is still on the server.
                    self.following = Following::start(&self.client, &self.id, self.offset.clone(), &self.tell);
                }
                None => return None,
            }
        }
    }

    /// After the last event that was taken: a feed from there goes on.
    pub fn offset(&self) -> &Offset {
        &self.offset
    }

    /// How the connection is doing, as that changes.
    pub fn status(&self) -> watch::Receiver<SessionStatus> {
        self.tell.subscribe()
    }
}

impl Following {
    fn start(client: &SessionClient, id: &str, from: Offset, tell: &watch::Sender<SessionStatus>) -> Self {
        let (items, told) = mpsc::channel(FEED_EVENTS_MAX);
        let has_overflowed = Arc::new(AtomicBool::new(false));
        let sink = FeedSink { items: Some(items), has_overflowed: has_overflowed.clone() };
        let subject = Subject::Session(id.to_owned());
        let follower = Follower::new(client.api.clone(), subject, Some(from), sink, tell.clone());
        Self { told, has_overflowed, _task: AbortOnDropHandle::new(tokio::spawn(follower.run())) }
    }
}

/// Hands on what is told, until its reader is too far behind.
struct FeedSink {
    items: Option<mpsc::Sender<Told>>,
    has_overflowed: Arc<AtomicBool>,
}

impl FeedSink {
    fn hand_on(&mut self, told: Told) {
        let Some(items) = &self.items else { return };
        if items.try_send(told).is_err() {
            // ORDER: the mark before the end of the channel, which is what makes the reader look for it.
            self.has_overflowed.store(true, Ordering::Release);
            self.items = None;
        }
    }
}

impl Sink for FeedSink {
    fn rebuild(&mut self, rows: &[SessionEvent], at: &Offset) {
        for row in rows {
            self.hand_on(Told::Fed(Fed::Event(row.clone())));
        }
        self.hand_on(Told::At(at.clone()));
    }

    fn apply(&mut self, event: SessionEvent) {
        self.hand_on(Told::Fed(Fed::Event(event)));
    }

    fn discontinuity(&mut self, earliest: Option<&Offset>) {
        self.hand_on(Told::Fed(Fed::Gap { earliest: earliest.cloned() }));
    }

    fn end(&mut self) {
        self.items = None;
    }
}

impl fmt::Debug for SessionFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionFeed").field("id", &self.id).field("offset", &self.offset).finish_non_exhaustive()
    }
}
