//! Every way in which a response ends, and what is said of it.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use crate::support::{PATIENCE, TestServer, eventually};
use crate::upstream::{open_ended, say, until_hung_up, whole};
use crate::{BEARER, Upstream, code, create, id, limited, location, read_to_end, server};

/// The bytes and the outcome of what the upstream says.
fn outcome(server: &TestServer, upstream: &Upstream) -> (Vec<u8>, String) {
    let (read, last) = read_to_end(server, &location(&create(server, &upstream.url("/"))));
    (read, last.header("upstream-outcome").unwrap().to_owned())
}

/// Says `text` and nothing more, and tells when the proxy hangs up.
fn pausing(text: &'static str) -> (Upstream, mpsc::Receiver<()>) {
    let (tell, told) = mpsc::channel();
    let tell = Mutex::new(tell);
    let upstream = Upstream::start(move |_, socket| {
        say(socket, &[open_ended("text/plain"), text.into()].concat());
        until_hung_up(socket);
        tell.lock().unwrap().send(()).ok();
    });
    (upstream, told)
}

fn abort(server: &TestServer, location: &str) -> u16 {
    server.send("PATCH", &format!("{location}&action=abort"), &[], "").status
}

#[test]
fn a_response_without_a_body_closes_its_stream() {
    let server = server();
    for answer in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        assert_eq!(outcome(&server, &Upstream::says(answer)), (Vec::new(), "complete".into()), "{answer}");
    }
}

#[test]
fn trailers_end_a_response_and_are_no_part_of_it() {
    let answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\n3\r\nall\r\n0\r\nX-After: 1\r\n\r\n";
    assert_eq!(outcome(&server(), &Upstream::says(answer)), (b"all".into(), "complete".into()));
}

#[test]
fn a_response_that_breaks_off_is_told_from_a_whole_one() {
    let server = server();
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n8\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nnonsense",
    ] {
        assert_eq!(outcome(&server, &Upstream::says(answer)), (b"part".into(), "cut".into()), "{answer}");
    }
}

#[test]
fn a_silent_upstream_is_given_up() {
    let server = limited(|limits| limits.idle_timeout = Duration::from_millis(200));
    let (upstream, hung_up) = pausing("part");
    assert_eq!(outcome(&server, &upstream), (b"part".into(), "idle-timeout".into()));
    hung_up.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_response_may_take_only_so_long() {
    let server = limited(|limits| limits.total_timeout = Duration::from_millis(200));
    let upstream = Upstream::start(|_, socket| {
        say(socket, &open_ended("text/plain"));
        while std::io::Write::write_all(socket, b"x").is_ok() {
            std::thread::yield_now();
        }
    });
    assert_eq!(outcome(&server, &upstream).1, "time-limit");
}

#[test]
fn a_response_may_have_only_so_many_bytes() {
    let server = limited(|limits| limits.response_bytes_max = 10_000);
    let exact = vec![b'x'; 10_000];
    let larger = vec![b'x'; 10_001];
    assert_eq!(outcome(&server, &Upstream::says(whole("text/plain", &exact))), (exact.clone(), "complete".into()));
    assert_eq!(outcome(&server, &Upstream::says(whole("text/plain", &larger))), (exact, "too-large".into()));
}

#[test]
fn an_abort_ends_the_upstream_and_keeps_what_came() {
    let (server, (upstream, hung_up)) = (server(), pausing("came"));
    let location = location(&create(&server, &upstream.url("/")));
    let read = server.send("GET", &format!("{location}&offset=-1&live=long-poll"), &[], "");
    assert_eq!(read.text(), "came");
    assert_eq!(abort(&server, &location), 204);
    hung_up.recv_timeout(PATIENCE).unwrap();
    let page = server.send("GET", &location, &[], "");
    assert_eq!((page.text(), page.header("stream-closed")), ("came", Some("true")));
    assert_eq!(page.header("upstream-outcome"), Some("aborted"));
    assert_eq!(abort(&server, &location), 204, "it can be repeated");
    assert_eq!(server.send("GET", &location, &[], "").header("upstream-outcome"), Some("aborted"));
}

#[test]
fn an_abort_of_what_has_ended_changes_nothing() {
    let (server, upstream) = (server(), Upstream::says(whole("text/plain", b"all")));
    let location = location(&create(&server, &upstream.url("/")));
    read_to_end(&server, &location);
    assert_eq!(abort(&server, &location), 204);
    assert_eq!(server.send("GET", &location, &[], "").header("upstream-outcome"), Some("complete"));
}

#[test]
fn an_abort_needs_the_signed_url_and_an_action() {
    let (server, (upstream, _)) = (server(), pausing(""));
    let location = location(&create(&server, &upstream.url("/")));
    let refused = |target: &str| {
        let refused = server.send("PATCH", target, &[BEARER], "");
        (refused.status, code(&refused))
    };
    let unsigned = format!("/v1/proxy/{}?action=abort", id(&location));
    assert_eq!(refused(&unsigned), (401, "MISSING_SIGNATURE".into()));
    assert_eq!(refused(&format!("{unsigned}&expires=1&signature=x")), (401, "SIGNATURE_EXPIRED".into()));
    assert_eq!(refused(&format!("{unsigned}&expires=9999999999&signature=x")), (401, "SIGNATURE_INVALID".into()));
    for action in ["", "&action=", "&action=pause", "&action=abort&action=abort"] {
        assert_eq!(refused(&format!("{location}{action}")), (400, "INVALID_ACTION".into()), "{action}");
    }
}

#[test]
fn a_deleted_stream_is_gone_with_its_upstream() {
    let (server, (upstream, hung_up)) = (server(), pausing("x"));
    let location = location(&create(&server, &upstream.url("/")));
    let path = format!("/v1/proxy/{}", id(&location));
    assert_eq!(code(&server.send("DELETE", &location, &[], "")), "MISSING_SECRET", "a signed URL does not suffice");
    assert_eq!(server.send("DELETE", &path, &[BEARER], "").status, 204);
    hung_up.recv_timeout(PATIENCE).unwrap();
    let read = server.send("GET", &location, &[], "");
    assert_eq!((read.status, code(&read)), (404, "STREAM_NOT_FOUND".into()));
    assert_eq!(server.send("HEAD", &path, &[BEARER], "").status, 404);
    assert_eq!(server.send("DELETE", &path, &[BEARER], "").status, 204, "it can be repeated");
    assert_eq!(server.send("DELETE", "/v1/proxy/whatever", &[BEARER], "").status, 204);
}

#[test]
fn a_stopping_server_hangs_up_on_its_upstreams() {
    let (mut server, (upstream, hung_up)) = (server(), pausing("x"));
    create(&server, &upstream.url("/"));
    server.join();
    hung_up.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn figures_tell_how_responses_ended() {
    let (server, upstream) = (server(), Upstream::says(whole("text/plain", b"x")));
    read_to_end(&server, &location(&create(&server, &upstream.url("/"))));
    let has = |line: &str| server.send("GET", "/metrics", &[], "").text().contains(line);
    eventually("it is counted", || has("headwater_proxy_ended_total{outcome=\"complete\"} 1"));
    eventually("nothing runs", || has("headwater_proxy_running 0"));
    assert!(has("headwater_proxy_started_total 1") && has("operation=\"proxy_create\""));
}
