//! Runs the real binary, and speaks just enough HTTP to it.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper of tests fails as a test does")]

mod asking;
mod following;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) use asking::{Answer, ask};
pub(crate) use following::Following;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, without any setting of ours in its environment.
pub(crate) fn headwater() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEADWATER_") {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("killed: {output:?}"))
}

/// A running server; killed when dropped.
pub(crate) struct Serving {
    child: Child,
    stderr: Option<BufReader<ChildStderr>>,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// All that it said before it listened.
    pub(crate) banner: String,
}

impl Serving {
    /// Starts the server on a free port and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_on(command, "127.0.0.1:0")
    }

    /// Starts the server there, such as where one was before.
    pub(crate) fn start_on(command: &mut Command, listen: &str) -> Self {
        command.args(["--listen", listen]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("curl -i") {
            let read = stderr.read_line(&mut banner).unwrap();
            assert!(read > 0, "the server ended early: {banner}");
        }
        let after = banner.split("http://").nth(1).unwrap_or_else(|| panic!("no URL in {banner}"));
        let address = after.split('/').next().unwrap().to_owned();
        Self { child, stderr: Some(stderr), address, banner }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// What it says on standard error from here to the line that has `mark`.
    pub(crate) fn read_until(&mut self, mark: &str) -> String {
        let stderr = self.stderr.as_mut().unwrap();
        let mut said = String::new();
        while !said.contains(mark) {
            let read = stderr.read_line(&mut said).unwrap();
            assert!(read > 0, "it ended without saying {mark}: {said}");
        }
        said
    }

    /// Waits for the end: status and what was said on standard error since the banner.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        self.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, said);
            }
            assert!(Instant::now() < deadline, "the server did not end: {said}");
            std::thread::yield_now();
        }
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn send(&self, request: &str) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        socket
    }

    /// Sends a request and takes the whole answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let content_type = if path.starts_with("/api/") { "application/json" } else { "text/plain" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut answer = Vec::new();
        self.send(&request).read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
