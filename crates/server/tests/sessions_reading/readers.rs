//! How live readers come, are bounded, and go.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, chunk};
use crate::support::{TestServer, eventually};
use crate::viewer::Viewer;

/// The gauge of live readers: a viewer of a session reads two streams.
fn live_readers(api: &Api) -> u64 {
    let metrics = api.server.send("GET", "/metrics", &[], "");
    let line =
        metrics.text().lines().find(|line| line.starts_with("headwater_live_readers ")).expect("the gauge").to_owned();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_viewer_is_counted_and_dropped_when_it_leaves() {
    let api = Api::start();
    let id = api.session();
    let mut viewer = Viewer::of(&api.server, &id);
    viewer.until_caught_up();
    assert!(live_readers(&api) >= 1);
    drop(viewer);
    eventually("the reader is gone", || live_readers(&api) == 0);
}

#[test]
fn readers_beyond_the_limit_are_told_to_come_back() {
    let api = Api { server: TestServer::with(|_, limits| limits.live_readers_max = 0) };
    let id = api.session();
    let refused = api.call("GET", &format!("streams?sessionId={id}"), &Value::Null);
    assert_eq!(crate::api::refusal(&refused), crate::api::is(429, "RATE_LIMITED"));
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn a_viewer_ends_when_the_server_stops() {
    let mut api = Api::start();
    let id = api.session();
    let mut viewer = Viewer::of(&api.server, &id);
    viewer.until_caught_up();
    api.server.begin_stop();
    assert_eq!(viewer.next(), None);
    api.server.join();
}

#[test]
fn a_viewer_lives_as_long_as_readers_may_and_goes_on_where_it_was() {
    let api = Api { server: TestServer::with(|config, _| config.sse_lifetime = Duration::from_millis(200)) };
    let id = api.session();
    api.publish(&id, "chunks", chunk("a"));
    let mut viewer = Viewer::of(&api.server, &id);
    let told = viewer.until_caught_up();
    assert_eq!(viewer.next(), None, "its time is over, and the session is not");
    api.publish(&id, "chunks", chunk("b"));
    let mut again = Viewer::open(&api.server, &format!("streams?sessionId={id}"), told[0].id.as_deref());
    assert_eq!(again.until_caught_up()[0].data["data"]["text"], "b");
}

#[test]
fn a_viewer_that_does_not_read_costs_no_memory_and_misses_nothing() {
    const EVENTS: usize = 160;
    let api = Api::start();
    let id = api.session();
    let mut slow = Viewer::of(&api.server, &id);
    let text = "x".repeat(60 * 1024);
    for at in 0..EVENTS {
        let row = json!({ "id": format!("c{at:03}"), "agentId": "coder", "text": text });
        api.publish(&id, "chunks", row);
    }
    let mut keys = Vec::new();
    slow.named("ready");
    while keys.len() < EVENTS {
        let frame = slow.expect();
        if frame.name.is_empty() {
            keys.push(frame.data["key"].as_str().unwrap().to_owned());
        }
    }
    assert!(keys.is_sorted() && keys.len() == EVENTS, "{keys:?}");
    // One piece, and one event that it was not too large for.
    assert!(slow.piece_bytes_max < (16 + 65) * 1024, "{} bytes came at once", slow.piece_bytes_max);
}

#[test]
fn a_deleted_session_ends_its_viewers() {
    let api = Api::start();
    let id = api.session();
    let mut viewer = Viewer::of(&api.server, &id);
    viewer.until_caught_up();
    api.data("DELETE", &format!("sessions/{id}"), &Value::Null);
    assert_eq!(viewer.next(), None);
}
