//! The terminal as an asciinema recording, version 2: a head, then `[seconds, "o" or "i", data]` per line.
//!
//! Data is what was stored, escape sequences included; only a line feed that stands alone gets its carriage return, as
//! a terminal in raw mode needs it. Time never runs backwards: a line that claims to be earlier than the one before it
//! comes at once.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::write_json;
use crate::channel::Channel;
use crate::reading::event::SessionEvent;
use crate::registry::SessionRow;

/// Nobody records how large the terminal was.
const COLUMNS: u16 = 120;
const ROWS: u16 = 40;

pub(super) struct Asciicast {
    row: SessionRow,
    /// When the first line came, in Unix milliseconds.
    begun_ms: Option<u64>,
    /// Milliseconds since then at the latest line.
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct Head<'a> {
    version: u8,
    width: u16,
    height: u16,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Cow<'a, str>,
    timestamp: u64,
}

impl Asciicast {
    pub(super) fn new(row: SessionRow) -> Self {
        Self { row, begun_ms: None, elapsed_ms: 0 }
    }

    pub(super) fn event(&mut self, event: &SessionEvent, out: &mut Vec<u8>) {
        if event.channel != Channel::Terminal {
            return;
        }
        let Some(data) = &event.data else { return };
        let Ok(line) = serde_json::from_str::<Line<'_>>(data.get()) else { return };
        if self.begun_ms.is_none() {
            self.head(line.timestamp, out);
        }
        let since_ms = line.timestamp.saturating_sub(self.begun_ms.unwrap_or(line.timestamp));
        self.elapsed_ms = self.elapsed_ms.max(since_ms);
        let code = if line.kind == "input" { 'i' } else { 'o' };
        let (seconds, millis) = (self.elapsed_ms / 1_000, self.elapsed_ms % 1_000);
        out.extend_from_slice(format!("[{seconds}.{millis:03}, \"{code}\", ").as_bytes());
        write_json(&with_carriage_returns(&line.data), out);
        out.extend_from_slice(b"]\n");
    }

    /// A session without a terminal is a recording of nothing.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if self.begun_ms.is_none() {
            self.head(self.row.created_at, out);
        }
    }

    fn head(&mut self, begun_ms: u64, out: &mut Vec<u8>) {
        self.begun_ms = Some(begun_ms);
        let title = self.row.title.as_deref();
        let head = Head { version: 2, width: COLUMNS, height: ROWS, timestamp: begun_ms / 1_000, title };
        write_json(&head, out);
        out.push(b'\n');
    }
}

fn with_carriage_returns(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\n') {
        out.push_str(&rest[..at]);
        out.push_str(if out.ends_with('\r') { "\n" } else { "\r\n" });
        rest = &rest[at + 1..];
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}
