//! Records read back as they were written, and as nothing else.

use bytes::Bytes;
use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamSeq, TtlSeconds,
};
use headwater_streams::{Closure, Durability, ForkOrigin, InheritedSpan, ProducerState, Transaction};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::checkpoint::JournalPosition;

const NUMBER: u64 = 7;
const SEED: u32 = 0x1234_5678;

fn stamps() -> impl Strategy<Value = ProducerStamp> {
    ("[a-zé]{1,12}", 0..1u64 << 53, 0..1u64 << 53).prop_map(|(id, epoch, seq)| ProducerStamp {
        id: ProducerId::new(&id).unwrap(),
        epoch: Epoch::new(epoch).unwrap(),
        seq: ProducerSeq::new(seq).unwrap(),
    })
}

fn closures() -> impl Strategy<Value = Closure> {
    prop_oneof![Just(Closure::Open), option::of(stamps()).prop_map(|by| Closure::Closed { by })]
}

fn lifetimes() -> impl Strategy<Value = Lifetime> {
    prop_oneof![
        Just(Lifetime::Forever),
        any::<u64>().prop_map(|ttl| Lifetime::Sliding(TtlSeconds(ttl))),
        any::<i64>().prop_map(|at_ms| Lifetime::Until { at_ms }),
    ]
}

fn payloads() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        3 => vec(any::<u8>(), 0..300),
        1 => (0..3 * CHUNK_BYTES).prop_map(|len| (0..len).map(|index| (index / 7) as u8).collect()),
    ]
    .prop_map(Bytes::from)
}

fn paths() -> impl Strategy<Value = StreamPath> {
    "[a-zä]{1,8}(/[a-z0-9]{1,8}){0,3}".prop_map(|path| StreamPath::new(&path).unwrap())
}

fn sequences() -> impl Strategy<Value = StreamSeq> {
    vec(any::<u8>(), 1..40).prop_map(|bytes| StreamSeq::new(&bytes).unwrap())
}

fn forks() -> impl Strategy<Value = (ForkOrigin, Vec<InheritedSpan>)> {
    let origin = (any::<u64>(), paths(), option::of(any::<u64>()), any::<u64>(), any::<u64>());
    let spans = vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..4);
    (origin, spans).prop_map(|((source, source_path, requested, sub_offset, at), spans)| {
        let origin = ForkOrigin {
            source: StreamId(source),
            source_path,
            requested_offset: requested.map(Offset::new),
            sub_offset,
            at: Offset::new(at),
        };
        let span = |(source, from, to)| InheritedSpan {
            source: StreamId(source),
            from: Offset::new(from),
            to: Offset::new(to),
        };
        (origin, spans.into_iter().map(span).collect())
    })
}

fn heads() -> impl Strategy<Value = Head> {
    let plain = (any::<u64>(), paths(), lifetimes(), any::<[u64; 4]>(), closures(), any::<(u32, bool, bool, u64)>());
    (plain, option::of(sequences()), vec(stamps(), 0..3), option::of(forks())).prop_map(
        |(
            (id, path, lifetime, numbers, closure, (fork_count, ephemeral, soft_deleted, version)),
            seq,
            stamps,
            fork,
        )| {
            let (fork, inherited) = fork.map_or((None, Vec::new()), |(origin, spans)| (Some(origin), spans));
            Head {
                id: StreamId(id),
                path,
                content_type: ContentType::new("text/plain; charset=utf-8").unwrap(),
                lifetime,
                durability: if ephemeral { Durability::Ephemeral } else { Durability::Durable },
                created_at_ms: numbers[0],
                accessed_at_ms: numbers[1],
                earliest: Offset::new(numbers[2]),
                tail: Offset::new(numbers[3]),
                closure,
                stream_seq: seq,
                producers: stamps
                    .into_iter()
                    .map(|stamp| (stamp.id, ProducerState { epoch: stamp.epoch, seq: stamp.seq }))
                    .collect(),
                fork,
                inherited: inherited.into(),
                forks: fork_count,
                soft_deleted,
                version: Version(version),
            }
        },
    )
}

fn appends() -> impl Strategy<Value = Change> {
    let delta = (0..u64::MAX / 2, payloads(), vec(stamps(), 0..3), option::of(sequences()), option::of(closures()));
    (any::<(u64, u64, u64)>(), paths(), delta, option::of(any::<u64>())).prop_map(
        |((id, expected, accessed_at_ms), path, (start, payload, producers, stream_seq, closure), trim)| {
            Change::Append {
                id: StreamId(id),
                path,
                expected: Version(expected),
                delta: AppendDelta {
                    start: Offset::new(start),
                    payload,
                    producers,
                    stream_seq,
                    closure,
                    trim_to: trim.map(Offset::new),
                    accessed_at_ms,
                },
            }
        },
    )
}

fn changes() -> impl Strategy<Value = Change> {
    let key = || "[a-z/]{1,20}".prop_map(|key| DocumentKey(key.into()));
    let target = || (any::<u64>(), paths(), any::<u64>());
    prop_oneof![
        4 => appends(),
        2 => (heads(), payloads()).prop_map(|(head, payload)| Change::Create { head: Box::new(head), payload }),
        1 => (target(), any::<i32>()).prop_map(|((id, path, expected), by)| {
            Change::Forks { id: StreamId(id), path, expected: Version(expected), by }
        }),
        1 => target().prop_map(|(id, path, expected)| {
            Change::SoftDelete { id: StreamId(id), path, expected: Version(expected) }
        }),
        1 => target().prop_map(|(id, path, expected)| {
            Change::Remove { id: StreamId(id), path, expected: Version(expected) }
        }),
        1 => (key(), vec(any::<u8>(), 0..200)).prop_map(|(key, value)| {
            Change::PutDocument { key, value: value.into() }
        }),
        1 => key().prop_map(|key| Change::RemoveDocument { key }),
    ]
}

