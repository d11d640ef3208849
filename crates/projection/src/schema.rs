//! The tables, and how a connection is set up.
//!
//! `stream_events`, `sessions` and `search` are for people: their columns stay. Offsets are texts as clients see them, and
//! sort as they stand; times are Unix milliseconds.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::error::{During, ProjectionError};
use crate::limits::BUSY_WAIT;

/// Version of the tables; also SQLite's `user_version`.
pub(crate) const PROJECTION_VERSION: i64 = 1;
/// Marks the file as ours: "HdwP", SQLite's `application_id`.
const APPLICATION_ID: i64 = 0x4864_7750;
/// Bytes the write-ahead log keeps when it starts over.
const WAL_BYTES_KEPT: i64 = 16 * 1024 * 1024;
const WRITER_CACHE_KIB: i64 = 16 * 1024;
const READER_CACHE_KIB: i64 = 2 * 1024;
const STATEMENTS_CACHED: usize = 48;

const TABLES: &str = "
CREATE TABLE stream_events(
    id         INTEGER PRIMARY KEY,
    stream_id  TEXT NOT NULL,             -- the session; its stream is session/{stream_id}
    offset     TEXT NOT NULL,             -- right after the event
    type       TEXT NOT NULL,             -- chunk, tool, terminal, workflow, state
    key        TEXT NOT NULL,
    operation  TEXT NOT NULL,             -- insert, update, delete
    data       TEXT,                      -- the row as JSON; null for a deletion
    txid       TEXT,
    timestamp  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX stream_events_place ON stream_events(stream_id, offset);
CREATE INDEX stream_events_expiry ON stream_events(expires_at);

CREATE TABLE sessions(
    id           TEXT PRIMARY KEY,
    project_id   TEXT NOT NULL,
    task_id      TEXT,
    agent_id     TEXT,
    title        TEXT,
    status       TEXT NOT NULL,           -- active, paused, closed
    url          TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    closed_at    INTEGER,
    retention_ms INTEGER,
    forked_from  TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE texts(                       -- what search finds
    id         INTEGER PRIMARY KEY,
    stream_id  TEXT NOT NULL,
    channel    TEXT NOT NULL,             -- messages, toolCalls, terminal
    key        TEXT NOT NULL,
    part       INTEGER NOT NULL,          -- long messages have several
    agent_id   TEXT,
    tool       TEXT,
    text       TEXT NOT NULL,
    offset     TEXT NOT NULL,             -- right after the last event that belongs to it
    timestamp  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX texts_key ON texts(stream_id, channel, key, part);
CREATE INDEX texts_place ON texts(stream_id, offset);
CREATE INDEX texts_expiry ON texts(expires_at);

CREATE VIRTUAL TABLE search USING fts5(
    tool, text, content='texts', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
INSERT INTO search(search, rank) VALUES ('rank', 'bm25(4.0, 1.0)');
CREATE TRIGGER texts_inserted AFTER INSERT ON texts BEGIN
    INSERT INTO search(rowid, tool, text) VALUES (new.id, new.tool, new.text);
END;
CREATE TRIGGER texts_deleted AFTER DELETE ON texts BEGIN
    INSERT INTO search(search, rowid, tool, text) VALUES ('delete', old.id, old.tool, old.text);
END;
CREATE TRIGGER texts_updated AFTER UPDATE OF tool, text ON texts BEGIN
    INSERT INTO search(search, rowid, tool, text) VALUES ('delete', old.id, old.tool, old.text);
    INSERT INTO search(rowid, tool, text) VALUES (new.id, new.tool, new.text);
END;

CREATE TABLE followed(                    -- how far each stream has been read
    path          TEXT PRIMARY KEY,
    incarnation   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    position      INTEGER NOT NULL,       -- everything before it is above
    earliest      INTEGER NOT NULL,       -- nothing before it is
    retention_ms  INTEGER NOT NULL,       -- what expires_at was reckoned with
    clearing      INTEGER NOT NULL        -- its rows are being removed
) STRICT, WITHOUT ROWID;
CREATE INDEX followed_clearing ON followed(path) WHERE clearing;
";

/// Opens the one connection that writes; creates the tables in a new file.
pub(crate) fn open_writer(file: &Path) -> Result<Connection, ProjectionError> {
    let connection = Connection::open(file).during("opening the file")?;
    set_up(&connection, WRITER_CACHE_KIB)?;
    check_owner(&connection, file)?;
    let pragma = |name, value: &dyn rusqlite::ToSql| connection.pragma_update(None, name, value).during(name);
    pragma("journal_mode", &"WAL")?;
    // A loss of power may take the last transactions, rows and positions alike: they are read again from the streams.
    pragma("synchronous", &"NORMAL")?;
    pragma("journal_size_limit", &WAL_BYTES_KEPT)?;
    create_tables(&connection)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(file: &Path) -> Result<Connection, ProjectionError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).during("opening the file")?;
    set_up(&connection, READER_CACHE_KIB)?;
    check_owner(&connection, file)?;
    connection.pragma_update(None, "query_only", true).during("query_only")?;
    Ok(connection)
}

fn set_up(connection: &Connection, cache_kib: i64) -> Result<(), ProjectionError> {
    connection.busy_timeout(BUSY_WAIT).during("setting up")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // Negative means KiB; positive would mean pages.
    connection.pragma_update(None, "cache_size", -cache_kib).during("setting up")
}

/// Refuses a database of another program or version before anything in it is changed.
fn check_owner(connection: &Connection, file: &Path) -> Result<(), ProjectionError> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = number("application_id").during("reading the file")?;
    if application == APPLICATION_ID {
        let found = number("user_version").during("reading the file")?;
        if found != PROJECTION_VERSION {
            return Err(ProjectionError::Version { file: file.to_owned(), found });
        }
        return Ok(());
    }
    let objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).during("reading the file")?;
    if application != 0 || objects > 0 {
        return Err(ProjectionError::Foreign { file: file.to_owned() });
    }
    Ok(())
}

fn create_tables(connection: &Connection) -> Result<(), ProjectionError> {
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'followed'", [], |row| row.get(0))
        .during("reading the file")?;
    if tables > 0 {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction().during("creating the tables")?;
    transaction.execute_batch(TABLES).during("creating the tables")?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).during("creating the tables")?;
    transaction.pragma_update(None, "user_version", PROJECTION_VERSION).during("creating the tables")?;
    transaction.commit().during("creating the tables")
}
