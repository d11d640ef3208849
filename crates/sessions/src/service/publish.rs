//! Events: decided on the folded state, committed with the agents' streams and the companion stream in one transaction,
//! answered when durable.

use std::ops::ControlFlow::Break;
use std::sync::Arc;

use bytes::Bytes;
use headwater_protocol::{Offset, ProducerStamp};
use headwater_streams::{Appended, Step, StepDone, StepError, Store, TransactionError};

use super::answers::{Published, PublishedEvent};
use super::attendance::{Announcing, Attendance};
use super::entry::{Sequence, UnderWay};
use super::loaded::Slot;
use super::refusal::{self, Refused};
use super::{Sessions, steps};
use crate::change::{copy_for_agent, encode_stored};
use crate::channel::Channel;
use crate::decide::{Answer, Context, Decision, Verdict, decide};
use crate::error::SessionError;
use crate::fold::State;
use crate::id::{AgentId, SessionId};
use crate::limits::{AGENTS_PER_REQUEST_MAX, DECISIONS_MAX};
use crate::position::Position;
use crate::presence::Presence;
use crate::registry::SessionRow;
use crate::request::{Input, Request};

/// What was decided under the lock, and what is to be waited for outside.
enum Staged<F> {
    /// Nothing new, up to here.
    Known(Published, Offset),
    /// Refused on a state that is durable up to here.
    Refused(SessionError, Offset),
    /// Queued, decided on a state up to here.
    UnderWay {
        answer: F,
        published: Published,
        at: Offset,
        /// Of the session, when something is appended to its stream.
        under_way: Option<UnderWay>,
        /// Of its companion stream, when something is appended to that.
        announcing: Option<Announcing>,
    },
}

impl<S: Store> Sessions<S> {
    /// Stores the events of a request, all or none; answers when they are durable.
    ///
    /// A request with producer headers that was accepted before is a duplicate, across restarts too, whatever it would
    /// come to now.
    pub async fn publish(
        &self,
        id: &SessionId,
        request: Request,
        stamp: Option<ProducerStamp>,
    ) -> Result<Published, SessionError> {
        self.inner.ledger.refresh(&self.inner.engine).await?;
        let open = self.inner.ledger.read(|rows| rows.get(id.as_str()).map(SessionRow::check_open))?;
        if let Err(closed) = open {
            let repeated = match &stamp {
                Some(stamp) => self.repeated(id, stamp).await?,
                None => None,
            };
            return repeated.map(|tail| duplicate(tail, None)).ok_or(closed);
        }
        for _ in 0..DECISIONS_MAX {
            let outcome = match &stamp {
                Some(stamp) => self.publish_stamped(id, &request, stamp).await,
                None if is_presence_only(&request) => self.publish_presence(id, &request).await,
                None => self.publish_once(id, &request, None).await,
            };
            if let Break(answer) = refusal::settle(outcome) {
                return answer;
            }
        }
        Err(refusal::contended(id))
    }

    async fn publish_once(
        &self,
        id: &SessionId,
        request: &Request,
        stamp: Option<&ProducerStamp>,
    ) -> Result<Published, Refused> {
        let slot = self.loaded(id).await?;
        let attendance = match request.inputs.iter().any(is_presence) {
            true => Some(self.attendance(id).await?),
            false => None,
        };
        let staged = self.stage(id, &slot, attendance.as_ref(), request, stamp)?;
        self.settle_staged(id, &slot, staged).await
    }

    async fn settle_staged<F>(&self, id: &SessionId, slot: &Slot, staged: Staged<F>) -> Result<Published, Refused>
    where
        F: Future<Output = Result<Vec<StepDone>, TransactionError>>,
    {
        match staged {
            Staged::Known(published, at) => slot.entry().durable(at).await.map(|()| published),
            Staged::Refused(error, at) => {
                // What a refusal tells of the state must not be lost by a crash.
                slot.entry().durable(at).await?;
                Err(error.into())
            }
            Staged::UnderWay { answer, published, under_way, announcing, at } => {
                let done = answer.await.map_err(|error| refusal::transaction(id, error))?;
                if let Some(StepDone::Appended(Appended::Duplicate { next, .. })) = done.first() {
                    // The same request was accepted while this one was decided: what was applied for it is dropped.
                    return Ok(duplicate(*next, None));
                }
                announcing.into_iter().for_each(Announcing::landed);
                match under_way {
                    Some(under_way) => under_way.landed(),
                    // Nothing was appended to the session; what its events repeat may still be on its way.
                    None => slot.entry().durable(at).await?,
                }
                Ok(published)
            }
        }
    }

