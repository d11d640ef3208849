//! Which archive files exist, and which of their bytes belong to whom.

use std::ops::Range;
use std::sync::atomic::Ordering;

use headwater_protocol::Offset;
use headwater_streams::StreamId;
use rusqlite::{OptionalExtension, Row, Transaction};

use super::checkpoint::{Died, lower_live_bytes};
use super::error::{CatalogError, During};
use super::row::signed;
use super::{Catalog, schema};
use crate::checkpoint::JournalPosition;

/// Runs that one transaction installs: what a checkpoint or a lease of ids may have to wait for.
const RUNS_PER_TRANSACTION: usize = 4096;

const INSTALLING: &str = "installing an archive file";

/// Tells which part of a run is live, and takes that away from where it was.
type LivePart = fn(&Transaction<'_>, &Run, &mut Died) -> rusqlite::Result<Option<Run>>;

/// Names an archive file; grows over the life of a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ArchiveFileId(pub(crate) u64);

/// How often the bytes of a file have been rewritten to get there: 0 comes straight from the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tier(pub(crate) u8);

/// Consecutive bytes of one stream in an archive file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) stream: StreamId,
    /// Offset of the first byte in the stream.
    pub(crate) start: Offset,
    /// Bytes.
    pub(crate) len: u64,
    /// Position of the first byte in the file.
    pub(crate) position: u64,
}

/// A durable archive file that no row names yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewArchive {
    pub(crate) id: ArchiveFileId,
    pub(crate) tier: Tier,
    /// Of the whole file.
    pub(crate) bytes: u64,
    /// In the order of streams and offsets.
    pub(crate) runs: Vec<Run>,
}

/// An archive file as the catalog knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ArchiveFileRow {
    pub(crate) id: ArchiveFileId,
    pub(crate) tier: Tier,
    /// Of the whole file.
    pub(crate) bytes: u64,
    /// Of streams, when it was written.
    pub(crate) data_bytes: u64,
    /// Of streams that can still be read.
    pub(crate) live_bytes: u64,
    /// When it was written.
    pub(crate) runs: u64,
}

/// A range of one stream's bytes and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Offset of the first byte in the stream.
    pub(crate) start: Offset,
    /// Bytes.
    pub(crate) len: u64,
    pub(crate) file: ArchiveFileId,
    /// Position of the first byte in the file.
    pub(crate) position: u64,
}

impl Extent {
    /// Offset after its last byte.
    pub(crate) fn end(&self) -> Offset {
        self.start.advance(self.len)
    }
}

