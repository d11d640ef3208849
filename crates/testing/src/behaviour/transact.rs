//! Several operations as one: what they do together, and what a refusal leaves alone.

use bytes::Bytes;
use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::limits::{EngineLimits, TRANSACTION_STEPS_MAX};
use headwater_streams::{
    Append, AppendError, Appended, Create, CreateError, DocumentKey, Durability, EngineError, Step, StepDone,
    StepError, StreamActivity, TransactionError,
};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{
    Stage, append, close, fork, is_waiting, json_append, json_stream, limits, next, path, produced, sliding, text,
    within,
};

fn step(append: Append) -> Step {
    Step::Append { append, expected_tail: None }
}

fn guarded(append: Append, expected: u64) -> Step {
    Step::Append { append, expected_tail: Some(Offset::new(expected)) }
}

fn put(key: &str, value: &'static str) -> Step {
    Step::PutDocument { key: DocumentKey(key.into()), value: value.into() }
}

fn remove(key: &str) -> Step {
    Step::RemoveDocument { key: DocumentKey(key.into()) }
}

fn written(done: &StepDone) -> u64 {
    match done {
        StepDone::Appended(Appended::Written { next, .. }) => next.get(),
        other => panic!("expected a write, got {other:?}"),
    }
}

fn is_new(done: &StepDone) -> bool {
    match done {
        StepDone::Created(created) => created.is_new,
        other => panic!("expected a creation, got {other:?}"),
    }
}

/// The tail that a duplicate tells, and the highest sequence number.
fn duplicate(done: &StepDone) -> (u64, Option<u64>) {
    match done {
        StepDone::Appended(Appended::Duplicate { next, highest, .. }) => {
            (next.get(), highest.map(|(_, seq)| seq.get()))
        }
        other => panic!("expected a duplicate, got {other:?}"),
    }
}

async fn done<R: Reopen>(stage: &Stage<R>, steps: Vec<Step>) -> Vec<StepDone> {
    stage.engine.transact(steps).await.expect("the transaction is accepted")
}

/// Where a transaction is refused, and why.
async fn refused<R: Reopen>(stage: &Stage<R>, steps: Vec<Step>) -> (usize, StepError) {
    match stage.engine.transact(steps).await {
        Err(TransactionError::Step { index, why }) => (index, why),
        other => panic!("expected a step to be refused, got {other:?}"),
    }
}

async fn documents<R: Reopen>(stage: &Stage<R>) -> Vec<(String, Bytes)> {
    let found = stage.engine.documents("").await.expect("documents can be read");
    found.into_iter().map(|(key, value)| (key.0.to_string(), value)).collect()
}

pub async fn the_steps_of_a_transaction_happen_together<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("old")).await;
    stage.post(append("old", "1")).await;
    stage.engine.write_documents(vec![(DocumentKey("gone".into()), Some("x".into()))]).await.unwrap();
    let commits = stage.counts.commits();
    let first = Create { payload: "<".into(), ..text("new") };
    let steps = vec![
        Step::Create(first),
        step(append("new", "one")),
        put("k", "v"),
        step(append("old", "2")),
        step(produced("new", "two", "p", 0, 0)),
        remove("gone"),
        step(append("old", "3")),
    ];
    let done = done(&stage, steps).await;
    assert_eq!(stage.counts.commits(), commits + 1);
    assert!(is_new(&done[0]) && matches!((&done[2], &done[5]), (StepDone::DocumentWritten, StepDone::DocumentWritten)));
    assert_eq!([1, 3, 4, 6].map(|index| written(&done[index])), [4, 2, 7, 3]);
    let stage = stage.crash().await;
    assert_eq!((stage.read("new").await, stage.read("old").await), ("<onetwo".into(), "123".into()));
    assert_eq!(documents(&stage).await, [("k".to_owned(), Bytes::from("v"))]);
    stage.post(produced("new", ">", "p", 0, 1)).await;
    assert!(matches!(stage.engine.append(produced("new", "two", "p", 0, 0)).await, Ok(Appended::Duplicate { .. })));
    let stage = stage.reopen().await;
    assert_eq!((stage.read("new").await, stage.read("old").await), ("<onetwo>".into(), "123".into()));
}

