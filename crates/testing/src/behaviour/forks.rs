//! Forks: shared history, spans, and who outlives whom.

use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::{AppendError, Create, CreateError, DeleteError, ReadError, TrimError};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{
    Stage, append, close, content_type, fork, fork_at, is_waiting, json_append, json_stream, next, path, produced,
    sliding, text,
};

pub async fn a_fork_shares_history_and_nothing_after_it<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "shared")).await;
    stage.put(fork("b", "a")).await;
    stage.post(append("a", "-source")).await;
    assert_eq!(stage.post(append("b", "+fork")).await.get(), 11);
    assert_eq!((stage.read("a").await, stage.read("b").await), ("shared-source".into(), "shared+fork".into()));
    let stage = stage.reopen().await;
    assert_eq!((stage.read("a").await, stage.read("b").await), ("shared-source".into(), "shared+fork".into()));
}

pub async fn a_fork_takes_its_first_content_with_it<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "0123456789")).await;
    let created = stage.put(Create { payload: "xy".into(), closed: true, ..fork_at("b", "a", Some(4), 0) }).await;
    assert_eq!((created.metadata.tail.get(), created.metadata.closed), (6, true));
    assert_eq!(stage.read("b").await, "0123xy");
}

pub async fn chains_of_forks_read_through<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("f0")).await;
    stage.post(append("f0", "000000")).await;
    for level in 1..8 {
        let (source, name) = (format!("f{}", level - 1), format!("f{level}"));
        stage.put(fork_at(&name, &source, Some(6 + (level - 1) * 2), 0)).await;
        stage.post(append(&name, level.to_string().repeat(4))).await;
    }
    // A point far down the chain: below what the last ones added themselves.
    stage.put(fork_at("low", "f7", Some(7), 0)).await;
    for round in 0..2 {
        assert_eq!(stage.read("f7").await, "0000001122334455667777", "in round {round}");
        assert_eq!(stage.read("low").await, "0000001");
        assert_eq!(stage.read("f1").await, "0000001111");
    }
    let stage = stage.reopen().await;
    assert_eq!(stage.read("f7").await, "0000001122334455667777");
    let mut follower = stage.follow("f7", ReadFrom::Start).await;
    let mut seen = Vec::new();
    while !follower.at_tail().0 {
        seen.extend_from_slice(&next(&mut follower).await.bytes);
    }
    assert_eq!(seen, b"0000001122334455667777");
}

pub async fn sub_offsets_count_messages_or_bytes<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(json_stream("j")).await;
    stage.post(json_append("j", r#"["a","bb","ccc"]"#)).await;
    stage.put(text("t")).await;
    stage.post(append("t", "0123456789")).await;
    stage.put(fork_at("j1", "j", Some(0), 2)).await;
    stage.put(fork_at("j2", "j", Some(5), 2)).await;
    stage.put(fork_at("t1", "t", Some(3), 4)).await;
    assert_eq!((stage.read("j1").await, stage.read("t1").await), ("\"a\",\n\"bb\",\n".into(), "0123456".into()));
    assert_eq!(stage.read("j2").await, stage.read("j").await);
    assert_refused!(stage.engine.create(fork_at("x", "j", Some(5), 3)).await, CreateError::ForkSubOffset);
    assert_refused!(stage.engine.create(fork_at("x", "t", Some(3), 8)).await, CreateError::ForkSubOffset);
    assert_refused!(stage.engine.create(fork_at("x", "t", Some(3), u64::MAX)).await, CreateError::ForkSubOffset);
    assert_refused!(stage.engine.create(fork_at("x", "t", None, 1)).await, CreateError::ForkSubOffset);
}

pub async fn fork_points_outside_the_data_are_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(json_stream("a")).await;
    stage.post(json_append("a", "[1,2]")).await;
    let refused = stage.engine.create(fork_at("b", "a", Some(7), 0)).await;
    assert_refused!(refused, CreateError::ForkOffset { tail } if tail.get() == 6);
    assert_refused!(stage.engine.create(fork_at("b", "a", Some(4), 0)).await, CreateError::ForkOffsetInsideMessage);
    assert_refused!(stage.engine.create(fork("b", "nowhere")).await, CreateError::SourceNotFound);
    let other_type = Create { content_type: Some(content_type("text/plain")), ..fork("b", "a") };
    assert_refused!(stage.engine.create(other_type).await, CreateError::SourceContentType(_));
    assert!(!stage.exists("b").await);
    stage.engine.trim(&path("a"), Offset::new(3)).await.unwrap();
    assert_refused!(stage.engine.create(fork_at("b", "a", Some(0), 0)).await, CreateError::ForkOffset { .. });
    stage.put(fork_at("b", "a", Some(6), 0)).await;
    assert_eq!(stage.read("b").await, "2,\n", "what the source gave up stays given up");
}

