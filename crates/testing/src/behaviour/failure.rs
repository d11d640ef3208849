//! A store that fails, a disk that fills up, and more work than there is room for.

use headwater_protocol::ReadFrom;
use headwater_streams::limits::EngineLimits;
use headwater_streams::{AppendError, Appended, CreateError, DeleteError, EngineError, ReadError, StoreError};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{Stage, append, fork, is_waiting, limits, path, produced, sliding, text};

pub async fn a_failed_commit_is_never_seen<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(text("b")).await;
    stage.post(append("a", "safe")).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    stage.faults.fail_commits();
    let lost = produced("a", "lost", "p", 0, 0);
    let refused = stage.engine.append(lost.clone()).await;
    assert_refused!(refused, AppendError::Engine(EngineError::Store(StoreError::Io { .. })));
    assert!(!stage.engine.is_ready());
    let retried = stage.engine.append(lost).await;
    assert_refused!(retried, AppendError::Engine(EngineError::Store(StoreError::Poisoned { .. })));
    assert_refused!(stage.engine.create(text("c")).await, CreateError::Engine(_));
    assert_refused!(stage.engine.create(text("a")).await, CreateError::Engine(_));
    assert_refused!(stage.engine.delete(&path("b")).await, DeleteError::Engine(_));
    assert!(is_waiting(&mut follower));
    assert_eq!((stage.read("a").await, stage.tail("a").await), ("safe".into(), 4));
    assert!(stage.exists("b").await && !stage.exists("c").await);
    drop(follower);
    let stage = stage.crash().await;
    assert_eq!(stage.read("a").await, "safe");
    stage.post(produced("a", "!", "p", 0, 0)).await;
    assert_eq!(stage.read("a").await, "safe!");
}

pub async fn a_failed_creation_or_deletion_changes_nothing_for_readers<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "safe")).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    stage.faults.hold();
    let engine = &stage.engine;
    let a = path("a");
    let (deleted, created, forked, ()) = tokio::join!(
        biased;
        engine.delete(&a),
        engine.create(text("a")),
        engine.create(text("n")),
        async {
            stage.faults.commit_waits().await;
            stage.faults.fail_commits();
            stage.faults.release();
        },
    );
    assert!(deleted.is_err() && created.is_err() && forked.is_err());
    assert_refused!(stage.engine.metadata(&path("n")).await, ReadError::NotFound);
    assert_eq!(stage.read("a").await, "safe");
    assert!(is_waiting(&mut follower));
    drop(follower);
    let stage = stage.crash().await;
    assert_eq!(stage.read("a").await, "safe");
}

pub async fn a_full_store_refuses_writes_and_loses_nothing<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(produced("a", "0", "p", 0, 0)).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    stage.faults.set_full(true);
    for _ in 0..2 {
        let refused = stage.engine.append(produced("a", "1", "p", 0, 1)).await;
        assert_refused!(refused, AppendError::Engine(EngineError::Store(StoreError::Full)));
    }
    assert_refused!(stage.engine.create(text("b")).await, CreateError::Engine(EngineError::Store(StoreError::Full)));
    assert_refused!(stage.engine.create(fork("b", "a")).await, CreateError::Engine(_));
    assert_eq!(stage.read("a").await, "0");
    assert!(stage.engine.is_ready() && is_waiting(&mut follower));
    stage.faults.set_full(false);
    stage.post(produced("a", "1", "p", 0, 1)).await;
    stage.put(fork("b", "a")).await;
    assert_eq!((stage.read("a").await, stage.read("b").await), ("01".into(), "01".into()));
    drop(follower);
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "01");
    assert!(matches!(stage.engine.append(produced("a", "1", "p", 0, 1)).await, Ok(Appended::Duplicate { .. })));
}

pub async fn a_full_store_still_brings_streams_into_memory<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 160)).await;
    stage.post(append("a", "x")).await;
    let stage = stage.reopen().await;
    stage.faults.set_full(true);
    assert_eq!(stage.read("a").await, "x");
    stage.clock.advance(20_000);
    assert_eq!(stage.read("a").await, "x");
}

pub async fn too_many_waiting_requests_are_refused_as_overload<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, EngineLimits { queue_operations_max: 2, ..limits() }).await;
    stage.put(text("a")).await;
    super::hold_committer(&stage).await;
    let (engine, unknown) = (&stage.engine, path("cold"));
    let (one, two, three, cold, ()) = tokio::join!(
        biased;
        engine.append(append("a", "1")),
        engine.append(append("a", "2")),
        engine.append(append("a", "3")),
        engine.page(&unknown, ReadFrom::Start),
        async { stage.faults.release() },
    );
    assert!(one.is_ok() && two.is_ok());
    assert_refused!(three, AppendError::Engine(EngineError::Overloaded));
    assert_refused!(cold, ReadError::Engine(EngineError::Overloaded));
    stage.post(append("a", "4")).await;
    assert_eq!(stage.read("a").await, "124");
}

pub async fn too_many_waiting_bytes_are_refused_as_overload<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, EngineLimits { queue_bytes_max: 10, ..limits() }).await;
    stage.put(text("a")).await;
    super::hold_committer(&stage).await;
    let engine = &stage.engine;
    let (one, two, three, ()) = tokio::join!(
        biased;
        engine.append(append("a", "123456")),
        engine.append(append("a", "12345")),
        engine.append(append("a", "1234")),
        async { stage.faults.release() },
    );
    assert!(one.is_ok() && three.is_ok());
    assert_refused!(two, AppendError::Engine(EngineError::Overloaded));
    for _ in 0..3 {
        stage.post(append("a", "0123456789")).await;
    }
    assert_eq!(stage.tail("a").await, 40, "what was refused holds no place");
}