    /// Decides, queues and applies, with nobody in between.
    fn stage(
        &self,
        id: &SessionId,
        slot: &Arc<Slot>,
        attendance: Option<&Arc<Attendance>>,
        request: &Request,
        stamp: Option<&ProducerStamp>,
    ) -> Result<Staged<impl Future<Output = Result<Vec<StepDone>, TransactionError>> + Send + use<S>>, Refused> {
        let mut live = slot.entry().lock()?;
        let mut users = attendance.map(|attendance| attendance.lock()).transpose()?;
        if stamp.is_some_and(|stamp| live.sequence(stamp) == Sequence::Other) {
            return Err(Refused::Moved);
        }
        let base = live.state.position();
        let nobody = Presence::default();
        let presence = users.as_ref().map_or(&nobody, |users| &users.presence);
        let decision = match self.decide(id, &live.state, presence, request) {
            Ok(decision) => decision,
            Err(error) => return Ok(Staged::Refused(error, base.offset)),
        };
        let mut plan = Plan::new(id, &decision, base, stamp)?;
        let announced = users.as_ref().filter(|_| !decision.presence.is_empty());
        let mut announced = announced.map(|users| users.announce(id, &decision.presence));
        let presence_at = users.as_ref().map(|users| users.presence.position()).unwrap_or_default();
        let ends = announced.as_ref().map_or(&[][..], |announced| &announced.ends);
        let published = answer(&decision, (base, &plan.ends), (presence_at, ends));
        if decision.changes.is_empty() && decision.presence.is_empty() && stamp.is_none() {
            let known = published.offset;
            return Ok(Staged::Known(published, known));
        }
        plan.steps.extend(announced.iter_mut().flat_map(|announced| announced.steps.drain(..)));
        let queued = self.inner.engine.queue_transaction(plan.steps);
        let answer = queued.map_err(|error| refusal::transaction(id, error))?;
        // Nothing was changed up to here, and nothing can be refused from here on.
        fold(id, Arc::make_mut(&mut live.state), &decision, &plan.ends);
        slot.entry().count(&mut live);
        stamp.into_iter().for_each(|stamp| live.accepted(stamp));
        let is_appended = !decision.changes.is_empty() || stamp.is_some();
        let under_way = is_appended.then(|| UnderWay::new(slot.clone(), live.next()));
        let mut announcing = None;
        if let (Some(users), Some(announced), Some(attendance)) = (&mut users, announced, attendance) {
            users.apply(&decision.presence, &announced.ends);
            self.inner.attendances.schedule(id, users, self.inner.engine.now_ms());
            announcing = Some(Announcing::new(attendance.clone()));
        }
        Ok(Staged::UnderWay { answer, published, at: base.offset, under_way, announcing })
    }

    fn decide(
        &self,
        id: &SessionId,
        state: &State,
        presence: &Presence,
        request: &Request,
    ) -> Result<Decision, SessionError> {
        let mut ids = self.inner.ids();
        let now_ms = self.inner.engine.now_ms();
        decide(state, presence, request, &mut Context { session: id, now_ms, ids: &mut ids })
    }

    /// Presence alone needs no folded state and no disk.
    async fn publish_presence(&self, id: &SessionId, request: &Request) -> Result<Published, Refused> {
        let attendance = self.attendance(id).await?;
        let (published, queued) = {
            let mut users = attendance.lock()?;
            let decision = self.decide(id, &State::default(), &users.presence, request)?;
            let at = users.presence.position();
            let (ends, queued) = self.queue_presence(id, &attendance, &mut users, &decision.presence)?;
            self.inner.attendances.schedule(id, &mut users, self.inner.engine.now_ms());
            (answer(&decision, (Position::default(), &[]), (at, &ends)), queued)
        };
        queued.await?;
        Ok(published)
    }

    /// A producer's request. One that is not known to be the producer's next is asked about first, so that a repeated
    /// one never reaches the state.
    async fn publish_stamped(
        &self,
        id: &SessionId,
        request: &Request,
        stamp: &ProducerStamp,
    ) -> Result<Published, Refused> {
        let slot = self.loaded(id).await?;
        let (sequence, known) = {
            let live = slot.entry().lock()?;
            (live.sequence(stamp), live.producer(stamp))
        };
        if sequence == Sequence::Next {
            return self.publish_once(id, request, Some(stamp)).await;
        }
        if let Some(tail) = self.repeated(id, stamp).await? {
            let folded = slot.entry().folded().await?;
            let now = self.decide(id, &folded.state, &Presence::default(), request).ok();
            let known = now.filter(|decision| decision.changes.is_empty() && decision.presence.is_empty());
            return Ok(duplicate(tail, known.as_ref()));
        }
        slot.entry().lock()?.forget_producer(stamp, known);
        self.publish_once(id, request, Some(stamp)).await
    }

    /// The tail, when a producer's request was accepted before. An append that cannot happen is how to ask.
    async fn repeated(&self, id: &SessionId, stamp: &ProducerStamp) -> Result<Option<Offset>, SessionError> {
        let mut append = steps::append(id.stream(), Bytes::new());
        append.producer = Some(stamp.clone());
        let nowhere = Some(Offset::new(u64::MAX));
        match self.inner.engine.transact(vec![Step::Append { append, expected_tail: nowhere }]).await {
            Ok(done) => match done.first() {
                Some(StepDone::Appended(Appended::Duplicate { next, .. })) => Ok(Some(*next)),
                _ => Ok(None),
            },
            Err(TransactionError::Step { why: StepError::TailDiffers { .. }, .. }) => Ok(None),
            Err(error) => match refusal::transaction(id, error) {
                Refused::Told(error) => Err(error),
                Refused::Moved => Ok(None),
            },
        }
    }
}

