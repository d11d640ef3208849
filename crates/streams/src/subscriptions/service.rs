//! The handle on subscriptions.

use std::sync::Arc;

use headwater_protocol::StreamPath;
use headwater_protocol::subscription::{
    AckRequest, ReleaseRequest, StreamSnapshot, SubscriptionConfig, SubscriptionId, WorkerName,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::draft::{Acked, Claimed};
use super::error::{AckError, ClaimError, SubscribeError, SubscriptionError};
use super::limits::{COMMANDS_MAX, SubscriptionLimits};
use super::notice::WebhookSender;
use super::subscription::{Origin, SubscriptionReport};
use super::wake_ref::WakeRef;
use super::worker::Worker;
use crate::engine::Engine;
use crate::operation::EngineError;
use crate::store::Store;

/// Subscriptions over an engine. Cloning is cheap; all clones are one service.
///
/// Every answer is durable: what it tells survives a crash. While subscriptions are being loaded after a start,
/// requests wait.
#[derive(Debug, Clone)]
pub struct SubscriptionService {
    commands: mpsc::Sender<Command>,
}

/// The answer to a creation.
#[derive(Debug, Clone)]
pub struct Subscribed {
    /// False when it existed already, as described.
    pub is_new: bool,
    /// As it stands.
    pub subscription: SubscriptionReport,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedStreams {
    /// The lease.
    pub claimed: Claimed,
    /// What there is to do.
    pub streams: Vec<StreamSnapshot>,
}

/// Which of the two types of subscription a request is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckRoute {
    /// `callback`.
    Webhook,
    /// `ack` and `release`.
    PullWake,
}

pub(super) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// What the service's task is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Create { id: SubscriptionId, config: SubscriptionConfig, origin: Origin, reply: Reply<Subscribed, SubscribeError> },
    Delete { id: SubscriptionId, reply: Reply<(), EngineError> },
    Get { id: SubscriptionId, reply: Reply<SubscriptionReport, SubscriptionError> },
    AddStreams { id: SubscriptionId, paths: Vec<StreamPath>, reply: Reply<(), SubscriptionError> },
    RemoveStream { id: SubscriptionId, path: StreamPath, reply: Reply<(), SubscriptionError> },
    Claim { id: SubscriptionId, worker: WorkerName, reply: Reply<ClaimedStreams, ClaimError> },
    Ack { id: SubscriptionId, route: AckRoute, token: WakeRef, request: AckRequest, reply: Reply<Acked, AckError> },
    Release { id: SubscriptionId, token: WakeRef, request: ReleaseRequest, reply: Reply<(), AckError> },
    LookAtTheClock { reply: Reply<(), EngineError> },
    Stop,
}

impl SubscriptionService {
    /// Starts the task that owns the subscriptions of `engine`'s store. Must be called inside a tokio runtime.
    pub fn start<S: Store>(engine: Engine<S>, sender: Arc<dyn WebhookSender>, limits: SubscriptionLimits) -> Self {
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(Worker::new(engine, sender, limits, receiver).run());
        Self { commands }
    }

    /// Creates a subscription, or makes sure that it exists as described. Streams that exist are followed from their
    /// tails.
    pub async fn create(
        &self,
        id: SubscriptionId,
        config: SubscriptionConfig,
        origin: Origin,
    ) -> Result<Subscribed, SubscribeError> {
        self.ask(|reply| Command::Create { id, config, origin, reply }).await
    }

    /// What a GET shows.
    pub async fn get(&self, id: SubscriptionId) -> Result<SubscriptionReport, SubscriptionError> {
        self.ask(|reply| Command::Get { id, reply }).await
    }

    /// Deletes it, if it exists: its wake is fenced from then on.
    pub async fn delete(&self, id: SubscriptionId) -> Result<(), EngineError> {
        self.ask(|reply| Command::Delete { id, reply }).await
    }

    /// Follows `paths` from their tails, unless they are followed already.
    pub async fn add_streams(&self, id: SubscriptionId, paths: Vec<StreamPath>) -> Result<(), SubscriptionError> {
        self.ask(|reply| Command::AddStreams { id, paths, reply }).await
    }

    /// Takes back an explicit link; a pattern that matches goes on following the stream.
    pub async fn remove_stream(&self, id: SubscriptionId, path: StreamPath) -> Result<(), SubscriptionError> {
        self.ask(|reply| Command::RemoveStream { id, path, reply }).await
    }

    /// A pull-wake worker asks for the lease.
    pub async fn claim(&self, id: SubscriptionId, worker: WorkerName) -> Result<ClaimedStreams, ClaimError> {
        self.ask(|reply| Command::Claim { id, worker, reply }).await
    }

    /// A callback or an ack.
    pub async fn ack(
        &self,
        id: SubscriptionId,
        route: AckRoute,
        token: WakeRef,
        request: AckRequest,
    ) -> Result<Acked, AckError> {
        self.ask(|reply| Command::Ack { id, route, token, request, reply }).await
    }

    /// A pull-wake worker gives the lease back.
    pub async fn release(&self, id: SubscriptionId, token: WakeRef, request: ReleaseRequest) -> Result<(), AckError> {
        self.ask(|reply| Command::Release { id, token, request, reply }).await
    }

    /// Looks at the clock now instead of when the next deadline was thought to come: after a clock was moved by hand.
    pub async fn look_at_the_clock(&self) -> Result<(), EngineError> {
        self.ask(|reply| Command::LookAtTheClock { reply }).await
    }

    /// Ends the task; deliveries under way are dropped and repeated after the next start.
    pub async fn shutdown(&self) {
        if self.commands.send(Command::Stop).await.is_ok() {
            self.commands.closed().await;
        }
    }

    async fn ask<T, E>(&self, command: impl FnOnce(Reply<T, E>) -> Command) -> Result<T, E>
    where
        E: WrapsEngineError,
    {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|refused| match refused {
            TrySendError::Full(_) => E::wrap(EngineError::Overloaded),
            TrySendError::Closed(_) => E::wrap(EngineError::Stopping),
        })?;
        answer.await.unwrap_or_else(|_| Err(E::wrap(EngineError::Stopping)))
    }
}

/// Errors that can carry what stands in the way of every request.
pub(super) trait WrapsEngineError {
    fn wrap(cause: EngineError) -> Self;
}

impl WrapsEngineError for EngineError {
    fn wrap(cause: EngineError) -> Self {
        cause
    }
}

impl WrapsEngineError for SubscribeError {
    fn wrap(cause: EngineError) -> Self {
        Self::Engine(cause)
    }
}

impl WrapsEngineError for SubscriptionError {
    fn wrap(cause: EngineError) -> Self {
        Self::Engine(cause)
    }
}

impl WrapsEngineError for ClaimError {
    fn wrap(cause: EngineError) -> Self {
        Self::Subscription(cause.into())
    }
}

impl WrapsEngineError for AckError {
    fn wrap(cause: EngineError) -> Self {
        Self::Subscription(cause.into())
    }
}
