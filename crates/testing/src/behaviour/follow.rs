//! Live readers: catching up, waiting, waking, ending.

use headwater_protocol::ReadFrom;
use headwater_streams::limits::EngineLimits;
use headwater_streams::{EngineError, ReadError};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{
    Stage, append, at, close, fork, is_waiting, json_append, json_stream, limits, next, path, text, within,
};

pub async fn a_follower_catches_up_and_then_goes_live<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "past")).await;
    let mut follower = stage.follow("a", ReadFrom::Start).await;
    let batch = next(&mut follower).await;
    assert_eq!((batch.start.get(), &batch.bytes[..], batch.up_to_date, batch.closed), (0, &b"past"[..], true, false));
    assert!(is_waiting(&mut follower) && follower.at_tail() == (true, false));
    stage.post(append("a", "present")).await;
    let batch = next(&mut follower).await;
    assert_eq!((batch.start.get(), batch.next.get(), &batch.bytes[..]), (4, 11, &b"present"[..]));
}

pub async fn an_append_wakes_every_waiting_follower<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut follower = stage.follow("a", ReadFrom::Now).await;
        assert!(is_waiting(&mut follower));
        waiting.push(tokio::spawn(async move { next(&mut follower).await.bytes }));
    }
    tokio::task::yield_now().await;
    stage.post(append("a", "news")).await;
    for task in waiting {
        assert_eq!(within(task).await.unwrap(), "news");
    }
}

pub async fn several_appends_join_into_one_batch<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut follower = stage.follow("a", ReadFrom::Start).await;
    for piece in ["1", "22", "333"] {
        stage.post(append("a", piece)).await;
    }
    let batch = next(&mut follower).await;
    assert_eq!((&batch.bytes[..], batch.up_to_date), (&b"122333"[..], true));
}

pub async fn followers_at_the_tail_share_one_encoding<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut first = stage.follow("a", ReadFrom::Now).await;
    let mut second = stage.follow("a", ReadFrom::Now).await;
    stage.post(append("a", "x")).await;
    let (one, two) = (next(&mut first).await, next(&mut second).await);
    assert_eq!(one.encoded(|bytes| [b"data: ", &bytes[..]].concat().into()), "data: x");
    assert_eq!(two.encoded(|_| panic!("made already")), "data: x");
}

pub async fn a_lagging_follower_reads_from_the_store<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, EngineLimits { tail_cache_bytes_max: 300, ..limits() }).await;
    stage.put(json_stream("a")).await;
    let mut follower = stage.follow("a", ReadFrom::Start).await;
    let mut expected = String::new();
    for number in 0..50 {
        stage.post(json_append("a", &format!("[{number},\"{}\"]", "x".repeat(20)))).await;
        expected.push_str(&format!("{number},\n\"{}\",\n", "x".repeat(20)));
    }
    let mut seen = Vec::new();
    while seen.len() < expected.len() {
        let batch = next(&mut follower).await;
        assert!(batch.bytes.ends_with(b",\n") && batch.start.get() == seen.len() as u64);
        seen.extend_from_slice(&batch.bytes);
    }
    assert_eq!(String::from_utf8(seen).unwrap(), expected);
    assert!(stage.faults.reads() > 0, "the cache is too small for all of it");
    assert!(is_waiting(&mut follower));
}

pub async fn long_json_messages_reach_followers_whole<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(json_stream("a")).await;
    let long = format!("\"{}\"", "y".repeat(600_000));
    stage.post(json_append("a", &format!("[1,2,{long},3]"))).await;
    check_long(&stage, &long).await;
    let stage = stage.reopen().await;
    check_long(&stage, &long).await;
}

async fn check_long<R: Reopen>(stage: &Stage<R>, long: &str) {
    let mut follower = stage.follow("a", ReadFrom::Start).await;
    let mut seen = Vec::new();
    while !follower.at_tail().0 {
        let batch = next(&mut follower).await;
        assert!(batch.bytes.ends_with(b",\n"), "batches end between messages");
        seen.extend_from_slice(&batch.bytes);
    }
    assert!(seen == format!("1,\n2,\n{long},\n3,\n").into_bytes());
}

pub async fn a_close_ends_the_stream_for_followers<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut waiting = stage.follow("a", ReadFrom::Now).await;
    let mut behind = stage.follow("a", ReadFrom::Start).await;
    assert!(is_waiting(&mut waiting));
    stage.post(headwater_streams::Append { close: true, ..append("a", "end") }).await;
    for follower in [&mut waiting, &mut behind] {
        let batch = next(follower).await;
        assert_eq!((&batch.bytes[..], batch.up_to_date, batch.closed), (&b"end"[..], true, true));
        let batch = next(follower).await;
        assert!(batch.bytes.is_empty() && batch.closed);
    }
    let mut late = stage.follow("a", ReadFrom::Now).await;
    assert!(next(&mut late).await.closed);
}

pub async fn a_bare_close_wakes_a_waiting_follower<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    assert!(is_waiting(&mut follower));
    let task = tokio::spawn(async move { next(&mut follower).await.closed });
    tokio::task::yield_now().await;
    stage.post(close("a")).await;
    assert!(within(task).await.unwrap());
}

pub async fn a_delete_ends_followers_at_once<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "unread")).await;
    let mut waiting = stage.follow("a", ReadFrom::Now).await;
    let mut behind = stage.follow("a", ReadFrom::Start).await;
    assert!(is_waiting(&mut waiting));
    let task = tokio::spawn(async move { within(waiting.next()).await });
    tokio::task::yield_now().await;
    stage.delete("a").await;
    stage.put(text("a")).await;
    assert_refused!(within(task).await.unwrap(), ReadError::NotFound);
    assert_refused!(within(behind.next()).await, ReadError::NotFound);
}

