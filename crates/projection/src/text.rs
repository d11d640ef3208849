//! What of an event is text to be found: pure functions.

use headwater_sessions::without_escapes;
use serde_json::Value;

use crate::limits::{MESSAGE_PART_BYTES, TEXT_BYTES_MAX};

/// Cuts a part of a message that has outgrown its size, between two words where there are any; answers the rest. Where it
/// cuts depends on the text alone, not on the pieces in which it came.
pub(crate) fn split(part: &mut String) -> Option<String> {
    if part.len() <= MESSAGE_PART_BYTES {
        return None;
    }
    let limit = floor_boundary(part, MESSAGE_PART_BYTES);
    let between_words = part[..limit].char_indices().rev().find(|(_, c)| c.is_whitespace());
    let cut = between_words.map_or(limit, |(at, c)| at + c.len_utf8());
    Some(part.split_off(cut))
}

/// Text as people see it, no longer than what is indexed of one row.
pub(crate) fn plain(text: &str) -> String {
    without_escapes(&text[..floor_boundary(text, TEXT_BYTES_MAX)]).into_owned()
}

/// All strings, names and numbers in a JSON value, one on a line.
pub(crate) fn flatten(json: &str, out: &mut String) {
    match serde_json::from_str(json) {
        Ok(value) => flatten_value(&value, out),
        // Well-formed, but with a number or a surrogate that cannot be held.
        Err(_) => push_line(json, out),
    }
}

fn flatten_value(value: &Value, out: &mut String) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => push_line(&number.to_string(), out),
        Value::String(text) => push_line(text, out),
        Value::Array(values) => values.iter().for_each(|value| flatten_value(value, out)),
        Value::Object(fields) => {
            for (name, value) in fields {
                push_line(name, out);
                flatten_value(value, out);
            }
        }
    }
}

fn push_line(text: &str, out: &mut String) {
    if text.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(text);
}

fn floor_boundary(text: &str, limit: usize) -> usize {
    (0..=limit.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The parts that a message has after its chunks have come one by one.
    fn parts<'a>(chunks: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut parts = vec![String::new()];
        for chunk in chunks {
            parts.last_mut().unwrap().push_str(chunk);
            while let Some(rest) = split(parts.last_mut().unwrap()) {
                parts.push(rest);
            }
        }
        parts
    }

    proptest! {
        #[test]
        fn parts_join_to_the_text_and_do_not_depend_on_its_pieces(
            words in proptest::collection::vec("[a-zé日🙂]{1,40} ?", 0..1500),
            every in 1_usize..50,
        ) {
            let text = words.concat();
            let pieces: Vec<String> = text.chars().collect::<Vec<_>>().chunks(every).map(|c| c.iter().collect()).collect();
            let in_pieces = parts(pieces.iter().map(String::as_str));
            prop_assert_eq!(in_pieces.concat(), text.clone());
            prop_assert_eq!(&in_pieces, &parts(std::iter::once(text.as_str())));
            prop_assert!(in_pieces.iter().all(|part| part.len() <= MESSAGE_PART_BYTES));
            for pair in in_pieces.windows(2).filter(|pair| pair[0].contains(' ')) {
                prop_assert!(pair[0].ends_with(' '), "a word was cut");
            }
        }
    }

    #[test]
    fn a_text_without_spaces_is_cut_between_characters() {
        let mut part = "é".repeat(MESSAGE_PART_BYTES);
        let rest = split(&mut part).unwrap();
        assert_eq!(part.len() + rest.len(), 2 * MESSAGE_PART_BYTES);
        assert_eq!(part.len(), MESSAGE_PART_BYTES);
    }

    #[test]
    fn a_json_value_is_its_strings_names_and_numbers() {
        let mut out = String::new();
        flatten(r#"{"path":"a\nb","n":[1.5,true,null,""],"\u00e9":{"x":"y"}}"#, &mut out);
        let mut lines: Vec<&str> = out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["1.5", "a", "b", "n", "path", "x", "y", "é"]);
    }

    #[test]
    fn a_value_that_cannot_be_held_is_indexed_as_it_stands() {
        let mut out = String::new();
        flatten(r#"{"a":"\ud800"}"#, &mut out);
        assert_eq!(out, r#"{"a":"\ud800"}"#);
    }

    #[test]
    fn plain_text_has_no_escapes_and_an_end() {
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m\r\n"), "red\n");
        assert_eq!(plain(&"é".repeat(TEXT_BYTES_MAX)).len(), TEXT_BYTES_MAX);
    }
}
