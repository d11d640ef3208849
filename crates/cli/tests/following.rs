//! `read --follow` and `tail` while a stream grows and its server comes and goes.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{Following, Serving, headwater, run};

fn serve(dir: &Path, listen: &str) -> Serving {
    Serving::start_on(headwater().arg("serve").arg("--data-dir").arg(dir), listen)
}

fn client(address: &str, args: &[&str]) -> Command {
    let mut command = headwater();
    command.args(args).args(["--url", &format!("http://{address}/v1/stream")]);
    command
}

fn done(address: &str, args: &[&str]) {
    let output = run(&mut client(address, args));
    assert!(output.status.success(), "{args:?}: {output:?}");
}

#[test]
fn a_follower_survives_a_restart_of_the_server_without_a_gap_or_a_repetition() {
    let dir = tempfile::tempdir().unwrap();
    for kind in ["text", "json"] {
        let data = dir.path().join(kind);
        let server = serve(&data, "127.0.0.1:0");
        let address = server.address.clone();
        done(&address, &["create", "s", "--type", kind]);
        done(&address, &["append", "s", "1", "2"]);
        let mut follower = Following::start(&mut client(&address, &["read", "s", "--follow"]));
        assert_eq!([follower.line(), follower.line()], ["1", "2"]);
        done(&address, &["append", "s", "3"]);
        assert_eq!(follower.line(), "3");

        server.signal("KILL");
        server.wait();
        assert!(follower.note().contains("going on when the server is back"));
        let _server = serve(&data, &address);
        done(&address, &["append", "s", "4", "--close"]);
        follower.notes_until("back again");
        assert_eq!([follower.line(), follower.line()], ["4", ""], "{kind}");
        follower.succeeds();
    }
}

#[test]
fn a_follower_ends_when_nobody_reads_it_although_nothing_comes() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), "127.0.0.1:0");
    done(&server.address, &["create", "s"]);
    done(&server.address, &["append", "s", "1"]);
    let mut follower = Following::start(&mut client(&server.address, &["read", "s", "--follow"]));
    assert_eq!(follower.line(), "1");
    follower.read_no_more();
    follower.succeeds();
}

#[test]
fn an_append_waits_for_a_server_that_is_restarted_and_writes_everything_once() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), "127.0.0.1:0");
    let address = server.address.clone();
    done(&address, &["create", "s"]);
    let mut follower = Following::start(&mut client(&address, &["read", "s", "--follow", "-q"]));
    let mut appending = client(&address, &["append", "s", "--close", "-q"]);
    let mut appending = appending.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = appending.stdin.take().unwrap();
    input.write_all(b"before\n").unwrap();
    assert_eq!(follower.line(), "before");
    server.signal("KILL");
    server.wait();
    input.write_all(b"meanwhile\n").unwrap();
    let _server = serve(dir.path(), &address);
    input.write_all(b"after\n").unwrap();
    drop(input);
    let appended = appending.wait_with_output().unwrap();
    assert!(appended.status.success(), "{appended:?}");
    assert_eq!([follower.line(), follower.line(), follower.line()], ["meanwhile", "after", ""]);
    follower.succeeds();
}

#[test]
fn a_tail_begins_so_many_lines_or_messages_before_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let server = serve(dir.path(), "127.0.0.1:0");
    for kind in ["text", "json"] {
        done(&server.address, &["create", kind, "--type", kind]);
        done(&server.address, &["append", kind, "1", "2", "3"]);
        let mut tail = Following::start(&mut client(&server.address, &["tail", "-n", "2", kind]));
        assert_eq!([tail.line(), tail.line()], ["2", "3"]);
        done(&server.address, &["append", kind, "4", "--close"]);
        assert_eq!([tail.line(), tail.line()], ["4", ""], "{kind}");
        tail.succeeds();
    }
    let mut refused = client(&server.address, &["tail", "none"]);
    assert_eq!(run(&mut refused).status.code(), Some(7));
}
