//! The terminal of a session: its lines, what people typed, and typing.

use std::sync::Arc;

use super::limits::INPUT_HISTORY_MAX;
use super::{Collection, Post, Session, SessionError, TerminalKind, TerminalLine, TerminalSource, Txn};

/// A session's terminal. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Terminal {
    session: Session,
}

impl Terminal {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    /// What went in and came out, in order. [`Collection::subscribe`] tells it as it comes, each line once.
    pub fn lines(&self) -> &Collection<TerminalLine> {
        self.session.terminal_lines()
    }

    /// What people typed, newest first, at most 50.
    pub fn input_history(&self) -> Vec<Arc<TerminalLine>> {
        let is_typed =
            |line: &Arc<TerminalLine>| line.kind == TerminalKind::Input && line.source == TerminalSource::User;
        self.lines().iter().rev().filter(is_typed).take(INPUT_HISTORY_MAX).collect()
    }

    /// Types a command, which is shown at once.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn send(&self, command: impl Into<String>) -> Result<Txn, SessionError> {
        self.session.write([Post::terminal_input(command)])
    }
}
