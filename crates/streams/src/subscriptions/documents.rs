//! How subscriptions are kept as documents.
//!
//! `subscription/{id}` holds the configuration, written once, or a tombstone. `subscription/{id}/state` holds wakes,
//! leases and retries, `subscription/{id}/link/{path}` one cursor: an ack rewrites only what it moves. Ids are escaped,
//! so they hold no slash here. A link names the creation of its subscription: one that a crash left behind is told from
//! those of a later subscription with the same id.

use bytes::Bytes;
use headwater_protocol::subscription::{Generation, SubscriptionConfig, SubscriptionId};
use headwater_protocol::{Offset, StreamPath, segment_from_url, segment_to_url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::subscription::{Control, Link, Origin, Subscription};
use crate::change::DocumentKey;

/// What every key begins with.
pub(super) const PREFIX: &str = "subscription/";

/// A document to set (`Some`) or remove (`None`).
pub(super) type Write = (DocumentKey, Option<Bytes>);

/// What a key names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    Subscription(SubscriptionId),
    State(SubscriptionId),
    Link(SubscriptionId, StreamPath),
}

impl Key {
    pub(super) fn parse(key: &DocumentKey) -> Option<Self> {
        let rest = key.0.strip_prefix(PREFIX)?;
        let (id, part) = rest.split_once('/').map_or((rest, None), |(id, part)| (id, Some(part)));
        let id = SubscriptionId::new(&segment_from_url(id)?).ok()?;
        match part {
            None => Some(Self::Subscription(id)),
            Some("state") => Some(Self::State(id)),
            Some(part) => Some(Self::Link(id, StreamPath::new(part.strip_prefix("link/")?).ok()?)),
        }
    }

    pub(super) fn document(&self) -> DocumentKey {
        let escaped = |id: &SubscriptionId| segment_to_url(id.as_str());
        DocumentKey(match self {
            Self::Subscription(id) => format!("{PREFIX}{}", escaped(id)).into(),
            Self::State(id) => format!("{PREFIX}{}/state", escaped(id)).into(),
            Self::Link(id, path) => format!("{PREFIX}{}/link/{path}", escaped(id)).into(),
        })
    }
}

/// The document of a subscription's own key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stored {
    Live {
        config: SubscriptionConfig,
        origin: Origin,
        created_at_ms: u64,
    },
    /// Deleted; the generation goes on from here when the id is used again.
    Deleted {
        generation: Generation,
        at_ms: u64,
    },
}

/// A link's document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredLink {
    acked: u64,
    explicit: bool,
    /// `created_at_ms` of the subscription it belongs to.
    pub(super) created_at_ms: u64,
}

impl StoredLink {
    /// The link, with a tail that is yet to be asked for.
    pub(super) fn link(&self) -> Link {
        Link { explicit: self.explicit, acked: Offset::new(self.acked), tail: None }
    }
}

pub(super) fn write_config(subscription: &Subscription) -> Write {
    let (config, origin) = (SubscriptionConfig::clone(&subscription.config), subscription.origin.clone());
    let stored = Stored::Live { config, origin, created_at_ms: subscription.created_at_ms };
    (Key::Subscription(subscription.id.clone()).document(), Some(encode(&stored)))
}

pub(super) fn write_tombstone(id: &SubscriptionId, generation: Generation, at_ms: u64) -> Write {
    (Key::Subscription(id.clone()).document(), Some(encode(&Stored::Deleted { generation, at_ms })))
}

pub(super) fn write_state(id: &SubscriptionId, control: &Control) -> Write {
    (Key::State(id.clone()).document(), Some(encode(control)))
}

pub(super) fn write_link(id: &SubscriptionId, created_at_ms: u64, path: &StreamPath, link: &Link) -> Write {
    let stored = StoredLink { acked: link.acked.get(), explicit: link.explicit, created_at_ms };
    (Key::Link(id.clone(), path.clone()).document(), Some(encode(&stored)))
}

pub(super) fn remove(key: &Key) -> Write {
    (key.document(), None)
}

/// Reads a document back; one that cannot be read is reported and passed over.
pub(super) fn decode<T: DeserializeOwned>(key: &DocumentKey, value: &[u8]) -> Option<T> {
    let decoded = serde_json::from_slice(value);
    decoded.inspect_err(|error| tracing::error!(key = %key.0, %error, "a subscription document cannot be read")).ok()
}

fn encode(value: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("plain structs with text keys serialize"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_whatever_the_id_and_the_path() {
        for id in ["a", "state", "100%", "ü link", "__ds"] {
            let id = SubscriptionId::new(id).unwrap();
            let path = StreamPath::new("link/state/é").unwrap();
            for key in [Key::Subscription(id.clone()), Key::State(id.clone()), Key::Link(id, path)] {
                assert_eq!(Key::parse(&key.document()), Some(key));
            }
        }
    }
}
