//! A store that fails, fills up or stands still when a test says so.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use headwater_protocol::{Offset, StreamPath};
use headwater_streams::{
    BatchId, Commit, DocumentKey, Head, Listed, Store, StoreError, StoreStats, StreamId, Transaction,
};
use tokio::sync::watch;

/// What a test does to a [`FaultyStore`], and what it may watch.
#[derive(Debug)]
pub struct Faults {
    full: AtomicBool,
    failing: AtomicBool,
    crashed: AtomicBool,
    reads: AtomicU64,
    loads: AtomicU64,
    held: watch::Sender<Hold>,
    waiting: watch::Sender<bool>,
    expired_calls: watch::Sender<u64>,
    dropped: watch::Sender<bool>,
}

/// Where commits stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Nowhere,
    BeforeCommit,
    AfterCommit,
}

/// Passes everything on to the store under test, unless its [`Faults`] say otherwise.
#[derive(Debug)]
pub struct FaultyStore<S> {
    inner: S,
    faults: Arc<Faults>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            full: AtomicBool::new(false),
            failing: AtomicBool::new(false),
            crashed: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            held: watch::Sender::new(Hold::Nowhere),
            waiting: watch::Sender::new(false),
            expired_calls: watch::Sender::new(0),
            dropped: watch::Sender::new(false),
        }
    }
}

impl Faults {
    /// Whether [`Store::reserve`] finds no room.
    pub fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// From now on every commit fails, and nothing of it lands.
    pub fn fail_commits(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    /// From now on nothing is written any more, not even on closing.
    pub fn crash(&self) {
        self.crashed.store(true, Ordering::SeqCst);
        self.fail_commits();
    }

    /// Commits wait until [`Faults::release`] before they do anything.
    pub fn hold(&self) {
        self.held.send_replace(Hold::BeforeCommit);
    }

    /// Commits land, and then wait until [`Faults::release`] before the engine hears of it.
    pub fn hold_landed(&self) {
        self.held.send_replace(Hold::AfterCommit);
    }

    /// Lets commits go on.
    pub fn release(&self) {
        self.held.send_replace(Hold::Nowhere);
    }

    /// Returns once a commit is being held.
    pub async fn commit_waits(&self) {
        let waited = self.waiting.subscribe().wait_for(|waiting| *waiting).await.is_ok();
        assert!(waited, "the sender lives in self");
    }

    async fn wait_if(&self, place: Hold) {
        if *self.held.borrow() == place {
            self.waiting.send_replace(true);
            let released = self.held.subscribe().wait_for(|held| *held != place).await.is_ok();
            assert!(released, "the sender lives in self");
            self.waiting.send_replace(false);
        }
    }

    /// Calls of [`Store::read`] so far.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::SeqCst)
    }

    /// Heads asked for by [`Store::load`] so far.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    /// Finished calls of [`Store::expired`] so far.
    pub fn expired_calls(&self) -> u64 {
        *self.expired_calls.borrow()
    }

    /// Returns once [`Store::expired`] has been called more than `count` times.
    pub async fn expired_called_beyond(&self, count: u64) {
        let called = self.expired_calls.subscribe().wait_for(|calls| *calls > count).await.is_ok();
        assert!(called, "the sender lives in self");
    }

    /// Returns once the store is gone.
    pub async fn store_dropped(&self) {
        let dropped = self.dropped.subscribe().wait_for(|dropped| *dropped).await.is_ok();
        assert!(dropped, "the sender lives in self");
    }
}

impl<S> FaultyStore<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

impl<S> Drop for FaultyStore<S> {
    fn drop(&mut self) {
        self.faults.dropped.send_replace(true);
    }
}

fn failed() -> StoreError {
    StoreError::Io { operation: "commit".into(), cause: "told to fail".into() }
}

impl<S: Store> Store for FaultyStore<S> {
    const EXCLUSIVE: bool = S::EXCLUSIVE;

    async fn load(&self, paths: &[StreamPath]) -> Result<Vec<Option<Head>>, StoreError> {
        self.faults.loads.fetch_add(paths.len() as u64, Ordering::SeqCst);
        self.inner.load(paths).await
    }

    async fn reserve(&self, transactions: usize, bytes: usize) -> Result<(), StoreError> {
        if self.faults.full.load(Ordering::SeqCst) {
            return Err(StoreError::Full);
        }
        self.inner.reserve(transactions, bytes).await
    }

    async fn commit(&self, id: BatchId, batch: Vec<Transaction>) -> Result<Commit, StoreError> {
        self.faults.wait_if(Hold::BeforeCommit).await;
        if self.faults.failing.load(Ordering::SeqCst) {
            return Err(failed());
        }
        let outcome = self.inner.commit(id, batch).await;
        self.faults.wait_if(Hold::AfterCommit).await;
        outcome
    }

    async fn read(&self, id: StreamId, range: Range<Offset>) -> Result<Bytes, StoreError> {
        self.faults.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.read(id, range).await
    }

    async fn list(&self, prefix: &str, after: Option<&StreamPath>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix, after, limit).await
    }

    async fn expired(&self, now_ms: u64, limit: usize) -> Result<Vec<StreamPath>, StoreError> {
        let found = self.inner.expired(now_ms, limit).await;
        self.faults.expired_calls.send_modify(|calls| *calls += 1);
        found
    }

    async fn documents(&self, prefix: &str) -> Result<Vec<(DocumentKey, Bytes)>, StoreError> {
        self.inner.documents(prefix).await
    }

    async fn allocate_id(&self) -> Result<StreamId, StoreError> {
        self.inner.allocate_id().await
    }

    fn stats(&self) -> StoreStats {
        self.inner.stats()
    }

    async fn close(&self) -> Result<(), StoreError> {
        if self.faults.crashed.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.inner.close().await
    }
}
