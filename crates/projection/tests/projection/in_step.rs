//! Rows follow the streams exactly, whatever happens to streams and projector.

use headwater_projection::Round;
use headwater_protocol::Offset;
use headwater_sessions::{Operation, RowType};
use headwater_testing::stage::{EPOCH_MS, fork_at, json_append, json_stream, text};
use serde_json::json;

use crate::world::{DAY_MS, RETENTION_MS, World, at, call, catch_up, change, chunk, line, path, session};

#[tokio::test]
async fn every_event_of_a_session_is_a_row() {
    let world = World::new().await.with(&["s"]).await;
    world
        .append(
            "session/s",
            &[
                chunk("a", 0, "hello"),
                call("t1", Operation::Insert, json!({"path": "x"}), None),
                call("t1", Operation::Update, json!({"path": "x"}), Some(json!("done"))),
                line("l1", "$ ls"),
                change(RowType::Workflow, "w", Operation::Insert, Some(json!({"id": "w"}))),
                change(RowType::State, "a", Operation::Insert, Some(json!({"agentId": "a"}))),
                change(RowType::Tool, "t1", Operation::Delete, None),
            ],
        )
        .await;
    world.projected().await;
    world.assert_in_step(&["s"]).await;
    assert_eq!(world.events().len(), 7);
}

#[tokio::test]
async fn only_session_streams_are_read() {
    let world = World::new().await.with(&["s"]).await;
    for name in ["session/s/presence", "agent/a", "chat/1", "session/.hidden", "sessional"] {
        world.stage.put(json_stream(name)).await;
        world.append(name, &[chunk("a", 0, "elsewhere")]).await;
    }
    world.stage.put(text("session/text")).await;
    world.say("s", "a", 0, &["here"]).await;
    world.projected().await;
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn what_readers_pass_over_has_no_row_and_stops_nothing() {
    let world = World::new().await.with(&["s"]).await;
    let odd = r#"[{"type":"new","key":"1","value":{},"headers":{"operation":"insert"}}, 7,
        {"headers":{"control":"reset"}},
        {"type":"chunk","key":"1","value":{"text":7},"headers":{"operation":"insert","timestamp":"2027-01-15T08:00:00.000Z"}},
        {"type":"presence","key":"u","value":{},"headers":{"operation":"insert"}}]"#;
    world.stage.post(json_append("session/s", odd)).await;
    world.say("s", "a", 0, &["after"]).await;
    world.projected().await;
    let types: Vec<String> = world.events().into_iter().map(|row| row.2).collect();
    assert_eq!(types, ["chunk", "chunk"]);
    assert_eq!(world.indexed_messages().into_values().collect::<Vec<_>>(), ["after"]);
}

#[tokio::test]
async fn an_event_without_a_moment_of_its_own_gets_one() {
    let world = World::new().await.with(&["s"]).await;
    let own = r#"{"type":"terminal","key":"1","value":{"timestamp":1800000000005},"headers":{"operation":"insert"}}"#;
    let none = r#"{"type":"terminal","key":"2","value":{},"headers":{"operation":"insert"}}"#;
    world.stage.post(json_append("session/s", &format!("[{own},{none}]"))).await;
    world.projected().await;
    let times: Vec<i64> = world.events().into_iter().map(|row| row.6).collect();
    assert_eq!(times, [EPOCH_MS.cast_signed() + 5, EPOCH_MS.cast_signed()]);
}

#[tokio::test]
async fn what_is_appended_while_it_runs_follows() {
    let world = World::new().await.with(&["s"]).await;
    let mut projector = world.projected().await;
    for word in ["one ", "two ", "three"] {
        world.say("s", "a", 0, &[word]).await;
        projector.changed().await;
        catch_up(&mut projector).await;
        world.assert_in_step(&["s"]).await;
    }
}

#[tokio::test]
async fn it_goes_on_exactly_where_it_was_dropped() {
    let mut world = World::in_small_steps().await.with(&["s", "t"]).await;
    for round in 0..20 {
        world.say("s", "a", round % 3, &["to", "ken ", "and "]).await;
        world.say("t", "b", 0, &["word "]).await;
        let mut projector = world.projector().await;
        for _ in 0..round % 5 {
            projector.round().await.unwrap();
        }
        drop(projector);
        if round % 7 == 3 {
            world.stage = world.stage.crash().await;
        }
    }
    world.projected().await;
    world.assert_in_step(&["s", "t"]).await;
}

