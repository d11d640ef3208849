//! The registry as a document, so that a restart folds only what came after it.

use headwater_protocol::Offset;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Registry, SessionRow};
use crate::frozen::InvalidFrozen;
use crate::position::Position;

const VERSION: u32 = 1;

#[derive(Serialize)]
struct Frozen<'a> {
    version: u32,
    offset: u64,
    seq: u64,
    sessions: Vec<&'a SessionRow>,
}

#[derive(Deserialize)]
struct Thawed {
    offset: u64,
    seq: u64,
    sessions: Vec<SessionRow>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Registry {
    /// All sessions as a document.
    pub fn freeze(&self) -> Vec<u8> {
        let Position { offset, seq } = self.position;
        let frozen = Frozen { version: VERSION, offset: offset.get(), seq, sessions: self.iter().collect() };
        serde_json::to_vec(&frozen).expect("plain structs with text keys serialize")
    }

    /// What [`Registry::freeze`] gave; folding goes on after its position.
    pub fn thaw(document: &[u8]) -> Result<Self, InvalidFrozen> {
        let Version { version } = serde_json::from_slice(document)?;
        if version != VERSION {
            return Err(InvalidFrozen::Version(version));
        }
        let thawed: Thawed = serde_json::from_slice(document)?;
        let sessions: IndexMap<_, _> =
            thawed.sessions.into_iter().map(|row| (row.id.clone().into_boxed_str(), row)).collect();
        Ok(Self { position: Position { offset: Offset::new(thawed.offset), seq: thawed.seq }, sessions })
    }
}
