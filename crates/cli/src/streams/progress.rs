//! How far `append` is: a bar on a terminal, a word when nothing is acknowledged for a while, and the sums.

use std::time::Duration;

use headwater_client::{Error, Offset, Receipt};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::limits::{APPEND_SILENCE, REDRAWS_PER_SECOND};
use crate::remote::Told;

/// What has been acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// The stream's end after the last of them.
    pub(super) tail: Option<Offset>,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Underway {
    pub(super) receipt: Receipt,
    pub(super) bytes: u64,
}

/// A bar over so many bytes, or without an end.
pub(super) fn bar(told: Told, bytes: Option<u64>) -> ProgressBar {
    // Draws nothing unless standard error is a terminal.
    let target =
        if told.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND) };
    let bar = ProgressBar::with_draw_target(bytes, target);
    let template = match bytes {
        Some(_) => "{bytes} of {total_bytes} {wide_bar} {binary_bytes_per_sec} {eta}",
        None => "{spinner} {bytes} {binary_bytes_per_sec} {elapsed}",
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is well formed"))
}

/// Counts what is acknowledged until nothing more comes, or a message fails.
pub(super) async fn count(
    mut underway: mpsc::UnboundedReceiver<Underway>,
    bar: ProgressBar,
    told: Told,
) -> Result<Sums, Error> {
    let mut sums = Sums::default();
    while let Some(Underway { receipt, bytes }) = underway.recv().await {
        let appended = acknowledged(receipt, &bar, told).await?;
        sums.messages += 1;
        sums.bytes += bytes;
        sums.tail = appended.tail.or(sums.tail);
        bar.inc(bytes);
    }
    Ok(sums)
}

async fn acknowledged(
    mut receipt: Receipt,
    bar: &ProgressBar,
    told: Told,
) -> Result<headwater_client::Appended, Error> {
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(done) = timeout(APPEND_SILENCE, &mut receipt).await {
            return done;
        }
        waited += APPEND_SILENCE;
        bar.suspend(|| {
            let seconds = waited.as_secs();
            told.note(format_args!("the server has acknowledged nothing for {seconds} s; still trying"));
        });
    }
}
