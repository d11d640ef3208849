//! Where a change message stands in its session's stream.

use headwater_protocol::Offset;

/// The place of a change message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The offset right after the message: reading from here does not give it again.
    pub offset: Offset,
    /// Its number in the stream, from 1.
    pub seq: u64,
}
