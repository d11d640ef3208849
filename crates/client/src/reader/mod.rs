//! A reader: from an offset through all there is, then live, until the stream closes.
//!
//! It heals: lost connections, overloaded servers and buffering proxies cost time, never content. A batch is given only
//! once the position after it is known, so that a connection that is cut anywhere leaves no gap and no repetition. It
//! does nothing unless it is polled: what the consumer does not take stays in the socket.

mod driver;
mod event_stream;
mod fallback;
mod items;
mod status;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

pub use items::{JsonBatch, JsonReader, TextBatch, TextReader};
pub use status::{ReaderState, ReaderStatus};

use crate::limits::{LIVE_IDLE_TIMEOUT, MALFORMED_MAX, SSE_FIRST_EVENT_TIMEOUT};
use crate::retry::RetrySchedule;
use crate::stream::{Batch, Stream};
use crate::{Error, Offset};
use driver::Driver;

/// How a reader goes on once it has caught up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// SSE, and long-poll where SSE does not get through.
    #[default]
    Auto,
    /// SSE, come what may.
    Sse,
    /// Long-poll. Of a text stream this keeps the line breaks, which SSE turns into line feeds.
    LongPoll,
    /// Not at all: it ends at the tail.
    CatchUp,
}

/// Options of a [`Reader`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ReaderBuilder {
    stream: Stream,
    options: Options,
}

#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) from: Offset,
    pub(crate) mode: Mode,
    pub(crate) retry: RetrySchedule,
    pub(crate) attempts_max: Option<u32>,
    pub(crate) malformed_max: u32,
    pub(crate) idle_timeout: Duration,
    pub(crate) first_event_timeout: Duration,
}

impl ReaderBuilder {
    pub(crate) fn new(stream: Stream) -> Self {
        let options = Options {
            from: Offset::start(),
            mode: Mode::Auto,
            retry: stream.transport().settings().retry.clone(),
            attempts_max: None,
            malformed_max: MALFORMED_MAX,
            idle_timeout: LIVE_IDLE_TIMEOUT,
            first_event_timeout: SSE_FIRST_EVENT_TIMEOUT,
        };
        Self { stream, options }
    }

    /// Where to start. Default: the beginning.
    pub fn from(mut self, offset: impl Into<Offset>) -> Self {
        self.options.from = offset.into();
        self
    }

    /// How to go on at the tail. Default: [`Mode::Auto`].
    pub fn mode(mut self, mode: Mode) -> Self {
        self.options.mode = mode;
        self
    }

    /// When to try again. Default: the client's schedule.
    pub fn retry(mut self, schedule: RetrySchedule) -> Self {
        self.options.retry = schedule;
        self
    }

    /// Gives up after so many failures in a row. Default: never.
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.options.attempts_max = Some(attempts);
        self
    }

    /// How many answers in a row may break the protocol before the reader gives up. Default: 3.
    pub fn malformed_max(mut self, answers: u32) -> Self {
        self.options.malformed_max = answers;
        self
    }

    /// How long a live connection may be silent before it is taken for dead. Default: 75 s, longer than servers keep
    /// one.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.options.idle_timeout = timeout;
        self
    }

    /// How long an SSE connection may take to its first event before a proxy is suspected to hold it back. Default: 5 s.
    pub fn first_event_timeout(mut self, timeout: Duration) -> Self {
        self.options.first_event_timeout = timeout;
        self
    }

    /// The reader. It sends its first request when it is first polled.
    pub fn open(self) -> Reader {
        let (tell, status) = watch::channel(ReaderStatus::initial(self.options.from.clone()));
        let driver = Driver::new(self.stream, self.options, tell);
        let batches = unfold(driver, |mut driver| async move { driver.next().await.map(|batch| (batch, driver)) });
        Reader { batches: batches.fuse().boxed(), status }
    }
}

/// Batches of a stream, in order, each once. A [`futures::Stream`](futures_util::Stream) of `Result<Batch, Error>`.
///
/// It ends after the stream's end, at the tail with [`Mode::CatchUp`], or after an error that cannot heal. Dropping it
/// closes its connection; dropping the future of [`next`](Self::next) loses nothing.
///
/// ```no_run
/// # async fn example(stream: headwater_client::Stream) -> Result<(), headwater_client::Error> {
/// let mut reader = stream.reader().from("now").open();
/// while let Some(batch) = reader.next().await {
///     let batch = batch?;
///     println!("{} (go on at {})", batch.text(), batch.offset);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a reader does nothing unless it is polled"]
pub struct Reader {
    batches: BoxStream<'static, Result<Batch, Error>>,
    status: watch::Receiver<ReaderStatus>,
}

impl Reader {
    /// The next batch; `None` at the end.
    ///
    /// A batch without content brings news only: that the tail or the end has been reached.
    pub async fn next(&mut self) -> Option<Result<Batch, Error>> {
        self.batches.next().await
    }

    /// What it is doing, as it changes. The channel closes when the reader is dropped or has ended.
    pub fn status(&self) -> watch::Receiver<ReaderStatus> {
        self.status.clone()
    }

    /// Where the next batch starts.
    pub fn offset(&self) -> Offset {
        self.status.borrow().offset.clone()
    }

    /// The messages of a JSON stream, as `T`.
    pub fn json<T: DeserializeOwned>(self) -> JsonReader<T> {
        JsonReader::new(self)
    }

    /// The content as text, characters whole.
    pub fn text(self) -> TextReader {
        TextReader::new(self)
    }
}

impl futures_util::Stream for Reader {
    type Item = Result<Batch, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}
