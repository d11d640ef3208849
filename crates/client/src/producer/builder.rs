//! Options of a producer.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headwater_protocol::{ContentType, Epoch, Framing, ProducerId};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::task::Task;
use super::{Producer, Room};
use crate::Error;
use crate::limits::{
    PRODUCER_BATCH_BYTES, PRODUCER_BATCH_MESSAGES, PRODUCER_COMMANDS_MAX, PRODUCER_IN_FLIGHT, PRODUCER_LINGER,
    PRODUCER_QUEUE_BYTES, PRODUCER_QUEUE_MESSAGES,
};
use crate::retry::RetrySchedule;
use crate::stream::Stream;

/// Options of a [`Producer`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ProducerBuilder {
    stream: Stream,
    id: String,
    epoch: u64,
    queue_bytes: usize,
    queue_messages: usize,
    options: Options,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) linger: Duration,
    pub(crate) batch_bytes: usize,
    pub(crate) batch_messages: usize,
    pub(crate) in_flight: usize,
    pub(crate) auto_claim: bool,
    pub(crate) retry: RetrySchedule,
    pub(crate) attempts_max: Option<u32>,
}

impl ProducerBuilder {
    pub(crate) fn new(stream: Stream, id: String) -> Self {
        let options = Options {
            linger: PRODUCER_LINGER,
            batch_bytes: PRODUCER_BATCH_BYTES,
            batch_messages: PRODUCER_BATCH_MESSAGES,
            in_flight: PRODUCER_IN_FLIGHT,
            auto_claim: false,
            retry: stream.transport().settings().retry.clone(),
            attempts_max: None,
        };
        let (queue_bytes, queue_messages) = (PRODUCER_QUEUE_BYTES, PRODUCER_QUEUE_MESSAGES);
        Self { stream, id, epoch: 0, queue_bytes, queue_messages, options }
    }

    /// The incarnation: one more than the last one's fences it off. Its sequence begins anew. Default: 0.
    pub fn epoch(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        self
    }

    /// When fenced, takes the epoch after the one that holds and goes on: for producers that know no epoch, of which the
    /// latest to start shall win. Until the first batch is acknowledged only one is on its way.
    ///
    /// A batch that may have been applied before the fence fell cannot be sent again without risk, and ends the producer
    /// with [`Error::Ambiguous`].
    pub fn auto_claim(mut self, auto_claim: bool) -> Self {
        self.options.auto_claim = auto_claim;
        self
    }

    /// How long a message waits for others to travel with. Default: 5 ms. Zero sends at once; what comes meanwhile still
    /// shares a batch.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.options.linger = linger;
        self
    }

    /// Bytes of messages in a batch; a larger message travels alone. Default: 1 MiB.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.options.batch_bytes = bytes;
        self
    }

    /// Messages in a batch. Default: 1000.
    pub fn batch_messages(mut self, messages: usize) -> Self {
        self.options.batch_messages = messages;
        self
    }

    /// Batches on their way at the same time. Default: 5.
    pub fn in_flight(mut self, batches: usize) -> Self {
        self.options.in_flight = batches;
        self
    }

    /// Bytes held until they are acknowledged; a sender waits when they are reached. Default: 16 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Messages held until they are acknowledged; a sender waits when they are reached. Default: 10 000.
    pub fn queue_messages(mut self, messages: usize) -> Self {
        self.queue_messages = messages;
        self
    }

    /// When to try again. Default: the client's schedule.
    pub fn retry(mut self, schedule: RetrySchedule) -> Self {
        self.options.retry = schedule;
        self
    }

    /// Gives up when one batch has failed so many times in a row. Default: never.
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.options.attempts_max = Some(attempts);
        self
    }

    /// Checks the options without starting anything.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an id or epoch that no server takes, and for limits of zero.
    pub fn check(&self) -> Result<(), Error> {
        self.identity()?;
        let limits = [
            ("batch_bytes", self.options.batch_bytes),
            ("batch_messages", self.options.batch_messages),
            ("in_flight", self.options.in_flight),
            ("queue_bytes", self.queue_bytes),
            ("queue_messages", self.queue_messages),
        ];
        match limits.iter().find(|(_, limit)| *limit == 0) {
            Some((name, _)) => Err(Error::invalid(format!("{name} must be more than 0"))),
            None => Ok(()),
        }
    }

    fn identity(&self) -> Result<(ProducerId, Epoch), Error> {
        let id = ProducerId::new(&self.id).map_err(|error| Error::invalid(error.to_string()))?;
        let epoch =
            Epoch::new(self.epoch).ok_or_else(|| Error::invalid(format!("epoch {} is above 2^53-1", self.epoch)))?;
        Ok((id, epoch))
    }

    /// The producer, which works in a task of the runtime this is called on. Asks for the stream's content type unless it
    /// is known.
    ///
    /// # Errors
    /// As [`check`](Self::check), and [`Error::NotFound`] when the stream is not there.
    pub async fn start(self) -> Result<Producer, Error> {
        self.check()?;
        let (id, epoch) = self.identity()?;
        let content_type = self.stream.known_content_type().await?;
        let is_json = ContentType::new(&content_type).is_ok_and(|known| known.framing() == Framing::Json);
        let bytes_max = u32::try_from(self.queue_bytes.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let room = Room {
            bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            messages: Arc::new(Semaphore::new(self.queue_messages.min(Semaphore::MAX_PERMITS))),
            bytes_max,
        };
        let failure = Arc::new(OnceLock::new());
        let (commands, received) = mpsc::channel(PRODUCER_COMMANDS_MAX);
        let task = Task::new(self.stream.with_content_type(content_type), self.options, id, epoch, is_json);
        let task = tokio::spawn(task.run(received, failure.clone()));
        Ok(Producer { commands, room, is_json, failure, _task: AbortOnDropHandle::new(task) })
    }
}
