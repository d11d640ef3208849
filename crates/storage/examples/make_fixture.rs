//! Writes the data directory that the tests keep of this format version.
//!
//! `cargo run -p headwater-storage --example make_fixture -- crates/storage/tests/fixtures/v1`, once per format version:
//! what is written there is opened by every later version.

#[path = "../tests/script/mod.rs"]
mod script;

use std::path::PathBuf;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = PathBuf::from(std::env::args_os().nth(1).expect("the directory to write is the only argument"));
    assert!(!dir.exists(), "{} exists, and a fixture is never written again", dir.display());
    script::run(&dir).await;
    std::fs::remove_file(dir.join("lock")).expect("the store left its lock file");
}
