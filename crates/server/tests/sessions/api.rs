//! A server's sessions, as a client that speaks JSON sees them.

use std::sync::Arc;

use headwater_streams::Clock;
use serde_json::{Value, json};

use crate::support::{Response, TestServer};

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) struct Api {
    pub(crate) server: TestServer,
}

impl Api {
    pub(crate) fn start() -> Self {
        Self { server: TestServer::start() }
    }

    pub(crate) fn on(clock: Arc<dyn Clock>) -> Self {
        Self { server: TestServer::on(clock) }
    }

    /// One request below `/api`; `null` sends no body.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Response {
        self.call_with(method, path, &[], body)
    }

    pub(crate) fn call_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.send(method, &format!("/api/{path}"), &[&[JSON], headers].concat(), body)
    }

    /// What a request that must succeed is answered, whole.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let response = self.call(method, path, body);
        assert!(matches!(response.status, 200 | 201), "{method} {path}: {response:?}");
        let answer = response.json();
        assert_eq!(answer["ok"], true, "{answer}");
        answer
    }

    /// Its data alone.
    pub(crate) fn data(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, path, body)["data"].take()
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.data("GET", path, &Value::Null)
    }

    /// The status and the code of a request that must be refused.
    pub(crate) fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        refusal(&self.call(method, path, body))
    }

    /// The id of a new session.
    pub(crate) fn session(&self) -> String {
        let row = self.data("POST", "sessions", &json!({ "projectId": "p" }));
        row["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn publish(&self, session: &str, channel: &str, data: Value) -> Value {
        self.post(session, &json!({ "channel": channel, "data": data }))
    }

    pub(crate) fn post(&self, session: &str, body: &Value) -> Value {
        self.ask("POST", &format!("streams?sessionId={session}"), body)
    }

    pub(crate) fn post_refused(&self, session: &str, body: &Value) -> (u16, String) {
        self.refused("POST", &format!("streams?sessionId={session}"), body)
    }

    /// All messages of a stream.
    pub(crate) fn messages(&self, stream: &str) -> Vec<Value> {
        let response = self.server.get(&format!("{stream}?offset=-1"));
        assert_eq!(response.status, 200, "{response:?}");
        response.json().as_array().unwrap().clone()
    }

    /// All messages of a session's stream.
    pub(crate) fn log(&self, session: &str) -> Vec<Value> {
        self.messages(&format!("session/{session}"))
    }

    /// Where a stream ends.
    pub(crate) fn tail(&self, stream: &str) -> String {
        self.server.send("HEAD", &crate::support::stream(stream), &[], "").next_offset().to_owned()
    }
}

/// The status and the code of a refusal, whose form is checked.
pub(crate) fn refusal(response: &Response) -> (u16, String) {
    let body = response.json();
    assert_eq!(response.header("content-type"), Some("application/json"), "{response:?}");
    assert_eq!(body["ok"], false, "{response:?}");
    assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    let known = ["code", "message", "details"];
    assert!(body["error"].as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{body}");
    (response.status, body["error"]["code"].as_str().unwrap().to_owned())
}

pub(crate) fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

pub(crate) fn chunk(text: &str) -> Value {
    json!({ "agentId": "coder", "text": text })
}
