//! What `inspect` shows of a data directory.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod script;

use headwater_storage::inspect::{InspectError, Inspection, SegmentState, What, inspect};
use tempfile::TempDir;

async fn data_dir() -> TempDir {
    let dir = TempDir::new().unwrap();
    script::run(dir.path()).await;
    dir
}

fn streams(dir: &TempDir, prefix: &str, limit: usize) -> Vec<String> {
    let what = What::Streams { prefix: prefix.to_owned(), limit };
    let Inspection::Streams(rows) = inspect(dir.path(), &what).unwrap() else { panic!("asked for streams") };
    rows.into_iter().map(|row| row.path).collect()
}

#[tokio::test]
async fn the_summary_counts_what_is_there() {
    let dir = data_dir().await;
    let Inspection::Summary(summary) = inspect(dir.path(), &What::Summary).unwrap() else { panic!("asked for it") };
    assert_eq!((summary.format_version, summary.openings, summary.streams), (1, 1, 8));
    assert_eq!((summary.archive_files, summary.documents), (1, 1));
    assert!(summary.replay_bytes > 0 && summary.archive_live_bytes > 30_000);
    assert_eq!(summary.archived.segment, 4);
    assert_eq!(summary.damage, [""; 0]);
}

#[tokio::test]
async fn streams_are_listed_as_a_restart_would_find_them() {
    let dir = data_dir().await;
    assert_eq!(streams(&dir, "notes/", 10), ["notes/closed", "notes/open", "notes/trimmed", "notes/late"]);
    assert_eq!(streams(&dir, "", 2), ["forks/child", "forks/source"]);
    assert_eq!(streams(&dir, "gone", 10), [""; 0]);
}

#[tokio::test]
async fn segments_tell_what_they_are_for() {
    let dir = data_dir().await;
    let Inspection::Segments(rows) = inspect(dir.path(), &What::Segments).unwrap() else { panic!("asked for them") };
    let states: Vec<_> = rows.iter().map(|row| (row.number, row.state)).collect();
    assert_eq!(states.last(), Some(&(4, SegmentState::Active)), "{states:?}");
    assert!(states[..states.len() - 1].iter().all(|(_, state)| *state == SegmentState::Free), "{states:?}");
}

#[tokio::test]
async fn extents_of_a_stream_lie_end_to_end() {
    let dir = data_dir().await;
    let extents = |path: &str| match inspect(dir.path(), &What::Extents { path: path.to_owned() }) {
        Ok(Inspection::Extents(rows)) => Ok(rows),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    for (path, from, to) in [("notes/open", 0, 30_021), ("notes/trimmed", 4000, 21_000), ("forks/child", 0, 23)] {
        let mut next = from;
        for row in extents(path).unwrap() {
            assert_eq!(row.start, next, "{path}");
            next += row.len;
        }
        assert_eq!(next, to, "{path}");
    }
    assert!(matches!(extents("gone"), Err(InspectError::NoSuchStream(_))));
    assert!(matches!(extents("/x"), Err(InspectError::Path(_))));
}

#[tokio::test]
async fn rows_serialise() {
    let dir = data_dir().await;
    for what in [What::Summary, What::Segments, What::ArchiveFiles, What::Streams { prefix: String::new(), limit: 9 }] {
        let shown = inspect(dir.path(), &what).unwrap();
        assert!(serde_json::to_string(&shown).unwrap().len() > 10);
    }
}
