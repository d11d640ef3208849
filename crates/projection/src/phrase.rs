//! From what people type to what FTS5 takes: no character of theirs is syntax there.

use crate::limits::QUERY_PHRASES_MAX;

/// The query as an FTS5 expression: all words and phrases in quotation marks, the last word as a prefix while it may be
/// unfinished. `None` when there is no word in it.
pub(crate) fn expression(text: &str) -> Option<String> {
    let mut phrases = Vec::new();
    for (index, stretch) in text.split('"').enumerate() {
        if index % 2 == 1 {
            phrases.push(stretch);
        } else {
            phrases.extend(stretch.split_whitespace());
        }
    }
    let is_unfinished = text.ends_with(|c: char| !c.is_whitespace() && c != '"');
    let mut quoted: Vec<String> = phrases
        .into_iter()
        .filter(|phrase| phrase.chars().any(char::is_alphanumeric))
        .take(QUERY_PHRASES_MAX)
        .map(|phrase| format!("\"{}\"", phrase.replace(char::is_control, " ")))
        .collect();
    if is_unfinished {
        quoted.last_mut()?.push('*');
    }
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_phrases_and_an_unfinished_word() {
        for (typed, expected) in [
            ("one two", r#""one" "two"*"#),
            ("one two ", r#""one" "two""#),
            (r#"say "hello world" now"#, r#""say" "hello world" "now"*"#),
            (r#""hello world""#, r#""hello world""#),
            (r#""hello wor"#, r#""hello wor"*"#),
            ("a OR b NOT c*", r#""a" "OR" "b" "NOT" "c*"*"#),
            ("text:x ^y (z) -q", r#""text:x" "^y" "(z)" "-q"*"#),
            ("nul\0 in", r#""nul " "in"*"#),
        ] {
            assert_eq!(expression(typed).as_deref(), Some(expected), "{typed}");
        }
    }

    #[test]
    fn what_holds_no_word_asks_for_nothing() {
        for typed in ["", "  ", "\"", "\"\" --- *", "🙂"] {
            assert_eq!(expression(typed), None, "{typed}");
        }
    }
}
