//! Hands finished work back to the threads that wait for it, in bulk.
//!
//! Waking a task from another thread costs a lock and often a system call. The committer finishes dozens of requests at
//! once, so it puts their answers, and the wakers of live readers, into the mailbox of the thread that each belongs to
//! and rings once. The thread opens its mailbox and wakes its own tasks, which is nearly free.
//!
//! A thread without a mailbox is answered and woken directly.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::submission::Answer;

/// Where one runtime thread gets its answers.
#[derive(Default)]
pub struct Mailbox {
    waiting: Mutex<Vec<Delivery>>,
    bell: Notify,
}

enum Delivery {
    Answer(Answer),
    Wake(Waker),
}

thread_local! {
    /// The mailbox of this thread's runtime, set once when the thread starts.
    static CURRENT: RefCell<Option<Arc<Mailbox>>> = const { RefCell::new(None) };
}

impl Mailbox {
    /// Gives the current thread a mailbox and returns the future that empties it, which must be spawned on a runtime
    /// that runs its tasks on this thread only.
    pub fn install() -> impl Future<Output = ()> {
        let mailbox = Arc::new(Self::default());
        CURRENT.with(|current| *current.borrow_mut() = Some(mailbox.clone()));
        mailbox.empty_forever()
    }

    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.with(|current| current.borrow().clone())
    }

    async fn empty_forever(self: Arc<Self>) {
        let mut open = Vec::new();
        loop {
            self.bell.notified().await;
            std::mem::swap(&mut open, &mut *self.waiting.lock());
            open.drain(..).for_each(Delivery::deliver);
        }
    }

    /// True when the mailbox was empty, so that somebody has to ring.
    fn put(&self, delivery: Delivery) -> bool {
        let mut waiting = self.waiting.lock();
        waiting.push(delivery);
        waiting.len() == 1
    }
}

impl Delivery {
    fn deliver(self) {
        match self {
            Self::Answer(answer) => answer.send(),
            Self::Wake(waker) => waker.wake(),
        }
    }
}

/// A waker and the thread it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Addressed<T> {
    pub(crate) item: T,
    pub(crate) mailbox: Option<Arc<Mailbox>>,
}

impl<T> Addressed<T> {
    /// Addresses `item` to the current thread.
    pub(crate) fn here(item: T) -> Self {
        Self { item, mailbox: Mailbox::current() }
    }
}

/// One round of deliveries: put everything, then ring once at each mailbox.
#[derive(Default)]
pub(crate) struct Round {
    to_ring: Vec<Arc<Mailbox>>,
}

impl Round {
    pub(crate) fn answer(&mut self, answer: Answer) {
        match answer.mailbox().cloned() {
            Some(mailbox) => self.put(mailbox, Delivery::Answer(answer)),
            None => answer.send(),
        }
    }

    pub(crate) fn wake(&mut self, waker: Addressed<Waker>) {
        match waker.mailbox {
            Some(mailbox) => self.put(mailbox, Delivery::Wake(waker.item)),
            None => waker.item.wake(),
        }
    }

    fn put(&mut self, mailbox: Arc<Mailbox>, delivery: Delivery) {
        if mailbox.put(delivery) {
            self.to_ring.push(mailbox);
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.to_ring.iter().for_each(|mailbox| mailbox.bell.notify_one());
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("waiting", &self.waiting.lock().len()).finish()
    }
}
