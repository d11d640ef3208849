//! Whether every stream is whole: each byte from its earliest to its tail is in archive or journal, once, and what a
//! fork inherits is still there.

use std::collections::HashMap;
use std::ops::Range;

use headwater_protocol::Offset;
use headwater_streams::{Durability, Head, StoreError, StreamId};

use super::snapshot::{Snapshot, Visit};
use super::{Check, Finding, Severity, Stage};
use crate::catalog::{CATALOG_FILE, CatalogError, CatalogReader};
use crate::journal::JOURNAL_DIR;
use crate::reader::{JournalRead, Wait};

/// Journal bytes read and checked at a time.
const STEP_BYTES: u64 = 1024 * 1024;
/// Streams between two reports of progress.
const PROGRESS_STREAMS: u64 = 1024;

/// What forks need of other streams.
#[derive(Debug, Default)]
struct Needs {
    sources: HashMap<StreamId, Need>,
}

#[derive(Debug, Default)]
struct Need {
    /// Streams that name it as their origin.
    forks: u32,
    /// What they and their own forks read of it, and one that does.
    read: Option<(Range<Offset>, String)>,
}

impl Check<'_> {
    pub(super) fn streams(&mut self, snapshot: &Snapshot) {
        let total = snapshot.catalog().and_then(|catalog| catalog.counts().ok()).map_or(0, |(_, found)| found);
        let mut needs = Needs::default();
        let each = snapshot.streams("", &mut |row| {
            match row {
                Ok(head) => {
                    needs.add(&head);
                    self.stream(snapshot, &head);
                }
                Err((path, error)) => self.find(
                    Finding::new(Severity::Damage, CATALOG_FILE, error.to_string())
                        .of(path)
                        .so("the stream cannot be opened"),
                ),
            }
            self.report.streams += 1;
            if self.report.streams.is_multiple_of(PROGRESS_STREAMS) {
                self.progress(Stage::Streams, self.report.streams, total.max(self.report.streams));
            }
            Visit::Next
        });
        let forks = each.and_then(|()| self.sources(snapshot, &mut needs));
        if let Err(error) = forks {
            self.find(
                Finding::new(Severity::Damage, CATALOG_FILE, error.to_string()).so("not every stream could be checked"),
            );
        }
        self.progress(Stage::Streams, self.report.streams, self.report.streams);
    }

    fn stream(&mut self, snapshot: &Snapshot, head: &Head) {
        if head.durability == Durability::Ephemeral {
            return;
        }
        let needed = head.earliest.max(head.own_from())..head.tail;
        if head.tail < head.own_from() || head.earliest > head.tail {
            let what = format!("its earliest position {} and tail {} contradict", head.earliest.get(), head.tail.get());
            return self.find(about(Severity::Damage, CATALOG_FILE, head, what).so("reads of it fail"));
        }
        let journal_from = snapshot.extents.locate(head.id, &needed).archived.map_or(needed.start, |before| before.end);
        if let Some(catalog) = snapshot.catalog()
            && let Err(error) = self.archived_part(catalog, head, needed.start..journal_from)
        {
            self.find(about(Severity::Damage, CATALOG_FILE, head, error.to_string()).so("its history cannot be found"));
        }
        self.journal_part(snapshot, head, journal_from..needed.end);
    }

    /// Extents must cover `needed` without holes, and never overlap. What the journal has as well may be there twice.
    fn archived_part(
        &mut self,
        catalog: &CatalogReader,
        head: &Head,
        needed: Range<Offset>,
    ) -> Result<(), CatalogError> {
        let mut next = needed.start;
        for (index, extent) in catalog.extents(head.id)?.into_iter().enumerate() {
            if extent.start > next && next < needed.end {
                self.hole(head, next..extent.start.min(needed.end));
            } else if extent.start < next && index > 0 {
                let what = format!("two extents hold its byte {}", extent.start.get());
                self.find(about(Severity::Damage, CATALOG_FILE, head, what).so("reads may answer either"));
            }
            next = next.max(extent.end());
        }
        if next < needed.end {
            self.hole(head, next..needed.end);
        }
        Ok(())
    }

    fn hole(&mut self, head: &Head, range: Range<Offset>) {
        let what = format!("neither archive nor journal has its bytes {}..{}", range.start.get(), range.end.get());
        self.find(about(Severity::Damage, CATALOG_FILE, head, what).so("these bytes are lost"));
    }

    /// Reads what the journal has, which checks it.
    fn journal_part(&mut self, snapshot: &Snapshot, head: &Head, range: Range<Offset>) {
        let mut next = range.start;
        while next < range.end {
            let step = next..range.end.min(next.advance(STEP_BYTES));
            let extents = snapshot.extents.locate(head.id, &step).extents;
            let read = JournalRead::plan(head.id, step.clone(), extents).and_then(|read| read.run(Wait::IfNeeded));
            next = match read {
                Ok(_) => step.end,
                Err(StoreError::Damaged { range: lost, detail, .. }) => {
                    let consequence = format!("its bytes {}..{} cannot be read", lost.start.get(), lost.end.get());
                    self.find(about(Severity::Damage, JOURNAL_DIR, head, detail).so(consequence));
                    lost.end.max(next.advance(1))
                }
                Err(error) => {
                    let consequence = format!("its bytes from {} on cannot be read", next.get());
                    return self.find(about(Severity::Damage, JOURNAL_DIR, head, error.to_string()).so(consequence));
                }
            };
        }
    }

    /// What forks read must exist, and sources must know their forks.
    fn sources(&mut self, snapshot: &Snapshot, needs: &mut Needs) -> Result<(), CatalogError> {
        snapshot.streams("", &mut |row| {
            if let Ok(head) = row {
                let need = needs.sources.remove(&head.id).unwrap_or_default();
                self.source(&head, &need);
            }
            Visit::Next
        })?;
        for (id, need) in &needs.sources {
            let reader = need.read.as_ref().map_or("", |(_, reader)| reader);
            let what = format!("the stream {} that it was forked from does not exist", id.0);
            let finding = Finding::new(Severity::Damage, CATALOG_FILE, what).of(reader);
            self.find(finding.so("the bytes it inherits cannot be read"));
        }
        Ok(())
    }

    fn source(&mut self, head: &Head, need: &Need) {
        if head.forks != need.forks {
            let what = format!("it counts {} forks and {} streams are forks of it", head.forks, need.forks);
            let consequence = "it may be kept after its last fork is gone, or removed before";
            self.find(about(Severity::Warning, CATALOG_FILE, head, what).so(consequence));
        }
        if let Some((range, reader)) = &need.read
            && (range.end > head.tail || range.start < head.own_from())
        {
            let what = format!(
                "the fork {reader} inherits its bytes {}..{}, which it does not have",
                range.start.get(),
                range.end.get()
            );
            self.find(about(Severity::Damage, CATALOG_FILE, head, what).so("reads of the fork fail"));
        }
    }
}

impl Needs {
    fn add(&mut self, head: &Head) {
        let Some(fork) = &head.fork else { return };
        let path = head.path.as_str();
        let need = self.sources.entry(fork.source).or_default();
        need.forks += 1;
        need.read.get_or_insert_with(|| (fork.at..fork.at, path.to_owned()));
        for span in &*head.inherited {
            let need = self.sources.entry(span.source).or_default();
            let (range, _) = need.read.get_or_insert_with(|| (span.from..span.to, path.to_owned()));
            *range =
                if range.is_empty() { span.from..span.to } else { range.start.min(span.from)..range.end.max(span.to) };
        }
    }
}

fn about(severity: Severity, file: &str, head: &Head, what: String) -> Finding {
    Finding::new(severity, file, what).of(head.path.as_str())
}
