//! Following a session and an agent.

use headwater_protocol::{Offset, ReadFrom};
use headwater_sessions::{
    AgentFollower, AgentId, Channel, ErrorCode, Item, Operation, SessionEvent, SessionFollower, SessionId,
    encode_stored,
};
use headwater_testing::stage::{json_stream, path, within};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{World, is_waiting, next, next_event, stored, until_caught_up};

fn token(id: &str, text: &str) -> Value {
    json!({"channel": "chunks", "data": {"id": id, "agentId": "coder", "text": text, "turn": 1}})
}

fn tokens(ids: std::ops::Range<usize>) -> Value {
    ids.map(|id| token(&format!("c{id}"), &format!("é{id} "))).collect()
}

#[tokio::test]
async fn following_from_any_message_gives_exactly_the_rest() {
    let mut world = World::new().await;
    for start in [0, 3, 4, 9] {
        world.post(tokens(start..start + 3), 1).await;
    }
    let all = world.all().await;
    assert_eq!(all.len(), 10, "repeated ids are duplicates");
    assert_rest_from_each(&world, &all).await;
}

async fn assert_rest_from_each(world: &World, all: &[SessionEvent]) {
    for (told, event) in all.iter().enumerate() {
        let from = ReadFrom::At(event.offset.unwrap());
        let mut follower = world.follow(from).await;
        assert_eq!(follower.position(), event.offset.unwrap());
        assert_eq!(until_caught_up(&mut follower).await, all[told + 1..]);
    }
}

#[tokio::test]
async fn an_event_is_the_row_as_stored_with_what_its_message_says() {
    let mut world = World::new().await;
    let input = json!({"q": "\u{1b}[1mé\u{1F600}\n"});
    let call = json!({"id": "t1", "agentId": "coder", "tool": "grep", "input": input, "status": "running"});
    world.post(json!([{"channel": "toolCalls", "data": call, "txid": "tx"}]), 1_750_000_000_000).await;
    world.post(json!([{"channel": "toolCalls", "data": {"id": "t1", "status": "complete"}}]), 1_750_000_000_001).await;
    let [inserted, updated] = world.all().await.try_into().unwrap();
    let key = (inserted.channel, inserted.key.as_str(), inserted.operation, inserted.txid.as_deref());
    assert_eq!(key, (Channel::ToolCalls, "t1", Operation::Insert, Some("tx")));
    assert_eq!(inserted.at_ms, Some(1_750_000_000_000));
    let stored: Value = serde_json::from_str(&world.harness.log[0].0).unwrap();
    assert_eq!(serde_json::from_str::<Value>(inserted.data.unwrap().get()).unwrap(), stored["value"]);
    assert_eq!((updated.operation, updated.offset), (Operation::Update, Some(world.harness.log[1].1)));
}

#[tokio::test]
async fn after_history_comes_what_happens_and_the_tail_is_told_once() {
    let mut world = World::new().await;
    world.post(tokens(0..2), 1).await;
    let mut follower = world.follow(ReadFrom::Now).await;
    assert_eq!(next(&mut follower).await, Item::CaughtUp);
    while !is_waiting(&mut follower) {}
    let tail = world.post(tokens(2..3), 2).await;
    let event = next_event(&mut follower).await;
    assert_eq!((event.key.as_str(), event.offset), ("c2", Some(tail)));
    assert_eq!(follower.position(), tail);
    assert!(is_waiting(&mut follower));
}

#[tokio::test]
async fn waiting_can_be_given_up_and_taken_up_again() {
    let mut world = World::new().await;
    let mut follower = world.follow(ReadFrom::Start).await;
    assert_eq!(next(&mut follower).await, Item::CaughtUp);
    for number in 0..3 {
        tokio::select! {
            biased;
            item = follower.next() => panic!("nothing has happened, and yet {item:?}"),
            () = std::future::ready(()) => {}
        }
        world.post(tokens(number..number + 1), 1).await;
        assert_eq!(next_event(&mut follower).await.key, format!("c{number}"));
    }
}

#[tokio::test]
async fn trimmed_history_is_a_gap_and_reading_goes_on_after_it() {
    let mut world = World::new().await;
    world.post(tokens(0..4), 1).await;
    let all = world.all().await;
    let earliest = all[1].offset.unwrap();
    world.stage.engine.trim(&path("session/s"), earliest).await.unwrap();
    for before in [Offset::START, all[0].offset.unwrap()] {
        let mut follower = world.follow(ReadFrom::At(before)).await;
        assert_eq!(next(&mut follower).await, Item::Gap { earliest });
        assert_eq!(follower.position(), earliest);
        assert_eq!(until_caught_up(&mut follower).await, all[2..]);
    }
    assert_eq!(until_caught_up(&mut world.follow(ReadFrom::Start).await).await, all[2..], "the start is what is kept");
}

#[tokio::test]
async fn history_that_is_trimmed_under_a_reader_is_a_gap_too() {
    let mut world = World::new().await;
    world.post(tokens(0..4), 1).await;
    let all = world.all().await;
    let mut follower = world.follow(ReadFrom::Start).await;
    let earliest = all[3].offset.unwrap();
    world.stage.engine.trim(&path("session/s"), earliest).await.unwrap();
    assert_eq!(next(&mut follower).await, Item::Gap { earliest });
    assert_eq!(next(&mut follower).await, Item::CaughtUp);
    world.post(tokens(4..5), 2).await;
    assert_eq!(next_event(&mut follower).await.key, "c4");
}

