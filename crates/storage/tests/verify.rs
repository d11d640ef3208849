//! What `verify` finds, and that it leaves no trace.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod script;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use headwater_storage::verify::{Finding, Report, Severity, verify};
use headwater_storage::{EmbeddedStore, OpenError};
use tempfile::TempDir;

const ARCHIVE_FILE: &str = "archive/0000000000000001.archive";
const ACTIVE_SEGMENT: &str = "journal/0000000000000004.seg";

async fn data_dir() -> TempDir {
    let dir = TempDir::new().unwrap();
    script::run(dir.path()).await;
    dir
}

fn check(dir: &TempDir) -> Report {
    verify(dir.path(), &mut |_| {}).unwrap()
}

fn change(dir: &TempDir, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = dir.path().join(file);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(dir: &TempDir, file: &str, at: usize) {
    change(dir, file, |bytes| bytes[at] ^= 0x40);
}

fn sql(dir: &TempDir, statement: &str) {
    let catalog = rusqlite::Connection::open(dir.path().join("catalog.sqlite")).unwrap();
    catalog.execute_batch(statement).unwrap();
}

/// The one finding.
fn only(report: Report) -> Finding {
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    report.findings.into_iter().next().unwrap()
}

fn files_in(dir: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path));
        } else {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            found.insert(path.display().to_string(), (fs::read(&path).unwrap(), modified));
        }
    }
    found
}

#[tokio::test]
async fn a_healthy_directory_has_no_findings() {
    let report = check(&data_dir().await);
    assert_eq!((report.findings, report.worst), (vec![], None));
    assert_eq!(report.streams, 8);
    assert!(report.records > 0 && report.bytes > 100_000);
}

#[tokio::test]
async fn a_directory_left_by_a_killed_server_stays_as_it_is() {
    let running = TempDir::new().unwrap();
    let store = EmbeddedStore::open(running.path(), script::options()).unwrap();
    store.checkpoint().unwrap();
    let killed = TempDir::new().unwrap();
    for folder in ["journal", "archive"] {
        fs::create_dir(killed.path().join(folder)).unwrap();
    }
    for name in ["format", "lock", "catalog.sqlite", "catalog.sqlite-wal"] {
        fs::copy(running.path().join(name), killed.path().join(name)).unwrap();
    }
    let before = files_in(killed.path());
    assert!(!before[&killed.path().join("catalog.sqlite-wal").display().to_string()].0.is_empty());
    assert_eq!(check(&killed).findings, []);
    assert_eq!(files_in(killed.path()), before);
}

#[tokio::test]
async fn a_checked_directory_stays_as_it_is() {
    let dir = data_dir().await;
    let before = files_in(dir.path());
    check(&dir);
    assert_eq!(files_in(dir.path()), before);
}

#[tokio::test]
async fn a_directory_in_use_is_not_checked() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path(), script::options()).unwrap();
    let refused = verify(dir.path(), &mut |_| {});
    assert!(matches!(refused, Err(OpenError::Locked { pid }) if pid == std::process::id()), "{refused:?}");
    drop(store);
    assert!(verify(dir.path(), &mut |_| {}).is_ok());
}

#[tokio::test]
async fn any_other_directory_is_not_checked() {
    let dir = TempDir::new().unwrap();
    assert!(matches!(verify(dir.path(), &mut |_| {}), Err(OpenError::Foreign { .. })));
    assert!(verify(&dir.path().join("missing"), &mut |_| {}).is_err());
}

