//! Patterns over stream paths (protocol section 6.2).

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::StreamPath;
use crate::limits::GLOB_BYTES_MAX;

/// A pattern that selects streams by their paths.
///
/// A segment `**` stands for any number of segments, none included; `*` stands for one whole segment, and inside a
/// segment (`user-*`) for any characters of it. Everything else means itself. Matching takes time in proportion to the
/// pattern's length times the path's at worst, and allocates nothing. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(Arc<str>);

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidGlob {
    /// Nothing in it.
    #[error("pattern is empty")]
    Empty,
    /// Longer than the limit.
    #[error("pattern has {bytes} bytes; the limit is {GLOB_BYTES_MAX}")]
    TooLong {
        /// Bytes as sent.
        bytes: usize,
    },
    /// No stream path could match it.
    #[error("pattern has an empty, '.' or '..' segment, or a control character")]
    MatchesNothing,
}

impl Glob {
    /// Checks `text` and takes it as a pattern. Slashes at its ends are dropped.
    pub fn new(text: &str) -> Result<Self, InvalidGlob> {
        let text = text.trim_matches('/');
        if text.is_empty() {
            return Err(InvalidGlob::Empty);
        }
        if text.len() > GLOB_BYTES_MAX {
            return Err(InvalidGlob::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) || text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(InvalidGlob::MatchesNothing);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What every matching path begins with, up to the first `*`: where a listing can start.
    pub fn literal_prefix(&self) -> &str {
        let end = self.0.find('*').unwrap_or(self.0.len());
        // `a/**` matches `a` too, so the slash before a `**` is no part of the prefix.
        if self.0[end..].starts_with("**") { self.0[..end].trim_end_matches('/') } else { &self.0[..end] }
    }

    /// Whether it selects the stream at `path`.
    pub fn matches(&self, path: &StreamPath) -> bool {
        match_segments(&self.0, path.as_str())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Matches segment by segment. When a segment fails, only the last `**` needs to take one more: what an earlier one took
/// can only matter for the segments between the two, and those have matched at the earliest place already.
fn match_segments(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (Some(pattern), Some(path));
    let mut retry = None;
    loop {
        match (pattern.map(split_segment), path.map(split_segment)) {
            (None, None) => return true,
            (Some(("**", after)), _) => {
                pattern = after;
                retry = Some((after, path));
            }
            (Some((wanted, after)), Some((segment, rest))) if match_segment(wanted.as_bytes(), segment.as_bytes()) => {
                (pattern, path) = (after, rest);
            }
            _ => {
                let Some((after, Some(taken_from))) = retry else { return false };
                let rest = split_segment(taken_from).1;
                retry = Some((after, rest));
                (pattern, path) = (after, rest);
            }
        }
    }
}

/// The first segment, and what follows its slash.
fn split_segment(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    }
}

/// The same within a segment, where `*` stands for any bytes: it matches whole characters because the literals around it
/// are whole characters.
fn match_segment(pattern: &[u8], segment: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut retry = None;
    while from < segment.len() || at < pattern.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            retry = Some((at, from));
        } else if from < segment.len() && pattern.get(at) == Some(&segment[from]) {
            (at, from) = (at + 1, from + 1);
        } else {
            match retry {
                Some((after, taken_to)) if taken_to < segment.len() => {
                    (at, from) = (after, taken_to + 1);
                    retry = Some((after, from));
                }
                _ => return false,
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Glob::new(pattern).unwrap().matches(&StreamPath::new(path).unwrap())
    }

    #[test]
    fn one_star_takes_one_segment_and_two_take_any_number() {
        for (pattern, path) in [
            ("events/*", "events/a"),
            ("*/a", "events/a"),
            ("**", "a/b/c"),
            ("a/**", "a"),
            ("a/**", "a/b/c"),
            ("**/c", "c"),
            ("**/c", "a/b/c"),
            ("a/**/c", "a/c"),
            ("a/**/b/**/c", "a/b/x/b/y/c"),
            ("**/b/*", "b/b/b"),
            ("/a/", "a"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("events/*", "events"),
            ("events/*", "events/a/b"),
            ("*", "a/b"),
            ("a/**/c", "a/b"),
            ("a/**/c", "b/c"),
            ("**/*/*/*", "a/b"),
            ("events", "event"),
            ("Events/*", "events/a"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_star_inside_a_segment_stays_inside_it() {
        assert!(matches("user-*/log", "user-42/log") && matches("user-*", "user-") && matches("a*c*e", "abcde"));
        assert!(matches("ü*é", "üxé") && matches("a**b", "axxb"));
        assert!(!matches("user-*", "user-1/log") && !matches("*-x", "a-xy") && !matches("a*a", "a"));
    }

    #[test]
    fn patterns_that_could_match_nothing_are_refused() {
        assert_eq!(Glob::new("//"), Err(InvalidGlob::Empty));
        for text in ["a//b", "a/./b", "../a", "a\n"] {
            assert_eq!(Glob::new(text), Err(InvalidGlob::MatchesNothing), "{text:?}");
        }
        assert_eq!(Glob::new(&"a".repeat(1025)), Err(InvalidGlob::TooLong { bytes: 1025 }));
    }

    #[test]
    fn crafted_patterns_do_not_explode() {
        let deep = ["a"; 512].join("/");
        assert!(!matches(&format!("{}b", "**/a/".repeat(200)), &deep));
        assert!(!matches(&format!("{}b", "*a".repeat(500)), &"a".repeat(1024)));
        assert!(!matches(&format!("{}/b", vec!["**/*a*a*a*a*b"; 70].join("/")), &deep));
    }

    /// The rules as they read, in exponential time.
    fn model(pattern: &[&str], path: &[&str]) -> bool {
        match pattern.split_first() {
            None => path.is_empty(),
            Some((&"**", rest)) => (0..=path.len()).any(|taken| model(rest, &path[taken..])),
            Some((wanted, rest)) => {
                path.split_first().is_some_and(|(segment, more)| model_segment(wanted, segment) && model(rest, more))
            }
        }
    }

    fn model_segment(pattern: &str, segment: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == segment,
            Some((literal, rest)) => segment
                .strip_prefix(literal)
                .is_some_and(|more| (0..=more.len()).any(|taken| model_segment(rest, &more[taken..]))),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn matching_agrees_with_the_rules_as_they_read(
            pattern in prop::collection::vec("[ab*]{1,4}|\\*\\*|\\*", 1..6), path in prop::collection::vec("[ab]{1,4}", 1..7),
        ) {
            let glob = Glob::new(&pattern.join("/")).unwrap();
            let expected = model(
                &pattern.iter().map(String::as_str).collect::<Vec<_>>(),
                &path.iter().map(String::as_str).collect::<Vec<_>>(),
            );
            let path = path.join("/");
            prop_assert_eq!(glob.matches(&StreamPath::new(&path).unwrap()), expected);
            prop_assert!(!expected || path.starts_with(glob.literal_prefix()));
        }
    }
}
