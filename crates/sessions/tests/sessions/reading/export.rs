//! Sessions as files: each can be read back by what its format is for.

use std::sync::Arc;

use headwater_sessions::{ErrorCode, ExportFormat, Exporter, SessionError, SessionRow, SessionStatus};
use headwater_testing::stage::path;
use serde_json::{Value, json};

use super::world::World;

fn row() -> SessionRow {
    SessionRow {
        id: "s".into(),
        project_id: "p".into(),
        task_id: None,
        agent_id: None,
        title: Some("Fix *it*".into()),
        status: SessionStatus::Active,
        url: "/sessions/s".into(),
        created_at: 1_750_000_000_000,
        updated_at: 1_750_000_000_000,
        closed_at: None,
        retention_ms: None,
        forked_from: None,
    }
}

/// A session with something on every channel.
async fn world() -> World {
    let mut world = World::new().await;
    let at = 1_750_000_000_000;
    let on = |channel: &str, data: Value| json!({"channel": channel, "data": data});
    let requests = [
        json!([on("agentState", json!({"agentId": "coder", "status": "running", "turn": 1}))]),
        json!([
            on("chunks", json!({"id": "c1", "agentId": "coder", "text": "Let me ", "turn": 1})),
            on("chunks", json!({"id": "c2", "agentId": "tester", "text": "Testing.", "turn": 1})),
            on("chunks", json!({"id": "c3", "agentId": "coder", "text": "look: é✓.", "turn": 1})),
        ]),
        json!([on(
            "toolCalls",
            json!({"id": "=t1", "agentId": "coder", "tool": "grep", "input": {"q": "a\"b"}, "status": "running"})
        )]),
        json!([on(
            "terminal",
            json!({"id": "l1", "type": "input", "data": "npm test", "source": "user", "timestamp": 5_000})
        )]),
        json!([on(
            "terminal",
            json!({"id": "l2", "type": "output", "data": "\u{1b}[32mok\u{1b}[0m é\nend\r\n", "source": "agent", "timestamp": 6_250})
        )]),
        json!([on(
            "terminal",
            json!({"id": "l3", "type": "error", "data": "late", "source": "system", "timestamp": 6_000})
        )]),
        json!([on("toolCalls", json!({"id": "=t1", "status": "complete", "output": "found ```", "duration": 12}))]),
        json!([on(
            "workflow",
            json!({"id": "w1", "type": "approval:requested", "payload": {"what": "merge"}, "actor": "coder"})
        )]),
        json!([on(
            "toolCalls",
            json!({"id": "t2", "agentId": "tester", "tool": "run", "input": "all", "status": "running"})
        )]),
        json!([on("agentState", json!({"agentId": "coder", "status": "completed", "message": "done"}))]),
    ];
    for (number, request) in requests.into_iter().enumerate() {
        world.post(request, at + number as u64).await;
    }
    world
}

async fn exporter(world: &World, format: ExportFormat) -> Exporter<super::world::Store> {
    let state = Arc::new(world.harness.state.clone());
    Exporter::open(&world.stage.engine, &world.id(), row(), state, format).await.unwrap()
}

async fn export(world: &World, format: ExportFormat) -> String {
    let mut exporter = exporter(world, format).await;
    let mut file = Vec::new();
    while let Some(piece) = exporter.next().await {
        file.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(file).unwrap()
}

#[tokio::test]
async fn the_json_document_holds_session_messages_rows_and_events() {
    let world = world().await;
    let document: Value = serde_json::from_str(&export(&world, ExportFormat::Json).await).unwrap();
    assert_eq!(document["session"], serde_json::to_value(row()).unwrap());
    assert_eq!(document["offset"], world.harness.state.position().offset.to_string());
    assert_eq!(document["messages"][0]["text"], "Let me look: é✓.");
    let counts = ["messages", "toolCalls", "terminal", "workflow", "agentState", "events"];
    let counts = counts.map(|member| document[member].as_array().unwrap().len());
    assert_eq!(counts, [2, 2, 3, 1, 1, world.harness.log.len()]);
    assert_eq!(document["toolCalls"][0]["output"], "found ```");
}

#[tokio::test]
async fn every_line_of_ndjson_is_an_event() {
    let world = world().await;
    let file = export(&world, ExportFormat::Ndjson).await;
    let lines: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all: Vec<Value> = world.all().await.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    assert_eq!(lines, all);
    assert_eq!(lines[0]["channel"], "agentState");
    assert_eq!(lines[0]["offset"], world.harness.log[0].1.to_string());
}

#[tokio::test]
async fn csv_reads_back_and_no_cell_is_a_formula() {
    let world = world().await;
    let file = export(&world, ExportFormat::Csv).await;
    assert_eq!(file.matches("\r\n").count(), 1 + world.harness.log.len());
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for (record, event) in records.iter().zip(world.all().await) {
        assert_eq!(record[0], event.offset.unwrap().to_string());
        assert_eq!(&record[2], event.channel.as_str());
        assert_eq!(&record[6], event.data.unwrap().get());
        assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])));
    }
    assert!(records.iter().any(|record| &record[4] == "'=t1"));
}

