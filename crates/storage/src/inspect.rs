//! Shows what a data directory holds, while no server has it. Writes nothing.
//!
//! The answers are plain values that serialise; how they are printed is the command line's matter.

use std::path::Path;

use headwater_protocol::{InvalidPath, Lifetime, Offset, StreamPath};
use headwater_streams::{Durability, Head, StoreError};
use serde::Serialize;
use thiserror::Error;

use crate::archive::archive_path;
use crate::catalog::{CATALOG_FILE, CATALOG_VERSION, CatalogError, CatalogReader};
use crate::checkpoint::JournalPosition;
use crate::error::OpenError;
use crate::verify::snapshot::{Snapshot, Visit};

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The directory as a whole.
    Summary,
    /// Streams, in path order but for those that only the journal knows, which come last.
    Streams {
        /// Of their paths.
        prefix: String,
        /// No more than so many.
        limit: usize,
    },
    /// Files of the journal.
    Segments,
    /// Files of the archive.
    ArchiveFiles,
    /// Where the bytes of one stream lie.
    Extents {
        /// The stream's.
        path: String,
    },
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Inspection {
    Summary(Box<Summary>),
    Streams(Vec<StreamRow>),
    Segments(Vec<SegmentRow>),
    ArchiveFiles(Vec<ArchiveFileRow>),
    Extents(Vec<ExtentRow>),
}

/// The directory as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Of the data directory.
    pub format_version: u32,
    /// Of the catalog's tables.
    pub catalog_version: u64,
    /// How often a server has opened it.
    pub openings: u64,
    /// Streams, soft-deleted ones included.
    pub streams: u64,
    /// Documents that the last checkpoint wrote.
    pub documents: u64,
    /// Their bytes.
    pub document_bytes: u64,
    /// The journal before this position is in the catalog.
    pub checkpoint: Position,
    /// The journal before this position is in the archive.
    pub archived: Position,
    /// Where the journal ends.
    pub journal_end: Position,
    /// Journal bytes that the next start replays.
    pub replay_bytes: u64,
    /// Journal records that are not archived.
    pub records: u64,
    /// Files of the journal, spare ones included.
    pub journal_segments: u64,
    /// Their bytes.
    pub journal_bytes: u64,
    /// Files of the archive.
    pub archive_files: u64,
    /// Their bytes.
    pub archive_bytes: u64,
    /// Bytes of streams in them that can still be read.
    pub archive_live_bytes: u64,
    /// The database's bytes, its log's included.
    pub catalog_bytes: u64,
    /// What is damaged in the journal; `verify` looks for more.
    pub damage: Vec<String>,
}

/// A place in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Segment number.
    pub segment: u64,
    /// Byte in the segment.
    pub offset: u64,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are the protocol's")]
pub struct StreamRow {
    pub path: String,
    pub id: u64,
    pub content_type: String,
    pub earliest: u64,
    pub tail: u64,
    pub closed: bool,
    pub soft_deleted: bool,
    pub ephemeral: bool,
    pub ttl_s: Option<u64>,
    pub expires_at_ms: Option<u64>,
    pub created_at_ms: u64,
    pub accessed_at_ms: u64,
    pub producers: usize,
    pub forks: u32,
    pub forked_from: Option<String>,
    /// Grows by one with each change.
    pub version: u64,
}

/// A file of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SegmentRow {
    /// Its place in the order.
    pub number: u64,
    /// Relative to the data directory.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// What it is for.
    pub state: SegmentState,
}

/// What a segment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentState {
    /// Written to next.
    Active,
    /// Full; waits for the archive.
    Sealed,
    /// Prepared for records to come.
    Ready,
    /// What it held is archived or dead; to be recycled.
    Free,
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveFileRow {
    /// Names it.
    pub id: u64,
    /// Relative to the data directory.
    pub file: String,
    /// How often its bytes have been merged.
    pub tier: u8,
    /// Of the whole file.
    pub bytes: u64,
    /// Of streams, when it was written.
    pub data_bytes: u64,
    /// Of streams that can still be read.
    pub live_bytes: u64,
    /// Consecutive stretches of one stream, when it was written.
    pub runs: u64,
}

