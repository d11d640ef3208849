//! A store on a faulty disk, with the model of what it must hold.
#![allow(clippy::unwrap_used, reason = "this is test code throughout")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it, as if from a crate of its own")]

pub mod model;
pub mod workload;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::{Offset, StreamPath};
use headwater_storage::{EmbeddedStore, OpenError, StoreLimits, StoreOptions, Upkeep};
use headwater_streams::{BatchId, Commit, Head, Store, StoreError, StreamId, Transaction};
use headwater_testing::disk::FaultyDisk;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use model::Model;

/// Bytes read at a time.
const READ_BYTES_MAX: u64 = 5_000;

/// One data directory through many lives.
pub struct World {
    pub disk: FaultyDisk,
    pub catalog_dir: TempDir,
    pub random: StdRng,
    /// What was acknowledged.
    pub model: Model,
    /// The last batch, when nobody knows what became of it.
    pub unknown: Vec<Transaction>,
    pub limits: StoreLimits,
}

/// Runs a future that never waits: without a runtime, the store does everything on the calling thread.
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the store waited for something"),
    }
}

/// Sizes that let a few hundred transactions see every part of the store.
pub fn small_limits() -> StoreLimits {
    StoreLimits {
        segment_bytes: 16 * 1024,
        spare_segments: 1,
        free_segments_max: 2,
        checkpoint_journal_bytes: 20 * 1024,
        checkpoint_streams: 1_000,
        checkpoint_interval: Duration::from_secs(3600),
        archive_segments: 2,
        ephemeral_bytes_max: 1024 * 1024,
        prepare_retry: Duration::ZERO,
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            disk: FaultyDisk::new(seed),
            catalog_dir: memory_dir(),
            random: StdRng::seed_from_u64(seed),
            model: Model::default(),
            unknown: Vec::new(),
            limits: small_limits(),
        }
    }

    pub fn open(&self) -> Result<EmbeddedStore, OpenError> {
        let options = StoreOptions { limits: self.limits.clone(), upkeep: Upkeep::ByCaller };
        EmbeddedStore::open_on(Arc::new(self.disk.clone()), self.catalog_dir.path(), options)
    }

    /// Commits a random batch as the engine does, and keeps the model in step.
    pub fn commit_random(&mut self, store: &EmbeddedStore) -> Result<(), StoreError> {
        let count = self.random.random_range(1..=3);
        let mut after = self.model.clone();
        let mut batch = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(now(store.allocate_id())?);
        }
        for _ in 0..count {
            if ids.len() < 2 {
                break;
            }
            let mut next_id = || ids.pop().expect("a transaction creates at most one stream");
            let transaction = workload::transaction(&mut self.random, &after, &mut next_id);
            after.apply(&transaction);
            batch.push(transaction);
        }
        self.commit(store, batch)
    }

    /// Commits a batch and keeps the model in step.
    pub fn commit(&mut self, store: &EmbeddedStore, batch: Vec<Transaction>) -> Result<(), StoreError> {
        commit_reserved(store, &batch, &mut self.unknown)?;
        for transaction in self.unknown.drain(..) {
            self.model.apply(&transaction);
        }
        Ok(())
    }

    /// Finds out what became of the last batch, and asserts that the store holds exactly what the model does.
    pub fn settle(&mut self, store: &EmbeddedStore) {
        let mut candidate = self.model.clone();
        let mut unknown = std::mem::take(&mut self.unknown).into_iter();
        loop {
            let found = difference(store, &candidate);
            match (found, unknown.next()) {
                (None, _) => break,
                (Some(_), Some(transaction)) => candidate.apply(&transaction),
                (Some(last), None) => {
                    let poisoned = store.stats().poisoned;
                    eprintln!("poisoned: {poisoned}; acknowledged: {:?}", difference(store, &self.model));
                    panic!("the store holds neither what was acknowledged nor more of the last batch: {last}")
                }
            }
        }
        self.model = candidate;
    }
}

/// Reserves and commits, as the engine does. `unknown` holds the batch from the moment its outcome may be unknown.
pub fn commit_reserved(
    store: &EmbeddedStore,
    batch: &[Transaction],
    unknown: &mut Vec<Transaction>,
) -> Result<Commit, StoreError> {
    let payload = batch.iter().flat_map(|transaction| &transaction.changes).map(payload_len).sum();
    now(store.reserve(batch.len(), payload))?;
    *unknown = batch.to_vec();
    now(store.commit(BatchId(0), batch.to_vec()))
}

/// Reads exactly a range, in several reads.
pub fn read_all(store: &EmbeddedStore, id: StreamId, start: Offset, end: Offset) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    let mut next = start;
    while next < end {
        let until = end.min(next.advance(READ_BYTES_MAX));
        let part: Bytes = now(store.read(id, next..until))?;
        assert_eq!(part.len() as u64, until.bytes_since(next));
        bytes.extend_from_slice(&part);
        next = until;
    }
    Ok(bytes)
}

/// The head at `path`.
pub fn head(store: &EmbeddedStore, path: &str) -> Option<Head> {
    now(store.load(&[StreamPath::new(path).unwrap()])).unwrap().pop().unwrap()
}

/// The first difference between store and model, in words.
pub fn difference(store: &EmbeddedStore, model: &Model) -> Option<String> {
    let listed = now(store.list("", None, 1_000)).unwrap();
    let paths: Vec<StreamPath> = model.streams.keys().cloned().collect();
    if !listed.iter().map(|row| &row.path).eq(&paths) {
        return Some(format!("streams {:?} instead of {paths:?}", listed.iter().map(|row| &row.path)));
    }
    let heads = now(store.load(&paths)).unwrap();
    for ((head, row), (path, stream)) in heads.iter().zip(&listed).zip(&model.streams) {
        if head.as_ref() != Some(&stream.head) {
            return Some(format!("{path}: {head:?} instead of {:?}", stream.head));
        }
        if row != &headwater_streams::Listed::from(&stream.head) {
            return Some(format!("{path}: listed as {row:?}"));
        }
        let (start, bytes) = stream.readable();
        match read_all(store, stream.head.id, start, stream.head.tail) {
            Ok(read) if read == bytes => {}
            Ok(_) => return Some(format!("{path}: other bytes from {start:?} on")),
            Err(error) => return Some(format!("{path}: {error}")),
        }
    }
    let documents = now(store.documents("")).unwrap();
    let expected = model.documents.iter();
    if !documents.iter().map(|(key, value)| (key, value.as_ref())).eq(expected.map(|(k, v)| (k, v.as_slice()))) {
        return Some(format!("documents {documents:?} instead of {:?}", model.documents));
    }
    let unknown = StreamPath::new("never/created").unwrap();
    now(store.load(&[unknown])).unwrap()[0].as_ref().map(|head| format!("a stream that never was: {head:?}"))
}

fn payload_len(change: &headwater_streams::Change) -> usize {
    match change {
        headwater_streams::Change::Create { payload, .. } => payload.len(),
        headwater_streams::Change::Append { delta, .. } => delta.payload.len(),
        _ => 0,
    }
}

/// A directory in memory where there is one: SQLite's syncs cost nothing there, and it is not what is crashed here.
fn memory_dir() -> TempDir {
    let shared_memory = PathBuf::from("/dev/shm");
    TempDir::new_in(shared_memory).or_else(|_| TempDir::new()).unwrap()
}
