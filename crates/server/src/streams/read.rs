//! GET: a page of what a stream holds (protocol section 5.6).

use headwater_protocol::{ETag, Framing, ReadFrom, StreamPath, if_none_match, json};
use headwater_streams::{Page, Store};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::edge::Edge;
use crate::problem::Problem;
use crate::request;
use crate::response::{
    Answer, Content, NO_STORE, STREAM_CLOSED, STREAM_NEXT_OFFSET, STREAM_UP_TO_DATE, TRUE, answer, offset_value,
};
use crate::streams::content_type_value;
use crate::streams::page_body::PageBody;

pub(crate) const SHARED: HeaderValue = HeaderValue::from_static("public, max-age=60, stale-while-revalidate=300");
pub(crate) const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=60, stale-while-revalidate=300");

/// Where an answer's bytes lie, and what it tells of the stream.
pub(crate) struct Extent {
    pub(crate) tag: Option<ETag>,
    pub(crate) next: headwater_protocol::Offset,
    pub(crate) up_to_date: bool,
    pub(crate) closed: bool,
}

pub(crate) async fn read<S: Store>(
    edge: &Edge<S>,
    path: &StreamPath,
    from: ReadFrom,
    headers: &HeaderMap,
) -> Result<Answer<S>, Problem> {
    let mut page = edge.engine.page(path, from).await?;
    // What `now` answers is true for this moment only.
    let tag = (from != ReadFrom::Now).then(|| ETag::new(page.id.0, page.start, page.next, page.closed));
    let extent = Extent { tag, next: page.next, up_to_date: page.up_to_date, closed: page.closed };
    if let Some(unchanged) = not_modified(&extent, headers) {
        return Ok(unchanged);
    }
    edge.metrics.read(page.len());
    let content_type = content_type_value(&page.content_type);
    let content = content(&mut page).await?;
    let content = match content {
        Some(content) => content,
        None => Content::Page(Box::new(PageBody::new(page, path.clone()))),
    };
    let mut response = answer(StatusCode::OK, content);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    describe(&extent, headers, response.headers_mut());
    Ok(response)
}

/// The body when it is one chunk, which most are.
async fn content<S: Store>(page: &mut Page) -> Result<Option<Content<S>>, Problem> {
    let is_json = page.content_type.framing() == Framing::Json;
    if page.len() > headwater_streams::limits::STORE_READ_BYTES_MAX as u64 {
        return Ok(None);
    }
    let Some(first) = page.chunk().await.transpose()? else {
        return Ok(Some(Content::full(if is_json { json::wrap(&[]) } else { bytes::Bytes::new() })));
    };
    if first.len() as u64 == page.len() {
        return Ok(Some(Content::full(if is_json { json::wrap(&first) } else { first })));
    }
    // A short page in several chunks (a fork's seam, the edge of what memory holds) is gathered: it is small.
    let mut gathered = Vec::with_capacity(page.len() as usize);
    gathered.extend_from_slice(&first);
    while let Some(chunk) = page.chunk().await.transpose()? {
        gathered.extend_from_slice(&chunk);
    }
    Ok(Some(Content::full(if is_json { json::wrap(&gathered) } else { gathered.into() })))
}

/// 304 when the client has exactly this page.
pub(crate) fn not_modified<S: Store>(extent: &Extent, headers: &HeaderMap) -> Option<Answer<S>> {
    let lines = headers.get_all(IF_NONE_MATCH).iter().map(HeaderValue::as_bytes);
    if !if_none_match(lines, extent.tag.as_ref()?) {
        return None;
    }
    let mut response = answer(StatusCode::NOT_MODIFIED, Content::Empty);
    describe(extent, headers, response.headers_mut());
    Some(response)
}

/// Tells where the answer lies in the stream, and who may keep it.
pub(crate) fn describe(extent: &Extent, asked: &HeaderMap, headers: &mut HeaderMap) {
    headers.insert(STREAM_NEXT_OFFSET, offset_value(extent.next));
    if extent.up_to_date {
        headers.insert(STREAM_UP_TO_DATE, TRUE);
    }
    if extent.closed {
        headers.insert(STREAM_CLOSED, TRUE);
    }
    let cache = match &extent.tag {
        None => NO_STORE,
        Some(tag) => {
            headers.insert(ETAG, HeaderValue::from_str(tag.as_str()).expect("an entity tag is visible ASCII"));
            if request::is_authorized(asked) { PRIVATE } else { SHARED }
        }
    };
    headers.insert(CACHE_CONTROL, cache);
}
