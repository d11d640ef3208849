//! A session as lines of text, one after the other: what `watch` and `replay` print.
//!
//! Nothing is ever printed over, so that it reads the same in a terminal, in its history and in a file. Text from a
//! session is shown without what steers terminals. Agents that speak at the same time are told one after the other:
//! whoever began is not interrupted until there is a pause.

mod page;
mod paint;
mod speech;
mod terminal;

use std::collections::HashMap;

use headwater_client::sessions::{
    AgentState, AgentStatus, Channel, Chunk, Operation, Participant, SessionEvent, TerminalLine, ToolCall, ToolStatus,
    WorkflowEvent,
};

use crate::limits::VIEW_SUMMARY_CHARACTERS;
pub(crate) use page::one_line;
use page::{Page, summary};
pub(crate) use paint::{Look, Paint};
use speech::Speech;
use terminal::Terminal;

/// What has been told, as far as it matters for what is told next.
#[derive(Debug)]
pub(crate) struct View {
    paint: Paint,
    page: Page,
    speech: Speech,
    terminal: Terminal,
    /// How far each tool call was when it was last told.
    tools: HashMap<String, ToolStatus>,
    /// What was last told of each agent.
    agents: HashMap<String, String>,
    /// What people who are there are called.
    people: HashMap<String, String>,
}

impl View {
    pub(crate) fn new(paint: Paint) -> Self {
        Self {
            paint,
            page: Page::default(),
            speech: Speech::default(),
            terminal: Terminal::default(),
            tools: HashMap::new(),
            agents: HashMap::new(),
            people: HashMap::new(),
        }
    }

    /// Takes in an event; answers what to print.
    pub(crate) fn event(&mut self, event: &SessionEvent) -> String {
        match event.channel {
            Channel::Chunks => self.chunk(event),
            Channel::ToolCalls => self.tool_call(event),
            Channel::Presence => self.presence(event),
            Channel::Terminal => self.terminal_line(event),
            Channel::Workflow => self.workflow(event),
            Channel::AgentState => self.agent_state(event),
            _ => {}
        }
        self.page.take()
    }

    /// Nothing has come for a while; answers what was held back.
    pub(crate) fn pause(&mut self) -> String {
        self.terminal.flush(self.paint, &mut self.page);
        self.speech.pause(self.paint, &mut self.page);
        self.page.take()
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) -> String {
        self.terminal.flush(self.paint, &mut self.page);
        self.speech.finish(None, self.paint, &mut self.page);
        self.page.end_line();
        self.page.take()
    }

    /// A line about the watching itself.
    pub(crate) fn note(&mut self, text: &str) -> String {
        let line = self.paint.paint(Look::Dim, &format!("-- {text}"));
        self.page.line(&line);
        self.speech.interrupted();
        self.page.take()
    }

    fn chunk(&mut self, event: &SessionEvent) {
        let Some(chunk) = event.row::<Chunk>() else { return };
        self.terminal.flush(self.paint, &mut self.page);
        self.speech.say(&chunk.agent_id, chunk.turn.unwrap_or(0), &chunk.text, self.paint, &mut self.page);
    }

    /// A line of its own, after what its agent has said.
    fn line(&mut self, agent: Option<&str>, line: &str) {
        self.terminal.flush(self.paint, &mut self.page);
        if let Some(agent) = agent {
            self.speech.finish(Some(agent), self.paint, &mut self.page);
        }
        self.page.line(line);
        self.speech.interrupted();
    }

