//! Which streams are to be looked at: those that changed and, after a start or when too many changed, all of them.

use std::collections::{HashSet, VecDeque};

use headwater_protocol::StreamPath;
use headwater_streams::Changes;

use crate::limits::CHANGED_NAMES_MAX;

/// Names in the order in which they came, each once.
#[derive(Debug)]
pub(crate) struct Queue {
    names: VecDeque<StreamPath>,
    known: HashSet<StreamPath>,
    look: Look,
}

/// A look at all streams, a page at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// From the stream after this one.
    After(Option<StreamPath>),
    /// None is due.
    Done,
}

impl Queue {
    /// Begins with a look at all streams.
    pub(crate) fn new() -> Self {
        Self { names: VecDeque::new(), known: HashSet::new(), look: Look::After(None) }
    }

    pub(crate) fn take_in(&mut self, changes: Changes) {
        match changes {
            Changes::Of(names) => names.into_iter().for_each(|name| self.push(name)),
            Changes::Any => self.look_at_all(),
        }
    }

    /// Adds a name; when there are too many, all streams are looked at instead.
    pub(crate) fn push(&mut self, name: StreamPath) {
        if self.known.insert(name.clone()) {
            self.names.push_back(name);
        }
        if self.names.len() > CHANGED_NAMES_MAX {
            self.look_at_all();
        }
    }

    pub(crate) fn pop(&mut self) -> Option<StreamPath> {
        let name = self.names.pop_front()?;
        self.known.remove(&name);
        Some(name)
    }

    pub(crate) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    pub(crate) fn is_done(&self) -> bool {
        self.names.is_empty() && self.look == Look::Done
    }

    pub(crate) fn look(&self) -> &Look {
        &self.look
    }

    pub(crate) fn set_look(&mut self, look: Look) {
        self.look = look;
    }

    pub(crate) fn look_at_all(&mut self) {
        self.names.clear();
        self.known.clear();
        self.look = Look::After(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> StreamPath {
        StreamPath::new(name).unwrap()
    }

    #[test]
    fn a_name_waits_once() {
        let mut queue = Queue::new();
        queue.take_in(Changes::Of(vec![path("a"), path("b"), path("a")]));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(path("a")), Some(path("b")), None]);
        queue.push(path("a"));
        assert_eq!(queue.pop(), Some(path("a")));
    }

    #[test]
    fn too_many_names_become_a_look_at_all() {
        let mut queue = Queue::new();
        queue.set_look(Look::Done);
        (0..=CHANGED_NAMES_MAX).for_each(|i| queue.push(path(&i.to_string())));
        assert!(!queue.has_names());
        assert_eq!(*queue.look(), Look::After(None));
    }
}
