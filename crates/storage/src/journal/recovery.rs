//! Reads the journal after a start.
//!
//! Every segment that is not in the archive is read once: records before the checkpoint only tell where payloads are,
//! later ones are applied. Damage never stops the reading: what can be applied is, and the caller makes the store
//! read-only.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use headwater_streams::StoreError;

use super::JOURNAL_DIR;
use super::pool::Spares;
use super::scan::{Found, Known, holds_more_than, scan};
use super::segment::{Segment, number_in, path_of};
use crate::checkpoint::JournalPosition;
use crate::disk::Disk;
use crate::error::io_error;
use crate::limits::StoreLimits;
use crate::record::{Logged, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, SegmentBytes, parse};

/// What is known before the journal is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// The first segment that is not in the archive.
    pub(crate) journal_start: u64,
    /// The catalog has everything before it.
    pub(crate) covered: JournalPosition,
    /// Of the data directory.
    pub(crate) salt: u32,
}

/// The journal as it was found.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Segments up to the last one with records, in order; the last one is written on.
    pub(crate) used: Vec<Arc<Segment>>,
    /// All others.
    pub(crate) spares: Spares,
    /// Those of the others whose first record is a torn one.
    pub(crate) torn: Vec<Arc<Segment>>,
    /// Where the last record ends.
    pub(crate) end: JournalPosition,
    /// What is missing or does not hold; empty when all is well.
    pub(crate) damage: Vec<Damage>,
    /// Segments with records whose header does not hold. All that it says is known from elsewhere.
    pub(crate) damaged_headers: Vec<Damage>,
    /// Bytes read after the checkpoint.
    pub(crate) replayed_bytes: u64,
}

/// Something that was durable once and is not whole any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Relative to the data directory.
    pub(crate) file: String,
    /// Which bytes, when it is about some of them.
    pub(crate) range: Option<Range<u64>>,
    pub(crate) what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.range {
            Some(range) => write!(f, "bytes {} to {} of {}: {}", range.start, range.end, self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// Receives what the journal holds.
pub(crate) trait Replay {
    /// A record's changes. `is_covered`: the catalog has them, only payload places are news. False when they do not
    /// follow from what came before.
    fn record(&mut self, changes: &mut Vec<Logged>, is_covered: bool) -> bool;
}

/// Reads the journal and hands its records to `replay`. Writes nothing.
pub(crate) fn recover(
    disk: &dyn Disk,
    start: Start,
    limits: &StoreLimits,
    replay: &mut dyn Replay,
) -> Result<Recovered, StoreError> {
    let mut found = find_segments(disk, start)?;
    let mut reading = Reading { start, epoch: 0, damage: std::mem::take(&mut found.damage), replayed_bytes: 0, replay };
    let used_count = reading.count_used(&found.candidates);
    let unused = found.candidates.split_off(used_count);
    let mut used = found.candidates;
    reading.check_chain(&used);
    let mut end = start.covered;
    for candidate in &used {
        let offset = reading.read(candidate, &used)?;
        if offset > SEGMENT_HEADER_BYTES {
            end = JournalPosition { segment: candidate.segment.number(), offset: offset as u64 };
        }
    }
    // A torn write may have been the first one to a segment.
    let torn = used.split_off(used.partition_point(|used| used.segment.number() <= end.segment));
    let unused: Vec<_> = torn.iter().cloned().chain(unused).collect();
    let highest = used.iter().chain(&unused).map(|candidate| candidate.segment.number()).max().unwrap_or(0);
    let next_number = highest.max(found.highest_free).max(start.covered.segment).max(start.journal_start) + 1;
    let is_ready =
        |candidate: &Candidate| candidate.header_holds && candidate.segment.capacity() == limits.segment_bytes;
    let (ready, dead): (Vec<_>, Vec<_>) = unused.into_iter().partition(is_ready);
    let damaged_headers = used.iter().filter(|used| !used.header_holds && used.first.is_some()).map(|used| Damage {
        file: used.segment.path(),
        range: None,
        what: "its header does not hold".to_owned(),
    });
    let damaged_headers = damaged_headers.collect();
    let segments = |candidates: Vec<Candidate>| candidates.into_iter().map(|candidate| candidate.segment);
    let free = found.free.into_iter().chain(segments(dead)).collect();
    Ok(Recovered {
        used: segments(used).collect(),
        spares: Spares { ready: segments(ready).collect(), free, next_number },
        torn: segments(torn).collect(),
        end,
        damage: reading.damage,
        damaged_headers,
        replayed_bytes: reading.replayed_bytes,
    })
}

/// A segment that is not in the archive.
#[derive(Debug, Clone)]
struct Candidate {
    segment: Arc<Segment>,
    header_holds: bool,
    /// What its first record tells.
    first: Option<First>,
}

#[derive(Debug, Clone, Copy)]
struct First {
    previous_end: JournalPosition,
}

#[derive(Debug, Default)]
struct FoundSegments {
    /// In order.
    candidates: Vec<Candidate>,
    /// In the archive.
    free: Vec<Arc<Segment>>,
    highest_free: u64,
    damage: Vec<Damage>,
}

fn find_segments(disk: &dyn Disk, start: Start) -> Result<FoundSegments, StoreError> {
    let names = disk.list(JOURNAL_DIR).map_err(io_error("listing the journal"))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_in(name)).collect();
    numbers.sort_unstable();
    let mut found = FoundSegments::default();
    for number in numbers {
        let (segment, header) = match Segment::open(disk, number, start.salt) {
            Ok(opened) => opened,
            Err(error) => {
                found.damage.push(Damage { file: path_of(number), range: None, what: error.to_string() });
                continue;
            }
        };
        let segment = Arc::new(segment);
        if number < start.journal_start {
            found.highest_free = number;
            found.free.push(segment);
            continue;
        }
        let header_holds =
            header.is_some_and(|header| header.number == number && header.capacity == segment.capacity());
        let first = first_record(&segment);
        found.candidates.push(Candidate { segment, header_holds, first });
    }
    Ok(found)
}

/// Reads no more than the first record.
fn first_record(segment: &Segment) -> Option<First> {
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES];
    let read = |bytes: &mut Vec<u8>| segment.file().read_at(bytes, 0).ok().filter(|&read| read == bytes.len());
    read(&mut bytes)?;
    let header = &bytes[SEGMENT_HEADER_BYTES..];
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    let len = bytes.len() + (number(4) & 0x00ff_ffff) + number(8);
    if len as u64 > segment.capacity() {
        return None;
    }
    bytes.resize(len, 0);
    read(&mut bytes)?;
    let bytes = SegmentBytes { bytes: &bytes, number: segment.number(), seed: segment.seed() };
    parse(&bytes, SEGMENT_HEADER_BYTES)?.previous_end.map(|previous_end| First { previous_end })
}

