//! Checks a data directory from end to end and writes nothing.
//!
//! Every record and payload of the journal, every block and index of the archive, the database, and whether each byte
//! that a stream claims is where catalog and journal say. The directory's lock is held meanwhile, so no server runs.

mod archive;
mod catalog;
mod read_only_disk;
pub(crate) mod snapshot;
mod streams;

use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use crate::error::OpenError;
use crate::limits::FINDINGS_MAX;
use snapshot::Snapshot;

/// What [`verify`] saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of checking, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Findings that were left out of the list.
    pub findings_omitted: u64,
    /// The most severe finding, listed or not; `None` when all is well.
    pub worst: Option<Severity>,
    /// Files looked at: journal segments, archive files, the catalog.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Streams, with what the journal adds and removes.
    pub streams: u64,
    /// Records read from the journal.
    pub records: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where, relative to the data directory.
    pub file: String,
    /// Which bytes of the file, when it is about some of them.
    pub position: Option<Range<u64>>,
    /// Which stream it hurts, when it is one.
    pub stream: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What follows from it.
    pub consequence: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Left over from a crash; the next start of the server tidies it up.
    Note,
    /// Not as it should be, but no stream lost a byte.
    Warning,
    /// Bytes or streams are lost, or a server would not take changes.
    Damage,
}

/// How far a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being checked.
    pub stage: Stage,
    /// Done so far.
    pub done: u64,
    /// Of so many: archive bytes or streams; 0 when the stage cannot tell.
    pub total: u64,
}

/// The parts of a check, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the journal's records.
    Journal,
    /// Checking the database.
    Catalog,
    /// Checking archive files, counted in bytes.
    Archive,
    /// Checking that each stream is whole, counted in streams.
    Streams,
}

/// Checks the data directory `dir`.
///
/// # Errors
/// Only when there is nothing to check: `dir` is no data directory, a server holds it, or its format is newer. Damage
/// is reported, not returned.
pub fn verify(dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report, OpenError> {
    progress(Progress { stage: Stage::Journal, done: 0, total: 0 });
    let snapshot = Snapshot::open(dir)?;
    let mut check = Check { report: Report::default(), progress };
    check.journal(&snapshot);
    check.catalog(&snapshot);
    check.archive(&snapshot);
    check.streams(&snapshot);
    Ok(check.report)
}

/// A check under way.
struct Check<'a> {
    report: Report,
    progress: &'a mut dyn FnMut(Progress),
}

impl Check<'_> {
    fn find(&mut self, finding: Finding) {
        self.report.worst = self.report.worst.max(Some(finding.severity));
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(finding);
        } else {
            self.report.findings_omitted += 1;
        }
    }

    fn progress(&mut self, stage: Stage, done: u64, total: u64) {
        (self.progress)(Progress { stage, done, total });
    }

    fn journal(&mut self, snapshot: &Snapshot) {
        self.report.records = snapshot.records;
        for segment in snapshot.segments() {
            self.report.files += 1;
            self.report.bytes += segment.capacity();
        }
        for damage in &snapshot.recovered.damaged_headers {
            self.find(
                Finding::new(Severity::Warning, &damage.file, &damage.what)
                    .so("none: what it says is known from elsewhere"),
            );
        }
        for damage in &snapshot.recovered.damage {
            self.find(
                Finding::new(Severity::Damage, &damage.file, &damage.what)
                    .at(damage.range.clone())
                    .so("acknowledged operations are missing; a server opens this directory for reading only"),
            );
        }
    }
}

impl Finding {
    fn new(severity: Severity, file: &str, what: impl Into<String>) -> Self {
        let (file, what) = (file.to_owned(), what.into());
        Self { severity, file, position: None, stream: None, what, consequence: String::new() }
    }

    fn at(mut self, position: Option<Range<u64>>) -> Self {
        self.position = position;
        self
    }

    fn of(mut self, stream: impl Into<String>) -> Self {
        self.stream = Some(stream.into());
        self
    }

    fn so(mut self, consequence: impl Into<String>) -> Self {
        self.consequence = consequence.into();
        self
    }
}
