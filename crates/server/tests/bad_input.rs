//! Whatever a client sends, it gets a refusal that says what is wrong, and the server goes on.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use support::{TestServer, stream};

fn server_with_stream() -> TestServer {
    let server = TestServer::start();
    assert_eq!(server.put("s", "text/plain", "abc").status, 201);
    assert_eq!(server.put("j", "application/json", "[]").status, 201);
    server
}

/// Method, path, headers, body; expected status and code.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

fn check(server: &TestServer, cases: &[Case<'_>]) {
    for &(method, path, headers, body, status, code) in cases {
        let response = server.send(method, &stream(path), headers, body);
        let case = format!("{method} {path} {headers:?} {body:?}: {}", response.text());
        assert_eq!(response.status, status, "{case}");
        assert_eq!(response.code(), code, "{case}");
        assert!(response.json()["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{case}");
    }
    assert_eq!(server.get("s").text(), "abc", "the server goes on, and nothing was appended");
}

const TEXT: (&str, &str) = ("content-type", "text/plain");
const LONG: &str = "0123456789012345678901234567890123456789012345678901234567890123456789";

#[test]
fn malformed_headers_of_a_creation_are_named() {
    let server = server_with_stream();
    let many = "x/".to_owned() + &LONG.repeat(4);
    let cases: &[Case<'_>] = &[
        ("PUT", "n", &[("content-type", "text")], "", 400, "invalid_content_type"),
        ("PUT", "n", &[("content-type", "")], "", 400, "invalid_content_type"),
        ("PUT", "n", &[("content-type", &many)], "", 400, "invalid_content_type"),
        ("PUT", "n", &[("content-type", "text/\u{fc}")], "", 400, "invalid_content_type"),
        ("PUT", "n", &[TEXT, TEXT], "", 400, "invalid_header"),
        ("PUT", "n", &[("stream-ttl", "")], "", 400, "invalid_lifetime"),
        ("PUT", "n", &[("stream-ttl", "-1")], "", 400, "invalid_lifetime"),
        ("PUT", "n", &[("stream-ttl", "1.5")], "", 400, "invalid_lifetime"),
        ("PUT", "n", &[("stream-ttl", "18446744073709551616")], "", 400, "invalid_lifetime"),
        ("PUT", "n", &[("stream-ttl", "1"), ("stream-ttl", "1")], "", 400, "invalid_header"),
        ("PUT", "n", &[("stream-expires-at", "soon")], "", 400, "invalid_lifetime"),
        ("PUT", "n", &[("stream-expires-at", "9999999999-01-01T00:00:00Z")], "", 400, "invalid_lifetime"),
        (
            "PUT",
            "n",
            &[("stream-ttl", "1"), ("stream-expires-at", "2100-01-01T00:00:00Z")],
            "",
            400,
            "invalid_lifetime",
        ),
        ("PUT", "n", &[("stream-closed", "true"), ("stream-closed", "true")], "", 400, "invalid_header"),
        ("PUT", "n", &[("content-encoding", "gzip")], "x", 415, "unsupported_content_encoding"),
        ("PUT", "n", &[("content-type", "application/json")], "{", 400, "invalid_json"),
        ("PUT", "s", &[("content-type", "text/html")], "", 409, "stream_differs"),
    ];
    check(&server, cases);
}

#[test]
fn malformed_fork_headers_are_named() {
    let server = server_with_stream();
    let from = |source: &'static str| ("stream-forked-from", source);
    let cases: &[Case<'_>] = &[
        ("PUT", "f", &[("stream-fork-offset", "0000000000000000_0000000000000000")], "", 400, "invalid_fork"),
        ("PUT", "f", &[("stream-fork-offset", "now")], "", 400, "invalid_fork"),
        ("PUT", "f", &[("stream-fork-sub-offset", "0")], "", 400, "invalid_fork"),
        ("PUT", "f", &[from("/v1/stream/s"), ("stream-fork-offset", "3")], "", 400, "invalid_offset"),
        (
            "PUT",
            "f",
            &[from("/v1/stream/s"), ("stream-fork-offset", "0000000000000000_0000000000000255")],
            "",
            400,
            "invalid_fork",
        ),
        ("PUT", "f", &[from("/v1/stream/s"), ("stream-fork-sub-offset", "1")], "", 400, "invalid_fork"),
        (
            "PUT",
            "f",
            &[from("/v1/stream/s"), ("stream-fork-offset", "-1"), ("stream-fork-sub-offset", "+1")],
            "",
            400,
            "invalid_fork",
        ),
        (
            "PUT",
            "f",
            &[from("/v1/stream/s"), ("stream-fork-offset", "-1"), ("stream-fork-sub-offset", "4")],
            "",
            400,
            "invalid_fork",
        ),
        (
            "PUT",
            "f",
            &[from("/v1/stream/s"), ("stream-fork-offset", "-1"), ("stream-fork-sub-offset", "99999999999999999999")],
            "",
            400,
            "invalid_fork",
        ),
        ("PUT", "f", &[from("")], "", 400, "invalid_fork"),
        ("PUT", "f", &[from("/v1/stream/../s")], "", 400, "invalid_fork"),
        ("PUT", "f", &[from("/v1/stream/%zz")], "", 400, "invalid_fork"),
        ("PUT", "f", &[from("/v1/stream/s?x=1")], "", 400, "invalid_fork"),
        ("PUT", "f", &[from("https://elsewhere.example/v1/stream/s")], "", 400, "invalid_fork"),
        ("PUT", "f", &[from("/v1/stream/s"), from("/v1/stream/s")], "", 400, "invalid_header"),
        ("PUT", "f", &[from("/elsewhere/s")], "", 404, "fork_source_not_found"),
        ("PUT", "f", &[from("/v1/stream/none")], "", 404, "fork_source_not_found"),
        ("PUT", "f", &[from("/v1/stream/none")], "x", 404, "fork_source_not_found"),
        ("PUT", "f", &[from("/v1/stream/__ds/jwks.json")], "", 404, "fork_source_not_found"),
        ("PUT", "f", &[from("/v1/stream/s"), ("content-type", "text/html")], "", 409, "content_type_differs"),
    ];
    check(&server, cases);
}

#[test]
fn a_fork_source_may_be_a_path_a_relative_path_or_a_url_of_this_server() {
    let server = server_with_stream();
    for (number, source) in ["/v1/stream/s", "s", "http://test/v1/stream/s", "/v1/stream/%73"].into_iter().enumerate() {
        let path = format!("fork-{number}");
        let response = server.send("PUT", &stream(&path), &[("stream-forked-from", source)], "");
        assert_eq!(response.status, 201, "{source}: {}", response.text());
        assert_eq!(server.get(&path).text(), "abc", "{source}");
    }
}

#[test]
fn malformed_headers_of_an_append_are_named() {
    let server = server_with_stream();
    let (id, epoch, seq) = (("producer-id", "p"), ("producer-epoch", "0"), ("producer-seq", "0"));
    let long = LONG.repeat(4);
    let cases: &[Case<'_>] = &[
        ("POST", "s", &[TEXT], "", 400, "empty_body"),
        ("POST", "s", &[("stream-closed", "yes"), TEXT], "", 400, "empty_body"),
        ("POST", "s", &[], "x", 400, "content_type_required"),
        ("POST", "s", &[("content-type", "nonsense")], "x", 400, "invalid_content_type"),
        ("POST", "s", &[("content-type", "text/html")], "x", 409, "content_type_differs"),
        ("POST", "s", &[TEXT, ("stream-seq", "")], "x", 400, "invalid_stream_seq"),
        ("POST", "s", &[TEXT, ("stream-seq", &long)], "x", 400, "invalid_stream_seq"),
        ("POST", "s", &[TEXT, ("stream-seq", "1"), ("stream-seq", "2")], "x", 400, "invalid_header"),
        ("POST", "s", &[TEXT, id], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, epoch, seq], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, id, epoch], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, ("producer-id", ""), epoch, seq], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, ("producer-id", &long), epoch, seq], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, id, id, epoch, seq], "x", 400, "invalid_header"),
        ("POST", "s", &[TEXT, id, ("producer-epoch", "-1"), seq], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, id, ("producer-epoch", "1e3"), seq], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, id, epoch, ("producer-seq", "9007199254740992")], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, id, epoch, ("producer-seq", "")], "x", 400, "invalid_producer"),
        ("POST", "s", &[TEXT, id, epoch, ("producer-seq", "1")], "x", 409, "producer_gap"),
        ("POST", "s", &[TEXT, ("content-encoding", "br")], "x", 415, "unsupported_content_encoding"),
        ("POST", "j", &[("content-type", "application/json")], "[1,", 400, "invalid_json"),
        ("POST", "j", &[("content-type", "application/json")], "[]", 400, "empty_json_array"),
        (
            "POST",
            "j",
            &[("content-type", "application/json"), ("stream-closed", "true")],
            " [ ] ",
            400,
            "empty_json_array",
        ),
        ("POST", "none", &[TEXT], "x", 404, "stream_not_found"),
    ];
    check(&server, cases);
}

