//! POST: what is sent on, and what is refused in which order.

use crate::support::TestServer;
use crate::upstream::{open_ended, say, until_hung_up, whole};
use crate::{BEARER, Upstream, code, create, id, limited, location, read_to_end, server};

fn post(server: &TestServer, target: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let refused = server.send("POST", target, headers, "");
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    (refused.status, code(&refused))
}

#[test]
fn a_response_becomes_a_stream_under_a_signed_url() {
    let body = b"event: a\r\ndata: \xc3\xa9\r\n\r\n: comment\rdata: x\n\n\0";
    let (server, upstream) = (server(), Upstream::says(whole("text/event-stream; charset=utf-8", body)));
    let created = create(&server, &upstream.url("/v1/chat?x=1"));
    assert_eq!(created.header("upstream-content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(created.header("content-length").unwrap_or("0"), "0");
    let exposed = created.header("access-control-expose-headers").unwrap();
    for name in ["location", "upstream-content-type", "upstream-status", "stream-next-offset", "stream-closed"] {
        assert!(exposed.contains(name), "{name}");
    }
    let (read, last) = read_to_end(&server, &location(&created));
    assert_eq!(read, body);
    assert_eq!(last.header("upstream-outcome"), Some("complete"));
    assert_eq!(last.header("upstream-content-type"), Some("text/event-stream; charset=utf-8"));
    assert!(upstream.next().line.starts_with("GET /v1/chat?x=1 "));
}

#[test]
fn the_answer_comes_before_the_response_ends() {
    let upstream = Upstream::start(|_, socket| {
        say(socket, &open_ended("text/plain"));
        until_hung_up(socket);
    });
    assert_eq!(create(&server(), &upstream.url("/")).status, 201);
}

#[test]
fn a_request_is_sent_on_without_what_belongs_to_the_caller() {
    let (server, upstream) = (server(), Upstream::says(whole("text/plain", b"")));
    let url = upstream.url("/x");
    let headers = [
        BEARER,
        ("upstream-url", url.as_str()),
        ("upstream-method", "put"),
        ("upstream-authorization", "Bearer of-the-upstream"),
        ("content-type", "application/json"),
        ("x-api-key", "k"),
        ("cookie", "c=1"),
        ("origin", "https://app.example"),
        ("accept-encoding", "br"),
        ("te", "trailers"),
        ("x-headwater-other", "none"),
    ];
    let created = server.send("POST", "/v1/proxy", &headers, r#"{"stream":true}"#);
    assert_eq!(created.status, 201);
    let request = upstream.next();
    assert_eq!(request.line, "PUT /x HTTP/1.1");
    assert_eq!(request.body, br#"{"stream":true}"#);
    assert_eq!(request.header("authorization"), Some("Bearer of-the-upstream"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-api-key"), Some("k"));
    assert_eq!(request.header("host"), url.strip_prefix("http://").unwrap().strip_suffix("/x"));
    let sent: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    for kept in ["cookie", "origin", "accept-encoding", "te", "x-headwater-other", "upstream-url", "upstream-method"] {
        assert!(!sent.contains(&kept), "{kept} in {sent:?}");
    }
}

#[test]
fn checks_come_in_the_order_of_the_protocol() {
    let server = server();
    let url = ("upstream-url", "https://evil.example/");
    let refused = |target: &str, headers: &[(&str, &str)]| post(&server, target, headers);
    assert_eq!(refused("/v1/proxy", &[]), (401, "MISSING_SECRET".into()));
    assert_eq!(refused("/v1/proxy", &[("authorization", "Basic eDp5")]), (401, "MISSING_SECRET".into()));
    assert_eq!(refused("/v1/proxy?secret=wrong", &[url]), (401, "INVALID_SECRET".into()));
    assert_eq!(refused("/v1/proxy", &[("authorization", "Bearer wrong")]), (401, "INVALID_SECRET".into()));
    assert_eq!(refused("/v1/proxy", &[BEARER]), (400, "MISSING_UPSTREAM_URL".into()));
    assert_eq!(refused("/v1/proxy", &[BEARER, url]), (400, "MISSING_UPSTREAM_METHOD".into()));
    let trace = [BEARER, url, ("upstream-method", "TRACE")];
    assert_eq!(refused("/v1/proxy", &trace), (400, "INVALID_UPSTREAM_METHOD".into()));
    let not_allowed = [BEARER, url, ("upstream-method", "GET")];
    assert_eq!(refused("/v1/proxy/", &not_allowed), (403, "UPSTREAM_NOT_ALLOWED".into()));
    for bad in ["not a url", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://localhost/", "http://[::1]/"] {
        let headers = [("upstream-url", bad), ("upstream-method", "POST")];
        assert_eq!(refused("/v1/proxy?secret=the-secret-of-these-tests", &headers).0, 403, "{bad}");
    }
}

#[test]
fn redirects_are_refused_and_not_followed() {
    let (server, target) = (server(), Upstream::says(whole("text/plain", b"inside")));
    for status in [301, 302, 303, 307, 308] {
        let to = target.url("/");
        let upstream =
            Upstream::says(format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"));
        let refused = create(&server, &upstream.url("/"));
        assert_eq!((refused.status, code(&refused)), (400, "REDIRECT_NOT_ALLOWED".into()));
    }
    assert!(!target.was_called());
}

#[test]
fn not_modified_is_no_redirect() {
    let (server, upstream) = (server(), Upstream::says("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n"));
    let told = create(&server, &upstream.url("/"));
    assert_eq!((told.status, told.header("upstream-status")), (502, Some("304")));
}

#[test]
fn an_upstreams_refusal_is_passed_on() {
    let answer = "HTTP/1.1 429 Too Many\r\nContent-Type: application/problem+json\r\nRetry-After: 7\r\n\
                  Content-Length: 8\r\n\r\n{\"a\": 1}";
    let (server, upstream) = (server(), Upstream::says(answer));
    let told = create(&server, &upstream.url("/"));
    assert_eq!((told.status, told.header("upstream-status")), (502, Some("429")));
    assert_eq!(told.header("content-type"), Some("application/problem+json"));
    assert_eq!((told.text(), told.header("retry-after")), ("{\"a\": 1}", Some("7")));
    assert_eq!(told.header("location"), None);
}

#[test]
fn a_long_refusal_is_cut() {
    let body = vec![b'x'; 100_000];
    let head = format!("HTTP/1.1 500 No\r\nContent-Length: {}\r\n\r\n", body.len());
    let (server, upstream) = (server(), Upstream::says([head.as_bytes(), &body].concat()));
    let told = create(&server, &upstream.url("/"));
    assert_eq!((told.status, told.body.len()), (502, 64 * 1024));
}

#[test]
fn an_upstream_that_is_not_there_or_speaks_no_http_is_unreachable() {
    let server = server();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{nobody}/"), Upstream::says("nonsense\r\n\r\n").url("/"), Upstream::says("").url("/")] {
        let refused = create(&server, &url);
        assert_eq!((refused.status, code(&refused)), (502, "UPSTREAM_ERROR".into()));
        assert!(!refused.text().contains("127.0.0.1"), "{}", refused.text());
    }
}

#[test]
fn a_head_that_does_not_come_or_is_too_long_is_refused() {
    let server = limited(|limits| limits.head_timeout = std::time::Duration::from_millis(100));
    let silent = Upstream::start(|_, socket| until_hung_up(socket));
    let refused = create(&server, &silent.url("/"));
    assert_eq!((refused.status, code(&refused)), (504, "UPSTREAM_TIMEOUT".into()));
    let server = limited(|limits| limits.response_head_bytes_max = 1024);
    let long = Upstream::says(format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(1024)));
    let refused = create(&server, &long.url("/"));
    assert_eq!((refused.status, code(&refused)), (502, "UPSTREAM_ERROR".into()));
}

#[test]
fn only_so_many_upstreams_at_a_time() {
    let server = limited(|limits| limits.upstreams_max = 1);
    let upstream = Upstream::start(|_, socket| {
        say(socket, &open_ended("text/plain"));
        until_hung_up(socket);
    });
    let first = location(&create(&server, &upstream.url("/")));
    let refused = create(&server, &upstream.url("/"));
    assert_eq!((refused.status, code(&refused)), (503, "TOO_MANY_UPSTREAMS".into()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(server.send("PATCH", &format!("{first}&action=abort"), &[], "").status, 204);
    crate::support::eventually("the place is free again", || create(&server, &upstream.url("/")).status == 201);
}

#[test]
fn ids_are_uuids() {
    let (server, upstream) = (server(), Upstream::says(whole("text/plain", b"")));
    let location = location(&create(&server, &upstream.url("/")));
    assert_eq!(id(&location).len(), 36);
}
