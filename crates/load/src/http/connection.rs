//! One keep-alive connection with explicit reads and writes, so that callers may pipeline.

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Answer, Head};

/// How much room a connection keeps for one read: thousands of subscribers need little, a bulk reader a lot.
#[derive(Debug, Clone, Copy)]
pub enum ReadSize {
    Small,
    Bulk,
}

impl ReadSize {
    fn bytes(self) -> usize {
        match self {
            ReadSize::Small => 4 << 10,
            ReadSize::Bulk => 256 << 10,
        }
    }
}

/// A connection. Every operation fails when the connection does.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
    read_bytes: usize,
}

impl Connection {
    /// # Errors
    /// When the server does not accept it.
    pub async fn open(address: SocketAddr, size: ReadSize) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: BytesMut::new(), read_bytes: size.bytes() })
    }

    /// Opens a connection whose requests another thread writes to the returned, non-blocking socket.
    pub fn split(address: SocketAddr) -> io::Result<(Connection, std::net::TcpStream)> {
        let writer = std::net::TcpStream::connect(address)?;
        writer.set_nodelay(true)?;
        writer.set_nonblocking(true)?;
        let stream = TcpStream::from_std(writer.try_clone()?)?;
        Ok((Connection { stream, buffer: BytesMut::new(), read_bytes: ReadSize::Small.bytes() }, writer))
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Waits for more bytes; the end of the connection is an error.
    pub async fn fill(&mut self) -> io::Result<()> {
        self.buffer.reserve(self.read_bytes);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next whole response among the bytes that have arrived; its body goes to `sink`.
    ///
    /// Meant for small responses: while a body is incomplete, it is parsed again with every call.
    pub fn take_response(&mut self, sink: &mut impl FnMut(&[u8])) -> io::Result<Option<Head>> {
        let Some((head, length)) = Head::parse(&self.buffer)? else { return Ok(None) };
        let mut body = head.body;
        let mut payload_sink = |bytes: &[u8]| sink(bytes);
        let taken = body.feed(&self.buffer[length..], &mut payload_sink)?;
        if body != super::Body::Done {
            return Ok(None);
        }
        self.buffer.advance(length + taken);
        Ok(Some(head))
    }

    /// Waits for the head of the next response; its body is still to be read.
    pub async fn head(&mut self) -> io::Result<Head> {
        loop {
            if let Some((head, length)) = Head::parse(&self.buffer)? {
                self.buffer.advance(length);
                return Ok(head);
            }
            self.fill().await?;
        }
    }

    /// Reads the body that follows `head` to its end.
    pub async fn body(&mut self, head: &Head, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let mut body = head.body;
        loop {
            self.drain_into(&mut body, sink)?;
            if body == super::Body::Done {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Reads the next part of a body that may never end.
    pub async fn body_part(&mut self, body: &mut super::Body, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        if self.drain_into(body, sink)? == 0 {
            self.fill().await?;
            self.drain_into(body, sink)?;
        }
        Ok(())
    }

    fn drain_into(&mut self, body: &mut super::Body, sink: &mut impl FnMut(&[u8])) -> io::Result<usize> {
        let taken = body.feed(&self.buffer, sink)?;
        self.buffer.advance(taken);
        Ok(taken)
    }

    /// One request, one whole answer.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request).await?;
        let head = self.head().await?;
        let mut body = Vec::new();
        self.body(&head, &mut |bytes| body.extend_from_slice(bytes)).await?;
        Ok(Answer { head, body })
    }
}
