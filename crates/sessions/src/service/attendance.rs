//! Who is there: presence in memory, and the companion streams that show it.
//!
//! A companion stream is made when somebody comes and lives in memory like presence itself. As with sessions, what is
//! decided on includes what has been queued, and an attendance whose transaction fails is read anew. All sessions share
//! one queue of deadlines, with one entry each: when its next user falls silent, or when it has been empty for long.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ops::ControlFlow::{self, Break};
use std::sync::Arc;

use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::{DeleteError, ReadError, Step, Store};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::OnceCell;

use super::refusal::{self, Refused};
use super::{Sessions, scan, steps};
use crate::change::{Change, encode_stored};
use crate::error::SessionError;
use crate::id::{IdSource, SessionId};
use crate::limits::{DECISIONS_MAX, EMPTY_PRESENCE_MS, PRESENCE_SESSIONS_MAX, PRESENCE_TTL_MS};
use crate::presence::{Presence, PresentUser};
use crate::reading::presence_companion;

/// A place for the users of a session.
#[derive(Debug, Default)]
pub(super) struct Attendance(OnceCell<Mutex<Users>>);

#[derive(Debug)]
pub(super) struct Users {
    pub(super) presence: Presence,
    /// Where the next message goes.
    pub(super) next: Offset,
    is_dead: bool,
    /// When to look again, in Unix milliseconds; in the queue of deadlines.
    due_ms: u64,
    /// Since when nobody is there.
    empty_since_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Attendances {
    places: Mutex<HashMap<SessionId, Arc<Attendance>>>,
    /// The soonest first. One whose time is not that of its session any more is passed over.
    deadlines: Mutex<BinaryHeap<Reverse<(u64, SessionId)>>>,
}

/// What a deadline came to.
enum Upkeep<F> {
    Nothing,
    /// Users are gone, once this is answered.
    Announced(F),
    /// The attendance is over; the companion stream is to go.
    Ended,
}

/// Messages for a companion stream.
pub(super) struct Announced {
    pub(super) steps: Vec<Step>,
    /// Where each one ends.
    pub(super) ends: Vec<Offset>,
}

impl Attendance {
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Users>, Refused> {
        let users = self.0.get().expect("an attendance is handed out once it is read").lock();
        if users.is_dead { Err(Refused::Moved) } else { Ok(users) }
    }

    fn kill(&self) {
        if let Some(users) = self.0.get() {
            users.lock().is_dead = true;
        }
    }
}

/// A transaction under way that an attendance has been changed for.
#[derive(Debug)]
pub(super) struct Announcing(Option<Arc<Attendance>>);

impl Announcing {
    pub(super) fn new(attendance: Arc<Attendance>) -> Self {
        Self(Some(attendance))
    }

    /// Readers can see it.
    pub(super) fn landed(mut self) {
        self.0 = None;
    }
}

impl Drop for Announcing {
    fn drop(&mut self) {
        if let Some(attendance) = &self.0 {
            attendance.kill();
        }
    }
}

impl Users {
    /// What appends `changes` behind all that is queued.
    pub(super) fn announce(&self, id: &SessionId, changes: &[Change]) -> Announced {
        let (payload, ends) = encode_stored(changes);
        let create = Step::Create(presence_companion(id));
        let append = steps::append(id.presence_stream(), payload);
        let append = Step::Append { append, expected_tail: Some(self.next) };
        let ends = ends.into_iter().map(|end| self.next.advance(end as u64)).collect();
        Announced { steps: vec![create, append], ends }
    }

    /// Applies what was queued.
    pub(super) fn apply(&mut self, changes: &[Change], ends: &[Offset]) {
        for (change, next) in changes.iter().zip(ends) {
            self.presence.apply(change, *next);
            self.next = *next;
        }
    }
}

impl Attendances {
    fn place(&self, id: &SessionId) -> Result<Arc<Attendance>, SessionError> {
        let mut places = self.places.lock();
        if places.len() >= PRESENCE_SESSIONS_MAX && !places.contains_key(id) {
            return Err(SessionError::Overloaded { why: "users are present in too many sessions".into() });
        }
        Ok(places.entry(id.clone()).or_default().clone())
    }

    fn peek(&self, id: &SessionId) -> Option<Arc<Attendance>> {
        self.places.lock().get(id).filter(|place| place.0.initialized()).cloned()
    }

    fn forget(&self, id: &SessionId, place: &Arc<Attendance>) {
        let mut places = self.places.lock();
        if places.get(id).is_some_and(|found| Arc::ptr_eq(found, place)) {
            places.remove(id);
        }
    }

