//! The catalog opened to look at: for `verify` and `inspect`, while no server has the data directory.
//!
//! Nothing is written, not even by SQLite's own recovery of a write-ahead log that a crash left: its index is kept in
//! memory, and its pages stay where they are.

use std::fs;
use std::path::{Path, PathBuf};

use headwater_protocol::{Offset, StreamPath};
use headwater_streams::{Head, StreamId};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::archived::{extent_from, file_from, unsigned};
use super::error::{CatalogError, During};
use super::row::signed;
use super::{ArchiveFileId, ArchiveFileRow, CATALOG_FILE, Covered, Extent, lookup, schema};

const DURING: &str = "reading the catalog";

/// One connection, which nothing can be written through.
#[derive(Debug)]
pub(crate) struct CatalogReader {
    connection: Connection,
    path: PathBuf,
}

/// A stream's path, and its row or why that cannot be read.
pub(crate) type ReadRow = (String, Result<Head, CatalogError>);

/// Live bytes that extents say a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileUse {
    pub(crate) file: ArchiveFileId,
    pub(crate) bytes: u64,
    pub(crate) extents: u64,
}

impl CatalogReader {
    /// Opens the catalog in `dir`; `None` when there is none.
    pub(crate) fn open(dir: &Path) -> Result<Option<Self>, CatalogError> {
        let path = dir.join(CATALOG_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let has_log = fs::metadata(schema::wal_path(&path)).is_ok_and(|log| log.len() > 0);
        let connection = if has_log { open_with_log(&path)? } else { open_immutable(&path)? };
        schema::check_version(&connection)?;
        Ok(Some(Self { connection, path }))
    }

    /// Size of the database and its write-ahead log.
    pub(crate) fn bytes_on_disk(&self) -> u64 {
        schema::bytes_on_disk(&self.path)
    }

    pub(crate) fn covered(&self) -> Result<Covered, CatalogError> {
        schema::covered(&self.connection)
    }

    /// How often the data directory has been opened.
    pub(crate) fn epoch(&self) -> Result<u64, CatalogError> {
        schema::meta(&self.connection, schema::EPOCH)
    }

    /// Streams as the catalog counts them, and as there are.
    pub(crate) fn counts(&self) -> Result<(u64, u64), CatalogError> {
        let found = self.connection.query_row("SELECT count(*) FROM stream", [], |row| unsigned(row, 0));
        Ok((schema::meta(&self.connection, schema::STREAMS)?, found.during(DURING)?))
    }

    /// What SQLite finds wrong with the database; empty when all is well.
    pub(crate) fn integrity(&self) -> Result<Vec<String>, CatalogError> {
        let mut check = self.connection.prepare("PRAGMA integrity_check").during(DURING)?;
        let rows: Result<Vec<String>, _> = check.query_map([], |row| row.get(0)).during(DURING)?.collect();
        let mut rows = rows.during(DURING)?;
        rows.retain(|row| row != "ok");
        Ok(rows)
    }

    pub(crate) fn archive_files(&self) -> Result<Vec<ArchiveFileRow>, CatalogError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT id, tier, bytes, data_bytes, live_bytes, runs FROM archive_file ORDER BY id")
            .during(DURING)?;
        let rows: Result<_, _> = select.query_map([], file_from).during(DURING)?.collect();
        rows.during(DURING)
    }

