//! The lines that agent command lines print with `--output-format stream-json`: `system`, `assistant`, `user`, `result`
//! and, with partial messages on, `stream_event`.
//!
//! A message comes in several lines, one a block, under one id: that is a turn. With partial messages its text has been
//! told token by token before its block comes, and is not told again.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::{Format, Happening};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct ClaudeStreamJson {
    turn: u64,
    /// Id of the message that is the turn.
    message: Option<String>,
    /// Whether the turn's text was told token by token.
    is_streamed: bool,
    /// Calls without a result.
    open_calls: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Assistant {
        message: Message,
    },
    User {
        message: Message,
    },
    StreamEvent {
        event: StreamEvent,
    },
    Result {
        #[serde(default)]
        is_error: bool,
        subtype: Option<String>,
        result: Option<String>,
    },
    /// What is not told in a session, such as `system`.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    #[serde(default)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(default)]
        content: Value,
        #[serde(default)]
        is_error: bool,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StreamEvent {
    MessageStart {
        message: Message,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta {
    TextDelta {
        text: String,
    },
    #[serde(other)]
    Other,
}

impl Default for Content {
    fn default() -> Self {
        Self::Blocks(Vec::new())
    }
}

impl Format for ClaudeStreamJson {
    fn line(&mut self, line: &str) -> Vec<Happening> {
        if line.trim().is_empty() {
            return Vec::new();
        }
        let mut told = Vec::new();
        match serde_json::from_str(line) {
            Ok(Line::Assistant { message }) => self.assistant(message, &mut told),
            Ok(Line::User { message }) => self.user(message, &mut told),
            Ok(Line::StreamEvent { event }) => self.stream_event(event, &mut told),
            Ok(Line::Result { is_error: true, subtype, result }) => {
                let why = result.or(subtype).unwrap_or_else(|| "the agent failed".to_owned());
                told.push(Happening::Failed { turn: self.turn, why });
            }
            Ok(Line::Result { result, .. }) => told.push(Happening::Complete { turn: self.turn, result }),
            Ok(Line::Other) => {}
            Err(_) => told.push(Happening::Line(line.to_owned())),
        }
        told
    }
}

impl ClaudeStreamJson {
    fn assistant(&mut self, message: Message, told: &mut Vec<Happening>) {
        self.begin(message.id, told);
        for block in message.content.into_blocks() {
            match block {
                Block::Text { .. } if self.is_streamed => {}
                Block::Text { text } => told.push(Happening::Text { turn: self.turn, text }),
                Block::ToolUse { id, name, input } => {
                    self.open_calls.insert(id.clone());
                    told.push(Happening::ToolStart { id, tool: name, input });
                }
                Block::ToolResult { .. } | Block::Other => {}
            }
        }
    }

    /// What tools answered is told by the user's side; what people said is in the terminal already.
    fn user(&mut self, message: Message, told: &mut Vec<Happening>) {
        for block in message.content.into_blocks() {
            let Block::ToolResult { tool_use_id: id, content, is_error } = block else { continue };
            // A result without its call cannot be shown on any row.
            if !self.open_calls.remove(&id) {
                continue;
            }
            let content = joined(content);
            let outcome = if is_error { Err(text_of(content)) } else { Ok(content) };
            told.push(Happening::ToolResult { id, outcome });
        }
    }

    fn stream_event(&mut self, event: StreamEvent, told: &mut Vec<Happening>) {
        match event {
            StreamEvent::MessageStart { message } => {
                self.begin(message.id, told);
                self.is_streamed = true;
            }
            StreamEvent::ContentBlockDelta { delta: Delta::TextDelta { text } } => {
                told.push(Happening::Text { turn: self.turn, text });
            }
            StreamEvent::ContentBlockDelta { delta: Delta::Other } | StreamEvent::Other => {}
        }
    }

    /// A message that is not the turn's begins the next one.
    fn begin(&mut self, id: Option<String>, told: &mut Vec<Happening>) {
        if self.turn > 0 && id.is_some() && id == self.message {
            return;
        }
        self.turn += 1;
        self.message = id;
        self.is_streamed = false;
        told.push(Happening::Turn(self.turn));
    }
}

impl Content {
    fn into_blocks(self) -> Vec<Block> {
        match self {
            Self::Text(text) => vec![Block::Text { text }],
            Self::Blocks(blocks) => blocks,
        }
    }
}

/// A result that is nothing but text, as that text.
fn joined(content: Value) -> Value {
    let Value::Array(blocks) = &content else { return content };
    let texts: Option<Vec<&str>> = blocks.iter().map(|block| block["text"].as_str()).collect();
    texts.map_or_else(|| content.clone(), |texts| Value::String(texts.concat()))
}

fn text_of(content: Value) -> String {
    match content {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(lines: &[Value]) -> Vec<Happening> {
        let mut format = ClaudeStreamJson::default();
        lines.iter().flat_map(|line| format.line(&line.to_string())).collect()
    }

    fn assistant(id: &str, block: &Value) -> Value {
        json!({"type": "assistant", "message": {"id": id, "role": "assistant", "content": [block]}, "session_id": "s"})
    }

    fn result(id: &str, content: &Value, is_error: bool) -> Value {
        let block = json!({"type": "tool_result", "tool_use_id": id, "content": content, "is_error": is_error});
        json!({"type": "user", "message": {"role": "user", "content": [block]}})
    }

    fn text(turn: u64, text: &str) -> Happening {
        Happening::Text { turn, text: text.into() }
    }

    #[test]
    fn blocks_of_one_message_are_one_turn() {
        let lines = [
            json!({"type": "system", "subtype": "init", "tools": ["Bash"], "model": "m"}),
            assistant("m1", &json!({"type": "thinking", "thinking": "hm"})),
            assistant("m1", &json!({"type": "text", "text": "Looking."})),
            assistant("m1", &json!({"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}})),
            result("t1", &json!([{"type": "text", "text": "a\n"}, {"type": "text", "text": "b"}]), false),
            assistant("m2", &json!({"type": "text", "text": "Two files."})),
            json!({"type": "result", "subtype": "success", "is_error": false, "result": "Two files."}),
        ];
        let expected = [
            Happening::Turn(1),
            text(1, "Looking."),
            Happening::ToolStart { id: "t1".into(), tool: "Bash".into(), input: json!({"command": "ls"}) },
            Happening::ToolResult { id: "t1".into(), outcome: Ok(json!("a\nb")) },
            Happening::Turn(2),
            text(2, "Two files."),
            Happening::Complete { turn: 2, result: Some("Two files.".into()) },
        ];
        assert_eq!(told(&lines), expected);
    }

    #[test]
    fn text_that_was_streamed_is_told_once() {
        let event = |event: Value| json!({"type": "stream_event", "event": event});
        let delta =
            |text: &str| event(json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}));
        let lines = [
            event(json!({"type": "message_start", "message": {"id": "m1", "content": []}})),
            delta("Hel"),
            delta("lo"),
            event(json!({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}})),
            assistant("m1", &json!({"type": "text", "text": "Hello"})),
            event(json!({"type": "message_stop"})),
        ];
        assert_eq!(told(&lines), [Happening::Turn(1), text(1, "Hel"), text(1, "lo")]);
    }

    #[test]
    fn failures_are_told_as_such() {
        let lines = [
            assistant("m1", &json!({"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "x"}})),
            result("t1", &json!("no such file"), true),
            result("unknown", &json!("x"), false),
            json!({"type": "result", "subtype": "error_max_turns", "is_error": true}),
        ];
        let told = told(&lines);
        assert_eq!(
            told[2..],
            [
                Happening::ToolResult { id: "t1".into(), outcome: Err("no such file".into()) },
                Happening::Failed { turn: 1, why: "error_max_turns".into() },
            ]
        );
    }

    #[test]
    fn what_is_no_json_is_shown() {
        assert_eq!(ClaudeStreamJson::default().line("npm warn old"), [Happening::Line("npm warn old".into())]);
        assert_eq!(ClaudeStreamJson::default().line(""), []);
    }
}
