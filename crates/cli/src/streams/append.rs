//! `headwater append`: messages through an idempotent producer, each exactly once.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::ArgMatches;
use headwater_client::{Create, Error, Producer};
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::content::{content_type, framing};
use super::input::{Messages, Source, Split};
use super::progress::{self, Sums, Underway};
use super::{Named, text};
use crate::failure::Failure;
use crate::remote::{Remote, schedule};

pub(super) async fn append(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags, "stream")?;
    if flags.get_flag("create") {
        create(&named, flags).await?;
    }
    let framing = framing(&named.find().await?);
    let split = match ["bytes", "lines", "ndjson"].map(|name| flags.get_flag(name)) {
        [true, _, _] => Split::Bytes,
        [_, true, _] => Split::Lines,
        [_, _, true] => Split::Json,
        _ => Split::usual(framing),
    };
    let source = source(flags);
    if source.is_standard_input() && std::io::stdin().is_terminal() {
        remote.told.note(format_args!("messages are what you type; Ctrl-D ends"));
    }
    let bar = progress::bar(remote.told, size(&source));
    let messages = Messages::new(source, split, framing)?;
    let (id, epoch) = identity(flags)?;
    let producer = named.stream.producer(&id).epoch(epoch).retry(schedule()).start().await;
    let producer = producer.map_err(|error| named.failed(error))?;

    let (tell, underway) = mpsc::unbounded_channel();
    let counting = tokio::spawn(progress::count(underway, bar.clone(), remote.told));
    let sent = send(&producer, messages, tell).await;
    let counted = counting.await.map_err(|error| Failure::Other(format!("counting ended: {error}")))?;
    bar.finish_and_clear();
    let mut sums = counted.map_err(|error| named.failed(error))?;
    match sent {
        Err(Sending::Input(failure)) => {
            if sums.messages > 0 {
                tell_sums(remote, &named, &sums, false)?;
            }
            return Err(failure);
        }
        Err(Sending::Producer(error)) => return Err(named.failed(error)),
        Ok(()) => {}
    }
    let closes = flags.get_flag("close");
    if closes {
        let end = producer.close().await.map_err(|error| named.failed(error))?;
        sums.tail = end.or(sums.tail);
    }
    tell_sums(remote, &named, &sums, closes)
}

/// Why messages stopped.
enum Sending {
    Input(Failure),
    Producer(Error),
}

/// Sends all there is. The count of what is under way is bounded by the producer's own queue.
async fn send(
    producer: &Producer,
    mut messages: Messages,
    tell: mpsc::UnboundedSender<Underway>,
) -> Result<(), Sending> {
    while let Some(message) = messages.next().await.map_err(Sending::Input)? {
        let bytes = message.len() as u64;
        let receipt = producer.send_with_receipt(message).await.map_err(Sending::Producer)?;
        if tell.send(Underway { receipt, bytes }).is_err() {
            // A message has failed, and the count says why.
            return Ok(());
        }
    }
    producer.flush().await.map_err(Sending::Producer)
}

async fn create(named: &Named, flags: &ArgMatches) -> Result<(), Failure> {
    let kind = text(flags, "type").expect("it has a default");
    match named.stream.create(Create::new(content_type(&kind))).await {
        Ok(_) => Ok(()),
        // It is there, of whichever type: that is what it is taken for.
        Err(Error::Conflict(_) | Error::Closed { .. })
            if flags.value_source("type") == Some(clap::parser::ValueSource::DefaultValue) =>
        {
            Ok(())
        }
        Err(error) => Err(named.failed(error)),
    }
}

fn source(flags: &ArgMatches) -> Source {
    let given = flags.get_many::<String>("message").unwrap_or_default();
    let files = flags.get_many::<PathBuf>("file").unwrap_or_default();
    match (given.len(), files.len()) {
        (0, 0) => Source::Files([PathBuf::from("-")].into()),
        (0, _) => Source::Files(files.cloned().collect()),
        _ => Source::Arguments(given.cloned().collect()),
    }
}

/// Bytes of all input, when that can be known.
fn size(source: &Source) -> Option<u64> {
    match source {
        Source::Arguments(arguments) => Some(arguments.iter().map(|argument| argument.len() as u64).sum()),
        Source::Files(files) => files
            .iter()
            .map(|file| std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file).map(|found| found.len()))
            .sum(),
    }
}

/// A name for this run. One that was given is taken over from earlier runs: time only grows, and is fine enough to tell
/// two runs apart, of which the server would take the second for a repetition.
fn identity(flags: &ArgMatches) -> Result<(String, u64), Failure> {
    let Some(id) = text(flags, "producer") else { return Ok((format!("headwater-{}", Uuid::now_v7()), 0)) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|_| Failure::Usage("this machine's clock is before 1970; leave out --producer".into()))?;
    Ok((id, u64::try_from(now.as_micros()).unwrap_or(u64::MAX)))
}

fn tell_sums(remote: &Remote, named: &Named, sums: &Sums, closed: bool) -> Result<(), Failure> {
    let Sums { messages, bytes, tail, .. } = sums;
    let tail = tail.as_ref().map(headwater_client::Offset::as_str);
    let value = json!({ "stream": named.name, "messages": messages, "bytes": bytes, "tail": tail, "closed": closed });
    let noun = if *messages == 1 { "message" } else { "messages" };
    let end =
        tail.map_or_else(String::new, |tail| format!("; {} {tail}", if closed { "closed at" } else { "ends at" }));
    remote.told.result(&value, format_args!("{}: {messages} {noun} of {bytes} bytes appended{end}", named.name))
}
