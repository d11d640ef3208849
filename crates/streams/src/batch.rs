//! The changes and answers of one commit while they are being decided.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;
use headwater_protocol::{Offset, StreamPath};

use crate::activity::StreamActivity;
use crate::change::{AppendDelta, Change, Transaction};
use crate::head::{Head, StreamId, Version};
use crate::live::{Live, Presence};
use crate::submission::Answer;

/// Payloads from this size on are kept as they came instead of being copied together.
const COPY_BYTES_MAX: usize = 64 * 1024;

/// Everything one commit will do and say.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    drafts: Vec<Draft>,
    /// Changes in all drafts.
    changes: usize,
    /// Appends that a later request on the same stream may still join.
    growing: HashMap<StreamId, usize, RandomState>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) publications: Vec<Publication>,
    /// What to tell whoever watches activity; stays empty when nobody does.
    pub(crate) activity: Vec<StreamActivity>,
    watched: bool,
    /// Whether idle streams are to be evicted once it is durable.
    pub(crate) sweeps: bool,
    pub(crate) operations: usize,
    pub(crate) payload_bytes: u64,
}

/// What readers are shown once the commit is durable.
#[derive(Debug)]
pub(crate) enum Publication {
    /// The stream moved on; the `change`, counted over the batch, says by which bytes.
    Advanced { live: Arc<Live>, change: usize },
    /// The stream is new.
    Created { live: Arc<Live>, change: usize },
    /// The stream ended for readers.
    Ended { live: Arc<Live>, presence: Presence },
}

#[derive(Debug)]
enum Draft {
    Whole(Transaction),
    Append { id: StreamId, path: StreamPath, expected: Version, delta: AppendDelta, payloads: Vec<Bytes> },
}

impl Batch {
    pub(crate) fn new(watched: bool) -> Self {
        Self { watched, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Adds an accepted append and brings `head` to where it stands after it.
    pub(crate) fn append(&mut self, head: &mut Head, live: &Arc<Live>, mut delta: AppendDelta) {
        if !delta.payload.is_empty() || delta.trim_to.is_some() {
            let tail = head.tail.advance(delta.payload.len() as u64);
            self.note(StreamActivity {
                path: head.path.clone(),
                from: head.tail,
                tail,
                created: false,
                removed: false,
            });
        }
        self.payload_bytes += delta.payload.len() as u64;
        let expected = head.version;
        head.apply(&delta);
        let payload = std::mem::take(&mut delta.payload);
        if let Some(&at) = self.growing.get(&head.id)
            && let Draft::Append { delta: grown, payloads, .. } = &mut self.drafts[at]
        {
            // One change to the store, so one version: what `apply` counted twice is taken back.
            head.version = expected;
            join(grown, delta);
            payloads.push(payload);
            return;
        }
        self.growing.insert(head.id, self.drafts.len());
        let (id, path) = (head.id, head.path.clone());
        self.drafts.push(Draft::Append { id, path, expected, delta, payloads: vec![payload] });
        self.publications.push(Publication::Advanced { live: live.clone(), change: self.changes });
        self.changes += 1;
    }

    /// Adds changes that stand or fall together; returns their numbers in the batch. Appends to streams they touch start
    /// afresh behind them.
    pub(crate) fn transaction(&mut self, changes: Vec<Change>) -> Range<usize> {
        for change in &changes {
            match change {
                Change::Append { id, .. }
                | Change::Forks { id, .. }
                | Change::SoftDelete { id, .. }
                | Change::Remove { id, .. } => self.growing.remove(id),
                Change::Create { .. } | Change::PutDocument { .. } | Change::RemoveDocument { .. } => None,
            };
        }
        let first = self.changes;
        self.changes += changes.len();
        self.drafts.push(Draft::Whole(Transaction { changes }));
        first..self.changes
    }

    pub(crate) fn note(&mut self, activity: StreamActivity) {
        if self.watched {
            self.activity.push(activity);
        }
    }

    /// The transactions as a store takes them, and the bytes each change appends, with where they start.
    ///
    /// Small payloads are copied together: a request's body may keep a much larger network buffer alive, and one
    /// allocation a commit is cheaper than one a request.
    pub(crate) fn transactions(&mut self) -> (Vec<Transaction>, Vec<Option<(Offset, Bytes)>>) {
        let small: usize = self.drafts.iter().map(Draft::copied_bytes).sum();
        let mut arena = BytesMut::with_capacity(small);
        let drafts = std::mem::take(&mut self.drafts);
        let mut appended = Vec::with_capacity(self.changes);
        let transactions = drafts.into_iter().map(|draft| {
            let transaction = draft.finish(&mut arena);
            appended.extend(transaction.changes.iter().map(appended_bytes));
            transaction
        });
        (transactions.collect(), appended)
    }
}

fn appended_bytes(change: &Change) -> Option<(Offset, Bytes)> {
    match change {
        Change::Append { delta, .. } if !delta.payload.is_empty() => Some((delta.start, delta.payload.clone())),
        Change::Create { head, payload } if !payload.is_empty() => Some((head.own_from(), payload.clone())),
        _ => None,
    }
}

/// Makes one delta of two that follow each other; their payloads are the caller's.
pub(crate) fn join(grown: &mut AppendDelta, later: AppendDelta) {
    for stamp in later.producers {
        match grown.producers.iter_mut().find(|known| known.id == stamp.id) {
            Some(known) => *known = stamp,
            None => grown.producers.push(stamp),
        }
    }
    grown.stream_seq = later.stream_seq.or(grown.stream_seq.take());
    grown.closure = later.closure.or(grown.closure.take());
    grown.trim_to = later.trim_to.max(grown.trim_to);
    grown.accessed_at_ms = grown.accessed_at_ms.max(later.accessed_at_ms);
}

impl Draft {
    fn copied_bytes(&self) -> usize {
        match self {
            Self::Append { payloads, .. } if !is_kept_whole(payloads) => payloads.iter().map(Bytes::len).sum(),
            Self::Append { .. } | Self::Whole(_) => 0,
        }
    }

    fn finish(self, arena: &mut BytesMut) -> Transaction {
        match self {
            Self::Whole(transaction) => transaction,
            Self::Append { id, path, expected, mut delta, mut payloads } => {
                delta.payload = if is_kept_whole(&payloads) {
                    payloads.swap_remove(0)
                } else {
                    payloads.iter().for_each(|payload| arena.extend_from_slice(payload));
                    arena.split().freeze()
                };
                Transaction { changes: vec![Change::Append { id, path, expected, delta }] }
            }
        }
    }
}

fn is_kept_whole(payloads: &[Bytes]) -> bool {
    matches!(payloads, [only] if only.len() >= COPY_BYTES_MAX)
}
