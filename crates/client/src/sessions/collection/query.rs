//! Queries that are kept up to date: filter, order, limit. A change moves the rows it is about and looks at no others.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{RowChange, Subscription};

type Filter<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;
type Compare<T> = Box<dyn Fn(&T, &T) -> Ordering + Send + Sync>;

/// What a [`LiveQuery`] shows.
#[must_use]
pub struct QueryBuilder<T> {
    changes: Subscription<T>,
    filter: Option<Filter<T>>,
    compare: Option<Compare<T>>,
    limit: usize,
}

impl<T: 'static> QueryBuilder<T> {
    pub(super) fn new(changes: Subscription<T>) -> Self {
        Self { changes, filter: None, compare: None, limit: usize::MAX }
    }

    /// Only these rows.
    pub fn filter(mut self, filter: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Box::new(filter));
        self
    }

    /// In this order; equal rows in the order in which they came. Default: that order alone.
    pub fn order_by(mut self, compare: impl Fn(&T, &T) -> Ordering + Send + Sync + 'static) -> Self {
        self.compare = Some(Box::new(compare));
        self
    }

    /// In the order of what `value` gives.
    pub fn order_by_key<K: Ord>(self, value: impl Fn(&T) -> K + Send + Sync + 'static) -> Self {
        self.order_by(move |a, b| value(a).cmp(&value(b)))
    }

    /// Only so many, the first of the order.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// The query, with what there is.
    pub fn open(self) -> LiveQuery<T> {
        let mut query = LiveQuery {
            changes: self.changes,
            filter: self.filter,
            compare: self.compare,
            limit: self.limit,
            sorted: Vec::new(),
            places: HashMap::new(),
            arrivals: 0,
        };
        query.refresh();
        query
    }
}

impl<T> fmt::Debug for QueryBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryBuilder").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Rows of a collection that a query chooses, in its order.
///
/// ```no_run
/// # async fn example(session: headwater_client::sessions::Session) {
/// use headwater_client::sessions::ToolStatus;
///
/// let running = session.tool_calls().query().filter(|call| call.status == ToolStatus::Running);
/// let mut running = running.order_by_key(|call| std::cmp::Reverse(call.timestamp)).limit(5).open();
/// while running.changed().await {
///     println!("{} tools at work", running.rows().count());
/// }
/// # }
/// ```
pub struct LiveQuery<T> {
    changes: Subscription<T>,
    filter: Option<Filter<T>>,
    compare: Option<Compare<T>>,
    limit: usize,
    /// All rows that pass the filter: who moves up when one goes is known at once.
    sorted: Vec<Entry<T>>,
    /// The same by key.
    places: HashMap<Arc<str>, Entry<T>>,
    arrivals: u64,
}

struct Entry<T> {
    row: Arc<T>,
    /// When it came, among the others.
    arrival: u64,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self { row: self.row.clone(), arrival: self.arrival }
    }
}

impl<T: 'static> LiveQuery<T> {
    /// The rows as of the last [`changed`](Self::changed) or [`refresh`](Self::refresh).
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &Arc<T>> {
        self.sorted.iter().take(self.limit).map(|entry| &entry.row)
    }

    /// Waits until what it shows has changed. False once the session is followed no more.
    pub async fn changed(&mut self) -> bool {
        while let Some(batch) = self.changes.next().await {
            if self.apply(batch) {
                return true;
            }
        }
        false
    }

    /// Takes in what has changed by now. Whether it shows.
    pub fn refresh(&mut self) -> bool {
        let batch = self.changes.try_next();
        self.apply(batch)
    }

    fn apply(&mut self, batch: Vec<RowChange<T>>) -> bool {
        let mut shows = false;
        for change in batch {
            let passes = |row: &Arc<T>| self.filter.as_ref().is_none_or(|filter| filter(row));
            let row = change.row().filter(|row| passes(row)).cloned();
            shows |= self.place(change.key(), row);
        }
        shows
    }

    /// Puts a row where it belongs now, or takes it away. Whether that shows.
    fn place(&mut self, key: &str, row: Option<Arc<T>>) -> bool {
        let old = self.places.remove(key);
        let mut first = usize::MAX;
        if let Some(at) = old.as_ref().and_then(|old| self.search(old).ok()) {
            self.sorted.remove(at);
            first = at;
        }
        if let Some(row) = row {
            let arrival = old.map_or(self.arrivals, |old| old.arrival);
            self.arrivals += 1;
            let entry = Entry { row, arrival };
            let at = self.search(&entry).unwrap_or_else(|at| at);
            self.sorted.insert(at, entry.clone());
            self.places.insert(key.into(), entry);
            first = first.min(at);
        }
        first < self.limit
    }

    fn search(&self, entry: &Entry<T>) -> Result<usize, usize> {
        self.sorted.binary_search_by(|other| {
            let order = self.compare.as_ref().map_or(Ordering::Equal, |compare| compare(&other.row, &entry.row));
            order.then(other.arrival.cmp(&entry.arrival))
        })
    }
}

impl<T> fmt::Debug for LiveQuery<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveQuery").field("len", &self.sorted.len().min(self.limit)).finish_non_exhaustive()
    }
}
