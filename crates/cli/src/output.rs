//! Standard output for results, standard error for everything else; a closed pipe never panics.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::time::Duration;

use bytesize::ByteSize;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::failure::Failure;
use crate::limits::OUTPUT_CHECK_INTERVAL;

/// Writes a result.
pub(crate) fn result(text: &str) -> Result<(), Failure> {
    result_bytes(text.as_bytes())
}

/// Writes a result that need not be text.
pub(crate) fn result_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::OutputClosed),
        Err(error) => Err(Failure::Other(format!("cannot write to standard output: {error}"))),
    }
}

/// Waits until nobody reads standard output any more: whoever follows would learn of it with the next write only.
pub(crate) async fn closed() {
    while !is_closed() {
        tokio::time::sleep(OUTPUT_CHECK_INTERVAL).await;
    }
}

fn is_closed() -> bool {
    let stdout = std::io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Where it cannot be told, the next write tells.
    poll(&mut polled, Some(&at_once)).is_ok() && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

/// Writes a line for the operator.
pub(crate) fn note(line: Arguments<'_>) {
    // Nobody can be told that standard error is closed.
    writeln!(std::io::stderr().lock(), "{line}").ok();
}

/// `bytes` for people: rounded.
pub(crate) fn rounded_size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// How long something is ago, for people: in the largest unit.
pub(crate) fn rounded_age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