/// The steps of a decision.
struct Plan {
    steps: Vec<Step>,
    /// Where each change ends in the session's stream.
    ends: Vec<Offset>,
}

impl Plan {
    /// The session's stream first, then those of its agents.
    fn new(
        id: &SessionId,
        decision: &Decision,
        base: Position,
        stamp: Option<&ProducerStamp>,
    ) -> Result<Self, SessionError> {
        let (payload, ends) = encode_stored(decision.changes.iter().map(|planned| &planned.change));
        let agents = copies_for_agents(id, decision, &payload, &ends);
        let ends = ends.into_iter().map(|end| base.offset.advance(end as u64)).collect();
        let mut append = steps::append(id.stream(), payload);
        append.producer = stamp.cloned();
        let mut plan = Self { steps: Vec::new(), ends };
        if !decision.changes.is_empty() || stamp.is_some() {
            plan.steps.push(Step::Append { append, expected_tail: Some(base.offset) });
        }
        if agents.len() > AGENTS_PER_REQUEST_MAX {
            let rule = format!("must be about at most {AGENTS_PER_REQUEST_MAX} agents");
            return Err(SessionError::params("body", rule));
        }
        for (agent, copies) in agents {
            let path = agent.stream();
            plan.steps.push(Step::Create(steps::json_stream(path.clone())));
            let append = steps::append(path, copies.into());
            plan.steps.push(Step::Append { append, expected_tail: None });
        }
        Ok(plan)
    }
}

/// What each agent's stream gets of the changes that `payload` holds up to their `ends`.
fn copies_for_agents<'a>(
    id: &SessionId,
    decision: &'a Decision,
    payload: &[u8],
    ends: &[usize],
) -> Vec<(&'a AgentId, Vec<u8>)> {
    let mut agents: Vec<(&AgentId, Vec<u8>)> = Vec::new();
    let mut start = 0;
    for (planned, &end) in decision.changes.iter().zip(ends) {
        let stored = &payload[std::mem::replace(&mut start, end)..end];
        let Some(agent) = &planned.agent else { continue };
        let known = agents.iter().position(|(known, _)| *known == agent);
        let at = known.unwrap_or_else(|| {
            agents.push((agent, Vec::new()));
            agents.len() - 1
        });
        copy_for_agent(stored, id, &mut agents[at].1);
    }
    agents
}

/// Applies what was queued; each change ends at its place in `ends`.
fn fold(id: &SessionId, state: &mut State, decision: &Decision, ends: &[Offset]) {
    for (planned, next) in decision.changes.iter().zip(ends) {
        if let Err(ignored) = state.apply(&planned.change, *next) {
            tracing::error!(session = %id, %ignored, "a decided change does not fold");
        }
    }
}

/// What the writer is told; both streams come with their last message before the decision and the ends of the new ones.
fn answer(decision: &Decision, session: (Position, &[Offset]), companion: (Position, &[Offset])) -> Published {
    let event = |answer: &Answer| {
        let (base, ends) = if answer.channel == Channel::Presence { companion } else { session };
        let written = |index: usize| Position { offset: ends[index], seq: base.seq + index as u64 + 1 };
        let (at, duplicate) = match answer.verdict {
            Verdict::Written(index) => (written(index), false),
            Verdict::Repeated(index) => (written(index), true),
            Verdict::Duplicate(at) => (at, true),
        };
        PublishedEvent { channel: answer.channel, id: answer.key.clone(), seq: at.seq, offset: at.offset, duplicate }
    };
    let results: Vec<PublishedEvent> = decision.answers.iter().map(event).collect();
    let is_of_session = |event: &&PublishedEvent| event.channel != Channel::Presence;
    let last = |events: &mut dyn Iterator<Item = &PublishedEvent>| events.map(|event| event.offset).max();
    let stored = session.1.last().copied().or_else(|| last(&mut results.iter().filter(is_of_session)));
    let offset = stored.or_else(|| last(&mut results.iter())).unwrap_or_default();
    let duplicate = decision.changes.is_empty() && decision.presence.is_empty();
    Published { offset, txid: decision.txid.clone(), results, duplicate }
}

/// The answer to a producer's request that was accepted before; `known` is what its events come to now, when all of them
/// can be told.
fn duplicate(tail: Offset, known: Option<&Decision>) -> Published {
    match known {
        Some(decision) => answer(decision, Default::default(), Default::default()),
        None => Published { offset: tail, txid: String::new(), results: Vec::new(), duplicate: true },
    }
}

fn is_presence(input: &Input) -> bool {
    matches!(input, Input::Event(event) if event.channel() == Channel::Presence)
}

pub(super) fn is_presence_only(request: &Request) -> bool {
    request.inputs.iter().all(is_presence)
}
