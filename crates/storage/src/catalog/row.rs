//! One head as the columns of `stream`, and back.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use headwater_protocol::{
    ContentType, Epoch, Lifetime, Offset, ProducerId, ProducerSeq, ProducerStamp, StreamPath, StreamSeq, TtlSeconds,
};
use headwater_streams::{
    Closure, Durability, ForkOrigin, Head, InheritedSpan, Listed, ProducerState, StreamId, Version,
};
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{CachedStatement, Row, params};

use super::error::{CatalogError, During};
use crate::checkpoint::{Expiring, HeadPatch};

/// Every column, in the order in which [`head_from`] reads them.
pub(super) const SELECT_BY_PATH: &str = "SELECT id, path, content_type, ttl_s, until_ms, ephemeral, created_at_ms, \
     accessed_at_ms, earliest, tail, closed, closed_by, closed_by_epoch, closed_by_seq, stream_seq, fork_source, \
     fork_source_path, fork_requested, fork_sub_offset, fork_at, inherited, forks, soft_deleted, version \
     FROM stream WHERE path = ?1";

/// Applies a [`HeadPatch`] to the row it was made for; other rows are left alone. A sliding lifetime of more than a
/// hundred thousand years has no end that a number of milliseconds could name.
///
/// SQLite numbers named parameters by their first appearance, and binding by number is what makes a checkpoint of
/// many streams cheap: [`patch`] passes them in that order.
pub(super) const PATCH: &str = "UPDATE stream SET version = :version, tail = coalesce(:tail, tail), \
     earliest = max(earliest, coalesce(:earliest, earliest)), accessed_at_ms = max(accessed_at_ms, :accessed_at_ms), \
     expires_at_ms = CASE WHEN soft_deleted OR :soft_deleted THEN NULL WHEN ttl_s IS NULL THEN expires_at_ms \
         WHEN ttl_s BETWEEN 0 AND 4000000000000 THEN max(accessed_at_ms, :accessed_at_ms) + ttl_s * 1000 END, \
     soft_deleted = soft_deleted OR :soft_deleted, closed = coalesce(:closed, closed), \
     closed_by = iif(:closed, :closed_by, closed_by), \
     closed_by_epoch = iif(:closed, :closed_by_epoch, closed_by_epoch), \
     closed_by_seq = iif(:closed, :closed_by_seq, closed_by_seq), stream_seq = coalesce(:stream_seq, stream_seq), \
     forks = forks + :forks_by WHERE id = :id AND version = :base";

/// A new row; [`insert`] passes the values in this order.
pub(super) const INSERT: &str = "INSERT INTO stream(id, path, content_type, ttl_s, until_ms, ephemeral, \
     created_at_ms, accessed_at_ms, expires_at_ms, earliest, tail, closed, closed_by, closed_by_epoch, closed_by_seq, \
     stream_seq, fork_source, fork_source_path, fork_requested, fork_sub_offset, fork_at, inherited, forks, \
     soft_deleted, version) VALUES \
     (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Runs [`PATCH`]; returns how many rows that changed.
pub(super) fn patch(statement: &mut CachedStatement<'_>, patch: &HeadPatch) -> rusqlite::Result<usize> {
    let closing = patch.closure.as_ref().and_then(closing_stamp);
    statement.execute(params![
        signed(patch.version.0),
        patch.tail.map(|tail| signed(tail.get())),
        patch.earliest.map(|earliest| signed(earliest.get())),
        signed(patch.accessed_at_ms),
        patch.soft_deleted,
        patch.closure.as_ref().map(|closure| *closure != Closure::Open),
        closing.map(|stamp| stamp.id.as_str()),
        closing.map(|stamp| signed(stamp.epoch.get())),
        closing.map(|stamp| signed(stamp.seq.get())),
        patch.stream_seq.as_ref().map(StreamSeq::as_bytes),
        patch.forks_by,
        signed(patch.id.0),
        signed(patch.base.0),
    ])
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
    statement.execute(params![
        signed(head.id.0),
        head.path.as_str(),
        head.content_type.as_str(),
        ttl_s,
        until_ms,
        head.durability == Durability::Ephemeral,
        signed(head.created_at_ms),
        signed(head.accessed_at_ms),
        expires_at_ms(head),
        signed(head.earliest.get()),
        signed(head.tail.get()),
        head.is_closed(),
        closing.map(|stamp| stamp.id.as_str()),
        closing.map(|stamp| signed(stamp.epoch.get())),
        closing.map(|stamp| signed(stamp.seq.get())),
        head.stream_seq.as_ref().map(StreamSeq::as_bytes),
        fork.map(|fork| signed(fork.source.0)),
        fork.map(|fork| fork.source_path.as_str()),
        fork.and_then(|fork| fork.requested_offset).map(|offset| signed(offset.get())),
        fork.map(|fork| signed(fork.sub_offset)),
        fork.map(|fork| signed(fork.at.get())),
        spans_text(&head.inherited),
        head.forks,
        head.soft_deleted,
        signed(head.version.0),
    ])
}

