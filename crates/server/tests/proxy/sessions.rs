//! Responses that become part of a session.

use std::sync::{Arc, Mutex, mpsc};

use serde_json::{Value, json};

use crate::support::{PATIENCE, Response, TestServer, eventually};
use crate::upstream::{open_ended, say, until_hung_up, whole};
use crate::{BEARER, Upstream, code, location, read_to_end, server};

const EVENTS: &str = "text/event-stream; charset=utf-8";

fn session(server: &TestServer, fields: Value) -> String {
    let mut body = json!({"projectId": "p"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let headers = [("content-type", "application/json")];
    let created = server.send("POST", "/api/sessions", &headers, body.to_string());
    created.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{}", created.text())).to_owned()
}

/// Asks the proxy for a response that becomes part of a session.
fn create(server: &TestServer, upstream: &Upstream, headers: &[(&str, &str)]) -> Response {
    let url = upstream.url("/");
    let asked = [&[BEARER, ("upstream-url", &url), ("upstream-method", "POST")], headers].concat();
    server.send("POST", "/v1/proxy", &asked, "")
}

fn into(server: &TestServer, upstream: &Upstream, session: &str) -> String {
    location(&create(server, upstream, &[("x-headwater-session", session)]))
}

fn folded(server: &TestServer, session: &str, what: &str) -> Value {
    server.send("GET", &format!("/api/sessions/{session}/{what}"), &[], "").json()["data"].clone()
}

/// Who said what in which turn.
fn messages(server: &TestServer, session: &str) -> Vec<(String, u64, String)> {
    let messages = folded(server, session, "messages");
    let text = |message: &Value, name: &str| message[name].as_str().unwrap().to_owned();
    let rows = messages["messages"].as_array().or(messages.as_array()).unwrap_or_else(|| panic!("{messages}"));
    rows.iter().map(|row| (text(row, "agentId"), row["turn"].as_u64().unwrap(), text(row, "text"))).collect()
}

/// What the session knows of an agent.
fn agent(server: &TestServer, session: &str, agent: &str) -> Value {
    let state = folded(server, session, "state");
    let rows = state["agentState"].as_array().unwrap_or_else(|| panic!("{state}"));
    rows.iter().find(|row| row["agentId"] == agent).cloned().unwrap_or_default()
}

fn until_agent_is(server: &TestServer, session: &str, status: &str) -> Value {
    eventually(status, || agent(server, session, "assistant")["status"] == status);
    agent(server, session, "assistant")
}

fn openai(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

/// Says the beginning, and the rest when it is told to.
fn halting(beginning: String, rest: String) -> (Upstream, mpsc::Sender<()>) {
    let (tell, told) = mpsc::channel::<()>();
    let told = Arc::new(Mutex::new(told));
    let upstream = Upstream::start(move |_, socket| {
        say(socket, &[open_ended(EVENTS), beginning.clone().into()].concat());
        if told.lock().unwrap().recv_timeout(PATIENCE).is_ok() {
            say(socket, rest.as_bytes());
        } else {
            until_hung_up(socket);
        }
    });
    (upstream, tell)
}

#[test]
fn the_formats_of_the_providers_become_messages() {
    let recorded = [
        (include_str!("../../../../fixtures/proxy/openai-chat.sse"), "openai"),
        (include_str!("../../../../fixtures/proxy/openai-responses.sse"), "responses"),
        (include_str!("../../../../fixtures/proxy/anthropic-messages.sse"), "anthropic"),
    ];
    let said = include_str!("../../../../fixtures/proxy/message.txt").trim_end_matches('\n');
    let server = server();
    for (body, name) in recorded {
        let id = session(&server, json!({"agentId": name}));
        let upstream = Upstream::says(whole(EVENTS, body.as_bytes()));
        let (read, _) = read_to_end(&server, &into(&server, &upstream, &id));
        assert_eq!(read, body.as_bytes());
        eventually("it is completed", || agent(&server, &id, name)["status"] == "completed");
        assert_eq!(messages(&server, &id), [(name.to_owned(), 0, said.to_owned())], "{name}");
    }
}

#[test]
fn a_session_that_cannot_take_it_refuses_before_the_upstream_is_asked() {
    let (server, upstream) = (server(), Upstream::says(whole(EVENTS, b"")));
    let closed = session(&server, json!({}));
    server.send("POST", &format!("/api/sessions/{closed}/close"), &[], "");
    let refused = |headers: &[(&str, &str)]| {
        let refused = create(&server, &upstream, headers);
        (refused.status, code(&refused))
    };
    let into = |id| ("x-headwater-session", id);
    assert_eq!(refused(&[into("nobody")]), (404, "SESSION_NOT_FOUND".into()));
    assert_eq!(refused(&[into(&closed)]), (400, "SESSION_CLOSED".into()));
    assert_eq!(refused(&[into("../x")]), (400, "INVALID_ID".into()));
    assert_eq!(refused(&[into("")]), (400, "INVALID_ID".into()));
    assert_eq!(refused(&[into("a"), into("b")]), (400, "INVALID_HEADER".into()));
    let open = session(&server, json!({}));
    assert_eq!(refused(&[into(&open), ("x-headwater-agent", "a/b")]), (400, "INVALID_ID".into()));
    assert!(!upstream.was_called());
}

#[test]
fn a_refused_request_leaves_no_turn_behind() {
    let (server, refusing) = (server(), Upstream::says("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"));
    let id = session(&server, json!({}));
    assert_eq!(create(&server, &refusing, &[("x-headwater-session", &id)]).status, 502);
    let upstream = Upstream::says(whole(EVENTS, openai("hello").as_bytes()));
    into(&server, &upstream, &id);
    assert_eq!(until_agent_is(&server, &id, "completed")["turn"], 0);
}

#[test]
fn responses_at_the_same_time_are_turns_of_their_own() {
    let server = server();
    let id = session(&server, json!({}));
    let (first, go_on) = halting(openai("one"), openai(" and"));
    let second = Upstream::says(whole(EVENTS, openai("two").as_bytes()));
    let first = into(&server, &first, &id);
    let second = into(&server, &second, &id);
    read_to_end(&server, &second);
    eventually("both are heard", || messages(&server, &id).len() == 2);
    go_on.send(()).unwrap();
    read_to_end(&server, &first);
    let all = [("assistant".to_owned(), 0, "one and".to_owned()), ("assistant".to_owned(), 1, "two".to_owned())];
    let sorted = || {
        let mut messages = messages(&server, &id);
        messages.sort();
        messages
    };
    eventually("the first goes on", || sorted() == all);
    let third = Upstream::says(whole(EVENTS, openai("three").as_bytes()));
    into(&server, &third, &id);
    eventually("another turn", || sorted().get(2).is_some_and(|message| message.1 == 2));
}

#[test]
fn the_agent_is_the_one_named_or_that_of_the_session() {
    let (server, upstream) = (server(), Upstream::says(whole(EVENTS, openai("x").as_bytes())));
    let id = session(&server, json!({"agentId": "own"}));
    into(&server, &upstream, &id);
    create(&server, &upstream, &[("x-headwater-session", &id), ("x-headwater-agent", "named")]);
    for name in ["own", "named"] {
        eventually(name, || agent(&server, &id, name)["status"] == "completed");
    }
}

#[test]
fn a_session_that_closes_meanwhile_changes_nothing_for_the_reader() {
    let server = server();
    for method in ["POST", "DELETE"] {
        let id = session(&server, json!({}));
        let (upstream, go_on) = halting(openai("one"), openai("two"));
        let location = into(&server, &upstream, &id);
        eventually("it has begun", || messages(&server, &id).len() == 1);
        let path = if method == "POST" { format!("/api/sessions/{id}/close") } else { format!("/api/sessions/{id}") };
        assert_eq!(server.send(method, &path, &[], "").status / 100, 2);
        go_on.send(()).unwrap();
        let (read, last) = read_to_end(&server, &location);
        assert_eq!(read, (openai("one") + &openai("two")).into_bytes(), "{method}");
        assert_eq!(last.header("upstream-outcome"), Some("complete"));
    }
}

#[test]
fn a_fork_holds_what_was_there() {
    let server = server();
    let id = session(&server, json!({}));
    let (upstream, go_on) = halting(openai("one"), openai(" two"));
    let location = into(&server, &upstream, &id);
    eventually("it has begun", || messages(&server, &id).len() == 1);
    let forked =
        server.send("POST", &format!("/api/sessions/{id}/fork"), &[("content-type", "application/json")], "{}");
    let fork = forked.json()["data"]["id"].as_str().unwrap().to_owned();
    go_on.send(()).unwrap();
    read_to_end(&server, &location);
    until_agent_is(&server, &id, "completed");
    assert_eq!(messages(&server, &id)[0].2, "one two");
    assert_eq!(messages(&server, &fork)[0].2, "one");
    assert_eq!(agent(&server, &fork, "assistant")["status"], "running");
}

#[test]
fn what_is_not_understood_is_passed_over() {
    let server = server();
    let id = session(&server, json!({}));
    let body = [
        "\u{feff}: a comment\r\ndata: no JSON\r\n\r\ndata: [1]\n\nevent: x\rdata: {\"choices\":1}\r\r",
        "data: {\"choices\":[{\"delta\":{\"content\":{}}}]}\n\n",
        &openai("A"),
        "data: {\n\n",
        "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"B\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"never ended\"}}]}",
    ]
    .concat();
    let upstream = Upstream::says(whole(EVENTS, body.as_bytes()));
    assert_eq!(read_to_end(&server, &into(&server, &upstream, &id)).0, body.as_bytes());
    until_agent_is(&server, &id, "completed");
    assert_eq!(messages(&server, &id)[0].2, "AB");
}

#[test]
fn a_long_text_is_cut_into_events_that_fit() {
    let server = server();
    let id = session(&server, json!({}));
    let long = "\u{1}é".repeat(40_000);
    let upstream = Upstream::says(whole(EVENTS, openai(&long).as_bytes()));
    into(&server, &upstream, &id);
    until_agent_is(&server, &id, "completed");
    assert_eq!(messages(&server, &id)[0].2, long);
}

#[test]
fn an_event_without_end_fails_the_agent_and_not_the_response() {
    let server = server();
    let id = session(&server, json!({}));
    let body = [openai("A").into_bytes(), b"data: ".to_vec(), vec![b'x'; 5_000_000]].concat();
    let upstream = Upstream::says(whole(EVENTS, &body));
    let (read, last) = read_to_end(&server, &into(&server, &upstream, &id));
    assert!(read == body && last.header("upstream-outcome") == Some("complete"));
    let state = until_agent_is(&server, &id, "error");
    assert!(state["error"].as_str().unwrap().starts_with("an event is larger than"), "{state}");
    assert_eq!(messages(&server, &id)[0].2, "A");
}

#[test]
fn how_a_response_ended_is_the_state_of_the_agent() {
    let server = server();
    let told = |answer: Vec<u8>, status: &str| {
        let id = session(&server, json!({}));
        let upstream = Upstream::says(answer);
        into(&server, &upstream, &id);
        until_agent_is(&server, &id, status)
    };
    let cut = format!("HTTP/1.1 200 OK\r\nContent-Type: {EVENTS}\r\nContent-Length: 999\r\n\r\n{}", openai("A"));
    assert_eq!(told(cut.into_bytes(), "error")["error"], "cut");
    let failed = format!("event: error\ndata: {}\n\n", json!({"type": "error", "error": {"message": "Overloaded"}}));
    assert_eq!(told(whole(EVENTS, failed.as_bytes()), "error")["error"], "Overloaded");
    let json = told(whole("application/json", br#"{"choices":[]}"#), "completed");
    assert_eq!((&json["turn"], &json["message"]), (&json!(0), &Value::Null));
}

#[test]
fn an_abort_and_a_deletion_complete_the_turn() {
    let server = server();
    for abort in [true, false] {
        let id = session(&server, json!({}));
        let (upstream, _go_on) = halting(openai("A"), String::new());
        let location = into(&server, &upstream, &id);
        eventually("it has begun", || messages(&server, &id).len() == 1);
        let (method, target) =
            if abort { ("PATCH", format!("{location}&action=abort")) } else { ("DELETE", location.clone()) };
        assert_eq!(server.send(method, &target, &[BEARER], "").status, 204);
        assert_eq!(until_agent_is(&server, &id, "completed")["message"], "aborted");
        assert_eq!(messages(&server, &id)[0].2, "A");
    }
}
