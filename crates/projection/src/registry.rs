//! Rows of `sessions`: the registry's stream, folded.

use headwater_sessions::{Change, RowType, SessionId, SessionRow, SessionStatus};
use rusqlite::Connection;

use crate::followed::{own_retention_ms, signed};

/// Applies a change of the registry's stream; answers the session whose retention is another one now, and so its rows'
/// expiry.
pub(crate) fn apply(connection: &Connection, change: &Change) -> rusqlite::Result<Option<SessionId>> {
    if change.row_type != RowType::Session {
        return Ok(None);
    }
    let Some(value) = &change.value else {
        connection.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([&change.key])?;
        return Ok(None);
    };
    let Ok(row) = serde_json::from_str::<SessionRow>(value.get()) else { return Ok(None) };
    let before_ms = own_retention_ms(connection, &row.id)?;
    put(connection, &row)?;
    Ok(SessionId::new(&row.id).ok().filter(|_| before_ms != row.retention_ms))
}

fn put(connection: &Connection, row: &SessionRow) -> rusqlite::Result<()> {
    let status = match row.status {
        SessionStatus::Active => "active",
        SessionStatus::Paused => "paused",
        SessionStatus::Closed => "closed",
    };
    let mut put = connection
        .prepare_cached("INSERT OR REPLACE INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")?;
    put.execute((
        &row.id,
        &row.project_id,
        &row.task_id,
        &row.agent_id,
        &row.title,
        status,
        &row.url,
        signed(row.created_at),
        signed(row.updated_at),
        row.closed_at.map(signed),
        row.retention_ms.map(signed),
        row.forked_from.as_ref().map(|origin| &origin.session_id),
    ))?;
    Ok(())
}
