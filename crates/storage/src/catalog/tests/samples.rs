//! Heads and patches to test with.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamPath, StreamSeq, TtlSeconds,
};
use headwater_streams::{Closure, Durability, ForkOrigin, Head, InheritedSpan, ProducerState, StreamId, Version};
use proptest::option;
use proptest::prelude::*;

use crate::checkpoint::HeadPatch;

const NUMBER_MAX: u64 = headwater_protocol::limits::PRODUCER_NUMBER_MAX;

pub(super) fn path(text: &str) -> StreamPath {
    StreamPath::new(text).unwrap()
}

/// A new, empty stream.
pub(super) fn head(id: u64, name: &str) -> Head {
    Head {
        id: StreamId(id),
        path: path(name),
        content_type: ContentType::octet_stream(),
        lifetime: Lifetime::Forever,
        durability: Durability::Durable,
        created_at_ms: 1_000,
        accessed_at_ms: 1_000,
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

pub(super) fn any_head(id: u64) -> impl Strategy<Value = Head> {
    let config = (any_path(), any_content_type(), any_lifetime(), any::<bool>(), any::<[u32; 2]>());
    let extent = (0..1_u64 << 40, 0..1_u64 << 40, any_closure(), option::of(any_stream_seq()));
    let relations = (any_producers(), option::of(any_fork()), any_spans(), 0..9_u32, any::<bool>(), 0..1_u64 << 50);
    (config, extent, relations).prop_map(move |(config, extent, relations)| {
        let (path, content_type, lifetime, ephemeral, [created, accessed]) = config;
        let (earliest, len, closure, stream_seq) = extent;
        let (producers, fork, inherited, forks, soft_deleted, version) = relations;
        Head {
            id: StreamId(id),
            path,
            content_type,
            lifetime,
            durability: if ephemeral { Durability::Ephemeral } else { Durability::Durable },
            created_at_ms: u64::from(created) * 1000,
            accessed_at_ms: u64::from(accessed) * 1000,
            earliest: Offset::new(earliest),
            tail: Offset::new(earliest + len),
            closure,
            stream_seq,
            producers,
            fork,
            inherited,
            forks,
            soft_deleted,
            version: Version(version),
        }
    })
}

/// A patch with `base` 0 and the number of its changes as `version`.
pub(super) fn any_patch() -> impl Strategy<Value = HeadPatch> {
    let numbers = (1..9_u64, option::of(1_u64 << 41..1 << 42), option::of(0..1_u64 << 41), any::<u32>(), 0..3_i32);
    let values = (option::of(any_closure()), option::of(any_stream_seq()), any_producers(), prop::bool::weighted(0.2));
    (numbers, values).prop_map(|((version, tail, earliest, accessed, forks_by), values)| {
        let (closure, stream_seq, producers, soft_deleted) = values;
        HeadPatch {
            version: Version(version),
            tail: tail.map(Offset::new),
            earliest: earliest.map(Offset::new),
            accessed_at_ms: u64::from(accessed) * 1000,
            closure: closure.filter(|closure| *closure != Closure::Open),
            stream_seq,
            producers: producers.into_iter().collect(),
            forks_by,
            soft_deleted,
            ..HeadPatch::new(StreamId(1), Version(0))
        }
    })
}

fn any_path() -> impl Strategy<Value = StreamPath> {
    "[a-zé%_ '\"]{1,12}(/[a-z0-9]{1,8}){0,3}".prop_map(|text| path(&text))
}

fn any_content_type() -> impl Strategy<Value = ContentType> {
    let texts = prop::sample::select(vec!["application/json", "Text/Plain; charset=utf-8", "application/octet-stream"]);
    texts.prop_map(|text| ContentType::new(text).unwrap())
}

fn any_lifetime() -> impl Strategy<Value = Lifetime> {
    prop_oneof![
        Just(Lifetime::Forever),
        prop_oneof![0..100_000_u64, any::<u64>()].prop_map(|seconds| Lifetime::Sliding(TtlSeconds(seconds))),
        prop_oneof![0..1_i64 << 45, any::<i64>()].prop_map(|at_ms| Lifetime::Until { at_ms }),
    ]
}

fn any_closure() -> impl Strategy<Value = Closure> {
    prop_oneof![
        Just(Closure::Open),
        Just(Closure::Closed { by: None }),
        (any_producer_id(), any_state()).prop_map(|(id, state)| {
            Closure::Closed { by: Some(ProducerStamp { id, epoch: state.epoch, seq: state.seq }) }
        }),
    ]
}

fn any_stream_seq() -> impl Strategy<Value = StreamSeq> {
    prop::collection::vec(any::<u8>(), 1..20).prop_map(|bytes| StreamSeq::new(&bytes).unwrap())
}

fn any_producer_id() -> impl Strategy<Value = ProducerId> {
    "[a-zß'\" ]{1,16}".prop_map(|text| ProducerId::new(&text).unwrap())
}

fn any_state() -> impl Strategy<Value = ProducerState> {
    (0..=NUMBER_MAX, 0..=NUMBER_MAX).prop_map(|(epoch, seq)| ProducerState {
        epoch: Epoch::new(epoch).unwrap(),
        seq: ProducerSeq::new(seq).unwrap(),
    })
}

fn any_producers() -> impl Strategy<Value = HashMap<ProducerId, ProducerState>> {
    prop::collection::hash_map(any_producer_id(), any_state(), 0..4)
}

fn any_fork() -> impl Strategy<Value = ForkOrigin> {
    (any::<u64>(), any_path(), option::of(any::<u64>()), any::<u64>(), any::<u64>()).prop_map(
        |(source, source_path, requested, sub_offset, at)| ForkOrigin {
            source: StreamId(source),
            source_path,
            requested_offset: requested.map(Offset::new),
            sub_offset,
            at: Offset::new(at),
        },
    )
}

fn any_spans() -> impl Strategy<Value = Arc<[InheritedSpan]>> {
    let span = any::<[u64; 3]>().prop_map(|[source, from, to]| InheritedSpan {
        source: StreamId(source),
        from: Offset::new(from),
        to: Offset::new(to),
    });
    prop::collection::vec(span, 0..4).prop_map(Arc::from)
}
