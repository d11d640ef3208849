//! DELETE: remove a stream (protocol section 5.4).

use headwater_protocol::StreamPath;
use headwater_streams::Store;
use http::StatusCode;

use crate::edge::Edge;
use crate::problem::Problem;
use crate::response::{Answer, Content, answer};

pub(crate) async fn delete<S: Store>(edge: &Edge<S>, path: &StreamPath) -> Result<Answer<S>, Problem> {
    edge.engine.delete(path).await?;
    Ok(answer(StatusCode::NO_CONTENT, Content::Empty))
}
