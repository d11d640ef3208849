//! Disks that fail without the machine stopping: full, short writes, failed syncs, flipped bits, lost files.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is test code throughout")]

mod world;

use headwater_protocol::Offset;
use headwater_storage::EmbeddedStore;
use headwater_streams::{Change, Store, StoreError, StreamId, Transaction};
use headwater_testing::disk::{Fault, FaultyDisk};
use rand::Rng;

use world::model::{Model, ModelStream};
use world::workload::{append_to, new_head};
use world::{World, difference, now, read_all};

const CHANGES_MAX: u64 = 40;

/// Works through many lives, each of which meets one fault, and ends by a kill or a power loss.
fn fail_again_and_again(seed: u64, fault: Fault, lives: u64) {
    println!("seed {seed}, {fault:?}");
    let mut world = World::new(seed);
    for life in 0..lives {
        world.disk.fail_after(life % CHANGES_MAX, fault);
        if let Ok(store) = world.open() {
            world.settle(&store);
            live(&mut world, &store);
        }
        if world.random.random() {
            world.disk.kill();
        } else {
            world.disk.restart();
        }
    }
    let store = world.open().unwrap();
    world.settle(&store);
    world.commit_random(&store).unwrap();
}

/// Works until a commit fails; a failure of the upkeep harms nobody.
fn live(world: &mut World, store: &EmbeddedStore) {
    for _ in 0..CHANGES_MAX {
        let done = match world.random.random_range(0..10) {
            0 => store.upkeep(),
            1 => store.checkpoint(),
            _ => world.commit_random(store),
        };
        match done {
            Ok(()) => {}
            // Upkeep or reserving failed; the same may succeed now.
            Err(StoreError::Full | StoreError::Io { .. }) if world.unknown.is_empty() => {}
            Err(error) => {
                assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
                assert!(matches!(now(store.reserve(1, 1)), Err(StoreError::Poisoned { .. })));
                assert_eq!(difference(store, &world.model), None, "what was acknowledged stays readable");
                return;
            }
        }
    }
}

#[test]
fn short_writes_lose_nothing_acknowledged() {
    fail_again_and_again(11, Fault::Short, 400);
}

#[test]
fn failed_writes_and_syncs_lose_nothing_acknowledged() {
    fail_again_and_again(12, Fault::Error, 400);
}

#[test]
fn a_disk_that_is_full_for_a_moment_loses_nothing_acknowledged() {
    fail_again_and_again(13, Fault::NoSpace, 400);
}

#[test]
fn a_full_disk_refuses_before_anything_is_decided_and_recovers_without_a_restart() {
    let mut world = World::new(14);
    let store = world.open().unwrap();
    world.commit_random(&store).unwrap();
    world.disk.set_capacity(world.disk.used());
    let refused = loop {
        if let Err(refused) = world.commit_random(&store) {
            break refused;
        }
    };
    assert!(matches!(refused, StoreError::Full), "{refused}");
    assert!(!store.stats().poisoned);
    assert_eq!(difference(&store, &world.model), None);
    world.disk.set_capacity(u64::MAX);
    world.commit_random(&store).unwrap();
    assert_eq!(difference(&store, &world.model), None);
}

/// Five segments of records on top of a checkpoint.
fn filled(seed: u64) -> World {
    let mut world = World::new(seed);
    world.limits.archive_segments = 100;
    let store = world.open().unwrap();
    for round in 0..120 {
        if round == 40 {
            store.checkpoint().unwrap();
        }
        world.commit_random(&store).unwrap();
    }
    world
}

/// Opens a copy of the disk after `harm`, and checks that nothing false is told. Returns whether the store noticed.
fn check_harmed(world: &World, harm: impl FnOnce(&FaultyDisk)) -> bool {
    let harmed = World { disk: world.disk.copy(), catalog_dir: copy_catalog(world), ..World::new(0) };
    let harmed = World { limits: world.limits.clone(), ..harmed };
    harm(&harmed.disk);
    let store = harmed.open().unwrap();
    let is_poisoned = store.stats().poisoned;
    let mut noticed = is_poisoned;
    for (path, stream) in &world.model.streams {
        let head = now(store.load(std::slice::from_ref(path))).unwrap().pop().unwrap();
        assert!(is_poisoned || head.as_ref() == Some(&stream.head), "{path} is behind and nobody was told");
        let (start, bytes) = stream.readable();
        let end = head.map_or(start, |head| head.tail);
        match read_all(&store, stream.head.id, start, end.max(start)) {
            Ok(read) => assert_eq!(read, bytes[..read.len()], "{path} reads other bytes than were written"),
            Err(StoreError::Damaged { range, .. }) => {
                assert!(range.start >= start && range.end <= end && range.start < range.end);
                noticed = true;
            }
            Err(error) => panic!("{path}: {error}"),
        }
    }
    if is_poisoned {
        assert!(matches!(now(store.reserve(1, 1)), Err(StoreError::Poisoned { .. })));
    }
    noticed
}

