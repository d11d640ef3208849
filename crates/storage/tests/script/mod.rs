//! A fixed history of a small store: what it does, and what must be there afterwards.
//!
//! The fixture of format version 1 was written by it, so it stays as it is.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "an example uses it too")]

mod model;

use std::path::Path;

use bytes::Bytes;
use headwater_protocol::{Epoch, Lifetime, ProducerId, ProducerSeq, ProducerStamp, TtlSeconds};
use headwater_storage::{EmbeddedStore, StoreLimits, StoreOptions, Upkeep};
use headwater_streams::{BatchId, Change, Outcome, Store, StreamId, Transaction};

pub use model::Model;

/// One thing that happens to the store.
#[derive(Debug)]
pub enum Step {
    Commit(Transaction),
    Checkpoint,
    Upkeep,
}

/// Small files, and nothing happens by itself.
pub fn options() -> StoreOptions {
    let limits = StoreLimits {
        segment_bytes: 20 * 1024,
        spare_segments: 0,
        free_segments_max: 0,
        archive_segments: 2,
        ..StoreLimits::default()
    };
    StoreOptions { limits, upkeep: Upkeep::ByCaller }
}

/// The history, and its outcome. Streams of every kind, of which some bytes end in the archive, some are checkpointed
/// and in the journal, and some are in the journal only.
pub fn script() -> (Vec<Step>, Model) {
    let mut model = Model::default();
    let mut steps = Vec::new();
    let commit = |steps: &mut Vec<Step>, transaction| steps.push(Step::Commit(transaction));
    commit(&mut steps, model.create("notes/open", "text/plain; charset=utf-8", Lifetime::Forever, b"first line\n"));
    commit(&mut steps, model.create("notes/closed", "application/json", Lifetime::Forever, b""));
    commit(&mut steps, model.create("notes/trimmed", "application/octet-stream", Lifetime::Forever, &[7; 3000]));
    commit(&mut steps, model.create("forks/source", "text/plain", Lifetime::Forever, b"shared by all"));
    commit(&mut steps, model.create("lives/sliding", "text/plain", Lifetime::Sliding(TtlSeconds(3600)), b"while read"));
    commit(&mut steps, model.create("lives/fixed", "text/plain", Lifetime::Until { at_ms: 4_102_444_800_000 }, b""));
    commit(&mut steps, model.create("gone", "text/plain", Lifetime::Forever, &[1; 5000]));
    commit(&mut steps, model.put_document("settings/a", Some(b"value of a")));
    commit(&mut steps, model.put_document("settings/b", Some(b"value of b")));
    for round in 0..12 {
        commit(
            &mut steps,
            model.append("notes/open", &[b'a' + round; 2500], Some(stamp("writer", 1, u64::from(round)))),
        );
        commit(&mut steps, model.append("notes/trimmed", &[round; 1500], None));
    }
    commit(&mut steps, model.append("notes/closed", b"1,\n2,\n3,\n", Some(stamp("other", 0, 0))));
    steps.push(Step::Checkpoint);
    commit(&mut steps, model.trim("notes/trimmed", 4000));
    commit(&mut steps, model.remove("gone"));
    steps.push(Step::Checkpoint);
    // Sealed segments go to the archive here.
    steps.push(Step::Upkeep);
    commit(&mut steps, model.fork("forks/source", "forks/child", 6));
    commit(&mut steps, model.append("forks/child", b" and then its own", None));
    commit(&mut steps, model.append("forks/source", b", not by the fork", None));
    commit(&mut steps, model.soft_delete("forks/source"));
    commit(&mut steps, model.sequenced("notes/closed", b"4,\n", b"mark-0001"));
    commit(&mut steps, model.close("notes/closed", stamp("other", 0, 1)));
    commit(&mut steps, model.put_document("settings/b", None));
    steps.push(Step::Checkpoint);
    // Only the journal has these.
    commit(&mut steps, model.append("notes/open", b"last line\n", Some(stamp("writer", 2, 0))));
    commit(&mut steps, model.create("notes/late", "text/plain", Lifetime::Forever, b"known to the journal only"));
    commit(&mut steps, model.put_document("settings/c", Some(b"")));
    (steps, model)
}

/// Runs the script in `dir`, and ends without a farewell.
pub async fn run(dir: &Path) -> Model {
    let store = EmbeddedStore::open(dir, options()).unwrap();
    let (steps, model) = script();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Commit(transaction) => {
                for id in created(&transaction) {
                    assert_eq!(store.allocate_id().await.unwrap(), id);
                }
                let commit = store.commit(BatchId(number as u64), vec![transaction]).await.unwrap();
                assert_eq!(commit.outcomes, [Outcome::Landed]);
            }
            Step::Checkpoint => store.checkpoint().unwrap(),
            Step::Upkeep => store.upkeep().unwrap(),
        }
    }
    model
}

fn created(transaction: &Transaction) -> impl Iterator<Item = StreamId> {
    transaction.changes.iter().filter_map(|change| match change {
        Change::Create { head, .. } => Some(head.id),
        _ => None,
    })
}

fn stamp(id: &str, epoch: u64, seq: u64) -> ProducerStamp {
    ProducerStamp {
        id: ProducerId::new(id).unwrap(),
        epoch: Epoch::new(epoch).unwrap(),
        seq: ProducerSeq::new(seq).unwrap(),
    }
}

/// Whether `store` holds exactly what the model says.
pub async fn assert_holds(store: &EmbeddedStore, model: &Model) {
    for (path, stream) in &model.streams {
        let path = headwater_protocol::StreamPath::new(path).unwrap();
        let head = store.load(std::slice::from_ref(&path)).await.unwrap().pop().unwrap();
        assert_eq!(head.as_ref(), Some(&stream.head));
        assert_eq!(head.unwrap().content_type.as_str(), stream.head.content_type.as_str());
        let own = stream.head.earliest.max(stream.head.own_from())..stream.head.tail;
        let bytes = store.read(stream.head.id, own.clone()).await.unwrap();
        assert!(bytes[..] == stream.bytes[own.start.bytes_since(stream.head.own_from()) as usize..], "{path}");
    }
    let listed = store.list("", None, 100).await.unwrap();
    let paths: Vec<_> = listed.iter().map(|row| row.path.as_str().to_owned()).collect();
    assert_eq!(paths, model.streams.keys().cloned().collect::<Vec<_>>());
    let documents = store.documents("").await.unwrap();
    let documents: Vec<(String, Bytes)> =
        documents.into_iter().map(|(key, value)| (key.0.to_string(), value)).collect();
    assert_eq!(documents, model.documents.clone().into_iter().collect::<Vec<_>>());
}
