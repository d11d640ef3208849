//! Rows of one type, in the order of their first insert.

use indexmap::IndexMap;

use crate::change::{Change, Operation};
use crate::json::Json;
use crate::limits::ROW_OVERHEAD_BYTES;
use crate::position::Position;

/// One row as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The object, exactly as the last message about it holds it.
    pub value: Json,
    /// The message that inserted it.
    pub first: Position,
    /// The last message that changed it.
    pub last: Position,
    /// When that was decided, in Unix milliseconds.
    pub changed_ms: u64,
}

impl Row {
    fn bytes(&self) -> usize {
        ROW_OVERHEAD_BYTES + self.value.get().len()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    rows: IndexMap<Box<str>, Row>,
    bytes: usize,
}

impl Table {
    pub(crate) fn get(&self, key: &str) -> Option<&Row> {
        self.rows.get(key)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Row)> {
        self.rows.iter().map(|(key, row)| (&**key, row))
    }

    pub(crate) fn at(&self, index: usize) -> Option<(&str, &Row)> {
        self.rows.get_index(index).map(|(key, row)| (&**key, row))
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a change message does. As the official readers do, an insert over a row and an update of none both set it.
    pub(crate) fn apply(&mut self, change: &Change, at: Position, changed_ms: u64) {
        match (&change.value, change.operation) {
            (_, Operation::Delete) => self.remove(&change.key),
            (Some(value), Operation::Insert | Operation::Update) => {
                let first = self.get(&change.key).map_or(at, |row| row.first);
                self.put(&change.key, Row { value: value.clone(), first, last: at, changed_ms });
            }
            (None, Operation::Insert | Operation::Update) => {}
        }
    }

    pub(crate) fn put(&mut self, key: &str, row: Row) {
        self.bytes += row.bytes();
        if let Some(old) = self.rows.insert(key.into(), row) {
            self.bytes -= old.bytes();
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(old) = self.rows.shift_remove(key) {
            self.bytes -= old.bytes();
        }
    }

    /// Drops rows that last changed before `before_ms`.
    pub(crate) fn expire(&mut self, before_ms: u64) {
        let mut freed = 0;
        self.rows.retain(|_, row| {
            let stays = row.changed_ms >= before_ms;
            freed += if stays { 0 } else { row.bytes() };
            stays
        });
        self.bytes -= freed;
    }
}
