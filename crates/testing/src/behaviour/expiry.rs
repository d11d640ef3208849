//! Lifetimes: what keeps a stream alive, and what becomes of one that ended.

use headwater_protocol::{Lifetime, ReadFrom};
use headwater_streams::{AppendError, Create, CreateError, DeleteError, ReadError};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{
    EPOCH_MS, Stage, append, close, content_type, fork, is_waiting, path, produced, sliding, text, within,
};

const SECOND: u64 = 1000;

fn until(name: &str, after_ms: u64) -> Create {
    Create { lifetime: Some(Lifetime::Until { at_ms: (EPOCH_MS + after_ms) as i64 }), ..text(name) }
}

pub async fn an_idle_stream_ends_when_its_time_is_over<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    stage.clock.advance(10 * SECOND - 1);
    assert!(stage.exists("a").await);
    stage.clock.advance(1);
    assert_refused!(stage.engine.metadata(&path("a")).await, ReadError::NotFound);
    assert_refused!(stage.page("a", ReadFrom::Start).await, ReadError::NotFound);
    assert_refused!(stage.engine.follow(&path("a"), ReadFrom::Now).await, ReadError::NotFound);
    assert_refused!(stage.engine.append(append("a", "x")).await, AppendError::NotFound);
    assert!(!stage.exists("a").await, "nothing of this has brought it back");
    assert_refused!(stage.engine.delete(&path("a")).await, DeleteError::NotFound);
}

pub async fn reads_and_writes_slide_the_lifetime<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    let step = async |stage: &Stage<R>| {
        stage.clock.advance(9 * SECOND);
        assert!(stage.exists("a").await);
    };
    step(&stage).await;
    stage.page("a", ReadFrom::Now).await.unwrap();
    step(&stage).await;
    stage.post(produced("a", "x", "p", 0, 0)).await;
    step(&stage).await;
    drop(stage.follow("a", ReadFrom::Start).await);
    step(&stage).await;
    stage.engine.append(produced("a", "x", "p", 0, 0)).await.unwrap();
    step(&stage).await;
    stage.post(close("a")).await;
    step(&stage).await;
    stage.engine.append(close("a")).await.unwrap();
    step(&stage).await;
}

pub async fn a_look_at_the_metadata_does_not_slide_it<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    stage.clock.advance(6 * SECOND);
    assert!(stage.exists("a").await);
    stage.clock.advance(6 * SECOND);
    assert!(!stage.exists("a").await);
}

pub async fn a_live_reader_keeps_a_sliding_stream_alive<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    for _ in 0..5 {
        stage.clock.advance(60 * SECOND);
        stage.tick().await;
        assert!(is_waiting(&mut follower) && stage.exists("a").await);
    }
    drop(follower);
    stage.clock.advance(9 * SECOND);
    stage.tick().await;
    assert!(stage.exists("a").await, "it counts from when the reader left");
    stage.clock.advance(SECOND);
    stage.tick().await;
    assert_eq!(stage.counts.reaped(), 1);
}

pub async fn what_a_live_reader_kept_alive_survives_a_crash<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    let follower = stage.follow("a", ReadFrom::Now).await;
    stage.clock.advance(600 * SECOND);
    stage.tick().await;
    drop(follower);
    let stage = stage.crash().await;
    stage.tick().await;
    assert!(stage.exists("a").await);
}

pub async fn a_fixed_end_comes_whoever_reads<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(until("a", 10 * SECOND)).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    stage.clock.advance(9 * SECOND);
    stage.post(append("a", "x")).await;
    let stage = {
        drop(follower);
        stage.reopen().await
    };
    follower = stage.follow("a", ReadFrom::Now).await;
    assert!(is_waiting(&mut follower));
    stage.clock.advance(SECOND);
    assert!(!stage.exists("a").await);
    stage.tick().await;
    assert_refused!(within(follower.next()).await, ReadError::NotFound);
}

pub async fn the_reaper_removes_what_has_ended<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    for number in 0..5 {
        stage.put(sliding(&format!("s{number}"), 10 + number)).await;
    }
    stage.put(until("u", 11 * SECOND)).await;
    stage.put(text("kept")).await;
    stage.clock.advance(12 * SECOND);
    stage.tick().await;
    assert_eq!(stage.counts.reaped(), 4);
    let listed = stage.engine.list("", None, 99).await.unwrap();
    let names: Vec<_> = listed.iter().map(|row| row.path.as_str()).collect();
    assert_eq!(names, ["kept", "s3", "s4"]);
}

