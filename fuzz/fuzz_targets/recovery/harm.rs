//! What may become of the files of a data directory.

use headwater_storage::FORMAT_FILE;
use headwater_storage::disk::Disk;
use headwater_testing::disk::FaultyDisk;
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// Where a segment's records begin, and what marks one.
const SEGMENT_HEADER_BYTES: usize = 4096;
const RECORD_HEADER_BYTES: usize = 12;
const RECORD_KIND: u8 = 0xd1;

/// One thing that goes wrong.
#[derive(Debug, Arbitrary)]
pub enum Harm {
    Flip {
        at: Place,
        mask: u8,
    },
    Zero {
        at: Place,
        len: u8,
    },
    Truncate {
        at: Place,
    },
    /// Bytes of one place appear at another one. With no `len`, they are a whole record.
    Splice {
        from: Place,
        to: Place,
        len: u16,
    },
    Lose {
        file: u8,
    },
}

/// A position in a file.
#[derive(Debug, Arbitrary)]
pub struct Place {
    file: u8,
    at: u16,
    aim: Aim,
}

#[derive(Debug, Arbitrary)]
enum Aim {
    Anywhere,
    Record,
    RecordEnd,
}

/// What all harms together may have done.
#[derive(Debug, Default)]
pub struct Harmed {
    /// The file without which nothing can be read.
    pub format: bool,
    /// Bytes that hold appear where they were not written.
    pub moved: bool,
    /// Any number of writes.
    pub many: bool,
    /// Writes that were hit one by one.
    pub writes: usize,
}

impl Harmed {
    pub fn any(&self) -> bool {
        self.format || self.moved || self.many || self.writes > 0
    }
}

impl Harm {
    pub fn inflict(&self, disk: &FaultyDisk, harmed: &mut Harmed) {
        match self {
            Self::Flip { at, mask } => {
                let Some((file, at)) = at.find(disk, harmed) else { return };
                if at < disk.contents(&file).len() {
                    disk.flip(&file, at as u64, *mask);
                    harmed.writes += 1;
                }
            }
            Self::Zero { at, len } => {
                let Some((file, at)) = at.find(disk, harmed) else { return };
                write(disk, &file, at, &vec![0; usize::from(*len)]);
                harmed.many = true;
            }
            Self::Truncate { at } => {
                let Some((file, at)) = at.find(disk, harmed) else { return };
                let cut = disk.open(&file).and_then(|open| open.truncate(at as u64));
                cut.expect("the disk has no faults");
                harmed.many = true;
            }
            Self::Splice { from, to, len } => {
                let Some((source, start)) = from.find(disk, &mut Harmed::default()) else { return };
                let Some((target, at)) = to.find(disk, harmed) else { return };
                let bytes = disk.contents(&source);
                let len = if *len == 0 { record_len(&bytes, start) } else { usize::from(*len) };
                let end = bytes.len().min(start + len);
                write(disk, &target, at, &bytes[start..end]);
                harmed.moved = true;
            }
            Self::Lose { file } => {
                let Some(file) = pick(disk, *file) else { return };
                harmed.format |= file == FORMAT_FILE;
                harmed.many = true;
                disk.lose(&file);
            }
        }
    }
}

impl Place {
    fn find(&self, disk: &FaultyDisk, harmed: &mut Harmed) -> Option<(String, usize)> {
        let file = pick(disk, self.file)?;
        harmed.format |= file == FORMAT_FILE;
        let bytes = disk.contents(&file);
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let at = match self.aim {
            Aim::Anywhere => usize::from(self.at) % (used + 1),
            Aim::Record => record(&bytes, self.at)?,
            Aim::RecordEnd => {
                let start = record(&bytes, self.at)?;
                bytes.len().min(start + record_len(&bytes, start))
            }
        };
        Some((file, at))
    }
}

fn pick(disk: &FaultyDisk, file: u8) -> Option<String> {
    let paths = disk.paths();
    paths.get(usize::from(file) % paths.len().max(1)).cloned()
}

/// Where something that looks like a record begins.
fn record(bytes: &[u8], number: u16) -> Option<usize> {
    let is_record = |start: &usize| bytes[start + 7] == RECORD_KIND && record_len(bytes, *start) <= bytes.len() - start;
    let starts: Vec<_> =
        (SEGMENT_HEADER_BYTES..bytes.len().saturating_sub(RECORD_HEADER_BYTES)).filter(is_record).collect();
    starts.get(usize::from(number) % starts.len().max(1)).copied()
}

/// Bytes of the record at `start`, as its header tells.
fn record_len(bytes: &[u8], start: usize) -> usize {
    let Some(header) = bytes.get(start..start + RECORD_HEADER_BYTES) else { return 0 };
    let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
    RECORD_HEADER_BYTES + (number(4) & 0x00ff_ffff) + number(8)
}

fn write(disk: &FaultyDisk, file: &str, at: usize, bytes: &[u8]) {
    let written = disk.open(file).and_then(|open| open.write_at(bytes, at as u64));
    written.expect("the disk has no faults");
}
