//! Decide, commit, publish: the one place where streams change.
//!
//! One thread drains the queue, decides each request on heads that nobody else can touch, hands the accepted changes to
//! the store in one commit, and only then shows readers the new tails and releases the answers. Refusals and duplicates
//! wait like everything else, because they reveal state that is not durable before the commit is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::Receiver;
use foldhash::fast::RandomState;
use headwater_protocol::StreamPath;
use tokio::sync::oneshot;

use crate::batch::{Batch, Publication};
use crate::change::Change;
use crate::decide::{ProducerRoom, Verdict, decide_append};
use crate::engine::Inner;
use crate::head::Head;
use crate::limits::{
    BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, GATHER_OPERATIONS_MAX, GATHER_OPERATIONS_MIN, GATHER_STEP, GATHER_WINDOW,
};
use crate::live::{Chunk, Live, Presence};
use crate::mailbox::Round;
use crate::operation::{Append, AppendError, Appended, EngineError};
use crate::store::{BatchId, Outcome, Reclaimed, Store, StoreError};
use crate::submission::{Answer, Submission};
use crate::tail_cache::TailCache;

pub(crate) struct Committer<S: Store> {
    pub(crate) inner: Arc<Inner<S>>,
    pub(crate) slots: HashMap<StreamPath, Slot, RandomState>,
    queue: Receiver<Submission>,
    cache: TailCache,
    next_batch: u64,
    /// Operations in the last batch.
    last_operations: usize,
    /// The failure of the commit after which heads here may be ahead of the store: nothing is decided on them any more.
    failed: Option<StoreError>,
}

/// An active stream: its head as decided so far, and what readers see of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) head: Head,
    pub(crate) live: Arc<Live>,
}

impl<S: Store> Committer<S> {
    pub(crate) fn new(inner: Arc<Inner<S>>, queue: Receiver<Submission>) -> Self {
        let cache = TailCache::new(inner.limits.tail_cache_bytes_max);
        Self { inner, slots: HashMap::default(), queue, cache, next_batch: 0, last_operations: 0, failed: None }
    }

    /// Runs until it is told to stop or every handle of the engine is gone.
    pub(crate) async fn run(mut self) {
        while let Ok(first) = self.queue.recv() {
            self.gather();
            let (work, stop) = self.drain(first);
            self.process(work).await;
            if let Some(reply) = stop {
                let closed = self.inner.store.close().await;
                if reply.send(closed).is_err() {
                    tracing::debug!("nobody waited for the engine to stop");
                }
                return;
            }
        }
    }

    /// Under load, lets a batch fill up before it is taken.
    ///
    /// A durable write costs the same processor time for five requests as for fifty. The writers at work are those that
    /// the last batch answered and those that queue already. Waiting for half of them lets the two halves take turns:
    /// one is written while the other reads its answers and asks again. A lone writer never waits.
    fn gather(&self) {
        if self.last_operations < GATHER_OPERATIONS_MIN {
            return;
        }
        let queued = self.queue.len() + 1;
        let wanted = ((self.last_operations + queued) / 2).min(GATHER_OPERATIONS_MAX);
        let begun = Instant::now();
        while self.queue.len() + 1 < wanted && begun.elapsed() < GATHER_WINDOW {
            std::thread::sleep(GATHER_STEP);
        }
    }

    fn drain(&self, first: Submission) -> (Vec<Submission>, Option<oneshot::Sender<Result<(), StoreError>>>) {
        let mut work = Vec::with_capacity(self.queue.len() + 1);
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(submission) = next.take() {
            let held = submission.payload_bytes();
            self.inner.queued_bytes.fetch_sub(held, Ordering::Relaxed);
            bytes += held;
            if let Submission::Stop(reply) = submission {
                return (work, Some(reply));
            }
            work.push(submission);
            if work.len() < BATCH_OPERATIONS_MAX && bytes < BATCH_BYTES_MAX {
                next = self.queue.try_recv().ok();
            }
        }
        (work, None)
    }

