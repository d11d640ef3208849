//! A server's life: banner, signals, exit codes.

mod support;

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use support::{Serving, code, headwater, run, stderr};

fn disk(dir: &Path) -> Command {
    let mut command = headwater();
    command.args(["serve", "--data-dir"]).arg(dir);
    command
}

fn memory() -> Command {
    let mut command = headwater();
    command.args(["serve", "--store", "memory"]);
    command
}

#[test]
fn the_banner_says_where_how_durable_and_what_to_try() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Serving::start(&mut disk(&data));
    let banner = &server.banner;
    assert!(!server.address.ends_with(":0"), "{banner}");
    assert!(banner.contains(&format!("http://{}/v1/stream", server.address)), "{banner}");
    assert!(banner.contains(data.to_str().unwrap()), "{banner}");
    assert!(banner.contains("fsync: every acknowledged byte is on disk"), "{banner}");
    assert!(banner.contains(env!("CARGO_PKG_VERSION")), "{banner}");
    assert!(banner.contains("curl -i -X PUT"), "{banner}");
    let session = format!("curl --json '{{\"projectId\":\"demo\"}}' http://{}/api/sessions", server.address);
    assert!(banner.contains(&session), "{banner}");
}

#[test]
fn the_banner_of_a_collector_is_one_object_on_one_line() {
    let server = Serving::start(memory().args(["--log", "json"]));
    let line = server.banner.lines().find(|line| line.contains("\"ready\"")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(entry["durability"], "memory");
    assert_eq!(entry["url"], format!("http://{}/v1/stream", server.address));
}

#[test]
fn the_root_is_where_it_was_asked_to_be() {
    let server = Serving::start(memory().args(["--root", "/streams"]));
    assert!(server.ask("PUT", "/streams/a", "x").starts_with("HTTP/1.1 201"));
    assert!(server.ask("PUT", "/v1/stream/a", "x").starts_with("HTTP/1.1 404"));
}

#[test]
fn sessions_survive_a_restart_and_can_be_switched_off() {
    let dir = tempfile::tempdir().unwrap();
    let server = Serving::start(&mut disk(dir.path()));
    let new = "POST /api/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
        Content-Type: application/json\r\nContent-Length: 22\r\n\r\n{\"projectId\": \"kept\"}\n";
    let mut answer = String::new();
    server.send(new).read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));

    let server = Serving::start(&mut disk(dir.path()));
    let listed = server.ask("GET", "/api/sessions", "");
    assert!(listed.contains("\"projectId\":\"kept\""), "{listed}");
    assert!(server.ask("PUT", "/v1/stream/session/raw", "").starts_with("HTTP/1.1 403"));
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));

    let server = Serving::start(disk(dir.path()).args(["--sessions", "off"]));
    assert!(server.ask("GET", "/api/sessions", "").starts_with("HTTP/1.1 404"));
    assert!(server.ask("PUT", "/v1/stream/session/raw", "").starts_with("HTTP/1.1 201"));
}

#[test]
fn an_operator_is_told_where_the_console_is_unless_it_is_off() {
    let server = Serving::start(&mut memory());
    assert!(server.banner.contains("  console    http://127.0.0.1:"), "{}", server.banner);
    let server = Serving::start(memory().args(["--console", "off"]));
    assert!(!server.banner.contains("console"), "{}", server.banner);
}

#[test]
fn a_signal_ends_the_server_in_order_and_the_next_start_finds_everything() {
    for signal in ["TERM", "INT"] {
        let dir = tempfile::tempdir().unwrap();
        let server = Serving::start(&mut disk(dir.path()));
        assert!(server.ask("PUT", "/v1/stream/kept", "hello").starts_with("HTTP/1.1 201"));
        server.signal(signal);
        let (status, said) = server.wait();
        assert_eq!(status.code(), Some(0), "{said}");

        let server = Serving::start(&mut disk(dir.path()));
        assert!(server.banner.contains("recovered  2 streams,"), "{}", server.banner);
        assert!(server.ask("GET", "/v1/stream/kept", "").ends_with("hello"));
    }
}

#[test]
fn live_readers_are_ended_cleanly_by_a_signal() {
    let server = Serving::start(&mut memory());
    server.ask("PUT", "/v1/stream/live", "hello");
    let mut reader =
        server.send("GET /v1/stream/live?offset=-1&live=sse HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut seen = Vec::new();
    let mut chunk = [0; 1024];
    while !String::from_utf8_lossy(&seen).contains("upToDate") {
        let read = reader.read(&mut chunk).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..read]);
    }
    server.signal("TERM");
    reader.read_to_end(&mut seen).unwrap();
    assert!(seen.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&seen));
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    for (signal, expected) in [("TERM", 143), ("INT", 130)] {
        let server = Serving::start(memory().args(["--shutdown-grace", "1h", "--request-body-timeout", "1h"]));
        // A request whose body never comes keeps an orderly end waiting.
        let mut held = server.send(
            "POST /v1/stream/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nExpect: 100-continue\r\n\
             Content-Length: 5\r\n\r\n",
        );
        let mut interim = [0; 12];
        held.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100");
        server.signal(signal);
        // New connections are refused once the first signal has been heard.
        while std::net::TcpStream::connect(&server.address).is_ok() {}
        server.signal(signal);
        let (status, said) = server.wait();
        assert_eq!(status.code(), Some(expected), "{said}");
    }
}

#[test]
fn a_data_directory_in_use_is_exit_code_3_and_names_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let server = Serving::start(&mut disk(dir.path()));
    let output = run(disk(dir.path()).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("process {}", server.pid())), "{}", stderr(&output));
}

#[test]
fn a_used_port_is_exit_code_4() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let output = run(disk(dir.path()).args(["--listen", &address]));
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

#[test]
fn a_directory_that_is_not_ours_is_exit_code_5() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let output = run(disk(&file).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn an_address_of_another_machine_is_exit_code_4() {
    let output = run(memory().args(["--listen", "192.0.2.1:4437"]));
    assert_eq!(code(&output), 4, "{}", stderr(&output));
}

#[test]
fn a_newer_format_is_exit_code_5_and_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let server = Serving::start(&mut disk(dir.path()));
    server.signal("TERM");
    server.wait();
    let file = dir.path().join("format");
    let newer = std::fs::read_to_string(&file).unwrap().replace("format 1\n", "format 99\n");
    std::fs::write(&file, &newer).unwrap();
    let output = run(disk(dir.path()).args(["--listen", "127.0.0.1:0"]));
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert!(stderr(&output).contains("format 99"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), newer);
}

#[test]
fn failures_are_objects_too_when_the_log_is_json() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(memory().args(["--log", "json", "--listen", &address]));
    assert_eq!(code(&output), 4);
    let entry: serde_json::Value = serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
    assert_eq!(entry["level"], "ERROR");
}
