//! Where the journal holds each stream's bytes: one entry per payload that is not in the archive yet.
//!
//! Bytes before a stream's first extent are the archive's. Extents and the segments they name change under one lock,
//! so a reader that copied both keeps reading even while they are handed over.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use headwater_protocol::Offset;
use headwater_streams::StreamId;

use crate::journal::Segment;
use crate::record::{Logged, Placed};

/// One payload in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: Offset,
    pub(crate) placed: Placed,
}

impl Extent {
    pub(crate) fn end(&self) -> Offset {
        self.start.advance(u64::from(self.placed.len))
    }
}

/// What a change means for the extents.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ExtentChange {
    None,
    Add { id: StreamId, start: Offset, placed: Placed, earliest: Option<Offset> },
    Remove(StreamId),
}

impl From<&Logged> for ExtentChange {
    fn from(change: &Logged) -> Self {
        match change {
            Logged::Create { head, payload } => {
                let start = Offset::new(head.tail.get().saturating_sub(u64::from(payload.len)));
                Self::Add { id: head.id, start, placed: *payload, earliest: None }
            }
            Logged::Append { id, delta, payload, .. } => {
                Self::Add { id: *id, start: delta.start, placed: *payload, earliest: delta.trim_to }
            }
            Logged::Remove { id, .. } => Self::Remove(*id),
            Logged::Forks { .. }
            | Logged::SoftDelete { .. }
            | Logged::PutDocument { .. }
            | Logged::RemoveDocument { .. } => Self::None,
        }
    }
}

/// Most streams have few payloads in the journal at a time, very many have one.
#[derive(Debug)]
enum Run {
    One(Extent),
    Many(Vec<Extent>),
}

/// The extents of all streams, and the segments that hold them.
#[derive(Debug, Default)]
pub(crate) struct Extents {
    streams: HashMap<StreamId, Run, RandomState>,
    segments: BTreeMap<u64, Arc<Segment>>,
}

/// What a read has to fetch from where.
#[derive(Debug, Default)]
pub(crate) struct Located {
    /// Bytes that are the archive's, when there are any.
    pub(crate) archived: Option<Range<Offset>>,
    /// Extents in offset order that overlap the rest, each with its segment.
    pub(crate) extents: Vec<(Extent, Arc<Segment>)>,
}

impl Extents {
    /// Makes a segment known; before any of its extents.
    pub(crate) fn add_segment(&mut self, segment: Arc<Segment>) {
        self.segments.insert(segment.number(), segment);
    }

    /// Follows a durable change.
    pub(crate) fn apply(&mut self, change: ExtentChange) {
        match change {
            ExtentChange::None => {}
            ExtentChange::Add { id, start, placed, earliest } => {
                self.add(id, start, placed);
                if let Some(earliest) = earliest {
                    self.trim(id, earliest);
                }
            }
            ExtentChange::Remove(id) => {
                self.streams.remove(&id);
            }
        }
    }

    /// Adds the payload at `start` of a stream. Payloads come in offset order; one that does not, because a disk put a
    /// record in the place of another, is left out.
    fn add(&mut self, id: StreamId, start: Offset, placed: Placed) {
        if placed.len == 0 {
            return;
        }
        let extent = Extent { start, placed };
        match self.streams.entry(id) {
            std::collections::hash_map::Entry::Vacant(vacant) => {
                vacant.insert(Run::One(extent));
            }
            std::collections::hash_map::Entry::Occupied(mut occupied) => {
                if occupied.get().as_slice().last().is_none_or(|last| last.end() <= start) {
                    occupied.get_mut().push(extent);
                }
            }
        }
    }

    /// Forgets the extents that lie wholly before `earliest`.
    fn trim(&mut self, id: StreamId, earliest: Offset) {
        self.drop_while(id, |extent| extent.end() <= earliest);
    }

    /// Forgets what a stream has in segments before `journal_start`: the archive has it.
    pub(crate) fn hand_over(&mut self, id: StreamId, journal_start: u64) {
        self.drop_while(id, |extent| u64::from(extent.placed.segment) < journal_start);
    }

    /// Takes out the segments before `journal_start`.
    pub(crate) fn take_segments(&mut self, journal_start: u64) -> Vec<Arc<Segment>> {
        let kept = self.segments.split_off(&journal_start);
        std::mem::replace(&mut self.segments, kept).into_values().collect()
    }

    /// All extents in segments before `journal_start`, by stream and offset.
    pub(crate) fn in_segments_before(&self, journal_start: u64) -> Vec<(StreamId, Extent)> {
        let mut found = Vec::new();
        for (&id, run) in &self.streams {
            let old = run.as_slice().iter().take_while(|extent| u64::from(extent.placed.segment) < journal_start);
            found.extend(old.map(|&extent| (id, extent)));
        }
        found.sort_unstable_by_key(|(id, extent)| (*id, extent.start));
        found
    }

    /// The segment of that number.
    pub(crate) fn segment(&self, number: u64) -> Option<Arc<Segment>> {
        self.segments.get(&number).cloned()
    }

    /// Numbers of all segments that hold or held records, the active one last.
    pub(crate) fn segment_numbers(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.segments.keys().copied()
    }

    /// Finds where `range` of a stream is held.
    pub(crate) fn locate(&self, id: StreamId, range: &Range<Offset>) -> Located {
        let run = self.streams.get(&id).map_or(&[][..], Run::as_slice);
        let journal_from = run.first().map_or(range.end, |first| first.start.min(range.end));
        let archived = (range.start < journal_from).then_some(range.start..journal_from);
        let from = run.partition_point(|extent| extent.end() <= range.start);
        let overlapping = run[from..].iter().take_while(|extent| extent.start < range.end);
        let with_segment = |extent: &Extent| {
            let segment = self.segments.get(&u64::from(extent.placed.segment));
            (*extent, segment.expect("an extent's segment is known as long as the extent").clone())
        };
        Located { archived, extents: overlapping.map(with_segment).collect() }
    }

    fn drop_while(&mut self, id: StreamId, is_old: impl Fn(&Extent) -> bool) {
        let Some(run) = self.streams.get_mut(&id) else { return };
        let old = run.as_slice().iter().take_while(|extent| is_old(extent)).count();
        if old == run.as_slice().len() {
            self.streams.remove(&id);
        } else if let Run::Many(extents) = run {
            extents.drain(..old);
            extents.shrink_to(2 * extents.len());
        }
    }
}

impl Run {
    fn as_slice(&self) -> &[Extent] {
        match self {
            Self::One(extent) => std::slice::from_ref(extent),
            Self::Many(extents) => extents,
        }
    }

    fn push(&mut self, extent: Extent) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, extent]),
            Self::Many(extents) => extents.push(extent),
        }
    }
}