    /// Makes sure that a session is looked at in time after something was queued: those who are there have their turn
    /// already, and nobody falls silent sooner than who came last.
    pub(super) fn schedule(&self, id: &SessionId, users: &mut Users, now_ms: u64) {
        self.schedule_at(id, users, now_ms + PRESENCE_TTL_MS, now_ms);
    }

    fn schedule_at(&self, id: &SessionId, users: &mut Users, silent_ms: u64, now_ms: u64) {
        let due_ms = if users.presence.len() == 0 {
            *users.empty_since_ms.get_or_insert(now_ms) + EMPTY_PRESENCE_MS
        } else {
            users.empty_since_ms = None;
            silent_ms
        };
        if due_ms < users.due_ms {
            users.due_ms = due_ms;
            self.deadlines.lock().push(Reverse((due_ms, id.clone())));
        }
    }

    fn take_due(&self, now_ms: u64) -> Vec<(u64, SessionId)> {
        let mut deadlines = self.deadlines.lock();
        let mut due = Vec::new();
        while deadlines.peek().is_some_and(|Reverse((at_ms, _))| *at_ms <= now_ms) {
            due.extend(deadlines.pop().map(|Reverse(deadline)| deadline));
        }
        due
    }
}

impl<S: Store> Sessions<S> {
    /// Who is present in a session, and the tail of its companion stream.
    pub async fn presence(&self, id: &SessionId) -> Result<(Vec<PresentUser>, Offset), SessionError> {
        self.row(id).await?;
        Ok(self.present(id))
    }

    pub(super) fn present(&self, id: &SessionId) -> (Vec<PresentUser>, Offset) {
        let found = self.inner.attendances.peek(id);
        let users = found.as_ref().and_then(|attendance| attendance.lock().ok());
        users.map_or_else(Default::default, |users| (users.presence.present(self.inner.engine.now_ms()), users.next))
    }

    /// One user, when they are present.
    pub async fn present_user(&self, id: &SessionId, user_id: &str) -> Result<Option<PresentUser>, SessionError> {
        self.row(id).await?;
        let found = self.inner.attendances.peek(id);
        let users = found.as_ref().and_then(|attendance| attendance.lock().ok());
        Ok(users.and_then(|users| users.presence.present_user(user_id, self.inner.engine.now_ms())))
    }

    /// Somebody leaves; nothing happens when they are not there. Answers the tail of the companion stream.
    pub async fn leave(&self, id: &SessionId, user_id: &str) -> Result<Offset, SessionError> {
        self.row(id).await?;
        for _ in 0..DECISIONS_MAX {
            if let Break(answer) = refusal::settle(self.leave_once(id, user_id).await) {
                return answer;
            }
        }
        Err(refusal::contended(id))
    }

    async fn leave_once(&self, id: &SessionId, user_id: &str) -> Result<Offset, Refused> {
        let attendance = self.attendance(id).await?;
        let queued = {
            let mut users = attendance.lock()?;
            let now_ms = self.inner.engine.now_ms();
            let txid = self.inner.ids().next_id(now_ms);
            match users.presence.leave(user_id, now_ms, &txid) {
                Some(change) => self.queue_presence(id, &attendance, &mut users, &[change])?.1,
                None => return Ok(users.next),
            }
        };
        queued.await
    }

    /// The users of a session, read from its companion stream when they are not in memory.
    pub(super) async fn attendance(&self, id: &SessionId) -> Result<Arc<Attendance>, SessionError> {
        loop {
            let place = self.inner.attendances.place(id)?;
            if let Err(error) = place.0.get_or_try_init(|| self.read_attendance(id)).await {
                self.inner.attendances.forget(id, &place);
                return Err(error);
            }
            let is_alive = place.lock().is_ok_and(|mut users| {
                self.inner.attendances.schedule(id, &mut users, self.inner.engine.now_ms());
                true
            });
            if is_alive {
                return Ok(place);
            }
            self.inner.attendances.forget(id, &place);
        }
    }

    async fn read_attendance(&self, id: &SessionId) -> Result<Mutex<Users>, SessionError> {
        let engine = &self.inner.engine;
        // ORDER: what was queued is settled before the tail is looked at.
        engine.settle().await?;
        let mut presence = Presence::default();
        let each = |text: &str, next: Offset| {
            if let Some(change) = scan::change(text) {
                presence.apply(&change, next);
            }
            ControlFlow::Continue(())
        };
        let next = match scan::scan(engine, &id.presence_stream(), ReadFrom::Start, u64::MAX, each).await {
            Ok(scanned) => scanned.next,
            Err(ReadError::NotFound) => Offset::START,
            Err(cause) => return Err(refusal::read(id, cause)),
        };
        Ok(Mutex::new(Users { presence, next, is_dead: false, due_ms: u64::MAX, empty_since_ms: None }))
    }

