//! `headwater create`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::ArgMatches;
use headwater_client::Create;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use super::content::content_type;
use super::{Named, text};
use crate::failure::Failure;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::remote::Remote;

pub(super) async fn create(remote: &Remote, flags: &ArgMatches) -> Result<(), Failure> {
    let named = Named::of(remote, flags, "stream")?;
    let kind = text(flags, "type").expect("it has a default");
    let kind = content_type(&kind);
    let mut wanted = with_lifetime(Create::new(kind), flags).body(body(flags).await?);
    if flags.get_flag("closed") {
        wanted = wanted.closed();
    }
    let created = named.stream.create(wanted).await.map_err(|error| named.failed(error))?;
    let tail = created.tail.as_ref().map(headwater_client::Offset::as_str);
    let value = json!({ "stream": named.name, "url": named.stream.url(), "isNew": created.is_new, "tail": tail });
    let done = if created.is_new { "created" } else { "is there already" };
    remote.told.result(&value, format_args!("{}: {done}, {kind}", named.name))
}

/// What was said about the end of a stream's life.
pub(super) fn with_lifetime(create: Create, flags: &ArgMatches) -> Create {
    match (flags.get_one::<Duration>("ttl"), text(flags, "expires-at")) {
        (Some(ttl), _) => create.ttl(*ttl),
        (None, Some(at)) => create.expires_at(at),
        (None, None) => create,
    }
}

async fn body(flags: &ArgMatches) -> Result<Bytes, Failure> {
    match (text(flags, "data"), flags.get_one::<PathBuf>("file")) {
        (Some(data), _) => Ok(data.into()),
        (None, Some(file)) => whole(file).await,
        (None, None) => Ok(Bytes::new()),
    }
}

/// A whole file: one request carries it.
async fn whole(file: &Path) -> Result<Bytes, Failure> {
    let name = file.display();
    let failed = |error: std::io::Error| Failure::Usage(format!("cannot read {name}: {error}; check --file"));
    let mut bytes = Vec::new();
    let most = MESSAGE_BYTES_MAX as u64 + 1;
    let read = if file.as_os_str() == "-" {
        tokio::io::stdin().take(most).read_to_end(&mut bytes).await
    } else {
        tokio::fs::File::open(file).await.map_err(failed)?.take(most).read_to_end(&mut bytes).await
    };
    read.map_err(failed)?;
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Failure::Usage(format!(
            "{name} is too large for one request; create the stream and append --file"
        )));
    }
    Ok(bytes.into())
}
