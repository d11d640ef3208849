//! Archive files, extents and live bytes.

use headwater_protocol::Offset;
use headwater_streams::{Head, StreamId, Version};

use super::samples::head;
use super::{Opened, open};
use crate::catalog::{ArchiveFileId, CatalogError, Extent, NewArchive, Run, Tier};
use crate::checkpoint::{Checkpoint, HeadPatch, JournalPosition};

const EVERYTHING: std::ops::Range<Offset> = Offset::START..Offset::new(1 << 40);
const ARCHIVED: JournalPosition = JournalPosition { segment: 5, offset: 0 };

/// A file of back-to-back runs `(stream, start, len)`.
fn file(opened: &Opened, runs: &[(u64, u64, u64)]) -> NewArchive {
    let mut position = 32;
    let run = |&(stream, start, len): &(u64, u64, u64)| {
        let run = Run { stream: StreamId(stream), start: Offset::new(start), len, position };
        position += len;
        run
    };
    let runs: Vec<Run> = runs.iter().map(run).collect();
    NewArchive { id: opened.catalog.allocate_archive_file(), tier: Tier(0), bytes: position + 100, runs }
}

fn with_streams(count: u64) -> Opened {
    let opened = open();
    opened.create((1..=count).map(|id| Head { tail: Offset::new(1_000), ..head(id, &format!("s{id}")) }).collect());
    opened
}

fn extents(opened: &Opened, stream: u64) -> Vec<(u64, u64, ArchiveFileId, u64)> {
    let found = opened.catalog.extents(StreamId(stream), EVERYTHING).unwrap();
    found.into_iter().map(|Extent { start, len, file, position }| (start.get(), len, file, position)).collect()
}

fn live(opened: &Opened) -> Vec<(ArchiveFileId, u64)> {
    opened.catalog.archive_files().unwrap().into_iter().map(|file| (file.id, file.live_bytes)).collect()
}

fn trim(opened: &Opened, stream: u64, version: u64, to: u64) {
    let mut patch = HeadPatch::new(StreamId(stream), Version(version));
    patch.earliest = Some(Offset::new(to));
    patch.version = Version(version + 1);
    opened.apply(Checkpoint { changed: vec![patch], ..Checkpoint::default() });
}

#[test]
fn an_installed_file_answers_for_its_runs() {
    let opened = with_streams(2);
    let new = file(&opened, &[(1, 0, 100), (1, 100, 50), (2, 0, 10)]);
    opened.catalog.install_archive(Some(&new), ARCHIVED).unwrap();
    assert_eq!(extents(&opened, 1), [(0, 100, new.id, 32), (100, 50, new.id, 132)]);
    assert_eq!(live(&opened), [(new.id, 160)]);
    assert_eq!(opened.catalog.covered().unwrap().archived, ARCHIVED);
    assert!(opened.reopen().catalog.allocate_archive_file() > new.id);
}

#[test]
fn a_range_finds_just_the_extents_it_touches() {
    let opened = with_streams(1);
    let new = file(&opened, &[(1, 0, 100), (1, 100, 100), (1, 200, 100)]);
    opened.catalog.install_archive(Some(&new), ARCHIVED).unwrap();
    let starts = |from, to| {
        let found = opened.catalog.extents(StreamId(1), Offset::new(from)..Offset::new(to)).unwrap();
        found.into_iter().map(|extent| extent.start.get()).collect::<Vec<_>>()
    };
    assert_eq!(starts(0, 1), [0]);
    assert_eq!(starts(99, 101), [0, 100]);
    assert_eq!(starts(100, 200), [100]);
    assert_eq!(starts(299, 1000), [200]);
    assert_eq!(starts(300, 1000), [0; 0]);
}