pub async fn the_same_fork_again_is_found_and_another_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(text("c")).await;
    stage.post(append("a", "0123")).await;
    stage.put(fork("b", "a")).await;
    stage.post(append("a", "4567")).await;
    assert!(!stage.engine.create(fork("b", "a")).await.unwrap().is_new, "no offset means the same each time");
    assert!(!stage.engine.create(fork_at("b", "a", Some(4), 0)).await.unwrap().is_new);
    for other in [fork_at("b", "a", Some(3), 0), fork_at("b", "a", Some(3), 1), fork("b", "c"), text("b")] {
        assert_refused!(stage.engine.create(other).await, CreateError::Differs("fork origin"));
    }
    assert_refused!(stage.engine.create(fork("c", "a")).await, CreateError::Differs("fork origin"));
    stage.delete("a").await;
    assert!(!stage.engine.create(fork("b", "a")).await.unwrap().is_new, "also when the source is deleted");
}

pub async fn a_fork_of_a_closed_stream_is_open<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "x")).await;
    stage.post(close("a")).await;
    stage.put(fork("b", "a")).await;
    stage.post(append("b", "y")).await;
    assert_eq!(stage.read("b").await, "xy");
}

pub async fn a_fork_inherits_lifetime_but_no_producers<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(sliding("a", 60)).await;
    stage.post(produced("a", "x", "p", 3, 0)).await;
    stage.put(fork("b", "a")).await;
    let lifetime = stage.engine.metadata(&path("b")).await.unwrap().lifetime;
    assert_eq!(Some(lifetime), sliding("x", 60).lifetime);
    assert_refused!(stage.engine.append(produced("b", "y", "p", 3, 1)).await, AppendError::Gap { .. });
    stage.post(produced("b", "y", "p", 0, 0)).await;
}

pub async fn a_source_with_forks_is_kept_for_them<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "kept")).await;
    stage.put(fork("b", "a")).await;
    stage.delete("a").await;
    let stage = stage.reopen().await;
    assert_refused!(stage.page("a", ReadFrom::Start).await, ReadError::Gone);
    assert_refused!(stage.engine.metadata(&path("a")).await, ReadError::Gone);
    assert_refused!(stage.engine.append(append("a", "x")).await, AppendError::Gone);
    assert_refused!(stage.engine.delete(&path("a")).await, DeleteError::Gone);
    assert_refused!(stage.engine.trim(&path("a"), Offset::new(1)).await, TrimError::Gone);
    assert_refused!(stage.engine.create(text("a")).await, CreateError::PathHeld);
    assert_refused!(stage.engine.create(fork("c", "a")).await, CreateError::SourceDeleted);
    assert_eq!(stage.read("b").await, "kept");
    stage.put(fork("c", "b")).await;
    stage.delete("b").await;
    assert_eq!(stage.read("c").await, "kept");
}

pub async fn the_last_fork_takes_the_deleted_chain_with_it<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "x")).await;
    stage.put(fork("b", "a")).await;
    stage.put(fork("c", "b")).await;
    stage.put(fork("d", "b")).await;
    stage.delete("b").await;
    stage.delete("a").await;
    stage.delete("d").await;
    assert_refused!(stage.engine.metadata(&path("a")).await, ReadError::Gone);
    let stage = stage.reopen().await;
    stage.delete("c").await;
    for name in ["a", "b", "c", "d"] {
        assert_refused!(stage.engine.metadata(&path(name)).await, ReadError::NotFound);
        stage.put(text(name)).await;
    }
}

pub async fn a_living_source_survives_its_forks<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "x")).await;
    stage.put(fork("b", "a")).await;
    assert_refused!(stage.engine.trim(&path("a"), Offset::new(1)).await, TrimError::HasForks(1));
    stage.delete("b").await;
    assert_eq!(stage.read("a").await, "x");
    stage.engine.trim(&path("a"), Offset::new(1)).await.unwrap();
    stage.delete("a").await;
    stage.put(text("a")).await;
}

pub async fn a_follower_of_a_fork_never_sees_the_source_go_on<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(append("a", "x")).await;
    stage.put(fork("b", "a")).await;
    let mut follower = stage.follow("b", ReadFrom::Start).await;
    assert_eq!(next(&mut follower).await.bytes, "x");
    stage.post(append("a", "source")).await;
    assert!(is_waiting(&mut follower));
    stage.post(append("b", "fork")).await;
    assert_eq!(next(&mut follower).await.bytes, "fork");
}

pub async fn a_fork_made_and_deleted_in_one_batch_leaves_no_trace<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(fork("b", "a")).await;
    super::hold_committer(&stage).await;
    let (engine, a, b) = (&stage.engine, path("a"), path("b"));
    let (one, two, three, ()) = tokio::join!(
        biased;
        engine.append(append("a", "x")),
        engine.delete(&b),
        engine.delete(&a),
        async { stage.faults.release() },
    );
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    let stage = stage.reopen().await;
    assert!(stage.engine.list("", None, 9).await.unwrap().is_empty());
}

pub async fn chains_too_deep_are_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(Create { payload: "x".into(), ..text("0") }).await;
    let mut refused = None;
    for level in 1..=headwater_streams::limits::FORK_SPANS_MAX + 1 {
        let create = Create { payload: "x".into(), ..fork(&level.to_string(), &(level - 1).to_string()) };
        if let Err(cause) = stage.engine.create(create).await {
            refused = Some((level, cause));
            break;
        }
    }
    assert!(matches!(refused, Some((257, CreateError::TooManySpans(257)))), "{refused:?}");
    assert_eq!(stage.read("256").await.len(), 257);
}
