//! What is sent at once: posts of one kind, from the front of the queue.

use std::collections::VecDeque;

use super::Item;
use crate::sessions::limits::{OUTBOX_REQUEST_BYTES, REQUEST_EVENTS_MAX};

/// Posts of one request, and the number that it has among the producer's.
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
}

impl Batch {
    /// As many from the front as fit; `None` when nothing waits.
    pub(crate) fn take(queue: &mut VecDeque<Item>, events_max: usize) -> Option<Self> {
        let is_step = queue.front()?.is_step;
        let mut bytes = 0;
        let fits = |item: &&Item| {
            bytes += item.text.len();
            item.is_step == is_step && bytes <= OUTBOX_REQUEST_BYTES
        };
        // A post that is too large for any request goes alone, and the server says so.
        let count = queue.iter().take(events_max.min(REQUEST_EVENTS_MAX)).take_while(fits).count().max(1);
        Some(Self { items: queue.drain(..count).collect() })
    }

    pub(crate) fn is_steps(&self) -> bool {
        self.items.first().is_some_and(|item| item.is_step)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.text.len() as u64).sum()
    }

    /// The request's body.
    pub(crate) fn body(&self) -> String {
        let texts: Vec<&str> = self.items.iter().map(|item| item.text.as_str()).collect();
        format!("[{}]", texts.join(","))
    }

    /// Gives posts back to the front of the queue, all but the first so many.
    pub(crate) fn give_back(&mut self, queue: &mut VecDeque<Item>, keep: usize) {
        for item in self.items.drain(keep..).rev() {
            queue.push_front(item);
        }
    }
}
