//! The engine's handle: what the server, the sessions and the tests call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crossbeam_channel::{Sender, TrySendError, bounded};
use headwater_protocol::{Offset, ReadFrom, StreamPath};
use tokio::sync::{oneshot, watch};

use crate::activity::{ActivityLog, ChangeWatch, StreamActivity};
use crate::clock::Clock;
use crate::committer::Committer;
use crate::follower::{Follower, Place};
use crate::head::StreamId;
use crate::limits::{EngineLimits, STOP_TIMEOUT};
use crate::live::{Live, Presence, Published};
use crate::mailbox::Round;
use crate::observer::Observer;
use crate::operation::{
    Append, AppendError, Appended, Create, CreateError, Created, DeleteError, EngineError, ForkPoint, Metadata,
    ReadError, TrimError,
};
use crate::page::Page;
use crate::reaper;
use crate::registry::Registry;
use crate::source::Source;
use crate::step::{self, Step, StepDone, TransactionError};
use crate::store::{Listed, Store, StoreStats};
use crate::submission::{Submission, expect_answer};

/// The engine over a store. Cloning is cheap; all clones are one engine, which ends with [`Engine::shutdown`] or with
/// the last clone.
pub struct Engine<S: Store> {
    pub(crate) inner: Arc<Inner<S>>,
    /// Dropped with the last clone.
    stop: Arc<StopOnDrop>,
}

/// Tells the committer to end when nobody is left who could.
struct StopOnDrop(Sender<Submission>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if self.0.send_timeout(Submission::Stop(oneshot::channel().0), STOP_TIMEOUT).is_err() {
            tracing::debug!("the committer had ended already");
        }
    }
}

pub(crate) struct Inner<S: Store> {
    pub(crate) store: Arc<S>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: EngineLimits,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) registry: Registry,
    pub(crate) activity: ActivityLog,
    pub(crate) queued_bytes: AtomicUsize,
    pub(crate) live_readers: AtomicUsize,
    /// Unix milliseconds.
    pub(crate) started_at_ms: u64,
    /// Odd while a commit is under way that has not been published.
    pub(crate) commits: watch::Sender<u64>,
    pub(crate) poisoned: AtomicBool,
    stopping: AtomicBool,
    followers: AtomicU64,
    queue: Sender<Submission>,
}