pub async fn the_reaper_spares_what_was_read_since<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 160)).await;
    stage.clock.advance(5 * SECOND);
    stage.page("a", ReadFrom::Now).await.unwrap();
    stage.clock.advance(157 * SECOND);
    stage.tick().await;
    assert!(stage.exists("a").await, "the store did not know of the last read, the engine does");
    stage.clock.advance(3 * SECOND);
    stage.tick().await;
    assert_eq!(stage.counts.reaped(), 1);
}

pub async fn an_unrecorded_read_does_not_end_a_stream_early_after_a_crash<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 160)).await;
    stage.clock.advance(9 * SECOND);
    stage.page("a", ReadFrom::Now).await.unwrap();
    let stage = stage.crash().await;
    stage.clock.advance(161 * SECOND - 1);
    stage.tick().await;
    assert!(stage.exists("a").await);
    stage.clock.advance(1);
    stage.tick().await;
    assert!(!stage.exists("a").await, "the time given back after a restart is a sixteenth");
}

pub async fn restarts_do_not_keep_an_idle_stream_alive<R: Reopen>(factory: R) {
    let mut stage = Stage::new(factory).await;
    stage.put(sliding("a", 160)).await;
    stage.clock.advance(SECOND);
    for _ in 0..17 {
        stage = stage.reopen().await;
        assert!(stage.exists("a").await);
        stage.tick().await;
        stage.clock.advance(10 * SECOND);
    }
    stage = stage.reopen().await;
    assert!(!stage.exists("a").await);
}

pub async fn an_expired_path_can_be_created_again<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    stage.post(append("a", "old")).await;
    stage.clock.advance(10 * SECOND);
    stage.put(Create { payload: "new".into(), ..text("a") }).await;
    assert_eq!(stage.read("a").await, "new");
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "new");
}

pub async fn a_refused_fork_over_an_expired_fork_breaks_nothing<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("source")).await;
    stage.put(Create { lifetime: sliding("x", 10).lifetime, ..fork("a", "source") }).await;
    stage.clock.advance(10 * SECOND);
    let misfit = Create { content_type: Some(content_type("application/json")), ..fork("a", "source") };
    assert_refused!(stage.engine.create(misfit).await, CreateError::SourceContentType(_));
    stage.post(append("source", "x")).await;
    stage.put(fork("a", "source")).await;
    stage.delete("a").await;
    stage.delete("source").await;
    assert!(stage.engine.list("", None, 9).await.unwrap().is_empty());
}

pub async fn an_expired_source_is_kept_for_its_forks<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 10)).await;
    stage.post(append("a", "kept")).await;
    stage.put(Create { lifetime: Some(Lifetime::Forever), ..fork("b", "a") }).await;
    stage.clock.advance(10 * SECOND);
    assert_refused!(stage.engine.create(fork("c", "a")).await, CreateError::SourceNotFound);
    assert_refused!(stage.engine.create(text("a")).await, CreateError::PathHeld);
    stage.tick().await;
    assert_refused!(stage.engine.metadata(&path("a")).await, ReadError::Gone);
    let stage = stage.reopen().await;
    assert_eq!(stage.read("b").await, "kept");
    stage.delete("b").await;
    assert_refused!(stage.engine.metadata(&path("a")).await, ReadError::NotFound);
}

pub async fn lifetimes_at_the_ends_of_the_number_space_are_harmless<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("zero", 0)).await;
    stage.put(Create { lifetime: Some(Lifetime::Until { at_ms: i64::MIN }), ..text("past") }).await;
    stage.put(Create { lifetime: Some(Lifetime::Until { at_ms: i64::MAX }), ..text("future") }).await;
    stage.put(sliding("long", u64::MAX)).await;
    stage.put(sliding("half", u64::MAX / 1000)).await;
    let stage = stage.reopen().await;
    stage.clock.advance(1000 * SECOND);
    stage.tick().await;
    for (name, lives) in [("zero", false), ("past", false), ("future", true), ("long", true), ("half", true)] {
        assert_eq!(stage.exists(name).await, lives, "{name}");
    }
    stage.put(sliding("zero", 0)).await;
}
