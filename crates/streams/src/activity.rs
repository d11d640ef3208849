//! Which streams changed since the last look, for whoever reacts to streams rather than reads them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;
use headwater_protocol::{Offset, StreamPath};
use parking_lot::{Mutex, RwLock};
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
    /// Whether `changed` is kept.
    is_taken: AtomicBool,
    changed: Mutex<HashMap<StreamPath, StreamActivity, RandomState>>,
    some: Notify,
    watches: RwLock<Vec<Weak<Watched>>>,
}

/// Names of streams that have changed since the last look, gathered for one watcher in bounded memory. Ends when it is
/// dropped.
pub struct ChangeWatch {
    watched: Arc<Watched>,
}

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These streams have grown, been trimmed, created or removed.
    Of(Vec<StreamPath>),
    /// More streams than the watch has room for: any may have changed.
    Any,
}

#[derive(Debug)]
struct Watched {
    selects: fn(&StreamPath) -> bool,
    names_max: usize,
    seen: Mutex<Seen>,
    some: Notify,
}

#[derive(Debug)]
enum Seen {
    Names(HashSet<StreamPath, RandomState>),
    TooMany,
}

impl ActivityLog {
    pub(crate) fn watch(&self) {
        self.is_taken.store(true, Ordering::SeqCst);
        self.watched.store(true, Ordering::SeqCst);
    }

    pub(crate) fn watch_names(&self, selects: fn(&StreamPath) -> bool, names_max: usize) -> ChangeWatch {
        let seen = Mutex::new(Seen::Names(HashSet::default()));
        let watched = Arc::new(Watched { selects, names_max, seen, some: Notify::new() });
        let mut watches = self.watches.write();
        watches.retain(|watch| watch.strong_count() > 0);
        watches.push(Arc::downgrade(&watched));
        self.watched.store(true, Ordering::SeqCst);
        ChangeWatch { watched }
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Notes changes that are durable now.
    pub(crate) fn note(&self, news: Vec<StreamActivity>) {
        for watch in self.watches.read().iter().filter_map(Weak::upgrade) {
            watch.note(&news);
        }
        if self.is_taken.load(Ordering::SeqCst) {
            self.keep(news);
        }
    }

    fn keep(&self, news: Vec<StreamActivity>) {
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

impl Watched {
    fn note(&self, news: &[StreamActivity]) {
        let mut chosen = news.iter().map(|entry| &entry.path).filter(|path| (self.selects)(path)).peekable();
        if chosen.peek().is_none() {
            return;
        }
        let mut seen = self.seen.lock();
        if let Seen::Names(names) = &mut *seen {
            names.extend(chosen.cloned());
            if names.len() > self.names_max {
                *seen = Seen::TooMany;
            }
        }
        drop(seen);
        self.some.notify_one();
    }
}

impl ChangeWatch {
    /// What has changed since the last look; does not wait.
    pub fn look(&mut self) -> Changes {
        match std::mem::replace(&mut *self.watched.seen.lock(), Seen::Names(HashSet::default())) {
            Seen::Names(names) => Changes::Of(names.into_iter().collect()),
            Seen::TooMany => Changes::Any,
        }
    }

    /// Waits until there is something to see. A dropped call loses nothing.
    pub async fn changed(&mut self) {
        loop {
            let is_empty = matches!(&*self.watched.seen.lock(), Seen::Names(names) if names.is_empty());
            if !is_empty {
                return;
            }
            self.watched.some.notified().await;
        }
    }
}

impl fmt::Debug for ChangeWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeWatch").field("names_max", &self.watched.names_max).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(name: &str) -> StreamActivity {
        let path = StreamPath::new(name).unwrap();
        StreamActivity { path, from: Offset::START, tail: Offset::new(1), created: false, removed: false }
    }

    fn is_chosen(path: &StreamPath) -> bool {
        path.as_str().starts_with("a/")
    }

    #[test]
    fn a_watch_names_what_it_chose_once() {
        let log = ActivityLog::default();
        let mut watch = log.watch_names(is_chosen, 10);
        log.note(vec![grown("a/1"), grown("b/1")]);
        log.note(vec![grown("a/1")]);
        assert_eq!(watch.look(), Changes::Of(vec![StreamPath::new("a/1").unwrap()]));
        assert_eq!(watch.look(), Changes::Of(vec![]));
    }

    #[test]
    fn a_watch_that_is_not_looked_at_stays_small() {
        let log = ActivityLog::default();
        let mut watch = log.watch_names(is_chosen, 2);
        (0..100).for_each(|i| log.note(vec![grown(&format!("a/{i}"))]));
        assert_eq!(watch.look(), Changes::Any);
        log.note(vec![grown("a/1")]);
        assert_eq!(watch.look(), Changes::Of(vec![StreamPath::new("a/1").unwrap()]));
    }

    #[test]
    fn nothing_is_kept_for_a_watch_that_is_gone() {
        let log = ActivityLog::default();
        drop(log.watch_names(is_chosen, 2));
        drop(log.watch_names(is_chosen, 2));
        assert_eq!(log.watches.read().len(), 1);
        log.note(vec![grown("a/1")]);
        assert!(log.changed.lock().is_empty());
    }
}
