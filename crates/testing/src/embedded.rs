//! The embedded store on a disk that can lose power.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use headwater_storage::{EmbeddedStore, StoreLimits, StoreOptions, Upkeep};
use tempfile::TempDir;

use crate::disk::FaultyDisk;
use crate::reopen::Reopen;

/// What is left of an [`EmbeddedStore`] between two lives of it.
pub struct Embedded {
    disk: FaultyDisk,
    catalog_dir: TempDir,
}

impl Embedded {
    /// An empty disk; `seed` decides what a crash leaves of what was not synced.
    pub fn new(seed: u64) -> Self {
        // SQLite's syncs cost nothing in memory, and it is not what is crashed here.
        let shared_memory = PathBuf::from("/dev/shm");
        let catalog_dir = TempDir::new_in(&shared_memory).or_else(|_| TempDir::new()).expect("a directory");
        Self { disk: FaultyDisk::new(seed), catalog_dir }
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("catalog_dir", &self.catalog_dir.path()).finish_non_exhaustive()
    }
}

impl Reopen for Embedded {
    type Store = EmbeddedStore;

    async fn open(&self) -> EmbeddedStore {
        // Small, so that a few streams see segments roll, checkpoints and the archive.
        let limits = StoreLimits {
            segment_bytes: 16 * 1024,
            checkpoint_journal_bytes: 32 * 1024,
            archive_segments: 2,
            ..StoreLimits::default()
        };
        let options = StoreOptions { limits, upkeep: Upkeep::OwnThreads };
        EmbeddedStore::open_on(Arc::new(self.disk.clone()), self.catalog_dir.path(), options).expect("opens")
    }

    fn crash(&self) {
        self.disk.restart();
    }
}
