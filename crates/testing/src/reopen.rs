//! How a test opens the store under test, again and again, over the same data.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{Offset, StreamPath};
use headwater_streams::memory::MemoryStore;
use headwater_streams::{
    BatchId, Commit, DocumentKey, Head, Listed, Store, StoreError, StoreStats, StreamId, Transaction,
};

/// Data that outlives the store opened over it.
pub trait Reopen: Send + Sync + 'static {
    /// The store under test.
    type Store: Store;

    /// Opens the store over what the last one left. Called only when that one is gone.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;

    /// Loses what a power failure may lose. Called between two stores, of which the first was not closed.
    fn crash(&self);
}

/// A [`MemoryStore`] that is never closed, so that opening it again finds everything.
#[derive(Debug, Clone, Default)]
pub struct SharedMemory(Arc<MemoryStore>);

impl Reopen for SharedMemory {
    type Store = Self;

    async fn open(&self) -> Self {
        self.clone()
    }

    fn crash(&self) {}
}

impl Store for SharedMemory {
    const EXCLUSIVE: bool = true;

    async fn load(&self, paths: &[StreamPath]) -> Result<Vec<Option<Head>>, StoreError> {
        self.0.load(paths).await
    }

    async fn reserve(&self, transactions: usize, bytes: usize) -> Result<(), StoreError> {
        self.0.reserve(transactions, bytes).await
    }

    async fn commit(&self, id: BatchId, batch: Vec<Transaction>) -> Result<Commit, StoreError> {
        self.0.commit(id, batch).await
    }

    async fn read(&self, id: StreamId, range: Range<Offset>) -> Result<Bytes, StoreError> {
        self.0.read(id, range).await
    }

    async fn list(&self, prefix: &str, after: Option<&StreamPath>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.0.list(prefix, after, limit).await
    }

    async fn expired(&self, now_ms: u64, limit: usize) -> Result<Vec<StreamPath>, StoreError> {
        self.0.expired(now_ms, limit).await
    }

    async fn documents(&self, prefix: &str) -> Result<Vec<(DocumentKey, Bytes)>, StoreError> {
        self.0.documents(prefix).await
    }

    async fn allocate_id(&self) -> Result<StreamId, StoreError> {
        self.0.allocate_id().await
    }

    fn stats(&self) -> StoreStats {
        self.0.stats()
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
