//! GET: an ordinary read, whatever the bytes are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use std::sync::{Mutex, mpsc};

use crate::support::Events;
use crate::upstream::{open_ended, say, until_hung_up, whole};
use crate::{BEARER, Upstream, create, id, location, read_to_end, server};

/// What text and JSON framing would change.
const TRICKY: &[u8] = b"\xef\xbb\xbfdata: a\r\n\r\ndata: \xe2\x82\r: x\n\n[1,2]\xac\0";

#[test]
fn bytes_stay_identical_whatever_type_the_upstream_says() {
    let server = server();
    for content_type in ["text/event-stream", "application/json", "text/plain", "application/octet-stream", "x"] {
        let upstream = Upstream::says(whole(content_type, TRICKY));
        let location = location(&create(&server, &upstream.url("/")));
        let (read, last) = read_to_end(&server, &location);
        assert_eq!(read, TRICKY, "{content_type}");
        assert_eq!(last.header("upstream-content-type"), Some(content_type));
        let page = server.send("GET", &location, &[], "");
        assert_eq!((page.status, page.body.as_slice()), (200, TRICKY));
        assert_eq!(page.header("stream-up-to-date"), Some("true"));
    }
}

#[test]
fn oddly_chunked_bytes_arrive_as_they_are() {
    let upstream = Upstream::start(|_, socket| {
        say(socket, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n");
        for byte in TRICKY {
            say(socket, &[b"1;x=\"y\"\r\n".as_slice(), &[*byte], b"\r\n"].concat());
        }
        say(socket, b"0\r\nX-Sum: 1\r\n\r\n");
    });
    let server = server();
    let (read, last) = read_to_end(&server, &location(&create(&server, &upstream.url("/"))));
    assert_eq!(read, TRICKY);
    assert_eq!(last.header("upstream-outcome"), Some("complete"));
    assert_eq!(last.header("upstream-content-type"), Some("application/octet-stream"), "when the upstream says none");
}

#[test]
fn the_last_chunk_does_not_wait_for_the_next_one() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let upstream = Upstream::start(move |_, socket| {
        say(socket, &[open_ended("text/plain"), b"first".to_vec()].concat());
        released.lock().unwrap().recv().ok();
        say(socket, b" second");
    });
    let server = server();
    let location = location(&create(&server, &upstream.url("/")));
    let first = server.send("GET", &format!("{location}&offset=-1&live=long-poll"), &[], "");
    assert_eq!((first.text(), first.header("stream-closed")), ("first", None));
    assert!(first.header("stream-cursor").is_some());
    assert_eq!(first.header("upstream-outcome"), None, "it goes on");
    drop(release);
    let (all, _) = read_to_end(&server, &location);
    assert_eq!(all, b"first second");
}

#[test]
fn a_live_reader_is_told_that_its_text_is_base64() {
    let (server, upstream) = (server(), Upstream::says(whole("text/event-stream", TRICKY)));
    let location = location(&create(&server, &upstream.url("/")));
    read_to_end(&server, &location);
    let mut connection = server.connect();
    let target = format!("{location}&offset=-1&live=sse");
    connection.write(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes());
    let head = connection.head();
    assert_eq!(head.header("stream-sse-data-encoding"), Some("base64"));
    assert_eq!(head.header("upstream-content-type"), Some("text/event-stream"));
    assert_eq!(head.header("upstream-outcome"), Some("complete"));
    let mut events = Events::on(connection, head);
    let data = events.expect().data.replace('\n', "");
    assert_eq!(STANDARD.decode(data).unwrap(), TRICKY);
    assert_eq!(events.expect().control()["upToDate"], true);
    let control = events.expect().control();
    assert_eq!(control["streamClosed"], true);
    assert_eq!(events.next(), None);
}

#[test]
fn a_reader_resumes_where_it_was() {
    let (server, upstream) = (server(), Upstream::says(whole("text/plain", b"0123456789")));
    let location = location(&create(&server, &upstream.url("/")));
    let (_, last) = read_to_end(&server, &location);
    let end = last.next_offset();
    let rest = server.send("GET", &format!("{location}&offset={end}"), &[], "");
    assert_eq!((rest.status, rest.text(), rest.header("upstream-outcome")), (200, "", Some("complete")));
}

#[test]
fn what_a_reader_has_is_not_sent_again_and_no_shared_cache_keeps_it() {
    let (server, upstream) = (server(), Upstream::says(whole("text/plain", b"x")));
    let location = location(&create(&server, &upstream.url("/")));
    read_to_end(&server, &location);
    let page = server.send("GET", &location, &[], "");
    assert!(page.header("cache-control").unwrap().starts_with("private"));
    let again = server.send("GET", &location, &[("if-none-match", page.header("etag").unwrap())], "");
    assert_eq!(again.status, 304);
}

#[test]
fn head_tells_what_the_stream_is() {
    let (server, upstream) = (server(), Upstream::says(whole("text/plain", b"abc")));
    let location = location(&create(&server, &upstream.url("/")));
    let (_, last) = read_to_end(&server, &location);
    let head = server.send("HEAD", &format!("/v1/proxy/{}", id(&location)), &[BEARER], "");
    assert_eq!(head.status, 200);
    assert_eq!(head.next_offset(), last.next_offset());
    assert_eq!(head.header("upstream-content-type"), Some("text/plain"));
    assert_eq!(head.header("upstream-outcome"), Some("complete"));
    assert!(head.header("stream-expires-at").is_some());
}

#[test]
fn a_large_response_is_whole() {
    let body: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let (server, upstream) = (server(), Upstream::says(whole("application/octet-stream", &body)));
    let (read, last) = read_to_end(&server, &location(&create(&server, &upstream.url("/"))));
    assert!(read == body, "{} of {} bytes", read.len(), body.len());
    assert_eq!(last.header("upstream-outcome"), Some("complete"));
}

#[test]
fn a_stream_that_goes_on_can_be_read_by_many() {
    let upstream = Upstream::start(|_, socket| {
        say(socket, &[open_ended("text/plain"), b"x".to_vec()].concat());
        until_hung_up(socket);
    });
    let server = server();
    let location = location(&create(&server, &upstream.url("/")));
    for _ in 0..3 {
        assert_eq!(server.send("GET", &format!("{location}&offset=-1&live=long-poll"), &[], "").text(), "x");
    }
}
