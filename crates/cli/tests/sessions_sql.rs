//! `--sessions-sql` and `sessions reindex`, with real servers that are killed.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use support::{Serving, code, headwater, run, stderr, stdout};
use tempfile::TempDir;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn serving(dir: &TempDir) -> Serving {
    let sql = dir.path().join("sessions.sqlite");
    Serving::start(
        headwater()
            .args(["serve", "--segment-size", "1MiB", "--data-dir"])
            .arg(dir.path().join("data"))
            .args(["--sessions-sql", sql.to_str().unwrap()]),
    )
}

fn ask(server: &Serving, method: &str, path: &str, body: &str) -> String {
    let request = format!(
        "{method} /api/{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.address,
        body.len()
    );
    let mut answer = Vec::new();
    server.send(&request).read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A new session's id.
fn session(server: &Serving) -> String {
    let answer = ask(server, "POST", "sessions", r#"{"projectId":"p"}"#);
    let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    body["data"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn append(server: &Serving, session: &str, number: usize) {
    let data = format!(r#"{{"id":"l{number}","type":"output","source":"agent","data":"word{number} here"}}"#);
    let event = format!(r#"{{"channel":"terminal","data":{data}}}"#);
    let answer = ask(server, "POST", &format!("streams?sessionId={session}"), &event);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// The keys of all events in the file, in order; none while it cannot be read.
fn keys(file: &Path) -> Vec<String> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(PATIENCE)?;
        let mut select = connection.prepare("SELECT key FROM stream_events ORDER BY stream_id, offset")?;
        select.query_map([], |row| row.get(0))?.collect()
    };
    read().unwrap_or_default()
}

fn wait_for(file: &Path, expected: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = keys(file);
        if found.len() >= expected {
            return found;
        }
        assert!(Instant::now() < deadline, "the file has {} of {expected} events", found.len());
        std::thread::yield_now();
    }
}

fn all(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("l{number}")).collect()
}

#[test]
fn after_every_kill_each_event_is_in_the_file_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sessions.sqlite");
    let mut count = 0;
    let mut id = None;
    for round in 0..4 {
        let server = serving(&dir);
        let id = id.get_or_insert_with(|| session(&server));
        for _ in 0..40 {
            append(&server, id, count);
            count += 1;
        }
        // Somewhere between nothing and all of it.
        wait_for(&file, count - 40 + round * 10);
        drop(server);
    }
    let server = serving(&dir);
    assert_eq!(wait_for(&file, count), all(count));
    let of_project = "SELECT count(*) FROM sessions WHERE project_id = 'p' AND id IN (SELECT stream_id FROM texts)";
    let sessions: i64 = Connection::open(&file).unwrap().query_row(of_project, [], |row| row.get(0)).unwrap();
    assert_eq!(sessions, 1);
    server.signal("TERM");
    assert!(server.wait().0.success());
}

#[test]
fn a_file_that_cannot_be_used_is_told_and_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sessions.sqlite");
    std::fs::write(&file, "no database".repeat(500)).unwrap();
    let server = serving(&dir);
    let id = session(&server);
    append(&server, &id, 0);
    server.signal("TERM");
    let (status, said) = server.wait();
    assert!(status.success());
    assert!(said.contains("SQL projection") && said.contains("no database"), "{said}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("no database"), "it is left alone");

    let (data, sql) = (dir.path().join("data"), file.to_str().unwrap());
    let reindex = || run(headwater().args(["sessions", "reindex", "--sessions-sql", sql, "--data-dir"]).arg(&data));
    let output = reindex();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("1 sessions"), "{}", stdout(&output));
    assert_eq!(keys(&file), all(1));

    let server = serving(&dir);
    append(&server, &id, 1);
    assert_eq!(wait_for(&file, 2), all(2));
    assert_eq!(code(&reindex()), 3, "a server is using the directory");
}

#[test]
fn reindex_says_what_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    let output = run(headwater().args(["sessions", "reindex", "--data-dir"]).arg(&nowhere));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--sessions-sql"), "{}", stderr(&output));
    let output =
        run(headwater().args(["sessions", "reindex", "--sessions-sql", "x.sqlite", "--data-dir"]).arg(&nowhere));
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    assert!(!nowhere.exists());
    assert_eq!(code(&run(headwater().args(["sessions"]))), 2);
}
