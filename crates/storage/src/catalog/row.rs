//! One head as the columns of `stream`, and back.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamPath, StreamSeq, TtlSeconds,
};
use headwater_streams::{Closure, Durability, ForkOrigin, Head, InheritedSpan, ProducerState, StreamId, Version};
use rusqlite::{CachedStatement, Row, named_params};

use super::error::CatalogError;
use crate::checkpoint::HeadPatch;

/// Every column that [`head_from`] reads.
pub(super) const SELECT_BY_PATH: &str = "SELECT id, path, content_type, ephemeral, ttl_s, until_ms, created_at_ms, accessed_at_ms, \
     earliest, tail, closed, closed_by, closed_by_epoch, closed_by_seq, stream_seq, fork_source, fork_source_path, \
     fork_requested, fork_sub_offset, fork_at, inherited, forks, soft_deleted, version FROM stream WHERE path = ?1";

/// Applies a [`HeadPatch`] to the row it was made for; other rows are left alone. A sliding lifetime of more than a
/// hundred thousand years has no end that a number of milliseconds could name.
pub(super) const PATCH: &str = "UPDATE stream SET version = :version, tail = coalesce(:tail, tail), \
     earliest = max(earliest, coalesce(:earliest, earliest)), accessed_at_ms = max(accessed_at_ms, :accessed_at_ms), \
     expires_at_ms = CASE WHEN soft_deleted OR :soft_deleted THEN NULL WHEN ttl_s IS NULL THEN expires_at_ms \
         WHEN ttl_s BETWEEN 0 AND 4000000000000 THEN max(accessed_at_ms, :accessed_at_ms) + ttl_s * 1000 END, \
     closed = coalesce(:closed, closed), closed_by = iif(:closed, :closed_by, closed_by), \
     closed_by_epoch = iif(:closed, :closed_by_epoch, closed_by_epoch), \
     closed_by_seq = iif(:closed, :closed_by_seq, closed_by_seq), stream_seq = coalesce(:stream_seq, stream_seq), \
     forks = forks + :forks_by, soft_deleted = soft_deleted OR :soft_deleted WHERE id = :id AND version = :base";

pub(super) const INSERT: &str = "INSERT INTO stream(id, path, content_type, ephemeral, ttl_s, until_ms, \
     created_at_ms, accessed_at_ms, expires_at_ms, earliest, tail, closed, closed_by, closed_by_epoch, closed_by_seq, \
     stream_seq, fork_source, fork_source_path, fork_requested, fork_sub_offset, fork_at, inherited, forks, \
     soft_deleted, version) VALUES (:id, :path, :content_type, :ephemeral, :ttl_s, :until_ms, :created_at_ms, \
     :accessed_at_ms, :expires_at_ms, :earliest, :tail, :closed, :closed_by, :closed_by_epoch, :closed_by_seq, \
     :stream_seq, :fork_source, :fork_source_path, :fork_requested, :fork_sub_offset, :fork_at, :inherited, :forks, \
     :soft_deleted, :version)";

/// Runs [`PATCH`]; returns how many rows that changed.
pub(super) fn patch(statement: &mut CachedStatement<'_>, patch: &HeadPatch) -> rusqlite::Result<usize> {
    let closing = patch.closure.as_ref().and_then(closing_stamp);
    statement.execute(named_params! {
        ":id": signed(patch.id.0),
        ":base": signed(patch.base.0),
        ":version": signed(patch.version.0),
        ":tail": patch.tail.map(|tail| signed(tail.get())),
        ":earliest": patch.earliest.map(|earliest| signed(earliest.get())),
        ":accessed_at_ms": signed(patch.accessed_at_ms),
        ":closed": patch.closure.as_ref().map(|closure| *closure != Closure::Open),
        ":closed_by": closing.map(|stamp| stamp.id.as_str()),
        ":closed_by_epoch": closing.map(|stamp| signed(stamp.epoch.get())),
        ":closed_by_seq": closing.map(|stamp| signed(stamp.seq.get())),
        ":stream_seq": patch.stream_seq.as_ref().map(StreamSeq::as_bytes),
        ":forks_by": patch.forks_by,
        ":soft_deleted": patch.soft_deleted,
    })
}

