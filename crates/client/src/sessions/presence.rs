//! Being there: signs of life every 10 seconds, a cursor that others see move, and leaving.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::limits::{CURSOR_THROTTLE, PRESENCE_BEAT, PRESENCE_TIMEOUT};
use super::{Cursor, Person, SessionClient, SessionError};

impl SessionClient {
    /// Comes to a session and stays until the guard is dropped. Must be called on a tokio runtime.
    ///
    /// ```no_run
    /// # async fn example(sessions: headwater_client::sessions::SessionClient) {
    /// use headwater_client::sessions::Person;
    ///
    /// let here = sessions.stay("a-session", Person::new("ada").name("Ada"));
    /// here.move_cursor(10.0, 20.0); // as often as it moves: what is sent is throttled
    /// here.leave().await; // or drop it
    /// # }
    /// ```
    pub fn stay(&self, id: impl Into<String>, person: Person) -> PresenceGuard {
        let user_id = person.user_id.clone();
        PresenceGuard::start(person, Remote { client: self.clone(), session: id.into(), user_id })
    }
}

/// Somebody who is there as long as this lives. Dropping it leaves, in the background; [`leave`](Self::leave) waits
/// for that.
pub struct PresenceGuard {
    person: watch::Sender<Person>,
    error: Arc<Mutex<Option<SessionError>>>,
    task: JoinHandle<()>,
}

/// What signs of life are sent with.
pub(crate) trait Pulse: Send + 'static {
    fn beat(&mut self, person: &Person) -> impl Future<Output = Result<(), SessionError>> + Send;
    fn leave(&mut self) -> impl Future<Output = Result<(), SessionError>> + Send;
}

struct Remote {
    client: SessionClient,
    session: String,
    user_id: String,
}

impl Pulse for Remote {
    async fn beat(&mut self, person: &Person) -> Result<(), SessionError> {
        self.client.beat(&self.session, person).await.map(drop)
    }

    async fn leave(&mut self) -> Result<(), SessionError> {
        self.client.leave(&self.session, &self.user_id).await
    }
}

impl PresenceGuard {
    pub(crate) fn start(person: Person, pulse: impl Pulse) -> Self {
        let (person, seen) = watch::channel(person);
        let error = Arc::default();
        let task = tokio::spawn(stay(seen, pulse, Arc::clone(&error)));
        Self { person, error, task }
    }

    /// Says where the person points. At most one position every 50 ms is sent, and the last one always.
    pub fn move_cursor(&self, x: f64, y: f64) {
        self.person.send_modify(|person| person.cursor = Some(Cursor { x, y }));
    }

    /// Changes what others see of the person.
    pub fn update(&self, change: impl FnOnce(Person) -> Person) {
        self.person.send_modify(|person| {
            let user_id = person.user_id.clone();
            *person = change(person.clone());
            person.user_id = user_id;
        });
    }

    /// Why the last sign of life was not taken; `None` when it was. Signs go on, unless the server says that there is
    /// nothing to be present in.
    pub fn error(&self) -> Option<SessionError> {
        self.error.lock().clone()
    }

    /// Leaves, and waits until that is done or has failed.
    pub async fn leave(self) {
        let Self { person, task, .. } = self;
        drop(person);
        // It ends by itself; that it panicked is in the log.
        task.await.unwrap_or_default();
    }
}

impl fmt::Debug for PresenceGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceGuard").field("person", &*self.person.borrow()).finish_non_exhaustive()
    }
}

/// Gives signs of life until the guard is gone or nobody wants them, then leaves.
async fn stay(mut seen: watch::Receiver<Person>, mut pulse: impl Pulse, error: Arc<Mutex<Option<SessionError>>>) {
    // A cursor is sent when it has moved: another window of the same person may have moved it since.
    let mut sent_cursor = None;
    loop {
        let begun = Instant::now();
        let mut person = seen.borrow_and_update().clone();
        let cursor = person.cursor;
        person.cursor = cursor.filter(|_| cursor != sent_cursor);
        let taken = timeout(PRESENCE_TIMEOUT, pulse.beat(&person)).await;
        let failed = match taken {
            Ok(Ok(())) => {
                sent_cursor = cursor;
                None
            }
            Ok(Err(failed)) => Some(failed),
            Err(_) => Some(SessionError::Unacknowledged { after: PRESENCE_TIMEOUT }),
        };
        let is_over = failed.as_ref().is_some_and(is_final);
        *error.lock() = failed;
        if is_over {
            return;
        }
        if next(&mut seen, begun).await == Next::Leave {
            break;
        }
    }
    if let Ok(Err(error)) = timeout(PRESENCE_TIMEOUT, pulse.leave()).await {
        // The server lets go of whoever is silent.
        tracing::debug!(%error, "leaving was not heard");
    }
}

#[derive(PartialEq, Eq)]
enum Next {
    Beat,
    Leave,
}

/// Waits until something has changed or a beat is due, and never less than the throttle.
async fn next(seen: &mut watch::Receiver<Person>, begun: Instant) -> Next {
    tokio::select! {
        changed = seen.changed() => {
            if changed.is_err() {
                return Next::Leave;
            }
        }
        () = sleep_until(begun + PRESENCE_BEAT) => {}
    }
    sleep_until(begun + CURSOR_THROTTLE).await;
    if seen.has_changed().is_err() { Next::Leave } else { Next::Beat }
}

/// There is nothing to be present in, or it is not allowed.
fn is_final(error: &SessionError) -> bool {
    !error.is_transient() && !matches!(error, SessionError::Unacknowledged { .. })
}

#[cfg(test)]
mod tests;
