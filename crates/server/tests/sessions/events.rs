use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::{Api, chunk, is, refusal};

#[test]
fn s_2_2_the_server_fills_id_and_timestamp_and_keeps_those_it_is_given() {
    let api = Api::start();
    let id = api.session();
    let answer = api.publish(&id, "chunks", chunk("a"));
    let mut given = chunk("b");
    given["id"] = json!("mine");
    given["timestamp"] = json!(7);
    assert_eq!(api.publish(&id, "chunks", given)["id"], "mine");
    let log = api.log(&id);
    assert_eq!(log[0]["value"]["id"], answer["id"]);
    assert!(log[0]["value"]["timestamp"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(log[0]["value"]["sessionId"], id.as_str());
    assert_eq!((&log[1]["value"]["id"], &log[1]["value"]["timestamp"]), (&json!("mine"), &json!(7)));
}

#[test]
fn s_2_2_a_missing_session_id_is_an_invalid_parameter() {
    let api = Api::start();
    let event = json!({ "channel": "chunks", "data": chunk("a") });
    for path in ["streams", "streams?sessionId=", "streams?sessionid=x", "streams?sessionId=a&sessionId=b"] {
        let response = api.call("POST", path, &event);
        assert_eq!(refusal(&response), is(400, "INVALID_PARAMS"), "{path}");
        assert_eq!(response.json()["error"]["details"]["field"], "sessionId");
    }
    assert_eq!(api.post_refused("a%2Fb", &event), is(400, "INVALID_ID"));
    assert_eq!(api.post_refused("none", &event), is(404, "SESSION_NOT_FOUND"));
}

#[test]
fn s_2_4_every_write_answers_the_offset_after_it() {
    let api = Api::start();
    let id = api.session();
    for (seq, data) in [chunk("a"), chunk("b")].into_iter().enumerate() {
        let response =
            api.call("POST", &format!("streams?sessionId={id}"), &json!({ "channel": "chunks", "data": data }));
        let answer = response.json();
        assert_eq!(answer["offset"], response.next_offset());
        assert_eq!(answer["offset"], api.tail(&format!("session/{id}")));
        assert_eq!(answer["seq"], seq + 1);
        assert!(answer["txid"].is_string() && answer.get("duplicate").is_none() && answer.get("results").is_none());
    }
}

#[test]
fn an_event_that_breaks_a_rule_is_refused_by_the_field_and_leaves_nothing() {
    let api = Api::start();
    let id = api.session();
    for (channel, data, field) in [
        ("chunks", json!({ "text": "a" }), "agentId"),
        ("chunks", json!({ "agentId": "coder", "text": 1 }), "text"),
        ("chunks", json!({ "agentId": "coder", "text": "a", "txet": "b" }), "txet"),
        ("chunks", json!({ "agentId": "coder", "text": "a", "sessionId": "other" }), "sessionId"),
        ("toolCalls", json!({ "agentId": "coder", "tool": "ls", "input": {}, "status": "started" }), "status"),
        ("terminal", json!({ "type": "echo", "data": "", "source": "user" }), "type"),
        ("workflow", json!({ "type": "approval:requested", "payload": [] }), "payload"),
        ("agentState", json!({ "agentId": "coder", "status": "asleep" }), "status"),
        ("presence", json!({ "userId": "ada", "cursor": { "x": "left", "y": 0 } }), "cursor.x"),
        ("tokens", json!({}), "channel"),
    ] {
        let event = json!({ "channel": channel, "data": data });
        let response = api.call("POST", &format!("streams?sessionId={id}"), &event);
        assert_eq!(refusal(&response), is(400, "VALIDATION_ERROR"), "{event}");
        assert_eq!(response.json()["error"]["details"]["field"], field, "{response:?}");
    }
    assert_eq!(api.log(&id), Vec::<Value>::new());
}

#[test]
fn an_event_over_64_kib_is_too_large() {
    let api = Api::start();
    let id = api.session();
    let event = |bytes: usize| json!({ "channel": "chunks", "data": chunk(&"x".repeat(bytes)) });
    assert_eq!(api.post_refused(&id, &event(64 * 1024)), is(413, "EVENT_TOO_LARGE"));
    api.post(&id, &event(63 * 1024));
    assert_eq!(api.log(&id).len(), 1);
}

#[test]
fn an_array_is_one_transaction() {
    let api = Api::start();
    let id = api.session();
    let event = |text: &str| json!({ "channel": "chunks", "data": chunk(text) });
    let answer = api.post(&id, &json!([event("a"), event("b")]));
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!((&results[0]["channel"], &results[0]["seq"]), (&json!("chunks"), &json!(1)));
    assert_eq!((&results[1]["offset"], &results[1]["seq"]), (&answer["offset"], &json!(2)));
    let log = api.log(&id);
    assert!(log.iter().all(|message| message["headers"]["txid"] == answer["txid"]));

    let broken = json!([event("c"), { "channel": "chunks", "data": { "agentId": "coder" } }]);
    let response = api.call("POST", &format!("streams?sessionId={id}"), &broken);
    assert_eq!(refusal(&response), is(400, "VALIDATION_ERROR"));
    assert_eq!(response.json()["error"]["details"], json!({ "event": 1, "field": "text" }));
    assert_eq!(api.log(&id).len(), 2, "one refusal refuses all");
    assert_eq!(api.post_refused(&id, &json!([])), is(400, "INVALID_PARAMS"));
}

#[test]
fn m_1d_a_retried_post_stores_the_event_once() {
    let api = Api::start();
    let id = api.session();
    let mut event = json!({ "channel": "chunks", "data": chunk("a") });
    event["data"]["id"] = json!("c-1");
    let first = api.post(&id, &event);
    api.publish(&id, "chunks", chunk("between"));
    let again = api.post(&id, &event);
    assert_eq!(again["duplicate"], true);
    assert_eq!((&again["offset"], &again["id"], &again["seq"]), (&first["offset"], &first["id"], &first["seq"]));
    assert_eq!(api.log(&id).len(), 2);

    event["data"]["text"] = json!("other");
    assert_eq!(api.post_refused(&id, &event), is(409, "EVENT_CONFLICT"));
    assert_eq!(api.log(&id).len(), 2);
}

#[test]
fn m_1d_posts_that_race_with_their_own_retries_store_the_event_once() {
    let api = Api::start();
    let id = api.session();
    let event = json!({ "channel": "terminal", "data":
        { "id": "line-1", "type": "output", "data": "ok", "source": "agent" } });
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..8).map(|_| scope.spawn(|| api.post(&id, &event))).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.get("duplicate").is_none()).count(), 1);
    let offsets: BTreeSet<&str> = answers.iter().map(|answer| answer["offset"].as_str().unwrap()).collect();
    assert_eq!(offsets.len(), 1);
    assert_eq!(api.log(&id).len(), 1);
}

