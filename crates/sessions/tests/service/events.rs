//! Events are stored, seen by agents' streams, told apart from repeated ones, and refused without a trace.

use headwater_protocol::Offset;
use headwater_sessions::limits::AGENTS_PER_REQUEST_MAX;
use headwater_sessions::{ErrorCode, Message, RowType, State};
use headwater_testing::stage::{self, append};
use serde_json::{Value, json};

use crate::house::{chunk, fold, house, line, request, stamp, user};

#[tokio::test]
async fn an_event_is_answered_with_its_place_and_is_in_the_log() {
    let house = house().await;
    let id = house.session().await;
    let published = house.post(&id, json!([chunk("c1", "Hel"), chunk("c2", "lo")])).await;
    let log = house.log_of(&id).await;
    let places: Vec<(u64, Offset)> = published.results.iter().map(|event| (event.seq, event.offset)).collect();
    assert_eq!(places, [(1, log[0].1), (2, log[1].1)]);
    assert_eq!(published.offset, log[1].1);
    assert!(log.iter().all(|(message, _)| message["headers"]["txid"] == published.txid.as_str()));
    let state = house.state(&id).await;
    assert_eq!(state.messages().iter().next().unwrap().text, "Hello");
    assert_eq!(state, fold(&log));
}

#[tokio::test]
async fn events_of_an_agent_are_in_its_stream_under_the_same_txid() {
    let house = house().await;
    let (one, two) = (house.session().await, house.session().await);
    let first = house.post(&one, json!([chunk("c", "x"), line("not an agent's")])).await;
    let second = house.post(&two, chunk("c", "y")).await;
    let log = house.log("agent/coder").await;
    let told: Vec<(&str, &str)> = log.iter().map(|(m, _)| (text(&m["key"]), text(&m["headers"]["txid"]))).collect();
    assert_eq!(
        told,
        [(format!("{one}:c").as_str(), first.txid.as_str()), (format!("{two}:c").as_str(), second.txid.as_str())]
    );
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_repeated_event_answers_the_offset_of_the_first_and_writes_nothing() {
    let house = house().await;
    let id = house.session().await;
    let first = house.post(&id, chunk("c1", "x")).await;
    house.post(&id, chunk("c2", "y")).await;
    let again = house.post(&id, chunk("c1", "x")).await;
    assert!(again.duplicate && again.results[0].duplicate);
    assert_eq!((again.offset, again.results[0].offset, again.results[0].seq), (first.offset, first.offset, 1));
    assert_eq!(house.log_of(&id).await.len(), 2);
}

#[tokio::test]
async fn a_refused_request_leaves_nothing_behind() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, chunk("c1", "x")).await;
    let before = (house.state(&id).await, house.log_of(&id).await, house.log("agent/coder").await);
    let conflict = json!([chunk("c2", "z"), user("ada"), chunk("c1", "other")]);
    assert_eq!(house.refused(&id, conflict).await, ErrorCode::EventConflict);
    let many: Vec<Value> = (0..=AGENTS_PER_REQUEST_MAX)
        .map(|agent| json!({"channel": "chunks", "data": {"agentId": format!("a{agent}"), "text": "x"}}))
        .collect();
    assert_eq!(house.refused(&id, many.into()).await, ErrorCode::InvalidParams);
    let large: Vec<Value> = (0..200).map(|_| line(&"x".repeat(60_000))).collect();
    assert_eq!(house.refused(&id, large.into()).await, ErrorCode::InvalidParams);
    assert_eq!((house.state(&id).await, house.log_of(&id).await, house.log("agent/coder").await), before);
    assert!(!house.stage.exists("agent/a0").await);
    assert!(house.sessions.presence(&id).await.unwrap().0.is_empty());
    house.post(&id, chunk("c2", "y")).await;
}

#[tokio::test]
async fn as_many_agents_as_allowed_fit_into_one_request() {
    let house = house().await;
    let id = house.session().await;
    let many: Vec<Value> = (0..AGENTS_PER_REQUEST_MAX)
        .map(|agent| json!({"channel": "chunks", "data": {"agentId": format!("a{agent}"), "text": "x"}}))
        .chain([user("ada")])
        .collect();
    assert_eq!(house.post(&id, many.into()).await.results.len(), AGENTS_PER_REQUEST_MAX + 1);
    assert!(house.stage.exists("agent/a119").await);
}

#[tokio::test]
async fn events_and_presence_in_one_array_land_together() {
    let house = house().await;
    let id = house.session().await;
    let published = house.post(&id, json!([user("ada"), line("x")])).await;
    let (log, companion) = (house.log_of(&id).await, house.log(id.presence_stream().as_str()).await);
    assert_eq!((log.len(), companion.len()), (1, 1));
    assert_eq!(published.offset, log[0].1);
    assert_eq!(published.results[0].offset, companion[0].1);
    assert_eq!(log[0].0["headers"]["txid"], companion[0].0["headers"]["txid"]);
}

