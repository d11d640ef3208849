//! An idempotent producer: every message exactly once and in order, whatever happens on the way.
//!
//! Messages are gathered into batches; each batch is a request that carries the producer's id, epoch and sequence number,
//! by which the server recognises a repetition. Several batches are on their way at the same time; the server takes them
//! in order only, so that one that overtook another is refused and sent again after it.

mod batch;
mod builder;
mod flight;
mod task;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

pub use builder::ProducerBuilder;

use crate::stream::Appended;
use crate::{Error, Offset};
use task::Command;

/// Writes messages to one stream, each exactly once and in the order of the calls.
///
/// It works in a task of its own. Dropping it ends the task **without** waiting for what is still on its way: call
/// [`flush`](Self::flush), [`detach`](Self::detach) or [`close`](Self::close) first.
///
/// ```no_run
/// # async fn example(stream: headwater_client::Stream) -> Result<(), headwater_client::Error> {
/// let producer = stream.producer("worker-1").epoch(3).start().await?;
/// for line in ["one", "two", "three"] {
///     producer.send(line).await?; // waits only while the queue is full
/// }
/// producer.flush().await?; // now they are durable
/// producer.close().await?; // and nothing will follow
/// # Ok(())
/// # }
/// ```
pub struct Producer {
    commands: mpsc::Sender<Command>,
    room: Room,
    is_json: bool,
    failure: Arc<OnceLock<Error>>,
    _task: AbortOnDropHandle<()>,
}

/// What may still be queued.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) bytes: Arc<Semaphore>,
    pub(crate) messages: Arc<Semaphore>,
    pub(crate) bytes_max: u32,
}

/// A message's share of the queue; given back when it is acknowledged.
#[derive(Debug)]
pub(crate) struct Place {
    _bytes: OwnedSemaphorePermit,
    _message: OwnedSemaphorePermit,
}

/// The fate of one message.
#[derive(Debug)]
#[must_use = "await it to learn when the message is durable"]
pub struct Receipt(oneshot::Receiver<Result<Appended, Error>>);

impl Producer {
    /// Queues a message; waits while the queue is full. In a JSON stream the message is one JSON value.
    ///
    /// Dropping the future before it is done queues nothing.
    ///
    /// # Errors
    /// [`Error::Json`] when the stream is JSON and the message is not; and whatever ended the producer earlier.
    pub async fn send(&self, message: impl Into<Bytes>) -> Result<(), Error> {
        self.queue(message.into(), None).await
    }

    /// Queues a message and gives a receipt, which says when the message is durable and where the stream ended then.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_with_receipt(&self, message: impl Into<Bytes>) -> Result<Receipt, Error> {
        let (tell, receipt) = oneshot::channel();
        self.queue(message.into(), Some(tell)).await?;
        Ok(Receipt(receipt))
    }

    /// Queues a value as one JSON message.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`Error::Json`] when the value cannot be written as JSON.
    pub async fn send_json<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), Error> {
        self.send(serde_json::to_vec(message).map_err(Error::json)?).await
    }

    /// Waits until everything queued before is durable. Takes as long as the server is away.
    ///
    /// # Errors
    /// What ended the producer, when it did: see [`Error::Fenced`], [`Error::Closed`], [`Error::NotFound`].
    pub async fn flush(&self) -> Result<(), Error> {
        let (tell, done) = oneshot::channel();
        self.command(Command::Flush(tell)).await?;
        done.await.unwrap_or_else(|_| Err(self.reason()))
    }

    /// Waits until everything is durable and closes the stream, as part of the same sequence. Gives its end.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn close(self) -> Result<Option<Offset>, Error> {
        self.end(Bytes::new()).await
    }

    /// As [`close`](Self::close), with a last message that is appended in the same atomic step.
    ///
    /// # Errors
    /// As [`flush`](Self::flush) and [`send`](Self::send).
    pub async fn close_with(self, last: impl Into<Bytes>) -> Result<Option<Offset>, Error> {
        let last = last.into();
        self.check(&last)?;
        self.end(last).await
    }

    /// Waits until everything is durable and ends the producer; the stream stays open.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn detach(self) -> Result<(), Error> {
        self.flush().await
    }

    async fn end(self, last: Bytes) -> Result<Option<Offset>, Error> {
        let (tell, done) = oneshot::channel();
        self.command(Command::Close { last, done: tell }).await?;
        done.await.unwrap_or_else(|_| Err(self.reason()))
    }

    async fn queue(
        &self,
        bytes: Bytes,
        receipt: Option<oneshot::Sender<Result<Appended, Error>>>,
    ) -> Result<(), Error> {
        self.check(&bytes)?;
        let place = self.room.take(bytes.len()).await;
        self.command(Command::Message { bytes, place, receipt }).await
    }

    fn check(&self, message: &Bytes) -> Result<(), Error> {
        if message.is_empty() {
            return Err(Error::invalid("a message needs content"));
        }
        if self.is_json {
            // One message that is no JSON would have the whole batch refused.
            serde_json::from_slice::<IgnoredAny>(message).map_err(Error::json)?;
        }
        Ok(())
    }

    async fn command(&self, command: Command) -> Result<(), Error> {
        if let Some(error) = self.failure.get() {
            return Err(error.clone());
        }
        self.commands.send(command).await.map_err(|_| self.reason())
    }

    fn reason(&self) -> Error {
        self.failure.get().cloned().unwrap_or(Error::Ended)
    }
}

impl Room {
    async fn take(&self, bytes: usize) -> Place {
        // A message larger than the queue waits until it is alone in it.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.bytes_max);
        let open = "the semaphores of a queue are never closed";
        let message = self.messages.clone().acquire_owned().await.expect(open);
        let bytes = self.bytes.clone().acquire_many_owned(bytes).await.expect(open);
        Place { _bytes: bytes, _message: message }
    }
}

impl Future for Receipt {
    type Output = Result<Appended, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(context)).unwrap_or(Err(Error::Ended)))
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("room", &self.room)
            .field("failure", &self.failure.get())
            .finish_non_exhaustive()
    }
}
