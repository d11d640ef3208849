//! The engine over the embedded store: the suite that every store runs, on a disk that can lose power.

use std::path::PathBuf;
use std::sync::Arc;

use headwater_storage::{EmbeddedStore, StoreLimits, StoreOptions, Upkeep};
use headwater_testing::Reopen;
use headwater_testing::disk::FaultyDisk;
use headwater_testing::random_operations::{check, scripts};
use proptest::prelude::*;
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
        let catalog_dir = TempDir::new_in(&shared_memory).or_else(|_| TempDir::new()).expect("a directory");
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
        EmbeddedStore::open_on(Arc::new(self.disk.clone()), self.catalog_dir.path(), options).expect("opens")
    }

    fn crash(&self) {
        self.disk.restart();
    }
}

headwater_testing::behaviours!(Embedded::new(1));

#[test]
fn readers_of_a_contended_path_see_prefixes_of_the_same_streams() {
    for seed in 0..4 {
        headwater_testing::stress::contend(Embedded::new(seed), seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_and_power_failures_are_answered_as_the_model_answers_them(
        seed in any::<u64>(),
        script in scripts(60),
    ) {
        check(Embedded::new(seed), script);
    }
}
