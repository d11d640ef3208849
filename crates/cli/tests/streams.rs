//! The commands for streams, against a server: what they print, what they end with, how they behave in pipes.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{Following, Serving, code, headwater, run, stderr, stdout};

fn server() -> Serving {
    Serving::start(headwater().args(["serve", "--store", "memory"]))
}

fn client(server: &Serving) -> Command {
    let mut command = headwater();
    command.env("HEADWATER_URL", format!("http://{}/v1/stream", server.address));
    command
}

/// Runs a command that must succeed, and gives what it printed.
fn said(server: &Serving, args: &[&str]) -> String {
    let output = run(client(server).args(args));
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    stdout(&output)
}

fn refused(server: &Serving, args: &[&str]) -> (i32, String) {
    let output = run(client(server).args(args));
    assert_eq!(stdout(&output), "", "{args:?}");
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    (code(&output), stderr(&output))
}

/// Runs a command with this standard input.
fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_stream_is_created_written_read_closed_and_deleted() {
    let server = server();
    assert_eq!(said(&server, &["create", "notes"]), "notes: created, text/plain; charset=utf-8\n");
    assert_eq!(said(&server, &["create", "notes"]), "notes: is there already, text/plain; charset=utf-8\n");
    let appended = said(&server, &["append", "notes", "one", "two"]);
    assert_eq!(appended, "notes: 2 messages of 8 bytes appended; ends at 0000000000000000_0000000000000008\n");
    assert_eq!(said(&server, &["read", "notes"]), "one\ntwo\n");
    assert_eq!(said(&server, &["read", "notes", "--from", "0000000000000000_0000000000000004"]), "two\n");
    let head = said(&server, &["head", "notes"]);
    assert!(head.contains("state    open") && head.contains("lives    until it is deleted"), "{head}");
    assert_eq!(said(&server, &["close", "notes"]), "notes: closed at 0000000000000000_0000000000000008\n");
    assert_eq!(json(&said(&server, &["head", "notes", "--json"]))["closed"], true);
    assert_eq!(said(&server, &["delete", "notes"]), "notes: deleted\n");
    assert_eq!(refused(&server, &["read", "notes"]).0, 7);
}

