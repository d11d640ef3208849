//! Random operations against an engine and the [`Model`], which must answer alike. Reopening, crashing, eviction and
//! the reaper are steps like any other, and several operations may be decided in one batch.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use headwater_protocol::{Lifetime, Offset, ReadFrom, TtlSeconds, json};
use headwater_streams::limits::EngineLimits;
use headwater_streams::{Append, AppendError, Appended, Create, CreateError, DeleteError, ReadError, TrimError};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{Answer, Kind, Life, Model, Name, Operation, Stamp};
use crate::reopen::Reopen;
use crate::stage::{self, EPOCH_MS, Stage};

/// Streams are few, so that operations meet.
const NAMES: [Name; 5] = ["a", "b", "c", "d/e", "d/f"];
/// A sixteenth of it divides every step of the clock, so that every access is recorded.
const TTL_SECONDS: u64 = 160;
/// No page and no memory holds much, so that every path of a read is taken.
const PAGE_BYTES_MAX: usize = 12;
const TAIL_CACHE_BYTES_MAX: usize = 600;

/// One step of a script.
#[derive(Debug, Clone)]
pub enum Step {
    /// One operation, answered before the next step.
    One(Operation),
    /// Operations decided in one batch, in this order.
    Together(Vec<Operation>),
    /// The clock moves by so many milliseconds.
    Advance(u64),
    /// The reaper looks, and idle streams leave memory.
    Tick,
    /// The engine stops and starts.
    Reopen,
    /// The power fails.
    Crash,
}

/// Scripts of up to `steps_max` steps.
pub fn scripts(steps_max: usize) -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..=steps_max)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => any_operation().prop_map(Step::One),
        6 => vec(plain_operation(), 2..6).prop_map(Step::Together),
        3 => select(vec![10_000, 50_000, 200_000]).prop_map(Step::Advance),
        2 => Just(Step::Tick),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let fork = (name(), name(), option::weighted(0.7, 0_u64..30), prop_oneof![3 => Just(0), 1 => 1_u64..4]);
    prop_oneof![
        8 => plain_operation(),
        3 => fork.prop_map(|(name, source, offset, sub_offset)| Operation::Fork { name, source, offset, sub_offset }),
        1 => (name(), 0_u64..30).prop_map(|(name, to)| Operation::Trim { name, to }),
        4 => (name(), prop_oneof![Just(0), 0_u64..30]).prop_map(|(name, from)| Operation::Read { name, from }),
        2 => name().prop_map(|name| Operation::Look { name }),
    ]
}

/// What reaches the committer in one step, so that a batch decides it in the order in which it was sent.
fn plain_operation() -> impl Strategy<Value = Operation> {
    let stamp = (select(vec!["p", "q"]), 0_u64..3, 0_u64..4).prop_map(|(id, epoch, seq)| Stamp { id, epoch, seq });
    let mark = option::weighted(0.2, select(vec!["1", "10", "2", "a"]));
    let create = (name(), kind(), life(), content(), prop::bool::weighted(0.1));
    let append = (name(), kind(), content(), prop::bool::weighted(0.1), option::weighted(0.5, stamp), mark);
    prop_oneof![
        3 => create.prop_map(|(name, kind, life, payload, closed)| {
            Operation::Create { name, kind, life, payload: stored(kind, payload), closed }
        }),
        10 => append.prop_map(|(name, kind, payload, close, stamp, mark)| {
            // Only a close may come without content.
            let payload = if payload.is_empty() && !close { vec![0] } else { payload };
            Operation::Append { name, kind, payload: stored(kind, payload), close, stamp, mark }
        }),
        2 => name().prop_map(|name| Operation::Delete { name }),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    select(NAMES.to_vec())
}

/// A stream's kind hangs on nothing but luck, mostly the same.
fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![5 => Just(Kind::Json), 2 => Just(Kind::Text)]
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![
        5 => Just(Life::Forever),
        3 => Just(Life::Sliding(TTL_SECONDS * 1000)),
        1 => (0_u64..500).prop_map(|seconds| Life::Until(EPOCH_MS + seconds * 1000)),
    ]
}

/// Up to three messages; each number makes one.
fn content() -> impl Strategy<Value = Vec<u16>> {
    vec(prop_oneof![4 => 0_u16..100, 1 => Just(9999)], 0..3)
}

fn stored(kind: Kind, numbers: Vec<u16>) -> String {
    match kind {
        Kind::Text => numbers.iter().map(|number| format!("<{number}>")).collect(),
        Kind::Json => {
            // A message that is longer than a page and than a read of the tail cache.
            let message = |number: &u16| if *number == 9999 { "7".repeat(700) } else { number.to_string() };
            let body = format!("[{}]", numbers.iter().map(message).collect::<Vec<_>>().join(","));
            let framed = json::frame(body.as_bytes()).expect("numbers are JSON");
            String::from_utf8(framed.bytes.to_vec()).expect("JSON is UTF-8")
        }
    }
}

