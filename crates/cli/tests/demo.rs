//! `headwater demo`, played fast.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::{Serving, code, headwater, run, stderr};

fn answer(server: &Serving, path: &str) -> Value {
    let url = format!("http://{}{path}", server.address);
    let output = run(Command::new("curl").args(["-sf", "--max-time", "30", &url]));
    assert_eq!(code(&output), 0, "{url}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_demo_plays_a_whole_session_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Serving::start(headwater().args(["demo", "--speed", "1000"]).env("TMPDIR", dir.path()));
    let told = server.read_until("Ctrl-C ends the demo");
    for scene in ["Mara reports a bug", "A person decides", "It is merged", "The session has ended."] {
        assert!(told.contains(scene), "{told}");
    }
    let sessions = answer(&server, "/api/sessions");
    let row = &sessions["data"]["sessions"][0];
    assert_eq!((row["status"].as_str(), row["taskId"].as_str()), (Some("closed"), Some("KAN-142")));
    let state = answer(&server, &format!("/api/sessions/{}/state", row["id"].as_str().unwrap()));
    let state = &state["data"];
    let all = |channel: &str| state[channel].as_array().unwrap().clone();
    assert!(all("messages").len() >= 10 && all("workflow").len() >= 7 && all("terminal").len() >= 70);
    let of = |status: &str| all("toolCalls").iter().filter(|call| call["status"] == status).count();
    assert_eq!((of("complete"), of("error")), (all("toolCalls").len() - 1, 1));
    assert!(all("agentState").iter().all(|agent| agent["status"] == "completed"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    server.signal("TERM");
    assert!(server.wait().0.success());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the directory is thrown away");
}

#[test]
fn the_demo_plays_into_a_server_that_runs() {
    let server = Serving::start(headwater().args(["serve", "--store", "memory"]));
    let url = format!("http://{}", server.address);
    let output = run(headwater().args(["demo", "--speed", "1000", "--url", &url]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let sessions = answer(&server, "/api/sessions");
    assert_eq!(sessions["data"]["sessions"][0]["status"], "closed");
}

#[test]
fn a_demo_cannot_stand_still() {
    for speed in ["0", "-1", "NaN", "fast", "1001"] {
        let output = run(headwater().args(["demo", &format!("--speed={speed}")]));
        assert_eq!(code(&output), 2, "{}", stderr(&output));
    }
}
