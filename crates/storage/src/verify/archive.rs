//! Archive files: blocks, indexes, and whether the catalog means the same bytes as they do.

use std::collections::HashMap;
use std::ops::Range;

use super::snapshot::Snapshot;
use super::{Check, Finding, Severity, Stage};
use crate::archive::{ARCHIVE_DIR, ArchiveError, ArchiveFile, Name, archive_path, parse_archive_name};
use crate::catalog::{ArchiveFileId, ArchiveFileRow, CATALOG_FILE, CatalogError, CatalogReader, Extent, FileUse, Run};

impl Check<'_> {
    pub(super) fn archive(&mut self, snapshot: &Snapshot) {
        let files = match snapshot.archive_files() {
            Ok(files) => files,
            Err(error) => return self.find(unreadable(&error)),
        };
        self.leftovers(snapshot, &files);
        let Some(catalog) = snapshot.catalog() else { return };
        let uses: HashMap<ArchiveFileId, FileUse> = match catalog.file_uses() {
            Ok(uses) => uses.into_iter().map(|file_use| (file_use.file, file_use)).collect(),
            Err(error) => return self.find(unreadable(&error)),
        };
        let total = files.iter().map(|file| file.bytes).sum();
        let mut done = 0;
        for row in &files {
            self.progress(Stage::Archive, done, total);
            self.live_bytes(row, uses.get(&row.id));
            if let Err(error) = self.file(snapshot, catalog, row) {
                self.find(unreadable(&error));
            }
            done += row.bytes;
        }
        self.progress(Stage::Archive, done, total);
        for file_use in uses.values().filter(|file_use| !files.iter().any(|row| row.id == file_use.file)) {
            let what =
                format!("{} extents are in archive file {}, which it does not list", file_use.extents, file_use.file.0);
            let lost = format!("{} bytes of streams cannot be read", file_use.bytes);
            self.find(Finding::new(Severity::Damage, CATALOG_FILE, what).so(lost));
        }
    }

    /// Files in the folder that the catalog does not name.
    fn leftovers(&mut self, snapshot: &Snapshot, files: &[ArchiveFileRow]) {
        let names = match snapshot.disk.list(ARCHIVE_DIR) {
            Ok(names) => names,
            Err(error) => {
                let what = format!("listing failed: {error}");
                return self
                    .find(Finding::new(Severity::Damage, ARCHIVE_DIR, what).so("archived bytes cannot be read"));
            }
        };
        for name in names {
            let what = match parse_archive_name(&name) {
                Some(Name::Whole(id)) if files.iter().any(|file| file.id == id) => continue,
                Some(Name::Whole(_)) => "the catalog does not name this file",
                Some(Name::Unfinished) => "the file was being written when the server ended",
                None => "not a file of this program",
            };
            let consequence = match parse_archive_name(&name) {
                Some(_) => "none: the next start removes it",
                None => "none: it stays as it is",
            };
            self.find(Finding::new(Severity::Note, &format!("{ARCHIVE_DIR}/{name}"), what).so(consequence));
        }
    }

    fn live_bytes(&mut self, row: &ArchiveFileRow, file_use: Option<&FileUse>) {
        let used = file_use.map_or(0, |file_use| file_use.bytes);
        if used != row.live_bytes {
            let what = format!("it counts {} live bytes and its extents have {used}", row.live_bytes);
            let consequence = "the file may be reclaimed too late or not at all";
            self.find(Finding::new(Severity::Warning, &archive_path(row.id), what).so(consequence));
        }
    }

    fn file(&mut self, snapshot: &Snapshot, catalog: &CatalogReader, row: &ArchiveFileRow) -> Result<(), CatalogError> {
        self.report.files += 1;
        let path = archive_path(row.id);
        let unreadable = format!("{} live bytes of streams cannot be read", row.live_bytes);
        let file = match ArchiveFile::open(&*snapshot.disk, row.id) {
            Ok(file) => file,
            Err(error) => {
                self.find(Finding::new(Severity::Damage, &path, error.to_string()).so(unreadable));
                return Ok(());
            }
        };
        self.report.bytes += row.bytes;
        let runs = match file.runs() {
            Ok(runs) => runs,
            Err(error) => {
                let consequence = "the file cannot be rewritten, so its dead bytes stay";
                self.find(Finding::new(Severity::Damage, &path, error.to_string()).so(consequence));
                Vec::new()
            }
        };
        self.blocks(&file, catalog, row, &runs)?;
        if !runs.is_empty() {
            self.runs(catalog, row, &runs)?;
        }
        Ok(())
    }

    fn blocks(
        &mut self,
        file: &ArchiveFile,
        catalog: &CatalogReader,
        row: &ArchiveFileRow,
        runs: &[Run],
    ) -> Result<(), CatalogError> {
        let mut damaged = Vec::new();
        match file.check_blocks(|block| damaged.push(block)) {
            Ok(()) => {}
            Err(error @ (ArchiveError::Io { .. } | ArchiveError::Damaged { .. } | ArchiveError::Catalog(_))) => {
                let finding = Finding::new(Severity::Damage, file.path(), error.to_string());
                self.find(finding.so(format!("some of its {} live bytes cannot be read", row.live_bytes)));
            }
        }
        for block in damaged {
            self.block(file, catalog, row.id, runs, &block)?;
        }
        Ok(())
    }

    /// Names each stream that lost bytes by a damaged block.
    fn block(
        &mut self,
        file: &ArchiveFile,
        catalog: &CatalogReader,
        id: ArchiveFileId,
        runs: &[Run],
        block: &Range<u64>,
    ) -> Result<(), CatalogError> {
        let found =
            |severity| Finding::new(severity, file.path(), "the checksum does not match").at(Some(block.clone()));
        let first = runs.partition_point(|run| run.position + run.len <= block.start);
        let mut hurt = 0;
        for run in runs[first..].iter().take_while(|run| run.position < block.end) {
            let extents = catalog.extents_within(run.stream, run.start, run.end())?;
            let lost = extents.iter().filter(|extent| extent.file == id).filter_map(|extent| lost_of(extent, block));
            for lost in lost {
                hurt += 1;
                let stream = catalog.path_of(run.stream)?.unwrap_or_else(|| format!("stream {}", run.stream.0));
                let consequence = format!("its bytes {}..{} cannot be read", lost.start, lost.end);
                self.find(found(Severity::Damage).of(stream).so(consequence));
            }
        }
        if hurt == 0 {
            let consequence =
                if runs.is_empty() { "some stream's bytes cannot be read" } else { "none: no stream needs it" };
            let severity = if runs.is_empty() { Severity::Damage } else { Severity::Warning };
            self.find(found(severity).so(consequence));
        }
        Ok(())
    }

    /// Every extent of the catalog in this file must be a part of one of its runs.
    fn runs(&mut self, catalog: &CatalogReader, row: &ArchiveFileRow, runs: &[Run]) -> Result<(), CatalogError> {
        let mut matched = 0;
        for run in runs {
            for extent in catalog.extents_within(run.stream, run.start, run.end())? {
                if extent.file == row.id && is_part(&extent, run) {
                    matched += extent.len;
                }
            }
        }
        if matched != row.live_bytes {
            let what =
                format!("its index agrees with extents of {matched} bytes; the catalog counts {}", row.live_bytes);
            let consequence = "streams may read other bytes than theirs; the streams' own findings say which";
            self.find(Finding::new(Severity::Damage, &archive_path(row.id), what).so(consequence));
        }
        Ok(())
    }
}

fn is_part(extent: &Extent, run: &Run) -> bool {
    extent.end() <= run.end() && extent.position == run.position + extent.start.bytes_since(run.start)
}

/// The stream offsets of an extent that lie in a block of its file.
fn lost_of(extent: &Extent, block: &Range<u64>) -> Option<Range<u64>> {
    let from = extent.position.max(block.start);
    let to = (extent.position + extent.len).min(block.end);
    let offset = |position: u64| extent.start.get() + (position - extent.position);
    (from < to).then(|| offset(from)..offset(to))
}

fn unreadable(error: &CatalogError) -> Finding {
    Finding::new(Severity::Damage, CATALOG_FILE, error.to_string()).so("archived bytes cannot be found")
}
