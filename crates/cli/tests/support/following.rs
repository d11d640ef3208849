//! A command that goes on, and what it says meanwhile.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

pub(crate) struct Following {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
}

impl Following {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// The next line of standard output; empty at the end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Lines up to the first one that has `mark`, that one included.
    pub(crate) fn lines_until(&mut self, mark: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.contains(mark)) {
            let mut line = String::new();
            assert!(
                self.stdout.as_mut().unwrap().read_line(&mut line).unwrap() > 0,
                "it ended without {mark}: {lines:?}"
            );
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    /// Closes the pipe that it prints to.
    pub(crate) fn read_no_more(&mut self) {
        drop(self.stdout.take());
    }

    /// The next line of standard error.
    pub(crate) fn note(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    /// Reads on standard error up to the first line that has `mark`: how often it tries until then is a matter of luck.
    pub(crate) fn notes_until(&mut self, mark: &str) {
        loop {
            let note = self.note();
            assert!(!note.is_empty(), "it ended without {mark}");
            if note.contains(mark) {
                return;
            }
        }
    }

    pub(crate) fn interrupt(&self) {
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    pub(crate) fn succeeds(mut self) {
        assert!(self.wait().success());
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
