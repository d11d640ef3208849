//! Reads and look-ups, wherever the bytes and heads are: memory, journal, catalog, archive.
#![allow(clippy::unwrap_used, reason = "this is test code throughout")]

mod world;

use bytes::Bytes;
use headwater_protocol::{Lifetime, Offset, StreamPath, TtlSeconds};
use headwater_streams::{Change, Durability, Head, Store, StoreError, StreamId, Transaction};
use rand::Rng;

use world::workload::{append_to, new_head};
use world::{World, difference, head, now};

fn one(change: Change) -> Vec<Transaction> {
    vec![Transaction { changes: vec![change] }]
}

fn create(head: &Head, payload: Vec<u8>) -> Change {
    Change::Create { head: Box::new(head.clone()), payload: payload.into() }
}

/// A stream with payloads of many sizes, longer than chunks and segments.
fn with_large_payloads(world: &mut World, store: &headwater_storage::EmbeddedStore) -> Vec<u8> {
    world.commit(store, one(create(&new_head(StreamId(1), "a", 0), Vec::new()))).unwrap();
    let mut all = Vec::new();
    for len in [1, 70_000, 300, 65_536, 65_537, 12, 200_000, 4_000, 131_072, 5] {
        let payload: Vec<u8> = (0..len).map(|_| world.random.random()).collect();
        let head = world.model.streams.values().next().unwrap().head.clone();
        world.commit(store, one(append_to(&head, payload.clone().into()))).unwrap();
        all.extend(payload);
    }
    all
}

fn read_random_ranges(world: &mut World, store: &headwater_storage::EmbeddedStore, all: &[u8]) {
    for _ in 0..300 {
        let start = world.random.random_range(0..=all.len());
        let end = (start + world.random.random_range(0..256 * 1024)).min(all.len());
        let read = now(store.read(StreamId(1), Offset::new(start as u64)..Offset::new(end as u64))).unwrap();
        assert!(read == all[start..end], "{start}..{end}");
    }
}

#[test]
fn any_range_reads_exactly_across_records_segments_and_archive() {
    for can_read_nowait in [true, false] {
        let mut world = World::new(21);
        if !can_read_nowait {
            world.disk.forbid_nowait();
        }
        let store = world.open().unwrap();
        let all = with_large_payloads(&mut world, &store);
        read_random_ranges(&mut world, &store, &all);
        store.checkpoint().unwrap();
        store.upkeep().unwrap();
        assert!(store.stats().archive_files > 0);
        let head = world.model.streams.values().next().unwrap().head.clone();
        world.commit(&store, one(append_to(&head, vec![9; 100].into()))).unwrap();
        let all = [all, vec![9; 100]].concat();
        read_random_ranges(&mut world, &store, &all);
        drop(store);
        let store = world.open().unwrap();
        read_random_ranges(&mut world, &store, &all);
    }
}

#[test]
fn listings_page_through_memory_and_catalog_as_one() {
    let mut world = World::new(22);
    let store = world.open().unwrap();
    for round in 0..400 {
        world.commit_random(&store).unwrap();
        if round % 25 == 0 {
            store.checkpoint().unwrap();
        }
        let limit = world.random.random_range(1..4);
        let mut listed = Vec::new();
        let mut after: Option<StreamPath> = None;
        loop {
            let page = now(store.list("s/", after.as_ref(), limit)).unwrap();
            after = page.last().map(|row| row.path.clone());
            listed.extend(page);
            if after.is_none() {
                break;
            }
        }
        assert!(listed.iter().map(|row| &row.path).eq(world.model.streams.keys()));
        assert_eq!(store.stats().streams, listed.len() as u64);
    }
    assert_eq!(now(store.list("s/1", None, 0)).unwrap(), []);
    assert_eq!(now(store.list("t", None, 9)).unwrap(), []);
}

