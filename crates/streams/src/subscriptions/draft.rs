//! The rules of wakes, leases and cursors (protocol section 7), as pure functions.
//!
//! A draft starts from a subscription, takes in any number of requests and news in order, and ends as one [`Change`] to
//! be made durable, applied and only then shown. A refused request leaves the draft as it was.

use std::collections::BTreeMap;

use headwater_protocol::subscription::{Ack, AckRequest, Generation, ReleaseRequest, WakeId, WorkerName};
use headwater_protocol::{Offset, StreamPath};
use rand::Rng;
use rand::rngs::StdRng;

use super::error::{AckError, ClaimError};
use super::limits::{ACKS_PER_REQUEST_MAX, RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN, RETRY_JITTER};
use super::notice::NoticeOutcome;
use super::subscription::{Backoff, Control, Link, Phase, Subscription};
use super::wake_ref::{WakeRef, random_wake_id};

/// A change of one subscription in the making.
#[derive(Debug)]
pub struct Draft<'a> {
    pub(super) subscription: &'a Subscription,
    pub(super) links: BTreeMap<StreamPath, LinkChange>,
    pub(super) link_count: usize,
    now_ms: u64,
    random: StdRng,
    control: Control,
    notify: bool,
    attempt_ended: bool,
}

/// What a draft comes to: to be written down, then applied, then acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The new control state, if it changed.
    pub control: Option<Control>,
    /// The links that changed.
    pub links: Vec<(StreamPath, LinkChange)>,
    /// Send the notice of the wake that is now in force.
    pub notify: bool,
}

/// What becomes of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange {
    /// It stands like this.
    Set(Link),
    /// It is gone.
    Remove,
}

/// One ack of a request: everything before `offset` is processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAck {
    /// Of which stream.
    pub path: StreamPath,
    /// The first position not processed: the `Stream-Next-Offset` of the last read.
    pub offset: Offset,
}

/// The answer to an ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// Another wake follows at once, because work remains.
    pub next_wake: bool,
}

/// The answer to a claim, without its streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The wake that the worker holds now.
    pub wake: WakeRef,
    /// How long it may be silent, in milliseconds.
    pub lease_ttl_ms: u64,
}

impl<'a> Draft<'a> {
    /// Starts from `subscription` as it is at `now_ms` (Unix milliseconds).
    pub fn new(subscription: &'a Subscription, now_ms: u64, random: StdRng) -> Self {
        let control = subscription.control().clone();
        let link_count = subscription.links().len();
        let links = BTreeMap::new();
        Self { subscription, links, link_count, now_ms, random, control, notify: false, attempt_ended: false }
    }

    /// What the draft comes to.
    pub fn finish(self) -> Change {
        let changed = self.control != *self.subscription.control();
        Change {
            control: changed.then_some(self.control),
            links: self.links.into_iter().collect(),
            notify: self.notify,
        }
    }

    /// What happens by itself: leases end, notices are tried again, pending work makes a wake.
    pub fn advance(&mut self) {
        if self.control.is_expired(self.now_ms) {
            // A notice that nobody answered for a whole lease has failed like one that was refused.
            if matches!(self.control.phase, Phase::Notifying { .. }) && self.attempt().is_some() {
                self.count_failure();
            }
            self.control.phase = Phase::Idle;
        }
        match &self.control.phase {
            Phase::Idle => {
                self.wake_if_pending();
            }
            Phase::Notifying { wake_id, .. } if self.is_attempt_due() => {
                let wake_id = wake_id.clone();
                self.retry(wake_id);
            }
            Phase::Notifying { .. } | Phase::Notified { .. } | Phase::Claimed { .. } => {}
        }
    }

    /// A pull-wake worker asks for the lease. It gets the wake that is on offer, or a new one when work is pending.
    pub fn claim(&mut self, worker: WorkerName) -> Result<Claimed, ClaimError> {
        if self.subscription.is_webhook() {
            return Err(ClaimError::NotPullWake);
        }
        let wake_id = match &self.control.phase {
            Phase::Claimed { holder, expires_at_ms, .. } if *expires_at_ms > self.now_ms => {
                let (holder, generation) = (holder.clone(), self.control.generation);
                return Err(ClaimError::AlreadyClaimed { holder, generation });
            }
            Phase::Notifying { wake_id, .. } | Phase::Notified { wake_id, .. } => wake_id.clone(),
            Phase::Idle | Phase::Claimed { .. } if !self.has_pending() => return Err(ClaimError::NoPendingWork),
            Phase::Idle | Phase::Claimed { .. } => {
                self.control.generation = self.control.generation.next();
                random_wake_id(&mut self.random)
            }
        };
        let wake = WakeRef { wake_id: wake_id.clone(), generation: self.control.generation };
        self.control.phase = Phase::Claimed { wake_id, holder: worker, expires_at_ms: self.lease_end_ms() };
        self.control.backoff = Backoff::default();
        self.notify = false;
        Ok(Claimed { wake, lease_ttl_ms: self.subscription.config.lease_ttl_ms })
    }