#[tokio::test]
async fn a_closed_session_ends_and_stays_ended() {
    let mut world = World::new().await;
    world.post(tokens(0..1), 1).await;
    let mut waiting = world.follow(ReadFrom::Now).await;
    assert_eq!(next(&mut waiting).await, Item::CaughtUp);
    world.close().await;
    let mut late = world.follow(ReadFrom::Start).await;
    assert_eq!(next_event(&mut late).await.key, "c0");
    assert_eq!(next(&mut late).await, Item::CaughtUp);
    let mut at_end = world.follow(ReadFrom::Now).await;
    assert_eq!(next(&mut at_end).await, Item::CaughtUp);
    for mut follower in [waiting, late, at_end] {
        assert_eq!(next(&mut follower).await, Item::Closed);
        assert_eq!(next(&mut follower).await, Item::Closed);
    }
    assert!(!world.stage.exists("session/s/presence").await || world.stage.tail("session/s/presence").await == 0);
}

#[tokio::test]
async fn messages_of_other_kinds_are_passed_over_and_their_positions_are_not() {
    let mut world = World::new().await;
    let foreign = "{\"headers\":{\"control\":\"later\"}},\n{\"type\":\"new\",\"key\":\"1\",\"value\":{},\"headers\":{\"operation\":\"insert\"}},\n[1],\n";
    let after = world.stage.post(stored("session/s", foreign.into())).await;
    let mut follower = world.follow(ReadFrom::Start).await;
    assert_eq!(next(&mut follower).await, Item::CaughtUp);
    assert_eq!(follower.position(), after);
    world.harness.log.push((String::new(), after));
    world.post(tokens(0..1), 1).await;
    assert_eq!(next_event(&mut follower).await.key, "c0");
}

#[tokio::test]
async fn what_cannot_be_followed_is_told_by_code() {
    let mut world = World::new().await;
    world.post(tokens(0..1), 1).await;
    let engine = &world.stage.engine;
    let unknown = SessionFollower::open(engine, &SessionId::new("x").unwrap(), ReadFrom::Start, None).await;
    assert_eq!(unknown.unwrap_err().code(), ErrorCode::SessionNotFound);
    for offset in [1, 1_000_000] {
        let error = world.try_follow(ReadFrom::At(Offset::new(offset))).await.unwrap_err();
        assert_eq!((error.code(), error.field_name()), (ErrorCode::InvalidParams, Some("offset")));
    }
    let silent = AgentFollower::open(engine, &AgentId::new("nobody").unwrap(), ReadFrom::Start).await;
    assert_eq!(silent.unwrap_err().code(), ErrorCode::SessionNotFound);
    let mut follower = world.follow(ReadFrom::Now).await;
    assert_eq!(next(&mut follower).await, Item::CaughtUp);
    world.stage.delete("session/s").await;
    for _ in 0..2 {
        assert_eq!(within(follower.next()).await.unwrap_err().code(), ErrorCode::SessionNotFound);
    }
}

#[tokio::test]
async fn an_agents_events_name_their_session() {
    let mut world = World::new().await;
    world.stage.put(json_stream("agent/coder")).await;
    world.post(json!([token("a:b", "x"), token("c", "y")]), 1).await;
    let changes: Vec<_> = world
        .harness
        .log
        .iter()
        .map(|(text, _)| match headwater_sessions::Message::decode(text).unwrap() {
            headwater_sessions::Message::Change(change) => change.in_agent_stream(&world.id()),
            other => panic!("expected a change, got {other:?}"),
        })
        .collect();
    let (bytes, ends) = encode_stored(&changes);
    world.stage.post(stored("agent/coder", bytes)).await;
    let agent = AgentId::new("coder").unwrap();
    let from = ReadFrom::Start;
    let mut follower = AgentFollower::open(&world.stage.engine, &agent, from).await.unwrap();
    for (key, end) in ["a:b", "c"].into_iter().zip(ends) {
        let Item::Event(told) = within(follower.next()).await.unwrap() else { panic!("expected an event") };
        assert_eq!((told.session, told.event.key.as_str()), (world.id(), key));
        assert_eq!(told.event.offset, Some(Offset::new(end as u64)));
    }
    assert_eq!(within(follower.next()).await.unwrap(), Item::CaughtUp);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_prefix_and_what_follows_it_are_all(
        appends in prop::collection::vec(prop::collection::vec("[a-zé\u{1F600}\"\\\\\n\u{1b}]{0,40}", 1..5), 1..8),
        trimmed in 0.0..1.0_f64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for (number, texts) in appends.iter().enumerate() {
                let events = texts.iter().enumerate().map(|(index, text)| token(&format!("{number}-{index}"), text));
                world.post(events.collect(), 1).await;
            }
            let all = world.all().await;
            assert_eq!(all.len(), appends.iter().map(Vec::len).sum::<usize>());
            assert_rest_from_each(&world, &all).await;
            let cut = (all.len() as f64 * trimmed) as usize;
            let earliest = all[cut].offset.unwrap();
            world.stage.engine.trim(&path("session/s"), earliest).await.unwrap();
            let mut follower = world.follow(ReadFrom::At(Offset::START)).await;
            assert_eq!(next(&mut follower).await, Item::Gap { earliest });
            assert_eq!(until_caught_up(&mut follower).await, all[cut + 1..]);
        });
    }
}
