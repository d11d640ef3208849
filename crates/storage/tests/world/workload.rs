//! Random transactions that follow from what a model holds.

use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamPath, StreamSeq, TtlSeconds,
};
use headwater_streams::{AppendDelta, Change, Closure, DocumentKey, Durability, Head, StreamId, Transaction, Version};
use rand::Rng;
use rand::rngs::StdRng;

use super::model::{Model, ModelStream};

const STREAMS_MAX: usize = 7;
const STREAM_BYTES_MAX: u64 = 15_000;
/// Streams that one transaction appends to.
const TOGETHER_MAX: usize = 3;

/// A transaction that a store holding `model` must take. `next_id` gives ids for new streams.
pub fn transaction(random: &mut StdRng, model: &Model, next_id: &mut impl FnMut() -> StreamId) -> Transaction {
    let live: Vec<&ModelStream> = model.streams.values().collect();
    let pick = random.random_range(0..100);
    let changes = if live.is_empty() || (pick < 12 && live.len() < STREAMS_MAX) {
        vec![create(random, model, next_id())]
    } else {
        let stream = live[random.random_range(0..live.len())];
        match pick {
            0..80 if stream.head.tail.get() < STREAM_BYTES_MAX => vec![append(random, &stream.head)],
            80..84 => vec![soft_delete(&stream.head)],
            84..88 => vec![forks(random, &stream.head)],
            88..92 => vec![document(random)],
            92..95 => over_several(random, model, next_id()),
            _ => remove_and_maybe_recreate(random, &stream.head, next_id),
        }
    };
    Transaction { changes }
}

/// Changes to streams that may grow, a new stream and a document.
pub fn over_several(random: &mut StdRng, model: &Model, id: StreamId) -> Vec<Change> {
    let growing = model.streams.values().filter(|stream| stream.head.tail.get() < STREAM_BYTES_MAX);
    let mut changes: Vec<Change> = growing.take(TOGETHER_MAX).map(|stream| append(random, &stream.head)).collect();
    changes.extend([create(random, model, id), document(random)]);
    changes
}

/// Bytes that tell where they belong.
pub fn payload(random: &mut StdRng, id: StreamId, start: u64) -> Bytes {
    let len = match random.random_range(0..100) {
        0..5 => 0,
        5..80 => random.random_range(1..400),
        80..98 => random.random_range(400..4_000),
        _ => random.random_range(4_000..20_000),
    };
    (start..start + len).map(|at| (at.wrapping_mul(31) ^ id.0.wrapping_mul(97)) as u8).collect()
}

pub fn append_to(head: &Head, payload: Bytes) -> Change {
    let delta = AppendDelta {
        start: head.tail,
        payload,
        producers: Vec::new(),
        stream_seq: None,
        closure: None,
        trim_to: None,
        accessed_at_ms: head.accessed_at_ms + 1,
    };
    Change::Append { id: head.id, path: head.path.clone(), expected: head.version, delta }
}

pub fn new_head(id: StreamId, path: &str, len: u64) -> Head {
    Head {
        id,
        path: StreamPath::new(path).unwrap(),
        content_type: ContentType::new("text/plain").unwrap(),
        lifetime: Lifetime::Forever,
        durability: Durability::Durable,
        created_at_ms: 1_000,
        accessed_at_ms: 1_000,
        earliest: Offset::START,
        tail: Offset::new(len),
        closure: Closure::Open,
        stream_seq: None,
        producers: Default::default(),
        fork: None,
        inherited: Arc::from([]),
        forks: 0,
        soft_deleted: false,
        version: Version(1),
    }
}

fn create(random: &mut StdRng, model: &Model, id: StreamId) -> Change {
    let free = |path: &String| !model.streams.contains_key(path.as_str());
    let path = (0..).map(|number| format!("s/{number}")).find(free).unwrap();
    create_at(random, id, &path)
}

fn create_at(random: &mut StdRng, id: StreamId, path: &str) -> Change {
    let payload = payload(random, id, 0);
    let mut head = new_head(id, path, payload.len() as u64);
    if random.random() {
        head.lifetime = Lifetime::Sliding(TtlSeconds(random.random_range(1..1_000)));
    }
    Change::Create { head: Box::new(head), payload }
}

fn append(random: &mut StdRng, head: &Head) -> Change {
    let payload = payload(random, head.id, head.tail.get());
    let tail = head.tail.get() + payload.len() as u64;
    let Change::Append { id, path, expected, mut delta } = append_to(head, payload) else { unreachable!() };
    if random.random_range(0..3) == 0 {
        delta.producers.push(stamp(random));
    }
    if random.random_range(0..8) == 0 {
        delta.stream_seq = Some(StreamSeq::new(&head.version.0.to_be_bytes()).unwrap());
    }
    if random.random_range(0..30) == 0 {
        delta.closure = Some(Closure::Closed { by: Some(stamp(random)) });
    }
    if random.random_range(0..12) == 0 {
        delta.trim_to = Some(Offset::new(random.random_range(head.earliest.get()..=tail)));
    }
    Change::Append { id, path, expected, delta }
}

fn stamp(random: &mut StdRng) -> ProducerStamp {
    ProducerStamp {
        id: ProducerId::new(["a", "b", "c"][random.random_range(0..3)]).unwrap(),
        epoch: Epoch::ZERO,
        seq: ProducerSeq::new(random.random_range(0..1_000_000)).unwrap(),
    }
}

fn soft_delete(head: &Head) -> Change {
    Change::SoftDelete { id: head.id, path: head.path.clone(), expected: head.version }
}

fn forks(random: &mut StdRng, head: &Head) -> Change {
    let by = if head.forks > 0 && random.random() { -1 } else { 1 };
    Change::Forks { id: head.id, path: head.path.clone(), expected: head.version, by }
}

fn remove_and_maybe_recreate(random: &mut StdRng, head: &Head, next_id: &mut impl FnMut() -> StreamId) -> Vec<Change> {
    let mut changes = vec![Change::Remove { id: head.id, path: head.path.clone(), expected: head.version }];
    if random.random() {
        changes.push(create_at(random, next_id(), head.path.as_str()));
    }
    changes
}

fn document(random: &mut StdRng) -> Change {
    let key = DocumentKey(format!("d/{}", random.random_range(0..4)).into());
    if random.random_range(0..4) == 0 {
        return Change::RemoveDocument { key };
    }
    Change::PutDocument { key, value: vec![random.random(); random.random_range(0..200)].into() }
}
