//! What changed since the last checkpoint: new heads, patches of heads the catalog has, removals, documents.
//!
//! Commits and replay apply the same [`Logged`] changes here. A checkpoint **freezes** the changes, hands them to the
//! catalog and drops them; until then a look-up sees active changes over frozen ones over the catalog.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;
use headwater_protocol::{Lifetime, Offset, StreamPath};
use headwater_streams::{AppendDelta, Change, DocumentKey, Durability, Head, Listed, Reclaimed, StreamId, Version};

use crate::checkpoint::{Checkpoint, HeadPatch, JournalPosition, Patched};
use crate::record::Logged;

/// The changes of one checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    created: HashMap<StreamId, Head, RandomState>,
    paths: BTreeMap<StreamPath, PathState>,
    patches: HashMap<StreamId, HeadPatch, RandomState>,
    removed: HashSet<StreamId, RandomState>,
    documents: BTreeMap<DocumentKey, Option<Bytes>>,
    /// Once frozen: everything before this position is in here or in the catalog.
    covered: JournalPosition,
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathState {
    Taken(StreamId),
    Freed,
}

/// Active changes over frozen ones.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    active: Changes,
    frozen: Option<Arc<Changes>>,
    /// Streams that never reach journal or catalog.
    ephemeral: Changes,
    /// Everything before this position is applied.
    applied: JournalPosition,
    /// Checkpoints that have ended: when it moved, a read of the catalog may lack what has just left the memtable.
    generation: u64,
}

/// What the memtable knows of a path.
#[derive(Debug)]
pub(crate) enum Known {
    /// The stream there.
    Head(Box<Head>),
    /// No stream is there.
    Absent,
    /// Nothing: the catalog's answer holds, patched.
    Nothing,
}

/// A change that does not follow from the stream's state: only after damage to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutOfOrder {
    pub(crate) id: StreamId,
}

impl Memtable {
    /// Nothing changed since the checkpoint that covers everything before `covered`.
    pub(crate) fn new(covered: JournalPosition) -> Self {
        Self { applied: covered, ..Self::default() }
    }

    /// Applies a durable change.
    pub(crate) fn apply(&mut self, change: Logged) -> Result<(), OutOfOrder> {
        self.active.apply(change)
    }

    /// Whether the change is to a stream that lives in memory only.
    pub(crate) fn is_ephemeral(&self, change: &Change) -> bool {
        match change {
            Change::Create { head, .. } => head.durability == Durability::Ephemeral,
            Change::Append { id, .. }
            | Change::Forks { id, .. }
            | Change::SoftDelete { id, .. }
            | Change::Remove { id, .. } => self.ephemeral.created.contains_key(id),
            Change::PutDocument { .. } | Change::RemoveDocument { .. } => false,
        }
    }

    /// Whether any stream lives in memory only.
    pub(crate) fn has_ephemeral(&self) -> bool {
        !self.ephemeral.created.is_empty()
    }

    /// Applies a change to a stream that lives in memory only.
    pub(crate) fn apply_ephemeral(&mut self, change: Logged) -> Result<(), OutOfOrder> {
        if let Logged::Remove { id, path, .. } = &change {
            self.ephemeral.created.remove(id);
            self.ephemeral.paths.remove(path);
            return Ok(());
        }
        self.ephemeral.apply(change)
    }

    /// The bytes of a stream that lives in memory only went, up to `earliest`: it begins later, and so do its forks.
    pub(crate) fn reclaim_ephemeral(&mut self, id: StreamId, earliest: Offset) -> Vec<Reclaimed> {
        let heads = &mut self.ephemeral.created;
        // Looking for forks is worth it only where there are some.
        let Some(has_forks) = heads.get(&id).map(|head| head.forks > 0) else { return Vec::new() };
        let reclaim = |head: &mut Head, earliest: Offset| {
            head.earliest = head.earliest.max(earliest);
            Reclaimed { id: head.id, path: head.path.clone(), earliest: head.earliest }
        };
        if !has_forks {
            return heads.get_mut(&id).map(|head| reclaim(head, earliest)).into_iter().collect();
        }
        let lost_by = |head: &Head| match head.inherited.iter().find(|span| span.source == id) {
            _ if head.id == id => Some(earliest),
            Some(span) if span.from < earliest => Some(earliest.min(span.to)),
            _ => None,
        };
        heads.values_mut().filter_map(|head| lost_by(head).map(|earliest| reclaim(head, earliest))).collect()
    }

    /// Everything before `position` has been applied.
    pub(crate) fn advance(&mut self, position: JournalPosition) {
        self.applied = position;
    }

    /// See the field.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Streams changed or removed since the last freeze.
    pub(crate) fn changed_streams(&self) -> usize {
        self.active.created.len() + self.active.patches.len() + self.active.removed.len()
    }

