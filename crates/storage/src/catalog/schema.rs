//! The tables, and how a connection is set up.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::Covered;
use super::error::{CatalogError, During};
use crate::checkpoint::JournalPosition;

/// The database's name in the data directory.
pub(crate) const CATALOG_FILE: &str = "catalog.sqlite";
/// Version of the tables; also SQLite's `user_version`.
pub(crate) const CATALOG_VERSION: u64 = 1;
/// Marks the database as ours: "HdwC", SQLite's `application_id`.
const APPLICATION_ID: u32 = 0x4864_7743;

pub(super) const FORMAT_VERSION: &str = "format_version";
pub(super) const EPOCH: &str = "epoch";
pub(super) const NEXT_STREAM_ID: &str = "next_stream_id";
pub(super) const NEXT_ARCHIVE_FILE: &str = "next_archive_file";
pub(super) const STREAMS: &str = "streams";

/// The two numbers of a [`JournalPosition`].
pub(super) struct PositionKeys {
    segment: &'static str,
    offset: &'static str,
}

pub(super) const COVERED: PositionKeys = PositionKeys { segment: "covered_segment", offset: "covered_offset" };
pub(super) const ARCHIVED: PositionKeys = PositionKeys { segment: "archived_segment", offset: "archived_offset" };

/// Pages of the write-ahead log that are collected before they move to the database: a page that several checkpoints
/// touch is then written there once.
const WAL_PAGES: u32 = 8 * 1024;
/// Bytes the write-ahead log keeps when it starts over.
const WAL_BYTES_KEPT: u32 = 64 * 1024 * 1024;
/// A transaction that outgrows it writes pages more than once. What a checkpoint needed is given back after it.
const WRITER_CACHE_KIB: i32 = 64 * 1024;
const READER_CACHE_KIB: i32 = 4 * 1024;
const STATEMENTS_CACHED: usize = 32;
/// Nobody else writes; only SQLite's own recovery after a crash may hold a lock for a moment.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Unsigned 64-bit numbers are stored as SQLite's signed ones with the same bits; none that is compared in SQL comes
/// near the sign.
const TABLES: &str = "
CREATE TABLE meta(
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stream(
    id                INTEGER PRIMARY KEY,
    path              TEXT NOT NULL UNIQUE,
    content_type      TEXT NOT NULL,
    ephemeral         INTEGER NOT NULL,
    ttl_s             INTEGER,            -- a sliding lifetime
    until_ms          INTEGER,            -- a fixed one
    created_at_ms     INTEGER NOT NULL,
    accessed_at_ms    INTEGER NOT NULL,
    expires_at_ms     INTEGER,            -- follows from the four above; null when never or already soft-deleted
    earliest          INTEGER NOT NULL,
    tail              INTEGER NOT NULL,
    closed            INTEGER NOT NULL,
    closed_by         TEXT,               -- producer id, epoch and seq of the request that closed it
    closed_by_epoch   INTEGER,
    closed_by_seq     INTEGER,
    stream_seq        BLOB,
    fork_source       INTEGER,
    fork_source_path  TEXT,
    fork_requested    INTEGER,
    fork_sub_offset   INTEGER,
    fork_at           INTEGER,
    inherited         TEXT,               -- 'source:from-to source:from-to ...'
    forks             INTEGER NOT NULL,
    soft_deleted      INTEGER NOT NULL,
    version           INTEGER NOT NULL
) STRICT;
CREATE INDEX stream_expiry ON stream(expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE producer(
    stream_id   INTEGER NOT NULL,
    producer_id TEXT NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    PRIMARY KEY(stream_id, producer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE document(
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE archive_file(
    id         INTEGER PRIMARY KEY,
    tier       INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    data_bytes INTEGER NOT NULL,
    live_bytes INTEGER NOT NULL,          -- the sum of len over its extents
    runs       INTEGER NOT NULL
) STRICT;

CREATE TABLE extent(
    stream_id INTEGER NOT NULL,
    start     INTEGER NOT NULL,           -- offset in the stream
    len       INTEGER NOT NULL,
    file      INTEGER NOT NULL,
    position  INTEGER NOT NULL,           -- in the file
    PRIMARY KEY(stream_id, start)
) STRICT, WITHOUT ROWID;
";

/// Opens the one connection that writes; creates the tables in a new database.
pub(super) fn open_writer(path: &Path) -> Result<Connection, CatalogError> {
    let is_new = !path.exists();
    let connection = Connection::open(path).during("opening")?;
    set_up(&connection, WRITER_CACHE_KIB)?;
    let pragma = |name, value: &dyn rusqlite::ToSql| connection.pragma_update(None, name, value).during(name);
    pragma("journal_mode", &"WAL")?;
    // ORDER: a transaction is synced before it is acknowledged, because the journal it covers is recycled next.
    pragma("synchronous", &"FULL")?;
    pragma("wal_autocheckpoint", &WAL_PAGES)?;
    pragma("journal_size_limit", &WAL_BYTES_KEPT)?;
    create_tables(&connection)?;
    check_version(&connection)?;
    if is_new {
        sync_directory_of(path).map_err(CatalogError::Directory)?;
    }
    Ok(connection)
}

/// Opens a connection for look-ups.
pub(super) fn open_reader(path: &Path) -> Result<Connection, CatalogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).during("opening")?;
    set_up(&connection, READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true).during("query_only")?;
    Ok(connection)
}

/// The write-ahead log's name, beside the database.
pub(super) fn wal_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Size of the database and its write-ahead log.
pub(super) fn bytes_on_disk(database: &Path) -> u64 {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    length(database) + length(&wal_path(database))
}

/// Refuses a database of another program or version.
pub(super) fn check_version(connection: &Connection) -> Result<(), CatalogError> {
    let application: u32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).during("reading its application id")?;
    if application != APPLICATION_ID {
        return Err(CatalogError::Damaged(format!("application id {application:#x} is not {APPLICATION_ID:#x}")));
    }
    match meta(connection, FORMAT_VERSION)? {
        CATALOG_VERSION => Ok(()),
        found => Err(CatalogError::Version { found }),
    }
}

/// A number that the catalog keeps under `key`.
pub(super) fn meta(connection: &Connection, key: &str) -> Result<u64, CatalogError> {
    let value: Option<i64> = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")
        .and_then(|mut select| select.query_row([key], |row| row.get(0)).optional())
        .during("reading meta")?;
    value.map(i64::cast_unsigned).ok_or_else(|| CatalogError::Damaged(format!("meta has no {key}")))
}

/// How far the catalog has come.
pub(super) fn covered(connection: &Connection) -> Result<Covered, CatalogError> {
    Ok(Covered { position: position(connection, &COVERED)?, archived: position(connection, &ARCHIVED)? })
}

/// Changes a number that the catalog keeps.
pub(super) fn set_meta(connection: &Connection, key: &str, value: u64) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?;
    update.execute((key, value.cast_signed()))?;
    Ok(())
}

/// Changes a number that the catalog keeps, unless it is higher already.
pub(super) fn raise_meta(connection: &Connection, key: &str, value: u64) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached("UPDATE meta SET value = max(value, ?2) WHERE key = ?1")?;
    update.execute((key, value.cast_signed()))?;
    Ok(())
}

