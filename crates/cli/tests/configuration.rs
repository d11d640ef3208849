//! How the configuration is read: layers, refusals, and its own output.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use support::{code, headwater, run, stderr, stdout};

fn file(dir: &tempfile::TempDir, text: &str) -> String {
    let path = dir.path().join("headwater.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(&dir, "body-max = \"1MiB\"\npage-max = \"2MiB\"\nsse-lifetime = \"2s\"\n");
    let output = run(headwater()
        .args(["check-config", "--config", &file, "--body-max", "3MiB"])
        .env("HEADWATER_BODY_MAX", "2MiB")
        .env("HEADWATER_PAGE_MAX", "3MiB"));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let shown = stdout(&output);
    assert!(shown.contains("body-max = \"3MiB\"  # from flag --body-max\n"), "{shown}");
    assert!(shown.contains("page-max = \"3MiB\"  # from env HEADWATER_PAGE_MAX\n"), "{shown}");
    assert!(shown.contains(&format!("sse-lifetime = \"2s\"  # from file {file}\n")), "{shown}");
    assert!(shown.contains("long-poll-timeout = \"30s\"  # default\n"), "{shown}");
}

#[test]
fn the_file_can_be_named_by_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(&dir, "connections-max = 7\nlocal-webhooks = \"allow\"\n");
    let output = run(headwater().arg("check-config").env("HEADWATER_CONFIG", &file));
    let shown = stdout(&output);
    assert!(shown.contains("connections-max = 7  # from file"), "{shown}");
    assert!(shown.contains("local-webhooks = \"allow\"  # from file"), "{shown}");
}

#[test]
fn what_check_config_prints_is_a_configuration_that_means_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let flags = [
        "--listen=[::1]:9000",
        "--public-url=https://s.example",
        "--cors-origin=https://a.example",
        "--cors-origin=https://b.example",
        "--long-poll-timeout=1500ms",
        "--body-max=1025",
        "--log-level=info,headwater_server=debug",
        "--local-webhooks=refuse",
        "--data-dir=/tmp/a \"b\" ü",
    ];
    let first = stdout(&run(headwater().arg("check-config").args(flags)));
    let file = file(&dir, &first);
    let second = run(headwater().args(["check-config", "--config", &file]));
    assert_eq!(code(&second), 0, "{}", stderr(&second));
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.rsplit_once("  # ").map_or(line, |(value, _)| value).to_owned()).collect()
    };
    assert_eq!(values(&first), values(&stdout(&second)));
}

#[test]
fn every_problem_is_reported_at_once_with_what_is_accepted_and_an_example() {
    let dir = tempfile::tempdir().unwrap();
    let file = file(&dir, "lisen = \"x\"\npage-max = \"4 bananas\"\nsse-lifetime = 1.5\n[limits]\nbody-max = 1\n");
    let output = run(headwater()
        .args(["check-config", "--config", &file, "--long-poll-timeout", "30", "--root", "v1/"])
        .env("HEADWATER_WORKERS", "0"));
    assert_eq!(code(&output), 2);
    assert_eq!(stdout(&output), "");
    let told = stderr(&output);
    let line = |start: &str| {
        told.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no line {start:?} in {told}"))
    };
    assert_eq!(told.lines().count(), 7, "{told}");
    assert!(line(&format!("error: {file} has an unknown key lisen")).ends_with("did you mean listen?"));
    assert!(line(&format!("error: {file} has an unknown key limits")).contains("top level"));
    assert!(line(&format!("error: page-max in {file}: \"4 bananas\"")).ends_with("example: page-max = \"4MiB\""));
    assert!(line(&format!("error: sse-lifetime in {file}: \"1.5\"")).contains("ms, s, m, h"));
    assert!(line("error: --long-poll-timeout: \"30\"").ends_with("example: --long-poll-timeout 30s"));
    assert!(line("error: --root: \"v1/\"").contains("accepted: / or a path"));
    assert!(line("error: HEADWATER_WORKERS: \"0\"").ends_with("example: HEADWATER_WORKERS=4"));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let output = run(headwater().args(["check-config", "--live-readers-max", "5", "--links-max", "5"]));
    assert_eq!(code(&output), 2);
    let told = stderr(&output);
    assert!(told.contains("live-readers-per-stream-max (10000) is larger than live-readers-max (5)"), "{told}");
    assert!(told.contains("links-per-subscription-max (100000) is larger than links-max (5)"), "{told}");
}

#[test]
fn serve_refuses_a_bad_configuration_before_it_touches_anything() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let output = run(headwater().args(["serve", "--body-max", "0", "--data-dir"]).arg(&data));
    assert_eq!(code(&output), 2);
    assert!(!data.exists());
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named_with_the_line() {
    let output = run(headwater().args(["check-config", "--config", "/nowhere/headwater.toml"]));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("cannot read /nowhere/headwater.toml"), "{}", stderr(&output));

    let dir = tempfile::tempdir().unwrap();
    let file = file(&dir, "listen = \"127.0.0.1:1\"\nworkers = = 3\n");
    let output = run(headwater().args(["check-config", "--config", &file]));
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("line 2 is not valid TOML"), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn a_variable_that_names_no_option_is_warned_of() {
    let output = run(headwater().arg("check-config").env("HEADWATER_LISTN", "127.0.0.1:1"));
    assert_eq!(code(&output), 0);
    assert_eq!(
        stderr(&output),
        "warning: HEADWATER_LISTN is set but names no option; did you mean HEADWATER_LISTEN?\n"
    );
}
