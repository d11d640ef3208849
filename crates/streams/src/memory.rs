//! A store that keeps everything in memory: for tests, and for streams that need not outlive the process.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Bound, Range};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use headwater_protocol::{Offset, StreamPath};
use parking_lot::Mutex;

use crate::change::{Change, DocumentKey, Transaction};
use crate::head::{Head, StreamId, Version};
use crate::store::{BatchId, Commit, Listed, Outcome, Store, StoreError, StoreStats};

/// Heads, bytes and documents in memory. Nothing survives the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    heads: BTreeMap<StreamPath, Head>,
    data: HashMap<StreamId, Data, RandomState>,
    documents: BTreeMap<DocumentKey, Bytes>,
    last_id: u64,
    written_bytes: u64,
    closed: bool,
}

/// A stream's own bytes, in the pieces in which they were committed.
#[derive(Debug, Default)]
struct Data {
    pieces: BTreeMap<Offset, Bytes>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    const EXCLUSIVE: bool = true;

    async fn load(&self, paths: &[StreamPath]) -> Result<Vec<Option<Head>>, StoreError> {
        let kept = self.kept.lock();
        Ok(paths.iter().map(|path| kept.heads.get(path).cloned()).collect())
    }

    async fn reserve(&self, _transactions: usize, _bytes: usize) -> Result<(), StoreError> {
        if self.kept.lock().closed { Err(StoreError::Closed) } else { Ok(()) }
    }

    async fn commit(&self, _id: BatchId, batch: Vec<Transaction>) -> Result<Commit, StoreError> {
        let begun = Instant::now();
        let mut kept = self.kept.lock();
        if kept.closed {
            return Err(StoreError::Closed);
        }
        let before = kept.written_bytes;
        let outcomes = batch.into_iter().map(|transaction| kept.apply(transaction)).collect();
        let sync = begun.elapsed().max(Duration::ZERO);
        Ok(Commit { outcomes, written_bytes: kept.written_bytes - before, sync, reclaimed: Vec::new() })
    }

    async fn read(&self, id: StreamId, range: Range<Offset>) -> Result<Bytes, StoreError> {
        let kept = self.kept.lock();
        kept.data.get(&id).and_then(|data| data.read(range)).ok_or(StoreError::Reclaimed)
    }

    async fn list(&self, prefix: &str, after: Option<&StreamPath>, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let kept = self.kept.lock();
        let from = after.map_or(prefix, |path| path.as_str().max(prefix));
        let rows = kept.heads.range::<str, _>((Bound::Included(from), Bound::Unbounded));
        let rows = rows.take_while(|(path, _)| path.as_str().starts_with(prefix));
        Ok(rows.filter(|(path, _)| Some(*path) != after).take(limit).map(|(_, head)| Listed::from(head)).collect())
    }

    async fn expired(&self, now_ms: u64, limit: usize) -> Result<Vec<StreamPath>, StoreError> {
        let kept = self.kept.lock();
        let ended =
            kept.heads.values().filter(|head| !head.soft_deleted && head.is_expired(head.accessed_at_ms, now_ms));
        Ok(ended.take(limit).map(|head| head.path.clone()).collect())
    }

