use serde_json::{Value, json};

use crate::api::Api;
use crate::support::Response;
use crate::work::{WORK_MESSAGES, line, work};

fn export(api: &Api, session: &str, format: &str) -> Response {
    api.call("GET", &format!("sessions/{session}/export?format={format}"), &Value::Null)
}

#[test]
fn e_2e_each_format_is_a_file_with_a_name_and_a_type() {
    let api = Api::start();
    let id = api.session();
    work(&api, &id);
    for (format, extension, media_type) in [
        ("json", "json", "application/json"),
        ("ndjson", "ndjson", "application/x-ndjson"),
        ("markdown", "md", "text/markdown; charset=utf-8"),
        ("csv", "csv", "text/csv; charset=utf-8; header=present"),
        ("asciicast", "cast", "application/x-asciicast"),
    ] {
        let file = export(&api, &id, format);
        assert_eq!(file.status, 200, "{format}: {file:?}");
        assert_eq!(file.header("content-type"), Some(media_type));
        let name = format!("attachment; filename=\"session-{id}.{extension}\"");
        assert_eq!(file.header("content-disposition"), Some(&*name));
        assert_eq!(file.next_offset(), api.tail(&format!("session/{id}")));
        assert!(!file.text().is_empty());
    }
    let document = export(&api, &id, "json").json();
    assert_eq!(document["session"]["id"], json!(id));
    assert_eq!(document["events"].as_array().unwrap().len(), WORK_MESSAGES);
    let state = api.get(&format!("sessions/{id}/state"));
    assert_eq!((&document["messages"], &document["toolCalls"]), (&state["messages"], &state["toolCalls"]));
    assert_eq!(export(&api, &id, "ndjson").text().lines().count(), WORK_MESSAGES);
    assert!(export(&api, &id, "markdown").text().contains("Let me look."));
    let default = api.call("GET", &format!("sessions/{id}/export"), &Value::Null);
    assert_eq!(default.header("content-type"), Some("application/json"));
}

#[test]
fn e_2e_a_long_export_is_streamed_and_whole() {
    const LINES: usize = 100;
    let api = Api::start();
    let id = api.session();
    let lines: Vec<Value> = (0..LINES).map(|at| line(&format!("{at:04}{}", "y".repeat(20_000)))).collect();
    for some in lines.chunks(20) {
        api.post(&id, &json!(some));
    }
    let file = export(&api, &id, "ndjson");
    assert_eq!(file.header("transfer-encoding"), Some("chunked"));
    let told: Vec<String> = file
        .text()
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["data"]["data"].as_str().unwrap()[..4].to_owned()
        })
        .collect();
    assert_eq!(told, (0..LINES).map(|at| format!("{at:04}")).collect::<Vec<_>>());
}
