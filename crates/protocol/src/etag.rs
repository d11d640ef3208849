//! Entity tags of catch-up pages, and when a reader has the page already (protocol section 10.1, RFC 9110 section 13.1.2).

use std::fmt;

use crate::Offset;

/// A strong entity tag that names one page of one incarnation of a stream, or one document, quotes included.
///
/// Bytes at an offset never change, so the incarnation and the range name the content; closure is part of the tag because
/// a cached page must not hide it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// The tag of the page from `start` to `next` of the stream incarnation `stream_id`; `closed` tells whether the page
    /// is the last one of a closed stream.
    pub fn new(stream_id: u64, start: Offset, next: Offset, closed: bool) -> Self {
        let mark = if closed { ":c" } else { "" };
        Self(format!("\"{stream_id:x}:{}:{}{mark}\"", start.get(), next.get()))
    }

    /// The tag of a document, by a digest of its content.
    pub fn of_digest(digest: &[u8]) -> Self {
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("\"{digits}\""))
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the lines of `If-None-Match` name `current`, so that the answer is 304.
///
/// Weak comparison, lists over any number of lines, commas inside quotes, and `*`, which matches whatever exists.
/// A malformed member matches nothing.
pub fn if_none_match<'a>(lines: impl IntoIterator<Item = &'a [u8]>, current: &ETag) -> bool {
    lines.into_iter().any(|line| line.trim_ascii() == b"*" || list_names(line, current.0.as_bytes()))
}

fn list_names(line: &[u8], current: &[u8]) -> bool {
    let mut rest = line;
    while let Some((member, after)) = split_member(rest) {
        if member.strip_prefix(b"W/").unwrap_or(member) == current {
            return true;
        }
        rest = after;
    }
    false
}

/// The first list member, trimmed, and what follows its comma; `None` at the end of the list.
fn split_member(list: &[u8]) -> Option<(&[u8], &[u8])> {
    if list.is_empty() {
        return None;
    }
    let mut quoted = false;
    let comma = list.iter().position(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    let (member, rest) = match comma {
        Some(at) => (&list[..at], &list[at + 1..]),
        None => (list, &list[list.len()..]),
    };
    Some((member.trim_ascii(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag() -> ETag {
        ETag::new(0xab, Offset::START, Offset::new(16), false)
    }

    fn matches(line: &str) -> bool {
        if_none_match([line.as_bytes()], &tag())
    }

    #[test]
    fn a_tag_names_incarnation_range_and_closure() {
        let tags = [
            tag(),
            ETag::new(0xac, Offset::START, Offset::new(16), false),
            ETag::new(0xab, Offset::new(1), Offset::new(16), false),
            ETag::new(0xab, Offset::START, Offset::new(17), false),
            ETag::new(0xab, Offset::START, Offset::new(16), true),
        ];
        assert_eq!(tags[0].as_str(), "\"ab:0:16\"");
        for (at, left) in tags.iter().enumerate() {
            assert!(tags[..at].iter().all(|right| right != left));
        }
    }

    #[test]
    fn comparison_is_weak_and_lists_are_searched() {
        let current = tag();
        assert!(matches(current.as_str()));
        assert!(matches(&format!("W/{current}")));
        assert!(matches(&format!("\"a,b\" ,, W/\"x\",\t{current}")));
        assert!(matches(" * "));
        assert!(if_none_match(["\"x\"".as_bytes(), current.as_str().as_bytes()], &current));
    }

    #[test]
    fn other_tags_and_malformed_members_match_nothing() {
        let current = tag();
        let bare = current.as_str().trim_matches('"');
        let weak_lower_case = format!("w/{current}");
        let inside_quotes = format!("\"x,{bare},y\"");
        for line in ["", ",", "\"\"", "\"x\"", bare, &weak_lower_case, &inside_quotes, "*, \"x\"", "\"*\""] {
            assert!(!matches(line), "{line}");
        }
        assert!(!if_none_match([], &current));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_and_the_tag_is_found_after_whole_members(
            garbage in any::<Vec<u8>>(), members in prop::collection::vec("(W/)?\"[!#-~]{0,9}\"", 0..5),
        ) {
            let current = tag();
            if_none_match([garbage.as_slice()], &current);
            let line = format!("{},{current}", members.join(", "));
            prop_assert!(if_none_match([garbage.as_slice(), line.as_bytes()], &current));
        }
    }
}
