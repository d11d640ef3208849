//! What a reader does from one batch to the next: catch up, follow, and come back after failures.

use std::time::Duration;

use headwater_protocol::header::query;
use http::Method;
use tokio::sync::watch;
use tokio::time::Instant;

use super::event_stream::EventStream;
use super::fallback::{Fallback, Live};
use super::{Mode, Options, ReaderState, ReaderStatus};
use crate::limits::{LONG_POLL_PAUSE, SSE_SHORT};
use crate::retry::Backoff;
use crate::stream::{Batch, Stream};
use crate::transport::Call;
use crate::{Error, Offset};

#[derive(Debug)]
enum Phase {
    CatchUp,
    Live,
    Events(Box<EventStream>),
    Over,
}

pub(crate) struct Driver {
    stream: Stream,
    options: Options,
    phase: Phase,
    offset: Offset,
    cursor: Option<String>,
    /// The consumer knows that this offset is the tail.
    has_told_tail: bool,
    backoff: Backoff,
    fallback: Fallback,
    /// Broken answers since the last progress.
    malformed: u32,
    /// Headers were asked for again after a 401, and nothing has succeeded since.
    has_refreshed: bool,
    status: watch::Sender<ReaderStatus>,
}

impl Driver {
    pub(crate) fn new(stream: Stream, options: Options, status: watch::Sender<ReaderStatus>) -> Self {
        // At the tail there is nothing to catch up with, and in between something might be appended.
        let phase = if options.from.is_now() && options.mode != Mode::CatchUp { Phase::Live } else { Phase::CatchUp };
        Self {
            offset: options.from.clone(),
            backoff: Backoff::new(options.retry.clone()),
            stream,
            options,
            phase,
            cursor: None,
            has_told_tail: false,
            fallback: Fallback::default(),
            malformed: 0,
            has_refreshed: false,
            status,
        }
    }

    /// The next batch, however long it takes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Result<Batch, Error>> {
        while !matches!(self.phase, Phase::Over) {
            match self.step().await {
                Ok(Some(batch)) => {
                    if self.accept(&batch) {
                        return Some(Ok(batch));
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    if let Some(error) = self.recover(error).await {
                        return Some(Err(error));
                    }
                }
            }
        }
        None
    }

    async fn step(&mut self) -> Result<Option<Batch>, Error> {
        match &mut self.phase {
            Phase::CatchUp => self.catch_up().await.map(Some),
            Phase::Live => match self.fallback.choose(self.options.mode) {
                Live::Sse => self.open_events().await.map(|()| None),
                Live::LongPoll => self.long_poll().await.map(Some),
            },
            Phase::Events(_) => self.follow_events().await,
            Phase::Over => Ok(None),
        }
    }

    async fn catch_up(&mut self) -> Result<Batch, Error> {
        let (batch, cursor) = self.stream.page(&self.call()).await?;
        self.cursor = cursor.or(self.cursor.take());
        if batch.offset == self.offset && !(batch.up_to_date || batch.closed) {
            return Err(Error::malformed(&self.stream.url(), "a page with more to come that leads nowhere"));
        }
        if batch.up_to_date {
            self.phase = Phase::Live;
        } else {
            self.enter(ReaderState::CatchingUp);
        }
        Ok(batch)
    }

    async fn long_poll(&mut self) -> Result<Batch, Error> {
        let mut call = self.call();
        call.query(query::LIVE, query::LONG_POLL);
        call.head_timeout = Some(self.options.idle_timeout);
        self.echo_cursor(&mut call);
        self.enter_unless_failing(ReaderState::LiveLongPoll);
        let asked = Instant::now();
        let (batch, cursor) = self.stream.page(&call).await?;
        self.cursor = cursor;
        if batch.is_empty() && !batch.closed && asked.elapsed() < LONG_POLL_PAUSE {
            // It did not wait: a cache answered, or a server that cannot. Asking at once again would only heat both.
            tokio::time::sleep(LONG_POLL_PAUSE).await;
        }
        self.enter(ReaderState::LiveLongPoll);
        Ok(batch)
    }

    async fn open_events(&mut self) -> Result<(), Error> {
        let mut call = self.call();
        call.query(query::LIVE, query::SSE);
        call.head_timeout = Some(self.options.first_event_timeout);
        self.echo_cursor(&mut call);
        let can_fall_back = self.options.mode == Mode::Auto;
        let answer = match self.stream.transport().send(&call).await {
            Ok(answer) => answer,
            // A server that does not speak SSE for this stream says so; one that dislikes the offset says it again.
            Err(Error::Refused(_)) if can_fall_back => {
                self.fallback.give_up();
                return Ok(());
            }
            Err(error) => {
                if matches!(error, Error::TimedOut { .. }) {
                    self.fallback.was_silent();
                }
                return Err(error);
            }
        };
        match EventStream::open(answer, self.stream.transport().settings().page_bytes_max) {
            Some(events) => self.phase = Phase::Events(Box::new(events)),
            None if can_fall_back => self.fallback.give_up(),
            None => return Err(Error::malformed(&self.stream.url(), "an answer to live=sse that is no event stream")),
        }
        Ok(())
    }