    /// A callback (webhook) or an ack (pull-wake) of whoever has the wake. It is a heartbeat too; `done` ends the lease.
    pub fn ack(&mut self, token: &WakeRef, request: &AckRequest) -> Result<Acked, AckError> {
        self.check_wake(token, &request.wake_id, request.generation)?;
        for ack in self.check_acks(&request.acks)? {
            self.move_cursor(&ack.path, ack.offset);
        }
        self.control.backoff = Backoff::default();
        if request.done {
            self.control.phase = Phase::Idle;
            return Ok(Acked { next_wake: self.wake_if_pending() });
        }
        self.extend_lease();
        Ok(Acked { next_wake: false })
    }

    /// A pull-wake worker gives the lease back.
    pub fn release(&mut self, token: &WakeRef, request: &ReleaseRequest) -> Result<(), AckError> {
        self.check_wake(token, &request.wake_id, request.generation)?;
        self.control.phase = Phase::Idle;
        self.wake_if_pending();
        Ok(())
    }

    /// The notice `attempt` ended. One that is not under way for the current wake says nothing about it.
    pub fn notice_ended(&mut self, attempt: u64, outcome: &NoticeOutcome) {
        if self.attempt() != Some(attempt) {
            return;
        }
        self.attempt_ended = true;
        match (&self.control.phase, outcome) {
            (Phase::Notifying { .. } | Phase::Notified { .. }, NoticeOutcome::Done { acks }) => {
                self.finish_by_answer(acks);
            }
            (Phase::Notifying { wake_id, expires_at_ms }, NoticeOutcome::Taken) => {
                self.control.phase = Phase::Notified { wake_id: wake_id.clone(), expires_at_ms: *expires_at_ms };
                self.control.backoff = Backoff::default();
            }
            (Phase::Notifying { .. }, NoticeOutcome::Failed) => self.count_failure(),
            // A callback or a claim has shown meanwhile that the wake arrived.
            (Phase::Notified { .. } | Phase::Claimed { .. } | Phase::Idle, _) => {}
        }
    }

    /// Whether some linked stream has more than is acked.
    pub fn has_pending(&self) -> bool {
        let drafted = self.links.values().any(|change| matches!(change, LinkChange::Set(link) if link.has_pending()));
        drafted || self.subscription.pending().iter().any(|path| !self.links.contains_key(path))
    }

    /// The link as drafted so far.
    pub fn link(&self, path: &StreamPath) -> Option<Link> {
        match self.links.get(path) {
            Some(LinkChange::Set(link)) => Some(*link),
            Some(LinkChange::Remove) => None,
            None => self.subscription.links().get(path).copied(),
        }
    }

    /// Links as drafted so far.
    pub fn link_count(&self) -> usize {
        self.link_count
    }

    /// The generation of the latest wake.
    pub fn generation(&self) -> Generation {
        self.control.generation
    }

    /// Where the latest wake stands.
    pub fn phase(&self) -> &Phase {
        &self.control.phase
    }

    fn finish_by_answer(&mut self, acks: &[StreamAck]) {
        for ack in acks {
            if self.link(&ack.path).is_some_and(|link| link.acked < ack.offset) {
                self.move_cursor(&ack.path, ack.offset);
            }
        }
        self.control.backoff = Backoff::default();
        self.control.phase = Phase::Idle;
        self.wake_if_pending();
    }

    /// From idle: begins a wake when there is work and no failed notice has to be waited for. Whether there is work.
    fn wake_if_pending(&mut self) -> bool {
        if !self.has_pending() {
            self.control.backoff = Backoff::default();
            return false;
        }
        if self.control.backoff.next_attempt_at_ms.is_none_or(|at_ms| at_ms <= self.now_ms) {
            self.control.generation = self.control.generation.next();
            let wake_id = random_wake_id(&mut self.random);
            self.begin_notice(wake_id);
        }
        true
    }

    /// The same wake once more; without work it is withdrawn, since nobody took note of it.
    fn retry(&mut self, wake_id: WakeId) {
        if self.has_pending() {
            self.begin_notice(wake_id);
        } else {
            self.control.phase = Phase::Idle;
            self.control.backoff = Backoff::default();
        }
    }

