//! Connections that misbehave, connections that are many, and HTTP/2.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::{Events, TestServer, stream};

fn impatient() -> TestServer {
    TestServer::with(|config, _| {
        let limits = &mut config.limits;
        limits.head_timeout = Duration::from_millis(60);
        limits.body_timeout = Duration::from_millis(60);
        limits.idle_timeout = Duration::from_millis(120);
        limits.write_stall_timeout = Duration::from_millis(120);
    })
}

#[test]
fn chunked_bodies_are_taken() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    connection.write(
        b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    connection.write(b"3\r\nabc\r\n");
    connection.write(b"2\r\nde\r\n0\r\n\r\n");
    assert_eq!(connection.response_to("POST").status, 204);
    assert_eq!(server.get("s").text(), "abcde");
}

#[test]
fn malformed_chunks_append_nothing() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    connection.write(b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcde\r\n");
    assert_eq!(connection.response().code(), "unreadable_body");
    connection.until_closed();
    assert_eq!(server.get("s").text(), "");
}

#[test]
fn a_body_that_breaks_off_appends_nothing() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    connection
        .write(b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\nabc");
    connection.socket.shutdown(std::net::Shutdown::Write).unwrap();
    connection.until_closed();
    assert_eq!(server.get("s").text(), "");
}

#[test]
fn an_expected_continue_comes_before_the_body() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    connection.write(b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert_eq!(connection.head().status, 100);
    connection.write(b"abc");
    assert_eq!(connection.response_to("POST").status, 204);
}