#[tokio::test]
async fn a_producers_request_sent_again_is_a_duplicate_whatever_it_would_come_to() {
    let house = house().await;
    let id = house.session().await;
    let call = |status: &str| json!({"channel": "toolCalls", "data": {"id": "t", "agentId": "coder", "tool": "sh", "input": 1, "status": status}});
    house.stamped(&id, call("running"), stamp(0)).await.unwrap();
    house.stamped(&id, call("complete"), stamp(1)).await.unwrap();
    let without_id = json!({"channel": "chunks", "data": {"agentId": "coder", "text": "x"}});
    house.stamped(&id, without_id.clone(), stamp(2)).await.unwrap();
    let before = (house.state(&id).await, house.log_of(&id).await);
    for service in [house.sessions.clone(), house.forgetful().await] {
        for (seq, event) in [(0, call("running")), (1, call("complete")), (2, without_id.clone())] {
            let again = service.publish(&id, request(&id, &event), Some(stamp(seq))).await.unwrap();
            assert!(again.duplicate, "{seq}");
        }
    }
    assert_eq!((house.state(&id).await, house.log_of(&id).await), before);
    house.stamped(&id, chunk("next", "y"), stamp(3)).await.unwrap();
}

#[tokio::test]
async fn a_producer_goes_on_after_requests_that_wrote_nothing_and_in_a_new_epoch() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, chunk("c", "x")).await;
    assert!(house.stamped(&id, chunk("c", "x"), stamp(0)).await.unwrap().duplicate);
    house.stamped(&id, user("ada"), stamp(1)).await.unwrap();
    house.stamped(&id, chunk("d", "x"), stamp(2)).await.unwrap();
    let gap = house.stamped(&id, chunk("e", "x"), stamp(9)).await.unwrap_err();
    assert_eq!(gap.code(), ErrorCode::ProducerGap);
    house.stamped(&id, chunk("e", "x"), stage::stamp("producer", 1, 0)).await.unwrap();
    let fenced = house.stamped(&id, chunk("f", "x"), stamp(3)).await.unwrap_err();
    assert_eq!(fenced.code(), ErrorCode::ProducerFenced);
    assert_eq!(house.log_of(&id).await.len(), 3);
}

#[tokio::test]
async fn messages_that_others_append_to_the_stream_are_taken_into_account() {
    let house = house().await;
    let id = house.session().await;
    house.post(&id, chunk("c1", "x")).await;
    let foreign = r#"{"type":"terminal","key":"l","value":{"id":"l"},"headers":{"operation":"insert"}}"#;
    let append = headwater_streams::Append {
        content_type: Some(stage::content_type("application/json")),
        ..append(id.stream().as_str(), format!("{foreign},\n"))
    };
    house.stage.post(append).await;
    house.post(&id, chunk("c2", "y")).await;
    let state = house.state(&id).await;
    assert!(state.row(RowType::Terminal, "l").is_some());
    assert_eq!(state, fold(&house.log_of(&id).await));
}

#[tokio::test]
async fn a_snapshot_and_what_follows_it_fold_to_the_state() {
    let house = house().await;
    let id = house.session().await;
    for number in 0..50 {
        house.post(&id, json!([chunk(&number.to_string(), "word "), line(&"x".repeat(4_000))])).await;
    }
    let mut page = house.sessions.snapshot(&id).await.unwrap();
    let mut stored = Vec::new();
    let mut chunks = 0;
    while let Some(chunk) = page.next_chunk() {
        stored.extend_from_slice(&chunk);
        chunks += 1;
    }
    assert!(chunks > 1);
    house.post(&id, chunk("more", "end")).await;
    let snapshot = std::str::from_utf8(&stored).unwrap().lines().map(|line| line.strip_suffix(',').unwrap().to_owned());
    let tail = house.log_of(&id).await.into_iter().filter(|(_, next)| *next > page.offset).map(|(m, _)| m.to_string());
    let mut state = State::default();
    for (message, at) in snapshot.chain(tail).zip(1..) {
        state.apply_message(&Message::decode(&message).unwrap(), Offset::new(at)).unwrap();
    }
    let shown = house.state(&id).await;
    let texts = |state: &State| state.messages().iter().map(|message| message.text.clone()).collect::<Vec<_>>();
    let rows = |state: &State| {
        state.rows(RowType::Terminal).map(|(key, row)| (key.to_owned(), row.value.clone())).collect::<Vec<_>>()
    };
    assert_eq!((texts(&state), rows(&state)), (texts(&shown), rows(&shown)));
}
