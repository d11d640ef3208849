//! Help, completions, manual pages, and what happens to a command line nobody understands.

mod support;

use std::process::Stdio;

use support::{code, headwater, run, stderr, stdout};

/// Keys and values as `check-config` prints them: the list of options, seen from outside.
fn options() -> Vec<(String, String)> {
    let shown = stdout(&run(headwater().arg("check-config")));
    shown
        .lines()
        .filter_map(|line| line.strip_suffix("  # default"))
        .map(|line| match line.split_once(" = ") {
            Some((key, value)) => (key.to_owned(), value.trim_matches(['"', '[', ']']).to_owned()),
            None => (line.trim_matches(['#', ' ']).replace(" is not set", ""), "not set".to_owned()),
        })
        .collect()
}

#[test]
fn the_help_explains_every_option_with_default_and_variable() {
    let help = stdout(&run(headwater().args(["serve", "--help"]).env("COLUMNS", "1000")));
    assert!(options().len() > 30);
    for (key, value) in options() {
        let spellings = [format!("--{key} <"), format!("--{key}[=")];
        let start = spellings.iter().find_map(|flag| help.find(flag.as_str()));
        let start = start.unwrap_or_else(|| panic!("{key} is not in the help"));
        let entry: String = help[start..].lines().take(4).collect::<Vec<_>>().join(" ");
        let entry = entry.split_whitespace().collect::<Vec<_>>().join(" ");
        let default = if key == "workers" { "auto" } else { &value };
        assert!(entry.contains(&format!("[default: {default}]")), "{key}: {entry}");
        let variable = format!("HEADWATER_{}", key.replace('-', "_").to_uppercase());
        assert!(entry.contains(&format!("[env: {variable}]")), "{key}: {entry}");
    }
    for part in ["Network:", "Storage:", "Protocol:", "Limits:", "Logging:", "Examples:", "Exit codes:"] {
        assert!(help.contains(part), "{part}");
    }
}

#[test]
fn every_command_that_talks_to_a_server_has_examples() {
    let streams = ["create", "append", "read", "tail", "head", "close", "fork", "delete", "ls"].map(|name| vec![name]);
    let sessions = ["new", "ls", "show", "watch", "send", "presence", "replay", "export", "fork", "close"];
    let sessions = sessions.map(|name| vec!["session", name]);
    for command in streams.iter().chain(&sessions) {
        let help = stdout(&run(headwater().args(command).arg("--help").env("COLUMNS", "100")));
        for part in ["Example", "--url", "HEADWATER_URL", "--header", "--quiet", "--json", "headwater"] {
            assert!(help.contains(part), "{command:?}: {part}");
        }
        assert!(help.contains(&format!("headwater {}", command.join(" "))), "{command:?}: {help}");
    }
    let help = stdout(&run(headwater().arg("--help")));
    for code in ["  6  ", "  7  ", "  8  ", "  9  "] {
        assert!(help.contains(code), "{code}: {help}");
    }
}

#[test]
fn an_unknown_flag_is_one_line_with_the_nearest_one() {
    let output = run(headwater().args(["serve", "--lisen", "x"]));
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains("'--listen'"), "{}", stderr(&output));
}

#[test]
fn an_unknown_command_is_one_line() {
    let output = run(headwater().arg("server"));
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn the_version_is_a_result() {
    let output = run(headwater().arg("--version"));
    assert_eq!(code(&output), 0);
    assert_eq!(stdout(&output), format!("headwater {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(headwater().args(["completions", shell]));
        assert_eq!(code(&output), 0);
        for word in ["long-poll-timeout", "ndjson", "pause-max"] {
            assert!(stdout(&output).contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(code(&run(headwater().args(["completions", "tcl"]))), 2);
}

#[test]
fn manual_pages_are_made_for_each_command() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(code(&run(headwater().args(["man", "--out"]).arg(dir.path()))), 0);
    for page in [
        "headwater.1",
        "headwater-serve.1",
        "headwater-verify.1",
        "headwater-inspect.1",
        "headwater-read.1",
        "headwater-session.1",
    ] {
        assert!(dir.path().join(page).exists(), "{page}");
    }
    assert!(stdout(&run(headwater().arg("man"))).contains(".TH headwater 1"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child =
        headwater().args(["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}
