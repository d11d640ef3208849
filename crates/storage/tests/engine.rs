//! The engine over the embedded store: the suite that every store runs, on a disk that can lose power.

use std::path::PathBuf;
use std::sync::Arc;

use headwater_storage::{EmbeddedStore, StoreLimits, StoreOptions, Upkeep};
use headwater_testing::Reopen;
use headwater_testing::disk::FaultyDisk;
use tempfile::TempDir;

/// What is left of a store between two lives of it.
struct Embedded {
    disk: FaultyDisk,
    catalog_dir: TempDir,
}

impl Embedded {
    fn new(seed: u64) -> Self {
        // SQLite's syncs cost nothing in memory, and it is not what is crashed here.
        let shared_memory = PathBuf::from("/dev/shm");
        let catalog_dir = TempDir::new_in(&shared_memory).or_else(|_| TempDir::new()).unwrap();
        Self { disk: FaultyDisk::new(seed), catalog_dir }
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
        EmbeddedStore::open_on(Arc::new(self.disk.clone()), self.catalog_dir.path(), options).unwrap()
    }

    fn crash(&self) {
        self.disk.restart();
    }
}

headwater_testing::behaviours!(Embedded::new(1));
