//! Which subscription has to be looked at next.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;
use headwater_protocol::subscription::SubscriptionId;

/// At most one deadline for each subscription.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    by_time: BTreeSet<(u64, SubscriptionId)>,
    by_id: HashMap<SubscriptionId, u64, RandomState>,
}

impl Deadlines {
    /// Sets or clears (`None`) the deadline of `id`, in Unix milliseconds.
    pub(super) fn set(&mut self, id: &SubscriptionId, at_ms: Option<u64>) {
        if let Some(before_ms) = self.by_id.remove(id) {
            self.by_time.remove(&(before_ms, id.clone()));
        }
        if let Some(at_ms) = at_ms {
            self.by_id.insert(id.clone(), at_ms);
            self.by_time.insert((at_ms, id.clone()));
        }
    }

    /// The earliest one, in Unix milliseconds.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.by_time.first().map(|(at_ms, _)| *at_ms)
    }

    /// Those that have come, earliest first. They stay until they are set anew.
    pub(super) fn due(&self, now_ms: u64) -> impl Iterator<Item = &SubscriptionId> {
        self.by_time.iter().take_while(move |(at_ms, _)| *at_ms <= now_ms).map(|(_, id)| id)
    }
}
