//! Long-polls and server-sent events: what waits, what wakes, and how the bytes are framed.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::time::{Duration, Instant};

use support::{Event, Events, TestServer, eventually, stream};

fn data(text: &str) -> Event {
    Event { name: "data".into(), data: text.into() }
}

/// Starts a long-poll and hands its connection back once the server has taken it in.
fn waiting(server: &TestServer, target: &str) -> support::Connection {
    let before = live_readers(server);
    let mut connection = server.connect();
    connection.write(format!("GET {} HTTP/1.1\r\nhost: test\r\n\r\n", stream(target)).as_bytes());
    eventually("the long-poll waits", || live_readers(server) > before);
    connection
}

fn live_readers(server: &TestServer) -> u64 {
    let metrics = server.send("GET", "/metrics", &[], "");
    let line = metrics.text().lines().find_map(|line| line.strip_prefix("headwater_live_readers "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_long_poll_answers_at_once_when_there_is_data() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let answer = server.get("s?offset=-1&live=long-poll");
    assert_eq!((answer.status, answer.text(), answer.next_offset()), (200, "abc", "0000000000000000_0000000000000003"));
    assert_eq!(answer.header("stream-up-to-date"), Some("true"));
    assert!(answer.header("stream-cursor").unwrap().parse::<u64>().is_ok());
    assert!(answer.header("etag").is_some());
}

#[test]
fn a_long_poll_waits_for_the_next_append() {
    let server = TestServer::start();
    server.put("j", "application/json", "[1]");
    let mut connection = waiting(&server, "j?offset=now&live=long-poll");
    server.post("j", "application/json", "[2,3]");
    let answer = connection.response();
    assert_eq!((answer.status, answer.text()), (200, "[2,\n3]"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn a_long_poll_that_hears_nothing_tells_where_it_stands() {
    let server = TestServer::with(|config, _| config.long_poll_timeout = Duration::from_millis(30));
    server.put("s", "text/plain", "abc");
    let answer = server.get("s?offset=0000000000000000_0000000000000003&live=long-poll");
    assert_eq!((answer.status, answer.next_offset()), (204, "0000000000000000_0000000000000003"));
    assert_eq!(answer.header("stream-up-to-date"), Some("true"));
    let cursor: u64 = answer.header("stream-cursor").unwrap().parse().unwrap();
    let later = server.get(&format!("s?offset=now&live=long-poll&cursor={cursor}"));
    assert!(later.header("stream-cursor").unwrap().parse::<u64>().unwrap() > cursor);
}

#[test]
fn a_close_wakes_long_polls_and_later_ones_do_not_wait() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let mut connection = waiting(&server, "s?offset=now&live=long-poll");
    server.close("s");
    for answer in [connection.response(), server.get("s?offset=now&live=long-poll")] {
        assert_eq!((answer.status, answer.header("stream-closed")), (204, Some("true")));
        assert_eq!((answer.header("stream-up-to-date"), answer.header("stream-cursor")), (Some("true"), None));
    }
}

#[test]
fn a_delete_wakes_live_readers() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let mut connection = waiting(&server, "s?offset=now&live=long-poll");
    let mut events = Events::open(&server, "s?offset=now&live=sse");
    events.expect();
    server.send("DELETE", &stream("s"), &[], "");
    assert_eq!(connection.response().code(), "stream_not_found");
    assert_eq!(events.next(), None);
}

#[test]
fn a_client_that_leaves_is_no_longer_a_reader() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let connection = waiting(&server, "s?offset=now&live=long-poll");
    let mut events = Events::open(&server, "s?offset=now&live=sse");
    events.expect();
    assert_eq!(live_readers(&server), 2);
    drop((connection, events));
    eventually("both readers are gone", || live_readers(&server) == 0);
}

#[test]
fn more_live_readers_than_allowed_are_refused() {
    let server = TestServer::with(|_, limits| limits.live_readers_per_stream_max = 1);
    server.put("s", "text/plain", "");
    let _waiting = waiting(&server, "s?offset=now&live=long-poll");
    for mode in ["long-poll", "sse"] {
        let refused = server.get(&format!("s?offset=now&live={mode}"));
        assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_readers"));
        assert!(refused.header("retry-after").is_some());
    }
}

#[test]
fn sse_begins_with_what_is_there_and_follows_the_tail() {
    let server = TestServer::start();
    server.put("s", "text/plain", "one");
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    assert_eq!(events.head.header("content-type"), Some("text/event-stream"));
    assert_eq!(events.head.header("cache-control"), Some("no-cache"));
    assert_eq!(events.head.header("stream-sse-data-encoding"), None);
    assert_eq!(events.expect(), data("one"));
    let control = events.expect().control();
    assert_eq!(
        (control["streamNextOffset"].as_str(), control["upToDate"].as_bool()),
        (Some("0000000000000000_0000000000000003"), Some(true))
    );
    assert!(control["streamCursor"].as_str().unwrap().parse::<u64>().is_ok());
    server.post("s", "text/plain", "two");
    assert_eq!(events.expect(), data("two"));
    assert_eq!(events.expect().control()["streamNextOffset"], "0000000000000000_0000000000000006");
}

#[test]
fn sse_at_the_tail_first_tells_where_it_stands() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let control = Events::open(&server, "s?offset=now&live=sse").expect().control();
    assert_eq!(
        (control["streamNextOffset"].as_str(), control["upToDate"].as_bool()),
        (Some("0000000000000000_0000000000000003"), Some(true))
    );
}

#[test]
fn sse_ends_with_the_stream() {
    let server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let mut live = Events::open(&server, "s?offset=now&live=sse");
    live.expect();
    server.send("POST", &stream("s"), &[("content-type", "text/plain"), ("stream-closed", "true")], "end");
    assert_eq!(live.expect(), data("end"));
    let up_to_date = live.expect().control();
    assert_eq!((up_to_date["upToDate"].as_bool(), up_to_date.get("streamClosed")), (Some(true), None));
    let mut late = Events::open(&server, "s?offset=now&live=sse");
    for events in [&mut live, &mut late] {
        let control = events.expect().control();
        assert_eq!((control["streamClosed"].as_bool(), control.get("streamCursor")), (Some(true), None));
        assert_eq!(control["streamNextOffset"], "0000000000000000_0000000000000006");
        assert_eq!(events.next(), None);
    }
}

#[test]
fn sse_carries_any_text_without_breaking_its_frames() {
    let server = TestServer::start();
    let tricky = "\u{feff} leading\n\nevent: control\ndata: {}\r\nid: 1\r:comment\n  two\u{2028}end\n";
    server.put("s", "text/plain", tricky);
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    assert_eq!(events.expect().data, tricky.replace("\r\n", "\n").replace('\r', "\n"));
    events.expect().control();
}

#[test]
fn a_character_split_over_appends_arrives_whole() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    events.expect();
    let face = "a\u{1f600}".as_bytes();
    server.post("s", "text/plain", &face[..3]);
    assert_eq!(events.expect(), data("a"));
    assert_eq!(
        events.expect().control()["streamNextOffset"],
        "0000000000000000_0000000000000001",
        "the rest is still to come"
    );
    server.post("s", "text/plain", &face[3..4]);
    server.post("s", "text/plain", [&face[4..], b"b"].concat());
    assert_eq!(events.expect(), data("\u{1f600}b"));
    assert_eq!(events.expect().control()["streamNextOffset"], "0000000000000000_0000000000000006");
}

