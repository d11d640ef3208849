//! The session as a transcript, written while the log is read.
//!
//! Everything stands in stream order, with three liberties that make it readable: what one agent says in a turn is held
//! back while nothing but other agents' words come between, so that agents who speak at once do not cut each other to
//! pieces; terminal lines that follow each other are one block; and a tool call stands once, where it was last told of,
//! with its input and its result together. What is held back is bounded; beyond that it is written early.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;

use super::plain_text::{escaped, fence, without_escapes};
use crate::change::rfc3339;
use crate::channel::{Channel, RowType};
use crate::fold::State;
use crate::json::{Json, Object};
use crate::limits::{TRANSCRIPT_BLOCK_BYTES_MAX, TRANSCRIPT_SPEAKERS_MAX};
use crate::reading::event::SessionEvent;
use crate::registry::SessionRow;

pub(super) struct Markdown {
    row: SessionRow,
    state: Arc<State>,
    /// What agents say and has not been written, by agent, in the order in which they began.
    speeches: IndexMap<String, Speech>,
    /// Terminal lines that have not been written.
    terminal: String,
    /// What each agent was last told to be doing.
    statuses: HashMap<String, String>,
    /// Whose words, of which turn, the last heading announced.
    heading: Option<(String, u64)>,
}

struct Speech {
    turn: u64,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow)]
    agent_id: Cow<'a, str>,
    #[serde(borrow)]
    text: Cow<'a, str>,
    turn: Option<u64>,
}

impl Markdown {
    pub(super) fn new(row: SessionRow, state: Arc<State>) -> Self {
        let (speeches, statuses) = (IndexMap::new(), HashMap::new());
        Self { row, state, speeches, terminal: String::new(), statuses, heading: None }
    }

