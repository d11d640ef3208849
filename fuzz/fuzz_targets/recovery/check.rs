//! What a store shows after harm, and whether it may.

use std::collections::BTreeMap;

use bytes::Bytes;
use headwater_protocol::{Offset, StreamPath};
use headwater_storage::EmbeddedStore;
use headwater_streams::{DocumentKey, Head, Listed, Store, StoreError, StreamId};

use super::harm::Harmed;
use super::life::{Life, State, now, payload};

const LISTED_MAX: usize = 100;
const READ_BYTES_MAX: u64 = 3_000;

/// All that can be seen of a store.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    state: State,
    /// For each stream, the stretches that can be read.
    bytes: BTreeMap<StreamId, Vec<(Offset, Bytes)>>,
    can_read_all: bool,
    /// Why it takes no changes.
    poison: Option<String>,
}

impl Shown {
    pub fn by(store: &EmbeddedStore) -> Self {
        let listed = now(store.list("", None, LISTED_MAX)).expect("the catalog is whole");
        let paths: Vec<StreamPath> = listed.iter().map(|row| row.path.clone()).collect();
        let heads = now(store.load(&paths)).expect("the catalog is whole");
        let heads: Vec<Head> = heads.into_iter().map(|head| head.expect("what is listed is there")).collect();
        let mut shown =
            Self { state: State::default(), bytes: BTreeMap::new(), can_read_all: true, poison: poison(store) };
        for (row, head) in listed.iter().zip(&heads) {
            assert_eq!(row, &Listed::from(head), "the listing shows what the head is");
        }
        for head in heads {
            shown.read(store, &head);
            let before = shown.state.streams.insert(head.path.clone(), head);
            assert!(before.is_none(), "a path is listed once");
        }
        shown.state.documents = now(store.documents("")).expect("the catalog is whole").into_iter().collect();
        shown
    }

    fn read(&mut self, store: &EmbeddedStore, head: &Head) {
        assert!(head.earliest <= head.tail, "{head:?}");
        let (mut next, mut read) = (head.earliest, Vec::new());
        while next < head.tail {
            let end = head.tail.min(next.advance(READ_BYTES_MAX));
            match now(store.read(head.id, next..end)) {
                Ok(bytes) => {
                    assert_eq!(bytes.len() as u64, end.bytes_since(next), "a read gives what was asked for");
                    read.push((next, bytes));
                }
                Err(StoreError::Poisoned { .. } | StoreError::Closed | StoreError::Full) => {
                    panic!("a read is no change")
                }
                Err(_) => self.can_read_all = false,
            }
            next = end;
        }
        self.bytes.insert(head.id, read);
    }

    /// Asserts that a directory with this past, harmed like this, may show this.
    pub fn check(&self, life: &Life, harmed: &Harmed) {
        if harmed.format {
            return;
        }
        for head in self.state.streams.values() {
            let held = life.states.iter().any(|state| state.streams.get(&head.path) == Some(head));
            assert!(held, "never so: {head:?}");
        }
        if !harmed.moved {
            self.check_bytes();
        }
        if !harmed.any() {
            assert!(self.can_read_all && self.poison.is_none(), "nothing is wrong: {:?}", self.poison);
        }
        if self.poison.is_none() && !harmed.moved {
            // A write that was hit may never have been acknowledged; what came before it was.
            let lost = if harmed.many { life.writes.len() } else { harmed.writes.min(life.writes.len()) };
            let kept = life.writes.get(life.writes.len() - lost).map_or(life.states.len() - 1, |states| states - 1);
            assert!(life.states[kept..].contains(&self.state), "lost in silence: {:?}", self.state);
        }
    }

    fn check_bytes(&self) {
        for (id, read) in &self.bytes {
            for (start, bytes) in read {
                let end = start.advance(bytes.len() as u64);
                assert_eq!(*bytes, payload(*id, *start, end), "other bytes than were written");
            }
        }
    }

    /// The same and one more document.
    pub fn with(mut self, added: Option<(DocumentKey, Bytes)>) -> Self {
        assert_eq!(added.is_some(), self.poison.is_none());
        self.state.documents.extend(added);
        self
    }
}

fn poison(store: &EmbeddedStore) -> Option<String> {
    match now(store.reserve(1, 1)) {
        Ok(()) => None,
        Err(StoreError::Poisoned { cause }) => Some(cause),
        Err(error) => panic!("a store takes changes or is poisoned: {error}"),
    }
}