pub async fn a_refused_step_leaves_everything_as_it_was<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(text("b")).await;
    stage.post(produced("a", "a", "p", 1, 0)).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    let steps = |last| {
        let marked = Append { stream_seq: crate::stage::stream_seq("5"), ..produced("a", "x", "p", 1, 1) };
        vec![Step::Create(text("n")), step(marked), put("k", "v"), step(append("b", "x")), step(close("b")), last]
    };
    let (index, why) = refused(&stage, steps(step(append("b", "y")))).await;
    assert!(matches!((index, why), (5, StepError::Append(AppendError::Closed { tail })) if tail.get() == 1));
    let (index, why) = refused(&stage, steps(step(append("unknown", "y")))).await;
    assert!(matches!((index, why), (5, StepError::Append(AppendError::NotFound))));
    let (index, why) = refused(&stage, steps(Step::Create(json_stream("a")))).await;
    assert!(matches!((index, why), (5, StepError::Create(CreateError::Differs(_)))));
    let (index, why) = refused(&stage, steps(step(json_append("n", "1")))).await;
    assert!(matches!((index, why), (5, StepError::Append(AppendError::ContentTypeDiffers(_)))));
    assert!(is_waiting(&mut follower) && !stage.exists("n").await && documents(&stage).await.is_empty());
    assert_eq!((stage.tail("a").await, stage.tail("b").await), (1, 0));
    drop(follower);
    let stage = stage.reopen().await;
    assert!(!stage.exists("n").await && documents(&stage).await.is_empty());
    let first_mark = Append { stream_seq: crate::stage::stream_seq("1"), ..produced("a", "x", "p", 1, 1) };
    stage.post(first_mark).await;
    stage.post(append("b", "still open")).await;
}

pub async fn a_step_sees_what_the_ones_before_it_did<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    let steps = vec![
        Step::Create(text("a")),
        guarded(produced("a", "one", "p", 0, 0), 0),
        guarded(produced("a", "two", "p", 0, 1), 3),
        step(close("a")),
        step(close("a")),
        Step::Create(Create { closed: true, ..text("a") }),
    ];
    let done = done(&stage, steps).await;
    assert!(matches!(done[3], StepDone::Appended(Appended::Written { closed: true, .. })));
    assert_eq!(duplicate(&done[4]), (6, None));
    let StepDone::Created(found) = &done[5] else { panic!("a creation is answered as one") };
    assert_eq!((found.is_new, found.metadata.tail.get(), found.metadata.closed), (false, 6, true));
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "onetwo");
    assert_refused!(stage.engine.append(append("a", "x")).await, AppendError::Closed { .. });
    let gap = vec![Step::Create(text("b")), step(produced("b", "x", "p", 0, 0)), step(produced("b", "x", "p", 0, 2))];
    assert!(matches!(refused(&stage, gap).await, (2, StepError::Append(AppendError::Gap { .. }))));
}

pub async fn an_existing_stream_counts_as_created<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "1")).await;
    let create = Create { payload: "not again".into(), ..text("a") };
    let first = done(&stage, vec![Step::Create(create.clone()), step(append("a", "2"))]).await;
    assert!(!is_new(&first[0]));
    assert_eq!(stage.read("a").await, "12");
    let only = done(&stage, vec![Step::Create(create)]).await;
    assert!(!is_new(&only[0]));
    assert!(done(&stage, Vec::new()).await.is_empty());
    stage.put(fork("f", "a")).await;
    stage.delete("a").await;
    let held = refused(&stage, vec![Step::Create(text("a"))]).await;
    assert!(matches!(held, (0, StepError::Create(CreateError::PathHeld))));
    let gone = refused(&stage, vec![step(append("a", "x"))]).await;
    assert!(matches!(gone, (0, StepError::Append(AppendError::Gone))));
}

pub async fn an_expected_tail_guards_a_transaction<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    done(&stage, vec![guarded(append("a", "one"), 0)]).await;
    let stale = refused(&stage, vec![put("k", "v"), guarded(append("a", "two"), 0)]).await;
    assert!(matches!(stale, (1, StepError::TailDiffers { expected, tail }) if (expected.get(), tail.get()) == (0, 3)));
    let ahead = refused(&stage, vec![guarded(append("a", "two"), 4)]).await;
    assert!(matches!(ahead, (0, StepError::TailDiffers { .. })));
    super::hold_committer(&stage).await;
    let engine = &stage.engine;
    let (won, lost, ()) = tokio::join!(
        biased;
        engine.transact(vec![guarded(append("a", "won"), 3)]),
        engine.transact(vec![guarded(append("a", "lost"), 3)]),
        async { stage.faults.release() },
    );
    assert!(won.is_ok());
    let TransactionError::Step { why: StepError::TailDiffers { tail, .. }, .. } = lost.unwrap_err() else {
        panic!("the other one has moved the tail")
    };
    assert_eq!((tail.get(), stage.read("a").await), (6, "onewon".into()));
    done(&stage, vec![guarded(close("a"), 6)]).await;
    assert_eq!(duplicate(&done(&stage, vec![guarded(close("a"), 6)]).await[0]), (6, None));
    let closed_elsewhere = refused(&stage, vec![guarded(close("a"), 5)]).await;
    assert!(matches!(closed_elsewhere, (0, StepError::TailDiffers { .. })));
    assert!(documents(&stage).await.is_empty());
}

