//! An outbox: what one writer says in one session, in order, kept while the server is away.
//!
//! Nothing is lost and nothing is written twice, however often the connection breaks: requests carry producer headers and
//! posts their ids, and what may have arrived is sent again exactly as it was. What waits is in memory, up to a limit;
//! then whoever has more to say waits, too.

mod batch;
mod task;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::limits::{OUTBOX_BYTES, OUTBOX_EVENTS};
use super::post::PostKind;
use super::publish::check_size;
use super::{Post, SessionClient, SessionError};
use crate::{Error, Offset};
use task::{Courier, Remote};

impl SessionClient {
    /// An outbox for one session, with room for 64 MiB and 100,000 posts. Must be called on a tokio runtime.
    ///
    /// ```no_run
    /// # async fn example(sessions: headwater_client::sessions::SessionClient)
    /// # -> Result<(), headwater_client::sessions::SessionError> {
    /// use headwater_client::sessions::Post;
    ///
    /// let outbox = sessions.outbox("a-session");
    /// outbox.send(Post::terminal_output("$ make\r\n")).await?; // waits only when the outbox is full
    /// println!("{} posts wait", outbox.status().borrow().waiting);
    /// outbox.close().await?; // all of it is durable
    /// # Ok(())
    /// # }
    /// ```
    pub fn outbox(&self, id: impl Into<String>) -> Outbox {
        self.outbox_with(id, OUTBOX_BYTES, OUTBOX_EVENTS)
    }

    /// The same with room for so much.
    pub fn outbox_with(&self, id: impl Into<String>, bytes: usize, events: usize) -> Outbox {
        let remote = Remote::new(self.api.clone(), id.into());
        Outbox::start(remote, self.api.transport().settings().retry.clone(), bytes, events)
    }
}

/// What one writer says in one session, in order, kept in memory while the server is away and sent again and again until
/// it is durable; see [`SessionClient::outbox`].
///
/// Dropping it gives up what waits: [`close`](Self::close) it.
pub struct Outbox {
    shared: Arc<Shared>,
    status: watch::Receiver<OutboxStatus>,
    _task: AbortOnDropHandle<()>,
}

/// An outbox at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OutboxStatus {
    /// Posts that are not durable yet.
    pub waiting: u64,
    /// Their size.
    pub waiting_bytes: u64,
    /// Posts that are durable.
    pub written: u64,
    /// Posts that the server refused for what is in them. The others went on without them.
    pub refused: u64,
    /// Where the session's stream ended after the last write.
    pub offset: Option<Offset>,
    /// Failures since the last success; 0 while all is well.
    pub attempt: u32,
    /// When it tries again, while it waits.
    pub next_retry: Option<Instant>,
    /// Why it waits, what was refused last, or why it has ended.
    pub error: Option<SessionError>,
    /// It has ended: nothing that waits will be written. The error says why.
    pub has_failed: bool,
}

/// What the outbox and its task share.
pub(crate) struct Shared {
    queue: Mutex<VecDeque<Item>>,
    wake: Notify,
    bytes: Arc<Semaphore>,
    events: Arc<Semaphore>,
    bytes_max: usize,
    status: watch::Sender<OutboxStatus>,
}

