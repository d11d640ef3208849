//! Who may read, and that there is no way around it.

use headwater_proxy::Secrets;

use crate::support::TestServer;
use crate::upstream::whole;
use crate::{BEARER, SECRET, Upstream, code, create, id, location, read_to_end, server};

fn proxied(server: &TestServer) -> String {
    let location = location(&create(server, &Upstream::says(whole("text/plain", b"private")).url("/")));
    read_to_end(server, &location);
    location
}

#[test]
fn a_read_needs_a_signed_url_or_the_secret() {
    let server = server();
    let location = proxied(&server);
    let path = format!("/v1/proxy/{}", id(&location));
    let get = |target: &str, headers: &[(&str, &str)]| server.send("GET", target, headers, "");
    assert_eq!(get(&path, &[BEARER]).text(), "private");
    assert_eq!(get(&format!("{path}?secret={SECRET}"), &[]).text(), "private");
    let refused = |target: &str, headers: &[(&str, &str)]| {
        let refused = get(target, headers);
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
        (refused.status, code(&refused))
    };
    assert_eq!(refused(&path, &[]), (401, "MISSING_SECRET".into()));
    assert_eq!(refused(&path, &[("authorization", "Bearer x")]), (401, "INVALID_SECRET".into()));
    let signed = |expires: u64, signature: &str| format!("{path}?expires={expires}&signature={signature}");
    assert_eq!(refused(&signed(1, "x"), &[BEARER]), (401, "SIGNATURE_EXPIRED".into()));
    assert_eq!(refused(&signed(9_999_999_999, "x"), &[BEARER]), (401, "SIGNATURE_INVALID".into()));
    let by_hand = Secrets::new(vec![SECRET.into()]).unwrap().sign(id(&location), 9_999_999_999);
    assert_eq!(get(&signed(9_999_999_999, &by_hand), &[]).text(), "private");
}

#[test]
fn a_signed_url_is_good_for_its_stream_only() {
    let server = server();
    let (one, other) = (proxied(&server), proxied(&server));
    let mixed = one.replace(id(&one), id(&other));
    assert_eq!(code(&server.send("GET", &mixed, &[], "")), "SIGNATURE_INVALID");
    assert_eq!(server.send("HEAD", &one, &[], "").status, 401);
}

#[test]
fn what_is_not_there_is_not_found_and_what_is_no_offset_is_refused() {
    let server = server();
    let location = proxied(&server);
    for id in ["0190c3a2-0000-7000-8000-000000000000", "some-stream"] {
        let missing = server.send("GET", &format!("/v1/proxy/{id}"), &[BEARER], "");
        assert_eq!((missing.status, code(&missing)), (404, "STREAM_NOT_FOUND".into()));
        assert_eq!(server.send("HEAD", &format!("/v1/proxy/{id}"), &[BEARER], "").status, 404);
    }
    for (query, expected) in
        [("offset=0", "INVALID_OFFSET"), ("live=sse", "OFFSET_REQUIRED"), ("offset=-1&live=x", "INVALID_QUERY")]
    {
        let refused = server.send("GET", &format!("{location}&{query}"), &[], "");
        assert_eq!((refused.status, code(&refused).as_str()), (400, expected));
    }
}

#[test]
fn no_other_route_leads_to_a_proxied_stream() {
    let server = server();
    let location = proxied(&server);
    let path = format!("__ds/proxy/{}", id(&location));
    for (method, headers) in
        [("GET", vec![]), ("HEAD", vec![]), ("POST", vec![("content-type", "text/plain")]), ("DELETE", vec![])]
    {
        for path in [path.clone(), path.replace("__ds", "%5f_ds"), path.replace('/', "%2f")] {
            let answer = server.send(method, &format!("/v1/stream/{path}"), &headers, "x");
            assert!(matches!(answer.status, 404 | 405), "{method} {path}: {answer:?}");
        }
    }
    let from = format!("/v1/stream/{path}");
    let fork = server.send("PUT", "/v1/stream/fork", &[("stream-forked-from", from.as_str())], "");
    assert!(fork.status >= 400, "{fork:?}");
    assert_eq!(server.put("a", "text/plain", "").status, 201);
    let listed = server.send("GET", "/v1/stream?limit=1", &[], "");
    assert_eq!(listed.json()["streams"][0]["path"], "a");
    assert!(!listed.text().contains("__ds"), "{}", listed.text());
}

#[test]
fn other_methods_and_other_urls_are_refused() {
    let server = server();
    for (method, target, allow) in
        [("GET", "/v1/proxy", "POST, OPTIONS"), ("PUT", "/v1/proxy/x", "GET, HEAD, PATCH, DELETE, OPTIONS")]
    {
        let refused = server.send(method, target, &[BEARER], "");
        assert_eq!((refused.status, code(&refused).as_str()), (405, "METHOD_NOT_ALLOWED"));
        assert_eq!(refused.header("allow"), Some(allow));
    }
    let missing = server.send("GET", "/v1/proxy/a/b", &[BEARER], "");
    assert_eq!((missing.status, code(&missing).as_str()), (404, "NOT_FOUND"));
    assert_eq!(TestServer::start().send("POST", "/v1/proxy", &[BEARER], "").status, 404, "off without a secret");
}

#[test]
fn pages_may_send_what_upstreams_ask_for() {
    let asked = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-api-key,upstream-url"),
    ];
    let allowed = server().send("OPTIONS", "/v1/proxy", &asked, "");
    assert_eq!((allowed.status, allowed.header("access-control-allow-methods")), (204, Some("POST, OPTIONS")));
    let names: Vec<&str> = allowed
        .headers
        .iter()
        .filter(|(name, _)| name == "access-control-allow-headers")
        .flat_map(|(_, value)| value.split([',', ' ']))
        .collect();
    for name in ["upstream-url", "upstream-method", "upstream-authorization", "content-type", "x-api-key"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
}
