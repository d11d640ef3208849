//! Events go when their retention is over, and with them what they were folded to.

use headwater_protocol::{Offset, ReadFrom};
use headwater_sessions::limits::RETENTION_MS_DEFAULT;
use headwater_sessions::{NewFork, NewSession, RowType};
use headwater_streams::ReadError;
use headwater_testing::stage::at;
use serde_json::json;

use crate::house::{chunk, fold, house, id_of, line, new_session};

const MINUTE_MS: u64 = 60_000;

fn short() -> NewSession {
    NewSession { retention_ms: Some(10 * MINUTE_MS), ..new_session("p") }
}

#[tokio::test]
async fn expired_events_are_trimmed_and_leave_the_state() {
    let house = house().await;
    let id = id_of(&house.sessions.create(short()).await.unwrap());
    let first = house.post(&id, json!([line("old"), chunk("c1", "old")])).await;
    house.stage.clock.advance(6 * MINUTE_MS);
    house.post(&id, line("new")).await;
    house.stage.clock.advance(4 * MINUTE_MS);
    house.sessions.upkeep().await;
    assert_eq!(house.log_of(&id).await.len(), 3, "not a moment too soon");
    house.stage.clock.advance(MINUTE_MS);
    house.sessions.upkeep().await;
    let view = house.sessions.get(&id).await.unwrap();
    assert_eq!((view.earliest, view.event_count), (first.offset, 3));
    let gone = house.stage.page(id.stream().as_str(), at(0)).await.unwrap_err();
    assert!(matches!(gone, ReadError::Trimmed { earliest } if earliest == first.offset));
    let state = house.state(&id).await;
    assert!(state.messages().is_empty());
    assert_eq!(state.rows(RowType::Terminal).count(), 1);
    let house = house.crash().await;
    assert_eq!(house.state(&id).await, state, "the frozen state goes on after the cut");
    house.stage.clock.advance(20 * MINUTE_MS);
    house.sessions.upkeep().await;
    assert!(house.log_of(&id).await.is_empty());
    assert_eq!(house.post(&id, line("later")).await.results[0].seq, 4);
}

#[tokio::test]
async fn a_message_with_a_chunk_that_is_kept_is_kept_whole_across_a_crash() {
    let house = house().await;
    let id = id_of(&house.sessions.create(short()).await.unwrap());
    house.post(&id, chunk("c1", "begun ")).await;
    house.stage.clock.advance(6 * MINUTE_MS);
    house.post(&id, chunk("c2", "ended")).await;
    house.stage.clock.advance(5 * MINUTE_MS);
    house.sessions.upkeep().await;
    assert_eq!(house.log_of(&id).await.len(), 1);
    let house = house.crash().await;
    assert_eq!(house.state(&id).await.messages().iter().next().unwrap().text, "begun ended");
}

#[tokio::test]
async fn agents_streams_keep_the_longest_retention() {
    let house = house().await;
    let id = id_of(&house.sessions.create(short()).await.unwrap());
    house.post(&id, chunk("c1", "x")).await;
    house.stage.clock.advance(20 * MINUTE_MS);
    house.sessions.upkeep().await;
    assert!(house.log_of(&id).await.is_empty());
    assert_eq!(house.log("agent/coder").await.len(), 1);
    house.stage.clock.advance(RETENTION_MS_DEFAULT);
    house.sessions.upkeep().await;
    assert!(house.log("agent/coder").await.is_empty());
}

#[tokio::test]
async fn a_source_is_trimmed_once_its_forks_are_gone_and_a_fork_at_once() {
    let house = house().await;
    let id = id_of(&house.sessions.create(short()).await.unwrap());
    house.post(&id, line("old")).await;
    let fork = id_of(&house.sessions.fork(&id, None, NewFork::default()).await.unwrap());
    house.stage.clock.advance(11 * MINUTE_MS);
    house.sessions.upkeep().await;
    assert_eq!(house.log_of(&id).await.len(), 1);
    assert!(house.log_of(&fork).await.is_empty());
    house.sessions.delete(&fork).await.unwrap();
    house.stage.clock.advance(MINUTE_MS);
    house.sessions.upkeep().await;
    assert!(house.log_of(&id).await.is_empty());
    let (page, _) = house.stage.page(id.stream().as_str(), ReadFrom::Start).await.unwrap();
    assert!(page.start > Offset::START);
    assert_ne!(house.state(&id).await, fold(&[]), "positions go on");
}
