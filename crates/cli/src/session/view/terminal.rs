//! Terminal text as lines. It comes in pieces that need not be lines, and may move a cursor that is not there.

use headwater_client::sessions::TerminalKind;

use super::page::Page;
use super::paint::{Look, Paint};
use crate::limits::VIEW_TERMINAL_LINE_BYTES;
use headwater_sessions::without_escapes;

/// What has come of a line that has not ended.
#[derive(Debug, Default)]
pub(super) struct Terminal {
    partial: String,
}

impl Terminal {
    /// Takes in a piece and writes the lines that are complete.
    pub(super) fn piece(&mut self, kind: TerminalKind, text: &str, paint: Paint, page: &mut Page) {
        if kind == TerminalKind::Input {
            self.flush(paint, page);
            for line in text.trim_end_matches(['\r', '\n']).lines() {
                let shown = paint.paint(Look::Bold, &shown(line));
                page.line(&format!("{} $ {shown}", paint.paint(Look::Dim, "│")));
            }
            return;
        }
        self.partial.push_str(text);
        while let Some(end) = self.partial.find('\n') {
            let line: String = self.partial.drain(..=end).collect();
            write(&line, kind, paint, page);
        }
        if self.partial.len() > VIEW_TERMINAL_LINE_BYTES {
            self.flush(paint, page);
        }
    }

    /// Writes what has not ended: nothing more came for a while, or something else did.
    pub(super) fn flush(&mut self, paint: Paint, page: &mut Page) {
        let rest = std::mem::take(&mut self.partial);
        if !shown(&rest).is_empty() {
            write(&rest, TerminalKind::Output, paint, page);
        }
    }
}

fn write(line: &str, kind: TerminalKind, paint: Paint, page: &mut Page) {
    let text = shown(line);
    let text = if kind == TerminalKind::Error { paint.paint(Look::Bad, &text) } else { text };
    let line = format!("{} {text}", paint.paint(Look::Dim, "│"));
    page.line(line.trim_end());
}

/// A line as it stands in the end: what a carriage return has written over is gone.
fn shown(line: &str) -> String {
    let line = line.trim_end_matches(['\r', '\n']);
    without_escapes(line.rsplit('\r').next().unwrap_or_default()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines_and_progress_is_told_once() {
        let (mut terminal, mut page) = (Terminal::default(), Page::default());
        for piece in ["\u{1b}[32mok", "\u{1b}[0m\r\n10%", "\r20%\r", "\n$ "] {
            terminal.piece(TerminalKind::Output, piece, Paint::Plain, &mut page);
        }
        terminal.piece(TerminalKind::Input, "make\n", Paint::Plain, &mut page);
        assert_eq!(page.take(), "│ ok\n│ 20%\n│ $\n│ $ make\n");
    }
}