#[tokio::test]
async fn a_damaged_block_names_the_streams_it_hurts() {
    let dir = data_dir().await;
    flip(&dir, ARCHIVE_FILE, 20_000);
    let findings = check(&dir).findings;
    // The block holds the end of one stream and the beginning of another, which is trimmed to 4000.
    for (finding, (stream, lost)) in findings.iter().zip([("notes/open", "16352..25011"), ("notes/trimmed", "4000..")])
    {
        assert_eq!((finding.severity, finding.file.as_str()), (Severity::Damage, ARCHIVE_FILE));
        assert_eq!(finding.position, Some(16_384..32_768));
        assert_eq!(finding.stream.as_deref(), Some(stream));
        assert!(finding.consequence.contains(lost), "{}", finding.consequence);
    }
    assert_eq!(findings.len(), 2);
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_archive_is_found() {
    let dir = data_dir().await;
    let len = fs::metadata(dir.path().join(ARCHIVE_FILE)).unwrap().len() as usize;
    for at in (0..len).step_by(997).chain(len - 120..len) {
        flip(&dir, ARCHIVE_FILE, at);
        let report = check(&dir);
        assert!(report.findings.iter().any(|finding| finding.file == ARCHIVE_FILE), "byte {at}: {report:#?}");
        flip(&dir, ARCHIVE_FILE, at);
    }
    assert_eq!(check(&dir).findings, []);
}

#[tokio::test]
async fn a_damaged_payload_in_the_journal_names_its_stream() {
    let dir = data_dir().await;
    let bytes = fs::read(dir.path().join(ACTIVE_SEGMENT)).unwrap();
    let at = bytes.windows(4).position(|window| window == b"llll").expect("the journal holds the last long append");
    flip(&dir, ACTIVE_SEGMENT, at);
    let finding = only(check(&dir));
    assert_eq!((finding.severity, finding.stream.as_deref()), (Severity::Damage, Some("notes/open")));
    assert!(finding.consequence.contains("cannot be read"), "{finding:?}");
}

#[tokio::test]
async fn a_lost_record_and_a_lost_segment_are_found() {
    let dir = data_dir().await;
    flip(&dir, ACTIVE_SEGMENT, 4096 + 6);
    let report = check(&dir);
    assert_eq!(report.worst, Some(Severity::Damage));
    assert!(report.findings.iter().any(|finding| finding.file == ACTIVE_SEGMENT && finding.position.is_some()));
    fs::remove_file(dir.path().join(ACTIVE_SEGMENT)).unwrap();
    let report = check(&dir);
    assert!(report.findings.iter().any(|finding| finding.file == ACTIVE_SEGMENT), "{report:#?}");
    assert!(report.findings.iter().any(|finding| finding.stream.as_deref() == Some("notes/open")));
}

#[tokio::test]
async fn missing_files_are_damage() {
    let dir = data_dir().await;
    fs::remove_file(dir.path().join(ARCHIVE_FILE)).unwrap();
    let finding = only(check(&dir));
    assert_eq!((finding.severity, finding.file.as_str()), (Severity::Damage, ARCHIVE_FILE));
    fs::remove_file(dir.path().join("catalog.sqlite")).unwrap();
    let report = check(&dir);
    assert!(report.findings.iter().any(|finding| finding.file == "catalog.sqlite"), "{report:#?}");
}

#[tokio::test]
async fn what_a_crash_leaves_is_a_note() {
    let dir = data_dir().await;
    fs::write(dir.path().join("archive/0000000000000007.unfinished"), b"half").unwrap();
    let finding = only(check(&dir));
    assert_eq!(finding.severity, Severity::Note);
    fs::remove_file(dir.path().join("archive/0000000000000007.unfinished")).unwrap();
    fs::copy(dir.path().join(ARCHIVE_FILE), dir.path().join("archive/0000000000000009.archive")).unwrap();
    assert_eq!(only(check(&dir)).severity, Severity::Note);
}

#[tokio::test]
async fn a_catalog_that_contradicts_the_files_is_found() {
    let cases = [
        ("UPDATE extent SET position = position + 1 WHERE stream_id = 1", Severity::Damage),
        ("UPDATE extent SET len = len - 1 WHERE stream_id = 1", Severity::Damage),
        ("DELETE FROM extent WHERE stream_id = 3", Severity::Damage),
        ("UPDATE extent SET file = 99 WHERE stream_id = 4", Severity::Damage),
        ("UPDATE stream SET tail = tail + 5 WHERE id = 5", Severity::Damage),
        ("UPDATE stream SET path = 'a//b' WHERE id = 5", Severity::Damage),
        ("DELETE FROM stream WHERE id = 4", Severity::Damage),
        ("UPDATE stream SET forks = 2 WHERE id = 4", Severity::Warning),
        ("UPDATE archive_file SET live_bytes = live_bytes + 1", Severity::Damage),
        ("UPDATE meta SET value = 3 WHERE key = 'streams'", Severity::Warning),
        ("INSERT INTO producer VALUES (77, 'p', 0, 0)", Severity::Warning),
    ];
    for (statement, severity) in cases {
        let dir = data_dir().await;
        sql(&dir, statement);
        let report = check(&dir);
        assert_eq!(report.worst, Some(severity), "{statement}: {report:#?}");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_database_is_found_or_harmless() {
    let dir = data_dir().await;
    let len = fs::metadata(dir.path().join("catalog.sqlite")).unwrap().len() as usize;
    for at in (0..len).step_by(1009) {
        flip(&dir, "catalog.sqlite", at);
        // Whatever it says, it ends.
        check(&dir);
        flip(&dir, "catalog.sqlite", at);
    }
    change(&dir, "catalog.sqlite", |bytes| bytes.truncate(6000));
    assert_eq!(check(&dir).worst, Some(Severity::Damage));
}
