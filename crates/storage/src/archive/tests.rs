//! Archive files on a real disk, with the catalog that names them.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use headwater_protocol::{ContentType, Lifetime, StreamPath};
use headwater_streams::{Closure, Durability, Head, StoreError, Version};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::catalog::{Catalog, NewArchive};
use crate::checkpoint::{Checkpoint, HeadPatch, JournalPosition};
use crate::disk::FileDisk;
use headwater_protocol::Offset;
use headwater_streams::StreamId;

const ARCHIVED: JournalPosition = JournalPosition { segment: 1, offset: 0 };
static GO_ON: AtomicBool = AtomicBool::new(false);

struct Opened {
    catalog: Arc<Catalog>,
    archive: Arc<Archive>,
    dir: TempDir,
    /// What each stream must read as.
    contents: BTreeMap<u64, Vec<u8>>,
}

impl Opened {
    fn with_streams(count: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let opened = Self::open(dir, (1..=count).map(|id| (id, Vec::new())).collect());
        let created = (1..=count).map(head).collect();
        opened.apply(Checkpoint { created, ..Checkpoint::default() });
        opened
    }

    fn open(dir: TempDir, contents: BTreeMap<u64, Vec<u8>>) -> Self {
        let catalog = Arc::new(Catalog::open(dir.path()).unwrap());
        let archive = Arc::new(Archive::open(Arc::new(FileDisk::new(dir.path()))).unwrap());
        let named: HashSet<_> = catalog.archive_files().unwrap().iter().map(|file| file.id).collect();
        archive.remove_orphans(&named).unwrap();
        Self { catalog, archive, dir, contents }
    }

    fn reopen(self) -> Self {
        let Self { catalog, archive, dir, contents } = self;
        drop((catalog, archive));
        Self::open(dir, contents)
    }

    fn apply(&self, checkpoint: Checkpoint) {
        assert_eq!(self.catalog.checkpoint(&checkpoint).unwrap(), []);
    }

    /// Writes a file that appends `len` patterned bytes to each of `streams`, and tells nobody.
    fn write(&mut self, streams: &[(u64, usize)]) -> NewArchive {
        let mut writer = self.archive.write(self.catalog.allocate_archive_file(), Tier(0)).unwrap();
        for &(id, len) in streams {
            let content = self.contents.get_mut(&id).unwrap();
            let start = content.len();
            content.extend((start..start + len).map(|at| (at as u64 * 31 + at as u64 / 251 + id * 7) as u8));
            for (index, chunk) in content[start..].chunks(1000).enumerate() {
                writer.append(StreamId(id), Offset::new((start + index * 1000) as u64), chunk).unwrap();
            }
        }
        writer.finish().unwrap()
    }

    fn install(&mut self, streams: &[(u64, usize)]) -> NewArchive {
        let new = self.write(streams);
        self.catalog.install_archive(Some(&new), ARCHIVED).unwrap();
        new
    }

    fn read(&self, id: u64, range: Range<u64>) -> Result<Bytes, StoreError> {
        let history = History::new(Arc::clone(&self.catalog), Arc::clone(&self.archive));
        history.read(StreamId(id), Offset::new(range.start)..Offset::new(range.end))
    }

    fn assert_contents(&self) {
        for (&id, content) in &self.contents {
            let found = self.read(id, 0..1 << 30).unwrap();
            assert!(found[..] == content[..], "stream {id}: {} bytes of {}", found.len(), content.len());
        }
    }

    fn step(&self) -> Result<Reclaimed, ArchiveError> {
        Reclaimer::new(Arc::clone(&self.catalog), Arc::clone(&self.archive)).step(&GO_ON)
    }

    fn remove(&mut self, id: u64) {
        self.contents.remove(&id);
        self.apply(Checkpoint { removed: vec![StreamId(id)], ..Checkpoint::default() });
    }

    fn file_path(&self, id: ArchiveFileId) -> PathBuf {
        self.dir.path().join(format::path(id))
    }

