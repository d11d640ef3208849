//! How far each stream has been read: the table `followed`.

use headwater_protocol::{Offset, StreamPath};
use headwater_streams::Metadata;
use rusqlite::{Connection, OptionalExtension, Row};

/// A stream as far as it has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Followed {
    /// Which stream of that name: its id, and when it was created, for stores that begin their ids anew.
    pub(crate) incarnation: u64,
    pub(crate) created_at_ms: u64,
    /// Every event before it has its row.
    pub(crate) position: Offset,
    /// No event before it has one.
    pub(crate) earliest: Offset,
    /// What `expires_at` of its rows was reckoned with.
    pub(crate) retention_ms: u64,
    /// Its rows are being removed, a number at a time.
    pub(crate) is_clearing: bool,
}

/// A stream's entry, and the retention that its session asks for by itself.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) followed: Followed,
    pub(crate) own_retention_ms: Option<u64>,
}

impl Followed {
    /// Whether it is this stream, and not another one of the same name.
    pub(crate) fn is_of(&self, metadata: &Metadata) -> bool {
        self.incarnation == metadata.id.0 && self.created_at_ms == metadata.created_at_ms
    }
}

const SELECT: &str = "\
    SELECT path, incarnation, followed.created_at, position, earliest, followed.retention_ms, clearing, \
           sessions.retention_ms \
    FROM followed LEFT JOIN sessions ON sessions.id = substr(path, 9)";

pub(crate) fn load(connection: &Connection, path: &StreamPath) -> rusqlite::Result<Option<Entry>> {
    let mut select = connection.prepare_cached(&format!("{SELECT} WHERE path = ?1"))?;
    select.query_row([path.as_str()], read).optional()
}

/// The entries after one path up to another, in path order.
pub(crate) fn between(
    connection: &Connection,
    after: Option<&StreamPath>,
    up_to: Option<&StreamPath>,
    limit: usize,
) -> rusqlite::Result<Vec<Entry>> {
    let sql = format!("{SELECT} WHERE path > ?1 AND (?2 IS NULL OR path <= ?2) ORDER BY path LIMIT ?3");
    let mut select = connection.prepare_cached(&sql)?;
    let after = after.map_or("", StreamPath::as_str);
    select.query_map((after, up_to.map(StreamPath::as_str), limit), read)?.collect()
}

/// The retention that a session asks for by itself.
pub(crate) fn own_retention_ms(connection: &Connection, session: &str) -> rusqlite::Result<Option<u64>> {
    let mut select = connection.prepare_cached("SELECT retention_ms FROM sessions WHERE id = ?1")?;
    let found: Option<Option<i64>> = select.query_row([session], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(i64::cast_unsigned))
}

pub(crate) fn save(connection: &Connection, path: &StreamPath, followed: &Followed) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached("INSERT OR REPLACE INTO followed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    put.execute((
        path.as_str(),
        followed.incarnation.cast_signed(),
        signed(followed.created_at_ms),
        signed(followed.position.get()),
        signed(followed.earliest.get()),
        signed(followed.retention_ms),
        followed.is_clearing,
    ))?;
    Ok(())
}

pub(crate) fn begin_clearing(connection: &Connection, path: &StreamPath) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE followed SET clearing = 1 WHERE path = ?1")?.execute([path.as_str()])?;
    Ok(())
}

pub(crate) fn forget(connection: &Connection, path: &StreamPath) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM followed WHERE path = ?1")?.execute([path.as_str()])?;
    Ok(())
}

/// As SQLite's signed numbers; what does not fit is the largest one.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let number = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let followed = Followed {
        incarnation: number(1)?,
        created_at_ms: number(2)?,
        position: Offset::new(number(3)?),
        earliest: Offset::new(number(4)?),
        retention_ms: number(5)?,
        is_clearing: row.get(6)?,
    };
    let own_retention_ms = row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned);
    Ok(Entry { path: row.get(0)?, followed, own_retention_ms })
}
