//! Opening, closing, and what keeps a data directory small.
#![allow(clippy::unwrap_used, reason = "this is test code throughout")]

mod world;

use std::fs;

use headwater_protocol::{Offset, StreamPath};
use headwater_storage::{EmbeddedStore, FORMAT_FILE, OpenError, StoreOptions};
use headwater_streams::{BatchId, Change, Store, StoreError, StreamId, Transaction};
use tempfile::TempDir;

use world::workload::{append_to, new_head};
use world::{World, difference, now};

#[test]
fn a_closed_store_replays_nothing_and_takes_nothing() {
    let mut world = World::new(31);
    let store = world.open().unwrap();
    for _ in 0..50 {
        world.commit_random(&store).unwrap();
    }
    assert!(store.stats().replay_bytes > 0);
    now(store.close()).unwrap();
    assert!(matches!(now(store.reserve(1, 1)), Err(StoreError::Closed)));
    assert!(matches!(now(store.commit(BatchId(0), Vec::new())), Err(StoreError::Closed)));
    let store = world.open().unwrap();
    assert_eq!(store.stats().replay_bytes, 0);
    assert_eq!(difference(&store, &world.model), None);
}

#[test]
fn the_journal_is_recycled_and_stays_small() {
    let mut world = World::new(32);
    let store = world.open().unwrap();
    let mut largest = 0;
    for _ in 0..600 {
        world.commit_random(&store).unwrap();
        store.upkeep().unwrap();
        // Segments of their own size, for large transactions, come and go.
        let standard = world.disk.paths().into_iter().filter(|path| path.ends_with(".seg"));
        largest = largest.max(standard.count());
    }
    assert!(largest <= 12, "{largest} segments");
    assert_eq!(difference(&store, &world.model), None);
}

#[test]
fn reopening_at_any_time_changes_nothing() {
    let mut world = World::new(33);
    for _ in 0..60 {
        let store = world.open().unwrap();
        assert_eq!(difference(&store, &world.model), None);
        for _ in 0..7 {
            world.commit_random(&store).unwrap();
        }
        store.upkeep().unwrap();
    }
}

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path(), StoreOptions::default()).unwrap();
    match EmbeddedStore::open(dir.path(), StoreOptions::default()) {
        Err(OpenError::Locked { pid }) => assert_eq!(pid, std::process::id()),
        other => panic!("{other:?}"),
    }
    now(store.close()).unwrap();
    EmbeddedStore::open(dir.path(), StoreOptions::default()).unwrap();
}

#[test]
fn directories_of_later_formats_and_of_others_are_refused() {
    let dir = TempDir::new().unwrap();
    let open = || EmbeddedStore::open(dir.path(), StoreOptions::default()).map(drop);
    open().unwrap();
    fs::write(dir.path().join(FORMAT_FILE), "headwater data directory\nformat 2\nwhatever\n").unwrap();
    assert!(matches!(open(), Err(OpenError::NewerFormat { found: 2, known: 1 })));
    fs::write(dir.path().join(FORMAT_FILE), "something else").unwrap();
    assert!(matches!(open(), Err(OpenError::Foreign { .. })));
}

#[test]
fn threads_of_the_store_checkpoint_and_archive_under_load() {
    let dir = TempDir::new().unwrap();
    let options = StoreOptions { limits: world::small_limits(), ..StoreOptions::default() };
    let store = EmbeddedStore::open(dir.path(), options.clone()).unwrap();
    let mut stream = new_head(StreamId(1), "a", 0);
    let commit = |change: Change| {
        now(store.reserve(1, 2_000)).unwrap();
        now(store.commit(BatchId(0), vec![Transaction { changes: vec![change] }])).unwrap();
    };
    commit(Change::Create { head: Box::new(stream.clone()), payload: Default::default() });
    for round in 0..500u32 {
        let append = append_to(&stream, vec![round as u8; 2_000].into());
        let Change::Append { delta, .. } = &append else { unreachable!() };
        stream.apply(delta);
        commit(append);
        let at = Offset::new(u64::from(round / 2) * 2_000);
        let read = now(store.read(StreamId(1), at..at.advance(2_000))).unwrap();
        assert_eq!(read, vec![(round / 2) as u8; 2_000], "readers never see a hole");
    }
    now(store.close()).unwrap();
    let store = EmbeddedStore::open(dir.path(), options).unwrap();
    let head = now(store.load(&[StreamPath::new("a").unwrap()])).unwrap().pop().unwrap();
    assert_eq!(head, Some(stream));
    assert_eq!(store.stats().replay_bytes, 0);
}

#[test]
fn ids_are_never_given_out_twice() {
    let world = World::new(34);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        let store = world.open().unwrap();
        for _ in 0..10 {
            assert!(seen.insert(now(store.allocate_id()).unwrap()));
        }
    }
}
