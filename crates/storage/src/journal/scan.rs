//! Finds the records of one segment, and tells a torn tail from damage.
//!
//! A record that does not hold is the **torn tail** when nothing proves that it was durable once: then nobody was told
//! of it, and the journal ends there. It is **damage** when something does: a later write in the segment, the next
//! segment's word on where this one ends, or the catalog's.

use std::ops::Range;

use crate::limits::{SEARCH_FACTOR, SEARCH_META_BYTES_FREE};
use crate::record::{Decoder, Logged, RawRecord, SEGMENT_HEADER_BYTES, SegmentBytes, WRITE_ALIGNMENT, meta_at, parse};

/// What is known of a segment besides its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// Where it ends, as the next segment tells.
    pub(crate) end: Option<usize>,
    /// Records before it are in the catalog: their payloads need no check.
    pub(crate) covered_to: usize,
    /// The catalog tells that it held bytes up to here.
    pub(crate) durable_to: usize,
}

/// A record that holds, or a stretch that should and does not.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A record. A payload that does not hold is told where: its stream goes on, its bytes cannot be read.
    Record { record: &'a RawRecord<'a>, changes: &'a mut Vec<Logged>, damaged_payload: Option<Range<usize>> },
    /// Durable once, and lost.
    Damage(Range<usize>),
}

/// Hands every record of a segment to `visit`, in order, and returns where the last one ends. `epoch` is the highest
/// seen so far: a record of a lower one is left over from a tail that was cut.
pub(crate) fn scan(
    segment: &SegmentBytes<'_>,
    known: Known,
    epoch: &mut u32,
    visit: &mut dyn FnMut(Found<'_>),
) -> usize {
    let mut decoder = Decoder::default();
    let mut changes = Vec::new();
    let mut search = Search::new(segment);
    let mut at = SEGMENT_HEADER_BYTES;
    while known.end != Some(at) {
        let record = record_at(segment, at, *epoch).filter(|record| decoder.changes(record, &mut changes).is_some());
        if let Some(record) = record {
            let is_covered = record.position < known.covered_to;
            let damaged_payload = if is_covered { None } else { record.damaged_payload(&changes) };
            if damaged_payload.is_some() && search.durable_beyond(known, record.position, record.epoch).is_none() {
                break;
            }
            *epoch = record.epoch;
            at = record.end;
            visit(Found::Record { record: &record, changes: &mut changes, damaged_payload });
        } else if let Some(limit) = search.durable_beyond(known, at, *epoch) {
            let next = search.resume(at + 1, limit, *epoch);
            visit(Found::Damage(at..next));
            at = next;
        } else {
            if let Some(end) = known.durable_beyond(at) {
                // The file ends before what it once held.
                visit(Found::Damage(at..end));
            }
            break;
        }
    }
    at
}

impl Known {
    /// Up to where the segment was durable once, when that is after `at`.
    fn durable_beyond(&self, at: usize) -> Option<usize> {
        self.end.filter(|&end| end > at).or(Some(self.durable_to).filter(|&durable| durable > at))
    }
}

/// Whether a later write in the segment proves that it has held more than the bytes before `at`.
pub(crate) fn holds_more_than(segment: &SegmentBytes<'_>, at: usize, epoch: u32) -> bool {
    Search::new(segment).proof_after(at, epoch).is_some()
}

/// The record at `at`, where the one before ends, or at the next place a write can start.
fn record_at<'a>(segment: &SegmentBytes<'a>, at: usize, epoch: u32) -> Option<RawRecord<'a>> {
    let next_write = at.next_multiple_of(WRITE_ALIGNMENT as usize);
    let record = parse(segment, at).or_else(|| if next_write > at { parse(segment, next_write) } else { None });
    record.filter(|record| record.epoch >= epoch)
}

/// Looks for records where none may be. What it spends on checksums is bounded: clients can send payloads in which
/// every few bytes look like the header of a large record. Once the budget is used up, only records of little meta are
/// found.
struct Search<'s, 'a> {
    segment: &'s SegmentBytes<'a>,
    budget: usize,
}

impl<'s, 'a> Search<'s, 'a> {
    fn new(segment: &'s SegmentBytes<'a>) -> Self {
        Self { segment, budget: segment.bytes.len().saturating_mul(SEARCH_FACTOR) }
    }

    /// Some place after `at` up to which the segment was durable once; `None` when nothing proves that `at` was.
    fn durable_beyond(&mut self, known: Known, at: usize, epoch: u32) -> Option<usize> {
        let told = known.durable_beyond(at).map(|told| told.min(self.segment.bytes.len()));
        told.filter(|&told| told > at).or_else(|| self.proof_after(at, epoch))
    }

    /// The first write after the one that `at` belongs to: it was sent when everything before it was durable.
    fn proof_after(&mut self, at: usize, epoch: u32) -> Option<usize> {
        let step = WRITE_ALIGNMENT as usize;
        // What a write left behind when it was torn says that everything before it was durable, not that it was.
        let own_write = at.next_multiple_of(step);
        let mut starts = (own_write + step..self.segment.bytes.len()).step_by(step);
        starts.find(|&start| self.record(start, epoch).is_some_and(|record| record.durable_to > own_write))
    }

    /// The first record at or after `from` and not after `limit`; `limit` when there is none.
    fn resume(&mut self, from: usize, limit: usize, epoch: u32) -> usize {
        (from..limit).find(|&at| self.record(at, epoch).is_some()).unwrap_or(limit)
    }

    fn record(&mut self, at: usize, epoch: u32) -> Option<RawRecord<'a>> {
        let meta_len = meta_at(self.segment, at)?.len();
        if meta_len > SEARCH_META_BYTES_FREE {
            self.budget = self.budget.checked_sub(meta_len)?;
        }
        parse(self.segment, at).filter(|record| record.epoch >= epoch)
    }
}
