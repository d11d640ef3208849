//! An optimistic write, from the side of whoever made it, and the task that sends all of a session's in order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::api::Api;
use super::limits::{WRITE_PENDING_MAX, WRITES_MAX};
use super::post::new_id;
use super::publish::{Published, call, with_retries_until};
use super::session::Shared;
use super::{Post, SessionError};
use crate::Offset;
use crate::transport::Call;

/// A write that is shown already. A future of what becomes of it; dropping it changes nothing.
#[derive(Debug)]
#[must_use = "a write can be rolled back, and this says so"]
pub struct Txn {
    txid: Arc<str>,
    told: oneshot::Receiver<Result<Confirmed, RolledBack>>,
}

/// The write is stored, and its rows are those that everybody sees.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Confirmed {
    /// What was written.
    pub posts: Vec<Post>,
    /// Its transaction.
    pub txid: String,
    /// Where it is.
    pub offset: Offset,
}

/// The write is shown no more.
#[derive(Debug, Clone, Error)]
#[error("write was rolled back: {error}")]
#[non_exhaustive]
pub struct RolledBack {
    /// What was to be written.
    pub posts: Vec<Post>,
    /// Why it was not. After an error that says nothing about it, it may have been, and then its rows still come.
    #[source]
    pub error: SessionError,
}

impl Txn {
    /// Its changes have this in their events.
    pub fn txid(&self) -> &str {
        &self.txid
    }
}

impl Future for Txn {
    type Output = Result<Confirmed, RolledBack>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let told = std::task::ready!(Pin::new(&mut self.told).poll(context));
        // The task that tells ends only with its runtime.
        Poll::Ready(told.unwrap_or(Err(RolledBack { posts: Vec::new(), error: SessionError::Ended })))
    }
}

/// A write on its way to the task.
#[derive(Debug)]
pub(crate) struct Queued {
    txid: Arc<str>,
    call: Call,
    begun: Instant,
}

/// Takes writes, which are sent in this order.
#[derive(Debug)]
pub(crate) struct Writer {
    api: Api,
    session: String,
    queue: mpsc::Sender<Queued>,
}

impl Writer {
    /// Starts the task. It ends after the last write once the writer is dropped.
    pub(crate) fn start(api: Api, session: &str, shared: Arc<Shared>) -> Self {
        let (queue, queued) = mpsc::channel(WRITES_MAX);
        let sender = api.clone();
        tokio::spawn(send_all(queued, shared, move |call| {
            let api = sender.clone();
            async move { api.ask::<Published>(&call).await.map(|published| published.offset) }
        }));
        Self { api, session: session.to_owned(), queue }
    }

    /// Shows posts and sends them.
    pub(crate) fn write(&self, shared: &Shared, posts: Vec<Post>) -> Result<Txn, SessionError> {
        let txid: Arc<str> = new_id().into();
        let call = call(&self.api, &self.session, &posts, Some(&txid))?;
        let busy = SessionError::Busy { limit: WRITES_MAX };
        if shared.writes.len() >= WRITES_MAX {
            return Err(busy);
        }
        let place = self.queue.try_reserve().map_err(|_| busy)?;
        let told = shared.writes.begin(&shared.fold, &txid, posts);
        place.send(Queued { txid: txid.clone(), call, begun: Instant::now() });
        Ok(Txn { txid, told })
    }
}

/// Sends writes one after the other, so that they are stored in the order in which they were made.
async fn send_all<A>(mut queued: mpsc::Receiver<Queued>, shared: Arc<Shared>, send: impl Fn(Call) -> A)
where
    A: Future<Output = Result<Offset, SessionError>>,
{
    while let Some(Queued { txid, call, begun }) = queued.recv().await {
        match with_retries_until(begun, WRITE_PENDING_MAX, || send(call.clone())).await {
            Ok(offset) => shared.writes.acknowledge(&shared.fold, &txid, offset),
            Err(error) => shared.writes.roll_back(&shared.fold, &txid, error),
        }
    }
}

#[cfg(test)]
mod tests;
