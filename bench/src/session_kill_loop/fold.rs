//! State Protocol read independently of the server: messages, and what they fold to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::Expected;

/// One change message of a log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) kind: String,
    pub(super) key: String,
    pub(super) operation: String,
    pub(super) txid: String,
    /// `null` for a deletion.
    pub(super) value: Value,
}

impl Message {
    /// `None` for what is no change message.
    pub(super) fn parse(raw: &Value) -> Option<Message> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Message {
            kind: text(&raw["type"])?,
            key: text(&raw["key"])?,
            operation: text(&raw["headers"]["operation"])?,
            txid: text(&raw["headers"]["txid"])?,
            value: raw["value"].clone(),
        })
    }

    pub(super) fn is(&self, expected: &Expected) -> bool {
        let holds = |(name, value): (&String, &Value)| self.value.get(name) == Some(value);
        self.kind == expected.kind
            && self.key == expected.key
            && self.operation == expected.operation
            && self.value["sessionId"] == expected.session.as_str()
            && expected.fields.iter().all(holds)
    }
}

/// Rows by type and key.
pub(super) type Rows = BTreeMap<(String, String), Value>;

/// The last value of each row, and what was said in each turn: chunks are no rows of a state.
pub(super) fn fold(messages: &[Message]) -> Rows {
    let mut rows = Rows::new();
    for message in messages {
        if message.kind == "chunk" {
            say(&mut rows, &message.value);
            continue;
        }
        let row = (message.kind.clone(), message.key.clone());
        match message.operation.as_str() {
            "delete" => rows.remove(&row),
            _ => rows.insert(row, message.value.clone()),
        };
    }
    rows
}

/// Adds a chunk's text to the message of its agent and turn.
fn say(rows: &mut Rows, chunk: &Value) {
    let agent = chunk["agentId"].as_str().unwrap_or_default();
    let turn = chunk["turn"].as_u64().unwrap_or(0);
    let id = format!("{agent}-{turn}");
    let said = rows
        .entry(("message".to_owned(), id.clone()))
        .or_insert_with(|| json!({"id": id, "agentId": agent, "turn": turn, "text": "", "timestamp": 0}));
    let text = format!("{}{}", said["text"].as_str().unwrap_or_default(), chunk["text"].as_str().unwrap_or_default());
    said["text"] = text.into();
    said["timestamp"] = said["timestamp"].as_u64().max(chunk["timestamp"].as_u64()).into();
}

/// The rows of a state as the server answers it.
pub(super) fn rows_of(state: &Value) -> Rows {
    let lists = [
        ("messages", "message", "id"),
        ("toolCalls", "tool", "id"),
        ("terminal", "terminal", "id"),
        ("workflow", "workflow", "id"),
        ("agentState", "state", "agentId"),
    ];
    let mut rows = Rows::new();
    for (list, kind, key) in lists {
        for row in state[list].as_array().into_iter().flatten() {
            let mut row = row.clone();
            // A message of a fork was said in both.
            if let (true, Some(fields)) = (kind == "message", row.as_object_mut()) {
                fields.remove("sessionId");
            }
            let name = row[key].as_str().unwrap_or_default().to_owned();
            let before = rows.insert((kind.to_owned(), name.clone()), row);
            // A row that is told twice equals no fold.
            rows.extend(before.map(|row| ((format!("{kind} told twice"), name), row)));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, key: &str, operation: &str, value: Value) -> Message {
        let raw = json!({"type": kind, "key": key, "value": value, "headers": {"operation": operation, "txid": "t"}});
        Message::parse(&raw).unwrap()
    }

    #[test]
    fn the_last_value_of_a_row_counts_and_a_deletion_removes_it() {
        let log = [
            message("tool", "a", "insert", json!({"id": "a", "status": "running"})),
            message("tool", "b", "insert", json!({"id": "b"})),
            message("tool", "a", "update", json!({"id": "a", "status": "complete"})),
            message("tool", "b", "delete", Value::Null),
        ];
        assert_eq!(fold(&log), rows_of(&json!({"toolCalls": [{"id": "a", "status": "complete"}]})));
    }

    #[test]
    fn chunks_of_a_turn_are_one_message() {
        let chunk = |text: &str, at: u64| json!({"agentId": "a", "turn": 2, "text": text, "timestamp": at});
        let log = [message("chunk", "1", "insert", chunk("he", 5)), message("chunk", "2", "insert", chunk("llo", 3))];
        let said = json!({"id": "a-2", "agentId": "a", "sessionId": "s", "turn": 2, "text": "hello", "timestamp": 5});
        assert_eq!(fold(&log), rows_of(&json!({"messages": [said]})));
        assert_ne!(fold(&log), rows_of(&json!({"messages": [said, said]})));
    }
}
