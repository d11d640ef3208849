//! Rows of `stream_events`.

use headwater_protocol::Offset;
use headwater_sessions::{Change, RowType};
use rusqlite::Connection;
use serde::Deserialize;

use crate::followed::signed;

/// Where an event stands, and until when its row does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Right after it.
    pub(crate) offset: Offset,
    /// Unix milliseconds.
    pub(crate) timestamp_ms: u64,
    /// Unix milliseconds.
    pub(crate) expires_at_ms: u64,
}

#[derive(Deserialize)]
struct HasTimestamp {
    timestamp: u64,
}

impl Place {
    /// When the event was decided; for want of that, when it says itself or when its stream was created.
    pub(crate) fn of(change: &Change, offset: Offset, created_at_ms: u64, retention_ms: u64) -> Self {
        let own = || {
            let value = change.value.as_ref()?;
            serde_json::from_str(value.get()).ok().map(|HasTimestamp { timestamp }| timestamp)
        };
        let timestamp_ms = change.at_ms.or_else(own).unwrap_or(created_at_ms);
        Self { offset, timestamp_ms, expires_at_ms: timestamp_ms.saturating_add(retention_ms) }
    }
}

/// Whether rows of a type belong into a session's stream.
pub(crate) fn belongs(row_type: RowType) -> bool {
    !matches!(row_type, RowType::Presence | RowType::Session)
}

/// Adds an event. The index on its place refuses one that is there already.
pub(crate) fn insert(connection: &Connection, session: &str, change: &Change, place: Place) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO stream_events(stream_id, offset, type, key, operation, data, txid, timestamp, expires_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    insert.execute((
        session,
        place.offset.to_string(),
        change.row_type.as_str(),
        &change.key,
        change.operation.as_str(),
        change.value.as_ref().map(|value| value.get()),
        &change.txid,
        signed(place.timestamp_ms),
        signed(place.expires_at_ms),
    ))?;
    Ok(())
}
