//! Crashes the store at every write and sync of random workloads, and looks at what is left.
//!
//! Whatever was acknowledged is there, once and whole; of the batch that was under way, whole transactions from its
//! start or nothing.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is test code throughout")]

mod world;

use headwater_storage::EmbeddedStore;
use headwater_streams::{Store, StoreError, Transaction};
use headwater_testing::disk::Fault;
use rand::Rng;

use world::{World, now, workload};

/// Crashes come after 1 to so many changes to the disk.
const CHANGES_MAX: u64 = 48;
/// Changes of a transaction over several streams.
const SEVERAL_CHANGES_MIN: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Crash {
    /// Unsynced writes are kept, lost or torn.
    Power,
    /// The process ends; the system keeps what was written.
    Process,
}

/// Opens, checks and works, life after life, each of which ends in a crash one change later than the one before.
fn crash_again_and_again(seed: u64, crash: Crash, lives: u64) {
    println!("seed {seed}, {crash:?}");
    let mut world = World::new(seed);
    let mut crashes = 0;
    for life in 0..lives {
        world.disk.fail_after(life % CHANGES_MAX, Fault::Crash);
        if let Ok(store) = world.open() {
            world.settle(&store);
            live(&mut world, &store);
        }
        crashes += u64::from(world.disk.is_crashed());
        match crash {
            Crash::Power => world.disk.restart(),
            Crash::Process => world.disk.kill(),
        }
    }
    let store = world.open().unwrap();
    world.settle(&store);
    assert!(crashes * 10 >= lives * 9, "only {crashes} of {lives} lives ended in a crash");
}

/// Works until the disk crashes, or for a while.
fn live(world: &mut World, store: &EmbeddedStore) {
    for _ in 0..CHANGES_MAX {
        let done = match world.random.random_range(0..10) {
            0 => store.upkeep(),
            1 => store.checkpoint(),
            _ => world.commit_random(store),
        };
        if let Err(error) = done {
            assert!(world.disk.is_crashed(), "failed without a crash: {error}");
            refuses_commits(world, store);
            return;
        }
    }
}

/// After a crash in a commit, the store is poisoned; after one in the upkeep, the next commit finds out.
fn refuses_commits(world: &mut World, store: &EmbeddedStore) {
    let was_committing = !world.unknown.is_empty();
    let refused = now(store.reserve(1, 10));
    if was_committing {
        assert!(matches!(refused, Err(StoreError::Poisoned { .. })), "{refused:?}");
    }
}

macro_rules! crashes {
    ($($name:ident: $seed:expr, $crash:expr;)*) => {
        $(#[test]
        fn $name() {
            crash_again_and_again($seed, $crash, 1_900);
        })*
    };
}

crashes! {
    every_acknowledged_transaction_survives_power_loss_first_seed: 1, Crash::Power;
    every_acknowledged_transaction_survives_power_loss_second_seed: 2, Crash::Power;
    every_acknowledged_transaction_survives_power_loss_third_seed: 3, Crash::Power;
    every_acknowledged_transaction_survives_power_loss_fourth_seed: 4, Crash::Power;
    every_acknowledged_transaction_survives_a_killed_process_first_seed: 5, Crash::Process;
    every_acknowledged_transaction_survives_a_killed_process_second_seed: 6, Crash::Process;
}

/// Crashes the commit of one transaction at each of its changes to the disk, with many outcomes of what was not synced.
#[test]
fn a_transaction_over_several_streams_is_there_whole_or_not_at_all() {
    let (mut whole, mut nothing) = (0, 0);
    for seed in 0..160 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        let store = world.open().unwrap();
        let id = now(store.allocate_id()).unwrap();
        let changes = loop {
            world.commit_random(&store).unwrap();
            let changes = workload::over_several(&mut world.random, &world.model, id);
            if changes.len() >= SEVERAL_CHANGES_MIN {
                break changes;
            }
        };
        let before = world.model.clone();
        world.disk.fail_after(seed % 4, Fault::Crash);
        let acknowledged = world.commit(&store, vec![Transaction { changes }]).is_ok();
        drop(store);
        world.disk.restart();
        let store = world.open().unwrap();
        world.settle(&store);
        let landed = world.model != before;
        assert!(landed || !acknowledged, "what was acknowledged is there");
        *(if landed { &mut whole } else { &mut nothing }) += 1;
    }
    assert!(whole > 20 && nothing > 20, "{whole} transactions were there and {nothing} were not");
}

/// For longer hunts: `HEADWATER_CRASH_SEEDS=100..200`.
#[test]
fn seeds_from_the_environment_survive() {
    let Ok(seeds) = std::env::var("HEADWATER_CRASH_SEEDS") else { return };
    let (from, to) = seeds.split_once("..").unwrap();
    for seed in from.parse().unwrap()..to.parse().unwrap() {
        let crash = if seed % 2 == 0 { Crash::Power } else { Crash::Process };
        crash_again_and_again(seed, crash, 400);
    }
}
