//! Transactions: several steps decided in order on heads of their own, and carried out only when none is refused.
//!
//! A refusal leaves the committer's heads, the live streams and the batch as they were, except that a stream whose
//! lifetime had run out makes way for a creation, as it would at any time.

use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{Offset, ProducerStamp, StreamPath};

use crate::activity::StreamActivity;
use crate::batch::{Batch, Publication, join};
use crate::change::{AppendDelta, Change};
use crate::committer::{Committer, Slot};
use crate::decide::{ProducerRoom, Verdict, accepted_before, decide_append};
use crate::head::{Head, Version};
use crate::live::Live;
use crate::operation::{Append, AppendError, Appended, Create, CreateError, Created, EngineError};
use crate::step::{Step, StepDone, StepError, TransactionError};
use crate::store::Store;
use crate::structural::{check_same, metadata, new_head};

/// What a transaction is going to do.
#[derive(Debug, Default)]
struct Plan {
    /// In the order in which the steps come to them; a path comes once.
    streams: Vec<Planned>,
    documents: Vec<Change>,
}

/// A stream as the steps so far leave it.
#[derive(Debug)]
struct Planned {
    /// Of a stream that existed before, it remembers the producers that were asked about.
    head: Head,
    /// Producers of the stream that `head` leaves out.
    other_producers: usize,
    is_new: bool,
    /// The accepted appends in one, without their payloads.
    delta: Option<AppendDelta>,
    payloads: Vec<Bytes>,
}

impl<S: Store> Committer<S> {
    pub(crate) async fn transact(
        &mut self,
        batch: &mut Batch,
        steps: Vec<Step>,
        now_ms: u64,
    ) -> Result<Vec<StepDone>, TransactionError> {
        if self.is_duplicate(&steps, now_ms) {
            return Ok(steps.iter().map(|step| self.repeat(batch, step, now_ms)).collect());
        }
        let mut plan = Plan::default();
        let mut done = Vec::with_capacity(steps.len());
        for (index, step) in steps.into_iter().enumerate() {
            let outcome = self.plan(batch, &mut plan, step, now_ms).await;
            done.push(outcome.map_err(|why| TransactionError::at(index, why))?);
        }
        self.carry_out(batch, plan, now_ms);
        Ok(done)
    }

    /// Whether all producers' requests among `steps`, and there are some, were accepted before. Comes first, so that a
    /// repeated transaction is recognised before anything that could refuse it.
    fn is_duplicate(&self, steps: &[Step], now_ms: u64) -> bool {
        let mut requests = steps.iter().filter_map(producer_request).peekable();
        let known = |(path, stamp)| {
            let slot = self.slots.get(path).filter(|slot| is_present(slot, now_ms));
            slot.is_some_and(|slot| accepted_before(&slot.head, stamp).is_some())
        };
        requests.peek().is_some() && requests.all(known)
    }

    /// Answers a step of a duplicate transaction.
    fn repeat(&mut self, batch: &mut Batch, step: &Step, now_ms: u64) -> StepDone {
        let slot = step.path().and_then(|path| self.slots.get(path)).filter(|slot| is_present(slot, now_ms));
        let Some(Slot { head, .. }) = slot else { return StepDone::Known };
        match step {
            Step::Append { append, .. } => {
                let highest = append.producer.as_ref().and_then(|stamp| accepted_before(head, stamp));
                let done = Appended::Duplicate { next: head.tail, closed: head.is_closed(), highest };
                self.access(batch, &append.path, now_ms);
                StepDone::Appended(done)
            }
            Step::Create(_) => StepDone::Created(Created { is_new: false, metadata: metadata(head) }),
            Step::PutDocument { .. } | Step::RemoveDocument { .. } => StepDone::Known,
        }
    }

    async fn plan(
        &mut self,
        batch: &mut Batch,
        plan: &mut Plan,
        step: Step,
        now_ms: u64,
    ) -> Result<StepDone, StepError> {
        match step {
            Step::Append { append, expected_tail } => {
                self.plan_append(plan, &append, expected_tail, now_ms).map(StepDone::Appended)
            }
            Step::Create(create) => Ok(StepDone::Created(self.plan_create(batch, plan, create, now_ms).await?)),
            Step::PutDocument { key, value } => {
                plan.documents.push(Change::PutDocument { key, value });
                Ok(StepDone::DocumentWritten)
            }
            Step::RemoveDocument { key } => {
                plan.documents.push(Change::RemoveDocument { key });
                Ok(StepDone::DocumentWritten)
            }
        }
    }

