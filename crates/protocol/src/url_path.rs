//! Stream paths as URLs write them.
//!
//! `%2F` decodes to `/` like any other escape: clients write a whole path with `encodeURIComponent` where the protocol
//! has it as one parameter, and `manual%2Fb` and `manual/b` must be the same stream everywhere.

use std::fmt::Write;

use crate::{InvalidPath, StreamPath};

/// Decodes the part of a URL's path that follows the stream root and its slash.
///
/// Refuses `%` without two hexadecimal digits, escapes that are not UTF-8, and whatever [`StreamPath::new`] refuses,
/// escaped or not (`%2e%2e` is `..`). `+` means itself.
pub fn path_from_url(raw: &str) -> Result<StreamPath, InvalidPath> {
    if !raw.contains('%') {
        return StreamPath::new(raw);
    }
    let decoded = percent_decode(raw.as_bytes()).ok_or(InvalidPath::MalformedEscape)?;
    StreamPath::new(std::str::from_utf8(&decoded).map_err(|_| InvalidPath::NotUtf8)?)
}

/// Writes a path for the place after the stream root and its slash: for `Location` and links.
///
/// [`path_from_url`] gives the path back.
pub fn path_to_url(path: &StreamPath) -> String {
    percent_encode(path.as_str(), |byte| byte == b'/' || is_segment_byte(byte))
}

/// Writes `text` as one segment of a URL's path, like a subscription's id: slashes are escaped too.
pub fn segment_to_url(text: &str) -> String {
    percent_encode(text, is_segment_byte)
}

/// Decodes one segment of a URL's path; `None` when an escape is malformed or the result is not UTF-8.
pub fn segment_from_url(raw: &str) -> Option<String> {
    String::from_utf8(percent_decode(raw.as_bytes())?).ok()
}

fn percent_decode(raw: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            decoded.push(hex_digit(digits[0])? << 4 | hex_digit(digits[1])?);
            rest = after;
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn percent_encode(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes every write");
        }
    }
    encoded
}

/// What RFC 3986 allows in a segment as it is.
fn is_segment_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded_and_an_escaped_slash_is_a_slash() {
        for (raw, path) in
            [("a/b", "a/b"), ("manual%2Fb", "manual/b"), ("%c3%BCn%20i", "ün i"), ("a+b", "a+b"), ("%2525", "%25")]
        {
            assert_eq!(path_from_url(raw).unwrap().as_str(), path, "{raw}");
        }
    }

    #[test]
    fn malformed_escapes_and_escaped_tricks_are_refused() {
        for raw in ["%", "a%2", "%zz", "%+1", "a%%20"] {
            assert_eq!(path_from_url(raw), Err(InvalidPath::MalformedEscape), "{raw}");
        }
        assert_eq!(path_from_url("%ff"), Err(InvalidPath::NotUtf8));
        assert_eq!(path_from_url("a/%2e%2E/b"), Err(InvalidPath::BadSegment));
        assert_eq!(path_from_url("a%2F%2Fb"), Err(InvalidPath::BadSegment));
        assert_eq!(path_from_url("a%00"), Err(InvalidPath::ControlCharacter));
        assert_eq!(path_from_url(""), Err(InvalidPath::Empty));
    }

    #[test]
    fn a_segment_escapes_its_slashes() {
        assert_eq!(segment_to_url("a/b ü"), "a%2Fb%20%C3%BC");
        assert_eq!(segment_from_url("a%2Fb%20%C3%BC").as_deref(), Some("a/b ü"));
        assert_eq!(segment_from_url("%C3"), None);
    }

    proptest! {
        #[test]
        fn every_path_survives_its_url(text in "[^/\\x00]{1,9}(/[^/\\x00]{1,9}){0,3}") {
            if let Ok(path) = StreamPath::new(&text) {
                let url = path_to_url(&path);
                prop_assert!(url.is_ascii() && !url.contains(['?', '#', ' ', '"']));
                prop_assert_eq!(path_from_url(&url), Ok(path));
            }
        }

        #[test]
        fn any_text_is_decoded_or_refused(raw in any::<String>()) {
            if let Ok(path) = path_from_url(&raw) {
                prop_assert_eq!(path_from_url(&path_to_url(&path)), Ok(path));
            }
        }
    }
}
