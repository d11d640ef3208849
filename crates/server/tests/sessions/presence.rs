use std::sync::Arc;

use headwater_streams::ManualClock;
use serde_json::{Value, json};

use crate::api::{Api, chunk, is};
use crate::support::eventually;

const NOON: u64 = 1_750_000_000_000;

fn clocked() -> (Arc<ManualClock>, Api, String) {
    let clock = Arc::new(ManualClock::new(NOON));
    let api = Api::on(clock.clone());
    let id = api.session();
    (clock, api, id)
}

fn beat(api: &Api, session: &str, data: &Value) -> Value {
    api.ask("POST", &format!("sessions/{session}/presence"), data)
}

fn present(api: &Api, session: &str) -> Vec<Value> {
    api.get(&format!("sessions/{session}/presence")).as_array().unwrap().clone()
}

#[test]
fn s_2_4_a_sign_of_life_answers_its_offset_and_the_row() {
    let (_, api, id) = clocked();
    let answer = beat(&api, &id, &json!({ "userId": "ada", "displayName": "Ada", "cursor": { "x": 1, "y": 2.5 } }));
    assert_eq!(answer["offset"], api.tail(&format!("session/{id}/presence")));
    let expected = json!({ "userId": "ada", "sessionId": id, "displayName": "Ada", "cursor": { "x": 1, "y": 2.5 },
        "lastSeen": NOON, "joinedAt": NOON });
    assert_eq!(answer["data"], expected);
    assert_eq!(present(&api, &id), [expected]);
    let flat = api.publish(&id, "presence", json!({ "userId": "ada" }));
    assert_eq!(flat["offset"], api.tail(&format!("session/{id}/presence")));
}

#[test]
fn m_1d_an_update_keeps_when_somebody_joined_and_a_beat_without_a_cursor_keeps_the_cursor() {
    let (clock, api, id) = clocked();
    beat(&api, &id, &json!({ "userId": "ada", "cursor": { "x": 1, "y": 2 } }));
    clock.advance(10_000);
    let row = &beat(&api, &id, &json!({ "userId": "ada" }))["data"];
    assert_eq!((&row["joinedAt"], &row["lastSeen"]), (&json!(NOON), &json!(NOON + 10_000)));
    assert_eq!(row["cursor"], json!({ "x": 1, "y": 2 }));
}

#[test]
fn s_3_1_who_is_silent_for_thirty_seconds_is_gone_for_everybody() {
    let (clock, api, id) = clocked();
    beat(&api, &id, &json!({ "userId": "ada" }));
    clock.advance(15_000);
    beat(&api, &id, &json!({ "userId": "bob" }));
    clock.advance(14_999);
    assert_eq!(present(&api, &id).len(), 2);
    clock.advance(1);
    assert_eq!(present(&api, &id)[0]["userId"], "bob", "also before anything is deleted");
    assert_eq!(api.get(&format!("sessions/{id}"))["viewerCount"], 1);
    let stream = format!("session/{id}/presence");
    eventually("the server deletes the row", || {
        let last = api.messages(&stream).pop().unwrap();
        last["headers"]["operation"] == "delete" && last["key"] == "ada"
    });
}

#[test]
fn m_1d_leaving_makes_nobody_more_present() {
    let (_, api, id) = clocked();
    for user in ["ada", "bob"] {
        api.data("POST", &format!("sessions/{id}/join"), &json!({ "userId": user }));
    }
    let left = api.ask("POST", &format!("sessions/{id}/leave"), &json!({ "userId": "ada" }));
    assert_eq!(left["offset"], api.tail(&format!("session/{id}/presence")));
    assert_eq!(left["data"]["userId"], "ada");
    let shown = api.get(&format!("sessions/{id}"));
    assert_eq!((&shown["viewerCount"], &shown["activeUsers"][0]["userId"]), (&json!(1), &json!("bob")));
    let last = api.messages(&format!("session/{id}/presence")).pop().unwrap();
    assert_eq!((&last["key"], &last["headers"]["operation"]), (&json!("ada"), &json!("delete")));
    api.ask("POST", &format!("sessions/{id}/leave"), &json!({ "userId": "nobody" }));
}

#[test]
fn presence_is_no_history() {
    let (_, api, id) = clocked();
    let before = api.publish(&id, "chunks", chunk("a"))["offset"].clone();
    for x in 0..20 {
        beat(&api, &id, &json!({ "userId": "ada", "cursor": { "x": x, "y": 0 } }));
    }
    let shown = api.get(&format!("sessions/{id}"));
    assert_eq!((&shown["offset"], &shown["eventCount"]), (&before, &json!(1)));
    assert_eq!(api.log(&id).len(), 1);
}

#[test]
fn who_joins_gets_the_folded_state_and_where_it_ends() {
    let (_, api, id) = clocked();
    for text in ["hel", "lo"] {
        api.publish(&id, "chunks", chunk(text));
    }
    let joined = api.data("POST", &format!("sessions/{id}/join"), &json!({ "userId": "ada", "displayName": "Ada" }));
    assert_eq!(joined["offset"], api.tail(&format!("session/{id}")));
    assert_eq!(joined["presenceOffset"], api.tail(&format!("session/{id}/presence")));
    assert_eq!((&joined["session"]["id"], &joined["session"]["viewerCount"]), (&json!(id), &json!(1)));
    let snapshot = joined["snapshot"].as_array().unwrap();
    let controls = [&snapshot[0], &snapshot[snapshot.len() - 1]].map(|message| message["headers"]["control"].clone());
    assert_eq!(controls, ["snapshot-start", "snapshot-end"]);
    assert_eq!(snapshot[1]["value"]["text"], "hello");
    let bare = api.data("POST", &format!("sessions/{id}/join?snapshot=false"), &json!({ "userId": "bob" }));
    assert_eq!((bare.get("snapshot"), &bare["offset"]), (None, &joined["offset"]));
}

#[test]
fn a_body_cannot_break_out_of_its_event() {
    let (_, api, id) = clocked();
    let path = format!("/api/sessions/{id}/presence");
    for body in [r#"{"userId":"ada"},"txid":"mine""#, r#"{"userId":"ada"}}"#, "", "ada", r#"{"userId":"ada""#] {
        let response = api.server.send("POST", &path, &[crate::api::JSON], body);
        assert_eq!(crate::api::refusal(&response), is(400, "INVALID_PARAMS"), "{body}");
    }
    let leave = format!("sessions/{id}/leave");
    assert_eq!(api.refused("POST", &leave, &json!({ "user": "ada" })), is(400, "VALIDATION_ERROR"));
    assert_eq!(api.refused("POST", &format!("sessions/{id}/join"), &json!({})), is(400, "VALIDATION_ERROR"));
    assert!(present(&api, &id).is_empty());
}
