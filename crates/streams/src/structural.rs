//! How streams begin and end: create, fork, delete, expire, trim.

use std::sync::Arc;

use headwater_protocol::{ContentType, Lifetime, Offset, StreamPath};

use crate::activity::StreamActivity;
use crate::batch::{Batch, Publication};
use crate::change::{AppendDelta, Change};
use crate::committer::{Committer, Slot};
use crate::head::{Closure, ForkOrigin, Head, InheritedSpan, StreamId, Version};
use crate::limits::{FORK_SPANS_MAX, SWEEP_TOUCHES_MAX};
use crate::live::{Live, Presence};
use crate::operation::{Create, CreateError, Created, DeleteError, EngineError, ForkPoint, Metadata, TrimError};
use crate::store::Store;
use crate::submission::Submission;

impl<S: Store> Committer<S> {
    pub(crate) async fn create(
        &mut self,
        batch: &mut Batch,
        create: Create,
        fork_at: Option<(StreamId, Offset)>,
        now_ms: u64,
    ) -> Result<Created, CreateError> {
        if let Some(slot) = self.slots.get(&create.path) {
            if slot.head.soft_deleted {
                return Err(CreateError::PathHeld);
            }
            if !slot.live.is_expired(now_ms) {
                check_same(&slot.head, &create)?;
                return Ok(Created { is_new: false, metadata: metadata(&slot.head) });
            }
            if slot.head.forks > 0 {
                return Err(CreateError::PathHeld);
            }
            // A transaction of its own: the expired stream is gone even if the new one is refused.
            self.remove(batch, &create.path).await?;
        }
        let mut changes = Vec::new();
        let id = self.inner.store.allocate_id().await.map_err(EngineError::Store)?;
        let head = match (&create.fork, fork_at) {
            (None, _) => new_head(id, &create, now_ms),
            (Some(fork), Some(at)) => self.fork_head(&mut changes, id, &create, fork, at, now_ms)?,
            // The target existed when the fork point would have been looked up, and is gone now.
            (Some(_), None) => return Err(CreateError::Engine(EngineError::Overloaded)),
        };
        Ok(self.install(batch, changes, head, create))
    }

    fn install(&mut self, batch: &mut Batch, mut changes: Vec<Change>, head: Head, create: Create) -> Created {
        batch.payload_bytes += create.payload.len() as u64;
        batch.note(StreamActivity {
            path: head.path.clone(),
            from: head.own_from(),
            tail: head.tail,
            created: true,
            removed: false,
        });
        changes.push(Change::Create { head: Box::new(head.clone()), payload: create.payload });
        let numbers = batch.transaction(changes);
        let live = Arc::new(Live::new(&head));
        batch.publications.push(Publication::Created { live: live.clone(), change: numbers.end - 1 });
        let metadata = metadata(&head);
        self.slots.insert(head.path.clone(), Slot { head, live });
        Created { is_new: true, metadata }
    }

    /// The head of a fork, and the change that makes its source know of it.
    fn fork_head(
        &mut self,
        changes: &mut Vec<Change>,
        id: StreamId,
        create: &Create,
        fork: &ForkPoint,
        (source_id, at): (StreamId, Offset),
        now_ms: u64,
    ) -> Result<Head, CreateError> {
        let slot = self.slots.get_mut(&fork.source).ok_or(CreateError::SourceNotFound)?;
        let source = &mut slot.head;
        if source.soft_deleted {
            return Err(CreateError::SourceDeleted);
        }
        if slot.live.is_expired(now_ms) {
            return Err(CreateError::SourceNotFound);
        }
        if source.id != source_id {
            // The point was found on an incarnation that is gone now: here it may lie inside a message.
            return Err(CreateError::Engine(EngineError::Overloaded));
        }
        if let Some(wanted) = &create.content_type
            && *wanted != source.content_type
        {
            return Err(CreateError::SourceContentType(source.content_type.clone()));
        }
        if at > source.tail || at < source.earliest {
            return Err(CreateError::ForkOffset { tail: source.tail });
        }
        let inherited = inherit(source, at);
        if inherited.len() > FORK_SPANS_MAX {
            return Err(CreateError::TooManySpans(inherited.len()));
        }
        let head = Head {
            content_type: source.content_type.clone(),
            lifetime: create.lifetime.unwrap_or(source.lifetime),
            // What it inherits lives as long as the source's bytes do.
            durability: source.durability,
            earliest: source.earliest,
            tail: at.advance(create.payload.len() as u64),
            fork: Some(ForkOrigin {
                source: source.id,
                source_path: fork.source.clone(),
                requested_offset: fork.offset,
                sub_offset: fork.sub_offset,
                at,
            }),
            inherited: inherited.into(),
            ..new_head(id, create, now_ms)
        };
        changes.push(Change::Forks { id: source.id, path: source.path.clone(), expected: source.version, by: 1 });
        source.forks += 1;
        source.version.0 += 1;
        Ok(head)
    }

