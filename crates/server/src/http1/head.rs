//! A request's head: parsed, bounded, and without any doubt about where its body ends.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::limits::HEADER_COUNT_MAX;
use crate::problem::{Code, Problem};

/// A parsed head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) parts: Parts,
    pub(crate) framing: BodyFraming,
    /// The client wants to use the connection again.
    pub(super) keeps_alive: bool,
    /// The client waits for 100 before it sends the body.
    pub(super) expects_continue: bool,
}

/// How a body's end is found (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    Length(u64),
    Chunked,
}

/// Parses a head from the beginning of `bytes`; `None` while it has not ended. Also tells how many bytes it has.
pub(crate) fn parse(bytes: &[u8], bytes_max: usize) -> Result<Option<(Head, usize)>, Problem> {
    let mut fields = [const { MaybeUninit::uninit() }; HEADER_COUNT_MAX];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(bytes, &mut fields).map_err(refused)?;
    let httparse::Status::Complete(len) = parsed else {
        return if bytes.len() >= bytes_max { Err(too_large(bytes_max)) } else { Ok(None) };
    };
    if len > bytes_max {
        return Err(too_large(bytes_max));
    }
    // One copy that all values share, so that they keep no more than the head alive.
    let text = Bytes::copy_from_slice(&bytes[..len]);
    let shared = |part: &[u8]| {
        let at = part.as_ptr().addr() - bytes.as_ptr().addr();
        text.slice(at..at + part.len())
    };
    let target = request.path.unwrap_or_default();
    let uri =
        Uri::from_maybe_shared(shared(target.as_bytes())).map_err(|_| malformed("the request target is no URL"))?;
    let method = request.method.unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| malformed("the method is not a token"))?;
    let mut headers = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name =
            HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| malformed("a header's name is not a token"))?;
        let value = HeaderValue::from_maybe_shared(shared(field.value));
        headers.append(name, value.map_err(|_| malformed("a header's value has control characters"))?);
    }
    let is_old = request.version == Some(0);
    let framing = body_framing(&headers, is_old)?;
    let keeps_alive = keeps_alive(&headers, is_old);
    let expects_continue = !is_old && has_token(&headers, &EXPECT, "100-continue");
    let (mut parts, ()) = Request::new(()).into_parts();
    (parts.method, parts.uri, parts.headers) = (method, uri, headers);
    parts.version = if is_old { Version::HTTP_10 } else { Version::HTTP_11 };
    Ok(Some((Head { parts, framing, keeps_alive, expects_continue }, len)))
}

fn refused(error: httparse::Error) -> Problem {
    match error {
        httparse::Error::TooManyHeaders => {
            let detail = format!("the request has more than {HEADER_COUNT_MAX} header fields, the limit");
            Problem::new(Code::HeadTooLarge, detail)
        }
        httparse::Error::Version => Problem::new(Code::UnsupportedVersion, "the server speaks HTTP/1.0, 1.1 and 2"),
        other => malformed(other.to_string()),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Code::HeadTooLarge, format!("the request's head is larger than {bytes_max} bytes, the limit"))
}

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}

/// Refuses what two parsers could understand differently: that is how requests are smuggled (RFC 9112 section 11.2).
fn body_framing(headers: &HeaderMap, is_old: bool) -> Result<BodyFraming, Problem> {
    let lengths = headers.get_all(CONTENT_LENGTH);
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if is_old || lengths.iter().next().is_some() || codings.next().is_some() {
            return Err(malformed("Transfer-Encoding must come alone, once, and in HTTP/1.1"));
        }
        return match coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            true => Ok(BodyFraming::Chunked),
            false => Err(Problem::new(Code::UnsupportedTransferEncoding, "bodies come chunked, or with their length")),
        };
    }
    let mut length = None;
    for value in lengths {
        let said = plain_number(value).ok_or_else(|| malformed("Content-Length is not a plain number"))?;
        if length.is_some_and(|known| known != said) {
            return Err(malformed("Content-Length was sent with different values"));
        }
        length = Some(said);
    }
    Ok(BodyFraming::Length(length.unwrap_or(0)))
}

fn plain_number(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn keeps_alive(headers: &HeaderMap, is_old: bool) -> bool {
    if has_token(headers, &CONNECTION, "close") {
        return false;
    }
    !is_old || has_token(headers, &CONNECTION, "keep-alive")
}

/// Whether a list of tokens holds one (RFC 9110 section 5.6.1).
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Head {
        let (head, len) = parse(text.as_bytes(), 1024).unwrap().unwrap();
        assert_eq!(len, text.len());
        head
    }

    fn code(text: &str) -> &'static str {
        parse(text.as_bytes(), 1024).unwrap_err().code.parts().1
    }

    #[test]
    fn a_head_is_taken_apart() {
        let head = parsed("POST /v1/stream/s?x=1 HTTP/1.1\r\nHost: t\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\n");
        assert_eq!((head.parts.method.as_str(), head.parts.uri.path()), ("POST", "/v1/stream/s"));
        assert_eq!(head.parts.uri.query(), Some("x=1"));
        assert_eq!(head.parts.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((head.framing, head.keeps_alive, head.expects_continue), (BodyFraming::Length(3), true, false));
    }

    #[test]
    fn part_of_a_head_is_waited_for_up_to_the_limit() {
        let text = "GET / HTTP/1.1\r\nhost: t\r\n\r\n";
        for end in 0..text.len() {
            assert!(parse(&text.as_bytes()[..end], 1024).unwrap().is_none(), "{end}");
        }
        assert_eq!(parse(&text.as_bytes()[..10], 10).unwrap_err().code, Code::HeadTooLarge);
        assert_eq!(parse(text.as_bytes(), 10).unwrap_err().code, Code::HeadTooLarge);
    }

    #[test]
    fn doubtful_framing_is_refused() {
        for fields in [
            "content-length: 1\r\ncontent-length: 2",
            "content-length: +1",
            "content-length: 1, 1",
            "content-length: 99999999999999999999",
            "content-length:",
            "content-length: 1\r\ntransfer-encoding: chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            " transfer-encoding: chunked",
            "transfer-encoding : chunked",
        ] {
            assert_eq!(code(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n")), "malformed_request", "{fields}");
        }
        assert_eq!(code("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n"), "malformed_request");
        let gzip = "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n";
        assert_eq!(code(gzip), "unsupported_transfer_encoding");
        let twice = parsed("POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(twice.framing, BodyFraming::Length(5));
    }

    #[test]
    fn connections_are_kept_as_the_version_and_the_client_say() {
        for (text, kept) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nconnection: x, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", true),
        ] {
            assert_eq!(parsed(text).keeps_alive, kept, "{text}");
        }
    }
}