    async fn follow_events(&mut self) -> Result<Option<Batch>, Error> {
        let Phase::Events(events) = &mut self.phase else { return Ok(None) };
        let told = match events.next(self.options.first_event_timeout, self.options.idle_timeout).await {
            Ok(Some(told)) => told,
            Ok(None) => return self.events_ended().await.map(|()| None),
            Err(error) => {
                if !events.has_told() && matches!(error, Error::TimedOut { .. }) {
                    self.fallback.was_silent();
                } else {
                    self.fallback.ended(events);
                }
                self.phase = Phase::Live;
                return Err(error);
            }
        };
        if !told.bytes.is_empty() {
            self.fallback.works();
        }
        self.cursor = told.control.stream_cursor.or(self.cursor.take());
        self.enter(ReaderState::LiveSse);
        let batch = Batch {
            bytes: told.bytes,
            offset: told.control.stream_next_offset.into(),
            up_to_date: told.control.up_to_date,
            closed: told.control.stream_closed,
            framing: self.stream.framing(),
        };
        Ok(Some(batch.normal()))
    }

    /// Servers end connections from time to time, and the reader returns at once; unless that is all they do.
    async fn events_ended(&mut self) -> Result<(), Error> {
        let Phase::Events(events) = std::mem::replace(&mut self.phase, Phase::Live) else { return Ok(()) };
        if !events.has_told() {
            self.fallback.ended(&events);
            return Err(Error::malformed(&self.stream.url(), "an event stream that ended before it began"));
        }
        if self.fallback.ended(&events) && self.options.mode == Mode::Sse {
            tokio::time::sleep(SSE_SHORT).await;
        }
        Ok(())
    }

    /// Moves on to a batch's end. Whether the consumer shall see it.
    fn accept(&mut self, batch: &Batch) -> bool {
        let is_news = !batch.is_empty() || batch.closed || (batch.up_to_date && !self.has_told_tail);
        let has_moved = batch.offset != self.offset;
        self.has_told_tail = batch.up_to_date;
        self.offset = batch.offset.clone();
        self.backoff.succeeded();
        self.has_refreshed = false;
        if has_moved {
            self.malformed = 0;
        }
        let has_ended = batch.closed || (batch.up_to_date && self.options.mode == Mode::CatchUp);
        if has_ended {
            self.phase = Phase::Over;
        }
        self.status.send_modify(|status| {
            status.offset = batch.offset.clone();
            (status.attempt, status.next_retry, status.error) = (0, None, None);
            if has_ended {
                status.state = ReaderState::Ended;
            }
        });
        is_news
    }

    /// Waits until it is time to try again; or gives the error back when that would not help.
    async fn recover(&mut self, error: Error) -> Option<Error> {
        if error.status() == Some(401) && self.stream.has_changing_fields() && !self.has_refreshed {
            self.has_refreshed = true;
            return None;
        }
        let may_heal = match &error {
            Error::Malformed { .. } => {
                self.malformed += 1;
                self.malformed < self.options.malformed_max
            }
            other => other.is_transient(),
        };
        let delay = self.backoff.failed(&error);
        let attempt = self.backoff.attempt();
        if !may_heal || self.options.attempts_max.is_some_and(|most| attempt >= most) {
            self.fail(&error);
            return Some(error);
        }
        self.wait(delay, attempt, error).await;
        None
    }

    async fn wait(&mut self, delay: Duration, attempt: u32, error: Error) {
        tracing::debug!(url = self.stream.url(), %error, attempt, ?delay, "reader comes back");
        let next_retry = Instant::now() + delay;
        self.status.send_modify(|status| {
            status.state = ReaderState::Reconnecting;
            (status.attempt, status.next_retry, status.error) = (attempt, Some(next_retry), Some(error));
        });
        tokio::time::sleep_until(next_retry).await;
    }

    fn fail(&mut self, error: &Error) {
        self.phase = Phase::Over;
        self.status.send_modify(|status| {
            status.state = ReaderState::Failed;
            (status.next_retry, status.error) = (None, Some(error.clone()));
        });
    }

    fn call(&self) -> Call {
        let mut call = self.stream.call(Method::GET);
        call.query(query::OFFSET, self.offset.as_str());
        call
    }

    fn echo_cursor(&self, call: &mut Call) {
        if let Some(cursor) = &self.cursor {
            call.query(query::CURSOR, cursor.as_str());
        }
    }

    fn enter(&self, state: ReaderState) {
        self.status.send_if_modified(|status| std::mem::replace(&mut status.state, state) != state);
    }

    /// A request that may wait long says nothing yet about whether the server is back.
    fn enter_unless_failing(&self, state: ReaderState) {
        if self.backoff.attempt() == 0 {
            self.enter(state);
        }
    }
}
