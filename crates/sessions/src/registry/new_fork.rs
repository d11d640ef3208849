//! What somebody who forks a session says.

use headwater_protocol::Offset;

use super::{Field, ID_BYTES_MAX, Kind, TITLE_BYTES_MAX, optional, read_body, retention};
use crate::error::SessionError;

/// What a fork says of itself; what is `None` is as in its source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewFork {
    /// What it belongs to.
    pub project_id: Option<String>,
    /// The task it is about.
    pub task_id: Option<String>,
    /// The agent at work.
    pub agent_id: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// How long its events are kept, in milliseconds.
    pub retention_ms: Option<u64>,
}

const FORK: &[Field] = &[
    optional("offset", Kind::Name(ID_BYTES_MAX)),
    optional("projectId", Kind::Id),
    optional("taskId", Kind::Id),
    optional("agentId", Kind::AgentId),
    optional("title", Kind::Name(TITLE_BYTES_MAX)),
    optional("retentionMs", Kind::Whole),
];

impl NewFork {
    /// Reads `{offset?, projectId?, taskId?, agentId?, title?, retentionMs?}`: where to branch off, `None` for the tail,
    /// and what the fork says of itself.
    pub fn parse(body: &[u8]) -> Result<(Option<Offset>, Self), SessionError> {
        let values = read_body(FORK, body)?.values;
        let text = |name: &str| values.text(name).map(|text| text.into_owned());
        let offset = text("offset").map(|text| text.parse::<Offset>()).transpose();
        let offset =
            offset.map_err(|_| SessionError::field("offset", "must be an offset that the session handed out"))?;
        let fork = Self {
            project_id: text("projectId"),
            task_id: text("taskId"),
            agent_id: text("agentId"),
            title: text("title"),
            retention_ms: retention::check(values.whole("retentionMs"))?,
        };
        Ok((offset, fork))
    }
}
