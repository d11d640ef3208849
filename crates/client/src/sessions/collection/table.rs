//! The rows beneath a collection: what is confirmed, the drafts over it, and what each subscriber has yet to be told.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use tokio::sync::Notify;

use super::super::Operation;

/// Rows, in the order in which they came.
pub(crate) struct Table<T> {
    confirmed: IndexMap<Arc<str>, Arc<T>>,
    /// Few, so that they are searched one by one; later ones lie over earlier ones.
    drafts: Vec<Draft<T>>,
    subscribers: HashMap<u64, Subscriber>,
    next_subscriber: u64,
    has_ended: bool,
}

struct Draft<T> {
    txid: Arc<str>,
    key: Arc<str>,
    row: Arc<T>,
}

/// What one subscriber has yet to be told.
struct Subscriber {
    /// In the order in which rows first changed.
    pending: IndexMap<Arc<str>, Operation>,
    wake: Arc<Notify>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            confirmed: IndexMap::new(),
            drafts: Vec::new(),
            subscribers: HashMap::new(),
            next_subscriber: 0,
            has_ended: false,
        }
    }
}

impl<T> Table<T> {
    pub(crate) fn get(&self, key: &str) -> Option<&Arc<T>> {
        self.draft(key).or_else(|| self.confirmed.get(key))
    }

    /// What the server has said, without drafts.
    pub(crate) fn confirmed(&self, key: &str) -> Option<&Arc<T>> {
        self.confirmed.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<T>)> {
        let confirmed = self.confirmed.iter().map(|(key, row)| (key, self.draft(key).unwrap_or(row)));
        let drafts = self.drafts.iter().enumerate().filter(|(at, draft)| self.is_new(*at, &draft.key));
        confirmed.chain(drafts.map(|(_, draft)| (&draft.key, self.draft(&draft.key).unwrap_or(&draft.row))))
    }

    pub(crate) fn len(&self) -> usize {
        let drafts = self.drafts.iter().enumerate().filter(|(at, draft)| self.is_new(*at, &draft.key));
        self.confirmed.len() + drafts.count()
    }

    fn draft(&self, key: &str) -> Option<&Arc<T>> {
        self.drafts.iter().rfind(|draft| &*draft.key == key).map(|draft| &draft.row)
    }

    /// Whether the draft at this place is the first of a row that is not confirmed.
    fn is_new(&self, at: usize, key: &str) -> bool {
        !self.confirmed.contains_key(key) && !self.drafts[..at].iter().any(|earlier| &*earlier.key == key)
    }

    /// Sets a confirmed row. When a draft of the same transaction waits for it, that one goes in the same step.
    pub(crate) fn put(&mut self, key: &str, row: T, txid: Option<&str>) {
        self.change(key, |table, key| {
            table.confirmed.insert(key.clone(), Arc::new(row));
            table.forget_drafts(&key, txid);
        });
    }

    /// Changes a confirmed row in its place, if it is there.
    pub(crate) fn edit(&mut self, key: &str, edit: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        self.change(key, |table, key| {
            if let Some(row) = table.confirmed.get_mut(&key) {
                edit(Arc::make_mut(row));
            }
        });
    }

    /// Removes a confirmed row.
    pub(crate) fn remove(&mut self, key: &str) {
        self.change(key, |table, key| {
            table.confirmed.shift_remove(&key);
        });
    }

    /// Replaces everything that is confirmed. Subscribers are told the difference.
    pub(crate) fn replace(&mut self, rows: impl IntoIterator<Item = (String, T)>)
    where
        T: PartialEq,
    {
        let old = std::mem::take(&mut self.confirmed);
        let before: Vec<(Arc<str>, Arc<T>)> = old.into_iter().collect();
        let known: HashMap<Arc<str>, Arc<T>> = before.iter().cloned().collect();
        let mut changed = Vec::new();
        for (key, row) in rows {
            let (key, row): (Arc<str>, Arc<T>) = (key.into(), Arc::new(row));
            match known.get(&key) {
                // The row that is shown already stays the same one.
                Some(same) if **same == *row => self.confirmed.insert(key, same.clone()),
                Some(_) => {
                    changed.push((key.clone(), Operation::Update));
                    self.confirmed.insert(key, row)
                }
                None => {
                    let is_draft = self.draft(&key).is_some();
                    changed.push((key.clone(), if is_draft { Operation::Update } else { Operation::Insert }));
                    self.confirmed.insert(key, row)
                }
            };
        }
        for (key, _) in before {
            if !self.confirmed.contains_key(&key) && self.draft(&key).is_none() {
                changed.push((key, Operation::Delete));
            }
        }
        for (key, operation) in changed {
            self.tell(&key, operation);
        }
    }

