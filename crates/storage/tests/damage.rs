//! What a store shows when records are lost, cut off or doubled: nothing that never was, and never a panic.
#![allow(clippy::unwrap_used, reason = "this is test code throughout")]

mod world;

use std::time::{Duration, Instant};

use headwater_protocol::{Offset, StreamPath};
use headwater_storage::EmbeddedStore;
use headwater_storage::disk::Disk;
use headwater_streams::{Change, DocumentKey, Head, Listed, Store, StreamId, Transaction};

use world::workload::{append_to, new_head};
use world::{World, head, now, read_all};

const SEGMENT: &str = "journal/0000000000000001.seg";
/// More than half of a segment.
const LARGE: usize = 8_000;

/// A stream, and where its records end in the first segment.
struct Past {
    world: World,
    ends: Vec<usize>,
}

impl Past {
    fn new() -> Self {
        Self { world: World::new(41), ends: Vec::new() }
    }

    fn commit(&mut self, store: &EmbeddedStore, change: Change) {
        self.world.commit(store, vec![Transaction { changes: vec![change] }]).unwrap();
        let bytes = self.world.disk.contents(SEGMENT);
        self.ends.push(bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1);
    }

    fn create(&mut self, store: &EmbeddedStore, id: u64) {
        let created = new_head(StreamId(id), "a", 0);
        self.commit(store, Change::Create { head: Box::new(created), payload: Default::default() });
    }

    /// Appends so many bytes of the same value.
    fn append(&mut self, store: &EmbeddedStore, byte: u8, len: usize) {
        let append = append_to(&self.head(), vec![byte; len].into());
        self.commit(store, append);
    }

    fn head(&self) -> Head {
        self.world.model.streams[&StreamPath::new("a").unwrap()].head.clone()
    }

    /// Where the record of the `number`th commit lies.
    fn record(&self, number: usize) -> std::ops::Range<usize> {
        self.ends[number - 1].next_multiple_of(8)..self.ends[number]
    }
}

fn listed(store: &EmbeddedStore) -> Vec<Listed> {
    now(store.list("", None, 10)).unwrap()
}

#[test]
fn a_segment_that_was_cut_where_a_record_ends_is_noticed() {
    let mut past = Past::new();
    let store = past.world.open().unwrap();
    past.create(&store, 1);
    past.append(&store, 1, 100);
    for name in ["lost", "kept"] {
        let key = DocumentKey(name.into());
        past.commit(&store, Change::PutDocument { key, value: vec![1; LARGE].into() });
    }
    drop(store);
    assert_eq!(past.ends[2], past.ends[3], "the second one went to the next segment");
    past.world.disk.open(SEGMENT).unwrap().truncate(past.ends[1] as u64).unwrap();
    let store = past.world.open().unwrap();
    assert!(store.stats().poisoned, "an acknowledged record is gone");
}

#[test]
fn a_covered_segment_that_lost_even_its_header_is_noticed() {
    let mut past = Past::new();
    let store = past.world.open().unwrap();
    past.create(&store, 1);
    past.append(&store, 1, 100);
    store.checkpoint().unwrap();
    drop(store);
    past.world.disk.open(SEGMENT).unwrap().truncate(300).unwrap();
    for _ in 0..2 {
        assert!(past.world.open().unwrap().stats().poisoned, "the payload is gone");
    }
}

#[test]
fn a_listing_after_damage_shows_what_the_head_is() {
    let mut past = Past::new();
    let store = past.world.open().unwrap();
    past.create(&store, 1);
    store.checkpoint().unwrap();
    for byte in 1..4 {
        past.append(&store, byte, 100);
    }
    drop(store);
    past.world.disk.flip(SEGMENT, past.record(1).start as u64, 1);
    let store = past.world.open().unwrap();
    assert!(store.stats().poisoned);
    let head = head(&store, "a").unwrap();
    assert_eq!(head.tail, Offset::START, "the first append is lost, so the others do not count");
    assert_eq!(listed(&store), [Listed::from(&head)]);
}

#[test]
fn a_path_whose_removal_was_lost_is_listed_once() {
    let mut past = Past::new();
    let store = past.world.open().unwrap();
    past.create(&store, 1);
    store.checkpoint().unwrap();
    let old = past.head();
    past.commit(&store, Change::Remove { id: old.id, path: old.path, expected: old.version });
    past.create(&store, 2);
    past.append(&store, 1, 100);
    drop(store);
    past.world.disk.flip(SEGMENT, past.record(1).start as u64, 1);
    let store = past.world.open().unwrap();
    assert_eq!(listed(&store), [Listed::from(&head(&store, "a").unwrap())]);
}

#[test]
fn records_that_appear_again_where_others_were_harm_those_only() {
    let mut past = Past::new();
    let store = past.world.open().unwrap();
    past.create(&store, 1);
    for byte in 1..7 {
        past.append(&store, byte, 20);
    }
    store.checkpoint().unwrap();
    drop(store);
    let (early, late) = (past.record(1).start..past.record(2).end, past.record(4).start);
    let bytes = past.world.disk.contents(SEGMENT);
    past.world.disk.open(SEGMENT).unwrap().write_at(&bytes[early], late as u64).unwrap();
    let store = past.world.open().unwrap();
    let read = |from, to| read_all(&store, StreamId(1), Offset::new(from), Offset::new(to));
    assert_eq!(read(0, 60).unwrap(), [[1; 20], [2; 20], [3; 20]].concat());
    assert!(read(0, 120).is_err());
    assert!(read(60, 100).is_err());
    assert_eq!(read(100, 120).unwrap(), [6; 20]);
}

#[test]
fn payloads_that_look_like_records_neither_hold_up_a_start_nor_hide_damage() {
    let mut past = Past::new();
    past.world.limits.segment_bytes = 8 * 1024 * 1024;
    let store = past.world.open().unwrap();
    past.create(&store, 1);
    // Headers of records whose meta takes half of the segment, at every alignment.
    let header = [0, 0, 0, 0, 0, 0, 0x40, 0xd1];
    let payload: Vec<u8> = (0..7_000).flat_map(|_| [header.repeat(125), vec![0]].concat()).collect();
    let append = append_to(&past.head(), payload.into());
    past.commit(&store, append);
    past.append(&store, 1, 100);
    drop(store);
    past.world.disk.flip(SEGMENT, past.record(1).start as u64, 1);
    let begun = Instant::now();
    let store = past.world.open().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "a client can hold up a start");
    assert!(store.stats().poisoned, "the last append proves that the one before is lost");
}
