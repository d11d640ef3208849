//! Streams that leave memory and come back.

use headwater_protocol::ReadFrom;
use headwater_streams::limits::EngineLimits;
use headwater_streams::{Append, AppendError, Appended};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{
    Stage, append, close, fork, is_waiting, json_append, json_stream, limits, next, path, produced, sliding,
    stream_seq, text,
};

async fn forgetful<R: Reopen>(factory: R) -> Stage<R> {
    Stage::with_limits(factory, EngineLimits { active_streams_max: 0, ..limits() }).await
}

/// Two sweeps: the first one sees what has been used, the second one evicts it. A third for what had to be recorded.
async fn evict<R: Reopen>(stage: &Stage<R>) {
    for _ in 0..3 {
        stage.tick().await;
    }
}

pub async fn an_evicted_stream_comes_back_as_it_was<R: Reopen>(factory: R) {
    let stage = forgetful(factory).await;
    stage.put(text("a")).await;
    stage.post(Append { stream_seq: stream_seq("5"), ..produced("a", "one", "p", 2, 0) }).await;
    evict(&stage).await;
    let loads = stage.faults.loads();
    assert!(matches!(stage.engine.append(produced("a", "one", "p", 2, 0)).await, Ok(Appended::Duplicate { .. })));
    assert!(stage.faults.loads() > loads, "it had left memory");
    let stale = Append { stream_seq: stream_seq("4"), ..append("a", "x") };
    assert_refused!(stage.engine.append(stale).await, AppendError::StreamSeqNotIncreasing);
    evict(&stage).await;
    stage.post(append("a", "two")).await;
    assert_eq!(stage.read("a").await, "onetwo");
    stage.post(close("a")).await;
    evict(&stage).await;
    assert_refused!(stage.engine.append(append("a", "x")).await, AppendError::Closed { .. });
}

pub async fn a_followed_stream_stays_in_memory<R: Reopen>(factory: R) {
    let stage = forgetful(factory).await;
    stage.put(text("a")).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    evict(&stage).await;
    assert!(is_waiting(&mut follower));
    let loads = stage.faults.loads();
    stage.post(append("a", "x")).await;
    assert_eq!(stage.faults.loads(), loads);
    assert_eq!(next(&mut follower).await.bytes, "x");
}

pub async fn a_stream_created_in_the_batch_of_a_sweep_is_not_lost<R: Reopen>(factory: R) {
    let stage = forgetful(factory).await;
    stage.put(text("old")).await;
    evict(&stage).await;
    super::hold_committer(&stage).await;
    let calls = stage.faults.expired_calls();
    tokio::time::pause();
    tokio::time::advance(limits().reap_interval).await;
    tokio::time::resume();
    stage.faults.expired_called_beyond(calls).await;
    let engine = &stage.engine;
    let (created, again, ()) = tokio::join!(
        biased;
        engine.create(text("a")),
        engine.append(append("old", "x")),
        async { stage.faults.release() },
    );
    assert!(created.is_ok() && again.is_ok());
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    stage.post(append("a", "x")).await;
    assert_eq!(next(&mut follower).await.bytes, "x");
    assert_eq!(stage.read("old").await, "x");
}

pub async fn eviction_spares_no_lifetime_and_ends_none_early<R: Reopen>(factory: R) {
    let stage = forgetful(factory).await;
    stage.put(sliding("a", 160)).await;
    stage.clock.advance(5_000);
    stage.page("a", ReadFrom::Now).await.unwrap();
    evict(&stage).await;
    let loads = stage.faults.loads();
    stage.clock.advance(159_999);
    assert!(stage.exists("a").await);
    assert!(stage.faults.loads() > loads, "it had left memory, its last read recorded");
    evict(&stage).await;
    stage.clock.advance(1);
    assert!(!stage.exists("a").await, "an eviction gives no time back");
}

pub async fn an_idle_stream_ends_however_often_it_was_evicted<R: Reopen>(factory: R) {
    let stage = forgetful(factory).await;
    stage.put(sliding("a", 160)).await;
    stage.clock.advance(1000);
    let stage = stage.reopen().await;
    stage.clock.advance(159_000);
    for _ in 0..4 {
        evict(&stage).await;
        stage.clock.advance(5_000);
    }
    assert_eq!(stage.counts.reaped(), 1);
}

pub async fn forks_and_sources_come_back_together<R: Reopen>(factory: R) {
    let stage = forgetful(factory).await;
    stage.put(json_stream("a")).await;
    stage.post(json_append("a", "[1,2]")).await;
    stage.put(fork("b", "a")).await;
    stage.put(fork("c", "b")).await;
    evict(&stage).await;
    stage.post(json_append("c", "3")).await;
    stage.delete("b").await;
    evict(&stage).await;
    assert_eq!(stage.read("c").await, "1,\n2,\n3,\n");
    stage.delete("a").await;
    evict(&stage).await;
    stage.delete("c").await;
    assert!(stage.engine.list("", None, 9).await.unwrap().is_empty());
    assert!(stage.engine.metadata(&path("a")).await.is_err());
}

pub async fn positions_hold_after_the_cache_forgot_them<R: Reopen>(factory: R) {
    let bounds = EngineLimits { active_streams_max: 0, tail_cache_bytes_max: 0, ..limits() };
    let stage = Stage::with_limits(factory, bounds).await;
    stage.put(json_stream("a")).await;
    let mut positions = vec![0];
    for number in 0..20 {
        positions.push(stage.post(json_append("a", &format!("{{\"n\":{number}}}"))).await.get());
    }
    for (number, position) in positions.iter().enumerate() {
        let (_, bytes) = stage.page("a", crate::stage::at(*position)).await.unwrap();
        assert_eq!(headwater_protocol::json::count_messages(&bytes), 20 - number);
    }
}
