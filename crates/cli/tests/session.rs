//! The commands for sessions, against a server.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{Following, Serving, code, headwater, run, stderr, stdout};

fn memory() -> Serving {
    Serving::start(headwater().args(["serve", "--store", "memory"]))
}

fn session(address: &str, args: &[&str]) -> Command {
    let mut command = headwater();
    command.env("HEADWATER_URL", format!("http://{address}/v1/stream")).arg("session").args(args);
    command
}

/// Runs a command that must succeed, and gives what it printed.
fn said(address: &str, args: &[&str]) -> String {
    let output = run(&mut session(address, args));
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    stdout(&output)
}

fn new(address: &str) -> String {
    said(address, &["new", "--title", "A session", "-q"]).trim_end().to_owned()
}

fn post(address: &str, id: &str, channel: &str, data: &Value) {
    said(address, &["send", id, "-q", "--channel", channel, "--data", &data.to_string()]);
}

fn say(address: &str, id: &str, text: &str) {
    post(address, id, "chunks", &json!({"agentId": "wren", "turn": 1, "text": text}));
}

fn refused(address: &str, args: &[&str]) -> (i32, String) {
    let output = run(&mut session(address, args));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    (code(&output), stderr(&output))
}

/// A session with something in it on every channel, closed.
fn played(server: &Serving) -> String {
    let url = format!("http://{}", server.address);
    let output = run(headwater().args(["demo", "--speed", "1000", "--url", &url]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let rows = said(&server.address, &["ls", "--json"]);
    let row: Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    row["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_session_is_begun_listed_shown_forked_and_closed() {
    let server = memory();
    let at = &*server.address;
    let id = said(at, &["new", "--project", "web", "--title", "Fix it", "--agent", "wren", "-q"]);
    let id = id.trim_end();
    assert_eq!(said(at, &["send", id, "make", "-q"]), "");
    post(at, id, "agentState", &json!({"agentId": "wren", "status": "running", "message": "thinking"}));
    let listed = said(at, &["ls", "--project", "web", "--status", "active"]);
    assert!(listed.lines().count() == 2 && listed.contains(id) && listed.contains("Fix it"), "{listed}");
    assert_eq!(said(at, &["ls", "--project", "none"]).lines().count(), 1);
    let shown = said(at, &["show", id]);
    for part in ["title    Fix it", "status   active", "1 lines of terminal", "wren is running: thinking", "nobody"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let fork = said(at, &["fork", id, "--title", "Another way", "-q"]);
    assert_ne!(fork.trim_end(), id);
    said(at, &["close", fork.trim_end(), "-q"]);
    assert!(said(at, &["watch", fork.trim_end(), "-q"]).starts_with("│ $ make\n"), "it has the same past");
    let closed: Value = serde_json::from_str(&said(at, &["close", id, "--json"])).unwrap();
    assert_eq!(closed["status"], "closed");
    let (exit, told) = refused(at, &["send", id, "late"]);
    assert!(exit == 8 && told.contains("headwater session fork"), "{told}");
    assert_eq!(refused(at, &["show", "nothing"]).0, 7);
    assert_eq!(refused(at, &["send", id, "--channel", "chunks", "--data", "[]"]).0, 2);
    assert_eq!(refused(at, &["watch", id, "--from", "nonsense"]).0, 2);
    assert_eq!(refused("127.0.0.1:1", &["ls"]).0, 9);
}

#[test]
fn a_watch_survives_a_restart_of_the_server_and_is_told_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let serve =
        |listen: &str| Serving::start_on(headwater().arg("serve").arg("--data-dir").arg(Path::new(dir.path())), listen);
    let server = serve("127.0.0.1:0");
    let address = server.address.clone();
    let id = new(&address);
    said(&address, &["send", &id, "-q", "first"]);
    let mut watch = Following::start(&mut session(&address, &["watch", &id, "--as", "Ada"]));
    assert!(watch.line().starts_with("A session"));
    let mut before = watch.lines_until("$ first");
    before.extend(if before.iter().any(|line| line == "+ Ada is here") { vec![] } else { watch.lines_until("Ada") });
    let people = said(&address, &["presence", &id]);
    assert!(people.contains("Ada"), "{people}");

    server.signal("KILL");
    server.wait();
    let lost = watch.lines_until("--");
    assert!(lost.last().unwrap().contains("going on when the server is back"), "{lost:?}");
    let server = serve(&address);
    said(&address, &["send", &id, "-q", "second"]);
    let after = watch.lines_until("$ second");
    assert!(after.iter().any(|line| line == "-- back again; nothing was missed"), "{after:?}");
    assert!(!after.iter().any(|line| line.contains("first")), "{after:?}");
    said(&address, &["close", &id, "-q"]);
    watch.lines_until("-- the session is closed");
    watch.succeeds();
    drop(server);
}

#[test]
fn whoever_leaves_a_watch_is_no_longer_there_and_the_session_goes_on() {
    let server = memory();
    let id = new(&server.address);
    let mut ada = Following::start(&mut session(&server.address, &["watch", &id, "--as", "Ada"]));
    ada.lines_until("+ Ada is here");
    let mut bob = Following::start(&mut session(&server.address, &["watch", &id, "--from", "now"]));
    bob.lines_until("+ Ada is here");
    ada.interrupt();
    assert!(ada.lines_until("--").last().unwrap().contains("left; the session goes on"));
    ada.succeeds();
    bob.lines_until("- Ada has left");
    say(&server.address, &id, "still here\n");
    assert_eq!(bob.lines_until("here"), ["wren turn 1", "  still here"]);
    said(&server.address, &["close", &id, "-q"]);
    bob.lines_until("closed");
    bob.succeeds();
}

#[test]
fn a_replay_tells_what_a_watch_told_and_an_export_has_it_all() {
    let server = memory();
    let at = &*server.address;
    let id = played(&server);
    let watched = said(at, &["watch", &id]);
    let replayed = said(at, &["replay", &id, "--speed", "1000", "--pause-max", "10ms"]);
    let body: Vec<&str> = watched.lines().skip(1).collect();
    let body = body.split_last().unwrap().1.join("\n");
    assert_eq!(replayed.trim_end(), body.trim_end());
    for mark in ["✓ ", "✗ ", "● ", "◆ ", "│ $ "] {
        assert!(watched.lines().any(|line| line.starts_with(mark)), "{mark}: {watched}");
    }
    assert!(watched.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')), "no escape sequences");
    let events = said(at, &["watch", &id, "--json"]);
    let exported = said(at, &["export", &id, "--format", "ndjson"]);
    assert_eq!(events.lines().count(), exported.lines().count());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session.md");
    said(at, &["export", &id, "-o", &file.display().to_string()]);
    assert_eq!(std::fs::read_to_string(file).unwrap(), said(at, &["export", &id]));
    let output = run(&mut session(at, &["export", &id, "-o", "/no/such/directory/x"]));
    assert_eq!(code(&output), 1);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let server = memory();
    let id = new(&server.address);
    say(&server.address, &id, "hello");
    said(&server.address, &["close", &id, "-q"]);
    assert!(!said(&server.address, &["watch", &id]).contains('\u{1b}'));
    assert!(said(&server.address, &["watch", &id, "--color", "always"]).contains("\u{1b}[1;"));
}

#[test]
fn lines_of_standard_input_are_typed_one_after_the_other() {
    let server = memory();
    let id = new(&server.address);
    let mut sending = session(&server.address, &["send", &id, "--json"]);
    let mut child = sending.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"one\ntwo\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output).lines().count(), 2, "{output:?}");
    said(&server.address, &["close", &id, "-q"]);
    let watched = said(&server.address, &["watch", &id, "-q"]);
    assert_eq!(watched, "│ $ one\n│ $ two\n");
}

#[test]
fn being_there_ends_with_the_command() {
    let server = memory();
    let id = new(&server.address);
    let mut there = Following::start(&mut session(&server.address, &["presence", &id, "--as", "Ada"]));
    assert!(there.note().contains("Ada is there"));
    assert!(said(&server.address, &["presence", &id]).contains("Ada"));
    there.interrupt();
    there.succeeds();
    assert_eq!(said(&server.address, &["presence", &id, "--json"]), "");
    assert_eq!(refused(&server.address, &["presence", "nothing", "--as", "Ada"]).0, 7);
}
