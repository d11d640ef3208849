//! From what a program prints to the terminal's lines: pieces of text that are whole characters and fit an event.

use std::mem;
use std::str;

use headwater_client::sessions::{Post, TerminalKind, TerminalSource};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Run;
use crate::failure::Failure;
use crate::limits::{RUN_PIECE_BYTES, RUN_PIECE_INTERVAL};

/// Bytes of one character at most.
const CHARACTER_BYTES_MAX: usize = 4;

/// Writes down what comes, in pieces, until nothing more can come.
pub(super) async fn record(run: &Run, kind: TerminalKind, mut printed: mpsc::Receiver<Vec<u8>>) -> Result<(), Failure> {
    let mut cutter = Cutter::default();
    let mut due = None;
    loop {
        let bytes = tokio::select! {
            bytes = printed.recv() => bytes,
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                due = None;
                said(run, kind, cutter.take()).await?;
                continue;
            }
        };
        let Some(bytes) = bytes else { break };
        cutter.add(&bytes);
        while cutter.len() >= RUN_PIECE_BYTES {
            said(run, kind, cutter.take()).await?;
        }
        // What is printed together is told together.
        due = (cutter.len() > 0).then(|| due.unwrap_or_else(|| Instant::now() + RUN_PIECE_INTERVAL));
    }
    while cutter.len() > RUN_PIECE_BYTES {
        said(run, kind, cutter.take()).await?;
    }
    said(run, kind, cutter.rest()).await
}

async fn said(run: &Run, kind: TerminalKind, text: String) -> Result<(), Failure> {
    if text.is_empty() { Ok(()) } else { run.say(Post::terminal(kind, TerminalSource::Agent, text)).await }
}

/// The sequence that tells a terminal its size (XTWINOPS 8): recorded where the size changes, so that a replay can follow.
pub(super) fn resized(columns: u16, rows: u16) -> Post {
    let sequence = format!("\u{1b}[8;{rows};{columns}t");
    Post::terminal(TerminalKind::Output, TerminalSource::System, sequence)
}

/// Bytes that have come and were not taken.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    bytes: Vec<u8>,
}

impl Cutter {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A piece of whole characters. A character whose end has not come stays; bytes that are none are replaced.
    pub(super) fn take(&mut self) -> String {
        let most = self.bytes.len().min(RUN_PIECE_BYTES);
        let end = most - unfinished(&self.bytes[..most]);
        let rest = self.bytes.split_off(end);
        text(&mem::replace(&mut self.bytes, rest))
    }

    /// All of it: nothing more comes.
    pub(super) fn rest(&mut self) -> String {
        text(&mem::take(&mut self.bytes))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Length of a character at the end that is not all there.
fn unfinished(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(CHARACTER_BYTES_MAX - 1)..];
    (1..=tail.len()).find(|&length| begins(&tail[tail.len() - length..])).unwrap_or(0)
}

/// Whether these bytes are the beginning of a character and not the whole of it.
fn begins(bytes: &[u8]) -> bool {
    matches!(str::from_utf8(bytes), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stay_whole_however_they_come() {
        let text = "a é 日 🚀 \u{1b}[31mred\u{1b}[0m";
        for size in 1..text.len() {
            let mut cutter = Cutter::default();
            let mut told = String::new();
            for bytes in text.as_bytes().chunks(size) {
                cutter.add(bytes);
                told += &cutter.take();
            }
            assert_eq!(told + &cutter.rest(), text, "{size}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hold_up_what_follows() {
        let mut cutter = Cutter::default();
        cutter.add(b"a\xff\xfeb\xe6");
        assert_eq!(cutter.take(), "a\u{fffd}\u{fffd}b");
        cutter.add(b"z");
        assert_eq!(cutter.take(), "\u{fffd}z");
    }

    #[test]
    fn a_piece_fits_an_event() {
        let mut cutter = Cutter::default();
        cutter.add(&vec![0x1b; RUN_PIECE_BYTES * 3]);
        let piece = cutter.take();
        assert_eq!(piece.len(), RUN_PIECE_BYTES);
        assert!(serde_json::to_string(&piece).unwrap().len() < 64 * 1024);
    }
}