#[test]
fn bytes_that_are_archived_trimmed_or_removed_already_stay_dead() {
    let opened = with_streams(3);
    let first = file(&opened, &[(1, 0, 100)]);
    opened.catalog.install_archive(Some(&first), ARCHIVED).unwrap();
    trim(&opened, 2, 1, 40);
    opened.apply(Checkpoint { removed: vec![StreamId(3)], ..Checkpoint::default() });
    let again = file(&opened, &[(1, 0, 150), (2, 0, 60), (3, 0, 500)]);
    opened.catalog.install_archive(Some(&again), ARCHIVED).unwrap();
    assert_eq!(live(&opened), [(first.id, 100), (again.id, 70)]);
    assert_eq!(extents(&opened, 1), [(0, 100, first.id, 32), (100, 50, again.id, 132)]);
    assert_eq!(extents(&opened, 2), [(40, 20, again.id, 222)]);
    assert_eq!(extents(&opened, 3), []);
}

#[test]
fn removing_and_trimming_lower_the_live_bytes() {
    let opened = with_streams(2);
    let first = file(&opened, &[(1, 0, 100), (2, 0, 10)]);
    let second = file(&opened, &[(1, 100, 100)]);
    opened.catalog.install_archive(Some(&first), ARCHIVED).unwrap();
    opened.catalog.install_archive(Some(&second), ARCHIVED).unwrap();
    trim(&opened, 1, 1, 130);
    assert_eq!(live(&opened), [(first.id, 10), (second.id, 70)]);
    assert_eq!(extents(&opened, 1), [(130, 70, second.id, 62)]);
    opened.apply(Checkpoint { removed: vec![StreamId(1), StreamId(2)], ..Checkpoint::default() });
    assert_eq!(live(&opened), [(first.id, 0), (second.id, 0)]);
    opened.catalog.replace_archives(None, &[first.id, second.id]).unwrap();
    assert_eq!(live(&opened), []);
}

#[test]
fn a_replacement_takes_over_what_is_still_live() {
    let opened = with_streams(3);
    let first = file(&opened, &[(1, 0, 100), (2, 0, 10), (3, 0, 5)]);
    let second = file(&opened, &[(1, 100, 100)]);
    let kept = file(&opened, &[(1, 200, 7)]);
    for new in [&first, &second, &kept] {
        opened.catalog.install_archive(Some(new), ARCHIVED).unwrap();
    }
    let merged = file(&opened, &[(1, 0, 200), (2, 0, 10), (3, 0, 5)]);
    // After the merge had copied them.
    trim(&opened, 1, 1, 30);
    opened.apply(Checkpoint { removed: vec![StreamId(2)], ..Checkpoint::default() });
    opened.catalog.replace_archives(Some(&merged), &[first.id, second.id]).unwrap();
    assert_eq!(extents(&opened, 1), [(30, 170, merged.id, 62), (200, 7, kept.id, 32)]);
    assert_eq!(extents(&opened, 2), []);
    assert_eq!(live(&opened), [(kept.id, 7), (merged.id, 175)]);
    assert_eq!(opened.catalog.covered().unwrap().archived, ARCHIVED);
}

#[test]
fn a_file_with_live_bytes_is_never_forgotten() {
    let opened = with_streams(2);
    let first = file(&opened, &[(1, 0, 100), (2, 0, 10)]);
    opened.catalog.install_archive(Some(&first), ARCHIVED).unwrap();
    let incomplete = file(&opened, &[(1, 0, 100)]);
    let refused = opened.catalog.replace_archives(Some(&incomplete), &[first.id]);
    assert!(matches!(refused, Err(CatalogError::Damaged(_))), "{refused:?}");
    assert_eq!(extents(&opened, 1), [(0, 100, incomplete.id, 32)]);
    assert_eq!(extents(&opened, 2), [(0, 10, first.id, 132)]);
    assert_eq!(live(&opened), [(first.id, 10), (incomplete.id, 100)]);
}

#[test]
fn a_file_of_many_runs_is_installed_and_replaced_whole() {
    let opened = with_streams(1);
    let runs: Vec<_> = (0..10_000).map(|index| (1, index * 3, 3)).collect();
    let first = file(&opened, &runs);
    opened.catalog.install_archive(Some(&first), ARCHIVED).unwrap();
    assert_eq!(live(&opened), [(first.id, 30_000)]);
    let merged = file(&opened, &runs);
    opened.catalog.replace_archives(Some(&merged), &[first.id]).unwrap();
    assert_eq!(live(&opened), [(merged.id, 30_000)]);
    assert_eq!(extents(&opened, 1).len(), 10_000);
}
