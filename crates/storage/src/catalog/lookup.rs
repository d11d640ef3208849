//! Heads by path, in path order, and by expiry.

use headwater_protocol::StreamPath;
use headwater_streams::{Head, Listed};
use rusqlite::Connection;

use super::Catalog;
use super::error::{CatalogError, During};
use super::row;
use crate::checkpoint::Expiring;

const DURING: &str = "reading streams";

impl Catalog {
    /// The heads of `paths` as the last checkpoint left them, in the same order.
    pub(crate) fn load(&self, paths: &[StreamPath]) -> Result<Vec<Option<Head>>, CatalogError> {
        let mut connection = self.loader.lock();
        // One transaction, so that a head and its producers come from the same checkpoint.
        let snapshot = connection.transaction().during(DURING)?;
        paths.iter().map(|path| load_one(&snapshot, path)).collect()
    }

    /// Streams whose path starts with `prefix`, after `after`, in path order.
    pub(crate) fn list(
        &self,
        prefix: &str,
        after: Option<&StreamPath>,
        limit: usize,
    ) -> Result<Vec<Listed>, CatalogError> {
        let connection = self.lister.lock();
        let mut select = connection
            .prepare_cached(
                "SELECT id, path, content_type, tail, closed, soft_deleted, created_at_ms FROM stream \
                 WHERE path >= ?1 AND path > ?2 ORDER BY path",
            )
            .during(DURING)?;
        // No path is empty, so the empty text lies before all of them.
        let mut rows = select.query([prefix, after.map_or("", StreamPath::as_str)]).during(DURING)?;
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(row) = rows.next().during(DURING)? else { break };
            let listed = row::listed_from(row)?;
            if !listed.path.as_str().starts_with(prefix) {
                break;
            }
            found.push(listed);
        }
        Ok(found)
    }

    /// Streams whose recorded lifetime ended at or before `now_ms`, the longest expired first. Soft-deleted streams
    /// are not among them.
    pub(crate) fn expired(&self, now_ms: u64, limit: usize) -> Result<Vec<Expiring>, CatalogError> {
        let connection = self.lister.lock();
        let mut select = connection
            .prepare_cached(
                "SELECT id, path, ttl_s, until_ms FROM stream WHERE expires_at_ms IS NOT NULL AND expires_at_ms <= ?1 \
                 ORDER BY expires_at_ms LIMIT ?2",
            )
            .during(DURING)?;
        let clamp = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut rows = select.query((clamp(now_ms), clamp(limit as u64))).during(DURING)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().during(DURING)? {
            found.push(row::expiring_from(row)?);
        }
        Ok(found)
    }
}

/// The stream at `path`, with its producers.
pub(super) fn load_one(connection: &Connection, path: &StreamPath) -> Result<Option<Head>, CatalogError> {
    let mut select = connection.prepare_cached(row::SELECT_BY_PATH).during(DURING)?;
    let mut rows = select.query([path.as_str()]).during(DURING)?;
    let Some(found) = rows.next().during(DURING)? else { return Ok(None) };
    let mut head = row::head_from(found)?;
    let mut select = connection
        .prepare_cached("SELECT stream_id, producer_id, epoch, seq FROM producer WHERE stream_id = ?1")
        .during(DURING)?;
    let mut rows = select.query([row::signed(head.id.0)]).during(DURING)?;
    while let Some(found) = rows.next().during(DURING)? {
        let (id, state) = row::producer_from(found)?;
        head.producers.insert(id, state);
    }
    Ok(Some(head))
}
