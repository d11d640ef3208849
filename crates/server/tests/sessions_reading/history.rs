use std::sync::Arc;

use headwater_streams::ManualClock;
use serde_json::{Value, json};

use crate::api::{Api, chunk, is, refusal};
use crate::work::{WORK_MESSAGES, work};

const NOON: u64 = 1_750_000_000_000;

#[test]
fn e_2e_pages_of_history_join_up_to_all_that_happened() {
    let api = Api::start();
    let id = api.session();
    work(&api, &id);
    let whole = api.get(&format!("sessions/{id}/history"));
    assert_eq!(whole["events"].as_array().unwrap().len(), WORK_MESSAGES);
    assert_eq!(
        (&whole["nextCursor"], whole["offset"].as_str()),
        (&Value::Null, Some(&*api.tail(&format!("session/{id}"))))
    );
    let (mut events, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("sessions/{id}/history?limit=3{cursor}"));
        let some = page["events"].as_array().unwrap();
        assert!(some.len() <= 3);
        events.extend(some.clone());
        let Some(next) = page["nextCursor"].as_str() else { break };
        assert_eq!(next, page["offset"]);
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(events), whole["events"]);
}

#[test]
fn e_2e_history_is_chosen_by_channel_and_time() {
    let clock = Arc::new(ManualClock::new(NOON));
    let api = Api::on(clock.clone());
    let id = api.session();
    for text in ["a", "b", "c"] {
        api.publish(&id, "chunks", chunk(text));
        api.publish(&id, "agentState", json!({ "agentId": "coder", "status": "running", "message": text }));
        clock.advance(1_000);
    }
    let channels = |query: &str| -> Vec<Value> {
        let page = api.get(&format!("sessions/{id}/history?{query}"));
        page["events"].as_array().unwrap().iter().map(|event| event["channel"].clone()).collect()
    };
    assert_eq!(channels("eventTypes=chunks"), vec![json!("chunks"); 3]);
    assert_eq!(channels("eventTypes=chunks%2CagentState").len(), 6);
    assert_eq!(channels(&format!("startTime={}&endTime={}", NOON + 1_000, NOON + 1_000)).len(), 2);
    assert_eq!(channels(&format!("endTime={}&eventTypes=agentState", NOON + 1_999)), vec![json!("agentState"); 2]);
    assert_eq!(channels(&format!("startTime={}", NOON + 3_000)), Vec::<Value>::new());
}

#[test]
fn e_2e_events_are_the_messages_as_stored_with_their_offsets() {
    let api = Api::start();
    let id = api.session();
    work(&api, &id);
    let log = api.log(&id);
    let page = api.call("GET", &format!("sessions/{id}/events"), &Value::Null);
    assert_eq!(page.next_offset(), api.tail(&format!("session/{id}")));
    let data = &page.json()["data"];
    let messages: Vec<&Value> = data["events"].as_array().unwrap().iter().map(|event| &event["message"]).collect();
    assert_eq!(messages, log.iter().collect::<Vec<_>>());
    assert_eq!((&data["upToDate"], data["nextOffset"].as_str()), (&json!(true), Some(page.next_offset())));
    let third = data["events"][2]["offset"].as_str().unwrap();
    let rest = api.get(&format!("sessions/{id}/events?from={third}&limit=2"));
    assert_eq!((&rest["events"][0]["message"], &rest["upToDate"]), (&log[3], &json!(false)));
    assert_eq!(rest["events"].as_array().unwrap().len(), 2);
    assert_eq!(api.get(&format!("sessions/{id}/events?from=now"))["events"], json!([]));
}

#[test]
fn m_1c_parameters_of_pages_are_checked_by_name() {
    let api = Api::start();
    let id = api.session();
    for (path, field) in [
        ("history?limit=0", "limit"),
        ("history?limit=1001", "limit"),
        ("history?limit=many", "limit"),
        ("history?limit=99999999999999999999", "limit"),
        ("history?startTime=yesterday", "startTime"),
        ("history?endTime=-1", "endTime"),
        ("history?startTime=2&endTime=1", "endTime"),
        ("history?eventTypes=chunks,tokens", "eventTypes"),
        ("history?cursor=now", "cursor"),
        ("history?cursor=7", "cursor"),
        ("history?limit=1&limit=2", "limit"),
        ("events?from=7", "from"),
        ("events?limit=1001", "limit"),
        ("export?format=pdf", "format"),
    ] {
        let response = api.call("GET", &format!("sessions/{id}/{path}"), &Value::Null);
        assert_eq!(refusal(&response), is(400, "INVALID_PARAMS"), "{path}");
        assert_eq!(response.json()["error"]["details"]["field"], field, "{path}");
    }
    for what in ["history", "events", "messages", "state", "export"] {
        let (none, bad) = (format!("sessions/none/{what}"), format!("sessions/.none/{what}"));
        assert_eq!(api.refused("GET", &none, &Value::Null), is(404, "SESSION_NOT_FOUND"), "{what}");
        assert_eq!(api.refused("GET", &bad, &Value::Null), is(400, "INVALID_ID"), "{what}");
    }
}
