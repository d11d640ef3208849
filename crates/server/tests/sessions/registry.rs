use serde_json::{Value, json};

use crate::api::{Api, chunk, is};
use crate::support::TestServer;

#[test]
fn a_session_is_created_with_an_id_and_a_url() {
    let api = Api::start();
    let new = json!({ "projectId": "p", "taskId": "t", "agentId": "coder", "title": "Fix the build" });
    let response = api.call("POST", "sessions", &new);
    assert_eq!(response.status, 201, "{response:?}");
    let row = &response.json()["data"];
    let id = row["id"].as_str().unwrap();
    assert_eq!(response.header("location"), Some(&*format!("/api/sessions/{id}")));
    assert_eq!(row["url"], format!("/sessions/{id}"));
    for (field, value) in new.as_object().unwrap() {
        assert_eq!(&row[field], value);
    }
    assert_eq!(row["status"], "active");
    assert_eq!(row["offset"], api.tail(&format!("session/{id}")));
    assert_eq!(row.get("closedAt"), None);
    assert!(api.session().as_str() > id, "ids sort by time");
}

#[test]
fn a_session_that_breaks_a_rule_is_refused_by_the_field_and_leaves_nothing() {
    let api = Api::start();
    for (body, field) in [
        (json!({}), "projectId"),
        (json!({ "projectId": 1 }), "projectId"),
        (json!({ "projectId": "p", "title": "x".repeat(513) }), "title"),
        (json!({ "projectId": "p", "owner": "ada" }), "owner"),
        (json!({ "projectId": "p", "retentionMs": 1 }), "retentionMs"),
    ] {
        let response = api.call("POST", "sessions", &body);
        assert_eq!(crate::api::refusal(&response), is(400, "VALIDATION_ERROR"));
        assert_eq!(response.json()["error"]["details"]["field"], field, "{response:?}");
    }
    assert_eq!(api.get("sessions")["sessions"], json!([]));
}

#[test]
fn one_session_is_shown_with_who_is_there_and_where_it_ends() {
    let api = Api::start();
    let id = api.session();
    let offset = api.publish(&id, "chunks", chunk("a"))["offset"].clone();
    api.data("POST", &format!("sessions/{id}/join"), &json!({ "userId": "ada" }));
    let shown = api.get(&format!("sessions/{id}"));
    assert_eq!(shown["offset"], offset);
    assert_eq!(shown["eventCount"], 1);
    assert_eq!(shown["viewerCount"], 1);
    assert_eq!(shown["activeUsers"][0]["userId"], "ada");
    assert_eq!(shown["projectId"], "p");
}

#[test]
fn a_session_tells_what_its_agents_do_and_when_something_happened_last() {
    let api = Api::start();
    let id = api.session();
    let shown = api.get(&format!("sessions/{id}"));
    assert_eq!((&shown["agents"], &shown["lastEventAt"]), (&json!([]), &json!(null)));
    api.publish(&id, "agentState", json!({ "agentId": "coder", "status": "starting" }));
    api.publish(&id, "agentState", json!({ "agentId": "coder", "status": "running", "currentTool": "grep" }));
    let shown = api.get(&format!("sessions/{id}"));
    assert_eq!(shown["agents"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&shown["agents"][0]["status"], &shown["agents"][0]["currentTool"]),
        (&json!("running"), &json!("grep"))
    );
    assert!(shown["lastEventAt"].as_u64() >= shown["createdAt"].as_u64());
}

#[test]
fn unknown_and_impossible_ids_are_told_apart() {
    let api = Api::start();
    for (method, path) in [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/close"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/fork"),
        ("POST", "/share"),
        ("GET", "/presence"),
    ] {
        let refused = |id: &str| api.refused(method, &format!("sessions/{id}{path}"), &Value::Null);
        assert_eq!(refused("none"), is(404, "SESSION_NOT_FOUND"), "{method} {path}");
        assert_eq!(refused("a:b"), is(400, "INVALID_ID"), "{method} {path}");
        assert_eq!(refused("%ff"), is(400, "INVALID_ID"), "{method} {path}");
        assert_eq!(refused("a%2Fb"), is(400, "INVALID_ID"), "{method} {path}");
    }
    assert_eq!(api.refused("PATCH", "sessions/none", &json!({})), is(404, "SESSION_NOT_FOUND"));
}

