//! Subscriptions at their boundary: a service over an engine over memory, with a receiver of webhooks in the test's hand.

#![allow(clippy::unwrap_used, reason = "a test may fail at any line")]

mod restart;
mod service;

use std::sync::Arc;

use headwater_protocol::Offset;
use headwater_protocol::subscription::{
    Ack, AckRequest, SubscriptionConfig, SubscriptionId, SubscriptionStatus, WebhookAnswer, WorkerName,
};
use headwater_streams::subscriptions::limits::SubscriptionLimits;
use headwater_streams::subscriptions::{
    AckError, AckRoute, Acked, ClaimError, ClaimedStreams, Origin, SendFuture, SubscriptionReport, SubscriptionService,
    WakeRef, WebhookDelivery, WebhookSender,
};
use headwater_testing::stage::{path, within};
use headwater_testing::{SharedMemory, Stage};
use tokio::sync::{mpsc, oneshot};

/// A webhook that has been sent and waits for its answer.
struct Sent {
    delivery: WebhookDelivery,
    answer: oneshot::Sender<Result<WebhookAnswer, String>>,
}

/// Hands every webhook to the test.
struct Receiver(mpsc::UnboundedSender<Sent>);

impl WebhookSender for Receiver {
    fn send(&self, delivery: WebhookDelivery) -> SendFuture {
        let (answer, answered) = oneshot::channel();
        self.0.send(Sent { delivery, answer }).expect("the test listens");
        Box::pin(async { answered.await.unwrap_or_else(|_| Err("nobody answers".into())) })
    }
}

/// An engine with subscriptions.
struct House {
    stage: Stage<SharedMemory>,
    service: SubscriptionService,
    sent: mpsc::UnboundedReceiver<Sent>,
}

impl House {
    async fn new() -> Self {
        Self::with_limits(Stage::new(SharedMemory::default()).await, SubscriptionLimits::default())
    }

    fn with_limits(stage: Stage<SharedMemory>, limits: SubscriptionLimits) -> Self {
        let (sender, sent) = mpsc::unbounded_channel();
        let service = SubscriptionService::start(stage.engine.clone(), Arc::new(Receiver(sender)), limits);
        Self { stage, service, sent }
    }

    /// Stops everything; `meanwhile` happens to the engine before subscriptions are back.
    async fn restart(self, meanwhile: impl AsyncFnOnce(&Stage<SharedMemory>)) -> Self {
        self.service.shutdown().await;
        drop((self.service, self.sent));
        let stage = self.stage.reopen().await;
        meanwhile(&stage).await;
        Self::with_limits(stage, SubscriptionLimits::default())
    }

    async fn subscribe(&self, id: &str, config: serde_json::Value) -> bool {
        let config = SubscriptionConfig::from_json(config.to_string().as_bytes()).unwrap();
        self.service.create(name(id), config, Origin("http://localhost".into())).await.unwrap().is_new
    }

    async fn webhook(&self, id: &str, pattern: &str) {
        let config = serde_json::json!({
            "type": "webhook", "pattern": pattern, "webhook": { "url": "http://localhost/hook" }, "lease_ttl_ms": 1000,
        });
        assert!(self.subscribe(id, config).await);
    }

    async fn pull_wake(&self, id: &str, pattern: &str) {
        let config = serde_json::json!({
            "type": "pull-wake", "pattern": pattern, "wake_stream": "wake/pool", "lease_ttl_ms": 1000,
        });
        assert!(self.subscribe(id, config).await);
    }

    /// Time passes, and the service notices.
    async fn pass(&self, ms: u64) {
        self.stage.clock.advance(ms);
        self.service.look_at_the_clock().await.unwrap();
    }

    async fn delivery(&mut self) -> Sent {
        within(self.sent.recv()).await.expect("the service lives")
    }

    /// No webhook has been sent once everything asked for so far is done.
    async fn sends_nothing(&mut self) -> bool {
        self.service.look_at_the_clock().await.unwrap();
        tokio::task::yield_now().await;
        self.sent.try_recv().is_err()
    }

    async fn get(&self, id: &str) -> SubscriptionReport {
        self.service.get(name(id)).await.unwrap()
    }

    /// Waits until the subscription looks as expected; every look goes through the service.
    async fn until(&self, id: &str, expected: impl Fn(&SubscriptionReport) -> bool) {
        within(async {
            while !expected(&self.get(id).await) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn acked(&self, id: &str, stream: &str) -> u64 {
        let report = self.get(id).await;
        let link = report.streams.iter().find(|link| link.path == path(stream)).expect("the stream is linked");
        link.acked_offset.get()
    }

    async fn claim(&self, id: &str, worker: &str) -> Result<ClaimedStreams, ClaimError> {
        self.service.claim(name(id), WorkerName::try_from(worker.to_owned()).unwrap()).await
    }

    async fn ack(
        &self,
        id: &str,
        route: AckRoute,
        wake: &WakeRef,
        acks: &[(&str, u64)],
        done: bool,
    ) -> Result<Acked, AckError> {
        let ack =
            |&(stream, offset): &(&str, u64)| Ack { stream: stream.into(), offset: Offset::new(offset).to_string() };
        let request = AckRequest {
            wake_id: wake.wake_id.clone(),
            generation: wake.generation,
            acks: acks.iter().map(ack).collect(),
            done,
        };
        self.service.ack(name(id), route, wake.clone(), request).await
    }

    /// The wake events so far.
    async fn wake_events(&self) -> Vec<serde_json::Value> {
        let stored = self.stage.read("wake/pool").await;
        let text = std::str::from_utf8(&stored).unwrap();
        text.lines().map(|line| serde_json::from_str(line.trim_end_matches(',')).unwrap()).collect()
    }

    async fn wake_events_reach(&self, count: usize) {
        within(async {
            while self.wake_events().await.len() < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

fn name(id: &str) -> SubscriptionId {
    SubscriptionId::new(id).unwrap()
}

fn is_failed(report: &SubscriptionReport) -> bool {
    report.status == SubscriptionStatus::Failed
}
