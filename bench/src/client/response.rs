//! The head of a response: its status, its framing, and the protocol headers the measurements follow.

use std::io;

use httparse::{EMPTY_HEADER, Header, Response, Status};

use super::Body;

const HEADERS_MAX: usize = 48;

#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) next_offset: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) up_to_date: bool,
    pub(crate) closed: bool,
}

/// A response with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

impl Head {
    /// Parses one head and says how long it is; `None` until all of it has arrived.
    pub(crate) fn parse(input: &[u8]) -> io::Result<Option<(Head, usize)>> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = Response::new(&mut headers);
        let parsed = response.parse(input).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let Status::Complete(length) = parsed else { return Ok(None) };
        let status = response.code.unwrap_or_default();
        let mut head =
            Head { status, body: Body::UntilClose, next_offset: None, cursor: None, up_to_date: false, closed: false };
        if status == 204 || status == 304 || status < 200 {
            head.body = Body::Done;
        }
        for header in response.headers.iter() {
            head.note(header)?;
        }
        Ok(Some((head, length)))
    }

    fn note(&mut self, header: &Header<'_>) -> io::Result<()> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            14 if is("content-length") && self.body != Body::Done => {
                let length = text(header)?.parse().map_err(|_| malformed(header))?;
                self.body = if length == 0 { Body::Done } else { Body::Length(length) };
            }
            17 if is("transfer-encoding") && self.body != Body::Done => self.body = Body::ChunkSize,
            18 if is("stream-next-offset") => self.next_offset = Some(text(header)?.to_owned()),
            13 if is("stream-cursor") => self.cursor = Some(text(header)?.to_owned()),
            13 if is("stream-closed") => self.closed = true,
            17 if is("stream-up-to-date") => self.up_to_date = true,
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Answer {
    /// The answer itself when its status is a success, an error with what the server said otherwise.
    pub(crate) fn success(self, asked: &str) -> io::Result<Answer> {
        if self.head.is_success() {
            return Ok(self);
        }
        let said = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]).into_owned();
        Err(io::Error::other(format!("{asked}: status {}: {said}", self.head.status)))
    }
}

fn text<'a>(header: &Header<'a>) -> io::Result<&'a str> {
    std::str::from_utf8(header.value).map_err(|_| malformed(header))
}

fn malformed(header: &Header<'_>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed header {}", header.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_answer_carries_its_offset_and_no_body() {
        let wire = b"HTTP/1.1 204 No Content\r\nStream-Next-Offset: 0_256\r\n\r\nHTTP/1.1 204";
        let (head, length) = Head::parse(wire).unwrap().unwrap();
        assert_eq!((head.status, head.body, head.next_offset.as_deref()), (204, Body::Done, Some("0_256")));
        assert_eq!(&wire[length..], b"HTTP/1.1 204");
    }

    #[test]
    fn half_a_head_is_not_yet_a_response() {
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap().is_none());
    }
}
