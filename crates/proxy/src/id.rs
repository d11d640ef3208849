//! Names of generations.

use std::fmt;

use headwater_protocol::StreamPath;
use uuid::{Timestamp, Uuid};

/// Under the protocol's reserved segment: no raw route reaches a proxied stream, so its signature cannot be gone around.
const STREAMS: &str = "__ds/proxy/";

/// One proxied response: a UUID of version 7, whose order is the order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GenerationId(Uuid);

impl GenerationId {
    /// A new one. `now_ms` is in Unix milliseconds.
    pub(crate) fn new(now_ms: u64) -> Self {
        let nanoseconds = u32::try_from(now_ms % 1000 * 1_000_000).expect("less than a second");
        Self(Uuid::new_v7(Timestamp::from_unix(uuid::NoContext, now_ms / 1000, nanoseconds)))
    }

    /// Takes `text` only in the one form in which ids are handed out.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(Uuid::try_parse(text).ok()?);
        (id.to_string() == text).then_some(id)
    }

    /// Where its bytes are.
    pub fn stream(&self) -> StreamPath {
        StreamPath::new(&format!("{STREAMS}{self}")).expect("a UUID under a fixed prefix is a path")
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_its_own_form_only() {
        let id = GenerationId::new(1_700_000_000_123);
        assert_eq!(GenerationId::parse(&id.to_string()), Some(id));
        let others = [id.to_string().to_uppercase(), id.0.simple().to_string(), format!("{{{id}}}"), String::new()];
        for other in others {
            assert_eq!(GenerationId::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        assert!(GenerationId::new(1_700_000_000_123) < GenerationId::new(1_700_000_000_124));
    }
}