#[test]
fn a_list_is_filtered() {
    let api = Api::start();
    for (project, title) in [("a", "Fix the Build"), ("a", "write docs"), ("b", "fix tests")] {
        api.data("POST", "sessions", &json!({ "projectId": project, "title": title, "agentId": "coder" }));
    }
    let titles = |query: &str| -> Vec<String> {
        let page = api.get(&format!("sessions?sort=createdAt&order=asc&{query}"));
        let rows = page["sessions"].as_array().unwrap();
        rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles("projectId=a"), ["Fix the Build", "write docs"]);
    assert_eq!(titles("search=FIX"), ["Fix the Build", "fix tests"]);
    assert_eq!(titles("search=fix&projectId=b"), ["fix tests"]);
    assert_eq!(titles("agentId=coder").len(), 3);
    assert_eq!(titles("agentId=other").len(), 0);
    assert_eq!(titles("status=active").len(), 3);
    assert_eq!(titles("status=closed").len(), 0);
    assert_eq!(titles("dateFrom=0&dateTo=1").len(), 0);
    assert_eq!(titles("dateFrom=1").len(), 3);
    for (query, field) in [
        ("status=asleep", "status"),
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("sort=mood", "sort"),
        ("order=up", "order"),
        ("cursor=x", "cursor"),
        ("dateFrom=yesterday", "dateFrom"),
    ] {
        let response = api.call("GET", &format!("sessions?{query}"), &Value::Null);
        assert_eq!(crate::api::refusal(&response), is(400, "INVALID_PARAMS"), "{query}");
        assert_eq!(response.json()["error"]["details"]["field"], field);
    }
}

#[test]
fn pages_of_a_list_show_every_session_once() {
    let api = Api::start();
    let mut ids: Vec<String> = (0..5).map(|_| api.session()).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("sessions?limit=2&sort=createdAt&order=asc&cursor={cursor}"));
        let rows = page["sessions"].as_array().unwrap();
        assert!(rows.len() <= 2);
        seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    seen.sort();
    ids.sort();
    assert_eq!(seen, ids);
}

#[test]
fn a_patch_changes_what_it_names_and_null_clears() {
    let api = Api::start();
    let row = api.data("POST", "sessions", &json!({ "projectId": "p", "title": "a", "taskId": "t" }));
    let path = format!("sessions/{}", row["id"].as_str().unwrap());
    let patched = api.data("PATCH", &path, &json!({ "title": "b", "taskId": null }));
    assert_eq!((&patched["title"], patched.get("taskId")), (&json!("b"), None));
    assert_eq!(api.get(&path)["title"], "b");
    assert_eq!(api.refused("PATCH", &path, &json!({ "status": "closed" })), is(400, "VALIDATION_ERROR"));
    assert_eq!(api.refused("PATCH", &path, &json!([])), is(400, "VALIDATION_ERROR"));
}

#[test]
fn a_paused_session_still_takes_events() {
    let api = Api::start();
    let id = api.session();
    assert_eq!(api.data("POST", &format!("sessions/{id}/pause"), &Value::Null)["status"], "paused");
    api.publish(&id, "terminal", json!({ "type": "input", "data": "y", "source": "user" }));
    assert_eq!(api.data("POST", &format!("sessions/{id}/resume"), &Value::Null)["status"], "active");
}

#[test]
fn closing_ends_the_stream_and_a_second_close_is_refused() {
    let api = Api::start();
    let id = api.session();
    let offset = api.publish(&id, "chunks", chunk("last"))["offset"].clone();
    let closed = api.data("POST", &format!("sessions/{id}/close"), &Value::Null);
    assert_eq!((&closed["status"], &closed["offset"]), (&json!("closed"), &offset));
    assert!(closed["closedAt"].as_u64() >= closed["createdAt"].as_u64());
    let read = api.server.get(&format!("session/{id}?offset=-1"));
    assert_eq!(read.header("stream-closed"), Some("true"), "{read:?}");
    assert_eq!(api.refused("POST", &format!("sessions/{id}/close"), &Value::Null), is(400, "SESSION_CLOSED"));
    assert_eq!(api.refused("POST", &format!("sessions/{id}/resume"), &Value::Null), is(400, "SESSION_CLOSED"));
    let event = json!({ "channel": "chunks", "data": chunk("late") });
    assert_eq!(api.post_refused(&id, &event), is(400, "SESSION_CLOSED"));
    assert_eq!(api.log(&id).len(), 1, "what is refused leaves nothing behind");
}