impl<S: Store> Engine<S> {
    /// Starts the committer on a thread of its own and the reaper on the current runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime, or when the system cannot start a thread.
    pub fn start(store: S, clock: Arc<dyn Clock>, limits: EngineLimits, observer: Arc<dyn Observer>) -> Self {
        let (queue, submissions) = bounded(limits.queue_operations_max);
        let inner = Arc::new(Inner {
            store: Arc::new(store),
            started_at_ms: clock.now_ms(),
            clock,
            limits,
            observer,
            registry: Registry::new(),
            activity: ActivityLog::default(),
            queued_bytes: AtomicUsize::new(0),
            live_readers: AtomicUsize::new(0),
            commits: watch::Sender::new(0),
            poisoned: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            followers: AtomicU64::new(0),
            queue: queue.clone(),
        });
        let committer = Committer::new(inner.clone(), submissions);
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || runtime.block_on(committer.run()))
            .expect("the system can start one thread");
        tokio::spawn(reaper::run(Arc::downgrade(&inner)));
        Self { inner, stop: Arc::new(StopOnDrop(queue)) }
    }

    /// Creates a stream, or makes sure that it exists as described.
    pub async fn create(&self, create: Create) -> Result<Created, CreateError> {
        let fork_at = match &create.fork {
            Some(fork) if !self.exists(&create.path).await? => Some(self.resolve_fork(fork).await?),
            _ => None,
        };
        let (reply, answer) = expect_answer();
        self.submit(Submission::Create { create, fork_at, reply })?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Appends, closes, or both. The answer comes once what it tells is durable.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (reply, answer) = expect_answer();
        self.submit(Submission::Append(append, reply))?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Deletes a stream; while it has forks, their data is kept and its path stays taken.
    pub async fn delete(&self, path: &StreamPath) -> Result<(), DeleteError> {
        let (reply, answer) = expect_answer();
        self.submit(Submission::Delete(path.clone(), reply))?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Gives up the bytes before `to`; answers the earliest position that can still be read.
    pub async fn trim(&self, path: &StreamPath, to: Offset) -> Result<Offset, TrimError> {
        let live = self.active(path).await?.ok_or(TrimError::NotFound)?;
        let seen = live.readable(self.now_ms()).map_err(trim_error)?;
        let between = to > seen.tail || to <= seen.earliest || self.lies_between(live.clone(), to).await?;
        if !between {
            return Err(TrimError::InsideMessage);
        }
        let (reply, answer) = expect_answer();
        self.submit(Submission::Trim(path.clone(), live.id, to, reply))?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    async fn lies_between(&self, live: Arc<Live>, to: Offset) -> Result<bool, TrimError> {
        self.source(live).is_boundary(to).await.map_err(trim_error)
    }

    /// What a stream is now. Does not count as an access.
    pub async fn metadata(&self, path: &StreamPath) -> Result<Metadata, ReadError> {
        let live = self.active(path).await?.ok_or(ReadError::NotFound)?;
        let seen = live.readable(self.now_ms())?;
        Ok(Metadata {
            path: live.path.clone(),
            id: live.id,
            created_at_ms: live.created_at_ms,
            content_type: live.content_type.clone(),
            earliest: seen.earliest,
            tail: seen.tail,
            closed: seen.closed,
            lifetime: live.lifetime,
        })
    }

    /// One bounded page from a position. Counts as an access.
    pub async fn page(&self, path: &StreamPath, from: ReadFrom) -> Result<Page, ReadError> {
        let live = self.active(path).await?.ok_or(ReadError::NotFound)?;
        let seen = self.access(&live)?;
        let source = self.source(live);
        let start = source.resolve(&seen, from).await?;
        Page::open(source, seen, start, self.inner.limits.page_bytes_max).await
    }

    /// A live reader from a position. Counts as an access; the stream does not expire by idleness while it lives.
    pub async fn follow(&self, path: &StreamPath, from: ReadFrom) -> Result<Follower<S>, ReadError> {
        let live = loop {
            if let Some(live) = self.inner.registry.get_as_reader(path, self.now_ms())? {
                break live;
            }
            self.active(path).await?.ok_or(ReadError::NotFound)?;
        };
        let place = Place::take(self.inner.clone(), live.clone())?;
        let seen = self.access(&live)?;
        let source = self.source(live);
        let position = source.resolve(&seen, from).await?;
        let number = self.inner.followers.fetch_add(1, Ordering::Relaxed);
        Ok(Follower::new(place, source, position, number))
    }

    /// Streams whose path starts with `prefix`, after `after`, in path order.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&StreamPath>,
        limit: usize,
    ) -> Result<Vec<Listed>, EngineError> {
        Ok(self.inner.store.list(prefix, after, limit).await?)
    }

    /// Does several steps as one: all of them or, when one is refused, none. They are decided in order, each on what the
    /// ones before it leave, and become durable and visible together.
    pub async fn transact(&self, steps: Vec<Step>) -> Result<Vec<StepDone>, TransactionError> {
        self.queue_transaction(steps)?.await
    }

    /// [`Engine::transact`] for callers that have more to ask before this is answered: the transaction is queued when
    /// this returns, behind all that was queued before, and happens whether or not its answer is waited for.
    pub fn queue_transaction(
        &self,
        steps: Vec<Step>,
    ) -> Result<impl Future<Output = Result<Vec<StepDone>, TransactionError>> + Send + use<S>, TransactionError> {
        step::check(&steps)?;
        let (reply, answer) = expect_answer();
        self.submit(Submission::Transact(steps, reply))?;
        Ok(async move { answer.await.map_err(|_| EngineError::Stopping)? })
    }

    /// From now on, notes which streams change for [`Engine::activity`].
    pub fn watch_activity(&self) {
        self.inner.activity.watch();
    }

    /// Waits until some stream has changed since the last call and answers all that have. For one caller at a time.
    pub async fn activity(&self) -> Vec<StreamActivity> {
        self.inner.activity.take().await
    }

    /// Gathers the names of streams that change and that `selects` chooses, at most `names_max` between two looks. What was
    /// submitted before may go unseen; it is durable when a later write is answered. For any number of callers.
    pub fn watch_changes(&self, selects: fn(&StreamPath) -> bool, names_max: usize) -> ChangeWatch {
        self.inner.activity.watch_names(selects, names_max)
    }

    /// The engine's clock, in Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// Live readers at this moment.
    pub fn live_readers(&self) -> usize {
        self.inner.live_readers.load(Ordering::Relaxed)
    }

    /// The store's figures.
    pub fn store_stats(&self) -> StoreStats {
        self.inner.store.stats()
    }

    /// False once the store takes no more changes or the engine is stopping.
    pub fn is_ready(&self) -> bool {
        let inner = &self.inner;
        let failed = inner.poisoned.load(Ordering::SeqCst) || inner.store.stats().poisoned;
        !failed && !inner.stopping.load(Ordering::SeqCst)
    }

    /// Ends live readers, finishes what is queued, and closes the store.
    pub async fn shutdown(&self) -> Result<(), EngineError> {
        self.inner.stopping.store(true, Ordering::SeqCst);
        let mut round = Round::default();
        self.inner.registry.for_each(|live| live.end(&mut round, Presence::Stopping));
        drop(round);
        let (reply, answer) = oneshot::channel();
        let queue = self.inner.queue.clone();
        // The queue may be full of requests that are still to be answered: wait for a place off the runtime.
        let sent = tokio::task::spawn_blocking(move || queue.send(Submission::Stop(reply)).is_ok()).await;
        if !sent.unwrap_or(false) {
            return Err(EngineError::Stopping);
        }
        answer.await.map_err(|_| EngineError::Stopping)?.map_err(EngineError::Store)
    }

    async fn exists(&self, path: &StreamPath) -> Result<bool, EngineError> {
        let now_ms = self.now_ms();
        Ok(self.active(path).await?.is_some_and(|live| {
            let presence = live.published().presence;
            presence == Presence::SoftDeleted || (presence != Presence::Removed && !live.is_expired(now_ms))
        }))
    }

    /// Finds the position a fork branches off at, by reading the source where that needs its bytes.
    async fn resolve_fork(&self, fork: &ForkPoint) -> Result<(StreamId, Offset), CreateError> {
        let live = self.active(&fork.source).await?.ok_or(CreateError::SourceNotFound)?;
        let seen = live.readable(self.now_ms()).map_err(|cause| source_error(cause, Offset::START))?;
        let id = live.id;
        let source = self.source(live);
        let at = fork.offset.unwrap_or(seen.tail);
        if at > seen.tail || at < seen.earliest {
            return Err(CreateError::ForkOffset { tail: seen.tail });
        }
        if !source.is_boundary(at).await.map_err(|cause| source_error(cause, seen.tail))? {
            return Err(CreateError::ForkOffsetInsideMessage);
        }
        let resolved = source.skip(at, seen.tail, fork.sub_offset).await;
        let resolved = resolved.map_err(|cause| source_error(cause, seen.tail))?;
        Ok((id, resolved.ok_or(CreateError::ForkSubOffset)?))
    }

    fn access(&self, live: &Arc<Live>) -> Result<Published, ReadError> {
        let now_ms = self.now_ms();
        let seen = live.readable(now_ms)?;
        live.touch(now_ms);
        if live.should_record_access(now_ms) {
            // An access that finds the queue full is recorded by the reaper instead.
            if let Err(refused) = self.submit(Submission::Touch(live.path.clone())) {
                tracing::debug!(path = %live.path, %refused, "an access was not recorded");
            }
        }
        Ok(seen)
    }

    /// The stream in memory, brought there if need be.
    async fn active(&self, path: &StreamPath) -> Result<Option<Arc<Live>>, EngineError> {
        if let Some(live) = self.inner.registry.get(path) {
            return Ok(Some(live));
        }
        let (reply, answer) = expect_answer();
        self.submit(Submission::Activate(path.clone(), reply))?;
        Ok(answer.await.map_err(|_| EngineError::Stopping)??)
    }

    fn source(&self, live: Arc<Live>) -> Source {
        Source { live, store: self.inner.store.clone(), commits: self.inner.commits.subscribe() }
    }

    fn submit(&self, submission: Submission) -> Result<(), EngineError> {
        self.inner.submit(submission)
    }
}

impl<S: Store> Inner<S> {
    /// Queues a request for the committer, or refuses it when too many or too large ones wait already.
    pub(crate) fn submit(&self, submission: Submission) -> Result<(), EngineError> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err(EngineError::Stopping);
        }
        let bytes = submission.payload_bytes();
        let queued = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let refused = if queued.saturating_add(bytes) > self.limits.queue_bytes_max {
            Some(EngineError::Overloaded)
        } else {
            match self.queue.try_send(submission) {
                Ok(()) => None,
                Err(TrySendError::Full(_)) => Some(EngineError::Overloaded),
                Err(TrySendError::Disconnected(_)) => Some(EngineError::Stopping),
            }
        };
        match refused {
            None => Ok(()),
            Some(refusal) => {
                self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
                Err(refusal)
            }
        }
    }
}

fn trim_error(cause: ReadError) -> TrimError {
    match cause {
        ReadError::Gone => TrimError::Gone,
        ReadError::Engine(cause) => TrimError::Engine(cause),
        _ => TrimError::NotFound,
    }
}

fn source_error(cause: ReadError, tail: Offset) -> CreateError {
    match cause {
        ReadError::NotFound => CreateError::SourceNotFound,
        ReadError::Gone => CreateError::SourceDeleted,
        ReadError::Trimmed { .. } | ReadError::NotAnOffset => CreateError::ForkOffset { tail },
        ReadError::TooManyReaders => CreateError::Engine(EngineError::Overloaded),
        ReadError::Engine(cause) => CreateError::Engine(cause),
    }
}

impl<S: Store> Clone for Engine<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), stop: self.stop.clone() }
    }
}

impl<S: Store> fmt::Debug for Engine<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("live_readers", &self.live_readers()).finish_non_exhaustive()
    }
}
