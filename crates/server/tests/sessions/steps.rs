use serde_json::{Value, json};

use crate::api::{Api, is};

fn step(api: &Api, session: &str, step: &Value) -> Value {
    api.ask("POST", &format!("sessions/{session}/steps"), step)
}

#[test]
fn m_1d_steps_become_rows_and_a_result_lands_on_its_start() {
    let api = Api::start();
    let id = api.session();
    let answers = step(
        &api,
        &id,
        &json!([
            { "type": "agent:turn", "agentId": "coder", "turn": 1 },
            { "type": "tool:start", "agentId": "coder", "tool": "ls", "timestamp": 1_000 },
            { "type": "tool:invoke", "agentId": "coder", "tool": "ls", "input": { "path": "." } },
            { "type": "tool:result", "agentId": "coder", "tool": "ls", "output": "a", "timestamp": 1_250 },
            { "type": "stream:token", "agentId": "coder", "text": "done", "turn": 1 },
            { "type": "agent:complete", "agentId": "coder", "result": "all green" },
        ]),
    );
    let results = answers["results"].as_array().unwrap();
    let channels: Vec<&str> = results.iter().map(|result| result["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["agentState", "toolCalls", "toolCalls", "toolCalls", "chunks", "agentState"]);
    let call = &results[1]["id"];
    assert!(results[2..4].iter().all(|result| &result["id"] == call));
    let log = api.log(&id);
    let row = &log[3]["value"];
    assert_eq!((&row["status"], &row["output"]), (&json!("complete"), &json!("a")));
    assert_eq!((&row["input"], &row["duration"]), (&json!({ "path": "." }), &json!(250)));
    assert_eq!(log[5]["value"]["message"], "all green");
    assert_eq!(log[5]["value"]["status"], "completed");
}

#[test]
fn calls_that_start_in_the_same_millisecond_have_ids_of_their_own() {
    let api = Api::start();
    let id = api.session();
    let start = json!({ "type": "tool:start", "agentId": "coder", "tool": "ls", "timestamp": 1_000 });
    let answer = step(&api, &id, &json!([start, start]));
    assert_ne!(answer["results"][0]["id"], answer["results"][1]["id"]);
}

#[test]
fn a_step_that_breaks_a_rule_is_refused() {
    let api = Api::start();
    let id = api.session();
    let path = format!("sessions/{id}/steps");
    for body in [
        json!({ "agentId": "coder" }),
        json!({ "type": "tool:stop", "agentId": "coder" }),
        json!({ "type": "tool:result", "agentId": "coder", "output": 1 }),
        json!({ "type": "stream:token", "text": "a" }),
        json!("tool:start"),
    ] {
        assert_eq!(api.refused("POST", &path, &body), is(400, "VALIDATION_ERROR"), "{body}");
    }
    assert_eq!(api.log(&id), Vec::<Value>::new());
}