    fn flip(&self, id: ArchiveFileId, position: u64) {
        let mut bytes = fs::read(self.file_path(id)).unwrap();
        bytes[position as usize] ^= 0x10;
        fs::write(self.file_path(id), bytes).unwrap();
    }

    fn files_on_disk(&self) -> usize {
        fs::read_dir(self.dir.path().join(ARCHIVE_DIR)).unwrap().count()
    }
}

fn head(id: u64) -> Head {
    Head {
        id: StreamId(id),
        path: StreamPath::new(&format!("s/{id}")).unwrap(),
        content_type: ContentType::octet_stream(),
        lifetime: Lifetime::Forever,
        durability: Durability::Durable,
        created_at_ms: 1,
        accessed_at_ms: 1,
        earliest: Offset::START,
        tail: Offset::START,
        closure: Closure::Open,
        stream_seq: None,
        producers: Default::default(),
        fork: None,
        inherited: Arc::from([]),
        forks: 0,
        soft_deleted: false,
        version: Version(1),
    }
}

#[test]
fn bytes_come_back_from_any_range() {
    let mut opened = Opened::with_streams(3);
    opened.install(&[(1, 10), (2, 100_000), (3, 1)]);
    opened.install(&[(1, 50_000), (2, 3)]);
    opened.assert_contents();
    let opened = opened.reopen();
    opened.assert_contents();
    let content = &opened.contents[&2];
    for range in [0..1, 16_383..16_385, 99_990..100_003, 100_000..100_001, 5..5] {
        assert_eq!(opened.read(2, range.clone()).unwrap(), content[range.start as usize..range.end as usize]);
    }
    assert_eq!(opened.read(2, 100_003..100_004).unwrap(), b""[..]);
}

#[test]
fn a_file_says_itself_what_it_holds() {
    let mut opened = Opened::with_streams(2);
    let new = opened.install(&[(1, 40_000), (2, 5)]);
    let file = opened.archive.file(new.id).unwrap();
    assert_eq!(file.runs().unwrap(), new.runs);
    assert_eq!(new.runs.len(), 2, "chunks of a stream that follow each other are one run");
    assert_eq!(new.bytes, fs::metadata(opened.file_path(new.id)).unwrap().len());
    file.check_blocks(|block| panic!("{block:?}")).unwrap();
}

#[test]
fn a_flipped_bit_damages_its_block_and_nothing_else() {
    let mut opened = Opened::with_streams(1);
    let new = opened.install(&[(1, 100_000)]);
    let opened = opened.reopen();
    opened.flip(new.id, 40_000);
    let Err(StoreError::Damaged { range, .. }) = opened.read(1, 20_000..90_000) else { panic!("must be refused") };
    // Blocks are counted from the start of the file, whose header takes 32 bytes.
    assert_eq!(range, Offset::new(32_768 - 32)..Offset::new(49_152 - 32));
    let content = &opened.contents[&1];
    assert_eq!(opened.read(1, 0..32_736).unwrap(), content[..32_736]);
    assert_eq!(opened.read(1, 49_120..100_000).unwrap(), content[49_120..]);
}

#[test]
fn every_flipped_bit_of_a_file_is_noticed() {
    let mut opened = Opened::with_streams(2);
    let new = opened.install(&[(1, 100), (2, 20)]);
    let whole = fs::read(opened.file_path(new.id)).unwrap();
    let check = |bytes: &[u8]| {
        fs::write(opened.file_path(new.id), bytes).unwrap();
        let file = ArchiveFile::open(&FileDisk::new(opened.dir.path()), new.id)?;
        let mut damaged = 0;
        file.check_blocks(|_| damaged += 1)?;
        file.runs().map(|_| damaged)
    };
    assert_eq!(check(&whole).unwrap(), 0);
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!matches!(check(&flipped), Ok(0)), "bit {bit}");
    }
    for len in 0..whole.len() {
        assert!(check(&whole[..len]).is_err(), "cut to {len}");
    }
}

