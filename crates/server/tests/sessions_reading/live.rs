use std::sync::Arc;

use headwater_streams::ManualClock;
use serde_json::{Value, json};

use crate::api::{Api, chunk, is, refusal};
use crate::viewer::{Frame, Viewer};
use crate::work::{WORK_MESSAGES, line, token, work};

fn texts(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.data["data"]["text"].as_str().unwrap()).collect()
}

#[test]
fn e_2e_a_reader_is_ready_catches_up_and_gets_what_comes() {
    let api = Api::start();
    let id = api.session();
    let first = api.publish(&id, "chunks", chunk("a"));
    let mut viewer = Viewer::of(&api.server, &id);
    let header = |name| viewer.head.header(name);
    assert_eq!(header("content-type"), Some("text/event-stream"));
    assert_eq!((header("cache-control"), header("x-accel-buffering")), (Some("no-store"), Some("no")));
    let ready = viewer.named("ready");
    assert_eq!((&ready.data["sessionId"], ready.data["offset"].as_str()), (&json!(id), ready.id.as_deref()));
    let told = viewer.named("");
    assert_eq!(told.id.as_deref(), first["offset"].as_str());
    assert_eq!(told.data["channel"], "chunks");
    assert_eq!(told.data["operation"], "insert");
    assert_eq!(told.data["data"]["text"], "a");
    assert_eq!((&told.data["offset"], &told.data["txid"]), (&first["offset"], &first["txid"]));
    assert_eq!(viewer.named("caught-up").data["offset"], first["offset"]);
    for text in ["b", "c"] {
        let answer = api.publish(&id, "chunks", chunk(text));
        let told = viewer.named("");
        assert_eq!((&told.data["data"]["text"], told.id.as_deref()), (&json!(text), answer["offset"].as_str()));
    }
}

#[test]
fn s_1_1_resuming_after_any_event_misses_nothing_and_repeats_nothing() {
    let api = Api::start();
    let id = api.session();
    work(&api, &id);
    let all = Viewer::of(&api.server, &id).until_caught_up();
    assert_eq!(all.len(), WORK_MESSAGES);
    for (at, frame) in all.iter().enumerate() {
        let last = frame.id.as_deref();
        let mut resumed = Viewer::open(&api.server, &format!("streams?sessionId={id}&offset=-1"), last);
        assert_eq!(resumed.until_caught_up(), all[at + 1..], "after event {at}");
        let from = format!("sessions/{id}/stream?fromOffset={}", last.unwrap());
        assert_eq!(Viewer::open(&api.server, &from, None).until_caught_up(), all[at + 1..]);
    }
    let mut now = Viewer::open(&api.server, &format!("streams?sessionId={id}&offset=now"), None);
    let ready = now.named("ready");
    now.named("caught-up");
    drop(now);
    // Cut off before the first event: what `ready` said is where it goes on.
    api.post(&id, &token(3, "late"));
    let late =
        Viewer::open(&api.server, &format!("streams?sessionId={id}&offset=now"), ready.id.as_deref()).until_caught_up();
    assert_eq!(texts(&late), ["late"]);
}

#[test]
fn s_2b_presence_comes_in_the_same_connection_without_ids() {
    let api = Api::start();
    let id = api.session();
    api.publish(&id, "presence", json!({ "userId": "ada" }));
    let last = api.publish(&id, "chunks", chunk("a"));
    let mut viewer = Viewer::of(&api.server, &id);
    let mut frames = viewer.until_caught_up();
    // Who is there is looked up beside the log, so it may come before or after.
    if frames.len() == 1 {
        frames.push(viewer.named(""));
    }
    let ada = frames.iter().find(|frame| frame.data["channel"] == "presence").expect("who is there");
    assert_eq!((&ada.id, &ada.data["operation"], &ada.data["key"]), (&None, &json!("insert"), &json!("ada")));
    assert_eq!((ada.data.get("offset"), &ada.data["data"]["userId"]), (None, &json!("ada")));
    api.publish(&id, "presence", json!({ "userId": "ada", "cursor": { "x": 1, "y": 2 } }));
    let moved = viewer.named("");
    assert_eq!(
        (&moved.id, &moved.data["operation"], &moved.data["data"]["cursor"]),
        (&None, &json!("update"), &json!({ "x": 1, "y": 2 }))
    );
    api.ask("POST", &format!("sessions/{id}/leave"), &json!({ "userId": "ada" }));
    let gone = viewer.named("");
    assert_eq!((&gone.id, &gone.data["operation"], gone.data.get("data")), (&None, &json!("delete"), None));
    let next = api.publish(&id, "chunks", chunk("b"));
    assert_eq!(viewer.named("").id.as_deref(), next["offset"].as_str());
    assert_ne!(last["offset"], next["offset"]);
}

#[test]
fn e_2e_a_closed_session_ends_with_closed() {
    let api = Api::start();
    let id = api.session();
    api.publish(&id, "chunks", chunk("a"));
    let mut live = Viewer::of(&api.server, &id);
    live.until_caught_up();
    api.data("POST", &format!("sessions/{id}/close"), &Value::Null);
    live.named("closed");
    assert_eq!(live.next(), None);
    let mut late = Viewer::of(&api.server, &id);
    assert_eq!(texts(&late.until_caught_up()), ["a"]);
    late.named("closed");
    assert_eq!(late.next(), None);
}

