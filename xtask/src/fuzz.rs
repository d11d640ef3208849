//! Runs every fuzz target for a while, one after the other.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::{Done, root, say};

/// The largest input a target is given, in bytes.
const INPUT_BYTES_MAX: usize = 4096;
/// What takes longer, in seconds, counts as endless.
const INPUT_SECONDS_MAX: u32 = 20;

pub(crate) fn run(seconds: u32) -> Done {
    let root = root();
    let targets = targets(&root)?;
    if targets.is_empty() {
        return Err("fuzz/fuzz_targets holds no target".into());
    }
    let mut offences = Vec::new();
    for target in &targets {
        say(&format!("fuzz: {target}, {seconds} s"))?;
        let status = command(&root, target, seconds).status()?;
        if !status.success() {
            offences.push(format!("{target} ended with {status}; its input is under fuzz/artifacts/{target}"));
        }
    }
    say(&format!("{} passed, {} failed", targets.len() - offences.len(), offences.len()))?;
    Ok(offences)
}

fn targets(root: &Path) -> io::Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    Ok(targets)
}

/// Without a sanitizer: ours is safe Rust, and so the stable toolchain is enough.
fn command(root: &Path, target: &str, seconds: u32) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["fuzz", "run", "--sanitizer", "none", target, "--"]);
    let dictionary = root.join("fuzz/protocol.dict");
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.args([format!("-max_len={INPUT_BYTES_MAX}"), format!("-timeout={INPUT_SECONDS_MAX}")]);
    // Long inputs from the start: short ones tell of no past that a data directory could have.
    command.args([format!("-max_total_time={seconds}"), "-len_control=0".to_owned()]);
    command.arg("-print_final_stats=1");
    command
}
