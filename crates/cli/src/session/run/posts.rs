//! From what a format reads to what the session is told.

use headwater_client::sessions::{AgentStatus, Post, TerminalKind, TerminalSource};
use serde_json::{Value, json};

use super::format::Happening;
use crate::limits::{RUN_PIECE_BYTES, RUN_VALUE_BYTES_MAX, RUN_VALUE_SHOWN};

/// The posts that tell it, in order.
pub(super) fn posts(agent: &str, happening: Happening) -> Vec<Post> {
    match happening {
        Happening::Turn(turn) => vec![Post::step_turn(agent, turn)],
        Happening::Text { turn, text } => {
            pieces(&text).into_iter().map(|piece| Post::step_token(agent, piece).turn(turn)).collect()
        }
        Happening::ToolStart { id, tool, input } => {
            vec![Post::step_tool_start(agent, tool, fitting(input)).with("id", id)]
        }
        Happening::ToolResult { id, outcome: Ok(output) } => {
            vec![Post::step_tool_result(agent, id, fitting(output))]
        }
        Happening::ToolResult { id, outcome: Err(why) } => {
            let step = json!({"type": "tool:result", "agentId": agent, "id": id, "error": cut(&why)});
            vec![Post::parse(step).expect("it is a step")]
        }
        Happening::Complete { turn, result } => {
            vec![Post::step_complete(agent, cut(&result.unwrap_or_default())).turn(turn)]
        }
        Happening::Failed { turn, why } => {
            vec![Post::agent_state(agent, AgentStatus::Error).with("error", cut(&why)).turn(turn)]
        }
        Happening::Event(event) => match Post::parse(event.clone()) {
            Some(post) => vec![post],
            None => lines(&event.to_string()),
        },
        Happening::Line(line) => lines(&line),
    }
}

/// A line of the terminal.
fn lines(line: &str) -> Vec<Post> {
    let output = |piece| Post::terminal(TerminalKind::Output, TerminalSource::Agent, piece);
    pieces(&format!("{line}\r\n")).into_iter().map(output).collect()
}

/// A text in pieces that fit an event.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = rest.len().min(RUN_PIECE_BYTES);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

/// The value or, where it is too large for an event, its beginning with its size.
fn fitting(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= RUN_VALUE_BYTES_MAX {
        return value;
    }
    let shown = match &value {
        Value::String(text) => cut(text),
        _ => cut(&text),
    };
    json!({ "truncated": shown, "bytes": text.len() })
}

fn cut(text: &str) -> String {
    text.chars().take(RUN_VALUE_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_for_an_event_is_cut_and_says_so() {
        let large = "é".repeat(200_000);
        assert_eq!(pieces(&large).concat(), large);
        let fitted = fitting(json!({ "content": large }));
        assert!(fitted.to_string().len() < RUN_VALUE_BYTES_MAX && fitted["bytes"].as_u64() > Some(400_000));
        assert_eq!(fitting(json!([1])), json!([1]));
    }

    #[test]
    fn events_and_steps_keep_their_words() {
        let step = json!({"type": "tool:result", "agentId": "a", "id": "t", "output": 7});
        let event = json!({"channel": "chunks", "data": {"id": "c", "agentId": "a", "text": "x"}});
        assert_eq!(posts("x", Happening::Event(event))[0].id(), Some("c"));
        assert_eq!(posts("x", Happening::Event(step))[0].id(), Some("t"));
        let unknown = posts("x", Happening::Event(json!({"type": "progress"})));
        assert!(unknown[0].channel().is_some(), "it is shown in the terminal");
    }
}
