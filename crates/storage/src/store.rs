//! The embedded store behind the engine's seam.
//!
//! **Commit**: encode, one durable write, then memtable and extents follow. **Upkeep**, on threads of its own: prepare
//! segments, checkpoint, hand sealed segments to the archive, reclaim. A failed write poisons: what is stored stays
//! readable, and nothing is taken until the store is opened again.

mod commit;
mod hand_over;
mod health;
mod lookup;
mod open;
mod read;
mod upkeep;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use headwater_protocol::{Offset, StreamPath};
use headwater_streams::{
    BatchId, Commit, DocumentKey, Head, Listed, Store, StoreError, StoreStats, StreamId, Transaction,
};
use parking_lot::{Mutex, RwLock};

use crate::archive::{Archive, History, Reclaimer};
use crate::catalog::Catalog;
use crate::disk::Disk;
use crate::ephemeral::EphemeralBytes;
use crate::error::OpenError;
use crate::extents::Extents;
use crate::journal::{Pool, Writer};
use crate::limits::StoreLimits;
use crate::lock::DirectoryLock;
use crate::memtable::Memtable;
use health::Health;
use upkeep::{UpkeepState, UpkeepThreads};

/// How a store works.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// Sizes and times.
    pub limits: StoreLimits,
    /// Who does the upkeep.
    pub upkeep: Upkeep,
}

/// Who prepares segments, checkpoints and fills the archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Upkeep {
    /// Two threads of the store.
    #[default]
    OwnThreads,
    /// Whoever calls [`EmbeddedStore::upkeep`]: a test that wants to know what happens when.
    ByCaller,
}

/// Streams in one data directory.
#[derive(Debug)]
pub struct EmbeddedStore {
    core: Arc<Core>,
    threads: Mutex<Option<UpkeepThreads>>,
}

/// What the store's threads and callers share.
///
/// ORDER of locks: writer, memtable, extents; each may be taken alone, none is held across a call to the catalog.
#[derive(Debug)]
struct Core {
    limits: StoreLimits,
    catalog: Arc<Catalog>,
    archive: Arc<Archive>,
    history: History,
    reclaimer: Reclaimer,
    pool: Pool,
    writer: Mutex<Writer>,
    memtable: Mutex<Memtable>,
    extents: RwLock<Extents>,
    ephemeral: RwLock<EphemeralBytes>,
    /// Ids leased from the catalog and not given out.
    leased_ids: Mutex<Range<u64>>,
    health: Health,
    upkeep: Mutex<UpkeepState>,
    signals: upkeep::Signals,
    /// Journal bytes that a restart would replay.
    replay_bytes: AtomicU64,
    /// Bytes handed to the disk for records and archive files.
    written_bytes: AtomicU64,
    stop: AtomicBool,
    lock: Mutex<Option<DirectoryLock>>,
}

impl EmbeddedStore {
    /// Opens the data directory `dir`, creating it when there is none.
    ///
    /// # Errors
    /// See [`OpenError`]. Damage is none of them: a damaged store opens, and refuses commits with the cause.
    pub fn open(dir: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        open::open_directory(dir, options).map(Self::start)
    }

    /// Opens a store whose journal and archive are on `disk` and whose catalog is in `catalog_dir`. Nobody else may
    /// have it open.
    pub fn open_on(disk: Arc<dyn Disk>, catalog_dir: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        open::open_parts(disk, catalog_dir, options, None).map(Self::start)
    }

    /// Does what upkeep is due.
    ///
    /// # Errors
    /// What was due is still to be done; the store goes on.
    pub fn upkeep(&self) -> Result<(), StoreError> {
        self.core.upkeep()
    }

    /// Writes a checkpoint now.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.core.checkpoint_now()
    }

    fn start((core, upkeep): (Core, Upkeep)) -> Self {
        let core = Arc::new(core);
        let threads = match upkeep {
            Upkeep::OwnThreads => Some(UpkeepThreads::start(&core)),
            Upkeep::ByCaller => None,
        };
        Self { core, threads: Mutex::new(threads) }
    }

    fn stop_threads(&self) {
        self.core.stop.store(true, Ordering::SeqCst);
        self.core.signals.raise_all();
        if let Some(threads) = self.threads.lock().take() {
            threads.join();
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.stop_threads();
    }
}

impl Store for EmbeddedStore {
    const EXCLUSIVE: bool = true;

    /// Looks the catalog up on the calling thread: the committer's own.
    async fn load(&self, paths: &[StreamPath]) -> Result<Vec<Option<Head>>, StoreError> {
        self.core.load(paths)
    }

    async fn reserve(&self, transactions: usize, bytes: usize) -> Result<(), StoreError> {
        self.core.reserve(transactions, bytes)
    }

    /// Writes on the calling thread: the committer's own.
    async fn commit(&self, _id: BatchId, batch: Vec<Transaction>) -> Result<Commit, StoreError> {
        self.core.commit(batch)
    }

    async fn read(&self, id: StreamId, range: Range<Offset>) -> Result<Bytes, StoreError> {
        if let Some(bytes) = self.core.read_nowait(id, range.clone())? {
            return Ok(bytes);
        }
        self.off_the_runtime(move |core| core.read(id, range)).await
    }

    async fn list(&self, prefix: &str, after: Option<&StreamPath>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        self.off_the_runtime(move |core| core.list(&prefix, after.as_ref(), limit)).await
    }

    async fn expired(&self, now_ms: u64, limit: usize) -> Result<Vec<StreamPath>, StoreError> {
        self.off_the_runtime(move |core| core.expired(now_ms, limit)).await
    }

    async fn documents(&self, prefix: &str) -> Result<Vec<(DocumentKey, Bytes)>, StoreError> {
        let prefix = prefix.to_owned();
        self.off_the_runtime(move |core| core.documents(&prefix)).await
    }

    async fn allocate_id(&self) -> Result<StreamId, StoreError> {
        self.core.allocate_id()
    }

    fn stats(&self) -> StoreStats {
        self.core.stats()
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.core.health.close();
        self.stop_threads();
        let closed = self.core.final_checkpoint();
        self.core.lock.lock().take();
        closed
    }
}

impl EmbeddedStore {
    /// Runs what may wait for the disk where that holds nobody up; without a runtime, right here.
    async fn off_the_runtime<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Core) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return run(&self.core) };
        let core = self.core.clone();
        match runtime.spawn_blocking(move || run(&core)).await {
            Ok(answer) => answer,
            // The runtime is shutting down.
            Err(error) if error.is_cancelled() => Err(StoreError::Closed),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
