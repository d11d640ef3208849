//! Requests that come before the last answer, and connections that end.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use support::TestServer;

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    let mut bytes = Vec::new();
    for number in 0..50 {
        let body = format!("{number},");
        bytes.extend(
            format!(
                "POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        );
    }
    bytes.extend(b"GET /v1/stream/s HTTP/1.1\r\nhost: t\r\n\r\nGET /v1/stream/none HTTP/1.1\r\nhost: t\r\n\r\n");
    connection.write(&bytes);
    for _ in 0..50 {
        assert_eq!(connection.response_to("POST").status, 204);
    }
    let expected: String = (0..50).map(|number| format!("{number},")).collect();
    assert_eq!(connection.response().text(), expected);
    assert_eq!(connection.response().status, 404);
}

#[test]
fn only_appends_overlap() {
    let server = TestServer::start();
    let mut connection = server.connect();
    let mut bytes = Vec::new();
    let heads = ["PUT", "POST", "POST", "GET", "DELETE", "POST", "PUT", "GET"];
    for method in heads {
        let body = if method == "POST" { "x" } else { "" };
        let length = body.len();
        let head = format!("{method} /v1/stream/o HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\n");
        bytes.extend(format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes());
    }
    connection.write(&bytes);
    let answers: Vec<_> = heads.iter().map(|method| connection.response_to(method)).collect();
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 204, 204, 200, 204, 404, 201, 200]);
    assert_eq!((answers[3].text(), answers[7].text()), ("xx", ""));
}

#[test]
fn many_appends_in_flight_keep_their_order_and_their_answers() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut connection = server.connect();
    let mut sending = connection.socket.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        for seq in 0..2_000 {
            let body = format!("{seq};");
            let head = "POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\nproducer-id: p\r\nproducer-epoch: 0";
            let request = format!("{head}\r\nproducer-seq: {seq}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            sending.write_all(request.as_bytes()).unwrap();
        }
    });
    let mut end = 0;
    for seq in 0..2_000 {
        let answer = connection.response_to("POST");
        end += format!("{seq};").len();
        assert_eq!((answer.status, answer.header("producer-seq")), (200, Some(seq.to_string().as_str())));
        assert_eq!(answer.header("stream-next-offset").unwrap(), format!("0000000000000000_{end:016}"));
    }
    writer.join().unwrap();
    let expected: String = (0..2_000).map(|seq| format!("{seq};")).collect();
    assert_eq!(server.get("s").text(), expected);
}

#[test]
fn a_client_that_closes_its_half_still_reads_its_answers() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let mut connection = server.connect();
    let append = "POST /v1/stream/s HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ncontent-length: 1\r\n\r\nd";
    connection.write(format!("{append}GET /v1/stream/s HTTP/1.1\r\nhost: t\r\n\r\n").as_bytes());
    connection.socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(connection.response_to("POST").status, 204);
    assert_eq!(connection.response().text(), "abcd");
    assert_eq!(connection.until_closed(), b"");
}

#[test]
fn old_clients_get_answers_that_end_with_the_connection() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let mut plain = server.connect();
    plain.write(b"GET /v1/stream/s HTTP/1.0\r\n\r\n");
    let answer = plain.response();
    assert_eq!((answer.text(), answer.header("connection")), ("abc", Some("close")));
    plain.until_closed();
    let mut kept = server.connect();
    for _ in 0..2 {
        kept.write(b"GET /v1/stream/s HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
        assert_eq!(kept.response().header("connection"), Some("keep-alive"));
    }
    server.close("s");
    let mut live = server.connect();
    live.write(b"GET /v1/stream/s?offset=-1&live=sse HTTP/1.0\r\n\r\n");
    let text = String::from_utf8(live.until_closed()).unwrap();
    assert!(!text.contains("transfer-encoding") && text.contains("\r\n\r\nevent: data\ndata:abc\n\n"), "{text}");
}

#[test]
fn a_refused_body_that_was_not_read_ends_the_connection() {
    let server = TestServer::start();
    let mut connection = server.connect();
    connection.write(
        b"POST /v1/stream/none HTTP/1.1\r\nhost: t\r\ncontent-encoding: gzip\r\ncontent-length: 10000000\r\n\r\nabc",
    );
    let refused = connection.response();
    assert_eq!((refused.status, refused.header("connection")), (415, Some("close")));
    connection.until_closed();
}

#[test]
fn a_half_sent_next_request_keeps_no_answer_back() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let mut connection = server.connect();
    connection.write(b"GET /v1/stream/s HTTP/1.1\r\nhost: t\r\n\r\nGET /v1/str");
    assert_eq!(connection.response().text(), "abc");
    connection.write(b"eam/s HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!(connection.response().text(), "abc");
}