#[test]
fn m_1d_a_tools_result_lands_on_the_row_that_its_start_made() {
    let api = Api::start();
    let id = api.session();
    let start =
        json!({ "id": "call", "agentId": "coder", "tool": "ls", "input": { "path": "." }, "status": "running" });
    api.publish(&id, "toolCalls", start);
    api.publish(&id, "toolCalls", json!({ "id": "call", "agentId": "coder", "status": "complete", "output": ["a"] }));
    let log = api.log(&id);
    assert_eq!(log[1]["headers"]["operation"], "update");
    assert_eq!((&log[0]["key"], &log[1]["key"]), (&json!("call"), &json!("call")));
    let row = &log[1]["value"];
    assert_eq!((&row["input"], &row["output"]), (&json!({ "path": "." }), &json!(["a"])));
    assert_eq!((&row["status"], &row["timestamp"]), (&json!("complete"), &log[0]["value"]["timestamp"]));
}

#[test]
fn a_stream_holds_change_messages_of_state_protocol_and_nothing_else() {
    let api = Api::start();
    let id = api.session();
    for (channel, data) in [
        ("chunks", chunk("a")),
        ("toolCalls", json!({ "agentId": "coder", "tool": "ls", "input": null, "status": "pending" })),
        ("terminal", json!({ "type": "output", "data": "\u{1b}[1mok", "source": "agent" })),
        ("workflow", json!({ "type": "approval:requested", "payload": { "what": "push" } })),
        ("agentState", json!({ "agentId": "coder", "status": "running" })),
    ] {
        api.publish(&id, channel, data);
    }
    let log = api.log(&id);
    let types: Vec<&str> = log.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["chunk", "tool", "terminal", "workflow", "state"]);
    for message in &log {
        let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(message), ["headers", "key", "type", "value"]);
        assert_eq!(keys(&message["headers"]), ["operation", "timestamp", "txid"]);
        assert!(message["value"].is_object());
    }
}

#[test]
fn m_1d_what_an_agent_does_is_in_its_own_stream_under_the_same_txid() {
    let api = Api::start();
    let (one, two) = (api.session(), api.session());
    let event = json!({ "channel": "chunks", "txid": "tx-1", "data": chunk("a") });
    let answer = api.post(&one, &event);
    assert_eq!(answer["txid"], "tx-1");
    api.publish(&two, "agentState", json!({ "agentId": "coder", "status": "running" }));
    let told = api.messages("agent/coder");
    assert_eq!(told[0]["key"], format!("{one}:{}", answer["id"].as_str().unwrap()));
    assert_eq!(told[0]["headers"]["txid"], "tx-1");
    assert_eq!(told[1]["key"], format!("{two}:coder"));
}
