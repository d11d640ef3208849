use serde_json::{Value, json};

use crate::api::{Api, JSON, is, refusal};
use crate::support::TestServer;

#[test]
fn whatever_is_refused_under_api_has_the_form_of_sessions() {
    let api = Api::start();
    let none = &Value::Null;
    assert_eq!(api.refused("GET", "nothing", none), is(404, "NOT_FOUND"));
    assert_eq!(api.refused("GET", "sessions/a/b/c", none), is(404, "NOT_FOUND"));
    assert_eq!(refusal(&api.server.send("GET", "/api", &[], "")), is(404, "NOT_FOUND"));
    let wrong = api.call("DELETE", "sessions", none);
    assert_eq!(refusal(&wrong), is(405, "METHOD_NOT_ALLOWED"));
    assert_eq!(wrong.header("allow"), Some("GET,HEAD,POST"));
    let send = |headers: &[(&str, &str)], body: &str| refusal(&api.server.send("POST", "/api/sessions", headers, body));
    assert_eq!(send(&[JSON], "{"), is(400, "INVALID_PARAMS"));
    assert_eq!(send(&[JSON], ""), is(400, "INVALID_PARAMS"));
    assert_eq!(send(&[], "{}"), is(415, "UNSUPPORTED_MEDIA_TYPE"));
    assert_eq!(send(&[("content-type", "text/plain")], "{}"), is(415, "UNSUPPORTED_MEDIA_TYPE"));
    assert_eq!(send(&[JSON, ("content-encoding", "gzip")], "{}"), is(415, "UNSUPPORTED_CONTENT_ENCODING"));
}

#[test]
fn a_body_over_the_limit_is_refused_in_the_form_of_sessions() {
    let api = Api { server: TestServer::with(|config, _| config.limits.body_bytes_max = 1024) };
    let response = api.call("POST", "sessions", &json!({ "projectId": "p".repeat(2000) }));
    assert_eq!(refusal(&response), is(413, "BODY_TOO_LARGE"));
    assert_eq!(response.header("connection"), Some("close"));
}

#[test]
fn browsers_may_call_and_see_every_answer() {
    let api = Api::start();
    let preflight = api.server.send("OPTIONS", "/api/sessions/a", &[("origin", "http://a.example")], "");
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("PATCH"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("content-type"));
    for response in [api.call("GET", "sessions", &Value::Null), api.call("GET", "sessions/none", &Value::Null)] {
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
    }
}

#[test]
fn options_names_the_methods_of_its_url() {
    let api = Api::start();
    let allowed = |path: &str| {
        let answer = api.server.send("OPTIONS", path, &[("origin", "http://a.example")], "");
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(answer.header("allow"), answer.header("access-control-allow-methods"));
        answer.header("allow").unwrap().to_owned()
    };
    assert_eq!(allowed("/api/sessions"), "GET, HEAD, POST, OPTIONS");
    assert_eq!(allowed("/api/sessions/none/close"), "POST, OPTIONS");
    assert_eq!(allowed("/api/streams?sessionId=none"), "GET, HEAD, POST, OPTIONS");
    assert_eq!(allowed("/api/sessions/none/nothing"), "GET, HEAD, POST, PATCH, DELETE, OPTIONS");
}

#[test]
fn a_refusal_carries_the_id_that_the_log_has() {
    let api = Api::start();
    let made = api.call("GET", "sessions/none", &Value::Null);
    assert!(made.header("x-request-id").is_some(), "{made:?}");
    let sent = api.call_with("GET", "sessions/none", &[("x-request-id", "mine")], &Value::Null);
    assert_eq!(sent.header("x-request-id"), Some("mine"));
}

#[test]
fn metrics_count_sessions_apart() {
    let api = Api::start();
    let id = api.session();
    api.publish(&id, "chunks", crate::api::chunk("a"));
    let metrics = api.server.send("GET", "/metrics", &[], "");
    for label in ["operation=\"session\"", "operation=\"session_publish\""] {
        assert!(metrics.text().contains(label), "{}", metrics.text());
    }
}