    /// Appends to the companion stream and applies. Gives where each message ends, and a future that is done when readers
    /// can see them and gives the tail.
    pub(super) fn queue_presence(
        &self,
        id: &SessionId,
        attendance: &Arc<Attendance>,
        users: &mut Users,
        changes: &[Change],
    ) -> Result<(Vec<Offset>, impl Future<Output = Result<Offset, Refused>> + Send + use<S>), Refused> {
        let Announced { steps, ends } = users.announce(id, changes);
        let answer = self.inner.engine.queue_transaction(steps).map_err(|error| refusal::transaction(id, error))?;
        users.apply(changes, &ends);
        let (announcing, id, next) = (Announcing::new(attendance.clone()), id.clone(), users.next);
        let landing = async move {
            answer.await.map_err(|error| refusal::transaction(&id, error))?;
            announcing.landed();
            Ok(next)
        };
        Ok((ends, landing))
    }

    /// Deletes the rows of users who fell silent, and companion streams that have been empty for long.
    pub(super) async fn tend_presence(&self, now_ms: u64) {
        let mut answers = Vec::new();
        for (due_ms, id) in self.inner.attendances.take_due(now_ms) {
            let Some(attendance) = self.inner.attendances.peek(&id) else { continue };
            match self.look_after(&id, &attendance, due_ms, now_ms) {
                Ok(Upkeep::Nothing) => {}
                // Whoever it shows is still to go in time.
                Err(Refused::Moved) => {
                    if let Err(error) = self.attendance(&id).await {
                        tracing::warn!(session = %id, %error, "presence could not be read anew");
                    }
                }
                Ok(Upkeep::Announced(answer)) => answers.push(answer),
                Ok(Upkeep::Ended) => {
                    self.inner.attendances.forget(&id, &attendance);
                    self.delete_companion(&id).await;
                }
                Err(Refused::Told(error)) => tracing::warn!(session = %id, %error, "expired presence stays for now"),
            }
        }
        for answer in answers {
            if let Err(refused) = answer.await {
                tracing::warn!(?refused, "expired presence could not be announced; it is read anew");
            }
        }
    }

    fn look_after(
        &self,
        id: &SessionId,
        attendance: &Arc<Attendance>,
        due_ms: u64,
        now_ms: u64,
    ) -> Result<Upkeep<impl Future<Output = Result<Offset, Refused>> + Send + use<S>>, Refused> {
        let mut users = attendance.lock()?;
        if users.due_ms != due_ms {
            return Ok(Upkeep::Nothing);
        }
        users.due_ms = u64::MAX;
        let has_been_empty = users.empty_since_ms.is_some_and(|since| since + EMPTY_PRESENCE_MS <= now_ms);
        if users.presence.len() == 0 && has_been_empty {
            users.is_dead = true;
            return Ok(Upkeep::Ended);
        }
        let answer = self.expire_users(id, attendance, &mut users, now_ms)?;
        Ok(answer.map_or(Upkeep::Nothing, Upkeep::Announced))
    }

    fn expire_users(
        &self,
        id: &SessionId,
        attendance: &Arc<Attendance>,
        users: &mut Users,
        now_ms: u64,
    ) -> Result<Option<impl Future<Output = Result<Offset, Refused>> + Send + use<S>>, Refused> {
        let txid = self.inner.ids().next_id(now_ms);
        let gone = users.presence.expired(now_ms, &txid);
        let answer = match gone.is_empty() {
            true => None,
            false => Some(self.queue_presence(id, attendance, users, &gone).map(|(_, landing)| landing)),
        };
        let silent_ms = users.presence.next_expiry_ms().unwrap_or(u64::MAX).max(now_ms + 1);
        self.inner.attendances.schedule_at(id, users, silent_ms, now_ms);
        answer.transpose()
    }

    /// Ends a session's presence.
    pub(super) async fn end_presence(&self, id: &SessionId) {
        if let Some(attendance) = self.inner.attendances.peek(id) {
            attendance.kill();
            self.inner.attendances.forget(id, &attendance);
        }
        self.delete_companion(id).await;
    }

    async fn delete_companion(&self, id: &SessionId) {
        match self.inner.engine.delete(&id.presence_stream()).await {
            Ok(()) | Err(DeleteError::NotFound | DeleteError::Gone) => {}
            Err(cause) => tracing::warn!(session = %id, %cause, "a companion stream stays until the next start"),
        }
    }
}
