//! The catalog: what each stream is, in one SQLite database.
//!
//! Only checkpoints and the archive's installs write here, each in one transaction that is durable when the call
//! returns: what the journal held may be recycled after it. Rows mirror [`headwater_streams::Head`] column by column,
//! so a person with `sqlite3` can read them. The catalog knows neither the journal's records nor the archive's bytes;
//! it names positions in both.

mod archived;
mod checkpoint;
mod documents;
mod error;
mod lookup;
mod reader;
mod row;
mod schema;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use headwater_streams::StreamId;
use parking_lot::Mutex;
use rusqlite::Connection;

use crate::checkpoint::JournalPosition;
use error::During;

pub(crate) use archived::{ArchiveFileId, ArchiveFileRow, Extent, NewArchive, Run, Tier};
pub(crate) use error::CatalogError;
pub(crate) use reader::{CatalogReader, FileUse};
pub(crate) use schema::{CATALOG_FILE, CATALOG_VERSION};

/// How far the catalog has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Covered {
    /// Every journal record before this position shows in the catalog.
    pub(crate) position: JournalPosition,
    /// Every payload byte before this position is in the archive, or dead.
    pub(crate) archived: JournalPosition,
}

/// The open catalog. Calls block on the disk: none belongs on an async runtime's thread, except that a
/// [`Catalog::load`] of a hot row takes some ten microseconds.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// Checkpoints and installs.
    writer: Mutex<Connection>,
    /// The committer's look-ups, which wait for nobody else.
    loader: Mutex<Connection>,
    /// Extents for readers of history.
    extents: Mutex<Connection>,
    /// Listings, expiry and documents, which may take long.
    lister: Mutex<Connection>,
    path: PathBuf,
    streams: AtomicU64,
    next_archive_file: AtomicU64,
}

impl Catalog {
    /// Opens the catalog in `dir`, creating it when there is none.
    pub(crate) fn open(dir: &Path) -> Result<Self, CatalogError> {
        let path = dir.join(CATALOG_FILE);
        let writer = schema::open_writer(&path)?;
        let streams = schema::meta(&writer, schema::STREAMS)?;
        let next_archive_file = schema::meta(&writer, schema::NEXT_ARCHIVE_FILE)?;
        Ok(Self {
            loader: Mutex::new(schema::open_reader(&path)?),
            extents: Mutex::new(schema::open_reader(&path)?),
            lister: Mutex::new(schema::open_reader(&path)?),
            writer: Mutex::new(writer),
            path,
            streams: AtomicU64::new(streams),
            next_archive_file: AtomicU64::new(next_archive_file),
        })
    }

    /// How far the last transaction brought the catalog.
    pub(crate) fn covered(&self) -> Result<Covered, CatalogError> {
        schema::covered(&self.writer.lock())
    }

    /// Counts one more opening of the data directory and returns which one it is, from 1. Durable when it returns.
    pub(crate) fn begin_epoch(&self) -> Result<u64, CatalogError> {
        self.advance(schema::EPOCH, 1).map(|before| before + 1)
    }

    /// Takes `count` consecutive stream ids, which nobody will get again, and returns the first. Durable when it
    /// returns.
    pub(crate) fn lease_stream_ids(&self, count: u64) -> Result<StreamId, CatalogError> {
        self.advance(schema::NEXT_STREAM_ID, count).map(StreamId)
    }

    /// Adds to a number that the catalog keeps and returns what it was.
    fn advance(&self, key: &str, by: u64) -> Result<u64, CatalogError> {
        const DURING: &str = "counting on";
        let mut writer = self.writer.lock();
        let transaction = writer.transaction().during(DURING)?;
        let before = schema::meta(&transaction, key)?;
        schema::set_meta(&transaction, key, before + by).during(DURING)?;
        transaction.commit().during(DURING)?;
        Ok(before)
    }

    /// Streams in the catalog, soft-deleted ones included.
    pub(crate) fn count(&self) -> u64 {
        self.streams.load(Ordering::Relaxed)
    }

    /// Size of the database and its write-ahead log.
    pub(crate) fn bytes_on_disk(&self) -> u64 {
        schema::bytes_on_disk(&self.path)
    }
}
