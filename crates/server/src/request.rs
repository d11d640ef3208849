//! From header fields and query parameters to the protocol's words. Whatever is repeated, not text or not well formed is
//! refused with a sentence that names it; what the protocol does not know is ignored.

use std::borrow::Cow;

use bytes::Bytes;
use headwater_protocol::header::{self, query};
use headwater_protocol::{ContentType, Framing, Lifetime, Offset, ProducerStamp, ReadFrom, StreamSeq, json};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

use crate::problem::{Code, Problem};

/// The query parameter of sessions that asks for something else than the log, and its value.
const VIEW: &str = "view";
const SNAPSHOT: &str = "snapshot";

/// The only value of a header; `None` when it is absent.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a HeaderValue>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(Problem::new(Code::InvalidHeader, format!("header {name} was sent more than once")));
    }
    Ok(Some(value))
}

/// The only value of a header, as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let Some(value) = single(headers, name)? else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Problem::new(Code::InvalidHeader, format!("header {name} is not UTF-8")))?;
    Ok(Some(text.trim_ascii()))
}

/// `Content-Type`.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<Option<ContentType>, Problem> {
    let Some(text) = text(headers, CONTENT_TYPE.as_str())? else { return Ok(None) };
    ContentType::new(text).map(Some).map_err(|error| Problem::new(Code::InvalidContentType, error.to_string()))
}

/// `Stream-Closed`: anything but one `true` is as good as absent.
pub(crate) fn closes(headers: &HeaderMap) -> Result<bool, Problem> {
    Ok(single(headers, header::STREAM_CLOSED)?.is_some_and(header::is_true))
}

/// `Stream-Seq`.
pub(crate) fn stream_seq(headers: &HeaderMap) -> Result<Option<StreamSeq>, Problem> {
    let Some(value) = single(headers, header::STREAM_SEQ)? else { return Ok(None) };
    StreamSeq::new(value.as_bytes()).map(Some).map_err(|error| Problem::new(Code::InvalidStreamSeq, error.to_string()))
}

/// The three producer headers: all, or none.
pub(crate) fn producer(headers: &HeaderMap) -> Result<Option<ProducerStamp>, Problem> {
    let id = text(headers, header::PRODUCER_ID)?;
    let epoch = text(headers, header::PRODUCER_EPOCH)?;
    let seq = text(headers, header::PRODUCER_SEQ)?;
    match (id, epoch, seq) {
        (None, None, None) => Ok(None),
        (Some(id), Some(epoch), Some(seq)) => stamp(id, epoch, seq).map(Some),
        _ => Err(Problem::new(
            Code::InvalidProducer,
            "Producer-Id, Producer-Epoch and Producer-Seq must be sent together or not at all",
        )),
    }
}

fn stamp(id: &str, epoch: &str, seq: &str) -> Result<ProducerStamp, Problem> {
    let refused = |error: headwater_protocol::InvalidProducer| Problem::new(Code::InvalidProducer, error.to_string());
    Ok(ProducerStamp {
        id: headwater_protocol::ProducerId::new(id).map_err(refused)?,
        epoch: epoch.parse().map_err(refused)?,
        seq: seq.parse().map_err(refused)?,
    })
}

/// `Stream-TTL` or `Stream-Expires-At`.
pub(crate) fn lifetime(headers: &HeaderMap) -> Result<Option<Lifetime>, Problem> {
    let ttl = text(headers, header::STREAM_TTL)?;
    let expires_at = text(headers, header::STREAM_EXPIRES_AT)?;
    let lifetime = match (ttl, expires_at) {
        (None, None) => return Ok(None),
        (Some(ttl), None) => Lifetime::parse_ttl(ttl),
        (None, Some(at)) => Lifetime::parse_expires_at(at),
        (Some(_), Some(_)) => Err(headwater_protocol::InvalidLifetime::Both),
    };
    lifetime.map(Some).map_err(|error| Problem::new(Code::InvalidLifetime, error.to_string()))
}

/// `Stream-Fork-Offset`; `-1` is the start, as in reads.
pub(crate) fn fork_offset(headers: &HeaderMap) -> Result<Option<Offset>, Problem> {
    let Some(text) = text(headers, header::STREAM_FORK_OFFSET)? else { return Ok(None) };
    match text.parse() {
        Ok(ReadFrom::At(offset)) => Ok(Some(offset)),
        Ok(ReadFrom::Start) => Ok(Some(Offset::START)),
        Ok(ReadFrom::Now) => Ok(None),
        Err(error) => Err(Problem::new(Code::InvalidOffset, format!("Stream-Fork-Offset: {error}"))),
    }
}

/// `Stream-Fork-Sub-Offset`: a plain decimal number.
pub(crate) fn fork_sub_offset(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(text) = text(headers, header::STREAM_FORK_SUB_OFFSET)? else { return Ok(None) };
    let is_plain =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = if is_plain { text.parse().ok() } else { None };
    let refused = || Problem::new(Code::InvalidFork, "Stream-Fork-Sub-Offset is not a plain decimal number");
    number.map(Some).ok_or_else(refused)
}

/// Refuses bodies that would have to be decoded before they mean anything.
pub(crate) fn plain_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    match single(headers, CONTENT_ENCODING.as_str())? {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Problem::new(Code::UnsupportedEncoding, "bodies must be sent without Content-Encoding"))
        }
        _ => Ok(()),
    }
}