    /// Whether something waits for a checkpoint.
    pub(crate) fn is_clean(&self) -> bool {
        self.frozen.is_none() && self.active.is_empty()
    }

    /// Starts a checkpoint, or takes up again one that failed: what to write, and what it covers.
    pub(crate) fn freeze(&mut self) -> Arc<Changes> {
        if self.frozen.is_none() {
            self.active.covered = self.applied;
            self.frozen = Some(Arc::new(std::mem::take(&mut self.active)));
        }
        self.frozen.clone().expect("frozen just above")
    }

    /// Whether a checkpoint has started and not ended.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// The checkpoint has ended: the catalog has the frozen changes.
    pub(crate) fn thaw(&mut self) {
        self.frozen = None;
        self.generation += 1;
    }

    /// New streams less removed ones, against the catalog.
    pub(crate) fn count_delta(&self) -> i64 {
        let layers = self.layers().chain([&self.ephemeral]);
        layers.map(|layer| layer.created.len() as i64 - layer.removed.len() as i64).sum()
    }

    /// What is known of `path`, with everything applied.
    pub(crate) fn find(&self, path: &StreamPath) -> Known {
        for layer in [&self.ephemeral, &self.active].into_iter().chain(self.frozen.as_deref()) {
            match layer.paths.get(path).map(|state| (layer, state)) {
                None => {}
                Some((_, PathState::Freed)) => return Known::Absent,
                Some((layer, PathState::Taken(id))) => {
                    let mut head = layer.created.get(id).expect("a taken path has its head").clone();
                    self.patch(&mut head);
                    return Known::Head(Box::new(head));
                }
            }
        }
        Known::Nothing
    }

    /// Brings a head from the catalog, or from the frozen changes, up to date.
    pub(crate) fn patch(&self, head: &mut Head) {
        let id = head.id;
        for patch in self.layers().filter_map(|layer| layer.patches.get(&id)) {
            // A patch that misses its base can only follow damage; the store is read-only then, and the head stays at
            // the last state that is known to be whole.
            if patch.apply_to(head) == Patched::Missing {
                tracing::warn!(path = %head.path, "changes before a later one of this stream are missing");
                return;
            }
        }
    }

    /// Whether a stream the catalog may still show is gone.
    pub(crate) fn is_removed(&self, id: StreamId) -> bool {
        self.layers().any(|layer| layer.removed.contains(&id))
    }

    /// Brings a row of the catalog's listing up to date.
    pub(crate) fn patch_listed(&self, row: &mut Listed) {
        for patch in self.layers().filter_map(|layer| layer.patches.get(&row.id)) {
            row.tail = patch.tail.map_or(row.tail, |tail| tail.max(row.tail));
            row.closed |= patch.closure.is_some();
            row.soft_deleted |= patch.soft_deleted;
        }
    }

    /// New streams whose path starts with `prefix`, after `after`, in path order.
    pub(crate) fn created(&self, prefix: &str, after: Option<&StreamPath>, limit: usize) -> Vec<Head> {
        let mut heads: Vec<Head> = Vec::new();
        for layer in self.layers().chain([&self.ephemeral]) {
            let from = after.map_or(Bound::Included(prefix), |after| {
                if after.as_str() < prefix { Bound::Included(prefix) } else { Bound::Excluded(after.as_str()) }
            });
            let within = layer.paths.range::<str, _>((from, Bound::Unbounded));
            let ids =
                within.take_while(|(path, _)| path.as_str().starts_with(prefix)).filter_map(|(_, state)| match state {
                    PathState::Taken(id) if !self.is_removed(*id) => Some(id),
                    _ => None,
                });
            heads.extend(ids.take(limit).map(|id| layer.created.get(id).expect("a taken path has its head").clone()));
        }
        heads.iter_mut().for_each(|head| self.patch(head));
        heads.sort_by(|a, b| a.path.cmp(&b.path));
        heads.truncate(limit);
        heads
    }

    /// New streams whose lifetime ended at or before `now_ms`.
    pub(crate) fn expired(&self, now_ms: u64, limit: usize) -> Vec<StreamPath> {
        let ends = |head: &&Head| head.lifetime != Lifetime::Forever && !head.soft_deleted;
        let mut paths = Vec::new();
        for head in self.layers().chain([&self.ephemeral]).flat_map(|layer| layer.created.values()).filter(ends) {
            if paths.len() == limit {
                break;
            }
            if !self.is_removed(head.id) && head.is_expired(self.accessed(head.id, head.accessed_at_ms), now_ms) {
                paths.push(head.path.clone());
            }
        }
        paths
    }