    async fn documents(&self, prefix: &str) -> Result<Vec<(DocumentKey, Bytes)>, StoreError> {
        let kept = self.kept.lock();
        let from = DocumentKey(prefix.into());
        let found = kept.documents.range(from..).take_while(|(key, _)| key.0.starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn allocate_id(&self) -> Result<StreamId, StoreError> {
        let mut kept = self.kept.lock();
        kept.last_id += 1;
        Ok(StreamId(kept.last_id))
    }

    fn stats(&self) -> StoreStats {
        let kept = self.kept.lock();
        StoreStats { streams: kept.heads.len() as u64, written_bytes: kept.written_bytes, ..StoreStats::default() }
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.kept.lock().closed = true;
        Ok(())
    }
}

impl Kept {
    fn apply(&mut self, transaction: Transaction) -> Outcome {
        // The heads as the transaction's earlier changes leave them matter too, so conflicts are looked for on a copy.
        let mut heads: HashMap<StreamPath, Option<Version>, RandomState> = HashMap::default();
        for change in &transaction.changes {
            if !self.fits(&mut heads, change) {
                return Outcome::Conflict;
            }
        }
        transaction.changes.into_iter().for_each(|change| self.apply_change(change));
        Outcome::Landed
    }

    fn fits(&self, seen: &mut HashMap<StreamPath, Option<Version>, RandomState>, change: &Change) -> bool {
        let (path, expected, after) = match change {
            Change::Create { head, .. } => (&head.path, None, Some(head.version)),
            Change::Append { path, expected, .. }
            | Change::Forks { path, expected, .. }
            | Change::SoftDelete { path, expected, .. } => (path, Some(*expected), Some(Version(expected.0 + 1))),
            Change::Remove { path, expected, .. } => (path, Some(*expected), None),
            Change::PutDocument { .. } | Change::RemoveDocument { .. } => return true,
        };
        let stored = self.heads.get(path).map(|head| head.version);
        let now = seen.insert(path.clone(), after).unwrap_or(stored);
        now == expected
    }

    fn apply_change(&mut self, change: Change) {
        match change {
            Change::Create { head, payload } => {
                self.keep(head.id, head.own_from(), payload);
                self.heads.insert(head.path.clone(), *head);
            }
            Change::Append { id, path, delta, .. } => {
                let head = self.heads.get_mut(&path).expect("a change that fits has its head");
                head.apply(&delta);
                let earliest = head.earliest;
                self.keep(id, delta.start, delta.payload);
                if delta.trim_to.is_some() {
                    self.trim(id, earliest);
                }
            }
            Change::Forks { path, by, .. } => self.change_head(&path, |head| {
                head.forks = head.forks.checked_add_signed(by).expect("a fork is counted once");
            }),
            Change::SoftDelete { path, .. } => self.change_head(&path, |head| head.soft_deleted = true),
            Change::Remove { id, path, .. } => {
                self.heads.remove(&path);
                self.data.remove(&id);
            }
            Change::PutDocument { key, value } => {
                self.documents.insert(key, value);
            }
            Change::RemoveDocument { key } => {
                self.documents.remove(&key);
            }
        }
    }

    fn change_head(&mut self, path: &StreamPath, change: impl FnOnce(&mut Head)) {
        let head = self.heads.get_mut(path).expect("a change that fits has its head");
        change(head);
        head.version.0 += 1;
    }

    fn keep(&mut self, id: StreamId, start: Offset, payload: Bytes) {
        let data = self.data.entry(id).or_default();
        if !payload.is_empty() {
            self.written_bytes += payload.len() as u64;
            data.pieces.insert(start, payload);
        }
    }

    fn trim(&mut self, id: StreamId, earliest: Offset) {
        if let Some(data) = self.data.get_mut(&id) {
            data.pieces.retain(|start, piece| start.advance(piece.len() as u64) > earliest);
        }
    }
}

impl Data {
    fn read(&self, range: Range<Offset>) -> Option<Bytes> {
        let (&start, first) = self.pieces.range(..=range.start).next_back()?;
        let wanted = range.end.bytes_since(range.start) as usize;
        let skipped = range.start.bytes_since(start) as usize;
        if first.len() >= skipped + wanted {
            return Some(first.slice(skipped..skipped + wanted));
        }
        let mut joined = BytesMut::with_capacity(wanted);
        let mut position = range.start;
        for (&start, piece) in self.pieces.range(start..range.end) {
            let skipped = position.bytes_since(start) as usize;
            let part = piece.get(skipped..)?;
            joined.extend_from_slice(&part[..part.len().min(wanted - joined.len())]);
            position = start.advance(piece.len() as u64);
        }
        (joined.len() == wanted).then(|| joined.freeze())
    }
}

impl From<&Head> for Listed {
    fn from(head: &Head) -> Self {
        Self {
            path: head.path.clone(),
            id: head.id,
            content_type: head.content_type.clone(),
            tail: head.tail,
            closed: head.is_closed(),
            soft_deleted: head.soft_deleted,
            created_at_ms: head.created_at_ms,
        }
    }
}
