//! The durable proxy over HTTP, against an upstream that does exactly what each test says.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

#[path = "proxy/access.rs"]
mod access;
#[path = "proxy/creating.rs"]
mod creating;
#[path = "proxy/ending.rs"]
mod ending;
#[path = "proxy/reading.rs"]
mod reading;
#[path = "proxy/sessions.rs"]
mod sessions;
#[path = "proxy/upstream.rs"]
mod upstream;

use headwater_proxy::{Allowlist, PrivateHosts, ProxyConfig, ProxyLimits, Secrets};
use headwater_streams::Durability;

use support::{Response, TestServer};
use upstream::Upstream;

const SECRET: &str = "the-secret-of-these-tests";
const BEARER: (&str, &str) = ("authorization", "Bearer the-secret-of-these-tests");

/// A server whose proxy may call this machine, on any port.
fn server() -> TestServer {
    limited(|_| ())
}

/// The same with other limits.
fn limited(adjust: impl FnOnce(&mut ProxyLimits)) -> TestServer {
    let mut limits = ProxyLimits::default();
    adjust(&mut limits);
    TestServer::proxying(ProxyConfig {
        secrets: Secrets::new(vec![SECRET.into()]).unwrap(),
        allowlist: Allowlist::new(vec!["http://127.0.0.1:*/**".parse().unwrap()]),
        private_hosts: PrivateHosts::default(),
        durability: Durability::Ephemeral,
        limits,
    })
}

/// Asks the proxy to GET that URL.
fn create(server: &TestServer, url: &str) -> Response {
    let headers = [BEARER, ("upstream-url", url), ("upstream-method", "GET")];
    server.send("POST", "/v1/proxy", &headers, "")
}

/// Path and query of the signed URL that a creation answers.
fn location(created: &Response) -> String {
    assert_eq!(created.status, 201, "{created:?} {}", created.text());
    let location = created.header("location").unwrap();
    let path = location.strip_prefix("http://test").unwrap_or_else(|| panic!("{location}"));
    path.to_owned()
}

/// The id in a signed URL.
fn id(location: &str) -> &str {
    location.split(['/', '?']).nth(3).unwrap()
}

/// The code of a refusal in the proxy's form.
fn code(response: &Response) -> String {
    assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    response.json()["error"]["code"].as_str().unwrap().to_owned()
}

/// Reads until the stream is closed: the bytes, and the last answer.
fn read_to_end(server: &TestServer, location: &str) -> (Vec<u8>, Response) {
    let (mut bytes, mut offset) = (Vec::new(), "-1".to_owned());
    loop {
        let answer = server.send("GET", &format!("{location}&offset={offset}&live=long-poll"), &[], "");
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        bytes.extend_from_slice(&answer.body);
        offset = answer.next_offset().to_owned();
        if answer.header("stream-closed") == Some("true") {
            return (bytes, answer);
        }
    }
}