/// Runs [`INSERT`] for `head`.
pub(super) fn insert(statement: &mut CachedStatement<'_>, head: &Head) -> rusqlite::Result<usize> {
    let closing = closing_stamp(&head.closure);
    let fork = head.fork.as_ref();
    let (ttl_s, until_ms) = match head.lifetime {
        Lifetime::Forever => (None, None),
        Lifetime::Sliding(ttl) => (Some(signed(ttl.0)), None),
        Lifetime::Until { at_ms } => (None, Some(at_ms)),
    };
    statement.execute(named_params! {
        ":id": signed(head.id.0),
        ":path": head.path.as_str(),
        ":content_type": head.content_type.as_str(),
        ":ephemeral": head.durability == Durability::Ephemeral,
        ":ttl_s": ttl_s,
        ":until_ms": until_ms,
        ":created_at_ms": signed(head.created_at_ms),
        ":accessed_at_ms": signed(head.accessed_at_ms),
        ":expires_at_ms": expires_at_ms(head),
        ":earliest": signed(head.earliest.get()),
        ":tail": signed(head.tail.get()),
        ":closed": head.is_closed(),
        ":closed_by": closing.map(|stamp| stamp.id.as_str()),
        ":closed_by_epoch": closing.map(|stamp| signed(stamp.epoch.get())),
        ":closed_by_seq": closing.map(|stamp| signed(stamp.seq.get())),
        ":stream_seq": head.stream_seq.as_ref().map(StreamSeq::as_bytes),
        ":fork_source": fork.map(|fork| signed(fork.source.0)),
        ":fork_source_path": fork.map(|fork| fork.source_path.as_str()),
        ":fork_requested": fork.and_then(|fork| fork.requested_offset).map(|offset| signed(offset.get())),
        ":fork_sub_offset": fork.map(|fork| signed(fork.sub_offset)),
        ":fork_at": fork.map(|fork| signed(fork.at.get())),
        ":inherited": spans_text(&head.inherited),
        ":forks": head.forks,
        ":soft_deleted": head.soft_deleted,
        ":version": signed(head.version.0),
    })
}

/// The head in a row of [`SELECT_BY_PATH`], still without its producers.
pub(super) fn head_from(row: &Row<'_>) -> Result<Head, CatalogError> {
    let cells = Cells { row };
    Ok(Head {
        id: StreamId(cells.unsigned("id")?),
        path: cells.path("path")?,
        content_type: ContentType::new(&cells.get::<String>("content_type")?).map_err(|why| cells.damaged(why))?,
        lifetime: cells.lifetime()?,
        durability: if cells.get("ephemeral")? { Durability::Ephemeral } else { Durability::Durable },
        created_at_ms: cells.unsigned("created_at_ms")?,
        accessed_at_ms: cells.unsigned("accessed_at_ms")?,
        earliest: Offset::new(cells.unsigned("earliest")?),
        tail: Offset::new(cells.unsigned("tail")?),
        closure: cells.closure()?,
        stream_seq: cells.stream_seq()?,
        producers: HashMap::new(),
        fork: cells.fork()?,
        inherited: cells.inherited()?,
        forks: cells.get("forks")?,
        soft_deleted: cells.get("soft_deleted")?,
        version: Version(cells.unsigned("version")?),
    })
}

/// The lifetime in a row with `ttl_s` and `until_ms`.
pub(super) fn lifetime_from(row: &Row<'_>) -> Result<Lifetime, CatalogError> {
    Cells { row }.lifetime()
}

/// The incarnation in a row with `id`.
pub(super) fn stream_id_from(row: &Row<'_>) -> Result<StreamId, CatalogError> {
    Cells { row }.unsigned("id").map(StreamId)
}

/// The producer in a row of `producer_id, epoch, seq`.
pub(super) fn producer_from(row: &Row<'_>) -> Result<(ProducerId, ProducerState), CatalogError> {
    let cells = Cells { row };
    let stamp = cells.stamp("producer_id", "epoch", "seq")?;
    let stamp = stamp.ok_or_else(|| cells.damaged("a producer without a name"))?;
    Ok((stamp.id, ProducerState { epoch: stamp.epoch, seq: stamp.seq }))
}

/// An unsigned number with the same bits, as SQLite holds it.
pub(super) fn signed(number: u64) -> i64 {
    number.cast_signed()
}

/// What the expiry index sorts by. A soft-deleted stream ends with its forks, not by its lifetime.
fn expires_at_ms(head: &Head) -> Option<i64> {
    let at_ms = if head.soft_deleted { None } else { head.expires_at_ms(head.accessed_at_ms) };
    at_ms.and_then(|at_ms| i64::try_from(at_ms).ok())
}

fn closing_stamp(closure: &Closure) -> Option<&ProducerStamp> {
    match closure {
        Closure::Open => None,
        Closure::Closed { by } => by.as_ref(),
    }
}