/// Runs `script` on an engine over `factory`'s store and on the model, and panics where they differ.
pub fn check<R: Reopen>(factory: R, script: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let limits = EngineLimits {
            page_bytes_max: PAGE_BYTES_MAX,
            tail_cache_bytes_max: TAIL_CACHE_BYTES_MAX,
            active_streams_max: 1,
            ..stage::limits()
        };
        let mut stage = Stage::with_limits(factory, limits).await;
        let mut model = Model::new(EPOCH_MS);
        for (number, step) in script.into_iter().enumerate() {
            stage = take(stage, &mut model, number, step).await;
        }
        stage = stage.reopen().await;
        model.restart();
        for name in NAMES {
            compare(&stage, &mut model, usize::MAX, vec![Operation::Look { name }]).await;
        }
    });
}

async fn take<R: Reopen>(stage: Stage<R>, model: &mut Model, number: usize, step: Step) -> Stage<R> {
    match step {
        Step::One(operation) => compare(&stage, model, number, vec![operation]).await,
        Step::Together(operations) => compare(&stage, model, number, operations).await,
        Step::Advance(ms) => {
            stage.clock.advance(ms);
            model.advance(ms);
        }
        Step::Tick => {
            stage.tick().await;
            model.reap();
        }
        Step::Reopen => {
            model.restart();
            return stage.reopen().await;
        }
        Step::Crash => {
            // What was answered must survive; that reads were recorded is nobody's promise, so they are waited for.
            stage.settle().await;
            model.restart();
            return stage.crash().await;
        }
    }
    stage
}

async fn compare<R: Reopen>(stage: &Stage<R>, model: &mut Model, number: usize, operations: Vec<Operation>) {
    let expected: Vec<Answer> = operations.iter().map(|operation| model.answer(operation)).collect();
    let holder = if operations.len() > 1 { Some(hold(stage).await) } else { None };
    let mut asked: Vec<Asked<'_>> = operations.iter().map(|operation| Asked::new(stage, number, operation)).collect();
    for asked in &mut asked {
        asked.poll_once().await;
    }
    stage.faults.release();
    for ((asked, expected), operation) in asked.into_iter().zip(expected).zip(&operations) {
        assert_eq!(stage::within(asked.answer()).await, expected, "step {number}: {operation:?}");
    }
    if let Some(holder) = holder {
        holder.await.expect("the holding write succeeds");
    }
}

/// Stops the committer inside a commit, so that everything submitted until the release becomes one batch.
async fn hold<R: Reopen>(stage: &Stage<R>) -> tokio::task::JoinHandle<()> {
    stage.faults.hold();
    let engine = stage.engine.clone();
    let task = tokio::spawn(async move { engine.write_documents(Vec::new()).await.expect("an empty write succeeds") });
    stage::within(stage.faults.commit_waits()).await;
    task
}

/// An operation under way: submitted by its first poll.
struct Asked<'a> {
    future: Pin<Box<dyn Future<Output = Answer> + 'a>>,
    early: Option<Answer>,
}

impl<'a> Asked<'a> {
    fn new<R: Reopen>(stage: &'a Stage<R>, number: usize, operation: &'a Operation) -> Self {
        Self { future: Box::pin(ask(stage, number, operation)), early: None }
    }

