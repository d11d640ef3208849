//! The engine's operations as sessions use them.

use std::sync::LazyLock;

use bytes::Bytes;
use headwater_protocol::{ContentType, StreamPath};
use headwater_streams::{Append, Create, Durability};

static JSON: LazyLock<ContentType> = LazyLock::new(|| ContentType::new("application/json").expect("a proper type"));

fn json() -> ContentType {
    JSON.clone()
}

/// An empty stream for messages.
pub(super) fn json_stream(path: StreamPath) -> Create {
    Create {
        path,
        content_type: Some(json()),
        lifetime: None,
        payload: Bytes::new(),
        closed: false,
        fork: None,
        durability: Durability::Durable,
    }
}

/// Stored messages.
pub(super) fn append(path: StreamPath, payload: Bytes) -> Append {
    Append { path, content_type: Some(json()), payload, stream_seq: None, producer: None, close: false }
}

/// The end of a stream.
pub(super) fn close(path: StreamPath) -> Append {
    Append { content_type: None, close: true, ..append(path, Bytes::new()) }
}