    /// What extents say of each file, by file.
    pub(crate) fn file_uses(&self) -> Result<Vec<FileUse>, CatalogError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT file, sum(len), count(*) FROM extent GROUP BY file ORDER BY file")
            .during(DURING)?;
        let rows: Result<_, _> = select
            .query_map([], |row| {
                let (file, bytes, extents) = (unsigned(row, 0)?, unsigned(row, 1)?, unsigned(row, 2)?);
                Ok(FileUse { file: ArchiveFileId(file), bytes, extents })
            })
            .during(DURING)?
            .collect();
        rows.during(DURING)
    }

    /// All extents of a stream, in offset order.
    pub(crate) fn extents(&self, stream: StreamId) -> Result<Vec<Extent>, CatalogError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT start, len, file, position FROM extent WHERE stream_id = ?1 ORDER BY start")
            .during(DURING)?;
        let rows: Result<_, _> = select.query_map([signed(stream.0)], extent_from).during(DURING)?.collect();
        rows.during(DURING)
    }

    /// The extents of a stream that start in `start..end`, in offset order.
    pub(crate) fn extents_within(
        &self,
        stream: StreamId,
        start: Offset,
        end: Offset,
    ) -> Result<Vec<Extent>, CatalogError> {
        let mut select = self
            .connection
            .prepare_cached(
                "SELECT start, len, file, position FROM extent WHERE stream_id = ?1 AND start >= ?2 AND start < ?3 \
                 ORDER BY start",
            )
            .during(DURING)?;
        let bounds = (signed(stream.0), signed(start.get()), signed(end.get()));
        let rows: Result<_, _> = select.query_map(bounds, extent_from).during(DURING)?.collect();
        rows.during(DURING)
    }

    /// The stream at `path`.
    pub(crate) fn find(&self, path: &StreamPath) -> Result<Option<Head>, CatalogError> {
        lookup::load_one(&self.connection, path)
    }

    /// Whether a stream has that id.
    pub(crate) fn path_of(&self, stream: StreamId) -> Result<Option<String>, CatalogError> {
        self.connection
            .prepare_cached("SELECT path FROM stream WHERE id = ?1")
            .and_then(|mut select| select.query_row([signed(stream.0)], |row| row.get(0)).optional())
            .during(DURING)
    }

    /// Streams in path order after `after` whose path starts with `prefix`, at most `limit`. A row that cannot be
    /// read comes as its error, in its place.
    pub(crate) fn page(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<ReadRow>, CatalogError> {
        let mut select = self
            .connection
            .prepare_cached("SELECT path FROM stream WHERE path >= ?1 AND path > ?2 ORDER BY path LIMIT ?3")
            .during(DURING)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let paths: Result<Vec<String>, _> =
            select.query_map((prefix, after, limit), |row| row.get(0)).during(DURING)?.collect();
        let mut page = Vec::new();
        for path in paths.during(DURING)?.into_iter().take_while(|path| path.starts_with(prefix)) {
            let head = StreamPath::new(&path)
                .map_err(|why| CatalogError::Damaged(format!("stream path {path:?}: {why}")))
                .and_then(|path| self.find(&path))
                .and_then(|head| head.ok_or_else(|| CatalogError::Damaged(format!("no row at {path:?}"))));
            page.push((path, head));
        }
        Ok(page)
    }

    /// Documents, and their bytes.
    pub(crate) fn documents(&self) -> Result<(u64, u64), CatalogError> {
        self.connection
            .query_row("SELECT count(*), coalesce(sum(length(value)), 0) FROM document", [], |row| {
                Ok((unsigned(row, 0)?, unsigned(row, 1)?))
            })
            .during(DURING)
    }

    /// Producers and extents whose stream is gone.
    pub(crate) fn strays(&self) -> Result<(u64, u64), CatalogError> {
        let count = |table| {
            let select =
                format!("SELECT count(*) FROM {table} WHERE NOT EXISTS (SELECT 1 FROM stream WHERE id = stream_id)");
            self.connection.query_row(&select, [], |row| unsigned(row, 0)).during(DURING)
        };
        Ok((count("producer")?, count("extent")?))
    }
}

/// With nothing in the log, the database is a file like any other.
fn open_immutable(path: &Path) -> Result<Connection, CatalogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(uri(path), flags).during("opening")
}

/// A log can be read without its index on disk only by one who could write; so the connection is told not to.
fn open_with_log(path: &Path) -> Result<Connection, CatalogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).during("opening")?;
    // ORDER: all three before the first look at the database: the log's index stays in memory, and closing does not
    // move the log's pages.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").during("opening")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).during("opening")?;
    connection.pragma_update(None, "query_only", true).during("opening")?;
    Ok(connection)
}

fn uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' => uri.push(*byte as char),
            byte if byte.is_ascii_alphanumeric() => uri.push(*byte as char),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}
