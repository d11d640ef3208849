//! The archive files that are open: bounded, the least recently used goes first.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::{ArchiveError, ArchiveFile};
use crate::catalog::ArchiveFileId;
use crate::limits::{ARCHIVE_FILES_OPEN_MAX, ARCHIVE_TABLES_BYTES_MAX};

/// Handles by file. A handle that is still in use outlives its place here.
#[derive(Debug, Default)]
pub(super) struct OpenFiles(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    files: HashMap<ArchiveFileId, Entry, RandomState>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    file: Arc<ArchiveFile>,
    last_use: u64,
}

impl OpenFiles {
    /// The handle of `id`, opened by `open` when there is none.
    pub(super) fn get(
        &self,
        id: ArchiveFileId,
        open: impl FnOnce() -> Result<ArchiveFile, ArchiveError>,
    ) -> Result<Arc<ArchiveFile>, ArchiveError> {
        if let Some(file) = self.get_open(id) {
            return Ok(file);
        }
        // Opened outside the lock, because it reads; two that race open it twice, and one handle stays.
        let file = Arc::new(open()?);
        self.0.lock().insert(id, Arc::clone(&file));
        Ok(file)
    }

    /// The handle of `id`, when it is open.
    pub(super) fn get_open(&self, id: ArchiveFileId) -> Option<Arc<ArchiveFile>> {
        let mut table = self.0.lock();
        table.uses += 1;
        let now = table.uses;
        let entry = table.files.get_mut(&id)?;
        entry.last_use = now;
        Some(Arc::clone(&entry.file))
    }

    /// Lets go of the handle of `id`.
    pub(super) fn forget(&self, id: ArchiveFileId) {
        self.0.lock().remove(id);
    }
}

impl Table {
    fn insert(&mut self, id: ArchiveFileId, file: Arc<ArchiveFile>) {
        self.remove(id);
        self.bytes += file.memory_bytes();
        self.files.insert(id, Entry { file, last_use: self.uses });
        while self.files.len() > 1
            && (self.files.len() > ARCHIVE_FILES_OPEN_MAX || self.bytes > ARCHIVE_TABLES_BYTES_MAX)
        {
            let oldest = self.files.iter().min_by_key(|(_, entry)| entry.last_use).map(|(id, _)| *id);
            self.remove(oldest.expect("there is more than one"));
        }
    }

    fn remove(&mut self, id: ArchiveFileId) {
        if let Some(entry) = self.files.remove(&id) {
            self.bytes -= entry.file.memory_bytes();
        }
    }
}
