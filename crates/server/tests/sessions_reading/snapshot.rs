use serde_json::{Value, json};

use crate::api::{Api, chunk, is};
use crate::fold::Fold;
use crate::support::{Events, Response, eventually};
use crate::work::{token, work};

fn messages(response: &Response) -> Vec<Value> {
    response.json().as_array().unwrap().clone()
}

/// Checks that `messages` are a snapshot that says where it holds, and gives that.
fn boundaries(messages: &[Value]) -> &str {
    let (first, last) = (&messages[0]["headers"], &messages[messages.len() - 1]["headers"]);
    assert_eq!((&first["control"], &last["control"]), (&json!("snapshot-start"), &json!("snapshot-end")));
    assert_eq!(first["offset"], last["offset"]);
    last["offset"].as_str().unwrap()
}

#[test]
fn d_2d_a_snapshot_and_what_follows_fold_to_the_log() {
    let api = Api::start();
    let id = api.session();
    let path = format!("session/{id}");
    work(&api, &id);
    for live in ["", "&live=long-poll"] {
        let snapshot = api.server.get(&format!("{path}?offset=-1&view=snapshot{live}"));
        assert_eq!((snapshot.status, snapshot.header("content-type")), (200, Some("application/json")));
        assert_eq!(snapshot.header("stream-up-to-date"), Some("true"));
        assert_eq!(snapshot.header("stream-cursor").is_some(), !live.is_empty());
        let rows = messages(&snapshot);
        assert_eq!(boundaries(&rows), snapshot.next_offset());
        assert_eq!(snapshot.next_offset(), api.tail(&path));
        assert_eq!(Fold::of(&rows), Fold::of(&api.log(&id)));
        // Whoever goes on sends the parameter on every request.
        api.post(&id, &token(2, "more "));
        let more = api.server.get(&format!("{path}?offset={}&view=snapshot{live}", snapshot.next_offset()));
        assert_eq!(messages(&more).len(), 1, "{more:?}");
        assert_eq!(Fold::of(rows.iter().chain(&messages(&more))), Fold::of(&api.log(&id)));
    }
}

#[test]
fn d_2d_an_sse_reader_gets_the_snapshot_first_and_then_what_comes() {
    let api = Api::start();
    let id = api.session();
    let path = format!("session/{id}");
    work(&api, &id);
    let mut events = Events::open(&api.server, &format!("{path}?offset=-1&view=snapshot&live=sse"));
    let data = events.expect();
    assert_eq!(data.name, "data");
    let mut told: Vec<Value> = serde_json::from_str(&data.data).unwrap();
    let control = events.expect().control();
    assert_eq!((control["streamNextOffset"].as_str(), &control["upToDate"]), (Some(boundaries(&told)), &json!(true)));
    assert_eq!(control["streamNextOffset"], api.tail(&path));
    for text in ["x", "y"] {
        api.post(&id, &token(7, text));
        told.extend(serde_json::from_str::<Vec<Value>>(&events.expect().data).unwrap());
        assert_eq!(events.expect().control()["streamNextOffset"], api.tail(&path));
    }
    assert_eq!(Fold::of(&told), Fold::of(&api.log(&id)));
}

#[test]
fn d_2d_a_transcript_of_tokens_shrinks_to_its_text() {
    let api = Api::start();
    let id = api.session();
    let tokens: Vec<Value> = (0..1_000).map(|at| token(1, &format!("{at} "))).collect();
    api.post(&id, &json!(tokens));
    let log = api.server.get(&format!("session/{id}?offset=-1"));
    let snapshot = api.server.get(&format!("session/{id}?offset=-1&view=snapshot"));
    assert_eq!(Fold::of(&messages(&snapshot)), Fold::of(&messages(&log)));
    assert!(snapshot.body.len() * 20 < log.body.len(), "{} of {} bytes", snapshot.body.len(), log.body.len());
}

#[test]
fn d_2d_a_long_snapshot_comes_whole_in_every_mode() {
    let api = Api::start();
    let id = api.session();
    for at in 0..4 {
        let lines: Vec<Value> =
            (0..10).map(|line| crate::work::line(&format!("{at}{line}{}", "z".repeat(10_000)))).collect();
        api.post(&id, &json!(lines));
    }
    let path = format!("session/{id}?offset=-1&view=snapshot");
    let rows = messages(&api.server.get(&path));
    assert_eq!(rows.len(), 42);
    let mut events = Events::open(&api.server, &format!("{path}&live=sse"));
    assert_eq!(serde_json::from_str::<Vec<Value>>(&events.expect().data).unwrap(), rows);
}

