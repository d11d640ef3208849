//! Rows of one kind, kept up to date by their session: look at them, or be told what changes.
//!
//! Reading never waits. What a subscriber has not taken yet is kept as the rows' difference, not as a queue of events, so
//! that the slowest subscriber costs no more than the rows themselves.

mod query;
mod subscription;
mod table;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

pub use query::{LiveQuery, QueryBuilder};
pub use subscription::{ChangeBatch, RowChange, Subscription};
pub(crate) use table::Table;

/// Rows of one kind, in the order in which they came. Cloning is cheap; clones are the same collection.
///
/// Optimistic rows are there like all others, with what the server has confirmed beneath them.
pub struct Collection<T> {
    pub(crate) table: Arc<Mutex<Table<T>>>,
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone() }
    }
}

impl<T> Default for Collection<T> {
    fn default() -> Self {
        Self { table: Arc::new(Mutex::new(Table::default())) }
    }
}

impl<T> Collection<T> {
    /// One row.
    pub fn get(&self, key: &str) -> Option<Arc<T>> {
        self.table.lock().get(key).cloned()
    }

    /// All rows as they are now, in the order in which they came.
    pub fn rows(&self) -> Vec<Arc<T>> {
        self.table.lock().iter().map(|(_, row)| row.clone()).collect()
    }

    /// The same, one by one.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Arc<T>> + use<T> {
        self.rows().into_iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.table.lock().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells what there is, as the first batch, and then what changes.
    pub fn subscribe(&self) -> Subscription<T> {
        Subscription::new(self.table.clone())
    }
}

impl<T: 'static> Collection<T> {
    /// Begins a query that is kept up to date.
    pub fn query(&self) -> QueryBuilder<T> {
        QueryBuilder::new(self.subscribe())
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("len", &self.len()).finish_non_exhaustive()
    }
}