pub async fn a_repeated_transaction_is_recognised_across_restarts<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("log")).await;
    let steps = || {
        vec![
            Step::Create(text("n")),
            guarded(produced("log", "one", "p", 0, 0), 0),
            guarded(produced("n", "two", "p", 0, 0), 0),
            step(Append { close: true, ..produced("n", "three", "p", 0, 1) }),
            step(append("log", "plain")),
            put("k", "first"),
        ]
    };
    done(&stage, steps()).await;
    stage.engine.write_documents(vec![(DocumentKey("k".into()), Some("later".into()))]).await.unwrap();
    let stage = stage.crash().await;
    stage.post(produced("log", "!", "p", 0, 1)).await;
    let again = done(&stage, steps()).await;
    assert!(!is_new(&again[0]) && matches!(again[5], StepDone::Known));
    let expected = [(9, Some(1)), (8, Some(1)), (8, Some(1)), (9, None)];
    assert_eq!([1, 2, 3, 4].map(|index| duplicate(&again[index])), expected);
    assert_eq!((stage.read("log").await, stage.read("n").await), ("oneplain!".into(), "twothree".into()));
    assert_eq!(documents(&stage).await, [("k".to_owned(), Bytes::from("later"))]);
}

pub async fn a_repeated_transaction_is_known_when_a_stream_has_ended_since<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("log")).await;
    let steps = || vec![Step::Create(text("n")), step(append("n", "x")), step(produced("log", "x", "p", 0, 0))];
    done(&stage, steps()).await;
    stage.delete("n").await;
    let again = done(&stage, steps()).await;
    assert!(matches!((&again[0], &again[1]), (StepDone::Known, StepDone::Known)));
    assert_eq!(duplicate(&again[2]), (1, Some(0)));
    assert!(!stage.exists("n").await);
}

pub async fn a_transaction_that_is_a_duplicate_in_part_is_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(text("b")).await;
    stage.post(produced("a", "a", "p", 0, 0)).await;
    let mixed = vec![step(produced("b", "b", "p", 0, 0)), step(produced("a", "a", "p", 0, 0))];
    let (index, why) = refused(&stage, mixed).await;
    let StepError::AcceptedBefore { next, highest: (_, seq) } = why else { panic!("{why:?}") };
    assert_eq!((index, next.get(), seq.get(), stage.tail("b").await), (1, 1, 0, 0));
    let twice = vec![step(produced("b", "b", "p", 0, 0)), step(produced("b", "b", "p", 0, 0))];
    assert!(matches!(refused(&stage, twice).await, (1, StepError::AcceptedBefore { .. })));
    let fenced = vec![step(produced("b", "b", "p", 2, 0)), step(produced("b", "b", "p", 1, 0))];
    assert!(matches!(refused(&stage, fenced).await, (1, StepError::Append(AppendError::Fenced { .. }))));
    assert_eq!(stage.tail("b").await, 0);
}

pub async fn producers_are_limited_in_a_transaction_too<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, EngineLimits { producers_per_stream_max: 3, ..limits() }).await;
    stage.put(text("a")).await;
    stage.post(produced("a", "1", "p", 0, 0)).await;
    stage.post(produced("a", "2", "q", 0, 0)).await;
    let of = |id: &str| step(produced("a", "x", id, 0, 0));
    let one_too_many = refused(&stage, vec![of("r"), of("s")]).await;
    assert!(matches!(one_too_many, (1, StepError::Append(AppendError::TooManyProducers(3)))));
    done(&stage, vec![of("r"), step(produced("a", "y", "p", 0, 1))]).await;
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "12xy");
    stage.post(produced("a", "z", "q", 0, 1)).await;
}

pub async fn followers_and_activity_hear_of_every_stream_of_a_transaction<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(text("b")).await;
    let mut a = stage.follow("a", ReadFrom::Now).await;
    let mut b = stage.follow("b", ReadFrom::Now).await;
    assert!(is_waiting(&mut a) && is_waiting(&mut b));
    stage.engine.watch_activity();
    let new = Create { payload: "n".into(), ..text("n") };
    let steps = [step(append("b", "2")), step(append("a", "1")), step(append("b", "3")), Step::Create(new)];
    done(&stage, [steps.to_vec(), vec![step(append("n", "ew")), step(close("b"))]].concat()).await;
    assert_eq!((next(&mut a).await.bytes, next(&mut b).await.bytes), ("1".into(), "23".into()));
    assert!(b.at_tail().1, "the close came with it");
    let mut seen = within(stage.engine.activity()).await;
    seen.sort_by(|one, other| one.path.cmp(&other.path));
    let grown = |name, tail, created| StreamActivity {
        path: path(name),
        from: Offset::START,
        tail: Offset::new(tail),
        created,
        removed: false,
    };
    assert_eq!(seen, [grown("a", 1, false), grown("b", 2, false), grown("n", 3, true)]);
    assert_eq!(stage.read("n").await, "new");
}

