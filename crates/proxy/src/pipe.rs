//! From an upstream's response to its stream: the bytes as they come, in batches.
//!
//! A batch is written when it is large enough or its first byte has waited long enough, by a timer. While one is being
//! written the next one fills up; when that is full, the upstream is not read, so that it slows down.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use headwater_streams::{AppendError, Engine, EngineError, Store};
use reqwest::Response;
use tokio::time::{Instant, sleep, sleep_until};

use crate::end::append;
use crate::id::GenerationId;
use crate::limits::{FLUSH_BYTES, FLUSH_INTERVAL, OVERLOAD_DELAY, PIPE_BYTES_MAX, ProxyLimits};
use crate::outcome::Outcome;
use crate::running::Generation;

/// What is left to do when a response has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piped {
    /// Write the rest, and close the stream with this.
    Ended(Outcome, Bytes),
    /// Nothing: the stream is gone.
    StreamGone,
}

/// Why a batch was not written.
enum WriteError {
    StreamGone,
    Storage(AppendError),
}

type Writing = Pin<Box<dyn Future<Output = Result<(), WriteError>> + Send>>;

struct Pipe<'a, S: Store> {
    engine: &'a Engine<S>,
    id: GenerationId,
    limits: &'a ProxyLimits,
    /// Came, and is not being written yet.
    batch: BytesMut,
    /// When the batch is due; none for an empty one.
    due: Option<Instant>,
    writing: Option<Writing>,
    received: u64,
    /// When the upstream was last heard, or not listened to.
    heard: Instant,
}

/// What happens next.
enum Event {
    Written(Result<(), WriteError>),
    Stopped(Outcome),
    Timer,
    Chunk(reqwest::Result<Option<Bytes>>),
}

/// Writes the response to its stream until it ends or is ended.
pub(crate) async fn pipe<S: Store>(
    engine: &Engine<S>,
    generation: &Generation,
    limits: &ProxyLimits,
    mut response: Response,
) -> Piped {
    let started = Instant::now();
    let id = generation.id;
    let mut pipe =
        Pipe { engine, id, limits, batch: BytesMut::new(), due: None, writing: None, received: 0, heard: started };
    let deadline = started + limits.total_timeout;
    let ended = pipe.run(generation, deadline, &mut response).await;
    // The upstream's connection is given up before the last bytes are written: nobody waits for it any more.
    drop(response);
    match ended {
        Ok(outcome) => pipe.finish(outcome).await,
        Err(error) => pipe.failed(&error),
    }
}

impl<S: Store> Pipe<'_, S> {
    async fn run(
        &mut self,
        generation: &Generation,
        deadline: Instant,
        response: &mut Response,
    ) -> Result<Outcome, WriteError> {
        let mut stopped = std::pin::pin!(generation.stopped());
        loop {
            let may_read = self.batch.len() < PIPE_BYTES_MAX;
            let wake_at = self.wake_at(deadline, may_read);
            let event = tokio::select! {
                biased;
                outcome = &mut stopped => Event::Stopped(outcome),
                written = written(&mut self.writing) => Event::Written(written),
                () = sleep_until(wake_at) => Event::Timer,
                chunk = response.chunk(), if may_read => Event::Chunk(chunk),
            };
            match event {
                Event::Stopped(outcome) => return Ok(outcome),
                Event::Written(outcome) => {
                    self.writing = None;
                    outcome?;
                    // While the store was slow the upstream was not listened to.
                    if !may_read {
                        self.heard = Instant::now();
                    }
                }
                Event::Timer if Instant::now() >= deadline => return Ok(Outcome::TimeLimit),
                Event::Timer if may_read && Instant::now() >= self.heard + self.limits.idle_timeout => {
                    return Ok(Outcome::IdleTimeout);
                }
                Event::Timer => {}
                Event::Chunk(Ok(None)) => return Ok(Outcome::Complete),
                Event::Chunk(Ok(Some(chunk))) => {
                    if let Some(outcome) = self.take(&chunk) {
                        return Ok(outcome);
                    }
                }
                Event::Chunk(Err(error)) => {
                    let cause = crate::outbound::chain(&error.without_url());
                    tracing::info!(%generation.id, cause, "an upstream's response broke off");
                    return Ok(Outcome::Cut);
                }
            }
            self.write_when_due();
        }
    }

    /// The next moment at which something may be due.
    fn wake_at(&self, deadline: Instant, may_read: bool) -> Instant {
        let idle = may_read.then(|| self.heard + self.limits.idle_timeout);
        let due = self.due.filter(|_| self.writing.is_none());
        [idle, due].into_iter().flatten().fold(deadline, Instant::min)
    }

    /// Adds a chunk to the batch; answers when it is more than a response may have.
    fn take(&mut self, chunk: &[u8]) -> Option<Outcome> {
        let now = Instant::now();
        self.heard = now;
        let room = self.limits.response_bytes_max - self.received;
        let taken = chunk.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.batch.extend_from_slice(&chunk[..taken]);
        self.received += taken as u64;
        if !self.batch.is_empty() {
            self.due.get_or_insert(now + FLUSH_INTERVAL);
        }
        (taken < chunk.len()).then_some(Outcome::TooLarge)
    }

    fn write_when_due(&mut self) {
        let is_due = self.batch.len() >= FLUSH_BYTES || self.due.is_some_and(|due| due <= Instant::now());
        if is_due && self.writing.is_none() {
            let (engine, id, batch) = (self.engine.clone(), self.id, self.batch.split().freeze());
            self.due = None;
            self.writing = Some(Box::pin(write(engine, id, batch)));
        }
    }

    /// Lets the write under way finish; what is left goes with the closure.
    async fn finish(mut self, outcome: Outcome) -> Piped {
        match written_or_none(&mut self.writing).await {
            Ok(()) => Piped::Ended(outcome, self.batch.freeze()),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &WriteError) -> Piped {
        match error {
            WriteError::StreamGone => Piped::StreamGone,
            WriteError::Storage(error) => {
                tracing::warn!(id = %self.id, %error, "a proxied response could not be stored");
                // Later bytes without those that were lost would be another response.
                Piped::Ended(Outcome::StorageFailed, Bytes::new())
            }
        }
    }
}

/// The end of the write under way; never, when there is none.
async fn written(writing: &mut Option<Writing>) -> Result<(), WriteError> {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

async fn written_or_none(writing: &mut Option<Writing>) -> Result<(), WriteError> {
    match writing {
        Some(writing) => writing.await,
        None => Ok(()),
    }
}

/// Writes one batch. A full queue is waited for: meanwhile the next batch fills up and then the upstream slows down.
async fn write<S: Store>(engine: Engine<S>, id: GenerationId, batch: Bytes) -> Result<(), WriteError> {
    loop {
        match engine.append(append(id, batch.clone(), false)).await {
            Ok(_) => return Ok(()),
            Err(AppendError::Engine(EngineError::Overloaded)) => sleep(OVERLOAD_DELAY).await,
            Err(AppendError::NotFound | AppendError::Gone) => return Err(WriteError::StreamGone),
            Err(error) => return Err(WriteError::Storage(error)),
        }
    }
}
