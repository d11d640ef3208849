//! A program whose standard output is structured: it runs on pipes, and its lines are read as a format says.

use std::process::{ExitStatus, Stdio};

use headwater_client::sessions::TerminalKind;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::mpsc;

use super::format::{Format, Happening};
use super::posts::posts;
use super::record::record;
use super::{Ended, Run};
use crate::failure::Failure;
use crate::limits::{RUN_LINE_BYTES_MAX, RUN_READ_BYTES, RUN_READS};

/// Runs it to its end, and says whether its output told of the end, too.
pub(super) async fn run(run: &Run, mut format: Box<dyn Format>) -> Result<(Ended, bool), Failure> {
    let mut child = spawn(run)?;
    let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let (printed, errors) = mpsc::channel(RUN_READS);
    let told = async { tokio::try_join!(read(run, stdout, format.as_mut()), record(run, TerminalKind::Error, errors)) };
    let (told, (), status) = tokio::join!(told, copy(stderr, printed), child.wait());
    let (is_told, ()) = told?;
    status
        .map(|status| (ended(status), is_told))
        .map_err(|error| Failure::Other(format!("cannot learn how the program ended: {error}")))
}

fn spawn(run: &Run) -> Result<Child, Failure> {
    let mut command = Command::new(&run.command[0]);
    command
        .args(&run.command[1..])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("HEADWATER_SESSION", &run.session);
    command.spawn().map_err(|error| super::pty::cannot_run(&run.command[0], &error))
}

/// Tells what the lines say, and passes them on. Whether they said that the agent is done.
async fn read(run: &Run, stdout: ChildStdout, format: &mut dyn Format) -> Result<bool, Failure> {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    let mut is_told = false;
    loop {
        line.clear();
        // A line without end is cut, so that memory stays bounded.
        let mut limited = (&mut stdout).take(RUN_LINE_BYTES_MAX);
        let count = limited.read_until(b'\n', &mut line).await;
        let count = count.map_err(|error| Failure::Other(format!("cannot read what the program prints: {error}")))?;
        if count == 0 {
            return Ok(is_told);
        }
        // Whoever read standard output may have gone; the session goes on.
        let mut here = tokio::io::stdout();
        here.write_all(&line).await.ok();
        here.flush().await.ok();
        let text = String::from_utf8_lossy(&line);
        for happening in format.line(text.trim_end_matches(['\r', '\n'])) {
            is_told |= matches!(happening, Happening::Complete { .. } | Happening::Failed { .. });
            for post in posts(&run.agent, happening) {
                run.say(post).await?;
            }
        }
    }
}

/// Passes standard error on, here and to the session.
async fn copy(mut stderr: ChildStderr, printed: mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0; RUN_READ_BYTES];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        tokio::io::stderr().write_all(&buffer[..count]).await.ok();
        if printed.send(buffer[..count].to_vec()).await.is_err() {
            return;
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(Ended::Killed, Ended::Exited)
}