    async fn process(&mut self, work: Vec<Submission>) {
        // ORDER: make room before deciding, or a full disk would leave heads ahead of the store.
        let work = match self.reserve(&work).await {
            Ok(()) => work,
            Err(cause) => {
                let (writing, reading): (Vec<_>, Vec<_>) = work.into_iter().partition(Submission::may_write);
                writing.into_iter().for_each(|submission| submission.refuse(cause.clone()));
                reading
            }
        };
        if let Err(cause) = self.activate_missing(&work).await {
            tracing::error!(%cause, "loading streams failed");
            return work.into_iter().for_each(|submission| submission.refuse(cause.clone()));
        }
        self.last_operations = work.len();
        let now_ms = self.inner.clock.now_ms();
        let mut batch = Batch::new(self.inner.activity.is_watched());
        for submission in work {
            batch.operations += submission.operations();
            self.decide(&mut batch, submission, now_ms).await;
        }
        let sweeps = batch.sweeps;
        self.commit(batch).await;
        if sweeps {
            // ORDER: evict after the commit, or a stream comes back from the store without what the batch did to it.
            self.sweep();
        }
    }

    async fn reserve(&self, work: &[Submission]) -> Result<(), StoreError> {
        let writes = work.iter().filter(|submission| submission.may_write()).map(Submission::operations).sum();
        if writes == 0 {
            return Ok(());
        }
        if let Some(cause) = &self.failed {
            return Err(cause.clone());
        }
        self.inner.store.reserve(writes, work.iter().map(Submission::payload_bytes).sum()).await
    }