pub async fn a_soft_delete_ends_followers_of_the_source_only<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(fork("b", "a")).await;
    let mut of_source = stage.follow("a", ReadFrom::Now).await;
    let mut of_fork = stage.follow("b", ReadFrom::Now).await;
    assert!(is_waiting(&mut of_source));
    stage.delete("a").await;
    assert_refused!(within(of_source.next()).await, ReadError::Gone);
    assert!(is_waiting(&mut of_fork));
}

pub async fn stopping_ends_followers_even_when_an_append_comes_last<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    super::hold_committer(&stage).await;
    let (engine, stopped) = (&stage.engine, stage.engine.clone());
    let (appended, stopped, ()) = tokio::join!(
        biased;
        engine.append(append("a", "last")),
        stopped.shutdown(),
        async { stage.faults.release() },
    );
    assert!(appended.is_ok() && stopped.is_ok());
    assert_refused!(within(follower.next()).await, ReadError::Engine(EngineError::Stopping));
    assert_refused!(stage.engine.append(append("a", "x")).await, headwater_streams::AppendError::Engine(_));
    assert!(!stage.engine.is_ready());
}

pub async fn the_last_handle_ends_followers<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let mut follower = stage.follow("a", ReadFrom::Now).await;
    assert!(is_waiting(&mut follower));
    drop(stage);
    assert_refused!(within(follower.next()).await, ReadError::Engine(EngineError::Stopping));
}

pub async fn a_trim_overtakes_a_lagging_follower<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "0123")).await;
    let mut follower = stage.follow("a", ReadFrom::Start).await;
    stage.engine.trim(&path("a"), headwater_protocol::Offset::new(2)).await.unwrap();
    assert_refused!(within(follower.next()).await, ReadError::Trimmed { earliest } if earliest.get() == 2);
}

pub async fn live_readers_are_limited_per_stream_and_over_all<R: Reopen>(factory: R) {
    let bounds = EngineLimits { live_readers_per_stream_max: 2, live_readers_max: 3, ..limits() };
    let stage = Stage::with_limits(factory, bounds).await;
    stage.put(text("a")).await;
    stage.put(text("b")).await;
    let first = stage.follow("a", ReadFrom::Now).await;
    let _second = stage.follow("a", ReadFrom::Now).await;
    assert_refused!(stage.engine.follow(&path("a"), ReadFrom::Now).await, ReadError::TooManyReaders);
    let _third = stage.follow("b", ReadFrom::Now).await;
    assert_refused!(stage.engine.follow(&path("b"), ReadFrom::Now).await, ReadError::TooManyReaders);
    assert_eq!(stage.engine.live_readers(), 3);
    drop(first);
    let _fourth = stage.follow("a", ReadFrom::Now).await;
    assert_refused!(stage.engine.follow(&path("a"), at(99)).await, ReadError::TooManyReaders);
}

pub async fn a_refused_follow_leaves_no_reader_behind<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    assert_refused!(stage.engine.follow(&path("a"), at(1)).await, ReadError::NotAnOffset);
    assert_refused!(stage.engine.follow(&path("b"), at(0)).await, ReadError::NotFound);
    assert_eq!(stage.engine.live_readers(), 0);
}

pub async fn a_read_overtaken_by_a_delete_says_so<R: Reopen>(factory: R) {
    let stage = without_cache(factory).await;
    let mut follower = stage.follow("a", ReadFrom::Start).await;
    let (engine, a) = (&stage.engine, path("a"));
    stage.faults.hold_landed();
    let (removed, seen) = tokio::join!(engine.delete(&a), read_while_landed(&stage, &mut follower));
    removed.unwrap();
    // A store may still have had the bytes; what it must not do is name another reason.
    assert!(matches!(seen, Ok(_) | Err(ReadError::NotFound)), "{seen:?}");
}

pub async fn a_read_overtaken_by_a_trim_says_so<R: Reopen>(factory: R) {
    let stage = without_cache(factory).await;
    let mut follower = stage.follow("a", ReadFrom::Start).await;
    let (engine, a) = (&stage.engine, path("a"));
    stage.faults.hold_landed();
    let trim = engine.trim(&a, headwater_protocol::Offset::new(10));
    let (trimmed, seen) = tokio::join!(trim, read_while_landed(&stage, &mut follower));
    trimmed.unwrap();
    assert!(matches!(seen, Ok(_) | Err(ReadError::Trimmed { .. })), "{seen:?}");
}

async fn without_cache<R: Reopen>(factory: R) -> Stage<R> {
    let stage = Stage::with_limits(factory, EngineLimits { tail_cache_bytes_max: 0, ..limits() }).await;
    stage.put(text("a")).await;
    stage.post(append("a", "0123456789")).await;
    stage
}

/// Begins to read when a commit has landed and nobody has been told, and goes on when everybody has.
async fn read_while_landed<R: Reopen>(
    stage: &Stage<R>,
    follower: &mut headwater_streams::Follower<crate::FaultyStore<R::Store>>,
) -> Result<headwater_streams::Batch, ReadError> {
    within(stage.faults.commit_waits()).await;
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let early = follower.poll_next(&mut context);
    stage.faults.release();
    match early {
        std::task::Poll::Ready(seen) => seen,
        std::task::Poll::Pending => within(follower.next()).await,
    }
}
