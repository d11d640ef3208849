//! HEAD: what a stream is, without its bytes (protocol section 5.5).

use headwater_protocol::StreamPath;
use headwater_streams::Store;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::edge::Edge;
use crate::problem::Problem;
use crate::response::{Answer, Content, NO_STORE, STREAM_CLOSED, STREAM_NEXT_OFFSET, TRUE, answer, offset_value};
use crate::streams::{content_type_value, tell_lifetime};

pub(crate) async fn head<S: Store>(edge: &Edge<S>, path: &StreamPath) -> Result<Answer<S>, Problem> {
    let metadata = edge.engine.metadata(path).await?;
    let mut response = answer(StatusCode::OK, Content::Empty);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type_value(&metadata.content_type));
    headers.insert(STREAM_NEXT_OFFSET, offset_value(metadata.tail));
    headers.insert(CACHE_CONTROL, NO_STORE);
    if metadata.closed {
        headers.insert(STREAM_CLOSED, TRUE);
    }
    tell_lifetime(metadata.lifetime, headers);
    Ok(response)
}
