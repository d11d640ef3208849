//! Reclaiming and merging, one job at a time, on the background thread that also fills the archive.
//!
//! Every job is safe to cut short: the new file is durable before one catalog transaction swaps the extents, and the
//! old files go after it. What a crash leaves over is no longer, or not yet, named by the catalog.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use headwater_protocol::Offset;
use headwater_streams::StreamId;
use parking_lot::Mutex;

use super::plan::{Job, plan};
use super::{Archive, ArchiveError, ArchiveWriter};
use crate::catalog::{ArchiveFileId, Catalog, Extent, Tier};

/// Bytes copied in one step.
const COPY_BYTES: u64 = 256 * 1024;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reclaimed {
    /// Nothing is worth doing now.
    Nothing,
    /// The stop flag was raised; nothing changed.
    Stopped,
    /// Files were dropped or rewritten: how many, and how many bytes that wrote.
    Files { removed: usize, written_bytes: u64 },
}

/// Keeps the archive compact.
#[derive(Debug)]
pub(crate) struct Reclaimer {
    catalog: Arc<Catalog>,
    archive: Arc<Archive>,
    /// Files in which damage was met: they stay as they are, so that what is whole in them stays readable.
    damaged: Mutex<BTreeSet<ArchiveFileId>>,
}

impl Reclaimer {
    pub(crate) fn new(catalog: Arc<Catalog>, archive: Arc<Archive>) -> Self {
        Self { catalog, archive, damaged: Mutex::default() }
    }

    /// Does the next job, if there is one. Raising `stop` ends a long one early.
    ///
    /// # Errors
    /// Nothing has changed for readers then. After [`ArchiveError::Damaged`] the next call leaves that file alone.
    pub(crate) fn step(&self, stop: &AtomicBool) -> Result<Reclaimed, ArchiveError> {
        let mut files = self.catalog.archive_files()?;
        let damaged = self.damaged.lock().clone();
        files.retain(|file| file.live_bytes == 0 || !damaged.contains(&file.id));
        match plan(&files) {
            None => Ok(Reclaimed::Nothing),
            Some(Job::Drop(files)) => self.swap(None, &files),
            Some(Job::Rewrite { sources, tier }) => self.rewrite(&sources, tier, stop),
        }
    }

    fn rewrite(&self, sources: &[ArchiveFileId], tier: Tier, stop: &AtomicBool) -> Result<Reclaimed, ArchiveError> {
        let mut writer = self.archive.write(self.catalog.allocate_archive_file(), tier)?;
        for stream in self.streams_in(sources)? {
            if stop.load(Ordering::Relaxed) {
                return Ok(Reclaimed::Stopped);
            }
            let extents = self.catalog.extents(stream, Offset::START..Offset::new(i64::MAX as u64))?;
            for extent in extents.iter().filter(|extent| sources.contains(&extent.file)) {
                self.copy(stream, extent, &mut writer)?;
            }
        }
        // All of it may have died since the job was planned.
        let written = if writer.runs() == 0 { None } else { Some(writer) };
        self.swap(written, sources)
    }

    /// Makes `new` take the place of `files`.
    fn swap(&self, new: Option<ArchiveWriter>, files: &[ArchiveFileId]) -> Result<Reclaimed, ArchiveError> {
        let new = new.map(ArchiveWriter::finish).transpose()?;
        self.catalog.replace_archives(new.as_ref(), files)?;
        // ORDER: removed only once no row names them.
        for file in files {
            self.archive.remove(*file)?;
        }
        Ok(Reclaimed::Files { removed: files.len(), written_bytes: new.map_or(0, |new| new.bytes) })
    }

    /// Every stream that the files were written for, in order.
    fn streams_in(&self, files: &[ArchiveFileId]) -> Result<Vec<StreamId>, ArchiveError> {
        let mut streams = Vec::new();
        for id in files {
            let runs = self.archive.file(*id).and_then(|file| file.runs());
            let runs = runs.inspect_err(|error| self.note(error, *id))?;
            streams.extend(runs.iter().map(|run| run.stream));
        }
        streams.sort_unstable();
        streams.dedup();
        Ok(streams)
    }

    fn copy(&self, stream: StreamId, extent: &Extent, writer: &mut ArchiveWriter) -> Result<(), ArchiveError> {
        let mut copied = 0;
        while copied < extent.len {
            let step = COPY_BYTES.min(extent.len - copied);
            let from = extent.position + copied;
            let bytes = self.archive.read(extent.file, from..from + step);
            let bytes = bytes.inspect_err(|error| self.note(error, extent.file))?;
            writer.append(stream, extent.start.advance(copied), &bytes)?;
            copied += step;
        }
        Ok(())
    }

    fn note(&self, error: &ArchiveError, file: ArchiveFileId) {
        if matches!(error, ArchiveError::Damaged { .. }) {
            self.damaged.lock().insert(file);
        }
    }
}
