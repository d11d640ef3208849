//! Commit: one durable write, then memory follows.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use headwater_streams::{Change, Commit, Outcome, Reclaimed, StoreError, StreamId, Transaction};

use super::Core;
use crate::extents::{ExtentChange, Extents};
use crate::limits::{BACKLOG_FACTOR, CHUNK_BYTES, ID_LEASE, TRANSACTION_OVERHEAD_BYTES};
use crate::memtable::Memtable;
use crate::record::{CHUNK_CRC_BYTES, Logged, Placed};

impl Core {
    pub(super) fn reserve(&self, transactions: usize, bytes: usize) -> Result<(), StoreError> {
        self.health.check()?;
        // The memtable grows as long as checkpoints fail; memory is bounded even then.
        let backlog = self.replay_bytes.load(Ordering::Relaxed);
        if backlog > BACKLOG_FACTOR * self.limits.checkpoint_journal_bytes && self.upkeep_fails() {
            return Err(StoreError::Full);
        }
        let chunks = transactions + bytes / CHUNK_BYTES;
        let needed = (bytes + transactions * TRANSACTION_OVERHEAD_BYTES + chunks * CHUNK_CRC_BYTES) as u64;
        let room = self.writer.lock().room();
        if room >= needed { Ok(()) } else { self.pool.reserve(needed) }
    }

    pub(super) fn commit(&self, batch: Vec<Transaction>) -> Result<Commit, StoreError> {
        self.health.check()?;
        let outcomes = vec![Outcome::Landed; batch.len()];
        let (durable, ephemeral) = self.split(batch);
        let (written_bytes, sync) = self.commit_durable(durable)?;
        let reclaimed = if ephemeral.is_empty() { Vec::new() } else { self.apply_ephemeral(ephemeral) };
        Ok(Commit { outcomes, written_bytes, sync, reclaimed })
    }

    pub(super) fn allocate_id(&self) -> Result<StreamId, StoreError> {
        let mut leased = self.leased_ids.lock();
        if leased.is_empty() {
            let first = self.catalog.lease_stream_ids(ID_LEASE)?.0;
            *leased = first..first + ID_LEASE;
        }
        Ok(StreamId(leased.next().expect("leased just above")))
    }

    fn commit_durable(&self, batch: Vec<Transaction>) -> Result<(u64, Duration), StoreError> {
        let mut writer = self.writer.lock();
        // Whoever decided this batch has gone on from it: even when nothing was written, it cannot be taken back.
        let poison = |error: StoreError| {
            self.health.poison(error.to_string());
            StoreError::Poisoned { cause: error.to_string() }
        };
        let mut encoded = writer.encode(&batch, &self.pool).map_err(poison)?;
        let (written_bytes, rolls) = (encoded.len(), encoded.rolls());
        if written_bytes == 0 {
            return Ok((0, Duration::ZERO));
        }
        let begun = Instant::now();
        let end = encoded.write().map_err(poison)?;
        let sync = begun.elapsed();
        // ORDER: everything is durable; only now may it be seen.
        let mut memtable = self.memtable.lock();
        let mut extents = self.extents.write();
        encoded.segments().for_each(|segment| extents.add_segment(segment.clone()));
        let changes = batch.into_iter().flat_map(|transaction| transaction.changes);
        for (change, placed) in changes.zip(encoded.places()) {
            apply(&mut memtable, &mut extents, change, *placed);
        }
        memtable.advance(end);
        let changed_streams = memtable.changed_streams();
        drop((memtable, extents));
        self.written_bytes.fetch_add(written_bytes, Ordering::Relaxed);
        let replay_bytes = self.replay_bytes.fetch_add(written_bytes, Ordering::Relaxed) + written_bytes;
        self.signals.after_commit(&self.limits, rolls, replay_bytes, changed_streams);
        Ok((written_bytes, sync))
    }

    /// Takes the changes to ephemeral streams out of the batch.
    fn split(&self, batch: Vec<Transaction>) -> (Vec<Transaction>, Vec<Change>) {
        let memtable = self.memtable.lock();
        let creates = |change: &Change| matches!(change, Change::Create { .. }) && memtable.is_ephemeral(change);
        let some = memtable.has_ephemeral() || batch.iter().any(|transaction| transaction.changes.iter().any(creates));
        if !some {
            return (batch, Vec::new());
        }
        let mut ephemeral = Vec::new();
        // Streams that the batch itself creates are not in the memtable yet.
        let mut created: Vec<StreamId> = Vec::new();
        let mut durable = Vec::with_capacity(batch.len());
        for transaction in batch {
            let mut kept = Vec::with_capacity(transaction.changes.len());
            for change in transaction.changes {
                let id = id_of(&change);
                if memtable.is_ephemeral(&change) || id.is_some_and(|id| created.contains(&id)) {
                    created.extend(id.filter(|_| matches!(change, Change::Create { .. })));
                    ephemeral.push(change);
                } else {
                    kept.push(change);
                }
            }
            durable.push(Transaction { changes: kept });
        }
        (durable, ephemeral)
    }

    /// Applies changes to ephemeral streams; returns those of which bytes went to make room.
    fn apply_ephemeral(&self, changes: Vec<Change>) -> Vec<Reclaimed> {
        let mut memtable = self.memtable.lock();
        let mut bytes = self.ephemeral.write();
        let mut lost = HashMap::new();
        for change in changes {
            match &change {
                Change::Create { head, payload } => {
                    let start = headwater_protocol::Offset::new(head.tail.get() - payload.len() as u64);
                    lost.extend(bytes.add(head.id, start, payload));
                }
                Change::Append { id, delta, .. } => {
                    lost.extend(bytes.add(*id, delta.start, &delta.payload));
                    if let Some(earliest) = delta.trim_to {
                        bytes.trim(*id, earliest);
                    }
                }
                Change::Remove { id, .. } => bytes.remove(*id),
                _ => {}
            }
            let len = u32::try_from(crate::record::payload_of(&change).len()).expect("a payload is below 4 GiB");
            let applied = memtable.apply_ephemeral(Logged::new(change, Placed { segment: 0, position: 0, len }));
            applied.expect("the engine decides on current heads");
        }
        lost.into_iter().flat_map(|(id, earliest)| memtable.reclaim_ephemeral(id, earliest)).collect()
    }
}

/// Brings memory up to a change that has become durable.
fn apply(memtable: &mut Memtable, extents: &mut Extents, change: Change, placed: Placed) {
    let logged = Logged::new(change, placed);
    let extent_change = ExtentChange::from(&logged);
    // The store is exclusive: whoever decided has seen every change before.
    memtable.apply(logged).expect("the engine decides on current heads");
    extents.apply(extent_change);
}

fn id_of(change: &Change) -> Option<StreamId> {
    match change {
        Change::Create { head, .. } => Some(head.id),
        Change::Append { id, .. }
        | Change::Forks { id, .. }
        | Change::SoftDelete { id, .. }
        | Change::Remove { id, .. } => Some(*id),
        Change::PutDocument { .. } | Change::RemoveDocument { .. } => None,
    }
}
