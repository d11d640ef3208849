//! A program in a pseudo-terminal, with the terminal here as its window.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Read, Write};
use std::sync::Arc;
use std::thread;

use headwater_client::Offset;
use headwater_client::sessions::TerminalKind;
use parking_lot::Mutex;
use portable_pty::{ChildKiller, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::termios::{self, OptionalActions, Termios};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::record::{record, resized};
use super::typing::type_what_viewers_send;
use super::{Ended, Run};
use crate::failure::Failure;
use crate::limits::{RUN_EXIT_WAIT, RUN_READ_BYTES, RUN_READS, RUN_SIZE};

/// Where keys go.
pub(super) type Keyboard = Arc<Mutex<Box<dyn Write + Send>>>;

/// Runs it to its end.
pub(super) async fn run(run: &Run) -> Result<Ended, Failure> {
    let size = window().unwrap_or(PtySize { cols: RUN_SIZE.0, rows: RUN_SIZE.1, ..PtySize::default() });
    let pair = native_pty_system().openpty(size).map_err(|error| failed("cannot open a pseudo-terminal", &error))?;
    let mut command = CommandBuilder::new(&run.command[0]);
    command.args(&run.command[1..]);
    command.env("HEADWATER_SESSION", &run.session);
    if let Ok(directory) = std::env::current_dir() {
        command.cwd(directory);
    }
    let mut child =
        pair.slave.spawn_command(command).map_err(|error| cannot_run(&run.command[0], &io::Error::other(error)))?;
    // Ours would keep the terminal open after the program has ended.
    drop(pair.slave);
    let master = pair.master;
    let reader = master.try_clone_reader().map_err(|error| failed("cannot read the pseudo-terminal", &error))?;
    let writer = master.take_writer().map_err(|error| failed("cannot write to the pseudo-terminal", &error))?;
    // Kept until the program has ended: dropping it types the end of all input.
    let keyboard: Keyboard = Arc::new(Mutex::new(writer));
    run.say(resized(size.cols, size.rows)).await?;

    let _raw = Raw::enter();
    let printed = copy_output(reader)?;
    copy_input(keyboard.clone())?;
    let typing = run.allow_input.then(|| {
        let feed = run.client.feed(&run.session, Offset::now());
        tokio::spawn(type_what_viewers_send(feed, keyboard.clone()))
    });
    let killer = child.clone_killer();
    let mut exited = tokio::task::spawn_blocking(move || child.wait());
    let recording = record(run, TerminalKind::Output, printed);
    tokio::pin!(recording);
    let ended = tokio::select! {
        recorded = &mut recording => {
            recorded?;
            (&mut exited).await
        }
        exited = &mut exited => {
            // What it printed last is on its way. Something that it left behind may hold the terminal for ever.
            if let Ok(recorded) = tokio::time::timeout(RUN_EXIT_WAIT, &mut recording).await {
                recorded?;
            }
            exited
        }
        failure = follow(run, &*master, killer) => return Err(failure),
    };
    if let Some(typing) = typing {
        typing.abort();
    }
    let status = ended.map_err(|error| failed("the program was lost", &error))?;
    status.map(|status| ended_as(&status)).map_err(|error| failed("cannot learn how the program ended", &error))
}

pub(super) fn cannot_run(program: &OsStr, error: &io::Error) -> Failure {
    Failure::Usage(format!("cannot run {}: {error}; check the command after `--`", program.display()))
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Other(format!("{what}: {error}"))
}

fn ended_as(status: &ExitStatus) -> Ended {
    match u8::try_from(status.exit_code()) {
        Ok(code) if status.signal().is_none() => Ended::Exited(code),
        _ => Ended::Killed,
    }
}

/// The size of the terminal here.
fn window() -> Option<PtySize> {
    let size = termios::tcgetwinsize(io::stdout()).or_else(|_| termios::tcgetwinsize(io::stdin())).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(PtySize {
        rows: size.ws_row,
        cols: size.ws_col,
        pixel_width: size.ws_xpixel,
        pixel_height: size.ws_ypixel,
    })
}

/// Hands on what happens to us: another window size, and that we are to end. Ends only with a failure.
async fn follow(run: &Run, master: &dyn MasterPty, mut killer: Box<dyn ChildKiller + Send + Sync>) -> Failure {
    let listen = |kind| signal(kind).map_err(|error| failed("cannot listen to signals", &error));
    let signals = (|| {
        Ok((
            listen(SignalKind::window_change())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
            listen(SignalKind::interrupt())?,
        ))
    })();
    let (mut windows, mut terminated, mut hung_up, mut interrupted) = match signals {
        Ok(signals) => signals,
        Err(failure) => return failure,
    };
    loop {
        let ends = tokio::select! {
            _ = windows.recv() => false,
            _ = terminated.recv() => true,
            _ = hung_up.recv() => true,
            _ = interrupted.recv() => true,
        };
        if ends {
            // It may have ended already.
            killer.kill().ok();
            continue;
        }
        let Some(size) = window() else { continue };
        if let Err(error) = master.resize(size) {
            tracing::debug!(%error, "the window's size was not handed on");
        }
        if let Err(failure) = run.say(resized(size.cols, size.rows)).await {
            return failure;
        }
    }
}

/// Shows what the program prints, and hands it on. The program waits when that is too much.
fn copy_output(mut reader: Box<dyn Read + Send>) -> Result<mpsc::Receiver<Vec<u8>>, Failure> {
    let (printed, receiver) = mpsc::channel(RUN_READS);
    let copy = move || {
        let mut buffer = vec![0; RUN_READ_BYTES];
        // A pseudo-terminal that nobody holds any more is an error to read.
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            let mut here = io::stdout().lock();
            // Whoever read standard output may have gone; the session goes on.
            here.write_all(&buffer[..count]).and_then(|()| here.flush()).ok();
            drop(here);
            if printed.blocking_send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("output".into())
        .spawn(copy)
        .map_err(|error| failed("cannot start a thread", &error))?;
    Ok(receiver)
}

/// Types what comes in here. Ends with the process: nothing can be waited for while it reads.
fn copy_input(keyboard: Keyboard) -> Result<(), Failure> {
    let copy = move || {
        let mut buffer = vec![0; RUN_READ_BYTES];
        while let Ok(count @ 1..) = io::stdin().lock().read(&mut buffer) {
            if keyboard.lock().write_all(&buffer[..count]).is_err() {
                return;
            }
        }
        // The end of a pipe is the end of what is typed.
        if !io::stdin().is_terminal() {
            keyboard.lock().write_all(&[END_OF_TRANSMISSION]).ok();
        }
    };
    thread::Builder::new().name("input".into()).spawn(copy).map_err(|error| failed("cannot start a thread", &error))?;
    Ok(())
}

/// What Ctrl-D types.
const END_OF_TRANSMISSION: u8 = 4;

/// The terminal here takes keys as they come; it is as before when this is dropped.
struct Raw {
    before: Option<Termios>,
}

impl Raw {
    fn enter() -> Self {
        let before = termios::tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw).ok();
        }
        Self { before }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // Nothing can be done about a terminal that has gone away.
            termios::tcsetattr(io::stdin(), OptionalActions::Drain, before).ok();
        }
    }
}
