//! Handlers of events, by channel. One connection serves them all.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Channel, SessionEvent};

/// Brings events to those who asked for their channel. Cloning is cheap; clones are the same router.
///
/// Handlers may be added and removed at any time, by handlers too: one that is removed is not called again, and one
/// that is added gets the next event. A handler that panics does not keep the event from the others.
#[derive(Clone, Default)]
pub struct EventRouter {
    handlers: Arc<Mutex<Vec<Arc<Handler>>>>,
}

struct Handler {
    /// All channels when `None`.
    channel: Option<Channel>,
    is_active: AtomicBool,
    run: Box<dyn Fn(&SessionEvent) + Send + Sync>,
}

/// Removes its handler when dropped.
#[must_use = "dropping it removes the handler"]
pub struct HandlerGuard {
    handlers: Weak<Mutex<Vec<Arc<Handler>>>>,
    handler: Arc<Handler>,
    is_kept: bool,
}

impl EventRouter {
    /// Without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `handler` with every event of `channel`, in order, until the guard is dropped. It must be quick: events wait
    /// for it.
    pub fn on(&self, channel: Channel, handler: impl Fn(&SessionEvent) + Send + Sync + 'static) -> HandlerGuard {
        self.add(Some(channel), Box::new(handler))
    }

    /// The same for all channels.
    pub fn on_any(&self, handler: impl Fn(&SessionEvent) + Send + Sync + 'static) -> HandlerGuard {
        self.add(None, Box::new(handler))
    }

    fn add(&self, channel: Option<Channel>, run: Box<dyn Fn(&SessionEvent) + Send + Sync>) -> HandlerGuard {
        let handler = Arc::new(Handler { channel, is_active: AtomicBool::new(true), run });
        self.handlers.lock().push(handler.clone());
        HandlerGuard { handlers: Arc::downgrade(&self.handlers), handler, is_kept: false }
    }

    /// Calls the handlers of an event's channel, in the order in which they were added.
    pub fn route(&self, event: &SessionEvent) {
        // A copy, so that handlers can add and remove while it is gone through.
        let handlers = self.handlers.lock().clone();
        for handler in handlers {
            let is_asked = handler.channel.is_none_or(|channel| channel == event.channel);
            if !is_asked || !handler.is_active.load(Ordering::Acquire) {
                continue;
            }
            if catch_unwind(AssertUnwindSafe(|| (handler.run)(event))).is_err() {
                tracing::error!(channel = %event.channel, key = event.key, "a handler panicked");
            }
        }
    }

    /// How many handlers there are.
    pub fn len(&self) -> usize {
        self.handlers.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl HandlerGuard {
    /// Keeps the handler for as long as the router lives.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        self.handler.is_active.store(false, Ordering::Release);
        if let Some(handlers) = self.handlers.upgrade() {
            handlers.lock().retain(|other| !Arc::ptr_eq(other, &self.handler));
        }
    }
}

impl fmt::Debug for EventRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventRouter").field("len", &self.len()).finish()
    }
}

impl fmt::Debug for HandlerGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerGuard").field("channel", &self.handler.channel).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(channel: Channel) -> SessionEvent {
        let event = json!({ "channel": channel, "key": "1", "operation": "insert" });
        serde_json::from_value(event).unwrap()
    }

    fn noting(notes: &Arc<Mutex<Vec<&'static str>>>, note: &'static str) -> impl Fn(&SessionEvent) + use<> {
        let notes = notes.clone();
        move |_| notes.lock().push(note)
    }

    #[test]
    fn s_2_3_events_reach_all_handlers_of_their_channel_and_no_others() {
        let (router, notes) = (EventRouter::new(), Arc::default());
        let first = router.on(Channel::Chunks, noting(&notes, "first"));
        let _second = router.on(Channel::Chunks, noting(&notes, "second"));
        let _other = router.on(Channel::Terminal, noting(&notes, "terminal"));
        router.on_any(noting(&notes, "any")).keep();
        router.route(&event(Channel::Chunks));
        assert_eq!(std::mem::take(&mut *notes.lock()), ["first", "second", "any"]);
        drop(first);
        router.route(&event(Channel::Chunks));
        assert_eq!(*notes.lock(), ["second", "any"]);
        assert_eq!(router.len(), 3);
    }

    #[test]
    fn s_2_3_one_handlers_panic_does_not_stop_the_others() {
        let (router, notes) = (EventRouter::new(), Arc::default());
        let _panics = router.on(Channel::Chunks, |_| panic!("on purpose"));
        let _calm = router.on(Channel::Chunks, noting(&notes, "calm"));
        router.route(&event(Channel::Chunks));
        router.route(&event(Channel::Chunks));
        assert_eq!(*notes.lock(), ["calm", "calm"]);
    }

    #[test]
    fn s_2_3_handlers_can_be_added_and_removed_during_dispatch() {
        let (router, notes) = (EventRouter::new(), Arc::<Mutex<Vec<&'static str>>>::default());
        let victim = Arc::new(Mutex::new(None));
        let (inner, also, added) = (router.clone(), victim.clone(), notes.clone());
        let _changes = router.on(Channel::Chunks, move |_| {
            drop(also.lock().take());
            inner.on(Channel::Chunks, noting(&added, "added")).keep();
        });
        *victim.lock() = Some(router.on(Channel::Chunks, noting(&notes, "removed")));
        let _last = router.on(Channel::Chunks, noting(&notes, "last"));
        router.route(&event(Channel::Chunks));
        assert_eq!(std::mem::take(&mut *notes.lock()), ["last"], "gone at once, and new from the next event on");
        router.route(&event(Channel::Chunks));
        assert_eq!(*notes.lock(), ["last", "added"]);
    }
}