#[tokio::test]
async fn the_recording_keeps_the_terminal_and_its_times() {
    let file = export(&world().await, ExportFormat::Asciicast).await;
    let lines: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["version"], &lines[0]["timestamp"]), (&json!(2), &json!(5)));
    let expected = [
        json!([0.0, "i", "npm test"]),
        json!([1.25, "o", "\u{1b}[32mok\u{1b}[0m é\r\nend\r\n"]),
        json!([1.25, "o", "late"]),
    ];
    assert_eq!(lines[1..], expected);
}

#[tokio::test]
async fn a_session_without_a_terminal_is_an_empty_recording() {
    let world = World::new().await;
    let file = export(&world, ExportFormat::Asciicast).await;
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap()["timestamp"], 1_750_000_000);
    assert_eq!(export(&world, ExportFormat::Ndjson).await, "");
    let document: Value = serde_json::from_str(&export(&world, ExportFormat::Json).await).unwrap();
    assert_eq!(document["events"], json!([]));
}

#[tokio::test]
async fn the_transcript_tells_turns_calls_terminal_and_approvals() {
    let file = export(&world().await, ExportFormat::Markdown).await;
    let expected = "\
# Fix \\*it\\*

- Session: s
- Project: p
- Status: active
- Created: 2025-06-15T15:06:40.000Z

*coder is running*

## coder, turn 1

Let me look: é✓.

## tester, turn 1

Testing.

```console
$ npm test
ok é
end
late
```

**coder** called **grep**: complete in 12 ms

```json
{\"q\":\"a\\\"b\"}
```

````text
found ```
````

**Approval requested** by coder

```json
{\"what\":\"merge\"}
```

**tester** called **run**: running

```text
all
```

*coder is completed*

";
    assert_eq!(file, expected);
}

#[tokio::test]
async fn an_export_ends_where_its_state_does_and_comes_in_pieces() {
    let mut world = World::new().await;
    let line = |n: u32| json!({"channel": "terminal", "data": {"id": format!("l{n}"), "type": "output", "data": "x".repeat(5_000), "source": "agent"}});
    for n in 0..20 {
        world.post((n * 10..n * 10 + 10).map(line).collect(), 1).await;
    }
    let mut exporter = exporter(&world, ExportFormat::Ndjson).await;
    world.post(json!([line(9_999)]), 2).await;
    let mut file = Vec::new();
    while let Some(piece) = exporter.next().await {
        let piece = piece.unwrap();
        assert!(piece.len() < 128 * 1024);
        file.extend_from_slice(&piece);
    }
    assert_eq!(file.iter().filter(|byte| **byte == b'\n').count(), 200);
}

#[tokio::test]
async fn an_export_whose_history_goes_meanwhile_says_so_and_ends() {
    let mut world = World::new().await;
    let line =
        json!({"channel": "terminal", "data": {"type": "output", "data": "x".repeat(60_000), "source": "agent"}});
    for _ in 0..10 {
        world.post((0..10).map(|_| line.clone()).collect(), 1).await;
    }
    let mut exporter = exporter(&world, ExportFormat::Ndjson).await;
    exporter.next().await.unwrap().unwrap();
    let tail = world.harness.state.position().offset;
    world.stage.engine.trim(&path("session/s"), tail).await.unwrap();
    let error: SessionError = loop {
        if let Err(error) = exporter.next().await.unwrap() {
            break error;
        }
    };
    assert_eq!(error.code(), ErrorCode::OffsetTrimmed);
    assert!(exporter.next().await.is_none());
}

#[test]
fn every_format_has_a_name_and_a_file() {
    let session = headwater_sessions::SessionId::new("s.1").unwrap();
    let names = ExportFormat::ALL.map(|format| format.filename(&session));
    let expected = ["session-s.1.json", "session-s.1.ndjson", "session-s.1.md", "session-s.1.csv", "session-s.1.cast"];
    assert_eq!(names, expected);
    for format in ExportFormat::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    assert!("xml".parse::<ExportFormat>().is_err());
}
