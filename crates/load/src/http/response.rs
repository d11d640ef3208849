//! The head of a response: its status, its framing, and the protocol headers the measurements follow.

use std::io;

use httparse::{EMPTY_HEADER, Header, Response, Status};
use thiserror::Error;

use super::Body;
use crate::limits::SAID_BYTES_MAX;

const HEADERS_MAX: usize = 48;

/// Status, framing and the headers that are followed.
#[derive(Debug, Clone)]
pub struct Head {
    pub status: u16,
    /// How the body is framed that comes next.
    pub body: Body,
    pub next_offset: Option<String>,
    pub cursor: Option<String>,
    /// Where something that was made can be found.
    pub location: Option<String>,
    pub up_to_date: bool,
    pub closed: bool,
    /// Whether another request may follow on the connection.
    pub keep_alive: bool,
}

/// A request was answered with a status that is no success.
#[derive(Debug, Clone, Error)]
#[error("{asked}: status {status}{}{said}", if said.is_empty() { "" } else { ": " })]
pub struct Refused {
    pub asked: &'static str,
    pub status: u16,
    /// The beginning of what the server said about it.
    pub said: String,
}

/// A response with its whole body.
#[derive(Debug)]
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Head {
    /// Parses one head and says how long it is; `None` until all of it has arrived.
    ///
    /// # Errors
    /// When it is no head of HTTP/1.
    pub fn parse(input: &[u8]) -> io::Result<Option<(Head, usize)>> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut response = Response::new(&mut headers);
        let parsed = response.parse(input).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let Status::Complete(length) = parsed else { return Ok(None) };
        let status = response.code.unwrap_or_default();
        let mut head = Head::new(status);
        if status == 204 || status == 304 || status < 200 {
            head.body = Body::Done;
        }
        for header in response.headers.iter() {
            head.note(header)?;
        }
        Ok(Some((head, length)))
    }

    fn new(status: u16) -> Head {
        let (next_offset, cursor, location, body) = (None, None, None, Body::UntilClose);
        Head { status, body, next_offset, cursor, location, up_to_date: false, closed: false, keep_alive: true }
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
            8 if is("location") => self.location = Some(text(header)?.to_owned()),
            13 if is("stream-cursor") => self.cursor = Some(text(header)?.to_owned()),
            13 if is("stream-closed") => self.closed = true,
            10 if is("connection") => self.keep_alive = !header.value.eq_ignore_ascii_case(b"close"),
            17 if is("stream-up-to-date") => self.up_to_date = true,
            _ => {}
        }
        Ok(())
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Answer {
    /// The answer itself when its status is a success.
    ///
    /// # Errors
    /// A [`Refused`] otherwise, within the I/O error.
    pub fn success(self, asked: &'static str) -> io::Result<Answer> {
        if self.head.is_success() { Ok(self) } else { Err(Refused::new(asked, &self.head, &self.body).into()) }
    }
}

impl Refused {
    pub(crate) fn new(asked: &'static str, head: &Head, body: &[u8]) -> Refused {
        let said = String::from_utf8_lossy(&body[..body.len().min(SAID_BYTES_MAX)]).trim().to_owned();
        Refused { asked, status: head.status, said }
    }

    /// The refusal that an error holds.
    pub fn within(error: &io::Error) -> Option<&Refused> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> io::Error {
        io::Error::other(refused)
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
    fn a_server_that_closes_the_connection_says_so() {
        let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n";
        assert!(!Head::parse(wire).unwrap().unwrap().0.keep_alive);
    }

    #[test]
    fn a_refusal_is_found_again_in_the_error_it_became() {
        let (head, _) = Head::parse(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap().unwrap();
        let error = Answer { head, body: b"not you\n".to_vec() }.success("create").unwrap_err();
        assert_eq!(Refused::within(&error).map(|refused| refused.status), Some(403));
        assert_eq!(error.to_string(), "create: status 403: not you");
    }

    #[test]
    fn half_a_head_is_not_yet_a_response() {
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap().is_none());
    }
}
