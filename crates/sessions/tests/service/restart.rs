//! After a restart and after a crash, every acknowledged event is there once, and states are what their logs fold to.

use headwater_protocol::Offset;
use headwater_sessions::{NewFork, SessionId, SessionsConfig, State};
use headwater_testing::{Embedded, Reopen, SharedMemory};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::house::{House, chunk, fold, id_of, line, stamp, user};

/// One thing that happens to one of a few sessions.
#[derive(Debug, Clone)]
enum Happening {
    Post(usize, Value),
    Stamped(usize, Value),
    Fork(usize),
    Close(usize),
    Delete(usize),
    Upkeep,
    Forget,
    Reopen,
    Crash,
}

fn event() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (0..12_u8, "[a-c]{1,3}").prop_map(|(id, text)| chunk(&format!("c{id}"), &text)),
        2 => (0..6_u8, prop::sample::select(vec!["pending", "running", "complete"])).prop_map(|(id, status)| {
            json!({"channel": "toolCalls", "data": {"id": format!("t{id}"), "agentId": "coder", "tool": "sh", "input": 1, "status": status}})
        }),
        1 => "[a-c]{1,3}".prop_map(|text| line(&text)),
        1 => (0..3_u8).prop_map(|turn| json!({"channel": "agentState", "data": {"agentId": "coder", "status": "running", "turn": turn}})),
        1 => Just(user("ada")),
    ]
}

fn events() -> impl Strategy<Value = Value> {
    prop::collection::vec(event(), 1..4).prop_map(Value::from)
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => (0..4_usize, events()).prop_map(|(session, events)| Happening::Post(session, events)),
        4 => (0..4_usize, events()).prop_map(|(session, events)| Happening::Stamped(session, events)),
        1 => (0..4_usize).prop_map(Happening::Fork),
        1 => (0..4_usize).prop_map(Happening::Close),
        1 => (0..4_usize).prop_map(Happening::Delete),
        1 => Just(Happening::Upkeep),
        1 => Just(Happening::Forget),
        1 => Just(Happening::Reopen),
        1 => Just(Happening::Crash),
    ]
}

/// What is known to have been acknowledged.
#[derive(Default)]
struct Known {
    id: Option<SessionId>,
    /// Positions of messages that were answered as new, by offset.
    written: Vec<Offset>,
    stamps: u64,
}

async fn check<R: Reopen>(mut house: House<R>, script: Vec<Happening>) {
    let mut known: Vec<Known> = Vec::new();
    for _ in 0..4 {
        known.push(Known { id: Some(house.session().await), ..Known::default() });
    }
    for happening in script {
        match happening {
            Happening::Post(at, events) => post(&house, &mut known[at], events, None).await,
            Happening::Stamped(at, events) => {
                let seq = known[at].stamps;
                post(&house, &mut known[at], events, Some(seq)).await;
            }
            Happening::Fork(at) => {
                let Some(id) = &known[at].id else { continue };
                let row = house.sessions.fork(id, None, NewFork::default()).await.unwrap();
                assert_eq!(house.state(&id_of(&row)).await, house.state(id).await);
                // The fork's producers are its own.
                known[at] = Known { id: Some(id_of(&row)), written: known[at].written.clone(), stamps: 0 };
            }
            Happening::Close(at) => {
                if let Some(id) = &known[at].id {
                    // A second close is refused, which is as well.
                    house.sessions.close(id).await.ok();
                }
            }
            Happening::Delete(at) => {
                if let Some(id) = known[at].id.take() {
                    house.sessions.delete(&id).await.unwrap();
                }
            }
            Happening::Upkeep => house.sessions.upkeep().await,
            Happening::Forget => house.sessions = house.forgetful().await,
            Happening::Reopen => house = house.reopen().await,
            Happening::Crash => house = house.crash().await,
        }
    }
    let house = house.crash().await;
    for known in &known {
        agree(&house, known).await;
    }
}

async fn post<R: Reopen>(house: &House<R>, known: &mut Known, events: Value, seq: Option<u64>) {
    let Some(id) = &known.id else { return };
    let before = house.state(id).await;
    let outcome = match seq {
        Some(seq) => house.stamped(id, events.clone(), stamp(seq)).await,
        None => house.try_post(id, events.clone()).await,
    };
    let Ok(published) = outcome else {
        assert_eq!(house.state(id).await, before, "a refused request leaves nothing behind");
        return;
    };
    if let Some(seq) = seq {
        known.stamps += 1;
        assert!(house.stamped(id, events, stamp(seq)).await.unwrap().duplicate);
    }
    let new = published.results.iter().filter(|event| !event.duplicate && event.channel.as_str() != "presence");
    known.written.extend(new.map(|event| event.offset));
}

async fn agree<R: Reopen>(house: &House<R>, known: &Known) {
    let Some(id) = &known.id else { return };
    let log = house.log_of(id).await;
    let state = house.state(id).await;
    assert_eq!(state, fold(&log), "the state is what the log folds to");
    assert_eq!(log.iter().map(|(_, next)| *next).collect::<Vec<_>>(), known.written, "each event is there once");
    assert!(log.iter().all(|(message, _)| message["type"] != "presence"));
    assert!(house.sessions.presence(id).await.unwrap().0.is_empty(), "nobody is present after a restart");
    for at in 0..=log.len() {
        let mut state_there = State::thaw(&fold(&log[..at]).freeze()).unwrap();
        for (message, next) in &log[at..] {
            let message = headwater_sessions::Message::decode(&message.to_string()).unwrap();
            state_there.apply_message(&message, *next).unwrap();
        }
        assert_eq!(state_there, state);
    }
}

fn run<R: Reopen>(factory: R, script: Vec<Happening>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async { check(House::new(factory, SessionsConfig::default()).await, script).await });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_events_are_there_once_over_a_store_in_memory(script in prop::collection::vec(happening(), 0..40)) {
        // Presence outlives a service there, as the store does.
        let script = script.into_iter().filter(|happening| !format!("{happening:?}").contains("presence")).collect();
        run(SharedMemory::default(), script);
    }

    #[test]
    fn acknowledged_events_are_there_once_after_power_failures(
        seed in any::<u64>(),
        script in prop::collection::vec(happening(), 0..40),
    ) {
        run(Embedded::new(seed), script);
    }
}

#[tokio::test]
async fn a_large_session_is_frozen_and_only_its_tail_is_replayed() {
    let house = House::new(SharedMemory::default(), SessionsConfig::default()).await;
    let id = house.session().await;
    for _ in 0..40 {
        let lines: Vec<Value> = (0..10).map(|_| line(&"x".repeat(4_000))).collect();
        house.post(&id, lines.into()).await;
    }
    house.sessions.upkeep().await;
    let frozen = house.stage.engine.documents(&format!("sessions/state/{id}/")).await.unwrap();
    assert!(frozen.len() > 1, "it is cut into parts");
    house.post(&id, chunk("after", "x")).await;
    let state = house.state(&id).await;
    let house = house.crash().await;
    let reads = house.stage.faults.reads();
    assert_eq!(house.state(&id).await, state);
    assert!(house.stage.faults.reads() - reads < 5, "the log before the frozen state is not read");
    let house = house.reopen().await;
    assert_eq!(house.state(&id).await, state);
    assert!(!house.stage.engine.documents("sessions/registry/").await.unwrap().is_empty());
}
