//! Data directories of earlier format versions stay readable, for ever.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod script;

use std::fs;
use std::path::{Path, PathBuf};

use headwater_storage::EmbeddedStore;
use headwater_storage::verify::verify;
use headwater_streams::Store;
use tempfile::TempDir;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn format_version_1_opens_with_everything_in_it() {
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1");
    let dir = TempDir::new().unwrap();
    copy(&fixture, dir.path());
    let report = verify(dir.path(), &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
    assert!(report.records > 0 && report.files > 3, "{report:?}");

    let (_, model) = script::script();
    assert_eq!(report.streams, model.streams.len() as u64);
    let store = EmbeddedStore::open(dir.path(), script::options()).unwrap();
    assert!(!store.stats().poisoned);
    assert_eq!(store.stats().archive_files, 1);
    script::assert_holds(&store, &model).await;
    store.close().await.unwrap();
    drop(store);

    let store = EmbeddedStore::open(dir.path(), script::options()).unwrap();
    script::assert_holds(&store, &model).await;
}
