//! Removing rows, a bounded number at a time: of sessions that are gone, and of events that were trimmed or expired.

use headwater_protocol::{Offset, StreamPath};
use headwater_sessions::SessionId;
use rusqlite::{Connection, Params};

use crate::followed::{self, signed};

/// Whether there may be more of the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleaned {
    All,
    Some,
}

/// Removes rows of a stream that is being cleared and, with the last ones, what was known of it.
pub(crate) fn clear(connection: &Connection, path: &StreamPath, rows: usize) -> rusqlite::Result<Cleaned> {
    let cleaned = match SessionId::of_stream(path) {
        Some(session) => {
            let session = session.as_str();
            let events = delete(connection, EVENTS_OF, (session, rows), rows)?;
            let texts = delete(connection, TEXTS_OF, (session, rows), rows)?;
            events.and(texts)
        }
        None => delete(connection, SESSIONS, [rows], rows)?,
    };
    if cleaned == Cleaned::All {
        followed::forget(connection, path)?;
    }
    Ok(cleaned)
}

/// Removes rows of events before `earliest`.
pub(crate) fn trim(connection: &Connection, session: &str, earliest: Offset, rows: usize) -> rusqlite::Result<Cleaned> {
    let earliest = earliest.to_string();
    let events = delete(connection, EVENTS_BEFORE, (session, &earliest, rows), rows)?;
    let texts = delete(connection, TEXTS_BEFORE, (session, &earliest, rows), rows)?;
    Ok(events.and(texts))
}

/// Removes rows that have expired.
pub(crate) fn expire(connection: &Connection, now_ms: u64, rows: usize) -> rusqlite::Result<Cleaned> {
    let events = delete(connection, EXPIRED_EVENTS, (signed(now_ms), rows), rows)?;
    let texts = delete(connection, EXPIRED_TEXTS, (signed(now_ms), rows), rows)?;
    Ok(events.and(texts))
}

const EVENTS_OF: &str =
    "DELETE FROM stream_events WHERE id IN (SELECT id FROM stream_events WHERE stream_id = ?1 LIMIT ?2)";
const TEXTS_OF: &str = "DELETE FROM texts WHERE id IN (SELECT id FROM texts WHERE stream_id = ?1 LIMIT ?2)";
const SESSIONS: &str = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions LIMIT ?1)";
const EVENTS_BEFORE: &str = "DELETE FROM stream_events WHERE id IN \
    (SELECT id FROM stream_events WHERE stream_id = ?1 AND offset <= ?2 LIMIT ?3)";
const TEXTS_BEFORE: &str =
    "DELETE FROM texts WHERE id IN (SELECT id FROM texts WHERE stream_id = ?1 AND offset <= ?2 LIMIT ?3)";
const EXPIRED_EVENTS: &str =
    "DELETE FROM stream_events WHERE id IN (SELECT id FROM stream_events WHERE expires_at <= ?1 LIMIT ?2)";
const EXPIRED_TEXTS: &str = "DELETE FROM texts WHERE id IN (SELECT id FROM texts WHERE expires_at <= ?1 LIMIT ?2)";

fn delete(connection: &Connection, sql: &str, parameters: impl Params, rows: usize) -> rusqlite::Result<Cleaned> {
    let removed = connection.prepare_cached(sql)?.execute(parameters)?;
    Ok(if removed < rows { Cleaned::All } else { Cleaned::Some })
}

impl Cleaned {
    fn and(self, other: Self) -> Self {
        if self == Self::All { other } else { Self::Some }
    }
}
