//! The one task that owns every subscription.
//!
//! It takes what has come in (requests, changed streams, ended notices, deadlines) in rounds. A round decides all of it
//! on drafts, makes all changes durable together, applies them, and only then answers and sends. Nobody else changes a
//! subscription, so nothing is locked.

mod drafts;
mod lifecycle;
mod load;
mod round;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use foldhash::fast::RandomState;
use headwater_protocol::StreamPath;
use headwater_protocol::subscription::{Generation, SubscriptionId};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{Id as TaskId, JoinError, JoinSet};

use super::deadlines::Deadlines;
use super::documents::Write;
use super::index::Index;
use super::limits::*;
use super::notice::{NoticeOutcome, WebhookSender};
use super::service::Command;
use super::subscription::Subscription;
use crate::activity::StreamActivity;
use crate::engine::Engine;
use crate::operation::EngineError;
use crate::store::{Store, StoreError};

pub(super) struct Worker<S: Store> {
    engine: Engine<S>,
    sender: Arc<dyn WebhookSender>,
    limits: SubscriptionLimits,
    commands: mpsc::Receiver<Command>,
    subscriptions: Subscriptions,
    tombstones: Tombstones,
    index: Index,
    deadlines: Deadlines,
    notices: JoinSet<NoticeOutcome>,
    under_way: HashMap<TaskId, Attempt>,
    permits: Arc<Semaphore>,
    attempts: u64,
    random: StdRng,
    is_watching: bool,
    /// The last write failed: `carried` is tried again after a while, or with the next request.
    is_behind: bool,
    carried: News,
}

pub(super) type Subscriptions = HashMap<SubscriptionId, Subscription, RandomState>;

/// A notice under way.
#[derive(Debug, Clone)]
struct Attempt {
    subscription: SubscriptionId,
    number: u64,
}

/// What became of one.
#[derive(Debug)]
struct EndedAttempt {
    attempt: Attempt,
    outcome: NoticeOutcome,
}

/// What has come in since the last round.
#[derive(Debug, Default)]
struct News {
    /// Several changes of one stream are one entry.
    activity: HashMap<StreamPath, StreamActivity, RandomState>,
    ended: Vec<EndedAttempt>,
    commands: Vec<Command>,
    /// Asked for after `commands`, and done alone.
    lifecycle: Option<Command>,
}

/// The generations of deleted subscriptions.
#[derive(Debug, Default)]
struct Tombstones {
    generations: HashMap<SubscriptionId, Generation, RandomState>,
    oldest_first: VecDeque<SubscriptionId>,
}

