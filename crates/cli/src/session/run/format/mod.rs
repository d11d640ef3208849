//! What a program's structured output says, as things that happen in a session.
//!
//! One line in, any number of [`Happening`]s out. Nothing is lost: a line that is no JSON, or none that the format knows,
//! goes to the terminal as it is.

mod claude;
mod ndjson;

use serde_json::Value;

pub(crate) use claude::ClaudeStreamJson;
pub(crate) use ndjson::Ndjson;

/// Something to publish.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Happening {
    /// The agent begins a turn, counted from 1.
    Turn(u64),
    /// The agent says something more in a turn.
    Text { turn: u64, text: String },
    /// A tool is called.
    ToolStart { id: String, tool: String, input: Value },
    /// What came of the call.
    ToolResult { id: String, outcome: Result<Value, String> },
    /// The agent is done.
    Complete { turn: u64, result: Option<String> },
    /// The agent has failed.
    Failed { turn: u64, why: String },
    /// An event or a step in the words of the session's own API.
    Event(Value),
    /// A line for the terminal.
    Line(String),
}

/// A format of lines.
pub(crate) trait Format: Send {
    /// What a line says; without its end.
    fn line(&mut self, line: &str) -> Vec<Happening>;
}

/// Lines of plain text: what an agent says, in one turn.
#[derive(Debug, Default)]
pub(crate) struct Text {
    has_begun: bool,
}

impl Format for Text {
    fn line(&mut self, line: &str) -> Vec<Happening> {
        let begin = (!std::mem::replace(&mut self.has_begun, true)).then_some(Happening::Turn(1));
        let said = Happening::Text { turn: 1, text: format!("{line}\n") };
        begin.into_iter().chain([said]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_turn() {
        let mut text = Text::default();
        let said = |line: &str| Happening::Text { turn: 1, text: line.into() };
        assert_eq!(text.line("a"), [Happening::Turn(1), said("a\n")]);
        assert_eq!(text.line(""), [said("\n")]);
    }
}
