//! Which of a request's headers go on to the upstream.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, ORIGIN, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName};

use headwater_protocol::header::UPSTREAM_AUTHORIZATION;

/// What belongs to the caller's connection, to the caller's relation with this server, or is made anew for the upstream.
const KEPT: [HeaderName; 14] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HOST,
    AUTHORIZATION,
    ACCEPT_ENCODING,
    CONTENT_LENGTH,
    COOKIE,
    ORIGIN,
    EXPECT,
];
/// The same, for names that HTTP's registry does not have or has under another name.
const KEPT_TOO: [&str; 4] = ["keep-alive", "proxy-connection", "trailers", "http2-settings"];
/// Addressed to this server.
const OURS: [&str; 2] = ["upstream-", "x-headwater-"];

/// The headers of the upstream request. `Upstream-Authorization` becomes `Authorization`.
pub(crate) fn forwarded(received: &HeaderMap) -> HeaderMap {
    let nominated = nominated(received);
    let mut sent = HeaderMap::with_capacity(received.len());
    for (name, value) in received {
        let is_kept = KEPT.contains(name) || KEPT_TOO.contains(&name.as_str()) || nominated.contains(name);
        if !is_kept && !OURS.iter().any(|prefix| name.as_str().starts_with(prefix)) {
            sent.append(name, value.clone());
        }
    }
    if let Some(credentials) = received.get(UPSTREAM_AUTHORIZATION) {
        let mut credentials = credentials.clone();
        credentials.set_sensitive(true);
        sent.insert(AUTHORIZATION, credentials);
    }
    sent
}

/// Headers that `Connection` says are for this connection only (RFC 9110 section 7.6.1).
fn nominated(received: &HeaderMap) -> Vec<HeaderName> {
    let values = received.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn what_belongs_to_the_caller_stays_here() {
        let received = headers(&[
            ("connection", "close, x-hop"),
            ("keep-alive", "1"),
            ("proxy-authenticate", "1"),
            ("proxy-authorization", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("trailers", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("host", "proxy"),
            ("authorization", "Bearer service"),
            ("accept-encoding", "br"),
            ("content-length", "1"),
            ("upstream-url", "x"),
            ("upstream-method", "GET"),
            ("upstream-anything", "x"),
            ("x-headwater-session", "x"),
            ("cookie", "x"),
            ("origin", "x"),
            ("x-hop", "x"),
        ]);
        assert_eq!(forwarded(&received), HeaderMap::new());
    }

    #[test]
    fn everything_else_goes_on_and_the_upstreams_credentials_are_renamed() {
        let received = headers(&[
            ("content-type", "application/json"),
            ("x-api-key", "k"),
            ("anthropic-version", "1"),
            ("authorization", "Bearer service"),
            ("upstream-authorization", "Bearer upstream"),
        ]);
        let sent = forwarded(&received);
        assert_eq!(sent.len(), 4);
        assert_eq!(sent[AUTHORIZATION], "Bearer upstream");
        assert!(!format!("{sent:?}").contains("Bearer"), "credentials are not printed");
        assert_eq!(sent["x-api-key"], "k");
    }
}