/// The head in a row of [`SELECT_BY_PATH`], still without its producers.
pub(super) fn head_from(row: &Row<'_>) -> Result<Head, CatalogError> {
    let cells = Cells::of(row);
    // ORDER: the fields are read as the columns come.
    Ok(Head {
        id: StreamId(cells.unsigned()?),
        path: cells.path()?,
        content_type: cells.content_type()?,
        lifetime: cells.lifetime()?,
        durability: if cells.next()? { Durability::Ephemeral } else { Durability::Durable },
        created_at_ms: cells.unsigned()?,
        accessed_at_ms: cells.unsigned()?,
        earliest: Offset::new(cells.unsigned()?),
        tail: Offset::new(cells.unsigned()?),
        closure: cells.closure()?,
        stream_seq: cells.stream_seq()?,
        fork: cells.fork()?,
        inherited: cells.inherited()?,
        forks: cells.next()?,
        soft_deleted: cells.next()?,
        version: Version(cells.unsigned()?),
        producers: HashMap::new(),
    })
}

/// The stream in a row of `id, path, content_type, tail, closed, soft_deleted, created_at_ms`.
pub(super) fn listed_from(row: &Row<'_>) -> Result<Listed, CatalogError> {
    let cells = Cells::of(row);
    Ok(Listed {
        id: StreamId(cells.unsigned()?),
        path: cells.path()?,
        content_type: cells.content_type()?,
        tail: Offset::new(cells.unsigned()?),
        closed: cells.next()?,
        soft_deleted: cells.next()?,
        created_at_ms: cells.unsigned()?,
    })
}

/// The stream in a row of `id, path, ttl_s, until_ms`.
pub(super) fn expiring_from(row: &Row<'_>) -> Result<Expiring, CatalogError> {
    let cells = Cells::of(row);
    Ok(Expiring { id: StreamId(cells.unsigned()?), path: cells.path()?, lifetime: cells.lifetime()? })
}

/// The producer in a row of `stream_id, producer_id, epoch, seq`.
pub(super) fn producer_from(row: &Row<'_>) -> Result<(ProducerId, ProducerState), CatalogError> {
    let cells = Cells::of(row);
    let _stream: i64 = cells.next()?;
    let stamp = cells.stamp()?.ok_or_else(|| cells.damaged("a producer without a name"))?;
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

/// A row's columns from left to right, with errors that name the stream: the first column is always its id.
struct Cells<'r> {
    row: &'r Row<'r>,
    column: Cell<usize>,
}

impl<'r> Cells<'r> {
    fn of(row: &'r Row<'r>) -> Self {
        Self { row, column: Cell::new(0) }
    }

