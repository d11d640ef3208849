//! Text for people: without what steers a terminal, and without what Markdown would take for its own.

use std::borrow::Cow;

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';

/// `text` without escape sequences (ECMA-48) and without control characters but tab and line feed.
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    let is_kept = |c: char| !c.is_control() || matches!(c, '\t' | '\n');
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            ESCAPE => skip_sequence(&mut rest),
            c if is_kept(c) => out.push(c),
            _ => {}
        }
    }
    Cow::Owned(out)
}

/// Passes over what follows an escape: a control sequence up to its final byte, a string up to its terminator, or one
/// character after its intermediates.
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        Some('[') => {
            rest.find(|c| ('@'..='~').contains(c));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let mut after_escape = false;
            rest.find(|c| {
                let ends = *c == BELL || (after_escape && *c == '\\');
                after_escape = *c == ESCAPE;
                ends
            });
        }
        Some(' '..='/') => {
            rest.find(|c| !(' '..='/').contains(c));
        }
        Some(_) | None => {}
    }
}

/// `text` on one line, with nothing in it that Markdown takes for markup.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            c if c.is_ascii_punctuation() && !matches!(c, ',' | '.' | ':' | ';' | '-' | '/' | '\'' | '"' | '?') => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// A fence that nothing in `text` closes.
pub(super) fn fence(text: &str) -> String {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat((longest + 1).max(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_goes_and_the_text_stays() {
        for (given, kept) in [
            ("\u{1b}[32mok\u{1b}[0m\r\n", "ok\n"),
            ("\u{1b}]0;title\u{7}é✓", "é✓"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Ba\u{1b}=b\u{8}\tc", "ab\tc"),
            ("cut \u{1b}[3", "cut "),
            ("plain", "plain"),
        ] {
            assert_eq!(without_escapes(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fence("a"), "```");
        assert_eq!(fence("```` and ```"), "`````");
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escaped("# [a](b)\n*c* <d>"), "\\# \\[a\\]\\(b\\) \\*c\\* \\<d\\>");
    }
}
