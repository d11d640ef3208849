//! The words and bytes of the Durable Streams protocol that both ends agree on.
//!
//! Everything here is a value or a pure function: no I/O, no async, no HTTP framework, no clock. The server and the
//! client parse and print the same types, so a rule about the bytes is written once.
#![warn(missing_docs)]

mod content_type;
mod lifetime;
mod offset;
mod path;
mod producer;

pub mod limits;

pub use content_type::{ContentType, Framing, InvalidContentType};
pub use lifetime::{InvalidLifetime, Lifetime, TtlSeconds};
pub use offset::{InvalidOffset, Offset, ReadFrom};
pub use path::{InvalidPath, StreamPath};
pub use producer::{Epoch, InvalidProducer, ProducerId, ProducerSeq, ProducerStamp, StreamSeq};