    fn plan_append(
        &self,
        plan: &mut Plan,
        append: &Append,
        expected_tail: Option<Offset>,
        now_ms: u64,
    ) -> Result<Appended, StepError> {
        let slot = self.slots.get(&append.path);
        let planned = match plan.find(&append.path) {
            Some(at) => &mut plan.streams[at],
            None => {
                let slot = slot.filter(|slot| slot.head.soft_deleted || is_present(slot, now_ms));
                plan.streams.push(Planned::existing(&slot.ok_or(AppendError::NotFound)?.head));
                plan.streams.last_mut().expect("pushed just above")
            }
        };
        if planned.is_over(now_ms) {
            return Err(AppendError::NotFound.into());
        }
        if let Some(stamp) = append.producer.as_ref().filter(|_| !planned.is_new) {
            planned.recall(&slot.expect("a planned stream that is not new has its slot").head, stamp);
        }
        let max = self.inner.limits.producers_per_stream_max;
        let room = ProducerRoom { max, others: planned.other_producers };
        let verdict = decide_append(&planned.head, append, now_ms, room)?;
        let tail = planned.head.tail;
        match (verdict, expected_tail) {
            (Verdict::Duplicate(Some(highest)), _) => Err(StepError::AcceptedBefore { next: tail, highest }),
            (_, Some(expected)) if expected != tail => Err(StepError::TailDiffers { expected, tail }),
            (Verdict::Duplicate(None), _) => Ok(Appended::Duplicate { next: tail, closed: true, highest: None }),
            (Verdict::Accept(delta), _) => Ok(planned.grow(delta)),
        }
    }

    async fn plan_create(
        &mut self,
        batch: &mut Batch,
        plan: &mut Plan,
        create: Create,
        now_ms: u64,
    ) -> Result<Created, CreateError> {
        if let Some(at) = plan.find(&create.path) {
            let planned = &plan.streams[at];
            if !planned.is_over(now_ms) {
                return found(&planned.head, &create);
            }
            plan.streams.remove(at);
        } else if let Some(slot) = self.slots.get(&create.path) {
            if is_present(slot, now_ms) {
                return found(&slot.head, &create);
            }
            if slot.head.soft_deleted || slot.head.forks > 0 {
                return Err(CreateError::PathHeld);
            }
            self.remove(batch, &create.path).await?;
        }
        let id = self.inner.store.allocate_id().await.map_err(EngineError::Store)?;
        let head = new_head(id, &create, now_ms);
        let metadata = metadata(&head);
        let payloads = vec![create.payload];
        plan.streams.push(Planned { head, other_producers: 0, is_new: true, delta: None, payloads });
        Ok(Created { is_new: true, metadata })
    }

    /// Nothing can be refused any more.
    fn carry_out(&mut self, batch: &mut Batch, plan: Plan, now_ms: u64) {
        let mut changes = Vec::with_capacity(plan.streams.len() + plan.documents.len());
        let mut shown = Vec::with_capacity(plan.streams.len());
        let mut only_accessed = Vec::new();
        for planned in plan.streams {
            match planned {
                Planned { is_new: true, head, payloads, .. } => {
                    changes.push(self.begin(batch, head, joined(payloads), &mut shown));
                }
                Planned { delta: Some(mut delta), head, payloads, .. } => {
                    delta.payload = joined(payloads);
                    changes.push(self.advance(batch, &head.path, delta, now_ms, &mut shown));
                }
                Planned { head, .. } => only_accessed.push(head.path),
            }
        }
        changes.extend(plan.documents);
        if !changes.is_empty() {
            let numbers = batch.transaction(changes);
            batch.publications.extend(shown.into_iter().zip(numbers).map(|(shown, change)| match shown {
                Shown::New(live) => Publication::Created { live, change },
                Shown::Grown(live) => Publication::Advanced { live, change },
            }));
        }
        only_accessed.iter().for_each(|path| self.access(batch, path, now_ms));
    }

