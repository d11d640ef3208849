//! The listing of streams at the stream root.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use serde_json::{Value, json};
use support::{TestServer, stream};

fn page(server: &TestServer, query: &str) -> Value {
    let answer = server.send("GET", &format!("/v1/stream{query}"), &[], "");
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{answer:?}");
    answer.json()
}

fn paths(page: &Value) -> Vec<&str> {
    page["streams"].as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap()).collect()
}

#[test]
fn the_stream_root_tells_which_streams_there_are() {
    let server = TestServer::start();
    server.put("chat/42", "text/plain; charset=utf-8", "hello");
    server.close("chat/42");
    let listed = page(&server, "?prefix=chat/");
    let row = &listed["streams"][0];
    assert_eq!(row["path"], "chat/42");
    assert_eq!(row["contentType"], "text/plain; charset=utf-8");
    assert_eq!(row["tail"], "0000000000000000_0000000000000005");
    assert_eq!(row["closed"], true);
    assert!(row["createdAt"].is_u64());
    assert_eq!(listed["nextCursor"], Value::Null);
    assert_eq!(page(&server, "/"), page(&server, ""), "with and without a slash");
}

#[test]
fn pages_follow_each_other_by_cursor() {
    let server = TestServer::start();
    for n in 0..7 {
        server.put(&format!("n%20{n}"), "text/plain", "");
    }
    server.put("other", "text/plain", "");
    let first = page(&server, "?prefix=n%20&limit=3");
    assert_eq!((paths(&first), &first["nextCursor"]), (vec!["n 0", "n 1", "n 2"], &json!("n 2")));
    let second = page(&server, "?prefix=n%20&limit=3&cursor=n%202");
    assert_eq!(paths(&second), ["n 3", "n 4", "n 5"]);
    let last = page(&server, "?prefix=n%20&limit=3&cursor=n%205");
    assert_eq!((paths(&last), &last["nextCursor"]), (vec!["n 6"], &Value::Null));
    assert!(paths(&page(&server, "?prefix=n%20&cursor=z")).is_empty());
}

#[test]
fn a_stream_that_is_kept_for_its_forks_is_not_listed() {
    let server = TestServer::start();
    server.put("source", "text/plain", "x");
    server.send("PUT", &stream("fork"), &[("stream-forked-from", "/v1/stream/source")], "");
    server.send("DELETE", &stream("source"), &[], "");
    assert!(!paths(&page(&server, "")).contains(&"source"));
    assert!(paths(&page(&server, "")).contains(&"fork"));
}

#[test]
fn a_malformed_question_is_refused() {
    let server = TestServer::start();
    for query in ["?limit=0", "?limit=1001", "?limit=1&limit=2", "?prefix=%ff", "?cursor=a//b"] {
        let answer = server.send("GET", &format!("/v1/stream{query}"), &[], "");
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_query"), "{query}");
    }
}

#[test]
fn a_server_that_is_told_not_to_tell_lists_nothing() {
    let server = TestServer::with(|config, _| config.lists_streams = false);
    let answer = server.send("GET", "/v1/stream", &[], "");
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"));
}

#[test]
fn streams_right_after_the_host_are_listed_there() {
    let server = TestServer::with(|config, _| config.root = "/".parse().unwrap());
    server.send("PUT", "/a", &[("content-type", "text/plain")], "");
    assert!(paths(&server.send("GET", "/", &[], "").json()).contains(&"a"));
    assert_eq!(server.send("PUT", "/", &[], "").status, 404, "the root itself is no stream");
}