#[test]
fn e_2e_history_that_has_expired_is_a_gap_with_the_earliest_offset() {
    let clock = Arc::new(ManualClock::new(1_750_000_000_000));
    let api = Api::on(clock.clone());
    let row = api.data("POST", "sessions", &json!({ "projectId": "p", "retentionMs": 60_000 }));
    let id = row["id"].as_str().unwrap();
    let old = api.post(id, &token(1, "old"));
    clock.advance(50_000);
    api.post(id, &token(2, "kept"));
    clock.advance(20_000);
    let raw = |from: &str| api.call("GET", &format!("sessions/{id}/events?from={from}"), &Value::Null);
    let start = "0000000000000000_0000000000000000";
    crate::support::eventually("the old event is trimmed", || raw(start).status == 410);
    let trimmed = raw(start);
    assert_eq!(refusal(&trimmed), is(410, "OFFSET_TRIMMED"));
    assert_eq!(trimmed.json()["error"]["details"]["earliest"], old["offset"]);

    let mut viewer = Viewer::open(&api.server, &format!("streams?sessionId={id}"), Some(start));
    viewer.named("ready");
    let gap = viewer.named("gap");
    assert_eq!((&gap.data["earliest"], gap.id.as_deref()), (&old["offset"], old["offset"].as_str()));
    assert_eq!(viewer.named("").data["data"]["text"], "kept");
    viewer.named("caught-up");
    let page = api.get(&format!("sessions/{id}/history?cursor={start}"));
    assert_eq!((&page["gap"]["earliest"], &page["events"][0]["data"]["text"]), (&old["offset"], &json!("kept")));
    // Whoever asks for no position gets what there is.
    assert_eq!(texts(&Viewer::of(&api.server, id).until_caught_up()), ["kept"]);
    let snapshot = api.server.get(&format!("session/{id}?offset=-1&view=snapshot"));
    assert_eq!(snapshot.json()[1]["value"]["text"], "kept", "{snapshot:?}");
}

#[test]
fn s_3_4_an_agent_is_followed_across_sessions() {
    let api = Api::start();
    let (one, two) = (api.session(), api.session());
    api.publish(&one, "chunks", chunk("a"));
    api.publish(&two, "chunks", chunk("b"));
    api.post(&one, &line("nobody's"));
    api.publish(&two, "agentState", json!({ "agentId": "coder", "status": "running" }));
    let mut viewer = Viewer::open(&api.server, "streams?agentId=coder", None);
    let frames = viewer.until_caught_up();
    let told: Vec<(&Value, &Value)> =
        frames.iter().map(|frame| (&frame.data["sessionId"], &frame.data["channel"])).collect();
    let (one, two) = (json!(one), json!(two));
    assert_eq!(told, [(&one, &json!("chunks")), (&two, &json!("chunks")), (&two, &json!("agentState"))]);
    assert_eq!(frames[2].data["key"], "coder", "keys are those of the session");
    let mut resumed = Viewer::open(&api.server, "streams?agentId=coder", frames[0].id.as_deref());
    assert_eq!(resumed.until_caught_up(), frames[1..]);
}

#[test]
fn m_1c_what_does_not_exist_and_what_cannot_be_are_refused() {
    let api = Api::start();
    let id = api.session();
    let get = |path: &str| api.call("GET", path, &Value::Null);
    for path in ["streams?sessionId=none", "streams?agentId=none", "sessions/none/stream"] {
        assert_eq!(refusal(&get(path)), is(404, "SESSION_NOT_FOUND"), "{path}");
    }
    for (path, field) in [
        ("streams".to_owned(), "sessionId"),
        (format!("streams?sessionId={id}&agentId=coder"), "agentId"),
        (format!("streams?sessionId={id}&sessionId={id}"), "sessionId"),
        (format!("streams?sessionId={id}&offset=5"), "offset"),
        (format!("streams?sessionId={id}&offset=-1&offset=-1"), "offset"),
        (format!("streams?sessionId={id}&offset=-1&fromOffset=-1"), "fromOffset"),
        (format!("sessions/{id}/stream?fromOffset=tail"), "fromOffset"),
        (format!("streams?sessionId={id}&offset=0000000000000000_0000000000000007"), "offset"),
    ] {
        let response = get(&path);
        assert_eq!(refusal(&response), is(400, "INVALID_PARAMS"), "{path}");
        assert_eq!(response.json()["error"]["details"]["field"], field, "{path}");
    }
    for path in ["streams?sessionId=a%20b".to_owned(), "streams?agentId=a%2Fb".to_owned()] {
        assert_eq!(refusal(&get(&path)).1, "INVALID_ID", "{path}");
    }
    for last in ["7", "now", "0000000000000000_00000000000000001"] {
        let path = format!("streams?sessionId={id}");
        let response = api.call_with("GET", &path, &[("last-event-id", last)], &Value::Null);
        assert_eq!(refusal(&response), is(400, "INVALID_PARAMS"));
        assert_eq!(response.json()["error"]["details"]["field"], "Last-Event-ID");
    }
}
