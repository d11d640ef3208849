//! What holds whatever happens, in any order.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// Something that happens to a subscription.
#[derive(Debug, Clone)]
enum Event {
    Append { stream: u8, bytes: u64 },
    Remove { stream: u8 },
    Explicit { stream: u8, link: bool },
    Claim,
    Ack { wake: usize, stream: u8, offset: u64, done: bool },
    Release { wake: usize },
    NoticeEnds { attempt: u64, outcome: u8 },
    Pass { ms: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..3_u8, 0..9_u64).prop_map(|(stream, bytes)| Event::Append { stream, bytes }),
        1 => (0..3_u8).prop_map(|stream| Event::Remove { stream }),
        1 => (0..4_u8, any::<bool>()).prop_map(|(stream, link)| Event::Explicit { stream, link }),
        2 => Just(Event::Claim),
        4 => (0..4_usize, 0..3_u8, 0..60_u64, any::<bool>())
            .prop_map(|(wake, stream, offset, done)| Event::Ack { wake, stream, offset, done }),
        1 => (0..3_usize).prop_map(|wake| Event::Release { wake }),
        4 => (0..3_u64, 0..3_u8).prop_map(|(attempt, outcome)| Event::NoticeEnds { attempt, outcome }),
        2 => (1..3_000_u64).prop_map(|ms| Event::Pass { ms }),
    ]
}

fn name(stream: u8) -> String {
    if stream == 3 { "elsewhere".into() } else { format!("events/{stream}") }
}

/// The subscription, the streams as they are, and every wake that ever was.
struct World {
    rules: Rules,
    tails: HashMap<String, u64>,
    wakes: Vec<WakeRef>,
}

impl World {
    fn happens(&mut self, event: Event) {
        let before = cursors(&self.rules);
        let stale = match &event {
            Event::Ack { wake, .. } | Event::Release { wake } => *wake > 0,
            _ => false,
        };
        match event {
            Event::Append { stream, bytes } => {
                let tail = self.tails.entry(name(stream)).or_default();
                *tail += bytes;
                self.rules.append(&name(stream), *tail);
            }
            Event::Remove { stream } => {
                self.tails.remove(&name(stream));
                self.rules.round(|draft| draft.unlink(&path(&name(stream))));
            }
            Event::Explicit { stream, link } => {
                let (path, tail) = (path(&name(stream)), self.tails.get(&name(stream)).copied().map(Offset::new));
                self.rules.round(
                    |draft| {
                        if link { draft.link_explicit(&path, tail) } else { draft.unlink_explicit(&path) }
                    },
                );
            }
            Event::Claim => drop(self.rules.claim("w")),
            Event::Ack { wake, stream, offset, done } => {
                let Some(wake) = self.recent(wake) else { return };
                let answer = self.rules.ack(&wake, &[(&name(stream), offset)], done);
                assert!(!stale || matches!(answer, Err(AckError::Fenced)), "{answer:?}");
                if answer.is_err() {
                    assert_eq!(cursors(&self.rules), before, "a refusal moves nothing");
                }
            }
            Event::Release { wake } => {
                let Some(wake) = self.recent(wake) else { return };
                let answer = self.rules.release(&wake);
                assert!(!stale || answer.is_err());
            }
            Event::NoticeEnds { attempt, outcome } => self.notice_ends(attempt, outcome),
            Event::Pass { ms } => drop(self.rules.pass(ms)),
        }
        for (path, acked) in cursors(&self.rules) {
            assert!(before.get(&path).is_none_or(|&earlier| acked >= earlier), "the cursor of {path} went back");
        }
        self.check();
    }

    fn notice_ends(&mut self, attempt: u64, outcome: u8) {
        let attempt = self.rules.attempts.saturating_sub(attempt);
        let outcome = match outcome {
            0 => NoticeOutcome::Taken,
            1 => NoticeOutcome::Failed,
            _ if !self.rules.subscription.is_webhook() => NoticeOutcome::Taken,
            _ => NoticeOutcome::Done { acks: self.rules.subscription.snapshot().into_iter().map(listed).collect() },
        };
        self.rules.end_notice(attempt, outcome);
    }

    /// The wake `back` generations ago.
    fn recent(&self, back: usize) -> Option<WakeRef> {
        self.wakes.iter().rev().nth(back).cloned()
    }

    fn check(&mut self) {
        let control = self.rules.subscription.control();
        let last = self.wakes.last().map_or(0, |wake| wake.generation.0);
        assert!(control.generation.0 <= last + 1, "one wake at a time");
        if control.generation.0 > last {
            let wake_id = control.wake_id().cloned();
            assert!(wake_id.as_ref().is_none_or(|id| self.wakes.iter().all(|wake| wake.wake_id != *id)));
            let wake_id = wake_id.unwrap_or_else(|| WakeId::new("over already"));
            self.wakes.push(WakeRef { wake_id, generation: control.generation });
        }
        let pending = self.rules.subscription.links().iter().filter(|(_, link)| link.has_pending());
        assert!(pending.map(|(path, _)| path).eq(self.rules.subscription.pending()), "the set says what the links say");
        // Nothing is forgotten: work without a wake has a time at which it gets one.
        let idle = *self.rules.phase() == Phase::Idle;
        if idle && !self.rules.subscription.pending().is_empty() {
            assert!(self.rules.subscription.deadline_ms().is_some_and(|at_ms| at_ms > self.rules.now_ms));
        }
    }

    /// From wherever it stands, time and a willing worker get all the work done.
    fn finish(&mut self) {
        for _ in 0..20 {
            if self.rules.subscription.pending().is_empty() && *self.rules.phase() == Phase::Idle {
                return;
            }
            self.rules.pass(61_000 * 2);
            self.rules.end_notice(self.rules.attempts, NoticeOutcome::Taken);
            let wake = match self.rules.claim("w") {
                Ok(wake) => wake,
                Err(ClaimError::NotPullWake) if self.rules.subscription.control().wake_id().is_some() => {
                    self.rules.wake()
                }
                Err(_) => continue,
            };
            let acks: Vec<_> = self.rules.subscription.snapshot().into_iter().map(listed).collect();
            let acks: Vec<_> = acks.iter().map(|ack| (ack.path.as_str(), ack.offset.get())).collect();
            self.rules.ack(&wake, &acks, true).unwrap();
        }
        panic!("the work is never done: {:?}", self.rules.subscription);
    }
}

fn listed(stream: headwater_protocol::subscription::StreamSnapshot) -> StreamAck {
    StreamAck { path: stream.path, offset: stream.tail_offset }
}

/// Cursors of streams that stay linked.
fn cursors(rules: &Rules) -> HashMap<StreamPath, Offset> {
    rules.subscription.links().iter().map(|(path, link)| (path.clone(), link.acked)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn wakes_are_single_generations_grow_and_cursors_never_go_back(
        pull in any::<bool>(), events in prop::collection::vec(event(), 1..60),
    ) {
        let rules = if pull { Rules::pull_wake() } else { Rules::webhook() };
        let mut world = World { rules, tails: HashMap::new(), wakes: Vec::new() };
        for event in events {
            world.happens(event);
        }
        world.finish();
    }
}
