//! GET of the stream root: which streams there are, page by page. An extension of Headwater; the protocol has no listing.
//!
//! A page is what the store had at one moment; the next one goes on after the last name, so that streams which come and
//! go between two pages are seen once or not at all, and the others once.

use bytes::Bytes;
use headwater_protocol::{RESERVED_SEGMENT, StreamPath};
use headwater_streams::{Listed, Store};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::edge::Edge;
use crate::limits::{LISTING_STREAMS, LISTING_STREAMS_MAX};
use crate::problem::{Code, Problem};
use crate::request::parameters;
use crate::response::{Answer, Content, NO_STORE, answer};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    prefix: String,
    /// The last name of the page before.
    after: Option<StreamPath>,
    limit: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    streams: Vec<Row>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    path: String,
    content_type: String,
    tail: String,
    closed: bool,
    created_at: u64,
}

pub(crate) async fn list<S: Store>(edge: &Edge<S>, query: Option<&str>) -> Result<Answer<S>, Problem> {
    let Wanted { prefix, after, limit } = wanted(query)?;
    // One more than is shown tells whether there are more.
    let mut found = public(edge, &prefix, after.as_ref(), limit + 1).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.path.as_str().to_owned());
    // What is kept for its forks only cannot be read.
    let streams = found.into_iter().filter(|stream| !stream.soft_deleted).map(Row::from).collect();
    let body = serde_json::to_vec(&Page { streams, next_cursor }).expect("texts and numbers can be written as JSON");
    let mut response = answer(StatusCode::OK, Content::Full(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Ok(response)
}

/// Streams that clients can reach. What the server keeps under the reserved segment lies in one place of the order, which
/// is passed over.
async fn public<S: Store>(
    edge: &Edge<S>,
    prefix: &str,
    after: Option<&StreamPath>,
    limit: usize,
) -> Result<Vec<Listed>, Problem> {
    let mut found = edge.engine.list(prefix, after, limit).await?;
    if let Some(first) = found.iter().position(|stream| stream.path.is_reserved()) {
        found.truncate(first);
        let past = StreamPath::new(&format!("{RESERVED_SEGMENT}/\u{10ffff}")).expect("a constant path");
        found.extend(edge.engine.list(prefix, Some(&past), limit - first).await?);
    }
    Ok(found)
}

impl From<Listed> for Row {
    fn from(stream: Listed) -> Self {
        Self {
            path: stream.path.as_str().to_owned(),
            content_type: stream.content_type.as_str().to_owned(),
            tail: stream.tail.to_string(),
            closed: stream.closed,
            created_at: stream.created_at_ms,
        }
    }
}

fn wanted(query: Option<&str>) -> Result<Wanted, Problem> {
    let [prefix, cursor, limit] = parameters(query, ["prefix", "cursor", "limit"])?;
    let refused = |what: String| Problem::new(Code::InvalidQuery, what);
    let after = cursor.map(|cursor| StreamPath::new(&cursor)).transpose();
    let after = after.map_err(|_| refused("query parameter cursor was not handed out by this server".to_owned()))?;
    let limit = match limit {
        None => LISTING_STREAMS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=LISTING_STREAMS_MAX).contains(limit))
            .ok_or_else(|| refused(format!("query parameter limit must be from 1 to {LISTING_STREAMS_MAX}")))?,
    };
    Ok(Wanted { prefix: prefix.unwrap_or_default().into_owned(), after, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asks_for_a_page_after_a_name() {
        let asked = wanted(Some("limit=7&prefix=a%2Fb&cursor=a/c&other=1")).unwrap();
        assert_eq!(asked, Wanted { prefix: "a/b".into(), after: StreamPath::new("a/c").ok(), limit: 7 });
        assert_eq!(wanted(None).unwrap().limit, LISTING_STREAMS);
    }

    #[test]
    fn what_asks_for_no_page_is_refused() {
        for query in ["limit=0", "limit=1001", "limit=x", "limit=1&limit=1", "prefix=%ff", "cursor=/", "cursor="] {
            assert!(wanted(Some(query)).is_err(), "{query}");
        }
    }
}