struct Reading<'a> {
    start: Start,
    epoch: u32,
    damage: Vec<Damage>,
    replayed_bytes: u64,
    replay: &'a mut dyn Replay,
}

impl Reading<'_> {
    /// Segments up to the last one with records, or that once had some.
    fn count_used(&mut self, candidates: &[Candidate]) -> usize {
        let with_records =
            candidates.iter().rposition(|candidate| candidate.first.is_some()).map_or(0, |last| last + 1);
        let named = |candidate: &Candidate| candidate.segment.number() <= self.start.covered.segment;
        let count = with_records.max(candidates.partition_point(named));
        // When the first record of the next segment was lost, later ones in it show that.
        let holds_more = |next: &Candidate| {
            load(&next.segment).is_ok_and(|bytes| {
                let bytes = SegmentBytes { bytes: &bytes, number: next.segment.number(), seed: next.segment.seed() };
                holds_more_than(&bytes, SEGMENT_HEADER_BYTES, self.epoch)
            })
        };
        if candidates.get(count).is_some_and(holds_more) { count + 1 } else { count }
    }

    /// Every segment that another one names must be there.
    fn check_chain(&mut self, used: &[Candidate]) {
        let covered = Some(self.start.covered).filter(|covered| covered.offset > SEGMENT_HEADER_BYTES as u64);
        let named = used.iter().filter_map(|candidate| candidate.first.map(|first| first.previous_end)).chain(covered);
        for position in named.filter(|position| position.segment >= self.start.journal_start && position.segment > 0) {
            if !used.iter().any(|candidate| candidate.segment.number() == position.segment) {
                let file = path_of(position.segment);
                self.damage.push(Damage { file, range: None, what: "the segment is missing".to_owned() });
            }
        }
    }

    /// Hands the segment's records on and returns where the last one ends.
    fn read(&mut self, candidate: &Candidate, used: &[Candidate]) -> Result<usize, StoreError> {
        let segment = &candidate.segment;
        let bytes = match load(segment) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.damage.push(Damage { file: segment.path(), range: None, what: error.to_string() });
                return Ok(SEGMENT_HEADER_BYTES);
            }
        };
        let bytes = SegmentBytes { bytes: &bytes, number: segment.number(), seed: segment.seed() };
        let known = self.known(segment.number(), used);
        let Self { epoch, damage, replayed_bytes, replay, .. } = self;
        let end = scan(&bytes, known, epoch, &mut |found| match found {
            Found::Damage(range) => {
                let range = Some(range.start as u64..range.end as u64);
                damage.push(Damage { file: segment.path(), range, what: "no record holds here".to_owned() });
            }
            Found::Record { record, changes, damaged_payload } => {
                if let Some(range) = damaged_payload {
                    tracing::warn!(segment = segment.number(), ?range, "stored bytes do not match their checksum");
                }
                let is_covered = record.position < known.covered_to;
                if !is_covered {
                    *replayed_bytes += (record.end - record.position) as u64;
                }
                if !replay.record(changes, is_covered) {
                    let range = Some(record.position as u64..record.end as u64);
                    let what = "the record does not follow from those before".to_owned();
                    damage.push(Damage { file: segment.path(), range, what });
                }
            }
        });
        Ok(end)
    }

    fn known(&self, number: u64, used: &[Candidate]) -> Known {
        let ends = used.iter().filter_map(|candidate| candidate.first.map(|first| first.previous_end));
        let end = ends.filter(|end| end.segment == number).map(|end| end.offset as usize).next();
        let covered = self.start.covered;
        let (covered_to, durable_to) = match number.cmp(&covered.segment) {
            Ordering::Less => (usize::MAX, 0),
            Ordering::Equal => (covered.offset as usize, covered.offset as usize),
            Ordering::Greater => (0, 0),
        };
        Known { end, covered_to, durable_to }
    }
}

/// The whole file.
fn load(segment: &Segment) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; segment.capacity() as usize];
    let read = segment.file().read_at(&mut bytes, 0).map_err(io_error(format!("reading {}", segment.path())))?;
    bytes.truncate(read);
    Ok(bytes)
}
