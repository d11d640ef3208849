//! A client's fold of State Protocol messages: rows by type and key, and what is said in each turn.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fold {
    rows: BTreeMap<(String, String), Value>,
    /// By agent and turn.
    said: BTreeMap<(String, u64), String>,
}

impl Fold {
    pub(crate) fn of<'a>(messages: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut fold = Self::default();
        messages.into_iter().for_each(|message| fold.apply(message));
        fold
    }

    pub(crate) fn apply(&mut self, message: &Value) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let Some(row_type) = message["type"].as_str() else {
            assert!(message["headers"]["control"].is_string(), "{message}");
            return;
        };
        let value = &message["value"];
        if row_type == "chunk" {
            let said = self.said.entry((text(&value["agentId"]), value["turn"].as_u64().unwrap_or_default()));
            said.or_default().push_str(value["text"].as_str().unwrap());
            return;
        }
        let key = (row_type.to_owned(), text(&message["key"]));
        match message["headers"]["operation"].as_str().unwrap() {
            "delete" => self.rows.remove(&key),
            _ => self.rows.insert(key, value.clone()),
        };
    }

    /// Rows of a type.
    pub(crate) fn rows(&self, row_type: &str) -> Vec<&Value> {
        self.rows.iter().filter(|((of, _), _)| of == row_type).map(|(_, row)| row).collect()
    }

    pub(crate) fn said(&self, agent: &str, turn: u64) -> &str {
        &self.said[&(agent.to_owned(), turn)]
    }
}
