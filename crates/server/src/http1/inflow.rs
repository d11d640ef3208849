//! A request's body on its way from the connection, which decodes it, to the handler, which takes it.
//!
//! Both live in the connection's task and are polled one after the other, so neither has to wake the other.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::head::BodyFraming;
use crate::limits::{CHUNK_LINE_BYTES_MAX, HEADER_COUNT_MAX, TRAILER_BYTES_MAX};

/// The handler's end.
#[derive(Debug, Clone)]
pub(crate) struct Inflow(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    pieces: VecDeque<Bytes>,
    held: usize,
    /// Bytes that are known to come after the held ones.
    announced: u64,
    end: End,
    is_wanted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Whole,
    Broken(&'static str),
}

/// What the handler finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Piece(Bytes),
    /// More is to come.
    Nothing,
    Whole,
    /// No more will come, and why.
    Broken(&'static str),
}

impl Inflow {
    fn new(announced: u64) -> Self {
        let state = State { pieces: VecDeque::new(), held: 0, announced, end: End::Open, is_wanted: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// What is there; notes that the handler waits when nothing is.
    pub(crate) fn take(&self) -> Taken {
        let mut state = self.0.lock();
        if let Some(piece) = state.pieces.pop_front() {
            state.held -= piece.len();
            return Taken::Piece(piece);
        }
        match state.end {
            End::Open => {
                state.is_wanted = true;
                Taken::Nothing
            }
            End::Whole => Taken::Whole,
            End::Broken(why) => Taken::Broken(why),
        }
    }

    /// Bytes still to be taken, as far as is known.
    pub(crate) fn announced(&self) -> u64 {
        let state = self.0.lock();
        state.held as u64 + state.announced
    }

    /// All has been taken.
    pub(crate) fn is_finished(&self) -> bool {
        let state = self.0.lock();
        state.pieces.is_empty() && state.end == End::Whole
    }
}

/// The connection's end: decodes what arrives.
#[derive(Debug)]
pub(crate) struct Receiving {
    inflow: Inflow,
    decoder: Decoder,
    /// The client waits for 100 before it sends anything.
    pub(super) owes_continue: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoder {
    /// Bytes to come.
    Length(u64),
    ChunkSize,
    /// Bytes to come of a chunk.
    Chunk(u64),
    /// The line break after a chunk.
    ChunkEnd,
    Trailers,
}

impl Receiving {
    pub(crate) fn new(framing: BodyFraming, owes_continue: bool) -> (Self, Inflow) {
        let (decoder, announced) = match framing {
            BodyFraming::Length(length) => (Decoder::Length(length), length),
            BodyFraming::Chunked => (Decoder::ChunkSize, 0),
        };
        let inflow = Inflow::new(announced);
        (Self { inflow: inflow.clone(), decoder, owes_continue }, inflow)
    }

    /// Whether the handler waits for bytes that have not been decoded.
    pub(super) fn is_wanted(&self) -> bool {
        self.inflow.0.lock().is_wanted
    }

    /// Bytes that the handler has not taken.
    pub(super) fn held(&self) -> usize {
        self.inflow.0.lock().held
    }

    /// Tells the handler that no more will come.
    pub(super) fn break_off(&self, why: &'static str) {
        self.inflow.0.lock().end = End::Broken(why);
    }

    /// Decodes from the beginning of `bytes`; tells how many were used up, and whether the body has ended, for good or
    /// for ill.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let step = match self.decoder {
                Decoder::Length(left) | Decoder::Chunk(left) => self.content(rest, left),
                Decoder::ChunkSize => self.chunk_size(rest),
                Decoder::ChunkEnd => self.chunk_end(rest),
                Decoder::Trailers => self.trailers(rest),
            };
            match step {
                Ok(Some(count)) => used += count,
                Ok(None) => return (used, self.is_over()),
                Err(why) => {
                    self.break_off(why);
                    return (used, true);
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.inflow.0.lock().end != End::Open
    }

    fn content(&mut self, bytes: &[u8], left: u64) -> Result<Option<usize>, &'static str> {
        let is_chunk = matches!(self.decoder, Decoder::Chunk(_));
        let mut state = self.inflow.0.lock();
        if left == 0 {
            if is_chunk {
                self.decoder = Decoder::ChunkEnd;
                return Ok(Some(0));
            }
            state.end = End::Whole;
            return Ok(None);
        }
        let count = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if count == 0 {
            return Ok(None);
        }
        state.pieces.push_back(Bytes::copy_from_slice(&bytes[..count]));
        state.held += count;
        state.is_wanted = false;
        let left = left - count as u64;
        if is_chunk {
            self.decoder = Decoder::Chunk(left);
        } else {
            state.announced = left;
            self.decoder = Decoder::Length(left);
        }
        Ok(Some(count))
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<Option<usize>, &'static str> {
        let bytes = &bytes[..bytes.len().min(CHUNK_LINE_BYTES_MAX)];
        match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete((count, size))) => {
                self.decoder = if size == 0 { Decoder::Trailers } else { Decoder::Chunk(size) };
                Ok(Some(count))
            }
            Ok(httparse::Status::Partial) if bytes.len() == CHUNK_LINE_BYTES_MAX => {
                Err("a chunk's size line is too long")
            }
            Ok(httparse::Status::Partial) => Ok(None),
            Err(_) => Err("a chunk's size is malformed"),
        }
    }

    fn chunk_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, &'static str> {
        match bytes {
            [] | [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => {
                self.decoder = Decoder::ChunkSize;
                Ok(Some(2))
            }
            _ => Err("a chunk is longer than its size says"),
        }
    }

    /// Trailers mean nothing to us; they are read past.
    fn trailers(&mut self, bytes: &[u8]) -> Result<Option<usize>, &'static str> {
        if self.is_over() {
            return Ok(None);
        }
        let bytes = &bytes[..bytes.len().min(TRAILER_BYTES_MAX)];
        let mut fields = [httparse::EMPTY_HEADER; HEADER_COUNT_MAX];
        match httparse::parse_headers(bytes, &mut fields) {
            Ok(httparse::Status::Complete((count, _))) => {
                self.inflow.0.lock().end = End::Whole;
                Ok(Some(count))
            }
            Ok(httparse::Status::Partial) if bytes.len() == TRAILER_BYTES_MAX => Err("the trailers are too long"),
            Ok(httparse::Status::Partial) => Ok(None),
            Err(_) => Err("the trailers are malformed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(inflow: &Inflow) -> (Vec<u8>, Taken) {
        let mut bytes = Vec::new();
        loop {
            match inflow.take() {
                Taken::Piece(piece) => bytes.extend_from_slice(&piece),
                end => return (bytes, end),
            }
        }
    }

    /// Decodes `wire` in pieces of `step` bytes, as a connection does: what was not used comes again with more.
    fn decoded(framing: BodyFraming, wire: &[u8], step: usize) -> (Vec<u8>, Taken, usize) {
        let (mut receiving, inflow) = Receiving::new(framing, false);
        let (mut used, mut seen) = (0, 0);
        loop {
            let (count, is_over) = receiving.decode(&wire[used..seen]);
            used += count;
            if is_over || seen == wire.len() {
                let (bytes, end) = taken(&inflow);
                return (bytes, end, used);
            }
            seen = (seen + step).min(wire.len());
        }
    }

    #[test]
    fn bodies_end_where_their_framing_says_however_they_arrive() {
        let chunked = b"3\r\nabc\r\n0002;x=y\r\nde\r\n0\r\nx-trailer: 1\r\n\r\nGET /";
        for step in 1..chunked.len() {
            let (bytes, end, used) = decoded(BodyFraming::Chunked, chunked, step);
            assert_eq!((bytes.as_slice(), end, used), (b"abcde".as_slice(), Taken::Whole, chunked.len() - 5), "{step}");
            let (bytes, end, used) = decoded(BodyFraming::Length(5), b"abcdeGET /", step);
            assert_eq!((bytes.as_slice(), end, used), (b"abcde".as_slice(), Taken::Whole, 5), "{step}");
        }
        assert_eq!(decoded(BodyFraming::Length(0), b"GET /", 1).1, Taken::Whole);
    }

    #[test]
    fn what_has_not_ended_is_waited_for() {
        for wire in ["", "3", "3\r\nab", "3\r\nabc\r", "3\r\nabc\r\n0\r\n", "3\r\nabc\r\n0\r\nx: y\r\n"] {
            assert_eq!(decoded(BodyFraming::Chunked, wire.as_bytes(), 1).1, Taken::Nothing, "{wire:?}");
        }
        let (mut receiving, inflow) = Receiving::new(BodyFraming::Length(5), false);
        assert!(!receiving.is_wanted());
        assert_eq!((inflow.take(), inflow.announced()), (Taken::Nothing, 5));
        assert!(receiving.is_wanted());
        receiving.decode(b"abc");
        assert_eq!((receiving.is_wanted(), receiving.held(), inflow.announced()), (false, 3, 5));
    }

    #[test]
    fn malformed_chunks_break_the_body() {
        let long = "1".repeat(17) + "\r\n";
        let endless = format!("1;{}", "x".repeat(CHUNK_LINE_BYTES_MAX));
        for wire in ["x\r\n", "-1\r\n", "3\r\nabcd\r\n", "3\r\nabc\n\n", "0\r\nno trailer\r\n\r\n", &long, &endless] {
            let (_, end, _) = decoded(BodyFraming::Chunked, wire.as_bytes(), wire.len());
            assert!(matches!(end, Taken::Broken(_)), "{wire:?} {end:?}");
        }
    }
}
