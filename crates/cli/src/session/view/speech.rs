//! What agents say, as it comes. One speaks at a time; the others are held back until there is a pause.

use super::page::Page;
use super::paint::{Look, Paint};
use crate::limits::VIEW_HELD_BYTES;

/// Who speaks, and who waits.
#[derive(Debug, Default)]
pub(super) struct Speech {
    current: Option<Voice>,
    /// Something else was printed since the current one spoke.
    is_interrupted: bool,
    waiting: Vec<(Voice, String)>,
}

/// One turn of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Voice {
    agent: String,
    turn: u64,
}

impl Speech {
    /// An agent says something.
    pub(super) fn say(&mut self, agent: &str, turn: u64, text: &str, paint: Paint, page: &mut Page) {
        let voice = Voice { agent: agent.to_owned(), turn };
        // A new turn ends the one before.
        if self.current.as_ref().is_some_and(|current| current.agent == voice.agent && current.turn != turn) {
            self.finish(Some(agent), paint, page);
        }
        match &self.current {
            Some(current) if *current != voice => self.hold(voice, text, paint, page),
            _ => self.speak(voice, text, paint, page),
        }
    }

    /// The agent has ended a turn; without one, all have. Whoever waited is told.
    pub(super) fn finish(&mut self, agent: Option<&str>, paint: Paint, page: &mut Page) {
        if agent.is_none() || self.current.as_ref().is_some_and(|current| Some(current.agent.as_str()) == agent) {
            self.current = None;
            self.release(paint, page);
            self.current = None;
        } else if let Some(place) = self.waiting.iter().position(|(voice, _)| Some(voice.agent.as_str()) == agent) {
            let (voice, text) = self.waiting.remove(place);
            self.speak(voice, &text, paint, page);
        }
    }

    /// Nothing has come for a while.
    pub(super) fn pause(&mut self, paint: Paint, page: &mut Page) {
        self.release(paint, page);
    }

    /// Something else was printed: the next words need to say whose they are.
    pub(super) fn interrupted(&mut self) {
        self.is_interrupted = true;
    }

    fn hold(&mut self, voice: Voice, text: &str, paint: Paint, page: &mut Page) {
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == voice) {
            Some((_, held)) => held.push_str(text),
            None => self.waiting.push((voice, text.to_owned())),
        }
        if self.waiting.iter().map(|(_, held)| held.len()).sum::<usize>() > VIEW_HELD_BYTES {
            self.release(paint, page);
        }
    }

    fn release(&mut self, paint: Paint, page: &mut Page) {
        for (voice, text) in std::mem::take(&mut self.waiting) {
            self.speak(voice, &text, paint, page);
        }
    }

    fn speak(&mut self, voice: Voice, text: &str, paint: Paint, page: &mut Page) {
        let is_same = self.current.as_ref() == Some(&voice);
        if !is_same || std::mem::take(&mut self.is_interrupted) {
            let turn = if voice.turn == 0 { String::new() } else { format!("turn {}", voice.turn) };
            let name = paint.name(&super::plain(&voice.agent));
            page.line(format!("{name} {}", paint.paint(Look::Dim, &turn)).trim_end());
        }
        self.is_interrupted = false;
        self.current = Some(voice);
        page.text(text);
    }
}
