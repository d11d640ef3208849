//! What a store must hold: the reference, small enough to read.

use std::collections::BTreeMap;

use headwater_protocol::{Offset, StreamPath};
use headwater_streams::{Change, DocumentKey, Head, StreamId, Transaction};

/// Streams and documents in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    pub streams: BTreeMap<StreamPath, ModelStream>,
    pub documents: BTreeMap<DocumentKey, Vec<u8>>,
}

/// A stream with its bytes; `bytes[0]` is at `head.own_from()`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelStream {
    pub head: Head,
    pub bytes: Vec<u8>,
}

impl Model {
    pub fn apply(&mut self, transaction: &Transaction) {
        for change in &transaction.changes {
            self.apply_change(change);
        }
    }

    fn apply_change(&mut self, change: &Change) {
        match change {
            Change::Create { head, payload } => {
                let stream = ModelStream { head: (**head).clone(), bytes: payload.to_vec() };
                assert!(self.streams.insert(head.path.clone(), stream).is_none());
            }
            Change::Append { id, delta, .. } => {
                let stream = self.by_id(*id);
                stream.head.apply(delta);
                stream.bytes.extend_from_slice(&delta.payload);
            }
            Change::Forks { id, by, .. } => {
                let head = &mut self.by_id(*id).head;
                head.forks = head.forks.checked_add_signed(*by).unwrap();
                head.version.0 += 1;
            }
            Change::SoftDelete { id, .. } => {
                let head = &mut self.by_id(*id).head;
                head.soft_deleted = true;
                head.version.0 += 1;
            }
            Change::Remove { path, .. } => {
                self.streams.remove(path).unwrap();
            }
            Change::PutDocument { key, value } => {
                self.documents.insert(key.clone(), value.to_vec());
            }
            Change::RemoveDocument { key } => {
                self.documents.remove(key);
            }
        }
    }

    fn by_id(&mut self, id: StreamId) -> &mut ModelStream {
        self.streams.values_mut().find(|stream| stream.head.id == id).unwrap()
    }
}

impl ModelStream {
    /// What can still be read, and where it starts.
    pub fn readable(&self) -> (Offset, &[u8]) {
        let start = self.head.earliest.max(self.head.own_from());
        (start, &self.bytes[start.bytes_since(self.head.own_from()) as usize..])
    }
}
