//! Streams in memory, and the transactions that make them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{ContentType, Lifetime, Offset, ProducerStamp, StreamPath, StreamSeq};
use headwater_streams::{
    AppendDelta, Change, Closure, DocumentKey, Durability, ForkOrigin, Head, InheritedSpan, StreamId, Transaction,
    Version,
};

/// What must be there.
#[derive(Debug, Default)]
pub struct Model {
    pub streams: BTreeMap<String, Stream>,
    pub documents: BTreeMap<String, Bytes>,
    ids: u64,
    now_ms: u64,
}

/// A head, and all bytes of its own.
#[derive(Debug)]
pub struct Stream {
    pub head: Head,
    pub bytes: Vec<u8>,
}

impl Model {
    pub fn create(&mut self, path: &str, content_type: &str, lifetime: Lifetime, payload: &[u8]) -> Transaction {
        let mut head = self.new_head(path, content_type);
        head.lifetime = lifetime;
        self.created(head, payload, Vec::new())
    }

    pub fn fork(&mut self, source: &str, path: &str, at: u64) -> Transaction {
        let content_type = self.streams[source].head.content_type.as_str().to_owned();
        let mut head = self.new_head(path, &content_type);
        let origin = &mut self.streams.get_mut(source).unwrap().head;
        let counted = Change::Forks { id: origin.id, path: origin.path.clone(), expected: origin.version, by: 1 };
        origin.forks += 1;
        origin.version.0 += 1;
        let at = Offset::new(at);
        head.fork = Some(ForkOrigin {
            source: origin.id,
            source_path: origin.path.clone(),
            requested_offset: Some(at),
            sub_offset: 0,
            at,
        });
        head.inherited = Arc::from([InheritedSpan { source: origin.id, from: Offset::START, to: at }]);
        head.tail = at;
        self.created(head, b"", vec![counted])
    }

    pub fn append(&mut self, path: &str, payload: &[u8], producer: Option<ProducerStamp>) -> Transaction {
        self.change(path, payload, |delta| delta.producers.extend(producer))
    }

    pub fn sequenced(&mut self, path: &str, payload: &[u8], seq: &[u8]) -> Transaction {
        self.change(path, payload, |delta| delta.stream_seq = Some(StreamSeq::new(seq).unwrap()))
    }

    pub fn close(&mut self, path: &str, by: ProducerStamp) -> Transaction {
        self.change(path, b"", |delta| {
            delta.closure = Some(Closure::Closed { by: Some(by.clone()) });
            delta.producers.push(by);
        })
    }

    pub fn trim(&mut self, path: &str, to: u64) -> Transaction {
        self.change(path, b"", |delta| delta.trim_to = Some(Offset::new(to)))
    }

    pub fn soft_delete(&mut self, path: &str) -> Transaction {
        let head = &mut self.streams.get_mut(path).unwrap().head;
        let change = Change::SoftDelete { id: head.id, path: head.path.clone(), expected: head.version };
        head.soft_deleted = true;
        head.version.0 += 1;
        Transaction { changes: vec![change] }
    }

    pub fn remove(&mut self, path: &str) -> Transaction {
        let head = self.streams.remove(path).unwrap().head;
        Transaction { changes: vec![Change::Remove { id: head.id, path: head.path, expected: head.version }] }
    }

    pub fn put_document(&mut self, key: &str, value: Option<&'static [u8]>) -> Transaction {
        let name = DocumentKey(key.into());
        let change = match value.map(Bytes::from_static) {
            Some(value) => {
                self.documents.insert(key.to_owned(), value.clone());
                Change::PutDocument { key: name, value }
            }
            None => {
                self.documents.remove(key);
                Change::RemoveDocument { key: name }
            }
        };
        Transaction { changes: vec![change] }
    }

    fn created(&mut self, mut head: Head, payload: &[u8], mut changes: Vec<Change>) -> Transaction {
        head.tail = head.tail.advance(payload.len() as u64);
        changes.push(Change::Create { head: Box::new(head.clone()), payload: Bytes::copy_from_slice(payload) });
        self.streams.insert(head.path.as_str().to_owned(), Stream { head, bytes: payload.to_vec() });
        Transaction { changes }
    }

    fn change(&mut self, path: &str, payload: &[u8], more: impl FnOnce(&mut AppendDelta)) -> Transaction {
        self.now_ms += 1000;
        let stream = self.streams.get_mut(path).unwrap();
        let mut delta = AppendDelta {
            start: stream.head.tail,
            payload: Bytes::copy_from_slice(payload),
            producers: Vec::new(),
            stream_seq: None,
            closure: None,
            trim_to: None,
            accessed_at_ms: self.now_ms,
        };
        more(&mut delta);
        let (id, path, expected) = (stream.head.id, stream.head.path.clone(), stream.head.version);
        stream.head.apply(&delta);
        stream.bytes.extend_from_slice(payload);
        Transaction { changes: vec![Change::Append { id, path, expected, delta }] }
    }

    fn new_head(&mut self, path: &str, content_type: &str) -> Head {
        self.ids += 1;
        self.now_ms = self.now_ms.max(1_700_000_000_000) + 1000;
        Head {
            id: StreamId(self.ids),
            path: StreamPath::new(path).unwrap(),
            content_type: ContentType::new(content_type).unwrap(),
            lifetime: Lifetime::Forever,
            durability: Durability::Durable,
            created_at_ms: self.now_ms,
            accessed_at_ms: self.now_ms,
            earliest: Offset::START,
            tail: Offset::START,
            closure: Closure::Open,
            stream_seq: None,
            producers: HashMap::new(),
            fork: None,
            inherited: Arc::from([]),
            forks: 0,
            soft_deleted: false,
            version: Version(1),
        }
    }
}