#[test]
fn json_messages_come_back_as_they_were_sent_in_every_format() {
    let server = server();
    said(&server, &["create", "j", "--type", "json"]);
    said(&server, &["append", "j", r#"{"b":1.50, "a":12345678901234567890123}"#, "[1,2]"]);
    let lines = "{\"b\":1.50, \"a\":12345678901234567890123}\n[1,2]\n";
    assert_eq!(said(&server, &["read", "j"]), lines);
    assert_eq!(json(&said(&server, &["read", "j", "--format", "json"]))[1][0], 1);
    let piece = said(&server, &["read", "j", "--json"]);
    assert!(piece.contains("12345678901234567890123") && piece.contains("\"upToDate\":true"), "{piece}");
    assert_eq!(said(&server, &["read", "j", "--from", "now", "--format", "json"]), "[]\n");
}

#[test]
fn input_is_split_by_what_the_stream_holds() {
    let server = server();
    let cases: [(&str, &[&str], &[u8], &str); 5] = [
        ("text", &[], b"one\ntwo", "one\ntwo"),
        ("json", &[], b"{\"a\":1}\n\n{\n \"b\": 2\n}\n", "{\"a\":1}\n{  \"b\": 2 }\n"),
        ("json", &["--lines"], b"it's \"so\"\r\n", "\"it's \\\"so\\\"\"\n"),
        ("text", &["--ndjson"], b"{\"a\":1}", "{\"a\":1}\n"),
        ("bytes", &[], b"\x00\x01abc", "\u{0}\u{1}abc"),
    ];
    for (number, (kind, flags, input, expected)) in cases.into_iter().enumerate() {
        let stream = format!("in/{number}");
        let output = fed(client(&server).args(["append", "--create", "--type", kind, &stream]).args(flags), input);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(said(&server, &["read", &stream]), expected, "{kind} {flags:?}");
    }
    assert_eq!(refused(&server, &["append", "in/1", "--bytes", "x"]).0, 2);
}

#[test]
fn files_are_appended_one_after_the_other_and_the_stream_can_be_closed() {
    let server = server();
    let dir = tempfile::tempdir().unwrap();
    let files = ["a", "b"].map(|name| dir.path().join(name).display().to_string());
    std::fs::write(&files[0], "1\n2\n").unwrap();
    std::fs::write(&files[1], "3\n").unwrap();
    let args = ["append", "f", "--create", "--close", "--json", "--file", &files[0], "--file", &files[1]];
    let sums = json(&said(&server, &args));
    assert_eq!((&sums["messages"], &sums["bytes"], &sums["closed"]), (&3.into(), &6.into(), &true.into()));
    assert_eq!(said(&server, &["read", "f", "--follow"]), "1\n2\n3\n", "a closed stream has an end");
    let (exit, told) = refused(&server, &["append", "f", "late"]);
    assert!(exit == 8 && told.contains("headwater fork"), "{told}");
    assert_eq!(said(&server, &["fork", "f", "g"]), "g: forked from f\n");
    said(&server, &["append", "-q", "g", "4"]);
    assert_eq!(said(&server, &["read", "g"]), "1\n2\n3\n4\n");
    said(&server, &["fork", "f", "h", "--at=-1", "--plus", "2"]);
    assert_eq!(said(&server, &["read", "h"]), "1\n");
}

#[test]
fn a_message_that_is_no_json_is_told_with_its_line_and_what_came_before_stays() {
    let server = server();
    said(&server, &["create", "j", "--type", "json"]);
    let output = fed(client(&server).args(["append", "j"]), b"1\n2\nthree\n4\n");
    assert_eq!(code(&output), 8);
    assert!(stderr(&output).contains("line 3"), "{}", stderr(&output));
    assert!(stdout(&output).contains("2 messages"), "{}", stdout(&output));
    assert_eq!(said(&server, &["read", "j"]), "1\n2\n");
    let (exit, told) = refused(&server, &["append", "j", "hello"]);
    assert!(exit == 8 || told.contains("--lines"), "{told}");
}

#[test]
fn a_later_run_of_a_producer_takes_over_from_an_earlier_one() {
    let server = server();
    said(&server, &["create", "p"]);
    let mut first = client(&server);
    let first = first.args(["append", "p", "--producer", "worker", "-q"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut first = first.spawn().unwrap();
    let mut input = first.stdin.take().unwrap();
    let mut follower = Following::start(client(&server).args(["read", "p", "--follow"]));
    input.write_all(b"one\n").unwrap();
    assert_eq!(follower.line(), "one");
    said(&server, &["append", "p", "--producer", "worker", "two"]);
    input.write_all(b"too late\n").unwrap();
    drop(input);
    let output = first.wait_with_output().unwrap();
    assert_eq!(code(&output), 8);
    assert!(stderr(&output).contains("taken over"), "{}", stderr(&output));
    said(&server, &["append", "p", "--producer", "worker", "--close", "three"]);
    assert_eq!([follower.line(), follower.line(), follower.line()], ["two", "three", ""]);
}

#[test]
fn the_listing_tells_paths_details_and_json() {
    let server = server();
    for stream in ["a/1", "a/2", "b"] {
        said(&server, &["create", stream]);
    }
    said(&server, &["close", "a/2"]);
    assert_eq!(said(&server, &["ls", "--prefix", "a/"]), "a/1\na/2\n");
    assert_eq!(said(&server, &["ls", "--prefix", "a/", "--limit", "1"]), "a/1\n");
    let long = said(&server, &["ls", "-l", "--prefix", "a/"]);
    assert!(long.starts_with("STREAM") && long.contains("closed") && long.contains("text/plain"), "{long}");
    let rows = said(&server, &["ls", "--json", "--prefix", "a/2"]);
    assert_eq!(json(&rows)["closed"], true);
    let silent = Serving::start(headwater().args(["serve", "--store", "memory", "--listing", "off"]));
    let (exit, told) = refused(&silent, &["ls"]);
    assert!(exit == 7 && told.contains("--listing off"), "{told}");
}

#[test]
fn nobody_there_is_told_with_what_to_do() {
    let output = run(headwater().args(["read", "x", "--url", "http://127.0.0.1:1/v1/stream"]));
    assert_eq!(code(&output), 9);
    let told = stderr(&output);
    assert!(told.starts_with("error: no server answers at http://127.0.0.1:1/v1/stream/x: "), "{told}");
    assert!(told.contains("`headwater serve`") && told.contains("--url"), "{told}");
}

#[test]
fn wrong_use_ends_with_2_and_conflicts_with_8() {
    let server = server();
    said(&server, &["create", "t"]);
    for args in [
        &["read", "a//b"][..],
        &["read", "t", "--format", "ndjson"],
        &["read", "t", "--header", "no-colon"],
        &["read", "t", "--url", "nothing"],
        &["read", "t", "--ca-cert", "/no/such/file"],
        &["read", "t", "--ca-cert", "Cargo.toml"],
        &["append", "t", "--file", "/no/such/file"],
        &["create", "t", "--ttl", "soon"],
    ] {
        assert_eq!(refused(&server, args).0, 2, "{args:?}");
    }
    assert_eq!(refused(&server, &["create", "t", "--type", "json"]).0, 8);
    assert_eq!(refused(&server, &["read", "t", "--from", "nonsense"]).0, 8);
    assert_eq!(refused(&server, &["append", "session/x", "y"]).0, 7);
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command_quietly() {
    let server = server();
    let lines = "a line that is long enough to fill a pipe sooner or later\n".repeat(50_000);
    assert_eq!(code(&fed(client(&server).args(["append", "-q", "--create", "--bytes", "long"]), lines.as_bytes())), 0);
    let mut child = client(&server)
        .args(["read", "long", "--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("a line"));
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn headers_travel_with_every_request_and_are_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("headers");
    std::fs::write(&file, "Authorization: Bearer secret\n").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/s", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(socket.try_clone().unwrap()).lines();
        let head: Vec<String> = lines.by_ref().map(|line| line.unwrap()).take_while(|line| !line.is_empty()).collect();
        socket.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        head
    });
    let given = format!("@{}", file.display());
    let output = run(headwater().args(["head", "x", "--url", &url, "--header", &given, "--header", "X-Tenant: acme"]));
    assert_eq!(code(&output), 6, "{}", stderr(&output));
    assert!(!stderr(&output).contains("secret"));
    let head = answering.join().unwrap();
    assert!(head.contains(&"authorization: Bearer secret".to_owned()), "{head:?}");
    assert!(head.contains(&"x-tenant: acme".to_owned()), "{head:?}");
}
