//! The transcripts of `docs/cli.md`, played against a server: what is printed is what is documented.
//!
//! `…` stands for any text within a line, and a line of `…` alone for any number of lines.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::{Serving, headwater, stdout};

/// Between what two commands print.
const MARK: &str = "\u{1}";

/// A command, and what it is said to print.
#[derive(Debug, PartialEq)]
struct Step {
    command: String,
    printed: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for block in page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default()) {
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), printed: Vec::new() }),
                None => steps.last_mut().expect("a block begins with a command").printed.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Whether a line is as documented: the texts between `…` come in this order, the first and the last at the ends.
fn fits(documented: &str, line: &str) -> bool {
    let Some((first, rest)) = documented.split_once('…') else { return documented == line };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = line.find(part) else { return false };
        line = &line[at + part.len()..];
    }
    line.ends_with(last)
}

fn all_fit(documented: &[String], lines: &[&str]) -> bool {
    match (documented.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((wanted, rest)), _) if wanted == "…" && all_fit(rest, lines) => true,
        (Some((wanted, _)), Some((_, later))) if wanted == "…" => all_fit(documented, later),
        (Some((wanted, rest)), Some((line, later))) => fits(wanted, line) && all_fit(rest, later),
        _ => false,
    }
}

/// Runs all commands in one shell, and gives what each of them printed.
fn play(steps: &[Step], server: &Serving) -> Vec<String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_headwater")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(binary.to_owned()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let commands: Vec<String> = steps.iter().map(|step| step.command.clone()).collect();
    let script = format!("exec 2>&1\n{}", commands.join(&format!("\nprintf '{MARK}'\n")));
    let mut shell = Command::new("bash");
    let plain = headwater();
    for (name, value) in plain.get_envs().filter(|(_, value)| value.is_none()) {
        assert!(value.is_none());
        shell.env_remove(name);
    }
    shell.env("PATH", path.unwrap()).env("HEADWATER_URL", format!("http://{}/v1/stream", server.address));
    let output = shell.args(["-c", &script]).output().unwrap();
    let said = stdout(&output).replace(&server.address, "127.0.0.1:4437");
    said.split(MARK).map(str::to_owned).collect()
}

#[test]
fn the_transcripts_of_the_command_line_are_what_is_printed() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    assert!(steps.len() > 25);
    let server = Serving::start(headwater().args(["serve", "--store", "memory"]));
    let printed = play(&steps, &server);
    assert_eq!(printed.len(), steps.len());
    for (step, printed) in steps.iter().zip(&printed) {
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            all_fit(&step.printed, &lines),
            "$ {}\n{printed}\nis documented as\n{}",
            step.command,
            step.printed.join("\n")
        );
    }
}

#[test]
fn what_is_masked_fits_and_nothing_else_does() {
    assert!(fits("ends at …", "ends at 42") && fits("a … c … e", "a b c d e") && fits("same", "same"));
    assert!(!fits("ends at …", "begins at 42") && !fits("a … c", "a b d") && !fits("same", "same "));
    let documented = ["a", "…", "z"].map(str::to_owned);
    assert!(all_fit(&documented, &["a", "z"]) && all_fit(&documented, &["a", "b", "c", "z"]));
    assert!(!all_fit(&documented, &["a", "b"]) && !all_fit(&[], &["more"]));
}
