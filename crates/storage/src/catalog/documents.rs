//! Documents: opaque values under slash-separated keys.

use bytes::Bytes;
use headwater_streams::DocumentKey;
use rusqlite::Transaction;

use super::Catalog;
use super::error::{CatalogError, During};

impl Catalog {
    /// Documents whose key starts with `prefix`, in key order.
    pub(crate) fn documents(&self, prefix: &str) -> Result<Vec<(DocumentKey, Bytes)>, CatalogError> {
        const DURING: &str = "reading documents";
        let connection = self.lister.lock();
        let mut select =
            connection.prepare_cached("SELECT key, value FROM document WHERE key >= ?1 ORDER BY key").during(DURING)?;
        let mut rows = select.query([prefix]).during(DURING)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().during(DURING)? {
            let key: String = row.get(0).during(DURING)?;
            if !key.starts_with(prefix) {
                break;
            }
            let value: Vec<u8> = row.get(1).during(DURING)?;
            found.push((DocumentKey(key.into()), value.into()));
        }
        Ok(found)
    }
}

/// Sets and removes documents, in order.
pub(super) fn write(transaction: &Transaction<'_>, documents: &[(DocumentKey, Option<Bytes>)]) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO document(key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
    )?;
    let mut remove = transaction.prepare_cached("DELETE FROM document WHERE key = ?1")?;
    for (key, value) in documents {
        match value {
            Some(value) => put.execute((&*key.0, &value[..]))?,
            None => remove.execute([&*key.0])?,
        };
    }
    Ok(())
}