#[test]
fn d_2d_the_log_stays_as_it_is_and_caches_cannot_mix_them() {
    let api = Api::start();
    let id = api.session();
    work(&api, &id);
    let path = format!("session/{id}");
    let log = api.server.get(&format!("{path}?offset=-1"));
    let snapshot = api.server.get(&format!("{path}?offset=-1&view=snapshot"));
    assert_eq!((snapshot.header("etag"), snapshot.header("cache-control")), (None, Some("no-store")));
    let tag = log.header("etag").unwrap();
    let target = crate::support::stream(&format!("{path}?offset=-1&view=snapshot"));
    let asked = api.server.send("GET", &target, &[("if-none-match", tag)], "");
    assert_eq!((asked.status, asked.body), (200, snapshot.body));
    let again = api.server.get(&format!("{path}?offset=-1"));
    assert_eq!((&again.body, again.header("etag")), (&log.body, Some(tag)));
    // Anywhere else the parameter changes nothing.
    let second = messages(&log)[0].to_string().len();
    let middle = format!("0000000000000000_{:016}", second + 2);
    for offset in [&*middle, "now"] {
        let plain = api.server.get(&format!("{path}?offset={offset}"));
        let viewed = api.server.get(&format!("{path}?offset={offset}&view=snapshot"));
        assert_eq!((plain.status, plain.header("etag")), (200, viewed.header("etag")));
        assert_eq!((plain.next_offset(), &plain.body), (viewed.next_offset(), &viewed.body));
    }
    // Streams that are no sessions have no views.
    api.server.put("plain", "application/json", "[1,2]");
    assert_eq!(api.server.get("plain?offset=-1&view=snapshot").text(), api.server.get("plain?offset=-1").text());
}

#[test]
fn d_2d_the_snapshot_of_a_closed_session_says_that_it_is_the_end() {
    let api = Api::start();
    let id = api.session();
    api.publish(&id, "chunks", chunk("a"));
    api.data("POST", &format!("sessions/{id}/close"), &Value::Null);
    let path = format!("session/{id}?offset=-1&view=snapshot");
    for live in ["", "&live=long-poll"] {
        let snapshot = api.server.get(&format!("{path}{live}"));
        assert_eq!((snapshot.header("stream-closed"), snapshot.header("stream-cursor")), (Some("true"), None));
        assert_eq!(messages(&snapshot)[1]["value"]["text"], "a");
    }
    let mut events = Events::open(&api.server, &format!("{path}&live=sse"));
    assert_eq!(events.expect().name, "data");
    assert_eq!(events.expect().control()["streamClosed"], true);
    assert_eq!(events.next(), None);
}

#[test]
fn d_2d_presence_has_a_snapshot_too() {
    let api = Api::start();
    let id = api.session();
    let path = format!("session/{id}/presence");
    // Also before anybody has come, so that a reader can wait for them.
    let empty = api.server.get(&format!("{path}?offset=-1&view=snapshot"));
    assert_eq!(boundaries(&messages(&empty)), empty.next_offset());
    for user in ["ada", "bob", "eve"] {
        api.publish(&id, "presence", json!({ "userId": user, "cursor": { "x": 1, "y": 1 } }));
    }
    api.publish(&id, "presence", json!({ "userId": "bob", "cursor": { "x": 2, "y": 2 } }));
    api.ask("POST", &format!("sessions/{id}/leave"), &json!({ "userId": "eve" }));
    let snapshot = api.server.get(&format!("{path}?offset=-1&view=snapshot&live=long-poll"));
    let mut rows = messages(&snapshot);
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert_eq!(boundaries(&rows), snapshot.next_offset());
    assert_eq!(Fold::of(&rows), Fold::of(&api.messages(&path)));
    api.ask("POST", &format!("sessions/{id}/leave"), &json!({ "userId": "ada" }));
    rows.extend(messages(
        &api.server.get(&format!("{path}?offset={}&view=snapshot&live=long-poll", snapshot.next_offset())),
    ));
    assert_eq!(Fold::of(&rows), Fold::of(&api.messages(&path)));
    let mut events = Events::open(&api.server, &format!("{path}?offset=-1&view=snapshot&live=sse"));
    let told: Vec<Value> = serde_json::from_str(&events.expect().data).unwrap();
    assert_eq!(Fold::of(&told).rows("presence").len(), 1);
}

#[test]
fn d_2d_what_cannot_be_seen_is_refused_like_any_read_of_a_stream() {
    let api = Api::start();
    let id = api.session();
    for view in ["log", "", "snapshot&view=snapshot"] {
        let refused = api.server.get(&format!("session/{id}?offset=-1&view={view}"));
        assert_eq!((refused.status, refused.code()), is(400, "invalid_query"), "{view}");
    }
    for path in ["session/none", "session/none/presence"] {
        let refused = api.server.get(&format!("{path}?offset=-1&view=snapshot"));
        assert_eq!((refused.status, refused.code()), is(404, "stream_not_found"), "{path}");
    }
    api.data("DELETE", &format!("sessions/{id}"), &Value::Null);
    eventually("the session is gone", || {
        api.server.get(&format!("session/{id}?offset=-1&view=snapshot")).status == 404
    });
}
