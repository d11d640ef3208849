//! The examples of the documentation, run against a server.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
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

/// A provider that answers everything with a recorded response.
fn provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut asked = [0; 4096];
            assert!(socket.read(&mut asked).unwrap() > 0);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            // Who only looks at the beginning leaves early.
            socket.write_all(&[head.as_bytes(), RECORDED].concat()).ok();
        }
    });
    address
}

const RECORDED: &[u8] = include_bytes!("../../../fixtures/proxy/openai-chat.sse");
const SAID: &str = include_str!("../../../fixtures/proxy/message.txt");

#[test]
fn the_examples_of_the_proxy_lead_to_the_response_and_into_the_session() {
    const SECRET: &str = "the-secret-of-these-tests";
    let page = script("proxy.md");
    // The server is there already, with the pattern that the page gives it.
    let served = page.lines().find(|line| line.contains("headwater serve")).expect("the page starts a server");
    let pattern = served.split('\'').nth(1).expect("a pattern in quotes");
    let provider = format!("http://{}", provider());
    let allowed = pattern.replace("https://api.openai.com", &provider);
    let options = ["serve", "--store", "memory", "--proxy-allow", &allowed];
    let server = Serving::start(headwater().args(options).env("HEADWATER_PROXY_SECRET", SECRET));
    let page = page.replace("https://api.openai.com", &provider).replace("127.0.0.1:4437", &server.address);
    let after = format!(
        "command curl -s \"$url&offset=-1\"; echo; command curl -s http://{}/api/sessions/$SESSION/messages",
        server.address
    );
    let script = format!("{CURL}headwater() {{ :; }}\n{page}{after}");
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script]).env("SECRET", SECRET).env("OPENAI_API_KEY", "a-key");
    let output = bash.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = stdout(&output);
    let (statuses, rest) = said.split_at(said.find("data:").expect("the response is read"));
    assert_eq!(statuses.lines().collect::<Vec<_>>(), announced(&page));
    let (bytes, messages) = rest.split_at(RECORDED.len());
    assert_eq!(bytes.as_bytes(), RECORDED);
    let messages: serde_json::Value = serde_json::from_str(messages.trim()).unwrap();
    assert_eq!(messages["data"]["messages"][0]["text"], SAID.trim_end(), "{messages}");
}
