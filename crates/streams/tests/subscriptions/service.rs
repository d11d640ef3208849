//! What the service does while it runs.

use headwater_protocol::subscription::LinkType;
use headwater_streams::subscriptions::{SubscribeError, SubscriptionError};
use headwater_testing::stage::{append, close, json_stream, limits, text};
use serde_json::json;

use super::*;

#[tokio::test]
async fn an_append_wakes_and_done_acks_what_was_listed() {
    let mut house = House::new().await;
    house.webhook("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    assert!(house.sends_nothing().await, "an empty stream is no work");
    house.stage.post(append("events/a", "hello")).await;
    let sent = house.delivery().await;
    assert_eq!(sent.delivery.url, "http://localhost/hook");
    assert_eq!(sent.delivery.wake.generation.0, 1);
    assert_eq!(sent.delivery.streams.len(), 1);
    assert_eq!(sent.delivery.streams[0].tail_offset.get(), 5);
    assert!(sent.delivery.streams[0].has_pending);

    house.stage.post(append("events/a", "more")).await;
    sent.answer.send(Ok(WebhookAnswer::Done)).unwrap();
    let again = house.delivery().await;
    assert_eq!((again.delivery.wake.generation.0, house.acked("s", "events/a").await), (2, 5));
    again.answer.send(Ok(WebhookAnswer::Done)).unwrap();
    house.until("s", |report| report.streams[0].acked_offset.get() == 9).await;
    assert!(house.sends_nothing().await);
}

#[tokio::test]
async fn streams_that_exist_are_followed_from_their_tails_and_later_ones_from_their_beginning() {
    let mut house = House::new().await;
    house.stage.put(text("events/old")).await;
    house.stage.post(append("events/old", "history")).await;
    house.stage.put(text("other/old")).await;
    house.webhook("s", "events/*").await;
    assert!(house.sends_nothing().await);
    assert_eq!(house.acked("s", "events/old").await, 7);
    house.stage.put(headwater_streams::Create { payload: "first".into(), ..text("events/new") }).await;
    let sent = house.delivery().await;
    let pending: Vec<_> =
        sent.delivery.streams.iter().map(|stream| (stream.path.as_str(), stream.has_pending)).collect();
    assert_eq!(pending, [("events/new", true), ("events/old", false)]);
}

#[tokio::test]
async fn the_same_configuration_is_the_same_subscription() {
    let house = House::new().await;
    let config =
        |ttl: u64| json!({ "type": "pull-wake", "streams": ["b", "a", "b"], "wake_stream": "w", "lease_ttl_ms": ttl });
    assert!(house.subscribe("s", config(1000)).await);
    let same = json!({ "type": "pull-wake", "streams": ["a", "/b/"], "wake_stream": "/w", "lease_ttl_ms": 1000 });
    assert!(!house.subscribe("s", same).await);
    let other = SubscriptionConfig::from_json(config(2000).to_string().as_bytes()).unwrap();
    let refused = house.service.create(name("s"), other, Origin("http://localhost".into())).await;
    assert!(matches!(refused, Err(SubscribeError::Differs)));
}

#[tokio::test]
async fn a_pull_wake_is_announced_claimed_acked_and_released() {
    let house = House::new().await;
    house.stage.put(json_stream("wake/pool")).await;
    house.pull_wake("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    house.wake_events_reach(1).await;
    let event = &house.wake_events().await[0];
    assert_eq!(
        (&event["type"], &event["subscription_id"], &event["generation"]),
        (&json!("wake"), &json!("s"), &json!(1))
    );
    assert_eq!((&event["stream"], event["ts"].is_u64()), (&json!("events/a"), true));

    let ClaimedStreams { claimed, streams } = house.claim("s", "w1").await.unwrap();
    assert_eq!((claimed.wake.generation.0, claimed.lease_ttl_ms, streams[0].tail_offset.get()), (1, 1000, 5));
    assert!(
        matches!(house.claim("s", "w2").await, Err(ClaimError::AlreadyClaimed { holder, .. }) if holder.as_str() == "w1")
    );
    let acked = house.ack("s", AckRoute::PullWake, &claimed.wake, &[("events/a", 5)], true).await.unwrap();
    assert!(!acked.next_wake);
    assert!(matches!(house.claim("s", "w2").await, Err(ClaimError::NoPendingWork)));

    house.stage.post(append("events/a", "!")).await;
    let again = house.claim("s", "w2").await.expect("an append that was answered can be claimed").claimed;
    assert_eq!(again.wake.generation.0, 2);
    let request = headwater_protocol::subscription::ReleaseRequest {
        wake_id: again.wake.wake_id.clone(),
        generation: again.wake.generation,
    };
    house.service.release(name("s"), again.wake.clone(), request).await.unwrap();
    let last = house.claim("s", "w1").await.unwrap().claimed;
    assert_eq!(last.wake.generation.0, 3);
}

#[tokio::test]
async fn a_missing_or_closed_wake_stream_is_tried_again_until_it_takes_events() {
    let house = House::new().await;
    house.pull_wake("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    house.until("s", is_failed).await;
    house.stage.put(json_stream("wake/pool")).await;
    house.pass(1_200).await;
    house.wake_events_reach(1).await;
    house.until("s", |report| !is_failed(report)).await;

    let claimed = house.claim("s", "w").await.unwrap().claimed;
    house.stage.engine.append(close("wake/pool")).await.unwrap();
    house.pass(1_000).await;
    house.until("s", is_failed).await;
    assert!(house.claim("s", "w").await.unwrap().claimed.wake.generation > claimed.wake.generation);
}

#[tokio::test]
async fn a_wake_stream_under_its_own_pattern_does_not_wake_itself() {
    let house = House::new().await;
    house.stage.put(json_stream("wake/pool")).await;
    house.pull_wake("s", "**").await;
    house.stage.put(text("a")).await;
    house.stage.post(append("a", "hello")).await;
    house.wake_events_reach(1).await;
    let wake = house.claim("s", "w").await.unwrap().claimed.wake;
    let acked = house.ack("s", AckRoute::PullWake, &wake, &[("a", 5)], true).await.unwrap();
    assert!(!acked.next_wake);
    assert_eq!(house.wake_events().await.len(), 1);
}

#[tokio::test]
async fn failed_webhooks_come_again_and_expired_leases_are_fenced() {
    let mut house = House::new().await;
    house.webhook("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    let first = house.delivery().await;
    first.answer.send(Err("500".into())).unwrap();
    house.until("s", is_failed).await;
    assert!(house.sends_nothing().await);
    house.pass(1_200).await;
    let second = house.delivery().await;
    second.answer.send(Ok(WebhookAnswer::Accepted)).unwrap();
    house.until("s", |report| !is_failed(report)).await;
    house.pass(1_000).await;
    let third = house.delivery().await;
    let (old, new) = (second.delivery.wake, third.delivery.wake);
    assert!(new.generation > old.generation);
    let late = house.ack("s", AckRoute::Webhook, &old, &[("events/a", 5)], true).await;
    assert!(matches!(late, Err(AckError::Fenced)));
    assert_eq!(house.acked("s", "events/a").await, 0);
    assert!(house.ack("s", AckRoute::Webhook, &new, &[("events/a", 5)], true).await.is_ok());
    let wrong = house.ack("s", AckRoute::PullWake, &new, &[], true).await;
    assert!(matches!(wrong, Err(AckError::WrongType)));
}

#[tokio::test]
async fn streams_come_and_go_by_name() {
    let mut house = House::new().await;
    house.stage.put(text("a")).await;
    house.stage.post(append("a", "hello")).await;
    house
        .subscribe("s", json!({ "type": "webhook", "streams": ["later"], "webhook": { "url": "http://localhost/" } }))
        .await;
    house.service.add_streams(name("s"), vec![path("a"), path("later")]).await.unwrap();
    assert_eq!(house.acked("s", "a").await, 5);
    assert_eq!(house.get("s").await.streams[0].link_type, LinkType::Explicit);
    house.stage.put(headwater_streams::Create { payload: "x".into(), ..text("later") }).await;
    let sent = house.delivery().await;
    sent.answer.send(Ok(WebhookAnswer::Done)).unwrap();
    house.service.remove_stream(name("s"), path("a")).await.unwrap();
    house.service.remove_stream(name("s"), path("a")).await.unwrap();
    house.stage.post(append("a", "more")).await;
    house.stage.delete("later").await;
    house.until("s", |report| report.streams.is_empty()).await;
    assert!(house.sends_nothing().await);
}

#[tokio::test]
async fn a_deleted_subscription_is_gone_and_its_id_counts_on() {
    let mut house = House::new().await;
    house.webhook("s", "events/*").await;
    house.stage.put(text("events/a")).await;
    house.stage.post(append("events/a", "hello")).await;
    let sent = house.delivery().await;
    house.service.delete(name("s")).await.unwrap();
    house.service.delete(name("s")).await.unwrap();
    let late = house.ack("s", AckRoute::Webhook, &sent.delivery.wake, &[("events/a", 5)], true).await;
    assert!(matches!(late, Err(AckError::Subscription(SubscriptionError::NotFound))));

    house.webhook("s", "events/*").await;
    assert_eq!(house.acked("s", "events/a").await, 5, "a new subscription begins at the tails");
    house.stage.post(append("events/a", "!")).await;
    assert_eq!(house.delivery().await.delivery.wake.generation.0, 2);
}

#[tokio::test]
async fn limits_refuse_what_passes_them() {
    let stage = Stage::with_limits(SharedMemory::default(), limits()).await;
    for name in ["e/1", "e/2", "e/3"] {
        stage.put(text(name)).await;
    }
    let few = SubscriptionLimits { subscriptions_max: 1, links_per_subscription_max: 2, ..Default::default() };
    let house = House::with_limits(stage, few);
    let config = |pattern: &str| {
        let body = json!({ "type": "webhook", "pattern": pattern, "webhook": { "url": "http://localhost/" } });
        SubscriptionConfig::from_json(body.to_string().as_bytes()).unwrap()
    };
    let create = |id: &str, pattern: &str| house.service.create(name(id), config(pattern), Origin("http://h".into()));
    assert!(matches!(create("s", "e/*").await, Err(SubscribeError::TooManyLinks(2))));
    create("s", "e/1").await.unwrap();
    assert!(matches!(create("t", "e/2").await, Err(SubscribeError::TooManySubscriptions(1))));
    let refused = house.service.add_streams(name("s"), vec![path("e/2"), path("e/3")]).await;
    assert!(matches!(refused, Err(SubscriptionError::TooManyLinks(2))));
    house.service.add_streams(name("s"), vec![path("e/2")]).await.unwrap();
}

#[tokio::test]
async fn one_append_wakes_each_subscription_that_follows() {
    let mut house = House::new().await;
    for n in 0..100 {
        house.webhook(&format!("s{n}"), if n % 2 == 0 { "events/*" } else { "other/**" }).await;
    }
    house.stage.put(headwater_streams::Create { payload: "x".into(), ..text("events/a") }).await;
    let mut woken = Vec::new();
    for _ in 0..50 {
        woken.push(house.delivery().await.delivery.subscription);
    }
    woken.sort();
    woken.dedup();
    assert_eq!(woken.len(), 50);
    assert!(house.sends_nothing().await);
}
