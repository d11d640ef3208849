//! What a subscription is at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_protocol::subscription::{
    Delivery, Generation, LinkType, StreamLink, StreamSnapshot, SubscriptionConfig, SubscriptionId, SubscriptionStatus,
    WakeId, WorkerName,
};
use headwater_protocol::{Offset, StreamPath};
use serde::{Deserialize, Serialize};

use super::draft::{Change, LinkChange};
use super::limits::WAKE_STREAMS_MAX;

/// A subscription with its cursors.
#[derive(Debug)]
pub struct Subscription {
    /// Its name.
    pub id: SubscriptionId,
    /// What it was asked to be; never changes.
    pub config: Arc<SubscriptionConfig>,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Where its creator reached this server.
    pub origin: Origin,
    control: Control,
    links: BTreeMap<StreamPath, Link>,
    /// Linked streams with `tail > acked`: kept beside the links so that nobody searches a hundred thousand of them.
    pending: BTreeSet<StreamPath>,
    /// The notice of the current wake that is under way in this process.
    attempt: Option<u64>,
}

/// Everything about wakes and leases that must survive a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Control {
    /// Of the latest wake.
    pub generation: Generation,
    /// Where that wake stands.
    pub phase: Phase,
    /// Failed notices.
    pub backoff: Backoff,
}

/// Where the latest wake stands. At most one wake or lease exists at a time, because there is one phase.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No wake and no lease.
    #[default]
    Idle,
    /// A wake exists that no receiver has taken note of yet: its notice is under way, or waits for its next attempt.
    Notifying {
        /// Which wake.
        wake_id: WakeId,
        /// End of the lease, for webhooks: theirs starts with the notice.
        expires_at_ms: Option<u64>,
    },
    /// The webhook's receiver took the wake, or the wake event is on its stream and unclaimed.
    Notified {
        /// Which wake.
        wake_id: WakeId,
        /// End of the lease, for webhooks.
        expires_at_ms: Option<u64>,
    },
    /// A pull-wake worker holds the lease.
    Claimed {
        /// Which wake.
        wake_id: WakeId,
        /// Who.
        holder: WorkerName,
        /// End of the lease.
        expires_at_ms: u64,
    },
}

/// How notices have failed lately. It outlives a wake, so that new wakes do not hurry past it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Backoff {
    /// In a row.
    pub failures: u32,
    /// No attempt before this time, in Unix milliseconds.
    pub next_attempt_at_ms: Option<u64>,
}

/// One stream of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Asked for by name, and not only matched by the pattern.
    pub explicit: bool,
    /// The cursor: everything before it is processed.
    pub acked: Offset,
    /// Tail as the engine told it last; `None` while the stream does not exist.
    pub tail: Option<Offset>,
}

impl Link {
    /// Whether the stream has more than is acked.
    pub fn has_pending(&self) -> bool {
        self.tail.is_some_and(|tail| tail > self.acked)
    }

    /// Explicit wins over the pattern.
    pub fn link_type(&self) -> LinkType {
        if self.explicit { LinkType::Explicit } else { LinkType::Glob }
    }

    fn snapshot(&self, path: &StreamPath) -> StreamSnapshot {
        StreamSnapshot::new(path.clone(), self.link_type(), self.acked, self.tail.unwrap_or(Offset::START))
    }
}

/// Scheme, host and port under which the creator reached this server: `http://127.0.0.1:4437`. Callback URLs begin with
/// it where nothing else is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(pub Arc<str>);

/// What a GET shows.
#[derive(Debug, Clone)]
pub struct SubscriptionReport {
    /// Its name.
    pub id: SubscriptionId,
    /// What it was asked to be.
    pub config: Arc<SubscriptionConfig>,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Whether notices arrive.
    pub status: SubscriptionStatus,
    /// Its streams, in path order.
    pub streams: Vec<StreamLink>,
}

impl Control {
    /// The wake in force.
    pub fn wake_id(&self) -> Option<&WakeId> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Notifying { wake_id, .. } | Phase::Notified { wake_id, .. } | Phase::Claimed { wake_id, .. } => {
                Some(wake_id)
            }
        }
    }

    /// When the lease ends, in Unix milliseconds.
    pub fn expires_at_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Idle => None,
            Phase::Notifying { expires_at_ms, .. } | Phase::Notified { expires_at_ms, .. } => expires_at_ms,
            Phase::Claimed { expires_at_ms, .. } => Some(expires_at_ms),
        }
    }

    /// Whether the lease has run out.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }
}