impl Catalog {
    /// An id for a new file. One that is never installed may be handed out again by a later opening.
    pub(crate) fn allocate_archive_file(&self) -> ArchiveFileId {
        ArchiveFileId(self.next_archive_file.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes the bytes of `new`, all taken from journal records before `archived`, the ones that readers get. Without
    /// `new`, no byte before `archived` is live any more.
    ///
    /// Bytes that are in the archive already, are trimmed, or belong to streams that are gone stay dead, so a file
    /// built twice from the same segments after a crash does no harm.
    ///
    /// # Errors
    /// Some runs may be installed, each in one piece: readers find those here, and the others where they were.
    pub(crate) fn install_archive(
        &self,
        new: Option<&NewArchive>,
        archived: JournalPosition,
    ) -> Result<(), CatalogError> {
        if let Some(new) = new {
            self.place(new, clip)?;
        }
        let mut writer = self.writer.lock();
        let transaction = writer.transaction().during(INSTALLING)?;
        schema::set_position(&transaction, &schema::ARCHIVED, archived).during(INSTALLING)?;
        transaction.commit().during(INSTALLING)
    }

    /// Lets readers get from `new` what they got from the files `replaced`, and forgets those. Without `new`, they
    /// must hold no live byte.
    ///
    /// # Errors
    /// As of [`Catalog::install_archive`]; no file is forgotten then.
    pub(crate) fn replace_archives(
        &self,
        new: Option<&NewArchive>,
        replaced: &[ArchiveFileId],
    ) -> Result<(), CatalogError> {
        if let Some(new) = new {
            self.place(new, take_over)?;
        }
        let mut writer = self.writer.lock();
        let transaction = writer.transaction().during(INSTALLING)?;
        for file in replaced {
            remove_file(&transaction, *file)?;
        }
        transaction.commit().during(INSTALLING)
    }

    /// Inserts what `live` leaves of each run. In several transactions, so that nobody who needs the writer waits for
    /// long: every byte is live in exactly one file after each of them.
    fn place(&self, new: &NewArchive, live: LivePart) -> Result<(), CatalogError> {
        for (index, runs) in new.runs.chunks(RUNS_PER_TRANSACTION).enumerate() {
            let mut writer = self.writer.lock();
            let transaction = writer.transaction().during(INSTALLING)?;
            if index == 0 {
                insert_file(&transaction, new).during(INSTALLING)?;
            }
            place_runs(&transaction, new.id, runs, live).during(INSTALLING)?;
            transaction.commit().during(INSTALLING)?;
        }
        Ok(())
    }

    /// Where the bytes of `range` lie, in offset order; what is not archived is left out.
    pub(crate) fn extents(&self, stream: StreamId, range: Range<Offset>) -> Result<Vec<Extent>, CatalogError> {
        const DURING: &str = "reading extents";
        let connection = self.extents.lock();
        let mut select = connection
            .prepare_cached(
                "SELECT start, len, file, position FROM extent WHERE stream_id = ?1 AND start < ?3 AND start >= \
                 coalesce((SELECT max(start) FROM extent WHERE stream_id = ?1 AND start <= ?2), 0) ORDER BY start",
            )
            .during(DURING)?;
        let bounds = (signed(stream.0), signed(range.start.get()), signed(range.end.get()));
        let found: Result<Vec<Extent>, _> = select.query_map(bounds, extent_from).during(DURING)?.collect();
        let mut found = found.during(DURING)?;
        found.retain(|extent| extent.end() > range.start);
        Ok(found)
    }

    /// Every archive file, oldest first.
    pub(crate) fn archive_files(&self) -> Result<Vec<ArchiveFileRow>, CatalogError> {
        const DURING: &str = "reading archive files";
        let connection = self.lister.lock();
        let mut select = connection
            .prepare_cached("SELECT id, tier, bytes, data_bytes, live_bytes, runs FROM archive_file ORDER BY id")
            .during(DURING)?;
        let rows: Result<_, _> = select.query_map([], file_from).during(DURING)?.collect();
        rows.during(DURING)
    }
}

/// Offset after the last archived byte of a stream; `None` when none is archived.
fn archived_end(connection: &rusqlite::Connection, stream: StreamId) -> rusqlite::Result<Option<Offset>> {
    connection
        .prepare_cached("SELECT start + len FROM extent WHERE stream_id = ?1 ORDER BY start DESC LIMIT 1")?
        .query_row([signed(stream.0)], |row| Ok(Offset::new(unsigned(row, 0)?)))
        .optional()
}

/// The part of `run` that is neither archived, nor trimmed, nor of a stream that is gone.
fn clip(transaction: &Transaction<'_>, run: &Run, _: &mut Died) -> rusqlite::Result<Option<Run>> {
    let earliest = transaction
        .prepare_cached("SELECT earliest FROM stream WHERE id = ?1")?
        .query_row([signed(run.stream.0)], |row| Ok(Offset::new(unsigned(row, 0)?)))
        .optional()?;
    let Some(earliest) = earliest else { return Ok(None) };
    let archived = archived_end(transaction, run.stream)?.unwrap_or(Offset::START);
    Ok(run.from(earliest.max(archived)))
}

impl Run {
    /// Offset after its last byte.
    pub(crate) fn end(&self) -> Offset {
        self.start.advance(self.len)
    }

    /// What is left of it from `offset` on.
    fn from(&self, offset: Offset) -> Option<Self> {
        let skipped = offset.bytes_since(self.start);
        let start = self.start.max(offset);
        (skipped < self.len).then(|| Self {
            stream: self.stream,
            start,
            len: self.len - skipped,
            position: self.position + skipped,
        })
    }
}

/// Removes the extents that `run` replaces; returns the part of it that was still live. Only a trim or a removal can
/// have come since the run was copied, and both take away a prefix.
fn take_over(transaction: &Transaction<'_>, run: &Run, died: &mut Died) -> rusqlite::Result<Option<Run>> {
    let mut delete = transaction.prepare_cached(
        "DELETE FROM extent WHERE stream_id = ?1 AND start >= ?2 AND start < ?3 RETURNING start, len, file",
    )?;
    let mut rows = delete.query((signed(run.stream.0), signed(run.start.get()), signed(run.end().get())))?;
    let mut first: Option<Offset> = None;
    while let Some(row) = rows.next()? {
        let start = Offset::new(unsigned(row, 0)?);
        first = Some(first.map_or(start, |first| first.min(start)));
        *died.entry(ArchiveFileId(unsigned(row, 2)?)).or_default() += unsigned(row, 1)?;
    }
    Ok(first.and_then(|first| run.from(first)))
}

fn place_runs(
    transaction: &Transaction<'_>,
    file: ArchiveFileId,
    runs: &[Run],
    live: LivePart,
) -> rusqlite::Result<()> {
    let (mut live_bytes, mut died) = (0, Died::default());
    for run in runs {
        if let Some(part) = live(transaction, run, &mut died)? {
            insert_extent(transaction, file, &part)?;
            live_bytes += part.len;
        }
    }
    lower_live_bytes(transaction, &died)?;
    let mut raise = transaction.prepare_cached("UPDATE archive_file SET live_bytes = live_bytes + ?2 WHERE id = ?1")?;
    raise.execute((signed(file.0), signed(live_bytes)))?;
    Ok(())
}

fn insert_extent(transaction: &Transaction<'_>, file: ArchiveFileId, run: &Run) -> rusqlite::Result<()> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO extent(stream_id, start, len, file, position) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute((
        signed(run.stream.0),
        signed(run.start.get()),
        signed(run.len),
        signed(file.0),
        signed(run.position),
    ))?;
    Ok(())
}

