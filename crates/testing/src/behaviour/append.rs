//! Appending, closing, `Stream-Seq`, and idempotent producers, as far as they need a store.

use headwater_protocol::{Offset, ReadFrom};
use headwater_streams::limits::EngineLimits;
use headwater_streams::{Append, AppendError, Appended};

use super::assert_refused;
use crate::reopen::Reopen;
use crate::stage::{Stage, append, close, json_append, limits, path, produced, stream_seq, text};

pub async fn appends_come_back_in_order<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    for (payload, tail) in [("one", 3), ("two", 6), ("three", 11)] {
        assert_eq!(stage.post(append("a", payload)).await, Offset::new(tail));
    }
    assert_eq!(stage.read("a").await, "onetwothree");
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "onetwothree");
    assert_eq!(stage.post(append("a", "!")).await, Offset::new(12));
    assert_eq!(stage.read("a").await, "onetwothree!");
}

pub async fn many_appends_share_one_commit<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.put(text("b")).await;
    super::hold_committer(&stage).await;
    let before = stage.counts.commits();
    let engine = &stage.engine;
    let (one, two, three, four, ()) = tokio::join!(
        biased;
        engine.append(append("a", "1")),
        engine.append(append("b", "2")),
        engine.append(append("a", "3")),
        engine.append(close("a")),
        async { stage.faults.release() },
    );
    assert_eq!(one.unwrap(), Appended::Written { next: Offset::new(1), closed: false });
    assert_eq!(two.unwrap(), Appended::Written { next: Offset::new(1), closed: false });
    assert_eq!(three.unwrap(), Appended::Written { next: Offset::new(2), closed: false });
    assert_eq!(four.unwrap(), Appended::Written { next: Offset::new(2), closed: true });
    assert!(stage.counts.commits() <= before + 2, "the held commit and one more");
    assert_eq!((stage.read("a").await, stage.read("b").await), ("13".into(), "2".into()));
}

pub async fn large_and_small_payloads_mix<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let large = "x".repeat(300_000);
    super::hold_committer(&stage).await;
    let engine = &stage.engine;
    let (one, two, three, ()) = tokio::join!(
        biased;
        engine.append(append("a", "<")),
        engine.append(append("a", large.clone())),
        engine.append(append("a", ">")),
        async { stage.faults.release() },
    );
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    stage.post(append("a", large.clone())).await;
    assert_eq!(stage.read("a").await, format!("<{large}>{large}"));
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, format!("<{large}>{large}"));
}

pub async fn a_closed_stream_takes_nothing_and_says_where_it_ends<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let last = Append { close: true, ..append("a", "end") };
    let closed = Appended::Written { next: Offset::new(3), closed: true };
    assert_eq!(stage.engine.append(last).await.unwrap(), closed);
    let stage = stage.reopen().await;
    assert_refused!(stage.engine.append(append("a", "x")).await, AppendError::Closed { tail } if tail.get() == 3);
    assert_refused!(stage.engine.append(json_append("a", "1")).await, AppendError::Closed { .. });
    let again = Appended::Duplicate { next: Offset::new(3), closed: true, highest: None };
    assert_eq!(stage.engine.append(close("a")).await.unwrap(), again);
    assert!(stage.engine.metadata(&path("a")).await.unwrap().closed);
}

pub async fn a_body_of_another_type_is_refused<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    assert_refused!(stage.engine.append(json_append("a", "1")).await, AppendError::ContentTypeDiffers(_));
    let untyped = Append { content_type: None, ..append("a", "x") };
    assert_refused!(stage.engine.append(untyped).await, AppendError::ContentTypeDiffers(_));
    assert_eq!(stage.tail("a").await, 0);
}

pub async fn stream_seq_must_grow_across_restarts<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let marked = |seq, payload: &'static str| Append { stream_seq: stream_seq(seq), ..append("a", payload) };
    stage.post(marked("09", "x")).await;
    assert_refused!(stage.engine.append(marked("09", "y")).await, AppendError::StreamSeqNotIncreasing);
    stage.post(append("a", "-")).await;
    let stage = stage.reopen().await;
    assert_refused!(stage.engine.append(marked("08", "y")).await, AppendError::StreamSeqNotIncreasing);
    stage.post(marked("1", "z")).await;
    assert_eq!(stage.read("a").await, "x-z");
}