    fn value(&self) -> Result<ValueRef<'r>, CatalogError> {
        let column = self.column.replace(self.column.get() + 1);
        self.row.get_ref(column).during("reading a row")
    }

    fn next<T: FromSql>(&self) -> Result<T, CatalogError> {
        T::column_result(self.value()?).map_err(|why| self.damaged(why))
    }

    fn unsigned(&self) -> Result<u64, CatalogError> {
        self.next::<i64>().map(i64::cast_unsigned)
    }

    fn text(&self) -> Result<&'r str, CatalogError> {
        self.value()?.as_str().map_err(|why| self.damaged(why))
    }

    fn optional_text(&self) -> Result<Option<&'r str>, CatalogError> {
        self.value()?.as_str_or_null().map_err(|why| self.damaged(why))
    }

    fn path(&self) -> Result<StreamPath, CatalogError> {
        StreamPath::new(self.text()?).map_err(|why| self.damaged(why))
    }

    fn content_type(&self) -> Result<ContentType, CatalogError> {
        ContentType::new(self.text()?).map_err(|why| self.damaged(why))
    }

    fn lifetime(&self) -> Result<Lifetime, CatalogError> {
        match (self.next::<Option<i64>>()?, self.next()?) {
            (None, None) => Ok(Lifetime::Forever),
            (Some(ttl_s), None) => Ok(Lifetime::Sliding(TtlSeconds(ttl_s.cast_unsigned()))),
            (None, Some(at_ms)) => Ok(Lifetime::Until { at_ms }),
            (Some(_), Some(_)) => Err(self.damaged("both a sliding and a fixed lifetime")),
        }
    }

    fn closure(&self) -> Result<Closure, CatalogError> {
        let (is_closed, by) = (self.next()?, self.stamp()?);
        Ok(if is_closed { Closure::Closed { by } } else { Closure::Open })
    }

    fn stamp(&self) -> Result<Option<ProducerStamp>, CatalogError> {
        let (name, epoch, seq) = (self.optional_text()?, self.next::<Option<i64>>()?, self.next::<Option<i64>>()?);
        let Some(name) = name else { return Ok(None) };
        let out_of_range = || self.damaged("a producer's epoch or seq is missing or out of range");
        Ok(Some(ProducerStamp {
            id: ProducerId::new(name).map_err(|why| self.damaged(why))?,
            epoch: epoch.and_then(|epoch| Epoch::new(epoch.cast_unsigned())).ok_or_else(out_of_range)?,
            seq: seq.and_then(|seq| ProducerSeq::new(seq.cast_unsigned())).ok_or_else(out_of_range)?,
        }))
    }

    fn stream_seq(&self) -> Result<Option<StreamSeq>, CatalogError> {
        let bytes = self.value()?.as_blob_or_null().map_err(|why| self.damaged(why))?;
        bytes.map(|bytes| StreamSeq::new(bytes).map_err(|why| self.damaged(why))).transpose()
    }

    fn fork(&self) -> Result<Option<ForkOrigin>, CatalogError> {
        let (source, path) = (self.next::<Option<i64>>()?, self.optional_text()?);
        let requested: Option<i64> = self.next()?;
        let (sub_offset, at): (Option<i64>, Option<i64>) = (self.next()?, self.next()?);
        match (source, path, sub_offset, at) {
            (None, None, None, None) => Ok(None),
            (Some(source), Some(path), Some(sub_offset), Some(at)) => Ok(Some(ForkOrigin {
                source: StreamId(source.cast_unsigned()),
                source_path: StreamPath::new(path).map_err(|why| self.damaged(why))?,
                requested_offset: requested.map(|offset| Offset::new(offset.cast_unsigned())),
                sub_offset: sub_offset.cast_unsigned(),
                at: Offset::new(at.cast_unsigned()),
            })),
            _ => Err(self.damaged("its fork origin is incomplete")),
        }
    }

    fn inherited(&self) -> Result<Arc<[InheritedSpan]>, CatalogError> {
        let Some(text) = self.optional_text()? else { return Ok(Arc::from([])) };
        let spans: Option<Vec<_>> = text.split(' ').map(span_from).collect();
        spans.map(Arc::from).ok_or_else(|| self.damaged("its inherited spans are not of the form source:from-to"))
    }

    fn damaged(&self, why: impl std::fmt::Display) -> CatalogError {
        let id: i64 = self.row.get(0).unwrap_or_default();
        CatalogError::Damaged(format!("stream {id}: {why}"))
    }
}
