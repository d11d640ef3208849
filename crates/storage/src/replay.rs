//! The journal after a start, brought into memory: what the server begins with, and what a look from outside sees.

use headwater_streams::StoreError;

use crate::disk::Disk;
use crate::extents::{ExtentChange, Extents};
use crate::journal::recovery::{Recovered, Replay, Start, recover};
use crate::limits::StoreLimits;
use crate::memtable::Memtable;
use crate::record::Logged;

/// What changed since the checkpoint, and where payloads are.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) memtable: Memtable,
    pub(crate) extents: Extents,
    /// Records read.
    pub(crate) records: u64,
}

/// Reads the journal and applies it. Writes nothing.
pub(crate) fn replay(disk: &dyn Disk, start: Start, limits: &StoreLimits) -> Result<(Replayed, Recovered), StoreError> {
    let mut replayed = Replayed { memtable: Memtable::new(start.covered), extents: Extents::default(), records: 0 };
    let recovered = recover(disk, start, limits, &mut replayed)?;
    recovered.used.iter().for_each(|segment| replayed.extents.add_segment(segment.clone()));
    replayed.memtable.advance(recovered.end);
    Ok((replayed, recovered))
}

impl Replay for Replayed {
    fn record(&mut self, changes: &mut Vec<Logged>, is_covered: bool) -> bool {
        self.records += 1;
        let mut follows = true;
        for change in changes.drain(..) {
            let extent_change = ExtentChange::from(&change);
            if is_covered || self.memtable.apply(change).is_ok() {
                self.extents.apply(extent_change);
            } else {
                follows = false;
            }
        }
        follows
    }
}
