//! The bytes of an archive file; `docs/format.md` draws them.
//!
//! All numbers are little-endian. Blocks are counted from the start of the file, so the header lies in the first one.

use std::ops::Range;

use headwater_protocol::Offset;
use headwater_streams::StreamId;
use thiserror::Error;

use super::ARCHIVE_DIR;
use crate::catalog::{ArchiveFileId, Run, Tier};

/// Version of the archive format.
const ARCHIVE_VERSION: u32 = 1;
/// Bytes that one checksum covers.
pub(super) const BLOCK_BYTES: u64 = 16 * 1024;

const HEADER_MAGIC: [u8; 8] = *b"HDW-ARC\n";
const TRAILER_MAGIC: [u8; 8] = *b"HDW-END\n";
pub(super) const HEADER_BYTES: u64 = 32;
pub(super) const TRAILER_BYTES: u64 = 56;
const RUN_BYTES: u64 = 24;
const CHECKSUM_BYTES: u64 = 4;

/// Why bytes are not those of a whole archive file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum InvalidArchive {
    /// Header or trailer do not begin as ours do.
    #[error("no archive file: its {0} is not one")]
    Magic(&'static str),
    /// Written by another version.
    #[error("archive format version {0}; this program reads version {ARCHIVE_VERSION}")]
    Version(u32),
    /// Renamed, or a copy of another one.
    #[error("the file says that it is archive file {0}")]
    Id(u64),
    /// The parts do not add up to the file's length.
    #[error("its parts do not add up to its length of {0} bytes")]
    Length(u64),
    /// A checksum of header, run index, checksum table or trailer does not hold.
    #[error("the checksum of its {0} does not match")]
    Part(&'static str),
    /// A checksum of data does not hold.
    #[error("the checksum of bytes {}..{} does not match", .0.start, .0.end)]
    Block(Range<u64>),
    /// The caller, or the catalog, asks past the data.
    #[error("bytes {}..{} lie outside its data", .0.start, .0.end)]
    Outside(Range<u64>),
}

/// The last bytes of a file: where its parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(super) id: ArchiveFileId,
    /// Position after the last data byte, where the run index begins.
    pub(super) data_end: u64,
    pub(super) runs: u64,
    pub(super) runs_crc: u32,
    pub(super) checksums_crc: u32,
    pub(super) tier: Tier,
}

impl Trailer {
    pub(super) fn runs_at(&self) -> Range<u64> {
        self.data_end..self.data_end + self.runs * RUN_BYTES
    }

    pub(super) fn checksums_at(&self) -> Range<u64> {
        let start = self.runs_at().end;
        start..start + self.data_end.div_ceil(BLOCK_BYTES) * CHECKSUM_BYTES
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TRAILER_BYTES as usize);
        out.extend(self.id.0.to_le_bytes());
        out.extend(self.data_end.to_le_bytes());
        out.extend(self.runs.to_le_bytes());
        out.extend(self.runs_crc.to_le_bytes());
        out.extend(self.checksums_crc.to_le_bytes());
        out.extend(u32::from(self.tier.0).to_le_bytes());
        out.extend(ARCHIVE_VERSION.to_le_bytes());
        out.extend(0_u32.to_le_bytes());
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        out.extend(TRAILER_MAGIC);
        out
    }

    /// Reads the last [`TRAILER_BYTES`] of a file of `file_len` bytes.
    pub(super) fn decode(bytes: &[u8], id: ArchiveFileId, file_len: u64) -> Result<Self, InvalidArchive> {
        let mut fields = Fields(bytes);
        let mut trailer = Self {
            id: ArchiveFileId(fields.u64()),
            data_end: fields.u64(),
            runs: fields.u64(),
            runs_crc: fields.u32(),
            checksums_crc: fields.u32(),
            tier: Tier(0),
        };
        let (tier, version, _reserved) = (fields.u32(), fields.u32(), fields.u32());
        let covered = bytes.len() - fields.0.len();
        let crc = fields.u32();
        if fields.0 != TRAILER_MAGIC {
            return Err(InvalidArchive::Magic("trailer"));
        }
        if crc != crc32c::crc32c(&bytes[..covered]) {
            return Err(InvalidArchive::Part("trailer"));
        }
        if version != ARCHIVE_VERSION {
            return Err(InvalidArchive::Version(version));
        }
        if trailer.id != id {
            return Err(InvalidArchive::Id(trailer.id.0));
        }
        trailer.tier = u8::try_from(tier).map(Tier).map_err(|_| InvalidArchive::Part("trailer"))?;
        if !trailer.adds_up_to(file_len) {
            return Err(InvalidArchive::Length(file_len));
        }
        Ok(trailer)
    }

    fn adds_up_to(&self, file_len: u64) -> bool {
        let plausible = self.data_end >= HEADER_BYTES && self.data_end <= file_len && self.runs <= file_len / RUN_BYTES;
        plausible && self.checksums_at().end + TRAILER_BYTES == file_len
    }
}

