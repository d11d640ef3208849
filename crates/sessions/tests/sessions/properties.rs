//! Properties over random sessions: whatever is posted, log, snapshot, frozen state and messages agree.

use std::collections::HashSet;

use headwater_sessions::{State, Verdict, snapshot};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Harness, fold, go_on};
use crate::stream_db::{StreamDb, Updates};

/// One event, over few ids so that they meet.
fn event() -> impl Strategy<Value = Value> {
    prop_oneof![4 => chunk(), 3 => tool_call(), 2 => agent_state(), 2 => terminal(), 1 => workflow()]
}

fn id() -> impl Strategy<Value = Option<String>> {
    prop::option::weighted(0.7, (0..8_u8).prop_map(|id| format!("e{id}")))
}

fn agent() -> impl Strategy<Value = String> {
    (0..3_u8).prop_map(|agent| format!("agent-{agent}"))
}

fn chunk() -> impl Strategy<Value = Value> {
    let text = "[a-zé\u{1F600}\"\\\\\n]{0,6}";
    (id(), agent(), text, prop::option::of(0..3_u64), 0..100_u64).prop_map(|(id, agent, text, turn, at)| {
        on("chunks", json!({"id": id, "agentId": agent, "text": text, "turn": turn, "timestamp": at}))
    })
}

fn tool_call() -> impl Strategy<Value = Value> {
    let status = prop::sample::select(vec!["pending", "running", "complete", "error"]);
    (id(), agent(), status, any::<bool>(), prop::option::of(0..3_u8)).prop_map(
        |(id, agent, status, partial, output)| {
            let mut data = json!({"id": id, "status": status, "output": output});
            if !partial {
                data["agentId"] = agent.into();
                data["tool"] = "grep".into();
                data["input"] = json!({"q": 1});
            }
            on("toolCalls", data)
        },
    )
}

fn agent_state() -> impl Strategy<Value = Value> {
    let message = prop::sample::select(vec![json!("go"), Value::Null]);
    (agent(), prop::option::of(0..4_u64), message).prop_map(|(agent, turn, message)| {
        let mut event = on("agentState", json!({"agentId": agent, "status": "running", "turn": turn}));
        event["data"]["message"] = message;
        event
    })
}

fn terminal() -> impl Strategy<Value = Value> {
    (id(), "[a-c]{0,2}")
        .prop_map(|(id, data)| on("terminal", json!({"id": id, "type": "output", "data": data, "source": "agent"})))
}

fn workflow() -> impl Strategy<Value = Value> {
    id().prop_map(|id| on("workflow", json!({"id": id, "type": "approval:requested", "payload": {}})))
}

/// An event with the fields that are not `null`.
fn on(channel: &str, mut data: Value) -> Value {
    data.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"channel": channel, "data": data})
}

fn requests() -> impl Strategy<Value = Vec<Vec<Value>>> {
    prop::collection::vec(prop::collection::vec(event(), 1..4), 0..28)
}

/// A session after all of `requests`; those that are refused leave it as it was.
fn session(requests: &[Vec<Value>]) -> Harness {
    let mut harness = Harness::new("s");
    for (number, request) in requests.iter().enumerate() {
        let before = harness.state.clone();
        let body = Value::Array(request.clone()).to_string();
        if harness.events(&body, 1_000 + number as u64).is_err() {
            assert_eq!(harness.state, before);
        }
    }
    harness
}

/// The events of a request that can be told from second events: each with an id, and one per row, for of two the second
/// would undo the first each time.
fn repeatable(mut events: Vec<Value>) -> Vec<Value> {
    let mut rows = HashSet::new();
    for (number, event) in events.iter_mut().enumerate() {
        if event["channel"] != "agentState" && event["data"].get("id").is_none() {
            event["data"]["id"] = format!("own-{number}").into();
        }
    }
    events.retain(|event| {
        let key = if event["channel"] == "agentState" { "agentId" } else { "id" };
        rows.insert((event["channel"].to_string(), event["data"][key].to_string()))
    });
    events
}

fn texts(log: &[(String, headwater_protocol::Offset)]) -> impl Iterator<Item = &str> {
    log.iter().map(|(text, _)| text.as_str())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_log_read_back_folds_to_the_live_state(requests in requests()) {
        let harness = session(&requests);
        prop_assert_eq!(fold(&harness.log), harness.state);
    }

    #[test]
    fn a_snapshot_and_the_tail_after_it_show_what_the_log_shows(requests in requests()) {
        let harness = session(&requests);
        let whole = StreamDb::of(texts(&harness.log));
        for at in 0..=harness.log.len() {
            let (head, tail) = harness.log.split_at(at);
            let snapshot: Vec<String> = snapshot(&fold(head)).collect();
            let joined = StreamDb::of(snapshot.iter().map(String::as_str).chain(texts(tail)));
            prop_assert_eq!(joined.with_merged_chunks(), whole.with_merged_chunks());
            prop_assert_eq!(joined.messages(), whole.messages());
        }
    }

    #[test]
    fn messages_are_those_that_clients_derive_at_every_offset(requests in requests()) {
        let harness = session(&requests);
        for at in 0..=harness.log.len() {
            let state = fold(&harness.log[..at]);
            let messages: Vec<Value> = state.messages().iter().map(|row| serde_json::to_value(row).unwrap()).collect();
            prop_assert_eq!(messages, StreamDb::of(texts(&harness.log[..at])).messages());
        }
    }

    #[test]
    fn folding_goes_on_from_a_frozen_state_as_if_it_had_never_stopped(requests in requests(), at in 0.0..=1.0_f64) {
        let harness = session(&requests);
        let at = (harness.log.len() as f64 * at) as usize;
        let mut state = State::thaw(&fold(&harness.log[..at]).freeze()).unwrap();
        go_on(&mut state, &harness.log[at..]);
        prop_assert_eq!(state.bytes(), harness.state.bytes());
        prop_assert_eq!(state, harness.state);
    }

    #[test]
    fn readers_that_replace_rows_and_readers_that_overlay_them_agree(requests in requests()) {
        let harness = session(&requests);
        let replacing = StreamDb::of(texts(&harness.log));
        prop_assert_eq!(StreamDb::with(Updates::Overlay, texts(&harness.log)).to_json(), replacing.to_json());
    }

    #[test]
    fn an_insert_is_never_of_a_row_that_is_there_and_an_update_always_is(requests in requests()) {
        let mut keys = HashSet::new();
        for (text, _) in &session(&requests).log {
            let message: Value = serde_json::from_str(text).unwrap();
            let is_new = keys.insert((message["type"].to_string(), message["key"].to_string()));
            prop_assert_eq!(is_new, message["headers"]["operation"] == "insert");
        }
    }

    #[test]
    fn a_request_sent_again_at_once_writes_nothing(requests in requests()) {
        let mut harness = session(&requests);
        let last = repeatable(requests.last().cloned().unwrap_or_default());
        let body = Value::Array(last.clone()).to_string();
        if last.is_empty() || harness.events(&body, 5_000).is_err() {
            return Ok(());
        }
        let before = harness.state.clone();
        let again = harness.events(&body, 9_000).unwrap();
        prop_assert!(again.changes.is_empty());
        prop_assert!(again.answers.iter().all(|answer| matches!(answer.verdict, Verdict::Duplicate(_))));
        prop_assert_eq!(harness.state, before);
    }
}
