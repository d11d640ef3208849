//! What each operation answers.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use support::{TestServer, stream};

#[test]
fn a_creation_tells_where_the_stream_lives_and_where_it_ends() {
    let server = TestServer::start();
    let created = server.put("a/%C3%BC", "text/plain; charset=utf-8", "hello");
    assert_eq!(created.status, 201);
    assert_eq!(created.header("location"), Some("http://test/v1/stream/a/%C3%BC"));
    assert_eq!(created.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(created.next_offset(), "0000000000000000_0000000000000005");
    assert_eq!(server.put("a/%C3%BC", "TEXT/plain", "ignored").status, 200);
    assert_eq!(server.get("a%2F%c3%bc").text(), "hello");
    let empty = server.send("PUT", &stream("b"), &[], "");
    assert_eq!(empty.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn the_public_url_is_where_streams_live() {
    let server = TestServer::with(|config, _| {
        config.public_url = Some("https://streams.example".parse().unwrap());
        config.root = "/".parse().unwrap();
    });
    let created = server.send("PUT", "/a/b", &[], "");
    assert_eq!(created.header("location"), Some("https://streams.example/a/b"));
    assert_eq!(server.send("GET", "/healthz", &[], "").text(), "ok\n");
    let forked = server.send("PUT", "/f", &[("stream-forked-from", "https://streams.example/a/b")], "");
    assert_eq!(forked.status, 201);
}

#[test]
fn an_append_tells_the_new_tail() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let appended = server.post("s", "text/plain", "abc");
    assert_eq!((appended.status, appended.next_offset()), (204, "0000000000000000_0000000000000003"));
    assert_eq!(appended.header("stream-closed"), None);
    assert_eq!(appended.header("content-length"), None);
}

#[test]
fn a_producers_requests_are_told_apart() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let post = |epoch: &str, seq: &str| {
        let headers =
            [("content-type", "text/plain"), ("producer-id", "p"), ("producer-epoch", epoch), ("producer-seq", seq)];
        server.send("POST", &stream("s"), &headers, "x")
    };
    let accepted = post("1", "0");
    assert_eq!(
        (accepted.status, accepted.header("producer-epoch"), accepted.header("producer-seq")),
        (200, Some("1"), Some("0"))
    );
    assert_eq!(post("1", "1").status, 200);
    let duplicate = post("1", "0");
    assert_eq!((duplicate.status, duplicate.header("producer-seq")), (204, Some("1")));
    let gap = post("1", "5");
    assert_eq!((gap.status, gap.code().as_str()), (409, "producer_gap"));
    assert_eq!((gap.header("producer-expected-seq"), gap.header("producer-received-seq")), (Some("2"), Some("5")));
    let fenced = post("0", "2");
    assert_eq!((fenced.status, fenced.header("producer-epoch")), (403, Some("1")));
    let late_start = post("2", "1");
    assert_eq!((late_start.status, late_start.code().as_str()), (400, "producer_epoch_start"));
    assert_eq!(server.get("s").text(), "xx");
}

#[test]
fn a_closed_stream_takes_no_more_and_says_where_it_ends() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let closed = server.close("s");
    assert_eq!((closed.status, closed.header("stream-closed")), (204, Some("true")));
    assert_eq!(server.close("s").status, 204);
    let refused = server.post("s", "text/html", "x");
    assert_eq!((refused.status, refused.code().as_str()), (409, "stream_closed"));
    assert_eq!(
        (refused.header("stream-closed"), refused.next_offset()),
        (Some("true"), "0000000000000000_0000000000000003")
    );
    let page = server.get("s");
    assert_eq!((page.text(), page.header("stream-closed")), ("abc", Some("true")));
    let end = server.get("s?offset=0000000000000000_0000000000000003");
    assert_eq!((end.status, end.text(), end.header("stream-closed")), (200, "", Some("true")));
}