    /// A webhook's lease starts with each notice, a pull-wake worker's with its claim.
    fn begin_notice(&mut self, wake_id: WakeId) {
        let expires_at_ms = self.subscription.is_webhook().then(|| self.lease_end_ms());
        self.control.phase = Phase::Notifying { wake_id, expires_at_ms };
        self.notify = true;
    }

    fn is_attempt_due(&self) -> bool {
        let waited = self.control.backoff.next_attempt_at_ms.is_none_or(|at_ms| at_ms <= self.now_ms);
        waited && self.attempt().is_none() && !self.notify
    }

    /// The notice under way, if it is one of the drafted wake.
    fn attempt(&self) -> Option<u64> {
        let same_wake = self.control.wake_id() == self.subscription.control().wake_id();
        self.subscription.attempt().filter(|_| same_wake && !self.attempt_ended)
    }

    fn count_failure(&mut self) {
        let failures = self.control.backoff.failures.saturating_add(1);
        let delay_ms = retry_delay_ms(failures, self.random.random_range(-1.0..=1.0));
        self.control.backoff = Backoff { failures, next_attempt_at_ms: Some(self.now_ms + delay_ms) };
    }

    fn extend_lease(&mut self) {
        let end_ms = self.lease_end_ms();
        self.control.phase = match &self.control.phase {
            Phase::Notifying { wake_id, .. } | Phase::Notified { wake_id, .. } => {
                Phase::Notified { wake_id: wake_id.clone(), expires_at_ms: Some(end_ms) }
            }
            Phase::Claimed { wake_id, holder, .. } => {
                Phase::Claimed { wake_id: wake_id.clone(), holder: holder.clone(), expires_at_ms: end_ms }
            }
            Phase::Idle => unreachable!("the wake was checked"),
        };
    }

    fn lease_end_ms(&self) -> u64 {
        self.now_ms + self.subscription.config.lease_ttl_ms
    }

    /// Section 7.3: token, wake and generation must all be the current ones, of a lease that still runs.
    fn check_wake(&self, token: &WakeRef, wake_id: &WakeId, generation: Generation) -> Result<(), AckError> {
        let leased = match self.control.phase {
            Phase::Idle => false,
            Phase::Notifying { .. } | Phase::Notified { .. } => self.subscription.is_webhook(),
            Phase::Claimed { .. } => true,
        };
        let current = |wake_id: &WakeId, generation: Generation| {
            generation == self.control.generation && Some(wake_id) == self.control.wake_id()
        };
        let named = current(&token.wake_id, token.generation) && current(wake_id, generation);
        let valid = leased && !self.control.is_expired(self.now_ms) && named;
        if valid { Ok(()) } else { Err(AckError::Fenced) }
    }

    /// The positions that the acks name, all of them acceptable.
    fn check_acks(&self, acks: &[Ack]) -> Result<Vec<StreamAck>, AckError> {
        if acks.len() > ACKS_PER_REQUEST_MAX {
            return Err(AckError::TooManyAcks(acks.len()));
        }
        acks.iter().map(|ack| self.check_ack(ack)).collect()
    }

    fn check_ack(&self, ack: &Ack) -> Result<StreamAck, AckError> {
        let (path, offset) = ack.position()?;
        let Some(link) = self.link(&path) else { return Err(AckError::NotLinked(path)) };
        let tail = link.tail.unwrap_or(Offset::START);
        if offset < link.acked {
            return Err(AckError::Backwards { path, acked: link.acked });
        }
        if offset > tail {
            return Err(AckError::BeyondTail { path, tail });
        }
        Ok(StreamAck { path, offset })
    }

    /// Never back: of two acks of one stream in one request the later position counts.
    fn move_cursor(&mut self, path: &StreamPath, offset: Offset) {
        let Some(link) = self.link(path) else { return };
        if offset > link.acked {
            self.links.insert(path.clone(), LinkChange::Set(Link { acked: offset, ..link }));
        }
    }
}

/// The wait after the `failures`-th failure in a row, in milliseconds; `spread` is from -1 to 1.
fn retry_delay_ms(failures: u32, spread: f64) -> u64 {
    let doublings = failures.saturating_sub(1).min(16);
    let delay_ms = (RETRY_DELAY_MS_MIN << doublings).min(RETRY_DELAY_MS_MAX);
    (delay_ms as f64 * (1.0 + RETRY_JITTER * spread)).round() as u64
}