/// Whether the request says who asks: its answers are then nobody else's.
pub(crate) fn is_authorized(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION)
}

/// A body as the stream stores it, and whether it was `[]`, which an append refuses.
pub(crate) fn stored(framing: Framing, body: Bytes) -> Result<Bytes, Problem> {
    match framing {
        Framing::Json => json::frame(&body)
            .map(|framed| framed.bytes)
            .map_err(|error| Problem::new(Code::InvalidJson, error.to_string())),
        Framing::Text | Framing::Binary => Ok(body),
    }
}

/// What a GET asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query<'a> {
    /// Where to start; `None` when the client did not say.
    pub(crate) offset: Option<ReadFrom>,
    pub(crate) live: Live,
    /// The cursor the client echoes.
    pub(crate) cursor: Option<Cow<'a, str>>,
}

/// How a GET waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Live {
    No,
    LongPoll,
    Sse,
}

/// The values of these parameters. Each must come once at most and say something; all others are ignored.
pub(crate) fn parameters<'a, const N: usize>(
    text: Option<&'a str>,
    names: [&str; N],
) -> Result<[Option<Cow<'a, str>>; N], Problem> {
    let mut values = [const { None }; N];
    for pair in text.unwrap_or_default().split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(place) = decoded(name).and_then(|name| names.iter().position(|known| *known == name)) else {
            continue;
        };
        let value = decoded(value).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| refused(name, "is empty or not well formed"))?;
        if values[place].replace(value).is_some() {
            return Err(refused(name, "was sent more than once"));
        }
    }
    Ok(values)
}

/// Parses the query of a GET. A parameter that the protocol knows must come once and say something.
pub(crate) fn query(text: Option<&str>) -> Result<Query<'_>, Problem> {
    let [offset, live, cursor] = parameters(text, [query::OFFSET, query::LIVE, query::CURSOR])?;
    let invalid = |error: headwater_protocol::InvalidOffset| Problem::new(Code::InvalidOffset, error.to_string());
    let offset = offset.map(|offset| offset.parse()).transpose().map_err(invalid)?;
    let live = live_mode(live.as_deref())?;
    if live != Live::No && offset.is_none() {
        return Err(Problem::new(Code::OffsetRequired, "live reads must say where to start with offset"));
    }
    Ok(Query { offset, live, cursor })
}

/// Whether a read of a session asks for its snapshot. Its `view` must come once and be one that there is.
pub(crate) fn asks_for_snapshot(text: Option<&str>) -> Result<bool, Problem> {
    let mut views = text.unwrap_or_default().split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name).as_deref() == Some(VIEW)).then_some(value)
    });
    match (views.next(), views.next()) {
        (None, _) => Ok(false),
        (Some(_), Some(_)) => Err(refused(VIEW, "was sent more than once")),
        (Some(view), None) if decoded(view).as_deref() == Some(SNAPSHOT) => Ok(true),
        (Some(_), None) => Err(refused(VIEW, "must be snapshot")),
    }
}

fn live_mode(text: Option<&str>) -> Result<Live, Problem> {
    match text {
        None => Ok(Live::No),
        Some(query::LONG_POLL) => Ok(Live::LongPoll),
        Some(query::SSE) => Ok(Live::Sse),
        Some(_) => Err(refused(query::LIVE, "must be long-poll or sse")),
    }
}

fn refused(name: &str, what: &str) -> Problem {
    let name: String = name.chars().take(40).collect();
    Problem::new(Code::InvalidQuery, format!("query parameter {name} {what}"))
}

/// Decodes `%xx`; `None` when an escape is malformed or the result is not UTF-8. A `+` stays one: no parameter of the
/// protocol holds a space.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    headwater_protocol::segment_from_url(text).map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_in_any_order_and_unknown_parameters_are_ignored() {
        let parsed = query(Some("x=1&cursor=7&live=sse&x=2&offset=%2D1&&y")).unwrap();
        assert_eq!(parsed, Query { offset: Some(ReadFrom::Start), live: Live::Sse, cursor: Some("7".into()) });
        assert_eq!(query(None).unwrap(), Query { offset: None, live: Live::No, cursor: None });
    }

    #[test]
    fn a_view_is_a_snapshot_or_refused() {
        assert!(!asks_for_snapshot(None).unwrap() && !asks_for_snapshot(Some("offset=-1&views=1")).unwrap());
        assert!(asks_for_snapshot(Some("offset=-1&v%69ew=snapsho%74")).unwrap());
        for text in ["view", "view=", "view=log", "view=snapshot&view=snapshot"] {
            assert!(asks_for_snapshot(Some(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn known_parameters_come_once_and_say_something() {
        for text in [
            "offset",
            "offset=",
            "offset=-1&offset=-1",
            "offset=now&offset=",
            "offset=%",
            "offset=%ff",
            "off%73et=",
            "live=",
            "live=maybe&offset=-1",
            "live=sse",
            "live=long-poll",
            "cursor=",
            "cursor=1&cursor=1",
            "offset=0",
            "offset=-1,",
            "offset=+1",
            "offset=a%00",
        ] {
            assert!(query(Some(text)).is_err(), "{text}");
        }
    }
}