    pub(crate) async fn delete(
        &mut self,
        batch: &mut Batch,
        path: &StreamPath,
        now_ms: u64,
    ) -> Result<(), DeleteError> {
        let slot = self.slots.get(path).ok_or(DeleteError::NotFound)?;
        if slot.head.soft_deleted {
            return Err(DeleteError::Gone);
        }
        let was_expired = slot.live.is_expired(now_ms);
        self.end(batch, path).await?;
        if was_expired { Err(DeleteError::NotFound) } else { Ok(()) }
    }

    pub(crate) async fn reap(&mut self, batch: &mut Batch, path: &StreamPath, now_ms: u64) {
        let Some(slot) = self.slots.get(path) else { return };
        if slot.head.soft_deleted {
            return;
        }
        if !slot.live.is_expired(now_ms) {
            if slot.live.has_readers() {
                // A waiting reader counts as an access all the time.
                slot.live.touch(now_ms);
            }
            return self.record_access(batch, path);
        }
        match self.end(batch, path).await {
            Ok(()) => self.inner.observer.reaped(1),
            Err(cause) => tracing::warn!(%path, %cause, "an expired stream could not be removed; trying again later"),
        }
    }

    /// Removes a stream, or keeps only its data while forks need that.
    async fn end(&mut self, batch: &mut Batch, path: &StreamPath) -> Result<(), EngineError> {
        let slot = self.slots.get_mut(path).expect("the caller has looked");
        batch.note(StreamActivity {
            path: path.clone(),
            from: slot.head.tail,
            tail: slot.head.tail,
            created: false,
            removed: true,
        });
        if slot.head.forks > 0 {
            let (id, expected) = (slot.head.id, slot.head.version);
            slot.head.soft_deleted = true;
            slot.head.version.0 += 1;
            let live = slot.live.clone();
            batch.transaction(vec![Change::SoftDelete { id, path: path.clone(), expected }]);
            batch.publications.push(Publication::Ended { live, presence: Presence::SoftDeleted });
            return Ok(());
        }
        self.remove(batch, path).await
    }

    /// Removes a stream without forks, and up the chain every deleted source that was kept only for it.
    pub(crate) async fn remove(&mut self, batch: &mut Batch, path: &StreamPath) -> Result<(), EngineError> {
        self.load_ancestors(path).await?;
        let mut changes = Vec::new();
        let mut next = Some(path.clone());
        while let Some(path) = next.take() {
            let Some(Slot { head, live }) = self.slots.remove(&path) else { break };
            batch.publications.push(Publication::Ended { live, presence: Presence::Removed });
            changes.push(Change::Remove { id: head.id, path, expected: head.version });
            let Some(origin) = head.fork else { break };
            let Some(source) = self.slots.get_mut(&origin.source_path).filter(|slot| slot.head.id == origin.source)
            else {
                break;
            };
            let expected = source.head.version;
            let path = origin.source_path.clone();
            changes.push(Change::Forks { id: origin.source, path, expected, by: -1 });
            source.head.forks -= 1;
            source.head.version.0 += 1;
            if source.head.soft_deleted && source.head.forks == 0 {
                next = Some(origin.source_path);
            }
        }
        batch.transaction(changes);
        Ok(())
    }

    /// Loads the sources that the removal of a fork changes before anything is changed, since loading can fail.
    async fn load_ancestors(&mut self, removed: &StreamPath) -> Result<(), EngineError> {
        let mut next = Some(removed.clone());
        while let Some(path) = next.take() {
            if !self.slots.contains_key(&path) {
                self.load(std::slice::from_ref(&path)).await?;
            }
            let Some(Slot { head, .. }) = self.slots.get(&path) else { return Ok(()) };
            let goes_too = path == *removed || (head.soft_deleted && head.forks == 1);
            next = head.fork.as_ref().filter(|_| goes_too).map(|fork| fork.source_path.clone());
        }
        Ok(())
    }

    /// Records the last access in memory, so that a sliding lifetime survives a restart.
    pub(crate) fn record_access(&mut self, batch: &mut Batch, path: &StreamPath) {
        let Some(slot) = self.slots.get_mut(path) else { return };
        let accessed_at_ms = slot.live.accessed_at_ms();
        if slot.head.soft_deleted || accessed_at_ms <= slot.head.accessed_at_ms {
            return;
        }
        let delta = AppendDelta::touch(slot.head.tail, accessed_at_ms);
        batch.append(&mut slot.head, &slot.live, delta);
    }