pub async fn transactions_and_appends_share_a_batch<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    super::hold_committer(&stage).await;
    let engine = &stage.engine;
    let a = path("a");
    let (one, two, three, refused, four, gone, five, ()) = tokio::join!(
        biased;
        engine.append(append("a", "1")),
        engine.transact(vec![Step::Create(text("b")), guarded(append("a", "2"), 1), step(append("b", "x"))]),
        engine.append(append("a", "3")),
        engine.transact(vec![step(append("b", "lost")), guarded(append("a", "lost"), 1)]),
        engine.append(append("b", "y")),
        engine.delete(&a),
        engine.transact(vec![Step::Create(text("a")), step(append("a", "again")), step(append("b", "z"))]),
        async { stage.faults.release() },
    );
    assert!(one.is_ok() && three.is_ok() && four.is_ok() && gone.is_ok() && refused.is_err());
    assert!(is_new(&two.unwrap()[0]) && is_new(&five.unwrap()[0]));
    assert_eq!((stage.read("a").await, stage.read("b").await), ("again".into(), "xyz".into()));
    let stage = stage.crash().await;
    assert_eq!((stage.read("a").await, stage.read("b").await), ("again".into(), "xyz".into()));
}

pub async fn an_expired_stream_makes_way_in_a_transaction<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    stage.put(sliding("b", 10)).await;
    stage.post(append("a", "old")).await;
    stage.clock.advance(8_000);
    done(&stage, vec![step(append("b", "kept alive"))]).await;
    stage.clock.advance(8_000);
    let refused = refused(&stage, vec![step(append("a", "x"))]).await;
    assert!(matches!(refused, (0, StepError::Append(AppendError::NotFound))));
    let done = done(&stage, vec![Step::Create(text("a")), step(append("a", "new")), step(append("b", "!"))]).await;
    assert!(is_new(&done[0]));
    assert_eq!((stage.read("a").await, stage.read("b").await), ("new".into(), "kept alive!".into()));
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "new");
}

pub async fn ephemeral_streams_take_part_in_transactions<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    let passing = Create { durability: Durability::Ephemeral, ..text("passing") };
    stage.put(text("log")).await;
    done(&stage, vec![Step::Create(passing), step(append("log", "1")), step(append("passing", "x")), put("k", "v")])
        .await;
    done(&stage, vec![step(append("passing", "y")), step(append("log", "2"))]).await;
    let stale = vec![step(append("passing", "lost")), guarded(append("log", "lost"), 0)];
    assert!(matches!(refused(&stage, stale).await, (1, StepError::TailDiffers { .. })));
    assert_eq!((stage.read("passing").await, stage.read("log").await), ("xy".into(), "12".into()));
    let stage = stage.crash().await;
    assert_eq!((stage.read("log").await, documents(&stage).await.len()), ("12".into(), 1));
}

pub async fn a_transaction_that_fails_to_commit_is_never_seen<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    let steps = || vec![Step::Create(text("n")), step(produced("a", "x", "p", 0, 0)), put("k", "v")];
    stage.faults.set_full(true);
    assert_refused!(stage.engine.transact(steps()).await, TransactionError::Engine(EngineError::Store(_)));
    stage.faults.set_full(false);
    stage.faults.fail_commits();
    assert_refused!(stage.engine.transact(steps()).await, TransactionError::Engine(EngineError::Store(_)));
    assert_refused!(stage.engine.transact(Vec::new()).await, TransactionError::Engine(EngineError::Store(_)));
    assert!(is_waiting(&mut follower) && !stage.exists("n").await && stage.tail("a").await == 0);
    drop(follower);
    let stage = stage.crash().await;
    assert!(is_new(&done(&stage, steps()).await[0]));
    assert_eq!(stage.read("a").await, "x");
}

pub async fn a_transaction_of_too_many_steps_or_with_a_fork_is_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let many = |count| vec![step(append("a", "x")); count];
    let refused_whole = stage.engine.transact(many(TRANSACTION_STEPS_MAX + 1)).await;
    assert_refused!(refused_whole, TransactionError::TooManySteps(_));
    let forked = refused(&stage, vec![step(append("a", "x")), Step::Create(fork("f", "a"))]).await;
    assert!(matches!(forked, (1, StepError::Fork)));
    assert_eq!(stage.tail("a").await, 0);
    done(&stage, many(TRANSACTION_STEPS_MAX)).await;
    assert_eq!(stage.tail("a").await, TRANSACTION_STEPS_MAX as u64);
}
