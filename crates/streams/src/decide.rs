//! The rules of an append: from a stream's head and a request to a verdict. Pure; no clock, no I/O.
//!
//! The order of the checks is the protocol's (sections 5.2 and 5.2.1): a fenced producer first, then closure, type,
//! the producer's sequence, and the writer's own sequence last, so that a retry is recognised before anything that
//! could refuse it.

use std::cmp::Ordering;

use headwater_protocol::{Epoch, Offset, ProducerSeq, ProducerStamp};

use crate::change::AppendDelta;
use crate::head::{Closure, Head, ProducerState};
use crate::operation::{Append, AppendError};

/// What to do with an append.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Apply this and answer with the new tail.
    Accept(AppendDelta),
    /// Done already; nothing changes.
    Duplicate(Option<(Epoch, ProducerSeq)>),
}

/// How many producers a stream may remember.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProducerRoom {
    /// The limit.
    pub(crate) max: usize,
    /// Producers it remembers besides those in the head that is decided on.
    pub(crate) others: usize,
}

/// Decides `append` on `head`, which exists and has not expired.
pub(crate) fn decide_append(
    head: &Head,
    append: &Append,
    now_ms: u64,
    room: ProducerRoom,
) -> Result<Verdict, AppendError> {
    if head.soft_deleted {
        return Err(AppendError::Gone);
    }
    let known = append.producer.as_ref().and_then(|stamp| head.producers.get(&stamp.id));
    if let (Some(stamp), Some(known)) = (&append.producer, known)
        && stamp.epoch < known.epoch
    {
        return Err(AppendError::Fenced { current: known.epoch });
    }
    if let Closure::Closed { by } = &head.closure {
        return decide_on_closed(head.tail, by.as_ref(), append);
    }
    let same_type = append.content_type.as_ref().is_some_and(|sent| *sent == head.content_type);
    if !append.payload.is_empty() && !same_type {
        return Err(AppendError::ContentTypeDiffers(head.content_type.clone()));
    }
    if let Some(stamp) = &append.producer {
        if known.is_none() && head.producers.len() + room.others >= room.max {
            return Err(AppendError::TooManyProducers(room.max));
        }
        if let Some(highest) = check_sequence(stamp, known.copied())? {
            return Ok(Verdict::Duplicate(Some(highest)));
        }
    }
    let stale = matches!((&append.stream_seq, &head.stream_seq), (Some(sent), Some(last)) if sent <= last);
    if stale {
        return Err(AppendError::StreamSeqNotIncreasing);
    }
    Ok(Verdict::Accept(AppendDelta {
        start: head.tail,
        payload: append.payload.clone(),
        producers: append.producer.iter().cloned().collect(),
        stream_seq: append.stream_seq.clone(),
        closure: append.close.then(|| Closure::Closed { by: append.producer.clone() }),
        trim_to: None,
        accessed_at_ms: now_ms,
    }))
}

/// The highest accepted request of the producer, when the one with this stamp was accepted before; also on a stream that
/// has been closed since.
pub(crate) fn accepted_before(head: &Head, stamp: &ProducerStamp) -> Option<(Epoch, ProducerSeq)> {
    let known = head.producers.get(&stamp.id)?;
    (stamp.epoch == known.epoch && stamp.seq <= known.seq).then_some((known.epoch, known.seq))
}

/// A closed stream takes nothing; it only recognises the request that closed it, and a bare close.
fn decide_on_closed(tail: Offset, by: Option<&ProducerStamp>, append: &Append) -> Result<Verdict, AppendError> {
    match &append.producer {
        Some(stamp) if by == Some(stamp) => Ok(Verdict::Duplicate(Some((stamp.epoch, stamp.seq)))),
        None if append.close && append.payload.is_empty() => Ok(Verdict::Duplicate(None)),
        _ => Err(AppendError::Closed { tail }),
    }
}

/// `Some(highest accepted)` when the request is a duplicate, `None` when it is the next one.
fn check_sequence(
    stamp: &ProducerStamp,
    known: Option<ProducerState>,
) -> Result<Option<(Epoch, ProducerSeq)>, AppendError> {
    let gap = |expected| AppendError::Gap { expected, received: stamp.seq };
    let Some(known) = known else {
        return if stamp.seq == ProducerSeq::ZERO { Ok(None) } else { Err(gap(ProducerSeq::ZERO)) };
    };
    match stamp.epoch.cmp(&known.epoch) {
        Ordering::Less => Err(AppendError::Fenced { current: known.epoch }),
        Ordering::Greater if stamp.seq == ProducerSeq::ZERO => Ok(None),
        Ordering::Greater => Err(AppendError::EpochStart),
        Ordering::Equal if stamp.seq <= known.seq => Ok(Some((known.epoch, known.seq))),
        Ordering::Equal => {
            let next = ProducerSeq::new(known.seq.get() + 1);
            match next {
                Some(next) if next == stamp.seq => Ok(None),
                // No sequence number follows 2^53 − 1, so none can be sent past it either.
                next => Err(gap(next.unwrap_or(known.seq))),
            }
        }
    }
}

#[cfg(test)]
mod tests;
