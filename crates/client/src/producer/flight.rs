//! Batches on their way, in order, and what each answer means for them.
//!
//! Pure bookkeeping: no I/O. The task launches what this says and tells it how that went.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::Epoch;

use super::batch::{Cut, Owed};
use crate::Error;
use crate::retry::{Backoff, RetrySchedule};
use crate::stream::Appended;

/// A batch that is not acknowledged yet.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) body: Bytes,
    pub(crate) owed: Vec<Owed>,
    pub(crate) close: bool,
    state: State,
    backoff: Backoff,
    /// The last attempt was made when all batches before were acknowledged.
    was_first: bool,
    /// An attempt in this epoch may have been applied without an answer.
    is_ambiguous: bool,
    has_refreshed: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// An attempt is under way, or waits for its time.
    OnItsWay,
    /// To be sent when it is the first.
    Parked,
    Acknowledged(Appended),
}

/// All batches that are not acknowledged, by sequence number without gaps.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) epoch: Epoch,
    first_seq: u64,
    batches: VecDeque<Batch>,
    /// The epoch to take once no attempt of this one is under way.
    claim: Option<Epoch>,
    /// The server has acknowledged a batch of this epoch.
    pub(crate) is_confirmed: bool,
    auto_claim: bool,
    attempts_max: Option<u32>,
}

/// What to do after an attempt.
#[derive(Debug)]
pub(crate) enum Next {
    /// Nothing but to see what is due.
    GoOn,
    /// Try the same batch again after a delay.
    Again(Duration),
    /// Nothing more can be sent.
    Fail(Error),
}

impl Flight {
    pub(crate) fn new(epoch: Epoch, auto_claim: bool, attempts_max: Option<u32>) -> Self {
        let batches = VecDeque::new();
        Self { epoch, first_seq: 0, batches, claim: None, is_confirmed: false, auto_claim, attempts_max }
    }

    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether new batches have to wait for a new epoch.
    pub(crate) fn is_claiming(&self) -> bool {
        self.claim.is_some()
    }

    /// Takes a new batch in and gives its sequence number.
    pub(crate) fn push(&mut self, cut: Cut, close: bool, schedule: &RetrySchedule) -> u64 {
        self.batches.push_back(Batch {
            body: cut.body,
            owed: cut.owed,
            close,
            state: State::OnItsWay,
            backoff: Backoff::new(schedule.clone()),
            was_first: self.batches.is_empty(),
            is_ambiguous: false,
            has_refreshed: false,
        });
        self.first_seq + self.batches.len() as u64 - 1
    }

    pub(crate) fn get(&self, seq: u64) -> Option<&Batch> {
        self.batches.get(self.index(seq)?)
    }

    fn index(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq.checked_sub(self.first_seq)?).ok()
    }

    /// The first batch, when it waits to be sent: it is on its way now.
    pub(crate) fn unpark(&mut self) -> Option<u64> {
        let first = self.batches.front_mut().filter(|first| first.state == State::Parked)?;
        (first.state, first.was_first) = (State::OnItsWay, true);
        Some(self.first_seq)
    }

    /// Batches that are acknowledged, and all before them.
    pub(crate) fn take_acknowledged(&mut self) -> Option<(Batch, Appended)> {
        let State::Acknowledged(appended) = self.batches.front()?.state.clone() else { return None };
        self.first_seq += 1;
        Some((self.batches.pop_front()?, appended))
    }

    /// All batches, for when nothing more can be sent.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Batch> {
        std::mem::take(&mut self.batches).into_iter()
    }

    /// Takes in how an attempt went.
    pub(crate) fn answered(&mut self, seq: u64, outcome: Result<Appended, Error>, can_refresh: bool) -> Next {
        let Some(index) = self.index(seq).filter(|index| *index < self.batches.len()) else { return Next::GoOn };
        let batch = &mut self.batches[index];
        match outcome {
            Ok(mut appended) => {
                // What an unanswered attempt of this very batch has written is no repetition of somebody else.
                appended.is_duplicate &= !batch.is_ambiguous;
                batch.state = State::Acknowledged(appended);
                self.is_confirmed = true;
                Next::GoOn
            }
            Err(error @ Error::Gap { .. }) if batch.was_first => Next::Fail(error),
            // It overtook one before it. By the time this is known, that one may be acknowledged.
            Err(Error::Gap { .. }) => {
                batch.state = State::Parked;
                Next::GoOn
            }
            Err(Error::Fenced { refusal, epoch }) if self.auto_claim => match Epoch::new(epoch.saturating_add(1)) {
                Some(next) if next > self.epoch => {
                    batch.state = State::Parked;
                    self.claim = self.claim.max(Some(next));
                    Next::GoOn
                }
                _ => Next::Fail(Error::Fenced { refusal, epoch }),
            },
            Err(error) => batch.failed(error, self.attempts_max, can_refresh),
        }
    }

    /// Takes the next epoch, once nothing of the last one is under way: batches are numbered anew, from 0.
    ///
    /// ORDER: an attempt of the old epoch that is still under way could be applied after its batch was sent again.
    pub(crate) fn claim(&mut self) -> Result<(), Error> {
        let Some(next) = self.claim else { return Ok(()) };
        if self.batches.iter().any(|batch| batch.state == State::OnItsWay) {
            return Ok(());
        }
        if self.batches.iter().any(|batch| batch.is_ambiguous && batch.state == State::Parked) {
            let cause = Error::invalid(format!("epoch {next} cannot be claimed while a batch's fate is unknown"));
            return Err(Error::Ambiguous { cause: cause.into() });
        }
        tracing::info!(epoch = next.get(), "producer was fenced and claims the next epoch");
        (self.epoch, self.first_seq, self.claim, self.is_confirmed) = (next, 0, None, false);
        Ok(())
    }
}

impl Batch {
    fn failed(&mut self, error: Error, attempts_max: Option<u32>, can_refresh: bool) -> Next {
        if error.status() == Some(401) && can_refresh && !self.has_refreshed {
            self.has_refreshed = true;
            return Next::Again(Duration::ZERO);
        }
        if !error.is_transient() {
            return Next::Fail(error);
        }
        self.is_ambiguous |= error.may_have_been_applied();
        let delay = self.backoff.failed(&error);
        if attempts_max.is_some_and(|most| self.backoff.attempt() >= most) {
            return Next::Fail(if self.is_ambiguous { Error::Ambiguous { cause: error.into() } } else { error });
        }
        tracing::debug!(%error, attempt = self.backoff.attempt(), ?delay, "batch is sent again");
        Next::Again(delay)
    }
}
