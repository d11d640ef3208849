//! A client's socket: notes each sign of life, gives back the bytes that told its protocol, and closes so that the
//! client reads the last answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits::{LINGER_BYTES_MAX, LINGER_TIMEOUT};
use crate::problem::{Code, Problem};
use crate::vitals::Vitals;

/// How an HTTP/2 client begins.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    vitals: Arc<Vitals>,
    preface: [u8; HTTP2_PREFACE.len()],
    /// The range of `preface` that is still to be given back.
    replay: std::ops::Range<usize>,
    closing: Closing,
}

#[derive(Debug)]
enum Closing {
    No,
    /// Our side is shut; what still comes is thrown away.
    Lingering {
        until: Pin<Box<tokio::time::Sleep>>,
        budget: usize,
    },
    Done,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    Http1,
    Http2,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, vitals: Arc<Vitals>) -> Self {
        Self { stream, vitals, preface: [0; HTTP2_PREFACE.len()], replay: 0..0, closing: Closing::No }
    }

    /// Reads until the client has shown what it speaks.
    pub(crate) async fn sniff(&mut self) -> io::Result<Spoken> {
        let mut have = 0;
        while have < HTTP2_PREFACE.len() {
            let read = self.stream.read(&mut self.preface[have..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.vitals.received();
            have += read;
            self.replay = 0..have;
            if self.preface[..have] != HTTP2_PREFACE[..have] {
                return Ok(Spoken::Http1);
            }
        }
        self.vitals.is_multiplexed();
        Ok(Spoken::Http2)
    }

    /// Tells an HTTP/1 client that waited too long with its head, as far as the socket takes it at once.
    pub(crate) fn answer_head_timeout(&self) {
        let answer = Problem::new(Code::HeadTimeout, "the request's head did not end in time").written_out();
        // The connection closes next, whether or not the client listens.
        let _ = self.stream.try_write(&answer);
    }

    fn note_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(_)) => self.vitals.sent(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.vitals.stalled(),
        }
        written
    }

    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Closing::Lingering { until, budget } = &mut self.closing else { return Poll::Ready(()) };
        let mut space = [0; 16 * 1024];
        loop {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf));
            let count = buf.filled().len();
            if read.is_err() || count == 0 || count >= *budget {
                return Poll::Ready(());
            }
            *budget -= count;
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.replay.is_empty() {
            let count = this.replay.len().min(buf.remaining());
            let from = this.replay.start;
            buf.put_slice(&this.preface[from..from + count]);
            this.replay.start += count;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            this.vitals.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Closing::No = this.closing {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.closing = if this.vitals.shall_linger() {
                let until = Box::pin(tokio::time::sleep_until((Instant::now() + LINGER_TIMEOUT).into()));
                Closing::Lingering { until, budget: LINGER_BYTES_MAX }
            } else {
                Closing::Done
            };
        }
        ready!(this.poll_linger(cx));
        this.closing = Closing::Done;
        Poll::Ready(Ok(()))
    }
}
