//! Recovery: a data directory with a past, harmed in any way, opens or says why not; what it shows is what it held at
//! one time, and stays so when it is used and opened again.
#![no_main]

#[path = "recovery/check.rs"]
mod check;
#[path = "recovery/harm.rs"]
mod harm;
#[path = "recovery/life.rs"]
mod life;

use headwater_storage::OpenError;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

use check::Shown;
use harm::{Harm, Harmed};
use life::{Life, Step};

/// Steps before the harm, and harms, that are looked at: a short script finds as much as a long one, and faster.
const STEPS_MAX: usize = 24;
const HARMS_MAX: usize = 6;

#[derive(Debug, Arbitrary)]
struct Script {
    steps: Vec<Step>,
    harms: Vec<Harm>,
}

fuzz_target!(|script: Script| {
    let mut life = Life::new();
    life.run(&script.steps[..script.steps.len().min(STEPS_MAX)]);
    let mut harmed = Harmed::default();
    for harm in script.harms.iter().take(HARMS_MAX) {
        harm.inflict(&life.disk, &mut harmed);
    }
    let store = match life.open() {
        Ok(store) => store,
        Err(error) => {
            assert!(harmed.format, "damage to journal and archive is no reason not to open: {error}");
            assert!(!matches!(error, OpenError::Locked { .. }), "nobody else has it open");
            return;
        }
    };
    let shown = Shown::by(&store);
    shown.check(&life, &harmed);
    let added = life.add_document(&store);
    drop(store);
    if harmed.format {
        return;
    }
    let store = life.open().expect("it opened before");
    assert_eq!(Shown::by(&store), shown.with(added), "recovery settles what is there");
});
