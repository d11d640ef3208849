//! Who is there: the rows of a session's companion stream.
//!
//! Present is who was seen less than [`PRESENCE_TTL_MS`] ago, by the server's clock, at the moment of asking. The server
//! deletes the rows of those who fell silent, so that readers without timers see them go, and of those who leave, at
//! once.

use serde::{Deserialize, Serialize};

use crate::change::{Change, Operation};
use crate::channel::RowType;
use crate::json::Object;
use crate::limits::PRESENCE_TTL_MS;
use crate::position::Position;
use crate::table::{Row, Table};
use headwater_protocol::Offset;

/// The folded companion stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    position: Position,
    users: Table,
}

/// Somebody who is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentUser {
    /// Who.
    pub user_id: String,
    /// As they call themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Their picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Where they point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// Last sign of life, in Unix milliseconds by the server's clock.
    pub last_seen: u64,
    /// When they came, in Unix milliseconds by the server's clock.
    pub joined_at: u64,
}

/// A place on a user's screen, in whatever unit the users of a session agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// To the right.
    pub x: serde_json::Number,
    /// Down.
    pub y: serde_json::Number,
}

impl Presence {
    /// The last message applied.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Notes that nothing more is told before `offset`.
    pub(crate) fn skip_to(&mut self, offset: Offset) {
        self.position.offset = self.position.offset.max(offset);
    }

    /// All rows, expired ones included until their deletion has been applied.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (&str, &Row)> {
        self.users.iter()
    }

    /// One user's row.
    pub fn row(&self, user_id: &str) -> Option<&Row> {
        self.users.get(user_id)
    }

    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// Who is present at `now_ms`, in the order in which they came.
    pub fn present(&self, now_ms: u64) -> Vec<PresentUser> {
        let users = self.users.iter().filter_map(|(_, row)| serde_json::from_str(row.value.get()).ok());
        users.filter(|user: &PresentUser| is_present(user.last_seen, now_ms)).collect()
    }

    /// One of those who are present at `now_ms`.
    pub fn present_user(&self, user_id: &str, now_ms: u64) -> Option<PresentUser> {
        let user: PresentUser = serde_json::from_str(self.users.get(user_id)?.value.get()).ok()?;
        is_present(user.last_seen, now_ms).then_some(user)
    }

    /// How many are present at `now_ms`.
    pub fn viewer_count(&self, now_ms: u64) -> usize {
        self.users.iter().filter(|(_, row)| is_present(last_seen(row), now_ms)).count()
    }

    /// When the first of them falls silent for too long, in Unix milliseconds.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.users.iter().map(|(_, row)| last_seen(row).saturating_add(PRESENCE_TTL_MS)).min()
    }

    /// The deletions due at `now_ms`. Apply them once they are appended.
    pub fn expired(&self, now_ms: u64, txid: &str) -> Vec<Change> {
        let silent = self.users.iter().filter(|(_, row)| !is_present(last_seen(row), now_ms));
        silent.map(|(key, _)| delete(key, now_ms, txid)).collect()
    }

    /// The deletion of somebody who leaves; `None` when they are not there.
    pub fn leave(&self, user_id: &str, now_ms: u64, txid: &str) -> Option<Change> {
        self.users.get(user_id).map(|_| delete(user_id, now_ms, txid))
    }

    /// Applies the next change of the companion stream; `next` is the offset right after it. Rows of other types are
    /// passed over.
    pub fn apply(&mut self, change: &Change, next: Offset) {
        self.position = Position { offset: next, seq: self.position.seq + 1 };
        if change.row_type == RowType::Presence {
            self.users.apply(change, self.position, change.at_ms.unwrap_or_default());
        }
    }
}

/// Whether somebody last seen then is present now.
pub(crate) fn is_present(last_seen_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(last_seen_ms) < PRESENCE_TTL_MS
}

fn last_seen(row: &Row) -> u64 {
    Object::parse(row.value.get()).and_then(|object| object.whole("lastSeen")).unwrap_or_default()
}

fn delete(user_id: &str, now_ms: u64, txid: &str) -> Change {
    Change {
        row_type: RowType::Presence,
        key: user_id.to_owned(),
        operation: Operation::Delete,
        value: None,
        txid: Some(txid.to_owned()),
        at_ms: Some(now_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    fn seen(presence: &mut Presence, user: &str, last_seen: u64) {
        let value = format!(r#"{{"userId":"{user}","sessionId":"s","lastSeen":{last_seen},"joinedAt":1}}"#);
        let value = Some(Json::from_valid(value));
        let (txid, at_ms) = (None, Some(last_seen));
        let row_type = RowType::Presence;
        presence.apply(
            &Change { row_type, key: user.into(), operation: Operation::Insert, value, txid, at_ms },
            Offset::START,
        );
    }

    #[test]
    fn silence_of_thirty_seconds_ends_presence_at_any_moment_of_asking() {
        let mut presence = Presence::default();
        seen(&mut presence, "ada", 1_000);
        seen(&mut presence, "bob", 20_000);
        assert_eq!(presence.viewer_count(30_999), 2);
        assert_eq!(presence.viewer_count(31_000), 1);
        assert_eq!(presence.present(31_000)[0].user_id, "bob");
        assert_eq!(presence.next_expiry_ms(), Some(31_000));
        assert!(presence.expired(30_999, "t").is_empty());
        let gone = presence.expired(31_000, "t");
        assert_eq!(gone.iter().map(|change| change.key.as_str()).collect::<Vec<_>>(), ["ada"]);
        presence.apply(&gone[0], Offset::START);
        assert_eq!(presence.next_expiry_ms(), Some(50_000));
        assert_eq!(presence.viewer_count(50_000), 0);
    }

    #[test]
    fn leaving_removes_at_once_and_only_who_is_there() {
        let mut presence = Presence::default();
        seen(&mut presence, "ada", 1_000);
        assert_eq!(presence.leave("bob", 1_001, "t"), None);
        let left = presence.leave("ada", 1_001, "t").unwrap();
        assert_eq!((left.operation, &left.value), (Operation::Delete, &None));
        presence.apply(&left, Offset::START);
        assert_eq!(presence.viewer_count(1_001), 0);
        assert_eq!(presence.leave("ada", 1_002, "t"), None);
    }
}