fn copy_catalog(world: &World) -> tempfile::TempDir {
    let copy = tempfile::TempDir::new().unwrap();
    for entry in std::fs::read_dir(world.catalog_dir.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn segments(disk: &FaultyDisk) -> Vec<String> {
    disk.paths().into_iter().filter(|path| path.ends_with(".seg")).collect()
}

#[test]
fn flipped_bits_are_noticed_and_never_served() {
    let mut world = filled(15);
    let before_last = world.disk.copy();
    let store = world.open().unwrap();
    world.commit_random(&store).unwrap();
    drop(store);
    let files = segments(&before_last);
    let mut noticed = 0;
    for _ in 0..150 {
        let file = &files[world.random.random_range(0..files.len())];
        let (at, bit) = (world.random.random_range(0..16 * 1024), world.random.random_range(0..8));
        // Nothing tells of the last write that it was durable once: when it does not hold, it may have been torn.
        if before_last.contents(file).get(at as usize) != world.disk.contents(file).get(at as usize) {
            continue;
        }
        noticed += u32::from(check_harmed(&world, |disk| disk.flip(file, at, 1 << bit)));
    }
    assert!(noticed > 20, "only {noticed} of 150 flipped bits were in anything that matters");
}

#[test]
fn a_lost_segment_leaves_a_store_that_reads_and_takes_nothing() {
    let world = filled(16);
    let mut files = segments(&world.disk);
    // Segments that a large transaction passed over hold nothing, and nothing tells that there was a last one.
    files.retain(|file| world.disk.contents(file)[4096..].iter().any(|&byte| byte != 0));
    for file in &files[..files.len() - 1] {
        assert!(check_harmed(&world, |disk| disk.lose(file)), "{file}");
    }
}

#[test]
fn a_flipped_bit_in_a_payload_costs_that_chunk_and_no_more() {
    let mut world = World::new(17);
    let store = world.open().unwrap();
    let payload: Vec<u8> = (0..10_000u32).map(|at| (at / 40) as u8).collect();
    let head = new_head(StreamId(1), "a", 3_000);
    let create = Change::Create { head: Box::new(head.clone()), payload: payload[..3_000].to_vec().into() };
    let append = append_to(&head, payload[3_000..6_000].to_vec().into());
    for change in [create, append] {
        world.commit(&store, vec![Transaction { changes: vec![change] }]).unwrap();
    }
    let head = world.model.streams.values().next().unwrap().head.clone();
    let last = append_to(&head, payload[6_000..].to_vec().into());
    world.commit(&store, vec![Transaction { changes: vec![last] }]).unwrap();
    drop(store);
    world.disk.kill();
    let file = &segments(&world.disk)[0];
    let contents = world.disk.contents(file);
    let inside = contents.windows(40).position(|window| window == [100; 40]).unwrap();
    world.disk.flip(file, inside as u64, 0x10);
    let store = world.open().unwrap();
    assert!(!store.stats().poisoned, "later records of the stream are whole");
    let read =
        |range: std::ops::Range<u64>| now(store.read(StreamId(1), Offset::new(range.start)..Offset::new(range.end)));
    assert_eq!(read(0..3_000).unwrap(), payload[..3_000]);
    assert_eq!(read(6_000..10_000).unwrap(), payload[6_000..]);
    let damaged = read(2_000..7_000).unwrap_err();
    assert!(
        matches!(&damaged, StoreError::Damaged { range, .. } if *range == (Offset::new(3_000)..Offset::new(6_000))),
        "{damaged}"
    );
}

#[test]
fn bytes_damaged_in_the_journal_stay_behind_when_the_rest_is_archived() {
    let mut world = World::new(18);
    let store = world.open().unwrap();
    let mut head = new_head(StreamId(1), "a", 0);
    let create = Change::Create { head: Box::new(head.clone()), payload: Default::default() };
    world.commit(&store, vec![Transaction { changes: vec![create] }]).unwrap();
    for round in 0..20u8 {
        let append = append_to(&head, vec![round; 2_000].into());
        world.commit(&store, vec![Transaction { changes: vec![append] }]).unwrap();
        head = world.model.streams.values().next().unwrap().head.clone();
    }
    let file = &segments(&world.disk)[0];
    let inside = world.disk.contents(file).windows(40).position(|window| window == [2; 40]).unwrap();
    world.disk.flip(file, inside as u64, 1);
    store.checkpoint().unwrap();
    store.upkeep().unwrap();
    assert!(store.stats().archive_files > 0);
    assert_eq!(read_all(&store, StreamId(1), Offset::new(6_000), head.tail).unwrap(), expected(&world.model)[6_000..]);
    assert_eq!(
        read_all(&store, StreamId(1), Offset::START, Offset::new(4_000)).unwrap(),
        expected(&world.model)[..4_000]
    );
    assert!(read_all(&store, StreamId(1), Offset::new(4_000), Offset::new(4_001)).is_err());
}

fn expected(model: &Model) -> &[u8] {
    let stream: &ModelStream = model.streams.values().next().unwrap();
    &stream.bytes
}