#[test]
fn a_deleted_stream_is_gone_for_every_operation() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    server.send("PUT", &stream("fork"), &[("stream-forked-from", "/v1/stream/s")], "");
    assert_eq!(server.send("DELETE", &stream("s"), &[], "").status, 204);
    for method in ["GET", "POST", "DELETE"] {
        let response = server.send(method, &stream("s"), &[("content-type", "text/plain")], "x");
        assert_eq!((response.status, response.code().as_str()), (410, "stream_gone"), "{method}");
    }
    assert_eq!(server.send("HEAD", &stream("s"), &[], "").status, 410);
    assert_eq!(server.put("s", "text/plain", "").code(), "path_held");
    assert_eq!(server.send("DELETE", &stream("fork"), &[], "").status, 204);
    assert_eq!(server.get("fork").code(), "stream_not_found");
}

#[test]
fn head_tells_everything_but_the_bytes() {
    let server = TestServer::start();
    server.send("PUT", &stream("s"), &[("content-type", "text/plain"), ("stream-ttl", "600")], "abc");
    let head = server.send("HEAD", &stream("s"), &[], "");
    assert_eq!((head.status, head.next_offset()), (200, "0000000000000000_0000000000000003"));
    assert_eq!(head.header("stream-ttl"), Some("600"));
    assert_eq!(head.header("cache-control"), Some("no-store"));
    assert_eq!(head.header("content-length"), None, "it would be that of a page");
    let until = [("stream-expires-at", "2100-01-01T01:00:00+01:00")];
    server.send("PUT", &stream("u"), &until, "");
    assert_eq!(server.send("HEAD", &stream("u"), &[], "").header("stream-expires-at"), Some("2100-01-01T00:00:00Z"));
    let mut connection = server.connect();
    assert_eq!(connection.request("HEAD", &stream("none"), &[], "").status, 404);
    assert_eq!(connection.request("GET", &stream("s"), &[], "").text(), "abc", "a refused HEAD has no body");
}

#[test]
fn json_pages_are_arrays_and_end_between_messages() {
    let server = TestServer::with(|_, limits| limits.page_bytes_max = 16);
    server.put("j", "application/json", r#"[{"a":1},{"a":2},{"a":3.0}]"#);
    let (mut offset, mut pages) = ("-1".to_owned(), Vec::new());
    loop {
        let page = server.get(&format!("j?offset={offset}"));
        pages.push(page.text().to_owned());
        offset = page.next_offset().to_owned();
        if page.header("stream-up-to-date").is_some() {
            break;
        }
        assert_eq!(page.header("stream-closed"), None);
    }
    assert_eq!(pages, [r#"[{"a":1}]"#, r#"[{"a":2}]"#, r#"[{"a":3.0}]"#]);
    assert_eq!(server.get("j?offset=now").text(), "[]");
    assert_eq!(server.get("j?offset=0000000000000000_0000000000000001").code(), "unknown_offset");
}

#[test]
fn large_pages_arrive_whole_with_their_length() {
    let server = TestServer::start();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
    server.put("b", "application/octet-stream", &bytes);
    let page = server.get("b");
    assert_eq!(page.header("content-length"), Some("3000000"));
    assert!(page.body == bytes);
    let messages: Vec<String> = (0..40_000).map(|number| format!("{{\"number\":{number}}}")).collect();
    let array = format!("[{}]", messages.join(",\n"));
    server.put("j", "application/json", format!("[{}]", messages.join(" ,\n")));
    let page = server.get("j");
    assert_eq!(page.header("content-length"), Some(array.len().to_string().as_str()));
    assert_eq!(page.text(), array);
}

#[test]
fn entity_tags_spare_what_the_client_has() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let tag = server.get("s").header("etag").unwrap().to_owned();
    let ask = |value: &str| server.send("GET", &stream("s"), &[("if-none-match", value)], "");
    for value in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".into()] {
        let unchanged = ask(&value);
        assert_eq!((unchanged.status, unchanged.header("etag")), (304, Some(tag.as_str())), "{value}");
        assert_eq!(unchanged.next_offset(), "0000000000000000_0000000000000003");
    }
    for value in ["\"x\"", "", "garbage", tag.trim_matches('"')] {
        assert_eq!(ask(value).status, 200, "{value}");
    }
    server.close("s");
    let closed = ask(&tag);
    assert_eq!((closed.status, closed.header("stream-closed")), (200, Some("true")), "closure changes the tag");
}

#[test]
fn caches_are_told_what_they_may_keep() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    assert_eq!(server.get("s").header("cache-control"), Some("public, max-age=60, stale-while-revalidate=300"));
    let private = server.send("GET", &stream("s"), &[("authorization", "Bearer x")], "");
    assert_eq!(private.header("cache-control"), Some("private, max-age=60, stale-while-revalidate=300"));
    let now = server.get("s?offset=now");
    assert_eq!((now.header("cache-control"), now.header("etag")), (Some("no-store"), None));
    assert_eq!(server.get("none").header("cache-control"), Some("no-store"));
}

