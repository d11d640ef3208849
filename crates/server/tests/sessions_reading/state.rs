use serde_json::{Value, json};

use crate::api::Api;
use crate::fold::Fold;
use crate::work::{token, work};

#[test]
fn s_1_3_state_and_messages_are_what_the_log_folds_to() {
    let api = Api::start();
    let id = api.session();
    work(&api, &id);
    let fold = Fold::of(&api.log(&id));
    let response = api.call("GET", &format!("sessions/{id}/state"), &Value::Null);
    let state = &response.json()["data"];
    for (channel, row_type) in
        [("toolCalls", "tool"), ("terminal", "terminal"), ("workflow", "workflow"), ("agentState", "state")]
    {
        let rows: Vec<&Value> = state[channel].as_array().unwrap().iter().collect();
        assert_eq!(rows, fold.rows(row_type), "{channel}");
    }
    let said: Vec<&str> =
        state["messages"].as_array().unwrap().iter().map(|row| row["text"].as_str().unwrap()).collect();
    assert_eq!(said, [fold.said("coder", 1), fold.said("coder", 2), fold.said("coder", 0)]);
    assert_eq!(state["messages"][0]["id"], "coder-1");
    assert_eq!(
        (&*api.tail(&format!("session/{id}")), state["offset"].as_str()),
        (response.next_offset(), Some(response.next_offset()))
    );
    let messages = api.get(&format!("sessions/{id}/messages"));
    assert_eq!(messages, json!({ "offset": state["offset"], "messages": state["messages"] }));
}

#[test]
fn a_state_that_the_client_has_is_not_sent_again() {
    let api = Api::start();
    let id = api.session();
    work(&api, &id);
    for path in [format!("sessions/{id}/state"), format!("sessions/{id}/messages")] {
        let first = api.call("GET", &path, &Value::Null);
        let tag = first.header("etag").unwrap().to_owned();
        let same = api.call_with("GET", &path, &[("if-none-match", &tag)], &Value::Null);
        assert_eq!((same.status, same.header("etag"), &same.body[..]), (304, Some(&*tag), &b""[..]));
        assert_eq!(same.next_offset(), first.next_offset());
        api.post(&id, &token(9, "more"));
        let changed = api.call_with("GET", &path, &[("if-none-match", &tag)], &Value::Null);
        assert_eq!(changed.status, 200);
        assert_ne!(changed.header("etag"), Some(&*tag));
    }
}

#[test]
fn an_empty_session_has_an_empty_state() {
    let api = Api::start();
    let id = api.session();
    let state = api.get(&format!("sessions/{id}/state"));
    for channel in ["messages", "toolCalls", "terminal", "workflow", "agentState"] {
        assert_eq!(state[channel], json!([]), "{channel}");
    }
}
