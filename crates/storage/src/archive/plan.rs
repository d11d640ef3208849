//! Which archive files to rewrite next: a pure rule over the catalog's figures.
//!
//! A byte moves up at most [`TIERS_MAX`] tiers by merging, and a rewrite of a mostly dead file writes less than it
//! frees; so what the archive writes in a lifetime stays a small multiple of what was appended. `docs/format.md` has
//! the arithmetic.

use crate::catalog::{ArchiveFileId, ArchiveFileRow, Tier};
use crate::limits::{ARCHIVE_FILE_DATA_BYTES_MAX, ARCHIVE_FILE_RUNS_MAX};

/// Files of one tier that become one of the next.
const MERGE_FILES: usize = 10;
/// Merging stops here.
const TIERS_MAX: u8 = 3;
/// A file whose runs are this long on average is read in large pieces as it is: merging would gain nothing.
const LARGE_RUN_BYTES: u64 = 64 * 1024;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Job {
    /// Remove files without live bytes.
    Drop(Vec<ArchiveFileId>),
    /// Copy what is live in `sources` to one new file.
    Rewrite {
        sources: Vec<ArchiveFileId>,
        /// Of the new file.
        tier: Tier,
    },
}

/// The most rewarding job, if any: free files, then mostly dead ones, then merges of the lowest tier.
pub(super) fn plan(files: &[ArchiveFileRow]) -> Option<Job> {
    let dead: Vec<_> = files.iter().filter(|file| file.live_bytes == 0).map(|file| file.id).collect();
    if !dead.is_empty() {
        return Some(Job::Drop(dead));
    }
    tiers(files).find_map(|tier| rewrite(files, tier)).or_else(|| tiers(files).find_map(|tier| merge(files, tier)))
}

fn tiers(files: &[ArchiveFileRow]) -> impl Iterator<Item = Tier> {
    let highest = files.iter().map(|file| file.tier.0).max().unwrap_or(0);
    (0..=highest).map(Tier)
}

/// The mostly dead files of a tier, as many as fit into one.
fn rewrite(files: &[ArchiveFileRow], tier: Tier) -> Option<Job> {
    let mostly_dead = |file: &&ArchiveFileRow| file.tier == tier && file.live_bytes < file.data_bytes / 2;
    let sources = fitting(files.iter().filter(mostly_dead));
    (!sources.is_empty()).then_some(Job::Rewrite { sources, tier })
}

/// The oldest [`MERGE_FILES`] of a tier whose runs are short, when there are so many and they fit into one.
fn merge(files: &[ArchiveFileRow], tier: Tier) -> Option<Job> {
    if tier.0 >= TIERS_MAX {
        return None;
    }
    let short_runs = |file: &&ArchiveFileRow| file.tier == tier && file.data_bytes < file.runs * LARGE_RUN_BYTES;
    let sources = fitting(files.iter().filter(short_runs).take(MERGE_FILES));
    (sources.len() == MERGE_FILES).then_some(Job::Rewrite { sources, tier: Tier(tier.0 + 1) })
}

/// The first of `files` that together stay within one file's limits.
fn fitting<'a>(files: impl Iterator<Item = &'a ArchiveFileRow>) -> Vec<ArchiveFileId> {
    let (mut bytes, mut runs) = (0, 0);
    files
        .take_while(|file| {
            bytes += file.live_bytes;
            runs += file.runs;
            bytes <= ARCHIVE_FILE_DATA_BYTES_MAX && runs <= ARCHIVE_FILE_RUNS_MAX
        })
        .map(|file| file.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: u64, tier: u8, data_bytes: u64, live_bytes: u64, runs: u64) -> ArchiveFileRow {
        ArchiveFileRow {
            id: ArchiveFileId(id),
            tier: Tier(tier),
            bytes: data_bytes + 100,
            data_bytes,
            live_bytes,
            runs,
        }
    }

    fn ids(ids: impl IntoIterator<Item = u64>) -> Vec<ArchiveFileId> {
        ids.into_iter().map(ArchiveFileId).collect()
    }

    #[test]
    fn nothing_is_done_for_a_few_healthy_files() {
        let files: Vec<_> = (1..10).map(|id| file(id, 0, 1_000_000, 900_000, 1000)).collect();
        assert_eq!(plan(&files), None);
    }

    #[test]
    fn dead_files_go_first_and_all_at_once() {
        let files = [file(1, 0, 1000, 0, 1), file(2, 0, 1000, 10, 1), file(3, 1, 1000, 0, 1)];
        assert_eq!(plan(&files), Some(Job::Drop(ids([1, 3]))));
    }

    #[test]
    fn mostly_dead_files_of_a_tier_are_rewritten_within_it() {
        let files = [file(1, 1, 1000, 499, 1), file(2, 1, 1000, 501, 1), file(3, 1, 1000, 10, 1)];
        assert_eq!(plan(&files), Some(Job::Rewrite { sources: ids([1, 3]), tier: Tier(1) }));
    }

    #[test]
    fn ten_files_of_short_runs_become_one_of_the_next_tier() {
        let files: Vec<_> = (1..=12).map(|id| file(id, 0, 1_000_000, 1_000_000, 1000)).collect();
        assert_eq!(plan(&files), Some(Job::Rewrite { sources: ids(1..=10), tier: Tier(1) }));
    }

    #[test]
    fn files_of_long_runs_stay_as_they_are() {
        let files: Vec<_> = (1..=20).map(|id| file(id, 0, 1 << 30, 1 << 30, 16)).collect();
        assert_eq!(plan(&files), None);
    }

    #[test]
    fn files_that_are_too_large_together_stay_as_they_are() {
        let files: Vec<_> = (1..=20).map(|id| file(id, 2, 1 << 30, 1 << 30, 1_000_000)).collect();
        assert_eq!(plan(&files), None);
    }
}