fn transactions() -> impl Strategy<Value = Transaction> {
    vec(changes(), 1..5).prop_map(|changes| Transaction { changes })
}

/// A segment with one record at its start; also where the record's payload begins.
fn segment_of(transaction: &Transaction) -> (Vec<u8>, usize) {
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
    let mut encoded = Vec::new();
    encode_changes(&mut encoded, &transaction.changes);
    let previous_end = Some(JournalPosition { segment: NUMBER - 1, offset: 99 });
    let place = Place { epoch: 3, seed: SEED, back: 0, previous_end };
    let payload_start = encode_record(&mut bytes, &place, &encoded, &transaction.changes);
    let bound = record_bytes_max(encoded.len(), &transaction.changes);
    assert!(bytes.len() - SEGMENT_HEADER_BYTES <= bound);
    (bytes, payload_start)
}

fn with_seed(bytes: &[u8], seed: u32) -> SegmentBytes<'_> {
    SegmentBytes { bytes, number: NUMBER, seed }
}

/// What replay must see of a transaction whose payloads begin at `position`.
fn as_logged(transaction: Transaction, mut position: usize) -> Vec<Logged> {
    let log = |change: Change| {
        let len = payload_of(&change).len();
        let placed = Placed { segment: NUMBER as u32, position: position as u32, len: len as u32 };
        position += framed_len(len);
        Logged::new(change, placed)
    };
    transaction.changes.into_iter().map(log).collect()
}

proptest! {
    #[test]
    fn a_record_reads_back_as_it_was_written(transaction in transactions()) {
        let (bytes, payload_start) = segment_of(&transaction);
        let segment = with_seed(&bytes, SEED);
        let record = parse(&segment, SEGMENT_HEADER_BYTES).unwrap();
        let mut decoded = Vec::new();
        Decoder::default().changes(&record, &mut decoded).unwrap();
        prop_assert_eq!((record.epoch, record.end), (3, bytes.len()));
        prop_assert_eq!(record.previous_end, Some(JournalPosition { segment: NUMBER - 1, offset: 99 }));
        prop_assert_eq!(record.damaged_payload(&decoded), None);
        prop_assert_eq!(decoded, as_logged(transaction, payload_start));
    }

    #[test]
    fn a_record_of_another_segment_does_not_hold(transaction in transactions(), seed in any::<u32>()) {
        prop_assume!(seed != SEED);
        let (bytes, _) = segment_of(&transaction);
        prop_assert!(parse(&with_seed(&bytes, seed), SEGMENT_HEADER_BYTES).is_none());
    }

    #[test]
    fn a_flipped_bit_is_noticed(transaction in transactions(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (mut bytes, payload_start) = segment_of(&transaction);
        let at = SEGMENT_HEADER_BYTES + at.index(bytes.len() - SEGMENT_HEADER_BYTES);
        bytes[at] ^= 1 << bit;
        let segment = with_seed(&bytes, SEED);
        let record = parse(&segment, SEGMENT_HEADER_BYTES);
        prop_assert_eq!(record.is_some(), at >= payload_start);
        if let Some(record) = record {
            let mut decoded = Vec::new();
            Decoder::default().changes(&record, &mut decoded).unwrap();
            prop_assert!(record.damaged_payload(&decoded).unwrap().contains(&at));
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in vec(any::<u8>(), 0..400)) {
        let mut segment = vec![0; SEGMENT_HEADER_BYTES];
        // A header that holds, so that the decoder sees the bytes.
        let meta_len = bytes.len() as u32 | u32::from(KIND_TRANSACTION) << 24;
        segment.extend_from_slice(&[0; 4]);
        segment.extend_from_slice(&meta_len.to_le_bytes());
        segment.extend_from_slice(&[0; 4]);
        segment.extend_from_slice(&bytes);
        let crc = crc32c::crc32c_append(SEED, &segment[SEGMENT_HEADER_BYTES + 4..]);
        segment[SEGMENT_HEADER_BYTES..SEGMENT_HEADER_BYTES + 4].copy_from_slice(&crc.to_le_bytes());
        if let Some(record) = parse(&with_seed(&segment, SEED), SEGMENT_HEADER_BYTES) {
            Decoder::default().changes(&record, &mut Vec::new());
        }
    }
}

#[test]
fn a_small_append_takes_at_most_forty_bytes_more_than_its_payload() {
    let delta = AppendDelta {
        start: Offset::new(100_000),
        payload: Bytes::from(vec![1; 256]),
        producers: Vec::new(),
        stream_seq: None,
        closure: None,
        trim_to: None,
        accessed_at_ms: 1_800_000_000_000,
    };
    let path = StreamPath::new("chat/with/a/long/name").unwrap();
    let changes = [Change::Append { id: StreamId(100_000), path, expected: Version(10_000), delta }];
    let (mut encoded, mut record) = (Vec::new(), Vec::new());
    encode_changes(&mut encoded, &changes);
    encode_record(&mut record, &Place { epoch: 20, seed: SEED, back: 9_000, previous_end: None }, &encoded, &changes);
    assert!(record.len() <= 256 + 40, "{} bytes", record.len() - 256);
}

#[test]
fn no_two_of_a_million_segments_share_a_seed() {
    let seeds: std::collections::HashSet<u32> = (0..1_000_000).map(|number| seed(SEED, number)).collect();
    assert_eq!(seeds.len(), 1_000_000);
}
