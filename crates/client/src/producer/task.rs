//! The task of a producer: gathers, sends, and settles what it owes.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use headwater_protocol::{Epoch, ProducerId, ProducerSeq, ProducerStamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, sleep_until};

use super::Place;
use super::batch::{Cut, Message, Owed, Waiting, array};
use super::builder::Options;
use super::flight::{Batch, Flight, Next};
use crate::stream::{Appended, Post, Stream};
use crate::{Error, Offset};

type Told<T> = oneshot::Sender<Result<T, Error>>;

/// What a producer asks of its task.
#[derive(Debug)]
pub(crate) enum Command {
    Message { bytes: Bytes, place: Place, receipt: Option<Told<Appended>> },
    Flush(Told<()>),
    Close { last: Bytes, done: Told<Option<Offset>> },
}

type Attempt = BoxFuture<'static, (u64, Result<Appended, Error>)>;

pub(crate) struct Task {
    stream: Stream,
    options: Options,
    id: ProducerId,
    is_json: bool,
    waiting: Waiting,
    flight: Flight,
    attempts: FuturesUnordered<Attempt>,
    /// Messages taken in, and messages acknowledged.
    taken: u64,
    settled: u64,
    /// Who waits until how many messages are settled.
    flushes: VecDeque<(u64, Told<()>)>,
    /// What to append with the close, until it is on its way.
    last: Option<Bytes>,
    closing: Option<Told<Option<Offset>>>,
}

impl Task {
    pub(crate) fn new(stream: Stream, options: Options, id: ProducerId, epoch: Epoch, is_json: bool) -> Self {
        Self {
            waiting: Waiting::new(&options, is_json),
            flight: Flight::new(epoch, options.auto_claim, options.attempts_max),
            stream,
            options,
            id,
            is_json,
            attempts: FuturesUnordered::new(),
            taken: 0,
            settled: 0,
            flushes: VecDeque::new(),
            last: None,
            closing: None,
        }
    }

    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>, failure: Arc<OnceLock<Error>>) {
        loop {
            if let Err(error) = self.go_on() {
                return self.fail(error, &failure);
            }
            let due = self.waiting.due().filter(|_| self.has_room());
            let linger = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.take(command),
                    None => return,
                },
                Some((seq, outcome)) = self.attempts.next(), if !self.attempts.is_empty() => {
                    if let Err(error) = self.settle(seq, outcome) {
                        return self.fail(error, &failure);
                    }
                }
                () = linger => {}
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Message { bytes, place, receipt } => {
                self.taken += 1;
                self.waiting.push(Message { bytes, owed: Owed { receipt, _place: place } });
            }
            Command::Flush(done) => self.flushes.push_back((self.taken, done)),
            Command::Close { last, done } => (self.last, self.closing) = (Some(last), Some(done)),
        }
    }

    /// Does what can be done now: answers flushes, claims an epoch, sends batches.
    fn go_on(&mut self) -> Result<(), Error> {
        while self.flushes.front().is_some_and(|(until, _)| *until <= self.settled) {
            if let Some((_, done)) = self.flushes.pop_front() {
                tell(done, Ok(()));
            }
        }
        self.flight.claim()?;
        if self.flight.is_claiming() {
            return Ok(());
        }
        if let Some(seq) = self.flight.unpark() {
            self.launch(seq, Duration::ZERO)?;
        }
        while self.has_room() && (self.waiting.is_ready() || self.is_pressed()) {
            let Some(cut) = self.waiting.cut() else { break };
            self.depart(cut, false)?;
        }
        if self.waiting.is_empty()
            && self.flight.len() == 0
            && let Some(last) = self.last.take()
        {
            let body =
                if self.is_json && !last.is_empty() { array([&*last].into_iter(), last.len() + 2) } else { last };
            self.depart(Cut { body, owed: Vec::new() }, true)?;
        }
        Ok(())
    }

    /// Somebody waits for all of it: there is no point in waiting for company.
    fn is_pressed(&self) -> bool {
        !self.flushes.is_empty() || self.closing.is_some()
    }

    fn has_room(&self) -> bool {
        // Who does not know its epoch finds out with one batch, before more are in the way.
        let is_unsure = self.options.auto_claim && !self.flight.is_confirmed;
        let most = if is_unsure { 1 } else { self.options.in_flight };
        self.flight.len() < most && !self.flight.is_claiming()
    }

    fn depart(&mut self, cut: Cut, close: bool) -> Result<(), Error> {
        let seq = self.flight.push(cut, close, &self.options.retry);
        self.launch(seq, Duration::ZERO)
    }

    fn launch(&mut self, seq: u64, delay: Duration) -> Result<(), Error> {
        let Some(batch) = self.flight.get(seq) else { return Ok(()) };
        let number =
            ProducerSeq::new(seq).ok_or_else(|| Error::invalid("a producer's epoch has 2^53 batches at most"))?;
        let post = Post {
            body: batch.body.clone(),
            content_type: Some(self.stream.known_now()),
            stream_seq: None,
            producer: Some(ProducerStamp { id: self.id.clone(), epoch: self.flight.epoch, seq: number }),
            close: batch.close,
        };
        let stream = self.stream.clone();
        self.attempts.push(Box::pin(async move {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            (seq, stream.post(&post).await)
        }));
        Ok(())
    }

    fn settle(&mut self, seq: u64, outcome: Result<Appended, Error>) -> Result<(), Error> {
        match self.flight.answered(seq, outcome, self.stream.has_changing_fields()) {
            Next::GoOn => {}
            Next::Again(delay) => self.launch(seq, delay)?,
            Next::Fail(error) => return Err(error),
        }
        while let Some((batch, appended)) = self.flight.take_acknowledged() {
            self.acknowledge(batch, appended);
        }
        Ok(())
    }

    fn acknowledge(&mut self, batch: Batch, appended: Appended) {
        if batch.close
            && let Some(done) = self.closing.take()
        {
            tell(done, Ok(appended.tail.clone()));
        }
        self.settled += batch.owed.len() as u64;
        let outcome = Ok(appended);
        batch.owed.into_iter().for_each(|owed| owed.settle(&outcome));
    }

    /// Tells everybody who waits that nothing more will be sent.
    ///
    /// ORDER: the failure is known before places in the queue fall free, or a sender would take one of them.
    fn fail(&mut self, error: Error, failure: &OnceLock<Error>) {
        tracing::debug!(%error, "producer ends");
        failure.get_or_init(|| error.clone());
        let outcome = Err(error.clone());
        let on_their_way = self.flight.drain().flat_map(|batch| batch.owed);
        on_their_way.chain(self.waiting.drain()).for_each(|owed| owed.settle(&outcome));
        for (_, done) in self.flushes.drain(..) {
            tell(done, Err(error.clone()));
        }
        if let Some(done) = self.closing.take() {
            tell(done, Err(error.clone()));
        }
    }
}

fn tell<T>(done: Told<T>, outcome: Result<T, Error>) {
    if done.send(outcome).is_err() {
        tracing::trace!("nobody waits for this any more");
    }
}
