//! The catalog against heads kept in memory.

mod archived;
mod samples;

use bytes::Bytes;
use headwater_protocol::{Epoch, Lifetime, Offset, ProducerId, ProducerSeq, StreamPath, TtlSeconds};
use headwater_streams::{Closure, DocumentKey, Head, ProducerState, StreamId, Version};
use proptest::prelude::*;
use tempfile::TempDir;

use super::Catalog;
use crate::checkpoint::{Checkpoint, HeadPatch, JournalPosition};
use samples::{any_head, any_patch, head, path};

pub(super) struct Opened {
    pub(super) catalog: Catalog,
    pub(super) dir: TempDir,
}

pub(super) fn open() -> Opened {
    let dir = TempDir::new().unwrap();
    Opened { catalog: Catalog::open(dir.path()).unwrap(), dir }
}

impl Opened {
    fn reopen(self) -> Self {
        let Self { catalog, dir } = self;
        drop(catalog);
        Self { catalog: Catalog::open(dir.path()).unwrap(), dir }
    }

    fn load(&self, path: &StreamPath) -> Option<Head> {
        self.catalog.load(std::slice::from_ref(path)).unwrap().pop().unwrap()
    }

    pub(super) fn create(&self, created: Vec<Head>) {
        self.apply(Checkpoint { created, ..Checkpoint::default() });
    }

    pub(super) fn apply(&self, checkpoint: Checkpoint) {
        assert_eq!(self.catalog.checkpoint(&checkpoint).unwrap(), []);
    }

    fn listed(&self, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
        let after = after.map(path);
        let listed = self.catalog.list(prefix, after.as_ref(), limit).unwrap();
        listed.into_iter().map(|row| row.path.as_str().to_owned()).collect()
    }
}