fn spans_text(spans: &[InheritedSpan]) -> Option<String> {
    if spans.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(spans.len() * 16);
    for span in spans {
        let separator = if text.is_empty() { "" } else { " " };
        write!(text, "{separator}{}:{}-{}", span.source.0, span.from.get(), span.to.get())
            .expect("writing to a string cannot fail");
    }
    Some(text)
}

fn span_from(text: &str) -> Option<InheritedSpan> {
    let (source, range) = text.split_once(':')?;
    let (from, to) = range.split_once('-')?;
    Some(InheritedSpan {
        source: StreamId(source.parse().ok()?),
        from: Offset::new(from.parse().ok()?),
        to: Offset::new(to.parse().ok()?),
    })
}

/// Typed access to a row's columns, with errors that name the stream.
struct Cells<'r, 's> {
    row: &'r Row<'s>,
}

impl Cells<'_, '_> {
    fn get<T: rusqlite::types::FromSql>(&self, column: &'static str) -> Result<T, CatalogError> {
        self.row.get(column).map_err(|source| CatalogError::Sqlite { operation: "decoding a row", source })
    }

    fn unsigned(&self, column: &'static str) -> Result<u64, CatalogError> {
        self.get::<i64>(column).map(i64::cast_unsigned)
    }

    fn path(&self, column: &'static str) -> Result<StreamPath, CatalogError> {
        StreamPath::new(&self.get::<String>(column)?).map_err(|why| self.damaged(why))
    }

    fn lifetime(&self) -> Result<Lifetime, CatalogError> {
        match (self.get::<Option<i64>>("ttl_s")?, self.get("until_ms")?) {
            (None, None) => Ok(Lifetime::Forever),
            (Some(ttl_s), None) => Ok(Lifetime::Sliding(TtlSeconds(ttl_s.cast_unsigned()))),
            (None, Some(at_ms)) => Ok(Lifetime::Until { at_ms }),
            (Some(_), Some(_)) => Err(self.damaged("both a sliding and a fixed lifetime")),
        }
    }

    fn closure(&self) -> Result<Closure, CatalogError> {
        if self.get("closed")? {
            return Ok(Closure::Closed { by: self.stamp("closed_by", "closed_by_epoch", "closed_by_seq")? });
        }
        Ok(Closure::Open)
    }

    fn stamp(
        &self,
        id: &'static str,
        epoch: &'static str,
        seq: &'static str,
    ) -> Result<Option<ProducerStamp>, CatalogError> {
        let Some(name) = self.get::<Option<String>>(id)? else { return Ok(None) };
        let out_of_range = || self.damaged("a producer's epoch or seq is out of range");
        Ok(Some(ProducerStamp {
            id: ProducerId::new(&name).map_err(|why| self.damaged(why))?,
            epoch: Epoch::new(self.unsigned(epoch)?).ok_or_else(out_of_range)?,
            seq: ProducerSeq::new(self.unsigned(seq)?).ok_or_else(out_of_range)?,
        }))
    }

    fn stream_seq(&self) -> Result<Option<StreamSeq>, CatalogError> {
        let bytes: Option<Vec<u8>> = self.get("stream_seq")?;
        bytes.map(|bytes| StreamSeq::new(&bytes).map_err(|why| self.damaged(why))).transpose()
    }

    fn fork(&self) -> Result<Option<ForkOrigin>, CatalogError> {
        let Some(source) = self.get::<Option<i64>>("fork_source")? else { return Ok(None) };
        let requested: Option<i64> = self.get("fork_requested")?;
        Ok(Some(ForkOrigin {
            source: StreamId(source.cast_unsigned()),
            source_path: self.path("fork_source_path")?,
            requested_offset: requested.map(|offset| Offset::new(offset.cast_unsigned())),
            sub_offset: self.unsigned("fork_sub_offset")?,
            at: Offset::new(self.unsigned("fork_at")?),
        }))
    }

    fn inherited(&self) -> Result<Arc<[InheritedSpan]>, CatalogError> {
        let Some(text) = self.get::<Option<String>>("inherited")? else { return Ok(Arc::from([])) };
        let spans: Option<Vec<_>> = text.split(' ').map(span_from).collect();
        spans.map(Arc::from).ok_or_else(|| self.damaged("its inherited spans are not of the form source:from-to"))
    }

    fn damaged(&self, why: impl std::fmt::Display) -> CatalogError {
        let id: i64 = self.row.get("id").unwrap_or_default();
        CatalogError::Damaged(format!("stream {id}: {why}"))
    }
}
