//! An incremental parser for event streams, by the rules of the HTML standard.

use std::mem;

use memchr::memchr2;
use thiserror::Error;

use crate::limits::SSE_EVENT_BYTES_MAX;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The last `event` field; empty when there was none, which browsers call `message`.
    pub event: String,
    /// The `data` fields, joined by line feeds.
    pub data: String,
}

/// The sender never ended an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an event is larger than {limit} bytes")]
pub struct EventTooLarge {
    /// The parser's limit.
    pub limit: usize,
}

/// Turns bytes into events, however the bytes are cut: inside a field, a character, or between CR and LF.
///
/// `id` and `retry`, which the protocol does not use, are skipped like comments and unknown fields. Bytes that are not
/// UTF-8 become U+FFFD. An event that the connection's end cuts short is never dispatched.
#[derive(Debug, Clone)]
pub struct SseParser {
    line: Vec<u8>,
    event: String,
    data: String,
    has_data: bool,
    after_cr: bool,
    at_start: bool,
    limit: usize,
}

impl Default for SseParser {
    fn default() -> Self {
        Self::new(SSE_EVENT_BYTES_MAX)
    }
}

impl SseParser {
    /// A parser at the start of a stream that refuses events of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            line: Vec::new(),
            event: String::new(),
            data: String::new(),
            has_data: false,
            after_cr: false,
            at_start: true,
            limit,
        }
    }

    /// Takes the next bytes and gives the events they complete. After an error the parser must be dropped.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, EventTooLarge> {
        let mut events = Vec::new();
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            if mem::take(&mut self.after_cr) && first == b'\n' {
                rest = after;
                continue;
            }
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            self.hold(&rest[..end])?;
            rest = &rest[end..];
            if let Some((&line_break, after)) = rest.split_first() {
                self.after_cr = line_break == b'\r';
                events.extend(self.end_line());
                rest = after;
            }
        }
        Ok(events)
    }

    fn hold(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        if self.event.len() + self.data.len() + self.line.len() + part.len() > self.limit {
            return Err(EventTooLarge { limit: self.limit });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Option<SseEvent> {
        let held = mem::take(&mut self.line);
        let mut line = held.as_slice();
        if mem::take(&mut self.at_start) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let dispatched = if line.is_empty() { self.dispatch() } else { self.take_field(line) };
        self.line = held;
        self.line.clear();
        dispatched
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let (event, data) = (mem::take(&mut self.event), mem::take(&mut self.data));
        mem::take(&mut self.has_data).then_some(SseEvent { event, data })
    }

    fn take_field(&mut self, line: &[u8]) -> Option<SseEvent> {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
        match &line[..colon] {
            b"event" => self.event = value.into_owned(),
            b"data" => {
                if mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(&value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(stream: &str) -> Vec<(String, String)> {
        let events = SseParser::default().push(stream.as_bytes()).unwrap();
        events.into_iter().map(|event| (event.event, event.data)).collect()
    }

    fn event(event: &str, data: &str) -> (String, String) {
        (event.to_owned(), data.to_owned())
    }

    #[test]
    fn fields_lose_one_space_and_unknown_ones_are_skipped() {
        assert_eq!(
            parse(":c\nid: 1\nretry:9\ndatax:y\nevent: a\ndata:  b\ndata\ndata:c:d\n\n"),
            [event("a", " b\n\nc:d")]
        );
    }

    #[test]
    fn an_event_needs_data_and_an_empty_line() {
        assert_eq!(parse("event: a\n\ndata: b\n\ndata: lost"), [event("", "b")]);
        assert_eq!(parse("data:\n\n"), [event("", "")]);
    }

    #[test]
    fn every_kind_of_line_break_ends_a_line_and_one_byte_order_mark_is_dropped() {
        assert_eq!(parse("\u{feff}data:a\rdata:b\r\ndata:c\n\r\n"), [event("", "a\nb\nc")]);
        assert_eq!(parse("data:a\n\n\u{feff}data:b\n\n"), [event("", "a")]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = SseParser::new(20);
        assert_eq!(parser.push(b"data:0123456789\n\ndata:0123456789\n\n").unwrap().len(), 2);
        assert_eq!(parser.push(b"data:0123456789\ndata:9876543210"), Err(EventTooLarge { limit: 20 }));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            text in "(data|event|id|:|é|[a: ]|\r|\n|\r\n|\u{feff}|\u{1f600}){0,40}", size in 1..5_usize,
        ) {
            let whole = SseParser::default().push(text.as_bytes()).unwrap();
            let mut parser = SseParser::default();
            let cut: Vec<_> = text.as_bytes().chunks(size).flat_map(|part| parser.push(part).unwrap()).collect();
            prop_assert_eq!(cut, whole);
        }
    }
}
