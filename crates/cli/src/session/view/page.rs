//! Text that grows downwards: what is printed stays, and only the last line may be open.

use headwater_sessions::without_escapes;

/// What is to be printed next, and whether it ends inside a line.
#[derive(Debug, Default)]
pub(super) struct Page {
    out: String,
    is_open: bool,
}

impl Page {
    /// What has been written since it was last taken.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    /// Ends an open line.
    pub(super) fn end_line(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.out.push('\n');
        }
    }

    /// Writes a line of its own.
    pub(super) fn line(&mut self, line: &str) {
        self.end_line();
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// Goes on with text that came in pieces; each of its lines is indented.
    pub(super) fn text(&mut self, text: &str) {
        for piece in without_escapes(text).split_inclusive('\n') {
            if !self.is_open && piece != "\n" {
                self.out.push_str("  ");
            }
            self.out.push_str(piece);
            self.is_open = !piece.ends_with('\n');
        }
    }
}

/// A value on one line, no longer than `most` characters.
pub(super) fn summary(value: &serde_json::Value, most: usize) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => one_line(text, most),
        other => one_line(&other.to_string(), most),
    }
}

/// The first line that says something, without what steers a terminal.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let plain = without_escapes(text);
    let plain = plain.trim();
    let line = plain.lines().next().unwrap_or_default();
    let is_cut = line.len() < plain.len() || line.chars().count() > most;
    let mut shown: String = line.chars().take(most).collect();
    if is_cut {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_in_pieces_is_indented_once_per_line() {
        let mut page = Page::default();
        for piece in ["one ", "line\n\nand", " more", "\u{1b}[31m!"] {
            page.text(piece);
        }
        page.line("next");
        assert_eq!(page.take(), "  one line\n\n  and more!\nnext\n");
        assert_eq!(page.take(), "");
    }

    #[test]
    fn a_summary_is_one_line_of_bounded_length() {
        assert_eq!(summary(&json!("first\nsecond"), 80), "first…");
        assert_eq!(summary(&json!({"a": "xyz"}), 5), "{\"a\":…");
        assert_eq!(summary(&json!(null), 5), "");
        assert_eq!(one_line("\u{1b}]0;title\u{7} ok ", 80), "ok");
    }
}
