//! An engine set up for one test: a clock that stands still, a store that fails on command, and short words for what
//! tests do all the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use headwater_protocol::{
    ContentType, Lifetime, Offset, ProducerId, ProducerStamp, ReadFrom, StreamPath, StreamSeq, json,
};
use headwater_streams::limits::EngineLimits;
use headwater_streams::{
    Append, AppendError, Appended, Batch, Create, CreateError, Created, Durability, Engine, Follower, ForkPoint,
    ManualClock, Observer, Page, ReadError,
};

use crate::faulty_store::{Faults, FaultyStore};
use crate::reopen::Reopen;

/// The reaper sleeps that long, so it acts only in [`Stage::tick`].
const REAP_INTERVAL: Duration = Duration::from_secs(3600);
/// What a wait may take before the test fails. Nothing waits that long.
const PATIENCE: Duration = Duration::from_secs(60);
/// When every test begins, in Unix milliseconds.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

/// One engine, everything around it, and the way to start it again.
pub struct Stage<R: Reopen> {
    /// The engine under test.
    pub engine: Engine<FaultyStore<R::Store>>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// What its store does wrong.
    pub faults: Arc<Faults>,
    /// What its observer has counted.
    pub counts: Arc<Counts>,
    limits: EngineLimits,
    factory: R,
}

impl<R: Reopen> fmt::Debug for Stage<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// An observer that counts.
#[derive(Debug, Default)]
pub struct Counts {
    commits: AtomicUsize,
    reaped: AtomicUsize,
}

impl Counts {
    /// Commits so far.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    /// Streams reaped so far.
    pub fn reaped(&self) -> usize {
        self.reaped.load(Ordering::SeqCst)
    }
}

impl Observer for Counts {
    fn committed(&self, _: usize, _: u64, _: u64, _: Duration) {
        self.commits.fetch_add(1, Ordering::SeqCst);
    }

    fn reaped(&self, streams: usize) {
        self.reaped.fetch_add(streams, Ordering::SeqCst);
    }
}

/// The default limits, with a reaper that acts only in [`Stage::tick`].
pub fn limits() -> EngineLimits {
    EngineLimits { reap_interval: REAP_INTERVAL, ..EngineLimits::default() }
}

impl<R: Reopen> Stage<R> {
    /// An engine with the default limits.
    pub async fn new(factory: R) -> Self {
        Self::with_limits(factory, limits()).await
    }

    /// An engine with other limits; take them from [`limits`].
    pub async fn with_limits(factory: R, limits: EngineLimits) -> Self {
        Self::start(factory, limits, Arc::new(ManualClock::new(EPOCH_MS)), Arc::new(Counts::default())).await
    }

    async fn start(factory: R, limits: EngineLimits, clock: Arc<ManualClock>, counts: Arc<Counts>) -> Self {
        let faults = Arc::new(Faults::default());
        let store = FaultyStore::new(factory.open().await, faults.clone());
        let engine = Engine::start(store, clock.clone(), limits.clone(), counts.clone());
        let stage = Self { engine, clock, faults, counts, limits, factory };
        // A reaper that has just been started looks at once.
        within(stage.faults.expired_called_beyond(0)).await;
        stage.settle().await;
        stage
    }

    /// Stops the engine and starts another over the same data. Followers and pages must be gone.
    pub async fn reopen(self) -> Self {
        self.engine.shutdown().await.expect("a sound store closes");
        self.start_again().await
    }

    /// Ends the engine without a word to the store, loses what may be lost, and starts another.
    pub async fn crash(self) -> Self {
        self.faults.crash();
        self.engine.shutdown().await.expect("closing a crashed store does nothing");
        self.start_again_after(R::crash).await
    }

    async fn start_again(self) -> Self {
        self.start_again_after(|_| ()).await
    }

    async fn start_again_after(self, between: impl FnOnce(&R)) -> Self {
        let Self { engine, clock, faults, counts, limits, factory } = self;
        drop(engine);
        within(faults.store_dropped()).await;
        between(&factory);
        Self::start(factory, limits, clock, counts).await
    }

    /// Lets the reaper look once and finishes what it asks for.
    pub async fn tick(&self) {
        let before = self.faults.expired_calls();
        tokio::time::pause();
        tokio::time::advance(REAP_INTERVAL).await;
        tokio::time::resume();
        within(self.faults.expired_called_beyond(before)).await;
        self.settle().await;
    }

    /// Returns when the committer has done everything that was asked of it before, evictions included.
    pub async fn settle(&self) {
        for _ in 0..2 {
            self.engine.write_documents(Vec::new()).await.expect("an empty write succeeds");
        }
    }

    /// Creates and expects a new stream.
    pub async fn put(&self, create: Create) -> Created {
        let created = self.engine.create(create).await.expect("the creation is accepted");
        assert!(created.is_new, "the stream is new");
        created
    }

    /// Creates and expects a refusal.
    pub async fn put_refused(&self, create: Create) -> CreateError {
        self.engine.create(create).await.expect_err("the creation is refused")
    }

    /// Appends and expects the new tail.
    pub async fn post(&self, append: Append) -> Offset {
        match self.engine.append(append).await {
            Ok(Appended::Written { next, .. }) => next,
            other => panic!("expected a write, got {other:?}"),
        }
    }