#[test]
fn a_reader_that_resumes_inside_a_character_gets_base64() {
    let server = TestServer::start();
    let face = "a\u{1f600}".as_bytes();
    server.put("s", "text/plain", &face[..3]);
    let page = server.get("s?offset=-1");
    assert_eq!(page.body, &face[..3], "a catch-up read reaches the tail");
    let next = page.header("stream-next-offset").unwrap();
    let mut events = Events::open(&server, &format!("s?offset={next}&live=sse"));
    assert_eq!(events.head.header("stream-sse-data-encoding"), Some("base64"));
    events.expect().control();
    server.post("s", "text/plain", &face[3..]);
    assert_eq!(events.expect(), data("mIA="));
    assert_eq!(events.expect().control()["streamNextOffset"], "0000000000000000_0000000000000005");
    let mut whole = Events::open(&server, "s?offset=now&live=sse");
    assert_eq!(whole.head.header("stream-sse-data-encoding"), None);
    whole.expect().control();
    server.post("s", "text/plain", "b");
    assert_eq!((events.expect(), whole.expect()), (data("Yg=="), data("b")));
}

#[test]
fn half_a_character_is_told_when_nothing_can_complete_it() {
    let server = TestServer::start();
    server.put("s", "text/plain", b"\xf0\x9f");
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    let control = events.expect().control();
    assert_eq!(control["streamNextOffset"], "0000000000000000_0000000000000000");
    server.close("s");
    assert_eq!(events.expect(), data("\u{fffd}"));
    events.expect().control();
    let control = events.expect().control();
    assert_eq!(
        (control["streamNextOffset"].as_str(), control["streamClosed"].as_bool()),
        (Some("0000000000000000_0000000000000002"), Some(true))
    );
}

