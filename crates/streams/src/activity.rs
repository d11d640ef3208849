//! Which streams changed since the last look, for whoever reacts to streams rather than reads them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;
use headwater_protocol::{Offset, StreamPath};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What happened to a stream since the last look. Several changes of one stream are one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamActivity {
    /// Which stream.
    pub path: StreamPath,
    /// Its tail before the first change since the last look; for a new stream, where its own bytes begin.
    pub from: Offset,
    /// Its durable tail.
    pub tail: Offset,
    /// Created since the last look.
    pub created: bool,
    /// Deleted or expired since the last look, and not created again.
    pub removed: bool,
}

/// Costs one relaxed load per batch until somebody watches.
#[derive(Debug, Default)]
pub(crate) struct ActivityLog {
    watched: AtomicBool,
    changed: Mutex<HashMap<StreamPath, StreamActivity, RandomState>>,
    some: Notify,
}

impl ActivityLog {
    pub(crate) fn watch(&self) {
        self.watched.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Notes changes that are durable now.
    pub(crate) fn note(&self, news: impl IntoIterator<Item = StreamActivity>) {
        let mut changed = self.changed.lock();
        for entry in news {
            changed
                .entry(entry.path.clone())
                .and_modify(|known| {
                    known.tail = entry.tail;
                    known.removed = entry.removed;
                    if entry.created {
                        known.created = true;
                        known.from = entry.from;
                    }
                })
                .or_insert(entry);
        }
        drop(changed);
        self.some.notify_one();
    }

    pub(crate) async fn take(&self) -> Vec<StreamActivity> {
        loop {
            let taken = std::mem::take(&mut *self.changed.lock());
            if !taken.is_empty() {
                return taken.into_values().collect();
            }
            self.some.notified().await;
        }
    }
}