/// One post, as it stands in requests.
pub(crate) struct Item {
    pub(crate) is_step: bool,
    pub(crate) text: String,
    /// Its room, given back when it is written.
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Outbox {
    pub(crate) fn start(courier: impl Courier, retry: crate::RetrySchedule, bytes: usize, events: usize) -> Self {
        let (tell, status) = watch::channel(OutboxStatus {
            waiting: 0,
            waiting_bytes: 0,
            written: 0,
            refused: 0,
            offset: None,
            attempt: 0,
            next_retry: None,
            error: None,
            has_failed: false,
        });
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Notify::new(),
            bytes: Arc::new(Semaphore::new(bytes)),
            events: Arc::new(Semaphore::new(events)),
            bytes_max: bytes,
            status: tell,
        });
        let task = AbortOnDropHandle::new(tokio::spawn(task::run(shared.clone(), courier, retry)));
        Self { shared, status, _task: task }
    }

    /// Takes a post, when there is room for it. From then on it is kept until it is written.
    ///
    /// # Errors
    /// [`SessionError::EventTooLarge`]; and why the outbox has ended, if it has. Then the post was not taken.
    pub async fn send(&self, post: Post) -> Result<(), SessionError> {
        let (is_step, text) = encode(&post)?;
        // A post larger than all room waits for all of it.
        let bytes = u32::try_from(text.len().min(self.shared.bytes_max)).unwrap_or(u32::MAX);
        let events = Arc::clone(&self.shared.events).acquire_owned().await;
        let bytes = Arc::clone(&self.shared.bytes).acquire_many_owned(bytes).await;
        let (Ok(events), Ok(bytes)) = (events, bytes) else { return Err(self.shared.why_ended()) };
        self.shared.push(Item { is_step, text, _room: (events, bytes) })
    }

    /// The same without waiting: gives the post back when there is no room for it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn try_send(&self, post: Post) -> Result<Option<Post>, SessionError> {
        let (is_step, text) = encode(&post)?;
        let bytes = u32::try_from(text.len().min(self.shared.bytes_max)).unwrap_or(u32::MAX);
        let events = Arc::clone(&self.shared.events).try_acquire_owned();
        let bytes = Arc::clone(&self.shared.bytes).try_acquire_many_owned(bytes);
        match (events, bytes) {
            (Ok(events), Ok(bytes)) => {
                self.shared.push(Item { is_step, text, _room: (events, bytes) })?;
                Ok(None)
            }
            _ if self.status.borrow().has_failed => Err(self.shared.why_ended()),
            _ => Ok(Some(post)),
        }
    }

    /// How it is doing, as that changes: how much waits, why, and when it is tried again.
    pub fn status(&self) -> watch::Receiver<OutboxStatus> {
        self.status.clone()
    }

    /// Waits until everything that was taken before this call is durable, however long the server is away.
    ///
    /// # Errors
    /// Why the outbox has ended.
    pub async fn flush(&self) -> Result<(), SessionError> {
        let mut status = self.status();
        let goal = {
            let status = status.borrow();
            status.written + status.refused + status.waiting
        };
        let reached = status.wait_for(|status| status.has_failed || status.written + status.refused >= goal).await;
        match reached {
            Ok(status) if status.written + status.refused >= goal => Ok(()),
            Ok(_) | Err(_) => Err(self.shared.why_ended()),
        }
    }

    /// Flushes and ends. Dropping the future before that gives up what waits.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn close(self) -> Result<OutboxStatus, SessionError> {
        self.flush().await?;
        Ok(self.status.borrow().clone())
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.borrow();
        f.debug_struct("Outbox").field("waiting", &status.waiting).field("written", &status.written).finish()
    }
}

impl Shared {
    fn push(&self, item: Item) -> Result<(), SessionError> {
        let mut queue = self.queue.lock();
        let mut has_failed = false;
        self.status.send_modify(|status| {
            has_failed = status.has_failed;
            if !has_failed {
                status.waiting += 1;
                status.waiting_bytes += item.text.len() as u64;
            }
        });
        if has_failed {
            drop(queue);
            return Err(self.why_ended());
        }
        queue.push_back(item);
        self.wake.notify_one();
        Ok(())
    }

    fn why_ended(&self) -> SessionError {
        self.status.borrow().error.clone().unwrap_or(SessionError::Ended)
    }
}

fn encode(post: &Post) -> Result<(bool, String), SessionError> {
    let text = serde_json::to_string(&post.encode(None)).map_err(Error::json)?;
    check_size(serde_json::to_string(&post.data).map_err(Error::json)?.len())?;
    Ok((matches!(post.kind, PostKind::Step(_)), text))
}

#[cfg(test)]
mod tests;