    fn begin(&mut self, batch: &mut Batch, mut head: Head, payload: Bytes, shown: &mut Vec<Shown>) -> Change {
        // However many steps it took, it is one change to the store.
        head.version = Version(1);
        let (path, from, tail) = (head.path.clone(), head.own_from(), head.tail);
        batch.note(StreamActivity { path, from, tail, created: true, removed: false });
        batch.payload_bytes += payload.len() as u64;
        let live = Arc::new(Live::new(&head));
        shown.push(Shown::New(live.clone()));
        self.slots.insert(head.path.clone(), Slot { head: head.clone(), live });
        Change::Create { head: Box::new(head), payload }
    }

    fn advance(
        &mut self,
        batch: &mut Batch,
        path: &StreamPath,
        delta: AppendDelta,
        now_ms: u64,
        shown: &mut Vec<Shown>,
    ) -> Change {
        let Slot { head, live } = self.slots.get_mut(path).expect("a planned stream that is not new has its slot");
        let (id, path, expected, from) = (head.id, path.clone(), head.version, head.tail);
        live.touch(now_ms);
        head.apply(&delta);
        if !delta.payload.is_empty() {
            batch.note(StreamActivity { path: path.clone(), from, tail: head.tail, created: false, removed: false });
        }
        batch.payload_bytes += delta.payload.len() as u64;
        shown.push(Shown::Grown(live.clone()));
        Change::Append { id, path, expected, delta }
    }

    /// Notes an access that changes nothing else.
    fn access(&mut self, batch: &mut Batch, path: &StreamPath, now_ms: u64) {
        let Some(slot) = self.slots.get(path) else { return };
        slot.live.touch(now_ms);
        if slot.live.should_record_access(now_ms) {
            self.record_access(batch, path);
        }
    }
}

/// What readers are shown of a stream.
enum Shown {
    New(Arc<Live>),
    Grown(Arc<Live>),
}

impl Plan {
    fn find(&self, path: &StreamPath) -> Option<usize> {
        self.streams.iter().position(|planned| planned.head.path == *path)
    }
}

impl Planned {
    fn existing(head: &Head) -> Self {
        let other_producers = head.producers.len();
        Self { head: head.without_producers(), other_producers, is_new: false, delta: None, payloads: Vec::new() }
    }

    /// Whether a stream that an earlier step creates has a lifetime that is over already.
    fn is_over(&self, now_ms: u64) -> bool {
        self.is_new && self.head.is_expired(self.head.accessed_at_ms, now_ms)
    }

    /// Takes over what `stored`, the stream's head, knows of a producer, unless an earlier step has.
    fn recall(&mut self, stored: &Head, stamp: &ProducerStamp) {
        if let Some(state) = stored.producers.get(&stamp.id)
            && !self.head.producers.contains_key(&stamp.id)
        {
            self.head.producers.insert(stamp.id.clone(), *state);
            self.other_producers -= 1;
        }
    }

    fn grow(&mut self, mut delta: AppendDelta) -> Appended {
        self.head.apply(&delta);
        self.payloads.push(std::mem::take(&mut delta.payload));
        match &mut self.delta {
            Some(grown) => join(grown, delta),
            None => self.delta = Some(delta),
        }
        Appended::Written { next: self.head.tail, closed: self.head.is_closed() }
    }
}

fn producer_request(step: &Step) -> Option<(&StreamPath, &ProducerStamp)> {
    match step {
        Step::Append { append, .. } => append.producer.as_ref().map(|stamp| (&append.path, stamp)),
        Step::Create(_) | Step::PutDocument { .. } | Step::RemoveDocument { .. } => None,
    }
}

fn is_present(slot: &Slot, now_ms: u64) -> bool {
    !slot.head.soft_deleted && !slot.live.is_expired(now_ms)
}

fn found(head: &Head, create: &Create) -> Result<Created, CreateError> {
    check_same(head, create)?;
    Ok(Created { is_new: false, metadata: metadata(head) })
}

fn joined(mut payloads: Vec<Bytes>) -> Bytes {
    payloads.retain(|payload| !payload.is_empty());
    match payloads.len() {
        0 | 1 => payloads.pop().unwrap_or_default(),
        _ => payloads.concat().into(),
    }
}

#[cfg(test)]
mod tests;