#[tokio::test]
async fn a_long_session_comes_in_pieces() {
    let world = World::in_small_steps().await.with(&["s"]).await;
    let text = "lorem ipsum ".repeat(400);
    let many: Vec<_> = (0..200).map(|_| chunk("a", 0, &text)).collect();
    world.append("session/s", &many).await;
    let mut projector = world.projector().await;
    let mut rounds = 0;
    while projector.round().await.unwrap() == Round::More {
        rounds += 1;
    }
    assert!(rounds >= 3, "{rounds} rounds");
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn a_deleted_session_leaves_no_rows() {
    let world = World::in_small_steps().await.with(&["s", "t"]).await;
    for id in ["s", "t"] {
        world.say(id, "a", 0, &["some ", "thing"]).await;
        world.append(&format!("session/{id}"), &[line("l", "text"), line("m", "more")]).await;
    }
    let mut projector = world.projected().await;
    world.stage.delete("session/s").await;
    catch_up(&mut projector).await;
    world.assert_in_step(&["t"]).await;
    assert_eq!(world.count("SELECT count(*) FROM followed WHERE path = 'session/s'"), 0);
}

#[tokio::test]
async fn a_session_deleted_while_nobody_looked_goes_and_one_of_its_name_comes_anew() {
    let world = World::in_small_steps().await.with(&["s", "t"]).await;
    world.say("s", "a", 0, &["old ", "text ", "here"]).await;
    world.say("t", "a", 0, &["gone"]).await;
    drop(world.projected().await);
    world.stage.delete("session/s").await;
    world.stage.delete("session/t").await;
    let world = world.with(&["s"]).await;
    world.say("s", "a", 0, &["new ", "text ", "now ", "and more"]).await;
    let mut projector = world.projector().await;
    projector.round().await.unwrap();
    // Cut short while the old rows are going.
    drop(projector);
    world.projected().await;
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn a_fork_has_the_history_it_inherited() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["shared ", "history"]).await;
    let at = world.stage.tail("session/s").await;
    world.say("s", "a", 1, &["only there"]).await;
    let mut projector = world.projected().await;
    world.stage.put(fork_at("session/f", "session/s", Some(at), 0)).await;
    world.say("f", "a", 0, &[" continued"]).await;
    catch_up(&mut projector).await;
    world.assert_in_step(&["f", "s"]).await;
    let found = world.find("shared").await;
    assert_eq!(found.iter().map(|hit| hit.0.as_str()).collect::<Vec<_>>(), ["f", "s"]);
    // The source is kept for its fork, but gone for its readers.
    world.stage.delete("session/s").await;
    catch_up(&mut projector).await;
    world.assert_in_step(&["f"]).await;
}

#[tokio::test]
async fn trimmed_events_go() {
    let world = World::in_small_steps().await.with(&["s"]).await;
    world.append("session/s", &[line("1", "one"), line("2", "two"), line("3", "three"), line("4", "four")]).await;
    let to = world.stage.tail("session/s").await;
    world.append("session/s", &[line("5", "five")]).await;
    let mut projector = world.projected().await;
    world.stage.engine.trim(&path("session/s"), Offset::new(to)).await.unwrap();
    projector.changed().await;
    catch_up(&mut projector).await;
    world.assert_in_step(&["s"]).await;
    assert_eq!(world.find("one").await, []);
    assert_eq!(world.find("five").await.len(), 1);
}

#[tokio::test]
async fn a_stream_trimmed_before_it_was_read_begins_where_it_begins() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["lost "]).await;
    drop(world.projected().await);
    world.say("s", "a", 0, &["lost too "]).await;
    let to = world.stage.tail("session/s").await;
    world.say("s", "b", 0, &["kept"]).await;
    world.stage.engine.trim(&path("session/s"), Offset::new(to)).await.unwrap();
    world.projected().await;
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn expired_events_go_in_bounded_steps() {
    let world = World::in_small_steps().await.with(&["s"]).await;
    for (index, age) in [9, 8, 7, 3, 2].into_iter().enumerate() {
        let old = at(EPOCH_MS - age * DAY_MS, line(&index.to_string(), "some text"));
        world.append("session/s", &[old]).await;
    }
    let mut projector = world.projected().await;
    assert_eq!(world.events().len(), 5);
    world.stage.clock.advance(RETENTION_MS - 6 * DAY_MS);
    assert_eq!(world.find("text").await.len(), 2, "what has expired is not found even before it goes");
    let mut rounds = 0;
    while projector.round().await.unwrap() == Round::More {
        rounds += 1;
    }
    assert!(rounds > 0);
    assert_eq!((world.events().len(), world.texts().len()), (2, 2));
    world.assert_sound();
}

#[tokio::test]
async fn a_session_s_own_retention_decides_when_its_rows_expire() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["text"]).await;
    let mut projector = world.projected().await;
    let expires = |world: &World| world.count("SELECT expires_at - timestamp FROM stream_events");
    assert_eq!(expires(&world), RETENTION_MS.cast_signed());
    world.stage.put(json_stream("sessions")).await;
    world.append("sessions", &[session("s", "p", Some(DAY_MS))]).await;
    catch_up(&mut projector).await;
    assert_eq!(expires(&world), DAY_MS.cast_signed());
    assert_eq!(world.count("SELECT expires_at - timestamp FROM texts"), DAY_MS.cast_signed());
    world.append("sessions", &[session("s", "p", None)]).await;
    catch_up(&mut projector).await;
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn another_default_retention_holds_for_old_rows_too() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["text"]).await;
    drop(world.projected().await);
    let mut options = world.options();
    options.retention_ms = DAY_MS;
    let mut projector = headwater_projection::Projector::open(world.stage.engine.clone(), options).await.unwrap();
    catch_up(&mut projector).await;
    assert_eq!(world.count("SELECT expires_at - timestamp FROM stream_events"), DAY_MS.cast_signed());
}

#[tokio::test]
async fn sessions_are_rows_as_the_registry_has_them() {
    let world = World::new().await;
    world.stage.put(json_stream("sessions")).await;
    let gone = change(RowType::Session, "b", Operation::Delete, None);
    world.append("sessions", &[session("a", "p", None), session("b", "p", None), gone]).await;
    world.append("sessions", &[session("a", "q", None)]).await;
    world.projected().await;
    let of_q = "SELECT count(*) FROM sessions WHERE id = 'a' AND project_id = 'q' AND status = 'active'";
    assert_eq!((world.count("SELECT count(*) FROM sessions"), world.count(of_q)), (1, 1));
}
