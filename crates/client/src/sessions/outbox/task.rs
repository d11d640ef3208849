//! The task that empties an outbox: one request at a time, again and again until it is answered.

use std::future::Future;
use std::sync::Arc;

use headwater_protocol::header::{PRODUCER_EPOCH, PRODUCER_ID, PRODUCER_SEQ};
use tokio::time::Instant;

use super::batch::Batch;
use super::{Item, Shared};
use crate::retry::{Backoff, RetrySchedule};
use crate::sessions::api::{Api, failed};
use crate::sessions::limits::REQUEST_EVENTS_MAX;
use crate::sessions::post::new_id;
use crate::sessions::publish::{Published, events_call, steps_call};
use crate::sessions::{ErrorCode, SessionError};
use crate::{Error, Offset};

/// What requests are sent with.
pub(crate) trait Courier: Send + 'static {
    /// Writes a batch. The same `seq` means the same batch.
    fn deliver(&mut self, batch: &Batch, seq: u64) -> impl Future<Output = Result<Offset, SessionError>> + Send;
    /// Begins to count anew: the server has lost count.
    fn begin_anew(&mut self);
    /// Whether headers can be asked for again after a 401.
    fn can_refresh(&self) -> bool;
}

pub(crate) struct Remote {
    api: Api,
    session: String,
    producer: String,
}

impl Remote {
    pub(crate) fn new(api: Api, session: String) -> Self {
        Self { api, session, producer: new_id() }
    }
}

impl Courier for Remote {
    async fn deliver(&mut self, batch: &Batch, seq: u64) -> Result<Offset, SessionError> {
        let call = match batch.is_steps() {
            true => steps_call(&self.api, &self.session, &()),
            false => events_call(&self.api, &self.session, &()),
        };
        let mut call = call?;
        call.body = batch.body().into();
        call.header(PRODUCER_ID, &self.producer)?;
        call.header(PRODUCER_EPOCH, "0")?;
        call.header(PRODUCER_SEQ, &seq.to_string())?;
        self.api.ask::<Published>(&call).await.map(|published| published.offset)
    }

    fn begin_anew(&mut self) {
        self.producer = new_id();
    }

    fn can_refresh(&self) -> bool {
        self.api.transport().settings().fields.can_change()
    }
}

/// What an error leads to.
enum Remedy {
    /// The same again, later.
    Wait,
    /// The same under a new producer.
    BeginAnew,
    /// Without the post at this place.
    Without(usize),
    /// In smaller pieces.
    Split,
    GiveUp,
}

pub(super) async fn run(shared: Arc<Shared>, mut courier: impl Courier, retry: RetrySchedule) {
    let mut backoff = Backoff::new(retry);
    let mut seq = 0;
    let mut events_max = REQUEST_EVENTS_MAX;
    loop {
        let batch = Batch::take(&mut shared.queue.lock(), events_max);
        let Some(mut batch) = batch else {
            shared.wake.notified().await;
            continue;
        };
        while !batch.items.is_empty() {
            let error = match courier.deliver(&batch, seq).await {
                Ok(offset) => {
                    seq += 1;
                    backoff.succeeded();
                    events_max = (events_max * 2).min(REQUEST_EVENTS_MAX);
                    shared.written(&batch, offset);
                    break;
                }
                Err(error) => error,
            };
            match remedy(&error, &batch, courier.can_refresh()) {
                Remedy::Wait => shared.wait(&mut backoff, error).await,
                Remedy::BeginAnew => {
                    courier.begin_anew();
                    seq = 0;
                    // A server that loses count again and again is not asked without end.
                    shared.wait(&mut backoff, error).await;
                }
                Remedy::Without(at) => {
                    shared.refused(&batch.items.remove(at), error);
                }
                Remedy::Split => {
                    events_max = (batch.items.len() / 2).max(1);
                    batch.give_back(&mut shared.queue.lock(), events_max);
                }
                Remedy::GiveUp => return shared.fail(error),
            }
        }
    }
}

/// A refusal is certain: the request was not written, and its number is free.
fn remedy(error: &SessionError, batch: &Batch, can_refresh: bool) -> Remedy {
    if error.is_transient() || matches!(error, SessionError::Client(Error::Malformed { .. } | Error::TooLarge { .. })) {
        return Remedy::Wait;
    }
    let SessionError::Refused(refused) = error else {
        // Something between here and the server speaks, and may stop to.
        return match error.status() {
            Some(413) if batch.items.len() > 1 => Remedy::Split,
            Some(413) => Remedy::Without(0),
            Some(401) if can_refresh => Remedy::Wait,
            Some(401) | None => Remedy::GiveUp,
            Some(_) => Remedy::Wait,
        };
    };
    match &refused.code {
        ErrorCode::Unauthorized if can_refresh => Remedy::Wait,
        ErrorCode::ProducerGap | ErrorCode::ProducerFenced => Remedy::BeginAnew,
        ErrorCode::Validation | ErrorCode::EventConflict | ErrorCode::EventTooLarge => {
            let at = refused.event().filter(|at| *at < batch.items.len());
            match at.or((batch.items.len() == 1).then_some(0)) {
                Some(at) => Remedy::Without(at),
                None => Remedy::Split,
            }
        }
        ErrorCode::InvalidParams if batch.items.len() > 1 => Remedy::Split,
        ErrorCode::Other(code) if code == "BODY_TOO_LARGE" && batch.items.len() > 1 => Remedy::Split,
        ErrorCode::InvalidParams => Remedy::Without(0),
        _ => Remedy::GiveUp,
    }
}

impl Shared {
    async fn wait(&self, backoff: &mut Backoff, error: SessionError) {
        let delay = failed(backoff, &error);
        let (attempt, next_retry) = (backoff.attempt(), Instant::now() + delay);
        tracing::debug!(%error, attempt, ?delay, "outbox tries again");
        self.status.send_modify(|status| {
            (status.attempt, status.next_retry, status.error) = (attempt, Some(next_retry), Some(error));
        });
        tokio::time::sleep_until(next_retry).await;
    }

    /// In one step with what waits, or a flush would count posts twice.
    fn written(&self, batch: &Batch, offset: Offset) {
        let posts = batch.items.len() as u64;
        self.status.send_modify(|status| {
            status.written += posts;
            status.waiting -= posts;
            status.waiting_bytes -= batch.bytes();
            (status.offset, status.attempt, status.next_retry, status.error) = (Some(offset), 0, None, None);
        });
    }

    fn refused(&self, item: &Item, error: SessionError) {
        tracing::warn!(%error, "a post was refused and is left out");
        self.status.send_modify(|status| {
            status.refused += 1;
            status.waiting -= 1;
            status.waiting_bytes -= item.text.len() as u64;
            status.error = Some(error);
        });
    }

    /// Nothing will be written any more; whoever waits is told.
    fn fail(&self, error: SessionError) {
        tracing::warn!(%error, "outbox has ended");
        self.status.send_modify(|status| {
            (status.has_failed, status.next_retry, status.error) = (true, None, Some(error));
        });
        self.bytes.close();
        self.events.close();
    }
}
