//! Events in, lines out.

use serde_json::{Value, json};

use super::*;

fn event(channel: &str, operation: &str, key: &str, data: Value) -> SessionEvent {
    serde_json::from_value(json!({ "channel": channel, "key": key, "operation": operation, "data": data })).unwrap()
}

fn chunk(agent: &str, turn: u64, text: &str) -> SessionEvent {
    let row = json!({ "id": "c", "sessionId": "s", "agentId": agent, "turn": turn, "text": text, "timestamp": 1 });
    event("chunks", "insert", "c", row)
}

fn tool(status: &str, more: &Value) -> SessionEvent {
    let mut row = json!({
        "id": "t", "sessionId": "s", "agentId": "wren", "tool": "ls", "input": {"path": "."}, "status": status,
        "timestamp": 1,
    });
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    event("toolCalls", "update", "t", row)
}

fn shown(events: &[SessionEvent]) -> String {
    let mut view = View::new(Paint::Plain);
    let mut out: String = events.iter().map(|event| view.event(event)).collect();
    out.push_str(&view.end());
    out
}

#[test]
fn tokens_join_to_text_under_who_said_it() {
    let said = shown(&[chunk("wren", 1, "Look"), chunk("wren", 1, "ing.\n\nDone"), chunk("wren", 2, "Next")]);
    assert_eq!(said, "wren turn 1\n  Looking.\n\n  Done\nwren turn 2\n  Next\n");
}

#[test]
fn agents_that_speak_at_once_are_told_one_after_the_other() {
    let said = shown(&[chunk("wren", 1, "a"), chunk("kite", 1, "x"), chunk("wren", 1, "b"), chunk("kite", 1, "y")]);
    assert_eq!(said, "wren turn 1\n  ab\nkite turn 1\n  xy\n");
}

#[test]
fn who_is_held_back_is_told_when_there_is_a_pause() {
    let mut view = View::new(Paint::Plain);
    view.event(&chunk("wren", 1, "a"));
    assert_eq!(view.event(&chunk("kite", 1, "x")), "");
    assert_eq!(view.pause(), "\nkite turn 1\n  x");
}

#[test]
fn a_tool_call_is_told_when_it_begins_and_when_it_ends() {
    let said = shown(&[
        tool("running", &json!({})),
        tool("running", &json!({"input": {"path": "."}})),
        tool("complete", &json!({"output": "a\nb", "duration": 1250.0})),
    ]);
    assert_eq!(said, "▸ wren ls {\"path\":\".\"}\n✓ wren ls (1.2 s) a…\n");
    let failed = shown(&[tool("error", &json!({"output": "no such file", "duration": 3.0}))]);
    assert_eq!(failed, "✗ wren ls {\"path\":\".\"} (3 ms) no such file\n");
}

#[test]
fn people_come_and_go_once() {
    let mara = json!({"userId": "m", "sessionId": "s", "displayName": "Mara", "lastSeen": 1, "joinedAt": 1});
    let moved = json!({"userId": "m", "sessionId": "s", "displayName": "Mara", "lastSeen": 2, "joinedAt": 1,
        "cursor": {"x": 1.0, "y": 2.0}});
    let said = shown(&[
        event("presence", "insert", "m", mara),
        event("presence", "update", "m", moved),
        event("presence", "delete", "m", Value::Null),
    ]);
    assert_eq!(said, "+ Mara is here\n- Mara has left\n");
}

#[test]
fn states_and_decisions_are_told_when_they_change() {
    let state = |status: &str, message: &str| {
        let row = json!({"agentId": "wren", "sessionId": "s", "status": status, "message": message, "timestamp": 1});
        event("agentState", "update", "wren", row)
    };
    let asked = json!({"id": "w", "sessionId": "s", "type": "approval:requested", "payload": {"command": "rm"},
        "actor": "wren", "timestamp": 1});
    let said = shown(&[
        state("running", "thinking"),
        state("running", "thinking"),
        event("workflow", "insert", "w", asked),
        state("completed", ""),
    ]);
    let expected = "● wren running thinking\n◆ approval requested {\"command\":\"rm\"} by wren\n● wren completed\n";
    assert_eq!(said, expected);
}

#[test]
fn nothing_from_a_session_steers_the_terminal() {
    let row = json!({"id": "l", "sessionId": "s", "type": "output", "source": "agent",
        "data": "\u{1b}]0;owned\u{7}\u{1b}[2Jplain\n", "timestamp": 1});
    let said = shown(&[
        chunk("\u{1b}[31mred", 1, "\u{1b}[2Jtext\u{9b}"),
        event("terminal", "insert", "l", row),
        tool("complete", &json!({"tool": "\u{1b}[5mls", "output": "\u{7}beep"})),
    ]);
    assert!(said.chars().all(|c| !c.is_control() || c == '\n'), "{said:?}");
}

#[test]
fn a_note_stands_alone_and_speech_goes_on_under_its_name() {
    let mut view = View::new(Paint::Plain);
    view.event(&chunk("wren", 1, "half"));
    assert_eq!(view.note("away"), "\n-- away\n");
    assert_eq!(view.event(&chunk("wren", 1, " way")), "wren turn 1\n   way");
}