#[test]
fn ten_files_merge_into_one_with_every_byte() {
    let mut opened = Opened::with_streams(20);
    for round in 0..10 {
        let lens: Vec<_> = (1..=20).map(|id| (id, (id as usize * 37 + round * 11) % 3000 + 1)).collect();
        opened.install(&lens);
    }
    let Reclaimed::Files { removed: 10, written_bytes } = opened.step().unwrap() else { panic!("ten files merge") };
    assert!(written_bytes > 0);
    assert_eq!(opened.step().unwrap(), Reclaimed::Nothing);
    opened.assert_contents();
    let files = opened.catalog.archive_files().unwrap();
    assert_eq!((files.len(), files[0].tier, files[0].runs), (1, Tier(1), 20));
    assert_eq!(opened.files_on_disk(), 1);
    opened.reopen().assert_contents();
}

#[test]
fn a_mostly_dead_file_is_rewritten_and_a_dead_one_removed() {
    let mut opened = Opened::with_streams(3);
    opened.install(&[(1, 10_000), (2, 6_000), (3, 4_000)]);
    opened.remove(1);
    assert_eq!(opened.step().unwrap(), Reclaimed::Nothing, "half of it is live");
    opened.remove(3);
    assert!(matches!(opened.step().unwrap(), Reclaimed::Files { removed: 1, written_bytes: 6_000..=7_000 }));
    opened.assert_contents();
    opened.remove(2);
    assert_eq!(opened.step().unwrap(), Reclaimed::Files { removed: 1, written_bytes: 0 });
    assert_eq!(opened.files_on_disk(), 0);
}

#[test]
fn a_rewrite_leaves_damage_where_it_is() {
    let mut opened = Opened::with_streams(3);
    let damaged = opened.install(&[(1, 100_000), (2, 40_000), (3, 1_000)]);
    let healthy = opened.install(&[(1, 100_000), (2, 2_000)]);
    opened.remove(1);
    let mut opened = opened.reopen();
    opened.flip(damaged.id, 120_000);
    let reclaimer = Reclaimer::new(Arc::clone(&opened.catalog), Arc::clone(&opened.archive));
    assert!(matches!(reclaimer.step(&GO_ON), Err(ArchiveError::Damaged { .. })));
    assert_eq!(opened.files_on_disk(), 2, "what was begun is gone");
    assert!(matches!(reclaimer.step(&GO_ON), Ok(Reclaimed::Files { removed: 1, .. })));
    assert!(!opened.file_path(healthy.id).exists());
    assert_eq!(reclaimer.step(&GO_ON).unwrap(), Reclaimed::Nothing);
    opened.contents.remove(&2);
    opened.assert_contents();
}

#[test]
fn a_raised_stop_flag_ends_a_rewrite_without_a_trace() {
    let mut opened = Opened::with_streams(2);
    opened.install(&[(1, 10_000), (2, 1_000)]);
    opened.remove(1);
    let reclaimer = Reclaimer::new(Arc::clone(&opened.catalog), Arc::clone(&opened.archive));
    assert_eq!(reclaimer.step(&AtomicBool::new(true)).unwrap(), Reclaimed::Stopped);
    assert_eq!(opened.files_on_disk(), 1);
    opened.assert_contents();
}

#[test]
fn a_crash_before_the_catalog_names_a_file_leaves_the_old_ones() {
    let mut opened = Opened::with_streams(2);
    opened.install(&[(1, 10_000), (2, 1_000)]);
    let before = opened.contents.clone();
    opened.write(&[(1, 500)]);
    fs::write(opened.dir.path().join(format::unfinished_path(ArchiveFileId(77))), b"half").unwrap();
    fs::write(opened.dir.path().join(ARCHIVE_DIR).join("notes.txt"), b"not ours").unwrap();
    opened.contents = before;
    let opened = opened.reopen();
    opened.assert_contents();
    assert_eq!(opened.files_on_disk(), 2, "one archive file, and what is not ours");
}

