//! Readers of what the service writes.

use headwater_protocol::ReadFrom;
use headwater_sessions::limits::PRESENCE_TTL_MS;
use headwater_sessions::{AgentId, Channel, ErrorCode, ExportFormat, HistoryQuery, Item, Operation, SessionId};
use headwater_testing::stage::within;
use serde_json::json;

use crate::house::{chunk, house, line, user};

#[tokio::test]
async fn a_follower_sees_events_comings_and_goings_and_the_end() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, json!([chunk("c1", "x"), user("ada")])).await;
    let mut follower = house.sessions.follow(&id, ReadFrom::Start).await.unwrap();
    let mut told = Vec::new();
    let mut is_caught_up = false;
    while told.len() < 2 || !is_caught_up {
        match within(follower.next()).await.unwrap() {
            Item::Event(event) => told.push((event.channel, event.operation, event.offset.is_some())),
            Item::CaughtUp => is_caught_up = true,
            other => panic!("{other:?}"),
        }
    }
    told.sort_by_key(|(channel, ..)| *channel);
    assert_eq!(told, [(Channel::Chunks, Operation::Insert, true), (Channel::Presence, Operation::Insert, false)]);
    house.stage.clock.advance(PRESENCE_TTL_MS);
    house.sessions.upkeep().await;
    let Item::Event(gone) = within(follower.next()).await.unwrap() else { panic!("somebody went") };
    assert_eq!((gone.channel, gone.operation, gone.key.as_str()), (Channel::Presence, Operation::Delete, "ada"));
    house.sessions.close(&id).await.unwrap();
    assert!(matches!(within(follower.next()).await.unwrap(), Item::Closed));
}

#[tokio::test]
async fn history_and_exports_and_agents_streams_hold_what_was_published() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, json!([chunk("c1", "said"), line("typed")])).await;
    assert_eq!(house.sessions.history(&id, &HistoryQuery::default()).await.unwrap().events.len(), 2);
    assert_eq!(house.sessions.events(&id, ReadFrom::Start, None).await.unwrap().events.len(), 2);
    let mut export = house.sessions.export(&id, ExportFormat::Markdown).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = export.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    assert!(String::from_utf8(text).unwrap().contains("said"));
    let mut agent = house.sessions.follow_agent(&AgentId::new("coder").unwrap(), ReadFrom::Start).await.unwrap();
    assert!(matches!(within(agent.next()).await.unwrap(), Item::Event(_)));
    let missing = SessionId::new("missing").unwrap();
    let error = house.sessions.history(&missing, &HistoryQuery::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::SessionNotFound);
}
