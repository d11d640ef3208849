//! Optimistic writes under way: shown at once, then confirmed or rolled back, exactly one of the two, once.
//!
//! A write is confirmed when its rows have come back through the stream, known by their txid, or when the stream has come
//! to the offset that the server acknowledged; until then its drafts stay, so that nothing flickers. It is rolled back
//! when the server refuses it, when all attempts have failed, or when nobody has acknowledged it within a minute. A write
//! that was acknowledged is never rolled back: it is stored, whatever becomes of the connection.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::fold::Fold;
use super::post::unix_ms;
use super::rows::Row;
use super::txn::{Confirmed, RolledBack};
use super::{Channel, Collection, Post, SessionError, SessionEvent};
use crate::Offset;

/// All writes of a session that are not decided yet.
#[derive(Debug)]
pub(crate) struct Writes {
    session: String,
    undecided: Mutex<Undecided>,
}

#[derive(Debug)]
struct Undecided {
    writes: IndexMap<Arc<str>, Write>,
    /// Up to where the stream has come; `None` once it is followed no more.
    position: Option<Offset>,
}

#[derive(Debug)]
struct Write {
    posts: Vec<Post>,
    /// Rows that have not come back yet.
    awaited: HashSet<(Channel, String)>,
    /// Where the server has put it.
    acknowledged: Option<Offset>,
    tell: oneshot::Sender<Result<Confirmed, RolledBack>>,
}

impl Writes {
    pub(crate) fn new(session: &str) -> Self {
        let undecided = Undecided { writes: IndexMap::new(), position: Some(Offset::start()) };
        Self { session: session.to_owned(), undecided: Mutex::new(undecided) }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.undecided.lock().writes.len()
    }

    /// Shows a write, and says how it will be told what becomes of it.
    pub(crate) fn begin(
        &self,
        fold: &Fold,
        txid: &Arc<str>,
        posts: Vec<Post>,
    ) -> oneshot::Receiver<Result<Confirmed, RolledBack>> {
        let (tell, told) = oneshot::channel();
        let is_history = |channel: &Channel| *channel != Channel::Presence;
        let row = |post: &Post| Some((post.channel().filter(is_history)?, post.key()?.to_owned()));
        let awaited = posts.iter().filter_map(row).collect();
        // The draft last: whoever sees it can count on the write being known.
        self.undecided
            .lock()
            .writes
            .insert(txid.clone(), Write { posts: posts.clone(), awaited, acknowledged: None, tell });
        for post in &posts {
            self.draft(fold, txid, post);
        }
        told
    }

    fn draft(&self, fold: &Fold, txid: &Arc<str>, post: &Post) {
        match post.channel() {
            Some(Channel::Chunks) => self.draft_in(&fold.chunks, txid, post),
            Some(Channel::ToolCalls) => self.draft_in(&fold.tool_calls, txid, post),
            Some(Channel::Terminal) => self.draft_in(&fold.terminal, txid, post),
            Some(Channel::Workflow) => self.draft_in(&fold.workflow, txid, post),
            Some(Channel::AgentState) => self.draft_in(&fold.agent_states, txid, post),
            // The server decides what a step becomes, and presence beats all the time.
            Some(Channel::Presence) | None => {}
        }
    }

    /// Shows what the server would make of a post: its fields over those of the row that is there.
    fn draft_in<T: Row>(&self, collection: &Collection<T>, txid: &Arc<str>, post: &Post) {
        let Some(key) = post.key() else { return };
        let mut table = collection.table.lock();
        let mut row = match table.get(key).map(|row| serde_json::to_value(&**row)) {
            Some(Ok(Value::Object(row))) => row,
            _ => Map::new(),
        };
        row.extend(post.data.clone());
        row.insert("sessionId".into(), self.session.as_str().into());
        row.entry("timestamp").or_insert_with(|| unix_ms().into());
        // What is no row yet, the server refuses; until then there is nothing to show.
        if let Ok(row) = serde_json::from_value(Value::Object(row)) {
            table.add_draft(txid, key, row);
        }
    }

    /// An event has come through the stream.
    pub(crate) fn came_back(&self, event: &SessionEvent) {
        let Some(txid) = event.txid.as_deref() else { return };
        let mut undecided = self.undecided.lock();
        let Some(write) = undecided.writes.get_mut(txid) else { return };
        let was_awaited = write.awaited.remove(&(event.channel, event.key.clone()));
        if was_awaited && write.awaited.is_empty() {
            let offset = event.offset.clone().or(write.acknowledged.clone()).unwrap_or_default();
            if let Some((txid, write)) = undecided.writes.shift_remove_entry(txid) {
                drop(undecided);
                write.confirm(&txid, offset);
            }
        }
    }

    /// The stream has come to an offset: what was acknowledged up to there is in the rows.
    pub(crate) fn settle(&self, fold: &Fold, at: &Offset) {
        let mut undecided = self.undecided.lock();
        undecided.position = Some(at.clone());
        self.confirm_reached(fold, undecided);
    }

    /// The stream is followed no more: what the server has acknowledged is confirmed by that.
    pub(crate) fn end(&self, fold: &Fold) {
        let mut undecided = self.undecided.lock();
        undecided.position = None;
        self.confirm_reached(fold, undecided);
    }

    /// The server has acknowledged a write.
    pub(crate) fn acknowledge(&self, fold: &Fold, txid: &str, offset: Offset) {
        let mut undecided = self.undecided.lock();
        let Some(write) = undecided.writes.get_mut(txid) else { return };
        write.acknowledged = Some(offset);
        self.confirm_reached(fold, undecided);
    }

    /// Nobody will acknowledge a write any more.
    pub(crate) fn roll_back(&self, fold: &Fold, txid: &str, error: SessionError) {
        let write = self.undecided.lock().writes.shift_remove(txid);
        if let Some(write) = write {
            fold.remove_drafts(txid);
            let Write { posts, tell, .. } = write;
            // Whoever does not wait does not want to know.
            drop(tell.send(Err(RolledBack { posts, error })));
        }
    }

    fn confirm_reached(&self, fold: &Fold, mut undecided: parking_lot::MutexGuard<'_, Undecided>) {
        let position = undecided.position.clone();
        let mut reached = Vec::new();
        undecided.writes.retain(|txid, write| {
            let Some(offset) = write.acknowledged.clone() else { return true };
            let is_there = position.as_ref().is_none_or(|position| reaches(position, &offset)) || write.is_presence();
            if is_there {
                reached.push((txid.clone(), offset, write.take()));
            }
            !is_there
        });
        drop(undecided);
        for (txid, offset, write) in reached {
            fold.remove_drafts(&txid);
            write.confirm(&txid, offset);
        }
    }
}

/// Offsets of sessions sort as texts.
fn reaches(position: &Offset, offset: &Offset) -> bool {
    position.as_str() >= offset.as_str()
}

impl Write {
    /// Its offset is one of the companion stream.
    fn is_presence(&self) -> bool {
        self.posts.iter().all(|post| post.channel() == Some(Channel::Presence))
    }

    /// Leaves nothing behind.
    fn take(&mut self) -> Self {
        let (nobody, _) = oneshot::channel();
        Self {
            posts: std::mem::take(&mut self.posts),
            awaited: std::mem::take(&mut self.awaited),
            acknowledged: self.acknowledged.take(),
            tell: std::mem::replace(&mut self.tell, nobody),
        }
    }

    fn confirm(self, txid: &str, offset: Offset) {
        let Self { posts, tell, .. } = self;
        // Whoever does not wait does not want to know.
        drop(tell.send(Ok(Confirmed { posts, txid: txid.to_owned(), offset })));
    }
}
