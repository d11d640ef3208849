//! One event (`{"channel": …, "data": …}`) or agent step (`{"type": "tool:start", …}`) of the session's API a line.

use serde_json::Value;

use super::{Format, Happening};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ndjson;

impl Format for Ndjson {
    fn line(&mut self, line: &str) -> Vec<Happening> {
        if line.trim().is_empty() {
            return Vec::new();
        }
        match serde_json::from_str::<Value>(line) {
            Ok(event) if event.get("channel").is_some() || event.get("type").is_some() => vec![Happening::Event(event)],
            _ => vec![Happening::Line(line.to_owned())],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_and_steps_pass_and_the_rest_is_shown() {
        let event = json!({"channel": "chunks", "data": {"agentId": "a", "text": "hi"}});
        let step = json!({"type": "agent:turn", "agentId": "a", "turn": 2});
        assert_eq!(Ndjson.line(&event.to_string()), [Happening::Event(event)]);
        assert_eq!(Ndjson.line(&step.to_string()), [Happening::Event(step)]);
        for line in ["warning: slow", "[1,2]", "7", "{\"a\":1}"] {
            assert_eq!(Ndjson.line(line), [Happening::Line(line.into())]);
        }
        assert_eq!(Ndjson.line("  "), []);
    }
}
