//! Many requests under way at once, what may be told meanwhile, and what a failure leaves.

use futures_util::FutureExt as _;
use headwater_sessions::{ErrorCode, SessionError, Sessions};
use headwater_streams::Store;
use headwater_testing::stage::within;
use serde_json::json;

use crate::house::{chunk, fold, house, new_session, request, stamp};

fn spawn<S: Store>(
    sessions: &Sessions<S>,
    id: &headwater_sessions::SessionId,
    event: serde_json::Value,
) -> tokio::task::JoinHandle<Result<headwater_sessions::Published, SessionError>> {
    let (sessions, id) = (sessions.clone(), id.clone());
    tokio::spawn(async move { sessions.publish(&id, request(&id, &event), None).await })
}

#[tokio::test]
async fn requests_of_one_session_share_commits_and_keep_their_order() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, chunk("first", "x")).await;
    let before = house.stage.counts.commits();
    house.stage.faults.hold();
    let waiting: Vec<_> =
        (0..100).map(|number| spawn(&house.sessions, &id, chunk(&format!("{number:03}"), "y"))).collect();
    within(house.stage.faults.commit_waits()).await;
    // Every request gets its turns to queue while the first commit is held.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    house.stage.faults.release();
    let mut seqs = Vec::new();
    for task in waiting {
        seqs.push(within(task).await.unwrap().unwrap().results[0].seq);
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (2..=101).collect::<Vec<u64>>());
    assert!(house.stage.counts.commits() - before < 50);
    assert_eq!(house.state(&id).await, fold(&house.log_of(&id).await));
}

#[tokio::test]
async fn nothing_is_told_before_it_is_durable() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, chunk("c1", "x")).await;
    house.stage.faults.hold();
    let written = spawn(&house.sessions, &id, chunk("c2", "y"));
    within(house.stage.faults.commit_waits()).await;
    let repeated = spawn(&house.sessions, &id, chunk("c2", "y"));
    let refused = spawn(&house.sessions, &id, chunk("c2", "other"));
    tokio::task::yield_now().await;
    assert!(house.sessions.state(&id).now_or_never().is_none(), "the state shows what is not durable yet");
    assert!(house.sessions.get(&id).now_or_never().is_none());
    assert!(!repeated.is_finished() && !refused.is_finished());
    house.stage.faults.release();
    let written = within(written).await.unwrap().unwrap();
    let repeated = within(repeated).await.unwrap().unwrap();
    assert_eq!((repeated.duplicate, repeated.offset), (true, written.offset));
    assert_eq!(within(refused).await.unwrap().unwrap_err().code(), ErrorCode::EventConflict);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_is_there_or_not_and_the_state_agrees() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, chunk("c0", "w")).await;
    house.stage.faults.hold();
    let dropped = spawn(&house.sessions, &id, chunk("c1", "x"));
    within(house.stage.faults.commit_waits()).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    house.stage.faults.release();
    let after = house.post(&id, chunk("c2", "y")).await;
    assert_eq!(after.results[0].seq, 3);
    assert_eq!(house.state(&id).await, fold(&house.log_of(&id).await));
}

#[tokio::test]
async fn after_a_failed_commit_nothing_of_it_is_shown_and_the_next_start_goes_on() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, chunk("c1", "x")).await;
    house.stage.faults.fail_commits();
    let error = house.try_post(&id, chunk("c2", "y")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SessionSyncFailed);
    assert_eq!(house.log_of(&id).await.len(), 1, "what is durable can be read");
    assert_eq!(house.state(&id).await, fold(&house.log_of(&id).await));
    assert!(house.sessions.create(new_session("p")).await.is_err());
    let house = house.crash().await;
    assert_eq!(house.state(&id).await, fold(&house.log_of(&id).await));
    house.post(&id, chunk("c3", "z")).await;
}

#[tokio::test]
async fn a_retry_that_overtakes_the_answer_is_a_duplicate() {
    let house = house().await;
    let id = house.session().await;
    house.stamped(&id, chunk("c0", "x"), stamp(0)).await.unwrap();
    house.stage.faults.hold();
    let event = json!({"channel": "chunks", "data": {"agentId": "coder", "text": "once"}});
    let ask = || {
        let (sessions, id, request) = (house.sessions.clone(), id.clone(), request(&id, &event));
        tokio::spawn(async move { sessions.publish(&id, request, Some(stamp(1))).await })
    };
    let (first, second) = (ask(), ask());
    within(house.stage.faults.commit_waits()).await;
    house.stage.faults.release();
    let (first, second) = (within(first).await.unwrap().unwrap(), within(second).await.unwrap().unwrap());
    assert!(first.duplicate != second.duplicate);
    let log = house.log_of(&id).await;
    assert_eq!(log.len(), 2);
    assert_eq!(house.state(&id).await, fold(&log));
}