#[test]
fn browsers_are_told_what_they_need_on_every_answer() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    for (method, target) in [
        ("GET", "/v1/stream/s"),
        ("GET", "/v1/stream/none"),
        ("PATCH", "/v1/stream/s"),
        ("GET", "/x"),
        ("GET", "/healthz"),
    ] {
        let response = server.send(method, target, &[("origin", "https://app.example")], "");
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{target}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert_eq!(response.header("cross-origin-resource-policy"), Some("cross-origin"), "{target}");
        let exposed = response.header("access-control-expose-headers").unwrap();
        assert!(exposed.contains("stream-next-offset") && exposed.contains("etag"), "{exposed}");
    }
    let preflight = server.send(
        "OPTIONS",
        &stream("s"),
        &[("origin", "https://app.example"), ("access-control-request-method", "PUT")],
        "",
    );
    assert_eq!(preflight.status, 204);
    let allowed = preflight.header("access-control-allow-headers").unwrap();
    for name in ["producer-id", "stream-closed", "if-none-match", "authorization", "content-type"] {
        assert!(allowed.contains(name), "{name}");
    }
    assert_eq!(preflight.header("access-control-max-age"), Some("86400"));
}

#[test]
fn only_configured_origins_are_let_in() {
    let server = TestServer::with(|config, _| config.cors_origins = "https://app.example".parse().unwrap());
    let ask = |origin: &str| server.send("GET", &stream("none"), &[("origin", origin)], "");
    let friend = ask("https://app.example");
    assert_eq!(friend.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(friend.header("vary"), Some("origin"));
    let stranger = ask("https://other.example");
    assert_eq!((stranger.header("access-control-allow-origin"), stranger.header("vary")), (None, Some("origin")));
}

#[test]
fn operators_see_health_readiness_and_figures() {
    let server = TestServer::start();
    server.put("secret-path", "text/plain", "abc");
    server.post("secret-path", "text/plain", "abc");
    server.get("none");
    assert_eq!(server.send("GET", "/healthz", &[], "").text(), "ok\n");
    assert_eq!(server.send("GET", "/readyz", &[], "").text(), "ready\n");
    let metrics = server.send("GET", "/metrics", &[], "");
    for line in [
        "headwater_requests_total{operation=\"append\",method=\"POST\",status=\"2xx\"} 1",
        "headwater_requests_total{operation=\"read\",method=\"GET\",status=\"4xx\"} 1",
        "headwater_appends_total 2",
        "headwater_append_payload_bytes_total 6",
        "headwater_store_streams 2",
        "# EOF",
    ] {
        assert!(metrics.text().lines().any(|have| have == line), "{line} is not in\n{}", metrics.text());
    }
    assert!(!metrics.text().contains("secret-path"));
}
