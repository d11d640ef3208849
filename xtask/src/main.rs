//! One command each: the checks no other tool makes, and the ways to run them all.
//!
//! `cargo run -p xtask -- arrows`. Each command prints what it looked at and what is wrong, and fails when anything is.

mod arrows;
mod fuzz;
mod lengths;

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

type Done = Result<Vec<String>, Box<dyn Error>>;

#[derive(Debug, Parser)]
#[command(name = "xtask", about = "What CI and maintainers run")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Check that crates depend on each other, and on heavy libraries, only as ARCHITECTURE.md draws it
    Arrows,
    /// Check that no file and no function has grown too long
    Lengths,
    /// Run every fuzz target for a while
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 30)]
        seconds: u32,
    },
    /// Run everything CI runs, or the named stages of it
    Ci { stages: Vec<String> },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Arrows => arrows::check(),
        Task::Lengths => lengths::check(),
        Task::Fuzz { seconds } => fuzz::run(seconds),
        Task::Ci { stages } => ci(&stages),
    };
    match done {
        Ok(offences) if offences.is_empty() => ExitCode::SUCCESS,
        Ok(offences) => {
            for offence in &offences {
                complain(offence);
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn complain(what: &str) {
    eprintln!("xtask: {what}");
}

/// Prints one line of progress.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// The root of the repository.
fn root() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map(PathBuf::from).unwrap_or(xtask)
}

fn ci(stages: &[String]) -> Done {
    let status = Command::new("./test").args(stages).current_dir(root()).status()?;
    Ok(if status.success() { Vec::new() } else { vec![format!("./test ended with {status}")] })
}
