//! `headwater tail`: a stream's last messages or lines, and what comes after.

use std::collections::VecDeque;

use clap::ArgMatches;
use headwater_client::{Mode, Offset};
use headwater_protocol::Framing;
use serde_json::value::RawValue;

use super::Named;
use super::content::{Form, Printer, framing, messages};
use super::read::{live_mode, print};
use crate::failure::Failure;
use crate::limits::REMOTE_ATTEMPTS_MAX;
use crate::output;
use crate::remote::{Remote, schedule};

pub(super) async fn tail(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags, "stream")?;
    let framing = framing(&named.find().await?);
    let form = Form::of(remote, flags, framing)?;
    let count = *flags.get_one::<u64>("count").expect("it has a default");
    let mut printer = Printer::new(form, framing);
    let from = match usize::try_from(count) {
        Ok(0) => Offset::now(),
        _ if framing == Framing::Binary => {
            return Err(Failure::Usage("bytes have no lines to go back; leave out -n".into()));
        }
        _ if form == Form::Pieces => {
            return Err(Failure::Usage("with --json there are pieces, not messages; leave out -n".into()));
        }
        count => last(&named, framing, count.unwrap_or(usize::MAX), &mut printer).await?,
    };
    let reader = named.stream.reader().from(from).retry(schedule()).mode(live_mode(framing)).open();
    print(&named, reader, printer, remote.told).await
}

/// Writes the last so many messages or lines, and says where they end. The protocol reads forwards only.
async fn last(named: &Named, framing: Framing, count: usize, to: &mut Printer) -> Result<Offset, Failure> {
    let reader = named.stream.reader().retry(schedule()).mode(Mode::CatchUp).attempts_max(REMOTE_ATTEMPTS_MAX);
    let mut reader = reader.open();
    let mut values: Latest<Box<RawValue>> = Latest::new(count);
    let mut lines: Latest<Vec<u8>> = Latest::new(count);
    while let Some(batch) = reader.next().await {
        let batch = batch.map_err(|error| named.failed(error))?;
        match framing {
            Framing::Json => messages(&batch)?.into_iter().for_each(|message| values.push(message)),
            Framing::Text | Framing::Binary => lines.extend(&batch.bytes),
        }
    }
    if framing == Framing::Json {
        to.messages(&Vec::from(values.kept))?;
    } else {
        output::result_bytes(&Vec::from(lines.kept).concat())?;
    }
    Ok(reader.offset())
}

/// The last so many of something.
#[derive(Debug)]
struct Latest<T> {
    count: usize,
    kept: VecDeque<T>,
}

impl<T> Latest<T> {
    fn new(count: usize) -> Self {
        Self { count, kept: VecDeque::new() }
    }

    fn push(&mut self, item: T) {
        if self.kept.len() == self.count {
            self.kept.pop_front();
        }
        self.kept.push_back(item);
    }
}

impl Latest<Vec<u8>> {
    /// Adds lines, of which the first may go on with the last one kept.
    fn extend(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match self.kept.back_mut() {
                Some(line) if !line.ends_with(b"\n") => line.extend_from_slice(piece),
                _ => self.push(piece.to_vec()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_wherever_the_pieces_were_cut() {
        for size in 1..20 {
            let mut latest = Latest::new(2);
            b"one\ntwo\nthree\nfour".chunks(size).for_each(|piece| latest.extend(piece));
            assert_eq!(Vec::from(latest.kept).concat(), b"three\nfour", "{size}");
        }
    }
}