    /// Brings the heads that `work` needs into memory, in one look at the store.
    async fn activate_missing(&mut self, work: &[Submission]) -> Result<(), StoreError> {
        let mut missing: Vec<StreamPath> = Vec::new();
        for path in work.iter().flat_map(Submission::paths) {
            if !self.slots.contains_key(path) {
                missing.push(path.clone());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        self.load(&missing).await
    }

    pub(crate) async fn load(&mut self, paths: &[StreamPath]) -> Result<(), StoreError> {
        for head in self.inner.store.load(paths).await?.into_iter().flatten() {
            // Readers may still hold on to it when the slot alone is gone, after a failed commit.
            let known = self.inner.registry.get(&head.path).filter(|live| live.id == head.id);
            let live = known.unwrap_or_else(|| Arc::new(Live::loaded(&head, self.inner.started_at_ms)));
            self.inner.registry.insert(live.clone());
            self.slots.insert(head.path.clone(), Slot { head, live });
        }
        Ok(())
    }

    async fn decide(&mut self, batch: &mut Batch, submission: Submission, now_ms: u64) {
        match submission {
            Submission::Append(append, reply) => {
                let outcome = self.append(batch, &append, now_ms);
                batch.answers.push(Answer::Append(reply, outcome));
            }
            Submission::Create { create, fork_at, reply } => {
                let outcome = self.create(batch, create, fork_at, now_ms).await;
                batch.answers.push(Answer::Create(reply, outcome));
            }
            Submission::Delete(path, reply) => {
                let outcome = self.delete(batch, &path, now_ms).await;
                batch.answers.push(Answer::Delete(reply, outcome));
            }
            Submission::Trim(path, id, to, reply) => {
                let outcome = self.trim(batch, &path, id, to, now_ms);
                batch.answers.push(Answer::Trim(reply, outcome));
            }
            Submission::Activate(path, reply) => {
                Answer::Activate(reply, Ok(self.inner.registry.get(&path))).send();
            }
            Submission::Documents(documents, reply) => {
                let changes = documents.into_iter().map(|(key, value)| match value {
                    Some(value) => Change::PutDocument { key, value },
                    None => Change::RemoveDocument { key },
                });
                batch.transaction(changes.collect());
                batch.answers.push(Answer::Documents(reply, Ok(())));
            }
            Submission::Transact(steps, reply) => {
                let outcome = self.transact(batch, steps, now_ms).await;
                batch.answers.push(Answer::Transact(reply, outcome));
            }
            Submission::Touch(path) => self.record_access(batch, &path),
            Submission::Reap(path) => self.reap(batch, &path, now_ms).await,
            Submission::Sweep => batch.sweeps = true,
            Submission::Stop(_) => unreachable!("drain takes the stop out"),
        }
    }

    fn append(&mut self, batch: &mut Batch, append: &Append, now_ms: u64) -> Result<Appended, AppendError> {
        let slot = self.slots.get_mut(&append.path).ok_or(AppendError::NotFound)?;
        if slot.live.is_expired(now_ms) && !slot.head.soft_deleted {
            return Err(AppendError::NotFound);
        }
        let room = ProducerRoom { max: self.inner.limits.producers_per_stream_max, others: 0 };
        match decide_append(&slot.head, append, now_ms, room)? {
            Verdict::Duplicate(highest) => {
                let (next, closed) = (slot.head.tail, slot.head.is_closed());
                slot.live.touch(now_ms);
                if slot.live.should_record_access(now_ms) {
                    self.record_access(batch, &append.path);
                }
                Ok(Appended::Duplicate { next, closed, highest })
            }
            Verdict::Accept(delta) => {
                slot.live.touch(now_ms);
                batch.append(&mut slot.head, &slot.live, delta);
                Ok(Appended::Written { next: slot.head.tail, closed: slot.head.is_closed() })
            }
        }
    }

    async fn commit(&mut self, mut batch: Batch) {
        if batch.is_empty() {
            let mut round = Round::default();
            return batch.answers.into_iter().for_each(|answer| round.answer(answer));
        }
        let id = BatchId(self.next_batch);
        self.next_batch += 1;
        let (transactions, appended) = batch.transactions();
        self.inner.commits.send_modify(|count| *count += 1);
        match self.inner.store.commit(id, transactions).await {
            Ok(commit) => {
                let all_landed = commit.outcomes.iter().all(|outcome| *outcome == Outcome::Landed);
                assert!(all_landed, "a store that only this engine changes has no conflicts");
                self.inner.observer.committed(batch.operations, batch.payload_bytes, commit.written_bytes, commit.sync);
                let mut round = Round::default();
                self.publish(&mut round, batch.publications, appended);
                self.begin_later(commit.reclaimed);
                // ORDER: who found bytes gone waits for this to see why.
                self.inner.commits.send_modify(|count| *count += 1);
                if !batch.activity.is_empty() {
                    self.inner.activity.note(std::mem::take(&mut batch.activity));
                }
                batch.answers.into_iter().for_each(|answer| round.answer(answer));
            }
            Err(cause) => {
                tracing::error!(%cause, "a commit failed: no more changes are taken");
                self.inner.poisoned.store(true, Ordering::SeqCst);
                self.inner.commits.send_modify(|count| *count += 1);
                self.failed = Some(match &cause {
                    StoreError::Poisoned { .. } => cause.clone(),
                    other => StoreError::Poisoned { cause: other.to_string() },
                });
                let cause = EngineError::Store(cause);
                let mut round = Round::default();
                batch.answers.into_iter().for_each(|answer| round.answer(answer.failed(&cause)));
            }
        }
    }

    /// Shows readers what has become durable, in the order in which it was decided.
    fn publish(
        &mut self,
        round: &mut Round,
        publications: Vec<Publication>,
        mut appended: Vec<Option<(headwater_protocol::Offset, bytes::Bytes)>>,
    ) {
        for publication in publications {
            match publication {
                Publication::Advanced { live, change } => {
                    self.show(round, &live, appended[change].take());
                }
                Publication::Created { live, change } => {
                    self.inner.registry.insert(live.clone());
                    self.show(round, &live, appended[change].take());
                }
                Publication::Ended { live, presence } => {
                    if presence == Presence::Removed {
                        self.inner.registry.remove(&live);
                    }
                    live.end(round, presence);
                }
            }
        }
    }

    /// Shows readers where streams begin of which the store has given up bytes.
    fn begin_later(&mut self, reclaimed: Vec<Reclaimed>) {
        for Reclaimed { id, path, earliest } in reclaimed {
            let Some(slot) = self.slots.get_mut(&path).filter(|slot| slot.head.id == id) else { continue };
            slot.head.earliest = slot.head.earliest.max(earliest);
            slot.live.begin_at(slot.head.earliest);
        }
    }

    fn show(
        &mut self,
        round: &mut Round,
        live: &Arc<Live>,
        appended: Option<(headwater_protocol::Offset, bytes::Bytes)>,
    ) {
        // A stream that was removed later in the same batch has no slot any more: its end is published instead.
        let Some(slot) = self.slots.get(&live.path).filter(|slot| slot.head.id == live.id) else { return };
        let bytes = appended.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let chunk = appended.map(|(start, bytes)| Arc::new(Chunk { start, bytes, encoded: Default::default() }));
        live.publish(round, &slot.head, chunk);
        if bytes > 0 {
            self.cache.keep(live, bytes);
        }
    }
}

/// Whatever ends the committer, nobody is left waiting for it.
impl<S: Store> Drop for Committer<S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the committer broke an invariant: no more changes are taken");
            self.inner.poisoned.store(true, Ordering::SeqCst);
        }
        self.inner.commits.send_if_modified(|count| {
            let is_under_way = !count.is_multiple_of(2);
            *count += u64::from(is_under_way);
            is_under_way
        });
        let mut round = Round::default();
        self.inner.registry.for_each(|live| live.end(&mut round, Presence::Stopping));
    }
}