#[test]
fn a_body_too_large_is_refused_before_it_is_sent() {
    let server = TestServer::with(|config, _| config.limits.body_bytes_max = 1000);
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    connection.write(b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\nexpect: 100-continue\r\ncontent-length: 1001\r\n\r\n");
    let refused = connection.response();
    assert_eq!((refused.status, refused.code().as_str()), (413, "body_too_large"));
    assert_eq!(refused.header("connection"), Some("close"));
    let exact = server.post("s", "text/plain", vec![b'x'; 1000]);
    assert_eq!(exact.status, 204);
}

#[test]
fn a_client_that_sends_too_much_still_reads_why_it_was_refused() {
    let server = TestServer::with(|config, _| config.limits.body_bytes_max = 1000);
    server.put("s", "text/plain", "");
    let refused = server.post("s", "text/plain", vec![b'x'; 8_000_000]);
    assert_eq!((refused.status, refused.code().as_str()), (413, "body_too_large"));
    let mut connection = server.connect();
    connection.write(
        b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for _ in 0..100 {
        connection.write(&[b"400\r\n".as_slice(), &[b'x'; 1024], b"\r\n"].concat());
    }
    assert_eq!(connection.response().code(), "body_too_large");
    assert_eq!(server.get("s").text(), "");
}

#[test]
fn an_announced_length_alone_takes_no_memory_and_no_patience() {
    let server = impatient();
    server.put("s", "text/plain", "");
    let mut stalled: Vec<_> = (0..50)
        .map(|_| {
            let mut connection = server.connect();
            connection.write(b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ncontent-length: 10485760\r\n\r\nabc");
            connection
        })
        .collect();
    for connection in &mut stalled {
        let refused = connection.response();
        assert_eq!((refused.status, refused.code().as_str()), (408, "body_timeout"));
        connection.until_closed();
    }
}

#[test]
fn a_head_that_does_not_end_is_refused() {
    let server = impatient();
    for half in
        ["G", "P", "PRI * HT", "GET /v1/stream/s HTTP/1.1\r\n", "GET /v1/stream/s HTTP/1.1\r\nhost: t\r\nx: y\r\n"]
    {
        let mut connection = server.connect();
        connection.write(half.as_bytes());
        let refused = connection.response();
        assert_eq!((refused.status, refused.code().as_str()), (408, "head_timeout"), "{half:?}");
        connection.until_closed();
    }
}

#[test]
fn idle_connections_are_closed() {
    let server = impatient();
    server.put("s", "text/plain", "abc");
    let mut silent = server.connect();
    assert_eq!(silent.until_closed(), b"");
    let mut used = server.connect();
    assert_eq!(used.request("GET", &stream("s"), &[], "").text(), "abc");
    assert_eq!(used.until_closed(), b"");
}

#[test]
fn a_live_reader_outlasts_the_idle_timeout() {
    let server = impatient();
    server.put("s", "text/plain", "");
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    events.expect();
    let mut idle = server.connect();
    idle.until_closed();
    server.post("s", "text/plain", "abc");
    assert_eq!(events.expect().data, "abc");
}

#[test]
fn a_client_that_stops_reading_is_dropped() {
    let server = impatient();
    server.put("b", "application/octet-stream", vec![0; 10_000_000]);
    for number in 0..5 {
        server.send("PUT", &stream(&format!("f{number}")), &[("stream-forked-from", "/v1/stream/b")], "");
    }
    let mut connection = server.connect();
    // More than any socket buffer holds, in several answers.
    for _ in 0..20 {
        connection.write(b"GET /v1/stream/b HTTP/1.1\r\nhost: t\r\n\r\n");
    }
    support::eventually("the connection is dropped", || {
        let metrics = server.send("GET", "/metrics", &[], "");
        metrics.text().lines().any(|line| line == "headwater_connections 1")
    });
    let mut rest = Vec::new();
    // The kernel still has what was sent; the end is a reset or an end, never a wait.
    if connection.socket.read_to_end(&mut rest).is_ok() {
        assert!(rest.len() < 80_000_000);
    }
}

#[test]
fn connections_above_the_limit_are_told_so() {
    let server = TestServer::with(|config, _| config.limits.connections_max = 3);
    let mut kept: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for connection in &mut kept {
        assert_eq!(connection.request("GET", "/healthz", &[], "").status, 200);
    }
    let mut refused = server.connect();
    let answer = refused.response();
    assert_eq!((answer.status, answer.code().as_str()), (503, "too_many_connections"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    refused.until_closed();
    kept.pop();
    support::eventually("there is room again", || server.send("GET", "/healthz", &[], "").status == 200);
}

#[test]
fn a_stop_lets_a_request_in_flight_finish() {
    let mut server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    connection.write(b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\nexpect: 100-continue\r\ncontent-length: 6\r\n\r\n");
    // Its head has been read, or this would not come.
    assert_eq!(connection.head().status, 100);
    connection.write(b"abc");
    let mut other = server.connect();
    other.request("GET", "/healthz", &[], "");
    server.begin_stop();
    other.until_closed();
    connection.write(b"def");
    assert_eq!(connection.response_to("POST").status, 204);
    server.join();
}

#[test]
fn a_stop_waits_only_so_long() {
    let mut server = TestServer::with(|config, _| config.limits.shutdown_timeout = Duration::from_millis(50));
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    connection
        .write(b"POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nabc");
    let began = std::time::Instant::now();
    server.join();
    assert!(began.elapsed() < Duration::from_secs(5));
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn http2(server: &TestServer) -> Http2 {
    let socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(method: &str, path: &str, body: &'static str) -> http::Request<Full<Bytes>> {
    http::Request::builder()
        .method(method)
        .uri(format!("http://test{}", stream(path)))
        .header("content-type", "text/plain")
        .body(Full::from(body))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_serves_all_operations_on_one_connection() {
    let server = TestServer::start();
    let mut sender = http2(&server).await;
    let created = sender.send_request(request("PUT", "s", "")).await.unwrap();
    assert_eq!(created.status(), 201);
    assert_eq!(created.headers()["location"], "http://test/v1/stream/s");
    let mut events = sender.send_request(request("GET", "s?offset=-1&live=sse", "")).await.unwrap().into_body();
    let appends = (0..100).map(|_| sender.send_request(request("POST", "s", "x")));
    for response in futures_util::future::join_all(appends.collect::<Vec<_>>()).await {
        assert_eq!(response.unwrap().status(), 204);
    }
    let page = sender.send_request(request("GET", "s", "")).await.unwrap();
    assert_eq!(page.into_body().collect().await.unwrap().to_bytes(), "x".repeat(100));
    sender.send_request(request("DELETE", "s", "")).await.unwrap();
    let mut text = Vec::new();
    while let Some(frame) = events.frame().await {
        text.extend_from_slice(frame.unwrap().data_ref().unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    assert!(text.ends_with("\n\n"));
    let seen: usize = text.lines().filter_map(|line| line.strip_prefix("data:x").map(|rest| 1 + rest.len())).sum();
    assert!(seen <= 100, "nothing comes twice");
    drop(sender);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_live_readers_over_http2() {
    let mut server = TestServer::start();
    let mut sender = http2(&server).await;
    sender.send_request(request("PUT", "s", "")).await.unwrap();
    let mut events = sender.send_request(request("GET", "s?offset=-1&live=sse", "")).await.unwrap().into_body();
    assert!(events.frame().await.unwrap().is_ok());
    server.begin_stop();
    let rest = events.collect().await.unwrap().to_bytes();
    assert_eq!(rest, "", "the answer ends, and is not cut off");
    tokio::task::spawn_blocking(move || server.join()).await.unwrap();
}
