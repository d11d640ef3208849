//! The projection beside a running engine.

use headwater_projection::Projection;
use headwater_sessions::{SearchStatus, SessionSearch};
use headwater_testing::stage::within;

use crate::world::{World, asking};

fn start(world: &World) -> Projection {
    Projection::start(world.stage.engine.clone(), world.stage.clock.clone(), world.options())
}

#[tokio::test]
async fn it_follows_what_is_acknowledged_and_can_be_asked() {
    let world = World::new().await.with(&["s"]).await;
    let projection = start(&world);
    for word in ["alpha ", "beta ", "gamma"] {
        world.say("s", "a", 0, &[word]).await;
        assert!(within(projection.caught_up()).await);
        world.assert_in_step(&["s"]).await;
    }
    let found = within(projection.index().search(asking("beta"))).await.unwrap();
    assert_eq!(found.hits.len(), 1);
    assert_eq!(projection.status(), SearchStatus::CaughtUp);
    within(projection.shutdown()).await;
    assert_eq!(projection.status(), SearchStatus::Stopped);
    assert!(!within(projection.caught_up()).await);
}

#[tokio::test]
async fn a_broken_file_is_told_and_a_good_one_in_its_place_is_taken() {
    let world = World::new().await.with(&["s"]).await;
    std::fs::write(world.file(), "no database".repeat(100)).unwrap();
    let projection = start(&world);
    world.say("s", "a", 0, &["written all the same"]).await;
    let caught_up = projection.caught_up();
    let mut caught_up = std::pin::pin!(caught_up);
    loop {
        if let SearchStatus::Failing { why } = projection.status() {
            assert!(why.contains("no database"), "{why}");
            break;
        }
        tokio::task::yield_now().await;
    }
    std::fs::remove_file(world.file()).unwrap();
    assert!(within(&mut caught_up).await);
    world.assert_in_step(&["s"]).await;
    assert_eq!(within(projection.index().search(asking("written"))).await.unwrap().hits.len(), 1);
    within(projection.shutdown()).await;
}

#[tokio::test]
async fn it_ends_with_the_engine() {
    let world = World::new().await.with(&["s"]).await;
    let projection = start(&world);
    assert!(within(projection.caught_up()).await);
    world.stage.engine.shutdown().await.unwrap();
    within(projection.shutdown()).await;
    assert_eq!(projection.status(), SearchStatus::Stopped);
}