impl Subscription {
    /// One without links, as it stands in `control`.
    pub fn new(
        id: SubscriptionId,
        config: Arc<SubscriptionConfig>,
        origin: Origin,
        created_at_ms: u64,
        control: Control,
    ) -> Self {
        let (links, pending) = Default::default();
        Self { id, config, created_at_ms, origin, control, links, pending, attempt: None }
    }

    /// Where its wakes stand.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Its streams, in path order.
    pub fn links(&self) -> &BTreeMap<StreamPath, Link> {
        &self.links
    }

    /// Its streams with pending work, in path order.
    pub fn pending(&self) -> &BTreeSet<StreamPath> {
        &self.pending
    }

    /// Whether wakes go out by webhook.
    pub fn is_webhook(&self) -> bool {
        matches!(self.config.delivery, Delivery::Webhook { .. })
    }

    /// The notice under way.
    pub fn attempt(&self) -> Option<u64> {
        self.attempt
    }

    /// A notice of the current wake starts.
    pub fn begin_attempt(&mut self, attempt: u64) {
        self.attempt = Some(attempt);
    }

    /// A notice ended, whatever came of it.
    pub fn end_attempt(&mut self, attempt: u64) {
        self.attempt = self.attempt.filter(|&current| current != attempt);
    }

    /// Takes in a change that is durable.
    pub fn apply(&mut self, change: Change) {
        for (path, change) in change.links {
            match change {
                LinkChange::Set(link) => self.set_link(path, link),
                LinkChange::Remove => {
                    self.pending.remove(&path);
                    self.links.remove(&path);
                }
            }
        }
        let Some(control) = change.control else { return };
        assert!(control.generation >= self.control.generation, "generations never go back");
        if control.wake_id() != self.control.wake_id() {
            self.attempt = None;
        }
        self.control = control;
    }

    /// Adds or replaces a link without a rule being asked: for what was stored.
    pub fn set_link(&mut self, path: StreamPath, link: Link) {
        if link.has_pending() {
            self.pending.insert(path.clone());
        } else {
            self.pending.remove(&path);
        }
        self.links.insert(path, link);
    }

    /// Takes note of a linked stream's tail. Nothing to write down: the engine knows it.
    pub fn observe(&mut self, path: &StreamPath, tail: Offset) {
        let Some(link) = self.links.get_mut(path) else { return };
        link.tail = Some(link.tail.map_or(tail, |known| known.max(tail)));
        if link.has_pending() {
            self.pending.insert(path.clone());
        }
    }

    /// When something must happen by itself, in Unix milliseconds.
    pub fn deadline_ms(&self) -> Option<u64> {
        let attempt_at = self.control.backoff.next_attempt_at_ms;
        match self.control.phase {
            Phase::Idle if self.pending.is_empty() => None,
            Phase::Idle => Some(attempt_at.unwrap_or(0)),
            Phase::Notifying { expires_at_ms, .. } if self.attempt.is_none() => {
                let due = attempt_at.unwrap_or(0);
                Some(expires_at_ms.map_or(due, |at_ms| at_ms.min(due)))
            }
            _ => self.control.expires_at_ms(),
        }
    }

    /// Whether notices arrive.
    pub fn status(&self) -> SubscriptionStatus {
        let waits = self.control.backoff.next_attempt_at_ms.is_some();
        if waits { SubscriptionStatus::Failed } else { SubscriptionStatus::Active }
    }

    /// What a GET shows.
    pub fn report(&self) -> SubscriptionReport {
        let link = |(path, link): (&StreamPath, &Link)| StreamLink {
            path: path.clone(),
            link_type: link.link_type(),
            acked_offset: link.acked,
        };
        SubscriptionReport {
            id: self.id.clone(),
            config: self.config.clone(),
            created_at_ms: self.created_at_ms,
            status: self.status(),
            streams: self.links.iter().map(link).collect(),
        }
    }

    /// What a wake or a claim lists: every stream while they are few, else some with pending work.
    pub fn snapshot(&self) -> Vec<StreamSnapshot> {
        if self.links.len() <= WAKE_STREAMS_MAX {
            return self.links.iter().map(|(path, link)| link.snapshot(path)).collect();
        }
        let pending = self.pending.iter().take(WAKE_STREAMS_MAX);
        pending.map(|path| self.links[path].snapshot(path)).collect()
    }
}
