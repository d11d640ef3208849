//! Building the file anew gives what following the streams gave.

use headwater_projection::{ReindexProgress, reindex};
use headwater_sessions::Operation;
use headwater_testing::stage::{fork_at, json_stream};
use serde_json::json;

use crate::world::{World, call, catch_up, line, session};

/// A world with some of everything, followed while it came about.
async fn lived() -> World {
    let world = World::in_small_steps().await.with(&["s", "t", "gone"]).await;
    let mut projector = world.projected().await;
    world.stage.put(json_stream("sessions")).await;
    world.append("sessions", &[session("s", "p", Some(1_000_000_000))]).await;
    for round in 0..30 {
        world.say("s", "a", round / 10, &["some wor", "ds and mo", "re ", &"filler ".repeat(100)]).await;
        world.say("gone", "a", 0, &["vanishing"]).await;
        let key = format!("k{}", round % 5);
        let operation = if round < 5 { Operation::Insert } else { Operation::Update };
        world.append("session/t", &[call(&key, operation, json!({"n": round}), None), line(&key, "ok")]).await;
        projector.round().await.unwrap();
    }
    let at = world.stage.tail("session/t").await;
    world.stage.put(fork_at("session/f", "session/t", Some(at), 0)).await;
    world.stage.delete("session/gone").await;
    catch_up(&mut projector).await;
    world
}

#[tokio::test]
async fn a_rebuilt_file_equals_one_that_followed() {
    let world = lived().await;
    let (events, texts) = (world.events(), world.texts());
    assert!(events.len() > 100 && texts.len() > 10);
    // What is there does not matter.
    std::fs::write(world.file(), "damaged").unwrap();
    let mut told = Vec::new();
    let done = reindex(&world.stage.engine, &world.options(), &mut |progress| told.push(progress)).await.unwrap();
    assert_eq!(world.events(), events);
    assert_eq!(world.texts(), texts);
    world.assert_sound();
    assert_eq!((done.sessions, done.bytes >= done.total_bytes), (3, true));
    assert!(told.len() > 2 && told.is_sorted_by_key(|ReindexProgress { bytes, .. }| *bytes));
    assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[tokio::test]
async fn a_rebuilt_file_is_followed_on() {
    let world = lived().await;
    reindex(&world.stage.engine, &world.options(), &mut |_| ()).await.unwrap();
    let mut projector = world.projector().await;
    catch_up(&mut projector).await;
    assert_eq!(projector.read_bytes(), 0, "nothing is read twice");
    world.say("t", "z", 0, &["afterwards"]).await;
    catch_up(&mut projector).await;
    assert_eq!(world.find("afterwards").await.len(), 1);
}

#[tokio::test]
async fn a_rebuild_that_was_cut_short_is_begun_anew_and_touches_nothing() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["text"]).await;
    drop(world.projected().await);
    std::fs::write(world.dir.path().join("sessions.sqlite.reindex"), "half").unwrap();
    reindex(&world.stage.engine, &world.options(), &mut |_| ()).await.unwrap();
    world.assert_in_step(&["s"]).await;
}