#[test]
fn streams_expire_by_what_memory_and_catalog_say_together() {
    let mut world = World::new(23);
    let store = world.open().unwrap();
    let head_of = |id, path: &str, ttl| {
        let mut head = new_head(StreamId(id), path, 0);
        head.lifetime = Lifetime::Sliding(TtlSeconds(ttl));
        head
    };
    let heads = [head_of(1, "a", 10), head_of(2, "b", 10), head_of(3, "c", 1_000)];
    for head in &heads {
        world.commit(&store, one(create(head, Vec::new()))).unwrap();
    }
    let expired = |now_ms| now(store.expired(now_ms, 10)).unwrap();
    let path = |text: &str| StreamPath::new(text).unwrap();
    assert_eq!(expired(10_999), []);
    assert_eq!(expired(11_000).len(), 2);
    store.checkpoint().unwrap();
    assert_eq!(expired(11_000), [path("a"), path("b")]);
    let Change::Append { id, path: at, expected, mut delta } = append_to(&heads[0], Bytes::new()) else {
        unreachable!()
    };
    delta.accessed_at_ms = 8_000;
    world.commit(&store, one(Change::Append { id, path: at, expected, delta })).unwrap();
    assert_eq!(expired(11_000), [path("b")]);
    let gone = Change::Remove { id: StreamId(2), path: path("b"), expected: heads[1].version };
    world.commit(&store, one(gone)).unwrap();
    assert_eq!(expired(11_000), []);
    assert_eq!(expired(18_000), [path("a")]);
}

#[test]
fn ephemeral_streams_are_whole_until_the_end_of_the_process() {
    let mut world = World::new(24);
    let store = world.open().unwrap();
    let mut ephemeral = new_head(StreamId(1), "e", 3);
    ephemeral.durability = Durability::Ephemeral;
    let durable = new_head(StreamId(2), "d", 3);
    let both = vec![create(&ephemeral, b"abc".to_vec()), create(&durable, b"xyz".to_vec())];
    let before = store.stats().written_bytes;
    world.commit(&store, vec![Transaction { changes: both }]).unwrap();
    let with_create = store.stats().written_bytes;
    assert!(with_create > before);
    let append = append_to(&ephemeral, b"defgh".as_slice().into());
    world.commit(&store, one(append)).unwrap();
    assert_eq!(store.stats().written_bytes, with_create, "nothing of an ephemeral stream is written");
    assert_eq!(difference(&store, &world.model), None);
    store.checkpoint().unwrap();
    assert_eq!(difference(&store, &world.model), None);
    drop(store);
    let store = world.open().unwrap();
    assert_eq!(head(&store, "e"), None);
    assert_eq!(head(&store, "d").map(|head| head.id), Some(StreamId(2)));
}

#[test]
fn the_oldest_ephemeral_bytes_go_when_there_are_too_many() {
    let mut world = World::new(25);
    world.limits.ephemeral_bytes_max = 1_000;
    let store = world.open().unwrap();
    let mut stream = new_head(StreamId(1), "e", 600);
    stream.durability = Durability::Ephemeral;
    world.commit(&store, one(create(&stream, vec![1; 600]))).unwrap();
    world.commit(&store, one(append_to(&stream, vec![2; 600].into()))).unwrap();
    let read = |from, to| now(store.read(StreamId(1), Offset::new(from)..Offset::new(to)));
    assert_eq!(read(600, 1_200).unwrap(), vec![2; 600]);
    assert!(matches!(read(0, 600), Err(StoreError::Reclaimed)));
}

#[test]
fn a_removed_stream_reads_as_no_longer_kept() {
    let mut world = World::new(26);
    let store = world.open().unwrap();
    let stream = new_head(StreamId(1), "a", 4);
    world.commit(&store, one(create(&stream, b"gone".to_vec()))).unwrap();
    let remove = Change::Remove { id: stream.id, path: stream.path.clone(), expected: stream.version };
    world.commit(&store, one(remove)).unwrap();
    let read = now(store.read(StreamId(1), Offset::START..Offset::new(4)));
    assert!(matches!(read, Err(StoreError::Reclaimed)), "{read:?}");
}