    /// The latest recorded access of a stream whose head says `accessed_at_ms`.
    pub(crate) fn accessed(&self, id: StreamId, accessed_at_ms: u64) -> u64 {
        let patches = self.layers().filter_map(|layer| layer.patches.get(&id));
        patches.map(|patch| patch.accessed_at_ms).fold(accessed_at_ms, u64::max)
    }

    /// Whether the stream was deleted by its owner since the last checkpoint.
    pub(crate) fn is_soft_deleted(&self, id: StreamId) -> bool {
        self.layers().any(|layer| layer.patches.get(&id).is_some_and(|patch| patch.soft_deleted))
    }

    /// Brings documents from the catalog up to date.
    pub(crate) fn overlay_documents(&self, prefix: &str, documents: &mut BTreeMap<DocumentKey, Bytes>) {
        let from = DocumentKey(Arc::from(prefix));
        for layer in self.layers() {
            let changed = layer.documents.range(from.clone()..).take_while(|(key, _)| key.0.starts_with(prefix));
            for (key, value) in changed {
                match value {
                    Some(value) => documents.insert(key.clone(), value.clone()),
                    None => documents.remove(key),
                };
            }
        }
    }

    /// Oldest first.
    fn layers(&self) -> impl Iterator<Item = &Changes> {
        self.frozen.as_deref().into_iter().chain([&self.active])
    }
}

impl Changes {
    /// As the catalog takes it. Heads are copied: look-ups go on while the catalog writes.
    pub(crate) fn to_checkpoint(&self) -> Checkpoint {
        Checkpoint {
            covered: self.covered,
            removed: self.removed.iter().copied().collect(),
            created: self.created.values().cloned().collect(),
            changed: self.patches.values().cloned().collect(),
            documents: self.documents.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.patches.is_empty() && self.documents.is_empty()
    }

    fn apply(&mut self, change: Logged) -> Result<(), OutOfOrder> {
        match change {
            Logged::Create { head, payload: _ } => self.create(*head),
            Logged::Append { id, expected, delta, payload } => self.append(id, expected, &delta, payload.len),
            Logged::Forks { id, expected, by } => self.change(
                id,
                expected,
                |head| head.forks = head.forks.saturating_add_signed(by),
                |patch| patch.add_forks(by),
            ),
            Logged::SoftDelete { id, expected } => {
                self.change(id, expected, |head| head.soft_deleted = true, HeadPatch::soft_delete)
            }
            Logged::Remove { id, path, expected: _ } => {
                self.remove(id, path);
                Ok(())
            }
            Logged::PutDocument { key, value } => {
                self.documents.insert(key, Some(value));
                Ok(())
            }
            Logged::RemoveDocument { key } => {
                self.documents.insert(key, None);
                Ok(())
            }
        }
    }

    fn create(&mut self, head: Head) -> Result<(), OutOfOrder> {
        if let Some(PathState::Taken(_)) = self.paths.get(&head.path) {
            return Err(OutOfOrder { id: head.id });
        }
        self.paths.insert(head.path.clone(), PathState::Taken(head.id));
        self.created.insert(head.id, head);
        Ok(())
    }

    fn append(&mut self, id: StreamId, expected: Version, delta: &AppendDelta, len: u32) -> Result<(), OutOfOrder> {
        if let Some(head) = self.created.get_mut(&id) {
            if head.version != expected || head.tail != delta.start {
                return Err(OutOfOrder { id });
            }
            // The payload itself is not at hand, so the head does not see its length.
            head.apply(delta);
            head.tail = head.tail.advance(u64::from(len));
            return Ok(());
        }
        let patch = self.patches.entry(id).or_insert_with(|| HeadPatch::new(id, expected));
        if patch.version != expected || patch.tail.is_some_and(|tail| tail != delta.start) {
            return Err(OutOfOrder { id });
        }
        patch.append(delta, u64::from(len));
        Ok(())
    }

    fn change(
        &mut self,
        id: StreamId,
        expected: Version,
        to_head: impl FnOnce(&mut Head),
        to_patch: impl FnOnce(&mut HeadPatch),
    ) -> Result<(), OutOfOrder> {
        if let Some(head) = self.created.get_mut(&id) {
            if head.version != expected {
                return Err(OutOfOrder { id });
            }
            to_head(head);
            head.version.0 += 1;
            return Ok(());
        }
        let patch = self.patches.entry(id).or_insert_with(|| HeadPatch::new(id, expected));
        if patch.version != expected {
            return Err(OutOfOrder { id });
        }
        to_patch(patch);
        Ok(())
    }

    fn remove(&mut self, id: StreamId, path: StreamPath) {
        self.paths.insert(path, PathState::Freed);
        self.patches.remove(&id);
        if self.created.remove(&id).is_none() {
            self.removed.insert(id);
        }
    }
}