#[test]
fn a_deleted_session_is_gone_with_its_streams() {
    let api = Api::start();
    let id = api.session();
    api.publish(&id, "chunks", chunk("a"));
    assert_eq!(api.data("DELETE", &format!("sessions/{id}"), &Value::Null)["id"], id.as_str());
    assert_eq!(api.refused("GET", &format!("sessions/{id}"), &Value::Null), is(404, "SESSION_NOT_FOUND"));
    assert_eq!(api.refused("DELETE", &format!("sessions/{id}"), &Value::Null), is(404, "SESSION_NOT_FOUND"));
    assert!(matches!(api.server.get(&format!("session/{id}")).status, 404 | 410));
    assert_eq!(api.get("sessions")["sessions"], json!([]));
}

#[test]
fn a_fork_shares_history_up_to_its_offset_and_goes_its_own_way() {
    let api = Api::start();
    let id = api.session();
    let first = api.publish(&id, "chunks", chunk("a"))["offset"].clone();
    api.publish(&id, "chunks", chunk("b"));
    let response = api.call("POST", &format!("sessions/{id}/fork"), &json!({ "offset": first, "title": "other way" }));
    assert_eq!(response.status, 201, "{response:?}");
    let fork = response.json()["data"].clone();
    assert_eq!(fork["forkedFrom"], json!({ "sessionId": id, "offset": first }));
    assert_eq!((&fork["title"], &fork["projectId"]), (&json!("other way"), &json!("p")));
    let fork = fork["id"].as_str().unwrap();
    api.publish(fork, "chunks", chunk("c"));
    let texts = |id: &str| -> Vec<String> {
        api.log(id).iter().map(|message| message["value"]["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(fork), ["a", "c"]);
    assert_eq!(texts(&id), ["a", "b"]);
    let whole = api.data("POST", &format!("sessions/{id}/fork"), &Value::Null);
    assert_eq!(texts(whole["id"].as_str().unwrap()), ["a", "b"]);
    let beyond = json!({ "offset": "9999999999999999_9999999999999999" });
    let (status, _) = api.refused("POST", &format!("sessions/{id}/fork"), &beyond);
    assert_eq!(status, 400);
}

#[test]
fn what_a_fork_changes_of_an_inherited_row_names_the_fork() {
    let api = Api::start();
    let id = api.session();
    let call = json!({ "id": "t", "agentId": "coder", "tool": "ls", "input": {}, "status": "running" });
    api.publish(&id, "toolCalls", call);
    api.publish(&id, "agentState", json!({ "agentId": "coder", "status": "running" }));
    let fork = api.data("POST", &format!("sessions/{id}/fork"), &Value::Null)["id"].as_str().unwrap().to_owned();
    api.publish(&fork, "toolCalls", json!({ "id": "t", "status": "complete", "output": [] }));
    api.publish(&fork, "agentState", json!({ "agentId": "coder", "turn": 1 }));
    let named: Vec<Value> = api.log(&fork).iter().map(|message| message["value"]["sessionId"].clone()).collect();
    assert_eq!(named, [&id, &id, &fork, &fork].map(|name| json!(name)));
    let of_agent = api.messages("agent/coder");
    for message in &of_agent[2..] {
        assert!(message["key"].as_str().unwrap().starts_with(&fork), "{message}");
        assert_eq!(message["value"]["sessionId"], json!(fork));
    }
}

#[test]
fn a_share_link_is_absolute() {
    let api = Api::start();
    let id = api.session();
    let links = api.data("POST", &format!("sessions/{id}/share"), &Value::Null);
    assert_eq!(links["url"], format!("http://test/sessions/{id}"));
    assert_eq!(links["streamUrl"], format!("http://test/v1/stream/session/{id}"));
    let public = TestServer::with(|config, _| config.public_url = "https://agents.example".parse().ok());
    let api = Api { server: public };
    let id = api.session();
    let links = api.data("POST", &format!("sessions/{id}/share"), &Value::Null);
    assert_eq!(links["url"], format!("https://agents.example/sessions/{id}"));
}

#[test]
fn the_registry_is_a_stream_that_anyone_may_follow() {
    let api = Api::start();
    let id = api.session();
    api.data("POST", &format!("sessions/{id}/close"), &Value::Null);
    api.data("DELETE", &format!("sessions/{id}"), &Value::Null);
    let told = api.messages("sessions");
    let operations: Vec<&str> = told.iter().map(|message| message["headers"]["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["insert", "update", "delete"]);
    assert!(told.iter().all(|message| message["type"] == "session" && message["key"] == id.as_str()));
}
