//! The words and bytes of the Durable Streams protocol that both ends agree on.
//!
//! Everything here is a value or a pure function: no I/O, no async, no HTTP framework, no clock. The server and the
//! client parse and print the same types, so a rule about the bytes is written once.
#![warn(missing_docs)]

mod content_type;
mod cursor;
mod etag;
mod glob;
mod lifetime;
mod offset;
mod path;
mod producer;
mod public_address;
mod url_path;

pub mod header;
pub mod json;
pub mod limits;
pub mod sse;
pub mod subscription;

pub use content_type::{ContentType, Framing, InvalidContentType};
pub use cursor::{CURSOR_EPOCH_MS, CURSOR_INTERVAL_SECONDS, CURSOR_JITTER_SECONDS_MAX, Cursor};
pub use etag::{ETag, if_none_match};
pub use glob::{Glob, InvalidGlob};
pub use lifetime::{InvalidLifetime, Lifetime, TtlSeconds};
pub use offset::{InvalidOffset, Offset, ReadFrom};
pub use path::{InvalidPath, RESERVED_SEGMENT, StreamPath};
pub use producer::{Epoch, InvalidProducer, ProducerId, ProducerSeq, ProducerStamp, StreamSeq};
pub use public_address::is_public_address;
pub use url_path::{path_from_url, path_to_url, segment_from_url, segment_to_url};
