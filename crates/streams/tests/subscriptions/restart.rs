//! What a restart finds and goes on with.

use headwater_testing::stage::{append, json_stream, text};

use super::*;

/// A house whose webhook was taken at generation 1, with 5 bytes pending.
async fn taken() -> (House, WakeRef) {
    let mut house = House::new().await;
    house.webhook("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    let sent = house.delivery().await;
    sent.answer.send(Ok(WebhookAnswer::Accepted)).unwrap();
    // The lease of a notice that nobody answered would end as a failure: so this shows that it was taken.
    house.ack("s", AckRoute::Webhook, &sent.delivery.wake, &[], false).await.unwrap();
    (house, sent.delivery.wake)
}

#[tokio::test]
async fn a_lease_goes_on_where_it_was() {
    let (house, wake) = taken().await;
    let mut house = house.restart(async |_| ()).await;
    assert!(house.sends_nothing().await);
    let acked = house.ack("s", AckRoute::Webhook, &wake, &[("events/a", 5)], true).await.unwrap();
    assert!(!acked.next_wake);
    let mut house = house.restart(async |_| ()).await;
    assert_eq!(house.acked("s", "events/a").await, 5);
    assert!(house.sends_nothing().await);
}

#[tokio::test]
async fn a_lease_that_ended_while_the_server_was_down_is_fenced_and_wakes_again() {
    let (house, wake) = taken().await;
    let mut house = house.restart(async |stage| stage.clock.advance(1_000)).await;
    let sent = house.delivery().await;
    assert_eq!(sent.delivery.wake.generation.0, 2);
    assert!(matches!(house.ack("s", AckRoute::Webhook, &wake, &[], true).await, Err(AckError::Fenced)));
}

#[tokio::test]
async fn a_delivery_that_was_under_way_is_repeated() {
    let mut house = House::new().await;
    house.webhook("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    let first = house.delivery().await;
    let mut house = house.restart(async |_| ()).await;
    let second = house.delivery().await;
    assert_eq!(first.delivery.wake, second.delivery.wake, "the same wake");
    assert_eq!(&*second.delivery.origin.0, "http://localhost");
}

#[tokio::test]
async fn a_retry_keeps_its_time() {
    let mut house = House::new().await;
    house.webhook("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    house.delivery().await.answer.send(Err("500".into())).unwrap();
    house.until("s", is_failed).await;
    let mut house = house.restart(async |stage| stage.clock.advance(700)).await;
    assert!(house.sends_nothing().await, "0.8 s have to pass at least");
    assert!(is_failed(&house.get("s").await));
    house.pass(500).await;
    house.delivery().await;
}

#[tokio::test]
async fn what_streams_did_meanwhile_is_noticed() {
    let mut house = House::new().await;
    house.stage.put(text("events/gone")).await;
    house.stage.put(text("events/grown")).await;
    house.stage.put(text("named")).await;
    house.webhook("s", "events/*").await;
    house.service.add_streams(name("s"), vec![path("named"), path("not-yet")]).await.unwrap();
    assert!(house.sends_nothing().await);
    let meanwhile = async |stage: &Stage<SharedMemory>| {
        stage.delete("events/gone").await;
        stage.post(append("events/grown", "1")).await;
        stage.put(text("events/born")).await;
        stage.post(append("events/born", "22")).await;
        stage.post(append("named", "333")).await;
    };
    let mut house = house.restart(meanwhile).await;
    let sent = house.delivery().await;
    let listed: Vec<_> = sent
        .delivery
        .streams
        .iter()
        .map(|stream| (stream.path.as_str(), stream.acked_offset.get(), stream.tail_offset.get()))
        .collect();
    assert_eq!(listed, [("events/born", 0, 2), ("events/grown", 0, 1), ("named", 0, 3), ("not-yet", 0, 0)]);
}

#[tokio::test]
async fn a_stream_that_was_made_anew_meanwhile_is_followed_from_its_beginning() {
    let mut house = House::new().await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "a long history")).await;
    house.webhook("s", "events/*").await;
    assert!(house.sends_nothing().await);
    let meanwhile = async |stage: &Stage<SharedMemory>| {
        stage.delete("events/a").await;
        stage.put(text("events/a")).await;
        stage.post(append("events/a", "new")).await;
    };
    let mut house = house.restart(meanwhile).await;
    let stream = house.delivery().await.delivery.streams[0].clone();
    assert_eq!((stream.acked_offset.get(), stream.tail_offset.get()), (0, 3));
}

#[tokio::test]
async fn generations_never_go_back_even_over_a_deletion() {
    let (house, _) = taken().await;
    house.service.delete(name("s")).await.unwrap();
    let mut house = house.restart(async |_| ()).await;
    house.webhook("s", "events/*").await;
    house.stage.post(append("events/a", "!")).await;
    assert_eq!(house.delivery().await.delivery.wake.generation.0, 2);
}

#[tokio::test]
async fn a_claim_outlives_a_restart() {
    let house = House::new().await;
    house.stage.put(json_stream("wake/pool")).await;
    house.pull_wake("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    let wake = house.claim("s", "w1").await.unwrap().claimed.wake;
    let house = house.restart(async |_| ()).await;
    assert!(matches!(house.claim("s", "w2").await, Err(ClaimError::AlreadyClaimed { .. })));
    house.ack("s", AckRoute::PullWake, &wake, &[("events/a", 5)], true).await.unwrap();
}

#[tokio::test]
async fn nothing_is_shown_before_it_is_durable() {
    let mut house = House::new().await;
    house.webhook("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.faults.set_full(true);
    for _ in 0..3 {
        let refused = house.service.add_streams(name("s"), vec![path("x")]).await;
        assert!(refused.is_err(), "a full disk keeps nobody waiting");
    }
    house.stage.faults.set_full(false);
    assert!(house.get("s").await.streams.iter().all(|link| link.path != path("x")));
    house.stage.post(append("events/a", "hello")).await;
    house.delivery().await;
}
