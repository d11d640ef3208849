//! Answers on their way to the socket: small pieces copied together, large ones as they are, nothing kept when all is
//! sent.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};
use tokio::io::AsyncWrite;

use crate::limits::OUTBOX_COPIED_BYTES_MAX;

/// Room for an answer's head and a little body.
const PIECE_BYTES: usize = 512;
/// Pieces handed to the system in one call.
const SLICES_MAX: usize = 16;

/// Bytes to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Sent before `open`.
    sealed: VecDeque<Bytes>,
    open: BytesMut,
    len: usize,
}

/// How an answer's body is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerFraming {
    /// There is none, whatever the head says about its length.
    Bodyless,
    Length(u64),
    Chunked,
    /// Ends with the connection: for HTTP/1.0.
    UntilClose,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the interim answer that asks for the body.
    pub(super) fn push_continue(&mut self) {
        self.copy(b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    /// Adds an answer's head, with what its framing and the connection's future need.
    pub(super) fn push_head(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        framing: AnswerFraming,
        connection: Option<&str>,
    ) {
        let before = self.open.len();
        if self.open.capacity() == 0 {
            self.open.reserve(PIECE_BYTES);
        }
        let open = &mut self.open;
        open.put_slice(b"HTTP/1.1 ");
        open.put_slice(status.as_str().as_bytes());
        open.put_slice(b" ");
        open.put_slice(status.canonical_reason().unwrap_or("Status").as_bytes());
        open.put_slice(b"\r\n");
        for (name, value) in headers {
            if name == CONNECTION || name == TRANSFER_ENCODING {
                continue;
            }
            put_field(open, name.as_str(), value.as_bytes());
        }
        match framing {
            AnswerFraming::Length(length) if !headers.contains_key(CONTENT_LENGTH) => {
                put_number(open, "content-length", length)
            }
            AnswerFraming::Chunked => put_field(open, "transfer-encoding", b"chunked"),
            AnswerFraming::Length(_) | AnswerFraming::Bodyless | AnswerFraming::UntilClose => {}
        }
        if let Some(option) = connection {
            put_field(open, "connection", option.as_bytes());
        }
        if !headers.contains_key(DATE) {
            put_date(open);
        }
        open.put_slice(b"\r\n");
        self.len += self.open.len() - before;
    }

    /// Adds a piece of an answer's body.
    pub(super) fn push_body(&mut self, framing: AnswerFraming, piece: Bytes) {
        if framing != AnswerFraming::Chunked {
            return self.push(piece);
        }
        // An empty chunk would end the body.
        if !piece.is_empty() {
            self.copy(format_args!("{:x}\r\n", piece.len()).to_string().as_bytes());
            self.push(piece);
            self.copy(b"\r\n");
        }
    }

    /// Adds the end of an answer's body.
    pub(super) fn push_end(&mut self, framing: AnswerFraming) {
        if framing == AnswerFraming::Chunked {
            self.copy(b"0\r\n\r\n");
        }
    }

    fn push(&mut self, piece: Bytes) {
        if piece.len() <= OUTBOX_COPIED_BYTES_MAX {
            return self.copy(&piece);
        }
        if !self.open.is_empty() {
            self.sealed.push_back(self.open.split().freeze());
        }
        self.len += piece.len();
        self.sealed.push_back(piece);
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Writes until all is sent or the socket takes no more. What is sent is freed.
    pub(super) fn poll_send<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut W,
    ) -> Poll<io::Result<()>> {
        while self.len > 0 {
            let sent = ready!(self.poll_write(cx, socket))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(sent);
        }
        *self = Self::default();
        Poll::Ready(Ok(()))
    }

    fn poll_write<W: AsyncWrite + Unpin>(&self, cx: &mut Context<'_>, socket: &mut W) -> Poll<io::Result<usize>> {
        let socket = Pin::new(socket);
        if self.sealed.is_empty() {
            return socket.poll_write(cx, &self.open);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let pieces = self.sealed.iter().map(|piece| &piece[..]).chain(std::iter::once(&self.open[..]));
        for (slice, piece) in slices.iter_mut().zip(pieces.filter(|piece| !piece.is_empty())) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        socket.poll_write_vectored(cx, &slices[..count])
    }

    fn advance(&mut self, mut sent: usize) {
        self.len -= sent;
        while let Some(first) = self.sealed.front_mut() {
            if sent < first.len() {
                first.advance(sent);
                return;
            }
            sent -= first.len();
            self.sealed.pop_front();
        }
        self.open.advance(sent);
    }
}

fn put_field(open: &mut BytesMut, name: &str, value: &[u8]) {
    open.reserve(name.len() + value.len() + 4);
    open.put_slice(name.as_bytes());
    open.put_slice(b": ");
    open.put_slice(value);
    open.put_slice(b"\r\n");
}

fn put_number(open: &mut BytesMut, name: &str, number: u64) {
    let mut digits = [0; 20];
    let mut rest = digits.as_mut_slice();
    write!(rest, "{number}").expect("a number has at most twenty digits");
    let unused = rest.len();
    put_field(open, name, &digits[..digits.len() - unused]);
}

/// The `Date` of this second; the text is made once a second per thread.
fn put_date(open: &mut BytesMut) {
    thread_local! {
        static DATE_TEXT: std::cell::RefCell<(u64, String)> = const { std::cell::RefCell::new((0, String::new())) };
    }
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    DATE_TEXT.with_borrow_mut(|(made_for, text)| {
        if *made_for != second || text.is_empty() {
            (*made_for, *text) = (second, httpdate::fmt_http_date(now));
        }
        put_field(open, "date", text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn sent(mut outbox: Outbox) -> Vec<u8> {
        let mut socket = Vec::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(outbox.poll_send(&mut cx, &mut socket).is_ready());
        assert!(outbox.is_empty() && outbox.open.capacity() == 0, "what is sent is freed");
        socket
    }

    #[test]
    fn a_head_carries_its_framing_and_the_date() {
        let mut outbox = Outbox::default();
        let headers = HeaderMap::from_iter([(http::header::ALLOW, HeaderValue::from_static("GET"))]);
        outbox.push_head(StatusCode::OK, &headers, AnswerFraming::Length(12), Some("close"));
        let text = String::from_utf8(sent(outbox)).unwrap();
        let expected = "HTTP/1.1 200 OK\r\nallow: GET\r\ncontent-length: 12\r\nconnection: close\r\ndate: ";
        assert!(text.starts_with(expected) && text.ends_with(" GMT\r\n\r\n"), "{text}");
    }

    #[test]
    fn small_and_large_pieces_keep_their_order() {
        let (small, large) = (Bytes::from_static(b"ab"), Bytes::from(vec![b'x'; OUTBOX_COPIED_BYTES_MAX + 1]));
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for piece in [&small, &large, &large, &small, &small] {
            outbox.push_body(AnswerFraming::Chunked, piece.clone());
            expected.extend(format!("{:x}\r\n", piece.len()).into_bytes());
            expected.extend_from_slice(piece);
            expected.extend_from_slice(b"\r\n");
        }
        outbox.push_body(AnswerFraming::Chunked, Bytes::new());
        outbox.push_end(AnswerFraming::Chunked);
        expected.extend_from_slice(b"0\r\n\r\n");
        assert_eq!(outbox.len(), expected.len());
        assert_eq!(sent(outbox), expected);
    }

    #[test]
    fn partial_writes_go_on_where_they_stopped() {
        let (before, large) = (Bytes::from_static(b"before"), Bytes::from(vec![b'y'; OUTBOX_COPIED_BYTES_MAX + 7]));
        let mut outbox = Outbox::default();
        for piece in [&before, &large, &before] {
            outbox.push_body(AnswerFraming::UntilClose, piece.clone());
        }
        let expected = [&before[..], &large, &before].concat();
        let mut rest = outbox.len();
        let mut seen = Vec::new();
        while rest > 0 {
            let first = outbox.sealed.front().map_or(&outbox.open[..], |piece| &piece[..]);
            let step = 1 + first.len() / 2;
            seen.extend_from_slice(&first[..step]);
            outbox.advance(step);
            rest -= step;
            assert_eq!(outbox.len(), rest);
        }
        assert_eq!(seen, expected);
    }
}
