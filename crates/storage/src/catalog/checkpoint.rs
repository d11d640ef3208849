//! Checkpoints: what the journal changed since the last one, in one transaction.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use foldhash::fast::RandomState;
use headwater_protocol::{Offset, ProducerId};
use headwater_streams::{Head, ProducerState, StreamId};
use rusqlite::{OptionalExtension, Transaction};

use super::error::{CatalogError, During};
use super::row::{self, signed};
use super::{ArchiveFileId, Catalog, schema};
use crate::checkpoint::{Checkpoint, HeadPatch, Patched};

/// Bytes by which the live share of each archive file shrank.
pub(super) type Died = HashMap<ArchiveFileId, u64, RandomState>;

impl Catalog {
    /// Applies `checkpoint`. Durable when it returns; on an error nothing has happened.
    ///
    /// Returns the streams whose patch did not meet the version it was made for, because journal records between the
    /// two were lost: their rows stay as they were.
    pub(crate) fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<Vec<StreamId>, CatalogError> {
        let mut writer = self.writer.lock();
        let transaction = writer.transaction().during("beginning a checkpoint")?;
        let mut died = Died::default();
        let mut removed = 0;
        for id in &checkpoint.removed {
            removed += remove_stream(&transaction, *id, &mut died).during("removing a stream")?;
        }
        create(&transaction, &checkpoint.created).during("writing new streams")?;
        let missed = patch(&transaction, &checkpoint.changed, &mut died).during("writing changed streams")?;
        lower_live_bytes(&transaction, &died).during("counting live bytes")?;
        super::documents::write(&transaction, &checkpoint.documents).during("writing documents")?;
        let streams = self.count() + checkpoint.created.len() as u64 - removed;
        schema::set_position(&transaction, &schema::COVERED, checkpoint.covered).during("writing meta")?;
        schema::set_meta(&transaction, schema::STREAMS, streams).during("writing meta")?;
        transaction.commit().during("committing a checkpoint")?;
        self.streams.store(streams, Ordering::Relaxed);
        writer.release_memory().during("giving memory back")?;
        Ok(missed)
    }
}

/// Takes `died` off the files' live bytes.
pub(super) fn lower_live_bytes(transaction: &Transaction<'_>, died: &Died) -> rusqlite::Result<()> {
    let mut lower = transaction.prepare_cached("UPDATE archive_file SET live_bytes = live_bytes - ?2 WHERE id = ?1")?;
    for (file, bytes) in died {
        lower.execute((signed(file.0), signed(*bytes)))?;
    }
    Ok(())
}

/// Drops a stream with all that hangs on it; returns how many streams that were: 0 or 1.
fn remove_stream(transaction: &Transaction<'_>, id: StreamId, died: &mut Died) -> rusqlite::Result<u64> {
    let id = signed(id.0);
    let removed = transaction.prepare_cached("DELETE FROM stream WHERE id = ?1")?.execute([id])?;
    transaction.prepare_cached("DELETE FROM producer WHERE stream_id = ?1")?.execute([id])?;
    let mut delete = transaction.prepare_cached("DELETE FROM extent WHERE stream_id = ?1 RETURNING file, len")?;
    let mut rows = delete.query([id])?;
    while let Some(row) = rows.next()? {
        let (file, len): (i64, i64) = (row.get(0)?, row.get(1)?);
        *died.entry(ArchiveFileId(file.cast_unsigned())).or_default() += len.cast_unsigned();
    }
    Ok(removed as u64)
}

fn create(transaction: &Transaction<'_>, created: &[Head]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(row::INSERT)?;
    // In id order, neighbours in the table are written while their page is at hand.
    let mut heads: Vec<&Head> = created.iter().collect();
    heads.sort_unstable_by_key(|head| head.id);
    for head in heads {
        row::insert(&mut insert, head)?;
        put_producers(transaction, head.id, head.producers.iter())?;
    }
    Ok(())
}

/// Applies patches; returns those that found changes missing.
fn patch(transaction: &Transaction<'_>, changed: &[HeadPatch], died: &mut Died) -> rusqlite::Result<Vec<StreamId>> {
    let mut update = transaction.prepare_cached(row::PATCH)?;
    let mut patches: Vec<&HeadPatch> = changed.iter().collect();
    patches.sort_unstable_by_key(|patch| patch.id);
    let mut missed = Vec::new();
    for patch in patches {
        if row::patch(&mut update, patch)? == 0 {
            if meeting(transaction, patch)? == Patched::Missing {
                missed.push(patch.id);
            }
            continue;
        }
        put_producers(transaction, patch.id, patch.producers.iter())?;
        if let Some(earliest) = patch.earliest {
            trim(transaction, patch.id, earliest, died)?;
        }
    }
    Ok(missed)
}

/// Why a patch changed no row.
fn meeting(transaction: &Transaction<'_>, patch: &HeadPatch) -> rusqlite::Result<Patched> {
    let mut select = transaction.prepare_cached("SELECT version FROM stream WHERE id = ?1")?;
    let version: Option<i64> = select.query_row([signed(patch.id.0)], |row| row.get(0)).optional()?;
    let contained = version.is_some_and(|version| version.cast_unsigned() >= patch.version.0);
    Ok(if contained { Patched::Contained } else { Patched::Missing })
}

fn put_producers<'a>(
    transaction: &Transaction<'_>,
    stream: StreamId,
    producers: impl Iterator<Item = (&'a ProducerId, &'a ProducerState)>,
) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO producer(stream_id, producer_id, epoch, seq) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq",
    )?;
    for (id, state) in producers {
        put.execute((signed(stream.0), id.as_str(), signed(state.epoch.get()), signed(state.seq.get())))?;
    }
    Ok(())
}

/// Drops and shortens the extents that lie before the earliest readable position.
fn trim(transaction: &Transaction<'_>, stream: StreamId, earliest: Offset, died: &mut Died) -> rusqlite::Result<()> {
    let (stream, earliest) = (signed(stream.0), signed(earliest.get()));
    let mut delete = transaction.prepare_cached(
        "DELETE FROM extent WHERE stream_id = ?1 AND start < ?2 RETURNING start, len, file, position",
    )?;
    let mut insert = transaction
        .prepare_cached("INSERT INTO extent(stream_id, start, len, file, position) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let trimmed: Vec<(i64, i64, i64, i64)> = delete
        .query_map((stream, earliest), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    for (start, len, file, position) in trimmed {
        let dead = len.min(earliest - start);
        *died.entry(ArchiveFileId(file.cast_unsigned())).or_default() += dead.cast_unsigned();
        if dead < len {
            insert.execute((stream, earliest, len - dead, file, position + dead))?;
        }
    }
    Ok(())
}
