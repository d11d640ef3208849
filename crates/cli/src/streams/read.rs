//! `headwater read`: from an offset to the end, and on as the stream grows.

use clap::ArgMatches;
use headwater_client::{Mode, Reader, ReaderState, ReaderStatus};
use headwater_protocol::Framing;
use tokio::sync::watch;

use super::content::{Form, Printer, framing};
use super::{Named, text};
use crate::failure::Failure;
use crate::limits::REMOTE_ATTEMPTS_MAX;
use crate::output;
use crate::remote::{Remote, Told, schedule};

pub(super) async fn read(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags, "stream")?;
    let framing = framing(&named.find().await?);
    let form = Form::of(remote, flags, framing)?;
    let from = text(flags, "from").expect("it has a default");
    let reader = named.stream.reader().from(from).retry(schedule());
    let reader = if flags.get_flag("follow") {
        reader.mode(live_mode(framing))
    } else {
        reader.mode(Mode::CatchUp).attempts_max(REMOTE_ATTEMPTS_MAX)
    };
    print(&named, reader.open(), Printer::new(form, framing), remote.told).await
}

/// How to follow a stream of this kind: SSE would turn the line ends of a text into line feeds.
pub(super) fn live_mode(framing: Framing) -> Mode {
    if framing == Framing::Text { Mode::LongPoll } else { Mode::Auto }
}

/// Writes everything that a reader brings.
pub(super) async fn print(named: &Named, mut reader: Reader, mut to: Printer, told: Told) -> Result<(), Failure> {
    let telling = tokio::spawn(tell_status(reader.status(), told));
    let unread = output::closed();
    tokio::pin!(unread);
    loop {
        let batch = tokio::select! {
            batch = reader.next() => batch,
            () = &mut unread => return Err(Failure::OutputClosed),
        };
        let Some(batch) = batch else { break };
        to.batch(&batch.map_err(|error| named.failed(error))?)?;
    }
    // Ends what follows the reader's status.
    drop(reader);
    telling.await.map_err(|error| Failure::Other(format!("cannot tell how it went: {error}")))?;
    to.end()
}

/// Tells when the connection is lost and when it is back.
async fn tell_status(mut status: watch::Receiver<ReaderStatus>, told: Told) {
    let mut is_away = false;
    while status.changed().await.is_ok() {
        let (state, error) = {
            let now = status.borrow_and_update();
            (now.state, now.error.as_ref().map(ToString::to_string))
        };
        match state {
            ReaderState::Reconnecting if !is_away => {
                is_away = true;
                let why = error.unwrap_or_else(|| "the connection was lost".to_owned());
                told.note(format_args!("{why}; going on when the server is back"));
            }
            _ if is_away && (state.is_live() || state == ReaderState::CatchingUp) => {
                is_away = false;
                told.note(format_args!("back again; nothing was missed"));
            }
            _ => {}
        }
    }
    // The end came with the connection.
    if is_away {
        told.note(format_args!("back again; nothing was missed"));
    }
}
