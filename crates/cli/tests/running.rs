//! `session run`: real programs as sessions, while the server comes and goes.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use support::{Serving, code, headwater, run, stderr, stdout};

fn serve(dir: &Path, listen: &str) -> Serving {
    Serving::start_on(headwater().arg("serve").arg("--data-dir").arg(dir), listen)
}

/// `headwater session …` against a server.
fn session(address: &str, args: &[&str]) -> Command {
    let mut command = headwater();
    command.arg("session").arg(args[0]).args(["--url", &format!("http://{address}/v1/stream")]).args(&args[1..]);
    command
}

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The sessions that the server has, newest first.
fn sessions(address: &str) -> Vec<Value> {
    let listed = stdout(&run(&mut session(address, &["ls", "--json"])));
    listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The folded state of a session.
fn state(address: &str, id: &str) -> Value {
    let url = format!("http://{address}/api/sessions/{id}/state");
    let output = run(Command::new("curl").args(["-sf", "--max-time", "30", &url]));
    let mut answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["data"].take()
}

fn run_to_end(address: &str, args: &[&str]) -> (Output, String, Value) {
    let output = run(&mut session(address, &[&["run"], args].concat()));
    let id = sessions(address)[0]["id"].as_str().unwrap().to_owned();
    let state = state(address, &id);
    (output, id, state)
}

#[test]
fn a_program_runs_in_a_terminal_and_ends_as_itself() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), "127.0.0.1:0");
    let script = r"test -t 1 && printf '\033[31mréd\033[0m\n'; stty size; exit 3";
    let (output, _, state) = run_to_end(&server.address, &["--title", "colours", "--", "sh", "-c", script]);
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    assert_eq!(stdout(&output), "\u{1b}[31mréd\u{1b}[0m\r\n24 80\r\n");
    let lines = state["terminal"].as_array().unwrap();
    assert_eq!((&lines[0]["source"], &lines[0]["data"]), (&json!("system"), &json!("\u{1b}[8;24;80t")));
    let told: String = lines[1..].iter().map(|line| line["data"].as_str().unwrap()).collect();
    assert_eq!(told, stdout(&output));
    assert_eq!(
        (&state["agentState"][0]["status"], &state["agentState"][0]["error"]),
        (&json!("error"), &json!("exited with 3"))
    );
    let row = &sessions(&server.address)[0];
    assert_eq!((&row["status"], &row["title"], &row["agentId"]), (&json!("closed"), &json!("colours"), &json!("sh")));
}

#[test]
fn an_interactive_shell_is_told_byte_by_byte_through_three_restarts_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = serve(dir.path(), "127.0.0.1:0");
    let address = server.address.clone();
    let mut running = start(&mut session(&address, &["run", "-q", "--", "bash", "--norc", "--noediting", "-i"]));
    let mut keys = running.stdin.take().unwrap();
    let mut screen = running.stdout.take().unwrap();
    while sessions(&address).is_empty() {}
    let id = sessions(&address)[0]["id"].as_str().unwrap().to_owned();
    // Each watches before the server goes away for the first time.
    let watch = || {
        let mut watcher = start(&mut session(&address, &["watch", &id, "--terminal", "-q"]));
        let (mut screen, mut shown) = (watcher.stdout.take().unwrap(), String::new());
        read_until(&mut screen, &mut shown, "\u{1b}[8;24;80t");
        (watcher, screen, shown)
    };
    let watchers = [watch(), watch()];

    let mut shown = String::new();
    // Programs as people run them: a pager's worth of history, a full-screen monitor, an editor.
    let commands = [
        "git --version; for n in $(seq 1 400); do printf '\\033[3%dmline %d é 日 🚀\\033[0m\\n' $((n % 8)) $n; done",
        "TERM=xterm top -b -n 2 -d 0.2 | head -n 40",
        "printf 'a\\nfirst\\nsecond\\n.\\n,p\\nQ\\n' | { ed -s 2>/dev/null || cat; }",
    ];
    for (number, command) in commands.iter().enumerate() {
        server.signal("KILL");
        server.wait();
        // The mark is put together by the shell, so that its echo is not taken for it.
        writeln!(keys, "{command}; echo done''-{number}").unwrap();
        read_until(&mut screen, &mut shown, &format!("done-{number}"));
        server = serve(dir.path(), &address);
    }
    writeln!(keys, "exit 0").unwrap();
    drop(keys);
    screen.read_to_string(&mut shown).unwrap();
    let ended = running.wait_with_output().unwrap();
    assert_eq!(code(&ended), 0, "{}", stderr(&ended));
    assert!(shown.contains("line 400 é 日 🚀") && shown.contains("second"), "{shown}");
    for (watcher, mut screen, mut told) in watchers {
        screen.read_to_string(&mut told).unwrap();
        let watched = watcher.wait_with_output().unwrap();
        assert_eq!(code(&watched), 0, "{}", stderr(&watched));
        assert_eq!(told.strip_prefix("\u{1b}[8;24;80t"), Some(shown.as_str()));
    }
}

