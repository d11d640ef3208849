//! What agents do in these tests.

use serde_json::{Value, json};

use crate::api::{Api, chunk};

/// A token of a turn.
pub(crate) fn token(turn: u64, text: &str) -> Value {
    json!({ "channel": "chunks", "data": { "agentId": "coder", "text": text, "turn": turn } })
}

pub(crate) fn line(data: &str) -> Value {
    json!({ "channel": "terminal", "data": { "type": "output", "data": data, "source": "system" } })
}

/// Two turns with a tool call, terminal output, an approval and the agent's state: inserts and updates, one by one and as
/// an array.
pub(crate) fn work(api: &Api, session: &str) {
    let call = |data: Value| json!({ "channel": "toolCalls", "data": data });
    api.post(session, &json!([token(1, "Let "), token(1, "me "), token(1, "look.")]));
    api.post(
        session,
        &call(json!({ "id": "t1", "agentId": "coder", "tool": "ls", "input": { "path": "." }, "status": "running" })),
    );
    api.post(session, &line("\u{1b}[1mCargo.toml\u{1b}[0m\r\n"));
    api.post(session, &call(json!({ "id": "t1", "output": ["Cargo.toml"], "status": "complete" })));
    api.post(
        session,
        &json!([
            { "channel": "workflow", "data": { "type": "approval:requested", "payload": { "why": "rm" } } },
            { "channel": "agentState", "data": { "agentId": "coder", "status": "running", "turn": 2 } },
            token(2, "Done: \u{1f980}\n"),
        ]),
    );
    api.publish(session, "chunks", chunk("no turn"));
}

/// How many messages [`work`] stores.
pub(crate) const WORK_MESSAGES: usize = 10;
