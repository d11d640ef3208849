//! What the official readers show: a model small enough to read.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Rows per type, in the order of their first insert.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct StreamDb {
    rows: BTreeMap<String, Vec<(String, Value)>>,
    updates: Updates,
}

/// What an update does to the row that is there.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) enum Updates {
    /// Replaces it, as the State Protocol says.
    #[default]
    Replace,
    /// Lays its fields over it, as the official collections do.
    Overlay,
}

impl StreamDb {
    pub(crate) fn of<'a>(messages: impl IntoIterator<Item = &'a str>) -> Self {
        Self::with(Updates::Replace, messages)
    }

    pub(crate) fn with<'a>(updates: Updates, messages: impl IntoIterator<Item = &'a str>) -> Self {
        let mut db = Self { updates, ..Self::default() };
        messages.into_iter().for_each(|message| db.apply(message));
        db
    }

    fn apply(&mut self, message: &str) {
        let message: Value = serde_json::from_str(message).unwrap();
        check_schema(&message);
        let Some(operation) = message["headers"]["operation"].as_str() else { return };
        let rows = self.rows.entry(message["type"].as_str().unwrap().to_owned()).or_default();
        let key = message["key"].as_str().unwrap();
        let place = rows.iter().position(|(known, _)| known == key);
        match (operation, place) {
            ("delete", Some(place)) => drop(rows.remove(place)),
            ("delete", None) => {}
            (_, None) => rows.push((key.to_owned(), message["value"].clone())),
            ("update", Some(place)) if self.updates == Updates::Overlay => {
                let row = rows[place].1.as_object_mut().unwrap();
                row.extend(message["value"].as_object().unwrap().clone());
            }
            (_, Some(place)) => rows[place].1 = message["value"].clone(),
        }
    }

    pub(crate) fn rows(&self, row_type: &str) -> Vec<&Value> {
        self.rows.get(row_type).into_iter().flatten().map(|(_, row)| row).collect()
    }

    /// All rows that there are.
    pub(crate) fn to_json(&self) -> Value {
        let shown = self.rows.iter().filter(|(_, rows)| !rows.is_empty());
        shown
            .map(|(row_type, _)| (row_type.clone(), self.rows(row_type).into_iter().cloned().collect::<Value>()))
            .collect()
    }

    /// The same with the chunks of each (agent, turn) merged, as snapshots hold them.
    pub(crate) fn with_merged_chunks(&self) -> Value {
        let mut merged: Vec<Map<String, Value>> = Vec::new();
        for chunk in self.rows("chunk") {
            let chunk = chunk.as_object().unwrap();
            let turn = |row: &Map<String, Value>| row.get("turn").and_then(Value::as_u64).unwrap_or(0);
            let same = |row: &&mut Map<String, Value>| row["agentId"] == chunk["agentId"] && turn(row) == turn(chunk);
            match merged.iter_mut().find(same) {
                Some(row) => {
                    row["text"] =
                        format!("{}{}", row["text"].as_str().unwrap(), chunk["text"].as_str().unwrap()).into();
                    row["timestamp"] = row["timestamp"].as_u64().max(chunk["timestamp"].as_u64()).into();
                }
                None => {
                    let mut row = chunk.clone();
                    row.remove("accumulated");
                    merged.push(row);
                }
            }
        }
        let mut all = self.to_json();
        if !merged.is_empty() {
            all["chunk"] = merged.into_iter().map(Value::Object).collect();
        }
        all
    }

    /// Messages derived from the chunks, as clients do.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let merged = self.with_merged_chunks();
        let chunks = merged.get("chunk").and_then(Value::as_array).cloned().unwrap_or_default();
        chunks.into_iter().map(|chunk| message_of(&chunk)).collect()
    }
}

fn message_of(chunk: &Value) -> Value {
    let turn = chunk.get("turn").and_then(Value::as_u64).unwrap_or(0);
    serde_json::json!({
        "id": format!("{}-{turn}", chunk["agentId"].as_str().unwrap()),
        "agentId": chunk["agentId"],
        "sessionId": chunk["sessionId"],
        "text": chunk["text"],
        "turn": turn,
        "timestamp": chunk["timestamp"],
    })
}

/// What the schema of State Protocol 1.0 demands, and what the official readers demand beyond it.
fn check_schema(message: &Value) {
    let only = |object: &Value, known: &[&str]| {
        for name in object.as_object().expect("an object").keys() {
            assert!(known.contains(&name.as_str()), "{name} in {message}");
        }
    };
    let headers = &message["headers"];
    if let Some(control) = headers.get("control") {
        assert!(matches!(control.as_str(), Some("snapshot-start" | "snapshot-end")), "{message}");
        only(message, &["headers"]);
        return only(headers, &["control", "offset"]);
    }
    only(message, &["type", "key", "value", "headers"]);
    only(headers, &["operation", "txid", "timestamp"]);
    assert!(matches!(headers["operation"].as_str(), Some("insert" | "update" | "delete")), "{message}");
    assert!(message["value"].is_object() || headers["operation"] == "delete", "{message}");
    assert!(!message["key"].as_str().unwrap().is_empty() && message["type"].is_string(), "{message}");
    assert!(headers.get("txid").is_none_or(|txid| !txid.as_str().unwrap().is_empty()), "{message}");
}
