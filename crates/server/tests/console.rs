//! The console's files: what browsers get, and where the console ends.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use support::{Response, TestServer};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");

fn browse(server: &TestServer, target: &str) -> Response {
    server.send("GET", target, &[BROWSER], "")
}

fn ask(server: &TestServer, target: &str) -> Response {
    server.send("GET", target, &[], "")
}

/// A file that the page asks for.
fn asset(server: &TestServer, extension: &str) -> String {
    let page = ask(server, "/console/");
    let urls = page.text().split('"').filter(|part| part.starts_with("/console/assets/"));
    urls.into_iter().find(|url| url.ends_with(extension)).unwrap().to_owned()
}

#[test]
fn browsers_are_led_to_the_console_and_programs_are_not() {
    let server = TestServer::start();
    let led = browse(&server, "/");
    assert_eq!((led.status, led.header("location")), (307, Some("/console/")));
    assert_eq!(led.header("vary"), Some("accept"));
    assert_eq!(ask(&server, "/").status, 404);
    assert_eq!(browse(&server, "/console").header("location"), Some("/console/"));
}

#[test]
fn the_url_of_a_session_leads_people_to_its_page() {
    let server = TestServer::start();
    assert_eq!(browse(&server, "/sessions/a.b").header("location"), Some("/console/sessions/a.b"));
    assert_eq!(ask(&server, "/sessions/a.b").status, 404);
}

#[test]
fn every_page_of_the_console_is_the_same_document() {
    let server = TestServer::start();
    let index = ask(&server, "/console/");
    assert_eq!((index.status, index.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(index.header("cache-control"), Some("no-cache"));
    for page in ["sessions/01a2", "sessions/01a2?tab=events", "streams", "streams/chat%2F42/build.log", "health"] {
        assert_eq!(ask(&server, &format!("/console/{page}")).text(), index.text(), "{page}");
    }
}

#[test]
fn what_is_neither_page_nor_file_is_not_found() {
    let server = TestServer::start();
    for target in
        ["/console/other", "/console/assets/none.js", "/console/../Cargo.toml", "/console/%2e%2e/x", "/consoles"]
    {
        assert_eq!(browse(&server, target).status, 404, "{target}");
    }
    assert_eq!(server.send("POST", "/console/", &[], "").status, 405);
}

#[test]
fn pages_may_run_nothing_and_load_nothing_from_elsewhere() {
    let server = TestServer::start();
    for target in ["/console/", "/console/health", &asset(&server, ".js")] {
        let answer = ask(&server, target);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn assets_are_kept_for_ever_and_pages_are_asked_for_again() {
    let server = TestServer::start();
    for (extension, kind) in [(".js", "text/javascript; charset=utf-8"), (".css", "text/css; charset=utf-8")] {
        let answer = ask(&server, &asset(&server, extension));
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
    let tag = ask(&server, "/console/").header("etag").unwrap().to_owned();
    let again = server.send("GET", "/console/", &[("if-none-match", &format!("\"x\", {tag}"))], "");
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(tag.as_str())));
}

#[test]
fn whoever_takes_gzip_gets_a_fraction_of_the_bytes() {
    let server = TestServer::start();
    let script = asset(&server, ".js");
    let plain = ask(&server, &script);
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    let packed = server.send("GET", &script, &[("accept-encoding", "gzip, br")], "");
    assert_eq!((packed.header("content-encoding"), packed.header("etag")), (Some("gzip"), plain.header("etag")));
    assert!(packed.body.len() * 2 < plain.body.len(), "{} of {} bytes", packed.body.len(), plain.body.len());
    // The last four bytes of gzip tell how long the content is (RFC 1952, section 2.3.1).
    let (_, length) = packed.body.split_last_chunk::<4>().unwrap();
    assert_eq!(u32::from_le_bytes(*length) as usize, plain.body.len());
}

#[test]
fn a_head_tells_the_same_without_the_document() {
    let server = TestServer::start();
    let (head, get) = (server.send("HEAD", "/console/", &[], ""), ask(&server, "/console/"));
    assert_eq!((head.status, head.header("etag"), head.body.len()), (200, get.header("etag"), 0));
    assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
}

#[test]
fn the_console_is_told_how_the_server_is_set_up() {
    let server = TestServer::with(|config, _| {
        config.root = "/streams".parse().unwrap();
        config.lists_streams = false;
    });
    let facts = ask(&server, "/console/config.json").json();
    assert_eq!(facts["streamRoot"], "/streams");
    assert_eq!((&facts["sessions"], &facts["listing"]), (&true.into(), &false.into()));
}

#[test]
fn the_console_comes_before_streams_at_the_root() {
    let server = TestServer::with(|config, _| config.root = "/".parse().unwrap());
    assert_eq!(ask(&server, "/console/").status, 200);
    assert_eq!(server.send("PUT", "/console/a", &[("content-type", "text/plain")], "").status, 405);
    assert_eq!(browse(&server, "/").status, 307);
    assert_eq!(ask(&server, "/").status, 200, "programs get the listing");
}

#[test]
fn a_server_without_console_has_nothing_there() {
    let server = TestServer::with(|config, _| config.serves_console = false);
    assert_eq!(ask(&server, "/console/").status, 404);
    assert_eq!(browse(&server, "/").status, 404);
    server.put("console", "text/plain", "x");
    assert_eq!(server.get("console").status, 200);
}