pub(super) fn encode_header(id: ArchiveFileId) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES as usize);
    out.extend(HEADER_MAGIC);
    out.extend(ARCHIVE_VERSION.to_le_bytes());
    out.extend((BLOCK_BYTES as u32).to_le_bytes());
    out.extend(id.0.to_le_bytes());
    out.extend(0_u32.to_le_bytes());
    out.extend(crc32c::crc32c(&out).to_le_bytes());
    out
}

/// Whether `bytes` begin with the header of archive file `id`.
pub(super) fn check_header(bytes: &[u8], id: ArchiveFileId) -> Result<(), InvalidArchive> {
    if !bytes.starts_with(&HEADER_MAGIC) {
        return Err(InvalidArchive::Magic("header"));
    }
    if bytes.starts_with(&encode_header(id)) { Ok(()) } else { Err(InvalidArchive::Part("header")) }
}

/// The run index. Runs lie back to back, so that no position needs to be written.
pub(super) fn encode_runs(runs: &[Run]) -> Vec<u8> {
    let mut out = Vec::with_capacity(runs.len() * RUN_BYTES as usize);
    for run in runs {
        out.extend(run.stream.0.to_le_bytes());
        out.extend(run.start.get().to_le_bytes());
        out.extend(run.len.to_le_bytes());
    }
    out
}

/// The runs in `bytes`, whose checksum has been checked; they must fill the data exactly.
pub(super) fn decode_runs(bytes: &[u8], data_end: u64) -> Result<Vec<Run>, InvalidArchive> {
    let mut position = HEADER_BYTES;
    let mut runs = Vec::with_capacity(bytes.len() / RUN_BYTES as usize);
    for entry in bytes.chunks_exact(RUN_BYTES as usize) {
        let mut fields = Fields(entry);
        let (stream, start, len) = (StreamId(fields.u64()), Offset::new(fields.u64()), fields.u64());
        runs.push(Run { stream, start, len, position });
        position = position.checked_add(len).ok_or(InvalidArchive::Part("run index"))?;
    }
    if position == data_end { Ok(runs) } else { Err(InvalidArchive::Part("run index")) }
}

pub(super) fn encode_checksums(checksums: &[u32]) -> Vec<u8> {
    checksums.iter().flat_map(|crc| crc.to_le_bytes()).collect()
}

pub(super) fn decode_checksums(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(CHECKSUM_BYTES as usize).map(|entry| Fields(entry).u32()).collect()
}

/// What a file in the folder is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Whole(ArchiveFileId),
    /// Written to when the process ended.
    Unfinished,
}

/// Where a whole file is, relative to the data directory.
pub(crate) fn path(id: ArchiveFileId) -> String {
    format!("{ARCHIVE_DIR}/{:016x}.archive", id.0)
}

/// Where a file is while it is written.
pub(super) fn unfinished_path(id: ArchiveFileId) -> String {
    format!("{ARCHIVE_DIR}/{:016x}.unfinished", id.0)
}

/// `None` for a name that we never give.
pub(crate) fn parse_name(name: &str) -> Option<Name> {
    let (stem, extension) = name.split_once('.')?;
    let id = u64::from_str_radix(stem, 16).ok().filter(|_| stem.len() == 16)?;
    match extension {
        "archive" => Some(Name::Whole(ArchiveFileId(id))),
        "unfinished" => Some(Name::Unfinished),
        _ => None,
    }
}

/// Takes numbers off the front of bytes that are known to be long enough.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("the caller passes whole entries");
        self.0 = rest;
        *head
    }
}