/// A journal position that the catalog keeps.
fn position(connection: &Connection, keys: &PositionKeys) -> Result<JournalPosition, CatalogError> {
    Ok(JournalPosition { segment: meta(connection, keys.segment)?, offset: meta(connection, keys.offset)? })
}

/// Changes a journal position that the catalog keeps.
pub(super) fn set_position(
    connection: &Connection,
    keys: &PositionKeys,
    position: JournalPosition,
) -> rusqlite::Result<()> {
    set_meta(connection, keys.segment, position.segment)?;
    set_meta(connection, keys.offset, position.offset)
}

fn set_up(connection: &Connection, cache_kib: i32) -> Result<(), CatalogError> {
    connection.busy_timeout(BUSY_WAIT).during("setting up")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // Negative means KiB; positive would mean pages.
    connection.pragma_update(None, "cache_size", -cache_kib).during("setting up")?;
    connection.pragma_update(None, "temp_store", "MEMORY").during("setting up")
}

fn create_tables(connection: &Connection) -> Result<(), CatalogError> {
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", [], |row| row.get(0))
        .during("reading the schema")?;
    if tables > 0 {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction().during("creating the tables")?;
    transaction.execute_batch(TABLES).during("creating the tables")?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).during("creating the tables")?;
    transaction.pragma_update(None, "user_version", CATALOG_VERSION.cast_signed()).during("creating the tables")?;
    for (key, value) in [
        (FORMAT_VERSION, CATALOG_VERSION),
        (COVERED.segment, 0),
        (COVERED.offset, 0),
        (ARCHIVED.segment, 0),
        (ARCHIVED.offset, 0),
        (EPOCH, 0),
        (NEXT_STREAM_ID, 1),
        (NEXT_ARCHIVE_FILE, 1),
        (STREAMS, 0),
    ] {
        transaction
            .execute("INSERT INTO meta(key, value) VALUES (?1, ?2)", (key, value.cast_signed()))
            .during("creating the tables")?;
    }
    transaction.commit().during("creating the tables")
}

/// Makes a new file's name durable.
fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(directory) => std::fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}
