//! A data directory opened to look at, as a server would find it after a start.

use std::path::Path;
use std::sync::Arc;

use headwater_streams::Head;

use super::read_only_disk::ReadOnlyDisk;
use crate::catalog::{ArchiveFileRow, CatalogError, CatalogReader, Covered};
use crate::checkpoint::JournalPosition;
use crate::disk::Disk;
use crate::error::OpenError;
use crate::extents::Extents;
use crate::format::{DataFormat, FORMAT_FILE};
use crate::journal::Segment;
use crate::journal::recovery::{Recovered, Start};
use crate::limits::StoreLimits;
use crate::lock::DirectoryLock;
use crate::memtable::Memtable;
use crate::replay::{Replayed, replay};

/// Streams read from the catalog at a time.
const PAGE_STREAMS: usize = 512;

/// Catalog, journal and archive of a directory that nobody else has open.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) format: DataFormat,
    /// `None` when there is no catalog; the error when it cannot be read.
    pub(crate) catalog: Result<Option<CatalogReader>, CatalogError>,
    pub(crate) covered: Covered,
    pub(crate) recovered: Recovered,
    /// Records of the journal.
    pub(crate) records: u64,
    pub(crate) memtable: Memtable,
    pub(crate) extents: Extents,
    _lock: Option<DirectoryLock>,
}

impl Snapshot {
    /// Opens `dir` and reads its journal.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenError> {
        let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk::new(dir));
        let nothing =
            || OpenError::Foreign { path: dir.display().to_string(), reason: format!("it has no {FORMAT_FILE} file") };
        let format = DataFormat::read(&*disk)?.ok_or_else(nothing)?;
        let lock = DirectoryLock::acquire_to_read(dir)?;
        let catalog = CatalogReader::open(dir);
        let (catalog, covered) = match catalog.and_then(with_covered) {
            Ok((catalog, covered)) => (Ok(catalog), covered),
            Err(error) => (Err(error), NOTHING_COVERED),
        };
        let start = Start { journal_start: covered.archived.segment, covered: covered.position, salt: format.salt };
        let (replayed, recovered) = replay(&*disk, start, &StoreLimits::default())?;
        let Replayed { memtable, extents, records } = replayed;
        Ok(Self { disk, format, catalog, covered, recovered, records, memtable, extents, _lock: lock })
    }

    /// The catalog, when there is one that can be read.
    pub(crate) fn catalog(&self) -> Option<&CatalogReader> {
        self.catalog.as_ref().ok().and_then(Option::as_ref)
    }

    /// Every segment file.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        let Recovered { used, spares, .. } = &self.recovered;
        used.iter().chain(&spares.ready).chain(&spares.free)
    }

    pub(crate) fn archive_files(&self) -> Result<Vec<ArchiveFileRow>, CatalogError> {
        self.catalog().map_or(Ok(Vec::new()), CatalogReader::archive_files)
    }

    /// Hands every stream whose path starts with `prefix` to `visit`: those of the catalog in path order, then those
    /// that only the journal knows. A row that cannot be read comes with its path and error. Ends when `visit` says so.
    pub(crate) fn streams(
        &self,
        prefix: &str,
        visit: &mut dyn FnMut(Result<Head, (String, CatalogError)>) -> Visit,
    ) -> Result<(), CatalogError> {
        let mut after = String::new();
        while let Some(catalog) = self.catalog() {
            let page = catalog.page(prefix, &after, PAGE_STREAMS)?;
            let Some((last, _)) = page.last() else { break };
            after.clone_from(last);
            for (path, row) in page {
                let row = match row {
                    Ok(head) if self.memtable.is_removed(head.id) => continue,
                    Ok(mut head) => {
                        self.memtable.patch(&mut head);
                        Ok(head)
                    }
                    Err(error) => Err((path, error)),
                };
                if visit(row) == Visit::Stop {
                    return Ok(());
                }
            }
        }
        for head in self.memtable.created(prefix, None, usize::MAX) {
            if visit(Ok(head)) == Visit::Stop {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a visitor wants more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visit {
    Next,
    Stop,
}

const NOTHING_COVERED: Covered = Covered {
    position: JournalPosition { segment: 0, offset: 0 },
    archived: JournalPosition { segment: 0, offset: 0 },
};

fn with_covered(catalog: Option<CatalogReader>) -> Result<(Option<CatalogReader>, Covered), CatalogError> {
    let covered = catalog.as_ref().map_or(Ok(NOTHING_COVERED), CatalogReader::covered)?;
    Ok((catalog, covered))
}