    fn tool_call(&mut self, event: &SessionEvent) {
        let Some(call) = event.row::<ToolCall>() else { return };
        let before = self.tools.insert(call.id.clone(), call.status);
        if before == Some(call.status) {
            return;
        }
        let (mark, look) = match call.status {
            ToolStatus::Pending => ("○", Look::Alert),
            ToolStatus::Running => ("▸", Look::Dim),
            ToolStatus::Complete => ("✓", Look::Good),
            ToolStatus::Error => ("✗", Look::Bad),
            _ => ("?", Look::Dim),
        };
        let mut told = format!(
            "{} {} {}",
            self.paint.paint(look, mark),
            self.paint.name(&plain(&call.agent_id)),
            plain(&call.tool)
        );
        let is_over = matches!(call.status, ToolStatus::Complete | ToolStatus::Error);
        if !is_over || before.is_none() {
            push(&mut told, &summary(&call.input, VIEW_SUMMARY_CHARACTERS));
        }
        if is_over {
            let took = call.duration.map_or_else(String::new, |ms| format!("({})", length(ms)));
            push(&mut told, &self.paint.paint(Look::Dim, &took));
            push(&mut told, &summary(&call.output, VIEW_SUMMARY_CHARACTERS));
        }
        self.line(Some(&call.agent_id), &told);
    }

    fn presence(&mut self, event: &SessionEvent) {
        if event.operation == Operation::Delete {
            let name = self.people.remove(&event.key).unwrap_or_else(|| plain(&event.key));
            let line = format!("- {} has left", self.paint.name(&name));
            return self.line(None, &line);
        }
        let Some(person) = event.row::<Participant>() else { return };
        let name = plain(person.display_name.as_deref().unwrap_or(&person.user_id));
        if self.people.insert(event.key.clone(), name.clone()).is_none() {
            let line = format!("+ {} is here", self.paint.name(&name));
            self.line(None, &line);
        }
    }

    fn terminal_line(&mut self, event: &SessionEvent) {
        let Some(line) = event.row::<TerminalLine>() else { return };
        self.terminal.piece(line.kind, &line.data, self.paint, &mut self.page);
        self.speech.interrupted();
    }

    fn workflow(&mut self, event: &SessionEvent) {
        let Some(step) = event.row::<WorkflowEvent>() else { return };
        let what = event.data.as_ref().and_then(|row| row["type"].as_str()).unwrap_or_default();
        let mut told = self.paint.paint(Look::Alert, &format!("◆ {}", plain(what).replace(':', " ")));
        push(&mut told, &summary(&step.payload, VIEW_SUMMARY_CHARACTERS));
        if let Some(actor) = &step.actor {
            push(&mut told, &format!("by {}", self.paint.name(&plain(actor))));
        }
        self.line(None, &told);
    }

    fn agent_state(&mut self, event: &SessionEvent) {
        let Some(state) = event.row::<AgentState>() else { return };
        let word = event.data.as_ref().and_then(|row| row["status"].as_str()).unwrap_or_default();
        let said = state.error.as_deref().or(state.message.as_deref()).unwrap_or_default();
        let mut told = plain(word);
        if let Some(progress) = state.progress.filter(|progress| *progress > 0.0) {
            push(&mut told, &format!("{:.0} %", progress * 100.0));
        }
        push(&mut told, &one_line(said, VIEW_SUMMARY_CHARACTERS));
        if self.agents.insert(state.agent_id.clone(), told.clone()).as_ref() == Some(&told) {
            return;
        }
        let look = match state.status {
            AgentStatus::Error => Look::Bad,
            AgentStatus::Completed => Look::Good,
            AgentStatus::Paused => Look::Alert,
            _ => Look::Dim,
        };
        let line = format!("● {} {}", self.paint.name(&plain(&state.agent_id)), self.paint.paint(look, &told));
        self.line(Some(&state.agent_id), &line);
    }
}

fn push(text: &mut String, more: &str) {
    if !more.is_empty() {
        text.push(' ');
        text.push_str(more);
    }
}

/// A name, harmless: names come from others.
fn plain(name: &str) -> String {
    one_line(name, VIEW_SUMMARY_CHARACTERS)
}

/// How long something took.
fn length(ms: f64) -> String {
    if ms < 1_000.0 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1_000.0) }
}

#[cfg(test)]
mod tests;
