//! Random operations against an engine and the [`Model`], which must answer alike. Reopening, crashing, eviction and
//! the reaper are steps like any other, and several operations may be decided in one batch.

mod ask;

use headwater_protocol::json;
use headwater_streams::limits::EngineLimits;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use ask::Asked;

use crate::model::{Answer, Kind, Life, Model, Name, Operation, Stamp, TransactionStep};
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
        6 => vec(committed_operation(), 2..6).prop_map(Step::Together),
        3 => select(vec![10_000, 50_000, 200_000]).prop_map(Step::Advance),
        2 => Just(Step::Tick),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let fork = (name(), name(), option::weighted(0.7, 0_u64..30), prop_oneof![3 => Just(0), 1 => 1_u64..4]);
    prop_oneof![
        10 => committed_operation(),
        3 => fork.prop_map(|(name, source, offset, sub_offset)| Operation::Fork { name, source, offset, sub_offset }),
        1 => (name(), 0_u64..30).prop_map(|(name, to)| Operation::Trim { name, to }),
        4 => (name(), prop_oneof![Just(0), 0_u64..30]).prop_map(|(name, from)| Operation::Read { name, from }),
        2 => name().prop_map(|name| Operation::Look { name }),
        1 => Just(Operation::Documents),
    ]
}

/// What reaches the committer in one step, so that a batch decides it in the order in which it was sent.
fn committed_operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => write(),
        1 => name().prop_map(|name| Operation::Delete { name }),
        3 => vec(transaction_step(), 0..5).prop_map(|steps| Operation::Transact { steps }),
    ]
}

fn transaction_step() -> impl Strategy<Value = TransactionStep> {
    let document = (select(vec!["k", "k/1"]), option::weighted(0.8, select(vec!["", "one", "two"])));
    prop_oneof![
        6 => (write(), option::weighted(0.1, 0_u64..20)).prop_map(|(operation, expected_tail)| {
            TransactionStep::Stream { operation, expected_tail }
        }),
        1 => document.prop_map(|(key, value)| TransactionStep::Document { key, value }),
    ]
}

fn write() -> impl Strategy<Value = Operation> {
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
        compare(&stage, &mut model, usize::MAX, vec![Operation::Documents]).await;
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