/// A stretch of a stream's own bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExtentRow {
    /// First byte in the stream.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Where they are; a path in the data directory, or `fork of stream N` for inherited bytes.
    pub file: String,
    /// Of the first byte, or of its checksum, in the file.
    pub position: Option<u64>,
}

/// Why nothing can be shown.
#[derive(Debug, Error)]
pub enum InspectError {
    /// No data directory, or a server holds it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Catalog or journal cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Asked for a stream that is not there.
    #[error("there is no stream at {0:?}")]
    NoSuchStream(String),
    /// Asked for a stream that cannot be.
    #[error(transparent)]
    Path(#[from] InvalidPath),
}

/// Looks into the data directory `dir`.
///
/// # Errors
/// See [`InspectError`].
pub fn inspect(dir: &Path, what: &What) -> Result<Inspection, InspectError> {
    let snapshot = Snapshot::open(dir)?;
    match what {
        What::Summary => summary(snapshot).map(Box::new).map(Inspection::Summary),
        What::Streams { prefix, limit } => streams(&snapshot, prefix, *limit).map(Inspection::Streams),
        What::Segments => Ok(Inspection::Segments(segments(&snapshot))),
        What::ArchiveFiles => archive_files(&snapshot).map(Inspection::ArchiveFiles),
        What::Extents { path } => extents(&snapshot, &StreamPath::new(path)?).map(Inspection::Extents),
    }
}

fn summary(snapshot: Snapshot) -> Result<Summary, InspectError> {
    let catalog = readable(&snapshot)?;
    let files = catalog.archive_files().map_err(StoreError::from)?;
    let (documents, document_bytes) = catalog.documents().map_err(StoreError::from)?;
    let (_, streams) = catalog.counts().map_err(StoreError::from)?;
    let segments: Vec<u64> = snapshot.segments().map(|segment| segment.capacity()).collect();
    Ok(Summary {
        format_version: snapshot.format.version,
        catalog_version: CATALOG_VERSION,
        openings: catalog.epoch().map_err(StoreError::from)?,
        streams: streams.saturating_add_signed(snapshot.memtable.count_delta()),
        documents,
        document_bytes,
        checkpoint: snapshot.covered.position.into(),
        archived: snapshot.covered.archived.into(),
        journal_end: snapshot.recovered.end.into(),
        replay_bytes: snapshot.recovered.replayed_bytes,
        records: snapshot.records,
        journal_segments: segments.len() as u64,
        journal_bytes: segments.iter().sum(),
        archive_files: files.len() as u64,
        archive_bytes: files.iter().map(|file| file.bytes).sum(),
        archive_live_bytes: files.iter().map(|file| file.live_bytes).sum(),
        catalog_bytes: catalog.bytes_on_disk(),
        damage: snapshot.recovered.damage.iter().map(ToString::to_string).collect(),
    })
}

fn streams(snapshot: &Snapshot, prefix: &str, limit: usize) -> Result<Vec<StreamRow>, InspectError> {
    readable(snapshot)?;
    let mut rows = Vec::new();
    let mut failed = None;
    snapshot
        .streams(prefix, &mut |row| {
            if rows.len() == limit {
                return Visit::Stop;
            }
            match row {
                Ok(head) => rows.push(StreamRow::from(&head)),
                Err((_, error)) => failed = Some(error),
            }
            if failed.is_some() { Visit::Stop } else { Visit::Next }
        })
        .map_err(StoreError::from)?;
    failed.map_or(Ok(rows), |error| Err(StoreError::from(error).into()))
}

fn segments(snapshot: &Snapshot) -> Vec<SegmentRow> {
    let end = snapshot.recovered.end.segment;
    let spares = &snapshot.recovered.spares;
    let in_use =
        snapshot.recovered.used.iter().map(|segment| {
            (segment, if segment.number() == end { SegmentState::Active } else { SegmentState::Sealed })
        });
    let ready = spares.ready.iter().map(|segment| (segment, SegmentState::Ready));
    let free = spares.free.iter().map(|segment| (segment, SegmentState::Free));
    let row = |(segment, state): (&std::sync::Arc<crate::journal::Segment>, _)| SegmentRow {
        number: segment.number(),
        file: segment.path(),
        bytes: segment.capacity(),
        state,
    };
    let mut rows: Vec<SegmentRow> = in_use.chain(ready).chain(free).map(row).collect();
    rows.sort_by_key(|row| row.number);
    rows
}

fn archive_files(snapshot: &Snapshot) -> Result<Vec<ArchiveFileRow>, InspectError> {
    let files = readable(snapshot)?.archive_files().map_err(StoreError::from)?;
    let row = |file: crate::catalog::ArchiveFileRow| ArchiveFileRow {
        id: file.id.0,
        file: archive_path(file.id),
        tier: file.tier.0,
        bytes: file.bytes,
        data_bytes: file.data_bytes,
        live_bytes: file.live_bytes,
        runs: file.runs,
    };
    Ok(files.into_iter().map(row).collect())
}

fn extents(snapshot: &Snapshot, path: &StreamPath) -> Result<Vec<ExtentRow>, InspectError> {
    let catalog = readable(snapshot)?;
    let head = find(snapshot, catalog, path)?.ok_or_else(|| InspectError::NoSuchStream(path.as_str().to_owned()))?;
    let mut rows: Vec<ExtentRow> = head
        .inherited
        .iter()
        .map(|span| ExtentRow {
            start: span.from.get(),
            len: span.to.bytes_since(span.from),
            file: format!("fork of stream {}", span.source.0),
            position: None,
        })
        .collect();
    let located = snapshot.extents.locate(head.id, &(Offset::START..head.tail));
    for extent in catalog.extents(head.id).map_err(StoreError::from)? {
        rows.push(ExtentRow {
            start: extent.start.get(),
            len: extent.len,
            file: archive_path(extent.file),
            position: Some(extent.position),
        });
    }
    for (extent, segment) in located.extents {
        rows.push(ExtentRow {
            start: extent.start.get(),
            len: u64::from(extent.placed.len),
            file: segment.path(),
            position: Some(u64::from(extent.placed.position)),
        });
    }
    Ok(rows)
}

fn find(snapshot: &Snapshot, catalog: &CatalogReader, path: &StreamPath) -> Result<Option<Head>, StoreError> {
    let created = snapshot.memtable.created(path.as_str(), None, usize::MAX).into_iter();
    if let Some(head) = created.into_iter().find(|head| head.path == *path) {
        return Ok(Some(head));
    }
    let stored = catalog.find(path)?.filter(|head| !snapshot.memtable.is_removed(head.id));
    Ok(stored.map(|mut head| {
        snapshot.memtable.patch(&mut head);
        head
    }))
}

fn readable(snapshot: &Snapshot) -> Result<&CatalogReader, StoreError> {
    let unreadable = |cause: String| StoreError::Io { operation: format!("reading {CATALOG_FILE}"), cause };
    match &snapshot.catalog {
        Ok(Some(catalog)) => Ok(catalog),
        Ok(None) => Err(unreadable("the file is missing".to_owned())),
        Err(error) => Err(unreadable(CatalogError::to_string(error))),
    }
}

impl From<JournalPosition> for Position {
    fn from(position: JournalPosition) -> Self {
        Self { segment: position.segment, offset: position.offset }
    }
}

impl From<&Head> for StreamRow {
    fn from(head: &Head) -> Self {
        Self {
            path: head.path.as_str().to_owned(),
            id: head.id.0,
            content_type: head.content_type.as_str().to_owned(),
            earliest: head.earliest.get(),
            tail: head.tail.get(),
            closed: head.is_closed(),
            soft_deleted: head.soft_deleted,
            ephemeral: head.durability == Durability::Ephemeral,
            ttl_s: match head.lifetime {
                Lifetime::Sliding(ttl) => Some(ttl.0),
                Lifetime::Forever | Lifetime::Until { .. } => None,
            },
            expires_at_ms: head.expires_at_ms(head.accessed_at_ms),
            created_at_ms: head.created_at_ms,
            accessed_at_ms: head.accessed_at_ms,
            producers: head.producers.len(),
            forks: head.forks,
            forked_from: head.fork.as_ref().map(|fork| fork.source_path.as_str().to_owned()),
            version: head.version.0,
        }
    }
}
