//! From a directory to a store that works.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use headwater_streams::StoreError;
use parking_lot::{Mutex, RwLock};

use super::health::Health;
use super::upkeep::{Signals, UpkeepState};
use super::{Core, StoreOptions, Upkeep};
use crate::archive::{Archive, ArchiveError, History, Reclaimer};
use crate::catalog::Catalog;
use crate::disk::{Disk, FileDisk};
use crate::ephemeral::EphemeralBytes;
use crate::error::{OpenError, io_error, open_error};
use crate::format::DataFormat;
use crate::journal::recovery::{Damage, Recovered, Start};
use crate::journal::{JOURNAL_DIR, Pool, Segment, Writer};
use crate::lock::DirectoryLock;
use crate::record::SEGMENT_HEADER_BYTES;
use crate::replay::{Replayed, replay};

/// Zeros that end the journal after a torn tail: enough to cover a record's header wherever a write may start.
const CUT_BYTES: usize = 24;
/// Damages named in the cause of a read-only store; the log has all.
const DAMAGES_NAMED_MAX: usize = 3;

pub(super) fn open_directory(dir: &Path, options: StoreOptions) -> Result<(Core, Upkeep), OpenError> {
    fs::create_dir_all(dir).map_err(open_error(format!("creating {}", dir.display())))?;
    let lock = DirectoryLock::acquire(dir)?;
    open_parts(Arc::new(FileDisk::new(dir)), dir, options, Some(lock))
}

pub(super) fn open_parts(
    disk: Arc<dyn Disk>,
    catalog_dir: &Path,
    options: StoreOptions,
    lock: Option<DirectoryLock>,
) -> Result<(Core, Upkeep), OpenError> {
    let StoreOptions { limits, upkeep } = options;
    let format = DataFormat::read_or_create(&*disk)?;
    disk.create_dir(JOURNAL_DIR).map_err(open_error("creating the journal's directory"))?;
    let catalog = Arc::new(Catalog::open(catalog_dir).map_err(StoreError::from)?);
    let archive = Arc::new(open_archive(&disk, &catalog).map_err(store_error)?);
    let covered = catalog.covered().map_err(StoreError::from)?;
    let start = Start { journal_start: covered.archived.segment, covered: covered.position, salt: format.salt };
    let (Replayed { memtable, extents, .. }, recovered) = replay(&*disk, start, &limits)?;
    recovered.damaged_headers.iter().for_each(|damage| tracing::warn!(%damage, "a segment's header is damaged"));
    let health = Health::default();
    let active = recovered.used.last().filter(|last| last.number() == recovered.end.segment).cloned();
    let epoch = if recovered.damage.is_empty() {
        settle(&*disk, &catalog, active.as_deref(), &recovered)?
    } else {
        health.poison(describe(&recovered.damage));
        0
    };
    let core = Core {
        history: History::new(catalog.clone(), archive.clone()),
        reclaimer: Reclaimer::new(catalog.clone(), archive.clone()),
        pool: Pool::new(disk, limits.clone(), format.salt, recovered.spares),
        writer: Mutex::new(Writer::new(epoch, active, recovered.end)),
        memtable: Mutex::new(memtable),
        extents: RwLock::new(extents),
        ephemeral: RwLock::new(EphemeralBytes::new(limits.ephemeral_bytes_max)),
        leased_ids: Mutex::new(Range::default()),
        health,
        upkeep: Mutex::new(UpkeepState::new(covered.position)),
        signals: Signals::default(),
        replay_bytes: AtomicU64::new(recovered.replayed_bytes),
        written_bytes: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        lock: Mutex::new(lock),
        limits,
        catalog,
        archive,
    };
    Ok((core, upkeep))
}

/// Fixes what recovery found as the truth, before anybody is shown it, and returns this opening's number.
fn settle(
    disk: &dyn Disk,
    catalog: &Catalog,
    active: Option<&Segment>,
    recovered: &Recovered,
) -> Result<u32, OpenError> {
    // ORDER: whoever gave the segments their names may have been killed before those were durable.
    disk.sync_dir(JOURNAL_DIR).map_err(open_error("syncing the journal's directory"))?;
    // ORDER: a record that begins a segment tells where the one before ends, so it is cut before more is written there.
    for torn in recovered.torn.iter().rev() {
        cut(torn, SEGMENT_HEADER_BYTES as u64)?;
    }
    if let Some(active) = active {
        // ORDER: records that were found may be in the page cache only, when their writer was killed. Readers must not
        // see them before they are durable.
        active.file().sync_data().map_err(io_error(format!("syncing {}", active.path())))?;
        cut(active, recovered.end.offset)?;
    }
    let epoch = catalog.begin_epoch().map_err(StoreError::from)?;
    Ok(u32::try_from(epoch).expect("a data directory is opened fewer than 2^32 times"))
}

/// Makes sure that nothing at `end` is taken for a record after more has been written elsewhere.
fn cut(segment: &Segment, end: u64) -> Result<(), StoreError> {
    let zeros = CUT_BYTES.min(segment.capacity().saturating_sub(end) as usize);
    let cut = segment.file().write_durable(&[0; CUT_BYTES][..zeros], end);
    cut.map_err(io_error(format!("cutting the tail of {}", segment.path())))
}

fn open_archive(disk: &Arc<dyn Disk>, catalog: &Catalog) -> Result<Archive, ArchiveError> {
    let archive = Archive::open(disk.clone())?;
    let named: HashSet<_> = catalog.archive_files()?.into_iter().map(|file| file.id).collect();
    archive.remove_orphans(&named)?;
    Ok(archive)
}

fn describe(damage: &[Damage]) -> String {
    for what in damage {
        tracing::error!(%what, "the journal is damaged");
    }
    let named: Vec<String> = damage.iter().take(DAMAGES_NAMED_MAX).map(Damage::to_string).collect();
    let named = named.join("; ");
    match damage.len().saturating_sub(DAMAGES_NAMED_MAX) {
        0 => format!("the journal is damaged: {named}"),
        more => format!("the journal is damaged: {named}; and {more} more"),
    }
}

/// An archive's failure as the engine knows it.
pub(super) fn store_error(error: ArchiveError) -> StoreError {
    if error.is_full() {
        return StoreError::Full;
    }
    StoreError::Io { operation: "using the archive".to_owned(), cause: error.to_string() }
}
