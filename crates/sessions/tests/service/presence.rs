//! Who is there: in memory, by the server's clock, never in the transcript.

use headwater_sessions::SessionId;
use headwater_sessions::limits::{EMPTY_PRESENCE_MS, PRESENCE_TTL_MS};
use headwater_testing::SharedMemory;
use serde_json::json;

use crate::house::{House, house, line, user};

async fn present(house: &House<SharedMemory>, id: &SessionId) -> Vec<String> {
    house.sessions.presence(id).await.unwrap().0.into_iter().map(|user| user.user_id).collect()
}

async fn operations(house: &House<SharedMemory>, id: &SessionId) -> Vec<(String, String)> {
    let log = house.log(id.presence_stream().as_str()).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    log.iter().map(|(m, _)| (text(&m["headers"]["operation"]), text(&m["key"]))).collect()
}

#[tokio::test]
async fn presence_is_in_the_companion_stream_and_never_in_the_transcript() {
    let house = house().await;
    let id = house.session().await;
    let commits = house.stage.counts.commits();
    let published = house.post(&id, user("ada")).await;
    assert!(house.stage.counts.commits() > commits);
    assert!(house.log_of(&id).await.is_empty());
    assert_eq!(house.log(id.presence_stream().as_str()).await[0].1, published.offset);
    let house = house.crash().await;
    assert_eq!(house.sessions.get(&id).await.unwrap().event_count, 0);
}

#[tokio::test]
async fn silence_of_thirty_seconds_is_announced_and_heartbeats_put_it_off() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, json!([user("ada"), user("bob")])).await;
    house.stage.clock.advance(PRESENCE_TTL_MS - 1);
    house.post(&id, user("bob")).await;
    house.sessions.upkeep().await;
    assert_eq!(present(&house, &id).await, ["ada", "bob"]);
    house.stage.clock.advance(1);
    assert_eq!(present(&house, &id).await, ["bob"], "by the clock, before anything is announced");
    house.sessions.upkeep().await;
    assert_eq!(operations(&house, &id).await.last().unwrap(), &("delete".to_owned(), "ada".to_owned()));
    house.stage.clock.advance(PRESENCE_TTL_MS - 2);
    house.sessions.upkeep().await;
    assert_eq!(operations(&house, &id).await.len(), 4);
    house.stage.clock.advance(1);
    house.sessions.upkeep().await;
    assert_eq!(operations(&house, &id).await.last().unwrap(), &("delete".to_owned(), "bob".to_owned()));
    house.post(&id, user("ada")).await;
    house.stage.clock.advance(PRESENCE_TTL_MS);
    house.sessions.upkeep().await;
    assert_eq!(operations(&house, &id).await.last().unwrap(), &("delete".to_owned(), "ada".to_owned()));
}

#[tokio::test]
async fn a_heartbeat_keeps_cursor_and_time_of_joining() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, json!({"channel": "presence", "data": {"userId": "ada", "cursor": {"x": 1, "y": 2}}})).await;
    house.stage.clock.advance(10_000);
    house.post(&id, user("ada")).await;
    let log = house.log(id.presence_stream().as_str()).await;
    assert_eq!(log[1].0["value"]["cursor"], json!({"x": 1, "y": 2}));
    assert_eq!(log[1].0["value"]["joinedAt"], log[0].0["value"]["joinedAt"]);
    assert_eq!(log[1].0["headers"]["operation"], "update");
}

#[tokio::test]
async fn leaving_is_seen_at_once_and_only_of_those_who_are_there() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, json!([user("ada"), user("bob")])).await;
    let offset = house.sessions.leave(&id, "ada").await.unwrap();
    assert_eq!(present(&house, &id).await, ["bob"]);
    assert_eq!(house.sessions.leave(&id, "ada").await.unwrap(), offset);
    assert_eq!(operations(&house, &id).await.len(), 3);
}

#[tokio::test]
async fn a_companion_stream_that_is_empty_for_long_goes_and_comes_back() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, user("ada")).await;
    house.sessions.leave(&id, "ada").await.unwrap();
    house.stage.clock.advance(PRESENCE_TTL_MS);
    house.sessions.upkeep().await;
    assert!(house.stage.exists(id.presence_stream().as_str()).await);
    house.stage.clock.advance(EMPTY_PRESENCE_MS);
    house.sessions.upkeep().await;
    assert!(!house.stage.exists(id.presence_stream().as_str()).await);
    house.post(&id, json!([user("ada"), line("x")])).await;
    assert_eq!(present(&house, &id).await, ["ada"]);
}

#[tokio::test]
async fn users_of_a_live_companion_stream_are_known_to_a_service_that_starts_over_it() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, user("ada")).await;
    let other = house.forgetful().await;
    other.leave(&id, "bob").await.unwrap();
    assert_eq!(other.presence(&id).await.unwrap().0[0].user_id, "ada");
}
