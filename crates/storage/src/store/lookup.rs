//! Look-ups: the memtable's changes over the catalog's rows.
//!
//! The catalog is read without a lock on the memtable. When a checkpoint ended meanwhile, changes may have left the
//! memtable after the catalog was read: then the look-up starts over.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use headwater_protocol::{Lifetime, StreamPath};
use headwater_streams::{DocumentKey, Head, Listed, StoreError, StreamId};
use parking_lot::MutexGuard;

use super::Core;
use crate::checkpoint::Expiring;
use crate::memtable::{Known, Memtable};

/// Rows asked of the catalog for each expired stream wanted: some of them have been used or removed since.
const EXPIRED_FACTOR_MAX: usize = 64;

impl Core {
    pub(super) fn load(&self, paths: &[StreamPath]) -> Result<Vec<Option<Head>>, StoreError> {
        loop {
            let (mut heads, unknown, generation) = self.load_recent(paths);
            if unknown.is_empty() {
                return Ok(heads);
            }
            let unknown_paths: Vec<StreamPath> = unknown.iter().map(|&index| paths[index].clone()).collect();
            let stored = self.catalog.load(&unknown_paths)?;
            let Some(memtable) = self.unless_moved(generation) else { continue };
            for (index, head) in unknown.into_iter().zip(stored) {
                heads[index] = head.filter(|head| !memtable.is_removed(head.id)).map(|mut head| {
                    memtable.patch(&mut head);
                    head
                });
            }
            return Ok(heads);
        }
    }

    /// What the memtable alone can tell, and the indices of what it cannot.
    fn load_recent(&self, paths: &[StreamPath]) -> (Vec<Option<Head>>, Vec<usize>, u64) {
        let memtable = self.memtable.lock();
        let mut unknown = Vec::new();
        let mut heads = Vec::with_capacity(paths.len());
        for (index, path) in paths.iter().enumerate() {
            heads.push(match memtable.find(path) {
                Known::Head(head) => Some(*head),
                Known::Absent => None,
                Known::Nothing => {
                    unknown.push(index);
                    None
                }
            });
        }
        (heads, unknown, memtable.generation())
    }

    pub(super) fn list(
        &self,
        prefix: &str,
        after: Option<&StreamPath>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        loop {
            let generation = self.memtable.lock().generation();
            let rows = self.list_stored(prefix, after, limit)?;
            let Some(memtable) = self.unless_moved(generation) else { continue };
            // New streams that the catalog shows already are those of a checkpoint about to end.
            let created = memtable.created(prefix, after, limit);
            let known: HashSet<StreamId> = created.iter().map(|head| head.id).collect();
            let mut listed: Vec<Listed> = created.iter().map(Listed::from).collect();
            listed.extend(rows.into_iter().filter(|row| !known.contains(&row.id) && !memtable.is_removed(row.id)));
            listed.iter_mut().for_each(|row| memtable.patch_listed(row));
            drop(memtable);
            listed.sort_by(|a, b| a.path.cmp(&b.path));
            if self.health.is_poisoned() {
                listed = self.as_loaded(listed)?;
            }
            listed.truncate(limit);
            return Ok(listed);
        }
    }

    /// Rows as their heads say: after damage, changes may lack those before them, and only a head can tell.
    fn as_loaded(&self, mut listed: Vec<Listed>) -> Result<Vec<Listed>, StoreError> {
        listed.dedup_by(|a, b| a.path == b.path);
        let paths: Vec<StreamPath> = listed.into_iter().map(|row| row.path).collect();
        Ok(self.load(&paths)?.iter().flatten().map(Listed::from).collect())
    }

    /// At least `limit` rows that still exist, or all there are.
    fn list_stored(&self, prefix: &str, after: Option<&StreamPath>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let mut rows: Vec<Listed> = Vec::new();
        let mut after = after.cloned();
        loop {
            let page = self.catalog.list(prefix, after.as_ref(), limit)?;
            let is_last = page.len() < limit;
            after = page.last().map(|row| row.path.clone());
            let memtable = self.memtable.lock();
            rows.extend(page.into_iter().filter(|row| !memtable.is_removed(row.id)));
            if is_last || rows.len() >= limit || limit == 0 {
                return Ok(rows);
            }
        }
    }

    pub(super) fn expired(&self, now_ms: u64, limit: usize) -> Result<Vec<StreamPath>, StoreError> {
        let mut asked = limit;
        loop {
            let generation = self.memtable.lock().generation();
            let stored = self.catalog.expired(now_ms, asked)?;
            let is_all = stored.len() < asked;
            let Some(memtable) = self.unless_moved(generation) else { continue };
            let mut paths = memtable.expired(now_ms, limit);
            paths.extend(stored.into_iter().filter(|row| still_expired(&memtable, row, now_ms)).map(|row| row.path));
            if is_all || paths.len() >= limit || asked >= limit.saturating_mul(EXPIRED_FACTOR_MAX) {
                paths.truncate(limit);
                return Ok(paths);
            }
            asked *= 2;
        }
    }

    pub(super) fn documents(&self, prefix: &str) -> Result<Vec<(DocumentKey, Bytes)>, StoreError> {
        loop {
            let generation = self.memtable.lock().generation();
            let mut documents: BTreeMap<DocumentKey, Bytes> = self.catalog.documents(prefix)?.into_iter().collect();
            let Some(memtable) = self.unless_moved(generation) else { continue };
            memtable.overlay_documents(prefix, &mut documents);
            return Ok(documents.into_iter().collect());
        }
    }

    /// The memtable, unless a checkpoint has ended since `generation` was read.
    fn unless_moved(&self, generation: u64) -> Option<MutexGuard<'_, Memtable>> {
        let memtable = self.memtable.lock();
        (memtable.generation() == generation).then_some(memtable)
    }
}

/// Whether a row of the catalog is still expired after what happened since the last checkpoint.
fn still_expired(memtable: &Memtable, row: &Expiring, now_ms: u64) -> bool {
    let is_live = !memtable.is_removed(row.id) && !memtable.is_soft_deleted(row.id);
    is_live
        && match row.lifetime {
            Lifetime::Forever => false,
            // The catalog found it by the access it knows: with none since, it stands.
            Lifetime::Sliding(ttl) => match memtable.accessed(row.id, 0) {
                0 => true,
                accessed_at_ms => accessed_at_ms.saturating_add(ttl.0.saturating_mul(1000)) <= now_ms,
            },
            Lifetime::Until { .. } => true,
        }
}
