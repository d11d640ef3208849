//! Streams that live in memory only, when there are too many bytes of them.

use std::sync::Arc;

use headwater_protocol::{Offset, ReadFrom};
use headwater_storage::{EmbeddedStore, StoreLimits, StoreOptions, Upkeep};
use headwater_streams::limits::EngineLimits;
use headwater_streams::{Append, Create, Durability, ReadError};
use headwater_testing::disk::FaultyDisk;
use headwater_testing::stage::{at, fork_at, json_append, json_stream, limits, text};
use headwater_testing::{Reopen, Stage, stage};
use tempfile::TempDir;

/// Bytes of all ephemeral streams together.
const EPHEMERAL_BYTES_MAX: usize = 1_000;

struct Tight {
    disk: FaultyDisk,
    catalog_dir: TempDir,
}

impl Reopen for Tight {
    type Store = EmbeddedStore;

    async fn open(&self) -> EmbeddedStore {
        let limits = StoreLimits {
            segment_bytes: 16 * 1024,
            ephemeral_bytes_max: EPHEMERAL_BYTES_MAX,
            ..StoreLimits::default()
        };
        let options = StoreOptions { limits, upkeep: Upkeep::OwnThreads };
        EmbeddedStore::open_on(Arc::new(self.disk.clone()), self.catalog_dir.path(), options).expect("opens")
    }

    fn crash(&self) {
        self.disk.restart();
    }
}

/// Nothing is cached and idle streams leave memory at once, so that every read and every head comes from the store.
async fn cold() -> Stage<Tight> {
    let limits = EngineLimits { tail_cache_bytes_max: 0, active_streams_max: 0, ..limits() };
    let catalog_dir = TempDir::new().expect("a directory");
    Stage::with_limits(Tight { disk: FaultyDisk::new(1), catalog_dir }, limits).await
}

fn ephemeral(create: Create) -> Create {
    Create { durability: Durability::Ephemeral, ..create }
}

fn of_400(name: &str, byte: u8) -> Append {
    stage::append(name, vec![byte; 400])
}

async fn trimmed_to(stage: &Stage<Tight>, name: &str, from: u64) -> u64 {
    match stage.page(name, at(from)).await {
        Err(ReadError::Trimmed { earliest }) => earliest.get(),
        other => panic!("expected the position to be trimmed away, got {other:?}"),
    }
}

#[tokio::test]
async fn a_stream_whose_oldest_bytes_made_room_begins_later() {
    let stage = cold().await;
    stage.put(ephemeral(text("e"))).await;
    for byte in *b"abc" {
        stage.post(of_400("e", byte)).await;
    }
    assert_eq!(trimmed_to(&stage, "e", 0).await, 400);
    assert_eq!(trimmed_to(&stage, "e", 399).await, 400);
    assert_eq!(stage.read("e").await, [[b'b'; 400], [b'c'; 400]].concat());
    let (page, _) = stage.page("e", ReadFrom::Start).await.expect("the rest can be read");
    assert_eq!(page.start, Offset::new(400));
    drop(page);
    stage.tick().await;
    assert_eq!(trimmed_to(&stage, "e", 0).await, 400);
}

#[tokio::test]
async fn bytes_of_one_stream_make_room_for_another_and_a_lagging_follower_is_told() {
    let stage = cold().await;
    stage.put(ephemeral(json_stream("old"))).await;
    let numbers = format!("[{}]", ["1234567"; 50].join(","));
    stage.post(json_append("old", &numbers)).await;
    stage.post(json_append("old", &numbers)).await;
    let mut follower = stage.follow("old", ReadFrom::Start).await;
    stage.put(ephemeral(text("new"))).await;
    stage.post(of_400("new", b'n')).await;
    let told = stage::within(follower.next()).await;
    assert!(matches!(told, Err(ReadError::Trimmed { earliest }) if earliest.get() == 450), "{told:?}");
    let tail = stage.tail("old").await;
    stage.put(ephemeral(Create { payload: vec![b'x'; 2_000].into(), ..text("huge") })).await;
    assert_eq!(trimmed_to(&stage, "old", 450).await, tail);
    assert_eq!(trimmed_to(&stage, "huge", 0).await, 2_000);
    assert_eq!(stage.read("old").await, "");
    assert_eq!(stage.post(json_append("old", "1")).await.get(), tail + 3);
    assert_eq!(stage.read("old").await, "1,\n");
}

#[tokio::test]
async fn forks_begin_later_when_what_they_inherit_made_room() {
    let stage = cold().await;
    stage.put(ephemeral(text("source"))).await;
    stage.post(of_400("source", b'a')).await;
    stage.put(fork_at("early", "source", Some(100), 0)).await;
    stage.put(fork_at("late", "source", Some(400), 0)).await;
    stage.post(of_400("late", b'l')).await;
    stage.put(fork_at("nested", "late", Some(600), 0)).await;
    stage.post(of_400("source", b'b')).await;
    for (name, earliest, left) in [("source", 400, 400), ("early", 100, 0), ("late", 400, 400), ("nested", 400, 200)] {
        assert_eq!(trimmed_to(&stage, name, 50).await, earliest, "{name}");
        assert_eq!(stage.read(name).await.len(), left, "{name}");
    }
    let refused = stage.put_refused(fork_at("later", "source", Some(0), 0)).await;
    assert!(matches!(refused, headwater_streams::CreateError::ForkOffset { .. }), "{refused:?}");
}