impl<S: Store> Worker<S> {
    pub(super) fn new(
        engine: Engine<S>,
        sender: Arc<dyn WebhookSender>,
        limits: SubscriptionLimits,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            engine,
            sender,
            commands,
            subscriptions: Subscriptions::default(),
            tombstones: Tombstones::default(),
            index: Index::default(),
            deadlines: Deadlines::default(),
            notices: JoinSet::new(),
            under_way: HashMap::new(),
            permits: Arc::new(Semaphore::new(limits.notices_in_flight_max)),
            attempts: 0,
            random: StdRng::from_os_rng(),
            is_watching: false,
            is_behind: false,
            carried: News::default(),
            limits,
        }
    }

    pub(super) async fn run(mut self) {
        while let Err(cause) = self.load().await {
            tracing::error!(%cause, "the subscriptions cannot be loaded");
            if is_final(&cause) {
                return;
            }
            tokio::time::sleep(WRITE_RETRY_DELAY).await;
        }
        while let Some(mut news) = self.news().await {
            let lifecycle = news.lifecycle.take();
            let written = self.round(&mut news).await;
            self.is_behind = written.is_err();
            if let Err(cause) = written {
                tracing::warn!(%cause, "a change of subscriptions cannot be written");
                if is_final(&cause) {
                    return;
                }
                self.carried = news;
            }
            match lifecycle {
                Some(Command::Stop) => return,
                Some(command) => self.perform(command).await,
                None => {}
            }
        }
    }

    /// Waits for something to do and takes in whatever else is there; `None` once nobody can ask any more.
    async fn news(&mut self) -> Option<News> {
        let mut news = std::mem::take(&mut self.carried);
        let wait = if self.is_behind { WRITE_RETRY_DELAY } else { self.until_deadline() };
        tokio::select! {
            command = self.commands.recv() => news.take(command?),
            activity = self.engine.activity() => news.note(activity),
            Some(ended) = self.notices.join_next_with_id() => news.ended.extend(self.ended(ended)),
            () = tokio::time::sleep(wait) => {}
        }
        while !news.is_full() {
            let Ok(command) = self.commands.try_recv() else { break };
            news.take(command);
        }
        while let Some(ended) = self.notices.try_join_next_with_id() {
            news.ended.extend(self.ended(ended));
        }
        // ORDER: activity after commands, so that a request sees every append that was answered before it was made.
        let so_far = pin!(self.engine.activity());
        if let Poll::Ready(activity) = so_far.poll(&mut Context::from_waker(Waker::noop())) {
            news.note(activity);
        }
        Some(news)
    }

    fn until_deadline(&self) -> Duration {
        let wait_ms = self.deadlines.next_ms().map(|at_ms| at_ms.saturating_sub(self.engine.now_ms()));
        wait_ms.map_or(CLOCK_LOOK_INTERVAL, |ms| Duration::from_millis(ms).min(CLOCK_LOOK_INTERVAL))
    }

    fn ended(&mut self, ended: Result<(TaskId, NoticeOutcome), JoinError>) -> Option<EndedAttempt> {
        let (task, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a notice broke down");
                (error.id(), NoticeOutcome::Failed)
            }
        };
        self.under_way.remove(&task).map(|attempt| EndedAttempt { attempt, outcome })
    }

    /// Makes documents durable, a bounded number at a time and in order.
    async fn write(&self, documents: Vec<Write>) -> Result<(), EngineError> {
        let mut documents = documents.into_iter().peekable();
        while documents.peek().is_some() {
            let step = documents.by_ref().take(DOCUMENTS_PER_WRITE_MAX).collect();
            self.engine.write_documents(step).await?;
        }
        Ok(())
    }
}

impl News {
    fn take(&mut self, command: Command) {
        match command {
            Command::Create { .. } | Command::Delete { .. } | Command::LookAtTheClock { .. } | Command::Stop => {
                self.lifecycle = Some(command);
            }
            _ => self.commands.push(command),
        }
    }

    /// Takes in what streams did, in the order in which it happened.
    fn note(&mut self, activity: Vec<StreamActivity>) {
        for next in activity {
            match self.activity.entry(next.path.clone()) {
                Entry::Vacant(vacant) => drop(vacant.insert(next)),
                Entry::Occupied(mut known) if next.created || next.removed => drop(known.insert(next)),
                Entry::Occupied(mut known) => known.get_mut().tail = next.tail,
            }
        }
    }

    fn is_full(&self) -> bool {
        self.lifecycle.is_some() || self.commands.len() >= ROUND_COMMANDS_MAX
    }
}

impl Tombstones {
    /// Remembers one; answers the one that is forgotten for it.
    fn bury(&mut self, id: SubscriptionId, generation: Generation) -> Option<SubscriptionId> {
        if self.generations.insert(id.clone(), generation).is_none() {
            self.oldest_first.push_back(id);
        }
        if self.generations.len() <= TOMBSTONES_MAX {
            return None;
        }
        let oldest = self.oldest_first.pop_front()?;
        self.generations.remove(&oldest);
        Some(oldest)
    }

    /// The id is used again.
    fn raise(&mut self, id: &SubscriptionId) -> Option<Generation> {
        self.oldest_first.retain(|buried| buried != id);
        self.generations.remove(id)
    }

    fn generation(&self, id: &SubscriptionId) -> Option<Generation> {
        self.generations.get(id).copied()
    }
}

/// Whether no later attempt can succeed.
fn is_final(error: &EngineError) -> bool {
    matches!(error, EngineError::Stopping | EngineError::Store(StoreError::Poisoned { .. } | StoreError::Closed))
}
