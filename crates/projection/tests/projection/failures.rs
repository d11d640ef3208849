//! A file that cannot be used: nobody who writes notices, the error says what to do, and in the end it is in step.

use headwater_projection::{ProjectionError, Projector};
use headwater_sessions::{SearchError, SessionSearch};
use rusqlite::Connection;

use crate::world::{World, asking, catch_up};

#[tokio::test]
async fn a_locked_file_is_caught_up_with_once_it_is_free() {
    let world = World::new().await.with(&["s"]).await;
    let mut projector = world.projected().await;
    let other = world.connection();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.say("s", "a", 0, &["written ", "meanwhile"]).await;
    let refused = projector.round().await.unwrap_err();
    assert!(refused.advice().unwrap().contains("lock"), "{refused}");
    assert!(projector.round().await.is_err());
    other.execute_batch("ROLLBACK").unwrap();
    catch_up(&mut projector).await;
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_alone() {
    let world = World::new().await.with(&["s"]).await;
    let content = "not a database at all, but long enough to be taken for one".repeat(20);
    std::fs::write(world.file(), &content).unwrap();
    let refused = Projector::open(world.stage.engine.clone(), world.options()).await.unwrap_err();
    assert!(refused.advice().unwrap().contains("no database"), "{refused}");
    assert_eq!(std::fs::read_to_string(world.file()).unwrap(), content);
    let refused = world.index().search(asking("x")).await.unwrap_err();
    assert!(matches!(&refused, SearchError::Failed { why } if why.contains("no database")), "{refused}");
}

#[tokio::test]
async fn somebody_else_s_database_and_another_version_are_left_alone() {
    let world = World::new().await;
    Connection::open(world.file()).unwrap().execute_batch("CREATE TABLE theirs(a)").unwrap();
    let refused = Projector::open(world.stage.engine.clone(), world.options()).await.unwrap_err();
    assert!(matches!(refused, ProjectionError::Foreign { .. }), "{refused}");
    assert_eq!(world.count("SELECT count(*) FROM sqlite_schema"), 1);

    std::fs::remove_file(world.file()).unwrap();
    drop(world.projected().await);
    world.connection().pragma_update(None, "user_version", 99).unwrap();
    let refused = Projector::open(world.stage.engine.clone(), world.options()).await.unwrap_err();
    assert!(refused.to_string().contains("reindex"), "{refused}");
}

#[tokio::test]
async fn a_transaction_that_fails_half_way_leaves_nothing_and_is_done_again() {
    let world = World::new().await.with(&["s", "t"]).await;
    let mut projector = world.projected().await;
    let other = world.connection();
    other
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON stream_events WHEN new.stream_id = 't' \
             BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END",
        )
        .unwrap();
    world.say("s", "a", 0, &["one ", "two"]).await;
    world.say("t", "a", 0, &["three"]).await;
    while projector.round().await.is_ok() {}
    other.execute_batch("DROP TRIGGER broken").unwrap();
    catch_up(&mut projector).await;
    world.assert_in_step(&["s", "t"]).await;
}

#[tokio::test]
async fn a_file_whose_rows_are_ahead_of_the_streams_is_read_again() {
    let world = World::new().await.with(&["s"]).await;
    world.say("s", "a", 0, &["one ", "two"]).await;
    drop(world.projected().await);
    // As after a backup of the data directory was restored.
    world.connection().execute("UPDATE followed SET position = position + 1000", []).unwrap();
    world.projected().await;
    world.assert_in_step(&["s"]).await;
    world.connection().execute("UPDATE followed SET position = position - 1", []).unwrap();
    world.projected().await;
    world.assert_in_step(&["s"]).await;
}

#[tokio::test]
async fn a_search_of_a_file_that_is_not_there_fails_and_makes_none() {
    let world = World::new().await;
    assert!(matches!(world.index().search(asking("x")).await, Err(SearchError::Failed { .. })));
    assert!(!world.file().exists());
}
