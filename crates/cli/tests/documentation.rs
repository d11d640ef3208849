//! The examples of the documentation, run against a server.

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{Serving, headwater, stdout};

/// In the place of `curl`: what shows its head tells only the status, what follows a stream is given a moment.
const CURL: &str = r#"
curl() {
  case "$1" in
    -i) shift; command curl -s -o /dev/null -w '%{http_code}\n' --max-time 30 "$@" ;;
    -N) command curl -s -o /dev/null --max-time 1 "$@" || true ;;
    *) command curl --max-time 30 "$@" ;;
  esac
}
"#;

/// The shell blocks of a page, as one script.
fn script(page: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = std::fs::read_to_string(path).expect("the page is there");
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.collect()
}

/// The statuses that the comments of a script announce, in order.
fn announced(script: &str) -> Vec<&str> {
    let comments = script.lines().filter_map(|line| line.split_once("# ")).map(|(_, comment)| comment);
    let statuses = comments.filter_map(|comment| comment.get(..3));
    statuses.filter(|status| status.bytes().all(|b| b.is_ascii_digit())).collect()
}

#[test]
fn the_examples_of_sessions_answer_as_they_say() {
    let dir = tempfile::tempdir().unwrap();
    let index = dir.path().join("sessions.sqlite");
    let server = Serving::start(headwater().args(["serve", "--store", "memory", "--sessions-sql"]).arg(index));
    let script = script("sessions.md").replace("127.0.0.1:4437", &server.address);
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", &format!("{CURL}{script}")]).output().unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said.lines().collect::<Vec<_>>(), announced(&script));
    assert!(said.lines().count() > 20);
}