#[test]
fn sse_carries_json_as_it_was_sent_and_bytes_as_base64() {
    let server = TestServer::start();
    server.put("j", "application/json", r#"[{"n":1.10},12345678901234567890,"é\u00e9"]"#);
    let mut events = Events::open(&server, "j?offset=-1&live=sse");
    assert_eq!(events.expect().data.replace('\n', ""), r#"[{"n":1.10},12345678901234567890,"é\u00e9"]"#);
    events.expect().control();
    server.put("b", "image/png", [0, 255, 10, 13]);
    let mut events = Events::open(&server, "b?offset=-1&live=sse");
    assert_eq!(events.head.header("stream-sse-data-encoding"), Some("base64"));
    assert_eq!(events.expect(), data("AP8KDQ=="));
    events.expect().control();
}

#[test]
fn every_data_event_of_a_long_catch_up_has_its_control_event() {
    let server = TestServer::start();
    let message = format!("[{}]", vec![format!("\"{}\"", "x".repeat(1000)); 2000].join(","));
    server.put("j", "application/json", &message);
    let mut events = Events::open(&server, "j?offset=-1&live=sse");
    let mut messages = 0;
    loop {
        let event = events.expect();
        assert_eq!(event.name, "data");
        messages += serde_json::from_str::<Vec<String>>(&event.data).unwrap().len();
        let control = events.expect().control();
        assert!(control["streamCursor"].is_string());
        if control.get("upToDate").is_some() {
            break;
        }
    }
    assert_eq!(messages, 2000);
}

#[test]
fn cursors_of_one_answer_are_ahead_of_the_clients_and_never_go_back() {
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let ahead = 100_000_000_u64;
    let mut events = Events::open(&server, &format!("s?offset=-1&live=sse&cursor={ahead}"));
    let mut last = ahead + 1;
    for _ in 0..5 {
        let event = loop {
            let event = events.expect();
            if event.name == "control" {
                break event.control();
            }
        };
        let cursor: u64 = event["streamCursor"].as_str().unwrap().parse().unwrap();
        assert!(cursor >= last);
        last = cursor;
        server.post("s", "text/plain", "x");
    }
}

#[test]
fn an_sse_answer_ends_after_its_lifetime_between_events() {
    let server = TestServer::with(|config, _| config.sse_lifetime = Duration::from_millis(50));
    server.put("s", "text/plain", "abc");
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    assert_eq!(events.expect(), data("abc"));
    events.expect().control();
    assert_eq!(events.next(), None);
    let again = events.connection.request("GET", &stream("s"), &[], "");
    assert_eq!(again.text(), "abc", "the connection can be used again");
}

#[test]
fn a_stop_ends_live_readers_cleanly_and_at_once() {
    let mut server = TestServer::start();
    server.put("s", "text/plain", "abc");
    let mut poll = waiting(&server, "s?offset=now&live=long-poll");
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    assert_eq!(events.expect(), data("abc"));
    events.expect().control();
    let _idle = server.connect();
    let began = Instant::now();
    server.join();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(events.next(), None);
    assert_eq!(poll.response().status, 204);
}

/// More than any socket buffer holds: the server must stop sending, and go on when the client reads on.
#[test]
fn a_live_reader_that_does_not_read_for_a_while_gets_the_rest() {
    const APPENDS: usize = 160;
    let server = TestServer::start();
    server.put("s", "text/plain", "");
    let mut events = Events::open(&server, "s?offset=-1&live=sse");
    let line = "x".repeat(60_000);
    for _ in 0..APPENDS {
        assert_eq!(server.post("s", "text/plain", &line).status, 204);
    }
    let mut received = 0;
    while received < APPENDS * line.len() {
        let event = events.expect();
        received += if event.name == "data" { event.data.len() } else { 0 };
    }
    assert_eq!(received, APPENDS * line.len());
}
