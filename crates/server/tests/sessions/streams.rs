use serde_json::json;

use crate::api::{Api, chunk};
use crate::support::{Events, TestServer, stream};

#[test]
fn streams_of_sessions_take_no_raw_writes() {
    let api = Api::start();
    let id = api.session();
    api.publish(&id, "chunks", chunk("a"));
    let before = api.log(&id);
    for path in
        [&*format!("session/{id}"), &*format!("session/{id}/presence"), "session/new", "agent/coder", "sessions"]
    {
        for method in ["PUT", "POST", "DELETE"] {
            let response = api.server.send(method, &stream(path), &[crate::api::JSON], "{}");
            assert_eq!((response.status, &*response.code()), (403, "reserved_stream"), "{method} {path}");
        }
        let closing = api.server.close(path);
        assert_eq!(closing.code(), "reserved_stream");
    }
    assert_eq!(api.log(&id), before);
    assert_eq!(api.server.get("session/new").status, 404);
    // Neighbours of the names are streams like all others.
    for path in ["session", "sessions/a", "agents/a", "agent"] {
        assert_eq!(api.server.put(path, "application/json", "").status, 201, "{path}");
    }
}

#[test]
fn streams_of_sessions_are_read_in_every_mode_and_can_be_forked_from() {
    let api = Api::start();
    let id = api.session();
    let answer = api.publish(&id, "chunks", chunk("a"));
    let path = format!("session/{id}");
    let whole = api.server.get(&format!("{path}?offset=-1"));
    assert_eq!(answer["offset"], whole.next_offset());
    let polled = api.server.get(&format!("{path}?offset=-1&live=long-poll"));
    assert_eq!(polled.body, whole.body);
    let mut events = Events::open(&api.server, &format!("{path}?offset=-1&live=sse"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&events.expect().data).unwrap(), whole.json());
    assert_eq!(events.expect().control()["streamNextOffset"], answer["offset"]);
    let source = stream(&path);
    let forked = api.server.send("PUT", &stream("copy"), &[("stream-forked-from", &source)], "");
    assert_eq!(forked.status, 201, "{forked:?}");
    assert_eq!(api.server.get("copy?offset=-1").body, whole.body);
    assert_eq!(api.server.post("copy", "application/json", "{}").status, 204, "the copy is nobody's");
}

#[test]
fn routes_come_before_streams_that_live_at_the_root() {
    let api = Api { server: TestServer::with(|config, _| config.root = "/".parse().unwrap()) };
    let id = api.session();
    api.publish(&id, "chunks", chunk("a"));
    let read = api.server.send("GET", &format!("/session/{id}?offset=-1"), &[], "");
    assert_eq!(read.json()[0]["value"]["text"], "a");
    let plain = api.server.send("PUT", "/api/other", &[crate::api::JSON], "");
    assert_eq!(plain.status, 201, "{plain:?}");
    assert_eq!(api.server.send("GET", "/session/none", &[], "").status, 404);
    assert_eq!(api.get("sessions")["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(json!(null), api.get("sessions")["nextCursor"]);
}