    /// Lays a draft over a row.
    pub(crate) fn add_draft(&mut self, txid: &Arc<str>, key: &str, row: T) {
        self.change(key, |table, key| {
            table.drafts.push(Draft { txid: txid.clone(), key, row: Arc::new(row) });
        });
    }

    /// Takes all drafts of a transaction away.
    pub(crate) fn remove_drafts(&mut self, txid: &str) {
        let keys: Vec<Arc<str>> =
            self.drafts.iter().filter(|draft| &*draft.txid == txid).map(|draft| draft.key.clone()).collect();
        for key in keys {
            self.change(&key.clone(), |table, key| table.forget_drafts(&key, Some(txid)));
        }
    }

    fn forget_drafts(&mut self, key: &str, txid: Option<&str>) {
        if let Some(txid) = txid {
            self.drafts.retain(|draft| &*draft.key != key || &*draft.txid != txid);
        }
    }

    /// Runs a change of one row and tells subscribers what came of it.
    fn change(&mut self, key: &str, change: impl FnOnce(&mut Self, Arc<str>)) {
        let was_there = self.get(key).is_some();
        let key: Arc<str> = key.into();
        change(self, key.clone());
        match (was_there, self.get(&key).is_some()) {
            (false, true) => self.tell(&key, Operation::Insert),
            (true, true) => self.tell(&key, Operation::Update),
            (true, false) => self.tell(&key, Operation::Delete),
            (false, false) => {}
        }
    }

    fn tell(&mut self, key: &Arc<str>, operation: Operation) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.note(key, operation);
        }
    }

    /// Nothing will change any more.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
        for subscriber in self.subscribers.values() {
            subscriber.wake.notify_one();
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// A new subscriber, who is told what there is.
    pub(crate) fn subscribe(&mut self, wake: Arc<Notify>) -> u64 {
        let pending: IndexMap<_, _> = self.iter().map(|(key, _)| (key.clone(), Operation::Insert)).collect();
        let id = self.next_subscriber;
        self.next_subscriber += 1;
        self.subscribers.insert(id, Subscriber { pending, wake });
        id
    }

    pub(crate) fn unsubscribe(&mut self, id: u64) {
        self.subscribers.remove(&id);
    }

    /// What a subscriber has not been told, and the rows it is about.
    pub(crate) fn take_pending(&mut self, id: u64) -> Vec<(Arc<str>, Operation, Option<Arc<T>>)> {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return Vec::new() };
        let pending = std::mem::take(&mut subscriber.pending);
        pending.into_iter().map(|(key, operation)| (self.get(&key).cloned(), key, operation)).map(told).collect()
    }
}

fn told<T>((row, key, operation): (Option<Arc<T>>, Arc<str>, Operation)) -> (Arc<str>, Operation, Option<Arc<T>>) {
    (key, operation, row)
}

impl Subscriber {
    /// Adds a change to those that are yet to be told: two changes of one row are one.
    fn note(&mut self, key: &Arc<str>, operation: Operation) {
        use Operation::{Delete, Insert, Update};
        match (self.pending.get(key).copied(), operation) {
            (None, operation) => {
                self.pending.insert(key.clone(), operation);
            }
            // Never seen, never missed.
            (Some(Insert), Delete) => {
                self.pending.shift_remove(key);
            }
            (Some(Insert), _) => {}
            // It comes after the others now.
            (Some(Delete), Insert | Update) => {
                self.pending.shift_remove(key);
                self.pending.insert(key.clone(), Update);
            }
            (Some(_), operation) => {
                self.pending.insert(key.clone(), operation);
            }
        }
        self.wake.notify_one();
    }
}
