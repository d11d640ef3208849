//! Who is there, in the same sequence as what happens.

use std::time::Duration;

use headwater_protocol::{Offset, ReadFrom};
use headwater_sessions::{Channel, Item, Operation, SessionEvent, SessionFollower};
use headwater_testing::stage::{path, within};
use serde_json::json;

use super::world::{Store, World, is_waiting, next, next_event};

fn told(event: &SessionEvent) -> (&str, Operation) {
    assert_eq!((event.channel, event.offset), (Channel::Presence, None));
    (event.key.as_str(), event.operation)
}

/// The next presence event; the tail may be told before it.
async fn next_presence(follower: &mut SessionFollower<Store>) -> SessionEvent {
    loop {
        match next(follower).await {
            Item::CaughtUp => {}
            Item::Event(event) => return event,
            other => panic!("expected presence, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn who_is_present_is_told_first_and_then_who_comes_and_goes() {
    let mut world = World::new().await;
    let now_ms = world.now_ms();
    world.open_presence().await;
    world.beat("gone", now_ms - 40_000).await;
    world.beat("ada", now_ms - 1_000).await;
    world.beat("bob", now_ms).await;
    world.leave("bob", now_ms).await;
    let mut follower = world.follow(ReadFrom::Start).await;
    assert_eq!(told(&next_presence(&mut follower).await), ("ada", Operation::Insert));
    world.beat("ada", now_ms + 1).await;
    assert_eq!(told(&next_presence(&mut follower).await), ("ada", Operation::Update));
    world.beat("bob", now_ms + 2).await;
    assert_eq!(told(&next_presence(&mut follower).await), ("bob", Operation::Insert));
    world.leave("ada", now_ms + 3).await;
    let left = next_presence(&mut follower).await;
    assert_eq!((told(&left), &left.data), (("ada", Operation::Delete), &None));
    assert_eq!(follower.position(), Offset::START, "presence moves nobody's position");
}

#[tokio::test]
async fn the_first_who_comes_wakes_readers_of_a_session_nobody_was_in() {
    let mut world = World::new().await;
    let mut follower = world.follow(ReadFrom::Start).await;
    assert_eq!(next(&mut follower).await, Item::CaughtUp);
    let waiting = tokio::spawn(async move { next_presence(&mut follower).await });
    while !world.stage.exists("session/s/presence").await {
        tokio::task::yield_now().await;
    }
    world.beat("ada", world.now_ms()).await;
    assert_eq!(told(&within(waiting).await.unwrap()), ("ada", Operation::Insert));
}

#[tokio::test]
async fn presence_never_holds_up_the_session() {
    let mut world = World::new().await;
    world.open_presence().await;
    let mut follower = world.follow(ReadFrom::Start).await;
    world.stage.delete("session/s/presence").await;
    let tail = world
        .post(
            json!([{"channel": "terminal", "data": {"id": "l", "type": "output", "data": "x", "source": "agent"}}]),
            1,
        )
        .await;
    assert_eq!(next(&mut follower).await, Item::CaughtUp);
    assert_eq!(next_event(&mut follower).await.offset, Some(tail));
}

#[tokio::test]
async fn a_companion_that_comes_back_tells_what_changed_meanwhile() {
    let mut world = World::new().await;
    let now_ms = world.now_ms();
    world.open_presence().await;
    world.beat("ada", now_ms).await;
    world.beat("bob", now_ms).await;
    let mut follower = world.follow(ReadFrom::Start).await;
    for user in ["ada", "bob"] {
        assert_eq!(told(&next_presence(&mut follower).await), (user, Operation::Insert));
    }
    while !is_waiting(&mut follower) {}
    world.stage.delete("session/s/presence").await;
    assert!(is_waiting(&mut follower));
    world.open_presence().await;
    (world.harness.presence, world.harness.presence_log) = Default::default();
    world.beat("bob", now_ms + 1).await;
    world.beat("eve", now_ms + 1).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    for expected in [("ada", Operation::Delete), ("bob", Operation::Update), ("eve", Operation::Insert)] {
        assert_eq!(told(&next_presence(&mut follower).await), expected);
    }
}

#[tokio::test]
async fn whoever_is_present_is_found_behind_a_lot_of_cursor_moves() {
    let mut world = World::new().await;
    let now_ms = world.now_ms();
    world.open_presence().await;
    world.beat("quiet", now_ms - 20_000).await;
    for round in 0..20 {
        let moves =
            (0..50).map(|x| json!({"channel": "presence", "data": {"userId": "ada", "cursor": {"x": x, "y": round}}}));
        world.post(moves.collect(), now_ms).await;
    }
    assert!(world.stage.tail("session/s/presence").await > 128 * 1024);
    let mut follower = world.follow(ReadFrom::Start).await;
    assert_eq!(told(&next_presence(&mut follower).await).0, "quiet");
    let ada = next_presence(&mut follower).await;
    assert!(ada.data.unwrap().get().contains(r#"{"x":49,"y":19}"#));
}

#[tokio::test]
async fn a_folded_companion_can_be_given_and_reading_goes_on_from_it() {
    let mut world = World::new().await;
    let now_ms = world.now_ms();
    world.open_presence().await;
    world.beat("ada", now_ms).await;
    let folded = world.harness.presence.clone();
    world.beat("bob", now_ms).await;
    let engine = &world.stage.engine;
    let mut follower = SessionFollower::open(engine, &world.id(), ReadFrom::Start, Some(folded)).await.unwrap();
    for user in ["ada", "bob"] {
        assert_eq!(told(&next_presence(&mut follower).await), (user, Operation::Insert));
    }
}

#[tokio::test]
async fn a_session_that_is_deleted_leaves_no_companion_behind() {
    let mut world = World::new().await;
    world.open_presence().await;
    world.beat("ada", world.now_ms()).await;
    let mut follower = world.follow(ReadFrom::Start).await;
    assert_eq!(told(&next_presence(&mut follower).await), ("ada", Operation::Insert));
    while !is_waiting(&mut follower) {}
    world.stage.delete("session/s/presence").await;
    assert!(is_waiting(&mut follower));
    world.stage.delete("session/s").await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    assert!(within(follower.next()).await.is_err());
    world.stage.settle().await;
    assert!(world.stage.engine.metadata(&path("session/s/presence")).await.is_err());
}

#[tokio::test]
async fn presence_that_memory_let_go_is_looked_up_afresh() {
    let mut world = World::new().await;
    let now_ms = world.now_ms();
    world.open_presence().await;
    world.beat("ada", now_ms).await;
    let mut follower = world.follow(ReadFrom::Start).await;
    assert_eq!(told(&next_presence(&mut follower).await), ("ada", Operation::Insert));
    world.leave("ada", now_ms).await;
    let left = Offset::new(world.stage.tail("session/s/presence").await);
    world.beat("bob", now_ms).await;
    world.stage.engine.trim(&path("session/s/presence"), left).await.unwrap();
    for expected in [("ada", Operation::Delete), ("bob", Operation::Insert)] {
        assert_eq!(told(&next_presence(&mut follower).await), expected);
    }
}
