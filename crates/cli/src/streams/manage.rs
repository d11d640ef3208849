//! `headwater head`, `close`, `fork` and `delete`: what needs one request and says one thing.

use clap::ArgMatches;
use headwater_client::{Create, Fork, Offset};
use serde_json::json;

use super::create::with_lifetime;
use super::{Named, text};
use crate::failure::Failure;
use crate::output;
use crate::remote::Remote;

pub(super) async fn head(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags, "stream")?;
    let head = named.find().await?;
    if remote.told.json {
        let ttl_seconds = head.ttl.map(|ttl| ttl.as_secs());
        let value = json!({
            "stream": named.name, "url": named.stream.url(), "contentType": head.content_type, "tail": head.tail,
            "closed": head.closed, "ttlSeconds": ttl_seconds, "expiresAt": head.expires_at,
        });
        return output::result(&format!("{value}\n"));
    }
    let lives = match (head.ttl, &head.expires_at) {
        (Some(ttl), _) => format!("{} after its last use", humantime::format_duration(ttl)),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "until it is deleted".to_owned(),
    };
    let state = if head.closed { "closed" } else { "open" };
    let facts = [
        ("url", named.stream.url()),
        ("type", head.content_type.unwrap_or_else(|| "unknown".to_owned())),
        ("tail", head.tail.to_string()),
        ("state", state.to_owned()),
        ("lives", lives),
    ];
    let lines: String = facts.iter().map(|(name, fact)| format!("{name:<8} {fact}\n")).collect();
    output::result(&lines)
}

pub(super) async fn close(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags, "stream")?;
    let tail = named.stream.close().await.map_err(|error| named.failed(error))?;
    let tail = tail.as_ref().map(Offset::as_str);
    let value = json!({ "stream": named.name, "closed": true, "tail": tail });
    let end = tail.map_or_else(String::new, |tail| format!(" at {tail}"));
    remote.told.result(&value, format_args!("{}: closed{end}", named.name))
}

pub(super) async fn fork(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let source = Named::of(remote, flags, "source")?;
    let target = Named::of(remote, flags, "target")?;
    let mut wanted = text(flags, "at").map_or_else(Fork::at_tail, Fork::at);
    if let Some(count) = flags.get_one::<u64>("plus") {
        wanted = wanted.sub_offset(*count);
    }
    let wanted = wanted.create(with_lifetime(Create::default(), flags));
    let created = source.stream.fork(&target.stream, wanted).await.map_err(|error| source.failed(error))?;
    let tail = created.tail.as_ref().map(Offset::as_str);
    let value = json!({
        "stream": target.name, "url": target.stream.url(), "forkedFrom": source.name, "isNew": created.is_new,
        "tail": tail,
    });
    let done = if created.is_new { "forked from" } else { "is there already, forked from" };
    remote.told.result(&value, format_args!("{}: {done} {}", target.name, source.name))
}

pub(super) async fn delete(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    for named in Named::all(remote, flags, "stream")? {
        named.stream.delete().await.map_err(|error| named.failed(error))?;
        let value = json!({ "stream": named.name, "deleted": true });
        remote.told.result(&value, format_args!("{}: deleted", named.name))?;
    }
    Ok(())
}
