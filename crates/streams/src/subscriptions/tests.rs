//! The rules alone: no store, no clock, no task.

mod properties;
mod rules;

use std::sync::Arc;

use headwater_protocol::subscription::{
    Ack, AckRequest, Delivery, Generation, ReleaseRequest, SubscriptionConfig, SubscriptionId, WakeId, WorkerName,
};
use headwater_protocol::{Glob, Offset, StreamPath};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const TTL_MS: u64 = 1_000;

/// A subscription under the rules, with the clock in the test's hand.
struct Rules {
    subscription: Subscription,
    now_ms: u64,
    random: StdRng,
    /// Notices that the rules asked for, and have not been ended.
    attempts: u64,
}

impl Rules {
    fn webhook() -> Self {
        Self::new(Delivery::Webhook { url: "http://127.0.0.1/".into() })
    }

    fn pull_wake() -> Self {
        Self::new(Delivery::PullWake { wake_stream: path("events/wake") })
    }

    fn new(delivery: Delivery) -> Self {
        let config = SubscriptionConfig {
            pattern: Some(Glob::new("events/*").unwrap()),
            streams: Default::default(),
            delivery,
            lease_ttl_ms: TTL_MS,
            description: None,
        };
        let id = SubscriptionId::new("s").unwrap();
        let origin = Origin("http://127.0.0.1:4437".into());
        let subscription = Subscription::new(id, Arc::new(config), origin, 0, Control::default());
        Self { subscription, now_ms: 1_000_000, random: StdRng::seed_from_u64(7), attempts: 0 }
    }

    /// One round: `news`, then what happens by itself. Answers whether a notice goes out.
    fn round<T>(&mut self, news: impl FnOnce(&mut Draft<'_>) -> T) -> (T, bool) {
        let random = StdRng::from_rng(&mut self.random);
        let mut draft = Draft::new(&self.subscription, self.now_ms, random);
        let answer = news(&mut draft);
        draft.advance();
        let change = draft.finish();
        let notify = change.notify;
        self.subscription.apply(change);
        if notify {
            self.attempts += 1;
            self.subscription.begin_attempt(self.attempts);
        }
        (answer, notify)
    }

    /// The stream grows to `tail`; it comes to be when it did not exist.
    fn append(&mut self, name: &str, tail: u64) -> bool {
        let path = path(name);
        self.subscription.observe(&path, Offset::new(tail));
        let known = self.subscription.links().contains_key(&path);
        let link = |draft: &mut Draft<'_>| {
            if !known {
                draft.link_new(&path, Offset::START, Offset::new(tail));
            }
        };
        self.round(link).1
    }

    /// Time passes; answers whether a notice goes out.
    fn pass(&mut self, ms: u64) -> bool {
        self.now_ms += ms;
        self.round(|_| ()).1
    }

    fn end_notice(&mut self, attempt: u64, outcome: NoticeOutcome) -> bool {
        let notify = self.round(|draft| draft.notice_ended(attempt, &outcome)).1;
        self.subscription.end_attempt(attempt);
        notify
    }

    fn ack(&mut self, wake: &WakeRef, acks: &[(&str, u64)], done: bool) -> Result<Acked, AckError> {
        let request = ack_request(wake, acks, done);
        self.round(|draft| draft.ack(wake, &request)).0
    }

    fn release(&mut self, wake: &WakeRef) -> Result<(), AckError> {
        let request = ReleaseRequest { wake_id: wake.wake_id.clone(), generation: wake.generation };
        self.round(|draft| draft.release(wake, &request)).0
    }

    fn claim(&mut self, worker: &str) -> Result<WakeRef, ClaimError> {
        let worker = WorkerName::try_from(worker.to_owned()).unwrap();
        self.round(|draft| draft.claim(worker)).0.map(|claimed| claimed.wake)
    }

    /// The wake in force.
    fn wake(&self) -> WakeRef {
        let control = self.subscription.control();
        WakeRef { wake_id: control.wake_id().expect("a wake is in force").clone(), generation: control.generation }
    }

    fn generation(&self) -> u64 {
        self.subscription.control().generation.0
    }

    fn phase(&self) -> &Phase {
        &self.subscription.control().phase
    }

    fn acked(&self, name: &str) -> u64 {
        self.subscription.links()[&path(name)].acked.get()
    }
}

fn path(name: &str) -> StreamPath {
    StreamPath::new(name).unwrap()
}

fn ack_request(wake: &WakeRef, acks: &[(&str, u64)], done: bool) -> AckRequest {
    let ack = |&(stream, offset): &(&str, u64)| Ack { stream: stream.into(), offset: Offset::new(offset).to_string() };
    AckRequest {
        wake_id: wake.wake_id.clone(),
        generation: wake.generation,
        acks: acks.iter().map(ack).collect(),
        done,
    }
}

fn stale(wake: &WakeRef) -> [WakeRef; 2] {
    let other_id = WakeRef { wake_id: WakeId::new("w_other"), ..wake.clone() };
    [other_id, WakeRef { generation: Generation(wake.generation.0 - 1), ..wake.clone() }]
}
