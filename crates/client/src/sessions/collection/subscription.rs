//! What changes in a collection, batch by batch.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::super::Operation;
use super::Table;

/// Tells what changes in a collection. Several changes of one row between two batches are told as one.
pub struct Subscription<T> {
    table: Arc<Mutex<Table<T>>>,
    wake: Arc<Notify>,
    id: u64,
}

/// Changes, in the order in which their rows first changed.
pub type ChangeBatch<T> = Vec<RowChange<T>>;

/// One change of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChange<T> {
    /// It is new.
    Insert {
        /// Its key.
        key: Arc<str>,
        /// As it is now.
        row: Arc<T>,
    },
    /// It differs from what was told before.
    Update {
        /// Its key.
        key: Arc<str>,
        /// As it is now.
        row: Arc<T>,
    },
    /// It is gone.
    Delete {
        /// Its key.
        key: Arc<str>,
    },
}

impl<T> RowChange<T> {
    /// The row's key.
    pub fn key(&self) -> &str {
        match self {
            Self::Insert { key, .. } | Self::Update { key, .. } | Self::Delete { key } => key,
        }
    }

    /// The row as it is now; `None` when it is gone.
    pub fn row(&self) -> Option<&Arc<T>> {
        match self {
            Self::Insert { row, .. } | Self::Update { row, .. } => Some(row),
            Self::Delete { .. } => None,
        }
    }
}

impl<T> Subscription<T> {
    pub(super) fn new(table: Arc<Mutex<Table<T>>>) -> Self {
        let wake = Arc::new(Notify::new());
        let id = table.lock().subscribe(wake.clone());
        Self { table, wake, id }
    }

    /// The next changes, when there are any; `None` once all is told and the session is followed no more. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<ChangeBatch<T>> {
        loop {
            let (batch, has_ended) = self.take();
            if !batch.is_empty() {
                return Some(batch);
            }
            if has_ended {
                return None;
            }
            self.wake.notified().await;
        }
    }

    /// What has changed since the last batch; perhaps nothing.
    pub fn try_next(&mut self) -> ChangeBatch<T> {
        self.take().0
    }

    fn take(&self) -> (ChangeBatch<T>, bool) {
        let mut table = self.table.lock();
        let pending = table.take_pending(self.id);
        (pending.into_iter().map(change).collect(), table.has_ended())
    }
}

fn change<T>((key, operation, row): (Arc<str>, Operation, Option<Arc<T>>)) -> RowChange<T> {
    match (operation, row) {
        (Operation::Insert, Some(row)) => RowChange::Insert { key, row },
        (Operation::Update, Some(row)) => RowChange::Update { key, row },
        (_, _) => RowChange::Delete { key },
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.table.lock().unsubscribe(self.id);
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