fn read_until(screen: &mut impl Read, shown: &mut String, mark: &str) {
    let mut bytes = std::mem::take(shown).into_bytes();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&bytes).contains(mark) {
        let count = screen.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended before {mark}");
        bytes.extend_from_slice(&buffer[..count]);
    }
    *shown = String::from_utf8(bytes).unwrap();
}

#[test]
fn viewers_type_only_where_they_are_let() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), "127.0.0.1:0");
    let address = &server.address;
    let mut running = start(&mut session(address, &["run", "-q", "--allow-input", "--", "cat"]));
    while sessions(address).is_empty() {}
    let id = sessions(address)[0]["id"].as_str().unwrap().to_owned();
    let mut screen = running.stdout.take().unwrap();
    let mut shown = String::new();
    // Until somebody listens, what is typed is history.
    let mut sent = 0;
    let mut first = [0; 1];
    let answered = std::thread::spawn(move || {
        screen.read_exact(&mut first).unwrap();
        (screen, first)
    });
    while !answered.is_finished() {
        sent += 1;
        assert!(run(&mut session(address, &["send", &id, &format!("hello {sent}")])).status.success());
    }
    let (mut screen, first) = answered.join().unwrap();
    shown.push_str(std::str::from_utf8(&first).unwrap());
    assert!(run(&mut session(address, &["send", &id, "good bye"])).status.success());
    read_until(&mut screen, &mut shown, "good bye\r\ngood bye");
    // Ctrl-D at the beginning of a line ends it.
    assert!(run(&mut session(address, &["send", &id, "\u{4}"])).status.success());
    assert_eq!(code(&running.wait_with_output().unwrap()), 0);
}

#[test]
fn a_structured_log_becomes_messages_tool_calls_and_states() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), "127.0.0.1:0");
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/agent.jsonl");
    let log = log.to_str().unwrap();
    let args = ["-q", "--format", "claude-stream-json", "--agent", "coder", "--", "cat", log];
    let (output, _, state) = run_to_end(&server.address, &args);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), std::fs::read_to_string(log).unwrap(), "lines are passed on");
    let texts: Vec<&str> = state["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts[0].starts_with("I'll look at the failing test") && texts[2].contains("All 14 tests pass"));
    let calls: Vec<(&str, &str)> = state["toolCalls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["tool"].as_str().unwrap(), call["status"].as_str().unwrap()))
        .collect();
    assert_eq!(calls, [("Read", "complete"), ("Bash", "error"), ("Edit", "complete"), ("Bash", "complete")]);
    assert!(state["toolCalls"][1]["output"].to_string().contains("1 failed"), "{}", state["toolCalls"][1]);
    let agent = &state["agentState"][0];
    assert_eq!((&agent["status"], &agent["turn"]), (&json!("completed"), &json!(3)));
    assert!(agent["message"].as_str().unwrap().contains("off by one"));
}

#[test]
fn what_cannot_be_run_is_told_before_anything_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), "127.0.0.1:0");
    let output = run(&mut session(&server.address, &["run", "--", "no-such-program"]));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no-such-program"), "{}", stderr(&output));
    let output = run(&mut session("127.0.0.1:1", &["run", "--", "true"]));
    assert!(code(&output) > 2 && stderr(&output).contains("headwater serve"), "{}", stderr(&output));
}