#[test]
fn a_crash_before_replaced_files_are_removed_leaves_the_new_one() {
    let mut opened = Opened::with_streams(2);
    let first = opened.install(&[(1, 10_000), (2, 1_000)]);
    let saved = fs::read(opened.file_path(first.id)).unwrap();
    opened.remove(1);
    assert!(matches!(opened.step().unwrap(), Reclaimed::Files { removed: 1, .. }));
    fs::write(opened.file_path(first.id), saved).unwrap();
    let opened = opened.reopen();
    assert!(!opened.file_path(first.id).exists());
    opened.assert_contents();
}

#[test]
fn a_crash_in_the_middle_of_a_replacement_leaves_every_byte_in_one_place() {
    let mut opened = Opened::with_streams(6);
    let lens: Vec<_> = (1..=6).map(|id| (id, 1000 * id as usize)).collect();
    let first = opened.install(&lens);
    let before = opened.contents.clone();
    for content in opened.contents.values_mut() {
        content.clear();
    }
    let mut copy = opened.write(&lens);
    assert_eq!(opened.contents, before);
    // Installing goes run by run; not all of them get their turn.
    copy.runs.truncate(4);
    opened.catalog.replace_archives(Some(&copy), &[]).unwrap();
    let opened = opened.reopen();
    assert!(opened.file_path(first.id).exists() && opened.file_path(copy.id).exists());
    opened.assert_contents();
    while opened.step().unwrap() != Reclaimed::Nothing {}
    opened.assert_contents();
    opened.reopen().assert_contents();
}

#[test]
fn a_reader_in_flight_keeps_a_replaced_file() {
    let mut opened = Opened::with_streams(2);
    let first = opened.install(&[(1, 10_000), (2, 1_000)]);
    let held = opened.archive.file(first.id).unwrap();
    opened.remove(1);
    opened.step().unwrap();
    assert!(!opened.file_path(first.id).exists());
    let run = first.runs[1];
    assert_eq!(held.read(run.position..run.position + run.len).unwrap(), opened.contents[&2]);
}

#[test]
fn a_lost_file_counts_as_damage() {
    let mut opened = Opened::with_streams(1);
    let new = opened.install(&[(1, 100)]);
    fs::remove_file(opened.file_path(new.id)).unwrap();
    let opened = opened.reopen();
    let Err(StoreError::Damaged { range, .. }) = opened.read(1, 10..20) else { panic!("must be refused") };
    assert_eq!(range, Offset::new(10)..Offset::new(20));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Installs, trims, removals and reclaiming in any order lose no live byte.
    #[test]
    fn no_live_byte_is_ever_lost(
        steps in prop::collection::vec((0..8_u8, 1..6_u64, 1..40_000_usize), 1..60),
    ) {
        let mut opened = Opened::with_streams(5);
        let mut earliest = BTreeMap::new();
        let mut versions = BTreeMap::new();
        for (what, id, len) in steps {
            let known = opened.contents.contains_key(&id);
            match what {
                0 if known && opened.contents.len() > 1 => opened.remove(id),
                1 if known => {
                    let to = (opened.contents[&id].len() / 2) as u64;
                    let version = versions.entry(id).or_insert(1);
                    let mut patch = HeadPatch::new(StreamId(id), Version(*version));
                    *version += 1;
                    patch.earliest = Some(Offset::new(to));
                    patch.version = Version(*version);
                    opened.apply(Checkpoint { changed: vec![patch], ..Checkpoint::default() });
                    let earliest = earliest.entry(id).or_insert(0);
                    *earliest = to.max(*earliest);
                }
                2 => {
                    opened.step().unwrap();
                }
                3 => opened = opened.reopen(),
                _ => {
                    let lens: Vec<_> =
                        opened.contents.keys().map(|&id| (id, 1 + (len * id as usize) % 30_000)).collect();
                    opened.install(&lens);
                }
            }
        }
        while opened.step().unwrap() != Reclaimed::Nothing {}
        for (id, content) in &opened.contents {
            let from = earliest.get(id).copied().unwrap_or(0);
            prop_assert_eq!(&opened.read(*id, from..1 << 30).unwrap()[..], &content[from as usize..]);
        }
    }
}
