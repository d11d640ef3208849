//! `verify` and `inspect` on directories that a real server wrote.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Output;

use support::{Serving, code, headwater, run, stderr, stdout};

/// A small segment, so that reading the whole journal takes no time.
fn serving(dir: &Path) -> Serving {
    Serving::start(headwater().args(["serve", "--segment-size", "1MiB", "--data-dir"]).arg(dir))
}

/// A directory with three streams, left by a server that ended in order.
fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let server = serving(dir.path());
    for path in ["chat/1", "chat/2", "other"] {
        assert!(server.ask("PUT", &format!("/v1/stream/{path}"), "hello").starts_with("HTTP/1.1 201"));
    }
    assert!(server.ask("POST", "/v1/stream/chat/1", " world").starts_with("HTTP/1.1 204"));
    server.signal("TERM");
    assert!(server.wait().0.success());
    dir
}

fn on(dir: &Path, arguments: &[&str]) -> Output {
    run(headwater().args(arguments).arg("--data-dir").arg(dir))
}

/// Flips a bit where `text` first stands in the journal.
fn damage(dir: &Path, text: &str) {
    let segment = std::fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path()).min().unwrap();
    let bytes = std::fs::read(&segment).unwrap();
    let position = bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let file = File::options().write(true).open(&segment).unwrap();
    file.write_all_at(&[bytes[position] ^ 1], position as u64).unwrap();
}

#[test]
fn a_healthy_directory_is_verified_with_exit_code_0() {
    let dir = written();
    let output = on(dir.path(), &["verify"]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("4 streams"), "{}", stdout(&output));
    assert!(stdout(&output).contains("healthy"), "{}", stdout(&output));
    assert_eq!(stderr(&output), "", "no progress is drawn where there is no terminal");
}

#[test]
fn damage_is_exit_code_1_and_names_file_and_stream() {
    let dir = written();
    damage(dir.path(), "hello");
    let output = on(dir.path(), &["verify"]);
    assert_eq!(code(&output), 1, "{}{}", stdout(&output), stderr(&output));
    let report = stdout(&output);
    assert!(report.contains("DAMAGE   journal") && report.contains(".seg"), "{report}");
    assert!(report.contains("chat/1"), "{report}");

    let output = on(dir.path(), &["verify", "--json"]);
    assert_eq!(code(&output), 1);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["worst"], "damage");
}

#[test]
fn a_damaged_directory_is_still_served() {
    let dir = written();
    damage(dir.path(), "hello");
    let server = serving(dir.path());
    assert!(server.ask("GET", "/v1/stream/chat/2", "").ends_with("hello"));
    let answer = server.ask("GET", "/v1/stream/chat/1", "");
    assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("stream_damaged"), "{answer}");
}

#[test]
fn a_directory_whose_journal_lost_an_operation_is_served_read_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = serving(dir.path());
    for path in ["chat/1", "chat/2", "chat/3"] {
        assert!(server.ask("PUT", &format!("/v1/stream/{path}"), "hello").starts_with("HTTP/1.1 201"));
    }
    let answer = server.ask("POST", "/api/sessions", r#"{"projectId":"kept"}"#);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    // Killed, so that no checkpoint knows the operations.
    drop(server);
    damage(dir.path(), "chat/2");

    let server = serving(dir.path());
    assert!(server.ask("GET", "/v1/stream/chat/1", "").ends_with("hello"));
    let answer = server.ask("PUT", "/v1/stream/new", "hello");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("store_unavailable"), "{answer}");
    let answer = server.ask("GET", "/api/sessions", "");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("kept"), "{answer}");
    let answer = server.ask("POST", "/api/sessions", r#"{"projectId":"new"}"#);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("STORE_UNAVAILABLE"), "{answer}");
    server.signal("TERM");
    let (_, said) = server.wait();
    assert!(said.contains("READ-ONLY: the journal is damaged"), "{said}");
}

#[test]
fn a_directory_in_use_is_not_inspected() {
    let dir = tempfile::tempdir().unwrap();
    let server = serving(dir.path());
    for command in ["verify", "inspect"] {
        let output = on(dir.path(), &[command]);
        assert_eq!(code(&output), 3, "{}", stderr(&output));
        assert!(stderr(&output).contains(&server.pid().to_string()), "{}", stderr(&output));
    }
}

#[test]
fn something_else_than_a_data_directory_is_exit_code_5() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["verify", "inspect"] {
        let output = on(dir.path(), &[command]);
        assert_eq!(code(&output), 5, "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn streams_are_listed_in_pages() {
    let dir = written();
    let output = on(dir.path(), &["inspect", "streams", "--prefix", "chat/", "--limit", "1"]);
    let shown = stdout(&output);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(shown.lines().next().unwrap().starts_with("STREAM"), "{shown}");
    assert!(shown.contains("chat/1"), "{shown}");
    assert_eq!(stderr(&output), "there are more rows; continue with --skip 1\n");

    let output = on(dir.path(), &["inspect", "streams", "--prefix", "chat/", "--skip", "1", "--json"]);
    let rows: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["path"], "chat/2");
    assert_eq!(rows[0]["tail"], 5);
    assert_eq!(stderr(&output), "");
}

#[test]
fn summary_segments_and_extents_are_printed() {
    let dir = written();
    let summary = stdout(&on(dir.path(), &["inspect"]));
    assert!(summary.contains("streams          4\n"), "{summary}");
    let segments = stdout(&on(dir.path(), &["inspect", "segments"]));
    assert!(segments.contains("active") && segments.contains("journal/"), "{segments}");
    let extents = stdout(&on(dir.path(), &["inspect", "extents", "chat/1"]));
    assert_eq!(extents.lines().count(), 3, "{extents}");
    assert_eq!(code(&on(dir.path(), &["inspect", "archive-files"])), 0);

    let output = on(dir.path(), &["inspect", "extents", "nowhere"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no stream"), "{}", stderr(&output));
    assert_eq!(code(&on(dir.path(), &["inspect", "extents"])), 2);
}