    /// Gives up the bytes before `to`, which lies between messages. Bytes that forks may read are kept.
    pub(crate) fn trim(
        &mut self,
        batch: &mut Batch,
        path: &StreamPath,
        id: StreamId,
        to: Offset,
        now_ms: u64,
    ) -> Result<Offset, TrimError> {
        // Another incarnation may have its messages elsewhere.
        let slot = self.slots.get_mut(path).filter(|slot| slot.head.id == id).ok_or(TrimError::NotFound)?;
        if slot.head.soft_deleted {
            return Err(TrimError::Gone);
        }
        if slot.live.is_expired(now_ms) {
            return Err(TrimError::NotFound);
        }
        if slot.head.forks > 0 {
            return Err(TrimError::HasForks(slot.head.forks));
        }
        if to > slot.head.tail {
            return Err(TrimError::PastTail { tail: slot.head.tail });
        }
        if to > slot.head.earliest {
            let accessed_at_ms = slot.head.accessed_at_ms;
            let delta = AppendDelta { trim_to: Some(to), ..AppendDelta::touch(slot.head.tail, accessed_at_ms) };
            batch.append(&mut slot.head, &slot.live, delta);
        }
        Ok(slot.head.earliest)
    }

    /// Forgets idle streams while more than the limit are in memory: they come back from the store when asked for.
    pub(crate) fn sweep(&mut self) {
        let inner = &self.inner;
        let mut excess = self.slots.len().saturating_sub(inner.limits.active_streams_max);
        let mut touches_left = SWEEP_TOUCHES_MAX;
        self.slots.retain(|path, slot| {
            if excess == 0 {
                return true;
            }
            let unrecorded = matches!(slot.head.lifetime, Lifetime::Sliding(_))
                && slot.live.accessed_at_ms() > slot.head.accessed_at_ms;
            if unrecorded {
                // Evicted next time, when nothing is lost by it.
                let idle = touches_left > 0 && slot.live.stays_idle();
                touches_left -= usize::from(idle && inner.submit(Submission::Touch(path.clone())).is_ok());
                return true;
            }
            let evicted = inner.registry.evict_if_idle(path);
            excess -= usize::from(evicted);
            !evicted
        });
    }
}

pub(crate) fn new_head(id: StreamId, create: &Create, now_ms: u64) -> Head {
    Head {
        id,
        path: create.path.clone(),
        content_type: create.content_type.clone().unwrap_or_else(ContentType::octet_stream),
        lifetime: create.lifetime.unwrap_or(Lifetime::Forever),
        durability: create.durability,
        created_at_ms: now_ms,
        accessed_at_ms: now_ms,
        earliest: Offset::START,
        tail: Offset::new(create.payload.len() as u64),
        closure: if create.closed { Closure::Closed { by: None } } else { Closure::Open },
        stream_seq: None,
        producers: Default::default(),
        fork: None,
        inherited: Arc::from([]),
        forks: 0,
        soft_deleted: false,
        version: Version(1),
    }
}

/// Whose bytes lie before `at` in a fork of `source`, as one flat list however long the chain is.
fn inherit(source: &Head, at: Offset) -> Vec<InheritedSpan> {
    let own = InheritedSpan { source: source.id, from: source.own_from(), to: at };
    source
        .inherited
        .iter()
        .copied()
        .chain([own])
        .map(|span| InheritedSpan { to: span.to.min(at), ..span })
        .filter(|span| span.from < span.to)
        .collect()
}

/// Whether an existing stream is what `create` describes (protocol sections 4.2 and 5.1).
pub(crate) fn check_same(head: &Head, create: &Create) -> Result<(), CreateError> {
    let differs = |what| Err(CreateError::Differs(what));
    let wanted_type = match (&create.content_type, &create.fork) {
        (None, Some(_)) => head.content_type.clone(),
        (None, None) => ContentType::octet_stream(),
        (Some(sent), _) => sent.clone(),
    };
    if wanted_type != head.content_type {
        return differs("content type");
    }
    let inherits_lifetime = create.fork.is_some() && create.lifetime.is_none();
    if !inherits_lifetime && create.lifetime.unwrap_or(Lifetime::Forever) != head.lifetime {
        return differs("lifetime");
    }
    if create.closed != head.is_closed() {
        return differs("closure");
    }
    let same_origin = match (&create.fork, &head.fork) {
        (None, None) => true,
        (Some(wanted), Some(origin)) => is_same_origin(wanted, origin),
        _ => false,
    };
    if same_origin { Ok(()) } else { differs("fork origin") }
}

fn is_same_origin(wanted: &ForkPoint, origin: &ForkOrigin) -> bool {
    // A request without an offset took the tail of its moment, so any later one without an offset means the same.
    let known_offset = origin.requested_offset.unwrap_or(origin.at);
    wanted.source == origin.source_path
        && wanted.sub_offset == origin.sub_offset
        && wanted.offset.is_none_or(|offset| offset == known_offset)
}

pub(crate) fn metadata(head: &Head) -> Metadata {
    Metadata {
        path: head.path.clone(),
        id: head.id,
        created_at_ms: head.created_at_ms,
        content_type: head.content_type.clone(),
        earliest: head.earliest,
        tail: head.tail,
        closed: head.is_closed(),
        lifetime: head.lifetime,
    }
}

#[cfg(test)]
mod tests;