fn insert_file(transaction: &Transaction<'_>, new: &NewArchive) -> rusqlite::Result<()> {
    let data_bytes: u64 = new.runs.iter().map(|run| run.len).sum();
    transaction.execute(
        "INSERT INTO archive_file(id, tier, bytes, data_bytes, live_bytes, runs) VALUES (?1, ?2, ?3, ?4, 0, ?5)",
        (signed(new.id.0), new.tier.0, signed(new.bytes), signed(data_bytes), signed(new.runs.len() as u64)),
    )?;
    schema::raise_meta(transaction, schema::NEXT_ARCHIVE_FILE, new.id.0 + 1)
}

/// Forgets a file that holds no live byte any more; anything else would lose bytes.
fn remove_file(transaction: &Transaction<'_>, file: ArchiveFileId) -> Result<(), CatalogError> {
    let live: Option<i64> = transaction
        .prepare_cached("DELETE FROM archive_file WHERE id = ?1 RETURNING live_bytes")
        .and_then(|mut delete| delete.query_row([signed(file.0)], |row| row.get(0)).optional())
        .during("removing an archive file")?;
    match live {
        Some(0) | None => Ok(()),
        Some(live) => Err(CatalogError::Damaged(format!("archive file {} still has {live} live bytes", file.0))),
    }
}

pub(super) fn extent_from(row: &Row<'_>) -> rusqlite::Result<Extent> {
    Ok(Extent {
        start: Offset::new(unsigned(row, 0)?),
        len: unsigned(row, 1)?,
        file: ArchiveFileId(unsigned(row, 2)?),
        position: unsigned(row, 3)?,
    })
}

pub(super) fn file_from(row: &Row<'_>) -> rusqlite::Result<ArchiveFileRow> {
    Ok(ArchiveFileRow {
        id: ArchiveFileId(unsigned(row, 0)?),
        tier: Tier(row.get(1)?),
        bytes: unsigned(row, 2)?,
        data_bytes: unsigned(row, 3)?,
        live_bytes: unsigned(row, 4)?,
        runs: unsigned(row, 5)?,
    })
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}
