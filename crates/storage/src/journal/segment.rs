//! One file of the journal.
//!
//! ```text
//! magic "HWJOURNL" | format u32 | crc32c u32 (of the rest) | segment number u64 | capacity u64 | zeros to 4096 | records …
//! ```

use std::sync::Arc;

use headwater_streams::StoreError;

use super::JOURNAL_DIR;
use crate::disk::{Disk, DiskFile};
use crate::error::io_error;
use crate::record::{SEGMENT_HEADER_BYTES, seed};

const MAGIC: &[u8; 8] = b"HWJOURNL";
/// Version of segment header and record kinds.
pub(crate) const JOURNAL_FORMAT: u32 = 1;
const HEADER_FIELDS_BYTES: usize = 32;

/// An open segment.
#[derive(Debug)]
pub(crate) struct Segment {
    number: u64,
    capacity: u64,
    seed: u32,
    file: Arc<dyn DiskFile>,
}

/// What a segment's header page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) capacity: u64,
}

impl Segment {
    pub(crate) fn new(number: u64, capacity: u64, salt: u32, file: Arc<dyn DiskFile>) -> Self {
        Self { number, capacity, seed: seed(salt, number), file }
    }

    /// Its place in the order of segments; part of its name.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of the file, header included.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// What its checksums start from.
    pub(crate) fn seed(&self) -> u32 {
        self.seed
    }

    pub(crate) fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// Where it is under the data directory.
    pub(crate) fn path(&self) -> String {
        path_of(self.number)
    }

    /// Opens the file of segment `number`; the header is `None` when it does not hold.
    pub(crate) fn open(disk: &dyn Disk, number: u64, salt: u32) -> Result<(Self, Option<SegmentHeader>), StoreError> {
        let path = path_of(number);
        let file = disk.open(&path).map_err(io_error(format!("opening {path}")))?;
        let capacity = file.len().map_err(io_error(format!("reading the length of {path}")))?;
        let mut page = [0; HEADER_FIELDS_BYTES];
        let read = file.read_at(&mut page, 0).map_err(io_error(format!("reading {path}")))?;
        let header = (read == page.len()).then(|| SegmentHeader::decode(&page)).flatten();
        Ok((Self::new(number, capacity, salt, file), header))
    }
}

impl SegmentHeader {
    /// The page at the start of the file.
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut page = [0; SEGMENT_HEADER_BYTES];
        page[..8].copy_from_slice(MAGIC);
        page[8..12].copy_from_slice(&JOURNAL_FORMAT.to_le_bytes());
        page[16..24].copy_from_slice(&self.number.to_le_bytes());
        page[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        let crc = crc32c::crc32c(&page[16..HEADER_FIELDS_BYTES]);
        page[12..16].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// Reads the fields of a header page.
    pub(crate) fn decode(page: &[u8]) -> Option<Self> {
        let page = page.get(..HEADER_FIELDS_BYTES)?;
        let long = |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().expect("eight bytes"));
        let int = |at: usize| u32::from_le_bytes(page[at..at + 4].try_into().expect("four bytes"));
        let holds = &page[..8] == MAGIC && int(8) == JOURNAL_FORMAT && int(12) == crc32c::crc32c(&page[16..]);
        holds.then(|| Self { number: long(16), capacity: long(24) })
    }
}

/// The file of segment `number`.
pub(crate) fn path_of(number: u64) -> String {
    format!("{JOURNAL_DIR}/{number:016x}.seg")
}

/// The number in a segment's file name; `None` for other files.
pub(crate) fn number_in(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}