    async fn poll_once(&mut self) {
        self.early = poll_fn(|cx| match self.future.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
    }

    async fn answer(self) -> Answer {
        match self.early {
            Some(answer) => answer,
            None => self.future.await,
        }
    }
}

async fn ask<R: Reopen>(stage: &Stage<R>, number: usize, operation: &Operation) -> Answer {
    let outcome = match operation {
        Operation::Create { name, kind, life, payload, closed } => {
            let create = Create {
                lifetime: lifetime(*life),
                payload: payload.clone().into(),
                closed: *closed,
                ..described(name, *kind)
            };
            created(stage.engine.create(create).await)
        }
        Operation::Fork { name, source, offset, sub_offset } => {
            created(stage.engine.create(stage::fork_at(name, source, *offset, *sub_offset)).await)
        }
        Operation::Append { .. } => appended(stage.engine.append(request(operation)).await),
        Operation::Delete { name } => {
            stage.engine.delete(&stage::path(name)).await.map_err(deletion).map(|()| Answer::Deleted)
        }
        Operation::Trim { name, to } => {
            let earliest = stage.engine.trim(&stage::path(name), Offset::new(*to)).await;
            earliest.map_err(trimming).map(|earliest| Answer::Trimmed { earliest: earliest.get() })
        }
        Operation::Read { name, from } if number.is_multiple_of(2) => {
            read_pages(stage, name, *from).await.map_err(reading)
        }
        Operation::Read { name, from } => read_live(stage, name, *from).await.map_err(reading),
        Operation::Look { name } => {
            let seen = stage.engine.metadata(&stage::path(name)).await;
            seen.map_err(reading).map(|seen| Answer::Seen { tail: seen.tail.get(), closed: seen.closed })
        }
    };
    outcome.unwrap_or_else(Answer::Refused)
}

fn described(name: &str, kind: Kind) -> Create {
    match kind {
        Kind::Text => stage::text(name),
        Kind::Json => stage::json_stream(name),
    }
}

fn lifetime(life: Life) -> Option<Lifetime> {
    match life {
        Life::Forever => None,
        Life::Sliding(ms) => Some(Lifetime::Sliding(TtlSeconds(ms / 1000))),
        Life::Until(at_ms) => Some(Lifetime::Until { at_ms: at_ms as i64 }),
    }
}

fn request(operation: &Operation) -> Append {
    let Operation::Append { name, kind, payload, close, stamp, mark } = operation else {
        unreachable!("only appends are requested")
    };
    Append {
        content_type: described(name, *kind).content_type,
        close: *close,
        producer: stamp.map(|stamp| stage::stamp(stamp.id, stamp.epoch, stamp.seq)),
        stream_seq: mark.and_then(stage::stream_seq),
        ..stage::append(name, payload.clone())
    }
}

async fn read_pages<R: Reopen>(stage: &Stage<R>, name: &str, from: u64) -> Result<Answer, ReadError> {
    let mut all = Vec::new();
    let mut from = Offset::new(from);
    loop {
        let (page, bytes) = stage.page(name, ReadFrom::At(from)).await?;
        all.extend_from_slice(&bytes);
        if page.up_to_date {
            return Ok(Answer::Bytes { bytes: all, closed: page.closed });
        }
        assert!(page.next > from && !page.closed, "a partial page brings something and is not the end");
        from = page.next;
    }
}

async fn read_live<R: Reopen>(stage: &Stage<R>, name: &str, from: u64) -> Result<Answer, ReadError> {
    let mut follower = stage.engine.follow(&stage::path(name), stage::at(from)).await?;
    let mut all = Vec::new();
    loop {
        let (at_tail, closed) = follower.at_tail();
        if at_tail {
            assert_eq!(stage::is_waiting(&mut follower), !closed, "who is caught up waits, unless it is the end");
            return Ok(Answer::Bytes { bytes: all, closed });
        }
        all.extend_from_slice(&stage::next(&mut follower).await.bytes);
    }
}

fn created(outcome: Result<headwater_streams::Created, CreateError>) -> Result<Answer, &'static str> {
    match outcome {
        Ok(created) => {
            let tail = created.metadata.tail.get();
            Ok(Answer::Created { is_new: created.is_new, tail, closed: created.metadata.closed })
        }
        Err(CreateError::Differs(_)) => Err("differs"),
        Err(CreateError::PathHeld) => Err("path held"),
        Err(CreateError::SourceNotFound) => Err("no source"),
        Err(CreateError::SourceDeleted) => Err("source deleted"),
        Err(CreateError::ForkOffset { .. }) => Err("fork offset"),
        Err(CreateError::ForkOffsetInsideMessage) => Err("fork offset inside"),
        Err(CreateError::ForkSubOffset) => Err("fork sub-offset"),
        Err(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn appended(outcome: Result<Appended, AppendError>) -> Result<Answer, &'static str> {
    match outcome {
        Ok(Appended::Written { next, closed }) => Ok(Answer::Written { tail: next.get(), closed }),
        Ok(Appended::Duplicate { next, closed, highest }) => {
            let highest = highest.map(|(epoch, seq)| (epoch.get(), seq.get()));
            Ok(Answer::Duplicate { tail: next.get(), closed, highest })
        }
        Err(AppendError::NotFound) => Err("not found"),
        Err(AppendError::Gone) => Err("gone"),
        Err(AppendError::Closed { .. }) => Err("closed"),
        Err(AppendError::ContentTypeDiffers(_)) => Err("type"),
        Err(AppendError::StreamSeqNotIncreasing) => Err("stream-seq"),
        Err(AppendError::Fenced { .. }) => Err("fenced"),
        Err(AppendError::EpochStart) => Err("epoch start"),
        Err(AppendError::Gap { .. }) => Err("gap"),
        Err(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn deletion(cause: DeleteError) -> &'static str {
    match cause {
        DeleteError::NotFound => "not found",
        DeleteError::Gone => "gone",
        DeleteError::Engine(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn trimming(cause: TrimError) -> &'static str {
    match cause {
        TrimError::NotFound => "not found",
        TrimError::Gone => "gone",
        TrimError::HasForks(_) => "has forks",
        TrimError::PastTail { .. } => "past tail",
        TrimError::InsideMessage => "inside message",
        TrimError::Engine(other) => panic!("a refusal that the model does not know: {other:?}"),
    }
}

fn reading(cause: ReadError) -> &'static str {
    match cause {
        ReadError::NotFound => "not found",
        ReadError::Gone => "gone",
        ReadError::Trimmed { .. } => "trimmed",
        ReadError::NotAnOffset => "not an offset",
        other => panic!("a refusal that the model does not know: {other:?}"),
    }
}
