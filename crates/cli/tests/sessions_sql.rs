//! `--sessions-sql` and `sessions reindex`, with real servers that are killed.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

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
    server.ask(method, &format!("/api/{path}"), body)
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

/// What a search finds once the index has caught up.
fn found(server: &Serving, query: &str) -> serde_json::Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask(server, "GET", &format!("search?{query}"), "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        if body["data"]["hits"].as_array().is_some_and(|hits| !hits.is_empty()) || Instant::now() > deadline {
            return body["data"].clone();
        }
    }
}

#[test]
fn what_was_printed_is_found_over_http() {
    let dir = tempfile::tempdir().unwrap();
    let server = serving(&dir);
    let id = session(&server);
    (0..30).for_each(|number| append(&server, &id, number));
    let last = found(&server, "q=word29");
    assert_eq!((&last["hits"][0]["sessionId"], &last["hits"][0]["key"]), (&id.into(), &"l29".into()), "{last}");
    assert_eq!(last["hits"][0]["parts"][0], serde_json::json!({"text": "word29", "match": true}));
    let page = found(&server, "q=here&projectId=p&channels=terminal&limit=20");
    assert_eq!(page["hits"].as_array().map(Vec::len), Some(20));
    let rest = found(&server, &format!("q=here&limit=20&cursor={}", page["nextCursor"].as_str().unwrap()));
    assert_eq!((rest["hits"].as_array().map(Vec::len), &rest["nextCursor"]), (Some(10), &serde_json::Value::Null));
    for (query, field) in [("", "q"), ("q=a&limit=0", "limit"), ("q=a&channels=chunks", "channels")] {
        let answer = ask(&server, "GET", &format!("search?{query}"), "");
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(field), "{query}: {answer}");
    }
    let figures = server.ask("GET", "/metrics", "");
    assert!(figures.contains("headwater_search_caught_up 1") && figures.contains("headwater_search_failing 0"));
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