    /// Appends and expects a refusal.
    pub async fn post_refused(&self, append: Append) -> AppendError {
        self.engine.append(append).await.expect_err("the append is refused")
    }

    /// The page from `from`, with its bytes.
    pub async fn page(&self, name: &str, from: ReadFrom) -> Result<(Page, Bytes), ReadError> {
        let mut page = self.engine.page(&path(name), from).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = page.chunk().await {
            bytes.extend_from_slice(&chunk?);
        }
        assert_eq!(bytes.len() as u64, page.len(), "a page holds what it promises");
        Ok((page, bytes.into()))
    }

    /// Everything a stream holds, page by page.
    pub async fn read(&self, name: &str) -> Bytes {
        let mut from = ReadFrom::Start;
        let mut all = Vec::new();
        loop {
            let (page, bytes) = self.page(name, from).await.expect("the stream can be read");
            all.extend_from_slice(&bytes);
            if page.up_to_date {
                return all.into();
            }
            assert!(page.next > page.start, "a page that does not reach the tail brings something");
            from = ReadFrom::At(page.next);
        }
    }

    /// The durable tail.
    pub async fn tail(&self, name: &str) -> u64 {
        self.engine.metadata(&path(name)).await.expect("the stream exists").tail.get()
    }

    /// Whether the stream can be seen.
    pub async fn exists(&self, name: &str) -> bool {
        self.engine.metadata(&path(name)).await.is_ok()
    }

    /// Deletes and expects success.
    pub async fn delete(&self, name: &str) {
        self.engine.delete(&path(name)).await.expect("the stream can be deleted");
    }

    /// A live reader.
    pub async fn follow(&self, name: &str, from: ReadFrom) -> Follower<FaultyStore<R::Store>> {
        self.engine.follow(&path(name), from).await.expect("the stream can be followed")
    }
}

/// The next batch, which must come.
pub async fn next<S: headwater_streams::Store>(follower: &mut Follower<S>) -> Batch {
    within(follower.next()).await.expect("the follower gets a batch")
}

/// Whether the follower waits for something that has not happened yet.
pub fn is_waiting<S: headwater_streams::Store>(follower: &mut Follower<S>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    follower.poll_next(&mut context).is_pending()
}

/// Fails a test that would otherwise hang.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("something that must happen does not")
}

/// A stream path.
pub fn path(name: &str) -> StreamPath {
    StreamPath::new(name).expect("tests name streams properly")
}

/// A content type.
pub fn content_type(name: &str) -> ContentType {
    ContentType::new(name).expect("tests name types properly")
}

/// An empty text stream, open, for ever.
pub fn text(name: &str) -> Create {
    Create {
        path: path(name),
        content_type: Some(content_type("text/plain")),
        lifetime: None,
        payload: Bytes::new(),
        closed: false,
        fork: None,
        durability: Durability::Durable,
    }
}

/// An empty JSON stream, open, for ever.
pub fn json_stream(name: &str) -> Create {
    Create { content_type: Some(content_type("application/json")), ..text(name) }
}

/// A stream that lives for `seconds` after the last access.
pub fn sliding(name: &str, seconds: u64) -> Create {
    Create { lifetime: Some(Lifetime::Sliding(headwater_protocol::TtlSeconds(seconds))), ..text(name) }
}

/// A fork of `source` at its tail.
pub fn fork(name: &str, source: &str) -> Create {
    fork_at(name, source, None, 0)
}

/// A fork of `source` at a position.
pub fn fork_at(name: &str, source: &str, offset: Option<u64>, sub_offset: u64) -> Create {
    let point = ForkPoint { source: path(source), offset: offset.map(Offset::new), sub_offset };
    Create { content_type: None, fork: Some(point), ..text(name) }
}

/// An append of text.
pub fn append(name: &str, payload: impl Into<Bytes>) -> Append {
    Append {
        path: path(name),
        content_type: Some(content_type("text/plain")),
        payload: payload.into(),
        stream_seq: None,
        producer: None,
        close: false,
    }
}

/// An append of JSON messages, as a client would send them.
pub fn json_append(name: &str, body: &str) -> Append {
    let framed = json::frame(body.as_bytes()).expect("tests send proper JSON");
    Append { content_type: Some(content_type("application/json")), ..append(name, framed.bytes) }
}

/// A close without content.
pub fn close(name: &str) -> Append {
    Append { content_type: None, close: true, ..append(name, "") }
}

/// An idempotent producer's append of text.
pub fn produced(name: &str, payload: &'static str, producer: &str, epoch: u64, seq: u64) -> Append {
    Append { producer: Some(stamp(producer, epoch, seq)), ..append(name, payload) }
}

/// The three producer headers.
pub fn stamp(id: &str, epoch: u64, seq: u64) -> ProducerStamp {
    ProducerStamp {
        id: ProducerId::new(id).expect("tests name producers properly"),
        epoch: headwater_protocol::Epoch::new(epoch).expect("in range"),
        seq: headwater_protocol::ProducerSeq::new(seq).expect("in range"),
    }
}

/// A writer's sequence mark.
pub fn stream_seq(text: &str) -> Option<StreamSeq> {
    Some(StreamSeq::new(text.as_bytes()).expect("tests mark properly"))
}

/// A position handed out earlier.
pub fn at(offset: u64) -> ReadFrom {
    ReadFrom::At(Offset::new(offset))
}
