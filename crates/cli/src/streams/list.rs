//! `headwater ls`: which streams there are.

use std::time::Duration;

use clap::ArgMatches;
use headwater_client::{ListedStream, Listing};
use serde_json::json;

use super::text;
use crate::failure::Failure;
use crate::limits::LISTING_PAGE;
use crate::output;
use crate::remote::{Remote, Subject};
use crate::table::{Align, Table};

pub(super) async fn list(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let client = remote.client()?;
    let mut rest = flags.get_one::<u64>("limit").copied().unwrap_or(u64::MAX);
    let mut wanted = Listing::all().limit(LISTING_PAGE).prefix(text(flags, "prefix").unwrap_or_default());
    loop {
        let mut page = client.list(&wanted).await.map_err(|error| Subject::Listing.failed(error))?;
        page.streams.truncate(usize::try_from(rest).unwrap_or(usize::MAX));
        rest -= page.streams.len() as u64;
        output::result(&shown(&page.streams, remote, flags.get_flag("long")))?;
        match page.next_cursor {
            Some(cursor) if rest > 0 => wanted = wanted.after(cursor),
            _ => return Ok(()),
        }
    }
}

fn shown(streams: &[ListedStream], remote: &Remote, long: bool) -> String {
    if remote.told.json {
        return streams.iter().map(|stream| format!("{}\n", value(stream))).collect();
    }
    if !long {
        return streams.iter().map(|stream| format!("{}\n", stream.path)).collect();
    }
    let mut table = Table::new(&[
        ("STREAM", Align::Left),
        ("TYPE", Align::Left),
        ("TAIL", Align::Left),
        ("STATE", Align::Left),
        ("AGE", Align::Right),
    ]);
    for stream in streams {
        let state = if stream.closed { "closed" } else { "open" };
        table.row([
            stream.path.clone(),
            stream.content_type.clone(),
            stream.tail.to_string(),
            state.to_owned(),
            age(stream.created_at),
        ]);
    }
    if streams.is_empty() { String::new() } else { table.render() }
}

fn value(stream: &ListedStream) -> serde_json::Value {
    json!({
        "path": stream.path, "contentType": stream.content_type, "tail": stream.tail, "closed": stream.closed,
        "createdAt": stream.created_at,
    })
}

fn age(created_at_ms: u64) -> String {
    let created = std::time::UNIX_EPOCH + Duration::from_millis(created_at_ms);
    // Clocks of two machines differ: what comes from the future is new.
    output::rounded_age(created.elapsed().unwrap_or_default())
}