/// Equality in every bit: content types that differ in parameters count as equal to `==`.
fn assert_same(found: Option<Head>, expected: Option<&Head>) {
    assert_eq!(found.as_ref(), expected);
    let text = |head: Option<&Head>| head.map(|head| head.content_type.as_str().to_owned());
    assert_eq!(text(found.as_ref()), text(expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_head_comes_back_as_it_was(head in any_head(1)) {
        let opened = open();
        opened.create(vec![head.clone()]);
        assert_same(opened.load(&head.path), Some(&head));
        assert_same(opened.reopen().load(&head.path), Some(&head));
    }

    #[test]
    fn patches_change_rows_as_they_change_heads(
        mut head in any_head(1),
        patches in prop::collection::vec(any_patch(), 1..6),
    ) {
        let opened = open();
        opened.create(vec![head.clone()]);
        for mut patch in patches {
            patch.base = head.version;
            patch.version = Version(head.version.0 + patch.version.0);
            patch.apply_to(&mut head);
            opened.apply(Checkpoint { changed: vec![patch], ..Checkpoint::default() });
            assert_same(opened.load(&head.path), Some(&head));
        }
        let expires = if head.soft_deleted { None } else { head.expires_at_ms(head.accessed_at_ms) };
        let expired = |now_ms| opened.catalog.expired(now_ms, 10).unwrap().len();
        match expires.filter(|at_ms| *at_ms < 1 << 60) {
            Some(at_ms) => {
                prop_assert_eq!(expired(at_ms), 1);
                prop_assert_eq!(at_ms.checked_sub(1).map_or(0, expired), 0);
            }
            None => prop_assert_eq!(expired(1 << 60), 0),
        }
    }
}

#[test]
fn a_patch_is_applied_once_and_only_to_its_version() {
    let opened = open();
    let stream = head(1, "a");
    opened.create(vec![stream.clone()]);
    let mut patch = HeadPatch::new(stream.id, stream.version);
    patch.add_forks(2);
    let checkpoint = Checkpoint { changed: vec![patch.clone()], ..Checkpoint::default() };
    opened.apply(Checkpoint { changed: vec![patch.clone()], ..Checkpoint::default() });
    opened.apply(checkpoint);
    assert_eq!(opened.load(&stream.path).unwrap().forks, stream.forks + 2);

    patch.base = Version(stream.version.0 + 5);
    patch.version = Version(stream.version.0 + 6);
    let checkpoint = Checkpoint { changed: vec![patch], ..Checkpoint::default() };
    assert_eq!(opened.catalog.checkpoint(&checkpoint).unwrap(), [stream.id]);
    assert_eq!(opened.load(&stream.path).unwrap().forks, stream.forks + 2);
}

#[test]
fn a_failed_checkpoint_changes_nothing() {
    let opened = open();
    let stream = head(1, "a");
    opened.create(vec![stream.clone()]);
    let mut patch = HeadPatch::new(stream.id, stream.version);
    patch.soft_delete();
    let failing = Checkpoint {
        covered: JournalPosition { segment: 7, offset: 70 },
        // The path is taken by another stream, which nothing removes.
        created: vec![head(2, "b"), head(3, "a")],
        changed: vec![patch],
        documents: vec![(DocumentKey("key".into()), Some(Bytes::from_static(b"value")))],
        ..Checkpoint::default()
    };
    assert!(opened.catalog.checkpoint(&failing).is_err());
    let opened = opened.reopen();
    assert_same(opened.load(&stream.path), Some(&stream));
    assert_eq!(opened.load(&path("b")), None);
    assert_eq!(opened.catalog.documents("").unwrap(), []);
    assert_eq!(opened.catalog.covered().unwrap().position, JournalPosition::default());
    assert_eq!(opened.catalog.count(), 1);
}

#[test]
fn a_checkpoint_names_the_position_it_covers() {
    let position = JournalPosition { segment: 3, offset: 4096 };
    let opened = open();
    opened.apply(Checkpoint { covered: position, ..Checkpoint::default() });
    assert_eq!(opened.reopen().catalog.covered().unwrap().position, position);
}

#[test]
fn a_removed_stream_leaves_nothing_and_frees_its_path() {
    let opened = open();
    let mut old = head(1, "a");
    let producer = ProducerId::new("writer").unwrap();
    old.producers.insert(producer, ProducerState { epoch: Epoch::ZERO, seq: ProducerSeq::ZERO });
    opened.create(vec![old.clone(), head(2, "b")]);
    let new = head(3, "a");
    opened.apply(Checkpoint {
        removed: vec![old.id, StreamId(99)],
        created: vec![new.clone()],
        ..Checkpoint::default()
    });
    assert_same(opened.load(&new.path), Some(&new));
    assert_eq!(opened.catalog.count(), 2);
    assert_eq!(opened.reopen().catalog.count(), 2);
}

#[test]
fn listings_come_in_path_order_page_by_page() {
    let opened = open();
    let names = ["b/2", "a", "b/10", "b", "c/ü", "b/1", "b%", "c/\u{10FFFF}x"];
    opened.create(names.iter().zip(1..).map(|(name, id)| head(id, name)).collect());
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(opened.listed("", None, 100), sorted);
    assert_eq!(opened.listed("b/", None, 100), ["b/1", "b/10", "b/2"]);
    assert_eq!(opened.listed("b/", None, 2), ["b/1", "b/10"]);
    assert_eq!(opened.listed("b/", Some("b/10"), 100), ["b/2"]);
    assert_eq!(opened.listed("b/", Some("a"), 1), ["b/1"]);
    assert_eq!(opened.listed("c/\u{10FFFF}", None, 9), ["c/\u{10FFFF}x"]);
    assert_eq!(opened.listed("d", None, 9), [""; 0]);
    assert_eq!(opened.listed("", None, 0), [""; 0]);
}

#[test]
fn the_longest_expired_stream_comes_first() {
    let opened = open();
    let with = |id, name, lifetime, accessed_at_ms| Head { lifetime, accessed_at_ms, ..head(id, name) };
    opened.create(vec![
        with(1, "never", Lifetime::Forever, 0),
        with(2, "sliding", Lifetime::Sliding(TtlSeconds(10)), 5_000),
        with(3, "fixed", Lifetime::Until { at_ms: 14_000 }, 0),
        with(4, "past", Lifetime::Until { at_ms: -5 }, 0),
        with(5, "endless", Lifetime::Sliding(TtlSeconds(u64::MAX)), 0),
        Head { soft_deleted: true, ..with(6, "held", Lifetime::Until { at_ms: 1 }, 0) },
    ]);
    let expired = |now_ms, limit| {
        let found = opened.catalog.expired(now_ms, limit).unwrap();
        found.into_iter().map(|stream| stream.path.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(expired(13_999, 10), ["past"]);
    assert_eq!(expired(14_000, 10), ["past", "fixed"]);
    assert_eq!(expired(u64::MAX, 10), ["past", "fixed", "sliding"]);
    assert_eq!(expired(u64::MAX, 2), ["past", "fixed"]);

    let mut touch = HeadPatch::new(StreamId(2), Version(1));
    touch.accessed_at_ms = 9_000;
    touch.version = Version(2);
    opened.apply(Checkpoint { changed: vec![touch], ..Checkpoint::default() });
    assert_eq!(expired(18_999, 10), ["past", "fixed"]);
    assert_eq!(expired(19_000, 10), ["past", "fixed", "sliding"]);
}

#[test]
fn documents_are_set_replaced_and_removed_by_key() {
    let opened = open();
    let key = |name: &str| DocumentKey(name.into());
    let write = |documents: &[(&str, Option<&'static [u8]>)]| {
        let documents = documents.iter().map(|(name, value)| (key(name), value.map(Bytes::from_static))).collect();
        opened.apply(Checkpoint { documents, ..Checkpoint::default() });
    };
    write(&[("s/2", Some(b"two")), ("s/1", Some(b"one")), ("t", Some(b"")), ("s/1", Some(b"uno")), ("x", None)]);
    let found = |prefix: &str| {
        let found = opened.catalog.documents(prefix).unwrap();
        found.into_iter().map(|(key, value)| (key.0.to_string(), value.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(found("s/"), [("s/1".to_owned(), b"uno".to_vec()), ("s/2".to_owned(), b"two".to_vec())]);
    write(&[("s/1", None), ("t", None)]);
    assert_eq!(found(""), [("s/2".to_owned(), b"two".to_vec())]);
}

#[test]
fn leased_ids_and_openings_are_never_given_twice() {
    let opened = open();
    assert_eq!(opened.catalog.begin_epoch().unwrap(), 1);
    assert_eq!(opened.catalog.lease_stream_ids(10).unwrap(), StreamId(1));
    assert_eq!(opened.catalog.lease_stream_ids(5).unwrap(), StreamId(11));
    let opened = opened.reopen();
    assert_eq!(opened.catalog.begin_epoch().unwrap(), 2);
    assert_eq!(opened.catalog.lease_stream_ids(1).unwrap(), StreamId(16));
}

#[test]
fn closing_is_told_apart_from_being_open() {
    let opened = open();
    let stream = head(1, "a");
    opened.create(vec![stream.clone()]);
    let mut patch = HeadPatch::new(stream.id, stream.version);
    patch.closure = Some(Closure::Closed { by: None });
    patch.tail = Some(Offset::new(9));
    patch.version = Version(2);
    opened.apply(Checkpoint { changed: vec![patch], ..Checkpoint::default() });
    let listed = opened.catalog.list("", None, 1).unwrap().pop().unwrap();
    assert!(listed.closed && listed.tail == Offset::new(9));
}

#[test]
fn a_database_of_another_kind_is_refused() {
    let dir = TempDir::new().unwrap();
    let other = rusqlite::Connection::open(dir.path().join(super::CATALOG_FILE)).unwrap();
    other.execute_batch("CREATE TABLE meta(key TEXT, value INTEGER)").unwrap();
    drop(other);
    assert!(matches!(Catalog::open(dir.path()), Err(super::CatalogError::Damaged(_))));
}
