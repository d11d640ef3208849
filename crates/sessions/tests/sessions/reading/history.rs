//! What happened, page by page.

use headwater_protocol::{Offset, ReadFrom};
use headwater_sessions::limits::{HISTORY_LIMIT_MAX, HISTORY_SCAN_BYTES_MAX};
use headwater_sessions::{Channel, ErrorCode, HistoryQuery, SessionEvent, events, history};
use headwater_testing::stage::path;
use serde_json::{Value, json};

use super::world::World;

fn line(text: &str) -> Value {
    json!({"channel": "terminal", "data": {"type": "output", "data": text, "source": "agent"}})
}

fn token(text: &str) -> Value {
    json!({"channel": "chunks", "data": {"agentId": "coder", "text": text}})
}

async fn world() -> World {
    let mut world = World::new().await;
    for number in 0..10_u64 {
        world.post(json!([token(&number.to_string()), line("x")]), 1_000 + number).await;
    }
    world
}

/// All pages of a query, and how many there were.
async fn pages(world: &World, mut query: HistoryQuery) -> (Vec<SessionEvent>, usize) {
    let (mut all, mut count) = (Vec::new(), 0);
    loop {
        let page = history(&world.stage.engine, &world.id(), &query).await.unwrap();
        all.extend(page.events);
        count += 1;
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return (all, count);
        }
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_loss_or_repetition() {
    let world = world().await;
    let all = world.all().await;
    for limit in [1, 3, 20, 1_000] {
        let (told, count) = pages(&world, HistoryQuery { limit: Some(limit), ..HistoryQuery::default() }).await;
        assert_eq!(told, all);
        assert_eq!(count, 20_usize.div_ceil(limit));
    }
}

#[tokio::test]
async fn a_query_chooses_by_channel_and_by_time_with_both_ends() {
    let world = world().await;
    let query = HistoryQuery {
        start_ms: Some(1_003),
        end_ms: Some(1_005),
        channels: vec![Channel::Chunks],
        limit: Some(2),
        ..HistoryQuery::default()
    };
    let (told, _) = pages(&world, query).await;
    assert_eq!(told.iter().map(|event| event.at_ms.unwrap()).collect::<Vec<_>>(), [1_003, 1_004, 1_005]);
    assert!(told.iter().all(|event| event.channel == Channel::Chunks));
}

#[tokio::test]
async fn a_page_looks_through_a_bounded_number_of_bytes() {
    let mut world = World::new().await;
    let long = "x".repeat(60_000);
    for _ in 0..10 {
        world.post((0..10).map(|_| line(&long)).collect(), 1).await;
    }
    world.post(json!([token("found")]), 2).await;
    let query = HistoryQuery { channels: vec![Channel::Chunks], ..HistoryQuery::default() };
    let page = history(&world.stage.engine, &world.id(), &query).await.unwrap();
    assert!(page.events.is_empty());
    assert!(page.next_cursor.unwrap().get() < HISTORY_SCAN_BYTES_MAX + 70_000);
    let (told, count) = pages(&world, query).await;
    assert_eq!((told.len(), count), (1, 2));
    let page = history(&world.stage.engine, &world.id(), &HistoryQuery::default()).await.unwrap();
    assert!(page.events.len() < 20, "a page is bounded in bytes, too");
}

#[tokio::test]
async fn a_cursor_into_trimmed_history_goes_on_and_says_so() {
    let world = world().await;
    let all = world.all().await;
    let earliest = all[4].offset.unwrap();
    world.stage.engine.trim(&path("session/s"), earliest).await.unwrap();
    let query = HistoryQuery { cursor: all[1].offset, ..HistoryQuery::default() };
    let page = history(&world.stage.engine, &world.id(), &query).await.unwrap();
    assert_eq!((page.gap, page.next_cursor), (Some(earliest), None));
    assert_eq!(page.events, all[5..]);
    let error = events(&world.stage.engine, &world.id(), ReadFrom::At(Offset::START), None).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::OffsetTrimmed);
}

#[tokio::test]
async fn raw_messages_are_what_was_stored_and_any_offset_goes_on() {
    let world = world().await;
    let engine = &world.stage.engine;
    let (mut all, mut from) = (Vec::new(), ReadFrom::Start);
    loop {
        let page = events(engine, &world.id(), from, Some(3)).await.unwrap();
        all.extend(page.events.into_iter().map(|event| (event.message.get().to_owned(), event.offset)));
        from = ReadFrom::At(page.next);
        if page.up_to_date {
            break;
        }
    }
    assert_eq!(all, world.harness.log);
}

#[tokio::test]
async fn limits_out_of_range_are_refused() {
    let world = world().await;
    for limit in [0, HISTORY_LIMIT_MAX + 1] {
        let query = HistoryQuery { limit: Some(limit), ..HistoryQuery::default() };
        let error = history(&world.stage.engine, &world.id(), &query).await.unwrap_err();
        assert_eq!((error.code(), error.field_name()), (ErrorCode::InvalidParams, Some("limit")));
    }
}
