//! The archive: immutable files of stream bytes, clustered by stream.
//!
//! A file describes itself: data, then what belongs to whom, then a checksum per block. It becomes visible by a rename
//! after its sync, is never changed, and disappears once the catalog no longer names it. Which of its bytes are still
//! live is the catalog's knowledge, not this module's.

mod file;
mod format;
mod history;
mod open_files;
mod plan;
mod reclaim;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::catalog::{ArchiveFileId, CatalogError, Tier};
use crate::disk::Disk;

pub(crate) use file::ArchiveFile;
pub(crate) use format::{Name, parse_name as parse_archive_name, path as archive_path};

use format::InvalidArchive;
pub(crate) use history::History;
pub(crate) use reclaim::{Reclaimed, Reclaimer};
pub(crate) use writer::ArchiveWriter;

use open_files::OpenFiles;

/// The folder of archive files in the data directory.
pub(crate) const ARCHIVE_DIR: &str = "archive";

/// What the archive can fail with.
#[derive(Debug, Error)]
pub(crate) enum ArchiveError {
    /// The operating system refused.
    #[error("{operation} {path} failed: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file, relative to the data directory.
        path: String,
        /// The system's words.
        source: io::Error,
    },
    /// Bytes of a file are not what was written.
    #[error("{path}: {damage}")]
    Damaged {
        /// Relative to the data directory.
        path: String,
        /// What does not hold.
        damage: InvalidArchive,
    },
    /// The catalog could not tell where the bytes lie.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// The archive files of one data directory.
#[derive(Debug)]
pub(crate) struct Archive {
    disk: Arc<dyn Disk>,
    open: OpenFiles,
}

impl Archive {
    /// Prepares the folder. Reads no file.
    pub(crate) fn open(disk: Arc<dyn Disk>) -> Result<Self, ArchiveError> {
        disk.create_dir(ARCHIVE_DIR).map_err(failed("creating", ARCHIVE_DIR))?;
        Ok(Self { disk, open: OpenFiles::default() })
    }

    /// Removes every archive file that the catalog does not name: what a crash left between two steps.
    pub(crate) fn remove_orphans(&self, named: &HashSet<ArchiveFileId>) -> Result<usize, ArchiveError> {
        let mut removed = 0;
        for name in self.disk.list(ARCHIVE_DIR).map_err(failed("listing", ARCHIVE_DIR))? {
            let orphan = match format::parse_name(&name) {
                Some(format::Name::Whole(id)) => !named.contains(&id),
                Some(format::Name::Unfinished) => true,
                // Not a name that we give.
                None => false,
            };
            if orphan {
                let path = format!("{ARCHIVE_DIR}/{name}");
                self.disk.remove(&path).map_err(failed("removing", &path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Starts a new file.
    pub(crate) fn write(&self, id: ArchiveFileId, tier: Tier) -> Result<ArchiveWriter, ArchiveError> {
        ArchiveWriter::create(Arc::clone(&self.disk), id, tier)
    }

    /// The open file, which stays readable while the handle lives even when it is removed meanwhile.
    pub(crate) fn file(&self, id: ArchiveFileId) -> Result<Arc<ArchiveFile>, ArchiveError> {
        self.open.get(id, || ArchiveFile::open(&*self.disk, id))
    }

    /// Bytes at `range` of a file, checked.
    pub(crate) fn read(&self, id: ArchiveFileId, range: Range<u64>) -> Result<Bytes, ArchiveError> {
        self.file(id)?.read(range)
    }

    /// As [`Archive::read`] when nothing needs to wait for the device; `None` otherwise.
    pub(crate) fn read_nowait(&self, id: ArchiveFileId, range: Range<u64>) -> Result<Option<Bytes>, ArchiveError> {
        match self.open.get_open(id) {
            Some(file) => file.read_nowait(range),
            None => Ok(None),
        }
    }

    /// Removes a file that the catalog does not name any more.
    pub(crate) fn remove(&self, id: ArchiveFileId) -> Result<(), ArchiveError> {
        self.open.forget(id);
        let path = format::path(id);
        self.disk.remove(&path).map_err(failed("removing", &path))
    }
}

impl ArchiveError {
    /// Whether a file was not there: a reader that looked its extents up just before a merge sees this, and finds the
    /// new file when it looks them up again.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the disk was full.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            Self::Catalog(error) => error.is_full(),
            Self::Damaged { .. } => false,
        }
    }
}

/// Names what an I/O error interrupted.
fn failed(operation: &'static str, path: &str) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Io { operation, path, source }
}