pub async fn a_producers_retry_is_recognised_across_restarts<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(produced("a", "0", "p", 7, 0)).await;
    stage.post(produced("a", "1", "p", 7, 1)).await;
    let stage = stage.reopen().await;
    for seq in [0, 1] {
        let Ok(Appended::Duplicate { next, closed: false, highest: Some((epoch, highest)) }) =
            stage.engine.append(produced("a", "again", "p", 7, seq)).await
        else {
            panic!("a retry is a duplicate");
        };
        assert_eq!((next.get(), epoch.get(), highest.get()), (2, 7, 1));
    }
    let gap = stage.engine.append(produced("a", "3", "p", 7, 3)).await;
    assert_refused!(gap, AppendError::Gap { expected, received } if (expected.get(), received.get()) == (2, 3));
    assert_refused!(stage.engine.append(produced("a", "0", "p", 6, 0)).await, AppendError::Fenced { .. });
    assert_refused!(stage.engine.append(produced("a", "0", "p", 8, 1)).await, AppendError::EpochStart);
    stage.post(produced("a", "2", "p", 8, 0)).await;
    assert_refused!(stage.engine.append(produced("a", "2", "p", 7, 2)).await, AppendError::Fenced { .. });
    assert_eq!(stage.read("a").await, "012");
}

pub async fn a_producers_requests_pass_in_one_batch<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    super::hold_committer(&stage).await;
    let engine = &stage.engine;
    let (one, again, two, gap, other, ()) = tokio::join!(
        biased;
        engine.append(produced("a", "0", "p", 0, 0)),
        engine.append(produced("a", "0", "p", 0, 0)),
        engine.append(produced("a", "1", "p", 0, 1)),
        engine.append(produced("a", "3", "p", 0, 3)),
        engine.append(produced("a", "q", "q", 0, 0)),
        async { stage.faults.release() },
    );
    assert!(matches!(one, Ok(Appended::Written { .. })) && matches!(again, Ok(Appended::Duplicate { .. })));
    assert!(two.is_ok() && other.is_ok());
    assert_refused!(gap, AppendError::Gap { .. });
    let stage = stage.reopen().await;
    assert_eq!(stage.read("a").await, "01q");
    let retry = stage.engine.append(produced("a", "1", "p", 0, 1)).await;
    assert!(matches!(retry, Ok(Appended::Duplicate { .. })));
}

pub async fn the_request_that_closed_a_stream_may_be_repeated<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    let last = Append { close: true, ..produced("a", "end", "p", 1, 0) };
    stage.post(last.clone()).await;
    let stage = stage.reopen().await;
    assert!(matches!(stage.engine.append(last).await, Ok(Appended::Duplicate { closed: true, highest: Some(_), .. })));
    assert_refused!(stage.engine.append(produced("a", "x", "p", 1, 1)).await, AppendError::Closed { .. });
    assert_refused!(stage.engine.append(produced("a", "x", "p", 0, 0)).await, AppendError::Fenced { .. });
}

pub async fn a_stream_remembers_so_many_producers_and_no_more<R: Reopen>(factory: R) {
    let stage = Stage::with_limits(factory, EngineLimits { producers_per_stream_max: 2, ..limits() }).await;
    stage.put(text("a")).await;
    stage.post(produced("a", "p", "p", 0, 0)).await;
    stage.post(produced("a", "q", "q", 0, 0)).await;
    assert_refused!(stage.engine.append(produced("a", "r", "r", 0, 0)).await, AppendError::TooManyProducers(2));
    stage.post(produced("a", "p", "p", 0, 1)).await;
    stage.post(append("a", "-")).await;
    assert_eq!(stage.read("a").await, "pqp-");
}

pub async fn a_new_incarnation_knows_no_producers<R: Reopen>(factory: R) {
    let stage = Stage::new(factory).await;
    stage.put(text("a")).await;
    stage.post(Append { stream_seq: stream_seq("9"), ..produced("a", "old", "p", 5, 0) }).await;
    stage.delete("a").await;
    stage.put(text("a")).await;
    stage.post(Append { stream_seq: stream_seq("1"), ..produced("a", "new", "p", 0, 0) }).await;
    let (_, bytes) = stage.page("a", ReadFrom::Start).await.unwrap();
    assert_eq!(bytes, "new");
}