    pub(super) fn head(&self, out: &mut Vec<u8>) {
        let row = &self.row;
        let title = row.title.clone().unwrap_or_else(|| format!("Session {}", row.id));
        write(out, &format!("# {}\n\n", escaped(&title)));
        let status = Json::of(&row.status);
        let facts = [
            ("Session", Some(escaped(&row.id))),
            ("Project", Some(escaped(&row.project_id))),
            ("Task", row.task_id.as_deref().map(escaped)),
            ("Agent", row.agent_id.as_deref().map(escaped)),
            ("Status", status.as_str().map(Cow::into_owned)),
            ("Created", Some(rfc3339(row.created_at))),
            ("Closed", row.closed_at.map(rfc3339)),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                write(out, &format!("- {name}: {fact}\n"));
            }
        }
        write(out, "\n");
    }

    pub(super) fn event(&mut self, event: &SessionEvent, out: &mut Vec<u8>) {
        let Some(data) = &event.data else { return };
        if event.channel == Channel::Chunks {
            return self.chunk(data, out);
        }
        let Some(object) = Object::parse(data.get()) else { return };
        match event.channel {
            Channel::Terminal => self.line(&object, out),
            Channel::ToolCalls => self.tool_call(event, &object, out),
            Channel::Workflow => self.workflow(&object, out),
            Channel::AgentState => self.agent_state(&object, out),
            Channel::Chunks | Channel::Presence => {}
        }
    }

    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.write_held(out);
    }

    fn chunk(&mut self, data: &Json, out: &mut Vec<u8>) {
        let Ok(chunk) = serde_json::from_str::<Chunk<'_>>(data.get()) else { return };
        let turn = chunk.turn.unwrap_or(0);
        let is_other = self.speeches.get(&*chunk.agent_id).is_some_and(|speech| speech.turn != turn);
        if is_other {
            self.write_speech(&chunk.agent_id, out);
        }
        if !self.speeches.contains_key(&*chunk.agent_id) {
            self.write_terminal(out);
            if self.speeches.len() >= TRANSCRIPT_SPEAKERS_MAX {
                self.write_speeches(out);
            }
            self.speeches.insert(chunk.agent_id.to_string(), Speech { turn, text: String::new() });
        }
        let speech = &mut self.speeches[&*chunk.agent_id];
        speech.text.push_str(&chunk.text);
        if speech.text.len() >= TRANSCRIPT_BLOCK_BYTES_MAX {
            self.write_speech(&chunk.agent_id, out);
        }
    }

    fn line(&mut self, row: &Object, out: &mut Vec<u8>) {
        self.write_speeches(out);
        let is_input = row.text("type").is_some_and(|kind| kind == "input");
        let Some(data) = row.text("data") else { return };
        if is_input {
            end_line(&mut self.terminal);
            self.terminal.push_str("$ ");
        }
        self.terminal.push_str(&without_escapes(&data));
        if is_input {
            end_line(&mut self.terminal);
        }
        if self.terminal.len() >= TRANSCRIPT_BLOCK_BYTES_MAX {
            self.write_terminal(out);
        }
    }

    fn tool_call(&mut self, event: &SessionEvent, row: &Object, out: &mut Vec<u8>) {
        let agent = row.text("agentId").unwrap_or_default();
        self.write_terminal(out);
        self.write_speech(&agent, out);
        let status = row.text("status").unwrap_or_default();
        if !self.is_last_word(event, &status) {
            return;
        }
        let tool = row.text("tool").unwrap_or_default();
        let duration = row.get("duration").filter(|duration| !duration.is_null());
        let duration = duration.map(|duration| format!(" in {} ms", duration.get())).unwrap_or_default();
        write(out, &format!("**{}** called **{}**: {status}{duration}\n\n", escaped(&agent), escaped(&tool)));
        for part in ["input", "output"] {
            if let Some(value) = row.get(part) {
                write_value(value, out);
            }
        }
    }

    /// Whether nothing later is told of this call.
    fn is_last_word(&self, event: &SessionEvent, status: &str) -> bool {
        match self.state.row(RowType::Tool, &event.key) {
            Some(row) => event.offset == Some(row.last.offset),
            // Folded away as expired, while its events are still there.
            None => matches!(status, "complete" | "error"),
        }
    }

    fn workflow(&mut self, row: &Object, out: &mut Vec<u8>) {
        self.write_held(out);
        let kind = row.text("type").unwrap_or_default();
        let what = match kind.split_once(':') {
            Some(("approval", what)) => format!("Approval {what}"),
            Some(("worktree", what)) => format!("Worktree {what}"),
            _ => escaped(&kind),
        };
        let actor = row.text("actor").map(|actor| format!(" by {}", escaped(&actor))).unwrap_or_default();
        write(out, &format!("**{what}**{actor}\n\n"));
        if let Some(payload) = row.get("payload").filter(|payload| payload.get() != "{}") {
            write_value(payload, out);
        }
    }

    fn agent_state(&mut self, row: &Object, out: &mut Vec<u8>) {
        let (Some(agent), Some(status)) = (row.text("agentId"), row.text("status")) else { return };
        self.write_speech(&agent, out);
        let error = row.text("error").map(|error| format!(": {}", escaped(&error))).unwrap_or_default();
        let told = format!("{status}{error}");
        if self.statuses.get(&*agent) == Some(&told) {
            return;
        }
        self.write_terminal(out);
        write(out, &format!("*{} is {told}*\n\n", escaped(&agent)));
        self.statuses.insert(agent.into_owned(), told);
    }

    /// Words and terminal lines are never held at the same time: each writes the other before it begins.
    fn write_held(&mut self, out: &mut Vec<u8>) {
        self.write_terminal(out);
        self.write_speeches(out);
    }

    fn write_speeches(&mut self, out: &mut Vec<u8>) {
        for (agent, speech) in std::mem::take(&mut self.speeches) {
            self.write_words(agent, speech, out);
        }
    }

    fn write_speech(&mut self, agent: &str, out: &mut Vec<u8>) {
        if let Some((agent, speech)) = self.speeches.shift_remove_entry(agent) {
            self.write_words(agent, speech, out);
        }
    }

    fn write_words(&mut self, agent: String, speech: Speech, out: &mut Vec<u8>) {
        let heading = (agent, speech.turn);
        if self.heading.as_ref() != Some(&heading) {
            write(out, &format!("## {}, turn {}\n\n", escaped(&heading.0), heading.1));
            self.heading = Some(heading);
        }
        write(out, &format!("{}\n\n", without_escapes(&speech.text)));
    }

    fn write_terminal(&mut self, out: &mut Vec<u8>) {
        if !self.terminal.is_empty() {
            write_block("console", &self.terminal, out);
            self.terminal.clear();
        }
    }
}

/// A text as it reads, anything else as its JSON.
fn write_value(value: &Json, out: &mut Vec<u8>) {
    match value.as_str() {
        Some(text) => write_block("text", &without_escapes(&text), out),
        None => write_block("json", value.get(), out),
    }
}

fn write_block(language: &str, text: &str, out: &mut Vec<u8>) {
    let fence = fence(text);
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    write(out, &format!("{fence}{language}\n{text}{line_end}{fence}\n\n"));
}

fn end_line(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

fn write(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