#[test]
fn malformed_queries_are_named() {
    let server = server_with_stream();
    let cases: &[Case<'_>] = &[
        ("GET", "s?offset=", &[], "", 400, "invalid_query"),
        ("GET", "s?offset", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=-1&offset=-1", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=%zz", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=%ff", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=0", &[], "", 400, "invalid_offset"),
        ("GET", "s?offset=-2", &[], "", 400, "invalid_offset"),
        ("GET", "s?offset=a,b", &[], "", 400, "invalid_offset"),
        ("GET", "s?offset=NOW", &[], "", 400, "invalid_offset"),
        ("GET", "s?offset=0000000000000%2F0", &[], "", 400, "invalid_offset"),
        ("GET", "s?offset=0000000000000000_0000000000000255", &[], "", 400, "unknown_offset"),
        ("GET", "s?offset=0000000000000000_9999999999999999", &[], "", 400, "unknown_offset"),
        ("GET", "s?offset=0000000000000000_9999999999999999&live=sse", &[], "", 400, "unknown_offset"),
        ("GET", "s?offset=0000000000000000_9999999999999999&live=long-poll", &[], "", 400, "unknown_offset"),
        ("GET", "s?live=sse", &[], "", 400, "offset_required"),
        ("GET", "s?live=long-poll", &[], "", 400, "offset_required"),
        ("GET", "s?offset=-1&live=", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=-1&live=SSE", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=-1&live=sse&live=sse", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=-1&cursor=", &[], "", 400, "invalid_query"),
        ("GET", "s?offset=-1&cursor=1&cursor=2", &[], "", 400, "invalid_query"),
        ("GET", "none?offset=-1&live=sse", &[], "", 404, "stream_not_found"),
        ("GET", "none?offset=-1&live=long-poll", &[], "", 404, "stream_not_found"),
    ];
    check(&server, cases);
    assert_eq!(server.get("s?x=1&x=2&y&%zz=%zz&&=").text(), "abc", "unknown parameters are ignored");
}

#[test]
fn path_tricks_are_refused() {
    let server = server_with_stream();
    let long = "x".repeat(1025);
    let cases: &[Case<'_>] = &[
        ("PUT", "a//b", &[], "", 400, "invalid_path"),
        ("PUT", "a/", &[], "", 400, "invalid_path"),
        ("PUT", "/a", &[], "", 400, "invalid_path"),
        ("PUT", ".", &[], "", 400, "invalid_path"),
        ("PUT", "..", &[], "", 400, "invalid_path"),
        ("PUT", "a/../../etc/passwd", &[], "", 400, "invalid_path"),
        ("PUT", "a/%2e%2e/b", &[], "", 400, "invalid_path"),
        ("PUT", "a%2f..%2fb", &[], "", 400, "invalid_path"),
        ("PUT", "a%00b", &[], "", 400, "invalid_path"),
        ("PUT", "a%0d%0ab", &[], "", 400, "invalid_path"),
        ("PUT", "a%ffb", &[], "", 400, "invalid_path"),
        ("PUT", "a%2", &[], "", 400, "invalid_path"),
        ("PUT", "a%zz", &[], "", 400, "invalid_path"),
        ("PUT", &long, &[], "", 400, "invalid_path"),
        ("PUT", "", &[], "", 404, "not_found"),
    ];
    check(&server, cases);
    let too_long = format!("s?{}", "x".repeat(8 * 1024));
    let response = server.get(&too_long);
    assert_eq!((response.status, response.code().as_str()), (414, "url_too_long"));
}

#[test]
fn the_reserved_segment_never_becomes_a_stream() {
    let server = server_with_stream();
    for path in ["__ds", "__ds/x", "%5f%5fds/x", "__ds%2Fx", "%5F_ds"] {
        let response = server.put(path, "text/plain", "x");
        assert_eq!((response.status, response.code().as_str()), (404, "not_found"), "{path}");
    }
    assert_eq!(server.put("__dsx", "text/plain", "x").status, 201);
}

#[test]
fn outside_the_root_nothing_is_a_stream() {
    let server = server_with_stream();
    for target in ["/", "/s", "/v1/streams/s", "/v1/stream", "/V1/stream/s", "/v1/stream%2Fs", "//v1/stream/s"] {
        let response = server.send("PUT", target, &[], "");
        assert_eq!((response.status, response.code().as_str()), (404, "not_found"), "{target}");
    }
}

#[test]
fn other_methods_are_told_which_ones_there_are() {
    let server = server_with_stream();
    for method in ["PATCH", "TRACE", "BREW", "get", "PROPFIND"] {
        let response = server.send(method, &stream("s"), &[], "");
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD, PUT, POST, DELETE, OPTIONS"));
    }
    assert_eq!(server.send("POST", "/healthz", &[], "").status, 405);
    assert!((400..500).contains(&server.send("CONNECT", "test:80", &[], "").status));
}

#[test]
fn host_must_be_one_plain_host() {
    let server = server_with_stream();
    for hosts in
        ["", "host: a\r\nhost: b\r\n", "host: \r\n", "host: a/b\r\n", "host: a b\r\n", "host: <x>\r\n", "host: u@a\r\n"]
    {
        let mut connection = server.connect();
        connection.write(format!("GET /v1/stream/s HTTP/1.1\r\n{hosts}\r\n").as_bytes());
        let response = connection.response();
        assert_eq!((response.status, response.code().as_str()), (400, "invalid_host"), "{hosts:?}");
        connection.until_closed();
    }
    let mut old = server.connect();
    old.write(b"GET /v1/stream/s HTTP/1.0\r\n\r\n");
    assert_eq!(old.response().text(), "abc");
}

#[test]
fn header_bytes_that_are_no_text_are_refused() {
    let server = server_with_stream();
    let cases: [(&[u8], &str); 4] = [
        (b"content-type: \xff/\xfe", "invalid_header"),
        (b"stream-ttl: \xff", "invalid_header"),
        (b"stream-expires-at: \xc3\x28", "invalid_header"),
        (b"stream-forked-from: \xff", "invalid_header"),
    ];
    for (header, code) in cases {
        let mut connection = server.connect();
        connection.write(&[b"PUT /v1/stream/n HTTP/1.1\r\nhost: test\r\n", header, b"\r\n\r\n"].concat());
        let response = connection.response();
        assert_eq!((response.status, response.code().as_str()), (400, code), "{header:?}");
    }
}

#[test]
fn what_is_not_http_is_refused_and_disconnected() {
    let server = server_with_stream();
    let mut garbage: Vec<Vec<u8>> = [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nhost test\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: test\r\n x: folded\r\n\r\n",
        "GET / HTTP/1.1\r\nho\0st: test\r\n\r\n",
        "POST /v1/stream/s HTTP/1.1\r\nhost: test\r\ncontent-length: x\r\n\r\n",
        "POST /v1/stream/s HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage, not frames at all",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    garbage.push(vec![0xff; 512]);
    for bytes in garbage {
        let mut connection = server.connect();
        connection.write(&bytes);
        let answer = connection.until_closed();
        assert!(
            answer.is_empty()
                || answer.starts_with(b"HTTP/1.1 4")
                || answer.starts_with(b"HTTP/1.1 505")
                || answer[3..].starts_with(b"\0\0")
                || answer[3] <= 9,
            "{answer:?}"
        );
    }
    assert_eq!(server.get("s").text(), "abc");
}

#[test]
fn requests_that_could_be_smuggled_are_refused_with_their_reason() {
    let server = server_with_stream();
    for (fields, status, code) in [
        ("content-length: 3\r\ntransfer-encoding: chunked", 400, "malformed_request"),
        ("content-length: 3\r\ncontent-length: 4", 400, "malformed_request"),
        ("content-length: 0x3", 400, "malformed_request"),
        ("transfer-encoding: chunked, identity", 501, "unsupported_transfer_encoding"),
        ("transfer-encoding: xchunked", 501, "unsupported_transfer_encoding"),
    ] {
        let mut connection = server.connect();
        let head = format!("POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\n{fields}\r\n\r\n");
        connection.write(format!("{head}0\r\n\r\nPOST /v1/stream/s HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes());
        let refused = connection.response();
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{fields}");
        assert_eq!(refused.header("connection"), Some("close"));
        assert_eq!(connection.until_closed(), b"", "what follows is not taken for a request");
    }
    assert_eq!(server.get("s").text(), "abc");
}

#[test]
fn heads_beyond_the_limits_are_refused_and_disconnected() {
    let server = server_with_stream();
    let many = "x: y\r\n".repeat(101);
    let large = format!("x: {}\r\n", "y".repeat(33 * 1024));
    for headers in [many, large] {
        let mut connection = server.connect();
        connection.write(format!("GET /v1/stream/s HTTP/1.1\r\nhost: test\r\n{headers}\r\n").as_bytes());
        let refused = connection.response();
        assert_eq!((refused.status, refused.code().as_str()), (431, "head_too_large"));
        connection.until_closed();
    }
}

#[test]
fn a_refusal_carries_the_clients_request_id_or_a_new_one() {
    let server = server_with_stream();
    let named = server.send("GET", &stream("none"), &[("x-request-id", "abc-1")], "");
    assert_eq!(named.header("x-request-id"), Some("abc-1"));
    assert_eq!(named.json()["request_id"], "abc-1");
    let unnamed = server.get("none");
    assert_eq!(unnamed.header("x-request-id"), unnamed.json()["request_id"].as_str());
    let long = "x".repeat(200);
    let replaced = server.send("GET", &stream("none"), &[("x-request-id", &long)], "");
    assert_ne!(replaced.json()["request_id"], long.as_str());
    let answered = server.send("GET", &stream("s"), &[("x-request-id", "abc-2")], "");
    assert_eq!(answered.header("x-request-id"), Some("abc-2"));
}
