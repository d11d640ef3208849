//! The fixtures that all folds share, and what a fold owes its subscribers.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::sessions::event::StateMessage;
use crate::sessions::{RowChange, ToolStatus};

fn event(message: &Value) -> Option<SessionEvent> {
    serde_json::from_value::<StateMessage>(message.clone()).unwrap().event()
}

fn fixtures() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/sessions");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths
        .map(|path| (path.display().to_string(), serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap()))
        .collect()
}

/// All that was appended to both streams, in order.
fn changes(fixture: &Value) -> Vec<SessionEvent> {
    let steps = fixture["steps"].as_array().unwrap().iter();
    let messages = steps.flat_map(|step| {
        let of = |name: &str| step["expect"][name].as_array().cloned().unwrap_or_default();
        of("changes").into_iter().chain(of("presence"))
    });
    messages.filter_map(|message| event(&message)).collect()
}

/// Rows without what is cleared: the same to whoever reads them.
fn plain(rows: &Value) -> Vec<Value> {
    let mut rows = rows.as_array().cloned().unwrap_or_default();
    for row in &mut rows {
        row.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        same_numbers(row);
    }
    rows
}

/// 1.0 is 1.
fn same_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(same_numbers),
        Value::Object(fields) => fields.values_mut().for_each(same_numbers),
        Value::Number(number) => *value = json!(number.as_f64()),
        _ => {}
    }
}

fn shown<T: serde::Serialize>(collection: &Collection<T>) -> Vec<Value> {
    let rows = collection.iter().map(|row| serde_json::to_value(&*row).unwrap());
    plain(&Value::Array(rows.collect()))
}

fn check_rows(fold: &Fold, rows: &Value, name: &str) {
    assert_eq!(shown(&fold.tool_calls), plain(&rows["tool"]), "{name}");
    assert_eq!(shown(&fold.terminal), plain(&rows["terminal"]), "{name}");
    assert_eq!(shown(&fold.workflow), plain(&rows["workflow"]), "{name}");
    assert_eq!(shown(&fold.agent_states), plain(&rows["state"]), "{name}");
}

#[test]
fn s_1_3_every_fixture_folds_to_its_rows_and_messages() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 10);
    for (name, fixture) in fixtures {
        let fold = Fold::default();
        changes(&fixture).iter().for_each(|event| fold.apply(event));
        check_rows(&fold, &fixture["rows"], &name);
        assert_eq!(shown(&fold.chunks), plain(&fixture["rows"]["chunk"]), "{name}");
        assert_eq!(shown(&fold.presence), plain(&fixture["rows"]["presence"]), "{name}");
        assert_eq!(shown(&fold.messages), plain(&fixture["messages"]), "{name}");
    }
}

#[test]
fn d_2d_every_snapshot_folds_to_the_same_and_replaces_what_was_there() {
    for (name, fixture) in fixtures() {
        let snapshot: Vec<SessionEvent> =
            fixture["snapshot"].as_array().into_iter().flatten().filter_map(event).collect();
        let fresh = Fold::default();
        fresh.rebuild(&snapshot);
        let changed = Fold::default();
        changes(&fixture).iter().for_each(|event| changed.apply(event));
        let present = shown(&changed.presence);
        changed.rebuild(&snapshot);
        assert_eq!(shown(&changed.presence), present, "{name}: a snapshot says nothing of who is there");
        for fold in [fresh, changed] {
            check_rows(&fold, &fixture["rows"], &name);
            assert_eq!(shown(&fold.messages), plain(&fixture["messages"]), "{name}");
        }
    }
}

fn call(id: &str, status: &str) -> SessionEvent {
    let row = json!({ "id": id, "agentId": "a", "sessionId": "s", "tool": "ls", "status": status, "timestamp": 1,
        "later": "fields are passed over" });
    let message = json!({ "type": "tool", "key": id, "value": row, "headers": { "operation": "insert" } });
    event(&message).unwrap()
}

#[test]
fn s_1_3_a_subscriber_gets_the_difference_that_it_has_not_seen() {
    let fold = Fold::default();
    fold.apply(&call("1", "running"));
    let mut changes = fold.tool_calls.subscribe();
    let told = |batch: Vec<RowChange<ToolCall>>| -> Vec<String> {
        let word = |change: &RowChange<ToolCall>| match change {
            RowChange::Insert { key, .. } => format!("+{key}"),
            RowChange::Update { key, row } => format!("={key} {:?}", row.status),
            RowChange::Delete { key } => format!("-{key}"),
        };
        batch.iter().map(word).collect()
    };
    assert_eq!(told(changes.try_next()), ["+1"]);
    fold.apply(&call("1", "complete"));
    fold.apply(&call("2", "running"));
    fold.apply(&call("1", "error"));
    assert_eq!(told(changes.try_next()), ["=1 Error", "+2"], "two changes of a row are one");
    fold.rebuild(&[call("2", "running"), call("3", "new in a later version")]);
    assert_eq!(told(changes.try_next()), ["+3", "-1"], "what is the same is not told");
    assert_eq!(fold.tool_calls.get("3").unwrap().status, ToolStatus::Other);
    assert_eq!(told(changes.try_next()), [""; 0]);
}

#[tokio::test]
async fn s_1_3_a_live_query_moves_only_what_changes() {
    let fold = Fold::default();
    for id in ["1", "2", "3"] {
        fold.apply(&call(id, "running"));
    }
    let query = fold.tool_calls.query().filter(|call| call.status == ToolStatus::Running);
    let mut query = query.order_by_key(|call| std::cmp::Reverse(call.id.clone())).limit(2).open();
    let ids = |query: &crate::sessions::LiveQuery<ToolCall>| -> Vec<String> {
        query.rows().map(|call| call.id.clone()).collect()
    };
    assert_eq!(ids(&query), ["3", "2"]);
    fold.apply(&call("0", "running"));
    assert!(!query.refresh(), "it lies beyond the limit");
    fold.apply(&call("3", "complete"));
    assert!(query.changed().await);
    assert_eq!(ids(&query), ["2", "1"], "the next one moves up");
    fold.apply(&call("4", "running"));
    assert!(query.refresh());
    assert_eq!(ids(&query), ["4", "2"]);
    fold.end();
    assert!(!query.changed().await);
}

#[test]
fn s_3_1_who_is_not_told_again_has_gone() {
    let person = |id: &str| {
        let row = json!({ "userId": id, "sessionId": "s", "lastSeen": 1, "joinedAt": 1 });
        let message = json!({ "type": "presence", "key": id, "value": row, "headers": { "operation": "insert" } });
        event(&message).unwrap()
    };
    let fold = Fold::default();
    fold.apply(&person("ada"));
    fold.apply(&person("bob"));
    fold.doubt_presence();
    fold.apply(&person("bob"));
    assert_eq!(fold.presence.len(), 2, "nobody flickers");
    fold.settle_presence();
    assert_eq!(fold.presence.iter().map(|person| person.user_id.clone()).collect::<Vec<_>>(), ["bob"]);
}
