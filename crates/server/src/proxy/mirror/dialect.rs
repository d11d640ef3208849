//! What the events of a model's response say, in the formats of the large providers.
//!
//! OpenAI's chat completions and responses, Anthropic's messages, and whatever speaks like them. What is not understood
//! says nothing: formats grow, and a session is better off without a guess.

use headwater_protocol::sse::SseEvent;
use serde_json::Value;

use crate::limits::MIRROR_REASON_BYTES_MAX;

/// What one event means to a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A piece of the answer's text.
    Text(String),
    /// The provider gave up.
    Failed(String),
    /// Anything else: roles, usage, pings, pieces of tool calls.
    Nothing,
}

/// Reads an event.
pub(super) fn read(event: &SseEvent) -> Said {
    // What is no JSON, such as the final [DONE], says nothing.
    let Ok(event) = serde_json::from_str::<Value>(&event.data) else { return Said::Nothing };
    if let Some(reason) = failure(&event) {
        return Said::Failed(reason);
    }
    let text = match event["type"].as_str() {
        Some("content_block_delta") => event["delta"]["text"].as_str(),
        Some("response.output_text.delta" | "response.refusal.delta") => event["delta"].as_str(),
        Some(_) => None,
        None => first_choice(&event),
    };
    text.filter(|text| !text.is_empty()).map_or(Said::Nothing, |text| Said::Text(text.to_owned()))
}

/// One of several answers to a chat completion: the first.
fn first_choice(event: &Value) -> Option<&str> {
    let choices = event["choices"].as_array()?;
    let first = choices.iter().find(|choice| choice["index"].as_u64().unwrap_or(0) == 0)?;
    let delta = &first["delta"];
    delta["content"].as_str().or_else(|| delta["refusal"].as_str()).or_else(|| first["text"].as_str())
}

fn failure(event: &Value) -> Option<String> {
    let told = match event["type"].as_str() {
        Some("response.failed") => &event["response"]["error"],
        // Either the event itself says why, or an object in it.
        Some("error") if event["error"].is_null() => event,
        Some("error") | None => &event["error"],
        Some(_) => return None,
    };
    if told.is_null() {
        return None;
    }
    let reason = told["message"].as_str().or_else(|| told["type"].as_str()).or_else(|| told.as_str());
    let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or("the provider gave up");
    Some(beginning(reason, MIRROR_REASON_BYTES_MAX).to_owned())
}

/// The first whole characters of a text, of at most so many bytes.
pub(super) fn beginning(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(data: &str) -> Said {
        read(&SseEvent { event: String::new(), data: data.into() })
    }

    #[test]
    fn texts_of_all_formats_are_found() {
        for data in [
            r#"{"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":null,"refusal":"Hi"}}]}"#,
            r#"{"choices":[{"index":0,"text":"Hi"}]}"#,
            r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"Hi"}"#,
            r#"{"type":"response.refusal.delta","delta":"Hi"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"#,
        ] {
            assert_eq!(said(data), Said::Text("Hi".into()), "{data}");
        }
    }

    #[test]
    fn what_is_no_text_says_nothing() {
        for data in [
            "[DONE]",
            "",
            "{}",
            "[]",
            "null",
            r#"{"type":"ping"}"#,
            r#"{"type":7,"choices":{"index":0}}"#,
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":null}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"another answer"}}]}"#,
            r#"{"choices":[],"usage":{"total_tokens":3},"error":null}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
            r#"{"type":"response.completed","response":{"error":null}}"#,
        ] {
            assert_eq!(said(data), Said::Nothing, "{data}");
        }
    }

    #[test]
    fn failures_are_told() {
        for data in [
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            r#"{"type":"error","code":"server_error","message":"Overloaded","param":null}"#,
            r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"Overloaded"}}}"#,
            r#"{"error":{"message":"Overloaded","code":429}}"#,
            r#"{"error":"Overloaded"}"#,
        ] {
            assert_eq!(said(data), Said::Failed("Overloaded".into()), "{data}");
        }
        assert_eq!(said(r#"{"error":{}}"#), Said::Failed("the provider gave up".into()));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let Said::Failed(reason) = said(&format!(r#"{{"error":"{}"}}"#, "é".repeat(1000))) else { panic!() };
        assert_eq!(reason, "é".repeat(512));
    }
}
